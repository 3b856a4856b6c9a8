/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens on lease, keys known to be denied, and when to ask for more. */
#include "config.h"

#include "ratelimit/lease.h"

#include <stddef.h>

#include "gateway/base/check.h"

/* Demand is measured over that long, or sooner when this many requests came. */
#define DEMAND_SPAN_US 100000
#define DEMAND_EARLY 20
#define DEMAND_MIN_US 1000
#define SECOND_US 1000000

static uint32_t
at_most(uint64_t n, uint32_t most)
{
	return (n < most ? (uint32_t)n : most);
}

void
lease_terms_init(struct lease_terms *terms_r, const struct bucket_rate *rate,
    uint32_t cost, uint32_t nodes, int64_t deadline_us)
{
	struct lease_terms terms = { .rate = *rate, .cost = cost };

	if (nodes < 1)
		nodes = 1;
	bucket_rate_share(&terms.share, rate, nodes);
	/* A share that no request ever fits into would deny everybody. */
	if (terms.share.burst < cost) {
		terms.share.burst = cost;
		terms.share.full_us =
		    cost * terms.share.whole_us +
		    (int64_t)((uint64_t)cost * terms.share.rest / terms.share.parts) + 1;
	}
	terms.cap = rate->burst / (4 * (nodes < rate->burst ? nodes : rate->burst));
	/* full_us is at least 1: a burst takes time to come. */
	terms.span_tokens = at_most((uint64_t)rate->burst * LEASE_SPAN_US /
					(uint64_t)(rate->full_us > 0 ? rate->full_us : 1),
	    rate->burst);
	/* Between two trips no more than a quarter of the bucket may come, or a
	 * bucket that runs full meanwhile would waste what comes after. */
	terms.pace_us =
	    rate->full_us / 4 < LEASE_SPAN_US ? rate->full_us / 4 : LEASE_SPAN_US;
	terms.trial_us = deadline_us;
	*terms_r = terms;
}

/* Tokens per second that this key is asked for here. */
static void
measure(struct table_entry *e, uint32_t cost, int64_t now_us)
{
	int64_t elapsed = now_us - e->demand_us;
	uint64_t rate;

	if (e->demand_us == 0 || elapsed < 0) {
		e->demand_us = now_us;
		elapsed = 0;
	}
	e->asked = at_most((uint64_t)e->asked + cost, UINT32_MAX);
	if (elapsed < DEMAND_SPAN_US) {
		/* A flood is known for one at once; a calm takes its time. */
		if (e->asked < (uint64_t)DEMAND_EARLY * cost)
			return;
		if (elapsed < DEMAND_MIN_US)
			elapsed = DEMAND_MIN_US;
		rate = (uint64_t)e->asked * SECOND_US / (uint64_t)elapsed;
		if (rate / 2 < e->demand)
			return;
	} else {
		rate = (uint64_t)e->asked * SECOND_US / (uint64_t)elapsed;
		if (elapsed < SECOND_US)
			rate = (rate + e->demand) / 2;
	}
	e->demand = at_most(rate, UINT32_MAX);
	e->asked = 0;
	e->demand_us = now_us;
}

static bool
is_hot(const struct table_entry *e, uint32_t cost)
{
	return (e->demand >= (uint64_t)LEASE_HOT * cost);
}

/* Tokens that should be on lease: whole requests' worth, 0 where the limit is
 * too small to be leased. */
static uint32_t
lease_size(const struct table_entry *e, const struct lease_terms *terms)
{
	uint64_t size = (uint64_t)e->demand * LEASE_SPAN_US / SECOND_US;
	uint32_t most = e->remaining / 4;

	CHECK(terms->cost > 0);
	/* Of a full bucket it may be more than comes meanwhile. */
	if (most < terms->span_tokens)
		most = terms->span_tokens;
	if (size > most)
		size = most;
	size = (size + terms->cost) / terms->cost * terms->cost;
	if (size > terms->cap)
		size = terms->cap / terms->cost * terms->cost;
	return ((uint32_t)size);
}

uint32_t
lease_in_hand(const struct table_entry *e, int64_t now_us)
{
	return (now_us < e->lease_until_us ? e->lease : 0);
}

/* Keeps the share of this node in step with what was granted here, so that losing
 * Redis gives nobody a full bucket. */
static void
debit_share(struct table_entry *e, const struct lease_terms *terms, int64_t now_us)
{
	struct bucket_answer answer;

	bucket_take(&e->bucket, &terms->share, now_us, terms->cost, terms->cost, &answer);
}

static bool
is_asking(const struct table_entry *e, int64_t now_us)
{
	return (e->asking && now_us - e->trip_us < LEASE_ASKING_US);
}

/* The lease runs low: more is fetched before anybody has to wait for it. */
static void
plan_ahead(struct table_entry *e, const struct lease_terms *terms, int64_t now_us,
    struct lease_plan *plan)
{
	uint32_t size;

	if (!is_hot(e, terms->cost) || is_asking(e, now_us) ||
	    now_us < e->denied_until_us)
		return;
	size = lease_size(e, terms);
	if (size == 0 || e->lease >= (size + 1) / 2)
		return;
	plan->need = terms->cost;
	/* What is there and what comes stay below the cap together. */
	plan->want = at_most(size, terms->cap - e->lease);
	if (plan->want < plan->need) {
		plan->want = 0;
		return;
	}
	plan->leases = true;
	e->asking = true;
	e->trip_us = now_us;
}

static enum lease_verdict
plan_trip(struct table_entry *e, const struct lease_terms *terms, int64_t now_us,
    struct lease_plan *plan)
{
	plan->need = plan->want = terms->cost;
	if (!is_hot(e, terms->cost))
		return (LEASE_ASK);
	if (is_asking(e, now_us))
		return (LEASE_JOIN);
	plan->want += lease_size(e, terms);
	plan->leases = true;
	e->asking = true;
	e->trip_us = now_us;
	/* A key that was denied until now stays so for all but the one who asks. */
	if (e->denied_until_us != 0 && now_us - e->denied_until_us < LEASE_LIFE_US)
		e->denied_until_us = now_us + terms->trial_us;
	return (LEASE_ASK);
}

enum lease_verdict
lease_take(struct table_entry *e, const struct lease_terms *terms, int64_t now_us,
    bool online, struct lease_plan *plan_r)
{
	*plan_r = (struct lease_plan){ 0 };
	/* This node's share is no longer what counts. */
	if (online && e->denied_alone) {
		e->denied_until_us = 0;
		e->denied_alone = false;
	}
	measure(e, terms->cost, now_us);
	if (now_us >= e->lease_until_us)
		e->lease = 0;
	/* Tokens in hand come first: that Redis has no more says nothing of them. */
	if (e->lease >= terms->cost) {
		e->lease -= terms->cost;
		debit_share(e, terms, now_us);
		if (online)
			plan_ahead(e, terms, now_us, plan_r);
		return (LEASE_SPENT);
	}
	if (now_us < e->denied_until_us && !e->denied_alone)
		return (LEASE_DENIED);
	if (!online)
		return (LEASE_ASK);
	return (plan_trip(e, terms, now_us, plan_r));
}

/* How long until `cost` tokens are there, when the bucket is full in `reset_us`. */
static int64_t
until_enough(const struct lease_terms *terms, int64_t reset_us)
{
	const struct bucket_rate *rate = &terms->rate;
	int64_t spare = (int64_t)rate->burst - terms->cost;

	if (spare <= 0)
		return (reset_us);
	/* Rounded down, so that the wait is rounded up. */
	return (reset_us - spare * rate->whole_us -
		(int64_t)((uint64_t)spare * rate->rest / rate->parts));
}

/* What the answer says of the bucket: nothing of one that was made full meanwhile. */
static void
learn(struct table_entry *e, const struct lease_terms *terms, int64_t now_us,
    const struct lease_return *back)
{
	int64_t wait = 0, pace = e->trip_us + terms->pace_us - now_us;
	const struct bucket_answer *answer = &back->answer;

	if (e->forgotten_us != 0 && now_us - back->took_us <= e->forgotten_us)
		wait = 0;
	else if (answer->granted == 0)
		wait = answer->retry_us;
	else if (answer->remaining < terms->cost)
		wait = until_enough(terms, answer->reset_us);
	if (wait > 0 && wait < pace && is_hot(e, terms->cost))
		wait = pace;
	e->denied_until_us = wait > 0 ? now_us + wait : 0;
	e->denied_alone = false;
	e->denied_reset_us = now_us + answer->reset_us;
	e->remaining = answer->remaining;
}

/* The next trip, for those whom no token has reached. */
static void
plan_again(struct table_entry *e, const struct lease_terms *terms, int64_t now_us,
    uint64_t waiting, struct lease_plan *plan_r)
{
	plan_r->need = terms->cost;
	plan_r->want = at_most(waiting * terms->cost, terms->rate.burst);
	if (e == NULL || is_asking(e, now_us))
		return;
	plan_r->leases = true;
	e->asking = true;
	e->trip_us = now_us;
}

void
lease_answer(struct table_entry *e, const struct lease_terms *terms, int64_t now_us,
    const struct lease_return *back, struct lease_outcome *outcome_r)
{
	uint64_t tokens = back->answer.granted;
	uint32_t i;

	CHECK(terms->cost > 0);
	*outcome_r = (struct lease_outcome){ .denied = tokens == 0 };
	tokens -= tokens < back->spent ? tokens : back->spent;
	if (e != NULL) {
		if (back->plan.leases)
			e->asking = false;
		learn(e, terms, now_us, back);
		outcome_r->denied = now_us < e->denied_until_us;
		tokens += lease_in_hand(e, now_us);
	}
	outcome_r->served = at_most(tokens / terms->cost, back->waiting);
	tokens -= (uint64_t)outcome_r->served * terms->cost;
	if (e != NULL) {
		for (i = 0; i < outcome_r->served; i++)
			debit_share(e, terms, now_us);
		/* What was long on its way is not handed on. Nor what is above the
		 * cap: of requests that were given up, or of more nodes now. */
		if (back->took_us > LEASE_LIFE_US)
			tokens = at_most(tokens, lease_in_hand(e, now_us));
		else if (back->answer.granted > 0)
			e->lease_until_us = now_us + LEASE_LIFE_US;
		e->lease = at_most(tokens, terms->cap);
	}
	if (!outcome_r->denied && outcome_r->served < back->waiting)
		plan_again(e, terms, now_us, back->waiting - outcome_r->served,
		    &outcome_r->again);
}

void
lease_failed(struct table_entry *e)
{
	e->asking = false;
	e->denied_until_us = 0;
}
