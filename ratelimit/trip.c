/* SPDX-License-Identifier: Apache-2.0 */
/* Trips to Redis: calls of bucket.lua, who waits for them, and what comes back. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "ratelimit/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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
	trip->n_slots++;
}

void
trip_quit(struct slot *slot)
{
	TAILQ_REMOVE(&slot->trip->slots, slot, next);
	slot->trip->n_slots--;
	slot->trip = NULL;
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
	trip->spent = trip->n_slots = 0;
	return (trip);
}

static void
trip_recycle(struct trip *trip)
{
	struct limiter *l = trip->limiter;

	CHECK(trip->n_slots == 0);
	if (trip->open)
		LIST_REMOVE(trip, same);
	LIST_REMOVE(trip, next);
	l->n_live_trips--;
	LIST_INSERT_HEAD(&l->spare_trips, trip, next);
}

void
trip_lease_ends(struct limiter *l, struct table_key key)
{
	struct table_entry *e;

	e = table_enter(l->limits->table, key, loop_now_us(l->loop));
	if (e == NULL)
		return;
	lease_failed(e);
	table_leave(l->limits->table, e);
}

void
trip_args(struct trip_args *args_r, const struct conf_redis *conf,
    const struct bucket_rate *rate, const struct lease_plan *plan)
{
	const int64_t numbers[TRIP_ARGS] = { rate->whole_us, rate->rest, rate->parts,
		rate->burst, plan->need, plan->want, clock_wall_us() };
	unsigned i;

	for (i = 0; i < TRIP_ARGS; i++)
		args_r->v[i] = span_mem(args_r->digits[i],
		    (size_t)snprintf(args_r->digits[i], sizeof(args_r->digits[i]),
			"%" PRId64, numbers[i]));
	if (conf->clock == CONF_CLOCK_REDIS)
		args_r->v[TRIP_ARGS - 1] = SPAN(""); /* its own */
}

bool
trip_call(struct limiter *l, struct redis_ask *ask, const struct key *key,
    const struct bucket_rate *rate, const struct lease_plan *plan)
{
	struct trip_args args;

	trip_args(&args, &l->limits->conf->redis, rate, plan);
	return (redis_call(
	    l->redis, ask, &ratelimit_bucket, key_in_redis(key), args.v, TRIP_ARGS));
}

struct trip *
trip_send(struct limiter *l, const struct errand *errand)
{
	struct trip *trip = trip_new(l);
	const char *reason = "too many requests wait for Redis";

	if (trip != NULL) {
		trip->limit = errand->limit;
		trip->key = *errand->key;
		trip->hash = errand->hash;
		trip->plan = errand->plan;
		trip->sent_us = loop_now_us(l->loop);
		trip->open = errand->open || errand->plan.leases;
		if (trip->open)
			LIST_INSERT_HEAD(chain_of(l, trip->hash), trip, same);
		if (trip_call(l, &trip->ask, &trip->key, &l->terms[trip->limit].rate,
			&trip->plan)) {
			tally(&l->limits->redis_trips);
			return (trip);
		}
		reason = trip_fault(&trip->ask, NULL);
		trip_recycle(trip);
	}
	if (errand->plan.leases)
		trip_lease_ends(l, errand->hash);
	recover_failure(l, errand->key, reason);
	return (NULL);
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
		trip_lease_ends(l, trip->hash);
	recover_failure(l, &trip->key, reason);
	while ((slot = TAILQ_FIRST(&trip->slots)) != NULL)
		limiter_give_up_slot(slot);
}

/* The first `n` of those who wait are told. */
static void
conclude(struct trip *trip, uint32_t n, const struct limiter_result *told, bool denied)
{
	struct slot *slot;

	for (; n > 0; n--) {
		slot = TAILQ_FIRST(&trip->slots);
		TAILQ_REMOVE(&trip->slots, slot, next);
		trip->n_slots--;
		slot->result->remaining = told->remaining;
		slot->result->reset_us = told->reset_us;
		slot->result->retry_us = denied ? told->retry_us : 0;
		limiter_conclude(trip->limiter, slot->result, denied);
		limiter_slot_done(slot);
	}
}

/* Those whom no token has reached share the next trip. */
static void
send_again(struct trip *trip, const struct lease_plan *plan)
{
	struct errand errand = { trip->limit, &trip->key, trip->hash, *plan, true };
	struct trip *again = trip_send(trip->limiter, &errand);
	struct slot *slot;

	while ((slot = TAILQ_FIRST(&trip->slots)) != NULL) {
		if (again == NULL) {
			limiter_give_up_slot(slot);
			continue;
		}
		trip_quit(slot);
		trip_join(again, slot);
	}
}

static void
trip_answered(struct trip *trip, const struct bucket_answer *answer)
{
	struct limiter *l = trip->limiter;
	const struct lease_terms *terms = &l->terms[trip->limit];
	int64_t now = loop_now_us(l->loop);
	struct lease_return back = { .plan = trip->plan,
		.answer = *answer,
		.took_us = now - trip->sent_us,
		.waiting = trip->n_slots,
		.spent = trip->spent };
	struct limiter_result told = { .remaining = answer->remaining,
		.retry_us = answer->retry_us,
		.reset_us = answer->reset_us };
	struct lease_outcome outcome;
	struct table_entry *e;

	e = table_enter(l->limits->table, trip->hash, now);
	lease_answer(e, terms, now, &back, &outcome);
	if (e != NULL) {
		limiter_tell(&told, e, terms, now);
		table_leave(l->limits->table, e);
	}
	conclude(trip, outcome.served, &told, false);
	if (outcome.denied)
		conclude(trip, trip->n_slots, &told, true);
	if (trip->n_slots > 0)
		send_again(trip, &outcome.again);
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
			trip_lease_ends(l, trip->hash);
		trip_recycle(trip);
	}
	while ((trip = LIST_FIRST(&l->spare_trips)) != NULL) {
		LIST_REMOVE(trip, next);
		free(trip);
	}
}
