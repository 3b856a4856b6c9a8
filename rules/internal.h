/* SPDX-License-Identifier: Apache-2.0 */
/* rules/internal.h - the structs that the files of this folder share: the
 * library with its parsed bases, policies and transactions. Threads: see
 * waf.h. */
#ifndef YETT_RULES_INTERNAL_H
#define YETT_RULES_INTERNAL_H

#include <stdatomic.h>

#include "gateway/base/arena.h"
#include "gateway/base/lock.h"
#include "rules/exclude.h"
#include "rules/shim.h"
#include "rules/waf.h"

#define WAF_MAGIC 0x5af00001
#define WAF_BASE_MAGIC 0x5af00002
#define WAF_POLICY_MAGIC 0x5af00003
#define WAF_TXN_MAGIC 0x5af00004

/* One parsed set of files. A base that no policy uses goes when the next policy
 * is made, so that letting go of a policy never takes the parse lock. */
struct waf_base {
	unsigned magic;
	struct waf_base *next;
	char *key; /* files with their size and time */
	struct shim_rules *rules;
	atomic_uint refs; /* policies */
};

struct waf {
	unsigned magic;
	atomic_uint refs;
	struct lock lock; /* LOCK_RULES: parsing, and the list of bases */
	struct shim_engine *engine;
	struct waf_base *bases;
};

/* Finds or parses the base of a policy and takes a reference on it. */
enum err_code waf_base_get(
    struct waf_base **base_r, struct waf *, const struct conf_policy *, struct err *);

#define WAF_SETTINGS_MAX 32

struct waf_policy {
	unsigned magic;
	atomic_uint refs;
	struct waf *waf;
	struct waf_base *base;
	enum conf_waf_mode mode;
	uint8_t paranoia;
	uint32_t inbound_threshold, outbound_threshold;
	uint32_t arguments; /* at most so many */
	uint64_t response_inspect;
	char **response_types;
	size_t n_response_types;
	struct shim_setting settings[WAF_SETTINGS_MAX]; /* values are malloc'd */
	uint32_t n_settings;
	struct exclude_set *excludes;
};

struct waf_txn {
	unsigned magic;
	struct waf_policy *policy;
	const struct http_request *request;
	struct shim_txn *shim;
	bool *active; /* exclusions that hold for this request */
	bool inspected; /* phase 1 ran */
	bool finished;
	bool response; /* phases 3 and later: outbound scores count */
	struct waf_verdict verdict;
};

/* Rules of Yett's own around the rule set; engine settings (base.c). */
extern const char waf_base_settings[];

/* Ids of hits that are no rule's but Yett's own checks. */
enum waf_own_hit {
	WAF_HIT_ARGUMENTS = 9500001,
	WAF_HIT_COOKIES = 9500002,
	WAF_HIT_MULTIPART = 9500003,
	WAF_HIT_CONTENT_TYPE = 9500004,
	WAF_HIT_BODY = 9500005,
	WAF_HIT_ENGINE = 9500009,
};

#endif
