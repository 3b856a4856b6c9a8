/* SPDX-License-Identifier: Apache-2.0 */
/* Message bodies: by length, until close, chunked. */
#include "config.h"

#include "gateway/http/h1.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TRAILER_MAX 64

struct decoded {
	char bytes[256];
	size_t n, used;
};

/* Decodes `in` in pieces of `step` bytes. */
static enum h1_rc
decode(struct h1_body *body, struct span in, size_t step, struct decoded *d)
{
	enum h1_rc rc = H1_MORE;
	struct span piece, data;
	size_t end = 0, used;

	d->n = d->used = 0;
	while (rc == H1_MORE && end < in.n) {
		end += step;
		do {
			piece = span_cut(in, d->used, end);
			rc = h1_body_pull(body, piece, &used, &data);
			assert_true(d->n + data.n <= sizeof(d->bytes));
			memcpy(d->bytes + d->n, data.p, data.n);
			d->n += data.n;
			d->used += used;
		} while (rc == H1_MORE && used > 0);
	}
	return (rc);
}

#define BAD(bytes, oddity)                                             \
	{                                                              \
		SPAN(bytes), { NULL, 0 }, 0, H1_ODD_##oddity, __LINE__ \
	}
#define FINE(bytes, body, rest)                                      \
	{                                                            \
		SPAN(bytes), SPAN(body), rest, H1_ODD_NONE, __LINE__ \
	}
#define SIXTY "123456789012345678901234567890123456789012345678901234567890"

/* clang-format off */
static const struct {
	struct span in, body;
	size_t rest;		/* bytes of the next message behind it */
	enum h1_oddity oddity;
	int line;
} chunked[] = {
	FINE("0\r\n\r\n", "", 0),
	FINE("000\r\n\r\n", "", 0),
	FINE("5\r\nabcde\r\n0\r\n\r\n", "abcde", 0),
	FINE("5\r\nabcde\r\n0\r\n\r\nGET", "abcde", 3),
	FINE("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n\r\n", "abc", 2),
	FINE("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", 0),
	FINE("0000000000000001\r\na\r\n0\r\n\r\n", "a", 0),
	FINE("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0),
	/* extensions are dropped */
	FINE("1;a\r\nx\r\n0;b\r\n\r\n", "x", 0),
	FINE("1;a=b\r\nx\r\n0\r\n\r\n", "x", 0),
	FINE("1;a=b;c;d=e\r\nx\r\n0\r\n\r\n", "x", 0),
	FINE("1 ;\ta = b\r\nx\r\n0\r\n\r\n", "x", 0),
	FINE("1;a=\"b;\\\"c\\\\ \xe9\"\r\nx\r\n0\r\n\r\n", "x", 0),
	FINE("1;a=\"\";b\r\nx\r\n0\r\n\r\n", "x", 0),
	FINE("1;a=\"x\" ;b\r\nx\r\n0\r\n\r\n", "x", 0),
	/* trailers are dropped */
	FINE("0\r\nA: b\r\n\r\n", "", 0),
	FINE("0\r\nA: b\r\nC_d.e:\tf\xe9\r\nG:\r\n\r\n", "", 0),
	FINE("0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\nabcde", "", 5),
	/* sizes */
	BAD("\r\n", CHUNK_SIZE),
	BAD(" 5\r\n", CHUNK_SIZE),
	BAD("x\r\n", CHUNK_SIZE),
	BAD("-5\r\n", CHUNK_SIZE),
	BAD("+5\r\n", CHUNK_SIZE),
	BAD("0x5\r\n", CHUNK_SIZE),
	BAD("5g\r\n", CHUNK_SIZE),
	BAD("5,5\r\n", CHUNK_SIZE),
	BAD(";a\r\n", CHUNK_SIZE),
	BAD("8000000000000000\r\n", CHUNK_SIZE),
	BAD("ffffffffffffffff\r\n", CHUNK_SIZE),
	BAD("10000000000000005\r\n", CHUNK_SIZE),
	BAD("00000000000000001\r\n", CHUNK_SIZE),
	BAD("\x00" "5\r\n", CHUNK_SIZE),
	BAD("1\r\na\r\n1\r\nb\r\n\r\n", CHUNK_SIZE),
	/* line ends */
	BAD("5\nabcde", BARE_LF),
	BAD("\n", BARE_LF),
	BAD("5\rabcde", BARE_CR),
	BAD("5\r\rabcde", BARE_CR),
	BAD("5;a\nabcde", BARE_LF),
	BAD("5;a=b\nabcde", BARE_LF),
	BAD("5;a=\"b\nc\"\r\n", BARE_LF),
	BAD("5;a=\"b\"\rx", BARE_CR),
	BAD("1\r\nab\r\n", CHUNK_END),
	BAD("1\r\na0\r\n\r\n", CHUNK_END),
	BAD("1\r\na\n0\r\n", BARE_LF),
	BAD("1\r\na\rx0\r\n", BARE_CR),
	BAD("0\r\n\n", BARE_LF),
	BAD("0\r\n\rx", BARE_CR),
	/* extensions */
	BAD("5 \r\n", CHUNK_EXTENSION),
	BAD("5 a\r\n", CHUNK_EXTENSION),
	BAD("5;\r\n", CHUNK_EXTENSION),
	BAD("5;;a\r\n", CHUNK_EXTENSION),
	BAD("5;=a\r\n", CHUNK_EXTENSION),
	BAD("5;a=\r\n", CHUNK_EXTENSION),
	BAD("5;a=b=c\r\n", CHUNK_EXTENSION),
	BAD("5;a b\r\n", CHUNK_EXTENSION),
	BAD("5;a \r\n", CHUNK_EXTENSION),
	BAD("5;a=b \r\n", CHUNK_EXTENSION),
	BAD("5;a=\"b\"c\r\n", CHUNK_EXTENSION),
	BAD("5;a=\"b\r\n", CHUNK_EXTENSION),
	BAD("5;a=\"b\\\r\n", CHUNK_EXTENSION),
	BAD("5;a=\"\x01\"\r\n", CHUNK_EXTENSION),
	BAD("5;a\0\r\n", CHUNK_EXTENSION),
	BAD("5;a(b)\r\n", CHUNK_EXTENSION),
	BAD("1;a=" SIXTY SIXTY "\r\n", HEADER_TOO_LARGE),
	BAD("1;a=" SIXTY "\r\nx\r\n1;a\r\n", HEADER_TOO_LARGE),
	/* trailers */
	BAD("0\r\nA\r\n\r\n", TRAILER),
	BAD("0\r\n: b\r\n\r\n", TRAILER),
	BAD("0\r\nA(: b\r\n\r\n", TRAILER),
	BAD("0\r\nA : b\r\n\r\n", SPACE_BEFORE_COLON),
	BAD("0\r\nA: b\r\n c\r\n\r\n", FOLDED),
	BAD("0\r\n A: b\r\n\r\n", FOLDED),
	BAD("0\r\nA: b\0\r\n\r\n", CONTROL),
	BAD("0\r\nA\x01: b\r\n\r\n", CONTROL),
	BAD("0\r\nA: b\nC: d\r\n\r\n", BARE_LF),
	BAD("0\r\nA\n\r\n", BARE_LF),
	BAD("0\r\nA: b\rC: d\r\n\r\n", BARE_CR),
	BAD("0\r\nA: " SIXTY SIXTY "\r\n\r\n", HEADER_TOO_LARGE),
	BAD("0\r\nA: 1\r\nA: " SIXTY "\r\n\r\n", HEADER_TOO_LARGE),
};
/* clang-format on */

static void
chunks(void **state)
{
	struct h1_body body;
	struct decoded d;
	size_t i, step;
	enum h1_rc rc;

	(void)state;
	for (i = 0; i < COUNT(chunked); i++)
		for (step = 1; step < 40; step++) {
			h1_body_init(&body, H1_CHUNKED, 0, TRAILER_MAX);
			rc = decode(&body, chunked[i].in, step, &d);
			if (body.oddity != chunked[i].oddity)
				fail_msg("line %d: \"%s\", not \"%s\"", chunked[i].line,
				    h1_oddity_text(body.oddity),
				    h1_oddity_text(chunked[i].oddity));
			if (chunked[i].oddity != H1_ODD_NONE) {
				assert_int_equal(rc, H1_BAD);
				continue;
			}
			if (rc != H1_DONE ||
			    chunked[i].in.n - d.used != chunked[i].rest ||
			    !span_eq(span_mem(d.bytes, d.n), chunked[i].body))
				fail_msg("line %d, step %zu: %zu used, body \"%.*s\"",
				    chunked[i].line, step, d.used, (int)d.n, d.bytes);
			assert_true(h1_body_may_end(&body));
		}
}

/* Every shorter part of a good body is no complete body. */
static void
cut_short(void **state)
{
	const struct span in = SPAN("3;a=\"b\"\r\nabc\r\n0\r\nA: b\r\n\r\n");
	struct h1_body body;
	struct decoded d;
	size_t n;

	(void)state;
	for (n = 1; n < in.n; n++) {
		h1_body_init(&body, H1_CHUNKED, 0, TRAILER_MAX);
		assert_int_equal(decode(&body, span_cut(in, 0, n), n, &d), H1_MORE);
		assert_int_equal(d.used, n);
		assert_false(h1_body_may_end(&body));
	}
}

static void
by_length(void **state)
{
	struct h1_body body;
	struct span data;
	size_t used;

	(void)state;
	h1_body_init(&body, H1_LENGTH, 5, 0);
	assert_int_equal(h1_body_pull(&body, SPAN("abc"), &used, &data), H1_MORE);
	assert_int_equal(used, 3);
	assert_true(span_eq(data, SPAN("abc")));
	assert_false(h1_body_may_end(&body));
	assert_int_equal(h1_body_pull(&body, SPAN(""), &used, &data), H1_MORE);
	assert_int_equal(used, 0);
	assert_int_equal(h1_body_pull(&body, SPAN("deGET"), &used, &data), H1_DONE);
	assert_int_equal(used, 2);
	assert_true(span_eq(data, SPAN("de")));
	/* what follows is another message's */
	assert_int_equal(h1_body_pull(&body, SPAN("GET"), &used, &data), H1_DONE);
	assert_int_equal(used, 0);
	assert_int_equal(data.n, 0);
	h1_body_init(&body, H1_LENGTH, 0, 0);
	assert_int_equal(h1_body_pull(&body, SPAN("GET"), &used, &data), H1_DONE);
	assert_int_equal(used, 0);
	h1_body_init(&body, H1_LENGTH, INT64_MAX, 0);
	assert_int_equal(h1_body_pull(&body, SPAN("abc"), &used, &data), H1_MORE);
	assert_int_equal(data.n, 3);
}

static void
other_framings(void **state)
{
	struct h1_body body;
	struct span data;
	size_t used;

	(void)state;
	h1_body_init(&body, H1_NO_BODY, 0, 0);
	assert_int_equal(h1_body_pull(&body, SPAN("GET"), &used, &data), H1_DONE);
	assert_int_equal(used, 0);
	assert_true(h1_body_may_end(&body));
	h1_body_init(&body, H1_UNTIL_CLOSE, 0, 0);
	assert_true(h1_body_may_end(&body));
	assert_int_equal(h1_body_pull(&body, SPAN("abc"), &used, &data), H1_MORE);
	assert_int_equal(used, 3);
	assert_true(span_eq(data, SPAN("abc")));
	assert_true(h1_body_may_end(&body));
	/* refused stays refused */
	h1_body_init(&body, H1_CHUNKED, 0, 0);
	assert_int_equal(h1_body_pull(&body, SPAN("x"), &used, &data), H1_BAD);
	assert_int_equal(h1_body_pull(&body, SPAN("0\r\n\r\n"), &used, &data), H1_BAD);
	assert_int_equal(used, 0);
	/* no room for trailers, none sent */
	h1_body_init(&body, H1_CHUNKED, 0, 0);
	assert_int_equal(h1_body_pull(&body, SPAN("0\r\n\r\n"), &used, &data), H1_DONE);
}

/* One pull gives the data of one chunk at most, and takes the framing around it
 * along. */
static void
few_pulls(void **state)
{
	struct h1_body body;
	struct span data, in = SPAN("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n");
	size_t used;

	(void)state;
	h1_body_init(&body, H1_CHUNKED, 0, 0);
	assert_int_equal(h1_body_pull(&body, in, &used, &data), H1_MORE);
	assert_true(span_eq(data, SPAN("a")));
	in = span_cut(in, used, in.n);
	assert_int_equal(h1_body_pull(&body, in, &used, &data), H1_DONE);
	assert_true(span_eq(data, SPAN("bc")));
	assert_int_equal(used, in.n);
}

static void
lines_are_bounded(void **state)
{
	struct h1_body body;
	struct span data;
	char line[2000];
	size_t used;

	(void)state;
	memset(line, 'a', sizeof(line));
	line[0] = '1';
	line[1] = ';';
	h1_body_init(&body, H1_CHUNKED, 0, UINT32_MAX);
	assert_int_equal(
	    h1_body_pull(&body, span_mem(line, sizeof(line)), &used, &data), H1_BAD);
	assert_int_equal(body.oddity, H1_ODD_CHUNK_EXTENSION);
	assert_true(used < 1100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(by_length),
		cmocka_unit_test(other_framings),
		cmocka_unit_test(few_pulls),
		cmocka_unit_test(lines_are_bounded),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
