/* SPDX-License-Identifier: Apache-2.0 */
/* Byte queues, their pool, and growing text. */
#include "config.h"

#include "gateway/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void
test_queue(void **state)
{
	struct buf_pool *pool = buf_pool_new(16, 1);
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(buf_len(&b), 0);
	assert_null(buf_span(&b).p);
	buf_compact(&b);
	buf_drain(&b, 0);
	assert_int_equal(buf_put(&b, "x", 1), 0);
	buf_give(pool, &b);
	buf_take(pool, &b);
	assert_non_null(b.mem);
	assert_int_equal(buf_room(&b), 16);
	assert_int_equal(buf_put(&b, "0123456789", 10), 10);
	buf_drain(&b, 4);
	assert_true(span_eq(buf_span(&b), SPAN("456789")));
	assert_int_equal(buf_put(&b, "abcdefghij", 10), 6);
	assert_int_equal(buf_room(&b), 0);
	assert_int_equal(buf_put(&b, "x", 1), 0);
	buf_compact(&b);
	assert_int_equal(buf_room(&b), 4);
	assert_true(span_eq(buf_span(&b), SPAN("456789abcdef")));
	buf_drain(&b, 12);
	assert_int_equal(buf_room(&b), 16);
	buf_drain(&b, 0);
	assert_int_equal(buf_put(&b, NULL, 0), 0);
	buf_give(pool, &b);
	assert_null(b.mem);
	buf_pool_free(&pool);
	assert_null(pool);
}

static void
test_pool(void **state)
{
	struct buf_pool *pool = buf_pool_new(4096, 2);
	struct buf b[5] = { 0 };
	char *kept;
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		buf_take(pool, &b[i]);
		assert_int_equal(buf_put(&b[i], "x", 1), 1);
	}
	kept = b[0].mem;
	buf_take(pool, &b[0]); /* has some: unchanged */
	assert_ptr_equal(b[0].mem, kept);
	assert_int_equal(buf_len(&b[0]), 1);
	for (i = 0; i < 5; i++)
		buf_give(pool, &b[i]);
	/* The two spare ones come back first, empty. */
	buf_take(pool, &b[0]);
	assert_int_equal(buf_len(&b[0]), 0);
	assert_int_equal(buf_room(&b[0]), 4096);
	/* As many as one wants out at most. */
	assert_false(buf_try(pool, &b[1], 1));
	assert_null(b[1].mem);
	assert_true(buf_try(pool, &b[0], 1));
	assert_true(buf_try(pool, &b[1], 2));
	buf_give(pool, &b[1]);
	buf_give(pool, &b[0]);
	buf_give(pool, &b[0]);
	buf_pool_free(&pool);
	buf_pool_free(&pool);
}

static void
test_text(void **state)
{
	struct text t;
	char big[2000];
	size_t i;

	(void)state;
	text_init(&t, 100000);
	assert_int_equal(text_span(&t).n, 0);
	text_putc(&t, 'a');
	text_puts(&t, "bc");
	text_put(&t, SPAN("d\0e"));
	text_put(&t, SPAN_NONE);
	text_printf(&t, "<%d>", 42);
	assert_true(span_eq(text_span(&t), SPAN("abcd\0e<42>")));
	for (i = 0; i < sizeof big; i++)
		big[i] = (char)('a' + i % 26);
	big[sizeof big - 1] = '\0';
	text_reset(&t);
	text_printf(&t, "%s|", big);
	assert_int_equal(t.n, sizeof big);
	assert_memory_equal(t.p, big, sizeof big - 1);
	assert_int_equal(t.p[t.n - 1], '|');
	for (i = 0; i < 50000; i++)
		text_putc(&t, 'z');
	assert_false(t.overflow);
	assert_int_equal(t.n, sizeof big + 50000);
	text_free(&t);
	assert_null(t.p);
	text_puts(&t, "again");
	assert_int_equal(t.n, 5);
	text_free(&t);
}

static void
test_text_limit(void **state)
{
	static const size_t limits[] = { 0, 1, 7, 255, 256, 257, 1000 };
	struct text t;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		text_init(&t, limits[i]);
		for (n = 0; n < 300; n++)
			text_printf(&t, "%03zu,", n);
		assert_true(t.overflow);
		assert_int_equal(t.n, limits[i]);
		assert_true(t.size <= limits[i]);
		for (n = 0; n < t.n; n++)
			assert_int_equal(t.p[n] == ',', n % 4 == 3);
		text_putc(&t, 'x'); /* nothing behind the cut */
		assert_int_equal(t.n, limits[i]);
		text_reset(&t);
		assert_false(t.overflow);
		text_free(&t);
	}
	/* Just full is not too much. */
	text_init(&t, 4);
	text_puts(&t, "abcd");
	assert_false(t.overflow);
	text_puts(&t, "");
	assert_false(t.overflow);
	text_putc(&t, 'e');
	assert_true(t.overflow);
	assert_true(span_eq(text_span(&t), SPAN("abcd")));
	text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_limit),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
