/* SPDX-License-Identifier: Apache-2.0 */
/* Rise and fall, when the next check is, and slow start. */
#include "config.h"

#include "gateway/upstream/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/upstream/balance.h"
#include "gateway/upstream/mix.h"
#include "gateway/upstream/slow_start.h"

#define SECOND CLOCK_SECOND
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void
test_rise_and_fall(void **state)
{
	static const struct {
		uint32_t rise, fall;
		const char *results, *changes, *why;
	} rows[] = {
		{ 2, 3, "gggbbbbggg", "u....d..u.", "three to fall, two to rise" },
		{ 2, 3, "gbbgbbgbbb", "u........d", "in a row" },
		{ 2, 3, "bgbggb", "d...u.", "the first one decides" },
		{ 1, 1, "gbgbb", "ududx", "each one" },
		{ 0, 0, "gbg", "udu", "none is one" },
		{ UINT32_MAX, UINT32_MAX, "gbbbb", "u....", "for ever" },
	};
	enum health_change change;
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct health_conf conf = { .rise = rows[i].rise, .fall = rows[i].fall };
		struct health h = { 0 };

		assert_false(h.down);
		for (k = 0; rows[i].results[k] != '\0'; k++) {
			change = health_note(&h, &conf, rows[i].results[k] == 'g');
			if ((change == HEALTH_WENT_UP) != (rows[i].changes[k] == 'u') ||
			    (change == HEALTH_WENT_DOWN) != (rows[i].changes[k] == 'd'))
				fail_msg("row %zu (%s), result %zu", i, rows[i].why, k);
			if (change != HEALTH_SAME)
				assert_true(h.down == (change == HEALTH_WENT_DOWN));
		}
	}
}

static void
test_status(void **state)
{
	static const struct {
		uint16_t low, high;
		unsigned status;
		bool good;
	} rows[] = {
		{ 200, 399, 200, true },
		{ 200, 399, 399, true },
		{ 200, 399, 199, false },
		{ 200, 399, 400, false },
		{ 204, 204, 204, true },
		{ 204, 204, 200, false },
		{ 200, 399, 0, false },
		{ 200, 399, 65736, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct health_conf conf = { .status_low = rows[i].low,
			.status_high = rows[i].high };

		assert_int_equal(
		    health_status_is_good(&conf, rows[i].status), rows[i].good);
	}
}

static void
test_next(void **state)
{
	struct health_conf conf = { .interval_us = 2 * SECOND };
	int64_t next, first, least = INT64_MAX, most = 0, began = 100 * SECOND;
	uint64_t random = 1;
	int i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		random = mix64(random);
		next = health_next_us(&conf, began, began + SECOND, random) - began;
		assert_in_range(next, 1800 * CLOCK_MS, 2200 * CLOCK_MS);
		least = next < least ? next : least;
		most = next > most ? next : most;
		first = health_first_us(&conf, began, random);
		assert_in_range(first, began, began + 2 * SECOND - 1);
	}
	assert_in_range(least, 1800 * CLOCK_MS, 1805 * CLOCK_MS);
	assert_in_range(most, 2195 * CLOCK_MS, 2200 * CLOCK_MS);
	/* A check that took longer than the interval is followed at once. */
	assert_int_equal(
	    health_next_us(&conf, began, began + 5 * SECOND, 0), began + 5 * SECOND);
	conf.interval_us = 0;
	assert_int_equal(health_next_us(&conf, began, began, 7), began);
	assert_int_equal(health_first_us(&conf, began, 7), began);
	conf.interval_us = INT64_MAX;
	assert_true(health_next_us(&conf, began, began, random) > began);
	assert_true(health_first_us(&conf, began, UINT64_MAX) >= began);
}

static void
test_slow_start(void **state)
{
	static const struct {
		int64_t since, window, now;
		uint16_t share;
		const char *why;
	} rows[] = {
		{ 0, 10 * SECOND, 5 * SECOND, BALANCE_SHARE_FULL, "was always there" },
		{ SECOND, 0, SECOND, BALANCE_SHARE_FULL, "no slow start" },
		{ SECOND, 10 * SECOND, SECOND, SLOW_START_LEAST, "begins" },
		{ SECOND, 10 * SECOND, 0, SLOW_START_LEAST, "the clock is behind" },
		{ SECOND, 10 * SECOND, 6 * SECOND,
		    (BALANCE_SHARE_FULL + SLOW_START_LEAST) / 2, "half way" },
		{ SECOND, 10 * SECOND, 11 * SECOND - 1, BALANCE_SHARE_FULL - 1,
		    "almost" },
		{ SECOND, 10 * SECOND, 11 * SECOND, BALANCE_SHARE_FULL, "over" },
		{ SECOND, 10 * SECOND, INT64_MAX, BALANCE_SHARE_FULL, "long over" },
		{ 1, INT64_MAX, INT64_MAX / 2,
		    (BALANCE_SHARE_FULL + SLOW_START_LEAST) / 2 - 1, "no overflow" },
	};
	uint16_t last = 0, share;
	int64_t now;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		share = slow_start_share(rows[i].since, rows[i].window, rows[i].now);
		if (share != rows[i].share)
			fail_msg("row %zu (%s): %u", i, rows[i].why, share);
	}
	for (now = 0; now < 12 * SECOND; now += 7777) {
		share = slow_start_share(SECOND, 10 * SECOND, now);
		assert_true(share >= last && share > 0);
		last = share;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rise_and_fall),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_slow_start),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
