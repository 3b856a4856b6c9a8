/* SPDX-License-Identifier: Apache-2.0 */
/* One request with an origin: out, and the answer's head and body in. */
#include "config.h"

#include "gateway/request/exchange.h"

#include "gateway/base/check.h"
#include "gateway/request/origin_choice.h"
#include "gateway/request/origin_head.h"
#include "gateway/request/request.h"

#define PIECES_PER_RUN 32 /* of the request's body, about a megabyte */
#define INTERIMS_MAX 32 /* of one answer */

static void
exchange_on_timer(struct loop_timer *timer)
{
	struct request *req;
	int64_t now;

	CAST_OBJ(req, timer->data, REQUEST_MAGIC);
	now = clock_mono_us();
	if (req->origin.deadline_us == 0)
		return;
	if (now < req->origin.deadline_us)
		loop_timer_set(&req->origin.timer, req->origin.deadline_us - now);
	else
		request_wake(req);
}

static void
exchange_on_io(struct loop_io *io, unsigned events)
{
	struct request *req;

	CAST_OBJ(req, io->data, REQUEST_MAGIC);
	if ((events & LOOP_READ) != 0)
		req->origin.readable = true;
	request_wake(req);
}

static void
exchange_on_conn(struct upstream_ask *ask)
{
	struct request *req;

	CAST_OBJ(req, ask->data, REQUEST_MAGIC);
	req->origin.asking = false;
	request_wake(req);
}

void
exchange_init(struct request *req)
{
	struct exchange *x;

	x = &req->origin;
	x->ask.ready = exchange_on_conn;
	x->ask.data = req;
	x->ask.rc = UPSTREAM_WAIT;
	loop_timer_init(&x->timer, req->worker->loop, exchange_on_timer, req);
}

static void
drop_conn(struct request *req, bool keep)
{
	struct exchange *x;

	x = &req->origin;
	x->deadline_us = 0;
	if (x->conn == NULL)
		return;
	upstream_release(req->worker->upstream, &x->conn, keep);
}

void
exchange_end(struct request *req, bool keep)
{
	struct exchange *x;

	x = &req->origin;
	if (x->asking)
		upstream_cancel(req->worker->upstream, &x->ask);
	else if (x->ask.rc == UPSTREAM_READY) /* it came, and nobody took it */
		x->conn = x->ask.conn;
	x->ask.rc = UPSTREAM_WAIT;
	x->asking = false;
	drop_conn(req, keep);
	upstream_forget(&x->ask);
	loop_timer_stop(&x->timer);
	buf_give(x->has_long ? req->worker->long_buffers : req->worker->buffers, &x->in);
	x->has_long = x->is_fast = false;
}

/* True: the origin took too long since `since_us`. */
static bool
origin_overdue(struct exchange *x, int64_t limit_us)
{
	int64_t now;

	now = clock_mono_us();
	if (x->deadline_us == 0) {
		x->deadline_us = now + limit_us;
		loop_timer_set(&x->timer, limit_us);
	}
	return (now >= x->deadline_us);
}

static void
origin_wait(struct exchange *x, enum stream_rc rc)
{
	x->wants |= rc == STREAM_WANT_WRITE ? LOOP_WRITE : LOOP_READ;
}

/* Idempotent methods (RFC 9110 9.2.2). */
static bool
is_safe_twice(const struct request *req)
{
	static const struct span safe[] = { SPAN("GET"), SPAN("HEAD"), SPAN("OPTIONS"),
		SPAN("PUT"), SPAN("DELETE"), SPAN("TRACE") };
	size_t i;

	for (i = 0; i < sizeof(safe) / sizeof(safe[0]); i++)
		if (span_eq(req->http.method, safe[i]))
			return (true);
	return (false);
}

/* The first ask of a request. */
static void
begin_ask(struct request *req)
{
	struct exchange *x;

	x = &req->origin;
	x->chosen = true;
	x->began_us = clock_mono_us();
	origin_choice_fill(req);
	upstream_pool_request(req->place->pool, x->began_us);
}

static enum exchange_rc
take_conn(struct request *req)
{
	struct exchange *x;

	x = &req->origin;
	x->conn = x->ask.conn;
	/* the record is made when the connection may be gone */
	req->origin_text = arena_strdup(req->arena, span_of(x->conn->host_text));
	x->ask.rc = UPSTREAM_WAIT;
	x->readable = x->touched = x->noted = false;
	loop_io_hand(&x->conn->io, exchange_on_io, req);
	h1_response_init(&x->head, &req->snap->limits, x->fields,
	    req->snap->conf->max.fields, req->http.is_head);
	return (EXCHANGE_OK);
}

static enum exchange_rc
ask(struct request *req)
{
	struct exchange *x;

	x = &req->origin;
	if (x->asking)
		return (EXCHANGE_WAIT);
	if (x->ask.rc == UPSTREAM_WAIT) {
		if (!x->chosen)
			begin_ask(req);
		x->ask.rc =
		    upstream_get(req->worker->upstream, req->place->pool, &x->ask);
	}
	switch (x->ask.rc) {
	case UPSTREAM_WAIT: x->asking = true; return (EXCHANGE_WAIT);
	case UPSTREAM_READY: return (take_conn(req));
	default: break;
	}
	/* where a retry finds no other server, what went before counts */
	if (x->failure != NULL)
		return (x->earlier);
	switch (x->ask.rc) {
	case UPSTREAM_TIMEOUT: return (EXCHANGE_TIMEOUT);
	case UPSTREAM_TLS: return (EXCHANGE_BAD);
	default: return (EXCHANGE_NONE);
	}
}

/* Next piece of the request's body into `out`. OK: there is one, or the end. */
static enum exchange_rc
next_piece(struct request *req)
{
	struct exchange *x;
	struct span piece;

	x = &req->origin;
	piece = SPAN_NONE;
	switch (spool_read(&req->spool, req->worker->files, &piece)) {
	case SPOOL_OK: goto put;
	case SPOOL_WAIT: return (EXCHANGE_WAIT);
	case SPOOL_ERROR:
		request_refuse(req, 500, "body", "temporary file failed");
		return (EXCHANGE_REFUSED);
	case SPOOL_END: break;
	}
	if (req->beyond.p != NULL) {
		piece = req->beyond;
		req->beyond = SPAN_NONE;
		x->streaming = true;
		goto put;
	}
	switch (request_body(req, &piece)) {
	case BODY_DATA: x->streaming = true; break;
	case BODY_END:
		if (origin_head_is_chunked(req) && !x->last_chunk)
			sender_put_last_chunk(&x->out);
		else
			x->sent = true;
		x->last_chunk = true;
		return (EXCHANGE_OK);
	case BODY_WAIT:
		x->deadline_us = 0; /* the client is what is slow */
		return (EXCHANGE_WAIT);
	case BODY_REFUSED: return (EXCHANGE_REFUSED);
	case BODY_GONE: return (EXCHANGE_CLIENT_GONE);
	}
put:
	if (origin_head_is_chunked(req))
		sender_put_chunk(&x->out, piece);
	else
		sender_put(&x->out, piece);
	return (EXCHANGE_OK);
}

/* Writes what is in `out`. OK: all of it, or the origin takes no more. */
static enum exchange_rc
flush_request(struct request *req)
{
	struct exchange *x;
	enum stream_rc rc;
	size_t before;

	x = &req->origin;
	before = sender_bytes(&x->out);
	rc = sender_flush(&x->out, x->conn->stream);
	if (sender_bytes(&x->out) < before) {
		x->touched = true;
		x->deadline_us = 0;
	}
	if (rc == STREAM_WANT_READ || rc == STREAM_WANT_WRITE) {
		origin_wait(x, rc);
		return (EXCHANGE_WAIT);
	}
	x->deaf = rc != STREAM_OK;
	x->deadline_us = 0;
	conn_progress(req->conn); /* it is the client's turn from now on */
	return (EXCHANGE_OK);
}

/* Writes as much of the request as goes. OK: all of it, or the origin takes no
 * more of it: its answer counts then. */
static enum exchange_rc
send_request(struct request *req)
{
	struct exchange *x;
	enum exchange_rc rc;
	unsigned pieces;

	x = &req->origin;
	if (!x->began) {
		origin_head_write(req, &x->text);
		if (x->text.overflow) {
			request_refuse(req, 502, "upstream",
			    "the request's head, with the fields that are set, is too "
			    "large");
			return (EXCHANGE_REFUSED);
		}
		sender_put(&x->out, text_span(&x->text));
		x->began = true;
	}
	for (pieces = 0; !x->sent && !x->deaf;) {
		if (!sender_is_empty(&x->out)) {
			if ((rc = flush_request(req)) != EXCHANGE_OK)
				return (rc);
		} else if (++pieces > PIECES_PER_RUN) {
			conn_yield(req->conn);
			return (EXCHANGE_WAIT);
		} else if ((rc = next_piece(req)) != EXCHANGE_OK) {
			return (rc);
		}
	}
	return (EXCHANGE_OK);
}

/* A body that fills the buffer goes on in larger pieces, once the small one is
 * empty and the head in it no longer needed. Not what is held for inspection: it is
 * copied, with room for one small piece too many. */
static void
take_long_buffer(struct request *req)
{
	struct buf large = { 0 };
	struct exchange *x;

	x = &req->origin;
	if (x->has_long || !x->is_fast || !x->has_head || req->hold == HOLD_FILL ||
	    buf_len(&x->in) > 0 ||
	    !buf_try(req->worker->long_buffers, &large, LONG_BUFFERS))
		return;
	buf_give(req->worker->buffers, &x->in);
	x->in = large;
	x->has_long = true;
}

static enum exchange_rc
fill(struct request *req)
{
	struct exchange *x;
	enum stream_rc rc;
	size_t n;

	x = &req->origin;
	take_long_buffer(req);
	buf_take(req->worker->buffers, &x->in);
	if (buf_room(&x->in) == 0)
		buf_compact(&x->in);
	if (buf_room(&x->in) == 0)
		return (EXCHANGE_BAD);
	rc = STREAM_WANT_READ;
	n = 0;
	if (x->readable || stream_pending(x->conn->stream))
		rc = stream_read(
		    x->conn->stream, x->in.mem + x->in.end, buf_room(&x->in), &n);
	x->readable =
	    (rc == STREAM_OK && n == buf_room(&x->in)) || rc == STREAM_WANT_WRITE;
	switch (rc) {
	case STREAM_OK:
		x->is_fast = n == buf_room(&x->in);
		x->in.end += n;
		x->got_byte = true;
		x->deadline_us = 0;
		return (EXCHANGE_OK);
	case STREAM_WANT_READ:
	case STREAM_WANT_WRITE: origin_wait(x, rc); return (EXCHANGE_WAIT);
	case STREAM_EOF: return (EXCHANGE_END);
	default: return (EXCHANGE_BAD);
	}
}

static enum exchange_rc
take_head(struct request *req)
{
	struct exchange *x;
	struct http_response *r;

	x = &req->origin;
	r = &x->response;
	r->status = x->head.status;
	r->reason = x->head.reason;
	r->fields = x->head.fields;
	r->framing = x->head.framing;
	r->content_length = x->head.content_length;
	http_fields_mark_hops(&r->fields);
	x->in.start += x->head.head_bytes;
	if (r->status == 101) {
		x->failure = "101 without an upgrade";
		return (EXCHANGE_BAD);
	}
	if (r->status < 200 && ++x->interims > INTERIMS_MAX) {
		x->failure = "too many interim answers";
		return (EXCHANGE_BAD);
	}
	if (r->status < 200)
		return (EXCHANGE_INTERIM);
	x->failure = NULL; /* of a try before this one */
	h1_body_init(
	    &x->body, r->framing, r->content_length, req->snap->limits.header_bytes);
	x->body_done = r->framing == H1_NO_BODY ||
		       (r->framing == H1_LENGTH && r->content_length == 0);
	x->has_head = true;
	x->head_us = clock_mono_us();
	x->deadline_us = 0;
	return (EXCHANGE_OK);
}

static enum exchange_rc
read_head(struct request *req)
{
	struct exchange *x;
	enum exchange_rc rc;

	x = &req->origin;
	for (;;) {
		if (buf_len(&x->in) > 0)
			switch (h1_head_push(&x->head, buf_span(&x->in))) {
			case H1_DONE: return (take_head(req));
			case H1_BAD:
				x->failure = h1_oddity_text(x->head.oddity);
				return (EXCHANGE_BAD);
			case H1_MORE: break;
			}
		rc = fill(req);
		if (rc == EXCHANGE_END || rc == EXCHANGE_BAD) {
			x->failure = rc == EXCHANGE_END ? "closed without an answer"
							: "connection broke";
			return (EXCHANGE_BAD);
		}
		if (rc != EXCHANGE_OK)
			return (rc);
	}
}

/* What became of the try, once: the servers that fail are left out for a while. */
static void
note(struct request *req, bool failed)
{
	struct exchange *x;

	x = &req->origin;
	if (!x->noted)
		upstream_note(req->worker->upstream, x->conn, failed);
	x->noted = true;
}

/* Nothing of an answer came, and what was sent may be sent again: the method says so
 * (RFC 9110 9.2.2), or nothing was sent. `retries` are after so many. */
static bool
may_retry(struct request *req, uint32_t retries)
{
	struct exchange *x;

	x = &req->origin;
	return (!x->got_byte && !x->streaming && !req->spool.busy &&
		(!x->touched || is_safe_twice(req)) &&
		retries < upstream_pool_conf(req->place->pool)->retries &&
		upstream_pool_retry(req->place->pool, clock_mono_us()));
}

static void
start_over(struct request *req)
{
	struct exchange *x;

	x = &req->origin;
	drop_conn(req, false);
	spool_rewind(&req->spool);
	sender_reset(&x->out);
	x->in.start = x->in.end = 0;
	x->wants = 0;
	x->began = x->sent = x->deaf = x->last_chunk = false;
}

/* The try came to nothing. A kept connection may have been closed by the origin just
 * as the request went out: that is nobody's fault, and a new one may go to the same
 * server. That happens once and is no retry of the count: a server that dies breaks the
 * old connection and, before its listener is closed, the new one too. Else another
 * server is asked. False: it is over. */
static bool
try_again(struct request *req, enum exchange_rc rc)
{
	struct exchange *x;
	bool was_old;

	x = &req->origin;
	was_old = x->conn->reused && !x->got_byte && rc == EXCHANGE_BAD;
	if (!was_old)
		note(req, true);
	if (!may_retry(req, was_old ? 0 : x->retries))
		return (false);
	if (was_old) {
		x->failure = NULL;
	} else {
		upstream_tried(&x->ask, x->conn);
		x->retries++;
	}
	x->ask.fresh = true;
	x->earlier = rc;
	start_over(req);
	return (true);
}

void
exchange_again(struct request *req)
{
	struct exchange *x;

	x = &req->origin;
	exchange_end(req, exchange_may_keep(req));
	sender_reset(&x->out);
	x->in_used = 0;
	x->ask.fresh = x->got_byte = x->has_head = x->body_done = false;
	x->touched = x->noted = false;
	x->began = x->sent = x->deaf = x->last_chunk = false;
	x->failure = NULL;
}

static enum exchange_rc
wait_for_origin(struct request *req)
{
	const struct conf_pool *pool;
	struct exchange *x;
	bool client_is_slow;

	x = &req->origin;
	pool = upstream_pool_conf(req->place->pool);
	client_is_slow = !x->sent && !x->deaf && sender_is_empty(&x->out);
	if (!client_is_slow && origin_overdue(x, x->sent ? pool->timeouts.first_byte
							 : pool->timeouts.idle)) {
		x->failure = "no answer in time";
		return (EXCHANGE_TIMEOUT);
	}
	return (EXCHANGE_WAIT);
}

/* 501 is the client's doing. */
static bool
is_failure(uint16_t status)
{
	return (status >= 500 && status != 501);
}

static void
want_io(struct exchange *x, enum exchange_rc rc)
{
	if (x->conn != NULL)
		loop_io_want(&x->conn->io, rc == EXCHANGE_WAIT ? x->wants : 0);
}

/* All of the answer is here: its connection may serve another request while the
 * client takes the rest. */
static void
release_early(struct request *req)
{
	if (req->origin.body_done && exchange_may_keep(req))
		drop_conn(req, true);
}

/* The head of the answer is here. */
static void
settle(struct request *req)
{
	struct exchange *x;

	x = &req->origin;
	note(req, is_failure(x->response.status));
	if (!x->conn->cookie_anew || !upstream_cookie(x->conn, x->cookie))
		x->cookie[0] = '\0';
	release_early(req);
}

enum exchange_rc
exchange_head(struct request *req)
{
	struct exchange *x;
	enum exchange_rc rc;

	x = &req->origin;
	x->wants = 0;
	for (;;) {
		if (x->conn == NULL && (rc = ask(req)) != EXCHANGE_OK)
			return (rc);
		rc = send_request(req);
		if (rc != EXCHANGE_OK && rc != EXCHANGE_WAIT)
			return (rc);
		rc = read_head(req);
		if (rc == EXCHANGE_WAIT)
			rc = wait_for_origin(req);
		if ((rc == EXCHANGE_BAD || rc == EXCHANGE_TIMEOUT) && try_again(req, rc))
			continue;
		if (rc == EXCHANGE_OK)
			settle(req);
		want_io(x, rc);
		return (rc);
	}
}

void
exchange_interim_done(struct request *req)
{
	struct exchange *x;

	x = &req->origin;
	buf_compact(&x->in);
	h1_response_init(&x->head, &req->snap->limits, x->fields,
	    req->snap->conf->max.fields, req->http.is_head);
}

/* What is in the buffer, decoded. OK with a piece; WAIT: more bytes needed. */
static enum exchange_rc
pull(struct request *req, struct span *piece_r)
{
	struct exchange *x;
	enum h1_rc h1;

	x = &req->origin;
	while (!x->body_done && buf_len(&x->in) > 0) {
		h1 = h1_body_pull(&x->body, buf_span(&x->in), &x->in_used, piece_r);
		if (h1 == H1_BAD) {
			x->failure = h1_oddity_text(x->body.oddity);
			return (EXCHANGE_BAD);
		}
		x->body_done = h1 == H1_DONE;
		if (piece_r->n > 0)
			return (EXCHANGE_OK);
		if (x->in_used == 0)
			break;
		exchange_body_used(req);
	}
	return (x->body_done ? EXCHANGE_END : EXCHANGE_WAIT);
}

static enum exchange_rc
read_body(struct request *req, struct span *piece_r)
{
	struct exchange *x;
	enum exchange_rc rc;

	x = &req->origin;
	for (;;) {
		rc = pull(req, piece_r);
		if (rc != EXCHANGE_WAIT)
			return (rc);
		rc = fill(req);
		if (rc == EXCHANGE_END && h1_body_may_end(&x->body)) {
			x->body_done = true;
			return (EXCHANGE_END);
		}
		if (rc == EXCHANGE_END || rc == EXCHANGE_BAD) {
			x->failure = "answer broke off";
			return (EXCHANGE_BAD);
		}
		if (rc == EXCHANGE_WAIT)
			return (rc);
	}
}

enum exchange_rc
exchange_body(struct request *req, struct span *piece_r)
{
	struct exchange *x;
	enum exchange_rc rc;

	x = &req->origin;
	x->wants = 0;
	*piece_r = SPAN_NONE;
	if (x->conn == NULL)
		return (EXCHANGE_END); /* it was released with the last piece */
	rc = send_request(req);
	if (rc != EXCHANGE_OK && rc != EXCHANGE_WAIT)
		return (rc);
	rc = read_body(req, piece_r);
	if (rc == EXCHANGE_WAIT &&
	    origin_overdue(x, upstream_pool_conf(req->place->pool)->timeouts.idle)) {
		x->failure = "answer stalled";
		rc = EXCHANGE_TIMEOUT;
	}
	want_io(x, rc);
	if (rc == EXCHANGE_OK || rc == EXCHANGE_END)
		release_early(req);
	return (rc);
}

enum exchange_rc
exchange_send_on(struct request *req)
{
	struct exchange *x;
	enum exchange_rc rc;

	x = &req->origin;
	x->wants = 0;
	rc = send_request(req);
	x->deadline_us = 0; /* nobody listens to the origin now */
	loop_io_want(&x->conn->io, rc == EXCHANGE_WAIT ? x->wants : 0);
	return (rc);
}

void
exchange_body_used(struct request *req)
{
	buf_drain(&req->origin.in, req->origin.in_used);
	req->origin.in_used = 0;
}

bool
exchange_may_keep(const struct request *req)
{
	const struct exchange *x;

	x = &req->origin;
	return (x->has_head && x->body_done && x->sent && !x->deaf && x->head.keepalive &&
		buf_len(&x->in) == x->in_used);
}

const char *
exchange_error(const struct request *req)
{
	const struct exchange *x;

	x = &req->origin;
	if (x->failure != NULL)
		return (x->failure);
	if (x->ask.error != NULL)
		return (x->ask.error);
	return ("no origin takes connections");
}
