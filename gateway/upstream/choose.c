/* SPDX-License-Identifier: Apache-2.0 */
/* Which server a request gets, and what is noted of the outcome. */
#include "config.h"

#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/upstream/inside.h"
#include "gateway/upstream/mix.h"
#include "gateway/upstream/slow_start.h"

/* Servers that were tried for one request, by their index in the set that it began
 * with. Made when the first one fails. */
struct upstream_tries {
	struct upstream_set *set;
	uint64_t tried[];
};

static bool
was_tried(const struct upstream_ask *ask, uint32_t i)
{
	return (ask->tries != NULL && (ask->tries->tried[i / 64] >> (i % 64) & 1) != 0);
}

/* No room for one more connection, and none of ours is idle. */
static bool
is_full(struct upstream *up, const struct upstream_pool *pool,
    const struct upstream_server *server)
{
	return (pool->max_connections != 0 &&
		atomic_load_explicit(&server->open, memory_order_relaxed) >=
		    pool->max_connections &&
		!kept_has(up, server));
}

static bool
is_drained(const struct upstream_server *server)
{
	return (atomic_load_explicit(&server->drained, memory_order_relaxed));
}

/* A part of its weight, where it came back lately. */
static uint16_t
share(const struct upstream_pool *pool, const struct upstream_set *set, uint32_t i,
    int64_t now_us)
{
	int64_t since_us, ejected_us;

	if (pool->slow_start_us == 0)
		return (BALANCE_SHARE_FULL);
	since_us = atomic_load_explicit(&set->servers[i]->back_us, memory_order_relaxed);
	ejected_us = set->outlier != NULL ? outlier_back_us(set->outlier, i) : 0;
	return (slow_start_share(
	    since_us > ejected_us ? since_us : ejected_us, pool->slow_start_us, now_us));
}

static void
fill_states(struct upstream *up, const struct upstream_pool *pool,
    const struct upstream_set *set, int64_t now_us)
{
	const struct upstream_server *s;
	struct balance_state *state;
	uint32_t i;

	if (up->n_states < set->n) {
		up->states = mem_realloc(up->states, set->n * sizeof(*up->states));
		up->n_states = set->n;
	}
	for (i = 0; i < set->n; i++) {
		s = set->servers[i];
		state = &up->states[i];
		state->active = atomic_load_explicit(&s->active, memory_order_relaxed);
		state->share = share(pool, set, i, now_us);
		state->available =
		    !atomic_load_explicit(&s->down, memory_order_relaxed) &&
		    atomic_load_explicit(&s->down_until_us, memory_order_relaxed) <=
			now_us &&
		    (set->outlier == NULL ||
			!outlier_is_ejected(set->outlier, i, now_us));
		state->closed = is_drained(s) || is_full(up, pool, s);
	}
}

/* A server that is well and has no room is worth waiting for: nobody who is asked
 * after it (backups, the last one standing) gets its requests. True: there is one. */
static bool
wait_for_full(struct upstream *up, const struct upstream_pool *pool,
    const struct upstream_set *set, const struct upstream_ask *ask)
{
	bool full[2] = { false, false }, later;
	const struct upstream_server *s;
	uint32_t i;

	for (i = 0; i < set->n; i++) {
		s = set->servers[i];
		if (up->states[i].available && !is_drained(s) && !was_tried(ask, i) &&
		    is_full(up, pool, s))
			full[s->backup] = true;
	}
	for (i = 0; i < set->n && (full[false] || full[true]); i++) {
		later =
		    !up->states[i].available || (full[false] && set->servers[i]->backup);
		up->states[i].closed = up->states[i].closed || later;
	}
	return (full[false] || full[true]);
}

/* Is there nobody but backups? */
static bool
is_backups_turn(const struct upstream *up, const struct upstream_set *set)
{
	uint32_t i;

	for (i = 0; i < set->n; i++)
		if (!set->servers[i]->backup && up->states[i].available &&
		    !up->states[i].closed)
			return (false);
	return (true);
}

/* The server that the client's cookie means, if it can be had; a drained one goes on
 * with its clients. *anew_r: the cookie is worth nothing any more. */
static uint32_t
by_cookie(struct upstream *up, const struct upstream_pool *pool,
    const struct upstream_set *set, const struct upstream_ask *ask, bool *anew_r)
{
	const struct upstream_server *s;
	uint32_t i;

	*anew_r = false;
	if (set->sticky == NULL)
		return (BALANCE_NONE);
	*anew_r = true;
	i = sticky_find(set->sticky, ask->cookie);
	if (i == STICKY_NONE || was_tried(ask, i) || !up->states[i].available)
		return (BALANCE_NONE);
	s = set->servers[i];
	if (s->backup && !is_backups_turn(up, set))
		return (BALANCE_NONE);
	*anew_r = false;
	return (is_full(up, pool, s) ? BALANCE_NONE : i);
}

bool
choose_has_own(
    struct upstream *up, const struct upstream_pool *pool, const struct upstream_ask *ask)
{
	const struct upstream_set *set;
	uint32_t i;

	set = ask->tries != NULL ? ask->tries->set : pool_set(pool);
	if (set->sticky == NULL)
		return (false);
	i = sticky_find(set->sticky, ask->cookie);
	return (i != STICKY_NONE && !was_tried(ask, i) && is_drained(set->servers[i]) &&
		!is_full(up, pool, set->servers[i]));
}

/* Nobody was chosen: because of the bounds? As they were when it was looked: room that
 * another worker made since then is there when the queue is looked at. */
static enum choice
nobody(const struct upstream *up, const struct upstream_pool *pool,
    const struct upstream_set *set, const struct upstream_ask *ask)
{
	uint32_t i;

	for (i = 0; i < set->n && pool->max_connections != 0; i++)
		if (!was_tried(ask, i) && !is_drained(set->servers[i]) &&
		    up->states[i].closed)
			return (CHOICE_WAIT);
	return (CHOICE_NOBODY);
}

enum choice
choose(struct upstream *up, struct upstream_pool *pool, const struct upstream_ask *ask,
    struct chosen *chosen_r)
{
	struct upstream_set *set;
	uint64_t number;
	int64_t now_us;
	uint32_t i;

	now_us = loop_now_us(up->loop);
	set = ask->tries != NULL ? ask->tries->set : pool_set(pool);
	fill_states(up, pool, set, now_us);
	number = pool->by_hash ? ask->hash : mix64(++up->random);
	i = by_cookie(up, pool, set, ask, &chosen_r->cookie_anew);
	if (i == BALANCE_NONE && pool->max_connections != 0)
		(void)wait_for_full(up, pool, set, ask);
	for (;;) {
		if (i == BALANCE_NONE)
			i = balance_pick(set->balancer, up->states,
			    ask->tries != NULL ? ask->tries->tried : NULL, number);
		if (i == BALANCE_NONE)
			return (nobody(up, pool, set, ask));
		chosen_r->server = set->servers[i];
		if (upstream_server_probe(
			chosen_r->server, now_us, pool->connect_us, &chosen_r->probe))
			return (CHOICE_SERVER);
		/* another one finds out whether it is back */
		up->states[i].available = false;
		i = BALANCE_NONE;
	}
}

void
choose_mark_tried(struct upstream_pool *pool, struct upstream_ask *ask,
    const struct upstream_server *server)
{
	struct upstream_set *set;
	uint32_t i;

	if (ask->tries == NULL) {
		set = pool_set(pool);
		ask->tries =
		    mem_zalloc(sizeof(*ask->tries) +
			       BALANCE_WORDS(set->n) * sizeof(ask->tries->tried[0]));
		ask->tries->set = upstream_set_ref(set);
	}
	i = pool_index(ask->tries->set, server);
	if (i != BALANCE_NONE)
		balance_mark_tried(ask->tries->tried, i);
}

void
choose_note(struct upstream_pool *pool, struct upstream_server *server, bool failed,
    int64_t now_us)
{
	struct upstream_set *set;
	uint32_t i;

	if (failed)
		(void)atomic_fetch_add_explicit(
		    &server->failures, 1, memory_order_relaxed);
	set = pool_set(pool);
	if (set->outlier == NULL || (i = pool_index(set, server)) == BALANCE_NONE)
		return;
	if (outlier_note(set->outlier, i, failed, now_us))
		log_warn("upstream", "pool %s: %s is left out for a while: it failed",
		    pool->name, server->address_text);
}

static struct conn *
conn_of(const struct upstream_conn *pub)
{
	CHECK_OBJ(pub, CONN_MAGIC);
	return ((struct conn *)(uintptr_t)pub);
}

void
upstream_note(struct upstream *up, const struct upstream_conn *pub, bool failed)
{
	choose_note(conn_of(pub)->pool, pub->server, failed, loop_now_us(up->loop));
}

void
upstream_tried(struct upstream_ask *ask, const struct upstream_conn *pub)
{
	choose_mark_tried(conn_of(pub)->pool, ask, pub->server);
}

void
upstream_forget(struct upstream_ask *ask)
{
	if (ask->tries == NULL)
		return;
	upstream_set_free(&ask->tries->set);
	free(ask->tries);
	ask->tries = NULL;
}

bool
upstream_cookie(const struct upstream_conn *pub, char value_r[UPSTREAM_COOKIE])
{
	struct upstream_set *set;
	uint32_t i;

	_Static_assert(UPSTREAM_COOKIE == STICKY_TEXT + 1, "room of a cookie's value");
	set = pool_set(conn_of(pub)->pool);
	if (set->sticky == NULL || (i = pool_index(set, pub->server)) == BALANCE_NONE)
		return (false);
	sticky_value(set->sticky, i, value_r);
	return (true);
}
