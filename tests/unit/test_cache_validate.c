/* SPDX-License-Identifier: Apache-2.0 */
/* Validators: conditions to the origin, conditions of clients, 304 and HEAD. */
#include "config.h"

#include "gateway/cache/validate.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/cache_rig.h"

#define NOW INT64_C(1795000000)
#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"

#define NONE CACHE_CONDITION_NONE
#define NOT CACHE_CONDITION_NOT_MODIFIED
#define ORIGIN CACHE_CONDITION_ORIGIN
#define NOTHING CACHE_HEAD_NOTHING
#define FRESH CACHE_HEAD_FRESHENS
#define GONE CACHE_HEAD_INVALIDATES

static void
etags(void **state)
{
	static const struct {
		const char *a, *b;
		bool strong, weak;
	} rows[] = {
		{ "W/\"1\"", "W/\"1\"", false, true }, /* RFC 9110 8.8.3.2 */
		{ "W/\"1\"", "W/\"2\"", false, false },
		{ "W/\"1\"", "\"1\"", false, true },
		{ "\"1\"", "\"1\"", true, true },
		{ "\"\"", "\"\"", true, true },
		{ "\"a,b\"", "\"a,b\"", true, true },
		{ "\"a\\\"", "\"a\\\"", true, true },
		{ "\"\xe4\"", "\"\xe4\"", true, true },
		{ "\"a\"", "\"A\"", false, false },
		{ "1", "1", false, false },
		{ "w/\"1\"", "w/\"1\"", false, false },
		{ "W/ \"1\"", "W/ \"1\"", false, false },
		{ "\"a b\"", "\"a b\"", false, false },
		{ "\"a", "\"a", false, false },
		{ "\"a\"b\"", "\"a\"b\"", false, false },
		{ "", "", false, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct span a = span_of(rows[i].a), b = span_of(rows[i].b);

		if (cache_etag_same_strong(a, b) != rows[i].strong ||
		    cache_etag_same_strong(b, a) != rows[i].strong ||
		    cache_etag_same_weak(a, b) != rows[i].weak ||
		    cache_etag_same_weak(b, a) != rows[i].weak)
			fail_msg("%s %s", rows[i].a, rows[i].b);
	}
}

static void
conditions_for_the_origin(void **state)
{
	static const struct {
		const char *stored[3];
		const char *none_match, *since; /* NULL: no such field */
	} rows[] = {
		{ { "ETag: \"a\"" }, "\"a\"", NULL },
		{ { "ETag: W/\"a\"\nLast-Modified: " MODIFIED }, "W/\"a\"", MODIFIED },
		{ { "Last-Modified: " MODIFIED }, NULL, MODIFIED },
		{ { "Last-Modified: x" }, NULL, NULL },
		{ { "ETag: a" }, NULL, NULL },
		{ { "ETag: \"a\"\nETag: \"b\"" }, NULL, NULL },
		{ { "X: y" }, NULL, NULL },
		{ { "ETag: \"a\"", "ETag: \"b\"", "ETag: \"c\"" }, "\"a\", \"b\", \"c\"",
		    NULL },
		{ { "ETag: \"a\"", "ETag: \"a\"", "ETag: \"b\"" }, "\"a\", \"b\"", NULL },
		{ { "X: y", "ETag: \"b\"\nLast-Modified: " MODIFIED }, "\"b\"", NULL },
	};
	struct cache_validators stored[3];
	struct rig_fields rig[3];
	struct span since;
	struct text t;
	unsigned n;
	size_t i;

	(void)state;
	text_init(&t, 4096);
	for (i = 0; i < COUNT(rows); i++) {
		for (n = 0; n < 3 && rows[i].stored[n] != NULL; n++)
			cache_validators_read(
			    &stored[n], rig_fields(&rig[n], rows[i].stored[n]), NOW);
		if (cache_conditions(&t, &since, stored, n) !=
			(rows[i].none_match != NULL || rows[i].since != NULL) ||
		    !span_eq(text_span(&t), span_of(rows[i].none_match)) ||
		    !span_eq(since, span_of(rows[i].since)))
			fail_msg("%s: %.*s", rows[i].stored[0], SPAN_FMT(text_span(&t)));
	}
	text_free(&t);
}

static void
etags_to_the_origin_are_few(void **state)
{
	static const char *const tags[] = { "\"0\"", "\"1\"", "\"2\"", "\"3\"", "\"4\"",
		"\"5\"", "\"6\"", "\"7\"", "\"8\"", "\"9\"" };
	struct cache_validators stored[COUNT(tags)];
	struct span since;
	struct text t;
	size_t i;

	(void)state;
	memset(stored, 0, sizeof(stored));
	for (i = 0; i < COUNT(tags); i++)
		stored[i].etag = span_of(tags[i]);
	text_init(&t, 4096);
	assert_true(cache_conditions(&t, &since, stored, COUNT(tags)));
	assert_true(span_ends(text_span(&t), SPAN("\"7\"")));
	assert_false(cache_conditions(&t, &since, stored, 0));
	text_free(&t);
	/* half a list of etags is none */
	text_init(&t, 5);
	assert_false(cache_conditions(&t, &since, stored, COUNT(tags)));
	assert_int_equal(t.n, 0);
	text_free(&t);
}

static void
conditions_of_clients(void **state)
{
	static const struct {
		uint16_t status;
		const char *stored, *request;
		enum cache_condition verdict;
		const char *why;
	} rows[] = {
		{ 200, "ETag: \"a\"", NULL, NONE, "" },
		{ 200, "ETag: \"a\"", "If-None-Match: \"a\"", NOT, "13.1.2" },
		{ 200, "ETag: \"a\"", "If-None-Match: \"b\"", NONE, "" },
		{ 200, "ETag: \"a\"", "If-None-Match: W/\"a\"", NOT, "weakly" },
		{ 200, "ETag: W/\"a\"", "If-None-Match: \"a\"", NOT, "weakly" },
		{ 200, "ETag: \"a\"", "If-None-Match: \"b\", \"a\"", NOT, "a list" },
		{ 200, "ETag: \"a\"", "If-None-Match: \"b\"\nIf-None-Match: \"a\"", NOT,
		    "two lines" },
		{ 200, "ETag: \"a\"", "If-None-Match: ,\"b\" ,,\"a\"", NOT, "" },
		{ 200, "ETag: \"a,b\"", "If-None-Match: \"a,b\"", NOT, "a comma within" },
		{ 200, "ETag: \"b\"", "If-None-Match: \"a,\"b\"\"", NONE, "no list" },
		{ 200, "ETag: \"a\"", "If-None-Match: b, \"a\"", NONE, "no list" },
		{ 200, "ETag: \"a\"", "If-None-Match: \"b\" \"a\"", NONE, "no comma" },
		{ 200, "ETag: \"a\"", "If-None-Match: *", NOT, "any" },
		{ 200, NULL, "If-None-Match: *", NOT, "any" },
		{ 200, NULL, "If-None-Match: \"a\"", NONE, "no etag" },
		{ 200, "ETag: a", "If-None-Match: a", NONE, "no etag" },
		{ 404, "ETag: \"a\"", "If-None-Match: \"a\"", NONE, "13.2.1" },
		{ 301, "ETag: \"a\"", "If-None-Match: *", NONE, "13.2.1" },
		{ 204, "ETag: \"a\"", "If-None-Match: *", NOT, "" },
		{ 200, "Last-Modified: " MODIFIED, "If-Modified-Since: " MODIFIED, NOT,
		    "13.1.3" },
		{ 200, "Last-Modified: " MODIFIED, "If-Modified-Since: " LATER, NOT, "" },
		{ 200, "Last-Modified: " MODIFIED, "If-Modified-Since: " EARLIER, NONE,
		    "" },
		{ 200, "Last-Modified: " MODIFIED, "If-Modified-Since: x", NONE,
		    "no date" },
		{ 200, "Last-Modified: " MODIFIED,
		    "If-Modified-Since: " MODIFIED "\nIf-Modified-Since: " MODIFIED, NONE,
		    "two" },
		{ 200, "Date: " MODIFIED, "If-Modified-Since: " MODIFIED, NOT,
		    "RFC 9111 4.3.2: Date for it" },
		{ 200, NULL, "If-Modified-Since: " MODIFIED, NONE, "when it came" },
		{ 200, "ETag: \"a\"\nLast-Modified: " MODIFIED,
		    "If-None-Match: \"b\"\nIf-Modified-Since: " MODIFIED, NONE,
		    "13.1.3: not looked at" },
		{ 200, "ETag: \"a\"\nLast-Modified: " MODIFIED,
		    "If-None-Match: \"a\"\nIf-Modified-Since: " EARLIER, NOT,
		    "13.1.3: not looked at" },
		{ 200, "ETag: \"a\"", "If-Match: \"a\"", ORIGIN, "RFC 9111 4.3.2" },
		{ 404, "ETag: \"a\"", "If-Unmodified-Since: " MODIFIED, ORIGIN,
		    "RFC 9111 4.3.2" },
		{ 200, "ETag: \"a\"", "If-Match: *\nIf-None-Match: \"a\"", ORIGIN, "" },
	};
	struct cache_validators stored;
	struct rig_fields rig;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		cache_validators_read(&stored, rig_fields(&rig, rows[i].stored), NOW);
		if (cache_condition(rig_fields(&rig, rows[i].request), rows[i].status,
			&stored, NOW) != rows[i].verdict)
			fail_msg(
			    "%s: %s (%s)", rows[i].stored, rows[i].request, rows[i].why);
	}
}

static void
fields_of_a_304(void **state)
{
	static const struct {
		const char *line;
		bool with_etag, without;
	} rows[] = {
		{ "Cache-Control: x", true, true },
		{ "Content-Location: x", true, true },
		{ "Date: x", true, true },
		{ "ETag: x", true, true },
		{ "Expires: x", true, true },
		{ "Vary: x", true, true },
		{ "X-Foo: x", true, true },
		{ "Last-Modified: x", false, true },
		{ "Content-Type: x", false, false },
		{ "Content-Length: x", false, false },
		{ "Content-Encoding: x", false, false },
		{ "Content-Language: x", false, false },
		{ "Connection: x", false, false },
	};
	struct rig_fields rig;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		const struct http_field *field = &rig_fields(&rig, rows[i].line)->v[0];

		if (cache_304_has(field, true) != rows[i].with_etag ||
		    cache_304_has(field, false) != rows[i].without)
			fail_msg("%s", rows[i].line);
	}
}

/* Which of the stored ones, as a text of letters from "a". */
static void
freshened(void **state)
{
	static const struct {
		const char *stored[3], *fresh, *chosen, *why;
	} rows[] = {
		{ { "ETag: \"1\"" }, "ETag: \"1\"", "a", "4.3.4" },
		{ { "ETag: \"1\"" }, "ETag: \"2\"", "", "another" },
		{ { "ETag: W/\"1\"" }, "ETag: \"1\"", "", "strongly" },
		{ { "ETag: \"1\"" }, "ETag: W/\"1\"", "a", "weakly" },
		{ { "ETag: \"1\"", "ETag: \"2\"", "ETag: \"1\"" }, "ETag: \"1\"", "ac",
		    "all that have it" },
		{ { "ETag: W/\"1\"\nDate: " EARLIER, "ETag: W/\"1\"\nDate: " LATER,
		      "ETag: W/\"1\"\nDate: " MODIFIED },
		    "ETag: W/\"1\"", "b", "the newest" },
		{ { "Last-Modified: " MODIFIED "\nDate: " LATER,
		      "Last-Modified: " EARLIER "\nDate: " LATER,
		      "Last-Modified: " MODIFIED "\nDate: " MODIFIED },
		    "Last-Modified: " MODIFIED, "a", "the newest" },
		{ { "Last-Modified: " MODIFIED }, "Last-Modified: " LATER, "", "" },
		{ { "ETag: \"1\"\nLast-Modified: " MODIFIED },
		    "ETag: \"2\"\nLast-Modified: " MODIFIED, "", "the etag decides" },
		{ { "ETag: \"1\"" }, NULL, "a", "the only one" },
		{ { "X: y" }, NULL, "a", "the only one" },
		{ { "ETag: \"1\"", "ETag: \"2\"" }, NULL, "", "which" },
		{ { "X: y" }, "ETag: \"1\"", "", "no etag stored" },
	};
	struct cache_validators stored[3], fresh;
	struct rig_fields rig;
	char text[4];
	bool chosen[3];
	unsigned n, k, count, at;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		for (n = 0; n < 3 && rows[i].stored[n] != NULL; n++)
			cache_validators_read(
			    &stored[n], rig_fields(&rig, rows[i].stored[n]), NOW);
		cache_validators_read(&fresh, rig_fields(&rig, rows[i].fresh), NOW);
		count = cache_freshened(chosen, stored, n, &fresh);
		for (k = at = 0; k < n; k++)
			if (chosen[k])
				text[at++] = (char)('a' + k);
		text[at] = '\0';
		assert_int_equal(count, at);
		if (strcmp(text, rows[i].chosen) != 0)
			fail_msg("%s: %s (%s)", rows[i].fresh, text, rows[i].why);
	}
}

static void
merging(void **state)
{
	static const struct {
		const char *stored, *fresh, *merged, *why;
	} rows[] = {
		{ "A: 1", "B: 2", "A: 1\nB: 2\n", "added" },
		{ "A: 1\nB: 1", "a: 2", "B: 1\na: 2\n", "replaced" },
		{ "A: 1\nA: 2", "A: 3", "A: 3\n", "all its lines" },
		{ "A: 1", "A: 2\nA: 3", "A: 2\nA: 3\n", "by all the new ones" },
		{ "Cache-Control: max-age=1\nDate: x", "Cache-Control: max-age=2",
		    "Date: x\nCache-Control: max-age=2\n", "" },
		{ "Content-Length: 5", "Content-Length: 0", "Content-Length: 5\n",
		    "RFC 9111 3.2" },
		{ "Content-Type: text/plain", "Content-Type: text/html",
		    "Content-Type: text/plain\n", "it was judged as that" },
		{ "Content-Type: text/plain", "Content-Type: TEXT/plain ; charset=utf-8",
		    "Content-Type: TEXT/plain ; charset=utf-8\n", "the same type" },
		{ "Content-Type: text/plain;a=b", "Content-Type: text/plain",
		    "Content-Type: text/plain\n", "the same type" },
		{ "Content-Type: a/b", "Content-Type: a/b;c\nContent-Type: a/b;d",
		    "Content-Type: a/b\n", "which one?" },
		{ "Content-Type: a/b", "Content-Type: a/b;c, text/html",
		    "Content-Type: a/b\n", "which one?" },
		{ "Content-MD5: 1\nDigest: 2", "content-md5: 3\ndigest: 4",
		    "Content-MD5: 1\nDigest: 2\n", "of the content that stays" },
		{ "Content-Digest: 1\nRepr-Digest: 2",
		    "Content-Digest: 3\nRepr-Digest: 4",
		    "Content-Digest: 1\nRepr-Digest: 2\n", "of the content that stays" },
		{ "Content-Encoding: gzip", "Content-Encoding: br",
		    "Content-Encoding: gzip\n", "" },
		{ "A: 1", "Content-Type: text/html", "A: 1\n", "" },
		{ "ETag: \"1\"", "ETag: W/\"1\"", "ETag: \"1\"\n", "strong stays" },
		{ "A: 1", "ETag: \"1\"", "A: 1\nETag: \"1\"\n", "none was there" },
		{ "Vary: a", "Vary: b", "Vary: a\n", "another key" },
		{ "A: 1", "Set-Cookie: a=b", "A: 1\n", "" },
		{ "A: 1", "Age: 5", "A: 1\nAge: 5\n", "" },
		{ "A: 1\nX: 1", "Connection: X\nX: 2\nKeep-Alive: 5", "A: 1\nX: 1\n",
		    "hop-by-hop" },
		{ "A: 1", NULL, "A: 1\n", "nothing new" },
	};
	struct rig_fields stored, fresh, merged;
	struct text t;
	size_t i;
	uint32_t k;

	(void)state;
	text_init(&t, 4096);
	for (i = 0; i < COUNT(rows); i++) {
		(void)rig_fields(&merged, NULL);
		assert_true(cache_merge(&merged.f, rig_fields(&stored, rows[i].stored),
		    rig_fields(&fresh, rows[i].fresh)));
		text_reset(&t);
		for (k = 0; k < merged.f.n; k++)
			text_printf(&t, "%.*s: %.*s\n", SPAN_FMT(merged.f.v[k].name),
			    SPAN_FMT(merged.f.v[k].value));
		if (!span_eq(text_span(&t), span_of(rows[i].merged)))
			fail_msg("%s + %s (%s): %.*s", rows[i].stored, rows[i].fresh,
			    rows[i].why, SPAN_FMT(text_span(&t)));
	}
	http_fields_init(&merged.f, merged.array, 1);
	assert_false(cache_merge(
	    &merged.f, rig_fields(&stored, "A: 1"), rig_fields(&fresh, "B: 2")));
	http_fields_init(&merged.f, merged.array, 1);
	assert_false(cache_merge(
	    &merged.f, rig_fields(&stored, "A: 1\nB: 2"), rig_fields(&fresh, NULL)));
	text_free(&t);
}

static void
heads(void **state)
{
	static const struct {
		uint16_t status;
		const char *stored, *answer;
		enum cache_head verdict;
	} rows[] = {
		{ 200, "ETag: \"1\"", "ETag: \"1\"", FRESH },
		{ 200, "ETag: \"1\"", "ETag: \"2\"", GONE },
		{ 200, "X: y", "ETag: \"2\"", GONE },
		{ 200, "ETag: \"1\"", NULL, NOTHING },
		{ 404, "ETag: \"1\"", "ETag: \"2\"", NOTHING },
		{ 304, "ETag: \"1\"", "ETag: \"1\"", NOTHING },
		{ 200, "ETag: \"1\"\nContent-Length: 5", "ETag: \"1\"\nContent-Length: 5",
		    FRESH },
		{ 200, "ETag: \"1\"\nContent-Length: 5", "ETag: \"1\"\nContent-Length: 6",
		    GONE },
		{ 200, "Content-Length: 5", "Content-Length: 6", GONE },
		{ 200, "ETag: \"1\"\nContent-Length: 5", "ETag: \"1\"", FRESH },
		{ 200, "Last-Modified: " MODIFIED, "Last-Modified: " MODIFIED, FRESH },
		{ 200, "Last-Modified: " MODIFIED, "Last-Modified: " LATER, GONE },
		{ 200, "ETag: \"1\"", "ETag: \"1\"\nLast-Modified: " LATER, GONE },
	};
	struct rig_fields stored, answer;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (cache_head(rows[i].status, rig_fields(&answer, rows[i].answer),
			rig_fields(&stored, rows[i].stored), NOW) != rows[i].verdict)
			fail_msg("%s: %s", rows[i].stored, rows[i].answer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(etags),
		cmocka_unit_test(conditions_for_the_origin),
		cmocka_unit_test(etags_to_the_origin_are_few),
		cmocka_unit_test(conditions_of_clients),
		cmocka_unit_test(fields_of_a_304),
		cmocka_unit_test(freshened),
		cmocka_unit_test(merging),
		cmocka_unit_test(heads),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
