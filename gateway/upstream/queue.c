/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait while all servers of their pool have max_connections. */
#include "config.h"

#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/upstream/inside.h"
#include "gateway/upstream/mix.h"

/* Room is told of; this only makes up for what nobody told. */
#define LOOK_US (20 * CLOCK_MS)
/* Of those at the head who can't go on where others may. */
#define PASSED_MAX 16
/* A worker with a queue of its own lets others have each n-th connection. */
#define CEDE_EACH 8

static struct queue **
queue_at(struct upstream *up, const struct upstream_pool *pool)
{
	struct queue **at;

	for (at = &up->queues; *at != NULL && (*at)->pool != pool; at = &(*at)->next)
		continue;
	return (at);
}

bool
queue_has(struct upstream *up, const struct upstream_pool *pool)
{
	return (pool->max_connections != 0 && *queue_at(up, pool) != NULL);
}

static void
tell_others(struct upstream *up)
{
	struct upstream *other;
	uint32_t i;

	for (i = 0; i < up->n_all; i++) {
		other = up->all[i];
		if (other != up && !atomic_exchange(&other->told, true))
			loop_post(other->loop, &other->room);
	}
}

/* From another worker: it waits, or it made room. */
static void
room_told(struct loop_message *message)
{
	struct upstream *up;
	struct queue *q;

	up = (struct upstream *)((char *)message - offsetof(struct upstream, room));
	CHECK_OBJ(up, UPSTREAM_MAGIC);
	atomic_store(&up->told, false);
	kept_give_up(up);
	for (q = up->queues; q != NULL; q = q->next)
		loop_timer_set(&q->timer, 0);
}

void
queue_init(struct upstream *up)
{
	up->room.deliver = room_told;
}

/* Those whose time is over, then when to look again. */
static void
end_overdue(struct upstream *up, const struct upstream_pool *pool)
{
	struct queue *q;
	int64_t now_us, left_us;

	now_us = loop_now_us(up->loop);
	while ((q = *queue_at(up, pool)) != NULL) {
		left_us = TAILQ_FIRST(&q->waiting)->queue_until_us - now_us;
		if (left_us > 0) {
			loop_timer_set(&q->timer, left_us < LOOK_US ? left_us : LOOK_US);
			return;
		}
		try_overdue(TAILQ_FIRST(&q->waiting));
	}
}

/* The first one that can go on. Who was refused by some servers waits for the others
 * only: those behind him may have what he can't. Where who was refused by none can't,
 * nobody can but on a server of his own. False: nobody. */
static bool
serve_one(struct queue *q)
{
	bool own_only = false;
	unsigned passed = 0;
	struct try *t;

	TAILQ_FOREACH(t, &q->waiting, link)
	{
		if ((!own_only || choose_has_own(q->up, q->pool, t->ask)) &&
		    try_resume(t))
			return (true);
		own_only = own_only || t->ask->tries == NULL;
		if (++passed == PASSED_MAX)
			break;
	}
	return (false);
}

/* A try that goes on may end, and its request ask for another: the queue is looked
 * up again after each one, and gone when it is empty. */
static void
queue_serve(struct loop_timer *timer)
{
	struct upstream_pool *pool;
	struct upstream *up;
	struct queue *q;

	q = timer->data;
	up = q->up;
	pool = upstream_pool_ref(q->pool);
	while (q != NULL && serve_one(q))
		q = *queue_at(up, pool);
	end_overdue(up, pool);
	upstream_pool_free(&pool);
}

static struct queue *
queue_of(struct upstream *up, struct upstream_pool *pool)
{
	struct queue **at, *q;

	at = queue_at(up, pool);
	if (*at != NULL)
		return (*at);
	*at = q = mem_zalloc(sizeof(*q));
	q->up = up;
	q->pool = upstream_pool_ref(pool);
	TAILQ_INIT(&q->waiting);
	loop_timer_init(&q->timer, up->loop, queue_serve, q);
	return (q);
}

/* In the order of coming; one that lost its room again goes to where it was. */
static void
insert(struct queue *q, struct try *t)
{
	struct try *later = NULL;

	if (t->queue_until_us != 0) {
		TAILQ_FOREACH(later, &q->waiting, link)
		if (later->queue_until_us >= t->queue_until_us)
			break;
	} else {
		t->queue_until_us = loop_now_us(t->up->loop) + t->pool->queue_wait_us;
	}
	if (later != NULL)
		TAILQ_INSERT_BEFORE(later, t, link);
	else
		TAILQ_INSERT_TAIL(&q->waiting, t, link);
}

bool
queue_enter(struct try *t)
{
	struct queue *q;

	if (atomic_fetch_add(&t->pool->waiting, 1) >= t->pool->queue_length) {
		(void)atomic_fetch_sub(&t->pool->waiting, 1);
		return (false);
	}
	q = queue_of(t->up, t->pool);
	t->queue = q;
	/* Looked at once more in the next round: room that came before we were
	 * counted as waiting was told to nobody. */
	if (q->n++ == 0 || TAILQ_FIRST(&q->waiting)->ask->tries != NULL)
		loop_timer_set(&q->timer, 0);
	insert(q, t);
	tell_others(t->up);
	return (true);
}

void
queue_leave(struct try *t)
{
	struct queue **at, *q;

	q = t->queue;
	t->queue = NULL;
	(void)atomic_fetch_sub(&t->pool->waiting, 1);
	TAILQ_REMOVE(&q->waiting, t, link);
	if (--q->n != 0)
		return;
	at = queue_at(t->up, t->pool);
	CHECK(*at == q);
	*at = q->next;
	loop_timer_stop(&q->timer);
	upstream_pool_free(&q->pool);
	free(q);
}

bool
queue_cedes(struct upstream *up, struct upstream_pool *pool)
{
	const struct queue *q;
	uint32_t own;

	q = *queue_at(up, pool);
	own = q != NULL ? q->n : 0;
	if (atomic_load(&pool->waiting) <= own)
		return (false);
	return (own == 0 || mix64(++up->random) % CEDE_EACH == 0);
}

void
queue_room(struct upstream *up, struct upstream_pool *pool, bool ceded)
{
	struct queue *q;

	if (pool->max_connections == 0)
		return;
	q = *queue_at(up, pool);
	if (q != NULL && !ceded)
		loop_timer_set(&q->timer, 0);
	else if (atomic_load(&pool->waiting) != 0)
		tell_others(up);
}
