/* SPDX-License-Identifier: Apache-2.0 */
/* Well-formed and ill-formed UTF-8, with every boundary of RFC 3629. */
#include "config.h"

#include "gateway/base/utf8.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

static void
test_sequences(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *why;
	} rows[] = {
		{ "a", 1, "ASCII" },
		{ "\x7f", 1, "DEL is a character" },
		{ "\x80", 0, "lone continuation" },
		{ "\xc0\x80", 0, "overlong NUL" },
		{ "\xc1\xbf", 0, "overlong" },
		{ "\xc2\x80", 2, "U+0080" },
		{ "\xdf\xbf", 2, "U+07FF" },
		{ "\xc2", 0, "truncated" },
		{ "\xc2\x41", 0, "no continuation" },
		{ "\xc2\xc0", 0, "lead where a continuation belongs" },
		{ "\xe0\x9f\xbf", 0, "overlong" },
		{ "\xe0\xa0\x80", 3, "U+0800" },
		{ "\xed\x9f\xbf", 3, "U+D7FF" },
		{ "\xed\xa0\x80", 0, "surrogate" },
		{ "\xed\xbf\xbf", 0, "surrogate" },
		{ "\xee\x80\x80", 3, "U+E000" },
		{ "\xef\xbf\xbf", 3, "U+FFFF" },
		{ "\xe2\x82", 0, "truncated" },
		{ "\xe2\x82\x28", 0, "third byte" },
		{ "\xf0\x8f\xbf\xbf", 0, "overlong" },
		{ "\xf0\x90\x80\x80", 4, "U+10000" },
		{ "\xf4\x8f\xbf\xbf", 4, "U+10FFFF" },
		{ "\xf4\x90\x80\x80", 0, "past the end" },
		{ "\xf5\x80\x80\x80", 0, "no such lead" },
		{ "\xff", 0, "no such lead" },
		{ "\xf0\x9f\x98", 0, "truncated" },
		{ "\xf0\x9f\x98\x28", 0, "fourth byte" },
		{ "\xc3\xa4rger", 2, "only the front counts" },
		{ "", 0, "nothing" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (utf8_sequence(span_of(rows[i].bytes)) != rows[i].length)
			fail_msg("row %zu: %s", i, rows[i].why);
	assert_int_equal(utf8_sequence(SPAN_NONE), 0);
}

/* Every code point in its one encoding, written by plain arithmetic. */
static void
test_all_code_points(void **state)
{
	unsigned char b[4];
	uint32_t u;
	size_t n;

	(void)state;
	for (u = 0; u < 0x110000; u++) {
		if (u < 0x80) {
			n = 1;
			b[0] = (unsigned char)u;
		} else if (u < 0x800) {
			n = 2;
			b[0] = (unsigned char)(0xc0 | u >> 6);
		} else if (u < 0x10000) {
			n = 3;
			b[0] = (unsigned char)(0xe0 | u >> 12);
			b[1] = (unsigned char)(0x80 | (u >> 6 & 63));
		} else {
			n = 4;
			b[0] = (unsigned char)(0xf0 | u >> 18);
			b[1] = (unsigned char)(0x80 | (u >> 12 & 63));
			b[2] = (unsigned char)(0x80 | (u >> 6 & 63));
		}
		if (n > 1)
			b[n - 1] = (unsigned char)(0x80 | (u & 63));
		if (utf8_sequence(span_mem(b, n)) != (u >= 0xd800 && u < 0xe000 ? 0 : n))
			fail_msg("U+%04X", u);
	}
}

static void
test_text(void **state)
{
	(void)state;
	assert_true(utf8_is_valid(SPAN("")));
	assert_true(
	    utf8_is_valid(SPAN("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80")));
	assert_false(utf8_is_valid(SPAN("latin1 \xfc")));
	assert_false(utf8_is_valid(SPAN("cut \xe2\x82")));
	assert_true(utf8_is_valid(SPAN("a\0b")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_all_code_points),
		cmocka_unit_test(test_text),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
