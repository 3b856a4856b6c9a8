/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of answers. */
#include "config.h"

#include "gateway/request/pack.h"

#include "gateway/base/check.h"
#include "gateway/request/caching.h"
#include "gateway/request/request.h"
#include "gateway/request/source.h"

/* Bytes in and out after which others have their turn: about a millisecond with the
 * slowest coding at its standard level. */
#define WORK_PER_RUN (64u << 10)

/* --- the head --------------------------------------------------------------- */

/* Behind a proxy that is trusted, the client's part of the way is not known: it is
 * taken for HTTPS, as it mostly is. */
static bool
may_be_https(const struct request *req)
{
	const struct conn *c;

	c = req->conn;
	return (c->has_tls || c->proxied ||
		identity_is_trusted(req->snap->identity, &c->peer));
}

static enum compress_why
may_compress(const struct request *req)
{
	const struct http_response *r;
	struct compress_request asked = {
		.is_https = may_be_https(req),
		.is_head = req->http.is_head,
		.is_http_1_0 = req->http.minor == 0,
		.has_input =
		    req->http.target.query.n > 0 || req->http.framing != H1_NO_BODY,
	};
	struct compress_answer answer;

	r = req->response;
	memset(&answer, 0, sizeof(answer));
	answer.status = r->status;
	answer.has_length = r->framing == H1_LENGTH ||
			    http_fields_get(&r->fields, HTTP_CONTENT_LENGTH) != NULL;
	answer.length = r->content_length;
	compress_request_read(&asked, &req->http.fields);
	compress_answer_read(&answer, &r->fields);
	return (compress_may(&req->place->compress->rules, &asked, &answer));
}

/* A 304 says which answer it speaks of by the ETag that the client knows. That was
 * made weak if the client names it so and the origin does not. */
static bool
knows_it_weak(const struct request *req)
{
	const struct http_fields *asked;
	struct span etag, rest;
	uint32_t i;
	size_t at;

	etag = http_fields_value(&req->response->fields, HTTP_ETAG);
	if (req->response->status != 304 || !span_starts(etag, SPAN("\"")))
		return (false);
	asked = &req->http.fields;
	for (i = 0; i < asked->n; i++) {
		if (asked->v[i].id != HTTP_IF_NONE_MATCH)
			continue;
		rest = asked->v[i].value;
		while ((at = span_index(rest, '/')) != SIZE_MAX) {
			if (at > 0 && rest.p[at - 1] == 'W' &&
			    span_starts(span_cut(rest, at + 1, rest.n), etag))
				return (true);
			rest = span_cut(rest, at + 1, rest.n);
		}
	}
	return (false);
}

static enum coding
choose(const struct request *req)
{
	const struct compress_plan *plan;
	struct accept accept;
	enum coding coding;

	plan = req->place->compress;
	accept_read(&accept, &req->http.fields);
	accept_choose(&accept, plan->order, plan->n_order, &coding);
	return (coding);
}

static bool
take_encoder(struct request *req)
{
	struct pack *p;
	unsigned level;
	size_t most;

	p = &req->pack;
	level = req->place->compress->level[p->coding];
	most = encoder_memory_most(p->coding, level);
	if (req->worker->packing + most > PACK_MEMORY_MAX)
		return (false);
	p->encoder = encoder_take(req->worker->encoders, p->coding, level);
	if (p->encoder == NULL)
		return (false);
	p->on = true;
	p->held = encoder_memory(p->encoder); /* a recycled one may hold more */
	if (p->held < most)
		p->held = most;
	req->worker->packing += p->held;
	return (true);
}

/* A stored answer: true when its compressed form is there. Else this request may be
 * the one that makes it. */
static bool
find_made(struct request *req)
{
	struct cache_object *object;
	struct pack *p;

	p = &req->pack;
	object = caching_whole(req);
	if (object == NULL)
		return (false);
	p->made = cache_object_derived(object, p->coding);
	if (p->made != NULL)
		return (true);
	if (!cache_object_may_derive(object, p->coding))
		return (false);
	p->object = cache_object_ref(object);
	p->making = cache_body_new(req->snap->cache, CACHE_LENGTH_UNKNOWN);
	return (false);
}

void
pack_decide(struct request *req)
{
	struct pack *p;

	p = &req->pack;
	pack_end(req);
	memset(p, 0, sizeof(*p));
	p->coding = CODING_IDENTITY;
	if (req->place->compress == NULL)
		return;
	p->why = may_compress(req);
	p->negotiated = p->why == COMPRESS_YES || knows_it_weak(req);
	if (p->negotiated)
		p->coding = choose(req);
	if (p->why == COMPRESS_YES && p->coding == CODING_IDENTITY)
		p->why = COMPRESS_ACCEPT;
	if (p->why == COMPRESS_YES && req->response->framing != H1_NO_BODY &&
	    !req->http.is_head && !find_made(req) && !take_encoder(req)) {
		pack_end(req);
		p->why = COMPRESS_MEMORY;
		p->coding = CODING_IDENTITY;
	}
	tally_pack(&req->worker->tally, p->why);
}

enum compress_field
pack_field(const struct request *req, const struct http_field *f)
{
	return (compress_field(req->pack.coding, f));
}

void
pack_put_fields(const struct request *req, bool with_vary, struct text *head)
{
	static const struct http_fields none;

	if (req->pack.negotiated)
		compress_put_fields(req->pack.coding, req->response->status,
		    with_vary ? &req->response->fields : &none, head);
}

bool
pack_length(const struct request *req, uint64_t *length_r)
{
	const struct http_response *r;

	r = req->response;
	*length_r = r->content_length;
	if (req->pack.made != NULL)
		*length_r = cache_body_length(req->pack.made);
	else if (req->pack.coding != CODING_IDENTITY)
		return (false);
	return (r->framing == H1_LENGTH ||
		(req->http.is_head &&
		    http_fields_get(&r->fields, HTTP_CONTENT_LENGTH) != NULL));
}

/* --- the form that is kept -------------------------------------------------- */

/* NULL: nothing came of it. */
static void
settle_made(struct request *req, struct cache_body *body)
{
	struct pack *p;

	p = &req->pack;
	if (p->object == NULL)
		return;
	if (p->making != NULL)
		cache_body_end(p->making, body != NULL);
	cache_object_derive(p->object, p->coding, body);
	if (p->making != NULL)
		cache_body_free(&p->making);
	cache_object_free(&p->object);
}

/* What goes to the client is kept, too. */
static void
keep(struct request *req, struct span piece)
{
	struct pack *p;

	p = &req->pack;
	if (p->object == NULL)
		return;
	if (p->making == NULL || !cache_body_append(p->making, piece))
		settle_made(req, NULL);
	else if (p->done)
		settle_made(req, p->making);
}

static enum exchange_rc
made_piece(struct request *req, struct span *piece_r)
{
	struct pack *p;

	p = &req->pack;
	if (cache_body_read(p->made, p->at, cache_body_length(p->made), NULL, piece_r) !=
	    CACHE_BODY_DATA)
		return (EXCHANGE_END);
	p->piece = piece_r->n;
	return (EXCHANGE_OK);
}

/* --- the body --------------------------------------------------------------- */

static void
give_encoder(struct request *req)
{
	struct pack *p;

	p = &req->pack;
	encoder_give(&p->encoder);
	req->worker->packing -= p->held;
	p->held = 0;
}

void
pack_end(struct request *req)
{
	settle_made(req, NULL);
	if (req->pack.made != NULL)
		cache_body_free(&req->pack.made);
	give_encoder(req);
	buf_give(req->worker->buffers, &req->pack.out);
}

/* What the encoder is to do next. OK: it has something to do. */
static enum exchange_rc
take_in(struct request *req)
{
	struct pack *p;
	enum exchange_rc rc;

	p = &req->pack;
	p->in = SPAN_NONE;
	rc = source_piece(req, &p->in);
	switch (rc) {
	case EXCHANGE_OK:
		p->op = source_is_done(req) ? ENCODER_FINISH : ENCODER_PUSH;
		p->borrowed = p->unflushed = true;
		break;
	case EXCHANGE_END: p->op = ENCODER_FINISH; break;
	case EXCHANGE_WAIT:
		/* the source pauses: what it has said is not to wait for more */
		if (!p->unflushed)
			return (EXCHANGE_WAIT);
		p->op = ENCODER_FLUSH;
		break;
	default: return (rc);
	}
	p->runs = true;
	return (EXCHANGE_OK);
}

/* `op` is done. */
static void
settle(struct request *req)
{
	struct pack *p;

	p = &req->pack;
	p->runs = false;
	if (p->borrowed)
		source_used(req);
	p->borrowed = false;
	if (p->op != ENCODER_PUSH)
		p->unflushed = false;
	if (p->op == ENCODER_FINISH) {
		p->done = true;
		/* before the client has it all: others may need the memory */
		give_encoder(req);
	}
}

/* One call of the encoder. */
static bool
run(struct request *req)
{
	struct pack *p;
	enum encoder_rc rc;
	size_t had, filled;

	p = &req->pack;
	had = p->in.n;
	filled = buf_len(&p->out);
	rc = encoder_run(p->encoder, &p->in, &p->out, p->op);
	p->work += had - p->in.n + buf_len(&p->out) - filled;
	tally_packed(&req->worker->tally, had - p->in.n, buf_len(&p->out) - filled);
	if (rc == ENCODER_DONE)
		settle(req);
	return (rc != ENCODER_FAILED);
}

/* Is there something that should not wait for more of it? */
static bool
is_due(const struct pack *p)
{
	return (buf_room(&p->out) < ENCODER_ROOM_MIN ||
		(!p->runs && p->op != ENCODER_PUSH && buf_len(&p->out) > 0));
}

static enum exchange_rc
encode(struct request *req, struct span *piece_r)
{
	struct pack *p;
	enum exchange_rc rc;

	p = &req->pack;
	while (!is_due(p)) {
		if (p->done) {
			keep(req, SPAN(""));
			return (EXCHANGE_END);
		}
		if (p->work >= WORK_PER_RUN) {
			p->work = 0;
			conn_yield(req->conn);
		}
		if (req->conn->yields)
			return (EXCHANGE_WAIT);
		if (!p->runs && (rc = take_in(req)) != EXCHANGE_OK)
			return (rc);
		if (!run(req)) {
			request_refuse(
			    req, 500, "upstream", "the answer could not be compressed");
			return (EXCHANGE_REFUSED);
		}
	}
	*piece_r = buf_span(&p->out);
	keep(req, *piece_r);
	return (EXCHANGE_OK);
}

enum exchange_rc
pack_piece(struct request *req, struct span *piece_r)
{
	if (req->pack.made != NULL)
		return (made_piece(req, piece_r));
	if (!req->pack.on)
		return (source_piece(req, piece_r));
	buf_take(req->worker->buffers, &req->pack.out);
	return (encode(req, piece_r));
}

void
pack_used(struct request *req)
{
	struct pack *p;

	p = &req->pack;
	p->at += p->piece;
	p->piece = 0;
	if (p->on)
		buf_drain(&p->out, buf_len(&p->out));
	else if (p->made == NULL)
		source_used(req);
}

bool
pack_is_done(const struct request *req)
{
	const struct pack *p;

	p = &req->pack;
	if (p->made != NULL)
		return (p->at + p->piece == cache_body_length(p->made));
	return (p->on ? p->done : source_is_done(req));
}
