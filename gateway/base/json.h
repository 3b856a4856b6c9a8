/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/json.h - writes JSON (RFC 8259) into a text. Output is valid
 * UTF-8 whatever the input: control bytes become \u00XX, and each byte that is
 * not part of well-formed UTF-8 becomes \u00XX of its value. A writer is used
 * by one thread; commas are its own business. No name here is one of jansson's,
 * which the tools that read JSON link. */
#ifndef YETT_JSON_H
#define YETT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/span.h"

#define JSON_DEPTH_MAX 16

struct json_out {
	struct text *text;
	unsigned depth;
	bool comma[JSON_DEPTH_MAX];
};

void json_start(struct json_out *, struct text *);
void json_object_begin(struct json_out *);
void json_object_end(struct json_out *);
void json_array_begin(struct json_out *);
void json_array_end(struct json_out *);
void json_key(struct json_out *, const char *key);
void json_put_string(struct json_out *, struct span);
/* At most `max` bytes of it, cut at a character, "..." behind when cut. */
void json_put_string_cut(struct json_out *, struct span, size_t max);
void json_put_int(struct json_out *, int64_t);
void json_put_bool(struct json_out *, bool);
void json_put_null(struct json_out *);
/* json_key + json_put_string, the common pair. Absent spans give null. */
void json_pair(struct json_out *, const char *key, struct span);
void json_pair_int(struct json_out *, const char *key, int64_t);

#endif
