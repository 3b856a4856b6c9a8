/* SPDX-License-Identifier: Apache-2.0 */
/* Heads that a client gets. */
#include "config.h"

#include "gateway/request/answer.h"

#include "gateway/filter/pages.h"
#include "gateway/http/write.h"
#include "gateway/request/caching.h"
#include "gateway/request/origin_choice.h"
#include "gateway/request/request.h"

static void
put_status_line(struct text *head, uint16_t status, struct span reason)
{
	text_put(head, SPAN("HTTP/1.1 "));
	text_put_u64(head, status);
	text_putc(head, ' ');
	text_put(head, reason.n > 0 ? reason : span_of(page_reason_phrase(status)));
	text_put(head, SPAN("\r\n"));
}

static void
put_date(struct request *req, struct text *head)
{
	struct worker *w;
	int64_t now;

	w = req->worker;
	now = clock_wall_us();
	if (now / CLOCK_SECOND != w->date_second) {
		w->date_second = now / CLOCK_SECOND;
		clock_http_date(now, w->date);
	}
	http_put_field(head, SPAN("Date"), span_of(w->date));
}

/* Closing is said; so is staying open to a client of HTTP/1.0 that asked. */
static void
put_connection(struct request *req, struct text *head)
{
	if (req->answer_close)
		text_put(head, SPAN("Connection: close\r\n"));
	else if (req->http.minor == 0)
		text_put(head, SPAN("Connection: keep-alive\r\n"));
}

bool
answer_keeps(const struct request *req, struct span name)
{
	const struct changes *changes;

	changes = req->place->response_changes;
	return (changes == NULL || !changes_takes(changes, name));
}

void
answer_put_changes(
    struct request *req, const struct http_fields *fields, struct text *head)
{
	if (req->place->response_changes != NULL)
		changes_put(req->place->response_changes, fields, request_variables(req),
		    req->conn->has_tls, head);
}

static void
put_origin_fields(
    const struct request *req, const struct http_response *r, struct text *head)
{
	const struct http_field *f;
	uint32_t i;

	for (i = 0; i < r->fields.n; i++) {
		f = &r->fields.v[i];
		if (f->hop_by_hop || f->id == HTTP_CONTENT_LENGTH ||
		    f->id == HTTP_TRANSFER_ENCODING || !caching_field_is_sent(req, f) ||
		    !answer_keeps(req, f->name))
			continue;
		switch (pack_field(req, f)) {
		case COMPRESS_KEEP: http_put_field(head, f->name, f->value); break;
		case COMPRESS_DROP: break;
		case COMPRESS_WEAKEN:
			text_put(head, f->name);
			text_put(head, SPAN(": W/"));
			text_put(head, f->value);
			text_put(head, SPAN("\r\n"));
			break;
		}
	}
}

static void
put_kept(
    const struct request *req, struct text *head, struct span name, struct span value)
{
	if (value.p != NULL && answer_keeps(req, name))
		http_put_field(head, name, value);
}

/* draft-ietf-httpapi-ratelimit-headers */
static void
put_ratelimit(const struct request *req, struct text *head)
{
	if (req->ratelimit_policy.p != NULL)
		http_put_field(head, SPAN("RateLimit-Policy"), req->ratelimit_policy);
	if (req->ratelimit.p != NULL)
		http_put_field(head, SPAN("RateLimit"), req->ratelimit);
}

/* Framing towards the client (RFC 9112 6): the length where it is known, else
 * chunks, and to HTTP/1.0 the end of the connection. */
static void
settle_framing(struct request *req)
{
	const struct http_response *r;

	r = req->response;
	req->answer_bodyless = r->framing == H1_NO_BODY || req->http.is_head;
	req->answer_chunked =
	    (r->framing == H1_CHUNKED || r->framing == H1_UNTIL_CLOSE || req->pack.on) &&
	    req->http.minor > 0;
	if (!req->answer_bodyless && r->framing != H1_LENGTH && !req->answer_chunked)
		req->keepalive = false;
	if (!req->body_done || req->worker->draining)
		req->keepalive = false;
	req->answer_close = !req->keepalive;
}

void
answer_head(struct request *req)
{
	const struct http_response *r;
	struct text *head;
	uint64_t length;

	r = req->response;
	head = &req->answer;
	pack_decide(req);
	settle_framing(req);
	req->answer_status = r->status;
	text_reset(head);
	put_status_line(head, r->status, r->reason);
	put_origin_fields(req, r, head);
	if (http_fields_get(&r->fields, HTTP_DATE) == NULL &&
	    answer_keeps(req, SPAN("Date")))
		put_date(req, head);
	caching_put_fields(req, head);
	pack_put_fields(req, answer_keeps(req, SPAN("Vary")), head);
	put_kept(req, head, SPAN("RateLimit-Policy"), req->ratelimit_policy);
	put_kept(req, head, SPAN("RateLimit"), req->ratelimit);
	origin_choice_put_set_cookie(req, head);
	text_put(head, SPAN("Via: 1.1 yett\r\n"));
	if (req->answer_chunked)
		text_put(head, SPAN("Transfer-Encoding: chunked\r\n"));
	else if (pack_length(req, &length))
		http_put_length(head, length);
	answer_put_changes(req, &r->fields, head);
	put_connection(req, head);
	text_put(head, SPAN("\r\n"));
	if (head->overflow)
		request_refuse(req, 502, "upstream",
		    "the answer's head, with the fields that are set, is too large");
}

void
answer_interim(struct request *req)
{
	const struct http_response *r;
	struct text *head;

	r = &req->origin.response;
	head = &req->answer;
	text_reset(head);
	put_status_line(head, r->status, r->reason);
	put_origin_fields(req, r, head);
	text_put(head, SPAN("\r\n"));
	if (!head->overflow)
		sender_put(&req->out, text_span(head));
}

/* What browsers may load for a page. Yett's own needs nothing. An operator's may have
 * pictures, fonts and styles of its site or within it, and no scripts: it comes where
 * an attacker is talked to. */
#define OF_YETT "default-src 'none'; style-src 'unsafe-inline'"
#define OF_OPERATOR                                                             \
	"default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' " \
	"data:; font-src 'self' data:; form-action 'self'; base-uri 'none'"

/* The operator's page, where there is one. */
static struct span
own_page(struct request *req)
{
	struct error_page_values values;

	if (req->place == NULL || req->place->error_pages == NULL ||
	    req->refusal.status < 400)
		return (SPAN_NONE);
	values.status = req->refusal.status;
	values.id = span_of(req->id);
	values.host = req->http.host_text;
	return (error_pages_put(req->place->error_pages, &req->page, &values,
	    http_fields_value(&req->http.fields, HTTP_ACCEPT)));
}

static struct span
refusal_page(struct request *req, const char **policy_r)
{
	struct text url;
	struct span type;

	text_reset(&req->page);
	*policy_r = OF_OPERATOR;
	type = own_page(req);
	if (type.p != NULL)
		return (type);
	*policy_r = OF_YETT;
	if (!req->conn->plain_on_tls)
		return (page_refusal(&req->page, req->refusal.status, span_of(req->id),
		    http_fields_value(&req->http.fields, HTTP_ACCEPT)));
	text_init(&url, 1024);
	text_printf(&url, "https://%.*s/",
	    SPAN_FMT(http_fields_value(&req->http.fields, HTTP_HOST)));
	type = page_https_here(&req->page, text_span(&url));
	text_free(&url);
	return (type);
}

static void
put_refusal_fields(const struct request *req, struct text *head)
{
	const struct refusal *r;

	r = &req->refusal;
	if (r->location.p != NULL)
		http_put_field(head, SPAN("Location"), r->location);
	if (r->allow.p != NULL)
		http_put_field(head, SPAN("Allow"), r->allow);
	if (r->authenticate.p != NULL)
		http_put_field(head, SPAN("WWW-Authenticate"), r->authenticate);
	if (r->accept_encoding.p != NULL)
		http_put_field(head, SPAN("Accept-Encoding"), r->accept_encoding);
	if (r->retry_after != 0) {
		text_put(head, SPAN("Retry-After: "));
		text_put_u64(head, r->retry_after);
		text_put(head, SPAN("\r\n"));
	}
	put_ratelimit(req, head);
}

void
answer_refusal(struct request *req)
{
	const char *policy;
	struct text *head;
	struct span type;

	head = &req->answer;
	type = refusal_page(req, &policy);
	if (!req->body_done || req->worker->draining)
		req->keepalive = false;
	req->answer_close = !req->keepalive;
	req->answer_status = req->refusal.status;
	text_reset(head);
	put_status_line(head, req->refusal.status, SPAN_NONE);
	put_date(req, head);
	http_put_field(head, SPAN("Content-Type"), type);
	http_put_length(head, req->page.n);
	http_put_field(head, SPAN("X-Request-Id"), span_of(req->id));
	text_put(head, SPAN("Cache-Control: no-store\r\n"
			    "X-Content-Type-Options: nosniff\r\n"));
	http_put_field(head, SPAN("Content-Security-Policy"), span_of(policy));
	put_refusal_fields(req, head);
	put_connection(req, head);
	text_put(head, SPAN("\r\n"));
	sender_put(&req->out, text_span(head));
	if (!req->http.is_head) {
		sender_put(&req->out, text_span(&req->page));
		req->answer_bytes = req->page.n;
	}
}
