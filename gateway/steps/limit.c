/* SPDX-License-Identifier: Apache-2.0 */
/* The rate limits of the site or route. */
#include "config.h"

#include "gateway/http/lone.h"
#include "gateway/request/request.h"

#define FIELDS_MAX 1024

/* A value that comes twice is one to us and may be the other to the origin: with a new
 * first one in each request there would be a new bucket for each. Who sends two
 * that differ is counted by where he is. No value of a client holds a line feed. */
static struct span
of_two(struct request *req)
{
	char ip[NETADDR_TEXT_MAX], *text;

	text = arena_printf(req->arena, "\n%s", netaddr_ip_text(&req->client_key, ip));
	return (text != NULL ? span_of(text) : SPAN("\n"));
}

static struct span
header_value(void *data, struct span name)
{
	struct request *req;
	struct span value;

	req = data;
	return (http_lone_field(&req->http.fields, name, &value) ? value : of_two(req));
}

static struct span
cookie_value(void *data, struct span name)
{
	struct request *req;
	struct span value;

	req = data;
	return (http_lone_cookie(&req->http.fields, name, &value) ? value : of_two(req));
}

static void
fill_subject(struct request *req, struct limiter_subject *subject)
{
	memset(subject, 0, sizeof(*subject));
	subject->client = &req->client_key;
	subject->site = span_of(req->place->site);
	subject->route = span_of(req->place->route);
	subject->path = req->http.target.decoded;
	subject->country = span_of(req->geo.country);
	subject->asn = req->geo.asn;
	subject->header = header_value;
	subject->cookie = cookie_value;
	subject->data = req;
}

static void
take_ready(struct limiter_take *take)
{
	struct request *req;

	req = take->data;
	req->take_state = TAKE_DONE;
	request_wake(req);
}

static void
put_fields(struct request *req, bool refused)
{
	struct text policy, state;

	text_init(&policy, FIELDS_MAX);
	text_init(&state, FIELDS_MAX);
	limiter_fields(req->snap->rate_limits, &req->take, refused, &policy, &state);
	if (policy.n > 0 && !policy.overflow && !state.overflow) {
		req->ratelimit_policy = arena_span(req->arena, text_span(&policy));
		req->ratelimit = arena_span(req->arena, text_span(&state));
	}
	text_free(&policy);
	text_free(&state);
}

/* For the record: which limit, and whose bucket. */
static void
note_over(struct request *req, const struct limiter_result *over)
{
	struct limiter_subject subject;
	struct text key;

	req->over_limit = over;
	fill_subject(req, &subject);
	text_init(&key, LIMITER_KEY_MAX);
	limiter_key_text(req->snap->rate_limits, over->limit, &subject, &key);
	req->limit_key = arena_span(req->arena, text_span(&key));
	text_free(&key);
}

static enum step_rc
settle(struct request *req)
{
	const struct limiter_result *over;
	unsigned i;

	over = limiter_refusal(&req->take);
	for (i = 0; i < req->take.n && over == NULL && req->over_limit == NULL; i++)
		if (req->take.results[i].denied)
			note_over(req, &req->take.results[i]);
	if (over == NULL && req->over_limit != NULL)
		request_notice(req, "limit", "over a limit in mode shadow");
	put_fields(req, over != NULL);
	if (over == NULL)
		return (STEP_NEXT);
	note_over(req, over);
	req->refusal.retry_after = limiter_retry_after(over);
	return (request_refuse(req, 429, "limit",
	    over->degraded ? "over a limit, or closed without Redis" : "over a limit"));
}

enum step_rc
step_limit(struct request *req)
{
	struct limiter_subject subject;

	if (req->place->n_limits == 0)
		return (STEP_NEXT);
	if (req->take_state == TAKE_IDLE) {
		fill_subject(req, &subject);
		req->take.ready = take_ready;
		req->take.data = req;
		req->take_state = TAKE_WAITS;
		if (limiter_take(req->worker->limiter, &req->take, req->place->limits,
			req->place->n_limits, &subject) == LIMITER_DONE)
			req->take_state = TAKE_DONE;
	}
	if (req->take_state == TAKE_WAITS) {
		conn_watch(req->conn);
		return (STEP_WAIT);
	}
	return (settle(req));
}
