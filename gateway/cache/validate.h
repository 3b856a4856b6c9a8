/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/validate.h - validators: asking the origin whether a stored answer
 * still holds, what a 304 or a HEAD answer does to what is stored (RFC 9111 4.3), and
 * answering a client's own conditions from a stored answer (RFC 9110 13). Pure
 * functions; spans point into the fields given. */
#ifndef YETT_CACHE_VALIDATE_H
#define YETT_CACHE_VALIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/http/fields.h"

/* What an answer can be recognised by. */
struct cache_validators {
	struct span etag;		/* with W/ and quotes; absent: none valid */
	bool weak;			/* the etag is */
	struct span modified;		/* Last-Modified as sent; absent: no date */
	int64_t modified_s;		/* of it */
	int64_t date_s;			/* Date, else the time it came */
	bool has_date;
};

/* `wall_s`: when the answer came. Of several ETag or Last-Modified lines none counts:
 * an answer with two names has none. */
void cache_validators_read(struct cache_validators *validators_r,
    const struct http_fields *answer, int64_t wall_s);

/* Comparisons of entity tags (RFC 9110 8.8.3.2). Texts that are none are never equal. */
bool cache_etag_is_valid(struct span etag);
bool cache_etag_same_strong(struct span a, struct span b);
bool cache_etag_same_weak(struct span a, struct span b);

/* Conditions for the origin: If-None-Match with the etags of all variants of the key,
 * the one to be served first, each once, at most 8 (`text` is reset; no etags leave it
 * empty: no field), and If-Modified-Since of the first (absent: no field). The
 * client's own conditions and Range are not sent beside them. False: nothing to ask
 * with, the request goes out unconditionally. */
#define CACHE_CONDITIONS_MAX	8
bool cache_conditions(struct text *if_none_match, struct span *if_modified_since_r,
    const struct cache_validators *variants, unsigned n);

/* A client's conditions, judged by a stored answer that may be served. */
enum cache_condition {
	CACHE_CONDITION_NONE,		/* serve it */
	CACHE_CONDITION_NOT_MODIFIED,	/* 304 */
	CACHE_CONDITION_ORIGIN,		/* If-Match, If-Unmodified-Since: those are
					 * for the origin to judge (RFC 9111 4.3.2) */
};
/* Heeded for GET and HEAD and stored answers with status 2xx. With If-None-Match,
 * If-Modified-Since is not looked at, whether valid or not. Without Last-Modified,
 * If-Modified-Since is compared with Date. */
enum cache_condition cache_condition(const struct http_fields *request,
    uint16_t status, const struct cache_validators *stored, int64_t now_s);
/* Does the field of a stored answer belong into the 304 that it becomes? Not so what
 * describes the content that isn't sent (RFC 9110 15.4.5). */
bool cache_304_has(const struct http_field *, bool has_etag);

/* Which of n stored variants a 304 freshens (RFC 9111 4.3.4): with a strong etag, all
 * that have it; with a weak one or Last-Modified only, the newest that has it; without
 * any validator, the one that was asked about if there is no other. Sets chosen_r[n],
 * returns how many. 0: nothing is freshened, ask again without conditions. */
unsigned cache_freshened(bool *chosen_r, const struct cache_validators *stored,
    unsigned n, const struct cache_validators *not_modified);
/* The stored fields with those of the 304 in their place (RFC 9111 3.2), both already
 * marked for hop-by-hop fields. What the 304 may not change stays: Content-Length,
 * -Encoding, -Range and -MD5, digests, ETag and Vary unless there was none of it, and
 * Content-Type apart from its parameters; its Set-Cookie is not taken. Its Age is:
 * judge the result before leaving out what is not kept. False when merged_r has no
 * room. */
bool cache_merge(struct http_fields *merged_r, const struct http_fields *stored,
    const struct http_fields *not_modified);

/* What a 200 to HEAD says of a stored answer to GET (RFC 9111 4.3.5). */
enum cache_head {
	CACHE_HEAD_NOTHING,	/* not a 200: nothing */
	CACHE_HEAD_FRESHENS,	/* merge its fields like those of a 304 */
	CACHE_HEAD_INVALIDATES,	/* another content: what is stored is stale */
};
enum cache_head cache_head(uint16_t status, const struct http_fields *answer,
    const struct http_fields *stored, int64_t now_s);

#endif
