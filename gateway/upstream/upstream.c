/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of one worker thread to origins: made, lent, kept, closed. */
#include "config.h"

#include "gateway/upstream/upstream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/upstream/pool.h"

/* A unix socket whose backlog is full can't be waited for: asked again. */
#define UNIX_RETRY_US (5 * CLOCK_MS)
#define KEPT_BUCKETS 64u

#define CONN_MAGIC 0xc0991ec7u
struct conn {
	struct upstream_conn pub; /* first: lent as a pointer to it */
	struct upstream *up;
	struct upstream_pool *pool;
	struct loop_timer timer; /* while idle */
	struct conn *newer, *older; /* while idle */
};

struct kept_server {
	struct conn *newest, *oldest;
	uint32_t n;
};

/* Idle connections of one pool; there while it has any. */
struct kept {
	struct upstream_pool *pool; /* its connections hold the reference */
	struct kept *next;
	uint32_t n;
	struct kept_server servers[];
};

#define UPSTREAM_MAGIC 0x0b5743a3u
struct upstream {
	unsigned magic;
	struct loop *loop;
	uint32_t lent, asking;
	struct kept *kept[KEPT_BUCKETS];
};

/* An ask that needs a new connection: goes through servers and addresses. */
#define TRY_MAGIC 0x7279aa11u
struct
try {
	unsigned magic;
	struct upstream *up;
	struct upstream_pool *pool;
	struct upstream_ask *ask;
	bool fresh;
	uint32_t server;
	uint32_t address; /* the one being connected */
	uint32_t n_addresses; /* of this server, tried so far */
	bool blame; /* the failure is the server's, not ours */
	bool again; /* connect when the timer ends */
	int fd; /* while connecting; then the stream's */
	struct stream *stream;
	struct loop_io io;
	struct loop_timer timer;
	int64_t deadline_us;
	struct conn *conn; /* of success */
	uint8_t tried[];
};

static enum upstream_rc try_server(struct try *);

struct upstream *
upstream_new(struct loop *loop)
{
	struct upstream *up = mem_zalloc(sizeof(*up));

	up->magic = UPSTREAM_MAGIC;
	up->loop = loop;
	return (up);
}

/* --- kept connections ---------------------------------------------------- */

static struct kept **
kept_find(struct upstream *up, const struct upstream_pool *pool)
{
	uintptr_t hash = (uintptr_t)pool >> 6;
	struct kept **at = &up->kept[(hash ^ (hash >> 6)) % KEPT_BUCKETS];

	while (*at != NULL && (*at)->pool != pool)
		at = &(*at)->next;
	return (at);
}

static void
kept_take_out(struct conn *c)
{
	struct kept **at = kept_find(c->up, c->pool), *kept = *at;
	struct kept_server *sv;

	CHECK(kept != NULL);
	sv = &kept->servers[c->pub.server];
	if (c->newer != NULL)
		c->newer->older = c->older;
	else
		sv->newest = c->older;
	if (c->older != NULL)
		c->older->newer = c->newer;
	else
		sv->oldest = c->newer;
	c->newer = c->older = NULL;
	sv->n--;
	loop_timer_stop(&c->timer);
	if (--kept->n == 0) {
		*at = kept->next;
		free(kept);
	}
}

static void
kept_put_in(struct conn *c)
{
	struct kept **at = kept_find(c->up, c->pool), *kept = *at;
	struct kept_server *sv;

	if (kept == NULL) {
		kept = mem_zalloc(
		    sizeof(*kept) + c->pool->n_servers * sizeof(kept->servers[0]));
		kept->pool = c->pool;
		*at = kept;
	}
	sv = &kept->servers[c->pub.server];
	c->newer = NULL;
	c->older = sv->newest;
	if (sv->newest != NULL)
		sv->newest->newer = c;
	else
		sv->oldest = c;
	sv->newest = c;
	sv->n++;
	kept->n++;
}

/* --- connections --------------------------------------------------------- */

static struct conn *
conn_of(void *data)
{
	struct conn *c = data;

	CHECK_OBJ(&c->pub, CONN_MAGIC);
	return (c);
}

static void
conn_close(struct conn *c)
{
	loop_io_stop(&c->pub.io);
	loop_timer_stop(&c->timer);
	stream_close(&c->pub.stream);
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

static void
idle_readable(struct loop_io *io, unsigned events)
{
	struct conn *c = conn_of(io->data);

	(void)events;
	if (conn_is_quiet(c))
		return;
	kept_take_out(c);
	conn_close(c);
}

static void
idle_timeout(struct loop_timer *timer)
{
	struct conn *c = conn_of(timer->data);

	kept_take_out(c);
	conn_close(c);
}

static struct conn *
conn_new(struct upstream *up, struct upstream_pool *pool, uint32_t server,
    struct stream *stream)
{
	struct conn *c = mem_zalloc(sizeof(*c));

	c->pub.magic = CONN_MAGIC;
	c->pub.stream = stream;
	c->pub.host_text = pool->servers[server].host_text;
	c->pub.server = server;
	c->up = up;
	c->pool = upstream_pool_ref(pool);
	loop_io_init(&c->pub.io, up->loop, stream->fd, idle_readable, c);
	loop_timer_init(&c->timer, up->loop, idle_timeout, c);
	return (c);
}

/* The newest idle connection of the server that is still good, or NULL. */
static struct conn *
take_idle(struct upstream *up, struct upstream_pool *pool, uint32_t server)
{
	struct kept *kept;
	struct conn *c;

	for (;;) {
		kept = *kept_find(up, pool);
		if (kept == NULL || kept->servers[server].newest == NULL)
			return (NULL);
		c = kept->servers[server].newest;
		kept_take_out(c);
		if (conn_is_quiet(c)) {
			c->pub.reused = true;
			return (c);
		}
		conn_close(c);
	}
}

static enum upstream_rc
lend(struct upstream *up, struct upstream_ask *ask, struct conn *c)
{
	up->lent++;
	ask->conn = &c->pub;
	ask->rc = UPSTREAM_READY;
	return (UPSTREAM_READY);
}

void
upstream_release(struct upstream *up, struct upstream_conn **conn_p, bool keep)
{
	struct kept_server *sv;
	struct conn *c, *old;

	CHECK_OBJ(up, UPSTREAM_MAGIC);
	if (*conn_p == NULL)
		return;
	c = conn_of(*conn_p);
	*conn_p = NULL;
	CHECK(c->up == up && up->lent > 0);
	up->lent--;
	if (!keep || c->pool->idle_max == 0 || c->pool->idle_us <= 0 ||
	    stream_pending(c->pub.stream)) {
		conn_close(c);
		return;
	}
	kept_put_in(c);
	loop_io_hand(&c->pub.io, idle_readable, c);
	loop_io_want(&c->pub.io, LOOP_READ);
	loop_timer_set(&c->timer, c->pool->idle_us);
	sv = &(*kept_find(up, c->pool))->servers[c->pub.server];
	if (sv->n > c->pool->idle_max) {
		old = sv->oldest;
		kept_take_out(old);
		conn_close(old);
	}
}

static void
kept_close(struct kept *kept)
{
	/* the last connection takes the pool with it */
	uint32_t i, n = kept->pool->n_servers;
	struct conn *c, *older;

	for (i = 0; i < n; i++) {
		for (c = kept->servers[i].newest; c != NULL; c = older) {
			older = c->older;
			conn_close(c);
		}
	}
	free(kept);
}

void
upstream_free(struct upstream **up_p)
{
	struct upstream *up = *up_p;
	struct kept *kept;
	uint32_t bucket;

	*up_p = NULL;
	if (up == NULL)
		return;
	CHECK_OBJ(up, UPSTREAM_MAGIC);
	CHECK(up->lent == 0 && up->asking == 0);
	for (bucket = 0; bucket < KEPT_BUCKETS; bucket++) {
		while ((kept = up->kept[bucket]) != NULL) {
			up->kept[bucket] = kept->next;
			kept_close(kept);
		}
	}
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
}

static void
try_free(struct try *t)
{
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

/* Text of a connect that failed; static, as records keep it. */
static const char *
connect_text(int error)
{
	switch (error) {
	case ECONNREFUSED: return ("connection refused");
	case ENOENT: return ("no such socket");
	case EACCES:
	case EPERM: return ("connection not permitted");
	case ENETUNREACH: return ("network unreachable");
	case EHOSTUNREACH: return ("host unreachable");
	case ETIMEDOUT: return ("connection timed out");
	case ECONNRESET: return ("connection reset");
	case EADDRNOTAVAIL: return ("no local port left");
	case EMFILE:
	case ENFILE: return ("too many open files");
	case ENOBUFS:
	case ENOMEM: return ("out of socket memory");
	default: return ("connection failed");
	}
}

/* Is it the server that is in trouble, or this host? */
static bool
is_servers_fault(int error)
{
	return (error != EADDRNOTAVAIL && error != EMFILE && error != ENFILE &&
		error != ENOBUFS && error != ENOMEM);
}

static enum upstream_rc
try_refused(struct try *t, int error)
{
	t->blame = is_servers_fault(error);
	return (try_failed(t, error == ETIMEDOUT ? UPSTREAM_TIMEOUT : UPSTREAM_REFUSED,
	    connect_text(error)));
}

static enum upstream_rc
try_succeeded(struct try *t)
{
	pool_mark_up(t->pool, t->server, t->address);
	t->conn = conn_new(t->up, t->pool, t->server, t->stream);
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
	const struct pool_server *sv = &t->pool->servers[t->server];

	if (!sv->https) {
		t->stream = stream_plain(t->fd);
		return (try_succeeded(t));
	}
	t->stream = tls_connect(t->pool->tls, t->fd, sv->tls_name);
	return (try_handshake(t));
}

static enum upstream_rc
try_connect(struct try *t)
{
	const struct pool_address *to =
	    &t->pool->servers[t->server].addresses[t->address];

	if (connect(t->fd, (const struct sockaddr *)&to->sa, to->n) == 0)
		return (try_connected(t));
	switch (errno) {
	case EINPROGRESS:
	case EINTR: loop_io_want(&t->io, LOOP_WRITE); return (UPSTREAM_WAIT);
	case EAGAIN:
		if (to->sa.ss_family == AF_UNIX) {
			t->again = true;
			loop_timer_set(&t->timer, UNIX_RETRY_US);
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

/* Begins with the address t->address. */
static enum upstream_rc
try_address(struct try *t)
{
	const struct pool_address *to =
	    &t->pool->servers[t->server].addresses[t->address];
	const int on = 1;

	t->blame = true;
	t->again = false;
	t->fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd == -1)
		return (try_refused(t, errno));
	if (to->sa.ss_family != AF_UNIX) {
		/* Neither is needed for the connection to work. */
		(void)setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(t->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	loop_io_init(&t->io, t->up->loop, t->fd, try_ready, t);
	loop_timer_init(&t->timer, t->up->loop, try_timeout, t);
	t->deadline_us = loop_now_us(t->up->loop) + t->pool->connect_us;
	loop_timer_set(&t->timer, t->pool->connect_us);
	return (try_connect(t));
}

/* The next server that was not tried: those without a failure lately first. */
static bool
next_server(struct try *t)
{
	int64_t now_us = loop_now_us(t->up->loop);
	uint32_t i, at, next = UINT32_MAX;

	for (i = 1; i < t->pool->n_servers; i++) {
		at = (t->server + i) % t->pool->n_servers;
		if (t->tried[at])
			continue;
		if (!pool_is_down(t->pool, at, now_us)) {
			next = at;
			break;
		}
		if (next == UINT32_MAX)
			next = at;
	}
	if (next == UINT32_MAX)
		return (false);
	t->server = next;
	return (true);
}

/* An attempt ended with `rc`: goes on to the next address, then the next
 * server, until one takes the connection, has to be waited for, or none is
 * left. */
static enum upstream_rc
try_on(struct try *t, enum upstream_rc rc)
{
	const struct pool_server *sv;

	while (rc != UPSTREAM_WAIT && rc != UPSTREAM_READY) {
		try_drop(t);
		sv = &t->pool->servers[t->server];
		if (++t->n_addresses < sv->n_addresses) {
			t->address = (t->address + 1) % sv->n_addresses;
			rc = try_address(t);
			continue;
		}
		if (t->blame)
			pool_mark_down(t->pool, t->server, loop_now_us(t->up->loop));
		if (!next_server(t))
			break;
		rc = try_server(t);
	}
	return (rc);
}

/* Begins with the server t->server. */
static enum upstream_rc
try_server(struct try *t)
{
	const struct pool_server *sv = &t->pool->servers[t->server];

	t->tried[t->server] = 1;
	t->n_addresses = 0;
	t->address =
	    atomic_load_explicit(&sv->first, memory_order_relaxed) % sv->n_addresses;
	if (!t->fresh) {
		t->conn = take_idle(t->up, t->pool, t->server);
		if (t->conn != NULL)
			return (UPSTREAM_READY);
	}
	return (try_address(t));
}

/* Writes the outcome into the ask; t is gone then. */
static enum upstream_rc
try_finish(struct try *t, enum upstream_rc rc)
{
	struct upstream_ask *ask = t->ask;

	ask->rc = rc;
	if (rc == UPSTREAM_READY) {
		ask->error = NULL;
		(void)lend(t->up, ask, t->conn);
	}
	try_free(t);
	return (rc);
}

/* From the loop: the attempt under way came to `rc`. */
static void
try_step(struct try *t, enum upstream_rc rc)
{
	struct upstream_ask *ask = t->ask;

	rc = try_on(t, rc);
	if (rc == UPSTREAM_WAIT)
		return;
	(void)try_finish(t, rc);
	ask->ready(ask);
}

enum upstream_rc
upstream_get(
    struct upstream *up, struct upstream_pool *pool, bool fresh, struct upstream_ask *ask)
{
	uint32_t server;
	struct conn *c;
	struct try *t;
	enum upstream_rc rc;

	CHECK_OBJ(up, UPSTREAM_MAGIC);
	CHECK_OBJ(pool, POOL_MAGIC);
	ask->conn = NULL;
	ask->error = NULL;
	ask->work = NULL;
	server = pool_turn(pool, loop_now_us(up->loop));
	if (!fresh) {
		c = take_idle(up, pool, server);
		if (c != NULL)
			return (lend(up, ask, c));
	}
	t = mem_zalloc(sizeof(*t) + pool->n_servers);
	t->magic = TRY_MAGIC;
	t->up = up;
	t->pool = upstream_pool_ref(pool);
	t->ask = ask;
	t->fresh = fresh;
	t->server = server;
	t->fd = -1;
	loop_io_init(&t->io, up->loop, -1, try_ready, t);
	loop_timer_init(&t->timer, up->loop, try_timeout, t);
	ask->work = t;
	up->asking++;
	rc = try_on(t, try_server(t));
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
