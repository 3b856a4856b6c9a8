/* SPDX-License-Identifier: Apache-2.0 */
/* What may be stored, how old it is, and what it may be used for. */
#include "config.h"

#include "gateway/cache/freshness.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "tests/unit/cache_rig.h"

#define WALL INT64_C(1795000000)
#define START (INT64_C(5000) * CLOCK_SECOND)
/* Of WALL, and 100 s before, 100 s and 1000 s behind it. */
#define DATE "Date: Wed, 18 Nov 2026 11:06:40 GMT"
#define EARLY "Wed, 18 Nov 2026 11:05:00 GMT"
#define LATE "Wed, 18 Nov 2026 11:08:20 GMT"
#define LATER "Wed, 18 Nov 2026 11:23:20 GMT"
#define BEFORE "Wed, 18 Nov 2026 10:50:00 GMT" /* 1000 s before */

static enum cache_verdict
judge(struct cache_life *life, const struct cache_rules *rules, uint16_t status,
    const char *request, const char *answer)
{
	static const struct cache_rules none = { 0 };
	struct rig_fields asked, answered;
	struct cache_exchange x = { .method = SPAN("GET"),
		.status = status,
		.request_us = START,
		.answer_us = START,
		.wall_s = WALL };

	x.request = rig_fields(&asked, request);
	x.answer = rig_fields(&answered, answer);
	return (cache_judge(life, rules != NULL ? rules : &none, &x));
}

static const struct {
	uint16_t status;
	const char *request, *answer;
	enum cache_verdict verdict;
	const char *why;
} stored_rows[] = {
	{ 200, NULL, "Cache-Control: max-age=60", CACHE_STORE_YES, "plain" },
	{ 200, NULL, "Expires: " LATE "\n" DATE, CACHE_STORE_YES, "Expires" },
	{ 200, NULL, NULL, CACHE_STORE_STALE, "no word of freshness" },
	{ 200, NULL, "Last-Modified: " BEFORE, CACHE_STORE_STALE, "no guesses" },
	{ 200, NULL, "ETag: \"a\"", CACHE_STORE_STALE, "no guesses" },
	{ 200, NULL, "Cache-Control: public", CACHE_STORE_STALE, "for how long" },
	{ 200, NULL, "Cache-Control: max-age=0", CACHE_STORE_STALE, "of no use" },
	{ 200, NULL, "Cache-Control: max-age=0\nETag: \"a\"", CACHE_STORE_YES,
	    "to be validated" },
	{ 200, NULL, "Cache-Control: no-cache\nETag: \"a\"", CACHE_STORE_YES,
	    "to be validated, 5.2.2.4" },
	{ 200, NULL, "Cache-Control: no-cache", CACHE_STORE_STALE, "by what" },
	{ 200, NULL, "Cache-Control: no-cache, max-age=60", CACHE_STORE_STALE,
	    "by what" },
	{ 200, NULL, "Cache-Control: max-age=0, stale-if-error=60", CACHE_STORE_YES,
	    "for a crisis" },
	{ 200, NULL, "Cache-Control: max-age=60\nAge: 60", CACHE_STORE_STALE,
	    "stale on arrival" },
	{ 200, NULL, "Cache-Control: max-age=60\nAge: 59", CACHE_STORE_YES, "" },
	{ 200, NULL, "Expires: 0\n" DATE, CACHE_STORE_STALE, "no date: past" },
	{ 200, NULL, "Cache-Control: no-store, max-age=60", CACHE_STORE_NO_STORE,
	    "5.2.2.5" },
	{ 200, "Cache-Control: no-store", "Cache-Control: max-age=60",
	    CACHE_STORE_REQUEST, "5.2.1.5" },
	{ 200, NULL, "Cache-Control: private, max-age=60", CACHE_STORE_PRIVATE,
	    "5.2.2.7" },
	{ 200, NULL, "Cache-Control: public, private, max-age=60", CACHE_STORE_PRIVATE,
	    "the stricter" },
	{ 200, NULL, "Cache-Control: private=\"x\", max-age=60", CACHE_STORE_YES,
	    "without x" },
	{ 200, "Authorization: x", "Cache-Control: max-age=60", CACHE_STORE_AUTHORIZED,
	    "3.5" },
	{ 200, "Authorization: x", "Cache-Control: max-age=60, public", CACHE_STORE_YES,
	    "3.5" },
	{ 200, "Authorization: x", "Cache-Control: max-age=60, must-revalidate",
	    CACHE_STORE_YES, "3.5" },
	{ 200, "Authorization: x", "Cache-Control: s-maxage=60", CACHE_STORE_YES, "3.5" },
	{ 200, "Authorization: x", "Cache-Control: max-age=60, proxy-revalidate",
	    CACHE_STORE_AUTHORIZED, "not among them" },
	{ 200, "Authorization: x", "Cache-Control: public\nCDN-Cache-Control: max-age=60",
	    CACHE_STORE_AUTHORIZED, "said for others" },
	{ 200, NULL, "Cache-Control: max-age=60\nSet-Cookie: a=b", CACHE_STORE_COOKIE,
	    "somebody's session" },
	{ 200, NULL, "Cache-Control: public, max-age=60\nSet-Cookie: a=b",
	    CACHE_STORE_COOKIE, "whatever it says" },
	{ 200, NULL,
	    "Cache-Control: max-age=60, no-cache=\"set-cookie\"\nSet-Cookie: a=b",
	    CACHE_STORE_YES, "but not this" },
	{ 200, NULL, "Cache-Control: max-age=60\nVary: *", CACHE_STORE_VARY, "4.1" },
	{ 200, NULL, "Cache-Control: max-age=60\nVary: a, *", CACHE_STORE_VARY, "4.1" },
	{ 200, NULL, "Cache-Control: max-age=60\nVary: a", CACHE_STORE_YES, "" },
	{ 200, NULL, "Cache-Control: max-age=60\nContent-Range: bytes 0-1/2",
	    CACHE_STORE_PARTIAL, "a 200 that is a part" },
	{ 206, NULL, "Cache-Control: max-age=60", CACHE_STORE_STATUS, "a part" },
	{ 304, NULL, "Cache-Control: max-age=60", CACHE_STORE_STATUS, "" },
	{ 412, NULL, "Cache-Control: max-age=60", CACHE_STORE_STATUS, "" },
	{ 416, NULL, "Cache-Control: max-age=60", CACHE_STORE_STATUS, "" },
	{ 101, NULL, "Cache-Control: max-age=60", CACHE_STORE_STATUS, "" },
	{ 999, NULL, "Cache-Control: max-age=60", CACHE_STORE_STATUS, "" },
	{ 404, NULL, "Cache-Control: max-age=60", CACHE_STORE_YES, "" },
	{ 503, NULL, "Cache-Control: max-age=60", CACHE_STORE_YES, "asked for" },
	{ 599, NULL, "Cache-Control: max-age=60", CACHE_STORE_YES, "unknown" },
	{ 599, NULL, "Cache-Control: max-age=60, must-understand", CACHE_STORE_STATUS,
	    "5.2.2.3" },
	{ 200, NULL, "Cache-Control: max-age=60, must-understand, no-store",
	    CACHE_STORE_YES, "5.2.2.3" },
	{ 599, NULL, "Cache-Control: max-age=60, must-understand, no-store",
	    CACHE_STORE_STATUS, "5.2.2.3" },
	{ 200, NULL, "Cache-Control: no-store\nCDN-Cache-Control: max-age=60",
	    CACHE_STORE_YES, "RFC 9213" },
	{ 200, NULL, "Cache-Control: max-age=60\nCDN-Cache-Control: no-store",
	    CACHE_STORE_NO_STORE, "RFC 9213" },
	{ 200, NULL, "Expires: " LATE "\n" DATE "\nCDN-Cache-Control: foo",
	    CACHE_STORE_STALE, "Expires is not looked at, RFC 9213 2.2" },
	{ 200, "Pragma: no-cache\nCookie: a=b", "Cache-Control: max-age=60",
	    CACHE_STORE_YES, "do not matter" },
};

static void
storing(void **state)
{
	struct cache_life life;
	enum cache_verdict verdict;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(stored_rows); i++) {
		verdict = judge(&life, NULL, stored_rows[i].status,
		    stored_rows[i].request, stored_rows[i].answer);
		if (verdict != stored_rows[i].verdict)
			fail_msg("%u %s (%s): %s", stored_rows[i].status,
			    stored_rows[i].answer, stored_rows[i].why,
			    cache_store_text(verdict));
	}
}

static void
only_get_is_stored(void **state)
{
	static const char *const methods[] = { "HEAD", "POST", "get", "QUERY" };
	static const struct cache_rules rules = { .ttl_s = 60 };
	struct rig_fields asked, answered;
	struct cache_exchange x = { .status = 200, .wall_s = WALL };
	struct cache_life life;
	size_t i;

	(void)state;
	x.request = rig_fields(&asked, NULL);
	x.answer = rig_fields(&answered, "Cache-Control: max-age=60");
	for (i = 0; i < COUNT(methods); i++) {
		x.method = span_of(methods[i]);
		assert_int_equal(cache_judge(&life, &rules, &x), CACHE_STORE_METHOD);
	}
}

static void
lifetimes(void **state)
{
	static const struct cache_rules ttl = { .ttl_s = 30 };
	static const struct cache_rules guess = { .heuristic_percent = 10 };
	static const struct {
		const struct cache_rules *rules;
		uint16_t status;
		const char *answer;
		int64_t lifetime; /* -1: not stored */
		const char *why;
	} rows[] = {
		{ NULL, 200, "Cache-Control: max-age=60", 60, "" },
		{ NULL, 200, "Cache-Control: max-age=60, s-maxage=30", 30, "4.2.1" },
		{ NULL, 200, "Cache-Control: max-age=30, s-maxage=60", 60, "4.2.1" },
		{ NULL, 200, "Cache-Control: max-age=60\nExpires: " LATER "\n" DATE, 60,
		    "5.3: max-age wins" },
		{ NULL, 200, "Cache-Control: max-age=60\nExpires: 0", 60, "5.3" },
		{ NULL, 200, "Expires: " LATE "\n" DATE, 100, "less Date" },
		{ NULL, 200, "Expires: " LATE "\nDate: " EARLY, 200, "less Date" },
		{ NULL, 200, "Expires: " LATE, 100, "no Date: when it came" },
		{ NULL, 200, "Expires: " LATE "\nDate: x", 100, "no date" },
		{ NULL, 200, "Expires: " LATE "\nExpires: " LATER "\n" DATE, 100,
		    "the earlier" },
		{ NULL, 200, "Expires: Fri, 31 Dec 9999 23:59:59 GMT\n" DATE,
		    CACHE_SECONDS_MAX, "saturates" },
		{ NULL, 200, "CDN-Cache-Control: max-age=5\nCache-Control: max-age=9", 5,
		    "" },
		{ NULL, 200,
		    "CDN-Cache-Control: max-age=5, s-maxage=7\nCache-Control: max-age=9",
		    7, "" },
		{ &ttl, 200, NULL, 30, "the route's" },
		{ &ttl, 404, NULL, 30, "" },
		{ &ttl, 410, NULL, 30, "" },
		{ &ttl, 405, NULL, -1, "a client may have provoked it" },
		{ &ttl, 414, NULL, -1, "" },
		{ &ttl, 501, NULL, -1, "" },
		{ &ttl, 400, NULL, -1, "" },
		{ &ttl, 302, NULL, -1, "15.4.3: not unless told to" },
		{ &ttl, 500, NULL, -1, "" },
		{ &ttl, 200, "Cache-Control: max-age=5", 5, "the origin's word counts" },
		{ &ttl, 200, "Cache-Control: max-age=0", -1, "" },
		{ &ttl, 200, "Expires: 0", -1, "" },
		{ &ttl, 200, "Cache-Control: no-store", -1, "" },
		{ &ttl, 200, "Cache-Control: private", -1, "" },
		{ &ttl, 200, "Set-Cookie: a=b", -1, "" },
		{ &guess, 200, "Last-Modified: " BEFORE "\n" DATE, 100, "4.2.2" },
		{ &guess, 200, "Last-Modified: " BEFORE, 100, "no Date" },
		{ &guess, 200, "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n" DATE,
		    86400, "at most a day" },
		{ &guess, 200, "Last-Modified: " LATE "\n" DATE, 0,
		    "ahead of Date: to be validated" },
		{ &guess, 200, "Last-Modified: x\n" DATE, -1, "no date" },
		{ &guess, 302, "Last-Modified: " BEFORE "\n" DATE, -1, "15.1" },
		{ &guess, 302,
		    "Last-Modified: " BEFORE "\n" DATE "\nCache-Control: public", 100,
		    "4.2.2" },
		{ &guess, 200,
		    "Last-Modified: " BEFORE "\n" DATE "\nCache-Control: max-age=7", 7,
		    "only where nothing is said" },
	};
	struct cache_life life;
	int64_t lifetime;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		lifetime = -1;
		if (judge(&life, rows[i].rules, rows[i].status, NULL, rows[i].answer) ==
		    CACHE_STORE_YES)
			lifetime = life.lifetime_s;
		else if (life.lifetime_s > 0)
			fail_msg("%s: a life without storing", rows[i].answer);
		if (lifetime != rows[i].lifetime)
			fail_msg("%u %s (%s): %lld", rows[i].status, rows[i].answer,
			    rows[i].why, (long long)lifetime);
	}
}

/* RFC 9111 4.2.3. */
static void
ages(void **state)
{
	static const struct {
		const char *answer;
		int64_t delay_us, resident_us, age;
		const char *why;
	} rows[] = {
		{ NULL, 0, 0, 0, "" },
		{ DATE, 0, 0, 0, "" },
		{ DATE, 0, 59 * CLOCK_SECOND, 59, "resident_time" },
		{ DATE, 0, CLOCK_SECOND - 1, 0, "rounded down" },
		{ DATE, 700000, 300000, 1, "response_delay" },
		{ "Age: 10", 2 * CLOCK_SECOND, 3 * CLOCK_SECOND, 15, "corrected" },
		{ "Date: " EARLY, 0, 0, 100, "apparent_age" },
		{ "Date: " EARLY "\nAge: 10", 0, 0, 100, "the greater" },
		{ "Date: " EARLY "\nAge: 200", CLOCK_SECOND, 0, 201, "the greater" },
		{ "Date: " LATE, 0, 0, 0, "ahead of us" },
		{ "Age: 99999999999", 0, CLOCK_SECOND, CACHE_SECONDS_MAX, "saturates" },
		{ DATE, -CLOCK_SECOND, -CLOCK_SECOND, 0, "clocks that go back" },
		{ "Date: Sat, 01 Jan 0000 00:00:00 GMT", 0, 0, CACHE_SECONDS_MAX, "" },
	};
	static const struct cache_rules rules = { 0 };
	struct rig_fields asked, answered;
	struct cache_exchange x = {
		.method = SPAN("GET"), .status = 200, .request_us = START, .wall_s = WALL
	};
	struct cache_life life;
	struct text t;
	size_t i;

	(void)state;
	x.request = rig_fields(&asked, NULL);
	text_init(&t, 4096);
	for (i = 0; i < COUNT(rows); i++) {
		text_reset(&t);
		text_puts(&t, "Cache-Control: max-age=50\nETag: \"a\"\n");
		text_puts(&t, rows[i].answer != NULL ? rows[i].answer : "X: y");
		text_putc(&t, '\0');
		x.answer = rig_fields(&answered, t.p);
		x.answer_us = START + rows[i].delay_us;
		assert_int_equal(cache_judge(&life, &rules, &x), CACHE_STORE_YES);
		if (cache_age(&life, x.answer_us + rows[i].resident_us) != rows[i].age)
			fail_msg("%s (%s)", rows[i].answer, rows[i].why);
		if (rows[i].age < CACHE_SECONDS_MAX)
			assert_in_range(
			    cache_ttl(&life, x.answer_us + rows[i].resident_us) + 1000,
			    49 - rows[i].age + 1000, 50 - rows[i].age + 1000);
	}
	text_free(&t);
}

static const struct {
	const char *answer; /* NULL: nothing stored */
	int64_t age_s;
	const char *request;
	enum cache_use use, failed;
	const char *why;
} use_rows[] = {
	{ NULL, 0, NULL, CACHE_USE_FETCH, CACHE_USE_FAIL, "" },
	{ NULL, 0, "only-if-cached", CACHE_USE_TIMEOUT, CACHE_USE_FAIL, "5.2.1.7" },
	{ "max-age=60", 0, NULL, CACHE_USE_FRESH, CACHE_USE_ERROR, "" },
	{ "max-age=60", 59, NULL, CACHE_USE_FRESH, CACHE_USE_ERROR, "" },
	{ "max-age=60", 60, NULL, CACHE_USE_VALIDATE, CACHE_USE_FAIL, "4.2" },
	{ "max-age=60", 60, "only-if-cached", CACHE_USE_TIMEOUT, CACHE_USE_FAIL, "" },
	{ "max-age=60", 9, "only-if-cached", CACHE_USE_FRESH, CACHE_USE_ERROR, "" },
	{ "max-age=60", 0, "no-cache", CACHE_USE_VALIDATE, CACHE_USE_FAIL, "5.2.1.4" },
	{ "max-age=60", 0, "no-cache, only-if-cached", CACHE_USE_TIMEOUT, CACHE_USE_FAIL,
	    "" },
	{ "max-age=60", 5, "max-age=5", CACHE_USE_FRESH, CACHE_USE_ERROR, "5.2.1.1" },
	{ "max-age=60", 6, "max-age=5", CACHE_USE_VALIDATE, CACHE_USE_ERROR, "5.2.1.1" },
	{ "max-age=60", 1, "max-age=0", CACHE_USE_VALIDATE, CACHE_USE_ERROR, "reload" },
	{ "max-age=60", 50, "min-fresh=10", CACHE_USE_FRESH, CACHE_USE_ERROR, "5.2.1.3" },
	{ "max-age=60", 51, "min-fresh=10", CACHE_USE_VALIDATE, CACHE_USE_ERROR,
	    "5.2.1.3" },
	{ "max-age=60", 65, "max-stale=5", CACHE_USE_STALE, CACHE_USE_FAIL, "5.2.1.2" },
	{ "max-age=60", 66, "max-stale=5", CACHE_USE_VALIDATE, CACHE_USE_FAIL,
	    "5.2.1.2" },
	{ "max-age=60", 99999, "max-stale", CACHE_USE_STALE, CACHE_USE_FAIL, "5.2.1.2" },
	{ "max-age=60", 65, "max-stale=5, max-age=60", CACHE_USE_VALIDATE, CACHE_USE_FAIL,
	    "too old for it anyway" },
	{ "max-age=60", 65, "max-stale=5, only-if-cached", CACHE_USE_STALE,
	    CACHE_USE_FAIL, "" },
	{ "max-age=60, must-revalidate", 65, "max-stale", CACHE_USE_VALIDATE,
	    CACHE_USE_FAIL, "5.2.2.2" },
	{ "max-age=60, proxy-revalidate", 65, "max-stale", CACHE_USE_VALIDATE,
	    CACHE_USE_FAIL, "5.2.2.8" },
	{ "s-maxage=60", 65, "max-stale", CACHE_USE_VALIDATE, CACHE_USE_FAIL,
	    "5.2.2.10" },
	{ "max-age=60, no-cache", 0, NULL, CACHE_USE_VALIDATE, CACHE_USE_FAIL,
	    "5.2.2.4" },
	{ "max-age=60, no-cache, stale-if-error=9", 0, NULL, CACHE_USE_VALIDATE,
	    CACHE_USE_FAIL, "no-cache is the stricter" },
	{ "max-age=60, no-cache=\"x\"", 0, NULL, CACHE_USE_FRESH, CACHE_USE_ERROR,
	    "without x" },
	{ "max-age=60, stale-while-revalidate=10", 60, NULL, CACHE_USE_REVALIDATE,
	    CACHE_USE_FAIL, "RFC 5861 3" },
	{ "max-age=60, stale-while-revalidate=10", 69, NULL, CACHE_USE_REVALIDATE,
	    CACHE_USE_FAIL, "" },
	{ "max-age=60, stale-while-revalidate=10", 70, NULL, CACHE_USE_VALIDATE,
	    CACHE_USE_FAIL, "over" },
	{ "max-age=60, stale-while-revalidate=10", 65, "no-cache", CACHE_USE_VALIDATE,
	    CACHE_USE_FAIL, "" },
	{ "max-age=60, stale-while-revalidate=10", 65, "only-if-cached",
	    CACHE_USE_REVALIDATE, CACHE_USE_FAIL, "" },
	{ "max-age=60, stale-while-revalidate=10, must-revalidate", 65, NULL,
	    CACHE_USE_VALIDATE, CACHE_USE_FAIL, "the stricter" },
	{ "s-maxage=60, stale-while-revalidate=10", 65, NULL, CACHE_USE_REVALIDATE,
	    CACHE_USE_FAIL, "said in one breath" },
	{ "max-age=60, stale-if-error=10", 69, NULL, CACHE_USE_VALIDATE, CACHE_USE_ERROR,
	    "RFC 5861 4" },
	{ "max-age=60, stale-if-error=10", 70, NULL, CACHE_USE_VALIDATE, CACHE_USE_FAIL,
	    "over" },
	{ "max-age=60, stale-if-error=10", 69, "no-cache", CACHE_USE_VALIDATE,
	    CACHE_USE_FAIL, "" },
	{ "max-age=60, stale-if-error=10, must-revalidate", 61, NULL, CACHE_USE_VALIDATE,
	    CACHE_USE_FAIL, "" },
	{ "s-maxage=60, stale-if-error=10", 61, NULL, CACHE_USE_VALIDATE, CACHE_USE_ERROR,
	    "" },
	{ "max-age=60", 69, "stale-if-error=10", CACHE_USE_VALIDATE, CACHE_USE_ERROR,
	    "the client's wish, RFC 5861 4" },
	{ "s-maxage=60", 69, "stale-if-error=10", CACHE_USE_VALIDATE, CACHE_USE_FAIL,
	    "5.2.2.10" },
};

/* An answer with the directives, so many seconds old, for such a request. */
static void
uses(void **state)
{
	static const struct cache_rules rules = { 0 }, deaf = { .ignore_requests = true };
	struct cache_control control;
	struct cache_life life;
	struct rig_fields rig;
	struct text t, request;
	int64_t now;
	size_t i;

	(void)state;
	text_init(&t, 4096);
	text_init(&request, 4096);
	for (i = 0; i < COUNT(use_rows); i++) {
		const struct cache_life *stored =
		    use_rows[i].answer != NULL ? &life : NULL;

		text_reset(&t);
		text_printf(&t, "ETag: \"a\"\nCache-Control: %s%c",
		    use_rows[i].answer != NULL ? use_rows[i].answer : "max-age=1", 0);
		assert_int_equal(judge(&life, NULL, 200, NULL, t.p), CACHE_STORE_YES);
		text_reset(&request);
		text_printf(&request, "Cache-Control: %s%c",
		    use_rows[i].request != NULL ? use_rows[i].request : "", 0);
		cache_control_request(&control, rig_fields(&rig, request.p));
		now = START + use_rows[i].age_s * CLOCK_SECOND;
		if (cache_use(stored, &rules, &control, now) != use_rows[i].use)
			fail_msg("%s, %lld s, %s (%s)", use_rows[i].answer,
			    (long long)use_rows[i].age_s, use_rows[i].request,
			    use_rows[i].why);
		if (cache_use_failed(stored, &rules, &control, now) != use_rows[i].failed)
			fail_msg("failed: %s, %lld s, %s (%s)", use_rows[i].answer,
			    (long long)use_rows[i].age_s, use_rows[i].request,
			    use_rows[i].why);
	}
	/* a route that does not heed requests, but for only-if-cached */
	assert_int_equal(
	    judge(&life, NULL, 200, NULL, "Cache-Control: max-age=60"), CACHE_STORE_YES);
	cache_control_request(&control,
	    rig_fields(&rig, "Cache-Control: no-cache, max-age=0, min-fresh=99"));
	assert_int_equal(cache_use(&life, &deaf, &control, START), CACHE_USE_FRESH);
	cache_control_request(
	    &control, rig_fields(&rig, "Cache-Control: only-if-cached, max-stale"));
	assert_int_equal(cache_use(&life, &deaf, &control, START + 70 * CLOCK_SECOND),
	    CACHE_USE_TIMEOUT);
	text_free(&t);
	text_free(&request);
}

/* A stale answer has no second left, from the first microsecond on. */
static void
the_edge(void **state)
{
	struct cache_life life;

	(void)state;
	assert_int_equal(
	    judge(&life, NULL, 200, NULL, "Cache-Control: max-age=60"), CACHE_STORE_YES);
	assert_int_equal(cache_ttl(&life, START + 59 * CLOCK_SECOND), 1);
	assert_int_equal(cache_ttl(&life, START + 60 * CLOCK_SECOND - 1), 0);
	assert_int_equal(cache_ttl(&life, START + 60 * CLOCK_SECOND), 0);
	assert_int_equal(cache_ttl(&life, START + 60 * CLOCK_SECOND + 1), -1);
	assert_int_equal(cache_ttl(&life, START + 61 * CLOCK_SECOND), -1);
}

static void
kept_fields(void **state)
{
	static const struct {
		const char *line;
		bool kept;
	} rows[] = {
		{ "Content-Type: x", true },
		{ "X-Y: z", true },
		{ "Cache-Status: a; hit", true },
		{ "CDN-Cache-Control: max-age=1", true },
		{ "Age: 1", false },
		{ "Set-Cookie: a=b", false },
		{ "Surrogate-Key: a", false },
		{ "Connection: close", false },
		{ "Keep-Alive: x", false },
		{ "Proxy-Authenticate: x", false },
		{ "Proxy-Authentication-Info: x", false },
		{ "Transfer-Encoding: chunked", false },
		{ "X-User: me", false },
		{ "X-Only-Here: x\nConnection: X-Only-Here", false },
	};
	struct cache_control control;
	struct rig_fields rig;
	size_t i;

	(void)state;
	cache_control_answer(
	    &control, rig_fields(&rig, "Cache-Control: private=\"x-user\""));
	for (i = 0; i < COUNT(rows); i++)
		if (cache_field_is_kept(
			&control, &rig_fields(&rig, rows[i].line)->v[0]) != rows[i].kept)
			fail_msg("%s", rows[i].line);
}

static void
cookies_may_be_left_out(void **state)
{
	static const struct cache_rules strip = { .strip_cookies = true };
	struct cache_life life;

	(void)state;
	assert_int_equal(
	    judge(&life, &strip, 200, NULL, "Cache-Control: max-age=60\nSet-Cookie: a=b"),
	    CACHE_STORE_YES);
}

static void
invalidation(void **state)
{
	static const struct {
		const char *method;
		uint16_t status;
		bool invalidates;
	} rows[] = {
		{ "POST", 200, true },
		{ "PUT", 204, true },
		{ "DELETE", 303, true },
		{ "PATCH", 200, true },
		{ "FOO", 200, true },
		{ "post", 200, true },
		{ "POST", 404, false },
		{ "POST", 500, false },
		{ "POST", 100, false },
		{ "GET", 200, false },
		{ "HEAD", 200, false },
		{ "OPTIONS", 200, false },
		{ "PROPFIND", 207, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (cache_invalidates(span_of(rows[i].method), rows[i].status) !=
		    rows[i].invalidates)
			fail_msg("%s %u", rows[i].method, rows[i].status);
	assert_true(cache_is_error(503));
	assert_false(cache_is_error(501));
	assert_false(cache_is_error(404));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(storing),
		cmocka_unit_test(only_get_is_stored),
		cmocka_unit_test(lifetimes),
		cmocka_unit_test(ages),
		cmocka_unit_test(uses),
		cmocka_unit_test(the_edge),
		cmocka_unit_test(kept_fields),
		cmocka_unit_test(cookies_may_be_left_out),
		cmocka_unit_test(invalidation),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
