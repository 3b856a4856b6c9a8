/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a refusal: its form by Accept, its text, and nothing else in it. */
#include "config.h"

#include "gateway/filter/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

static bool
has(const struct text *t, const char *what)
{
	return (span_find(text_span(t), span_of(what)) != SIZE_MAX);
}

static void
test_accept(void **state)
{
	static const struct {
		const char *accept;
		bool json;
		const char *why;
	} rows[] = {
		{ NULL, false, "none: HTML" },
		{ "", false, "empty" },
		{ "*/*", false, "curl" },
		{ "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		    false, "a browser" },
		{ "application/json", true, "only JSON" },
		{ "application/problem+json", true, "only problems" },
		{ "APPLICATION/JSON", true, "without case" },
		{ "application/*", true, "a wildcard that covers JSON and not HTML" },
		{ "application/json, text/plain, */*", true, "named beats covered" },
		{ "application/json, text/html", false, "equal: HTML" },
		{ "text/html, application/json", false, "equal: HTML" },
		{ "text/html;q=0.5, application/json", true, "JSON before HTML" },
		{ "text/html;q=0.5, application/json;q=0.4", false, "HTML before JSON" },
		{ "text/html;q=0.5, application/json;q=0.499", false, "by a thousandth" },
		{ "application/json;q=0", false, "refused" },
		{ "application/json;q=0.0, application/problem+json;q=0.1", true,
		    "one of two" },
		{ "text/*;q=0.3, application/*;q=0.2", false, "wildcards" },
		{ "*/*;q=0.1, application/problem+json;q=0.2", true, "over any" },
		{ "text/html;q=0, */*", true, "anything but HTML" },
		{ "application/json;q=2", false, "not a quality: ignored" },
		{ "application/json;q=1.001", false, "not a quality" },
		{ "application/json;q=0.1234", false, "too many digits" },
		{ "application/json;q=", false, "no quality" },
		{ "application/json;q=x", false, "not a number" },
		{ "application/json ; charset=utf-8 ; q=0.9", true,
		    "spaces and parameters" },
		{ "text/html;a=\"x,application/json\";q=0.9", false, "a quoted comma" },
		{ "text/html;a=\"\\\",application/json\"", false, "an escaped quote" },
		{ ",,, ,application/json,,", true, "empty members" },
		{ "application/jsonx", false, "another type" },
		{ "image/png", false, "neither" },
		{ ";;;,;=,\"", false, "nonsense" },
		{ "/", false, "nonsense" },
	};
	struct text body;
	struct span type;
	size_t i;

	(void)state;
	text_init(&body, 8192);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_reset(&body);
		type = page_refusal(&body, 403, SPAN("ID"), span_of(rows[i].accept));
		if (span_eq(type, SPAN("application/problem+json")) != rows[i].json)
			fail_msg("%s: %s", rows[i].accept, rows[i].why);
		if (!rows[i].json)
			assert_true(span_eq(type, SPAN("text/html; charset=utf-8")));
	}
	text_free(&body);
}

static const uint16_t used[] = { 301, 302, 307, 308, 400, 403, 404, 405, 408, 411, 413,
	414, 417, 421, 429, 431, 500, 501, 502, 503, 504, 505 };

static void
test_every_status(void **state)
{
	char title[80];
	struct text body;
	json_error_t error;
	json_t *json;
	size_t i;

	(void)state;
	text_init(&body, 8192);
	for (i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
		text_reset(&body);
		page_refusal(
		    &body, used[i], SPAN("01ARZ3NDEKTSV4RRFFQ69G5FAV"), SPAN_NONE);
		(void)snprintf(title, sizeof(title), "<title>%u %s</title>",
		    (unsigned)used[i], page_reason_phrase(used[i]));
		assert_true(has(&body, title));
		assert_true(has(&body, "<code>01ARZ3NDEKTSV4RRFFQ69G5FAV</code>"));
		assert_true(has(&body, "</html>\n"));
		/* nothing is fetched, nothing runs */
		assert_false(has(&body, "<script"));
		assert_false(has(&body, "http:"));
		assert_false(has(&body, "https:"));
		assert_false(has(&body, "src="));
		assert_false(body.overflow);
		assert_true(body.n < 2048);

		text_reset(&body);
		page_refusal(&body, used[i], SPAN("01ARZ"), SPAN("application/json"));
		json = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, &error);
		assert_non_null(json);
		assert_string_equal(
		    json_string_value(json_object_get(json, "type")), "about:blank");
		assert_string_equal(json_string_value(json_object_get(json, "title")),
		    page_reason_phrase(used[i]));
		assert_int_equal(
		    json_integer_value(json_object_get(json, "status")), used[i]);
		assert_string_equal(
		    json_string_value(json_object_get(json, "request_id")), "01ARZ");
		assert_true(
		    strlen(json_string_value(json_object_get(json, "detail"))) > 10);
		json_decref(json);
	}
	text_free(&body);
}

static void
test_other_statuses(void **state)
{
	static const struct {
		uint16_t status;
		const char *phrase;
	} rows[] = {
		{ 200, "OK" },
		{ 299, "Success" },
		{ 399, "Redirection" },
		{ 418, "Request Refused" },
		{ 599, "Server Error" },
		{ 0, "Server Error" },
		{ 999, "Server Error" },
	};
	struct text body;
	size_t i;

	(void)state;
	text_init(&body, 8192);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(page_reason_phrase(rows[i].status), rows[i].phrase);
		text_reset(&body);
		page_refusal(&body, rows[i].status, SPAN_NONE, SPAN_NONE);
		assert_true(has(&body, rows[i].phrase));
		assert_false(has(&body, "<code>")); /* no id, no line for it */
	}
	text_free(&body);
}

static void
test_html_is_escaped(void **state)
{
	struct text body;

	(void)state;
	text_init(&body, 8192);
	page_refusal(&body, 400, SPAN("<b>\"&'\r\n\xff"), SPAN_NONE);
	assert_true(has(&body, "<code>&lt;b&gt;&quot;&amp;&#39;\?\?\?</code>"));
	text_reset(&body);
	page_https_here(&body, SPAN("https://h/?a=\"><script>"));
	assert_true(has(&body, "href=\"https://h/?a=&quot;&gt;&lt;script&gt;\""));
	assert_false(has(&body, "<script"));
	text_reset(&body);
	page_https_here(&body, SPAN("javascript:alert(1)"));
	assert_false(has(&body, "href"));
	assert_false(has(&body, "javascript"));
	text_free(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_every_status),
		cmocka_unit_test(test_other_statuses),
		cmocka_unit_test(test_html_is_escaped),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
