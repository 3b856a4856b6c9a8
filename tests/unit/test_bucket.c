/* SPDX-License-Identifier: Apache-2.0 */
/* The token bucket against a plain one: a level that rises with time, kept in
 * 128-bit integers. */
#include "config.h"

#include "ratelimit/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define NOW (INT64_C(1700000000) * SECOND)
#define LAST (INT64_C(1) << 52) /* later times are all the same */

__extension__ typedef __int128 wide;

/* --- figures of a rate ---------------------------------------------------- */

static void
test_rates(void **state)
{
	static const struct {
		uint64_t tokens, per_us;
		uint32_t burst;
		bool good;
		int64_t whole_us;
		uint32_t rest, parts;
		int64_t full_us;
		const char *why;
	} rows[] = {
		{ 1, SECOND, 1, true, SECOND, 0, 1, SECOND, "the simplest" },
		{ 5, 60 * SECOND, 5, true, 12 * SECOND, 0, 1, 60 * SECOND, "5/m" },
		{ 7, SECOND, 14, true, 142857, 1, 7, 2 * SECOND, "a rest" },
		{ 7, SECOND, 1, true, 142857, 1, 7, 142858, "full_us is rounded up" },
		{ 14, 2 * SECOND, 7, true, 142857, 1, 7, SECOND, "reduced" },
		{ 300000, SECOND, 3, true, 3, 1, 3, 10, "a few microseconds" },
		{ 999983, DAY, 999983, true, 86401, 468817, 999983, DAY,
		    "a large prime" },
		{ 1000000, 1, 1, true, 0, 1, 1000000, 1, "less than a microsecond" },
		{ 1000000, SECOND, 1000000, true, 1, 0, 1, SECOND, "the most" },
		{ 1, DAY, 3653, true, DAY, 0, 1, 3653 * DAY, "ten years" },
		{ 1, DAY, 3654, false, 0, 0, 0, 0, "more than ten years" },
		{ 1, DAY, 1000000, false, 0, 0, 0, 0, "much more" },
		{ 0, SECOND, 1, false, 0, 0, 0, 0, "no tokens" },
		{ 1000001, SECOND, 1, false, 0, 0, 0, 0, "too many tokens" },
		{ UINT64_MAX, SECOND, 1, false, 0, 0, 0, 0, "far too many" },
		{ 1, 0, 1, false, 0, 0, 0, 0, "no time" },
		{ 1, DAY + 1, 1, false, 0, 0, 0, 0, "too slow" },
		{ 1, UINT64_MAX, 1, false, 0, 0, 0, 0, "far too slow" },
		{ 1, SECOND, 0, false, 0, 0, 0, 0, "no burst" },
		{ 1, SECOND, 1000001, false, 0, 0, 0, 0, "too much burst" },
	};
	struct bucket_rate rate;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (bucket_rate_init(&rate, rows[i].tokens, rows[i].per_us,
			rows[i].burst) != rows[i].good)
			fail_msg("%s", rows[i].why);
		if (!rows[i].good)
			continue;
		if (rate.whole_us != rows[i].whole_us || rate.rest != rows[i].rest ||
		    rate.parts != rows[i].parts || rate.full_us != rows[i].full_us)
			fail_msg("%s: %lld %u/%u, full %lld", rows[i].why,
			    (long long)rate.whole_us, rate.rest, rate.parts,
			    (long long)rate.full_us);
	}
}

static void
test_shares(void **state)
{
	static const struct {
		uint64_t tokens, per_us;
		uint32_t burst, nodes;
		int64_t whole_us;
		uint32_t rest, parts, share;
		const char *why;
	} rows[] = {
		{ 100, SECOND, 100, 1, 10000, 0, 1, 100, "alone" },
		{ 100, SECOND, 100, 0, 10000, 0, 1, 100, "nobody is somebody" },
		{ 100, SECOND, 100, 4, 40000, 0, 1, 25, "one of four" },
		{ 7, SECOND, 10, 3, 428571, 3, 7, 3, "rests are kept" },
		{ 7, SECOND, 10, 7, SECOND, 0, 1, 1, "rests that add up" },
		{ 300000, SECOND, 10, 6, 20, 0, 1, 1, "reduced" },
		{ 1, SECOND, 3, 5, 5 * SECOND, 0, 1, 1, "at least one" },
		{ 1, DAY, 1, UINT32_MAX, 3653 * DAY, 0, 1, 1, "never beyond ten years" },
		{ 1000000, 1, 1000000, UINT32_MAX, 4294, 967295, 1000000, 1,
		    "many, fast" },
	};
	struct bucket_rate rate, share;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(bucket_rate_init(
		    &rate, rows[i].tokens, rows[i].per_us, rows[i].burst));
		bucket_rate_share(&share, &rate, rows[i].nodes);
		if (share.whole_us != rows[i].whole_us ||
		    (uint64_t)share.rest * rows[i].parts !=
			(uint64_t)rows[i].rest * share.parts ||
		    share.burst != rows[i].share || share.rest >= share.parts)
			fail_msg("%s: %lld %u/%u, burst %u", rows[i].why,
			    (long long)share.whole_us, share.rest, share.parts,
			    share.burst);
	}
}

/* --- single takes --------------------------------------------------------- */

static void
test_takes(void **state)
{
	/* Of 5/m with a burst of 5: twelve seconds a token. */
	static const struct {
		int64_t full_in; /* from now */
		uint32_t need, want;
		uint32_t granted, remaining;
		int64_t retry, reset, full_in_then;
		const char *why;
	} rows[] = {
		{ -5, 1, 1, 1, 4, 0, 12, 12, "a full one" },
		{ 0, 1, 1, 1, 4, 0, 12, 12, "full this instant" },
		{ 12, 1, 1, 1, 3, 0, 24, 24, "one owed" },
		{ 48, 1, 1, 1, 0, 0, 60, 60, "the last" },
		{ 60, 1, 1, 0, 0, 12, 60, 60, "an empty one" },
		{ 49, 1, 1, 0, 0, 1, 49, 49, "almost a token" },
		{ 30, 1, 9, 2, 0, 0, 54, 54, "as many as there are" },
		{ 30, 2, 2, 2, 0, 0, 54, 54, "just enough" },
		{ 30, 3, 3, 0, 2, 6, 30, 30, "not enough: none are taken" },
		{ 30, 3, 9, 0, 2, 6, 30, 30, "however many are wanted" },
		{ 0, 5, 5, 5, 0, 0, 60, 60, "the whole bucket" },
		{ 0, 6, 6, 0, 5, 0, 0, 0, "more than a bucket holds" },
		{ 24, 6, 6, 0, 3, 24, 24, 24, "never, so when it is full" },
		{ 24, 3, 1, 3, 0, 0, 60, 60, "wants less than it needs" },
		{ 24, 0, 0, 0, 3, 0, 24, 24, "only looks" },
		{ 60, 0, 0, 0, 0, 0, 60, 60, "looks into an empty one" },
		{ 3600, 1, 1, 0, 0, 12, 60, 60, "the clock was set back" },
		{ 3600, 0, 0, 0, 0, 0, 60, 3600, "a look changes nothing" },
		{ 0, 1, UINT32_MAX, 5, 0, 0, 60, 60, "as much as can be wanted" },
		{ 0, UINT32_MAX, UINT32_MAX, 0, 5, 0, 0, 0, "as much as can be needed" },
	};
	struct bucket_rate rate;
	struct bucket_answer a;
	size_t i;

	(void)state;
	assert_true(bucket_rate_init(&rate, 5, 60 * SECOND, 5));
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct bucket b = { .full_at_us = NOW + rows[i].full_in * SECOND };

		bucket_take(&b, &rate, NOW, rows[i].need, rows[i].want, &a);
		if (a.granted != rows[i].granted || a.remaining != rows[i].remaining ||
		    a.retry_us != rows[i].retry * SECOND ||
		    a.reset_us != rows[i].reset * SECOND || b.rest != 0 ||
		    b.full_at_us != NOW + rows[i].full_in_then * SECOND)
			fail_msg("%s: %u granted, %u remain, retry %lld, reset %lld",
			    rows[i].why, a.granted, a.remaining, (long long)a.retry_us,
			    (long long)a.reset_us);
	}
}

/* What nobody sane gives: answers stay within the bucket's bounds. */
static void
test_extremes(void **state)
{
	static const int64_t times[] = { INT64_MIN, -1, 0, 1, NOW, INT64_C(1) << 52,
		(INT64_C(1) << 52) + 1, INT64_MAX - 1, INT64_MAX };
	static const uint32_t rests[] = { 0, 1, 6, 7, UINT32_MAX };
	size_t i, j, k, m, n = sizeof times / sizeof times[0];
	struct bucket_rate rates[3];
	struct bucket_answer a;

	(void)state;
	assert_true(bucket_rate_init(&rates[0], 7, SECOND, 10));
	assert_true(bucket_rate_init(&rates[1], 1, DAY, 3653));
	assert_true(bucket_rate_init(&rates[2], 1000000, 1, 1000000));
	for (i = 0; i < n * n; i++)
		for (j = 0; j < 5; j++)
			for (k = 0; k < 3; k++)
				for (m = 0; m < 3; m++) {
					struct bucket b = { times[i / n], rests[j] };

					bucket_take(&b, &rates[k], times[i % n],
					    (uint32_t)m, UINT32_MAX, &a);
					assert_true(
					    a.granted + a.remaining <= rates[k].burst);
					assert_in_range(a.retry_us, 0, rates[k].full_us);
					assert_in_range(a.reset_us, 0, rates[k].full_us);
				}
}

static void
test_full(void **state)
{
	static const struct {
		struct bucket b;
		int64_t now;
		bool full;
	} rows[] = {
		{ { 0, 0 }, 0, true },
		{ { 0, 1 }, 0, false },
		{ { 5, 3 }, 5, false },
		{ { 5, 3 }, 6, true },
		{ { 6, 0 }, 5, false },
		{ { INT64_MAX, 0 }, NOW, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(bucket_is_full(&rows[i].b, rows[i].now), rows[i].full);
}

/* Set back by an hour, a bucket fills as if it had been emptied then; it does not
 * wait for the clock to come back. */
static void
test_clock_set_back(void **state)
{
	struct bucket b = { 0, 0 };
	struct bucket_rate rate;
	struct bucket_answer a;
	int64_t back = NOW - 3600 * SECOND;

	(void)state;
	assert_true(bucket_rate_init(&rate, 7, SECOND, 3));
	bucket_take(&b, &rate, NOW, 1, 2, &a);
	assert_int_equal(a.granted, 2);
	bucket_take(&b, &rate, back, 1, 1, &a);
	assert_int_equal(a.granted, 0);
	assert_int_equal(a.retry_us, 142858);
	assert_int_equal(a.reset_us, 428572);
	bucket_take(&b, &rate, back + 142857, 1, 1, &a);
	assert_int_equal(a.granted, 0);
	assert_int_equal(a.retry_us, 1);
	bucket_take(&b, &rate, back + 142858, 1, 1, &a);
	assert_int_equal(a.granted, 1);
	/* A step smaller than the bucket only delays. */
	bucket_take(&b, &rate, back, 1, 1, &a);
	assert_int_equal(a.granted, 0);
	assert_int_equal(a.reset_us, 428572);
}

/* --- schedules ------------------------------------------------------------ */

static const struct {
	uint64_t tokens, per_us;
	uint32_t burst;
} schedules[] = {
	{ 7, SECOND, 2 },
	{ 7, SECOND, 1 },
	{ 3, SECOND, 100 },
	{ 999983, DAY, 17 },
	{ 999983, SECOND, 1000000 },
	{ 300000, SECOND, 300 },
	{ 1000000, SECOND, 5 },
	{ 1000000, 3, 1000 },
	{ 999999, 1000000, 2 },
	{ 1, 1, 3 },
	{ 11, 60 * SECOND, 4 },
	{ 13, 3600 * SECOND, 13 },
	{ 1, DAY, 3653 },
	{ 86399, DAY, 3 },
	{ 1000000, DAY, 1000000 },
};
#define N_SCHEDULES (sizeof schedules / sizeof schedules[0])

static uint64_t
rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (*seed);
}

/* The plain bucket: a level in tokens times per_us. */
struct plain {
	wide level;
	int64_t at_us;
};

static int64_t
up(wide a, wide b)
{
	return ((int64_t)((a + b - 1) / b));
}

static void
plain_take(struct plain *p, size_t which, int64_t now, const uint32_t ask[2],
    struct bucket_answer *a)
{
	wide tokens = schedules[which].tokens, per = schedules[which].per_us;
	wide most = per * schedules[which].burst;

	p->level += (now - p->at_us) * tokens;
	if (p->level > most)
		p->level = most;
	p->at_us = now;
	memset(a, 0, sizeof *a);
	if (p->level >= ask[0] * per) {
		a->granted = (uint32_t)(p->level / per);
		if (a->granted > ask[1])
			a->granted = ask[1];
		p->level -= a->granted * per;
	} else if (ask[0] <= schedules[which].burst) {
		a->retry_us = up(ask[0] * per - p->level, tokens);
	} else {
		a->retry_us = up(most - p->level, tokens);
	}
	a->remaining = (uint32_t)(p->level / per);
	a->reset_us = up(most - p->level, tokens);
}

/* A pause: mostly short against the time of a token, so that buckets run empty. */
static int64_t
pause_of(const struct bucket_rate *rate, uint64_t *seed)
{
	uint64_t spans[] = { 0, 2, (uint64_t)rate->whole_us + 2,
		(uint64_t)rate->whole_us * 3 + 3, (uint64_t)rate->full_us * 2 };
	uint64_t span = spans[rnd(seed) % 5];

	return (span == 0 ? 0 : (int64_t)(rnd(seed) % span));
}

static void
test_as_the_plain_one(void **state)
{
	uint64_t seed = 4711;
	size_t i, step;

	(void)state;
	for (i = 0; i < N_SCHEDULES; i++) {
		struct bucket b = { 0, 0 };
		struct bucket_rate rate;
		struct plain plain;
		int64_t now = NOW;

		assert_true(bucket_rate_init(
		    &rate, schedules[i].tokens, schedules[i].per_us, schedules[i].burst));
		plain.level = (wide)schedules[i].per_us * schedules[i].burst;
		plain.at_us = now;
		for (step = 0; step < 20000 && now < LAST; step++) {
			uint32_t ask[2] = { 1, 1 };
			struct bucket_answer a, expected;

			if (rnd(&seed) % 4 == 0)
				ask[0] = 1 + (uint32_t)(rnd(&seed) % (rate.burst + 1));
			ask[1] = ask[0] +
				 (uint32_t)(rnd(&seed) % 2 * (rnd(&seed) % rate.burst));
			now += pause_of(&rate, &seed);
			if (now > LAST)
				now = LAST;
			bucket_take(&b, &rate, now, ask[0], ask[1], &a);
			plain_take(&plain, i, now, ask, &expected);
			if (a.granted != expected.granted ||
			    a.remaining != expected.remaining ||
			    a.retry_us != expected.retry_us ||
			    a.reset_us != expected.reset_us)
				fail_msg("schedule %zu, step %zu: %u %u %lld %lld, plain "
					 "%u %u %lld %lld",
				    i, step, a.granted, a.remaining,
				    (long long)a.retry_us, (long long)a.reset_us,
				    expected.granted, expected.remaining,
				    (long long)expected.retry_us,
				    (long long)expected.reset_us);
		}
	}
}

/* No window of time, wherever it starts, sees more than the burst and what the
 * rate yields meanwhile; the clock may jump back at will. */
static void
test_every_window(void **state)
{
	enum { STEPS = 1500 };
	static struct {
		int64_t real;
		uint32_t n;
	} grants[STEPS];
	uint64_t seed = 815;
	size_t i, j, k, n, step;

	(void)state;
	for (i = 0; i < N_SCHEDULES; i++) {
		wide tokens = schedules[i].tokens, per = schedules[i].per_us;
		struct bucket b = { 0, 0 };
		struct bucket_rate rate;
		struct bucket_answer a;
		/* `offset`: how wrong the bucket's clock is. */
		int64_t real = NOW, offset = 0;

		assert_true(bucket_rate_init(
		    &rate, schedules[i].tokens, schedules[i].per_us, schedules[i].burst));
		for (step = n = 0; step < STEPS; step++) {
			real += pause_of(&rate, &seed) / 2;
			if (rnd(&seed) % 16 == 0)
				offset -= pause_of(&rate, &seed);
			bucket_take(&b, &rate, real + offset, 1,
			    1 + (uint32_t)(rnd(&seed) % 3), &a);
			if (a.granted == 0)
				continue;
			grants[n].real = real;
			grants[n++].n = a.granted;
		}
		for (j = 0; j < n; j++) {
			wide sum = 0;

			for (k = j; k < n; k++) {
				sum += grants[k].n;
				if (sum * per >
				    rate.burst * per +
					(grants[k].real - grants[j].real) * tokens)
					fail_msg(
					    "schedule %zu: from %zu to %zu", i, j, k);
			}
		}
	}
}

/* Somebody who never stops asking gets exactly what the rate yields: no rest of a
 * microsecond is lost, nor won, in years. */
static void
test_exact(void **state)
{
	size_t i, step;

	(void)state;
	for (i = 0; i < N_SCHEDULES; i++) {
		wide tokens = schedules[i].tokens, per = schedules[i].per_us, sum = 0;
		struct bucket b = { 0, 0 };
		struct bucket_rate rate;
		struct bucket_answer a;
		int64_t now = NOW;

		/* A bucket that gets full between two takes loses what comes then. */
		if (schedules[i].burst < 2 || per / tokens == 0)
			continue;
		assert_true(bucket_rate_init(
		    &rate, schedules[i].tokens, schedules[i].per_us, schedules[i].burst));
		for (step = 0; step < 100000 && now < LAST; step++) {
			bucket_take(&b, &rate, now, 1, UINT32_MAX, &a);
			sum += a.granted;
			if (sum != rate.burst + (now - NOW) * tokens / per)
				fail_msg("schedule %zu, step %zu", i, step);
			bucket_take(&b, &rate, now, 1, 1, &a);
			assert_int_equal(a.granted, 0);
			now += a.retry_us;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_takes),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_as_the_plain_one),
		cmocka_unit_test(test_every_window),
		cmocka_unit_test(test_exact),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
