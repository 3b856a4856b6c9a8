/* SPDX-License-Identifier: Apache-2.0 */
/* A request: made from a parsed head, its body taken in, its end. */
#include "config.h"

#include "gateway/request/request.h"

#include <stdlib.h>

#include "gateway/base/check.h"

#define ARENA_EXTRA (64u << 10)
#define SPARE_MAX 64

static struct request *
request_make(struct worker *w)
{
	const struct snapshot *snap;
	struct request *req;

	snap = w->snapshot;
	req = mem_zalloc(sizeof(*req));
	req->arena = arena_new(4 * snap->limits.header_bytes + ARENA_EXTRA);
	req->fields = mem_alloc(snap->conf->max.fields * sizeof(*req->fields));
	req->origin.fields = mem_alloc(snap->conf->max.fields * sizeof(*req->fields));
	text_init(&req->answer, 4 * snap->limits.header_bytes + ARENA_EXTRA);
	text_init(&req->page, ERROR_PAGE_BYTES_MAX + ARENA_EXTRA);
	text_init(&req->origin.text, 4 * snap->limits.header_bytes + ARENA_EXTRA);
	text_init(&req->caching.key, 2 * snap->limits.header_bytes);
	text_init(&req->caching.scratch, 2 * snap->limits.header_bytes);
	return (req);
}

static void
request_destroy(struct request *req)
{
	arena_free(&req->arena);
	free(req->fields);
	free(req->origin.fields);
	text_free(&req->answer);
	text_free(&req->page);
	text_free(&req->origin.text);
	text_free(&req->caching.key);
	text_free(&req->caching.scratch);
	free(req);
}

/* Back to zero, but for the memory that the next request uses again. */
static void
request_clear(struct request *req)
{
	struct request kept;

	kept = *req;
	memset(req, 0, sizeof(*req));
	req->arena = kept.arena;
	req->fields = kept.fields;
	req->origin.fields = kept.origin.fields;
	req->answer = kept.answer;
	req->page = kept.page;
	req->origin.text = kept.origin.text;
	req->caching.key = kept.caching.key;
	req->caching.scratch = kept.caching.scratch;
	arena_reset(req->arena);
	text_reset(&req->answer);
	text_reset(&req->page);
	text_reset(&req->origin.text);
}

struct request *
request_new(struct conn *c)
{
	struct request *req;
	struct worker *w;

	w = c->worker;
	req = SLIST_FIRST(&w->spare);
	if (req != NULL) {
		SLIST_REMOVE_HEAD(&w->spare, spare);
		w->n_spare--;
	} else {
		req = request_make(w);
	}
	req->magic = REQUEST_MAGIC;
	req->conn = c;
	req->worker = w;
	req->snap = w->snapshot;
	req->began_wall_us = clock_wall_us();
	req->began_us = clock_mono_us();
	req->client = c->client;
	req->client_key = identity_key(req->snap->identity, &c->client);
	id_make(&w->ids, req->began_wall_us, req->id);
	h1_request_init(
	    &req->head, &req->snap->limits, req->fields, req->snap->conf->max.fields);
	spool_init(&req->spool, w->loop, request_wake, req);
	text_init(&req->held, 0);
	req->pack.coding = CODING_IDENTITY; /* of interim answers, too */
	exchange_init(req);
	caching_init(req);
	return (req);
}

void
request_free(struct request *req)
{
	struct worker *w;

	CHECK_OBJ(req, REQUEST_MAGIC);
	w = req->worker;
	exchange_end(req, false);
	caching_free(req);
	if (req->take_state == TAKE_WAITS)
		limiter_cancel(w->limiter, &req->take);
	if (req->txn != NULL)
		waf_txn_free(&req->txn);
	unpack_end(req);
	pack_end(req);
	spool_free(&req->spool);
	text_free(&req->held);
	buf_give(w->buffers, &req->block);
	request_clear(req);
	if (w->n_spare < SPARE_MAX) {
		SLIST_INSERT_HEAD(&w->spare, req, spare);
		w->n_spare++;
	} else {
		request_destroy(req);
	}
}

void
request_free_spare(struct worker *w)
{
	struct request *req;

	while ((req = SLIST_FIRST(&w->spare)) != NULL) {
		SLIST_REMOVE_HEAD(&w->spare, spare);
		request_destroy(req);
	}
	w->n_spare = 0;
}

enum step_rc
request_refuse(
    struct request *req, uint16_t status, const char *reason, const char *detail)
{
	if (req->refusal.status == 0) {
		req->refusal.status = status;
		req->refusal.reason = reason;
		req->refusal.detail = detail;
		/* who disagrees about the protocol may disagree about where the
		 * next request begins */
		if (reason != NULL && strcmp(reason, "protocol") == 0)
			req->keepalive = false;
	}
	return (STEP_REPLY);
}

void
request_notice(struct request *req, const char *reason, const char *detail)
{
	if (req->notice.reason == NULL)
		req->notice = (struct notice){ reason, detail };
}

void
request_locate(struct request *req)
{
	if (!req->located)
		geo_find(req->snap->geo, &req->client, &req->geo);
	req->located = true;
}

/* What is known of the request before it is canonical: enough for a record. */
static void
take_head(struct request *req)
{
	struct http_request *http;

	http = &req->http;
	http->minor = req->head.minor;
	http->protocol = http->minor == 0 ? SPAN("HTTP/1.0") : SPAN("HTTP/1.1");
	http->method = req->head.method;
	http->is_head = span_eq(http->method, SPAN("HEAD"));
	http->scheme = req->conn->has_tls ? SPAN("https") : SPAN("http");
	http->raw_target = req->head.target;
	http->fields = req->head.fields;
	http->framing = req->head.framing;
	http->content_length = req->head.content_length;
	http->expect_continue = req->head.expect_continue;
}

enum step_rc
request_malformed(struct request *req, enum h1_oddity oddity)
{
	take_head(req);
	req->http.is_head = false; /* a parser that gave up says why to anyone */
	req->body_done = true;
	if (oddity == H1_ODD_NONE)
		return (STEP_REPLY);
	return (request_refuse(
	    req, (uint16_t)h1_oddity_status(oddity), "protocol", h1_oddity_text(oddity)));
}

static enum uri_rc
canonical_authority(struct request *req)
{
	struct http_request *http;
	struct span host;
	enum uri_rc rc;
	bool secure;

	http = &req->http;
	host = http_fields_value(&http->fields, HTTP_HOST);
	if (http->target.absolute) {
		http->authority = http->target.authority;
	} else if (host.n > 0) {
		rc = uri_authority_parse(&http->authority, req->arena, host);
		if (rc != URI_OK)
			return (rc);
	} else {
		http->authority.host = SPAN("");
	}
	secure = req->conn->has_tls;
	if (http->authority.port == (secure ? 443 : 80))
		http->authority.port = 0;
	http->host_text = http->authority.host;
	if (http->authority.port != 0)
		http->host_text = span_of(arena_printf(req->arena, "%.*s:%u",
		    SPAN_FMT(http->authority.host), http->authority.port));
	return (arena_is_full(req->arena) ? URI_FULL : URI_OK);
}

enum step_rc
request_begin(struct request *req)
{
	struct http_request *http;
	enum uri_rc rc;

	take_head(req);
	http = &req->http;
	req->keepalive = req->head.keepalive;
	req->body_done = http->framing == H1_NO_BODY ||
			 (http->framing == H1_LENGTH && http->content_length == 0);
	if (req->conn->plain_on_tls)
		return (request_refuse(req, 400, "protocol", "plain HTTP on a TLS port"));
	rc = uri_target_parse(&http->target, req->arena, http->method, http->raw_target);
	if (rc == URI_OK)
		rc = canonical_authority(req);
	http_fields_mark_hops(&http->fields);
	if (rc == URI_FULL)
		return (request_refuse(req, 431, "protocol", "request too large"));
	if (rc != URI_OK)
		return (request_refuse(req, 400, "protocol", uri_rc_text(rc)));
	h1_body_init(&req->body, http->framing, http->content_length,
	    req->snap->limits.header_bytes);
	return (STEP_NEXT);
}

bool
request_is_busy(const struct request *req)
{
	return (req->spool.busy || req->inspect_state == INSPECT_RUNS ||
		req->auth_state == INSPECT_RUNS);
}

enum step_rc
request_flush(struct request *req)
{
	enum stream_rc rc;
	struct conn *c;
	size_t before;

	c = req->conn;
	if (c->stream == NULL)
		sender_reset(&req->out);
	if (sender_is_empty(&req->out))
		return (STEP_NEXT);
	before = sender_bytes(&req->out);
	rc = sender_flush(&req->out, c->stream);
	if (sender_bytes(&req->out) < before)
		conn_progress(c);
	if (rc == STREAM_OK)
		return (STEP_NEXT);
	if ((rc != STREAM_WANT_READ && rc != STREAM_WANT_WRITE) ||
	    conn_overdue(c, req->snap->conf->timeouts.send_idle)) {
		c->gone = true;
		return (STEP_CLOSE);
	}
	conn_wait(c, rc);
	return (STEP_WAIT);
}

void
request_wake(void *request)
{
	struct request *req;

	CAST_OBJ(req, request, REQUEST_MAGIC);
	conn_run(req->conn);
}

bool
request_is_inspected(const struct request *req)
{
	return (req->place != NULL && req->place->waf != NULL);
}

/* The bytes behind the head are the body's first: they move to a buffer of
 * their own, since the head's must not move while spans point into it. */
static void
begin_block(struct request *req)
{
	struct conn *c;
	struct span rest;

	c = req->conn;
	buf_take(req->worker->buffers, &req->block);
	rest = span_cut(buf_span(&c->in), req->head.head_bytes, buf_len(&c->in));
	buf_put(&req->block, rest.p, rest.n);
	c->in.end = c->in.start + req->head.head_bytes;
}

static enum body_rc
read_block(struct request *req)
{
	struct conn *c;
	enum stream_rc rc;
	size_t n;

	c = req->conn;
	if (buf_room(&req->block) == 0)
		buf_compact(&req->block);
	rc = conn_receive(c, req->block.mem + req->block.end, buf_room(&req->block), &n);
	if (rc == STREAM_OK) {
		req->block.end += n;
		return (BODY_DATA);
	}
	if (rc == STREAM_WANT_READ || rc == STREAM_WANT_WRITE) {
		if (conn_overdue(c, req->snap->conf->timeouts.body_idle)) {
			request_refuse(req, 408, "protocol", "request body timed out");
			return (BODY_REFUSED);
		}
		conn_wait(c, rc);
		return (BODY_WAIT);
	}
	c->gone = true;
	return (BODY_GONE);
}

static bool
over_limit(const struct request *req)
{
	const struct conf_policy *policy;

	policy = req->place != NULL ? req->place->policy : NULL;
	return (policy != NULL && req->sent_bytes > policy->request_body.limit);
}

enum body_rc
request_body_as_sent(struct request *req, struct span *data_r)
{
	enum body_rc rc;
	enum h1_rc h1;
	bool starved;

	starved = false;
	if (req->refusal.status != 0)
		return (BODY_REFUSED);
	if (req->block.mem == NULL && !req->body_done)
		begin_block(req);
	while (!req->body_done) {
		buf_drain(&req->block, req->block_used);
		req->block_used = 0;
		if ((starved || buf_len(&req->block) == 0) &&
		    (rc = read_block(req)) != BODY_DATA)
			return (rc);
		h1 = h1_body_pull(&req->body,
		    span_cut(buf_span(&req->block), 0, SPOOL_MEMORY), &req->block_used,
		    data_r);
		if (h1 == H1_BAD) {
			request_refuse(req, (uint16_t)h1_oddity_status(req->body.oddity),
			    "protocol", h1_oddity_text(req->body.oddity));
			return (BODY_REFUSED);
		}
		req->body_done = h1 == H1_DONE;
		req->sent_bytes += data_r->n;
		if (over_limit(req)) {
			request_refuse(
			    req, 413, "body", "body larger than the policy's limit");
			return (BODY_REFUSED);
		}
		if (data_r->n > 0)
			return (BODY_DATA);
		starved = req->block_used == 0;
	}
	return (BODY_END);
}

enum body_rc
request_body(struct request *req, struct span *data_r)
{
	enum body_rc rc;

	if (req->unpack.on)
		return (unpack_body(req, data_r));
	rc = request_body_as_sent(req, data_r);
	req->body_bytes = req->sent_bytes;
	return (rc);
}

struct request *
request_of_job(struct job *job)
{
	struct request *req;

	req = (struct request *)((char *)job - offsetof(struct request, inspect));
	CHECK_OBJ(req, REQUEST_MAGIC);
	return (req);
}

static void
inspect_done(struct job *job)
{
	struct request *req;

	req = request_of_job(job);
	req->inspect_state = INSPECT_DONE;
	request_wake(req);
}

bool
request_inspect(struct request *req, void (*work)(struct job *))
{
	switch (req->inspect_state) {
	case INSPECT_IDLE:
		req->inspect_state = INSPECT_RUNS;
		req->inspect.home = req->worker->loop;
		req->inspect.run = work;
		req->inspect.done = inspect_done;
		job_submit(req->worker->inspectors, &req->inspect);
		return (false);
	case INSPECT_RUNS: return (false);
	case INSPECT_DONE: req->inspect_state = INSPECT_IDLE; return (true);
	}
	WRONG("inspection state");
}
