/* SPDX-License-Identifier: Apache-2.0 */
/* Ejection row by row; the cap under many threads. */
#include "config.h"

#include "gateway/upstream/outlier.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/upstream/mix.h"

#define SECOND CLOCK_SECOND
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct outlier_conf usual = { .window_us = 10 * SECOND,
	.failures = 5,
	.percent = 20,
	.base_us = 30 * SECOND,
	.max_us = 100 * SECOND,
	.decay_us = 60 * SECOND,
	.max_percent = 50 };

static void
test_cap(void **state)
{
	static const struct {
		uint32_t percent, n, cap;
		const char *why;
	} rows[] = {
		{ 50, 1, 0, "never the last one" },
		{ 100, 1, 0, "never the last one" },
		{ 10, 2, 1, "one where there are two" },
		{ 100, 2, 1, "one stays" },
		{ 50, 3, 1, "rounded down" },
		{ 50, 4, 2, "half" },
		{ 100, 10, 9, "one stays" },
		{ 10, 100, 10, "a tenth" },
		{ 0, 10, 0, "off" },
		{ 50, 0, 0, "no servers" },
		{ UINT32_MAX, 5, 4, "no overflow" },
	};
	struct outlier_conf conf = usual;
	struct outlier *o;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		conf.max_percent = rows[i].percent;
		o = outlier_new(&conf, rows[i].n);
		if (outlier_cap(o) != rows[i].cap)
			fail_msg("row %zu (%s): %u", i, rows[i].why, outlier_cap(o));
		outlier_free(&o);
		assert_null(o);
	}
}

/* What one server of four does, and when it is out: f, s are failures and
 * successes, digits as many seconds, ! and . say that it is out or not. */
static void
test_steps(void **state)
{
	static const struct {
		const char *steps, *why;
	} rows[] = {
		{ "ffff.f!", "five failures" },
		{ "ssssffff.f!", "one of five and more" },
		{ "sssssffsssssffsssssssssssssssf.", "five of thirty are not" },
		{ "sssssssssssssssssssssssssfffff!", "unless they come in a row" },
		{ "sssssssssssssssssssssssss99fffff!",
		    "what was long ago is not counted" },
		{ "ff9fff!", "within the window" },
		{ "ff999fff.", "not within it" },
		{ "fffff!999!3.", "back after the base time" },
		{ "fffff!999!3.ffff.f!999!3!999!3.", "twice as long the second time" },
		{ "fffff9999999999fffff!999!3.", "once as long after a spell of decay" },
		{ "fffff!ffffff9999.f.", "failures while out are not held against it" },
	};
	struct outlier *o;
	const char *p;
	int64_t now;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		o = outlier_new(&usual, 4);
		now = 1000 * SECOND;
		for (p = rows[i].steps; *p != '\0'; p++) {
			if (*p >= '0' && *p <= '9')
				now += (*p - '0') * SECOND;
			else if (*p == 'f' || *p == 's')
				(void)outlier_note(o, 2, *p == 'f', now);
			else if (outlier_is_ejected(o, 2, now) != (*p == '!'))
				fail_msg("row %zu (%s), step %zu", i, rows[i].why,
				    (size_t)(p - rows[i].steps));
		}
		assert_false(outlier_is_ejected(o, 1, now));
		outlier_free(&o);
	}
}

static void
fail_server(struct outlier *o, uint32_t server, int64_t now)
{
	int i;

	for (i = 0; i < 5; i++)
		(void)outlier_note(o, server, true, now);
}

static void
test_growth(void **state)
{
	static const int64_t lengths[] = { 30, 60, 90, 100, 100 };
	int64_t now = 1000 * SECOND;
	struct outlier *o;
	size_t i;

	(void)state;
	o = outlier_new(&usual, 4);
	for (i = 0; i < COUNT(lengths); i++) {
		fail_server(o, 0, now);
		assert_int_equal(outlier_back_us(o, 0), now + lengths[i] * SECOND);
		now += lengths[i] * SECOND;
		assert_true(outlier_is_ejected(o, 0, now - 1));
		assert_false(outlier_is_ejected(o, 0, now));
	}
	/* Five times, and three spells without: the third time. */
	now += 3 * 60 * SECOND;
	fail_server(o, 0, now);
	assert_int_equal(outlier_back_us(o, 0), now + 90 * SECOND);
	/* Forgiven altogether. */
	outlier_pardon(o, 0);
	assert_false(outlier_is_ejected(o, 0, now));
	assert_int_equal(outlier_back_us(o, 0), 0);
	fail_server(o, 0, now);
	assert_int_equal(outlier_back_us(o, 0), now + 30 * SECOND);
	outlier_free(&o);
}

static void
test_full(void **state)
{
	int64_t now = 1000 * SECOND;
	struct outlier *o;
	bool out[4];

	(void)state;
	o = outlier_new(&usual, 4);
	fail_server(o, 0, now);
	fail_server(o, 1, now);
	fail_server(o, 2, now);
	assert_int_equal(outlier_list(o, now, out), 2);
	assert_true(out[0] && out[1] && !out[2] && !out[3]);
	/* There is room again: the next failure within the window is enough. */
	now += 25 * SECOND;
	fail_server(o, 2, now);
	assert_false(outlier_is_ejected(o, 2, now));
	now += 5 * SECOND;
	assert_true(outlier_note(o, 2, true, now));
	assert_false(outlier_note(o, 2, true, now));
	assert_int_equal(outlier_list(o, now, NULL), 1);
	outlier_free(&o);
}

/* A new set of servers, of which the old one's last three are a part. */
static void
test_adopt(void **state)
{
	int64_t now = 1000 * SECOND, later = now + 40 * SECOND;
	struct outlier *old, *new;
	bool out[3];

	(void)state;
	old = outlier_new(&usual, 6);
	new = outlier_new(&usual, 3);
	fail_server(old, 3, now);
	fail_server(old, 4, later);
	fail_server(old, 5, later);
	assert_int_equal(outlier_list(old, later, NULL), 2);
	outlier_adopt(new, 0, old, 3, later);
	outlier_adopt(new, 1, old, 4, later);
	outlier_adopt(new, 2, old, 5, later);
	/* One of three may be out: the second stays in, and both have done it. */
	assert_int_equal(outlier_list(new, later, out), 1);
	assert_true(!out[0] && out[1] && !out[2]);
	outlier_free(&old);
	/* One that is over, whether somebody has looked or not, is in nobody's way. */
	old = outlier_new(&usual, 2);
	fail_server(old, 0, now);
	outlier_adopt(new, 0, old, 0, later);
	assert_int_equal(outlier_list(new, now, NULL), 1);
	outlier_free(&old);
	now = later + 31 * SECOND;
	fail_server(new, 2, now);
	assert_int_equal(outlier_back_us(new, 2), now + 60 * SECOND);
	outlier_free(&new);
}

/* Ten of a pool fail at random in a time that runs for each thread by itself and
 * a little apart. Whoever looks never sees more out than may be. */
#define SERVERS 10
#define THREADS 4
#define ROUNDS 60000

struct storm {
	struct outlier *outlier;
	_Atomic int64_t now_us;
	_Atomic uint32_t ejected, over;
};

struct storm_thread {
	pthread_t id;
	struct storm *storm;
	uint64_t seed;
};

static void *
storm_main(void *arg)
{
	struct storm_thread *thread = arg;
	struct storm *storm = thread->storm;
	uint32_t server;
	int64_t now;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		thread->seed = mix64(thread->seed);
		/* Some read their clock long before they use it. */
		now = atomic_fetch_add(&storm->now_us, 500) -
		      (int64_t)(thread->seed >> 40) % (20 * CLOCK_MS);
		server = (uint32_t)(thread->seed % SERVERS);
		if (outlier_note(storm->outlier, server, thread->seed >> 32 & 1, now))
			(void)atomic_fetch_add(&storm->ejected, 1);
		if (outlier_list(storm->outlier, now, NULL) > outlier_cap(storm->outlier))
			(void)atomic_fetch_add(&storm->over, 1);
	}
	return (NULL);
}

static void
test_threads(void **state)
{
	static const uint32_t percents[] = { 10, 30, 100 };
	struct outlier_conf conf = { .window_us = SECOND,
		.failures = 3,
		.percent = 10,
		.base_us = SECOND / 10,
		.max_us = SECOND / 2,
		.decay_us = SECOND };
	struct storm_thread threads[THREADS];
	struct storm storm;
	uint32_t i, k;

	(void)state;
	for (k = 0; k < COUNT(percents); k++) {
		conf.max_percent = percents[k];
		storm.outlier = outlier_new(&conf, SERVERS);
		atomic_init(&storm.now_us, 1000 * SECOND);
		atomic_init(&storm.ejected, 0);
		atomic_init(&storm.over, 0);
		for (i = 0; i < THREADS; i++) {
			threads[i].storm = &storm;
			threads[i].seed = k * 100 + i;
			assert_int_equal(
			    pthread_create(&threads[i].id, NULL, storm_main, &threads[i]),
			    0);
		}
		for (i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(threads[i].id, NULL), 0);
		assert_int_equal(atomic_load(&storm.over), 0);
		assert_true(atomic_load(&storm.ejected) > 100);
		outlier_free(&storm.outlier);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_threads),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
