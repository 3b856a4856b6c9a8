/* SPDX-License-Identifier: Apache-2.0 */
/* One transaction: Yett's own checks first, then the phases. */
#include "config.h"

#include "rules/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "rules/body.h"

/* Sizes from which an inspection may take more than about a millisecond. */
#define LONG_BODY 1024
#define LONG_ARGUMENTS 12
#define LONG_HEAD 3072
/* A cut body may bring a few arguments of Yett's own. */
#define ARGUMENTS_SLACK 8

struct waf_txn *
waf_txn_new(struct waf_policy *policy, const struct http_request *request,
    const struct waf_client *client)
{
	struct waf_txn *txn = mem_zalloc(sizeof(*txn));
	char peer[NETADDR_TEXT_MAX], local[NETADDR_TEXT_MAX];
	struct shim_txn_args args;

	CHECK_OBJ(policy, WAF_POLICY_MAGIC);
	txn->magic = WAF_TXN_MAGIC;
	txn->policy = waf_policy_ref(policy);
	txn->request = request;
	if (exclude_count(policy->excludes) != 0) {
		txn->active = mem_zalloc(exclude_count(policy->excludes));
		exclude_select(policy->excludes, request, txn->active);
	}
	args = (struct shim_txn_args){
		.engine = policy->waf->engine,
		.rules = policy->base->rules,
		.id = client->id,
		.settings = policy->settings,
		.n_settings = policy->n_settings,
		.excludes = exclude_table(policy->excludes),
		.active = txn->active,
		.paranoia = policy->paranoia,
		.detect = policy->mode != CONF_WAF_BLOCK,
	};
	txn->shim = shim_txn_new(&args);
	if (txn->shim == NULL) {
		waf_txn_free(&txn);
		return (NULL);
	}
	(void)netaddr_ip_text(client->peer, peer);
	(void)netaddr_ip_text(client->local, local);
	shim_connection(txn->shim, peer, client->peer->port, local, client->local->port);
	return (txn);
}

void
waf_txn_free(struct waf_txn **txn_p)
{
	struct waf_txn *txn = *txn_p;

	*txn_p = NULL;
	if (txn == NULL)
		return;
	CHECK_OBJ(txn, WAF_TXN_MAGIC);
	shim_txn_free(&txn->shim);
	waf_policy_free(&txn->policy);
	free(txn->active);
	txn->magic = 0;
	free(txn);
}

static const struct waf_verdict *
verdict(struct waf_txn *txn)
{
	struct waf_verdict *v = &txn->verdict;
	const struct waf_policy *p = txn->policy;
	struct shim_result r;

	shim_read(txn->shim, &r);
	v->refuse = p->mode == CONF_WAF_BLOCK && (r.decided || r.fault);
	v->detected = p->mode != CONF_WAF_BLOCK && (r.decided || r.fault);
	v->status = r.decided ? r.status : 0;
	if (r.fault)
		v->status = 500;
	else if (r.decided && (v->status < 300 || v->status > 599))
		v->status = 403;
	v->redirect = r.redirect;
	v->score = txn->response ? r.outbound : r.inbound;
	v->threshold = txn->response ? p->outbound_threshold : p->inbound_threshold;
	v->paranoia = p->paranoia;
	v->hits = r.hits;
	v->n_hits = r.n_hits;
	v->n_hits_lost = r.n_hits_lost;
	return (v);
}

static bool
over(const struct waf_txn *txn)
{
	struct shim_result r;

	shim_read(txn->shim, &r);
	return (r.fault || (r.decided && txn->policy->mode == CONF_WAF_BLOCK));
}

/* --- Yett's own checks ------------------------------------------------------ */

static void
refuse(struct waf_txn *txn, enum waf_own_hit id, const char *message,
    struct span variable, struct span value)
{
	struct waf_hit hit = {
		.id = id,
		.message = span_of(message),
		.severity = 2,
		.phase = 2,
		.variable = variable,
		.value = span_cut(value, 0, SHIM_VALUE_MAX),
	};

	shim_refuse(txn->shim, &hit, 400);
}

static uint64_t
count_cookies(const struct http_request *rq)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < rq->fields.n; i++) {
		if (rq->fields.v[i].id != HTTP_COOKIE)
			continue;
		n++;
		for (size_t c = 0; c < rq->fields.v[i].value.n; c++)
			if (rq->fields.v[i].value.p[c] == ';')
				n++;
	}
	return (n);
}

/* What the body adds to the arguments of the query; what is wrong with it. */
static bool
check_body(
    struct waf_txn *txn, enum shim_body kind, struct span body, struct span *boundary_r)
{
	struct span type = http_fields_value(&txn->request->fields, HTTP_CONTENT_TYPE);
	uint64_t n = body_arguments_urlencoded(txn->request->target.query), parts = 0;
	const char *wrong = NULL;

	if (kind == SHIM_BODY_MULTIPART && body.n > 0) {
		wrong = body_boundary(type, boundary_r);
		if (wrong == NULL)
			wrong = body_multipart(body, *boundary_r, &parts);
		if (wrong != NULL) {
			refuse(txn, WAF_HIT_MULTIPART, wrong,
			    SPAN("REQUEST_HEADERS:Content-Type"), type);
			/* else it passes: the record tells what the rules say */
			if (txn->policy->mode == CONF_WAF_BLOCK)
				return (false);
		}
		n += parts;
	} else if (kind == SHIM_BODY_FORM) {
		n += body_arguments_urlencoded(body);
	} else if (kind == SHIM_BODY_JSON) {
		n += body_arguments_json(body);
	}
	if (n <= txn->policy->arguments)
		return (true);
	refuse(txn, WAF_HIT_ARGUMENTS, "too many arguments", SPAN("ARGS"), SPAN_NONE);
	return (false);
}

static bool
check_head(struct waf_txn *txn)
{
	const struct http_request *rq = txn->request;

	if (rq->fields.count[HTTP_CONTENT_TYPE] > 1) {
		refuse(txn, WAF_HIT_CONTENT_TYPE, "more than one Content-Type",
		    SPAN("REQUEST_HEADERS:Content-Type"),
		    http_fields_value(&rq->fields, HTTP_CONTENT_TYPE));
		return (false);
	}
	if (count_cookies(rq) > txn->policy->arguments) {
		refuse(txn, WAF_HIT_COOKIES, "too many cookies", SPAN("REQUEST_COOKIES"),
		    SPAN_NONE);
		return (false);
	}
	return (true);
}

/* --- the request ------------------------------------------------------------- */

/* The body in one piece: borrowed, or read from the file into *owned_r. */
static bool
load_body(const struct waf_body *body, struct span *bytes_r, char **owned_r)
{
	uint64_t at = 0;
	ssize_t n;

	*owned_r = NULL;
	*bytes_r = body->memory;
	if (body->fd < 0)
		return (true);
	*owned_r = malloc(body->bytes != 0 ? body->bytes : 1);
	if (*owned_r == NULL)
		return (false);
	while (at < body->bytes) {
		n = pread(body->fd, *owned_r + at, body->bytes - at, (off_t)at);
		if (n <= 0)
			return (false);
		at += (uint64_t)n;
	}
	*bytes_r = span_mem(*owned_r, body->bytes);
	return (true);
}

/* The rule set lists media types; one that is parsed here is not unknown. */
static void
allow_media_type(struct waf_txn *txn, enum shim_body kind)
{
	static const char known[] =
	    "|application/x-www-form-urlencoded| |multipart/form-data| "
	    "|multipart/related| |text/xml| |application/xml| |application/soap+xml| "
	    "|application/json| |application/cloudevents+json| "
	    "|application/cloudevents-batch+json|";
	char type[256], all[sizeof(known) + sizeof(type) + 8];
	size_t n;

	if (kind != SHIM_BODY_JSON && kind != SHIM_BODY_XML)
		return;
	n = body_media_type(http_fields_value(&txn->request->fields, HTTP_CONTENT_TYPE),
	    type, sizeof(type));
	if (memchr(type, '|', n) != NULL || memchr(type, ' ', n) != NULL)
		return;
	n = (size_t)snprintf(all, sizeof(all), "%s |%s|", known, type);
	shim_set_tx(txn->shim, "allowed_request_content_type", span_mem(all, n));
}

/* The head of a part that the cut went through: the engine would refuse half a
 * head, but the names in it must be seen. */
static void
show_cut(struct waf_txn *txn, struct span head)
{
	size_t quote, end, n = 0;

	while ((quote = span_index(head, '"')) != SIZE_MAX && n < ARGUMENTS_SLACK) {
		head = span_cut(head, quote + 1, head.n);
		end = ++n < ARGUMENTS_SLACK ? span_index(head, '"') : SIZE_MAX;
		shim_body_argument(txn->shim, "yett.cut", span_cut(head, 0, end));
		head = span_cut(head, end == SIZE_MAX ? end : end + 1, head.n);
	}
}

static void
inspect_body(struct waf_txn *txn, enum shim_body kind, struct span bytes,
    struct span boundary, bool truncated)
{
	bool closed = false;
	struct text close;
	size_t keep = bytes.n;

	text_init(&close, 1 << 20);
	if (truncated && bytes.n > 0)
		closed = body_close(kind, bytes, boundary, &keep, &close);
	(void)shim_body_append(txn->shim, bytes.p, keep);
	if (closed)
		(void)shim_body_append(txn->shim, close.p, close.n);
	shim_body_parse(txn->shim,
	    kind == SHIM_BODY_MULTIPART && body_boundary_is_plain(boundary) ? boundary
									    : SPAN_NONE,
	    truncated && !closed);
	if (kind == SHIM_BODY_MULTIPART && keep < bytes.n)
		show_cut(txn, span_cut(bytes, keep, bytes.n));
	text_free(&close);
	if (shim_arguments(txn->shim) > txn->policy->arguments + ARGUMENTS_SLACK)
		refuse(txn, WAF_HIT_ARGUMENTS, "too many arguments", SPAN("ARGS"),
		    SPAN_NONE);
	else
		shim_phase(txn->shim, 2);
}

const struct waf_verdict *
waf_request(struct waf_txn *txn, const struct waf_body *body)
{
	struct span bytes = SPAN_NONE, boundary = SPAN_NONE, type;
	char *owned = NULL;
	enum shim_body kind;

	CHECK_OBJ(txn, WAF_TXN_MAGIC);
	type = http_fields_value(&txn->request->fields, HTTP_CONTENT_TYPE);
	kind = body_kind(type);
	/* some apps guess: what has no type must not go by unread */
	if (type.n == 0 && body->bytes > 0)
		kind = SHIM_BODY_FORM;
	shim_request(txn->shim, txn->request);
	shim_body_kind(txn->shim, kind);
	if (!load_body(body, &bytes, &owned)) {
		refuse(txn, WAF_HIT_BODY, "the body could not be read",
		    SPAN("REQUEST_BODY"), SPAN_NONE);
	} else if (check_head(txn) && check_body(txn, kind, bytes, &boundary)) {
		allow_media_type(txn, kind);
		txn->inspected = true;
		shim_phase(txn->shim, 1);
		if (!over(txn))
			inspect_body(txn, kind, bytes, boundary, body->truncated);
	}
	free(owned);
	return (verdict(txn));
}

/* --- the response -------------------------------------------------------------- */

const struct waf_verdict *
waf_response_head(struct waf_txn *txn, const struct http_response *response)
{
	CHECK_OBJ(txn, WAF_TXN_MAGIC);
	txn->response = true;
	shim_response(txn->shim, response);
	shim_phase(txn->shim, 3);
	return (verdict(txn));
}

static bool
type_matches(const char *pattern, struct span type)
{
	struct span p = span_of(pattern);

	if (span_ends(p, SPAN("/*")))
		return (
		    span_eq_nocase(span_cut(type, 0, p.n - 1), span_cut(p, 0, p.n - 1)));
	return (span_eq_nocase(type, p));
}

uint64_t
waf_response_wanted(const struct waf_txn *txn, const struct http_response *response)
{
	const struct waf_policy *p = txn->policy;
	struct span type, coding;

	CHECK_OBJ(txn, WAF_TXN_MAGIC);
	if (p->response_inspect == 0)
		return (0);
	/* the engine does not decompress */
	coding = http_fields_value(&response->fields, HTTP_CONTENT_ENCODING);
	if (coding.n != 0 && !span_eq_nocase(coding, SPAN("identity")))
		return (0);
	type = http_fields_value(&response->fields, HTTP_CONTENT_TYPE);
	type = span_trim(span_cut(type, 0, span_index(type, ';')));
	for (size_t i = 0; i < p->n_response_types; i++)
		if (type_matches(p->response_types[i], type))
			return (p->response_inspect);
	return (0);
}

const struct waf_verdict *
waf_response_body(struct waf_txn *txn, struct span body)
{
	CHECK_OBJ(txn, WAF_TXN_MAGIC);
	shim_response_body(txn->shim, body);
	shim_phase(txn->shim, 4);
	return (verdict(txn));
}

const struct waf_verdict *
waf_finish(struct waf_txn *txn, uint16_t status_sent)
{
	char status[8];

	CHECK_OBJ(txn, WAF_TXN_MAGIC);
	CHECK(!txn->finished);
	txn->finished = true;
	(void)snprintf(status, sizeof(status), "%u", status_sent);
	shim_set_tx(txn->shim, "yett_status", span_of(status));
	/* correlates what phase 1 set up; without it the engine leaks a little */
	if (txn->inspected)
		shim_phase(txn->shim, 5);
	return (verdict(txn));
}

bool
waf_is_long(const struct http_request *request, const struct waf_body *body)
{
	uint64_t head = request->raw_target.n;
	enum shim_body kind;
	uint64_t arguments;

	for (uint32_t i = 0; i < request->fields.n; i++)
		head += request->fields.v[i].name.n + request->fields.v[i].value.n;
	arguments = body_arguments_urlencoded(request->target.query);
	kind = body_kind(http_fields_value(&request->fields, HTTP_CONTENT_TYPE));
	if (kind == SHIM_BODY_FORM && body->fd < 0)
		arguments += body_arguments_urlencoded(body->memory);
	return (
	    body->bytes > LONG_BODY || arguments > LONG_ARGUMENTS || head > LONG_HEAD);
}
