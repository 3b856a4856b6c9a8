/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/dictionary.h - reading structured field dictionaries (RFC 8941 3.2,
 * 4.2.2), as far as cache directives need: keys with integers, booleans and strings;
 * other values are checked and shown as OTHER, parameters are checked and dropped.
 * Pure functions, linear. */
#ifndef YETT_CACHE_DICTIONARY_H
#define YETT_CACHE_DICTIONARY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"

enum dictionary_type {
	DICTIONARY_TRUE,	/* ?1, or a key alone */
	DICTIONARY_FALSE,
	DICTIONARY_INTEGER,
	DICTIONARY_STRING,
	DICTIONARY_OTHER,	/* decimal, token, bytes, inner list */
};

struct dictionary_member {
	struct span key;
	enum dictionary_type type;
	int64_t integer;
	struct span string;	/* between the quotes, not unescaped */
	bool has_escape;
};

enum dictionary_rc { DICTIONARY_MEMBER, DICTIONARY_END, DICTIONARY_BAD };

/* Takes the next member off *rest, which starts as the field's value. After BAD the
 * whole field counts as absent. Two members of one key come as two: the later one
 * is the one that counts. */
enum dictionary_rc dictionary_next(struct span *rest, struct dictionary_member *member_r);

#endif
