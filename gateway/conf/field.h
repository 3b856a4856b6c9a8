/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/field.h - the directive tables: one row per field makes the
 * reader, the bounds, the defaults, the JSON Schema, the reference page and
 * --explain. Rows are constant; rows.h has the macros to write them with. */
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
	FIELD_LIMITS,		/* names of limits */
	FIELD_WORDS,		/* a list of `choices` */
	FIELD_FLAGS,		/* the same, kept as the bits of their values */
	FIELD_FILES,		/* a list of paths, * and ? in the last part */
	FIELD_PREFIXES, FIELD_NUMBERS,
	FIELD_PAIRS,		/* a mapping of free names to strings */
	FIELD_MAP,		/* a mapping, read into the struct at `base`; where
				 * there are `choices` one of those may stand for it */
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
	/* FIELD_NOWHERE: nothing is stored. Of a mapping: of a bool, set by the word
	 * that stands for it, else true where the mapping is there. */
	size_t offset;
	size_t count_offset;	/* of a list or dict; of a rate: where per_us goes */
	size_t base;		/* of a mapping: of the struct that its rows speak of */
	const char *standard;	/* the default, as it would be written; NULL: none */
	const char *shown;	/* the default as told, where it is found out */
	const char *min, *max;	/* bounds, as they would be written */
	size_t most;		/* members of a list; 0: as many as any may have */
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
/* What bounds compare by; 0 for what has none. */
uint64_t field_magnitude(const struct field *, const union field_value *);
/* NULL when the field has no such word. */
const struct choice *field_choice(const struct field *, struct span word);
bool field_is_list(const struct field *);
bool field_is_nested(const struct field *);	/* its value is a mapping or more */
/* What the field takes, for a person: "a duration, 100ms to 10m". */
void field_allowed(const struct field *, struct text *);
const struct field *map_field(const struct map *, struct span name);
/* The field whose name is nearest to what was typed, or NULL. */
const struct field *map_nearest(const struct map *, struct span typed);

#endif
