/* SPDX-License-Identifier: Apache-2.0 */
/* Gateways that count each other through a real Redis. */
#include "config.h"

#include "ratelimit/heartbeat.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "tests/unit/redis_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PATIENCE_US (8 * CLOCK_SECOND)

struct node {
	struct redis *redis;
	struct limits *limits;
	struct heartbeat *heartbeat;
};

struct yard {
	struct redis_lab *lab;
	struct redis_server *server;
	struct conf conf;
	struct loop *loop;
	struct job_pool *resolver;
	struct redis_service *service;
	struct node nodes[3];
	struct loop_timer timer;
	int64_t until_us;
	uint32_t expected; /* that all nodes count; 0: just wait */
};

static uint32_t
count_of(const struct node *node)
{
	struct limits_status status;

	limits_status(node->limits, &status);
	return (status.nodes);
}

static bool
all_count(const struct yard *y, uint32_t expected)
{
	size_t i;

	for (i = 0; i < 3; i++)
		if (y->nodes[i].heartbeat != NULL && count_of(&y->nodes[i]) != expected)
			return (false);
	return (true);
}

static void
look(struct loop_timer *timer)
{
	struct yard *y = timer->data;

	if (clock_mono_us() >= y->until_us ||
	    (y->expected > 0 && all_count(y, y->expected)))
		loop_stop(y->loop);
	else
		loop_timer_set(timer, 5 * CLOCK_MS);
}

static void
run_for(struct yard *y, int64_t us)
{
	y->expected = 0;
	y->until_us = clock_mono_us() + us;
	loop_timer_set(&y->timer, 0);
	loop_run(y->loop);
}

/* Runs until every node counts that many; how long it took. */
static int64_t
run_until(struct yard *y, uint32_t expected)
{
	int64_t begun = clock_mono_us();

	y->expected = expected;
	y->until_us = begun + PATIENCE_US;
	loop_timer_set(&y->timer, 0);
	loop_run(y->loop);
	if (!all_count(y, expected))
		fail_msg("never %u: %u %u %u", expected, count_of(&y->nodes[0]),
		    count_of(&y->nodes[1]), count_of(&y->nodes[2]));
	return (clock_mono_us() - begun);
}

static void
node_start(struct yard *y, unsigned i)
{
	struct node *node = &y->nodes[i];

	node->redis = redis_new(y->loop, y->service, y->resolver);
	node->heartbeat = heartbeat_new(y->loop, node->redis, node->limits, &y->conf);
}

static void
node_stop(struct node *node)
{
	heartbeat_free(&node->heartbeat);
	assert_null(node->heartbeat);
}

static int
setup(void **state)
{
	struct yard *y = mem_zalloc(sizeof(*y));
	struct err e;
	size_t i;

	y->lab = redis_lab_new();
	y->server = redis_lab_start(y->lab, NULL);
	y->conf = (struct conf){ .node = "gate", .max.limit_keys = 1000 };
	redis_lab_conf(&y->conf.redis, y->server);
	y->loop = loop_new();
	y->resolver = job_pool_new("resolver", 1, 0);
	assert_int_equal(redis_service_new(&y->service, &y->conf.redis, &e), ERR_OK);
	for (i = 0; i < 3; i++) {
		assert_int_equal(
		    limits_new(&y->nodes[i].limits, &y->conf, y->service, &e), ERR_OK);
		limits_set_nodes(y->nodes[i].limits, 99); /* until it has counted */
	}
	loop_timer_init(&y->timer, y->loop, look, y);
	*state = y;
	return (0);
}

static int
teardown(void **state)
{
	struct yard *y = *state;
	size_t i;

	for (i = 0; i < 3; i++) {
		heartbeat_free(&y->nodes[i].heartbeat);
		if (y->nodes[i].redis != NULL)
			redis_free(&y->nodes[i].redis);
		limits_free(&y->nodes[i].limits);
	}
	loop_timer_stop(&y->timer);
	redis_service_free(&y->service);
	job_pool_free(&y->resolver);
	loop_free(&y->loop);
	redis_lab_free(&y->lab);
	free(y);
	return (0);
}

/* Three of one name are three; a start is known within about a second, and so is
 * an orderly end. */
static void
test_count(void **state)
{
	struct yard *y = *state;

	node_start(y, 0);
	(void)run_until(y, 1);
	redis_lab_expect(y->server, "1", "ZCARD yett:nodes");
	node_start(y, 1);
	node_start(y, 2);
	assert_true(run_until(y, 3) < 3 * CLOCK_SECOND);
	node_stop(&y->nodes[2]);
	assert_true(run_until(y, 2) < 3 * CLOCK_SECOND);
}

/* One that ends without a word is gone after five seconds; what was heard of in a
 * time to come, or stands there and is no set, at once. */
static void
test_silence(void **state)
{
	struct yard *y = *state;
	long long now = clock_wall_us();
	int64_t gone;

	redis_lab_expect(y->server, "OK", "SET yett:nodes foreign");
	node_start(y, 0);
	(void)run_until(y, 1);
	redis_lab_expect(y->server, "3",
	    "ZADD yett:nodes %lld ghost %lld old %lld future", now - 3 * CLOCK_SECOND,
	    now - 5 * CLOCK_SECOND, now + 60 * CLOCK_SECOND);
	(void)run_until(y, 2);
	redis_lab_expect(y->server, "(nil)", "ZSCORE yett:nodes old");
	redis_lab_expect(y->server, "(nil)", "ZSCORE yett:nodes future");
	gone = run_until(y, 1);
	assert_in_range(gone, 0, 4 * CLOCK_SECOND);
	redis_lab_expect(y->server, "(nil)", "ZSCORE yett:nodes ghost");
}

/* A Redis that is gone changes no count: the others are likely still there. One
 * that comes back, having forgotten everything, soon knows all. */
static void
test_redis_gone(void **state)
{
	struct yard *y = *state;

	node_start(y, 0);
	node_start(y, 1);
	(void)run_until(y, 2);
	redis_lab_kill(y->server);
	run_for(y, 3 * CLOCK_SECOND / 2);
	assert_true(all_count(y, 2));
	/* Nobody to take leave of. */
	node_stop(&y->nodes[1]);
	redis_lab_restart(y->server);
	(void)run_until(y, 1);
}

/* A frozen one is asked once, not once a second. */
static void
test_redis_frozen(void **state)
{
	struct yard *y = *state;

	node_start(y, 0);
	(void)run_until(y, 1);
	redis_lab_freeze(y->server);
	run_for(y, 2 * CLOCK_SECOND);
	assert_true(all_count(y, 1));
	redis_lab_thaw(y->server);
	node_start(y, 1);
	(void)run_until(y, 2);
}

/* Nothing is left behind when all gateways have ended; and with a clock of their
 * own they count alike. */
static void
test_local_clock(void **state)
{
	struct yard *y = *state;
	char *life, *score;

	y->conf.redis.clock = CONF_CLOCK_LOCAL;
	node_start(y, 0);
	node_start(y, 1);
	(void)run_until(y, 2);
	life = redis_lab_ask(y->server, "PTTL yett:nodes");
	assert_in_range(strtol(life, NULL, 10), 1, 10000);
	free(life);
	redis_lab_expect(y->server, "1", "ZADD yett:nodes 17 ancient");
	score = redis_lab_ask(y->server, "ZSCORE yett:nodes ancient");
	assert_string_equal(score, "17");
	free(score);
	run_for(y, 3 * CLOCK_SECOND / 2);
	redis_lab_expect(y->server, "(nil)", "ZSCORE yett:nodes ancient");
	node_stop(&y->nodes[0]);
	node_stop(&y->nodes[1]);
	run_for(y, CLOCK_SECOND / 5);
	redis_lab_expect(y->server, "0", "EXISTS yett:nodes");
}

/* More than any cluster has is not believed. */
static void
test_too_many(void **state)
{
	struct yard *y = *state;
	char members[1000];
	unsigned i, j, n;

	node_start(y, 0);
	(void)run_until(y, 1);
	for (i = 0; i < 10000 / 25; i++) {
		for (j = n = 0; j < 25; j++)
			n += (unsigned)snprintf(members + n, sizeof(members) - n,
			    " %lld %u", (long long)clock_wall_us(), i * 25 + j);
		redis_lab_expect(y->server, "25", "ZADD crowd%s", members);
	}
	redis_lab_expect(y->server, "10001", "ZUNIONSTORE yett:nodes 2 yett:nodes crowd");
	run_for(y, 3 * CLOCK_SECOND / 2);
	assert_true(all_count(y, 1));
	redis_lab_expect(y->server, "10001", "ZCARD yett:nodes");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_count, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redis_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redis_frozen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_local_clock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
	};

	redis_lab_or_skip();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
