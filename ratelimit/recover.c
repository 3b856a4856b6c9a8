/* SPDX-License-Identifier: Apache-2.0 */
/* Doing without Redis, and finding out that it is back. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/hash.h"
#include "gateway/base/log.h"
#include "ratelimit/worker.h"

#include <stdio.h>
#include <string.h>

/* A probe that was silent that long is given up for another. */
#define PROBE_LIFE_US CLOCK_SECOND

/* A bucket that is full again after a millisecond, and so forgotten by Redis. */
static const struct bucket_rate probe_rate = {
	.whole_us = CLOCK_MS, .parts = 1, .burst = 1, .full_us = CLOCK_MS
};
static const char connecting[] = "not connected yet";
static const struct lease_plan probe_plan = { .need = 1, .want = 1 };

/* A key beside `key`, on the same server of a cluster. */
static void
choose_probe_key(struct limiter *l, const struct key *key)
{
	size_t prefix = strlen(l->limits->conf->redis.prefix);

	l->probe_key = *key;
	CHECK(key->n >= prefix + sizeof "limit:{}" - 1);
	memcpy(l->probe_key.bytes + prefix, "probe", 5);
}

/* One line for all workers, and none for a start that takes its time. */
static void
warn(struct limits *limits, const char *reason)
{
	atomic_store(&limits->reason, reason);
	if (reason != connecting && !atomic_exchange(&limits->warned, true))
		log_warn("limits",
		    "Redis has no say: %s; each limit does what its on_redis_failure "
		    "says",
		    reason);
}

static void
publish_open(struct limiter *l, const char *reason)
{
	if (atomic_fetch_add(&l->limits->degraded, 1) == 0)
		atomic_store(&l->limits->since_us, loop_now_us(l->loop));
	warn(l->limits, reason);
}

static void
publish_closed(struct limiter *l)
{
	int64_t now = loop_now_us(l->loop), since;

	if (atomic_fetch_sub(&l->limits->degraded, 1) != 1)
		return;
	since = atomic_exchange(&l->limits->since_us, now);
	if (atomic_exchange(&l->limits->warned, false))
		log_info("limits", "shared through Redis again, after %lld ms",
		    (long long)((now - since) / CLOCK_MS));
}

static void
plan_probe(struct limiter *l)
{
	/* xorshift64 (Marsaglia 2003): a spread, no secret. */
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	loop_timer_set(
	    &l->probe_timer, BREAKER_PROBE_US + (int64_t)(l->random % BREAKER_JITTER_US));
}

/* Those who wait are told from the loop: a request may be asking now. */
static void
breaker_opened(struct limiter *l)
{
	publish_open(l, l->breaker.reason);
	loop_timer_set(&l->probe_timer, 0);
}

static void
open_breaker(struct limiter *l, const char *reason)
{
	if (breaker_open(&l->breaker, loop_now_us(l->loop), reason))
		breaker_opened(l);
	else
		warn(l->limits, reason);
}

void
recover_failure(struct limiter *l, const struct key *key, const char *reason)
{
	if (breaker_is_open(&l->breaker))
		return;
	choose_probe_key(l, key);
	if (breaker_failure(&l->breaker, loop_now_us(l->loop), reason))
		breaker_opened(l);
}

static void
probe_done(struct redis_ask *ask, const struct redis_value *v)
{
	struct bucket_answer answer;
	struct limiter *l;
	int64_t took;

	CAST_OBJ(l, ask->data, LIMITER_MAGIC);
	took = loop_now_us(l->loop) - l->probe_us;
	l->probe_us = 0;
	if (!breaker_is_open(&l->breaker))
		return;
	if (v == NULL || !trip_read(v, &probe_rate, &probe_plan, &answer)) {
		open_breaker(l, trip_fault(ask, v));
		return;
	}
	if (took > l->deadline_us)
		return;
	breaker_close(&l->breaker, loop_now_us(l->loop));
	loop_timer_stop(&l->probe_timer);
	publish_closed(l);
}

static void
send_probe(struct limiter *l)
{
	int64_t now = loop_now_us(l->loop);
	struct redis_state state;

	redis_state(l->redis, &state);
	if (state.link != REDIS_UP)
		return;
	if (l->probe_us != 0) {
		if (now - l->probe_us < PROBE_LIFE_US)
			return;
		redis_cancel(&l->probe);
		l->probe_us = 0;
	}
	if (trip_call(l, &l->probe, &l->probe_key, &probe_rate, &probe_plan))
		l->probe_us = now;
}

static void
probe_due(struct loop_timer *timer)
{
	struct limiter *l;
	struct work *work;

	CAST_OBJ(l, timer->data, LIMITER_MAGIC);
	limiter_enter(l);
	while ((work = TAILQ_FIRST(&l->waiting)) != NULL)
		limiter_give_up(work);
	send_probe(l);
	plan_probe(l);
	limiter_leave(l);
}

static void
link_changed(void *data)
{
	struct redis_state state;
	struct limiter *l;

	CAST_OBJ(l, data, LIMITER_MAGIC);
	redis_state(l->redis, &state);
	if (state.link != REDIS_UP)
		open_breaker(l, state.reason != NULL ? state.reason : "no connection");
	else if (breaker_is_open(&l->breaker))
		loop_timer_set(&l->probe_timer, 0);
}

void
recover_init(struct limiter *l)
{
	const char *prefix = l->limits->conf->redis.prefix;
	struct redis_state state;
	int n;

	breaker_init(&l->breaker, loop_now_us(l->loop));
	loop_timer_init(&l->probe_timer, l->loop, probe_due, l);
	l->probe.done = probe_done;
	l->probe.data = l;
	random_bytes(&l->random, sizeof(l->random));
	l->random |= 1;
	if (l->redis == NULL)
		return;
	n = snprintf(
	    l->probe_key.bytes, sizeof(l->probe_key.bytes), "%sprobe:{}", prefix);
	CHECK(n > 0 && (size_t)n < sizeof(l->probe_key.bytes));
	l->probe_key.n = (uint16_t)n;
	redis_on_change(l->redis, link_changed, l);
	redis_state(l->redis, &state);
	if (state.link != REDIS_UP)
		open_breaker(l, state.link == REDIS_DOWN && state.reason != NULL
				    ? state.reason
				    : connecting);
}

void
recover_free(struct limiter *l)
{
	if (l->redis == NULL)
		return;
	redis_on_change(l->redis, NULL, NULL);
	redis_cancel(&l->probe);
	loop_timer_stop(&l->probe_timer);
	if (breaker_is_open(&l->breaker))
		(void)atomic_fetch_sub(&l->limits->degraded, 1);
}
