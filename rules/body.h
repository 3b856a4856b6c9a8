/* SPDX-License-Identifier: Apache-2.0 */
/* rules/body.h - what a request body is, how many arguments it may hold, and
 * whether a multipart one is sane: looked at before the engine sees a byte,
 * since the engine's cost grows with the square of the arguments. Pure. */
#ifndef YETT_RULES_BODY_H
#define YETT_RULES_BODY_H

#include "gateway/base/buf.h"
#include "gateway/base/span.h"
#include "rules/shim.h"

/* By the media type of the Content-Type. */
enum shim_body body_kind(struct span content_type);
/* "application/json" of "Application/JSON; charset=x"; at most `size` - 1
 * bytes, lower case. Returns its length. */
size_t body_media_type(struct span content_type, char *out, size_t size);

/* Upper bound of the arguments that the engine would make of it. */
uint64_t body_arguments_urlencoded(struct span form);
uint64_t body_arguments_json(struct span json);

/* The boundary parameter: NULL when sane, else what is wrong. */
const char *body_boundary(struct span content_type, struct span *boundary_r);
/* May it stand unquoted (letters, digits, "-", "_")? */
bool body_boundary_is_plain(struct span boundary);
/* Delimiters, and the lines of the parts' heads; NULL when sane. `truncated`:
 * the end may be missing. `parts_r`: number of parts. */
const char *body_multipart(struct span body, struct span boundary, uint64_t *parts_r);

/* A body of which only the head is there: `keep_r` bytes of it followed by
 * `close` parse like a complete one. False: it can't be told how. */
bool body_close(enum shim_body, struct span body, struct span boundary, size_t *keep_r,
    struct text *close);

#endif
