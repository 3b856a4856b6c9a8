/* SPDX-License-Identifier: Apache-2.0 */
/* Request ids: the form of a ULID, order in time, no two alike. */
#include "config.h"

#include "gateway/base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_form(void **state)
{
	struct id_source source;
	char id[ID_TEXT_MAX];

	(void)state;
	id_source_init(&source);
	/* The example of the ULID specification: 1469918176385 ms. */
	id_make(&source, INT64_C(1469918176385999), id);
	assert_int_equal(strlen(id), 26);
	assert_memory_equal(id, "01ARYZ6S41", 10);
	assert_true(id_is_valid(span_of(id)));
	id_make(&source, 0, id);
	assert_memory_equal(id, "0000000000", 10);
	id_make(&source, -1, id);
	assert_memory_equal(id, "0000000000", 10);
	id_make(&source, INT64_C(281474976710655) * 1000, id);
	assert_memory_equal(id, "7ZZZZZZZZZ", 10);
	assert_true(id_is_valid(span_of(id)));
}

static void
test_valid(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		const char *why;
	} rows[] = {
		{ "01ARZ3NDEKTSV4RRFFQ69G5FAV", true, "the specification's" },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FA", false, "short" },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FAV0", false, "long" },
		{ "81ARZ3NDEKTSV4RRFFQ69G5FAV", false, "more than 128 bits" },
		{ "/1ARZ3NDEKTSV4RRFFQ69G5FAV", false, "no digit" },
		{ "01arz3ndektsv4rrffq69g5fav", false, "lower case" },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FAU", false, "U is not in the alphabet" },
		{ "01ARZ3NDEKTSV4RRFFQ69G5FA\n", false, "newline" },
		{ "", false, "empty" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (id_is_valid(span_of(rows[i].text)) != rows[i].valid)
			fail_msg("%s", rows[i].why);
	assert_false(id_is_valid(SPAN("01ARZ3NDEKTSV4RRFFQ69G5FA\0")));
}

static int
compare(const void *a, const void *b)
{
	return (memcmp(a, b, ID_TEXT_MAX));
}

/* One millisecond, two sources: only the random bits tell them apart. */
static void
test_unique(void **state)
{
	const size_t n = 1000000;
	char(*ids)[ID_TEXT_MAX] = malloc(n * sizeof *ids);
	struct id_source source[2];
	size_t i;

	(void)state;
	assert_non_null(ids);
	id_source_init(&source[0]);
	id_source_init(&source[1]);
	for (i = 0; i < n; i++)
		id_make(&source[i % 2], INT64_C(1700000000000000), ids[i]);
	qsort(ids, n, sizeof *ids, compare);
	for (i = 1; i < n; i++)
		if (memcmp(ids[i - 1], ids[i], ID_TEXT_MAX) == 0)
			fail_msg("%s twice", ids[i]);
	free(ids);
}

static void
test_order(void **state)
{
	char before[ID_TEXT_MAX], after[ID_TEXT_MAX];
	struct id_source source;
	int64_t ms;

	(void)state;
	id_source_init(&source);
	id_make(&source, 0, before);
	for (ms = 1; ms < INT64_C(1) << 47; ms += ms / 3 + 1) {
		id_make(&source, ms * 1000, after);
		assert_true(strcmp(before, after) < 0);
		memcpy(before, after, sizeof before);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_order),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
