/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: one clean line, context in front, the cause kept. */
#include "config.h"

#include "gateway/base/err.h"

#include "gateway/base/span.h"
#include "gateway/base/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
test_set_and_wrap(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
	    err_set(&e, ERR_FORMAT, "line %d: %s", 3, "no colon"), ERR_FORMAT);
	assert_string_equal(e.text, "line 3: no colon");
	assert_int_equal(err_wrap(&e, "%s", "/etc/x.conf"), ERR_FORMAT);
	assert_int_equal(err_wrap(&e, "policy default"), ERR_FORMAT);
	assert_string_equal(e.text, "policy default: /etc/x.conf: line 3: no colon");
	assert_int_equal(e.code, ERR_FORMAT);
	assert_int_equal(err_set(&e, ERR_RANGE, "again: %s", e.text), ERR_RANGE);
	assert_string_equal(
	    e.text, "again: policy default: /etc/x.conf: line 3: no colon");
}

static void
test_without_one(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_MISSING, "x"), ERR_MISSING);
	assert_int_not_equal(err_wrap(NULL, "x"), ERR_OK);
	errno = ENOENT;
	assert_int_equal(err_errno(NULL, "x"), ERR_IO);
}

static void
test_errno(void **state)
{
	struct err e;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_errno(&e, "/x/%s", "y"), ERR_IO);
	assert_string_equal(e.text, "/x/y: No such file or directory");
	errno = 99999;
	err_errno(&e, "x");
	assert_string_equal(e.text, "x: error 99999");
}

static void
test_hostile_text(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "a\nb\rc\td", "a b c d" },
		{ "esc \x1b[31m", "esc  [31m" },
		{ "latin1 \xfc!", "latin1 ?!" },
		{ "gr\xc3\xbcn", "gr\xc3\xbcn" },
	};
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		err_set(&e, ERR_IO, "%s", rows[i].in);
		assert_string_equal(e.text, rows[i].out);
	}
}

/* Cut texts stay valid, and the cause is what stays. */
static void
test_long(void **state)
{
	char wide[2001];
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < 2000; i += 2)
		memcpy(wide + i, "\xc3\xbc", 2);
	wide[2000] = '\0';
	err_set(&e, ERR_IO, "x%s", wide);
	assert_true(utf8_is_valid(span_of(e.text)));
	assert_true(strlen(e.text) == sizeof e.text - 1);
	err_wrap(&e, "ab");
	assert_true(utf8_is_valid(span_of(e.text)));
	assert_memory_equal(e.text, "ab: x", 5);
	err_set(&e, ERR_IO, "the cause");
	err_wrap(&e, "%s", wide);
	assert_string_equal(e.text, "the cause");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_wrap),
		cmocka_unit_test(test_without_one),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_long),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
