/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of one worker thread: lent, released, kept, closed. */
#include "config.h"

#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/upstream/inside.h"

static struct kept **
kept_at(struct upstream *up, const struct upstream_server *server)
{
	uintptr_t hash = (uintptr_t)server >> 6;
	struct kept **at;

	at = &up->kept[(hash ^ (hash >> 6)) % KEPT_BUCKETS];
	while (*at != NULL && (*at)->server != server)
		at = &(*at)->next;
	return (at);
}

bool
kept_has(struct upstream *up, const struct upstream_server *server)
{
	const struct kept *kept;

	kept = *kept_at(up, server);
	return (kept != NULL && kept->n != 0);
}

static struct kept *
kept_take_out(struct conn *c)
{
	struct kept *kept;

	kept = *kept_at(c->up, c->pub.server);
	CHECK(kept != NULL && kept->n != 0);
	if (c->newer != NULL)
		c->newer->older = c->older;
	else
		kept->newest = c->older;
	if (c->older != NULL)
		c->older->newer = c->newer;
	else
		kept->oldest = c->newer;
	c->newer = c->older = NULL;
	kept->n--;
	loop_timer_stop(&c->timer);
	return (kept);
}

static struct kept *
kept_put_in(struct conn *c)
{
	struct kept **at, *kept;

	at = kept_at(c->up, c->pub.server);
	kept = *at;
	if (kept == NULL) {
		kept = mem_zalloc(sizeof(*kept));
		kept->server = upstream_server_ref(c->pub.server);
		*at = kept;
	}
	c->newer = NULL;
	c->older = kept->newest;
	if (kept->newest != NULL)
		kept->newest->newer = c;
	else
		kept->oldest = c;
	kept->newest = c;
	kept->n++;
	return (kept);
}

/* --- connections --------------------------------------------------------- */

static struct conn *
conn_of(void *data)
{
	struct conn *c = data;

	CHECK_OBJ(&c->pub, CONN_MAGIC);
	return (c);
}

bool
conn_reserve(const struct upstream_pool *pool, struct upstream_server *server)
{
	uint32_t before;

	if (pool->max_connections != 0) {
		before = atomic_fetch_add(&server->open, 1);
		if (before >= pool->max_connections) {
			(void)atomic_fetch_sub(&server->open, 1);
			return (false);
		}
	}
	(void)atomic_fetch_add_explicit(&server->active, 1, memory_order_relaxed);
	return (true);
}

/* The connection is no more. */
static void
conn_uncount(const struct upstream_pool *pool, struct upstream_server *server)
{
	if (pool->max_connections != 0)
		(void)atomic_fetch_sub(&server->open, 1);
}

void
conn_unreserve(const struct upstream_pool *pool, struct upstream_server *server)
{
	conn_uncount(pool, server);
	(void)atomic_fetch_sub_explicit(&server->active, 1, memory_order_relaxed);
}

static void
conn_close(struct conn *c)
{
	loop_io_stop(&c->pub.io);
	loop_timer_stop(&c->timer);
	stream_close(&c->pub.stream);
	conn_uncount(c->pool, c->pub.server);
	upstream_server_free(&c->pub.server);
	upstream_pool_free(&c->pool);
	c->pub.magic = 0;
	free(c);
}

/* Nothing to read and not ended? An origin that speaks before it is asked must
 * not have that taken for the next answer. TLS may read tickets here. */
static bool
conn_is_quiet(struct conn *c)
{
	char byte;
	size_t n;

	return (stream_read(c->pub.stream, &byte, 1, &n) == STREAM_WANT_READ);
}

/* An idle one that is of no more use. */
static void
idle_close(struct conn *c)
{
	struct upstream_pool *pool;
	struct upstream *up;

	up = c->up;
	pool = upstream_pool_ref(c->pool);
	(void)kept_take_out(c);
	conn_close(c);
	queue_room(up, pool, false);
	upstream_pool_free(&pool);
}

static void
idle_readable(struct loop_io *io, unsigned events)
{
	struct conn *c = conn_of(io->data);

	(void)events;
	if (!conn_is_quiet(c))
		idle_close(c);
}

static void
idle_timeout(struct loop_timer *timer)
{
	idle_close(conn_of(timer->data));
}

struct conn *
conn_made(struct upstream *up, struct upstream_pool *pool, struct upstream_server *server,
    struct stream *stream)
{
	struct conn *c = mem_zalloc(sizeof(*c));

	c->pub.magic = CONN_MAGIC;
	c->pub.stream = stream;
	c->pub.server = upstream_server_ref(server);
	c->pub.host_text = server->host_text;
	c->up = up;
	c->pool = upstream_pool_ref(pool);
	loop_io_init(&c->pub.io, up->loop, stream->fd, idle_readable, c);
	loop_timer_init(&c->timer, up->loop, idle_timeout, c);
	return (c);
}

struct conn *
kept_take(struct upstream *up, struct upstream_server *server)
{
	struct kept *kept;
	struct conn *c;

	for (;;) {
		kept = *kept_at(up, server);
		if (kept == NULL || kept->newest == NULL)
			return (NULL);
		c = kept->newest;
		(void)kept_take_out(c);
		if (conn_is_quiet(c)) {
			c->pub.reused = true;
			(void)atomic_fetch_add_explicit(
			    &server->active, 1, memory_order_relaxed);
			return (c);
		}
		conn_close(c);
	}
}

enum upstream_rc
conn_lend(struct upstream *up, struct upstream_ask *ask, struct conn *c)
{
	up->lent++;
	(void)atomic_fetch_add_explicit(
	    &c->pub.server->requests, 1, memory_order_relaxed);
	ask->conn = &c->pub;
	ask->rc = UPSTREAM_READY;
	return (UPSTREAM_READY);
}

static void
conn_keep(struct conn *c)
{
	struct kept *kept;
	struct conn *old;

	kept = kept_put_in(c);
	loop_io_hand(&c->pub.io, idle_readable, c);
	loop_io_want(&c->pub.io, LOOP_READ);
	loop_timer_set(&c->timer, c->pool->idle_us);
	if (kept->n > c->pool->idle_max) {
		old = kept->oldest;
		(void)kept_take_out(old);
		conn_close(old);
	}
}

void
upstream_release(struct upstream *up, struct upstream_conn **conn_p, bool keep)
{
	struct upstream_server *server;
	struct upstream_pool *pool;
	struct conn *c;
	bool cedes;

	CHECK_OBJ(up, UPSTREAM_MAGIC);
	if (*conn_p == NULL)
		return;
	c = conn_of(*conn_p);
	*conn_p = NULL;
	CHECK(c->up == up && up->lent > 0);
	up->lent--;
	server = c->pub.server;
	(void)atomic_fetch_sub_explicit(&server->active, 1, memory_order_relaxed);
	keep = keep && c->pool->idle_max != 0 && c->pool->idle_us > 0 &&
	       !stream_pending(c->pub.stream) &&
	       !atomic_load_explicit(&server->gone, memory_order_relaxed);
	if (c->pool->max_connections == 0) {
		if (keep)
			conn_keep(c);
		else
			conn_close(c);
		return;
	}
	pool = upstream_pool_ref(c->pool);
	cedes = queue_cedes(up, pool);
	if (keep && !cedes)
		conn_keep(c);
	else
		conn_close(c);
	queue_room(up, pool, cedes);
	upstream_pool_free(&pool);
}

/* Closes the n oldest. */
static void
kept_close(struct kept *kept, uint32_t n)
{
	struct conn *c;

	for (; n > 0 && (c = kept->oldest) != NULL; n--) {
		CHECK(kept_take_out(c) == kept && kept->oldest != c);
		conn_close(c);
	}
}

bool
kept_make_room(struct upstream *up, const struct upstream_server *server)
{
	struct kept *kept;

	kept = *kept_at(up, server);
	if (kept == NULL || kept->n == 0)
		return (false);
	kept_close(kept, 1);
	return (true);
}

void
kept_give_up(struct upstream *up)
{
	struct upstream_pool *pool;
	struct kept *kept;
	uint32_t bucket, waiting;

	for (bucket = 0; bucket < KEPT_BUCKETS; bucket++)
		for (kept = up->kept[bucket]; kept != NULL; kept = kept->next) {
			if (kept->n == 0)
				continue;
			pool = upstream_pool_ref(kept->oldest->pool);
			waiting = atomic_load(&pool->waiting);
			if (waiting != 0) {
				kept_close(kept, waiting);
				queue_room(up, pool, false);
			}
			upstream_pool_free(&pool);
		}
}

/* Of servers that are gone, or of all. */
static void
kept_sweep(struct upstream *up, bool all)
{
	struct kept **at, *kept;
	uint32_t bucket;

	for (bucket = 0; bucket < KEPT_BUCKETS; bucket++)
		for (at = &up->kept[bucket]; (kept = *at) != NULL;) {
			if (!all && !atomic_load(&kept->server->gone)) {
				at = &kept->next;
				continue;
			}
			kept_close(kept, kept->n);
			*at = kept->next;
			upstream_server_free(&kept->server);
			free(kept);
		}
}

void
upstream_tidy(struct upstream *up)
{
	CHECK_OBJ(up, UPSTREAM_MAGIC);
	kept_sweep(up, false);
}

void
kept_free(struct upstream *up)
{
	kept_sweep(up, true);
}
