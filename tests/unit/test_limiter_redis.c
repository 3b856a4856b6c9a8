/* SPDX-License-Identifier: Apache-2.0 */
/* Limits shared through a real Redis: two gateways, floods, a Redis that dies,
 * freezes, forgets. */
#include "config.h"

#include "ratelimit/limiter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "redis_lab.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MINUTE (60 * CLOCK_SECOND)
#define DEADLINE (10 * CLOCK_MS)
/* Beyond the deadline: a timer's millisecond, the two for a busy thread. What the
 * thread did not run at all is measured and comes on top. */
#define SLACK (5 * CLOCK_MS)
/* Where a busy machine must not count as a failing Redis. */
#define LONG_DEADLINE (300 * CLOCK_MS)
#define FLOOD_MAX 1024 /* at once, as a gateway's connections are bounded */
#define TAKES_MAX 4200 /* more than may wait */
#define NODES_MAX 3

enum { HUNDRED, HUGE, LOGIN, LOCAL, OPEN, CLOSED };

static struct conf_key by_client[] = { { CONF_KEY_CLIENT, "" } };

static struct conf_limit limit_rows[] = {
	[HUNDRED] = { .name = "hundred",
	    .tokens = 100,
	    .per_us = CLOCK_SECOND,
	    .burst = 100,
	    .cost = 1,
	    .keys = by_client,
	    .n_keys = 1 },
	[HUGE] = { .name = "huge",
	    .tokens = 1000000,
	    .per_us = CLOCK_SECOND,
	    .burst = 1000000,
	    .cost = 1,
	    .keys = by_client,
	    .n_keys = 1 },
	[LOGIN] = { .name = "login",
	    .tokens = 5,
	    .per_us = MINUTE,
	    .burst = 5,
	    .cost = 1,
	    .keys = by_client,
	    .n_keys = 1 },
	[LOCAL] = { .name = "local",
	    .tokens = 10,
	    .per_us = MINUTE,
	    .burst = 10,
	    .cost = 1,
	    .on_failure = CONF_FAIL_LOCAL,
	    .keys = by_client,
	    .n_keys = 1 },
	[OPEN] = { .name = "open",
	    .tokens = 1,
	    .per_us = MINUTE,
	    .burst = 1,
	    .cost = 1,
	    .on_failure = CONF_FAIL_OPEN,
	    .keys = by_client,
	    .n_keys = 1 },
	[CLOSED] = { .name = "closed",
	    .tokens = 10,
	    .per_us = MINUTE,
	    .burst = 10,
	    .cost = 1,
	    .on_failure = CONF_FAIL_CLOSED,
	    .keys = by_client,
	    .n_keys = 1 },
};

/* --- one gateway -------------------------------------------------------- */

struct node;
struct asking {
	struct limiter_take take;
	struct node *node;
	struct netaddr client;
	struct limiter_subject subject;
	int64_t asked_us;
	struct asking *next; /* idle */
};

/* A worker thread that takes one limit `per_second` times a second, from one
 * client or, `spread`, from a new one each time. Counters: any thread. */
struct node {
	struct loop *loop;
	struct redis *redis;
	struct limits *limits;
	struct limiter *limiter;
	struct loop_timer timer;
	pthread_t thread;
	uint32_t limit, per_second;
	bool spread, awaits;
	int64_t since_us;
	uint64_t sent;
	uint32_t serial;
	struct asking askings[TAKES_MAX];
	struct asking *idle;
	_Atomic uint64_t allowed, denied, degraded, waited;
	_Atomic int64_t longest_us;
	int64_t ticked_us, stalled_us; /* the longest the thread did not run */
};

struct fixture {
	struct redis_lab *lab;
	struct redis_server *server;
	struct conf conf;
	struct redis_service *service;
	struct job_pool *resolver;
	struct node nodes[NODES_MAX];
	unsigned n_nodes;
	bool one; /* the nodes are workers of one gateway */
};

static struct span
no_field(void *data, struct span name)
{
	(void)data;
	(void)name;
	return (SPAN_NONE);
}

static void
tell(struct asking *a)
{
	const struct limiter_result *r = &a->take.results[0];
	struct node *node = a->node;

	(void)atomic_fetch_add(r->denied ? &node->denied : &node->allowed, 1);
	if (r->degraded)
		(void)atomic_fetch_add(&node->degraded, 1);
	a->next = node->idle;
	node->idle = a;
}

static void
on_ready(struct limiter_take *take)
{
	struct asking *a = take->data;
	int64_t waited = clock_mono_us() - a->asked_us;

	(void)atomic_fetch_add(&a->node->waited, 1);
	if (waited > atomic_load(&a->node->longest_us))
		atomic_store(&a->node->longest_us, waited);
	tell(a);
	if (a->node->awaits)
		loop_stop(a->node->loop);
}

static void
ask(struct node *node)
{
	struct asking *a = node->idle;

	node->sent++;
	if (a == NULL) /* as in a gateway: who can't be served comes later */
		return;
	node->idle = a->next;
	a->client.family = NETADDR_IP4;
	if (node->spread) {
		node->serial++;
		memcpy(a->client.ip, &node->serial, sizeof(node->serial));
	}
	a->asked_us = clock_mono_us();
	if (limiter_take(node->limiter, &a->take, &node->limit, 1, &a->subject) ==
	    LIMITER_DONE)
		tell(a);
}

static void
tick(struct loop_timer *timer)
{
	struct node *node = timer->data;
	int64_t stalled = clock_mono_us() - node->ticked_us - CLOCK_MS;
	uint64_t due = (uint64_t)(clock_mono_us() - node->since_us) * node->per_second /
		       CLOCK_SECOND;

	if (stalled > node->stalled_us)
		node->stalled_us = stalled;
	while (node->sent < due)
		ask(node);
	node->ticked_us = clock_mono_us();
	loop_timer_set(timer, CLOCK_MS);
}

static void *
run(void *data)
{
	struct node *node = data;

	loop_run(node->loop);
	return (NULL);
}

static void
node_open(struct fixture *f, struct node *node)
{
	struct err e;
	unsigned i;

	node->loop = loop_new();
	node->redis = redis_new(node->loop, f->service, f->resolver);
	if (f->one && node != f->nodes)
		node->limits = f->nodes[0].limits;
	else
		assert_int_equal(
		    limits_new(&node->limits, &f->conf, f->service, &e), ERR_OK);
	node->limiter = limiter_new(node->limits, node->loop, node->redis);
	loop_timer_init(&node->timer, node->loop, tick, node);
	for (i = 0; i < TAKES_MAX; i++) {
		struct asking *a = &node->askings[i];

		a->node = node;
		a->take.ready = on_ready;
		a->take.data = a;
		a->subject = (struct limiter_subject){
			.client = &a->client, .header = no_field, .cookie = no_field
		};
		if (i >= FLOOD_MAX)
			continue;
		a->next = node->idle;
		node->idle = a;
	}
}

static void
node_start(struct node *node, uint32_t limit, uint32_t per_second)
{
	node->limit = limit;
	node->per_second = per_second;
	node->since_us = node->ticked_us = clock_mono_us();
	node->sent = 0;
	loop_timer_set(&node->timer, 0);
	assert_int_equal(pthread_create(&node->thread, NULL, run, node), 0);
}

static void
node_stop(struct node *node)
{
	loop_stop(node->loop);
	assert_int_equal(pthread_join(node->thread, NULL), 0);
	loop_timer_stop(&node->timer);
}

static void
on_time(struct loop_timer *timer)
{
	loop_stop(timer->loop);
}

/* Runs the node's loop on this thread for a while. */
static void
node_run(struct node *node, int64_t us)
{
	struct loop_timer timer;

	loop_timer_init(&timer, node->loop, on_time, NULL);
	loop_timer_set(&timer, us);
	loop_run(node->loop);
	loop_timer_stop(&timer);
}

static enum limits_state
state_of(struct node *node)
{
	struct limits_status status;

	limits_status(node->limits, &status);
	return (status.state);
}

/* Until it is so; how long that took. The node's thread runs. */
static int64_t
wait_for(struct node *node, enum limits_state state)
{
	int64_t begun = clock_mono_us();

	while (state_of(node) != state) {
		if (clock_mono_us() - begun > 5 * CLOCK_SECOND)
			fail_msg("never came to be %s", limits_state_text(state));
		(void)usleep(2000);
	}
	return (clock_mono_us() - begun);
}

/* The same where this thread has to run its loop. */
static void
connect_node(struct node *node)
{
	int64_t begun = clock_mono_us();

	while (state_of(node) != LIMITS_SHARED) {
		assert_true(clock_mono_us() - begun < 5 * CLOCK_SECOND);
		node_run(node, 5000);
	}
}

static void
open_nodes(struct fixture *f, unsigned n)
{
	unsigned i;

	f->n_nodes = n;
	for (i = 0; i < n; i++) {
		node_open(f, &f->nodes[i]);
		limits_set_nodes(f->nodes[i].limits, f->one ? 1 : n);
		connect_node(&f->nodes[i]);
	}
}

static int
setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct err e;

	f->lab = redis_lab_new();
	f->server = redis_lab_start(f->lab, NULL);
	f->conf = (struct conf){ .node = "test",
		.max.limit_keys = 65536,
		.identity.ipv6_prefix = 64,
		.limits = limit_rows,
		.n_limits = COUNT(limit_rows) };
	redis_lab_conf(&f->conf.redis, f->server);
	f->conf.redis.deadline = LONG_DEADLINE;
	f->conf.redis.prefix = "yett:";
	assert_int_equal(redis_service_new(&f->service, &f->conf.redis, &e), ERR_OK);
	f->resolver = job_pool_new("resolver", 1, 0);
	*state = f;
	return (0);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	for (i = 0; i < f->n_nodes; i++) {
		limiter_free(&f->nodes[i].limiter);
		redis_free(&f->nodes[i].redis);
	}
	job_pool_free(&f->resolver);
	for (i = 0; i < f->n_nodes; i++) {
		if (!f->one || i == 0)
			limits_free(&f->nodes[i].limits);
		loop_free(&f->nodes[i].loop);
	}
	redis_service_free(&f->service);
	redis_lab_free(&f->lab);
	free(f);
	return (0);
}

/* How often the script was called so far. */
static uint64_t
calls(struct fixture *f)
{
	char *text = redis_lab_ask(f->server, "INFO commandstats"), *at;
	uint64_t n = 0;

	at = strstr(text, "cmdstat_evalsha:calls=");
	if (at != NULL)
		n = strtoull(at + strlen("cmdstat_evalsha:calls="), NULL, 10);
	free(text);
	return (n);
}

/* One take on this thread, awaited. */
static const struct limiter_result *
take(struct node *node, uint32_t limit)
{
	struct asking *a = node->idle;
	uint64_t waited = atomic_load(&node->waited);

	a->client.family = NETADDR_IP4;
	a->asked_us = clock_mono_us();
	node->idle = a->next;
	if (limiter_take(node->limiter, &a->take, &limit, 1, &a->subject) ==
	    LIMITER_DONE) {
		tell(a);
		return (&a->take.results[0]);
	}
	node->awaits = true;
	node_run(node, CLOCK_SECOND);
	node->awaits = false;
	assert_int_equal(atomic_load(&node->waited), waited + 1);
	return (&a->take.results[0]);
}

/* --- floods ------------------------------------------------------------- */

struct flood {
	uint64_t admitted, trips;
	double seconds;
	double least; /* of what the limit allows */
	double slack; /* for trips */
};

static struct flood
flood(struct fixture *f, uint32_t limit, uint32_t per_second, int64_t us)
{
	struct flood flood = { .least = .97, .slack = 1 };
	uint64_t before = calls(f);
	int64_t begun = clock_mono_us();
	unsigned i;

	for (i = 0; i < f->n_nodes; i++)
		node_start(&f->nodes[i], limit, per_second);
	(void)usleep((useconds_t)us);
	for (i = 0; i < f->n_nodes; i++)
		node_stop(&f->nodes[i]);
	flood.seconds = (double)(clock_mono_us() - begun) / CLOCK_SECOND;
	flood.trips = calls(f) - before;
	for (i = 0; i < f->n_nodes; i++) {
		flood.admitted += atomic_load(&f->nodes[i].allowed);
		/* Leases do not outlive a thread that does not run, and are taken
		 * anew then. */
		if (f->nodes[i].stalled_us > 5 * CLOCK_MS) {
			flood.least = .8;
			flood.slack = 4;
		}
		assert_int_equal(atomic_load(&f->nodes[i].degraded), 0);
	}
	print_message("%llu admitted in %.2f s, %llu operations\n",
	    (unsigned long long)flood.admitted, flood.seconds,
	    (unsigned long long)flood.trips);
	return (flood);
}

static void
two_gateways_share_one_limit(void **state)
{
	struct fixture *f = *state;
	struct flood got;
	double most;

	open_nodes(f, 2);
	got = flood(f, HUNDRED, 3000, 3 * CLOCK_SECOND);
	most = 100 + 100 * got.seconds;
	assert_true((double)got.admitted <= most);
	assert_true((double)got.admitted >= got.least * most);
	/* And what it takes to find out that the key is hot. */
	assert_true((double)got.trips <= got.slack * 2 * (50 * got.seconds + 25));
}

/* Three workers of one gateway make no more trips than one. */
static void
workers_share_a_lease(void **state)
{
	struct fixture *f = *state;
	struct flood got;
	double most;

	f->one = true;
	open_nodes(f, 3);
	got = flood(f, HUNDRED, 3000, 2 * CLOCK_SECOND);
	most = 100 + 100 * got.seconds;
	assert_true((double)got.admitted <= most);
	assert_true((double)got.admitted >= got.least * most);
	assert_true((double)got.trips <= got.slack * (60 * got.seconds + 50));
}

static void
a_hot_key_is_cheap(void **state)
{
	struct fixture *f = *state;
	struct limits_count n;
	struct flood got;

	open_nodes(f, 1);
	got = flood(f, HUGE, 50000, 2 * CLOCK_SECOND);
	limits_count(f->nodes[0].limits, HUGE, &n);
	assert_int_equal(n.allowed, got.admitted);
	assert_int_equal(n.denied, 0);
	assert_true((double)got.trips <= got.slack * (50 * got.seconds + 25));
	assert_true(n.leased * 2 >= got.admitted);
}

static void
a_denied_key_makes_no_trips(void **state)
{
	struct fixture *f = *state;
	struct node *node = &f->nodes[0];
	const struct limiter_result *r;
	struct limits_count n;
	uint64_t before;
	unsigned i;

	open_nodes(f, 1);
	for (i = 0; i < 5; i++) {
		r = take(node, LOGIN);
		assert_false(r->denied || r->degraded);
		assert_int_equal(r->remaining, 4 - i);
	}
	before = calls(f);
	for (i = 0; i < 1000; i++) {
		r = take(node, LOGIN);
		assert_true(r->refuses && !r->degraded);
		assert_in_range(r->retry_us, 11 * CLOCK_SECOND, 12 * CLOCK_SECOND);
		assert_in_range(r->reset_us, 59 * CLOCK_SECOND, 60 * CLOCK_SECOND);
	}
	assert_int_equal(calls(f) - before, 0);
	limits_count(node->limits, LOGIN, &n);
	assert_true(n.allowed == 5 && n.denied == 1000 && n.denied_here == 1000);
}

static void
the_other_gateway_knows(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	open_nodes(f, 2);
	for (i = 0; i < 5; i++)
		assert_false(take(&f->nodes[i % 2], LOGIN)->denied);
	assert_true(take(&f->nodes[0], LOGIN)->denied);
	assert_true(take(&f->nodes[1], LOGIN)->denied);
}

/* --- failures ----------------------------------------------------------- */

static void
each_failure_mode(void **state)
{
	struct fixture *f = *state;
	struct node *node = &f->nodes[0];
	const struct limiter_result *r;
	struct limits_status status;
	int64_t begun;
	unsigned i;

	open_nodes(f, 1);
	limits_set_nodes(node->limits, 2);
	assert_false(take(node, LOCAL)->degraded);
	assert_false(take(node, LOGIN)->degraded);
	redis_lab_kill(f->server);
	begun = clock_mono_us();
	while (state_of(node) != LIMITS_DEGRADED) {
		assert_true(clock_mono_us() - begun < CLOCK_SECOND);
		node_run(node, 1000);
	}
	limits_status(node->limits, &status);
	assert_non_null(status.reason);
	/* Nobody waits; half of ten, of which one was spent. */
	atomic_store(&node->waited, 0);
	for (i = 0; i < 4; i++)
		assert_false(take(node, LOCAL)->denied);
	r = take(node, LOCAL);
	assert_true(r->refuses && r->degraded);
	assert_in_range(r->retry_us, 11 * CLOCK_SECOND, 12 * CLOCK_SECOND);
	for (i = 0; i < 5; i++) {
		r = take(node, OPEN);
		assert_true(!r->denied && r->degraded);
		r = take(node, CLOSED);
		assert_true(r->refuses && r->degraded);
		assert_int_equal(r->retry_us, CLOCK_SECOND);
	}
	assert_int_equal(atomic_load(&node->waited), 0);
	/* Back: what the share denied is Redis' to decide. */
	redis_lab_restart(f->server);
	connect_node(node);
	r = take(node, LOCAL);
	assert_true(!r->denied && !r->degraded);
	assert_false(take(node, CLOSED)->denied);
}

/* A Redis that takes `wound`, and after a while `cure`, under load. */
static void
survive(struct fixture *f, void (*wound)(struct redis_server *),
    void (*cure)(struct redis_server *), bool frozen)
{
	struct node *node = &f->nodes[0];
	int64_t took;
	unsigned i;

	if (frozen)
		f->conf.redis.deadline = DEADLINE;
	open_nodes(f, 1);
	node->spread = true;
	node_start(node, LOGIN, 1000);
	(void)usleep(300000);
	assert_true(atomic_load(&node->waited) > 100);
	wound(f->server);
	/* On a busy machine it may have been given up for another reason, and been
	 * found well, when the wound came. */
	for (i = 0; i < 5; i++) {
		(void)wait_for(node, LIMITS_DEGRADED);
		(void)usleep(20000);
		atomic_store(&node->waited, 0);
		(void)usleep(300000);
		if (atomic_load(&node->waited) == 0)
			break;
	}
	/* None waits any longer. */
	assert_true(i < 5);
	assert_int_equal(state_of(node), LIMITS_DEGRADED);
	cure(f->server);
	took = wait_for(node, LIMITS_SHARED);
	print_message("back after %lld ms, longest wait %lld us\n",
	    (long long)(took / CLOCK_MS), (long long)atomic_load(&node->longest_us));
	assert_true(took < 2 * CLOCK_SECOND);
	(void)usleep(100000);
	assert_true(atomic_load(&node->waited) > 20);
	node_stop(node);
	print_message(
	    "the thread was stalled for %lld us\n", (long long)node->stalled_us);
	assert_true(atomic_load(&node->longest_us) <
		    f->conf.redis.deadline + SLACK + 2 * node->stalled_us);
	if (frozen) /* somebody had to wait to find out */
		assert_true(atomic_load(&node->longest_us) >= DEADLINE);
	assert_int_equal(atomic_load(&node->denied), 0);
}

static void
frozen(void **state)
{
	survive(*state, redis_lab_freeze, redis_lab_thaw, true);
}

static void
killed_and_started_again(void **state)
{
	survive(*state, redis_lab_kill, redis_lab_restart, false);
}

static void
out_of_memory(struct redis_server *server)
{
	redis_lab_expect(server, "OK", "CONFIG SET maxmemory 1");
}

static void
memory_enough(struct redis_server *server)
{
	redis_lab_expect(server, "OK", "CONFIG SET maxmemory 0");
}

static void
full(void **state)
{
	survive(*state, out_of_memory, memory_enough, false);
}

static void
scripts_are_forgotten(void **state)
{
	struct fixture *f = *state;

	open_nodes(f, 1);
	assert_int_equal(take(&f->nodes[0], LOGIN)->remaining, 4);
	redis_lab_expect(f->server, "OK", "SCRIPT FLUSH");
	assert_int_equal(take(&f->nodes[0], LOGIN)->remaining, 3);
	assert_int_equal(atomic_load(&f->nodes[0].degraded), 0);
}

static void
given_up(void **state)
{
	static const uint32_t limits[] = { LOGIN, LOCAL, OPEN };
	struct fixture *f = *state;
	struct node *node = &f->nodes[0];
	struct asking *a;
	unsigned i;

	open_nodes(f, 1);
	redis_lab_freeze(f->server);
	for (i = 0; i < 60; i++) {
		a = &node->askings[i];
		a->client.family = NETADDR_IP4;
		a->client.ip[0] = (uint8_t)i;
		assert_int_equal(limiter_take(node->limiter, &a->take, limits,
				     COUNT(limits), &a->subject),
		    LIMITER_WAIT);
	}
	for (i = 0; i < 60; i += 2)
		limiter_cancel(node->limiter, &node->askings[i].take);
	limiter_cancel(node->limiter, &node->askings[0].take);
	/* The others are told when the limiter goes, by their failure modes. */
	limiter_free(&node->limiter);
	assert_int_equal(atomic_load(&node->waited), 30);
	assert_int_equal(atomic_load(&node->degraded), 30);
	redis_lab_thaw(f->server);
	node_run(node, 20000);
}

/* Asking number `i`, from a client that never came before. */
static enum limiter_rc
ask_anew(struct node *node, unsigned i)
{
	static const uint32_t limit = CLOSED;
	struct asking *a = &node->askings[i];

	a->client.family = NETADDR_IP4;
	node->serial++;
	memcpy(a->client.ip, &node->serial, sizeof(node->serial));
	a->asked_us = clock_mono_us();
	return (limiter_take(node->limiter, &a->take, &limit, 1, &a->subject));
}

static void
no_more_than_may_wait(void **state)
{
	struct fixture *f = *state;
	struct node *node = &f->nodes[0];
	unsigned i, waiting = 0;

	f->conf.redis.deadline = DEADLINE;
	open_nodes(f, 1);
	redis_lab_freeze(f->server);
	for (i = 0; i < TAKES_MAX; i++) {
		if (ask_anew(node, i) == LIMITER_WAIT)
			waiting++;
		else
			assert_true(node->askings[i].take.results[0].degraded);
	}
	assert_int_equal(waiting, 4096);
	node_run(node, 100000);
	assert_int_equal(atomic_load(&node->waited), waiting);
	assert_int_equal(atomic_load(&node->degraded), waiting);
	/* Their answers come yet, to nobody. */
	redis_lab_thaw(f->server);
	connect_node(node);
	for (i = 0; i < 100; i++)
		assert_int_equal(ask_anew(node, i), LIMITER_WAIT);
	node_run(node, 50000);
	assert_int_equal(atomic_load(&node->waited), waiting + 100);
}

/* What a request that is told may do: take again, give up another. */
static void
on_ready_busily(struct limiter_take *take)
{
	struct asking *a = take->data;
	struct node *node = a->node;

	on_ready(take);
	if (a == &node->askings[0] && node->limiter != NULL) {
		limiter_cancel(node->limiter, &node->askings[1].take);
		(void)ask_anew(node, 5);
	} else if (a == &node->askings[4]) {
		limiter_free(&node->limiter);
	}
}

static void
told_in_the_middle(void **state)
{
	struct fixture *f = *state;
	struct node *node = &f->nodes[0];
	unsigned i;

	f->conf.redis.deadline = DEADLINE;
	open_nodes(f, 1);
	for (i = 0; i < 6; i++)
		node->askings[i].take.ready = on_ready_busily;
	/* Answered, all in one read. */
	for (i = 0; i < 4; i++)
		assert_int_equal(ask_anew(node, i), LIMITER_WAIT);
	node_run(node, 50000);
	assert_int_equal(atomic_load(&node->waited), 4); /* 0, 2, 3, 5 */
	connect_node(node); /* if this machine was busy */
	/* Not answered: one of those who are told ends the limiter. */
	redis_lab_freeze(f->server);
	for (i = 0; i < 5; i++)
		assert_int_equal(ask_anew(node, i), LIMITER_WAIT);
	node_run(node, 50000);
	assert_null(node->limiter);
	/* In whatever order: once each, but one who may have been given up. */
	assert_in_range(atomic_load(&node->waited), 4 + 5, 4 + 6);
	redis_lab_thaw(f->server);
	node_run(node, 20000);
}

/* Who has no place in the table is still counted, by Redis. */
static void
a_full_table(void **state)
{
	struct fixture *f = *state;
	struct node *node = &f->nodes[0];
	struct limits_count n;
	unsigned i, round;

	f->conf.max.limit_keys = 64;
	open_nodes(f, 1);
	for (round = 0; round < 2; round++)
		for (i = 0; i < 1500; i++) {
			memcpy(node->idle->client.ip, &i, sizeof(i));
			assert_int_equal(take(node, OPEN)->denied, round);
		}
	limits_count(node->limits, OPEN, &n);
	assert_int_equal(n.degraded, 0);
	assert_true(n.denied_here > 100 && n.denied_here < 1500);
}

static void
by_the_gateways_clock(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	f->conf.redis.clock = CONF_CLOCK_LOCAL;
	open_nodes(f, 1);
	for (i = 0; i < 5; i++)
		assert_false(take(&f->nodes[0], LOGIN)->denied);
	assert_true(take(&f->nodes[0], LOGIN)->refuses);
	assert_int_equal(atomic_load(&f->nodes[0].degraded), 0);
}

static void
nobody_there(void **state)
{
	struct fixture *f = *state;
	struct node *node = &f->nodes[0];
	const struct limiter_result *r;

	redis_lab_kill(f->server);
	f->n_nodes = 1;
	node_open(f, node);
	assert_int_equal(state_of(node), LIMITS_DEGRADED);
	r = take(node, CLOSED);
	assert_true(r->refuses && r->degraded);
	node_run(node, 50000);
	assert_false(take(node, OPEN)->denied);
	assert_int_equal(atomic_load(&node->waited), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    two_gateways_share_one_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(workers_share_a_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hot_key_is_cheap, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_denied_key_makes_no_trips, setup, teardown),
		cmocka_unit_test_setup_teardown(the_other_gateway_knows, setup, teardown),
		cmocka_unit_test_setup_teardown(each_failure_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(frozen, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    killed_and_started_again, setup, teardown),
		cmocka_unit_test_setup_teardown(full, setup, teardown),
		cmocka_unit_test_setup_teardown(scripts_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(given_up, setup, teardown),
		cmocka_unit_test_setup_teardown(no_more_than_may_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(told_in_the_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_table, setup, teardown),
		cmocka_unit_test_setup_teardown(by_the_gateways_clock, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
	};

	redis_lab_or_skip();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
