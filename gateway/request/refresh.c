/* SPDX-License-Identifier: Apache-2.0 */
/* A stored answer is asked for again behind the client that got it stale (RFC 5861 3):
 * by a request of our own with the client's head, which has no client, leads those who
 * come for the same meanwhile, and ends in the cache. */
#include "config.h"

#include "gateway/request/caching_inside.h"
#include "gateway/request/request.h"

#define REFRESHES_MAX 64 /* of one worker thread, at once */

/* What the client's request went through already. */
static void
take_over(struct request *req, const struct request *from)
{
	req->place = from->place;
	req->client = from->client;
	req->client_key = from->client_key;
	req->geo = from->geo;
	req->located = from->located;
}

static bool
begin(struct request *req, struct conn *c)
{
	return (h1_head_push(&req->head, buf_span(&c->in)) == H1_DONE &&
		request_begin(req) == STEP_NEXT);
}

/* Who refreshed it until now may have put the answer since this one was found. */
static bool
is_done(const struct request *from)
{
	struct cache_object *object;
	bool done;

	object = NULL;
	if (cache_store_find(from->snap->cache, &from->caching.question, &object) !=
	    CACHE_FOUND)
		return (false);
	done = object != from->caching.object;
	cache_object_free(&object);
	return (done);
}

void
refresh_begin(struct request *from)
{
	struct cache_flight *flight;
	struct caching *caching;
	struct request *req;
	struct conn *c;

	if (from->worker->n_refreshes >= REFRESHES_MAX ||
	    cache_flight_join(
		from->snap->cache, &from->caching.question, NULL, &flight) != CACHE_LEAD)
		return;
	if (is_done(from)) {
		cache_flight_free(&flight);
		return;
	}
	c = conn_new_inner(
	    from->conn, span_cut(buf_span(&from->conn->in), 0, from->head.head_bytes));
	c->request = req = request_new(c);
	take_over(req, from);
	caching = &req->caching;
	caching->refresh = true;
	caching->flight = flight;
	caching->leads = true;
	if (!begin(req, c) || !caching_resume(req)) {
		c->gone = true;
		return;
	}
	caching->object = cache_object_ref(from->caching.object);
}
