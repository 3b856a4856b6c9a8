/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of stored answers to the client, and of the origin's answers into the cache.
 * Who stores an answer reads it back from there: so others have it as soon as it is
 * there, however slow this request's client is. */
#include "config.h"

#include "gateway/request/caching.h"
#include "gateway/request/caching_inside.h"
#include "gateway/request/request.h"

#define PIECES_PER_RUN 32
#define BYTES_PER_RUN (1u << 20)

bool
caching_has_body(const struct request *req)
{
	return (req->caching.body != NULL &&
		(req->response == &req->caching.response || req->caching.published));
}

struct cache_object *
caching_whole(const struct request *req)
{
	const struct caching *c;

	c = &req->caching;
	if (req->response != &c->response || c->is_part || c->object == NULL ||
	    c->response.framing != H1_LENGTH || !cache_body_is_complete(c->object->body))
		return (NULL);
	return (c->object);
}

/* It can't be stored whole, for `more` bytes do not fit. What is there stays readable,
 * the rest comes directly. Who follows what turns out too large is cut off, which is
 * not to happen again soon. */
static void
give_up(struct request *req, uint64_t more)
{
	struct caching *c;
	bool too_large;

	c = &req->caching;
	too_large =
	    cache_body_bytes(c->body) + more > cache_store_max_object(req->snap->cache);
	c->writes = false;
	c->direct = true;
	cache_body_end(c->body, false);
	cache_object_free(&c->coming);
	caching_leave(req, too_large ? CACHING_MARK_LARGE_US : CACHING_MARK_BRIEF_US);
}

static void
finish(struct request *req)
{
	struct caching *c;

	c = &req->caching;
	c->writes = false;
	cache_body_end(c->body, true);
	(void)cache_store_put(
	    req->snap->cache, &c->question.key, c->coming, req->origin.began_us);
	cache_object_free(&c->coming);
	caching_leave(req, 0);
	exchange_end(req, exchange_may_keep(req));
}

void
caching_publish(struct request *req)
{
	struct caching *c;

	c = &req->caching;
	if (!c->writes)
		return;
	c->published = true;
	if (c->flight != NULL)
		cache_flight_land(c->flight, c->coming);
	if (!cache_body_append(c->body, text_span(&req->held)))
		give_up(req, req->held.n);
	else
		req->held_sent = req->held.n;
	if (c->writes && req->origin.body_done)
		finish(req);
}

void
caching_refuse(struct request *req)
{
	struct caching *c;

	c = &req->caching;
	if (c->place == NULL)
		return;
	if (c->writes)
		give_up(req, 0);
	caching_leave(req, CACHING_MARK_BRIEF_US);
}

/* One piece of the origin's into the body. OK: go on. */
static enum exchange_rc
take(struct request *req)
{
	enum exchange_rc rc;
	struct caching *c;
	struct span piece;

	c = &req->caching;
	rc = exchange_body(req, &piece);
	switch (rc) {
	case EXCHANGE_OK:
		if (!cache_body_append(c->body, piece)) {
			c->leftover = piece;
			give_up(req, piece.n);
			return (EXCHANGE_OK);
		}
		exchange_body_used(req);
		if (req->origin.body_done)
			finish(req);
		return (EXCHANGE_OK);
	case EXCHANGE_END: finish(req); return (EXCHANGE_OK);
	case EXCHANGE_WAIT: return (EXCHANGE_WAIT);
	default:
		c->writes = false;
		cache_body_end(c->body, false);
		cache_object_free(&c->coming);
		caching_leave(req, 0);
		return (rc);
	}
}

/* Behind what was stored. */
static enum exchange_rc
take_directly(struct request *req, struct span *piece_r)
{
	struct caching *c;

	c = &req->caching;
	if (!c->direct) {
		req->origin.failure = "the answer that others wait for broke off";
		return (EXCHANGE_BAD);
	}
	if (req->held_sent < req->held.n) {
		*piece_r = span_cut(text_span(&req->held), req->held_sent, req->held.n);
		req->held_sent = req->held.n;
		return (EXCHANGE_OK);
	}
	if (c->leftover.n > 0) {
		*piece_r = c->leftover;
		c->leftover = SPAN_NONE;
		return (EXCHANGE_OK);
	}
	return (exchange_body(req, piece_r));
}

enum exchange_rc
caching_piece(struct request *req, struct span *piece_r)
{
	enum exchange_rc rc;
	struct caching *c;

	c = &req->caching;
	for (;;) {
		switch (cache_body_read(
		    c->body, c->offset, c->end, c->writes ? NULL : c->wait, piece_r)) {
		case CACHE_BODY_DATA: c->piece = *piece_r; return (EXCHANGE_OK);
		case CACHE_BODY_END: return (EXCHANGE_END);
		case CACHE_BODY_CUT: return (take_directly(req, piece_r));
		case CACHE_BODY_WAIT: break;
		}
		if (!c->writes)
			return (EXCHANGE_WAIT);
		rc = take(req);
		if (rc != EXCHANGE_OK)
			return (rc);
	}
}

bool
caching_lends(struct request *req, struct span piece, struct sender_lent *lent_r)
{
	/* not what was made of it */
	return (req->caching.piece.p != NULL && piece.p == req->caching.piece.p &&
		cache_body_lend(
		    req->caching.body, piece, &lent_r->file, &lent_r->from, &lent_r->n));
}

void
caching_piece_used(struct request *req)
{
	struct caching *c;

	c = &req->caching;
	if (c->piece.p == NULL)
		exchange_body_used(req);
	c->offset += c->piece.n;
	c->piece = SPAN_NONE;
}

bool
caching_is_done(const struct request *req)
{
	const struct caching *c;

	c = &req->caching;
	if (c->direct)
		return (c->piece.p == NULL && c->leftover.n == 0 &&
			req->held_sent == req->held.n && req->origin.body_done);
	return (c->offset + c->piece.n == c->end);
}

void
caching_take_on(struct request *req)
{
	unsigned pieces;
	uint64_t before;

	before = cache_body_bytes(req->caching.body);
	for (pieces = 0; req->caching.writes; pieces++) {
		if (pieces == PIECES_PER_RUN ||
		    cache_body_bytes(req->caching.body) - before >= BYTES_PER_RUN) {
			conn_yield(req->conn);
			return;
		}
		if (take(req) != EXCHANGE_OK)
			return;
	}
}

/* Worth it while somebody follows, or when most of it is there. */
static bool
is_worth_it(const struct request *req)
{
	const struct caching *c;
	uint64_t length;

	c = &req->caching;
	length = cache_body_length(c->body); /* the client may want a part only */
	return (c->flight != NULL && (cache_flight_is_followed(c->flight) ||
					 (length != CACHE_LENGTH_UNKNOWN &&
					     cache_body_bytes(c->body) >= length / 2)));
}

bool
caching_goes_on(struct request *req)
{
	struct caching *c;

	c = &req->caching;
	if (!c->writes || !c->published || !is_worth_it(req))
		return (false);
	caching_take_on(req);
	return (c->writes);
}
