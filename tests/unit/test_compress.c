/* SPDX-License-Identifier: Apache-2.0 */
/* Which answers are compressed, and what becomes of their heads. */
#include "config.h"

#include "gateway/filter/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/filter/encoder.h"

static const struct span TYPES[] = { SPAN("text/*"), SPAN("application/json"),
	SPAN("image/svg+xml") };
static const struct compress_rules RULES = { TYPES, 3, 1024, false };
static const struct compress_rules WANTED = { TYPES, 3, 1024, true };

/* "name: value" lines parted by "\n". */
static void
read_fields(
    struct http_fields *fields, struct http_field *array, uint32_t max, const char *lines)
{
	struct span rest = span_of(lines), line;
	size_t colon;

	http_fields_init(fields, array, max);
	while (span_split(&rest, '\n', &line)) {
		colon = span_index(line, ':');
		if (colon != SIZE_MAX)
			assert_true(http_fields_add(fields, span_cut(line, 0, colon),
			    span_trim(span_cut(line, colon + 1, line.n))));
	}
}

static enum compress_why
judge(const struct compress_rules *rules, const char *request, const char *answer,
    uint16_t status)
{
	struct compress_answer a = { .status = status };
	struct compress_request r = { .is_https = true };
	struct http_field array[16];
	struct http_fields fields;

	read_fields(&fields, array, 16, request);
	compress_request_read(&r, &fields);
	r.is_head = strstr(request, "(head)") != NULL;
	r.is_connect = strstr(request, "(connect)") != NULL;
	r.is_http_1_0 = strstr(request, "(1.0)") != NULL;
	r.has_input = strstr(request, "(input)") != NULL;
	if (strstr(request, "(http)") != NULL)
		r.is_https = false;
	read_fields(&fields, array, 16, answer);
	compress_answer_read(&a, &fields);
	a.has_length =
	    fields.count[HTTP_CONTENT_LENGTH] > 0 &&
	    span_u64(http_fields_value(&fields, HTTP_CONTENT_LENGTH), &a.length);
	return (compress_may(rules, &r, &a));
}

#define HTML "Content-Type: text/html; charset=utf-8"

static void
test_may(void **state)
{
	static const struct {
		const char *answer;
		uint16_t status;
		const char *request;
		enum compress_why why;
	} rows[] = {
		{ HTML, 200, "", COMPRESS_YES },
		{ HTML "\nContent-Length: 1024", 200, "", COMPRESS_YES },
		{ HTML "\nContent-Length: 1023", 200, "", COMPRESS_LENGTH },
		{ HTML "\nContent-Length: 0", 200, "", COMPRESS_LENGTH },
		{ HTML, 404, "", COMPRESS_YES },
		{ HTML, 500, "", COMPRESS_YES },
		{ HTML, 101, "", COMPRESS_STATUS },
		{ HTML, 204, "", COMPRESS_STATUS },
		{ HTML, 205, "", COMPRESS_STATUS },
		{ HTML, 206, "", COMPRESS_STATUS },
		{ HTML, 226, "", COMPRESS_STATUS },
		{ HTML, 304, "", COMPRESS_STATUS },
		{ HTML "\nContent-Range: bytes 0-1/2", 200, "", COMPRESS_RANGE },
		{ HTML "\nContent-Length: 5000", 200, "(head)", COMPRESS_YES },
		{ HTML, 200, "(head)", COMPRESS_METHOD },
		{ HTML, 200, "(connect)", COMPRESS_METHOD },
		{ HTML, 200, "(1.0)", COMPRESS_PROTOCOL },
		{ HTML "\nContent-Encoding: gzip", 200, "", COMPRESS_ENCODED },
		{ HTML "\nContent-Encoding: identity", 200, "", COMPRESS_ENCODED },
		{ HTML "\nContent-Encoding:\ncontent-encoding: br", 200, "",
		    COMPRESS_ENCODED },
		{ HTML "\nContent-Encoding:", 200, "", COMPRESS_YES },
		{ HTML "\nCache-Control: public, No-Transform", 200, "",
		    COMPRESS_NO_TRANSFORM },
		{ HTML "\nCache-Control: a\nCache-Control: no-transform", 200, "",
		    COMPRESS_NO_TRANSFORM },
		{ "", 200, "", COMPRESS_TYPE },
		{ "Content-Type: TEXT/CSS ;x=1", 200, "", COMPRESS_YES },
		{ "Content-Type: text/event-stream", 200, "", COMPRESS_YES },
		{ "Content-Type: text/", 200, "", COMPRESS_TYPE },
		{ "Content-Type: text", 200, "", COMPRESS_TYPE },
		{ "Content-Type: textile/plain", 200, "", COMPRESS_TYPE },
		{ "Content-Type: application/json", 200, "", COMPRESS_YES },
		{ "Content-Type: application/jsonp", 200, "", COMPRESS_TYPE },
		{ "Content-Type: image/png", 200, "", COMPRESS_TYPE },
		{ "Content-Type: ;text/html", 200, "", COMPRESS_TYPE },
		/* BREACH */
		{ HTML "\nSet-Cookie: sid=1", 200, "", COMPRESS_SECRETS },
		{ HTML "\nSet-Cookie: sid=1", 200, "(http)", COMPRESS_YES },
		{ HTML, 200, "Cookie: sid=1", COMPRESS_YES },
		{ HTML, 200, "(input)", COMPRESS_YES },
		{ HTML, 200, "Cookie: sid=1\n(input)", COMPRESS_SECRETS },
		{ HTML, 200, "Authorization: Basic eA==\n(input)", COMPRESS_SECRETS },
		{ HTML, 200, "Cookie: sid=1\n(input)(http)", COMPRESS_YES },
		{ HTML "\nCache-Control: public, max-age=9", 200, "Cookie: a=b\n(input)",
		    COMPRESS_YES },
		{ HTML, 200, "Cookie: a=b\n(input)\nSec-Fetch-Site: same-origin",
		    COMPRESS_YES },
		{ HTML, 200, "Cookie: a=b\n(input)\nSec-Fetch-Site: none", COMPRESS_YES },
		{ HTML, 200, "Cookie: a=b\n(input)\nSec-Fetch-Site: same-site",
		    COMPRESS_SECRETS },
		{ HTML, 200, "Cookie: a=b\n(input)\nSec-Fetch-Site: cross-site",
		    COMPRESS_SECRETS },
		{ HTML, 200,
		    "Cookie: a=b\n(input)\nSec-Fetch-Site: none\nSec-Fetch-Site: "
		    "cross-site",
		    COMPRESS_SECRETS },
		{ HTML "\nSet-Cookie: s=1", 200, "Sec-Fetch-Site: same-origin",
		    COMPRESS_SECRETS },
	};
	enum compress_why why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		why = judge(&RULES, rows[i].request, rows[i].answer, rows[i].status);
		if (why != rows[i].why)
			fail_msg("row %zu: %s | %s | %u: \"%s\"", i, rows[i].request,
			    rows[i].answer, rows[i].status, compress_why_text(why));
		if (why == COMPRESS_SECRETS)
			assert_int_equal(judge(&WANTED, rows[i].request, rows[i].answer,
					     rows[i].status),
			    COMPRESS_YES);
	}
}

static void
test_any_type(void **state)
{
	static const struct span any[] = { SPAN("*/*") };
	const struct compress_rules rules = { any, 1, 0, false };

	(void)state;
	assert_int_equal(judge(&rules, "", "Content-Type: a/b", 200), COMPRESS_YES);
	assert_int_equal(judge(&rules, "", "", 200), COMPRESS_TYPE);
}

static void
test_fields(void **state)
{
	static const struct {
		const char *field;
		enum compress_field verdict;
	} rows[] = {
		{ "Content-Length: 5", COMPRESS_DROP },
		{ "Content-Encoding:", COMPRESS_DROP },
		{ "Accept-Ranges: bytes", COMPRESS_DROP },
		{ "content-MD5: x", COMPRESS_DROP },
		{ "Content-Digest: sha-256=:x:", COMPRESS_DROP },
		{ "Repr-Digest: sha-256=:x:", COMPRESS_DROP },
		{ "Digest: x", COMPRESS_DROP },
		{ "ETag: \"a\"", COMPRESS_WEAKEN },
		{ "ETag: W/\"a\"", COMPRESS_KEEP },
		{ "ETag: a", COMPRESS_DROP },
		{ "ETag:", COMPRESS_DROP },
		{ "Content-Type: text/html", COMPRESS_KEEP },
		{ "Vary: Cookie", COMPRESS_KEEP },
		{ "X-Digest: a", COMPRESS_KEEP },
	};
	struct http_field array[2];
	struct http_fields fields;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_fields(&fields, array, 2, rows[i].field);
		if (compress_field(CODING_BR, &array[0]) != rows[i].verdict)
			fail_msg("row %zu: %s", i, rows[i].field);
		assert_int_equal(
		    compress_field(CODING_IDENTITY, &array[0]), COMPRESS_KEEP);
	}
}

static void
test_added(void **state)
{
	static const struct {
		const char *fields;
		enum coding coding;
		uint16_t status;
		const char *want;
	} rows[] = {
		{ "", CODING_GZIP, 200,
		    "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n" },
		{ "", CODING_IDENTITY, 200, "Vary: Accept-Encoding\r\n" },
		{ "Vary: Cookie", CODING_BR, 200,
		    "Content-Encoding: br\r\nVary: Accept-Encoding\r\n" },
		{ "Vary: Cookie, accept-encoding", CODING_ZSTD, 200,
		    "Content-Encoding: zstd\r\n" },
		{ "Vary: Cookie\nVary: Accept-Encoding", CODING_IDENTITY, 200, "" },
		{ "Vary: *", CODING_IDENTITY, 200, "" },
		{ "", CODING_GZIP, 304, "Vary: Accept-Encoding\r\n" },
	};
	struct http_field array[4];
	struct http_fields fields;
	struct text head;
	size_t i;

	(void)state;
	text_init(&head, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_fields(&fields, array, 4, rows[i].fields);
		text_reset(&head);
		compress_put_fields(rows[i].coding, rows[i].status, &fields, &head);
		if (!span_eq(text_span(&head), span_of(rows[i].want)))
			fail_msg("row %zu: %.*s", i, SPAN_FMT(text_span(&head)));
	}
	text_free(&head);
}

/* The configuration's words as rules. */
static void
test_plan(void **state)
{
	const char *types[] = { "text/*", "application/json" };
	const char *encodings[] = { "br", "gzip" };
	struct conf_compress conf = {
		.types = { types, 2 },
		.encodings = { encodings, 2 },
		.min = 1024,
		.level = 9,
	};
	struct compress_plan *plan;

	(void)state;
	assert_null(compress_plan_new(&conf));
	conf.on = true;
	plan = compress_plan_new(&conf);
	assert_int_equal(plan->n_order, 2);
	assert_int_equal(plan->order[0], CODING_BR);
	assert_int_equal(plan->order[1], CODING_GZIP);
	assert_int_equal(plan->level[CODING_BR], 6); /* the highest there is */
	assert_int_equal(plan->level[CODING_GZIP], 9);
	assert_int_equal(judge(&plan->rules, "", HTML, 200), COMPRESS_YES);
	assert_int_equal(
	    judge(&plan->rules, "", "Content-Type: image/png", 200), COMPRESS_TYPE);
	compress_plan_free(&plan);
	assert_null(plan);
	conf.level = 0;
	plan = compress_plan_new(&conf);
	assert_int_equal(plan->level[CODING_BR], encoder_level_standard(CODING_BR));
	compress_plan_free(&plan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_may),
		cmocka_unit_test(test_any_type),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_added),
		cmocka_unit_test(test_plan),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
