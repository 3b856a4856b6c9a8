/* SPDX-License-Identifier: Apache-2.0 */
/* Flights: one request to the origin for many, marks, purges while an answer is under
 * way, and a storm of all that on several threads. */
#include "config.h"

#include "tests/unit/store_rig.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static void
turn(struct loop *loop)
{
	loop_stop(loop);
	loop_run(loop);
}

static void
count(void *data)
{
	(*(unsigned *)data)++;
}

/* One who asks. */
struct client {
	struct rig_question rig;
	struct cache_wait *wait;
	struct cache_flight *flight;
	unsigned wakes;
};

struct scene {
	struct cache_store *store;
	struct loop *loop;
	struct client clients[6];
	uint64_t used;
};

static int
set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	s->store = cache_store_new(4 * MIB, MIB);
	s->loop = loop_new();
	s->used = rig_used(s->store);
	*state = s;
	return (0);
}

static void
leaves(struct client *client)
{
	cache_flight_free(&client->flight);
	cache_wait_free(&client->wait);
	rig_asked(&client->rig);
}

static int
tear_down(void **state)
{
	struct scene *s = *state;
	struct cache_figures figures;
	unsigned i;

	for (i = 0; i < 6; i++)
		leaves(&s->clients[i]);
	turn(s->loop);
	(void)cache_store_purge_all(s->store);
	cache_store_figures(s->store, &figures);
	assert_int_equal(figures.flights, 0);
	assert_int_equal(figures.followers, 0);
	assert_int_equal(figures.used, s->used);
	cache_store_free(&s->store);
	loop_free(&s->loop);
	free(s);
	return (0);
}

static enum cache_join
comes(struct scene *s, unsigned i, const char *key, const char *fields)
{
	struct client *client = &s->clients[i];

	rig_ask(&client->rig, key, fields);
	client->wait = cache_wait_new(s->loop, count, &client->wakes);
	return (
	    cache_flight_join(s->store, &client->rig.q, client->wait, &client->flight));
}

static enum cache_news
news(struct scene *s, unsigned i)
{
	struct cache_object *object;
	enum cache_news rc = cache_flight_news(s->clients[i].flight, &object);

	assert_int_equal(object != NULL, rc == CACHE_NEWS_LANDED);
	cache_object_free(&object);
	return (rc);
}

/* An answer whose body is still coming; *body_r is the writer's reference. */
static struct cache_object *
answer(struct scene *s, unsigned i, const char *lines, struct cache_body **body_r)
{
	*body_r = cache_body_new(s->store, CACHE_LENGTH_UNKNOWN);
	return (rig_object(s->store, &s->clients[i].rig, lines, *body_r));
}

static void
lands(struct scene *s, unsigned i, const char *lines, bool complete)
{
	struct cache_body *body;
	struct cache_object *object = answer(s, i, lines, &body);

	cache_flight_land(s->clients[i].flight, object);
	if (complete) {
		cache_body_end(body, true);
		assert_true(cache_store_put(
		    s->store, &s->clients[i].rig.q.key, object, clock_mono_us() + 1));
		cache_flight_end(s->clients[i].flight, 0, 0);
	}
	cache_body_free(&body);
	cache_object_free(&object);
}

static void
test_one_leads_others_follow(void **state)
{
	struct scene *s = *state;
	struct cache_flight *flight;
	struct cache_figures figures;

	assert_int_equal(comes(s, 0, "k", NULL), CACHE_LEAD);
	assert_false(cache_flight_is_followed(s->clients[0].flight));
	assert_int_equal(comes(s, 1, "k", NULL), CACHE_FOLLOW);
	assert_int_equal(comes(s, 2, "k", NULL), CACHE_FOLLOW);
	assert_int_equal(comes(s, 3, "other", NULL), CACHE_LEAD);
	assert_true(cache_flight_is_followed(s->clients[0].flight));
	/* a refresh behind a stale answer: does anybody? */
	assert_int_equal(cache_flight_join(s->store, &s->clients[0].rig.q, NULL, &flight),
	    CACHE_FOLLOW);
	assert_null(flight);
	cache_store_figures(s->store, &figures);
	assert_int_equal(figures.flights, 2);
	assert_int_equal(figures.followers, 2);
	turn(s->loop);
	assert_int_equal(s->clients[1].wakes, 0);
	assert_int_equal(news(s, 1), CACHE_NEWS_NONE);
	lands(s, 0, NULL, false);
	/* comes when the head is there already */
	assert_int_equal(comes(s, 4, "k", NULL), CACHE_FOLLOW);
	turn(s->loop);
	assert_int_equal(s->clients[1].wakes, 1);
	assert_int_equal(s->clients[2].wakes, 1);
	assert_int_equal(s->clients[4].wakes, 1);
	assert_int_equal(news(s, 1), CACHE_NEWS_LANDED);
	assert_int_equal(news(s, 4), CACHE_NEWS_LANDED);
	/* the leader goes before the body was complete */
	cache_flight_free(&s->clients[0].flight);
	assert_int_equal(news(s, 2), CACHE_NEWS_ENDED);
	assert_int_equal(comes(s, 5, "k", NULL), CACHE_LEAD);
}

static void
test_an_answer_that_came_to_nothing(void **state)
{
	struct scene *s = *state;
	struct cache_figures figures;
	struct cache_flight *flight;
	int64_t now_us;

	assert_int_equal(comes(s, 0, "k", NULL), CACHE_LEAD);
	assert_int_equal(comes(s, 1, "k", NULL), CACHE_FOLLOW);
	cache_flight_free(&s->clients[0].flight);
	turn(s->loop);
	assert_int_equal(s->clients[1].wakes, 1);
	assert_int_equal(news(s, 1), CACHE_NEWS_ENDED);
	/* without a mark the next one leads, with it nobody waits */
	assert_int_equal(comes(s, 2, "k", NULL), CACHE_LEAD);
	now_us = clock_mono_us();
	cache_flight_end(s->clients[2].flight, 100 * RIG_SECOND, now_us);
	cache_store_figures(s->store, &figures);
	assert_int_equal(figures.marks, 1);
	assert_int_equal(comes(s, 3, "k", NULL), CACHE_ALONE);
	assert_null(s->clients[3].flight);
	s->clients[3].rig.q.now_us = now_us + 100 * RIG_SECOND - 1;
	assert_int_equal(cache_flight_join(s->store, &s->clients[3].rig.q, NULL, &flight),
	    CACHE_ALONE);
	s->clients[3].rig.q.now_us++;
	assert_int_equal(
	    cache_flight_join(s->store, &s->clients[3].rig.q, NULL, &flight), CACHE_LEAD);
	cache_flight_end(flight, 100 * RIG_SECOND, now_us);
	cache_flight_free(&flight);
	assert_int_equal(comes(s, 4, "k", NULL), CACHE_ALONE);
	/* an answer that is kept takes the mark's place */
	assert_true(rig_put(s->store, &s->clients[3].rig, NULL, 1, 10));
	assert_int_equal(comes(s, 5, "k", NULL), CACHE_LEAD);
}

/* Larger than it may be, which shows only on the way: nobody follows for a while. */
static void
test_an_answer_that_can_not_be_kept_after_all(void **state)
{
	struct scene *s = *state;
	struct cache_body *body;
	struct cache_object *object;

	assert_int_equal(comes(s, 0, "k", NULL), CACHE_LEAD);
	object = answer(s, 0, NULL, &body);
	cache_flight_land(s->clients[0].flight, object);
	assert_int_equal(comes(s, 1, "k", NULL), CACHE_FOLLOW);
	assert_false(rig_append(body, 1, MIB + 1));
	cache_flight_end(s->clients[0].flight, 100 * RIG_SECOND, clock_mono_us());
	cache_body_free(&body);
	cache_object_free(&object);
	assert_int_equal(news(s, 1), CACHE_NEWS_ENDED);
	assert_int_equal(comes(s, 2, "k", NULL), CACHE_ALONE);
}

/* The first answer says what it varies by: who asked for another variant leads. */
static void
test_variants_fly_apart(void **state)
{
	static const char *const vary = "Vary: accept-encoding";
	struct scene *s = *state;

	assert_int_equal(comes(s, 0, "k", "Accept-Encoding: gzip"), CACHE_LEAD);
	assert_int_equal(comes(s, 1, "k", "Accept-Encoding: br"), CACHE_FOLLOW);
	lands(s, 0, vary, false);
	/* under way, and known */
	assert_int_equal(comes(s, 2, "k", "Accept-Encoding: gzip"), CACHE_FOLLOW);
	assert_int_equal(comes(s, 3, "k", "Accept-Encoding: br"), CACHE_LEAD);
	cache_flight_free(&s->clients[1].flight);
	assert_int_equal(cache_flight_join(s->store, &s->clients[1].rig.q,
			     s->clients[1].wait, &s->clients[1].flight),
	    CACHE_FOLLOW);
	turn(s->loop);
	assert_int_equal(s->clients[2].wakes, 1);
	assert_int_equal(news(s, 2), CACHE_NEWS_LANDED);
	assert_int_equal(news(s, 1), CACHE_NEWS_NONE);
	lands(s, 3, vary, true);
	assert_int_equal(news(s, 1), CACHE_NEWS_LANDED);
	/* stored now: a third variant leads on its own, the second follows nobody */
	assert_int_equal(comes(s, 4, "k", "Accept-Encoding: zstd"), CACHE_LEAD);
	assert_int_equal(comes(s, 5, "k", "Accept-Encoding: zstd"), CACHE_FOLLOW);
}

/* Who comes after a purge is not given what was asked for before it. */
static void
test_a_purge_while_it_flies(void **state)
{
	static const struct {
		const char *purge;
		bool landed, follows, gets;
	} rows[] = {
		{ "none", false, true, true },
		{ "key", false, false, false },
		{ "key", true, false, false },
		{ "all", false, false, false },
		/* it is not known yet what tags it has: follows, and is sent on */
		{ "tag", false, true, false },
		{ "tag", true, false, false },
		{ "other tag", false, true, true },
		{ "other tag", true, true, true },
	};
	struct scene *s = *state;
	size_t i, c;

	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(comes(s, 0, "k", NULL), CACHE_LEAD);
		assert_int_equal(comes(s, 1, "k", NULL), CACHE_FOLLOW);
		if (rows[i].landed)
			lands(s, 0, "Surrogate-Key: a b", false);
		if (strcmp(rows[i].purge, "key") == 0)
			(void)cache_store_purge_key(s->store, &s->clients[0].rig.q.key,
			    s->clients[0].rig.q.key_text);
		else if (strcmp(rows[i].purge, "all") == 0)
			(void)cache_store_purge_all(s->store);
		else if (strcmp(rows[i].purge, "tag") == 0)
			(void)cache_store_purge_tag(s->store, SPAN("a"));
		else if (strcmp(rows[i].purge, "other tag") == 0)
			(void)cache_store_purge_tag(s->store, SPAN("c"));
		/* the clock has gone on */
		for (c = (size_t)clock_mono_us(); (size_t)clock_mono_us() == c;)
			continue;
		assert_int_equal(
		    comes(s, 2, "k", NULL), rows[i].follows ? CACHE_FOLLOW : CACHE_LEAD);
		if (!rows[i].landed)
			lands(s, 0, "Surrogate-Key: a b", false);
		/* who came before gets it in any case */
		assert_int_equal(news(s, 1), CACHE_NEWS_LANDED);
		if (rows[i].follows)
			assert_int_equal(news(s, 2),
			    rows[i].gets ? CACHE_NEWS_LANDED : CACHE_NEWS_ENDED);
		if (rows[i].follows && !rows[i].gets)
			assert_int_equal(comes(s, 3, "k", NULL), CACHE_LEAD);
		for (c = 0; c < 6; c++)
			leaves(&s->clients[c]);
		memset(s->clients, 0, sizeof(s->clients));
	}
}

/* Wait and flight go in any order, a wake may be on its way. */
static void
test_a_follower_that_leaves(void **state)
{
	struct scene *s = *state;
	unsigned order;

	for (order = 0; order < 8; order++) {
		assert_int_equal(comes(s, 0, "k", NULL), CACHE_LEAD);
		assert_int_equal(comes(s, 1, "k", NULL), CACHE_FOLLOW);
		if ((order & 1) != 0)
			lands(s, 0, NULL, false);
		if ((order & 2) != 0)
			cache_wait_free(&s->clients[1].wait);
		cache_flight_free(&s->clients[1].flight);
		if ((order & 4) != 0)
			cache_flight_free(&s->clients[0].flight);
		leaves(&s->clients[1]);
		turn(s->loop);
		assert_int_equal(s->clients[1].wakes, 0);
		leaves(&s->clients[0]);
		memset(s->clients, 0, sizeof(s->clients));
	}
}

/* Marks are bounded, however many keys are not to be kept. */
static void
test_many_marks(void **state)
{
	struct scene *s = *state;
	struct cache_figures figures;
	struct cache_flight *flight;
	struct rig_question rig;
	enum cache_join rc;
	char key[32];
	unsigned i;

	for (i = 0; i < 5000; i++) {
		(void)snprintf(key, sizeof(key), "key%u", i);
		rig_ask(&rig, key, NULL);
		rc = cache_flight_join(s->store, &rig.q, NULL, &flight);
		assert_int_equal(rc, CACHE_LEAD);
		cache_flight_end(flight, 1000 * RIG_SECOND, rig.q.now_us);
		cache_flight_free(&flight);
		assert_int_equal(
		    cache_flight_join(s->store, &rig.q, NULL, &flight), CACHE_ALONE);
		rig_asked(&rig);
	}
	cache_store_figures(s->store, &figures);
	assert_true(figures.marks >= 128 && figures.marks <= 1024);
	(void)cache_store_purge_all(s->store);
	cache_store_figures(s->store, &figures);
	assert_int_equal(figures.marks, 0);
}

/* --- a storm ------------------------------------------------------------- */

#define LOOPS 3
#define REQUESTS 400 /* on each loop at once */
#define ROUNDS 6
#define KEYS 50

struct storm {
	struct cache_store *store;
	struct loop *loops[LOOPS];
	bool rough; /* leaders fail, followers leave, purges */
	atomic_uint left, failed;
	atomic_uint asked[ROUNDS][KEYS]; /* requests to the origin */
};

/* A request, from its loop's thread only. */
struct request {
	struct storm *storm;
	struct loop *loop;
	struct loop_message step;
	struct rig_question rig;
	struct cache_wait *wait;
	struct cache_flight *flight;
	struct cache_object *object;
	struct cache_body *body; /* the writer's */
	uint64_t at;
	unsigned round, key, random, steps;
	int64_t asked_us;
	enum { ASKS, LEADS, FOLLOWS, READS } state;
};

static unsigned
body_length(const struct request *r)
{
	return (r->key * 700);
}

static void request_step(struct request *);

static unsigned
dice(struct request *r, unsigned sides)
{
	r->random = r->random * 1103515245u + 12345u;
	return ((r->random >> 12) % sides);
}

static void
request_woken(void *data)
{
	request_step(data);
}

static void
request_turn(struct loop_message *message)
{
	request_step((void *)((char *)message - offsetof(struct request, step)));
}

static void
request_again(struct request *r)
{
	loop_post(r->loop, &r->step);
}

static void
request_done(struct request *r)
{
	struct storm *storm = r->storm;
	unsigned i;

	cache_object_free(&r->object);
	cache_body_free(&r->body);
	if (dice(r, 2) == 0)
		cache_wait_free(&r->wait);
	cache_flight_free(&r->flight);
	cache_wait_free(&r->wait);
	rig_asked(&r->rig);
	if (atomic_fetch_sub(&storm->left, 1) == 1)
		for (i = 0; i < LOOPS; i++)
			loop_stop(storm->loops[i]);
}

static void
request_reads(struct request *r)
{
	enum cache_body_rc rc;
	struct span piece;
	size_t i;

	while ((rc = cache_body_read(r->object->body, r->at, UINT64_MAX, r->wait,
		    &piece)) == CACHE_BODY_DATA) {
		for (i = 0; i < piece.n; i++)
			if (piece.p[i] != rig_byte(r->key, r->at + i))
				atomic_fetch_add(&r->storm->failed, 1);
		r->at += piece.n;
	}
	if (rc == CACHE_BODY_WAIT)
		return;
	if (rc == CACHE_BODY_CUT ? !r->storm->rough : r->at != body_length(r))
		atomic_fetch_add(&r->storm->failed, 1);
	request_done(r);
}

static void
request_got(struct request *r, struct cache_object *object)
{
	r->state = READS;
	r->object = object;
	request_reads(r);
}

static void
request_asks(struct request *r)
{
	struct cache_object *object;

	if (cache_store_find(r->storm->store, &r->rig.q, &object) == CACHE_FOUND) {
		request_got(r, object);
		return;
	}
	cache_flight_free(&r->flight);
	r->rig.q.now_us = clock_mono_us();
	switch (cache_flight_join(r->storm->store, &r->rig.q, r->wait, &r->flight)) {
	case CACHE_LEAD:
		if (cache_store_find(r->storm->store, &r->rig.q, &object) ==
		    CACHE_FOUND) {
			cache_flight_end(r->flight, 0, 0);
			request_got(r, object);
			return;
		}
		r->state = LEADS;
		r->asked_us = clock_mono_us();
		atomic_fetch_add(&r->storm->asked[r->round][r->key], 1);
		request_again(r);
		return;
	case CACHE_FOLLOW:
		r->state = FOLLOWS;
		/* its client leaves at once */
		if (r->storm->rough && dice(r, 4) == 0)
			request_done(r);
		return;
	case CACHE_ALONE:
		if (!r->storm->rough)
			atomic_fetch_add(&r->storm->failed, 1);
		request_done(r);
		return;
	}
}

/* One step of an answer: the head, then runs of the body, then the end. */
static void
request_leads(struct request *r)
{
	struct cache_store *store = r->storm->store;

	if (r->storm->rough && dice(r, 12) == 0) {
		if (dice(r, 3) == 0)
			cache_flight_end(r->flight, dice(r, 1000) + 1, clock_mono_us());
		request_done(r);
		return;
	}
	if (r->object == NULL) {
		r->body = cache_body_new(
		    store, dice(r, 2) == 0 ? body_length(r) : CACHE_LENGTH_UNKNOWN);
		if (r->body != NULL)
			r->object =
			    rig_object(store, &r->rig, "Surrogate-Key: t", r->body);
		if (r->object == NULL)
			request_done(r);
		else
			cache_flight_land(r->flight, r->object);
	} else if (r->steps++ < 7) {
		if (!rig_append(r->body, r->key, body_length(r) / 7))
			request_done(r);
	} else {
		cache_body_end(r->body, true);
		(void)cache_store_put(store, &r->rig.q.key, r->object, r->asked_us);
		cache_flight_end(r->flight, 0, 0);
		request_done(r);
	}
	if (r->wait != NULL)
		request_again(r);
}

static void
request_follows(struct request *r)
{
	struct cache_object *object;

	switch (cache_flight_news(r->flight, &object)) {
	case CACHE_NEWS_NONE: return;
	case CACHE_NEWS_LANDED: request_got(r, object); return;
	case CACHE_NEWS_ENDED:
		if (!r->storm->rough)
			atomic_fetch_add(&r->storm->failed, 1);
		r->state = ASKS;
		request_asks(r);
		return;
	}
}

static void
request_step(struct request *r)
{
	struct cache_store *store = r->storm->store;

	if (r->storm->rough && dice(r, 300) == 0)
		(void)cache_store_purge_key(store, &r->rig.q.key, r->rig.q.key_text);
	if (r->storm->rough && dice(r, 900) == 0)
		(void)cache_store_purge_tag(store, SPAN("t"));
	switch (r->state) {
	case ASKS: request_asks(r); break;
	case LEADS: request_leads(r); break;
	case FOLLOWS: request_follows(r); break;
	case READS: request_reads(r); break;
	}
}

static void *
run_loop(void *loop)
{
	loop_run(loop);
	return (NULL);
}

static void
one_round(struct storm *storm, unsigned round, struct request *requests)
{
	unsigned i, n = LOOPS * REQUESTS;
	pthread_t threads[LOOPS];
	struct request *r;
	char key[32];

	atomic_store(&storm->left, n);
	memset(requests, 0, n * sizeof(*requests));
	for (i = 0; i < n; i++) {
		r = &requests[i];
		r->storm = storm;
		r->loop = storm->loops[i % LOOPS];
		r->round = round;
		r->key = i / 8 % KEYS;
		r->random = round * 7919 + i * 104729;
		(void)snprintf(key, sizeof(key), "round%u/%u", round, r->key);
		rig_ask(&r->rig, key, NULL);
		r->wait = cache_wait_new(r->loop, request_woken, r);
		r->step.deliver = request_turn;
		loop_post(r->loop, &r->step);
	}
	for (i = 0; i < LOOPS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, run_loop, storm->loops[i]), 0);
	for (i = 0; i < LOOPS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	/* messages of waits that were freed with a wake on its way */
	for (i = 0; i < LOOPS; i++)
		turn(storm->loops[i]);
}

static void
run_storm(bool rough)
{
	struct request *requests = calloc((size_t)LOOPS * REQUESTS, sizeof(*requests));
	struct storm *storm = calloc(1, sizeof(*storm));
	struct cache_figures figures;
	unsigned i, round, key;
	uint64_t before;

	storm->rough = rough;
	storm->store = cache_store_new(rough ? MIB : 16 * MIB, MIB);
	before = rig_used(storm->store);
	for (i = 0; i < LOOPS; i++)
		storm->loops[i] = loop_new();
	for (round = 0; round < ROUNDS; round++)
		one_round(storm, round, requests);
	assert_int_equal(atomic_load(&storm->failed), 0);
	for (round = 0; !rough && round < ROUNDS; round++)
		for (key = 0; key < KEYS; key++)
			assert_int_equal(atomic_load(&storm->asked[round][key]), 1);
	(void)cache_store_purge_all(storm->store);
	cache_store_figures(storm->store, &figures);
	assert_int_equal(figures.used, before);
	assert_int_equal(figures.flights, 0);
	assert_int_equal(figures.followers, 0);
	assert_int_equal(figures.objects, 0);
	cache_store_free(&storm->store);
	for (i = 0; i < LOOPS; i++)
		loop_free(&storm->loops[i]);
	free(requests);
	free(storm);
}

/* 1200 requests at once for 50 keys, on three threads: each is asked for once. */
static void
test_each_key_is_asked_for_once(void **state)
{
	(void)state;
	run_storm(false);
}

static void
test_a_rough_storm(void **state)
{
	(void)state;
	run_storm(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_one_leads_others_follow, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_an_answer_that_came_to_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_an_answer_that_can_not_be_kept_after_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_variants_fly_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_purge_while_it_flies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_follower_that_leaves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_marks, set_up, tear_down),
		cmocka_unit_test(test_each_key_is_asked_for_once),
		cmocka_unit_test(test_a_rough_storm),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
