/* SPDX-License-Identifier: Apache-2.0 */
/* Accept-Encoding: what a client gets for what it says. */
#include "config.h"

#include "gateway/filter/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const enum coding ORDER[] = { CODING_ZSTD, CODING_BR, CODING_GZIP };
static const enum coding GZIP_FIRST[] = { CODING_GZIP, CODING_BR };

/* Lines are parted by "\n". */
static enum coding
choose(const char *lines, const enum coding *order, size_t n, enum accept_rc *rc)
{
	struct http_field array[8];
	struct http_fields fields;
	struct span rest = span_of(lines), line;
	struct accept accept;
	enum coding coding;

	http_fields_init(&fields, array, 8);
	while (span_split(&rest, '\n', &line))
		assert_true(http_fields_add(&fields, SPAN("Accept-Encoding"), line));
	accept_read(&accept, &fields);
	*rc = accept_choose(&accept, order, n, &coding);
	assert_int_equal(*rc == ACCEPT_CODING, coding != CODING_IDENTITY);
	return (coding);
}

static void
test_choice(void **state)
{
	static const struct {
		const char *lines;
		enum coding coding;
		const char *why;
	} rows[] = {
		{ NULL, CODING_IDENTITY, "asked for nothing" },
		{ "", CODING_IDENTITY, "empty: identity only" },
		{ "gzip", CODING_GZIP, "named" },
		{ "GZip", CODING_GZIP, "without case" },
		{ "x-gzip", CODING_GZIP, "its old name" },
		{ "deflate", CODING_IDENTITY, "never encoded with" },
		{ "compress, exi, foo", CODING_IDENTITY, "none of ours" },
		{ "gzip, deflate, br, zstd", CODING_ZSTD, "the operator's first" },
		{ "gzip, deflate, br", CODING_BR, "the operator's second" },
		{ "zstd;q=0.5, gzip;q=0.8, br;q=0.1", CODING_GZIP, "quality first" },
		{ "zstd;q=0.999, gzip", CODING_GZIP, "by a thousandth" },
		{ "br;q=1.000, gzip;q=1", CODING_BR, "both 1" },
		{ "zstd;q=0, br;q=0.000, gzip", CODING_GZIP, "refused ones" },
		{ "*", CODING_ZSTD, "anything" },
		{ "gzip, *", CODING_GZIP, "named beats covered" },
		{ "gzip;q=0.5, *", CODING_ZSTD, "covered, but better" },
		{ "*;q=0.1, gzip;q=0", CODING_ZSTD, "named is not covered" },
		{ "zstd;q=0, *", CODING_BR, "the next that is covered" },
		{ "identity", CODING_IDENTITY, "itself" },
		{ "identity, gzip", CODING_GZIP, "at a tie encoded" },
		{ "identity;q=0.5, gzip;q=0.4", CODING_IDENTITY, "liked better" },
		{ "identity;q=0, gzip;q=0.001", CODING_GZIP, "the only one" },
		{ "gzip;q=0.1", CODING_GZIP, "identity not named comes last" },
		{ "gzip, gzip;q=0", CODING_IDENTITY, "refused once" },
		{ "gzip;q=0, gzip", CODING_IDENTITY, "in any order" },
		{ "gzip\nbr", CODING_BR, "two lines are one list" },
		{ "gzip\ngzip;q=0", CODING_IDENTITY, "a refusal in another line" },
		{ "\ngzip", CODING_GZIP, "the first is empty" },
		{ ",, gzip ,,", CODING_GZIP, "empty elements" },
		{ "gzip ; q=0.5", CODING_GZIP, "spaces around the semicolon" },
		{ "\tgzip\t;\tQ=0.5\t", CODING_GZIP, "tabs, and Q" },
		{ "gzip;q = 1", CODING_IDENTITY, "spaces around =" },
		{ "gzip;q=1.001", CODING_IDENTITY, "more than 1" },
		{ "gzip;q=2", CODING_IDENTITY, "no quality" },
		{ "gzip;q=.5", CODING_IDENTITY, "no digit before the point" },
		{ "gzip;q=0.1234", CODING_IDENTITY, "four digits" },
		{ "gzip;q=-1", CODING_IDENTITY, "negative" },
		{ "gzip;q=1e0", CODING_IDENTITY, "no exponents" },
		{ "gzip;q=", CODING_IDENTITY, "nothing" },
		{ "gzip;q=0.", CODING_IDENTITY, "0. is 0" },
		{ "gzip;q=1.", CODING_GZIP, "1. is 1" },
		{ "gzip;", CODING_IDENTITY, "no weight behind the semicolon" },
		{ "gzip;level=9", CODING_IDENTITY, "codings have no parameters" },
		{ "gzip;q=0.5;x=1", CODING_IDENTITY, "nothing follows a weight" },
		{ "gzip;q=\"1\"", CODING_IDENTITY, "not quoted" },
		{ "gzip;q=x, *", CODING_ZSTD, "the others are covered" },
		{ "zstd;q=x, br;q=x, gzip;q=x, *", CODING_IDENTITY,
		    "the broken are not" },
		{ "gzip br", CODING_IDENTITY, "no list" },
		{ "gzip\x80", CODING_IDENTITY, "not the name" },
	};
	enum accept_rc rc;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (choose(rows[i].lines, ORDER, 3, &rc) != rows[i].coding)
			fail_msg("row %zu: %s (%s)", i, rows[i].lines, rows[i].why);
}

static void
test_verdicts(void **state)
{
	static const struct {
		const char *lines;
		enum accept_rc rc;
		const char *why;
	} rows[] = {
		{ NULL, ACCEPT_IDENTITY, "no field" },
		{ "", ACCEPT_IDENTITY, "empty" },
		{ "foo", ACCEPT_IDENTITY, "identity is not refused" },
		{ "identity;q=0", ACCEPT_NOTHING, "refused" },
		{ "*;q=0", ACCEPT_NOTHING, "all refused" },
		{ "*;q=0, identity;q=0.1", ACCEPT_IDENTITY, "but identity" },
		{ "foo, *;q=0", ACCEPT_NOTHING, "only what we have not" },
		{ "identity;q=x", ACCEPT_IDENTITY, "a broken refusal is none" },
		{ "*;q=x", ACCEPT_IDENTITY, "nor this" },
		{ "identity;q=0, *;q=0.5", ACCEPT_CODING, "anything else" },
	};
	enum accept_rc rc;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		choose(rows[i].lines, ORDER, 3, &rc);
		if (rc != rows[i].rc)
			fail_msg("row %zu: %s (%s)", i, rows[i].lines, rows[i].why);
	}
}

static void
test_orders(void **state)
{
	enum accept_rc rc;

	(void)state;
	assert_int_equal(choose("zstd, br, gzip", GZIP_FIRST, 2, &rc), CODING_GZIP);
	assert_int_equal(choose("zstd, br", GZIP_FIRST, 2, &rc), CODING_BR);
	assert_int_equal(choose("zstd", GZIP_FIRST, 2, &rc), CODING_IDENTITY);
	assert_int_equal(choose("zstd, *", NULL, 0, &rc), CODING_IDENTITY);
}

static void
test_crowd(void **state)
{
	char line[4 * ACCEPT_ELEMENTS_MAX + 32];
	enum accept_rc rc;
	int i, n = 0;

	(void)state;
	for (i = 0; i < ACCEPT_ELEMENTS_MAX - 1; i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "a, ");
	snprintf(line + n, sizeof(line) - (size_t)n, "gzip");
	assert_int_equal(choose(line, ORDER, 3, &rc), CODING_GZIP);
	snprintf(line + n, sizeof(line) - (size_t)n, "gzip, b");
	assert_int_equal(choose(line, ORDER, 3, &rc), CODING_IDENTITY);
	assert_int_equal(rc, ACCEPT_IDENTITY);
}

static void
test_names(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < CODING_COUNT; i++)
		assert_int_equal(coding_find(coding_name((enum coding)i)), i);
	assert_int_equal(coding_find(SPAN("")), CODING_COUNT);
	assert_int_equal(coding_find(SPAN("gzi")), CODING_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_names),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
