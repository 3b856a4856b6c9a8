/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/freshness.h - may an answer be stored by a shared cache, for how long
 * is it fresh, and what may it be used for (RFC 9111 3, 4.2, 5.2; RFC 5861). Pure:
 * time comes as arguments. Two clocks: *_us is monotonic and measures durations, so
 * that a clock that is set back keeps nothing fresh for longer; wall_s is compared
 * with the dates in fields. */
#ifndef YETT_CACHE_FRESHNESS_H
#define YETT_CACHE_FRESHNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cache/control.h"

/* A route's say. Zero initialised is a valid set: RFC 9111 with nothing guessed. */
struct cache_rules {
	/* Seconds for an answer that says nothing about its freshness and whose
	 * status is safe to keep unasked (200, 203, 204, 300, 301, 308, 404, 410:
	 * not what a client can provoke with fields outside the key); 0: none. */
	int64_t ttl_s;
	/* Percent of Date - Last-Modified, where there is neither freshness nor a
	 * ttl (RFC 9111 4.2.2), at most a day; 0: off. */
	unsigned heuristic_percent;
	/* An answer with Set-Cookie is stored without it; otherwise not at all. */
	bool strip_cookies;
	/* Directives and Pragma of requests other than no-store and only-if-cached
	 * are not heeded: a client can't make the origin work. */
	bool ignore_requests;
};

/* Verdicts on storing, and the text for records. */
#define CACHE_STORE_VERDICTS(V)						\
	V(STORE_YES, "stored")						\
	V(STORE_METHOD, "method")					\
	V(STORE_STATUS, "status is not kept")				\
	V(STORE_REQUEST, "request says no-store")			\
	V(STORE_NO_STORE, "no-store")					\
	V(STORE_PRIVATE, "private")					\
	V(STORE_AUTHORIZED, "request has Authorization")		\
	V(STORE_COOKIE, "sets a cookie")				\
	V(STORE_VARY, "Vary is * or too long")				\
	V(STORE_PARTIAL, "a part of the content")			\
	V(STORE_TAGS, "Surrogate-Key is too long")			\
	V(STORE_STALE, "never fresh, nothing to validate it by")

enum cache_verdict {
#define CACHE_STORE_ENUM(name, text)	CACHE_##name,
	CACHE_STORE_VERDICTS(CACHE_STORE_ENUM)
#undef CACHE_STORE_ENUM
};
const char *cache_store_text(enum cache_verdict);

/* One exchange with the origin. */
struct cache_exchange {
	struct span method;
	const struct http_fields *request, *answer;
	uint16_t status;
	int64_t request_us, answer_us;	/* when sent, when its head came */
	int64_t wall_s;			/* at answer_us, seconds since 1970 */
};

/* What is kept with a stored answer to judge it later. */
struct cache_life {
	int64_t answer_us;
	int64_t initial_age_us;		/* corrected_initial_age, RFC 9111 4.2.3 */
	int64_t lifetime_s;		/* freshness_lifetime */
	int64_t stale_while_revalidate_s, stale_if_error_s;	/* 0: never */
	bool validate_always;		/* no-cache */
	bool never_stale;		/* must-revalidate, proxy-revalidate */
	bool no_client_stale;		/* s-maxage: max-stale does not count */
};

/* The verdict, and the life when it is STORE_YES. Called as well for a stored answer
 * that a 304 freshened, with its merged fields and its own status.
 * Only GET is stored. 206, 304, 412 and 416 are not (they answer a range or a
 * condition), nor is what has Content-Range. That the content came completely is
 * the caller's to see: what is cut off must never be served as whole. */
enum cache_verdict cache_judge(struct cache_life *life_r, const struct cache_rules *,
    const struct cache_exchange *);

/* Does this field of an answer belong to what is stored? Not so hop-by-hop fields,
 * those of qualified no-cache and private, Set-Cookie, Age (it is made anew),
 * Surrogate-Key, Surrogate-Control and Proxy-Authentication-Info (they are for us
 * alone). */
bool cache_field_is_kept(const struct cache_control *, const struct http_field *);

/* current_age, seconds rounded down: the Age to send. */
int64_t cache_age(const struct cache_life *, int64_t now_us);
/* Seconds of freshness left; negative: stale for so long. */
int64_t cache_ttl(const struct cache_life *, int64_t now_us);

enum cache_use {
	CACHE_USE_FRESH,	/* serve */
	CACHE_USE_STALE,	/* serve: the client's max-stale allows it */
	CACHE_USE_REVALIDATE,	/* serve stale, and validate behind it */
	CACHE_USE_VALIDATE,	/* ask the origin first, conditionally */
	CACHE_USE_ERROR,	/* the origin failed: serve stale */
	CACHE_USE_FAIL,		/* the origin failed: pass that on */
	CACHE_USE_TIMEOUT,	/* only-if-cached, and nothing may be served: 504 */
	CACHE_USE_FETCH,	/* nothing is stored: ask the origin */
};

/* `request` is what the request says. `life` NULL: nothing is stored. */
enum cache_use cache_use(const struct cache_life *, const struct cache_rules *,
    const struct cache_control *request, int64_t now_us);
/* After VALIDATE, REVALIDATE or FETCH, the origin could not be reached or answered
 * with what cache_is_error says: ERROR or FAIL. */
enum cache_use cache_use_failed(const struct cache_life *, const struct cache_rules *,
    const struct cache_control *request, int64_t now_us);
/* 500, 502, 503, 504 (RFC 5861 4). */
bool cache_is_error(uint16_t status);

/* Does such an answer to such a method make what is stored for its target invalid
 * (RFC 9111 4.4)? Unknown methods count as unsafe. */
bool cache_invalidates(struct span method, uint16_t status);

#endif
