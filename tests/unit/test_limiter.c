/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of one gateway alone: verdicts, counts, modes, many threads. */
#include "config.h"

#include "ratelimit/limiter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MINUTE (60 * CLOCK_SECOND)

enum { SLOW, ONE, COSTLY, FREE, SHADOW, BY_KEY, SITE, MANY, LAST };

static struct conf_key by_client[] = { { CONF_KEY_CLIENT, "" } };
static struct conf_key by_header[] = { { CONF_KEY_HEADER, "x-api-key" } };
static struct conf_key by_site[] = { { CONF_KEY_SITE, "" } };

static struct conf_limit limit_rows[] = {
	[SLOW] = { .name = "slow",
	    .tokens = 5,
	    .per_us = MINUTE,
	    .burst = 5,
	    .cost = 1,
	    .keys = by_client,
	    .n_keys = 1 },
	[ONE] = { .name = "one",
	    .tokens = 1,
	    .per_us = 60 * MINUTE,
	    .burst = 1,
	    .cost = 1,
	    .keys = by_client,
	    .n_keys = 1 },
	[COSTLY] = { .name = "costly",
	    .tokens = 10,
	    .per_us = MINUTE,
	    .burst = 10,
	    .cost = 4,
	    .keys = by_client,
	    .n_keys = 1 },
	[FREE] = { .name = "free",
	    .tokens = 1,
	    .per_us = MINUTE,
	    .burst = 7,
	    .cost = 0,
	    .keys = by_client,
	    .n_keys = 1 },
	[SHADOW] = { .name = "shadow",
	    .tokens = 1,
	    .per_us = MINUTE,
	    .burst = 2,
	    .cost = 1,
	    .mode = CONF_SHADOW,
	    .keys = by_client,
	    .n_keys = 1 },
	[BY_KEY] = { .name = "by-key",
	    .tokens = 1,
	    .per_us = MINUTE,
	    .burst = 1,
	    .cost = 1,
	    .keys = by_header,
	    .n_keys = 1 },
	[SITE] = { .name = "site",
	    .tokens = 1,
	    .per_us = MINUTE,
	    .burst = 3,
	    .cost = 1,
	    .keys = by_site,
	    .n_keys = 1 },
	[MANY] = { .name = "many",
	    .tokens = 1,
	    .per_us = MINUTE,
	    .burst = 20000,
	    .cost = 1,
	    .keys = by_client,
	    .n_keys = 1 },
	[LAST] = { .name = "last",
	    .tokens = 1,
	    .per_us = MINUTE,
	    .burst = 1,
	    .cost = 1,
	    .on_failure = CONF_FAIL_CLOSED,
	    .keys = by_client,
	    .n_keys = 1 },
};

static struct conf
conf_of(uint32_t keys)
{
	return ((struct conf){ .node = "test",
	    .max.limit_keys = keys,
	    .identity.ipv6_prefix = 64,
	    .redis = { .url = "",
		.username = "",
		.password_file = "",
		.key_file = "",
		.prefix = "yett:",
		.deadline = 10 * CLOCK_MS },
	    .limits = limit_rows,
	    .n_limits = COUNT(limit_rows) });
}

struct fixture {
	struct conf conf;
	struct loop *loop;
	struct limits *limits;
	struct limiter *limiter;
	struct limiter_take take;
	struct netaddr client;
	struct limiter_subject subject;
	const char *api_key;
};

static struct span
header(void *data, struct span name)
{
	struct fixture *f = data;

	return (
	    span_eq_nocase(name, SPAN("X-Api-Key")) ? span_of(f->api_key) : SPAN_NONE);
}

static struct span
cookie(void *data, struct span name)
{
	(void)data;
	(void)name;
	return (SPAN_NONE);
}

static void
client(struct fixture *f, const char *text)
{
	assert_true(netaddr_parse_ip(&f->client, span_of(text)));
}

static void
open_limits(struct fixture *f, uint32_t keys)
{
	struct err e;

	f->conf = conf_of(keys);
	assert_int_equal(limits_new(&f->limits, &f->conf, NULL, &e), ERR_OK);
	f->limiter = limiter_new(f->limits, f->loop, NULL);
}

static int
setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->loop = loop_new();
	f->subject = (struct limiter_subject){ .client = &f->client,
		.site = SPAN("shop.example.com"),
		.route = SPAN("/"),
		.path = SPAN("/x"),
		.country = SPAN("DE"),
		.header = header,
		.cookie = cookie,
		.data = f };
	client(f, "192.0.2.1");
	open_limits(f, 1024);
	*state = f;
	return (0);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	limiter_free(&f->limiter);
	limits_free(&f->limits);
	loop_free(&f->loop);
	free(f);
	return (0);
}

static const struct limiter_result *
take(struct fixture *f, uint32_t limit)
{
	assert_int_equal(
	    limiter_take(f->limiter, &f->take, &limit, 1, &f->subject), LIMITER_DONE);
	assert_int_equal(f->take.n, 1);
	assert_int_equal(f->take.results[0].limit, limit);
	return (&f->take.results[0]);
}

/* --- verdicts ----------------------------------------------------------- */

static void
verdicts(void **state)
{
	static const struct {
		const char *client, *key;
		uint32_t limit;
		bool denied, refuses;
		uint32_t remaining;
		int64_t retry_us; /* at most, and at least nine tenths of it */
		const char *why;
	} rows[] = {
		{ "192.0.2.1", "a", SLOW, false, false, 4, 0, "a full bucket" },
		{ "192.0.2.1", "a", SLOW, false, false, 3, 0, "one less" },
		{ "192.0.2.2", "a", SLOW, false, false, 4, 0, "another client" },
		{ "192.0.2.1", "b", SLOW, false, false, 2, 0,
		    "the key is not looked at" },
		{ "192.0.2.1", "b", SLOW, false, false, 1, 0, "" },
		{ "192.0.2.1", "b", SLOW, false, false, 0, 0, "the last" },
		{ "192.0.2.1", "b", SLOW, true, true, 0, 12 * CLOCK_SECOND, "over" },
		{ "192.0.2.1", "b", SLOW, true, true, 0, 12 * CLOCK_SECOND, "no longer" },
		{ "192.0.2.2", "b", SLOW, false, false, 3, 0, "the other is not" },
		{ "192.0.2.1", "b", ONE, false, false, 0, 0, "another limit" },
		{ "192.0.2.1", "b", ONE, true, true, 0, 60 * MINUTE, "of one an hour" },
		{ "192.0.2.1", "b", COSTLY, false, false, 6, 0, "costs four" },
		{ "192.0.2.1", "b", COSTLY, false, false, 2, 0, "four more" },
		{ "192.0.2.1", "b", COSTLY, true, true, 2, 12 * CLOCK_SECOND,
		    "two left" },
		{ "192.0.2.1", "b", FREE, false, false, 7, 0, "costs nothing" },
		{ "192.0.2.1", "b", FREE, false, false, 7, 0, "ever" },
		{ "192.0.2.1", "b", SHADOW, false, false, 1, 0, "only counts" },
		{ "192.0.2.1", "b", SHADOW, false, false, 0, 0, "" },
		{ "192.0.2.1", "b", SHADOW, true, false, 0, MINUTE,
		    "denied, not refused" },
		{ "192.0.2.1", "k1", BY_KEY, false, false, 0, 0, "by a header field" },
		{ "192.0.2.2", "k1", BY_KEY, true, true, 0, MINUTE, "of whomever" },
		{ "192.0.2.1", "k2", BY_KEY, false, false, 0, 0, "another value" },
		{ "2001:db8::1", "b", ONE, false, false, 0, 0, "IPv6" },
		{ "2001:db8:0:1::1", "b", ONE, false, false, 0, 0, "another /64" },
	};
	struct fixture *f = *state;
	const struct limiter_result *r;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		client(f, rows[i].client);
		f->api_key = rows[i].key;
		r = take(f, rows[i].limit);
		if (r->denied != rows[i].denied || r->refuses != rows[i].refuses ||
		    r->remaining != rows[i].remaining || r->retry_us > rows[i].retry_us ||
		    r->retry_us < rows[i].retry_us / 10 * 9)
			fail_msg("row %zu, %s: denied %d, %u remain, retry %lld us", i,
			    rows[i].why, r->denied, r->remaining, (long long)r->retry_us);
		assert_false(r->degraded);
		assert_true(r->reset_us >= r->retry_us);
		assert_ptr_equal(limiter_refusal(&f->take), r->refuses ? r : NULL);
	}
}

static void
every_limit_is_debited(void **state)
{
	static const uint32_t limits[] = { ONE, SLOW, SITE };
	struct fixture *f = *state;
	const struct limiter_result *worst;
	unsigned i;

	for (i = 0; i < 4; i++)
		assert_int_equal(limiter_take(f->limiter, &f->take, limits, COUNT(limits),
				     &f->subject),
		    LIMITER_DONE);
	/* The first was over from the second request on; the others counted on. */
	assert_int_equal(f->take.results[1].remaining, 1);
	assert_true(f->take.results[0].refuses && !f->take.results[1].refuses);
	assert_true(f->take.results[2].refuses);
	worst = limiter_refusal(&f->take);
	assert_ptr_equal(worst, &f->take.results[0]);
	assert_true(worst->retry_us > f->take.results[2].retry_us);
}

static void
as_many_as_there_may_be(void **state)
{
	uint32_t limits[LIMITER_LIMITS_MAX];
	struct fixture *f = *state;
	unsigned i;

	for (i = 0; i < LIMITER_LIMITS_MAX; i++)
		limits[i] = i < LAST ? i : LAST;
	f->api_key = NULL;
	assert_int_equal(
	    limiter_take(f->limiter, &f->take, limits, LIMITER_LIMITS_MAX, &f->subject),
	    LIMITER_DONE);
	assert_int_equal(f->take.n, LIMITER_LIMITS_MAX);
	assert_null(limiter_refusal(&f->take));
	assert_int_equal(
	    limiter_take(f->limiter, &f->take, NULL, 0, &f->subject), LIMITER_DONE);
	assert_int_equal(f->take.n, 0);
	assert_null(limiter_refusal(&f->take));
	limiter_cancel(f->limiter, &f->take); /* nothing waits */
}

static void
counts(void **state)
{
	struct fixture *f = *state;
	struct limits_status status;
	struct limits_count n;
	unsigned i;

	for (i = 0; i < 7; i++) {
		(void)take(f, SLOW);
		(void)take(f, SHADOW);
		(void)take(f, FREE);
	}
	limits_count(f->limits, SLOW, &n);
	assert_true(
	    n.allowed == 5 && n.denied == 2 && n.shadowed == 0 && n.degraded == 0);
	limits_count(f->limits, SHADOW, &n);
	assert_true(n.allowed == 2 && n.denied == 0 && n.shadowed == 5);
	assert_true(n.leased == 0 && n.denied_here == 0);
	limits_count(f->limits, FREE, &n);
	assert_true(n.allowed == 0 && n.denied == 0);
	limits_status(f->limits, &status);
	assert_int_equal(status.state, LIMITS_LOCAL);
	assert_string_equal(limits_state_text(status.state), "local");
	assert_null(status.reason);
	assert_true(status.since_us > 0 && status.since_us <= clock_mono_us());
	assert_int_equal(status.nodes, 1);
	assert_int_equal(status.redis_trips, 0);
	limits_set_nodes(f->limits, 0);
	limits_status(f->limits, &status);
	assert_int_equal(status.nodes, 1);
}

static void
names(void **state)
{
	struct fixture *f = *state;
	uint32_t i;

	for (i = 0; i < COUNT(limit_rows); i++)
		assert_int_equal(limits_find(f->limits, span_of(limit_rows[i].name)), i);
	assert_int_equal(limits_find(f->limits, SPAN("lastly")), LIMIT_NONE);
	assert_int_equal(limits_find(f->limits, SPAN("")), LIMIT_NONE);
}

static void
figures(void **state)
{
	static const struct {
		uint64_t tokens, per_us;
		uint32_t burst, cost;
		const char *says; /* NULL: good */
	} rows[] = {
		{ 1, 1, 1, 1, NULL },
		{ 1000000, CLOCK_SECOND, 1000000, 1000000, NULL },
		{ 0, CLOCK_SECOND, 1, 1, "limit odd: " },
		{ 1, 0, 1, 1, "limit odd: " },
		{ 1, CLOCK_SECOND, 0, 1, "limit odd: " },
		{ 1, CLOCK_SECOND, 1, 2, "never holds" },
		{ 1, INT64_C(86400000000) + 1, 1, 1, "limit odd: " },
		{ 1, INT64_C(86400000000), 1000000, 1, "ten years" },
	};
	struct conf conf = conf_of(64);
	struct conf_limit odd = { .name = "odd", .keys = by_client, .n_keys = 1 };
	struct limits *limits;
	struct err e;
	size_t i;

	(void)state;
	conf.limits = &odd;
	conf.n_limits = 1;
	for (i = 0; i < COUNT(rows); i++) {
		odd.tokens = rows[i].tokens;
		odd.per_us = rows[i].per_us;
		odd.burst = rows[i].burst;
		odd.cost = rows[i].cost;
		if (rows[i].says == NULL) {
			assert_int_equal(limits_new(&limits, &conf, NULL, &e), ERR_OK);
			limits_free(&limits);
			continue;
		}
		assert_int_equal(limits_new(&limits, &conf, NULL, &e), ERR_RANGE);
		assert_null(limits);
		assert_non_null(strstr(e.text, rows[i].says));
	}
}

/* --- a full table ------------------------------------------------------- */

/* More clients than the table holds, all over their limit. */
static void
nobody_gets_in_by_numbers(void **state)
{
	struct fixture *f = *state;
	unsigned i, round, allowed = 0, degraded = 0;
	struct limits_count n;
	char text[32];

	limiter_free(&f->limiter);
	limits_free(&f->limits);
	open_limits(f, 64);
	client(f, "198.51.100.1");
	assert_false(take(f, ONE)->denied);
	assert_true(take(f, ONE)->denied);
	for (round = 0; round < 2; round++)
		for (i = 0; i < 2000; i++) {
			(void)snprintf(
			    text, sizeof(text), "10.0.%u.%u", i / 250, i % 250);
			client(f, text);
			(void)take(f, ONE);
			allowed += !take(f, ONE)->denied;
			degraded += f->take.results[0].degraded;
		}
	/* Who is denied stays denied; who has no room is let in, and counted. */
	client(f, "198.51.100.1");
	assert_true(take(f, ONE)->denied);
	assert_true(allowed > 0 && allowed == degraded);
	limits_count(f->limits, ONE, &n);
	assert_true(n.degraded >= degraded);
	/* A limit that would rather deny than not know, denies. */
	for (i = 0, degraded = 0; i < 2000; i++) {
		(void)snprintf(text, sizeof(text), "10.1.%u.%u", i / 250, i % 250);
		client(f, text);
		if (!take(f, LAST)->degraded)
			continue;
		assert_true(f->take.results[0].refuses);
		assert_int_equal(f->take.results[0].retry_us, CLOCK_SECOND);
		degraded++;
	}
	assert_true(degraded > 0);
}

/* --- threads ------------------------------------------------------------ */

#define THREADS 4
#define TAKES 8000

struct runner {
	struct fixture f;
	pthread_t thread;
	unsigned allowed;
};

static void *
run(void *data)
{
	struct runner *r = data;
	unsigned i;

	for (i = 0; i < TAKES; i++)
		r->allowed += !take(&r->f, MANY)->denied;
	return (NULL);
}

static void
threads_share_the_table(void **state)
{
	struct runner runners[THREADS];
	struct fixture *f = *state;
	struct limits_count n;
	unsigned i, allowed = 0;

	memset(runners, 0, sizeof(runners));
	for (i = 0; i < THREADS; i++) {
		runners[i].f = *f;
		runners[i].f.loop = loop_new();
		runners[i].f.subject.client = &runners[i].f.client;
		runners[i].f.subject.data = &runners[i].f;
		runners[i].f.limiter = limiter_new(f->limits, runners[i].f.loop, NULL);
	}
	for (i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&runners[i].thread, NULL, run, &runners[i]), 0);
	for (i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(runners[i].thread, NULL), 0);
		limiter_free(&runners[i].f.limiter);
		loop_free(&runners[i].f.loop);
		allowed += runners[i].allowed;
	}
	/* One more comes in a minute. */
	assert_in_range(allowed, 20000, 20001);
	limits_count(f->limits, MANY, &n);
	assert_int_equal(n.allowed, allowed);
	assert_int_equal(n.denied, THREADS * TAKES - allowed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verdicts, setup, teardown),
		cmocka_unit_test_setup_teardown(every_limit_is_debited, setup, teardown),
		cmocka_unit_test_setup_teardown(as_many_as_there_may_be, setup, teardown),
		cmocka_unit_test_setup_teardown(counts, setup, teardown),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test(figures),
		cmocka_unit_test_setup_teardown(
		    nobody_gets_in_by_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(threads_share_the_table, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
