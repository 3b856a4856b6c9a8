/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for a stored answer, waiting for another request's, serving it. */
#include "config.h"

#include "gateway/request/caching.h"

#include "gateway/base/check.h"
#include "gateway/http/lone.h"
#include "gateway/request/answer.h"
#include "gateway/request/caching_inside.h"
#include "gateway/request/request.h"

/* Followed flights that gave this request nothing: then it asks for itself. */
#define TURNS_MAX 4

static void
on_timer(struct loop_timer *timer)
{
	request_wake(timer->data);
}

void
caching_init(struct request *req)
{
	loop_timer_init(&req->caching.timer, req->worker->loop, on_timer, req);
}

void
caching_leave(struct request *req, int64_t mark_us)
{
	struct caching *c;

	c = &req->caching;
	if (c->flight == NULL)
		return;
	if (c->leads)
		cache_flight_end(c->flight, mark_us, clock_mono_us());
	cache_flight_free(&c->flight);
	c->leads = false;
}

void
caching_free(struct request *req)
{
	struct caching *c;

	c = &req->caching;
	if (c->place == NULL)
		return;
	loop_timer_stop(&c->timer);
	if (c->writes)
		cache_body_end(c->body, false);
	caching_leave(req, 0);
	if (c->body != NULL)
		cache_body_free(&c->body);
	if (c->coming != NULL)
		cache_object_free(&c->coming);
	if (c->object != NULL)
		cache_object_free(&c->object);
	if (c->wait != NULL)
		cache_wait_free(&c->wait);
}

/* --- the key ------------------------------------------------------------- */

/* One part of the route's own. Values hold no line feed. False: the origin may mean
 * another one than we, since it comes twice and differs, or not as it is named. */
static bool
put_part(struct request *req, const struct conf_key *key, struct text *parts)
{
	const struct http_fields *fields;
	struct span name, value;

	fields = &req->http.fields;
	name = span_of(key->name);
	value = SPAN_NONE;
	switch (key->kind) {
	case CONF_KEY_HEADER:
		if (!http_field_is_plain(fields, name) ||
		    !http_lone_field(fields, name, &value))
			return (false);
		break;
	case CONF_KEY_COOKIE:
		if (!http_lone_cookie(fields, name, &value))
			return (false);
		break;
	case CONF_KEY_COUNTRY:
		request_locate(req);
		value = span_of(req->geo.country);
		break;
	case CONF_KEY_ASN:
		request_locate(req);
		text_put_u64(parts, req->geo.asn);
		break;
	default: WRONG("part of a cache key");
	}
	/* absent is not empty */
	text_puts(parts, value.p != NULL ? "=" : "-");
	text_put(parts, value);
	text_putc(parts, '\n');
	return (true);
}

static bool
put_parts(struct request *req, const struct conf_cache_use *conf, struct text *parts)
{
	size_t i;

	text_reset(parts);
	for (i = 0; i < conf->n_keys; i++)
		if (!put_part(req, &conf->keys[i], parts))
			return (false);
	return (!parts->overflow);
}

static bool
make_key(struct request *req)
{
	struct cache_key_rules rules;
	struct cache_target target;
	struct caching *c;

	c = &req->caching;
	rules = c->place->key;
	if (!put_parts(req, c->place->conf, &c->scratch))
		return (false);
	rules.parts = text_span(&c->scratch);
	cache_target_of(&target, &req->http);
	if (!cache_key_make(
		&c->question.key, &c->key, &req->snap->cache_secret, &target, &rules))
		return (false);
	c->question.key_text = text_span(&c->key);
	return (true);
}

/* False: the request goes past the cache. */
static bool
begin(struct request *req)
{
	struct caching *c;
	enum cache_admission admission;

	c = &req->caching;
	if (req->place == NULL || req->place->cache == NULL)
		return (false);
	c->place = req->place->cache;
	c->passes = true;
	c->report.name = SPAN("yett");
	admission = cache_admit(&req->http);
	c->report.forward =
	    admission == CACHE_ADMIT_NOT_METHOD ? CACHE_FWD_METHOD : CACHE_FWD_BYPASS;
	if (admission != CACHE_ADMIT || !make_key(req))
		return (false);
	c->admitted = true;
	cache_control_request(&c->asks, &req->http.fields);
	c->question.request = &req->http.fields;
	c->question.vary = &c->place->vary;
	c->question.scratch = &c->scratch;
	c->question.now_us = clock_mono_us();
	return (true);
}

/* --- serving ------------------------------------------------------------- */

static void
respond(struct request *req, uint16_t status, enum h1_framing framing, uint64_t length)
{
	struct http_response *r;
	struct caching *c;

	c = &req->caching;
	r = &c->response;
	r->status = status;
	r->reason = status == c->object->status ? c->object->reason : SPAN_NONE;
	r->fields = c->object->fields;
	r->framing = framing;
	r->content_length = length;
	req->response = r;
}

/* The whole, a part, or nothing of the stored content. */
static void
respond_with_content(struct request *req)
{
	enum cache_range_rc part;
	struct caching *c;
	uint64_t length;

	c = &req->caching;
	length = cache_body_length(c->object->body);
	part = CACHE_RANGE_WHOLE;
	if (!req->http.is_head && c->object->status == 200 &&
	    length != CACHE_LENGTH_UNKNOWN)
		part = cache_range(
		    &c->range, &req->http.fields, &c->object->validators, length);
	c->is_part = part != CACHE_RANGE_WHOLE;
	c->end = length;
	switch (part) {
	case CACHE_RANGE_PART:
		c->offset = c->range.first;
		c->end = c->range.last + 1;
		respond(req, 206, H1_LENGTH, c->end - c->offset);
		break;
	case CACHE_RANGE_UNSATISFIABLE:
		c->end = 0;
		respond(req, 416, H1_LENGTH, 0);
		break;
	case CACHE_RANGE_WHOLE:
		respond(req, c->object->status,
		    length == CACHE_LENGTH_UNKNOWN ? H1_CHUNKED : H1_LENGTH, length);
		if (c->object->status == 204)
			c->response.framing = H1_NO_BODY;
		break;
	}
}

static void
set_object(struct request *req, struct cache_object *object)
{
	if (req->caching.object != NULL)
		cache_object_free(&req->caching.object);
	req->caching.object = object;
}

/* False: the conditions are the origin's to judge. */
static bool
respond_by_conditions(struct request *req)
{
	const struct cache_object *object;

	object = req->caching.object;
	switch (cache_condition(&req->http.fields, object->status, &object->validators,
	    clock_wall_us() / CLOCK_SECOND)) {
	case CACHE_CONDITION_ORIGIN: return (false);
	case CACHE_CONDITION_NOT_MODIFIED: respond(req, 304, H1_NO_BODY, 0); break;
	case CACHE_CONDITION_NONE: respond_with_content(req); break;
	}
	return (true);
}

bool
caching_serve(struct request *req)
{
	struct caching *c;

	c = &req->caching;
	if (!respond_by_conditions(req))
		return (false);
	c->body = cache_body_ref(c->object->body);
	answer_head(req);
	return (true);
}

void
caching_settle(struct request *req)
{
	const struct http_fields *fields;
	struct caching *c;

	c = &req->caching;
	fields = &req->http.fields;
	if (!c->writes || c->passes ||
	    (fields->count[HTTP_IF_NONE_MATCH] == 0 &&
		fields->count[HTTP_IF_MODIFIED_SINCE] == 0 &&
		fields->count[HTTP_RANGE] == 0))
		return;
	set_object(req, cache_object_ref(c->coming));
	(void)respond_by_conditions(req);
}

static bool
usable(const struct request *req, const struct cache_object *object)
{
	const struct caching *c;
	int64_t now;

	c = &req->caching;
	now = clock_mono_us();
	/* what a leader hands out stale is all there is while the origin fails */
	return ((!object->life.validate_always && cache_ttl(&object->life, now) > 0) ||
		cache_use_failed(&object->life, &c->place->rules, &c->asks, now) ==
		    CACHE_USE_ERROR);
}

/* --- asking -------------------------------------------------------------- */

/* Conditions that only the origin can judge. */
static bool
has_preconditions(const struct http_fields *fields)
{
	return (fields->count[HTTP_IF_MATCH] > 0 ||
		fields->count[HTTP_IF_UNMODIFIED_SINCE] > 0);
}

/* What only the origin can answer, or answers best, is asked as it is. */
static bool
asks_alone(const struct request *req)
{
	const struct http_fields *fields;

	fields = &req->http.fields;
	return (req->http.is_head || has_preconditions(fields) ||
		(fields->count[HTTP_RANGE] > 0 && req->caching.object == NULL));
}

static enum step_rc
serve_or_pass(struct request *req)
{
	if (caching_serve(req))
		return (STEP_REPLY);
	req->caching.report.forward = CACHE_FWD_REQUEST;
	return (STEP_NEXT);
}

/* Who led until now may have put the answer just before this request could lead. */
static bool
is_there_now(struct request *req)
{
	struct cache_object *object;
	struct caching *c;

	c = &req->caching;
	object = NULL;
	if (cache_store_find(req->snap->cache, &c->question, &object) != CACHE_FOUND)
		return (false);
	if (object == c->object || !usable(req, object)) {
		cache_object_free(&object);
		return (false);
	}
	set_object(req, object);
	c->report.collapsed = true;
	caching_leave(req, 0);
	return (true);
}

static enum step_rc
join(struct request *req)
{
	struct caching *c;

	c = &req->caching;
	if (asks_alone(req) || c->turns++ >= TURNS_MAX)
		return (STEP_NEXT);
	if (c->wait == NULL)
		c->wait = cache_wait_new(req->worker->loop, request_wake, req);
	switch (cache_flight_join(req->snap->cache, &c->question, c->wait, &c->flight)) {
	case CACHE_ALONE: return (STEP_NEXT);
	case CACHE_LEAD:
		c->leads = true;
		if (is_there_now(req))
			return (serve_or_pass(req));
		c->passes = false;
		return (STEP_NEXT);
	case CACHE_FOLLOW: break;
	}
	c->wait_until_us = clock_mono_us() + c->place->conf->wait;
	loop_timer_set(&c->timer, c->place->conf->wait);
	conn_watch(req->conn);
	return (STEP_WAIT);
}

static enum step_rc
find(struct request *req)
{
	struct cache_object *object;
	enum cache_found found;
	struct caching *c;

	c = &req->caching;
	object = NULL;
	c->question.now_us = clock_mono_us();
	found = cache_store_find(req->snap->cache, &c->question, &object);
	set_object(req, object);
	c->report.forward =
	    found == CACHE_FOUND_NOTHING ? CACHE_FWD_URI_MISS : CACHE_FWD_VARY_MISS;
	switch (cache_use(object != NULL ? &object->life : NULL, &c->place->rules,
	    &c->asks, c->question.now_us)) {
	case CACHE_USE_FRESH:
	case CACHE_USE_STALE: c->report.forward = CACHE_FWD_NONE; break;
	case CACHE_USE_REVALIDATE:
		c->report.forward = CACHE_FWD_NONE;
		/* what comes back to those is not for everybody */
		if (!has_preconditions(c->question.request))
			refresh_begin(req);
		break;
	case CACHE_USE_TIMEOUT:
		c->report.detail = SPAN("only-if-cached");
		return (request_refuse(req, 504, NULL, NULL));
	default:
		if (object != NULL)
			c->report.forward =
			    cache_ttl(&object->life, c->question.now_us) > 0
				? CACHE_FWD_REQUEST
				: CACHE_FWD_STALE;
		return (join(req));
	}
	c->report.has_ttl = true;
	c->report.ttl_s = cache_ttl(&object->life, c->question.now_us);
	return (serve_or_pass(req));
}

static enum step_rc
follow(struct request *req)
{
	struct cache_object *object;
	struct caching *c;
	int64_t left;

	c = &req->caching;
	object = NULL;
	switch (cache_flight_news(c->flight, &object)) {
	case CACHE_NEWS_NONE:
		left = c->wait_until_us - clock_mono_us();
		if (left > 0) {
			/* the loop counts from when it woke: a timer may be early */
			loop_timer_set(&c->timer, left);
			conn_watch(req->conn);
			return (STEP_WAIT);
		}
		caching_leave(req, 0);
		return (STEP_NEXT);
	case CACHE_NEWS_ENDED: caching_leave(req, 0); return (find(req));
	case CACHE_NEWS_LANDED: break;
	}
	if (!cache_vary_matches(object->vary_names, object->vary_key, &req->http.fields,
		&c->place->vary, &c->scratch)) {
		cache_object_free(&object);
		caching_leave(req, 0);
		return (find(req));
	}
	if (!usable(req, object)) { /* it is for the one who asked */
		cache_object_free(&object);
		caching_leave(req, 0);
		return (STEP_NEXT);
	}
	set_object(req, object);
	c->report.collapsed = true;
	return (serve_or_pass(req)); /* and follows on, so that the body is completed */
}

bool
caching_resume(struct request *req)
{
	struct caching *c;

	c = &req->caching;
	c->looked = true;
	if (!begin(req))
		return (false);
	c->passes = false;
	c->report.forward = CACHE_FWD_STALE;
	return (true);
}

enum step_rc
caching_lookup(struct request *req)
{
	struct caching *c;

	c = &req->caching;
	if (c->flight != NULL && !c->leads)
		return (follow(req));
	if (c->looked)
		return (STEP_NEXT);
	c->looked = true;
	return (begin(req) ? find(req) : STEP_NEXT);
}

/* --- the head that a client gets ----------------------------------------- */

bool
caching_field_is_sent(const struct request *req, const struct http_field *field)
{
	const struct caching *c;

	c = &req->caching;
	if (c->place == NULL)
		return (true);
	if (field->id == HTTP_SURROGATE_KEY || field->id == HTTP_SURROGATE_CONTROL)
		return (false);
	if (req->response != &c->response)
		return (true);
	if (c->response.status == 416)
		return (field->id == HTTP_DATE || field->id == HTTP_ETAG ||
			field->id == HTTP_VARY);
	return (c->response.status != 304 ||
		cache_304_has(field, c->object->validators.etag.p != NULL));
}

enum tally_cache
caching_outcome(const struct request *req)
{
	const struct caching *c;

	c = &req->caching;
	if (c->place == NULL)
		return (TALLY_CACHE);
	if (!c->admitted)
		return (TALLY_CACHE_BYPASS);
	if (c->report.forward == CACHE_FWD_NONE)
		return (c->report.ttl_s > 0 ? TALLY_CACHE_HIT : TALLY_CACHE_STALE);
	if (c->report.collapsed)
		return (TALLY_CACHE_COLLAPSED);
	return (req->response == &c->response ? TALLY_CACHE_VALIDATED : TALLY_CACHE_MISS);
}

static void
put_content_range(const struct caching *c, struct text *head)
{
	text_put(head, SPAN("Content-Range: "));
	cache_put_content_range(head, c->response.status == 206 ? &c->range : NULL,
	    cache_body_length(c->body));
	text_put(head, SPAN("\r\n"));
}

static void
put_age(const struct caching *c, struct text *head)
{
	text_put(head, SPAN("Age: "));
	text_put_u64(head, (uint64_t)cache_age(&c->object->life, clock_mono_us()));
	text_put(head, SPAN("\r\n"));
}

void
caching_put_fields(struct request *req, struct text *head)
{
	struct caching *c;

	c = &req->caching;
	if (c->place == NULL)
		return;
	if (req->response == &c->response) {
		if (answer_keeps(req, SPAN("Age")))
			put_age(c, head);
		if (c->is_part)
			put_content_range(c, head);
	}
	if (!answer_keeps(req, SPAN("Cache-Status")))
		return;
	text_put(head, SPAN("Cache-Status: "));
	cache_status_put(head, &c->report);
	text_put(head, SPAN("\r\n"));
}
