/* SPDX-License-Identifier: Apache-2.0 */
/* Leases, in a model: gateways whose requests come at a steady pace, one bucket
 * behind a round trip, time that only exists here. */
#include "config.h"

#include "ratelimit/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/base/check.h"
#include "ratelimit/breaker.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND INT64_C(1000000)
#define WAIT (3600 * SECOND)
#define NODES_MAX 4
#define TRIPS_MAX 4096
#define NEVER INT64_MAX

struct model_trip {
	unsigned node;
	struct lease_return back;
	int64_t sent_us, asks_us, returns_us; /* NEVER: it has asked; it is free */
};

struct model_node {
	struct table_entry entry;
	int64_t next_us, every_us;
	uint64_t admitted, denied, trips;
	int64_t wait_us; /* of all requests together */
};

struct model {
	struct lease_terms terms;
	struct bucket bucket;
	unsigned n_nodes;
	struct model_node nodes[NODES_MAX];
	struct model_trip trips[TRIPS_MAX];
	unsigned n_trips;
	int64_t rtt_us, now_us;
	uint64_t debited;
};

static void
model_send(
    struct model *m, unsigned node, const struct lease_plan *plan, uint32_t waiting)
{
	struct model_trip *trip = &m->trips[m->n_trips++];

	assert_true(m->n_trips < TRIPS_MAX);
	assert_true(plan->need > 0 && plan->want >= plan->need);
	memset(trip, 0, sizeof(*trip));
	trip->node = node;
	trip->back.plan = *plan;
	trip->back.waiting = waiting;
	trip->sent_us = m->now_us;
	trip->asks_us = m->now_us + m->rtt_us / 2;
	trip->returns_us = m->now_us + m->rtt_us;
	m->nodes[node].trips++;
}

static struct model_trip *
model_lease_trip(struct model *m, unsigned node)
{
	unsigned i;

	for (i = 0; i < m->n_trips; i++)
		if (m->trips[i].node == node && m->trips[i].back.plan.leases)
			return (&m->trips[i]);
	return (NULL);
}

static void
model_arrival(struct model *m, unsigned i)
{
	struct model_node *node = &m->nodes[i];
	struct lease_plan plan;

	node->next_us += node->every_us;
	switch (lease_take(&node->entry, &m->terms, m->now_us, true, &plan)) {
	case LEASE_SPENT:
		node->admitted++;
		if (plan.want > 0)
			model_send(m, i, &plan, 0);
		break;
	case LEASE_DENIED: node->denied++; break;
	case LEASE_JOIN:
		assert_non_null(model_lease_trip(m, i));
		model_lease_trip(m, i)->back.waiting++;
		break;
	case LEASE_ASK: model_send(m, i, &plan, 1); break;
	}
	/* Never more in hand than a quarter of the burst among all. */
	assert_true(node->entry.lease <= m->terms.cap);
}

static void
model_return(struct model *m, struct model_trip *trip)
{
	struct model_node *node = &m->nodes[trip->node];
	struct lease_return back = trip->back;
	struct lease_outcome outcome;
	unsigned i = trip->node;

	back.took_us = m->now_us - trip->sent_us;
	node->wait_us += back.took_us * back.waiting;
	*trip = m->trips[--m->n_trips];
	lease_answer(&node->entry, &m->terms, m->now_us, &back, &outcome);
	assert_true(outcome.served <= back.waiting);
	node->admitted += outcome.served;
	back.waiting -= outcome.served;
	if (outcome.denied)
		node->denied += back.waiting;
	else if (back.waiting > 0)
		model_send(m, i, &outcome.again, back.waiting);
}

/* One event, the next in time. */
static void
model_step(struct model *m)
{
	struct model_trip *asks = NULL, *returns = NULL;
	struct model_node *comes = &m->nodes[0];
	unsigned i;

	for (i = 1; i < m->n_nodes; i++)
		if (m->nodes[i].next_us < comes->next_us)
			comes = &m->nodes[i];
	m->now_us = comes->next_us;
	for (i = 0; i < m->n_trips; i++) {
		struct model_trip *trip = &m->trips[i];

		if (trip->asks_us <= m->now_us) {
			m->now_us = trip->asks_us;
			asks = trip;
			returns = NULL;
		} else if (trip->returns_us <= m->now_us) {
			m->now_us = trip->returns_us;
			returns = trip;
			asks = NULL;
		}
	}
	if (asks != NULL) {
		asks->asks_us = NEVER;
		bucket_take(&m->bucket, &m->terms.rate, m->now_us, asks->back.plan.need,
		    asks->back.plan.want, &asks->back.answer);
		m->debited += asks->back.answer.granted;
	} else if (returns != NULL) {
		model_return(m, returns);
	} else {
		model_arrival(m, (unsigned)(comes - m->nodes));
	}
}

struct model_row {
	const char *why;
	uint64_t tokens, per_us;
	uint32_t burst, cost;
	unsigned nodes;
	uint32_t demand; /* requests per second and node */
	int64_t rtt_us;
	double least; /* of what the limit and the demand allow */
	uint32_t trips_most; /* per second and node; 0: not looked at */
};

static const struct model_row rows[] = {
	{ "alone and flooded", 100, SECOND, 100, 1, 1, 5000, 200, .97, 50 },
	{ "two share, both flooded", 100, SECOND, 100, 1, 2, 5000, 200, .97, 50 },
	{ "four share", 100, SECOND, 100, 1, 4, 2000, 1000, .97, 50 },
	{ "a slow Redis", 100, SECOND, 100, 1, 2, 5000, 8000, .97, 50 },
	{ "a faster limit", 1000, SECOND, 500, 1, 2, 5000, 500, .97, 50 },
	{ "just above the limit", 100, SECOND, 100, 1, 1, 105, 200, .97, 60 },
	{ "just below the limit", 100, SECOND, 100, 1, 1, 95, 200, 1, 60 },
	{ "below it, on two", 100, SECOND, 100, 1, 2, 40, 200, 1, 50 },
	{ "never reached", 1000000, SECOND, 1000000, 1, 1, 50000, 200, 1, 50 },
	{ "never reached, slow", 1000000, SECOND, 1000000, 1, 2, 50000, 5000, 1, 50 },
	{ "never reached, little burst", 100000, SECOND, 10000, 1, 2, 20000, 200, 1, 50 },
	{ "a burst of a tenth second", 1000, SECOND, 100, 1, 1, 5000, 200, .97, 70 },
	{ "a burst far above the rate", 10, SECOND, 10000, 1, 1, 5000, 200, .97, 50 },
	{ "the same on two", 10, SECOND, 10000, 1, 2, 5000, 200, .97, 50 },
	{ "a burst too small to lease", 1000, SECOND, 4, 1, 1, 5000, 100, .80, 0 },
	{ "costly requests", 1000, SECOND, 1000, 10, 2, 2000, 200, .97, 50 },
	{ "requests as dear as the burst", 100, SECOND, 100, 100, 2, 50, 200, .97, 50 },
	{ "a login", 5, 60 * SECOND, 5, 1, 2, 100, 200, .97, 50 },
	{ "a login, tried seldom", 5, 60 * SECOND, 5, 1, 2, 5, 200, .97, 5 },
	{ "thirds of microseconds", 3000000 / 7, SECOND, 50000, 1, 2, 9000, 300, 1, 50 },
};

#define RUN_US (20 * SECOND)

static void
run_row(const struct model_row *row)
{
	struct model *m = mem_zalloc(sizeof(*m));
	double supply, demand, possible, admitted = 0;
	struct bucket_rate rate;
	unsigned i;

	assert_true(bucket_rate_init(&rate, row->tokens, row->per_us, row->burst));
	lease_terms_init(&m->terms, &rate, row->cost, row->nodes, 10000);
	m->n_nodes = row->nodes;
	m->rtt_us = row->rtt_us;
	for (i = 0; i < m->n_nodes; i++) {
		m->nodes[i].every_us = SECOND / row->demand;
		m->nodes[i].next_us = SECOND + 37 * i;
	}
	while (m->now_us < SECOND + RUN_US)
		model_step(m);
	for (i = 0; i < m->n_nodes; i++) {
		admitted += (double)m->nodes[i].admitted;
		if (row->trips_most != 0 &&
		    m->nodes[i].trips >
			row->trips_most * (uint64_t)(RUN_US / SECOND) + 25)
			fail_msg("%s: %llu trips of node %u in %d s", row->why,
			    (unsigned long long)m->nodes[i].trips, i,
			    (int)(RUN_US / SECOND));
	}
	supply =
	    (row->burst + (double)RUN_US * (double)row->tokens / (double)row->per_us) /
	    row->cost;
	demand = (double)row->demand * row->nodes * (double)(RUN_US / SECOND);
	possible = demand < supply ? demand : supply;
	if (admitted > supply || admitted * row->cost > (double)m->debited)
		fail_msg("%s: %.0f admitted, %.0f allowed, %.0f debited", row->why,
		    admitted, supply, (double)m->debited);
	/* A request or two are on their way when the time is over. */
	if (admitted + 2 * row->nodes < row->least * possible - 1)
		fail_msg("%s: %.0f admitted of %.0f", row->why, admitted, possible);
	print_message("%-32s %9.0f of %9.0f, trips/s %5.1f, wait %5.1f us\n", row->why,
	    admitted, possible, (double)m->nodes[0].trips * SECOND / RUN_US,
	    (double)m->nodes[0].wait_us /
		(double)(m->nodes[0].admitted + m->nodes[0].denied));
	free(m);
}

static void
model(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		run_row(&rows[i]);
}

/* --- single steps ------------------------------------------------------- */

static struct lease_terms
terms_of(uint64_t per_second, uint32_t burst, uint32_t cost, uint32_t nodes)
{
	struct lease_terms terms;
	struct bucket_rate rate;

	assert_true(bucket_rate_init(&rate, per_second, SECOND, burst));
	lease_terms_init(&terms, &rate, cost, nodes, 10000);
	return (terms);
}

static void
caps(void **state)
{
	static const struct {
		uint32_t burst, nodes, cap;
		const char *why;
	} cap_rows[] = {
		{ 100, 1, 25, "a quarter" },
		{ 100, 2, 12, "of each, rounded down" },
		{ 100, 0, 25, "nobody counted is one" },
		{ 3, 1, 0, "too small to lend" },
		{ 1000000, UINT32_MAX, 0, "no overflow" },
		{ 1, 1, 0, "one token" },
	};
	struct lease_terms terms;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cap_rows); i++) {
		terms = terms_of(100, cap_rows[i].burst, 1, cap_rows[i].nodes);
		if (terms.cap != cap_rows[i].cap)
			fail_msg("%s: %u", cap_rows[i].why, terms.cap);
		assert_true(terms.share.burst >= 1);
	}
	terms = terms_of(100, 100, 60, 4);
	assert_int_equal(terms.share.burst, 60); /* one request fits, for all that */
	assert_true(terms.share.full_us >= 60 * 40000);
}

/* A hot key at `now` with `lease` tokens in hand. */
static struct table_entry
hot_entry(int64_t now, uint32_t lease)
{
	return ((struct table_entry){ .lease = lease,
	    .lease_until_us = now + LEASE_LIFE_US,
	    .demand = 10000,
	    .demand_us = now });
}

static void
a_lease_ends(void **state)
{
	struct lease_terms terms = terms_of(1000, 1000, 1, 1);
	struct table_entry e = hot_entry(SECOND, 5);
	struct lease_plan plan;

	(void)state;
	assert_int_equal(lease_in_hand(&e, SECOND + LEASE_LIFE_US - 1), 5);
	assert_int_equal(
	    lease_take(&e, &terms, SECOND + LEASE_LIFE_US - 1, true, &plan), LEASE_SPENT);
	assert_int_equal(lease_in_hand(&e, SECOND + LEASE_LIFE_US), 0);
	/* It was low: a trip is under way by now. */
	assert_true(e.asking && plan.leases && plan.want > 0);
	assert_int_equal(
	    lease_take(&e, &terms, SECOND + LEASE_LIFE_US, true, &plan), LEASE_JOIN);
	assert_int_equal(e.lease, 0);
}

/* What was asked before a reset by hand says nothing of the bucket after it. */
static void
an_answer_from_before_a_reset(void **state)
{
	struct lease_terms terms = terms_of(100, 100, 1, 1);
	struct table_entry e = hot_entry(SECOND, 0);
	struct lease_outcome outcome;
	struct lease_return back = { .answer = { .retry_us = WAIT, .reset_us = WAIT },
		.took_us = 1000,
		.waiting = 1 };

	(void)state;
	assert_int_equal(lease_take(&e, &terms, SECOND, true, &back.plan), LEASE_ASK);
	e.forgotten_us = SECOND + 500;
	lease_answer(&e, &terms, SECOND + 1000, &back, &outcome);
	assert_true(!outcome.denied && outcome.served == 0 && outcome.again.need == 1);
	assert_int_equal(e.denied_until_us, 0);
	lease_answer(&e, &terms, SECOND + 1501, &back, &outcome);
	assert_true(outcome.denied);
	assert_int_equal(e.denied_until_us, SECOND + 1501 + WAIT);
}

static void
one_who_tries_again(void **state)
{
	struct lease_terms terms = terms_of(100, 100, 1, 1);
	struct table_entry e = hot_entry(SECOND, 0);
	struct lease_outcome outcome;
	struct lease_plan plan;
	struct lease_return back = { .answer = { .retry_us = 3000, .reset_us = 900000 },
		.waiting = 1 };

	(void)state;
	assert_int_equal(lease_take(&e, &terms, SECOND, true, &plan), LEASE_ASK);
	back.plan = plan;
	lease_answer(&e, &terms, SECOND + 500, &back, &outcome);
	assert_true(outcome.denied && outcome.served == 0);
	/* Not after 3 ms: a hot key asks every 25 ms. */
	assert_int_equal(e.denied_until_us, SECOND + LEASE_SPAN_US);
	assert_int_equal(
	    lease_take(&e, &terms, SECOND + 24999, true, &plan), LEASE_DENIED);
	assert_int_equal(lease_take(&e, &terms, SECOND + 25000, true, &plan), LEASE_ASK);
	assert_true(plan.leases && plan.want > 1);
	/* The others do not wait for him, nor forever. */
	assert_int_equal(
	    lease_take(&e, &terms, SECOND + 25001, true, &plan), LEASE_DENIED);
	assert_int_equal(lease_take(&e, &terms, SECOND + 35000, true, &plan), LEASE_JOIN);
	lease_failed(&e);
	assert_int_equal(lease_take(&e, &terms, SECOND + 35001, true, &plan), LEASE_ASK);
	/* A silent trip is not waited for without end. */
	assert_int_equal(lease_take(&e, &terms, SECOND + 35002, true, &plan), LEASE_JOIN);
	e.demand_us = SECOND + 35001 + LEASE_ASKING_US;
	assert_int_equal(
	    lease_take(&e, &terms, SECOND + 35001 + LEASE_ASKING_US, true, &plan),
	    LEASE_ASK);
	assert_true(plan.leases);
}

static void
without_redis(void **state)
{
	struct lease_terms terms = terms_of(100, 100, 1, 2);
	struct table_entry e = hot_entry(SECOND, 2);
	struct lease_plan plan;

	(void)state;
	/* What was debited is spent, but nothing more is asked for. */
	assert_int_equal(lease_take(&e, &terms, SECOND, false, &plan), LEASE_SPENT);
	assert_int_equal(lease_take(&e, &terms, SECOND, false, &plan), LEASE_SPENT);
	assert_false(plan.leases || e.asking);
	assert_int_equal(lease_take(&e, &terms, SECOND, false, &plan), LEASE_ASK);
	/* What Redis said stands. */
	e.denied_until_us = SECOND + 1000;
	assert_int_equal(lease_take(&e, &terms, SECOND, false, &plan), LEASE_DENIED);
	/* What this node's share said does not, once Redis is back. */
	e.denied_alone = true;
	assert_int_equal(lease_take(&e, &terms, SECOND, false, &plan), LEASE_ASK);
	assert_int_equal(lease_take(&e, &terms, SECOND, true, &plan), LEASE_ASK);
	assert_int_equal(e.denied_until_us, 0);
}

static void
late_answers(void **state)
{
	static const struct {
		uint32_t granted, spent, waiting;
		int64_t took_us;
		uint32_t served, lease;
		const char *why;
	} late[] = {
		{ 1, 0, 1, 500, 1, 0, "in time" },
		{ 5, 0, 1, 500, 1, 4, "with more" },
		{ 5, 0, 0, 15000, 0, 5, "its request was denied without it" },
		{ 5, 1, 0, 15000, 0, 4, "its request was allowed without it" },
		{ 1, 3, 0, 15000, 0, 0, "more were allowed than it brought" },
		{ 5, 0, 0, LEASE_LIFE_US + 1, 0, 0, "too late to be spent" },
		{ 5, 0, 3, LEASE_LIFE_US + 1, 3, 0, "but for who waits all the same" },
		{ 2, 0, 3, 500, 2, 0, "not enough for all" },
	};
	struct lease_terms terms = terms_of(1000, 1000, 1, 1);
	struct lease_outcome outcome;
	struct lease_return back;
	struct table_entry e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(late); i++) {
		e = (struct table_entry){ .asking = true };
		back = (struct lease_return){ .plan = { 1, 5, true },
			.answer = { .granted = late[i].granted,
			    .remaining = 9,
			    .reset_us = SECOND },
			.took_us = late[i].took_us,
			.waiting = late[i].waiting,
			.spent = late[i].spent };
		lease_answer(&e, &terms, SECOND, &back, &outcome);
		if (outcome.served != late[i].served || e.lease != late[i].lease)
			fail_msg("%s: %u served, %u on lease", late[i].why,
			    outcome.served, e.lease);
		assert_int_equal(outcome.again.want, late[i].waiting - late[i].served);
		assert_int_equal(e.asking, outcome.again.want > 0);
		/* The same without an entry: nothing goes on lease. */
		lease_answer(NULL, &terms, SECOND, &back, &outcome);
		assert_int_equal(outcome.served, late[i].served);
		assert_false(outcome.again.leases);
	}
}

static void
the_breaker(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, 1000);
	assert_false(breaker_is_open(&b));
	assert_false(breaker_failure(&b, 2000, "x"));
	assert_false(breaker_failure(&b, 3000, "x"));
	assert_true(breaker_failure(&b, 4000, "late"));
	assert_true(breaker_is_open(&b));
	assert_string_equal(b.reason, "late");
	assert_int_equal(b.since_us, 4000);
	assert_false(breaker_failure(&b, 5000, "y"));
	assert_false(breaker_open(&b, 6000, "down"));
	assert_string_equal(b.reason, "down");
	assert_int_equal(b.since_us, 4000);
	breaker_close(&b, 7000);
	assert_false(breaker_is_open(&b));
	/* What was before does not count again. */
	assert_false(breaker_failure(&b, 8000, "x"));
	assert_false(breaker_failure(&b, 9000, "x"));
	/* Three, but not within a second. */
	assert_false(breaker_failure(&b, 8000 + SECOND, "x"));
	assert_true(breaker_failure(&b, 8500 + SECOND, "x"));
	assert_true(breaker_is_open(&b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model),
		cmocka_unit_test(caps),
		cmocka_unit_test(a_lease_ends),
		cmocka_unit_test(an_answer_from_before_a_reset),
		cmocka_unit_test(one_who_tries_again),
		cmocka_unit_test(without_redis),
		cmocka_unit_test(late_answers),
		cmocka_unit_test(the_breaker),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
