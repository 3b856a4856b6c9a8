/* SPDX-License-Identifier: Apache-2.0 */
/* Field names, lists and what Connection may take off. */
#include "config.h"

#include "gateway/http/fields.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/http/chars.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
names(void **state)
{
	static const struct {
		const char *name;
		enum http_field_id id;
	} known[] = {
#define KNOWN(id, name) { name, HTTP_##id },
		HTTP_FIELD_NAMES(KNOWN)
#undef KNOWN
	};
	static const char *const others[] = { "x", "hos", "hostt", "h\xcfst", "hozt",
		"content_length", "content-lengtH1", "x-forwarded-foo",
		"accept\rencoding", "" };
	char text[64], upper[64];
	size_t i, k, n;

	(void)state;
	for (i = 0; i < COUNT(known); i++) {
		n = strlen(known[i].name);
		assert_true(n < sizeof(text) - 1);
		for (k = 0; k < n; k++)
			upper[k] = (char)toupper((unsigned char)known[i].name[k]);
		assert_int_equal(http_field_id(span_of(known[i].name)), known[i].id);
		assert_int_equal(http_field_id(span_mem(upper, n)), known[i].id);
		/* near misses */
		for (k = 0; k < n; k++) {
			memcpy(text, known[i].name, n + 1);
			text[k] = (char)(text[k] ^ 1);
			assert_int_not_equal(
			    http_field_id(span_mem(text, n)), known[i].id);
			text[k] = (char)(text[k] ^ 1 ^ 0x80);
			assert_int_equal(http_field_id(span_mem(text, n)), HTTP_OTHER);
		}
	}
	for (i = 0; i < COUNT(others); i++)
		assert_int_equal(http_field_id(span_of(others[i])), HTTP_OTHER);
}

static void
adds_and_finds(void **state)
{
	struct http_field array[3];
	struct http_fields f;

	(void)state;
	http_fields_init(&f, array, 3);
	assert_null(http_fields_get(&f, HTTP_HOST));
	assert_null(http_fields_value(&f, HTTP_HOST).p);
	assert_true(http_fields_add(&f, SPAN("X"), SPAN("1")));
	assert_true(http_fields_add(&f, SPAN("HOST"), SPAN("")));
	assert_true(http_fields_add(&f, SPAN("host"), SPAN("b")));
	assert_false(http_fields_add(&f, SPAN("Y"), SPAN("2")));
	assert_int_equal(f.n, 3);
	assert_int_equal(f.count[HTTP_HOST], 2);
	assert_ptr_equal(http_fields_get(&f, HTTP_HOST), &array[1]);
	/* empty, not absent */
	assert_non_null(http_fields_value(&f, HTTP_HOST).p);
}

/* A message with one field and one Connection. */
static bool
taken_off(const char *name, const char *connection)
{
	struct http_field array[2];
	struct http_fields f;

	http_fields_init(&f, array, 2);
	assert_true(http_fields_add(&f, span_of(name), SPAN("x")));
	assert_true(http_fields_add(&f, SPAN("Connection"), span_of(connection)));
	http_fields_mark_hops(&f);
	assert_true(array[1].hop_by_hop);
	return (array[0].hop_by_hop);
}

static void
hop_by_hop(void **state)
{
	static const struct {
		const char *name, *connection;
		bool off;
	} rows[] = {
		/* always */
		{ "Keep-Alive", "", true },
		{ "TE", "", true },
		{ "Trailer", "", true },
		{ "Transfer-Encoding", "", true },
		{ "Upgrade", "", true },
		{ "Proxy-Connection", "", true },
		{ "Proxy-Authenticate", "", true },
		{ "Proxy-Authorization", "", true },
		{ "HTTP2-Settings", "", true },
		/* when named */
		{ "X-Foo", "", false },
		{ "X-Foo", "x-foo", true },
		{ "X-Foo", "close, X-FOO ,te", true },
		{ "X-Foo", ",,\t,x-foo", true },
		{ "X-Foo", "x-fo, x-fooo, x foo", false },
		{ "X-Foo", "\"x-foo\"", false },
		{ "Referer", "referer", true },
		{ "User-Agent", "close, User-Agent", true },
		{ "x_y.z", "X_Y.Z", true },
		/* never: framing, routing, identity, content */
		{ "Host", "host", false },
		{ "Content-Length", "content-length", false },
		{ "Content-Type", "content-type", false },
		{ "Content-Encoding", "content-encoding", false },
		{ "Authorization", "authorization", false },
		{ "Cookie", "cookie", false },
		{ "Set-Cookie", "set-cookie", false },
		{ "X-Forwarded-For", "x-forwarded-for", false },
		{ "X-Forwarded-Host", "x-forwarded-host", false },
		{ "X-Forwarded-Proto", "x-forwarded-proto", false },
		{ "Forwarded", "forwarded", false },
		{ "X-Request-Id", "x-request-id", false },
		{ "Via", "via", false },
		{ "Cache-Control", "cache-control", false },
		{ "Expect", "expect", false },
		{ "Range", "range", false },
		{ "Vary", "vary", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (taken_off(rows[i].name, rows[i].connection) != rows[i].off)
			fail_msg("%s, Connection: %s", rows[i].name, rows[i].connection);
}

static void
several_connections(void **state)
{
	struct http_field array[5];
	struct http_fields f;

	(void)state;
	http_fields_init(&f, array, 5);
	assert_true(http_fields_add(&f, SPAN("A"), SPAN("")));
	assert_true(http_fields_add(&f, SPAN("Connection"), SPAN("b")));
	assert_true(http_fields_add(&f, SPAN("B"), SPAN("")));
	assert_true(http_fields_add(&f, SPAN("b"), SPAN("")));
	assert_true(http_fields_add(&f, SPAN("connection"), SPAN("a")));
	http_fields_mark_hops(&f);
	assert_true(array[0].hop_by_hop && array[2].hop_by_hop && array[3].hop_by_hop);
}

/* Options without end are not work without end. */
static void
options_are_bounded(void **state)
{
	char list[2 * 200];
	struct http_field array[3];
	struct http_fields f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(list); i += 2)
		memcpy(list + i, i < 198 ? "x," : "y,", 2);
	list[198] = 'z';
	http_fields_init(&f, array, 3);
	assert_true(http_fields_add(&f, SPAN("Y"), SPAN("")));
	assert_true(http_fields_add(&f, SPAN("Z"), SPAN("")));
	assert_true(
	    http_fields_add(&f, SPAN("Connection"), span_mem(list, sizeof(list))));
	http_fields_mark_hops(&f);
	assert_true(array[1].hop_by_hop); /* the hundredth */
	assert_false(array[0].hop_by_hop);
}

static void
tokens(void **state)
{
	static const struct {
		const char *value, *token;
		bool there;
	} rows[] = {
		{ "close", "close", true },
		{ "CLOSE", "close", true },
		{ " a , b\t,c", "b", true },
		{ "a,b,c", "c", true },
		{ ",,a,,", "a", true },
		{ "closed", "close", false },
		{ "a b", "a", false },
		{ "", "a", false },
		{ ",", "a", false },
		{ "trailers;q=1", "trailers", false },
	};
	struct http_field array[1];
	struct http_fields f;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		http_fields_init(&f, array, 1);
		assert_true(
		    http_fields_add(&f, SPAN("Connection"), span_of(rows[i].value)));
		if (http_fields_have_token(&f, HTTP_CONNECTION, span_of(rows[i].token)) !=
		    rows[i].there)
			fail_msg("%s in %s", rows[i].token, rows[i].value);
		assert_false(http_fields_have_token(&f, HTTP_VIA, SPAN("close")));
	}
}

static bool
in_set(int c, const char *set)
{
	return (c != 0 && strchr(set, c) != NULL);
}

#define ALNUM "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* The table against the grammars. */
static void
classes(void **state)
{
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		const bool visible = c > 0x20 && c != 0x7f;
		const bool value = visible || in_set(c, " \t");

		assert_int_equal(
		    char_is((char)c, CHAR_TOKEN), in_set(c, ALNUM "!#$%&'*+-.^_`|~"));
		assert_int_equal(char_is((char)c, CHAR_VALUE), value);
		assert_int_equal(char_is((char)c, CHAR_TARGET), visible && c != '#');
		assert_int_equal(
		    char_is((char)c, CHAR_UNRESERVED), in_set(c, ALNUM "-._~"));
		assert_int_equal(char_is((char)c, CHAR_NAME), in_set(c, ALNUM "-._~"));
		assert_int_equal(char_is((char)c, CHAR_LITERAL),
		    in_set(c, ALNUM "-._~!$&'()*+,;=:@/?[]"));
		assert_int_equal(
		    char_is((char)c, CHAR_HEX), in_set(c, "0123456789abcdefABCDEF"));
		assert_int_equal(
		    char_is((char)c, CHAR_QUOTED), value && !in_set(c, "\"\\"));
	}
}

/* The fast scan against the plain one, at many offsets. */
static void
scans(void **state)
{
	char text[64];
	size_t from, at;
	int c;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (c = 0; c < 256; c++)
		for (at = 0; at < sizeof(text); at += 7) {
			text[at] = (char)c;
			for (from = 0; from <= at; from++)
				assert_int_equal(char_run_value(text, from, sizeof(text)),
				    char_run(text, from, sizeof(text), CHAR_VALUE));
			text[at] = 'a';
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(adds_and_finds),
		cmocka_unit_test(hop_by_hop),
		cmocka_unit_test(several_connections),
		cmocka_unit_test(options_are_bounded),
		cmocka_unit_test(tokens),
		cmocka_unit_test(classes),
		cmocka_unit_test(scans),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
