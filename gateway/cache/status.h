/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/status.h - the Cache-Status field (RFC 9211): what the cache did with
 * a request, for the client and for records. Pure functions. */
#ifndef YETT_CACHE_STATUS_H
#define YETT_CACHE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/buf.h"

/* Why a request went to the origin (RFC 9211 2.2). */
#define CACHE_FORWARDS(F)						\
	F(BYPASS, "bypass")	/* the cache is off here, or not admitted */	\
	F(METHOD, "method")							\
	F(URI_MISS, "uri-miss")	/* nothing stored under the key */		\
	F(VARY_MISS, "vary-miss")	/* but not this variant */		\
	F(MISS, "miss")		/* one of the two, unknown which */		\
	F(REQUEST, "request")	/* the request's directives */			\
	F(STALE, "stale")							\
	F(PARTIAL, "partial")

enum cache_forward {
	CACHE_FWD_NONE,		/* it was a hit */
#define CACHE_FORWARD_ENUM(name, text)	CACHE_FWD_##name,
	CACHE_FORWARDS(CACHE_FORWARD_ENUM)
#undef CACHE_FORWARD_ENUM
};

/* What is told. With a hit `forward` is NONE; a stale one that is served for an error
 * or while it is validated is a hit with a negative ttl. */
struct cache_report {
	struct span name;		/* of this cache: "yett", or the node's */
	enum cache_forward forward;
	uint16_t forward_status;	/* what the origin answered; 0: not told */
	bool has_ttl;
	int64_t ttl_s;			/* freshness left, negative when stale */
	bool stored;			/* the answer is now */
	bool collapsed;			/* with another request's to the origin */
	struct span detail;		/* absent: none */
};

/* Appends one member: 'yett; hit; ttl=30'. Where the origin's answer has a
 * Cache-Status, ours goes into a line behind it. A name that is no token becomes a
 * string, bytes that no string may hold become "?". */
void cache_status_put(struct text *, const struct cache_report *);
const char *cache_forward_text(enum cache_forward);

#endif
