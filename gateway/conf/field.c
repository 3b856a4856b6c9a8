/* SPDX-License-Identifier: Apache-2.0 */
/* One row of a directive table: what it takes, and whether a value is that. */
#include "config.h"

#include "gateway/conf/field.h"

#include "gateway/base/check.h"

const struct choice *
field_choice(const struct field *f, struct span word)
{
	const struct choice *c;

	if (f->choices == NULL)
		return (NULL);
	for (c = f->choices; c->word != NULL; c++)
		if (span_eq(span_of(c->word), word))
			return (c);
	return (NULL);
}

bool
field_is_list(const struct field *f)
{
	return (f->type == FIELD_STRINGS || f->type == FIELD_HOSTS ||
		f->type == FIELD_LIMITS || f->type == FIELD_WORDS ||
		f->type == FIELD_FLAGS || f->type == FIELD_FILES ||
		f->type == FIELD_PREFIXES || f->type == FIELD_NUMBERS);
}

bool
field_is_nested(const struct field *f)
{
	return (f->type == FIELD_MAP || f->type == FIELD_LIST || f->type == FIELD_DICT);
}

/* Without its bounds. */
static bool
parse_loose(const struct field *f, struct span text, union field_value *v)
{
	const struct choice *choice = field_choice(f, text);

	memset(v, 0, sizeof(*v));
	switch (f->type) {
	case FIELD_TRUTH:
		if (f->choices == NULL)
			return (value_truth(text, &v->truth));
		v->truth = choice != NULL && choice->value != 0;
		return (choice != NULL);
	case FIELD_NUMBER:
	case FIELD_NUMBERS:
		if (choice == NULL)
			return (value_number(text, &v->number));
		v->number = choice->value;
		return (true);
	case FIELD_SIZE: return (value_size(text, &v->size));
	case FIELD_DURATION: return (value_duration(text, &v->duration));
	case FIELD_RATE: return (value_rate(text, &v->rate));
	case FIELD_WORD:
		v->word = choice != NULL ? choice->value : 0;
		return (choice != NULL);
	case FIELD_ADDRESS: return (netaddr_parse(&v->address, text, NULL) == ERR_OK);
	default:
		/* An empty string is a value only where it is the default. */
		return (text.n > 0 || (f->standard != NULL && f->standard[0] == '\0'));
	}
}

uint64_t
field_magnitude(const struct field *f, const union field_value *v)
{
	switch (f->type) {
	case FIELD_TRUTH: return (v->truth);
	case FIELD_NUMBER:
	case FIELD_NUMBERS: return (v->number);
	case FIELD_SIZE: return (v->size);
	case FIELD_DURATION: return ((uint64_t)v->duration);
	case FIELD_RATE: return (v->rate.tokens_per_day);
	default: return (0);
	}
}

static uint64_t
bound(const struct field *f, const char *text)
{
	union field_value v;

	CHECK(parse_loose(f, span_of(text), &v));
	return (field_magnitude(f, &v));
}

bool
field_parse(const struct field *f, struct span text, union field_value *v)
{
	if (!parse_loose(f, text, v))
		return (false);
	if (field_choice(f, text) != NULL)
		return (true);
	if (f->min != NULL && field_magnitude(f, v) < bound(f, f->min))
		return (false);
	return (f->max == NULL || field_magnitude(f, v) <= bound(f, f->max));
}

/* " (us, ms, s, m, h, d)" behind what has units. */
static void
list_units(enum field_type type, struct text *out)
{
	const struct value_unit *unit;
	const char *before = " (";

	switch (type) {
	case FIELD_DURATION: unit = value_duration_units; break;
	case FIELD_SIZE: unit = value_size_units; break;
	case FIELD_RATE:
		unit = value_rate_units;
		before = " (per ";
		break;
	default: return;
	}
	for (; unit->name != NULL; unit++) {
		text_printf(out, "%s%s", before, unit->name);
		before = ", ";
	}
	text_putc(out, ')');
}

static const char *
type_form(enum field_type type)
{
	switch (type) {
	case FIELD_TRUTH: return ("on or off");
	case FIELD_NUMBER: return ("a whole number");
	case FIELD_SIZE: return ("a size such as 64KiB");
	case FIELD_DURATION: return ("a duration such as 10s");
	case FIELD_RATE: return ("a rate such as 50/s");
	case FIELD_WORD: return ("a word");
	case FIELD_STRING: return ("a text");
	case FIELD_PATH: return ("a path");
	case FIELD_ADDRESS: return ("\"IPV4:PORT\", \"[IPV6]:PORT\" or \"unix:/PATH\"");
	case FIELD_POOL: return ("the name of a pool");
	case FIELD_POLICY: return ("the name of a policy, or off");
	case FIELD_STRINGS: return ("a list of texts");
	case FIELD_HOSTS: return ("a list of host names");
	case FIELD_LIMITS: return ("a list of names of limits");
	case FIELD_WORDS:
	case FIELD_FLAGS: return ("a list of words");
	case FIELD_FILES: return ("a list of paths, * and ? in the last part");
	case FIELD_PREFIXES: return ("a list of addresses and prefixes");
	case FIELD_NUMBERS: return ("a list of whole numbers");
	case FIELD_PAIRS: return ("a mapping of names to texts");
	case FIELD_MAP: return ("a mapping");
	case FIELD_LIST: return ("a list of mappings");
	case FIELD_DICT: return ("a mapping of names to mappings");
	}
	WRONG("field type");
}

/* "block, detect, off", without what is not built yet. */
static void
list_choices(const struct field *f, struct text *out)
{
	const struct choice *c;
	const char *before = "";

	for (c = f->choices; c->word != NULL; c++) {
		if (c->later)
			continue;
		text_printf(out, "%s%s", before, c->word);
		before = ", ";
	}
}

void
field_allowed(const struct field *f, struct text *out)
{
	bool words = f->type == FIELD_WORDS || f->type == FIELD_FLAGS;
	bool only_words = f->type == FIELD_WORD || words ||
			  (f->type == FIELD_TRUTH && f->choices != NULL);

	if (only_words) {
		if (words)
			text_puts(out, "a list of: ");
		list_choices(f, out);
		return;
	}
	text_puts(out, f->form != NULL ? f->form : type_form(f->type));
	list_units(f->type, out);
	if (f->min != NULL && f->max != NULL)
		text_printf(out, ", %s to %s", f->min, f->max);
	if (f->most > 0)
		text_printf(out, ", up to %zu", f->most);
	if (f->choices != NULL) {
		text_puts(out, ", or ");
		list_choices(f, out);
	}
}

const struct field *
map_field(const struct map *m, struct span name)
{
	size_t i;

	for (i = 0; i < m->n_fields; i++)
		if (span_eq(span_of(m->fields[i].name), name))
			return (&m->fields[i]);
	return (NULL);
}

const struct field *
map_nearest(const struct map *m, struct span typed)
{
	const struct field *best = NULL;
	size_t i, distance, least = SIZE_MAX;

	for (i = 0; i < m->n_fields; i++) {
		if (!value_is_near(typed, span_of(m->fields[i].name), &distance) ||
		    distance >= least)
			continue;
		best = &m->fields[i];
		least = distance;
	}
	return (best);
}
