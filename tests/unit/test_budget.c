/* SPDX-License-Identifier: Apache-2.0 */
/* The sliding window, and the retries that it allows. */
#include "config.h"

#include "gateway/upstream/budget.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "gateway/base/clock.h"

#define SECOND CLOCK_SECOND
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void
test_window(void **state)
{
	/* Added in order to a window of ten seconds; the sums after each. */
	static const struct {
		int64_t at_us;
		int32_t events, picked;
		uint64_t events_sum, picked_sum;
		const char *why;
	} rows[] = {
		{ 0, 1, 0, 1, 0, "the first moment" },
		{ SECOND, 2, 1, 3, 1, "another slot" },
		{ 9 * SECOND, 0, 1, 3, 2, "the last one" },
		{ 10 * SECOND - 1, 1, 0, 4, 2, "within it" },
		{ 10 * SECOND, 0, 0, 3, 2, "the first second is gone" },
		{ 11 * SECOND, 5, 5, 6, 6, "the second one too" },
		{ 11 * SECOND, -5, -4, 1, 2, "taken back" },
		{ 11 * SECOND, 0, -4, 1, 1, "no less than nothing" },
		{ 1 * SECOND, 7, 7, 0, 0, "a thread that is a window late" },
		{ 11 * SECOND, 0, 0, 1, 1, "has changed nothing" },
		{ 40 * SECOND, 0, 0, 0, 0, "all is gone" },
		{ 41 * SECOND, INT32_MAX, INT32_MAX, WINDOW_EVENTS_MAX, WINDOW_PICKED_MAX,
		    "as far as it counts" },
		{ ((INT64_C(3) << 20) + 5) * SECOND, 1, 1, 1, 1, "years later" },
		{ -5, 0, 0, 0, 0, "no time at all" },
	};
	uint64_t events, picked;
	struct window w;
	size_t i;

	(void)state;
	window_init(&w, 10 * SECOND);
	for (i = 0; i < COUNT(rows); i++) {
		window_add(&w, rows[i].at_us, rows[i].events, rows[i].picked);
		window_sum(&w, rows[i].at_us, &events, &picked);
		if (events != rows[i].events_sum || picked != rows[i].picked_sum)
			fail_msg("row %zu (%s): %llu, %llu", i, rows[i].why,
			    (unsigned long long)events, (unsigned long long)picked);
	}
	window_clear(&w);
	window_sum(&w, 0, &events, &picked);
	assert_int_equal(events + picked, 0);
	window_init(&w, 0);
	assert_int_equal(w.slot_us, WINDOW_LEAST_US / WINDOW_SLOTS);
}

/* Idle for any time, then used: nothing is lost for good. */
static void
test_window_after_idling(void **state)
{
	uint64_t events, picked;
	int64_t idle;
	struct window w;

	(void)state;
	for (idle = 10; idle < INT64_C(1) << 22; idle += idle / 8 + 1) {
		window_init(&w, 10 * SECOND);
		window_add(&w, 500 * SECOND, 3, 3);
		window_add(&w, (500 + idle) * SECOND, 1, 0);
		window_sum(&w, (500 + idle) * SECOND, &events, &picked);
		if (events != 1)
			fail_msg("idle %lld: %llu", (long long)idle,
			    (unsigned long long)events);
	}
}

static uint32_t
retries_left(struct budget *b, int64_t now)
{
	uint32_t n = 0;

	while (n < 100000 && budget_retry(b, now))
		n++;
	return (n);
}

static void
test_budget(void **state)
{
	static const struct {
		uint32_t percent, per_second;
		int64_t window_us;
		uint32_t requests, retries;
		const char *why;
	} rows[] = {
		{ 20, 10, 10 * SECOND, 0, 100, "the least" },
		{ 20, 10, 10 * SECOND, 1000, 300, "and a part of the requests" },
		{ 20, 0, 10 * SECOND, 1000, 200, "the part alone" },
		{ 20, 0, 10 * SECOND, 4, 0, "rounded down" },
		{ 0, 1, 10 * SECOND, 1000, 10, "the least alone" },
		{ 0, 0, 10 * SECOND, 1000, 0, "none ever" },
		{ 200, 0, SECOND, 10, 20, "more than the requests" },
	};
	struct budget b;
	uint32_t k, got;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		budget_init(&b, rows[i].percent, rows[i].per_second, rows[i].window_us);
		for (k = 0; k < rows[i].requests; k++)
			budget_request(&b, SECOND);
		got = retries_left(&b, SECOND);
		if (got != rows[i].retries)
			fail_msg("row %zu (%s): %u", i, rows[i].why, got);
		/* A denied one has not cost anything; a window later all is new. */
		assert_int_equal(retries_left(&b, SECOND), 0);
		got = retries_left(&b, SECOND + rows[i].window_us + SECOND);
		assert_int_equal(
		    got, rows[i].per_second * (uint32_t)(rows[i].window_us / SECOND));
	}
}

/* An origin that fails everything gets 1.2 times the requests. */
static void
test_storm(void **state)
{
	uint32_t retries = 0, k, tries;
	struct budget b;

	(void)state;
	budget_init(&b, 20, 0, 10 * SECOND);
	for (k = 0; k < 100000; k++) {
		budget_request(&b, k * CLOCK_MS);
		for (tries = 0; tries < 3 && budget_retry(&b, k * CLOCK_MS); tries++)
			retries++;
	}
	assert_in_range(retries, 19000, 20500);
}

struct thread {
	pthread_t id;
	struct budget *budget;
	uint32_t requests, got;
};

static void *
thread_main(void *arg)
{
	struct thread *t = arg;
	int i;

	for (i = 0; i < 20000; i++) {
		if (i % 4 == 0) {
			budget_request(t->budget, SECOND);
			t->requests++;
		}
		t->got += budget_retry(t->budget, SECOND);
	}
	return (NULL);
}

static void
test_threads(void **state)
{
	uint32_t requests = 0, got = 0, i;
	struct thread threads[4];
	struct budget b;

	(void)state;
	budget_init(&b, 10, 3, 10 * SECOND);
	for (i = 0; i < COUNT(threads); i++) {
		threads[i] = (struct thread){ .budget = &b };
		assert_int_equal(
		    pthread_create(&threads[i].id, NULL, thread_main, &threads[i]), 0);
	}
	for (i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
		requests += threads[i].requests;
		got += threads[i].got;
	}
	/* Never more; and what a collision denied is there for the next. */
	assert_true(got <= requests / 10 + 30);
	assert_int_equal(got + retries_left(&b, SECOND), requests / 10 + 30);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_after_idling),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_threads),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
