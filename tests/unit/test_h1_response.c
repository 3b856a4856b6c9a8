/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of answers: the strictness of requests, and the framing of RFC 9112 6.3. */
#include "config.h"

#include "gateway/http/h1.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define FIELDS_MAX 8
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct h1_limits limits = { .header_bytes = 400, .target_bytes = 100 };

/* At once and byte by byte; both must agree. */
static enum h1_rc
parse(struct h1_head *head, struct http_field *fields, struct span in, bool to_head)
{
	struct h1_head whole;
	struct http_field whole_fields[FIELDS_MAX];
	char *copy = malloc(in.n);
	enum h1_rc rc, slow_rc = H1_MORE;
	size_t n;

	assert_non_null(copy);
	memcpy(copy, in.p, in.n);
	h1_response_init(&whole, &limits, whole_fields, FIELDS_MAX, to_head);
	rc = h1_head_push(&whole, span_mem(copy, in.n));
	free(copy);
	h1_response_init(head, &limits, fields, FIELDS_MAX, to_head);
	for (n = 1; n <= in.n && slow_rc == H1_MORE; n++)
		slow_rc = h1_head_push(head, span_mem(in.p, n));
	assert_int_equal(rc, slow_rc);
	assert_int_equal(whole.oddity, head->oddity);
	assert_int_equal(whole.head_bytes, head->head_bytes);
	assert_int_equal(whole.framing, head->framing);
	return (rc);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define FIVE "Content-Length: 5\r\n"
#define ROW(bytes, oddity)                             \
	{                                              \
		SPAN(bytes), H1_ODD_##oddity, __LINE__ \
	}

/* clang-format off */
static const struct {
	struct span in;
	enum h1_oddity oddity;
	int line;
} refused[] = {
	ROW("SSH-2.0-OpenSSH\r\n", STATUS_LINE),
	ROW("http/1.1 200 OK\r\n", STATUS_LINE),
	ROW("\r\nHTTP/1.1 200 OK\r\n", STATUS_LINE),
	ROW(" HTTP/1.1 200 OK\r\n", STATUS_LINE),
	ROW("HTTP/1.1\r\n", STATUS_LINE),
	ROW("HTTP/1.1  200 OK\r\n", STATUS_LINE),
	ROW("HTTP/1.1\t200 OK\r\n", STATUS_LINE),
	ROW("HTTP/1.10 200 OK\r\n", STATUS_LINE),
	ROW("HTTP/1.1 20 OK\r\n", STATUS_LINE),
	ROW("HTTP/1.1 2000 OK\r\n", STATUS_LINE),
	ROW("HTTP/1.1 +20 OK\r\n", STATUS_LINE),
	ROW("HTTP/1.1 099 OK\r\n", STATUS_LINE),
	ROW("HTTP/1.1 000 OK\r\n", STATUS_LINE),
	ROW("HTTP/1.1 600 OK\r\n", STATUS_LINE),
	ROW("HTTP/1.1 200\tOK\r\n", STATUS_LINE),
	ROW("HTTP/1.1 200 O\0K\r\n", STATUS_LINE),
	ROW("HTTP/1.1 200 O\x01K\r\n", STATUS_LINE),
	ROW("HTTP/0.9 200 OK\r\n", VERSION),
	ROW("HTTP/1.2 200 OK\r\n", VERSION),
	ROW("HTTP/2.0 200 OK\r\n", VERSION),
	ROW("HTTP/1.1 200 OK\n", BARE_LF),
	ROW("HTTP/1.1 200\n", BARE_LF),
	ROW("HTTP/1.1\n", BARE_LF),
	ROW("HTTP/1.1 200 OK\rA: b\r\n", BARE_CR),
	ROW("HTTP/1.1 200\rA: b\r\n", BARE_CR),
	ROW(OK "A: b\n", BARE_LF),
	ROW(OK "A: b\rC: d\r\n", BARE_CR),
	ROW(OK "\n", BARE_LF),
	ROW(OK "\rx", BARE_CR),
	ROW(OK "A: b\r\n c\r\n\r\n", FOLDED),
	ROW(OK " A: b\r\n\r\n", FOLDED),
	ROW(OK "A : b\r\n\r\n", SPACE_BEFORE_COLON),
	ROW(OK "A\r\n\r\n", FIELD_NAME),
	ROW(OK ": b\r\n\r\n", FIELD_NAME),
	ROW(OK "A@: b\r\n\r\n", FIELD_NAME),
	ROW(OK "A: b\0\r\n\r\n", CONTROL),
	ROW(OK "A\x7f: b\r\n\r\n", CONTROL),
	ROW(OK "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n", TOO_MANY_FIELDS),
	ROW(OK FIVE CHUNKED "\r\n", LENGTH_AND_CODING),
	ROW(OK FIVE FIVE "\r\n", TWO_LENGTHS),
	ROW(OK "Content-Length: 5, 5\r\n\r\n", LENGTH),
	ROW(OK "Content-Length: -5\r\n\r\n", LENGTH),
	ROW(OK "Content-Length: 18446744073709551616\r\n\r\n", LENGTH),
	ROW(OK CHUNKED CHUNKED "\r\n", CODING_FORM),
	ROW(OK "Transfer-Encoding: chunked, gzip\r\n\r\n", CODING_FORM),
	ROW(OK "Transfer-Encoding: gzip, chunked\r\n\r\n", CODING),
	ROW(OK "Transfer-Encoding: gzip\r\n\r\n", CODING),
	ROW("HTTP/1.0 200 OK\r\n" CHUNKED "\r\n", CODING_HTTP10),
	/* strict even where there is no body */
	ROW("HTTP/1.1 304 x\r\n" FIVE CHUNKED "\r\n", LENGTH_AND_CODING),
};
/* clang-format on */

static void
refuses(void **state)
{
	struct http_field fields[FIELDS_MAX];
	struct h1_head head;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(refused); i++)
		if (parse(&head, fields, refused[i].in, false) != H1_BAD ||
		    head.oddity != refused[i].oddity)
			fail_msg("line %d: got \"%s\", not \"%s\"", refused[i].line,
			    h1_oddity_text(head.oddity),
			    h1_oddity_text(refused[i].oddity));
}

#define GOOD(bytes, to_head, status, framing, length, keepalive)                   \
	{                                                                          \
		SPAN(bytes), __LINE__, status, framing, length, to_head, keepalive \
	}

/* clang-format off */
static const struct {
	struct span in;
	int line;
	uint16_t status;
	enum h1_framing framing;
	uint64_t length;
	bool to_head, keepalive;
} accepted[] = {
	GOOD(OK FIVE "\r\n12345", false, 200, H1_LENGTH, 5, true),
	GOOD(OK "content-length:0\r\n\r\n", false, 200, H1_LENGTH, 0, true),
	GOOD(OK CHUNKED "\r\n", false, 200, H1_CHUNKED, 0, true),
	GOOD(OK FIVE "Connection: close\r\n\r\n", false, 200, H1_LENGTH, 5, false),
	GOOD(OK "\r\n", false, 200, H1_UNTIL_CLOSE, 0, false),
	GOOD(OK "Connection: keep-alive\r\n\r\n", false, 200, H1_UNTIL_CLOSE, 0, false),
	GOOD("HTTP/1.0 200 OK\r\n" FIVE "\r\n", false, 200, H1_LENGTH, 5, false),
	GOOD("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" FIVE "\r\n", false, 200, H1_LENGTH, 5, true),
	/* no reason, with and without its space */
	GOOD("HTTP/1.1 200 \r\n" FIVE "\r\n", false, 200, H1_LENGTH, 5, true),
	GOOD("HTTP/1.1 200\r\n" FIVE "\r\n", false, 200, H1_LENGTH, 5, true),
	GOOD("HTTP/1.1 200 Tr\xe8s bien\t\r\n" FIVE "\r\n", false, 200, H1_LENGTH, 5, true),
	GOOD("HTTP/1.1 599 x\r\n" FIVE "\r\n", false, 599, H1_LENGTH, 5, true),
	/* answers to HEAD say what GET would have had */
	GOOD(OK FIVE "\r\n", true, 200, H1_NO_BODY, 5, true),
	GOOD(OK CHUNKED "\r\n", true, 200, H1_NO_BODY, 0, true),
	GOOD(OK "\r\n", true, 200, H1_NO_BODY, 0, true),
	GOOD("HTTP/1.1 304 Not Modified\r\n" FIVE "\r\n", false, 304, H1_NO_BODY, 5, true),
	GOOD("HTTP/1.1 304 Not Modified\r\n\r\n", false, 304, H1_NO_BODY, 0, true),
	GOOD("HTTP/1.1 204 No Content\r\n\r\n", false, 204, H1_NO_BODY, 0, true),
	GOOD("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, 204, H1_NO_BODY, 0, true),
	/* a body announced where there is none: nothing more from there */
	GOOD("HTTP/1.1 204 No Content\r\n" FIVE "\r\n12345", false, 204, H1_NO_BODY, 5, false),
	GOOD("HTTP/1.1 204 No Content\r\n" CHUNKED "\r\n0\r\n\r\n", false, 204, H1_NO_BODY, 0, false),
	GOOD("HTTP/1.1 100 Continue\r\n\r\n", false, 100, H1_NO_BODY, 0, true),
	GOOD("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", false, 103, H1_NO_BODY, 0, true),
	GOOD("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", false, 101, H1_NO_BODY, 0, true),
	GOOD("HTTP/1.1 100 Continue\r\n" FIVE "\r\n", false, 100, H1_NO_BODY, 5, false),
	/* fields of requests mean nothing here */
	GOOD(OK FIVE "Expect: x\r\nHost: a\r\nHost: b\r\n\r\n", false, 200, H1_LENGTH, 5, true),
};
/* clang-format on */

static void
accepts(void **state)
{
	struct http_field fields[FIELDS_MAX];
	struct h1_head head;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(accepted); i++) {
		if (parse(&head, fields, accepted[i].in, accepted[i].to_head) != H1_DONE)
			fail_msg(
			    "line %d: %s", accepted[i].line, h1_oddity_text(head.oddity));
		if (head.status != accepted[i].status ||
		    head.framing != accepted[i].framing ||
		    head.content_length != accepted[i].length ||
		    head.keepalive != accepted[i].keepalive)
			fail_msg("line %d: status %u framing %d keepalive %d",
			    accepted[i].line, head.status, head.framing, head.keepalive);
	}
}

static void
keeps_what_was_sent(void **state)
{
	struct http_field fields[FIELDS_MAX];
	struct h1_head head;

	(void)state;
	assert_int_equal(parse(&head, fields,
			     SPAN("HTTP/1.1 404 Not here \r\nSet-Cookie: a\r\n"
				  "set-cookie: b\r\nKeep-Alive: x\r\n\r\n"),
			     false),
	    H1_DONE);
	assert_true(span_eq(head.reason, SPAN("Not here ")));
	assert_int_equal(head.fields.n, 3);
	assert_int_equal(head.fields.count[HTTP_SET_COOKIE], 2);
	assert_true(span_eq(fields[1].name, SPAN("set-cookie")));
	assert_true(fields[2].hop_by_hop);
}

static void
head_is_bounded(void **state)
{
	struct http_field fields[FIELDS_MAX];
	struct h1_head head;
	char text[500];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, OK, strlen(OK));
	text[20] = ':';
	assert_int_equal(
	    parse(&head, fields, span_mem(text, limits.header_bytes), false), H1_MORE);
	assert_int_equal(
	    parse(&head, fields, span_mem(text, limits.header_bytes + 1), false), H1_BAD);
	assert_int_equal(head.oddity, H1_ODD_HEADER_TOO_LARGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(accepts),
		cmocka_unit_test(keeps_what_was_sent),
		cmocka_unit_test(head_is_bounded),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
