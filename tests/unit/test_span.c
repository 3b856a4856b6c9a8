/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of bytes: comparing, searching, splitting, numbers. */
#include "config.h"

#include "gateway/base/span.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static void
test_nocase(void **state)
{
	static const struct {
		struct span a, b;
		bool same;
		const char *why;
	} rows[] = {
		{ { "Host", 4 }, { "hOST", 4 }, true, "letters" },
		{ { "Host", 4 }, { "Hos", 3 }, false, "length" },
		{ { "[", 1 }, { "{", 1 }, false, "not a letter though 0x20 apart" },
		{ { "@", 1 }, { "`", 1 }, false, "the byte before A" },
		{ { "\xc3\x84", 2 }, { "\xc3\xa4", 2 }, false, "ASCII only" },
		{ { NULL, 0 }, { "", 0 }, true, "nothing is nothing" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (span_eq_nocase(rows[i].a, rows[i].b) != rows[i].same)
			fail_msg("%s", rows[i].why);
}

static void
test_starts_ends_trim(void **state)
{
	(void)state;
	assert_true(span_starts(SPAN("abc"), SPAN("ab")));
	assert_true(span_starts(SPAN("abc"), SPAN("")));
	assert_false(span_starts(SPAN("a"), SPAN("ab")));
	assert_true(span_ends(SPAN("abc"), SPAN("bc")));
	assert_false(span_ends(SPAN("c"), SPAN("bc")));
	assert_false(span_ends(SPAN("abc"), SPAN("ab")));
	assert_true(span_eq(span_trim(SPAN(" \t a b\t ")), SPAN("a b")));
	assert_int_equal(span_trim(SPAN(" \t ")).n, 0);
	assert_true(span_eq(span_trim(SPAN("\na ")), SPAN("\na")));
	assert_int_equal(span_trim(SPAN_NONE).n, 0);
}

static void
test_index_find(void **state)
{
	(void)state;
	assert_int_equal(span_index(SPAN("a\0b"), 'b'), 2);
	assert_int_equal(span_index(SPAN("a\0b"), '\0'), 1);
	assert_true(span_index(SPAN("ab"), 'c') == SIZE_MAX);
	assert_true(span_index(SPAN_NONE, 'c') == SIZE_MAX);
	assert_int_equal(span_find(SPAN("a, b, c"), SPAN(", c")), 4);
	assert_int_equal(span_find(SPAN("abc"), SPAN("")), 0);
	assert_true(span_find(SPAN("abc"), SPAN("abcd")) == SIZE_MAX);
	assert_true(span_find(SPAN_NONE, SPAN("a")) == SIZE_MAX);
	assert_int_equal(span_find(SPAN_NONE, SPAN_NONE), 0);
}

static void
test_split(void **state)
{
	static const struct {
		const char *text;
		const char *pieces[5];
	} rows[] = {
		{ "a,b,c", { "a", "b", "c" } },
		{ "", { "" } },
		{ ",", { "", "" } },
		{ "a,,b,", { "a", "", "b", "" } },
	};
	struct span rest, piece;
	size_t i, n;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		rest = span_of(rows[i].text);
		for (n = 0; span_split(&rest, ',', &piece); n++) {
			assert_non_null(rows[i].pieces[n]);
			assert_true(span_eq(piece, span_of(rows[i].pieces[n])));
			assert_non_null(piece.p);
		}
		assert_null(rows[i].pieces[n]);
		assert_null(rest.p);
	}
	rest = SPAN_NONE;
	assert_false(span_split(&rest, ',', &piece));
}

static void
test_u64(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} rows[] = {
		{ "0", true, 0 },
		{ "007", true, 7 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "", false, 0 },
		{ "+1", false, 0 },
		{ "-1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "0x1", false, 0 },
		{ "1e3", false, 0 },
		{ "\xb2", false, 0 },
	};
	uint64_t value;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		value = 99;
		if (span_u64(span_of(rows[i].text), &value) != rows[i].good)
			fail_msg("\"%s\"", rows[i].text);
		assert_true(value == (rows[i].good ? rows[i].value : 99));
	}
	assert_false(span_u64(SPAN("1\0"), &value));
}

static void
test_strdup(void **state)
{
	char *copy;

	(void)state;
	copy = span_strdup(span_cut(SPAN("abcdef"), 1, 3));
	assert_string_equal(copy, "bc");
	free(copy);
	copy = span_strdup(SPAN_NONE);
	assert_string_equal(copy, "");
	free(copy);
	assert_int_equal(span_cut(SPAN("abc"), 2, 99).n, 1);
	assert_int_equal(span_cut(SPAN("abc"), 9, 99).n, 0);
	assert_null(span_cut(SPAN_NONE, 0, 9).p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nocase),
		cmocka_unit_test(test_starts_ends_trim),
		cmocka_unit_test(test_index_find),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_strdup),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
