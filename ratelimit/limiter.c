/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's limits say: from this process' own buckets, from a lease, or
 * from Redis, within the deadline. */
#include "config.h"

#include "ratelimit/limiter.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "ratelimit/worker.h"

#include <stdlib.h>

/* Who is denied because Redis is gone may try again soon: it may be back. */
#define CLOSED_RETRY_US CLOCK_SECOND
/* Timers are never more than one millisecond late, unless the thread is. */
#define LATE_US (2 * CLOCK_MS)

static const struct conf_limit *
conf_of(const struct limiter *l, uint32_t limit)
{
	return (l->limits->all[limit].conf);
}

void
limiter_conclude(struct limiter *l, struct limiter_result *r, bool denied)
{
	struct limit *limit = &l->limits->all[r->limit];

	r->denied = denied;
	r->refuses = denied && limit->conf->mode == CONF_ENFORCE;
	if (!denied)
		tally(&limit->count.allowed);
	else
		tally(r->refuses ? &limit->count.denied : &limit->count.shadowed);
	if (r->degraded)
		tally(&limit->count.degraded);
}

/* --- without Redis ------------------------------------------------------ */

/* Every slot that this key could have is being denied. To forget one of those
 * would let it in again; so this one is let in, unless the limit would rather
 * deny than not know. */
static void
no_room(struct limiter *l, struct limiter_result *r)
{
	bool closed = conf_of(l, r->limit)->on_failure == CONF_FAIL_CLOSED;

	r->degraded = true;
	r->remaining = 0;
	r->retry_us = r->reset_us = closed ? CLOSED_RETRY_US : 0;
	limiter_conclude(l, r, closed);
}

static void
take_here(struct limiter *l, struct limiter_result *r, struct table_key key,
    const struct bucket_rate *rate)
{
	int64_t now = loop_now_us(l->loop);
	uint32_t cost = l->terms[r->limit].cost;
	struct bucket_answer answer;
	struct table_entry *e;

	e = table_enter(l->limits->table, key, now);
	if (e == NULL) {
		no_room(l, r);
		return;
	}
	bucket_take(&e->bucket, rate, now, cost, cost, &answer);
	/* So that the table does not forget it meanwhile. */
	e->denied_until_us = answer.granted == 0 ? now + answer.retry_us : 0;
	e->denied_alone = true;
	table_leave(l->limits->table, e);
	r->remaining = answer.remaining;
	r->retry_us = answer.retry_us;
	r->reset_us = answer.reset_us;
	limiter_conclude(l, r, answer.granted == 0);
}

void
limiter_fall_back(struct limiter *l, struct limiter_result *r, struct table_key key)
{
	const struct lease_terms *terms = &l->terms[r->limit];

	r->degraded = true;
	r->retry_us = r->reset_us = 0;
	switch (conf_of(l, r->limit)->on_failure) {
	case CONF_FAIL_LOCAL: take_here(l, r, key, &terms->share); return;
	case CONF_FAIL_OPEN:
		r->remaining = terms->rate.burst;
		limiter_conclude(l, r, false);
		return;
	case CONF_FAIL_CLOSED:
		r->remaining = 0;
		r->retry_us = r->reset_us = CLOSED_RETRY_US;
		limiter_conclude(l, r, true);
		return;
	}
	WRONG("on_redis_failure");
}

/* --- with Redis --------------------------------------------------------- */

static struct work *
work_new(struct limiter *l, struct limiter_take *take)
{
	struct work *work = TAILQ_FIRST(&l->spare_works);

	if (l->n_works == WORKS_MAX)
		return (NULL);
	if (work != NULL) {
		TAILQ_REMOVE(&l->spare_works, work, next);
	} else {
		work = mem_zalloc(sizeof(*work));
		work->magic = WORK_MAGIC;
		work->limiter = l;
	}
	l->n_works++;
	work->take = take;
	work->graced = work->done = false;
	work->n_slots = work->n_open = 0;
	take->work = work;
	return (work);
}

static void
work_recycle(struct work *work)
{
	struct limiter *l = work->limiter;

	work->take->work = NULL;
	work->take = NULL;
	l->n_works--;
	TAILQ_INSERT_HEAD(&l->spare_works, work, next);
}

/* A place to wait in; NULL: too many wait already. */
static struct slot *
slot_new(struct limiter *l, struct limiter_take *take, struct limiter_result *r,
    struct table_key key)
{
	struct work *work = take->work;
	struct slot *slot;

	if (work == NULL && (work = work_new(l, take)) == NULL)
		return (NULL);
	slot = &work->slots[work->n_slots++];
	slot->work = work;
	slot->result = r;
	slot->key = key;
	slot->trip = NULL;
	work->n_open++;
	return (slot);
}

/* The request's own trip or a place beside another's. False: neither. */
static bool
wait_for_trip(struct limiter *l, struct limiter_take *take, struct limiter_result *r,
    const struct errand *errand)
{
	struct slot *slot = slot_new(l, take, r, errand->hash);
	struct trip *trip = NULL;

	if (slot == NULL) {
		if (errand->plan.leases)
			trip_lease_ends(l, errand->hash);
		return (false);
	}
	if (!errand->plan.leases)
		trip = trip_find(l, errand->hash);
	if (trip == NULL)
		trip = trip_send(l, errand);
	if (trip == NULL) {
		slot->work->n_slots--;
		slot->work->n_open--;
		return (false);
	}
	trip_join(trip, slot);
	return (true);
}

void
limiter_tell(struct limiter_result *r, const struct table_entry *e,
    const struct lease_terms *terms, int64_t now_us)
{
	uint64_t left = (uint64_t)e->remaining + lease_in_hand(e, now_us);
	int64_t retry = e->denied_until_us - now_us, reset = e->denied_reset_us - now_us;

	r->retry_us = retry > 0 ? retry : 0;
	r->reset_us = reset > r->retry_us ? reset : r->retry_us;
	r->remaining = left < terms->rate.burst ? (uint32_t)left : terms->rate.burst;
}

/* The entry's part of take_shared, under its lock. */
static enum lease_verdict
consult(struct limiter *l, struct limiter_result *r, struct table_key key,
    struct lease_plan *plan_r)
{
	const struct lease_terms *terms = &l->terms[r->limit];
	int64_t now = loop_now_us(l->loop);
	struct table_entry *e = table_enter(l->limits->table, key, now);
	enum lease_verdict verdict;

	if (e == NULL) {
		*plan_r = (struct lease_plan){ .need = terms->cost, .want = terms->cost };
		return (LEASE_ASK);
	}
	verdict = lease_take(e, terms, now, !breaker_is_open(&l->breaker), plan_r);
	limiter_tell(r, e, terms, now);
	table_leave(l->limits->table, e);
	return (verdict);
}

static void
take_shared(struct limiter *l, struct limiter_take *take, struct limiter_result *r,
    const struct key *key)
{
	struct errand errand = { .limit = r->limit, .key = key };

	errand.hash = key_hash(&l->limits->keys, key);
	switch (consult(l, r, errand.hash, &errand.plan)) {
	case LEASE_SPENT:
		tally(&l->limits->all[r->limit].count.leased);
		r->retry_us = 0;
		limiter_conclude(l, r, false);
		if (errand.plan.want != 0)
			(void)trip_send(l, &errand);
		return;
	case LEASE_DENIED:
		tally(&l->limits->all[r->limit].count.denied_here);
		limiter_conclude(l, r, true);
		return;
	case LEASE_JOIN:
		/* It may be another thread's. Then one of this thread goes, too, and
		 * brings enough for all who come to wait for it. */
		errand.open = true;
		/* FALLTHROUGH */
	case LEASE_ASK:
		if (breaker_is_open(&l->breaker) || !wait_for_trip(l, take, r, &errand))
			limiter_fall_back(l, r, errand.hash);
		return;
	}
	WRONG("verdict of a lease");
}

/* --- who waits ---------------------------------------------------------- */

void
limiter_slot_done(struct slot *slot)
{
	struct work *work = slot->work;
	struct limiter *l = work->limiter;

	CHECK_OBJ(work, WORK_MAGIC);
	CHECK(work->n_open > 0);
	slot->trip = NULL;
	if (--work->n_open > 0)
		return;
	loop_timer_stop(&work->timer);
	TAILQ_REMOVE(&l->waiting, work, next);
	TAILQ_INSERT_TAIL(&l->done, work, next);
	work->done = true;
}

void
limiter_give_up_slot(struct slot *slot)
{
	struct limiter *l = slot->work->limiter;
	struct trip *trip = slot->trip;

	trip_quit(slot);
	limiter_fall_back(l, slot->result, slot->key);
	if (!slot->result->denied)
		trip->spent += l->terms[trip->limit].cost;
	limiter_slot_done(slot);
}

void
limiter_give_up(struct work *work)
{
	unsigned i, n = work->n_slots;

	for (i = 0; i < n; i++)
		if (work->slots[i].trip != NULL)
			limiter_give_up_slot(&work->slots[i]);
}

void
limiter_enter(struct limiter *l)
{
	CHECK_OBJ(l, LIMITER_MAGIC);
	l->busy++;
}

static void limiter_destroy(struct limiter *);

void
limiter_leave(struct limiter *l)
{
	struct limiter_take *take;
	struct work *work;

	/* Each may take again, cancel another or end the limiter. */
	while ((work = TAILQ_FIRST(&l->done)) != NULL) {
		TAILQ_REMOVE(&l->done, work, next);
		take = work->take;
		work_recycle(work);
		take->ready(take);
	}
	if (--l->busy == 0 && l->gone)
		limiter_destroy(l);
}

static void
deadline_passed(struct loop_timer *timer)
{
	struct limiter *l;
	struct work *work;
	int64_t late;
	unsigned i;

	CAST_OBJ(work, timer->data, WORK_MAGIC);
	l = work->limiter;
	if (!work->graced) {
		/* The answer may be in the socket: timers come before descriptors
		 * in a round of the loop. And where this thread was busy itself,
		 * the question may have left just now. */
		work->graced = true;
		late = loop_now_us(l->loop) - work->until_us;
		loop_timer_set(timer, late > LATE_US ? LATE_US : 0);
		return;
	}
	limiter_enter(l);
	for (i = 0; work->slots[i].trip == NULL; i++)
		continue;
	recover_failure(
	    l, &work->slots[i].trip->key, "answers come later than the deadline");
	limiter_give_up(work);
	limiter_leave(l);
}

static void
refresh_terms(struct limiter *l)
{
	uint32_t nodes = atomic_load_explicit(&l->limits->nodes, memory_order_relaxed);
	size_t i;

	if (nodes == l->terms_nodes)
		return;
	for (i = 0; i < l->limits->n; i++)
		lease_terms_init(&l->terms[i], &l->limits->all[i].rate,
		    conf_of(l, (uint32_t)i)->cost, nodes, l->deadline_us);
	l->terms_nodes = nodes;
}

static void
take_one(struct limiter *l, struct limiter_take *take, struct limiter_result *r,
    const struct limiter_subject *subject)
{
	const struct lease_terms *terms = &l->terms[r->limit];
	struct key key;

	if (terms->cost == 0) {
		r->remaining = terms->rate.burst;
		return;
	}
	key_make(&key, &l->limits->keys, conf_of(l, r->limit), subject);
	if (l->redis == NULL)
		take_here(l, r, key_hash(&l->limits->keys, &key), &terms->rate);
	else
		take_shared(l, take, r, &key);
}

enum limiter_rc
limiter_take(struct limiter *l, struct limiter_take *take, const uint32_t *limits,
    unsigned n, const struct limiter_subject *subject)
{
	struct work *work;
	unsigned i;

	CHECK_OBJ(l, LIMITER_MAGIC);
	CHECK(n <= LIMITER_LIMITS_MAX);
	refresh_terms(l);
	take->n = n;
	take->work = NULL;
	for (i = 0; i < n; i++) {
		CHECK(limits[i] < l->limits->n);
		take->results[i] = (struct limiter_result){ .limit = limits[i] };
		take_one(l, take, &take->results[i], subject);
	}
	work = take->work;
	if (work == NULL)
		return (LIMITER_DONE);
	if (work->n_open == 0) {
		work_recycle(work);
		return (LIMITER_DONE);
	}
	TAILQ_INSERT_TAIL(&l->waiting, work, next);
	loop_timer_init(&work->timer, l->loop, deadline_passed, work);
	loop_timer_set(&work->timer, l->deadline_us);
	work->until_us = loop_now_us(l->loop) + l->deadline_us;
	return (LIMITER_WAIT);
}

void
limiter_cancel(struct limiter *l, struct limiter_take *take)
{
	struct work *work = take->work;
	unsigned i;

	if (work == NULL)
		return;
	CHECK_OBJ(l, LIMITER_MAGIC);
	CHECK_OBJ(work, WORK_MAGIC);
	CHECK(work->limiter == l && work->take == take);
	for (i = 0; i < work->n_slots; i++)
		if (work->slots[i].trip != NULL)
			trip_quit(&work->slots[i]);
	loop_timer_stop(&work->timer);
	if (work->done)
		TAILQ_REMOVE(&l->done, work, next);
	else
		TAILQ_REMOVE(&l->waiting, work, next);
	work_recycle(work);
}

const struct limiter_result *
limiter_refusal(const struct limiter_take *take)
{
	const struct limiter_result *worst = NULL;
	unsigned i;

	for (i = 0; i < take->n; i++)
		if (take->results[i].refuses &&
		    (worst == NULL || take->results[i].retry_us > worst->retry_us))
			worst = &take->results[i];
	return (worst);
}

/* --- life --------------------------------------------------------------- */

struct limiter *
limiter_new(struct limits *limits, struct loop *loop, struct redis *redis)
{
	struct limiter *l = mem_zalloc(sizeof(*l));
	size_t i;

	l->magic = LIMITER_MAGIC;
	l->limits = limits;
	l->loop = loop;
	l->redis = redis;
	l->deadline_us = limits->conf->redis.deadline;
	l->terms = mem_zalloc((limits->n + 1) * sizeof(*l->terms));
	TAILQ_INIT(&l->waiting);
	TAILQ_INIT(&l->done);
	TAILQ_INIT(&l->spare_works);
	LIST_INIT(&l->trips);
	LIST_INIT(&l->spare_trips);
	for (i = 0; i < TRIP_CHAINS; i++)
		LIST_INIT(&l->chains[i]);
	refresh_terms(l);
	recover_init(l);
	return (l);
}

static void
limiter_destroy(struct limiter *l)
{
	struct work *work;

	CHECK(l->n_works == 0);
	while ((work = TAILQ_FIRST(&l->spare_works)) != NULL) {
		TAILQ_REMOVE(&l->spare_works, work, next);
		free(work);
	}
	free(l->terms);
	l->magic = 0;
	free(l);
}

void
limiter_free(struct limiter **limiter)
{
	struct limiter *l = *limiter;
	struct work *work;

	*limiter = NULL;
	if (l == NULL)
		return;
	CHECK_OBJ(l, LIMITER_MAGIC);
	limiter_enter(l);
	recover_free(l);
	while ((work = TAILQ_FIRST(&l->waiting)) != NULL)
		limiter_give_up(work);
	trips_free(l);
	l->redis = NULL;
	l->gone = true;
	limiter_leave(l);
}
