/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/range.h - parts of a complete stored answer: Range, If-Range,
 * Content-Range (RFC 9110 14, 13.1.5). One part is sent as 206. Several that overlap
 * or touch are one; several that don't are answered with the whole content, as 14.2
 * allows: multipart/byteranges is what attacks on servers are made of (many small
 * parts, each with a head), and hardly a client asks for it. Pure functions. */
#ifndef YETT_CACHE_RANGE_H
#define YETT_CACHE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cache/validate.h"

#define CACHE_RANGES_MAX	16	/* of more, none is looked at: the whole */

struct cache_range {
	uint64_t first, last;		/* first <= last < length */
};

enum cache_range_rc {
	CACHE_RANGE_WHOLE,		/* 200: no Range, or one that is not heeded */
	CACHE_RANGE_PART,		/* 206 */
	CACHE_RANGE_UNSATISFIABLE,	/* 416 */
};

/* Only for GET and a stored 200. `length` is that of the whole content. Not heeded:
 * other units, what is not well-formed, more than one Range line, and a Range whose
 * If-Range does not hold. */
enum cache_range_rc cache_range(struct cache_range *range_r,
    const struct http_fields *request, const struct cache_validators *stored,
    uint64_t length);
/* The value of one Range field alone. */
enum cache_range_rc cache_range_parse(struct cache_range *range_r, struct span value,
    uint64_t length);
/* Does If-Range hold, or is there none? A strong etag, or exactly Last-Modified with
 * a Date at least a second later, that is: a strong one (RFC 9110 8.8.2.2). */
bool cache_if_range(const struct http_fields *request,
    const struct cache_validators *stored);

/* Content-Range: "bytes 0-499/1234" of a 206, "bytes * /1234" (without the blank) of a
 * 416, where `range` is NULL. */
void cache_put_content_range(struct text *, const struct cache_range *range,
    uint64_t length);

#endif
