/* SPDX-License-Identifier: Apache-2.0 */
/* Asks of one worker thread for connections: kept ones at once, new ones made. */
#include "config.h"

#include "gateway/upstream/upstream.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/upstream/dial.h"
#include "gateway/upstream/inside.h"

struct upstream *
upstream_new(struct loop *loop)
{
	struct upstream *up = mem_zalloc(sizeof(*up));

	up->magic = UPSTREAM_MAGIC;
	up->loop = loop;
	random_bytes(&up->random, sizeof(up->random));
	queue_init(up);
	return (up);
}

void
upstream_meet(struct upstream *up, struct upstream *const *all, uint32_t n)
{
	CHECK_OBJ(up, UPSTREAM_MAGIC);
	up->all = all;
	up->n_all = n;
}

void
upstream_free(struct upstream **up_p)
{
	struct upstream *up = *up_p;

	*up_p = NULL;
	if (up == NULL)
		return;
	CHECK_OBJ(up, UPSTREAM_MAGIC);
	CHECK(up->lent == 0 && up->asking == 0 && up->queues == NULL);
	kept_free(up);
	free(up->states);
	up->magic = 0;
	free(up);
}

/* --- new connections ----------------------------------------------------- */

/* Gives up what the current attempt holds. */
static void
try_drop(struct try *t)
{
	loop_io_stop(&t->io);
	loop_timer_stop(&t->timer);
	if (t->stream != NULL)
		stream_close(&t->stream);
	else if (t->fd != -1)
		(void)close(t->fd);
	t->fd = -1;
	if (t->server == NULL)
		return;
	if (t->conn == NULL) {
		conn_unreserve(t->pool, t->server);
		queue_room(t->up, t->pool, false);
	}
	upstream_server_free(&t->server);
}

static void
try_free(struct try *t)
{
	if (t->queue != NULL)
		queue_leave(t);
	try_drop(t);
	t->up->asking--;
	t->ask->work = NULL;
	upstream_pool_free(&t->pool);
	t->magic = 0;
	free(t);
}

static enum upstream_rc
try_failed(struct try *t, enum upstream_rc rc, const char *error)
{
	t->ask->error = error;
	return (rc);
}

static enum upstream_rc
try_refused(struct try *t, int error)
{
	t->blame = dial_is_servers_fault(error);
	return (try_failed(t, error == ETIMEDOUT ? UPSTREAM_TIMEOUT : UPSTREAM_REFUSED,
	    dial_text(error)));
}

static enum upstream_rc
try_succeeded(struct try *t)
{
	upstream_server_connected(t->server);
	t->conn = conn_made(t->up, t->pool, t->server, t->stream);
	t->conn->pub.cookie_anew = t->cookie_anew;
	t->stream = NULL;
	t->fd = -1;
	return (UPSTREAM_READY);
}

static enum upstream_rc
try_handshake(struct try *t)
{
	switch (stream_handshake(t->stream)) {
	case STREAM_OK: return (try_succeeded(t));
	case STREAM_WANT_READ: loop_io_want(&t->io, LOOP_READ); return (UPSTREAM_WAIT);
	case STREAM_WANT_WRITE: loop_io_want(&t->io, LOOP_WRITE); return (UPSTREAM_WAIT);
	case STREAM_EOF:
		return (try_failed(t, UPSTREAM_TLS, "closed during the TLS handshake"));
	default:
		return (try_failed(t, UPSTREAM_TLS,
		    t->stream->error != NULL ? t->stream->error
					     : "TLS handshake failed"));
	}
}

/* The socket is connected. */
static enum upstream_rc
try_connected(struct try *t)
{
	if (!t->server->https) {
		t->stream = stream_plain(t->fd);
		return (try_succeeded(t));
	}
	t->stream = tls_connect(t->pool->tls, t->fd, t->server->tls_name);
	return (try_handshake(t));
}

static enum upstream_rc
try_connect(struct try *t)
{
	const struct upstream_server *to = t->server;

	if (connect(t->fd, (const struct sockaddr *)&to->sa, to->sa_bytes) == 0)
		return (try_connected(t));
	switch (errno) {
	case EINPROGRESS:
	case EINTR: loop_io_want(&t->io, LOOP_WRITE); return (UPSTREAM_WAIT);
	case EAGAIN:
		if (to->sa.ss_family == AF_UNIX) {
			t->again = true;
			loop_timer_set(&t->timer, DIAL_UNIX_RETRY_US);
			return (UPSTREAM_WAIT);
		}
		return (try_refused(t, EADDRNOTAVAIL));
	default: return (try_refused(t, errno));
	}
}

static void try_step(struct try *, enum upstream_rc);

static void
try_ready(struct loop_io *io, unsigned events)
{
	struct try *t;
	socklen_t n = sizeof(int);
	int error = 0;

	(void)events;
	CAST_OBJ(t, io->data, TRY_MAGIC);
	if (t->stream != NULL) {
		try_step(t, try_handshake(t));
		return;
	}
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		error = errno;
	loop_io_want(&t->io, 0);
	try_step(t, error != 0 ? try_refused(t, error) : try_connected(t));
}

static void
try_timeout(struct loop_timer *timer)
{
	struct try *t;

	CAST_OBJ(t, timer->data, TRY_MAGIC);
	if (t->again && loop_now_us(t->up->loop) < t->deadline_us) {
		t->again = false;
		loop_timer_set(&t->timer, t->deadline_us - loop_now_us(t->up->loop));
		try_step(t, try_connect(t));
		return;
	}
	try_step(t,
	    try_failed(t, UPSTREAM_TIMEOUT,
		t->stream != NULL ? "TLS handshake timed out" : "connection timed out"));
}

/* To t->server, in which room was taken. */
static enum upstream_rc
try_server(struct try *t)
{
	const struct upstream_server *to = t->server;

	t->blame = true;
	t->again = false;
	t->fd = dial_socket(to->sa.ss_family);
	if (t->fd == -1)
		return (try_refused(t, errno));
	loop_io_init(&t->io, t->up->loop, t->fd, try_ready, t);
	loop_timer_init(&t->timer, t->up->loop, try_timeout, t);
	t->deadline_us = loop_now_us(t->up->loop) + t->pool->connect_us;
	loop_timer_set(&t->timer, t->pool->connect_us);
	return (try_connect(t));
}

/* The attempt failed: noted, and not with this server again. */
static void
try_blame(struct try *t)
{
	int64_t now_us = loop_now_us(t->up->loop);
	struct upstream_server *s = t->server;

	choose_mark_tried(t->pool, t->ask, s);
	if (t->blame) {
		(void)atomic_fetch_add_explicit(&s->requests, 1, memory_order_relaxed);
		choose_note(t->pool, s, true, now_us);
		if (upstream_server_refused(s, now_us, t->probe))
			log_warn("upstream", "pool %s: %s: %s", t->pool->name,
			    s->address_text, t->ask->error);
	}
	try_drop(t);
}

/* A connection to the server that was chosen: a kept one, or a new one. FULL: the
 * last room was taken just now. */
static enum upstream_rc
try_chosen(struct try *t, const struct chosen *chosen)
{
	t->cookie_anew = chosen->cookie_anew;
	t->probe = chosen->probe;
	if (!t->ask->fresh && !t->probe) {
		t->conn = kept_take(t->up, chosen->server);
		if (t->conn != NULL) {
			t->conn->pub.cookie_anew = t->cookie_anew;
			return (UPSTREAM_READY);
		}
	}
	/* a kept one that must not be used stands for room, as is_full() has it */
	while (!conn_reserve(t->pool, chosen->server))
		if (!kept_make_room(t->up, chosen->server))
			return (UPSTREAM_FULL);
	t->server = upstream_server_ref(chosen->server);
	return (try_server(t));
}

/* From a choice on, from server to server, until one takes the connection, has to be
 * waited for, or none is left, which `rc` then says the reason of. */
static enum upstream_rc
try_on(struct try *t, enum choice choice, struct chosen *chosen, enum upstream_rc rc)
{
	enum upstream_rc outcome;

	for (;; choice = choose(t->up, t->pool, t->ask, chosen)) {
		if (choice == CHOICE_NOBODY)
			return (rc);
		if (choice == CHOICE_WAIT) {
			if (queue_enter(t))
				return (UPSTREAM_WAIT);
			return (try_failed(t, UPSTREAM_FULL,
			    "queue full: all servers have max_connections"));
		}
		outcome = try_chosen(t, chosen);
		if (outcome == UPSTREAM_WAIT || outcome == UPSTREAM_READY)
			return (outcome);
		if (outcome == UPSTREAM_FULL)
			continue;
		rc = outcome;
		try_blame(t);
	}
}

/* Writes the outcome into the ask; t is gone then. */
static enum upstream_rc
try_finish(struct try *t, enum upstream_rc rc)
{
	struct upstream_ask *ask = t->ask;

	ask->rc = rc;
	if (rc == UPSTREAM_READY) {
		ask->error = NULL;
		(void)conn_lend(t->up, ask, t->conn);
	}
	try_free(t);
	return (rc);
}

/* From the loop: what is left to do came to `rc`. */
static void
try_end(struct try *t, enum upstream_rc rc)
{
	struct upstream_ask *ask = t->ask;

	if (rc == UPSTREAM_WAIT)
		return;
	(void)try_finish(t, rc);
	ask->ready(ask);
}

/* From the loop: the attempt under way came to `rc`. */
static void
try_step(struct try *t, enum upstream_rc rc)
{
	struct chosen chosen;
	enum choice choice;

	if (rc != UPSTREAM_WAIT && rc != UPSTREAM_READY) {
		try_blame(t);
		choice = choose(t->up, t->pool, t->ask, &chosen);
		rc = try_on(t, choice, &chosen, rc);
	}
	try_end(t, rc);
}

bool
try_resume(struct try *t)
{
	struct chosen chosen;
	enum choice choice;

	choice = choose(t->up, t->pool, t->ask, &chosen);
	if (choice == CHOICE_WAIT)
		return (false);
	queue_leave(t);
	if (choice == CHOICE_NOBODY && t->ask->error == NULL)
		t->ask->error = "every server is drained";
	try_end(t, try_on(t, choice, &chosen, UPSTREAM_REFUSED));
	return (true);
}

void
try_overdue(struct try *t)
{
	try_end(t, try_failed(t, UPSTREAM_FULL,
		       "waited too long: all servers have max_connections"));
}

static struct try *
try_new(struct upstream *up, struct upstream_pool *pool, struct upstream_ask *ask)
{
	struct try *t;

	t = mem_zalloc(sizeof(*t));
	t->magic = TRY_MAGIC;
	t->up = up;
	t->pool = upstream_pool_ref(pool);
	t->ask = ask;
	t->fd = -1;
	loop_io_init(&t->io, up->loop, -1, try_ready, t);
	loop_timer_init(&t->timer, up->loop, try_timeout, t);
	ask->work = t;
	up->asking++;
	return (t);
}

enum upstream_rc
upstream_get(struct upstream *up, struct upstream_pool *pool, struct upstream_ask *ask)
{
	struct chosen chosen;
	enum upstream_rc rc;
	enum choice choice;
	struct conn *c;
	struct try *t;

	CHECK_OBJ(up, UPSTREAM_MAGIC);
	CHECK_OBJ(pool, POOL_MAGIC);
	ask->conn = NULL;
	ask->error = NULL;
	ask->work = NULL;
	/* behind those who wait already, but not for what they can't have */
	choice = queue_has(up, pool) && !choose_has_own(up, pool, ask)
		     ? CHOICE_WAIT
		     : choose(up, pool, ask, &chosen);
	if (choice == CHOICE_SERVER && !ask->fresh && !chosen.probe) {
		c = kept_take(up, chosen.server);
		if (c != NULL) {
			c->pub.cookie_anew = chosen.cookie_anew;
			return (conn_lend(up, ask, c));
		}
	}
	if (choice == CHOICE_NOBODY)
		ask->error =
		    ask->tries != NULL ? "no other server" : "every server is drained";
	t = try_new(up, pool, ask);
	rc = try_on(t, choice, &chosen, UPSTREAM_REFUSED);
	if (rc != UPSTREAM_WAIT)
		return (try_finish(t, rc));
	ask->rc = rc;
	return (rc);
}

void
upstream_cancel(struct upstream *up, struct upstream_ask *ask)
{
	struct try *t;

	CHECK_OBJ(up, UPSTREAM_MAGIC);
	if (ask->work == NULL)
		return;
	CAST_OBJ(t, ask->work, TRY_MAGIC);
	CHECK(t->up == up);
	try_free(t);
}
