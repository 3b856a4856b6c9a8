/* SPDX-License-Identifier: Apache-2.0 */
/* Directives of answers and requests, dates, ages, tags. */
#include "config.h"

#include "gateway/cache/control.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/base/buf.h"
#include "tests/unit/cache_rig.h"

#define NOW INT64_C(1795000000)

/* All that was understood, as one text. */
static void
describe(struct text *t, const struct cache_control *c)
{
	static const char *const flags[] = { "no-store", "no-cache", "private", "public",
		"must-revalidate", "proxy-revalidate", "must-understand", "no-transform",
		"only-if-cached" };
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{ "max-age", c->max_age },
		{ "s-maxage", c->s_maxage },
		{ "max-stale", c->max_stale },
		{ "min-fresh", c->min_fresh },
		{ "swr", c->stale_while_revalidate },
		{ "sie", c->stale_if_error },
	};
	size_t i;

	text_reset(t);
	if (c->targeted)
		text_puts(t, "cdn ");
	for (i = 0; i < COUNT(flags); i++)
		if (cache_control_has(c, 1u << i))
			text_printf(t, "%s ", flags[i]);
	for (i = 0; i < COUNT(numbers); i++)
		if (numbers[i].value != CACHE_ABSENT)
			text_printf(
			    t, "%s=%lld ", numbers[i].name, (long long)numbers[i].value);
	for (i = 0; i < c->n_names; i++)
		text_printf(t, "(%.*s) ", SPAN_FMT(c->names[i]));
	if (t->n > 0)
		t->n--;
}

struct row {
	const char *fields, *result, *why;
};

typedef void read_f(struct cache_control *, const struct http_fields *);

static void
check(const struct row *rows, size_t n, read_f *read)
{
	struct cache_control control;
	struct rig_fields rig;
	struct text t;
	size_t i;

	text_init(&t, 4096);
	for (i = 0; i < n; i++) {
		read(&control, rig_fields(&rig, rows[i].fields));
		describe(&t, &control);
		if (!span_eq(text_span(&t), span_of(rows[i].result)))
			fail_msg("%s (%s): %.*s", rows[i].fields, rows[i].why,
			    SPAN_FMT(text_span(&t)));
	}
	text_free(&t);
}

static void
answers(void **state)
{
	static const struct row rows[] = {
		{ NULL, "", "nothing" },
		{ "Cache-Control:", "", "empty" },
		{ "Cache-Control: max-age=60", "max-age=60", "plain" },
		{ "Cache-Control: MaX-AgE=60, NO-STORE", "no-store max-age=60", "case" },
		{ "Cache-Control: max-age=\"60\"", "max-age=60", "quoted, 5.2" },
		{ "Cache-Control: max-age=003600", "max-age=3600", "zeros" },
		{ "Cache-Control: max-age=2147483648", "max-age=2147483648", "2^31" },
		{ "Cache-Control: max-age=99999999999999999999999999",
		    "max-age=2147483648", "saturates, 1.2.2" },
		{ "Cache-Control: max-age=10, max-age=5", "max-age=5", "fewest" },
		{ "Cache-Control: max-age=5, max-age=10", "max-age=5", "fewest" },
		{ "Cache-Control: max-age=10\nCache-Control: max-age=5", "max-age=5",
		    "on two lines" },
		{ "Cache-Control: max-age=10, max-age=x", "max-age=0", "one is none" },
		{ "Cache-Control: max-age", "max-age=0", "no value" },
		{ "Cache-Control: max-age=", "max-age=0", "empty value" },
		{ "Cache-Control: max-age=-5", "max-age=0", "negative" },
		{ "Cache-Control: max-age=+5", "max-age=0", "a sign" },
		{ "Cache-Control: max-age=5.0", "max-age=0", "a decimal" },
		{ "Cache-Control: max-age=a100", "max-age=0", "letters before" },
		{ "Cache-Control: max-age=100a", "max-age=0", "letters behind" },
		{ "Cache-Control: max-age='100'", "max-age=0", "other quotes" },
		{ "Cache-Control: max-age=\"100", "max-age=0", "open quotes" },
		{ "Cache-Control: max-age=\"1\\00\"", "max-age=0", "escaped digits" },
		{ "Cache-Control: max-age= 100", "max-age=0", "blank behind =" },
		{ "Cache-Control: max-age =100", "max-age=0", "blank before =" },
		{ "Cache-Control: max-age=100;foo", "max-age=0", "a parameter" },
		{ "Cache-Control: max-age=100 no-store", "max-age=0", "no comma" },
		{ "Cache-Control: s-maxage=7, max-age=9", "max-age=9 s-maxage=7", "" },
		{ "Cache-Control: s-maxage=x, max-age=9", "max-age=9 s-maxage=0", "" },
		{ "Cache-Control: ,, max-age=1 ,,", "max-age=1", "empty elements" },
		{ "Cache-Control: \tmax-age=1\t,\tpublic", "public max-age=1", "tabs" },
		{ "Cache-Control: foo, bar=1, baz=\"x\", max-age=1", "max-age=1",
		    "unknown ones are ignored" },
		{ "Cache-Control: x=\"max-age=3600\", max-age=1", "max-age=1", "quoted" },
		{ "Cache-Control: x=\"a, no-store, b\"", "", "commas in quotes" },
		{ "Cache-Control: x=\"a\\\", no-store\", public", "public", "escapes" },
		{ "Cache-Control: x=\"a, no-store", "no-store", "a quote hides nothing" },
		{ "Cache-Control: x=\"a\nCache-Control: no-store\"", "no-store",
		    "nor on another line" },
		{ "Cache-Control: \"no-store\"", "", "no token" },
		{ "Cache-Control: no-store=x", "no-store", "with a value" },
		{ "Cache-Control: no-store foo", "no-store", "with more" },
		{ "Cache-Control: no-stores, xno-store", "", "other names" },
		{ "Cache-Control: public, private", "private public", "both" },
		{ "Cache-Control: no-cache", "no-cache", "" },
		{ "Cache-Control: no-cache=\"Set-Cookie\"", "(Set-Cookie)", "qualified" },
		{ "Cache-Control: no-cache=set-cookie", "(set-cookie)", "unquoted" },
		{ "Cache-Control: private=\"a, b\", no-cache=\"b, c\"", "(a) (b) (c)",
		    "each once" },
		{ "Cache-Control: private=\"a\", private", "private (a)", "both forms" },
		{ "Cache-Control: private=\"\"", "private", "of nothing" },
		{ "Cache-Control: private=", "private", "of nothing" },
		{ "Cache-Control: private=\" , \"", "private", "of nothing" },
		{ "Cache-Control: private=\"a b\"", "private", "no field's name" },
		{ "Cache-Control: private=\"a", "private", "open quote" },
		{ "Cache-Control: private=\"a\\b\"", "private", "escaped" },
		{ "Cache-Control: private =\"a\"", "private", "blank before =" },
		{ "Cache-Control: private=\"Content-Type\"", "private", "essential" },
		{ "Cache-Control: no-cache=\"Vary\"", "no-cache", "essential" },
		{ "Cache-Control: private=\"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\"",
		    "(a) (b) (c) (d) (e) (f) (g) (h) (i) (j) (k) (l) (m) (n) (o) (p)",
		    "as many as are kept" },
		{ "Cache-Control: private=\"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\"",
		    "private (a) (b) (c) (d) (e) (f) (g) (h) (i) (j) (k) (l) (m) (n) "
		    "(o) (p)",
		    "too many" },
		{ "Cache-Control: must-revalidate, proxy-revalidate, must-understand, "
		  "no-transform",
		    "must-revalidate proxy-revalidate must-understand no-transform", "" },
		{ "Cache-Control: stale-while-revalidate=5, stale-if-error=6",
		    "swr=5 sie=6", "RFC 5861" },
		{ "Cache-Control: stale-while-revalidate, stale-if-error=x",
		    "swr=0 sie=0", "no numbers: never" },
		{ "Cache-Control: only-if-cached, max-stale=5, min-fresh=5", "",
		    "only a request's" },
		{ "Pragma: no-cache", "", "means nothing in an answer, 5.4" },
	};

	(void)state;
	check(rows, COUNT(rows), cache_control_answer);
}

static void
targeted(void **state)
{
	static const struct row rows[] = {
		{ "CDN-Cache-Control: max-age=60\nCache-Control: no-store",
		    "cdn max-age=60", "wins" },
		{ "CDN-Cache-Control: no-store\nCache-Control: max-age=60",
		    "cdn no-store", "wins" },
		{ "Cache-Control: private\nCDN-Cache-Control: foo", "cdn",
		    "valid, and says nothing" },
		{ "CDN-Cache-Control:\nCache-Control: max-age=1", "max-age=1", "empty" },
		{ "CDN-Cache-Control: max-age=10000, &&&&&\nCache-Control: no-store",
		    "no-store", "no dictionary" },
		{ "CDN-Cache-Control: max-age=\"10000\"\nCache-Control: no-store",
		    "no-store", "another type" },
		{ "CDN-Cache-Control: max-age=1.5\nCache-Control: no-store", "no-store",
		    "another type" },
		{ "CDN-Cache-Control: max-age\nCache-Control: no-store", "no-store",
		    "another type" },
		{ "CDN-Cache-Control: MaX-aGe=3600\nCache-Control: no-store", "no-store",
		    "keys are in lower case" },
		{ "CDN-Cache-Control: max-age =100\nCache-Control: no-store", "no-store",
		    "blank before =" },
		{ "CDN-Cache-Control: max-age= 100\nCache-Control: no-store", "no-store",
		    "blank behind =" },
		{ "CDN-Cache-Control: max-age=60,\nCache-Control: no-store", "no-store",
		    "comma at the end" },
		{ "CDN-Cache-Control: max-age=60 , public", "cdn public max-age=60",
		    "blanks" },
		{ "CDN-Cache-Control: max-age=60;foo=1;bar , public;x",
		    "cdn public max-age=60", "parameters are dropped" },
		{ "CDN-Cache-Control: max-age=60\nCDN-Cache-Control: public",
		    "cdn public max-age=60", "two lines" },
		{ "CDN-Cache-Control: max-age=60\nCDN-Cache-Control: &\nCache-Control: "
		  "public",
		    "public", "one of them is none" },
		{ "CDN-Cache-Control: max-age=60, max-age=90", "cdn max-age=90",
		    "the last counts, RFC 8941 3.2" },
		{ "CDN-Cache-Control: max-age=99999999999", "cdn max-age=2147483648",
		    "saturates" },
		{ "CDN-Cache-Control: max-age=9999999999999999\nCache-Control: public",
		    "public", "more than 15 digits" },
		{ "CDN-Cache-Control: max-age=-1", "cdn max-age=0", "negative" },
		{ "CDN-Cache-Control: no-store=?0, public=?1", "cdn public", "booleans" },
		{ "CDN-Cache-Control: no-store=?2\nCache-Control: public", "public",
		    "no boolean" },
		{ "CDN-Cache-Control: private=\"a, b\"", "cdn (a) (b)", "a string" },
		{ "CDN-Cache-Control: private=a", "cdn private", "a token" },
		{ "CDN-Cache-Control: private=\"a\\\"\"", "cdn private", "an escape" },
		{ "CDN-Cache-Control: foo=(1 \"a\" b;c=1);d, bar=:YQ==:, max-age=1",
		    "cdn max-age=1", "all types" },
		{ "CDN-Cache-Control: foo=(1 2\nCache-Control: public", "public",
		    "open list" },
		{ "CDN-Cache-Control: foo=(1\"a\")\nCache-Control: public", "public",
		    "no blank within" },
		{ "CDN-Cache-Control: foo=:Y!:\nCache-Control: public", "public",
		    "no bytes" },
		{ "CDN-Cache-Control: foo=\"x\nCache-Control: public", "public",
		    "open string" },
		{ "CDN-Cache-Control: foo=1.\nCache-Control: public", "public",
		    "no decimal" },
		{ "CDN-Cache-Control: foo=1.2345\nCache-Control: public", "public",
		    "too many places" },
		{ "CDN-Cache-Control: max-age=1 public\nCache-Control: private",
		    "private", "no comma" },
		{ "CDN-Cache-Control: a;\nCache-Control: private", "private",
		    "no parameter" },
	};

	(void)state;
	check(rows, COUNT(rows), cache_control_answer);
}

static void
surrogates(void **state)
{
	static const struct row rows[] = {
		{ "Surrogate-Control: max-age=60\nCache-Control: no-store",
		    "cdn max-age=60", "wins" },
		{ "Surrogate-Control: no-store\nCache-Control: max-age=60",
		    "cdn no-store", "wins" },
		{ "Surrogate-Control: no-store\nCDN-Cache-Control: max-age=60",
		    "cdn max-age=60", "but not over what the RFC has" },
		{ "Surrogate-Control: max-age=60\nCDN-Cache-Control: &", "cdn max-age=60",
		    "unless that is none" },
		{ "Surrogate-Control: foobar, MaX-aGe=60", "cdn max-age=60",
		    "as a list" },
		{ "Surrogate-Control: max-age=60;yett", "cdn max-age=60", "ours" },
		{ "Surrogate-Control: max-age=60 ; a; YETT", "cdn max-age=60",
		    "ours too" },
		{ "Surrogate-Control: max-age=60;other\nCache-Control: private",
		    "private", "another's: as if it was not there" },
		{ "Surrogate-Control: max-age=60;yet, max-age=70;yetti\nCache-Control: "
		  "private",
		    "private", "others'" },
		{ "Surrogate-Control: no-store, max-age=60;yett", "cdn max-age=60",
		    "ours before all's" },
		{ "Surrogate-Control: max-age=60;yett\nSurrogate-Control: no-store",
		    "cdn max-age=60", "on another line, too" },
		{ "Surrogate-Control: no-store, max-age=60;other", "cdn no-store",
		    "all's, where there is nothing of ours" },
		{ "Surrogate-Control: foo;yett, max-age=60", "cdn max-age=60",
		    "nothing known of ours" },
		{ "Surrogate-Control: content=\"ESI/1.0\"\nCache-Control: max-age=1",
		    "max-age=1", "says nothing of storing" },
		{ "Surrogate-Control: max-age=60, content=\"a,no-store;b\"",
		    "cdn max-age=60", "quoted" },
		{ "Surrogate-Control:\nCache-Control: max-age=1", "max-age=1", "empty" },
		{ "Surrogate-Control: ;;,;yett\nCache-Control: max-age=1", "max-age=1",
		    "no directives" },
		{ "Surrogate-Control: max-age=60+30", "cdn max-age=0", "no number" },
		{ "Surrogate-Control: max-age =60", "cdn max-age=0", "blank before =" },
		{ "Surrogate-Control: max-age", "cdn max-age=0", "no value" },
		{ "Surrogate-Control: max-age;yett=60", "", "another's" },
	};

	(void)state;
	check(rows, COUNT(rows), cache_control_answer);
}

static void
requests(void **state)
{
	static const struct row rows[] = {
		{ "Cache-Control: max-age=0", "max-age=0", "reload" },
		{ "Cache-Control: max-age=5, max-age=3", "max-age=3", "fewest" },
		{ "Cache-Control: max-stale", "max-stale=2147483648", "any" },
		{ "Cache-Control: max-stale=5, max-stale", "max-stale=5", "fewest" },
		{ "Cache-Control: max-stale=x", "max-stale=0", "no number" },
		{ "Cache-Control: max-stale=", "max-stale=0", "no number" },
		{ "Cache-Control: min-fresh=5, min-fresh=9", "min-fresh=9", "most" },
		{ "Cache-Control: min-fresh=x", "min-fresh=2147483648", "no number" },
		{ "Cache-Control: no-cache=\"a\"", "no-cache", "no such form" },
		{ "Cache-Control: only-if-cached, no-store, no-transform",
		    "no-store no-transform only-if-cached", "" },
		{ "Cache-Control: private, public, s-maxage=5, must-revalidate", "",
		    "only an answer's" },
		{ "Cache-Control: stale-if-error=60", "sie=60", "RFC 5861 4" },
		{ "Pragma: no-cache", "no-cache", "5.4" },
		{ "Pragma: foo, NO-cache", "no-cache", "in a list" },
		{ "Pragma: no-cache\nCache-Control: max-age=5", "max-age=5",
		    "where there is Cache-Control it is ignored" },
		{ "Pragma: no-cache\nCache-Control: foo", "", "whatever it says" },
		{ "Pragma: no-cache\nCache-Control:", "no-cache", "but not nothing" },
		{ "CDN-Cache-Control: no-store", "", "no request's field" },
	};

	(void)state;
	check(rows, COUNT(rows), cache_control_request);
}

static void
names(void **state)
{
	struct cache_control control;
	struct rig_fields rig;

	(void)state;
	cache_control_answer(
	    &control, rig_fields(&rig, "Cache-Control: private=\"X-User, Set-Cookie\""));
	assert_true(cache_control_names(&control, SPAN("x-user")));
	assert_true(cache_control_names(&control, SPAN("SET-COOKIE")));
	assert_false(cache_control_names(&control, SPAN("x-use")));
}

static void
ages(void **state)
{
	static const struct {
		const char *fields;
		int64_t age;
	} rows[] = {
		{ NULL, 0 },
		{ "Age: 0", 0 },
		{ "Age: 7200", 7200 },
		{ "Age: 007", 7 },
		{ "Age: 99999999999999999999", CACHE_SECONDS_MAX },
		{ "Age: 5, 9", 5 },
		{ "Age: 5, x", 5 },
		{ "Age: 0,9", 0 },
		{ "Age: x, 5", CACHE_SECONDS_MAX },
		{ "Age: 5;a=1", CACHE_SECONDS_MAX },
		{ "Age: 0, 0", CACHE_SECONDS_MAX },
		{ "Age: 5, 9 ,5", CACHE_SECONDS_MAX },
		{ "Age: 5\nAge: 9", CACHE_SECONDS_MAX },
		{ "Age: 0\nAge: 0", CACHE_SECONDS_MAX },
		{ "Age: -5", CACHE_SECONDS_MAX },
		{ "Age: 5.5", CACHE_SECONDS_MAX },
		{ "Age: \"5\"", CACHE_SECONDS_MAX },
		{ "Age:", CACHE_SECONDS_MAX },
	};
	struct rig_fields rig;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		assert_int_equal(
		    cache_age_field(rig_fields(&rig, rows[i].fields)), rows[i].age);
}

static void
dates(void **state)
{
	static const struct {
		const char *fields;
		bool there;
		int64_t expires;
	} rows[] = {
		{ NULL, false, 0 },
		{ "Expires: Sun, 06 Nov 1994 08:49:37 GMT", true, 784111777 },
		{ "Expires: 0", true, INT64_MIN },
		{ "Expires:", true, INT64_MIN },
		{ "Expires: Sun, 06 Nov 1994 08:49:37 GMT\n"
		  "Expires: Sun, 06 Nov 1994 08:49:36 GMT",
		    true, 784111776 },
		{ "Expires: Sun, 06 Nov 1994 08:49:36 GMT\n"
		  "Expires: Sun, 06 Nov 1994 08:49:37 GMT",
		    true, 784111776 },
		{ "Expires: Sun, 06 Nov 1994 08:49:36 GMT\nExpires: 0", true, INT64_MIN },
	};
	struct rig_fields rig;
	int64_t when;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		when = 0;
		assert_int_equal(
		    cache_expires(rig_fields(&rig, rows[i].fields), NOW, &when),
		    rows[i].there);
		assert_int_equal(when, rows[i].expires);
	}
	assert_false(cache_date(rig_fields(&rig, "Date: now"), NOW, &when));
	assert_true(cache_date(
	    rig_fields(&rig, "Date: Sun, 06 Nov 1994 08:49:37 GMT"), NOW, &when));
	assert_int_equal(when, 784111777);
}

static void
tags(void **state)
{
	static struct cache_tags found;
	struct rig_fields rig;
	struct text t;
	unsigned i;

	(void)state;
	assert_true(cache_tags_read(&found, rig_fields(&rig, NULL)));
	assert_int_equal(found.n, 0);
	assert_true(cache_tags_read(
	    &found, rig_fields(&rig, "Surrogate-Key:  a\tb  c,d \nsurrogate-key: e")));
	assert_int_equal(found.n, 4);
	assert_true(span_eq(found.v[0], SPAN("a")));
	assert_true(span_eq(found.v[1], SPAN("b")));
	assert_true(span_eq(found.v[2], SPAN("c,d")));
	assert_true(span_eq(found.v[3], SPAN("e")));

	text_init(&t, 65536);
	text_puts(&t, "Surrogate-Key: ");
	for (i = 0; i < CACHE_TAGS_MAX; i++)
		text_puts(&t, "x ");
	text_putc(&t, '\0');
	assert_true(cache_tags_read(&found, rig_fields(&rig, t.p)));
	assert_int_equal(found.n, CACHE_TAGS_MAX);
	t.n--;
	text_put(&t, span_mem("y", 2));
	assert_false(cache_tags_read(&found, rig_fields(&rig, t.p)));

	text_reset(&t);
	text_puts(&t, "Surrogate-Key: ");
	for (i = 0; i < CACHE_TAG_BYTES_MAX; i++)
		text_putc(&t, 'x');
	text_putc(&t, '\0');
	assert_true(cache_tags_read(&found, rig_fields(&rig, t.p)));
	t.n--;
	text_put(&t, span_mem("x", 2));
	assert_false(cache_tags_read(&found, rig_fields(&rig, t.p)));
	text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(targeted),
		cmocka_unit_test(surrogates),
		cmocka_unit_test(requests),
		cmocka_unit_test(names),
		cmocka_unit_test(ages),
		cmocka_unit_test(dates),
		cmocka_unit_test(tags),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
