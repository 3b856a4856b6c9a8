/* SPDX-License-Identifier: Apache-2.0 */
/* Secondary keys: which requests are one variant. */
#include "config.h"

#include "gateway/cache/vary.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/cache_rig.h"

static void
names(void **state)
{
	static const struct {
		const char *fields, *names; /* NULL: nothing is stored */
	} rows[] = {
		{ NULL, "" },
		{ "Vary:", "" },
		{ "Vary: Foo", "foo" },
		{ "Vary: b, A ,,c,", "a,b,c" },
		{ "Vary: b\nVary: a", "a,b" },
		{ "Vary: a, A, a", "a" },
		{ "Vary: aa, a", "a,aa" },
		{ "Vary: *", NULL },
		{ "Vary: a, *", NULL },
		{ "Vary: a, X-Forwarded-For", NULL },
		{ "Vary: forwarded", NULL },
		{ "Vary: X-Request-ID", NULL },
		{ "Content-Encoding: gzip", "accept-encoding" },
		{ "Content-Encoding: gzip\nVary: Foo, Accept-Encoding",
		    "accept-encoding,foo" },
		{ "Vary: a\nVary: *", NULL },
		{ "Vary: a b", NULL },
		{ "Vary: \"a\"", NULL },
		{ "Vary: a*", NULL },
		{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p",
		    "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p" },
		{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,p,a",
		    "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p" },
		{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", NULL },
	};
	struct cache_vary vary, again;
	struct rig_fields rig;
	struct text t;
	size_t i;
	unsigned k;

	(void)state;
	text_init(&t, 4096);
	for (i = 0; i < COUNT(rows); i++) {
		if (!cache_vary_read(&vary, rig_fields(&rig, rows[i].fields))) {
			if (rows[i].names != NULL)
				fail_msg("%s", rows[i].fields);
			continue;
		}
		text_reset(&t);
		cache_vary_put_names(&t, &vary);
		if (rows[i].names == NULL ||
		    !span_eq(text_span(&t), span_of(rows[i].names)))
			fail_msg("%s: %.*s", rows[i].fields, SPAN_FMT(text_span(&t)));
		cache_vary_of_names(&again, text_span(&t));
		assert_int_equal(again.n, vary.n);
		for (k = 0; k < vary.n; k++)
			assert_true(span_eq_nocase(again.v[k], vary.v[k]));
	}
	text_free(&t);
}

/* Does the second request get what was stored for the first? */
static void
variants(void **state)
{
	static const struct {
		const char *vary, *first, *second;
		unsigned codings;
		bool same;
		const char *why;
	} rows[] = {
		{ "", "Foo: 1", "Foo: 2", 0, true, "no Vary" },
		{ "Foo", "Foo: 1", "Foo: 1", 0, true, "" },
		{ "Foo", "Foo: 1", "foo: 1", 0, true, "case of the name" },
		{ "foo", "FOO: 1", "Foo: 1", 0, true, "case of the name" },
		{ "Foo", "Foo: 1", "Foo: 2", 0, false, "" },
		{ "Foo", "Foo: 1", NULL, 0, false, "absent" },
		{ "Foo", NULL, "Foo: 1", 0, false, "absent" },
		{ "Foo", NULL, NULL, 0, true, "both absent" },
		{ "Foo", NULL, "Foo:", 0, false, "empty is not absent" },
		{ "Foo", "Foo: a", "Foo: A", 0, false, "case of the value" },
		{ "Foo", "Foo: 1\nBar: 2", "Foo: 1\nBar: 3", 0, true, "not named" },
		{ "Foo, Bar", "Foo: 1\nBar: 2", "Bar: 2\nFoo: 1", 0, true, "order" },
		{ "Foo, Bar", "Foo: 1\nBar: 2", "Foo: 2\nBar: 1", 0, false, "swapped" },
		{ "Foo, Bar", "Foo: 1", "Bar: 1", 0, false, "another one" },
		{ "Foo", "Foo: 1, 2", "Foo: 1,2", 0, true, "white space, 4.1" },
		{ "Foo", "Foo: 1,2", "Foo: 1\nFoo: 2", 0, true, "lines joined, 4.1" },
		{ "Foo", "Foo: 1,2", "Foo: 2,1", 0, false, "order of elements" },
		{ "Foo", "Foo: 1,,2", "Foo: 1,2", 0, false, "it may be no list" },
		{ "Foo", "Foo: 1", "Foo: 1,", 0, false, "it may be no list" },
		{ "Foo", "Foo: 1  2", "Foo: 1 2", 0, false, "within" },
		{ "Foo", "Foo: \"1, 2\"", "Foo: \"1,2\"", 0, false, "within quotes" },
		{ "Foo, Bar", "Foo: 1:bar:2", "Foo: 1\nBar: 2", 0, false, "no tricks" },
		{ "Accept-Encoding", "Accept-Encoding: gzip, br",
		    "Accept-Encoding: br, gzip", 0, false, "as text" },
		{ "Accept-Encoding", "Accept-Encoding: gzip, br",
		    "Accept-Encoding: br;q=0.1, x, GZIP",
		    CACHE_CODING_GZIP | CACHE_CODING_BR, true, "as codings" },
		{ "Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: gzip",
		    CACHE_CODING_GZIP, true, "br does not matter" },
		{ "Accept-Encoding", "Accept-Encoding: gzip, br", "Accept-Encoding: gzip",
		    CACHE_CODING_GZIP | CACHE_CODING_BR, false, "br matters" },
		{ "Accept-Encoding", "Accept-Encoding: gzip", NULL, CACHE_CODING_GZIP,
		    false, "none is identity" },
		{ "Accept-Encoding", "Accept-Encoding: foo", NULL, CACHE_CODING_GZIP,
		    true, "none is identity" },
		{ "Accept-Encoding, Foo", "Accept-Encoding: gzip\nFoo: 1",
		    "Accept-Encoding: gzip\nFoo: 2", CACHE_CODING_GZIP, false, "" },
	};
	struct rig_fields answered, first, second;
	struct text vary_line, names_text, key, scratch;
	struct cache_vary vary;
	size_t i;

	(void)state;
	text_init(&vary_line, 4096);
	text_init(&names_text, 4096);
	text_init(&key, 4096);
	text_init(&scratch, 4096);
	for (i = 0; i < COUNT(rows); i++) {
		struct cache_vary_rules rules = { .codings = rows[i].codings };

		text_reset(&vary_line);
		text_printf(&vary_line, "Vary: %s%c", rows[i].vary, 0);
		assert_true(cache_vary_read(&vary, rig_fields(&answered, vary_line.p)));
		text_reset(&names_text);
		cache_vary_put_names(&names_text, &vary);
		text_reset(&key);
		assert_true(cache_vary_put_key(
		    &key, &vary, rig_fields(&first, rows[i].first), &rules));
		if (cache_vary_matches(text_span(&names_text), text_span(&key),
			rig_fields(&second, rows[i].second), &rules,
			&scratch) != rows[i].same)
			fail_msg("%s: %s / %s (%s)", rows[i].vary, rows[i].first,
			    rows[i].second, rows[i].why);
	}
	text_free(&vary_line);
	text_free(&names_text);
	text_free(&key);
	text_free(&scratch);
}

static void
what_does_not_fit_never_matches(void **state)
{
	static const struct cache_vary_rules rules = { 0 };
	struct rig_fields rig;
	struct text scratch;

	(void)state;
	text_init(&scratch, 8);
	assert_false(cache_vary_matches(SPAN("foo"), SPAN("foo:1234"),
	    rig_fields(&rig, "Foo: 12345"), &rules, &scratch));
	assert_true(cache_vary_matches(SPAN("foo"), SPAN("foo:123\n"),
	    rig_fields(&rig, "Foo: 123"), &rules, &scratch));
	text_free(&scratch);
}

static void
codings(void **state)
{
	enum {
		G = CACHE_CODING_GZIP,
		B = CACHE_CODING_BR,
		Z = CACHE_CODING_ZSTD,
		I = CACHE_CODING_IDENTITY
	};
	static const struct {
		const char *request;
		unsigned accepted;
	} rows[] = {
		{ NULL, I },
		{ "Accept-Encoding:", I },
		{ "Accept-Encoding: gzip", G | I },
		{ "Accept-Encoding: x-gzip", G | I },
		{ "Accept-Encoding: gzip, deflate, br, zstd", G | B | Z | I },
		{ "Accept-Encoding: gzip\nAccept-Encoding: br", G | B | I },
		{ "Accept-Encoding: gzip;q=0", I },
		{ "Accept-Encoding: gzip;q=0.000", I },
		{ "Accept-Encoding: gzip;Q=0", I },
		{ "Accept-Encoding: gzip ; q=0", I },
		{ "Accept-Encoding: gzip;q=0.001", G | I },
		{ "Accept-Encoding: gzip;q=0.0000", G | I },
		{ "Accept-Encoding: gzip;q=0, gzip", I },
		{ "Accept-Encoding: gzip;q=x", G | I },
		{ "Accept-Encoding: *", G | B | Z | I },
		{ "Accept-Encoding: *, br;q=0", G | Z | I },
		{ "Accept-Encoding: *;q=0", 0 },
		{ "Accept-Encoding: *;q=0, gzip", G },
		{ "Accept-Encoding: *;q=0, identity", I },
		{ "Accept-Encoding: identity;q=0", 0 },
		{ "Accept-Encoding: identity;q=0, br", B },
	};
	struct rig_fields rig;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (cache_codings(rig_fields(&rig, rows[i].request), G | B | Z | I) !=
		    rows[i].accepted)
			fail_msg("%s", rows[i].request);
	assert_int_equal(
	    cache_codings(rig_fields(&rig, "Accept-Encoding: gzip, br"), G), G);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(variants),
		cmocka_unit_test(what_does_not_fit_never_matches),
		cmocka_unit_test(codings),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
