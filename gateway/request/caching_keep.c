/* SPDX-License-Identifier: Apache-2.0 */
/* What the origin's answers do to what is stored, and what it is asked for that. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/http/write.h"
#include "gateway/request/caching.h"
#include "gateway/request/caching_inside.h"
#include "gateway/request/request.h"

#define KEY_NAMES_MAX (4u << 10)
#define KEY_VALUES_MAX (16u << 10)

/* --- what is sent to the origin ------------------------------------------ */

bool
caching_rewrites(const struct request *req)
{
	return (req->caching.admitted && !req->caching.passes);
}

bool
caching_tells_apart(const struct request *req, enum conf_key_kind kind)
{
	const struct conf_cache_use *conf;
	size_t i;

	if (!req->caching.admitted)
		return (true);
	conf = req->caching.place->conf;
	for (i = 0; i < conf->n_keys; i++)
		if (conf->keys[i].kind == kind)
			return (true);
	return (false);
}

/* References to the variants of the key, first what was found for this request. Of
 * others not what is coded: there are origins that give all codings of a page one
 * ETag, and this client may not read it. */
static unsigned
gather(struct request *req, struct cache_object **objects)
{
	struct cache_object *others[CACHE_CONDITIONS_MAX];
	struct caching *c;
	unsigned i, n, n_others;

	c = &req->caching;
	n = 0;
	if (c->object != NULL)
		objects[n++] = cache_object_ref(c->object);
	n_others = cache_store_variants(
	    req->snap->cache, &c->question, others, CACHE_CONDITIONS_MAX);
	for (i = 0; i < n_others; i++)
		if (others[i] != c->object && n < CACHE_CONDITIONS_MAX &&
		    others[i]->fields.count[HTTP_CONTENT_ENCODING] == 0)
			objects[n++] = others[i];
		else
			cache_object_free(&others[i]);
	return (n);
}

static void
release(struct cache_object **objects, unsigned n)
{
	while (n > 0)
		cache_object_free(&objects[--n]);
}

void
caching_put_conditions(struct request *req, struct text *head)
{
	struct cache_validators validators[CACHE_CONDITIONS_MAX];
	struct cache_object *objects[CACHE_CONDITIONS_MAX];
	struct span modified;
	struct caching *c;
	unsigned i, n;

	c = &req->caching;
	c->conditional = false;
	modified = SPAN_NONE;
	if (!caching_rewrites(req) || c->unconditional)
		return;
	n = gather(req, objects);
	for (i = 0; i < n; i++)
		validators[i] = objects[i]->validators;
	/* a date of another variant says nothing of ours */
	if (n > 0 && c->object == NULL)
		validators[0].modified = SPAN_NONE;
	if (n > 0)
		c->conditional = cache_conditions(&c->scratch, &modified, validators, n);
	if (c->conditional && c->scratch.n > 0)
		http_put_field(head, SPAN("If-None-Match"), text_span(&c->scratch));
	if (c->conditional && modified.p != NULL)
		http_put_field(head, SPAN("If-Modified-Since"), modified);
	release(objects, n);
}

bool
caching_put_query(struct request *req, struct text *head)
{
	struct cache_target target;
	struct caching *c;

	c = &req->caching;
	cache_target_of(&target, &req->http);
	text_reset(&c->scratch);
	if (!cache_put_query(&c->scratch, &target, &c->place->key))
		return (false);
	text_putc(head, '?');
	text_put(head, text_span(&c->scratch));
	return (true);
}

/* --- objects ------------------------------------------------------------- */

/* Absent: it can't be told. */
static struct span
url_tag(struct request *req, const struct cache_target *target)
{
	char tag[CACHE_KEY_TAG_MAX];
	struct cache_key key;
	struct caching *c;

	c = &req->caching;
	if (!cache_key_make(
		&key, &c->scratch, &req->snap->cache_secret, target, &c->place->key))
		return (SPAN_NONE);
	cache_key_tag(&key, tag);
	return (arena_span(req->arena, span_of(tag)));
}

/* False: purges could not find it. */
static bool
read_tags(struct request *req, const struct http_fields *fields, struct cache_tags *tags)
{
	struct cache_target target;
	struct span tag;

	if (!cache_tags_read(tags, fields))
		return (false);
	if (req->caching.place->conf->n_keys == 0)
		return (true);
	cache_target_of(&target, &req->http);
	tag = url_tag(req, &target);
	if (tag.p == NULL || tags->n == CACHE_TAGS_MAX)
		return (false);
	tags->v[tags->n++] = tag;
	return (true);
}

/* The fields with a Date (RFC 9110 6.6.1: who receives none makes one). */
static bool
with_date(struct request *req, const struct http_fields *from, struct http_fields *to)
{
	struct http_field *array;
	char date[CLOCK_HTTP_MAX];
	struct span value;
	uint32_t i;

	array = arena_alloc(req->arena, (from->n + 1) * sizeof(*array));
	if (array == NULL)
		return (false);
	http_fields_init(to, array, from->n + 1);
	for (i = 0; i < from->n; i++) {
		(void)http_fields_add(to, from->v[i].name, from->v[i].value);
		to->v[i].hop_by_hop = from->v[i].hop_by_hop;
	}
	clock_http_date(clock_wall_us(), date);
	value = arena_span(req->arena, span_of(date));
	return (value.p != NULL && http_fields_add(to, SPAN("Date"), value));
}

/* False: it depends on a field that the operator makes of what no key has. */
static bool
read_vary(
    const struct request *req, const struct http_fields *fields, struct cache_vary *vary)
{
	const struct changes *changes;
	unsigned i;

	if (!cache_vary_read(vary, fields))
		return (false);
	changes = req->place->request_changes;
	for (i = 0; changes != NULL && i < vary->n; i++)
		if (changes_tells_apart(changes, vary->v[i]))
			return (false);
	return (true);
}

/* The variant that these fields make the answer: of this request, or the one that it
 * was before, where a 304 speaks of several. */
static bool
put_variant(struct request *req, const struct cache_vary *vary,
    const struct cache_draft *draft, struct text *names, struct text *values)
{
	cache_vary_put_names(names, vary);
	if (names->overflow)
		return (false);
	if (draft->vary_key.p == NULL)
		return (cache_vary_put_key(
		    values, vary, &req->http.fields, &req->caching.place->vary));
	text_put(values, draft->vary_key);
	return (!values->overflow && span_eq(text_span(names), draft->vary_names));
}

/* An object of these fields; NULL: there is no room for it. */
static struct cache_object *
make_object(
    struct request *req, const struct http_fields *fields, struct cache_draft draft)
{
	struct cache_control control;
	struct http_fields dated;
	struct cache_tags tags;
	struct cache_vary vary;
	struct cache_object *object;
	struct text names, values;

	if (http_fields_get(fields, HTTP_DATE) == NULL) {
		if (!with_date(req, fields, &dated))
			return (NULL);
		fields = &dated;
	}
	cache_control_answer(&control, fields);
	if (!read_vary(req, fields, &vary) || !read_tags(req, fields, &tags))
		return (NULL);
	text_init(&names, KEY_NAMES_MAX);
	text_init(&values, KEY_VALUES_MAX);
	object = NULL;
	if (put_variant(req, &vary, &draft, &names, &values)) {
		draft.fields = fields;
		draft.control = &control;
		draft.wall_s = clock_wall_us() / CLOCK_SECOND;
		draft.key_text = req->caching.question.key_text;
		draft.vary_names = text_span(&names);
		draft.vary_key = text_span(&values);
		draft.tags = &tags;
		object = cache_object_new(req->snap->cache, &draft);
	}
	text_free(&names);
	text_free(&values);
	return (object);
}

static void
fill_exchange(const struct request *req, uint16_t status,
    const struct http_fields *fields, struct cache_exchange *exchange)
{
	const struct exchange *x;

	x = &req->origin;
	exchange->method = SPAN("GET");
	exchange->request = &req->http.fields;
	exchange->answer = fields;
	exchange->status = status;
	exchange->request_us = x->began_us;
	exchange->answer_us = x->head_us;
	exchange->wall_s = clock_wall_us() / CLOCK_SECOND;
}

static void
forget(struct request *req)
{
	(void)cache_store_purge_key(
	    req->snap->cache, &req->caching.question.key, req->caching.question.key_text);
}

/* The stored answer with the fields of a 304 or a HEAD, in its place; `apart`: which is
 * another variant's than this request's. NULL: it is not, and what is not to be kept
 * any more is taken out; but not for what is this request's own doing. */
static struct cache_object *
renew(struct request *req, struct cache_object *old, bool apart)
{
	enum cache_verdict verdict;
	const struct http_fields *fresh;
	struct cache_exchange exchange;
	struct cache_draft draft;
	struct cache_object *object;
	struct http_fields merged;
	struct http_field *array;
	struct cache_life life;
	uint32_t most;

	fresh = &req->origin.response.fields;
	most = old->fields.n + fresh->n;
	array = arena_alloc(req->arena, most * sizeof(*array));
	if (array == NULL)
		return (NULL);
	http_fields_init(&merged, array, most);
	if (!cache_merge(&merged, &old->fields, fresh))
		return (NULL);
	fill_exchange(req, old->status, &merged, &exchange);
	verdict = cache_judge(&life, &req->caching.place->rules, &exchange);
	if (verdict == CACHE_STORE_REQUEST || verdict == CACHE_STORE_AUTHORIZED)
		return (NULL);
	if (verdict != CACHE_STORE_YES) {
		forget(req);
		return (NULL);
	}
	memset(&draft, 0, sizeof(draft));
	draft.status = old->status;
	draft.reason = old->reason;
	draft.life = &life;
	draft.body = old->body;
	draft.from = old;
	if (apart) {
		draft.vary_names = old->vary_names;
		draft.vary_key = old->vary_key;
	}
	object = make_object(req, &merged, draft);
	if (object != NULL)
		(void)cache_store_put(req->snap->cache, &req->caching.question.key,
		    object, req->origin.began_us);
	return (object);
}

/* --- answers ------------------------------------------------------------- */

/* A stored answer is the response, not the origin's. */
static enum caching_rc
served(struct request *req, struct cache_object *object)
{
	struct caching *c;

	c = &req->caching;
	/* it may be the same one: the reference that came takes the place of the other */
	if (c->object != NULL)
		cache_object_free(&c->object);
	c->object = object;
	if (c->leads && c->flight != NULL)
		cache_flight_land(c->flight, object);
	caching_leave(req, 0);
	if (!caching_serve(req))
		WRONG("conditions of a request that led");
	exchange_end(req, exchange_may_keep(req));
	return (CACHING_SERVED);
}

/* 304 to our conditions. */
static enum caching_rc
freshen(struct request *req)
{
	struct cache_validators validators[CACHE_CONDITIONS_MAX], fresh;
	struct cache_object *objects[CACHE_CONDITIONS_MAX], *renewed, *chosen_one;
	bool chosen[CACHE_CONDITIONS_MAX];
	unsigned i, n;

	n = gather(req, objects);
	for (i = 0; i < n; i++)
		validators[i] = objects[i]->validators;
	cache_validators_read(
	    &fresh, &req->origin.response.fields, clock_wall_us() / CLOCK_SECOND);
	if (n == 0 || cache_freshened(chosen, validators, n, &fresh) == 0) {
		release(objects, n);
		req->caching.unconditional = true;
		return (CACHING_AGAIN);
	}
	chosen_one = NULL;
	for (i = 0; i < n; i++) {
		if (!chosen[i])
			continue;
		renewed = renew(req, objects[i],
		    chosen_one != NULL && objects[i]->vary_key.p != NULL);
		if (chosen_one == NULL) {
			req->caching.report.stored = renewed != NULL;
			chosen_one =
			    cache_object_ref(renewed != NULL ? renewed : objects[i]);
		}
		if (renewed != NULL)
			cache_object_free(&renewed);
	}
	release(objects, n);
	return (served(req, chosen_one));
}

/* 200 to HEAD. */
static void
compare_head(struct request *req)
{
	const struct http_response *r;
	struct cache_object *renewed;
	struct caching *c;

	c = &req->caching;
	r = &req->origin.response;
	if (c->object == NULL)
		return;
	switch (cache_head(
	    r->status, &r->fields, &c->object->fields, clock_wall_us() / CLOCK_SECOND)) {
	case CACHE_HEAD_NOTHING: break;
	case CACHE_HEAD_FRESHENS:
		renewed = renew(req, c->object, false);
		if (renewed != NULL)
			cache_object_free(&renewed);
		break;
	case CACHE_HEAD_INVALIDATES: forget(req); break;
	}
}

static uint64_t
length_of(const struct http_response *r)
{
	switch (r->framing) {
	case H1_NO_BODY: return (0);
	case H1_LENGTH: return (r->content_length);
	default: return (CACHE_LENGTH_UNKNOWN);
	}
}

/* As far as its head says; else there was no room just now. */
static bool
is_too_large(const struct request *req)
{
	uint64_t length;

	length = length_of(&req->origin.response);
	return (length != CACHE_LENGTH_UNKNOWN &&
		length > cache_store_max_object(req->snap->cache));
}

/* How long others are not to wait for such an answer. */
static int64_t
mark_of(enum cache_verdict verdict)
{
	return (verdict == CACHE_STORE_REQUEST || verdict == CACHE_STORE_AUTHORIZED
		    ? CACHING_MARK_BRIEF_US
		    : CACHING_MARK_US);
}

/* Makes room for the answer to a GET, if it may be kept. */
static void
keep(struct request *req)
{
	const struct http_response *r;
	struct cache_exchange exchange;
	enum cache_verdict verdict;
	struct cache_draft draft;
	struct cache_life life;
	struct caching *c;

	c = &req->caching;
	r = &req->origin.response;
	fill_exchange(req, r->status, &r->fields, &exchange);
	verdict = cache_judge(&life, &c->place->rules, &exchange);
	if (verdict != CACHE_STORE_YES) {
		caching_leave(req, mark_of(verdict));
		return;
	}
	c->body = cache_body_new(req->snap->cache, length_of(r));
	if (c->body != NULL) {
		memset(&draft, 0, sizeof(draft));
		draft.status = r->status;
		draft.reason = r->reason;
		draft.life = &life;
		draft.body = c->body;
		c->coming = make_object(req, &r->fields, draft);
	}
	if (c->body == NULL) {
		caching_leave(
		    req, is_too_large(req) ? CACHING_MARK_US : CACHING_MARK_BRIEF_US);
		return;
	}
	if (c->coming == NULL) { /* fields of the request may be what is too large */
		cache_body_free(&c->body);
		caching_leave(req, CACHING_MARK_BRIEF_US);
		return;
	}
	c->writes = true;
	c->end = length_of(r);
	c->report.stored = true;
}

/* --- invalidation (RFC 9111 4.4) ----------------------------------------- */

static void
invalidate_target(struct request *req, const struct cache_target *target)
{
	struct cache_key key;
	struct caching *c;
	struct span tag;

	c = &req->caching;
	if (cache_key_make(
		&key, &c->key, &req->snap->cache_secret, target, &c->place->key))
		(void)cache_store_purge_key(req->snap->cache, &key, text_span(&c->key));
	if (c->place->conf->n_keys == 0)
		return;
	tag = url_tag(req, target);
	if (tag.p != NULL)
		(void)cache_store_purge_tag(req->snap->cache, tag);
}

/* What Location and Content-Location name, on the same host only. */
static void
invalidate_reference(struct request *req, struct span reference)
{
	struct cache_target target;
	struct uri_target uri;
	size_t fragment;
	uint16_t port;

	fragment = span_index(reference, '#');
	if (fragment != SIZE_MAX)
		reference = span_cut(reference, 0, fragment);
	if (reference.n == 0 ||
	    uri_target_parse(&uri, req->arena, SPAN("GET"), reference) != URI_OK)
		return;
	cache_target_of(&target, &req->http);
	if (uri.absolute) {
		port = uri.authority.port;
		if (port == (span_eq(uri.scheme, SPAN("https")) ? 443 : 80))
			port = 0;
		if (!span_eq(uri.scheme, target.scheme) || port != target.port ||
		    !span_eq(uri.authority.host, target.host))
			return;
	}
	target.path = uri.path;
	target.has_query = uri.has_query;
	target.query = uri.query;
	invalidate_target(req, &target);
}

static void
invalidate(struct request *req)
{
	const struct http_fields *fields;
	struct cache_target target;
	uint32_t i;

	fields = &req->origin.response.fields;
	cache_target_of(&target, &req->http);
	invalidate_target(req, &target);
	for (i = 0; i < fields->n; i++)
		if (fields->v[i].id == HTTP_LOCATION ||
		    span_eq_nocase(fields->v[i].name, SPAN("content-location")))
			invalidate_reference(req, fields->v[i].value);
}

/* --- the head of an answer ---------------------------------------------- */

bool
caching_serve_stale(struct request *req)
{
	enum cache_forward forward;
	struct caching *c;
	int64_t now;

	c = &req->caching;
	now = clock_mono_us();
	if (!c->admitted || c->object == NULL || c->refresh ||
	    cache_use_failed(&c->object->life, &c->place->rules, &c->asks, now) !=
		CACHE_USE_ERROR)
		return (false);
	forward = c->report.forward;
	c->report.forward = CACHE_FWD_NONE;
	c->report.has_ttl = true;
	c->report.ttl_s = cache_ttl(&c->object->life, now);
	if (!caching_serve(req)) {
		c->report.forward = forward;
		c->report.has_ttl = false;
		return (false);
	}
	if (c->leads && c->flight != NULL)
		cache_flight_land(c->flight, c->object);
	caching_leave(req, 0);
	exchange_end(req, false);
	return (true);
}

enum caching_rc
caching_keep(struct request *req)
{
	const struct http_response *r;
	struct caching *c;

	c = &req->caching;
	r = &req->origin.response;
	if (c->place == NULL)
		return (CACHING_PASS);
	c->report.forward_status = r->status;
	if (cache_invalidates(req->http.method, r->status))
		invalidate(req);
	if (!c->admitted)
		return (CACHING_PASS);
	if (r->status == 304 && c->conditional)
		return (freshen(req));
	if (cache_is_error(r->status) && caching_serve_stale(req))
		return (CACHING_SERVED);
	if (req->http.is_head)
		compare_head(req);
	else
		keep(req);
	return (CACHING_PASS);
}
