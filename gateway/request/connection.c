/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection from the accept to the close. */
#include "config.h"

#include "gateway/request/connection.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/log.h"
#include "gateway/net/proxy_header.h"
#include "gateway/request/request.h"

#define LINGER_US (2 * CLOCK_SECOND)
#define MOVES_PER_RUN 12 /* about four pipelined requests */
#define WASTES_PER_RUN 32 /* reads of what nobody wants */
#define WARN_EVERY_US (60 * CLOCK_SECOND)

static void
conn_free(struct conn *c)
{
	struct worker *w;

	w = c->worker;
	if (c->request != NULL)
		request_free(c->request);
	loop_io_stop(&c->io);
	loop_timer_stop(&c->timer);
	buf_give(w->buffers, &c->in);
	if (c->stream == NULL)
		w->n_refreshes--;
	else
		connlimit_leave(w->limits, &c->counted);
	if (c->cut && c->stream != NULL)
		stream_reset(&c->stream);
	else if (c->stream != NULL)
		stream_close(&c->stream);
	TAILQ_REMOVE(&w->conns, c, link);
	c->magic = 0;
	free(c);
	if (w->draining && TAILQ_EMPTY(&w->conns))
		w->drained(w);
}

static void
conn_on_io(struct loop_io *io, unsigned events)
{
	struct conn *c;

	CAST_OBJ(c, io->data, CONN_MAGIC);
	if ((events & LOOP_READ) != 0)
		c->readable = true;
	conn_run(c);
}

static void
conn_on_timer(struct loop_timer *timer)
{
	struct conn *c;
	int64_t now;

	CAST_OBJ(c, timer->data, CONN_MAGIC);
	now = clock_mono_us();
	if (c->deadline_us == 0)
		return;
	if (now < c->deadline_us)
		loop_timer_set(&c->timer, c->deadline_us - now);
	else
		conn_run(c);
}

/* Behind the PROXY header, if there is one. */
static enum conn_state
first_state(const struct conn *c)
{
	return (c->entrance->tls != NULL ? CONN_HANDSHAKE : CONN_IDLE);
}

void
conn_new(struct worker *w, const struct entrance *entrance, const struct arrival *new)
{
	struct conn *c;

	c = mem_zalloc(sizeof(*c));
	c->magic = CONN_MAGIC;
	c->worker = w;
	c->entrance = entrance;
	c->peer = c->client = new->peer;
	c->local = new->local;
	c->counted = new->counted;
	c->readable = true;
	c->state = first_state(c);
	if (entrance->conf->proxy_protocol != CONF_PROXY_OFF)
		c->state = CONN_PROXY;
	c->stream = entrance->tls != NULL ? tls_accept(entrance->tls, new->fd)
					  : stream_plain(new->fd);
	loop_io_init(&c->io, w->loop, new->fd, conn_on_io, c);
	loop_timer_init(&c->timer, w->loop, conn_on_timer, c);
	TAILQ_INSERT_TAIL(&w->conns, c, link);
	conn_progress(c);
	conn_run(c);
}

struct conn *
conn_new_inner(const struct conn *like, struct span head)
{
	struct worker *w;
	struct conn *c;

	w = like->worker;
	c = mem_zalloc(sizeof(*c));
	c->magic = CONN_MAGIC;
	c->worker = w;
	c->entrance = like->entrance;
	c->peer = like->peer;
	c->local = like->local;
	c->client = like->client;
	c->proxied = like->proxied;
	c->tls = like->tls;
	c->has_tls = like->has_tls;
	c->state = CONN_REQUEST;
	loop_io_init(&c->io, w->loop, -1, conn_on_io, c);
	loop_timer_init(&c->timer, w->loop, conn_on_timer, c);
	TAILQ_INSERT_TAIL(&w->conns, c, link);
	w->n_refreshes++;
	buf_take(w->buffers, &c->in);
	buf_put(&c->in, head.p, head.n);
	c->deadline_us = clock_mono_us();
	loop_timer_set(&c->timer, 0);
	return (c);
}

void
conn_wait(struct conn *c, enum stream_rc rc)
{
	c->wants |= rc == STREAM_WANT_WRITE ? LOOP_WRITE : LOOP_READ;
}

void
conn_yield(struct conn *c)
{
	c->yields = true;
}

void
conn_progress(struct conn *c)
{
	c->progress_us = loop_now_us(c->worker->loop);
}

bool
conn_overdue(struct conn *c, int64_t limit_us)
{
	int64_t now, deadline;

	now = clock_mono_us();
	deadline = c->progress_us + limit_us;
	if (now >= deadline)
		return (true);
	if (c->deadline_us == 0 || deadline < c->deadline_us) {
		c->deadline_us = deadline;
		loop_timer_set(&c->timer, deadline - now);
	}
	return (false);
}

enum stream_rc
conn_receive(struct conn *c, char *to, size_t size, size_t *n_r)
{
	enum stream_rc rc;

	if (!c->readable && !stream_pending(c->stream))
		return (STREAM_WANT_READ);
	rc = stream_read(c->stream, to, size, n_r);
	if (rc == STREAM_OK)
		conn_progress(c);
	/* a read that has to write first is tried again when that is possible */
	c->readable = (rc == STREAM_OK && *n_r == size) || rc == STREAM_WANT_WRITE;
	return (rc);
}

/* Appends what comes to `to`. STREAM_OK: there is something new. */
static enum stream_rc
conn_read(struct conn *c, struct buf *to)
{
	enum stream_rc rc;
	size_t n;

	buf_take(c->worker->buffers, to);
	if (buf_room(to) == 0)
		return (STREAM_ERROR);
	rc = conn_receive(c, to->mem + to->end, buf_room(to), &n);
	if (rc == STREAM_OK)
		to->end += n;
	return (rc);
}

void
conn_watch(struct conn *c)
{
	struct buf *to;
	enum stream_rc rc;

	if (c->gone || c->stream == NULL || !c->request->body_done)
		return;
	/* behind the last byte that came, wherever that is */
	to = c->request->block.mem != NULL ? &c->request->block : &c->in;
	if (buf_room(to) == 0)
		return;
	rc = conn_read(c, to);
	if (rc == STREAM_OK)
		c->wants |= LOOP_READ;
	else if (rc == STREAM_WANT_READ || rc == STREAM_WANT_WRITE)
		conn_wait(c, rc);
	else
		c->gone = true;
}

/* Whoever sends PROXY headers was set up to do so: what goes wrong is a mistake in
 * somebody's configuration, and worth a line now and then. */
static bool
refuse_proxy(struct conn *c, const char *why)
{
	char text[NETADDR_TEXT_MAX];
	enum log_level level;
	int64_t now;

	now = loop_now_us(c->worker->loop);
	level = LOG_LEVEL_DEBUG;
	if (c->worker->proxy_warned_us == 0 ||
	    now - c->worker->proxy_warned_us >= WARN_EVERY_US) {
		c->worker->proxy_warned_us = now;
		level = LOG_LEVEL_WARN;
	}
	log_line(level, "proxy", "connection from %s closed: %s",
	    netaddr_text(&c->peer, text), why);
	c->cut = true;
	c->state = CONN_CLOSED;
	return (true);
}

/* The connection is the client's now whom the proxy speaks for: it counts for that
 * one, and that one may be shut out. */
static bool
take_client(struct conn *c, const struct netaddr *source)
{
	struct netaddr counted = { .family = NETADDR_NONE };
	enum listener_rc rc;

	c->client = netaddr_unwrap(source);
	c->proxied = true;
	rc = LISTENER_COUNT;
	if (c->worker->admit != NULL)
		rc = c->worker->admit(c->worker, &c->client);
	if (rc == LISTENER_COUNT)
		counted = c->client;
	if (rc == LISTENER_REFUSE ||
	    !connlimit_move(c->worker->limits, &c->counted, &counted)) {
		c->cut = true;
		c->state = CONN_CLOSED;
		return (true);
	}
	c->counted = counted;
	return (false);
}

/* Looks at what has come behind c->in, without taking it from the socket: what is
 * behind the header may be TLS's. STREAM_OK: there is something. */
static enum stream_rc
peek_proxy(struct conn *c, size_t *n_r)
{
	ssize_t got;

	do {
		got = recv(c->stream->fd, c->in.mem + c->in.end,
		    PROXY_HEADER_MAX - buf_len(&c->in), MSG_PEEK);
	} while (got < 0 && errno == EINTR);
	*n_r = got > 0 ? (size_t)got : 0;
	if (got < 0 && errno == EAGAIN)
		return (STREAM_WANT_READ);
	return (got > 0 ? STREAM_OK : STREAM_EOF);
}

/* Takes `n` bytes that were looked at from the socket, to the end of c->in. */
static bool
consume_proxy(struct conn *c, size_t n)
{
	ssize_t got;

	while (n > 0) {
		got = recv(c->stream->fd, c->in.mem + c->in.end, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return (false);
		c->in.end += (size_t)got;
		n -= (size_t)got;
	}
	return (true);
}

/* No header at all. Its bytes so far stay in c->in, where a request begins; TLS
 * reads from the socket and can't be given them. */
static bool
without_proxy(struct conn *c)
{
	if (c->entrance->conf->proxy_protocol == CONF_PROXY_REQUIRE)
		return (refuse_proxy(c, "no PROXY header, which the listener requires"));
	if (c->entrance->tls != NULL && buf_len(&c->in) > 0)
		return (refuse_proxy(c, "neither a PROXY header nor TLS"));
	if (buf_len(&c->in) == 0)
		buf_give(c->worker->buffers, &c->in);
	c->state = first_state(c);
	conn_progress(c);
	return (true);
}

static bool
with_proxy(struct conn *c, const struct proxy_header *header)
{
	if (!consume_proxy(c, header->bytes - buf_len(&c->in))) {
		c->state = CONN_CLOSED;
		return (true);
	}
	buf_give(c->worker->buffers, &c->in);
	if (!header->local && take_client(c, &header->source))
		return (true);
	c->state = first_state(c);
	conn_progress(c);
	return (true);
}

/* Nothing but time passes between its pieces: progress does not push the deadline
 * back. */
static bool
wait_for_proxy(struct conn *c)
{
	if (conn_overdue(c, c->worker->snapshot->conf->timeouts.header))
		return (refuse_proxy(c, "no whole PROXY header in time"));
	conn_wait(c, STREAM_WANT_READ);
	return (false);
}

static bool
advance_proxy(struct conn *c)
{
	struct proxy_header header;
	size_t n;

	if (!identity_is_trusted(c->worker->snapshot->identity, &c->peer)) {
		if (c->entrance->conf->proxy_protocol == CONF_PROXY_REQUIRE)
			return (refuse_proxy(c, "not one of identity.trusted_proxies"));
		/* what it sends is its own, a header too */
		c->state = first_state(c);
		return (true);
	}
	buf_take(c->worker->buffers, &c->in);
	switch (peek_proxy(c, &n)) {
	case STREAM_OK: break;
	case STREAM_WANT_READ: return (wait_for_proxy(c));
	default: c->state = CONN_CLOSED; return (true);
	}
	switch (proxy_header_parse(
	    span_mem(c->in.mem + c->in.start, buf_len(&c->in) + n), &header)) {
	case PROXY_MORE:
		if (!consume_proxy(c, n))
			c->state = CONN_CLOSED;
		return (true);
	case PROXY_DONE: return (with_proxy(c, &header));
	case PROXY_NONE: return (without_proxy(c));
	case PROXY_BAD: return (refuse_proxy(c, header.problem));
	}
	WRONG("PROXY header");
}

static bool
advance_handshake(struct conn *c)
{
	enum stream_rc rc;

	rc = stream_handshake(c->stream);
	if (rc == STREAM_WANT_READ || rc == STREAM_WANT_WRITE) {
		if (conn_overdue(c, c->worker->snapshot->conf->timeouts.handshake)) {
			c->state = CONN_CLOSED;
			return (true);
		}
		conn_wait(c, rc);
		return (false);
	}
	if (rc != STREAM_OK && rc != STREAM_PLAIN_HTTP) {
		if (c->stream->error != NULL)
			log_debug("tls", "handshake failed: %s", c->stream->error);
		c->state = CONN_CLOSED;
		return (true);
	}
	c->readable = true;
	c->has_tls = rc == STREAM_OK && tls_info(c->stream, &c->tls);
	c->plain_on_tls = rc == STREAM_PLAIN_HTTP;
	c->state = CONN_IDLE;
	conn_progress(c);
	return (true);
}

/* Empty lines before a request (RFC 9112 2.2) do not begin one. */
static void
skip_empty_lines(struct conn *c)
{
	while (buf_len(&c->in) >= 2 && c->in.mem[c->in.start] == '\r' &&
	       c->in.mem[c->in.start + 1] == '\n')
		buf_drain(&c->in, 2);
}

static bool
advance_idle(struct conn *c)
{
	const struct conf *conf;
	enum stream_rc rc;
	int64_t since;

	conf = c->worker->snapshot->conf;
	if (buf_len(&c->in) > 0)
		skip_empty_lines(c);
	if (buf_len(&c->in) > 0) {
		buf_compact(&c->in); /* the parser's spans must not move later */
		c->state = CONN_HEAD;
		return (true);
	}
	if (c->served && c->worker->draining) {
		c->state = CONN_CLOSED;
		return (true);
	}
	since = c->progress_us;
	rc = conn_read(c, &c->in);
	c->progress_us = since; /* empty lines alone keep nothing open */
	if (rc == STREAM_OK)
		return (true);
	buf_give(c->worker->buffers, &c->in);
	if ((rc != STREAM_WANT_READ && rc != STREAM_WANT_WRITE) ||
	    conn_overdue(
		c, c->served ? conf->timeouts.keepalive : conf->timeouts.header)) {
		c->state = CONN_CLOSED;
		return (true);
	}
	conn_wait(c, rc);
	return (false);
}

/* A head that does not become complete: progress does not push the deadline
 * back, or a byte now and then would hold the connection for ever. */
static bool
wait_for_head(struct conn *c)
{
	struct request *req;
	enum stream_rc rc;

	req = c->request;
	c->progress_us = req->began_us;
	if (conn_overdue(c, c->worker->snapshot->conf->timeouts.header)) {
		request_malformed(req, H1_ODD_NONE);
		request_refuse(req, 408, "protocol", "request head timed out");
		c->state = CONN_REQUEST;
		return (true);
	}
	rc = conn_read(c, &c->in);
	if (rc == STREAM_OK)
		return (true);
	if (rc != STREAM_WANT_READ && rc != STREAM_WANT_WRITE) {
		c->state = CONN_CLOSED;
		return (true);
	}
	c->progress_us = req->began_us;
	conn_wait(c, rc);
	return (false);
}

static bool
advance_head(struct conn *c)
{
	struct request *req;

	if (c->request == NULL)
		c->request = request_new(c);
	req = c->request;
	switch (h1_head_push(&req->head, buf_span(&c->in))) {
	case H1_MORE: return (wait_for_head(c));
	case H1_DONE: request_begin(req); break;
	case H1_BAD: request_malformed(req, req->head.oddity); break;
	}
	c->state = CONN_REQUEST;
	conn_progress(c);
	return (true);
}

/* What came behind the request is the beginning of the next one. */
static void
keep_the_rest(struct conn *c, struct request *req)
{
	struct worker *w;

	w = c->worker;
	if (req->block.mem != NULL) {
		buf_drain(&req->block, req->block_used);
		buf_give(w->buffers, &c->in);
		c->in = req->block;
		req->block = (struct buf){ 0 };
	} else if (req->head.head_bytes <= buf_len(&c->in)) {
		buf_drain(&c->in, req->head.head_bytes);
	}
}

/* A client that announced its last request sends nothing behind it (RFC 9112 9.6):
 * where nothing did come, no byte of its can turn the close into a reset. */
static bool
may_close_now(struct conn *c, const struct request *req)
{
	if (req->head.keepalive || !req->body_done || req->refusal.status != 0 ||
	    req->block.mem != NULL || buf_len(&c->in) != req->head.head_bytes)
		return (false);
	/* TLS has to say that this is the end; a plain close says it */
	return (!c->has_tls || stream_finish(c->stream) == STREAM_OK);
}

static enum conn_state
state_after(struct conn *c, const struct request *req, bool again)
{
	if (again)
		return (CONN_IDLE);
	if (c->gone || c->cut || c->stream == NULL || may_close_now(c, req))
		return (CONN_CLOSED);
	return (CONN_LINGER);
}

static bool
advance_request(struct conn *c)
{
	struct request *req;
	bool again;

	req = c->request;
	if (!c->worker->run(req))
		return (false);
	again = req->keepalive && req->body_done && !req->cut && !c->gone &&
		c->stream != NULL;
	if (again)
		keep_the_rest(c, req);
	/* what did not get to its end must not look as if it had */
	c->cut = req->cut || c->gone;
	c->state = state_after(c, req, again);
	c->request = NULL;
	request_free(req);
	c->served = true;
	conn_progress(c);
	return (true);
}

/* A close with unread bytes would reset the connection and could take the answer
 * from the client (RFC 9112 9.6): what it still sends is read and dropped, for
 * a short while. */
static bool
advance_linger(struct conn *c)
{
	char waste[4096];
	enum stream_rc rc;
	unsigned reads;
	size_t n;

	rc = stream_finish(c->stream);
	for (reads = 0; rc == STREAM_OK && reads < WASTES_PER_RUN; reads++)
		rc = stream_read(c->stream, waste, sizeof(waste), &n);
	if (rc == STREAM_OK)
		conn_yield(c);
	else if (rc == STREAM_WANT_READ || rc == STREAM_WANT_WRITE)
		conn_wait(c, rc);
	else
		c->state = CONN_CLOSED;
	if (c->state != CONN_CLOSED && !conn_overdue(c, LINGER_US))
		return (false);
	c->state = CONN_CLOSED;
	return (true);
}

/* One move; false when there is nothing to do but wait. */
static bool
conn_advance(struct conn *c)
{
	switch (c->state) {
	case CONN_PROXY: return (advance_proxy(c));
	case CONN_HANDSHAKE: return (advance_handshake(c));
	case CONN_IDLE: return (advance_idle(c));
	case CONN_HEAD: return (advance_head(c));
	case CONN_REQUEST: return (advance_request(c));
	case CONN_LINGER: return (advance_linger(c));
	case CONN_CLOSED: return (false);
	}
	WRONG("connection state");
}

void
conn_run(struct conn *c)
{
	unsigned moves;

	CHECK_OBJ(c, CONN_MAGIC);
	if (c->running)
		return;
	c->running = true;
	moves = 0;
	do {
		c->wants = 0;
		c->deadline_us = 0;
		c->yields = false;
	} while (conn_advance(c) && ++moves < MOVES_PER_RUN);
	c->running = false;
	if (c->state == CONN_CLOSED) {
		conn_free(c);
		return;
	}
	if (c->yields || moves == MOVES_PER_RUN) {
		c->deadline_us = clock_mono_us();
		loop_timer_set(&c->timer, 0);
	}
	if (c->stream != NULL)
		loop_io_want(&c->io, c->wants);
}

void
conn_drain(struct conn *c)
{
	if (c->state == CONN_PROXY || c->state == CONN_HANDSHAKE ||
	    c->state == CONN_IDLE) {
		c->state = CONN_CLOSED;
		conn_run(c);
	}
}

void
conn_abort(struct conn *c)
{
	if (c->request != NULL)
		c->request->spool.busy = false; /* the job threads have ended */
	c->cut = true;
	conn_free(c);
}
