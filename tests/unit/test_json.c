/* SPDX-License-Identifier: Apache-2.0 */
/* JSON output: structure, and strings of any bytes, read back with jansson. */
#include "config.h"

#include "gateway/base/json.h"

#include "gateway/base/utf8.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
expect(const struct text *t, const char *want)
{
	if (!span_eq(text_span(t), span_of(want)))
		fail_msg("%.*s instead of %s", SPAN_FMT(text_span(t)), want);
}

static void
test_structure(void **state)
{
	struct json_out j;
	struct text t;

	(void)state;
	text_init(&t, 10000);
	json_start(&j, &t);
	json_object_begin(&j);
	json_pair(&j, "a", SPAN("x"));
	json_pair(&j, "none", SPAN_NONE);
	json_pair(&j, "empty", SPAN(""));
	json_key(&j, "list");
	json_array_begin(&j);
	json_put_int(&j, 1);
	json_put_int(&j, -2);
	json_object_begin(&j);
	json_object_end(&j);
	json_array_begin(&j);
	json_array_end(&j);
	json_put_bool(&j, true);
	json_put_bool(&j, false);
	json_put_null(&j);
	json_array_end(&j);
	json_key(&j, "in");
	json_object_begin(&j);
	json_pair_int(&j, "n", 7);
	json_pair_int(&j, "m", 8);
	json_object_end(&j);
	json_pair_int(&j, "last", 0);
	json_object_end(&j);
	expect(&t, "{\"a\":\"x\",\"none\":null,\"empty\":\"\",\"list\":[1,-2,{},[],true,"
		   "false,null],\"in\":{\"n\":7,\"m\":8},\"last\":0}");
	text_free(&t);
}

static void
test_integers(void **state)
{
	struct json_out j;
	struct text t;

	(void)state;
	text_init(&t, 1000);
	json_start(&j, &t);
	json_array_begin(&j);
	json_put_int(&j, INT64_MAX);
	json_put_int(&j, INT64_MIN);
	json_put_int(&j, 10);
	json_array_end(&j);
	expect(&t, "[9223372036854775807,-9223372036854775808,10]");
	text_free(&t);
}

static void
test_strings(void **state)
{
	static const struct {
		struct span in;
		const char *out, *why;
	} rows[] = {
		{ { NULL, 0 }, "\"\"", "absent, asked for as a string" },
		{ { "plain /", 7 }, "\"plain /\"", "as it is" },
		{ { "q\"b\\", 4 }, "\"q\\\"b\\\\\"", "what JSON demands" },
		{ { "\n\r\t", 3 }, "\"\\n\\r\\t\"", "short forms" },
		{ { "\0\x01\x1f\x7f", 4 }, "\"\\u0000\\u0001\\u001f\\u007f\"",
		    "controls" },
		{ { "\xc3\xbc\xf0\x9f\x98\x80", 6 }, "\"\xc3\xbc\xf0\x9f\x98\x80\"",
		    "UTF-8" },
		{ { "a\xfcz", 3 }, "\"a\\u00fcz\"", "a byte of Latin-1" },
		{ { "\xc3", 1 }, "\"\\u00c3\"", "truncated" },
		{ { "\xed\xa0\x80", 3 }, "\"\\u00ed\\u00a0\\u0080\"", "surrogate" },
		{ { "\xc0\xaf", 2 }, "\"\\u00c0\\u00af\"", "overlong slash" },
	};
	struct json_out j;
	struct text t;
	size_t i;

	(void)state;
	text_init(&t, 1000);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		text_reset(&t);
		json_start(&j, &t);
		json_put_string(&j, rows[i].in);
		expect(&t, rows[i].out);
	}
	text_free(&t);
}

static void
test_cut(void **state)
{
	static const struct {
		const char *in;
		size_t max;
		const char *out;
	} rows[] = {
		{ "abcdef", 6, "\"abcdef\"" },
		{ "abcdef", 5, "\"abcde...\"" },
		{ "abcdef", 0, "\"...\"" },
		{ "", 0, "\"\"" },
		{ "ab\xe2\x82\xac", 4, "\"ab...\"" },
		{ "ab\xe2\x82\xac", 5, "\"ab\xe2\x82\xac\"" },
		{ "ab\xe2\x82\xac!", 5, "\"ab\xe2\x82\xac...\"" },
		{ "\xff\xff\xff", 2, "\"\\u00ff\\u00ff...\"" },
	};
	struct json_out j;
	struct text t;
	size_t i;

	(void)state;
	text_init(&t, 1000);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		text_reset(&t);
		json_start(&j, &t);
		json_put_string_cut(&j, span_of(rows[i].in), rows[i].max);
		expect(&t, rows[i].out);
	}
	text_free(&t);
}

/* Random bytes: always valid UTF-8, always what a reader accepts, and the
 * characters that were well-formed come back as they were. */
static void
test_random_bytes(void **state)
{
	char in[64];
	struct json_out j;
	struct text t;
	size_t i, n, round;

	(void)state;
	srandom(7);
	text_init(&t, 1000);
	for (round = 0; round < 20000; round++) {
		json_error_t error;
		json_t *read;

		n = (size_t)random() % sizeof in;
		for (i = 0; i < n; i++)
			in[i] =
			    random() % 3 == 0 ? (char)(random() % 128) : (char)random();
		text_reset(&t);
		json_start(&j, &t);
		json_array_begin(&j);
		json_put_string(&j, span_mem(in, n));
		json_array_end(&j);
		assert_true(utf8_is_valid(text_span(&t)));
		read = json_loadb(t.p, t.n, JSON_ALLOW_NUL, &error);
		if (read == NULL)
			fail_msg("%s: %.*s", error.text, SPAN_FMT(text_span(&t)));
		if (utf8_is_valid(span_mem(in, n))) {
			json_t *value = json_array_get(read, 0);

			assert_int_equal(json_string_length(value), n);
			assert_memory_equal(json_string_value(value), in, n);
		}
		json_decref(read);
	}
	text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_random_bytes),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
