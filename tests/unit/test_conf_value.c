/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a configuration: units row by row, bounds of what fits, and how
 * near words are. */
#include "config.h"

#include "gateway/conf/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define BAD UINT64_MAX

struct row {
	const char *in;
	uint64_t out; /* BAD: refused */
	const char *why;
};

static void
check(const struct row *row, bool taken, uint64_t value)
{
	if (taken != (row->out != BAD))
		fail_msg(
		    "\"%s\" was %s: %s", row->in, taken ? "taken" : "refused", row->why);
	if (taken && value != row->out)
		fail_msg(
		    "\"%s\" is %llu: %s", row->in, (unsigned long long)value, row->why);
}

static void
test_durations(void **state)
{
	static const struct row rows[] = {
		{ "1us", 1, "unit" },
		{ "1ms", 1000, "unit" },
		{ "1s", 1000000, "unit" },
		{ "1m", 60000000, "a minute, not a month" },
		{ "1h", 3600000000, "unit" },
		{ "1d", 86400000000, "unit" },
		{ "10ms", 10000, "digits" },
		{ "0", 0, "nothing needs no unit" },
		{ "0s", 0, "nothing" },
		{ "007s", 7000000, "zeros in front" },
		{ "106751991d", 9223372022400000000, "the longest" },
		{ "106751992d", BAD, "past int64" },
		{ "18446744073709551616us", BAD, "past uint64" },
		{ "9223372036854775807us", INT64_MAX, "int64's last" },
		{ "9223372036854775808us", BAD, "one more" },
		{ "10", BAD, "no unit" },
		{ "s", BAD, "no digits" },
		{ "", BAD, "empty" },
		{ "-1s", BAD, "sign" },
		{ "+1s", BAD, "sign" },
		{ "1.5s", BAD, "fraction" },
		{ "1 s", BAD, "space" },
		{ "1s ", BAD, "space behind" },
		{ "1S", BAD, "case matters" },
		{ "1M", BAD, "no months" },
		{ "1h30m", BAD, "no sums" },
		{ "1sec", BAD, "no such unit" },
	};
	int64_t us = 0;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		bool taken = value_duration(span_of(rows[i].in), &us);

		check(&rows[i], taken, (uint64_t)us);
	}
}

static void
test_sizes(void **state)
{
	static const struct row rows[] = {
		{ "1", 1, "bytes" },
		{ "0", 0, "nothing" },
		{ "1B", 1, "unit" },
		{ "1kB", 1000, "unit" },
		{ "1KiB", 1024, "unit" },
		{ "1MB", 1000000, "unit" },
		{ "1MiB", 1048576, "unit" },
		{ "1GB", 1000000000, "unit" },
		{ "1GiB", 1073741824, "unit" },
		{ "17179869183GiB", 18446744072635809792ULL, "the largest" },
		{ "17179869184GiB", BAD, "past uint64" },
		{ "1K", BAD, "1000 or 1024?" },
		{ "1KB", BAD, "1000 or 1024?" },
		{ "1k", BAD, "1000 or 1024?" },
		{ "1M", BAD, "minutes?" },
		{ "1kib", BAD, "case matters" },
		{ "", BAD, "empty" },
		{ "KiB", BAD, "no digits" },
		{ "-1", BAD, "sign" },
		{ "0x10", BAD, "hexadecimal" },
		{ "1_000", BAD, "underscore" },
	};
	uint64_t bytes = 0;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		bool taken = value_size(span_of(rows[i].in), &bytes);

		check(&rows[i], taken, bytes);
	}
}

static void
test_rates(void **state)
{
	static const struct row rows[] = {
		{ "1/s", 86400, "per day" },
		{ "1/m", 1440, "per day" },
		{ "1/h", 24, "per day" },
		{ "1/d", 1, "per day" },
		{ "50/s", 4320000, "per day" },
		{ "1000/m", 1440000, "per day" },
		{ "213503982334601/s", 18446744073709526400ULL, "the largest" },
		{ "213503982334602/s", BAD, "past uint64" },
		{ "50", BAD, "per what?" },
		{ "/s", BAD, "no digits" },
		{ "50/", BAD, "no unit" },
		{ "50/ms", BAD, "no such unit" },
		{ "50 / s", BAD, "spaces" },
		{ "5/10s", BAD, "one unit of time" },
		{ "", BAD, "empty" },
	};
	struct value_rate rate = { 0, 0, 0 };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		bool taken = value_rate(span_of(rows[i].in), &rate);

		check(&rows[i], taken, rate.tokens_per_day);
	}
	assert_true(value_rate(SPAN("5/m"), &rate));
	assert_int_equal(rate.tokens, 5);
	assert_int_equal(rate.per_us, 60000000);
}

static void
test_numbers_and_truths(void **state)
{
	static const struct row numbers[] = {
		{ "0", 0, "nothing" },
		{ "4294967295", 4294967295, "the largest" },
		{ "4294967296", BAD, "one more" },
		{ "99999999999999999999999", BAD, "past everything" },
		{ "", BAD, "empty" },
		{ "1e3", BAD, "no floats" },
		{ "-1", BAD, "sign" },
	};
	static const struct row truths[] = {
		{ "on", 1, "" },
		{ "off", 0, "" },
		{ "true", 1, "" },
		{ "false", 0, "" },
		{ "yes", 1, "" },
		{ "no", 0, "" },
		{ "On", 1, "case" },
		{ "FALSE", 0, "case" },
		{ "1", BAD, "a number" },
		{ "y", BAD, "too short" },
		{ "", BAD, "empty" },
	};
	uint32_t number = 0;
	bool truth = false;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(numbers); i++) {
		bool taken = value_number(span_of(numbers[i].in), &number);

		check(&numbers[i], taken, number);
	}
	for (i = 0; i < COUNT(truths); i++) {
		bool taken = value_truth(span_of(truths[i].in), &truth);

		check(&truths[i], taken, truth);
	}
}

static void
test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
		bool near;
	} rows[] = {
		{ "paranoia", "paranoia", 0, true },
		{ "paranoa", "paranoia", 1, true },
		{ "parnaoia", "paranoia", 1, true },
		{ "Paranoia", "paranoia", 0, true },
		{ "listners", "listeners", 1, true },
		{ "ab", "ba", 1, true },
		{ "abc", "ca", 3, false },
		{ "", "abc", 3, false },
		{ "abc", "", 3, false },
		{ "x", "y", 1, false },
		{ "kye", "key", 1, true },
		{ "timeout", "timeouts", 1, true },
		{ "foo", "certificates", 11, false },
	};
	char long_word[66];
	size_t i, distance;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		bool near =
		    value_is_near(span_of(rows[i].a), span_of(rows[i].b), &distance);

		if (distance != rows[i].distance || near != rows[i].near)
			fail_msg("%s, %s: distance %zu, %s", rows[i].a, rows[i].b,
			    distance, near ? "near" : "far");
	}
	memset(long_word, 'a', sizeof(long_word));
	assert_true(value_distance(span_mem(long_word, 65), SPAN("a")) == SIZE_MAX);
	assert_int_equal(value_distance(span_mem(long_word, 64), SPAN("a")), 63);
}

static void
test_quote(void **state)
{
	static const struct {
		struct span in;
		const char *out;
	} rows[] = {
		{ SPAN(""), "\"\"" },
		{ SPAN("a b"), "\"a b\"" },
		{ SPAN("\x1b[31m"), "\"\\x1b[31m\"" },
		{ SPAN("\xc3\xa9"), "\"\xc3\xa9\"" },
		{ SPAN("\xc2\x9b"), "\"\\xc2\\x9b\"" },
		{ SPAN("\xff"), "\"\\xff\"" },
	};
	char many[200];
	struct text t;
	size_t i;

	(void)state;
	text_init(&t, 1000);
	for (i = 0; i < COUNT(rows); i++) {
		text_reset(&t);
		value_quote(rows[i].in, &t);
		text_putc(&t, '\0');
		assert_string_equal(t.p, rows[i].out);
	}
	memset(many, 'x', sizeof(many));
	text_reset(&t);
	value_quote(span_mem(many, sizeof(many)), &t);
	assert_int_equal(t.n, 80 + 5);
	text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_numbers_and_truths),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_quote),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
