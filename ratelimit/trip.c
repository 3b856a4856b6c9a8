/* SPDX-License-Identifier: Apache-2.0 */
/* Trips to Redis: calls of bucket.lua, who waits for them, and what comes back. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "ratelimit/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_MAX 24 /* digits and more */
/* Ten years: more than any bucket takes to fill. */
#define ANSWER_US_MAX (INT64_C(3653) * 86400 * CLOCK_SECOND)

static struct trips *
chain_of(struct limiter *l, struct table_key key)
{
	return (&l->chains[key.a & (TRIP_CHAINS - 1)]);
}

struct trip *
trip_find(struct limiter *l, struct table_key key)
{
	struct trip *trip;

	LIST_FOREACH(trip, chain_of(l, key), same)
	if (trip->hash.a == key.a && trip->hash.b == key.b)
		return (trip);
	return (NULL);
}

void
trip_join(struct trip *trip, struct slot *slot)
{
	CHECK_OBJ(trip, TRIP_MAGIC);
	slot->trip = trip;
	TAILQ_INSERT_TAIL(&trip->slots, slot, next);
}

static void trip_done(struct redis_ask *, const struct redis_value *);

static struct trip *
trip_new(struct limiter *l)
{
	struct trip *trip = LIST_FIRST(&l->spare_trips);

	if (l->n_live_trips == TRIPS_MAX)
		return (NULL);
	if (trip != NULL) {
		LIST_REMOVE(trip, next);
	} else {
		trip = mem_zalloc(sizeof(*trip));
		trip->magic = TRIP_MAGIC;
		trip->limiter = l;
		trip->ask.done = trip_done;
		trip->ask.data = trip;
	}
	l->n_live_trips++;
	LIST_INSERT_HEAD(&l->trips, trip, next);
	TAILQ_INIT(&trip->slots);
	trip->spent = 0;
	return (trip);
}

static void
trip_recycle(struct trip *trip)
{
	struct limiter *l = trip->limiter;

	CHECK(TAILQ_EMPTY(&trip->slots));
	if (trip->plan.leases)
		LIST_REMOVE(trip, same);
	LIST_REMOVE(trip, next);
	l->n_live_trips--;
	LIST_INSERT_HEAD(&l->spare_trips, trip, next);
}

/* The entry no longer waits for a trip of this worker. */
static void
end_lease(struct limiter *l, struct table_key key)
{
	struct table_entry *e;

	e = table_enter(l->limits->table, key, loop_now_us(l->loop));
	if (e == NULL)
		return;
	lease_failed(e);
	table_leave(l->limits->table, e);
}

bool
trip_call(struct limiter *l, struct redis_ask *ask, const struct key *key,
    const struct bucket_rate *rate, const struct lease_plan *plan)
{
	const int64_t numbers[] = { rate->whole_us, rate->rest, rate->parts, rate->burst,
		plan->need, plan->want, clock_wall_us() };
	unsigned i, n = sizeof(numbers) / sizeof(numbers[0]);
	char digits[sizeof(numbers) / sizeof(numbers[0])][NUMBER_MAX];
	struct span args[sizeof(numbers) / sizeof(numbers[0])];

	for (i = 0; i < n; i++)
		args[i] = span_mem(digits[i],
		    (size_t)snprintf(digits[i], NUMBER_MAX, "%" PRId64, numbers[i]));
	if (l->limits->conf->redis.clock == CONF_CLOCK_REDIS)
		args[n - 1] = SPAN(""); /* its own */
	tally(&l->limits->redis_trips);
	return (redis_call(l->redis, ask, &ratelimit_bucket, key_in_redis(key), args, n));
}

bool
trip_send(struct limiter *l, const struct errand *errand, struct slot *slot)
{
	struct trip *trip = trip_new(l);
	const char *reason = "too many requests wait for Redis";

	if (trip != NULL) {
		trip->limit = errand->limit;
		trip->key = *errand->key;
		trip->hash = errand->hash;
		trip->plan = errand->plan;
		trip->sent_us = loop_now_us(l->loop);
		if (trip->plan.leases)
			LIST_INSERT_HEAD(chain_of(l, trip->hash), trip, same);
		if (trip_call(l, &trip->ask, &trip->key, &l->terms[trip->limit].rate,
			&trip->plan)) {
			if (slot != NULL)
				trip_join(trip, slot);
			return (true);
		}
		reason = trip->ask.failure;
		trip_recycle(trip);
	}
	if (errand->plan.leases)
		end_lease(l, errand->hash);
	recover_failure(l, errand->key, reason);
	return (false);
}

/* --- answers ------------------------------------------------------------ */

static bool
integer_within(const struct redis_value *v, int64_t most, int64_t *integer_r)
{
	*integer_r = v->integer;
	return (v->type == REDIS_INTEGER && v->integer >= 0 && v->integer <= most);
}

/* What a server says is not believed beyond what the question allows. */
bool
trip_read(const struct redis_value *v, const struct bucket_rate *rate,
    const struct lease_plan *plan, struct bucket_answer *answer_r)
{
	int64_t granted, remaining;

	if (v->type != REDIS_ARRAY || v->n_items != 4 ||
	    !integer_within(&v->items[0], plan->want, &granted) ||
	    !integer_within(&v->items[1], rate->burst, &remaining) ||
	    !integer_within(&v->items[2], ANSWER_US_MAX, &answer_r->retry_us) ||
	    !integer_within(&v->items[3], ANSWER_US_MAX, &answer_r->reset_us))
		return (false);
	if (granted != 0 && granted < plan->need)
		return (false);
	answer_r->granted = (uint32_t)granted;
	answer_r->remaining = (uint32_t)remaining;
	return (true);
}

const char *
trip_fault(const struct redis_ask *ask, const struct redis_value *v)
{
	static const struct {
		struct span prefix;
		const char *what;
	} faults[] = {
		{ { "OOM ", 4 }, "Redis is out of memory" },
		{ { "NOPERM", 6 }, "Redis does not allow its user what limits need" },
		{ { "NOAUTH", 6 }, "Redis wants a password" },
		{ { "READONLY", 8 }, "Redis is read-only" },
		{ { "LOADING", 7 }, "Redis is loading its data" },
		{ { "BUSY", 4 }, "Redis is busy with a script" },
		{ { "MISCONF", 7 }, "Redis cannot save its data and refuses writes" },
		{ { "CLUSTERDOWN", 11 }, "the Redis cluster is down" },
		{ { "MASTERDOWN", 10 }, "the master of Redis is down" },
		{ { "NOREPLICAS", 10 }, "Redis has too few replicas" },
	};
	size_t i;

	if (v == NULL)
		return (ask->failure != NULL ? ask->failure : "no answer");
	if (v->type != REDIS_ERROR)
		return ("an answer of Redis makes no sense");
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (span_starts(v->text, faults[i].prefix))
			return (faults[i].what);
	return ("Redis answers with an error");
}

static void
trip_failed(struct trip *trip, const char *reason)
{
	struct limiter *l = trip->limiter;
	struct slot *slot;

	if (trip->plan.leases)
		end_lease(l, trip->hash);
	recover_failure(l, &trip->key, reason);
	while ((slot = TAILQ_FIRST(&trip->slots)) != NULL)
		limiter_give_up_slot(slot);
}

/* Hands tokens to those who wait, in their turn. Results get what is known after
 * all have been served: `served_r` has who was. */
static uint32_t
serve(struct trip *trip, struct table_entry *e, uint32_t tokens, struct slots *served_r)
{
	const struct lease_terms *terms = &trip->limiter->terms[trip->limit];
	int64_t now = loop_now_us(trip->limiter->loop);
	struct slot *slot;

	while (tokens >= terms->cost && (slot = TAILQ_FIRST(&trip->slots)) != NULL) {
		tokens -= terms->cost;
		TAILQ_REMOVE(&trip->slots, slot, next);
		TAILQ_INSERT_TAIL(served_r, slot, next);
		if (e != NULL)
			lease_shadow(e, terms, now);
	}
	return (tokens);
}

static void
conclude(struct trip *trip, struct slots *slots, const struct limiter_result *told,
    bool denied)
{
	struct slot *slot;

	while ((slot = TAILQ_FIRST(slots)) != NULL) {
		TAILQ_REMOVE(slots, slot, next);
		slot->result->remaining = told->remaining;
		slot->result->reset_us = told->reset_us;
		slot->result->retry_us = denied ? told->retry_us : 0;
		limiter_conclude(trip->limiter, slot->result, denied);
		limiter_slot_done(slot);
	}
}

/* Those the tokens did not reach share the next trip. */
static void
go_again(struct trip *trip, struct table_entry *e, struct lease_plan *plan_r)
{
	const struct lease_terms *terms = &trip->limiter->terms[trip->limit];
	uint64_t want = 0;
	struct slot *slot;

	TAILQ_FOREACH(slot, &trip->slots, next)
	want += terms->cost;
	plan_r->need = terms->cost;
	plan_r->want = want < terms->rate.burst ? (uint32_t)want : terms->rate.burst;
	plan_r->leases = e != NULL && !e->asking;
	if (plan_r->leases) {
		e->asking = true;
		e->trip_us = loop_now_us(trip->limiter->loop);
	}
}

static void
send_again(struct trip *trip, const struct lease_plan *plan)
{
	struct errand errand = { trip->limit, &trip->key, trip->hash, *plan };
	struct slot *slot = TAILQ_FIRST(&trip->slots);
	struct trip *again;

	TAILQ_REMOVE(&trip->slots, slot, next);
	if (!trip_send(trip->limiter, &errand, slot)) {
		TAILQ_INSERT_HEAD(&trip->slots, slot, next);
		while ((slot = TAILQ_FIRST(&trip->slots)) != NULL)
			limiter_give_up_slot(slot);
		return;
	}
	again = slot->trip;
	while ((slot = TAILQ_FIRST(&trip->slots)) != NULL) {
		TAILQ_REMOVE(&trip->slots, slot, next);
		trip_join(again, slot);
	}
}

static void
trip_answered(struct trip *trip, const struct bucket_answer *answer)
{
	struct limiter *l = trip->limiter;
	const struct lease_terms *terms = &l->terms[trip->limit];
	int64_t now = loop_now_us(l->loop);
	struct limiter_result told = { .remaining = answer->remaining,
		.retry_us = answer->retry_us,
		.reset_us = answer->reset_us };
	struct slots served = TAILQ_HEAD_INITIALIZER(served);
	struct lease_plan plan = { 0 };
	struct table_entry *e;
	bool denied = answer->granted == 0;
	uint32_t left = answer->granted;

	left -= left < trip->spent ? left : trip->spent;
	e = table_enter(l->limits->table, trip->hash, now);
	left = serve(trip, e, left, &served);
	/* Tokens of an answer that was long on its way are given up. */
	if (now - trip->sent_us > LEASE_LIFE_US)
		left = 0;
	if (e != NULL) {
		if (trip->plan.leases)
			e->asking = false;
		lease_answer(e, terms, now, answer, left);
		e->lease = serve(trip, e, lease_in_hand(e, now), &served);
		limiter_tell(&told, e, terms, now);
		denied = now < e->denied_until_us;
	}
	if (!denied && !TAILQ_EMPTY(&trip->slots))
		go_again(trip, e, &plan);
	if (e != NULL)
		table_leave(l->limits->table, e);
	conclude(trip, &served, &told, false);
	if (denied)
		conclude(trip, &trip->slots, &told, true);
	if (!TAILQ_EMPTY(&trip->slots))
		send_again(trip, &plan);
}

static void
trip_done(struct redis_ask *ask, const struct redis_value *v)
{
	struct bucket_answer answer;
	struct limiter *l;
	struct trip *trip;

	CAST_OBJ(trip, ask->data, TRIP_MAGIC);
	l = trip->limiter;
	limiter_enter(l);
	if (v != NULL && trip_read(v, &l->terms[trip->limit].rate, &trip->plan, &answer))
		trip_answered(trip, &answer);
	else
		trip_failed(trip, trip_fault(ask, v));
	trip_recycle(trip);
	limiter_leave(l);
}

void
trips_free(struct limiter *l)
{
	struct trip *trip;

	while ((trip = LIST_FIRST(&l->trips)) != NULL) {
		redis_cancel(&trip->ask);
		if (trip->plan.leases)
			end_lease(l, trip->hash);
		trip_recycle(trip);
	}
	while ((trip = LIST_FIRST(&l->spare_trips)) != NULL) {
		LIST_REMOVE(trip, next);
		free(trip);
	}
}
