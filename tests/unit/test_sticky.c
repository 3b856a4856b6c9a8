/* SPDX-License-Identifier: Apache-2.0 */
/* Sticky cookies: what is found, and what is nobody's. */
#include "config.h"

#include "gateway/upstream/sticky.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct hash_key secret = { 0x0123456789abcdef, 0xfedcba9876543210 };
static const struct span servers[] = { { "http://192.0.2.1:80", 19 },
	{ "http://192.0.2.2:80", 19 }, { "unix:/run/app.sock", 18 } };

static void
test_round_trip(void **state)
{
	struct span turned[] = { servers[2], servers[0] };
	char value[STICKY_TEXT + 1], other[STICKY_TEXT + 1];
	struct sticky *s, *later;
	uint32_t i;

	(void)state;
	s = sticky_new(&secret, SPAN("app"), servers, 3);
	for (i = 0; i < 3; i++) {
		sticky_value(s, i, value);
		assert_int_equal(strlen(value), STICKY_TEXT);
		assert_int_equal(strspn(value, "0123456789abcdef"), STICKY_TEXT);
		assert_int_equal(sticky_find(s, span_of(value)), i);
		sticky_value(s, (i + 1) % 3, other);
		assert_string_not_equal(value, other);
	}
	/* The set changed: who is still there is found, who left is not. */
	later = sticky_new(&secret, SPAN("app"), turned, 2);
	sticky_value(s, 0, value);
	assert_int_equal(sticky_find(later, span_of(value)), 1);
	sticky_value(s, 2, value);
	assert_int_equal(sticky_find(later, span_of(value)), 0);
	sticky_value(s, 1, value);
	assert_int_equal(sticky_find(later, span_of(value)), STICKY_NONE);
	sticky_free(&later);
	sticky_free(&s);
	assert_null(s);
}

/* The value depends on all of it. */
static void
test_keyed(void **state)
{
	static const struct hash_key half = { 0x0123456789abcdef, 0 };
	static const struct span shifted = { "phttp://192.0.2.1:80", 20 };
	struct sticky *all[5];
	char value[STICKY_TEXT + 1];
	size_t i, k;

	(void)state;
	all[0] = sticky_new(&secret, SPAN("app"), servers, 1);
	all[1] = sticky_new(&half, SPAN("app"), servers, 1);
	all[2] = sticky_new(&secret, SPAN("shop"), servers, 1);
	all[3] = sticky_new(&secret, SPAN("ap"), &shifted, 1);
	all[4] = sticky_new(&secret, SPAN_NONE, servers, 1);
	for (i = 0; i < COUNT(all); i++) {
		sticky_value(all[i], 0, value);
		for (k = 0; k < COUNT(all); k++)
			assert_int_equal(sticky_find(all[k], span_of(value)),
			    i == k ? 0 : STICKY_NONE);
	}
	for (i = 0; i < COUNT(all); i++)
		sticky_free(&all[i]);
}

static void
test_nobody(void **state)
{
	static const struct {
		const char *value;
		const char *why;
	} rows[] = {
		{ "", "empty" },
		{ "0", "short" },
		{ "00000000000000000000000000000000", "right in form" },
		{ "http://192.0.2.1:80", "a name" },
		{ "http://192.0.2.1:80/0123456789ab", "as long" },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		    "no text" },
	};
	char value[STICKY_TEXT * 2 + 2], changed[STICKY_TEXT];
	struct sticky *s, *nobody;
	unsigned byte;
	size_t i;

	(void)state;
	s = sticky_new(&secret, SPAN("app"), servers, 3);
	for (i = 0; i < COUNT(rows); i++)
		if (sticky_find(s, span_of(rows[i].value)) != STICKY_NONE)
			fail_msg("row %zu (%s)", i, rows[i].why);
	assert_int_equal(sticky_find(s, SPAN_NONE), STICKY_NONE);
	/* Every length but one, and every other byte at every place, upper-case
	 * digits among them. */
	sticky_value(s, 1, value);
	memcpy(value + STICKY_TEXT, value, STICKY_TEXT);
	for (i = 0; i <= 2 * STICKY_TEXT; i++)
		assert_int_equal(sticky_find(s, span_mem(value, i)),
		    i == STICKY_TEXT ? 1 : STICKY_NONE);
	for (i = 0; i < STICKY_TEXT; i++) {
		memcpy(changed, value, STICKY_TEXT);
		for (byte = 0; byte < 256; byte++) {
			changed[i] = (char)byte;
			assert_int_equal(sticky_find(s, span_mem(changed, STICKY_TEXT)),
			    changed[i] == value[i] ? 1 : STICKY_NONE);
		}
	}
	nobody = sticky_new(&secret, SPAN("app"), NULL, 0);
	assert_int_equal(sticky_find(nobody, span_mem(value, STICKY_TEXT)), STICKY_NONE);
	sticky_free(&nobody);
	sticky_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_keyed),
		cmocka_unit_test(test_nobody),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
