/* SPDX-License-Identifier: Apache-2.0 */
/* rules/waf.h - the WAF: libmodsecurity with the OWASP Core Rule Set, policies
 * as overlays on one parsed base, and one transaction per request. Policies
 * are immutable, reference-counted and shared by all threads; a transaction is
 * used by one thread at a time (it may move between threads). Only rules/ sees
 * libmodsecurity. */
#ifndef YETT_RULES_WAF_H
#define YETT_RULES_WAF_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/netaddr.h"
#include "gateway/conf/conf.h"
#include "gateway/http/message.h"

/* The library and the bases parsed so far (one per different set of files).
 * One per process. */
struct waf;
enum err_code waf_new(struct waf **waf_r, struct err *);
void waf_free(struct waf **);
const char *waf_engine_version(void);
/* "OWASP_CRS/3.3.4" of the rule set in that folder ("" : the system's); false
 * when there is none. */
bool waf_crs_version(const char *path, char *out, size_t size);

/* Parses what was not parsed yet (about 0.1 s for CRS) and merges the policy's
 * overlay onto it. Errors name file, line and rule. Not on a loop. */
struct waf_policy;
enum err_code waf_policy_new(
    struct waf_policy **policy_r, struct waf *, const struct conf_policy *, struct err *);
struct waf_policy *waf_policy_ref(struct waf_policy *);
void waf_policy_free(struct waf_policy **);

/* A rule that matched. Spans live as long as the transaction. */
struct waf_hit {
	uint32_t id;
	struct span message;
	uint8_t severity; /* 0 emergency .. 7 debug */
	uint8_t phase; /* 1..5 */
	uint32_t score; /* what it added; 0 for evaluation rules */
	struct span variable; /* "ARGS:q"; "" when it has none */
	struct span value; /* the bytes that matched, cut to 1 KiB */
	const struct span *tags;
	uint32_t n_tags;
};

struct waf_verdict {
	bool refuse; /* the mode allows and a rule demands it */
	bool detected; /* mode detect: it would have refused */
	uint16_t status; /* of the refusal: 403, or what the rule says */
	struct span redirect; /* absent, or where a rule redirects to */
	uint32_t score, threshold; /* inbound, or outbound in phases 3 and 4 */
	uint8_t paranoia;
	const struct waf_hit *hits; /* in order; evaluation rules included */
	uint32_t n_hits, n_hits_lost; /* bounded: at most 128 are kept */
};

struct waf_client {
	const struct netaddr *peer, *local;
	const char *id; /* request id: becomes UNIQUE_ID */
};

/* Where the body is, for waf_request. Either all in memory or a file. */
struct waf_body {
	struct span memory;
	int fd; /* -1: in memory; else [0, bytes) of it */
	uint64_t bytes;
	bool truncated; /* over_inspect: head, more follows unseen */
};

struct waf_txn;
/* `mode` off never gets here: the caller skips the WAF. Picks the overlay that
 * the conditional exclusions of path and method ask for. NULL when out of
 * memory; the caller refuses then. Holds a reference on the policy. */
struct waf_txn *
waf_txn_new(struct waf_policy *, const struct http_request *, const struct waf_client *);
/* Phases 1 and 2. Long: see waf_is_long. Spans of `request` must live on until
 * waf_txn_free. The verdict is the transaction's. */
const struct waf_verdict *waf_request(struct waf_txn *, const struct waf_body *);
/* Phase 3. */
const struct waf_verdict *
waf_response_head(struct waf_txn *, const struct http_response *);
/* Does the policy look at bodies of this response? Bytes to buffer; 0: no. */
uint64_t waf_response_wanted(const struct waf_txn *, const struct http_response *);
/* Phase 4, once, with what was buffered. */
const struct waf_verdict *waf_response_body(struct waf_txn *, struct span body);
/* Phase 5; exactly once, also after a refusal, before the record is written. */
const struct waf_verdict *waf_finish(struct waf_txn *, uint16_t status_sent);
void waf_txn_free(struct waf_txn **);

/* May this inspection take longer than about a millisecond? Then it belongs on
 * an inspection thread. Cheap estimate from sizes and counts. */
bool waf_is_long(const struct http_request *, const struct waf_body *);

#endif
