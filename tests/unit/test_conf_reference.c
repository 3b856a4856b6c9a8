/* SPDX-License-Identifier: Apache-2.0 */
/* The tables themselves, and what is printed from them: rows are consistent,
 * the committed reference page is the one that the tables make. */
#include "config.h"

#include "gateway/conf/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/check.h"
#include "gateway/conf/field.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static void
check_row(const struct map *m, const struct field *f)
{
	union field_value low, high, standard;
	struct span rest, word;

	if (f->prose == NULL || f->prose[strlen(f->prose) - 1] != '.')
		fail_msg("%s.%s: the prose is no sentence", m->name, f->name);
	if (field_is_nested(f) != (f->map != NULL))
		fail_msg(
		    "%s.%s: a mapping without its map, or the reverse", m->name, f->name);
	if ((f->type == FIELD_WORD || f->type == FIELD_WORDS) && f->choices == NULL)
		fail_msg("%s.%s: no words", m->name, f->name);
	if (f->required && f->standard != NULL)
		fail_msg("%s.%s: required, and has a default", m->name, f->name);
	if (field_is_list(f) || field_is_nested(f) || f->type == FIELD_PAIRS) {
		rest = span_of(f->standard);
		while (f->type == FIELD_WORDS && value_word(&rest, &word))
			assert_non_null(field_choice(f, word));
		return;
	}
	if (f->type == FIELD_NUMBER || f->type == FIELD_SIZE ||
	    f->type == FIELD_DURATION || f->type == FIELD_RATE) {
		if (f->min == NULL || f->max == NULL)
			fail_msg("%s.%s: a number without bounds", m->name, f->name);
		if (!field_parse(f, span_of(f->min), &low) ||
		    !field_parse(f, span_of(f->max), &high) ||
		    field_magnitude(f, &low) >= field_magnitude(f, &high))
			fail_msg("%s.%s: bounds", m->name, f->name);
	}
	if (f->standard != NULL && !field_parse(f, span_of(f->standard), &standard))
		fail_msg("%s.%s: default", m->name, f->name);
}

static void
check_map(const struct map *m, size_t *rows)
{
	const struct field *f;
	size_t i;

	assert_true(m->n_fields > 0 && m->n_fields <= 64);
	for (i = 0; i < m->n_fields; i++) {
		f = &m->fields[i];
		(*rows)++;
		check_row(m, f);
		if (map_field(m, span_of(f->name)) != f)
			fail_msg("%s.%s: twice", m->name, f->name);
		if (f->map != NULL)
			check_map(f->map, rows);
	}
}

static void
test_tables(void **state)
{
	size_t rows = 0;

	(void)state;
	check_map(&map_root, &rows);
	assert_true(rows > 100);
}

static void
test_explain(void **state)
{
	static const struct {
		const char *field;
		bool known;
		const char *says;
	} rows[] = {
		{ "threads", true, "threads\n" },
		{ "limits.*.rate", true, "limits.*.rate\n" },
		{ "limits.login.rate", true, "limits.*.rate\n" },
		{ "pools.shop.timeouts.connect", true, "10ms to 1m\n  default: 2s\n" },
		{ "sites", true, "sites[]\n" },
		{ "sites[].routes[].path", true, "sites[].routes[].path\n" },
		{ "sites[0].routes[12].path", true, "sites[].routes[].path\n" },
		{ "sites.routes.path", true, "sites[].routes[].path\n" },
		{ "policies", true, "policies.*\n" },
		{ "policies.default", true, "exclude" },
		{ "", true, "listeners" },
		{ "identity", true, "ipv6_prefix" },
		{ "cache", true, "Memory for answers kept" },
		{ "cache.max_object", true, "a quarter of memory" },
		{ "sites.routes.cache", true, "allowed: a mapping, or off, on" },
		{ "pools.p.balance", true, "consistent_hash\n  default: round_robin" },
		{ "sites.headers.request.set", true, "a mapping of names to texts, up" },
		{ "sites.routes.headers.response.remove", true, "a list of field names" },
		{ "sites.access.allow", true, "allowed: a mapping, or any" },
		{ "bans.count", true, "allowed: a list of: waf, limit, acl, " },
		{ "sites.limits", true, "a list of names of limits, up to 8" },
		{ "sites.routes.pth", false,
		    "no field is called \"pth\" in sites[].routes[]; did you mean "
		    "\"sites[].routes[].path\"?" },
		{ "quux", false,
		    "no field is called \"quux\" in the top level; there are: " },
		{ "threads.x", false, "threads has no fields within it" },
		{ "policies.default.crs.paranoia.x.y.z", false,
		    "has no fields within it" },
	};
	struct text t;
	size_t i;

	(void)state;
	text_init(&t, 1 << 16);
	for (i = 0; i < COUNT(rows); i++) {
		text_reset(&t);
		assert_int_equal(conf_explain(span_of(rows[i].field), &t), rows[i].known);
		text_putc(&t, '\0');
		if (strstr(t.p, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].field, t.p);
	}
	text_free(&t);
}

static void
test_schema(void **state)
{
	static const char *const members[] = {
		"\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"",
		"\"required\":[\"listeners\",\"sites\"]", "\"$ref\":\"#/$defs/listener\"",
		"\"enum\":[\"block\",\"detect\",\"off\",false],\"default\":\"block\"",
		"\"minimum\":1,\"maximum\":4,\"default\":1",
		"\"pattern\":\"^[0-9]+(us|ms|s|m|h|d)$\"",
		"\"anyOf\":[{\"enum\":[\"any\"]},{\"$ref\":\"#/$defs/match\"}]",
		"\"maxItems\":8",
		"\"anyOf\":[{\"enum\":[\"off\",false,\"on\",true]},{\"$ref\":\"#/$defs/"
		"cache_use\"}]",
		"\"type\":\"object\",\"maxProperties\":64,\"additionalProperties\":{"
	};
	struct text t;
	size_t i;

	(void)state;
	text_init(&t, 1 << 20);
	conf_schema(&t);
	text_putc(&t, '\0');
	for (i = 0; i < COUNT(members); i++)
		if (strstr(t.p, members[i]) == NULL)
			fail_msg("the schema lacks %s", members[i]);
	text_free(&t);
}

static void
test_page(void **state)
{
	const char *source = getenv("top_srcdir");
	char *path =
	    mem_printf("%s/docs/guide/configuration.md", source != NULL ? source : ".");
	char *page = mem_zalloc(1 << 18);
	FILE *file = fopen(path, "r");
	struct text t;
	size_t n;

	(void)state;
	assert_non_null(file);
	n = fread(page, 1, (1 << 18) - 1, file);
	fclose(file);
	text_init(&t, 1 << 18);
	conf_reference(&t);
	if (!span_eq(text_span(&t), span_mem(page, n)))
		fail_msg("%s differs from the tables: yett schema --reference > %s", path,
		    path);
	text_free(&t);
	free(page);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_page),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
