/* SPDX-License-Identifier: Apache-2.0 */
/* Range, If-Range and Content-Range (RFC 9110 14). */
#include "config.h"

#include "gateway/cache/range.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/cache_rig.h"

#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define SAME "Sunday, 06-Nov-94 08:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"
#define W CACHE_RANGE_WHOLE
#define P CACHE_RANGE_PART
#define U CACHE_RANGE_UNSATISFIABLE
#define BIG UINT64_C(18446744073709551615)

static void
ranges(void **state)
{
	static const struct {
		const char *value;
		uint64_t length;
		enum cache_range_rc rc;
		uint64_t first, last;
		const char *why;
	} rows[] = {
		{ "bytes=0-499", 10000, P, 0, 499, "14.1.2" },
		{ "bytes=500-999", 10000, P, 500, 999, "14.1.2" },
		{ "bytes=-500", 10000, P, 9500, 9999, "14.1.2" },
		{ "bytes=9500-", 10000, P, 9500, 9999, "14.1.2" },
		{ "bytes=0-0", 10000, P, 0, 0, "14.1.2" },
		{ "bytes=0-", 10000, P, 0, 9999, "all of it" },
		{ "bytes=-10000", 10000, P, 0, 9999, "all of it" },
		{ "bytes=-20000", 10000, P, 0, 9999, "a longer suffix is all" },
		{ "bytes=9999-20000", 10000, P, 9999, 9999, "cut at the end" },
		{ "bytes=9999-99999999999999999999999", 10000, P, 9999, 9999, "" },
		{ "bytes=10000-", 10000, U, 0, 0, "behind the end" },
		{ "bytes=10000-10001", 10000, U, 0, 0, "" },
		{ "bytes=99999999999999999999999-", 10000, U, 0, 0, "saturates" },
		{ "bytes=-0", 10000, U, 0, 0, "no bytes" },
		{ "bytes=-0, 20000-", 10000, U, 0, 0, "none of them" },
		{ "bytes=20000-, 5-6", 10000, P, 5, 6, "one of them" },
		{ "Bytes=0-1", 10, P, 0, 1, "case of the unit" },
		{ "bytes= 0-1", 10, P, 0, 1, "white space of a list" },
		{ "bytes=0-1,", 10, P, 0, 1, "an empty element" },
		{ "bytes=0-1, 2-3", 10, P, 0, 3, "they touch" },
		{ "bytes=2-3, 0-1", 10, P, 0, 3, "in any order" },
		{ "bytes=0-5, 3-8", 10, P, 0, 8, "they overlap" },
		{ "bytes=0-9, 3-4", 10, P, 0, 9, "one within the other" },
		{ "bytes=0-1, 4-5, 2-3", 10, P, 0, 5, "joined by the third" },
		{ "bytes=0-1, 6-7, 4-5, 2-3", 10, P, 0, 7, "" },
		{ "bytes=0-1, 3-4", 10, W, 0, 0, "two parts: the whole" },
		{ "bytes=0-0,-1", 10000, W, 0, 0, "two parts: the whole" },
		{ "bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0",
		    10, P, 0, 0, "as many as are read" },
		{ "bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,"
		  "0-0",
		    10, W, 0, 0, "too many" },
		{ "bytes=", 10, W, 0, 0, "no range" },
		{ "bytes=,", 10, W, 0, 0, "no range" },
		{ "bytes", 10, W, 0, 0, "no range" },
		{ "", 10, W, 0, 0, "" },
		{ "lines=0-1", 10, W, 0, 0, "another unit" },
		{ "bytes =0-1", 10, W, 0, 0, "no unit" },
		{ "bytes=5-4", 10, W, 0, 0, "backwards" },
		{ "bytes=0-1, 5-4", 10, W, 0, 0, "one is bad: all are" },
		{ "bytes=0-1, x", 10, W, 0, 0, "" },
		{ "bytes=-", 10, W, 0, 0, "" },
		{ "bytes=1", 10, W, 0, 0, "" },
		{ "bytes=a-b", 10, W, 0, 0, "" },
		{ "bytes=0 - 1", 10, W, 0, 0, "" },
		{ "bytes=--1", 10, W, 0, 0, "" },
		{ "bytes=+0-1", 10, W, 0, 0, "" },
		{ "bytes=0x0-1", 10, W, 0, 0, "" },
		{ "bytes=0-99999999999999999999999x", 10, W, 0, 0, "behind saturation" },
		{ "bytes=0-0", 1, P, 0, 0, "" },
		{ "bytes=0-0", 0, U, 0, 0, "of nothing" },
		{ "bytes=-1", 0, W, 0, 0, "the end of nothing is all" },
		{ "bytes=0-", BIG, P, 0, BIG - 1, "" },
		{ "bytes=0-0, 1-", BIG, P, 0, BIG - 1, "" },
	};
	struct cache_range range;
	enum cache_range_rc rc;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		range = (struct cache_range){ 0, 0 };
		rc = cache_range_parse(&range, span_of(rows[i].value), rows[i].length);
		if (rc != rows[i].rc || range.first != rows[i].first ||
		    range.last != rows[i].last)
			fail_msg("%s (%s): %d %llu-%llu", rows[i].value, rows[i].why, rc,
			    (unsigned long long)range.first,
			    (unsigned long long)range.last);
	}
}

static void
conditional(void **state)
{
	static const struct {
		const char *stored, *request;
		bool part;
		const char *why;
	} rows[] = {
		{ "ETag: \"a\"", "Range: bytes=0-1", true, "no If-Range" },
		{ "ETag: \"a\"", "Range: bytes=0-1\nIf-Range: \"a\"", true, "13.1.5" },
		{ "ETag: \"a\"", "Range: bytes=0-1\nIf-Range: \"b\"", false, "13.1.5" },
		{ "ETag: W/\"a\"", "Range: bytes=0-1\nIf-Range: W/\"a\"", false, "weak" },
		{ "ETag: \"a\"", "Range: bytes=0-1\nIf-Range: W/\"a\"", false, "weak" },
		{ "ETag: W/\"a\"", "Range: bytes=0-1\nIf-Range: \"a\"", false, "weak" },
		{ "ETag: \"a\"", "Range: bytes=0-1\nIf-Range: \"a\", \"b\"", false,
		    "no list" },
		{ "ETag: \"a\"", "Range: bytes=0-1\nIf-Range: \"a\"\nIf-Range: \"a\"",
		    false, "two" },
		{ "ETag: \"a\"", "Range: bytes=0-1\nIf-Range:", false, "empty" },
		{ NULL, "Range: bytes=0-1\nIf-Range: \"a\"", false, "no etag" },
		{ "Last-Modified: " MODIFIED "\nDate: " LATER,
		    "Range: bytes=0-1\nIf-Range: " MODIFIED, true, "a strong date" },
		{ "Last-Modified: " MODIFIED "\nDate: " LATER,
		    "Range: bytes=0-1\nIf-Range: " SAME, true, "in another form" },
		{ "Last-Modified: " MODIFIED "\nDate: " LATER,
		    "Range: bytes=0-1\nIf-Range: " LATER, false, "exactly it" },
		{ "Last-Modified: " MODIFIED "\nDate: " MODIFIED,
		    "Range: bytes=0-1\nIf-Range: " MODIFIED, false, "a weak date" },
		{ "Last-Modified: " MODIFIED, "Range: bytes=0-1\nIf-Range: " MODIFIED,
		    false, "a weak date" },
		{ NULL, "Range: bytes=0-1\nRange: bytes=2-3", false, "two Ranges" },
		{ NULL, "If-Range: \"a\"", false, "no Range" },
		{ NULL, NULL, false, "no Range" },
	};
	struct cache_validators stored;
	struct cache_range range;
	struct rig_fields rig;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		cache_validators_read(
		    &stored, rig_fields(&rig, rows[i].stored), 1795000000);
		if ((cache_range(&range, rig_fields(&rig, rows[i].request), &stored,
			 10) == CACHE_RANGE_PART) != rows[i].part)
			fail_msg(
			    "%s: %s (%s)", rows[i].stored, rows[i].request, rows[i].why);
	}
}

static void
content_range(void **state)
{
	struct text t;

	(void)state;
	text_init(&t, 100);
	cache_put_content_range(&t, &(struct cache_range){ 42, 1233 }, 1234);
	assert_true(span_eq(text_span(&t), SPAN("bytes 42-1233/1234")));
	text_reset(&t);
	cache_put_content_range(&t, NULL, 1234);
	assert_true(span_eq(text_span(&t), SPAN("bytes */1234")));
	text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(conditional),
		cmocka_unit_test(content_range),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
