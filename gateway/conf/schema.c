/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON Schema (draft 2020-12) of the configuration, from the tables. It
 * takes what the reader takes. */
#include "config.h"

#include "gateway/conf/reference.h"

#include "gateway/base/check.h"
#include "gateway/base/json.h"
#include "gateway/conf/field.h"
#include "gateway/conf/tables.h"

#define MAPS_MAX 64

struct schema {
	struct json_out json;
	const struct map *maps[MAPS_MAX]; /* to be defined, each once */
	size_t n_maps;
};

static void
put(struct schema *s, const char *key, const char *value)
{
	json_pair(&s->json, key, span_of(value));
}

static void
put_reference(struct schema *s, const struct map *m)
{
	struct text t;
	size_t i;

	for (i = 0; i < s->n_maps && s->maps[i] != m; i++)
		;
	if (i == s->n_maps) {
		CHECK(s->n_maps < MAPS_MAX);
		s->maps[s->n_maps++] = m;
	}
	text_init(&t, 200);
	text_printf(&t, "#/$defs/%s", m->name);
	json_pair(&s->json, "$ref", text_span(&t));
	text_free(&t);
}

/* YAML 1.1 editors take on and off for truth values. */
static void
put_words(struct schema *s, const struct field *f)
{
	const struct choice *c;

	json_key(&s->json, "enum");
	json_array_begin(&s->json);
	for (c = f->choices; c->word != NULL; c++) {
		bool truth;

		if (c->later)
			continue;
		json_put_string(&s->json, span_of(c->word));
		if (value_truth(span_of(c->word), &truth))
			json_put_bool(&s->json, truth);
	}
	json_array_end(&s->json);
}

static void
put_pattern(struct schema *s, const struct value_unit *unit, const char *before,
    const char *after)
{
	struct text t;
	const char *bar = "";

	text_init(&t, 200);
	text_printf(&t, "^[0-9]+%s(", before);
	for (; unit->name != NULL; unit++) {
		text_printf(&t, "%s%s", bar, unit->name);
		bar = "|";
	}
	text_printf(&t, ")%s$", after);
	put(s, "type", "string");
	json_pair(&s->json, "pattern", text_span(&t));
	text_free(&t);
}

static void
put_number(struct schema *s, const struct field *f)
{
	union field_value low = { .number = 0 }, high = { .number = UINT32_MAX };

	if (f->min != NULL)
		(void)field_parse(f, span_of(f->min), &low);
	if (f->max != NULL)
		(void)field_parse(f, span_of(f->max), &high);
	put(s, "type", "integer");
	json_pair_int(&s->json, "minimum", low.number);
	json_pair_int(&s->json, "maximum", high.number);
}

/* One of two shapes: each is a function that writes its members. */
static void
begin_either(struct schema *s)
{
	json_key(&s->json, "anyOf");
	json_array_begin(&s->json);
	json_object_begin(&s->json);
}

static void
or_else(struct schema *s)
{
	json_object_end(&s->json);
	json_object_begin(&s->json);
}

static void
end_either(struct schema *s)
{
	json_object_end(&s->json);
	json_array_end(&s->json);
}

static void
put_truth(struct schema *s)
{
	static const char *const words[] = { "on", "off", "true", "false", "yes", "no" };
	size_t i;

	json_key(&s->json, "enum");
	json_array_begin(&s->json);
	json_put_bool(&s->json, true);
	json_put_bool(&s->json, false);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		json_put_string(&s->json, span_of(words[i]));
	json_array_end(&s->json);
}

/* A text; where it may be "off", also what YAML 1.1 makes of that. */
static void
put_name(struct schema *s, const struct field *f)
{
	if (f->type == FIELD_PATH && field_choice(f, SPAN("off")) == NULL) {
		put(s, "type", "string");
		return;
	}
	begin_either(s);
	put(s, "type", "string");
	or_else(s);
	json_key(&s->json, "const");
	json_put_bool(&s->json, false);
	end_either(s);
}

static void
put_single(struct schema *s, const struct field *f)
{
	switch (f->type) {
	case FIELD_TRUTH:
		if (f->choices != NULL)
			put_words(s, f);
		else
			put_truth(s);
		break;
	case FIELD_WORD: put_words(s, f); break;
	case FIELD_NUMBER:
		if (f->choices == NULL) {
			put_number(s, f);
			break;
		}
		begin_either(s);
		put_words(s, f);
		or_else(s);
		put_number(s, f);
		end_either(s);
		break;
	case FIELD_SIZE:
		begin_either(s);
		put_pattern(s, value_size_units, "", "?");
		or_else(s);
		put(s, "type", "integer");
		json_pair_int(&s->json, "minimum", 0);
		end_either(s);
		break;
	case FIELD_DURATION:
		begin_either(s);
		put_pattern(s, value_duration_units, "", "");
		or_else(s);
		json_key(&s->json, "enum");
		json_array_begin(&s->json);
		json_put_int(&s->json, 0);
		json_put_string(&s->json, SPAN("0"));
		json_array_end(&s->json);
		end_either(s);
		break;
	case FIELD_RATE: put_pattern(s, value_rate_units, "/", ""); break;
	case FIELD_POLICY:
	case FIELD_PATH: put_name(s, f); break;
	default: put(s, "type", "string"); break;
	}
}

static void
put_item(struct schema *s, const struct field *f)
{
	if (f->type == FIELD_WORDS || f->type == FIELD_FLAGS)
		put_words(s, f);
	else if (f->type == FIELD_NUMBERS)
		put_number(s, f);
	else
		put(s, "type", "string");
}

/* A list, or a lone value that stands for a list of one. */
static void
put_list(struct schema *s, const struct field *f)
{
	begin_either(s);
	put_item(s, f);
	or_else(s);
	put(s, "type", "array");
	if (f->required)
		json_pair_int(&s->json, "minItems", 1);
	if (f->most > 0)
		json_pair_int(&s->json, "maxItems", (int64_t)f->most);
	json_key(&s->json, "items");
	json_object_begin(&s->json);
	put_item(s, f);
	json_object_end(&s->json);
	end_either(s);
}

static void
put_pairs(struct schema *s, const struct field *f)
{
	put(s, "type", "object");
	json_pair_int(&s->json, "maxProperties", (int64_t)f->most);
	json_key(&s->json, "additionalProperties");
	json_object_begin(&s->json);
	json_key(&s->json, "type");
	json_array_begin(&s->json);
	json_put_string(&s->json, SPAN("string"));
	json_put_string(&s->json, SPAN("number"));
	json_put_string(&s->json, SPAN("boolean"));
	json_array_end(&s->json);
	json_object_end(&s->json);
}

static void
put_elements(struct schema *s, const struct field *f)
{
	bool list = f->type == FIELD_LIST;

	put(s, "type", list ? "array" : "object");
	if (f->required)
		json_pair_int(&s->json, list ? "minItems" : "minProperties", 1);
	if (!list) {
		json_key(&s->json, "propertyNames");
		json_object_begin(&s->json);
		put(s, "pattern", "^[A-Za-z0-9._-]{1,64}$");
		json_object_end(&s->json);
	}
	json_key(&s->json, list ? "items" : "additionalProperties");
	json_object_begin(&s->json);
	put_reference(s, f->map);
	json_object_end(&s->json);
}

static void
put_default(struct schema *s, const struct field *f)
{
	struct span rest = span_of(f->standard), word;
	uint32_t number;
	bool truth;

	if (f->standard == NULL || f->shown != NULL)
		return;
	json_key(&s->json, "default");
	if (field_is_list(f)) {
		json_array_begin(&s->json);
		while (value_word(&rest, &word))
			json_put_string(&s->json, word);
		json_array_end(&s->json);
	} else if (f->type == FIELD_TRUTH && f->choices == NULL &&
		   value_truth(rest, &truth)) {
		json_put_bool(&s->json, truth);
	} else if (f->type == FIELD_NUMBER && value_number(rest, &number)) {
		json_put_int(&s->json, number);
	} else {
		json_put_string(&s->json, rest);
	}
}

static void
put_description(struct schema *s, const struct field *f)
{
	struct text t;

	text_init(&t, 2000);
	text_puts(&t, f->prose);
	if (!field_is_nested(f)) {
		text_puts(&t, " Allowed: ");
		field_allowed(f, &t);
	}
	json_pair(&s->json, "description", text_span(&t));
	text_free(&t);
}

/* A mapping, or the word that stands for one. */
static void
put_mapping(struct schema *s, const struct field *f)
{
	if (f->choices == NULL) {
		put_reference(s, f->map);
		return;
	}
	begin_either(s);
	put_words(s, f);
	or_else(s);
	put_reference(s, f->map);
	end_either(s);
}

static void
put_field(struct schema *s, const struct field *f)
{
	json_key(&s->json, f->name);
	json_object_begin(&s->json);
	put_description(s, f);
	if (f->type == FIELD_MAP)
		put_mapping(s, f);
	else if (f->type == FIELD_LIST || f->type == FIELD_DICT)
		put_elements(s, f);
	else if (field_is_list(f))
		put_list(s, f);
	else if (f->type == FIELD_PAIRS)
		put_pairs(s, f);
	else
		put_single(s, f);
	put_default(s, f);
	json_object_end(&s->json);
}

static void
put_map(struct schema *s, const struct map *m)
{
	size_t i;

	put(s, "type", "object");
	json_key(&s->json, "additionalProperties");
	json_put_bool(&s->json, false);
	json_key(&s->json, "properties");
	json_object_begin(&s->json);
	for (i = 0; i < m->n_fields; i++)
		put_field(s, &m->fields[i]);
	json_object_end(&s->json);
	json_key(&s->json, "required");
	json_array_begin(&s->json);
	for (i = 0; i < m->n_fields; i++)
		if (m->fields[i].required)
			json_put_string(&s->json, span_of(m->fields[i].name));
	json_array_end(&s->json);
	if (m == &map_exclude) {
		json_key(&s->json, "oneOf");
		json_array_begin(&s->json);
		for (i = 0; i < 2; i++) {
			json_object_begin(&s->json);
			json_key(&s->json, "required");
			json_array_begin(&s->json);
			json_put_string(&s->json, span_of(m->fields[i].name));
			json_array_end(&s->json);
			json_object_end(&s->json);
		}
		json_array_end(&s->json);
	}
}

void
conf_schema(struct text *out)
{
	struct schema s = { .n_maps = 0 };
	size_t i;

	json_start(&s.json, out);
	json_object_begin(&s.json);
	put(&s, "$schema", "https://json-schema.org/draft/2020-12/schema");
	put(&s, "title", "Configuration of yett");
	put_map(&s, &map_root);
	json_key(&s.json, "$defs");
	json_object_begin(&s.json);
	for (i = 0; i < s.n_maps; i++) { /* grows as it goes */
		json_key(&s.json, s.maps[i]->name);
		json_object_begin(&s.json);
		put(&s, "description", s.maps[i]->prose);
		put_map(&s, s.maps[i]);
		json_object_end(&s.json);
	}
	json_object_end(&s.json);
	json_object_end(&s.json);
	text_putc(out, '\n');
}
