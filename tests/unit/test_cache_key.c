/* SPDX-License-Identifier: Apache-2.0 */
/* Primary keys: what is admitted, what is one key and what is not. */
#include "config.h"

#include "gateway/cache/key.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/cache_rig.h"

static const struct span ignored[] = { { "utm_*", 5 }, { "fbclid", 6 } };
static const struct cache_key_rules plain = { 0 };
static const struct cache_key_rules ignoring = { .ignore_query = ignored,
	.n_ignore_query = 2 };

static void
texts(void **state)
{
	static const struct {
		const char *scheme, *host;
		uint16_t port;
		const char *path, *query; /* NULL: none */
		const struct cache_key_rules *rules;
		const char *text;
	} rows[] = {
		{ "https", "a", 0, "/", NULL, &plain, "https://a/" },
		{ "https", "a", 443, "/", NULL, &plain, "https://a/" },
		{ "https", "a", 80, "/", NULL, &plain, "https://a:80/" },
		{ "http", "a", 80, "/", NULL, &plain, "http://a/" },
		{ "http", "a", 443, "/", NULL, &plain, "http://a:443/" },
		{ "http", "[::1]", 8080, "/x%2Fy", NULL, &plain,
		    "http://[::1]:8080/x%2Fy" },
		{ "https", "a", 0, "/", "", &plain, "https://a/?" },
		{ "https", "a", 0, "/", "b=1&a=2", &plain, "https://a/?b=1&a=2" },
		{ "https", "a", 0, "/", "utm_source=x", &plain,
		    "https://a/?utm_source=x" },
		{ "https", "a", 0, "/", "utm_source=x", &ignoring, "https://a/" },
		{ "https", "a", 0, "/", "", &ignoring, "https://a/?" },
		{ "https", "a", 0, "/", "b=1&utm_source=x&a=2&fbclid=7", &ignoring,
		    "https://a/?b=1&a=2" },
		{ "https", "a", 0, "/", "fbclid&utm_&b", &ignoring, "https://a/?b" },
		{ "https", "a", 0, "/", "fbclid2=x&xutm_a=1", &ignoring,
		    "https://a/?fbclid2=x&xutm_a=1" },
		{ "https", "a", 0, "/", "FBCLID=1&utm%5Fa=1", &ignoring,
		    "https://a/?FBCLID=1&utm%5Fa=1" },
		{ "https", "a", 0, "/", "fbclid=1;callback=evil", &ignoring,
		    "https://a/?fbclid=1;callback=evil" },
		{ "https", "a", 0, "/", "a&&b&", &ignoring, "https://a/?a&&b&" },
		{ "https", "a", 0, "/", "&fbclid=1", &ignoring, "https://a/?" },
	};
	struct cache_secret secret = cache_secret_random();
	struct cache_key key;
	struct text t;
	size_t i;

	(void)state;
	text_init(&t, 4096);
	for (i = 0; i < COUNT(rows); i++) {
		struct cache_target target = { .scheme = span_of(rows[i].scheme),
			.host = span_of(rows[i].host),
			.port = rows[i].port,
			.path = span_of(rows[i].path),
			.has_query = rows[i].query != NULL,
			.query = span_of(rows[i].query) };

		assert_true(cache_key_make(&key, &t, &secret, &target, rows[i].rules));
		if (!span_eq(text_span(&t), span_of(rows[i].text)))
			fail_msg("%s: %.*s", rows[i].text, SPAN_FMT(text_span(&t)));
	}
	text_free(&t);
}

static void
hashes(void **state)
{
	struct cache_secret one = cache_secret_random(), two = cache_secret_random();
	struct cache_target target = {
		.scheme = SPAN("https"), .host = SPAN("a"), .path = SPAN("/")
	};
	struct cache_key_rules parts = { .parts = SPAN("mobile") };
	struct cache_key a, b;
	struct text t;

	(void)state;
	text_init(&t, 64);
	assert_true(cache_key_make(&a, &t, &one, &target, &plain));
	assert_true(cache_key_make(&b, &t, &one, &target, &plain));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_not_equal(a.half[0], a.half[1]);
	assert_true(cache_key_make(&b, &t, &two, &target, &plain));
	assert_int_not_equal(a.half[0], b.half[0]);
	assert_int_not_equal(a.half[1], b.half[1]);
	assert_true(cache_key_make(&b, &t, &one, &target, &parts));
	assert_true(span_eq(text_span(&t), SPAN("https://a/\nmobile")));
	assert_int_not_equal(a.half[0], b.half[0]);
	text_free(&t);

	/* what does not fit has no key */
	text_init(&t, 9);
	assert_false(cache_key_make(&a, &t, &one, &target, &plain));
	text_free(&t);
	text_init(&t, 10);
	target.has_query = true;
	target.query = SPAN("utm_a=1");
	assert_false(cache_key_make(&a, &t, &one, &target, &plain));
	text_free(&t);
}

static void
admission(void **state)
{
	static const struct {
		const char *method;
		enum h1_framing framing;
		uint64_t length;
		bool asterisk;
		const char *fields;
		enum cache_admission verdict;
	} rows[] = {
		{ "GET", H1_NO_BODY, 0, false, NULL, CACHE_ADMIT },
		{ "HEAD", H1_NO_BODY, 0, false, NULL, CACHE_ADMIT },
		{ "GET", H1_LENGTH, 0, false, NULL, CACHE_ADMIT },
		{ "POST", H1_NO_BODY, 0, false, NULL, CACHE_ADMIT_NOT_METHOD },
		{ "get", H1_NO_BODY, 0, false, NULL, CACHE_ADMIT_NOT_METHOD },
		{ "OPTIONS", H1_NO_BODY, 0, true, NULL, CACHE_ADMIT_NOT_METHOD },
		{ "GET", H1_NO_BODY, 0, true, NULL, CACHE_ADMIT_NOT_TARGET },
		{ "GET", H1_LENGTH, 1, false, NULL, CACHE_ADMIT_NOT_BODY },
		{ "GET", H1_CHUNKED, 0, false, NULL, CACHE_ADMIT_NOT_BODY },
		{ "GET", H1_NO_BODY, 0, false, "X-HTTP-Method-Override: POST",
		    CACHE_ADMIT_NOT_OVERRIDE },
		{ "GET", H1_NO_BODY, 0, false, "a: b\nx-http-method: PUT",
		    CACHE_ADMIT_NOT_OVERRIDE },
		{ "GET", H1_NO_BODY, 0, false, "X-Method-Override: x",
		    CACHE_ADMIT_NOT_OVERRIDE },
		{ "GET", H1_NO_BODY, 0, false, "x_http-Method_OVERRIDE: x",
		    CACHE_ADMIT_NOT_OVERRIDE },
		{ "GET", H1_NO_BODY, 0, false, "XX-HTTP-Method: x", CACHE_ADMIT },
	};
	struct rig_fields rig;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct http_request request = { .method = span_of(rows[i].method),
			.framing = rows[i].framing,
			.content_length = rows[i].length };

		request.target.asterisk = rows[i].asterisk;
		request.fields = *rig_fields(&rig, rows[i].fields);
		if (cache_admit(&request) != rows[i].verdict)
			fail_msg("row %zu", i);
	}
}

static void
targets_are_canonical(void **state)
{
	struct http_request request = { .scheme = SPAN("https") };
	struct cache_target target;

	(void)state;
	request.authority = (struct uri_authority){ SPAN("a.example"), 8443 };
	request.target.path = SPAN("/x");
	request.target.query = SPAN("y");
	request.target.has_query = true;
	cache_target_of(&target, &request);
	assert_true(span_eq(target.host, SPAN("a.example")));
	assert_int_equal(target.port, 8443);
	assert_true(span_eq(target.path, SPAN("/x")));
	assert_true(target.has_query && span_eq(target.query, SPAN("y")));
	assert_true(span_eq(target.scheme, SPAN("https")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(hashes),
		cmocka_unit_test(admission),
		cmocka_unit_test(targets_are_canonical),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
