/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of requests: what is refused, as what, and what comes out of the rest. */
#include "config.h"

#include "gateway/http/h1.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define FIELDS_MAX 8

static const struct h1_limits limits = { .header_bytes = 600, .target_bytes = 100 };

static bool
same_head(const struct h1_head *a, const char *a_base, const struct h1_head *b,
    const char *b_base)
{
	uint32_t i;

	if (a->oddity != b->oddity || a->head_bytes != b->head_bytes ||
	    a->framing != b->framing || a->content_length != b->content_length ||
	    a->keepalive != b->keepalive || a->expect_continue != b->expect_continue ||
	    a->fields.n != b->fields.n || !span_eq(a->method, b->method) ||
	    !span_eq(a->target, b->target) || a->minor != b->minor)
		return (false);
	for (i = 0; i < a->fields.n; i++)
		if (a->fields.v[i].name.p - a_base != b->fields.v[i].name.p - b_base ||
		    !span_eq(a->fields.v[i].value, b->fields.v[i].value))
			return (false);
	return (true);
}

/* Parses at once and byte by byte, from memory without a byte to spare, and
 * wants the same of both. */
static enum h1_rc
parse(struct h1_head *head, struct http_field *fields, char *copy, struct span in)
{
	struct http_field slow_fields[FIELDS_MAX];
	struct h1_head slow;
	enum h1_rc rc, slow_rc = H1_MORE;
	char *whole = malloc(in.n);
	size_t n;

	assert_non_null(whole);
	memcpy(whole, in.p, in.n);
	memcpy(copy, in.p, in.n);
	h1_request_init(head, &limits, fields, FIELDS_MAX);
	rc = h1_head_push(head, span_mem(whole, in.n));
	h1_request_init(&slow, &limits, slow_fields, FIELDS_MAX);
	for (n = 1; n <= in.n && slow_rc == H1_MORE; n++)
		slow_rc = h1_head_push(&slow, span_mem(copy, n));
	assert_int_equal(rc, slow_rc);
	assert_true(same_head(head, whole, &slow, copy));
	/* what the caller looks at afterwards lives in `copy` */
	memcpy(fields, slow_fields, sizeof(slow_fields));
	*head = slow;
	head->fields.v = fields;
	free(whole);
	return (rc);
}

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST
#define TEN "aaaaaaaaaa"
#define NINETY_NINE "/" TEN TEN TEN TEN TEN TEN TEN TEN TEN "aaaaaaaa"
#define ROW(bytes, oddity)                             \
	{                                              \
		SPAN(bytes), H1_ODD_##oddity, __LINE__ \
	}

struct row {
	struct span in;
	enum h1_oddity oddity;
	int line;
};

/* clang-format off */
static const struct row refused[] = {
	/* method */
	ROW(" GET / HTTP/1.1\r\n", METHOD),
	ROW("GE(T / HTTP/1.1\r\n", METHOD),
	ROW("GE\0T / HTTP/1.1\r\n", METHOD),
	ROW("G\xc3\x89T / HTTP/1.1\r\n", METHOD),
	ROW("GET\t/ HTTP/1.1\r\n", METHOD),
	ROW("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n", METHOD),
	ROW("\x16\x04", METHOD),
	ROW("\r\n\x16\x03", METHOD),
	ROW("\x16\x03\x01\x02\x00\x01", TLS_ON_HTTP),
	/* request line */
	ROW("GET\r\n", REQUEST_LINE),
	ROW("GET \r\n", REQUEST_LINE),
	ROW("GET  / HTTP/1.1\r\n", REQUEST_LINE),
	ROW("GET /  HTTP/1.1\r\n", REQUEST_LINE),
	ROW("GET / HTTP/1.1 \r\n", REQUEST_LINE),
	ROW("GET / http/1.1\r\n", REQUEST_LINE),
	ROW("GET / HTTP/1.10\r\n", REQUEST_LINE),
	ROW("GET / HTTP/11.1\r\n", REQUEST_LINE),
	ROW("GET / HTTP/1\r\n", REQUEST_LINE),
	ROW("GET / HTTP/1,1\r\n", REQUEST_LINE),
	ROW("GET / HTTP/+1.1\r\n", REQUEST_LINE),
	ROW("GET / x HTTP/1.1\r\n", REQUEST_LINE),
	ROW("GET /\r\n", HTTP09),
	ROW("GET / HTTP/0.9\r\n", HTTP09),
	ROW("GET / HTTP/1.2\r\n", VERSION),
	ROW("GET / HTTP/2.0\r\n", VERSION),
	ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
	/* target: bytes that no client may send */
	ROW("GET /a#b HTTP/1.1\r\n", TARGET),
	ROW("GET /a\tb HTTP/1.1\r\n", TARGET),
	ROW("GET /a\0b HTTP/1.1\r\n", TARGET),
	ROW("GET /a\x01" "b HTTP/1.1\r\n", TARGET),
	ROW("GET /a\x7f HTTP/1.1\r\n", TARGET),
	ROW("GET " NINETY_NINE "aa HTTP/1.1\r\n", URI_TOO_LONG),
	/* line ends */
	ROW("\nGET / HTTP/1.1\r\n", BARE_LF),
	ROW("\r\rGET / HTTP/1.1\r\n", BARE_CR),
	ROW("GET\n", BARE_LF),
	ROW("GET /\n", BARE_LF),
	ROW("GET /\rx", BARE_CR),
	ROW("GET / HTTP/1.1\n", BARE_LF),
	ROW("GET / HTTP/1.1\rHost: a\r\n", BARE_CR),
	ROW("GET / HTTP/1.1\r\r\n", BARE_CR),
	ROW("GET / HTTP/1.1\r\nHost: a\n", BARE_LF),
	ROW("GET / HTTP/1.1\r\nHost: a\rX: b\r\n", BARE_CR),
	ROW("GET / HTTP/1.1\r\nHost: a\r\r\n", BARE_CR),
	ROW("GET / HTTP/1.1\r\nHost\n: a\r\n", BARE_LF),
	ROW("GET / HTTP/1.1\r\nHost\r: a\r\n", BARE_CR),
	ROW(GET "\n", BARE_LF),
	ROW(GET "\rx", BARE_CR),
	/* fields */
	ROW("GET / HTTP/1.1\r\n Host: a\r\n\r\n", FOLDED),
	ROW("GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", FOLDED),
	ROW("GET / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n", FOLDED),
	ROW("GET / HTTP/1.1\r\nX : a\r\n\r\n", SPACE_BEFORE_COLON),
	ROW("GET / HTTP/1.1\r\nX\t: a\r\n\r\n", SPACE_BEFORE_COLON),
	ROW("GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n", SPACE_BEFORE_COLON),
	ROW("GET / HTTP/1.1\r\n: a\r\n\r\n", FIELD_NAME),
	ROW("GET / HTTP/1.1\r\nX\r\n\r\n", FIELD_NAME),
	ROW("GET / HTTP/1.1\r\nX(y): a\r\n\r\n", FIELD_NAME),
	ROW("GET / HTTP/1.1\r\nX\xc3\xa9: a\r\n\r\n", FIELD_NAME),
	ROW("GET / HTTP/1.1\r\n\"X\": a\r\n\r\n", FIELD_NAME),
	ROW("GET / HTTP/1.1\r\nX\0: a\r\n\r\n", CONTROL),
	ROW("GET / HTTP/1.1\r\nX\x0b: a\r\n\r\n", CONTROL),
	ROW("GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", CONTROL),
	ROW("GET / HTTP/1.1\r\nX: a\x01" "b\r\n\r\n", CONTROL),
	ROW("GET / HTTP/1.1\r\nX: \x0b" "a\r\n\r\n", CONTROL),
	ROW("GET / HTTP/1.1\r\nX: a\x7f\r\n\r\n", CONTROL),
	ROW("GET / HTTP/1.1\r\nX: 0123456789abcdef0123456789\x1f" "abcdef\r\n\r\n", CONTROL),
	ROW(GET "1: a\r\n2: a\r\n3: a\r\n4: a\r\n5: a\r\n6: a\r\n7: a\r\n8: a\r\n\r\n",
	    TOO_MANY_FIELDS),
	/* Host */
	ROW("GET / HTTP/1.1\r\n\r\n", NO_HOST),
	ROW("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", NO_HOST),
	ROW("GET http://a/ HTTP/1.1\r\n\r\n", NO_HOST),
	ROW("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", TWO_HOSTS),
	ROW("GET / HTTP/1.1\r\nHost: a\r\nhOsT: b\r\n\r\n", TWO_HOSTS),
	ROW("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", TWO_HOSTS),
	ROW("GET / HTTP/1.1\r\nHost:\r\n\r\n", HOST),
	ROW("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HOST),
	ROW("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", HOST),
	ROW("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HOST),
	ROW("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", HOST),
	ROW("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", HOST),
	ROW("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", HOST),
	ROW("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", HOST),
	ROW("GET / HTTP/1.1\r\nHost: a%00\r\n\r\n", HOST),
	ROW("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", HOST_MISMATCH),
	ROW("GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", HOST_MISMATCH),
	ROW("GET https://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", HOST_MISMATCH),
	ROW("GET http://a.b/ HTTP/1.0\r\nHost: a\r\n\r\n", HOST_MISMATCH),
	ROW("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
	ROW("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
	/* Content-Length */
	ROW(POST "Content-Length:\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: x\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: -1\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: +1\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: 0x5\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: 5 5\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: 5, 5\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: 5, 6\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: 5;\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: \"5\"\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: 9223372036854775808\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: 18446744073709551616\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: 18446744073709551621\r\n\r\n", LENGTH),
	ROW(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", TWO_LENGTHS),
	ROW(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", TWO_LENGTHS),
	/* Transfer-Encoding */
	ROW(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", LENGTH_AND_CODING),
	ROW(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", LENGTH_AND_CODING),
	ROW(POST "Transfer-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", LENGTH_AND_CODING),
	ROW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", CODING_HTTP10),
	ROW(POST "Transfer-Encoding: gzip\r\n\r\n", CODING),
	ROW(POST "Transfer-Encoding: identity\r\n\r\n", CODING),
	ROW(POST "Transfer-Encoding: xchunked\r\n\r\n", CODING),
	ROW(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", CODING),
	ROW(POST "Transfer-Encoding: gzip ,\tdeflate , chunked\r\n\r\n", CODING),
	ROW(POST "Transfer-Encoding:\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: ,\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: chunked,\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: ,chunked\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: chunked, identity\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: gzip, deflate\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: chunked;q=1\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: \"chunked\"\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: chunked chunked\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", CODING_FORM),
	ROW(POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n", CONTROL),
	/* Expect */
	ROW(POST "Expect: 200-ok\r\n\r\n", EXPECTATION),
	ROW(POST "Expect:\r\n\r\n", EXPECTATION),
	ROW(POST "Expect: 100-continue, x\r\n\r\n", EXPECTATION),
	ROW(POST "Expect: 100-continue\r\nExpect: y\r\n\r\n", EXPECTATION),
};
/* clang-format on */

static void
refuses(void **state)
{
	struct http_field fields[FIELDS_MAX];
	struct h1_head head;
	char copy[1024];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (parse(&head, fields, copy, refused[i].in) != H1_BAD ||
		    head.oddity != refused[i].oddity)
			fail_msg("line %d: got \"%s\", not \"%s\"", refused[i].line,
			    h1_oddity_text(head.oddity),
			    h1_oddity_text(refused[i].oddity));
	}
}

struct good {
	struct span in;
	enum h1_framing framing;
	uint64_t length;
	bool keepalive, expect;
	int line;
};

#define GOOD(bytes, framing, length, keepalive, expect)                   \
	{                                                                 \
		SPAN(bytes), framing, length, keepalive, expect, __LINE__ \
	}

/* clang-format off */
static const struct good accepted[] = {
	GOOD(GET "\r\n", H1_NO_BODY, 0, true, false),
	GOOD("\r\n\r\n" GET "\r\n", H1_NO_BODY, 0, true, false),
	GOOD("get / HTTP/1.1\r\nhost:a\r\n\r\n", H1_NO_BODY, 0, true, false),
	GOOD("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", H1_NO_BODY, 0, true, false),
	GOOD("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\n" HOST "\r\n", H1_NO_BODY, 0, true, false),
	GOOD("GET " NINETY_NINE "a HTTP/1.1\r\n" HOST "\r\n", H1_NO_BODY, 0, true, false),
	GOOD("GET /\"<>\\^`{|}[]\xe9\xff HTTP/1.1\r\n" HOST "\r\n", H1_NO_BODY, 0, true, false),
	GOOD("GET / HTTP/1.0\r\n\r\n", H1_NO_BODY, 0, false, false),
	GOOD("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", H1_NO_BODY, 0, true, false),
	GOOD("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", H1_NO_BODY, 0, false, false),
	GOOD("GET http://a/ HTTP/1.0\r\n\r\n", H1_NO_BODY, 0, false, false),
	GOOD("GET HTTP://A:80/ HTTP/1.1\r\n" HOST "\r\n", H1_NO_BODY, 0, true, false),
	GOOD("GET https://a.:443?x HTTP/1.1\r\n" HOST "\r\n", H1_NO_BODY, 0, true, false),
	GOOD("GET http://[::1]/ HTTP/1.1\r\nHost: [0:0::1]\r\n\r\n", H1_NO_BODY, 0, true, false),
	GOOD(GET "Connection: close\r\n\r\n", H1_NO_BODY, 0, false, false),
	GOOD(GET "Connection: x\r\nConnection: , CLOSE\r\n\r\n", H1_NO_BODY, 0, false, false),
	GOOD(GET "X:\r\n\r\n", H1_NO_BODY, 0, true, false),
	GOOD(GET "X: a\tb \xe9\t \r\n\r\n", H1_NO_BODY, 0, true, false),
	GOOD(GET "my_field: 1\r\nmy.field: 2\r\n\r\n", H1_NO_BODY, 0, true, false),
	GOOD(POST "Content-Length: 0\r\n\r\n", H1_LENGTH, 0, true, false),
	GOOD(POST "Content-Length: 5\r\n\r\n12345", H1_LENGTH, 5, true, false),
	GOOD(POST "Content-Length: \t 005 \r\n\r\n", H1_LENGTH, 5, true, false),
	GOOD(POST "Content-Length: 9223372036854775807\r\n\r\n", H1_LENGTH, INT64_MAX, true, false),
	GOOD(POST "Transfer-Encoding: chunked\r\n\r\n", H1_CHUNKED, 0, true, false),
	GOOD(POST "transfer-encoding:Chunked \r\n\r\n", H1_CHUNKED, 0, true, false),
	GOOD(POST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n", H1_LENGTH, 5, true, true),
	GOOD(POST "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n", H1_CHUNKED, 0, true, true),
	GOOD(POST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n", H1_LENGTH, 0, true, false),
	GOOD("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", H1_LENGTH, 5, false, false),
};
/* clang-format on */

static void
accepts(void **state)
{
	struct http_field fields[FIELDS_MAX];
	const struct good *g;
	struct h1_head head;
	char copy[1024];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		g = &accepted[i];
		if (parse(&head, fields, copy, g->in) != H1_DONE)
			fail_msg("line %d: %s", g->line, h1_oddity_text(head.oddity));
		if (head.framing != g->framing || head.content_length != g->length ||
		    head.keepalive != g->keepalive || head.expect_continue != g->expect)
			fail_msg("line %d: framing %d length %llu", g->line, head.framing,
			    (unsigned long long)head.content_length);
		/* done stays done, and what is behind is left alone */
		assert_int_equal(h1_head_push(&head, g->in), H1_DONE);
		assert_memory_equal(g->in.p + head.head_bytes - 2, "\r\n", 2);
	}
}

static void
keeps_what_was_sent(void **state)
{
	struct http_field fields[FIELDS_MAX];
	struct h1_head head;
	char copy[1024];

	(void)state;
	assert_int_equal(
	    parse(&head, fields, copy,
		SPAN("\r\nPUT /a%2fb?x HTTP/1.1\r\nHOST: \ta:80 \r\nmy_Field:  b c\t\r\n"
		     "Connection: my_field\r\n\r\nGET")),
	    H1_DONE);
	assert_true(span_eq(head.method, SPAN("PUT")));
	assert_true(span_eq(head.target, SPAN("/a%2fb?x")));
	assert_int_equal(head.minor, 1);
	assert_int_equal(head.fields.n, 3);
	assert_int_equal(fields[0].id, HTTP_HOST);
	assert_true(span_eq(fields[0].name, SPAN("HOST")));
	assert_true(span_eq(fields[0].value, SPAN("a:80")));
	assert_true(span_eq(fields[1].name, SPAN("my_Field")));
	assert_true(span_eq(fields[1].value, SPAN("b c")));
	http_fields_mark_hops(&head.fields);
	assert_true(fields[1].hop_by_hop);
	assert_false(fields[0].hop_by_hop);
	assert_true(span_eq(span_mem(copy + head.head_bytes, 3), SPAN("GET")));
}

/* The record of a refusal shows what was read until then. */
static void
keeps_what_came_before_the_fault(void **state)
{
	struct http_field fields[FIELDS_MAX];
	struct h1_head head;
	char copy[1024];

	(void)state;
	assert_int_equal(parse(&head, fields, copy,
			     SPAN("GET /x?y HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\n c")),
	    H1_BAD);
	assert_true(span_eq(head.target, SPAN("/x?y")));
	assert_int_equal(head.fields.n, 2);
	assert_true(span_eq(http_fields_value(&head.fields, HTTP_USER_AGENT), SPAN("b")));

	assert_int_equal(parse(&head, fields, copy, SPAN("GET /x\x01y")), H1_BAD);
	assert_true(span_eq(head.method, SPAN("GET")));
	assert_true(span_eq(head.target, SPAN("/x")));

	assert_int_equal(
	    parse(&head, fields, copy, SPAN("GET " NINETY_NINE TEN " HTTP/1.1")), H1_BAD);
	assert_true(span_eq(head.target, SPAN(NINETY_NINE "a")));
	/* refused stays refused */
	assert_int_equal(h1_head_push(&head, SPAN(GET "\r\n")), H1_BAD);
}

static void
head_is_bounded(void **state)
{
	struct http_field fields[FIELDS_MAX];
	struct h1_head head;
	char copy[1024], text[1024];
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(text); n++)
		text[n] = 'a';
	n = strlen(GET);
	memcpy(text, GET, n);
	memcpy(text + n, "X:", 2);
	/* exactly as long as it may be, then one longer, then without an end */
	memcpy(text + limits.header_bytes - 4, "\r\n\r\n", 4);
	assert_int_equal(
	    parse(&head, fields, copy, span_mem(text, limits.header_bytes)), H1_DONE);
	assert_int_equal(head.head_bytes, limits.header_bytes);
	memcpy(text + limits.header_bytes - 4, "a\r\n\r\n", 5);
	assert_int_equal(
	    parse(&head, fields, copy, span_mem(text, limits.header_bytes + 1)), H1_BAD);
	assert_int_equal(head.oddity, H1_ODD_HEADER_TOO_LARGE);
	memset(text + n + 2, 'a', sizeof(text) - n - 2);
	assert_int_equal(
	    parse(&head, fields, copy, span_mem(text, sizeof(text))), H1_BAD);
	assert_int_equal(head.oddity, H1_ODD_HEADER_TOO_LARGE);
	/* empty lines in front count */
	for (n = 0; n < sizeof(text); n++)
		text[n] = n % 2 == 0 ? '\r' : '\n';
	assert_int_equal(
	    parse(&head, fields, copy, span_mem(text, sizeof(text))), H1_BAD);
	assert_int_equal(head.oddity, H1_ODD_HEADER_TOO_LARGE);
}

/* Bytes behind a complete message are the next message, or a fault of their own;
 * empty lines there are let pass. */
static void
trailing_bytes(void **state)
{
	static const struct {
		struct span in;
		enum h1_oddity next;
	} rows[] = {
		{ SPAN(POST "Content-Length: 5\r\n\r\n12345garbage\r\n"),
		    H1_ODD_REQUEST_LINE },
		{ SPAN(POST "Content-Length: 5\r\n\r\n12345\x01"), H1_ODD_METHOD },
		{ SPAN(POST "Content-Length: 5\r\n\r\n12345\n"), H1_ODD_BARE_LF },
		{ SPAN(GET "\r\nx=1&y=2"), H1_ODD_METHOD },
		{ SPAN(POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n0\r\n\r\n"),
		    H1_ODD_REQUEST_LINE },
		{ SPAN(POST "Content-Length: 5\r\n\r\n12345\r\n" GET "\r\n"),
		    H1_ODD_NONE },
	};
	struct http_field fields[FIELDS_MAX];
	struct h1_head head, next;
	struct h1_body body;
	struct span rest, data;
	char copy[1024];
	size_t i, used;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(&head, fields, copy, rows[i].in), H1_DONE);
		rest = span_cut(rows[i].in, head.head_bytes, rows[i].in.n);
		h1_body_init(&body, head.framing, head.content_length, 0);
		assert_int_equal(h1_body_pull(&body, rest, &used, &data), H1_DONE);
		rest = span_cut(rest, used, rest.n);
		assert_int_equal(parse(&next, fields, copy, rest),
		    rows[i].next == H1_ODD_NONE ? H1_DONE : H1_BAD);
		assert_int_equal(next.oddity, rows[i].next);
	}
}

/* Statuses that clients are told. */
static void
statuses(void **state)
{
	static const struct {
		enum h1_oddity oddity;
		unsigned status;
	} rows[] = {
		{ H1_ODD_URI_TOO_LONG, 414 },
		{ H1_ODD_HEADER_TOO_LARGE, 431 },
		{ H1_ODD_TOO_MANY_FIELDS, 431 },
		{ H1_ODD_VERSION, 505 },
		{ H1_ODD_CODING, 501 },
		{ H1_ODD_EXPECTATION, 417 },
		{ H1_ODD_CODING_FORM, 400 },
		{ H1_ODD_TLS_ON_HTTP, 400 },
		{ H1_ODD_LENGTH_AND_CODING, 400 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(h1_oddity_status(rows[i].oddity), rows[i].status);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(accepts),
		cmocka_unit_test(keeps_what_was_sent),
		cmocka_unit_test(keeps_what_came_before_the_fault),
		cmocka_unit_test(head_is_bounded),
		cmocka_unit_test(trailing_bytes),
		cmocka_unit_test(statuses),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
