/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/field.h - the directive tables: one row per field makes the
 * reader, the bounds, the defaults, the JSON Schema, the reference page and
 * --explain. Rows are constant. The macros that name a struct member fix the
 * member's type: a row of the wrong type does not compile. */
#ifndef YETT_CONF_FIELD_H
#define YETT_CONF_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/netaddr.h"
#include "gateway/conf/value.h"

struct reader;
struct node;
struct map;

enum field_type {
	FIELD_TRUTH, FIELD_NUMBER, FIELD_SIZE, FIELD_DURATION, FIELD_RATE,
	FIELD_WORD,		/* one of `choices` */
	FIELD_STRING,
	FIELD_PATH,		/* made absolute, but for the words of `choices` */
	FIELD_ADDRESS,
	FIELD_POOL, FIELD_POLICY,	/* the name of one */
	FIELD_STRINGS,		/* a list; a lone value is a list of one */
	FIELD_HOSTS,
	FIELD_WORDS,		/* a list of `choices` */
	FIELD_FILES,		/* a list of paths, * and ? in the last part */
	FIELD_PREFIXES,
	FIELD_PAIRS,		/* a mapping of free names to strings */
	FIELD_MAP,		/* a mapping, read into the struct around it */
	FIELD_LIST,		/* a list of mappings */
	FIELD_DICT,		/* a mapping of free names to mappings */
};

/* Ends with a row whose word is NULL. `later`: not built yet. */
struct choice { const char *word; unsigned value; bool later; };

/* Is the text fit for the field? It may be rewritten in place (lower case), not
 * made longer. What is wrong with it goes to `why`. */
typedef bool field_check_f(char *text, struct text *why);
/* Runs once a mapping is read: checks and fills in what takes more than one
 * field. `object` is where the rows' offsets count from. */
typedef void map_finish_f(struct reader *, void *object, const struct node *map);

#define FIELD_NOWHERE SIZE_MAX

struct field {
	const char *name;
	enum field_type type;
	bool required;
	bool later;		/* not built yet: only `harmless` is accepted */
	size_t offset, count_offset;	/* FIELD_NOWHERE: nothing is stored */
	const char *standard;	/* the default, as it would be written; NULL: none */
	const char *shown;	/* the default as told, where it is found out */
	const char *harmless;	/* of a later field: means that nothing is done */
	const char *min, *max;	/* bounds, as they would be written */
	const struct choice *choices;
	const struct map *map;
	field_check_f *check;
	const char *form;	/* for a person: "a name or an address" */
	const char *prose;
};

struct map {
	const char *name;	/* in the schema and the reference page */
	const struct field *fields;
	size_t n_fields;
	size_t size;		/* of one element of a list or dict */
	size_t place_offset, name_offset;	/* or FIELD_NOWHERE */
	map_finish_f *finish;
	const char *prose;
};

extern const struct map map_root;

union field_value {
	bool truth;
	uint32_t number;
	uint64_t size;
	int64_t duration;
	struct value_rate rate;
	unsigned word;
	struct netaddr address;
};

/* A single value of the field, bounds included; false for what is not allowed.
 * Of a string, path or name only that it is there where it must be. */
bool field_parse(const struct field *, struct span text, union field_value *value_r);
/* NULL when the field has no such word. */
const struct choice *field_choice(const struct field *, struct span word);
bool field_is_list(const struct field *);
bool field_is_nested(const struct field *);	/* its value is a mapping or more */
/* What the field takes, for a person: "a duration, 100ms to 10m". */
void field_allowed(const struct field *, struct text *);
const struct field *map_field(const struct map *, struct span name);
/* The field whose name is nearest to what was typed, or NULL. */
const struct field *map_nearest(const struct map *, struct span typed);

/* Where a member is; fails to compile unless it is of type `T`. Enums are of
 * type unsigned to the compiler. */
#define FIELD_AT(S, member, T)						\
	(offsetof(struct S, member) +					\
	    _Generic(((struct S *)NULL)->member, T: (size_t)0))

#define TRUTH(S, m)	.type = FIELD_TRUTH, .offset = FIELD_AT(S, m, bool)
#define NUMBER(S, m)	.type = FIELD_NUMBER, .offset = FIELD_AT(S, m, uint32_t)
#define SIZE(S, m)	.type = FIELD_SIZE, .offset = FIELD_AT(S, m, uint64_t)
#define DURATION(S, m)	.type = FIELD_DURATION, .offset = FIELD_AT(S, m, int64_t)
#define WORD(S, m, W)	.type = FIELD_WORD, .choices = (W), .offset = FIELD_AT(S, m, unsigned)
#define WORD_INT(S, m, W)	.type = FIELD_WORD, .choices = (W), .offset = FIELD_AT(S, m, int)
#define STRING(S, m)	.type = FIELD_STRING, .offset = FIELD_AT(S, m, const char *)
#define PATH(S, m)	.type = FIELD_PATH, .offset = FIELD_AT(S, m, const char *)
#define ADDRESS(S, m)	.type = FIELD_ADDRESS, .offset = FIELD_AT(S, m, struct netaddr)
#define POOL(S, m)	.type = FIELD_POOL, .offset = FIELD_AT(S, m, const char *)
#define POLICY(S, m)	.type = FIELD_POLICY, .offset = FIELD_AT(S, m, const char *)
#define STRINGS(S, m)	.type = FIELD_STRINGS, .offset = FIELD_AT(S, m, struct conf_strings)
#define HOSTS(S, m)	.type = FIELD_HOSTS, .offset = FIELD_AT(S, m, struct conf_strings)
#define WORDS(S, m, W)	.type = FIELD_WORDS, .choices = (W), \
	.offset = FIELD_AT(S, m, struct conf_strings)
#define FILES(S, m)	.type = FIELD_FILES, .offset = FIELD_AT(S, m, struct conf_strings)
/* A mapping whose members belong to the struct around it; PRESENT notes in a
 * bool that it was there. */
#define MAP(M)		.type = FIELD_MAP, .map = &map_##M, .offset = FIELD_NOWHERE
#define MAP_PRESENT(S, m, M)	.type = FIELD_MAP, .map = &map_##M, \
	.offset = FIELD_AT(S, m, bool)
/* `m` and `n_m` of struct S hold elements of struct conf_M, read by map_M. */
#define LIST(S, m, M)	.type = FIELD_LIST, .map = &map_##M, \
	.offset = FIELD_AT(S, m, struct conf_##M *), \
	.count_offset = FIELD_AT(S, n_##m, size_t)
#define DICT(S, m, M)	.type = FIELD_DICT, .map = &map_##M, \
	.offset = FIELD_AT(S, m, struct conf_##M *), \
	.count_offset = FIELD_AT(S, n_##m, size_t)
/* A field that is understood and not built: nothing is stored. */
#define LATER(T)	.type = FIELD_##T, .later = true, .offset = FIELD_NOWHERE
#define LATER_WORD(W)	LATER(WORD), .choices = (W)
#define LATER_MAP(T, M)	LATER(T), .map = &map_##M
/* Built, read by hand in a finish function or the reader. */
#define BY_HAND(T)	.type = FIELD_##T, .offset = FIELD_NOWHERE

#define ROWS(rows)	.fields = (rows), .n_fields = sizeof(rows) / sizeof((rows)[0])
#define ELEMENT(S)	.size = sizeof(struct S), \
	.place_offset = offsetof(struct S, place), .name_offset = FIELD_NOWHERE
#define NAMED_ELEMENT(S)	.size = sizeof(struct S), \
	.place_offset = offsetof(struct S, place), .name_offset = offsetof(struct S, name)
#define WITHIN		.place_offset = FIELD_NOWHERE, .name_offset = FIELD_NOWHERE

#endif
