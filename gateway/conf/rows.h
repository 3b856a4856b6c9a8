/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/rows.h - macros to write the rows of the directive tables with.
 * Those that name a struct member fix the member's type: a row of the wrong
 * type does not compile. Only for tables*.c. */
#ifndef YETT_CONF_ROWS_H
#define YETT_CONF_ROWS_H

#include "gateway/conf/conf.h"
#include "gateway/conf/field.h"

/* clang-format off */
/* Where a member is; fails to compile unless it is of type `T`. Enums are of
 * type unsigned to the compiler. */
#define FIELD_AT(S, member, T)						\
	(offsetof(struct S, member) +					\
	    _Generic(((struct S *)NULL)->member, T: (size_t)0))

#define TRUTH(S, m)	.type = FIELD_TRUTH, .offset = FIELD_AT(S, m, bool)
#define NUMBER(S, m)	.type = FIELD_NUMBER, .offset = FIELD_AT(S, m, uint32_t)
#define SIZE(S, m)	.type = FIELD_SIZE, .offset = FIELD_AT(S, m, uint64_t)
#define DURATION(S, m)	.type = FIELD_DURATION, .offset = FIELD_AT(S, m, int64_t)
#define WORD(S, m, W)	.type = FIELD_WORD, .choices = (W), \
	.offset = FIELD_AT(S, m, unsigned)
#define WORD_INT(S, m, W)	.type = FIELD_WORD, .choices = (W), \
	.offset = FIELD_AT(S, m, int)
#define STRING(S, m)	.type = FIELD_STRING, .offset = FIELD_AT(S, m, const char *)
#define PATH(S, m)	.type = FIELD_PATH, .offset = FIELD_AT(S, m, const char *)
#define ADDRESS(S, m)	.type = FIELD_ADDRESS, .offset = FIELD_AT(S, m, struct netaddr)
#define POOL(S, m)	.type = FIELD_POOL, .offset = FIELD_AT(S, m, const char *)
#define POLICY(S, m)	.type = FIELD_POLICY, .offset = FIELD_AT(S, m, const char *)
#define STRINGS(S, m)	.type = FIELD_STRINGS, \
	.offset = FIELD_AT(S, m, struct conf_strings)
#define HOSTS(S, m)	.type = FIELD_HOSTS, .offset = FIELD_AT(S, m, struct conf_strings)
#define LIMITS(S, m)	.type = FIELD_LIMITS, .most = CONF_LIMITS_MAX, \
	.offset = FIELD_AT(S, m, struct conf_strings)
#define PREFIXES(S, m)	.type = FIELD_PREFIXES, \
	.offset = FIELD_AT(S, m, struct conf_prefixes)
#define NUMBERS(S, m)	.type = FIELD_NUMBERS, \
	.offset = FIELD_AT(S, m, struct conf_numbers)
#define RATE(S, t, p)	.type = FIELD_RATE, .offset = FIELD_AT(S, t, uint64_t), \
	.count_offset = FIELD_AT(S, p, uint64_t)
#define FLAGS(S, m, W)	.type = FIELD_FLAGS, .choices = (W), \
	.offset = FIELD_AT(S, m, unsigned)
#define WORDS(S, m, W)	.type = FIELD_WORDS, .choices = (W), \
	.offset = FIELD_AT(S, m, struct conf_strings)
#define PAIRS(S, m)	.type = FIELD_PAIRS, .most = CONF_PAIRS_MAX, \
	.offset = FIELD_AT(S, m, struct conf_pairs)
#define FILES(S, m)	.type = FIELD_FILES, .offset = FIELD_AT(S, m, struct conf_strings)
/* A mapping whose members belong to the struct around it, or (IN) to the struct
 * conf_M that is member `m` of it; PRESENT notes in a bool that it was there; OR
 * takes one of the words W instead, whose value goes to the bool `b`. */
#define MAP(M)		.type = FIELD_MAP, .map = &map_##M, .offset = FIELD_NOWHERE
#define MAP_PRESENT(S, m, M)	.type = FIELD_MAP, .map = &map_##M, \
	.offset = FIELD_AT(S, m, bool)
#define MAP_IN(S, m, M)	MAP(M), .base = FIELD_AT(S, m, struct conf_##M)
#define MAP_IN_PRESENT(S, m, M)	.type = FIELD_MAP, .map = &map_##M, \
	.base = FIELD_AT(S, m, struct conf_##M), .offset = FIELD_AT(S, m.present, bool)
#define MAP_IN_OR(S, m, M, b, W)	.type = FIELD_MAP, .map = &map_##M, \
	.base = FIELD_AT(S, m, struct conf_##M), .offset = FIELD_AT(S, b, bool), \
	.choices = (W)
/* `m` and `n_m` of struct S hold elements of struct conf_M, read by map_M. */
#define LIST(S, m, M)	.type = FIELD_LIST, .map = &map_##M, \
	.offset = FIELD_AT(S, m, struct conf_##M *), \
	.count_offset = FIELD_AT(S, n_##m, size_t)
#define DICT(S, m, M)	.type = FIELD_DICT, .map = &map_##M, \
	.offset = FIELD_AT(S, m, struct conf_##M *), \
	.count_offset = FIELD_AT(S, n_##m, size_t)
/* Read by hand in a finish function or the reader. */
#define BY_HAND(T)	.type = FIELD_##T, .offset = FIELD_NOWHERE

#define ROWS(rows)	.fields = (rows), .n_fields = sizeof(rows) / sizeof((rows)[0])
#define ELEMENT(S)	.size = sizeof(struct S), \
	.place_offset = offsetof(struct S, place), .name_offset = FIELD_NOWHERE
#define WITHIN_PLACED(S)	.place_offset = offsetof(struct S, place), \
	.name_offset = FIELD_NOWHERE
#define NAMED_ELEMENT(S)	.size = sizeof(struct S), \
	.place_offset = offsetof(struct S, place), .name_offset = offsetof(struct S, name)
#define WITHIN		.place_offset = FIELD_NOWHERE, .name_offset = FIELD_NOWHERE
/* clang-format on */

#endif
