/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/control.h - what requests and answers say about caching: the
 * directives of Cache-Control (RFC 9111 5.2), of CDN-Cache-Control (RFC 9213), of
 * Surrogate-Control (W3C note "Edge Architecture Specification"), and Expires, Age,
 * Date, Pragma, Surrogate-Key. What contradicts itself or can't be read is taken as
 * the strictest that it could mean. Pure functions, linear in the bytes of the
 * fields; spans point into the fields given. */
#ifndef YETT_CACHE_CONTROL_H
#define YETT_CACHE_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cache/list.h"

/* Directives without a number. */
enum cache_directive {
	CC_NO_STORE = 1u << 0,
	CC_NO_CACHE = 1u << 1,		/* the unqualified form */
	CC_PRIVATE = 1u << 2,		/* the unqualified form */
	CC_PUBLIC = 1u << 3,
	CC_MUST_REVALIDATE = 1u << 4,
	CC_PROXY_REVALIDATE = 1u << 5,
	CC_MUST_UNDERSTAND = 1u << 6,
	CC_NO_TRANSFORM = 1u << 7,
	CC_ONLY_IF_CACHED = 1u << 8,
};

#define CACHE_ABSENT	INT64_C(-1)	/* of a number of seconds: not said */
#define CACHE_NAMES_MAX	16

struct cache_control {
	unsigned set;			/* of enum cache_directive */
	/* Seconds 0..CACHE_SECONDS_MAX, or CACHE_ABSENT. Of two, the strictest;
	 * what is no number is 0, for min_fresh the maximum. */
	int64_t max_age, s_maxage;
	int64_t max_stale;		/* request; without a value: the maximum */
	int64_t min_fresh;		/* request */
	int64_t stale_while_revalidate, stale_if_error;	/* RFC 5861 */
	/* Fields that no-cache="..." and private="..." name: not stored. Names that
	 * are no token, that are too many, or without which the answer has another
	 * sense (Content-Type, Vary ...) make it the unqualified form. */
	struct span names[CACHE_NAMES_MAX];
	unsigned n_names;
	bool targeted;			/* it is from CDN-Cache-Control or
					 * Surrogate-Control */
};

/* The device token of Surrogate-Capability, which names Yett to the origin: directives
 * of Surrogate-Control with another one behind them ("max-age=5;other") are not ours,
 * and those with ours come before those without any. */
#define CACHE_SURROGATE	"yett"

/* Of an answer: CDN-Cache-Control when it is there, a valid dictionary and not
 * empty; then Cache-Control and Expires are not looked at (RFC 9213 2.2). Else
 * Surrogate-Control when it has a directive for us that is known; no more then, too.
 * Else Cache-Control. Pragma means nothing in an answer (RFC 9111 5.4). */
void cache_control_answer(struct cache_control *control_r, const struct http_fields *);
/* Of a request: Cache-Control; Pragma: no-cache only where there is none. */
void cache_control_request(struct cache_control *control_r, const struct http_fields *);
/* Is it a field that the qualified forms name? Such a field is not stored. */
bool cache_control_names(const struct cache_control *, struct span field_name);

static inline bool
cache_control_has(const struct cache_control *control, unsigned directives)
{
	return ((control->set & directives) != 0);
}

/* Seconds since 1970 of the first Date; false when absent or no date. */
bool cache_date(const struct http_fields *, int64_t now_s, int64_t *date_s_r);
/* Expires: false when absent. Several: the earliest. No date: INT64_MIN, long past. */
bool cache_expires(const struct http_fields *, int64_t now_s, int64_t *expires_s_r);
/* Age; 0 when absent. Of a list the first member counts (RFC 9111 5.1). What is no
 * number, what came on several lines, and a list that says the same twice were put
 * together by nobody who knows the age: CACHE_SECONDS_MAX, too old for all. */
int64_t cache_age_field(const struct http_fields *);

/* Tags of Surrogate-Key, for purging: words between blanks, in all its lines. */
#define CACHE_TAGS_MAX		256
#define CACHE_TAG_BYTES_MAX	1024
struct cache_tags {
	struct span v[CACHE_TAGS_MAX];
	unsigned n;
};
/* False when there are more or longer ones: an answer that a purge could not find
 * must not be stored. */
bool cache_tags_read(struct cache_tags *tags_r, const struct http_fields *);

#endif
