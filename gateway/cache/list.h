/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/list.h - walking over field values that are lists (RFC 9110 5.6.1)
 * and over the lines of a field whose name has no identity in gateway/http. Pure
 * functions, linear in the bytes given. */
#ifndef YETT_CACHE_LIST_H
#define YETT_CACHE_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/http/fields.h"

/* Where a walk over one line is. Start: { .rest = value }. */
struct cache_list {
	struct span rest;	/* absent: at the end */
	bool unquoted;		/* a quote was never closed: quotes are plain bytes */
};

/* Takes the next element off, without its white space; empty elements are passed
 * over. A comma inside a quoted-string does not end an element. When a quote is
 * never closed, every comma behind it counts, so that nothing can hide a directive
 * behind it. False at the end. */
bool cache_list_next(struct cache_list *, struct span *element_r);

/* The same, empty elements too. */
bool cache_list_piece(struct cache_list *, struct span *piece_r);

/* The content of a quoted-string that is all of `text`; false if it is none. It is
 * not unescaped: `has_escape_r` tells that it would have to be. */
bool cache_unquote(struct span text, struct span *inside_r, bool *has_escape_r);

/* The next line of that name at or behind *at, moving *at past it; false when there
 * are none left. Start with *at = 0. For known names give the identity, for others
 * HTTP_OTHER and the name. */
bool cache_next_line(const struct http_fields *, enum http_field_id, struct span name,
    uint32_t *at, struct span *value_r);

/* Is all of it token characters, at least one? */
bool cache_is_token(struct span);

/* delta-seconds (RFC 9111 1.2.2): digits only; more than CACHE_SECONDS_MAX is that.
 * False for anything else. */
#define CACHE_SECONDS_MAX INT64_C(2147483648)
bool cache_delta_seconds(struct span, int64_t *seconds_r);

#endif
