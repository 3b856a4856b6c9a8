/* SPDX-License-Identifier: Apache-2.0 */
/* The head that a client gets for each answer of an origin and each refusal. */
#include "config.h"

#include "gateway/request/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/request_rig.h"

#define N "\r\n"
#define GET "GET / HTTP/1.1" N "Host: a" N N
#define GET10 "GET / HTTP/1.0" N N
#define KEPT10 "GET / HTTP/1.0" N "Connection: keep-alive" N N
#define HEAD "HEAD / HTTP/1.1" N "Host: a" N N
#define POST "POST / HTTP/1.1" N "Host: a" N "Content-Length: 5" N N
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT" N
#define OK "HTTP/1.1 200 OK" N DATE
#define VIA "Via: 1.1 yett" N
#define CLOSE "Connection: close" N

static const struct row {
	const char *why, *request, *origin, *out;
	bool keepalive, chunked;
} rows[] = {
	{ "length", GET, OK "Content-Length: 5" N N, OK VIA "Content-Length: 5" N N, true,
	    false },
	{ "no body at all", GET, OK "Content-Length: 0" N N,
	    OK VIA "Content-Length: 0" N N, true, false },
	{ "chunks", GET, OK "Transfer-Encoding: chunked" N N,
	    OK VIA "Transfer-Encoding: chunked" N N, true, true },
	{ "until the origin closes", GET, OK N, OK VIA "Transfer-Encoding: chunked" N N,
	    true, true },
	{ "chunks to HTTP/1.0", KEPT10, OK "Transfer-Encoding: chunked" N N,
	    OK VIA CLOSE N, false, false },
	{ "until close to HTTP/1.0", KEPT10, OK N, OK VIA CLOSE N, false, false },
	{ "length to HTTP/1.0", GET10, OK "Content-Length: 5" N N,
	    OK VIA "Content-Length: 5" N CLOSE N, false, false },
	{ "length to HTTP/1.0 that stays", KEPT10, OK "Content-Length: 5" N N,
	    OK VIA "Content-Length: 5" N "Connection: keep-alive" N N, true, false },
	{ "an origin of HTTP/1.0", GET, "HTTP/1.0 200 OK" N DATE "Content-Length: 5" N N,
	    OK VIA "Content-Length: 5" N N, true, false },
	{ "the client asked for a close", "GET / HTTP/1.1" N "Host: a" N CLOSE N,
	    OK "Content-Length: 5" N N, OK VIA "Content-Length: 5" N CLOSE N, false,
	    false },
	{ "the origin closes, the client need not", GET, OK "Content-Length: 5" N CLOSE N,
	    OK VIA "Content-Length: 5" N N, true, false },
	{ "HEAD tells the length and has no body", HEAD, OK "Content-Length: 5" N N,
	    OK VIA "Content-Length: 5" N N, true, false },
	{ "HEAD without a length", HEAD, OK N, OK VIA N, true, false },
	{ "HEAD of chunks", HEAD, OK "Transfer-Encoding: chunked" N N, OK VIA N, true,
	    false },
	{ "204 has no length", GET,
	    "HTTP/1.1 204 No Content" N DATE "Content-Length: 5" N N,
	    "HTTP/1.1 204 No Content" N DATE VIA N, true, false },
	{ "304 neither", GET, "HTTP/1.1 304 Not Modified" N DATE "Content-Length: 5" N N,
	    "HTTP/1.1 304 Not Modified" N DATE VIA N, true, false },
	{ "the body is not read yet: what follows it can't be found", POST,
	    OK "Content-Length: 5" N N, OK VIA "Content-Length: 5" N CLOSE N, false,
	    false },
	{ "hop-by-hop fields end here", GET,
	    OK "Keep-Alive: timeout=5" N "Connection: keep-alive, X-Mine" N "X-Mine: 1" N
	       "Proxy-Authenticate: Basic" N "Upgrade: h2c" N "Trailer: X" N "TE: x" N
	       "Content-Length: 5" N N,
	    OK VIA "Content-Length: 5" N N, true, false },
	{ "all else passes as it is", GET,
	    "HTTP/1.1 299 Fancy Words" N "Set-Cookie: a=1" N "Set-Cookie: b=2" N
	    "via: 1.0 x" N DATE "X: \x80\xff" N "Content-Length: 5" N N,
	    "HTTP/1.1 299 Fancy Words" N "Set-Cookie: a=1" N "Set-Cookie: b=2" N
	    "via: 1.0 x" N DATE "X: \x80\xff" N VIA "Content-Length: 5" N N,
	    true, false },
	{ "a reason is never missing", GET,
	    "HTTP/1.1 404 " N DATE "Content-Length: 0" N N,
	    "HTTP/1.1 404 Not Found" N DATE VIA "Content-Length: 0" N N, true, false },
};

static struct request_rig rig;

static int
setup(void **state)
{
	(void)state;
	rig_open(&rig);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return (0);
}

static void
test_rows(void **state)
{
	const struct row *row;
	struct request *req;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		row = &rows[i];
		req = rig_request(&rig, row->request);
		rig_answer(&rig, row->origin);
		answer_head(req);
		if (!span_eq(text_span(&req->answer), span_of(row->out)))
			fail_msg("%s:\n%.*s\nnot\n%s", row->why,
			    SPAN_FMT(text_span(&req->answer)), row->out);
		if (req->keepalive != row->keepalive ||
		    req->answer_chunked != row->chunked ||
		    req->answer_close == row->keepalive)
			fail_msg("%s: keepalive %d, close %d, chunked %d", row->why,
			    req->keepalive, req->answer_close, req->answer_chunked);
	}
}

/* Compression: what changes in the head, and that it is settled there. */
static void
test_compressed(void **state)
{
	static const struct span types[] = { SPAN("text/*") };
	static const struct {
		const char *why, *request, *origin, *out;
		enum coding coding;
		bool chunked, on;
	} packs[] = {
		{ "compressed",
		    "GET / HTTP/1.1" N "Accept-Encoding: gzip" N "Host: a" N N,
		    OK "Content-Type: text/html" N "ETag: \"a\"" N
		       "Content-Length: 50" N N,
		    OK "Content-Type: text/html" N "ETag: W/\"a\"" N
		       "Content-Encoding: gzip" N "Vary: Accept-Encoding" N VIA
		       "Transfer-Encoding: chunked" N N,
		    CODING_GZIP, true, true },
		{ "not for this client", GET,
		    OK "Content-Type: text/html" N "Content-Length: 50" N N,
		    OK "Content-Type: text/html" N "Vary: Accept-Encoding" N VIA
		       "Content-Length: 50" N N,
		    CODING_IDENTITY, false, false },
		{ "HEAD", "HEAD / HTTP/1.1" N "Accept-Encoding: gzip" N "Host: a" N N,
		    OK "Content-Type: text/html" N "Content-Length: 50" N N,
		    OK "Content-Type: text/html" N "Content-Encoding: gzip" N
		       "Vary: Accept-Encoding" N VIA N,
		    CODING_GZIP, false, false },
		{ "304 to a tag that was made weak",
		    "GET / HTTP/1.1" N "Accept-Encoding: gzip" N
		    "If-None-Match: \"b\", W/\"a\"" N "Host: a" N N,
		    "HTTP/1.1 304 Not Modified" N DATE "ETag: \"a\"" N N,
		    "HTTP/1.1 304 Not Modified" N DATE "ETag: W/\"a\"" N
		    "Vary: Accept-Encoding" N VIA N,
		    CODING_GZIP, false, false },
		{ "304 to another tag",
		    "GET / HTTP/1.1" N "Accept-Encoding: gzip" N
		    "If-None-Match: W/\"ab\", W/\"b, /\"a\"" N "Host: a" N N,
		    "HTTP/1.1 304 Not Modified" N DATE "ETag: \"a\"" N N,
		    "HTTP/1.1 304 Not Modified" N DATE "ETag: \"a\"" N VIA N,
		    CODING_IDENTITY, false, false },
	};
	struct compress_plan plan = { .rules = { types, 1, 10, false },
		.order = { CODING_GZIP },
		.n_order = 1,
		.level = { [CODING_GZIP] = 4 } };
	struct request *req;
	size_t i;

	(void)state;
	rig.place.compress = &plan;
	for (i = 0; i < sizeof(packs) / sizeof(packs[0]); i++) {
		req = rig_request(&rig, packs[i].request);
		rig_answer(&rig, packs[i].origin);
		answer_head(req);
		if (!span_eq(text_span(&req->answer), span_of(packs[i].out)))
			fail_msg("%s:\n%.*s\nnot\n%s", packs[i].why,
			    SPAN_FMT(text_span(&req->answer)), packs[i].out);
		assert_int_equal(req->pack.coding, packs[i].coding);
		assert_int_equal(req->answer_chunked, packs[i].chunked);
		assert_int_equal(req->pack.on, packs[i].on);
		assert_int_equal(rig.worker.packing > 0, packs[i].on);
	}
	/* as much is promised as there is memory for */
	rig.worker.packing += PACK_MEMORY_MAX - 1000;
	req = rig_request(&rig, packs[0].request);
	rig_answer(&rig, packs[0].origin);
	answer_head(req);
	assert_int_equal(req->pack.why, COMPRESS_MEMORY);
	assert_false(req->pack.on);
	assert_true(
	    span_find(text_span(&req->answer), SPAN("Content-Length: 50")) != SIZE_MAX);
	rig.worker.packing -= PACK_MEMORY_MAX - 1000;
	assert_int_equal(rig.worker.packing, 0);
	rig.place.compress = NULL;
}

static bool
has(const struct request *req, const char *what)
{
	return (span_find(text_span(&req->answer), span_of(what)) != SIZE_MAX);
}

static void
test_date_is_added(void **state)
{
	struct request *req;

	(void)state;
	req = rig_request(&rig, GET);
	rig_answer(&rig, "HTTP/1.1 200 OK" N "Content-Length: 0" N N);
	answer_head(req);
	assert_true(has(req, N "Date: "));
	assert_true(has(req, " GMT" N));
}

static void
test_drain_closes(void **state)
{
	struct request *req;

	(void)state;
	req = rig_request(&rig, GET);
	rig_answer(&rig, OK "Content-Length: 0" N N);
	rig.worker.draining = true;
	answer_head(req);
	rig.worker.draining = false;
	assert_true(has(req, N CLOSE));
	assert_false(req->keepalive);
}

static void
test_interim(void **state)
{
	struct request *req;

	(void)state;
	req = rig_request(&rig, GET);
	rig_answer(&rig, "HTTP/1.1 103 Early Hints" N "Link: </a>" N "Connection: x" N
			 "X: 1" N "Content-Length: 3" N N);
	answer_interim(req);
	assert_true(span_eq(text_span(&req->answer),
	    SPAN("HTTP/1.1 103 Early Hints" N "Link: </a>" N N)));
	assert_int_equal(sender_bytes(&req->out), req->answer.n);
}

static void
test_changes(void **state)
{
	struct changes *c = changes_new(CHANGES_OF_RESPONSE);
	struct request *req;
	struct err e;

	(void)state;
	assert_int_equal(changes_remove(c, SPAN("server"), &e), ERR_OK);
	assert_int_equal(changes_set(c, SPAN("X-Id"), SPAN("%{id}"), &e), ERR_OK);
	assert_int_equal(changes_set(c, SPAN("Date"), SPAN(""), &e), ERR_OK);
	assert_int_equal(
	    changes_add(c, SPAN("X-Tag"), SPAN("%{tls_version}!"), &e), ERR_OK);
	changes_preset(c);
	rig.place.response_changes = c;
	req = rig_request(&rig, GET);
	req->located = true;
	rig_answer(&rig, "HTTP/1.1 200 OK" N "Server: x" N "X-Tag: its" N "X-ID: its" N
			 "X-Frame-Options: DENY" N "Content-Length: 0" N N);
	answer_head(req);
	assert_false(has(req, "Server"));
	assert_false(has(req, "Date"));
	assert_false(has(req, "X-ID: its"));
	assert_true(has(req, N "X-Id: "));
	assert_true(has(req, N "X-Tag: its" N));
	assert_true(has(req, N "X-Tag: !" N));
	assert_true(has(req, N "X-Frame-Options: DENY" N));
	assert_false(has(req, "SAMEORIGIN"));
	assert_true(has(req, N "X-Content-Type-Options: nosniff" N));
	assert_false(has(req, "Strict-Transport-Security"));
	rig.conn.has_tls = true;
	req = rig_request(&rig, GET);
	req->located = true;
	rig_answer(&rig, "HTTP/1.1 200 OK" N "Server: x" N "Content-Length: 0" N N);
	answer_head(req);
	assert_true(has(req, N "Strict-Transport-Security: "));
	rig.conn.has_tls = false;
	req = rig_request(&rig, GET);
	rig_answer(&rig, "HTTP/1.1 103 Early Hints" N "Link: </a>" N "Server: x" N N);
	answer_interim(req);
	assert_true(span_eq(text_span(&req->answer),
	    SPAN("HTTP/1.1 103 Early Hints" N "Link: </a>" N N)));
	request_refuse(req, 403, "waf", "why");
	answer_refusal(req);
	assert_false(has(req, "X-Tag"));
	changes_free(&rig.place.response_changes);
}

/* A head that would have to be cut is none. */
static void
test_changes_overflow(void **state)
{
	struct changes *c = changes_new(CHANGES_OF_RESPONSE);
	struct request *req;
	struct text text, in;
	struct err e;
	int i;

	(void)state;
	text_init(&text, TEMPLATE_TEXT_MAX);
	for (i = 0; i < 60; i++)
		text_puts(&text, "%{path}");
	assert_int_equal(changes_set(c, SPAN("X-Long"), text_span(&text), &e), ERR_OK);
	text_init(&in, 16384);
	text_puts(&in, "GET /");
	for (i = 0; i < 8000; i++)
		text_putc(&in, 'a');
	text_puts(&in, " HTTP/1.1" N "Host: app.test" N N);
	text_putc(&in, '\0');
	rig.place.response_changes = c;
	req = rig_request(&rig, in.p);
	req->located = true;
	rig_answer(&rig, OK "Content-Length: 0" N N);
	answer_head(req);
	assert_int_equal(req->refusal.status, 502);
	assert_string_equal(req->refusal.reason, "upstream");
	answer_refusal(req);
	assert_true(has(req, "HTTP/1.1 502 "));
	changes_free(&rig.place.response_changes);
	text_free(&in);
	text_free(&text);
}

static const struct refused {
	const char *why, *request;
	uint16_t status;
	const char *reason;
	bool body_is_here, keepalive;
	const char *has, *has_not;
} refusals[] = {
	{ "a page of its length", GET, 403, "waf", true, true, "HTTP/1.1 403 Forbidden" N,
	    CLOSE },
	{ "who disagrees about the protocol goes", GET, 400, "protocol", true, false,
	    N CLOSE, "keep-alive" },
	{ "a body is still to come", POST, 413, "body", false, false, N CLOSE,
	    "keep-alive" },
	{ "a body is here", POST, 403, "waf", true, true, "Content-Length: ", CLOSE },
	{ "HTTP/1.0 stays if it asked to", KEPT10, 403, "waf", true, true,
	    N "Connection: keep-alive" N, CLOSE },
	{ "HTTP/1.0 goes", GET10, 403, "waf", true, false, N CLOSE, "keep-alive" },
	{ "where to", GET, 308, NULL, true, true, N "Location: https://x/" N, "Allow" },
	{ "what is allowed", GET, 405, "method", true, true, N "Allow: PUT" N,
	    "Location" },
};

static void
test_refusals(void **state)
{
	const struct refused *row;
	struct request *req;
	char length[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		row = &refusals[i];
		req = rig_request(&rig, row->request);
		req->body_done = row->body_is_here;
		request_refuse(req, row->status, row->reason, "why");
		if (row->status == 308)
			req->refusal.location = SPAN("https://x/");
		if (row->status == 405)
			req->refusal.allow = SPAN("PUT");
		answer_refusal(req);
		if (!has(req, row->has) || has(req, row->has_not) ||
		    req->keepalive != row->keepalive)
			fail_msg("%s: %.*s", row->why, SPAN_FMT(text_span(&req->answer)));
		snprintf(length, sizeof(length), N "Content-Length: %zu" N, req->page.n);
		assert_true(has(req, length));
		assert_true(has(req, req->id));
		assert_int_equal(sender_bytes(&req->out), req->answer.n + req->page.n);
		assert_int_equal(req->answer_bytes, req->page.n);
	}
}

static void
test_refusal_of_head(void **state)
{
	struct request *req;

	(void)state;
	req = rig_request(&rig, HEAD);
	request_refuse(req, 403, "waf", "why");
	answer_refusal(req);
	assert_int_equal(sender_bytes(&req->out), req->answer.n);
	assert_int_equal(req->answer_bytes, 0);
}

/* The first refusal is the one that counts. */
static void
test_first_refusal_stands(void **state)
{
	struct request *req;

	(void)state;
	req = rig_request(&rig, GET);
	request_refuse(req, 403, "waf", "first");
	request_refuse(req, 400, "protocol", "second");
	assert_int_equal(req->refusal.status, 403);
	assert_string_equal(req->refusal.detail, "first");
	assert_true(req->keepalive);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_date_is_added),
		cmocka_unit_test(test_drain_closes),
		cmocka_unit_test(test_interim),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_changes_overflow),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_refusal_of_head),
		cmocka_unit_test(test_first_refusal_stands),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
