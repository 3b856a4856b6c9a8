/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/waf_rig.h - what tests and benchmarks of the WAF share: policies
 * with defaults, and requests from HTTP/1.1 text through the real parsers. */
#ifndef YETT_TESTS_WAF_RIG_H
#define YETT_TESTS_WAF_RIG_H

#include "gateway/base/arena.h"
#include "gateway/conf/conf.h"
#include "gateway/http/message.h"
#include "rules/waf.h"

struct rig_request {
	struct arena *arena;
	struct http_field fields[128];
	char *text; /* the head; spans point into it */
	struct http_request http;
	struct waf_body body;
};

/* The policy of the configuration's defaults. */
struct conf_policy rig_policy(void);
/* `head` ends with its empty line; `body` may be NULL. Aborts on a head that
 * the parser refuses. */
void rig_request_init(struct rig_request *, const char *head, struct span body);
void rig_request_free(struct rig_request *);
/* "POST /path" with the usual fields of a browser, and a body with its type. */
char *
rig_head(const char *method, const char *target, const char *content_type, size_t n);

struct waf_txn *rig_txn(struct waf_policy *, const struct rig_request *);
/* Is there a hit of that rule? */
const struct waf_hit *rig_hit(const struct waf_verdict *, uint32_t rule);
/* Prints the hits, for a test that fails. */
void rig_print(const struct waf_verdict *);

#endif
