/* SPDX-License-Identifier: Apache-2.0 */
/* The head that an origin gets for each head of a client, byte for byte. */
#include "config.h"

#include "gateway/request/origin_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/request_rig.h"

#define N "\r\n"
/* What Yett says of a client at 192.0.2.7 that asked app.test in plain HTTP. */
#define SAYS                                                                         \
	"Via: 1.1 yett" N "X-Forwarded-For: 192.0.2.7" N "X-Forwarded-Proto: http" N \
	"X-Forwarded-Host: app.test" N                                               \
	"Forwarded: for=192.0.2.7;host=\"app.test\";proto=http" N "X-Request-Id: {ID}" N
#define TOP "GET / HTTP/1.1" N "Host: app.test" N

static const struct row {
	const char *why, *in, *out;
} rows[] = {
	{ "no field but Host", TOP N, TOP SAYS N },
	{ "fields of the client pass as they are, in their order",
	    TOP "User-Agent: a  b" N "X_Odd.Name~: 1" N "Accept: */*" N "X-Empty:" N
		"Cookie: a=1" N "Cookie: b=2" N N,
	    TOP "User-Agent: a  b" N "X_Odd.Name~: 1" N "Accept: */*" N "X-Empty: " N
		"Cookie: a=1" N "Cookie: b=2" N SAYS N },
	{ "hop-by-hop fields end here",
	    TOP "Connection: keep-alive, Upgrade" N "Keep-Alive: 5" N
		"Proxy-Connection: close" N "Proxy-Authorization: Basic eDp5" N
		"TE: trailers" N "Trailer: X-T" N "Upgrade: h2c" N
		"HTTP2-Settings: AAA" N N,
	    TOP SAYS N },
	{ "so do those that Connection names, in any case",
	    TOP "X-Secret: 1" N "connection: x-secret, X-OTHER" N "x-other: 2" N
		"Y: 3" N N,
	    TOP "Y: 3" N SAYS N },
	{ "but not those that others rest on",
	    TOP "Connection: Cookie, Authorization, Host, X-Forwarded-For" N
		"Cookie: a=1" N "Authorization: Basic eDp5" N N,
	    TOP "Cookie: a=1" N "Authorization: Basic eDp5" N SAYS N },
	{ "nobody else speaks for the client",
	    TOP "X-Forwarded-For: 10.0.0.1" N "x-forwarded-proto: https" N
		"X-FORWARDED-HOST: evil" N "Forwarded: for=10.0.0.1" N
		"X-Request-Id: 1234" N N,
	    TOP SAYS N },
	{ "nor by a name that CGI takes for the same",
	    TOP "X-Real-IP: 10.0.0.1" N "Proxy: http://evil" N "X-Forwarded-Port: 1" N
		"X_Real_IP: 10.0.0.1" N "X_Forwarded_For: 10.0.0.1" N
		"X-Forwarded_Proto: https" N "X_REQUEST_ID: 1" N "Content_Length: 5" N
		"Transfer_Encoding: chunked" N "Content_Encoding: gzip" N "_Host: x" N N,
	    TOP "_Host: x" N SAYS N },
	{ "nor by those of other proxies",
	    TOP "CF-Connecting-IP: 10.0.0.1" N "true-client-ip: 10.0.0.1" N
		"X-Client-IP: 10.0.0.1" N "Client_IP: 10.0.0.1" N
		"X-Cluster-Client-Ip: 10.0.0.1" N "Fastly-Client-IP: 10.0.0.1" N
		"CF-Ray: 1" N N,
	    TOP "CF-Ray: 1" N SAYS N },
	{ "nor are names that Yett knows spelt for CGI",
	    TOP "User_Agent: x" N "ACCEPT_ENCODING: gzip" N "If_None-Match: *" N
		"Content_Type: x" N "User__Agent: 1" N N,
	    TOP "User__Agent: 1" N SAYS N },
	{ "nor says where it is",
	    TOP "X-Geo-Country: DE" N "x_geo-asn: 1" N "X-GEO-Anything: 1" N
		"X-Geography: 1" N N,
	    TOP "X-Geography: 1" N SAYS N },
	{ "Via grows by one", TOP "Via: 1.0 a" N "Via: 1.1 b, 1.1 c" N N,
	    TOP "Via: 1.0 a, 1.1 b, 1.1 c, 1.1 yett" N "X-Forwarded-For: 192.0.2.7" N
		"X-Forwarded-Proto: http" N "X-Forwarded-Host: app.test" N
		"Forwarded: for=192.0.2.7;host=\"app.test\";proto=http" N
		"X-Request-Id: {ID}" N N },
	{ "the canonical target, and the query as sent",
	    "GET /a/./b/../%7ec//d?x=%41&/../y HTTP/1.1" N "Host: app.test" N N,
	    "GET /a/~c/d?x=%41&/../y HTTP/1.1" N "Host: app.test" N SAYS N },
	{ "an empty query is one", "GET /? HTTP/1.1" N "Host: app.test" N N,
	    "GET /? HTTP/1.1" N "Host: app.test" N SAYS N },
	{ "absolute form: its authority, the origin form",
	    "GET http://App.Test/x HTTP/1.1" N "Host: app.test" N N,
	    "GET /x HTTP/1.1" N "Host: app.test" N SAYS N },
	{ "asterisk form", "OPTIONS * HTTP/1.1" N "Host: app.test" N N,
	    "OPTIONS * HTTP/1.1" N "Host: app.test" N SAYS N },
	{ "the usual port is left out", "GET / HTTP/1.1" N "Host: APP.test.:80" N N,
	    TOP SAYS N },
	{ "HTTP/1.0 without a host", "GET / HTTP/1.0" N N,
	    "GET / HTTP/1.1" N "Host: " N "Via: 1.0 yett" N "X-Forwarded-For: 192.0.2.7" N
	    "X-Forwarded-Proto: http" N "Forwarded: for=192.0.2.7;proto=http" N
	    "X-Request-Id: {ID}" N N },
	{ "the length of the body",
	    "POST / HTTP/1.1" N "Host: app.test" N "content-length: 0012" N N,
	    "POST / HTTP/1.1" N "Host: app.test" N SAYS "Content-Length: 12" N N },
	{ "an empty body", "POST / HTTP/1.1" N "Host: app.test" N "Content-Length: 0" N N,
	    "POST / HTTP/1.1" N "Host: app.test" N SAYS "Content-Length: 0" N N },
	{ "a length that is not known yet",
	    "POST / HTTP/1.1" N "Host: app.test" N "Transfer-Encoding: Chunked" N N,
	    "POST / HTTP/1.1" N "Host: app.test" N SAYS
	    "Transfer-Encoding: chunked" N N },
	{ "Expect is answered here",
	    "POST / HTTP/1.1" N "Host: app.test" N "Expect: 100-continue" N
	    "Content-Length: 1" N N,
	    "POST / HTTP/1.1" N "Host: app.test" N SAYS "Content-Length: 1" N N },
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
expect(const char *why, const char *wanted)
{
	struct request *req = rig.req;
	char *filled;

	filled = rig_fill(wanted, "{ID}", req->id);
	origin_head_write(req, &req->origin.text);
	if (!span_eq(text_span(&req->origin.text), span_of(filled)))
		fail_msg("%s:\n%.*s\nnot\n%s", why,
		    SPAN_FMT(text_span(&req->origin.text)), filled);
	free(filled);
}

static void
test_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_request(&rig, rows[i].in);
		expect(rows[i].why, rows[i].out);
	}
}

static void
test_who_the_client_is(void **state)
{
	struct conn *c = &rig.conn;

	(void)state;
	c->has_tls = true;
	c->client.family = NETADDR_IP6;
	memcpy(c->client.ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	rig_request(&rig, "GET / HTTP/1.1" N "Host: [2001:DB8:0::7]:8443" N N);
	expect("IPv6 over TLS",
	    "GET / HTTP/1.1" N "Host: [2001:db8::7]:8443" N "Via: 1.1 yett" N
	    "X-Forwarded-For: 2001:db8::1" N "X-Forwarded-Proto: https" N
	    "X-Forwarded-Host: [2001:db8::7]:8443" N "Forwarded: for=\"[2001:db8::1]\";"
	    "host=\"[2001:db8::7]:8443\";proto=https" N "X-Request-Id: {ID}" N N);
	c->has_tls = false;
	c->client.family = NETADDR_UNIX;
	rig_request(&rig, TOP N);
	expect("a unix socket", TOP
	    "Via: 1.1 yett" N "X-Forwarded-Proto: http" N "X-Forwarded-Host: app.test" N
	    "Forwarded: for=unknown;host=\"app.test\";proto=http" N
	    "X-Request-Id: {ID}" N N);
	c->client.family = NETADDR_IP4;
	memcpy(c->client.ip, "\xc0\x00\x02\x07", 4);
}

/* The field that is believed here is nobody's to send on. */
static void
test_configured_field(void **state)
{
	const char *in = TOP "X-Edge-Client: 10.0.0.1" N "x_edge_CLIENT: 10.0.0.1" N N;

	(void)state;
	rig_request(&rig, in);
	expect("not configured",
	    TOP "X-Edge-Client: 10.0.0.1" N "x_edge_CLIENT: 10.0.0.1" N SAYS N);
	rig.conf.identity.header = "X-Edge-Client";
	rig_request(&rig, in);
	expect("configured", TOP SAYS N);
	rig.conf.identity.header = "X_Edge_Client";
	rig_request(&rig, in);
	expect("by another spelling", TOP SAYS N);
	rig.conf.identity.header = "X-Forwarded-For";
}

static void
test_place(void **state)
{
	const char *in = TOP "X-Geo-Country: XX" N "X-Geo-Asn: 7" N N;
	struct request *req;

	(void)state;
	rig.conf.geo.headers = true;
	req = rig_request(&rig, in);
	req->located = true;
	req->geo = (struct geo_place){ .country = "DE", .asn = 64500 };
	expect("known", TOP SAYS "X-Geo-Country: DE" N "X-Geo-Asn: 64500" N N);
	req->geo = (struct geo_place){ .country = "unknown" };
	expect("unknown", TOP SAYS "X-Geo-Country: unknown" N N);
	rig.conf.geo.headers = false;
	expect("not wanted", TOP SAYS N);
}

/* A chunked body that is here gets its length: of what was inspected and of what
 * lies beyond. */
static void
test_length_of_what_is_here(void **state)
{
	const char *in =
	    "POST / HTTP/1.1" N "Host: app.test" N "Transfer-Encoding: chunked" N N;
	struct request *req;

	(void)state;
	req = rig_request(&rig, in);
	assert_int_equal(spool_put(&req->spool, NULL, SPAN("inspected")), SPOOL_OK);
	req->body_done = true;
	expect("all of it was inspected",
	    "POST / HTTP/1.1" N "Host: app.test" N SAYS "Content-Length: 9" N N);
	assert_false(origin_head_is_chunked(req));
	req->truncated = true;
	req->beyond = SPAN(", and more");
	expect("more lies beyond",
	    "POST / HTTP/1.1" N "Host: app.test" N SAYS "Content-Length: 19" N N);
	req->body_done = false;
	expect("more will come",
	    "POST / HTTP/1.1" N "Host: app.test" N SAYS "Transfer-Encoding: chunked" N N);
	assert_true(origin_head_is_chunked(req));
}

/* What was decoded goes without its coding, and with the length that it has now. */
static void
test_decoded_body(void **state)
{
	const char *in = "POST / HTTP/1.1" N "Host: app.test" N "Content-Length: 5" N
			 "Content-Encoding: gzip" N N;
	struct request *req;

	(void)state;
	req = rig_request(&rig, in);
	expect("not decoded", "POST / HTTP/1.1" N "Host: app.test" N
			      "Content-Encoding: gzip" N SAYS "Content-Length: 5" N N);
	req->http.unpacked = req->unpack.on = req->body_done = true;
	assert_int_equal(spool_put(&req->spool, NULL, SPAN("inspected")), SPOOL_OK);
	expect("the decoder may have more to say",
	    "POST / HTTP/1.1" N "Host: app.test" N SAYS "Transfer-Encoding: chunked" N N);
	assert_true(origin_head_is_chunked(req));
	req->unpack.over = true;
	expect("all of it is here",
	    "POST / HTTP/1.1" N "Host: app.test" N SAYS "Content-Length: 9" N N);
	assert_false(origin_head_is_chunked(req));
}

/* An answer that is to be inspected must not come compressed. */
static void
test_plain_answers(void **state)
{
	const char *in = TOP "Accept-Encoding: gzip, br" N N;

	(void)state;
	rig_request(&rig, in);
	expect("answers are not inspected", TOP "Accept-Encoding: gzip, br" N SAYS N);
	rig.place.waf = (struct waf_policy *)&rig; /* only whether there is one counts */
	rig.policy.response_body.inspect = 1000;
	rig_request(&rig, in);
	expect("answers are inspected", TOP "Accept-Encoding: identity" N SAYS N);
	rig.place.waf = NULL;
	rig.policy.response_body.inspect = 0;
}

static struct changes *
changes_of(
    const char *const set[][2], const char *const add[2], const char *const *remove)
{
	struct changes *c = changes_new(CHANGES_OF_REQUEST);
	struct err e;

	for (; set != NULL && (*set)[0] != NULL; set++)
		assert_int_equal(
		    changes_set(c, span_of((*set)[0]), span_of((*set)[1]), &e), ERR_OK);
	if (add != NULL)
		assert_int_equal(
		    changes_add(c, span_of(add[0]), span_of(add[1]), &e), ERR_OK);
	for (; remove != NULL && *remove != NULL; remove++)
		assert_int_equal(changes_remove(c, span_of(*remove), &e), ERR_OK);
	return (c);
}

/* The operator's changes are of what the origin would get, Yett's own words too. */
static void
test_changes(void **state)
{
	static const char *const set[][2] = { { "X-Forwarded-Proto", "%{scheme}+" },
		{ "Forwarded", "" }, { "X-Key", "%{client}|%{method}|%{path}|%{query}" },
		{ NULL, NULL } };
	static const char *const add[] = { "X-Tag", "%{site}%{route}" };
	static const char *const remove[] = { "x-request-id", "X-FORWARDED-FOR",
		"Accept-Encoding", NULL };
	struct request *req;

	(void)state;
	rig.place.site = "a.test";
	rig.place.request_changes = changes_of(set, add, remove);
	req = rig_request(&rig,
	    "GET /a%20b?c=%0d%0ad HTTP/1.1" N "Host: app.test" N "X-Tag: mine" N
	    "X-Key: mine" N "X_KEY: mine" N "x-KEY: mine" N "Accept-Encoding: gzip" N N);
	req->located = true;
	expect("set, add, remove",
	    "GET /a%20b?c=%0d%0ad HTTP/1.1" N "Host: app.test" N "X-Tag: mine" N
	    "Via: 1.1 yett" N "X-Forwarded-Host: app.test" N "X-Forwarded-Proto: http+" N
	    "X-Key: 192.0.2.7|GET|/a%20b|c=%0d%0ad" N "X-Tag: a.test" N N);
	expect("the same when it is sent once more",
	    "GET /a%20b?c=%0d%0ad HTTP/1.1" N "Host: app.test" N "X-Tag: mine" N
	    "Via: 1.1 yett" N "X-Forwarded-Host: app.test" N "X-Forwarded-Proto: http+" N
	    "X-Key: 192.0.2.7|GET|/a%20b|c=%0d%0ad" N "X-Tag: a.test" N N);
	changes_free(&rig.place.request_changes);
	rig.place.site = NULL;
}

/* What does not fit is told, never cut. */
static void
test_changes_overflow(void **state)
{
	const char *set[2][2] = { { "X-Long", NULL }, { NULL, NULL } };
	struct request *req;
	struct text in, text;
	int i;

	(void)state;
	text_init(&text, TEMPLATE_TEXT_MAX);
	for (i = 0; i < 60; i++)
		text_puts(&text, "%{path}");
	text_putc(&text, '\0');
	set[0][1] = text.p;
	text_init(&in, 16384);
	text_puts(&in, "GET /");
	for (i = 0; i < 8000; i++)
		text_putc(&in, 'a');
	text_puts(&in, " HTTP/1.1" N "Host: app.test" N N);
	text_putc(&in, '\0');
	rig.place.request_changes = changes_of((const char *const(*)[2])set, NULL, NULL);
	req = rig_request(&rig, in.p);
	req->located = true;
	origin_head_write(req, &req->origin.text);
	assert_true(req->origin.text.overflow);
	rig_request(&rig, TOP N)->located = true;
	origin_head_write(rig.req, &rig.req->origin.text);
	assert_false(rig.req->origin.text.overflow);
	changes_free(&rig.place.request_changes);
	text_free(&in);
	text_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_who_the_client_is),
		cmocka_unit_test(test_configured_field),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_length_of_what_is_here),
		cmocka_unit_test(test_decoded_body),
		cmocka_unit_test(test_plain_answers),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_changes_overflow),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
