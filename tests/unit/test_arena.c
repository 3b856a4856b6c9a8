/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a request: alignment, the limit, sticky fullness, deferred frees. */
#include "config.h"

#include "gateway/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_alloc(void **state)
{
	struct arena *a = arena_new(1 << 20);
	unsigned char *p[300];
	size_t i, j;

	(void)state;
	for (i = 0; i < 300; i++) {
		p[i] = arena_alloc(a, i);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
		memset(p[i], (int)i, i);
	}
	for (i = 0; i < 300; i++)
		for (j = 0; j < i; j++)
			assert_int_equal(p[i][j], (unsigned char)i);
	assert_true(arena_used(a) >= 300 * 299 / 2);
	assert_false(arena_is_full(a));
	arena_free(&a);
	assert_null(a);
	arena_free(&a);
}

static void
test_limit_is_sticky(void **state)
{
	struct arena *a = arena_new(1000);

	(void)state;
	assert_non_null(arena_alloc(a, 600));
	assert_null(arena_alloc(a, 600));
	assert_true(arena_is_full(a));
	assert_null(arena_alloc(a, 1));
	assert_null(arena_zalloc(a, 1));
	assert_null(arena_strdup(a, SPAN("x")));
	assert_null(arena_span(a, SPAN("x")).p);
	assert_null(arena_printf(a, "x"));
	arena_reset(a);
	assert_false(arena_is_full(a));
	assert_int_equal(arena_used(a), 0);
	assert_non_null(arena_alloc(a, 600));
	assert_null(arena_alloc(a, SIZE_MAX));
	arena_reset(a);
	assert_null(arena_alloc(a, SIZE_MAX - 8));
	arena_reset(a);
	assert_null(arena_strdup(a, span_mem("", SIZE_MAX)));
	assert_true(arena_is_full(a));
	arena_free(&a);
}

/* However it is cut up, the arena hands out no more than its limit. */
static void
test_limit_holds(void **state)
{
	static const size_t limits[] = { 0, 1, 16, 4096, 5000, 100000 };
	size_t i, size;

	(void)state;
	for (i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		struct arena *a = arena_new(limits[i]);

		for (size = 0; arena_alloc(a, size) != NULL; size = (size * 7 + 3) % 700)
			assert_true(arena_used(a) <= limits[i]);
		assert_true(arena_is_full(a));
		assert_true(arena_used(a) <= limits[i]);
		arena_free(&a);
	}
}

static void
test_reset_reuses(void **state)
{
	struct arena *a = arena_new(1 << 20);
	size_t round;

	(void)state;
	for (round = 0; round < 3; round++) {
		assert_non_null(arena_alloc(a, 100));
		assert_non_null(arena_alloc(a, 50000));
		memset(arena_alloc(a, 5000), 1, 5000);
		arena_reset(a);
	}
	/* A first allocation beyond the first chunk. */
	assert_non_null(arena_alloc(a, 500000));
	arena_reset(a);
	assert_non_null(arena_alloc(a, 10));
	arena_free(&a);
}

static void
test_texts(void **state)
{
	struct arena *a = arena_new(1 << 20);
	char big[1000], *zeros;
	struct span s;
	size_t i;

	(void)state;
	assert_string_equal(arena_strdup(a, SPAN("text")), "text");
	assert_string_equal(arena_strdup(a, SPAN_NONE), "");
	s = arena_span(a, SPAN("a\0b"));
	assert_true(span_eq(s, SPAN("a\0b")));
	assert_int_equal(s.p[3], '\0');
	assert_non_null(arena_span(a, SPAN_NONE).p);
	assert_string_equal(arena_printf(a, "%d|%s", 7, "x"), "7|x");
	memset(big, 'b', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	assert_string_equal(arena_printf(a, "%s", big), big);
	zeros = arena_zalloc(a, 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(zeros[i], 0);
	arena_free(&a);
}

struct noted {
	struct noted_list *list;
	int value;
};

struct noted_list {
	int value[8], n;
};

static void
note(void *object)
{
	struct noted *noted = object;

	noted->list->value[noted->list->n++] = noted->value;
}

static void
test_defer(void **state)
{
	struct noted_list list = { .n = 0 };
	struct noted first = { &list, 1 }, second = { &list, 2 }, third = { &list, 3 };
	struct arena *a = arena_new(200);

	(void)state;
	assert_true(arena_defer(a, note, &first));
	assert_true(arena_defer(a, note, &second));
	assert_int_equal(list.n, 0);
	arena_reset(a);
	assert_int_equal(list.n, 2);
	assert_int_equal(list.value[0], 2);
	assert_int_equal(list.value[1], 1);
	arena_reset(a);
	assert_int_equal(list.n, 2);

	assert_null(arena_alloc(a, 1000));
	assert_false(arena_defer(a, note, &third)); /* full: at once */
	assert_int_equal(list.n, 3);
	assert_int_equal(list.value[2], 3);
	arena_reset(a);
	assert_int_equal(list.n, 3);

	assert_true(arena_defer(a, note, &first));
	arena_free(&a);
	assert_int_equal(list.n, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_limit_is_sticky),
		cmocka_unit_test(test_limit_holds),
		cmocka_unit_test(test_reset_reuses),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_defer),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
