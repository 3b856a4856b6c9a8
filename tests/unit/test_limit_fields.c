/* SPDX-License-Identifier: Apache-2.0 */
/* RateLimit-Policy, RateLimit and Retry-After. */
#include "config.h"

#include "ratelimit/internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

static const struct conf_limit confs[] = {
	{ .name = "login",
	    .tokens = 5,
	    .per_us = 60 * SECOND,
	    .burst = 5,
	    .cost = 1,
	    .mode = CONF_ENFORCE },
	{ .name = "api",
	    .tokens = 7,
	    .per_us = SECOND,
	    .burst = 20,
	    .cost = 1,
	    .mode = CONF_ENFORCE,
	    .headers = true },
	{ .name = "heavy",
	    .tokens = 100,
	    .per_us = SECOND,
	    .burst = 1000,
	    .cost = 30,
	    .mode = CONF_ENFORCE,
	    .headers = true },
	{ .name = "trial",
	    .tokens = 1,
	    .per_us = SECOND,
	    .burst = 1,
	    .cost = 1,
	    .mode = CONF_SHADOW,
	    .headers = true },
	{ .name = "free",
	    .tokens = 1,
	    .per_us = SECOND,
	    .burst = 1,
	    .cost = 0,
	    .mode = CONF_ENFORCE,
	    .headers = true },
	{ .name = "a \"quoted\\\n\xc3\xa4",
	    .tokens = 1,
	    .per_us = 1,
	    .burst = 1,
	    .cost = 1,
	    .mode = CONF_ENFORCE,
	    .headers = true },
};
enum { LOGIN, API, HEAVY, TRIAL, FREE, QUOTED, N_LIMITS };

static void
test_fields(void **state)
{
	static const struct {
		struct limiter_result results[3];
		unsigned n;
		bool refused;
		const char *policy, *state;
	} rows[] = {
		{ { { .limit = LOGIN } }, 0, true, "", "" },
		{ { { .limit = LOGIN,
		      .denied = true,
		      .refuses = true,
		      .retry_us = 12 * SECOND,
		      .reset_us = 60 * SECOND } },
		    1, true, "\"login\";q=5;w=60", "\"login\";r=0;t=12" },
		{ { { .limit = LOGIN, .remaining = 3, .reset_us = 23 * SECOND + 1 } }, 1,
		    true, "\"login\";q=5;w=60", "\"login\";r=3;t=12" },
		{ { { .limit = LOGIN, .remaining = 3 } }, 1, false, "", "" },
		{ { { .limit = API, .remaining = 20 } }, 1, false, "\"api\";q=20;w=3",
		    "\"api\";r=20;t=0" },
		{ { { .limit = LOGIN, .remaining = 1, .reset_us = 1 },
		      { .limit = API,
			  .denied = true,
			  .remaining = 9,
			  .reset_us = SECOND } },
		    2, true, "\"login\";q=5;w=60, \"api\";q=20;w=3",
		    "\"login\";r=1;t=1, \"api\";r=0;t=1" },
		{ { { .limit = LOGIN, .remaining = 1, .reset_us = 1 },
		      { .limit = API, .remaining = 9, .reset_us = SECOND } },
		    2, false, "\"api\";q=20;w=3", "\"api\";r=9;t=1" },
		{ { { .limit = HEAVY, .remaining = 89, .reset_us = -5 } }, 1, false,
		    "\"heavy\";q=33;w=10", "\"heavy\";r=2;t=1" },
		{ { { .limit = LOGIN, .remaining = 1, .reset_us = 47 * SECOND } }, 1,
		    true, "\"login\";q=5;w=60", "\"login\";r=1;t=11" },
		{ { { .limit = HEAVY, .remaining = 999, .reset_us = SECOND / 100 } }, 1,
		    true, "\"heavy\";q=33;w=10", "\"heavy\";r=33;t=1" },
		{ { { .limit = TRIAL, .denied = true }, { .limit = FREE } }, 2, true, "",
		    "" },
		{ { { .limit = QUOTED, .remaining = 1 } }, 1, false,
		    "\"a \\\"quoted\\\\???\";q=1;w=1",
		    "\"a \\\"quoted\\\\???\";r=1;t=0" },
	};
	struct limit all[N_LIMITS];
	struct limits limits = { .magic = LIMITS_MAGIC, .n = N_LIMITS };
	struct text policy, now;
	size_t i;
	unsigned j;

	(void)state;
	limits.all = all;
	for (i = 0; i < N_LIMITS; i++) {
		all[i].conf = &confs[i];
		assert_true(bucket_rate_init(
		    &all[i].rate, confs[i].tokens, confs[i].per_us, confs[i].burst));
	}
	text_init(&policy, 1000);
	text_init(&now, 1000);
	text_puts(&policy, "what was there before");
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct limiter_take take = { .n = rows[i].n };

		for (j = 0; j < take.n; j++)
			take.results[j] = rows[i].results[j];
		limiter_fields(&limits, &take, rows[i].refused, &policy, &now);
		if (!span_eq(text_span(&policy), span_of(rows[i].policy)) ||
		    !span_eq(text_span(&now), span_of(rows[i].state)))
			fail_msg("row %zu: %.*s; %.*s", i, SPAN_FMT(text_span(&policy)),
			    SPAN_FMT(text_span(&now)));
	}
	text_free(&policy);
	text_free(&now);
}

static void
test_retry_after(void **state)
{
	static const struct {
		int64_t retry_us;
		uint32_t seconds;
	} rows[] = {
		{ INT64_MIN, 1 },
		{ -1, 1 },
		{ 0, 1 },
		{ 1, 1 },
		{ SECOND, 1 },
		{ SECOND + 1, 2 },
		{ 12 * SECOND, 12 },
		{ INT64_C(4294967295) * SECOND, UINT32_MAX },
		{ INT64_MAX, UINT32_MAX },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct limiter_result r = { .retry_us = rows[i].retry_us };

		assert_int_equal(limiter_retry_after(&r), rows[i].seconds);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_retry_after),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
