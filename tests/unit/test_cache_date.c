/* SPDX-License-Identifier: Apache-2.0 */
/* Dates in the three forms of RFC 9110 5.6.7, and what is none. */
#include "config.h"

#include "gateway/cache/date.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NONE INT64_MIN
#define NOW INT64_C(1795000000) /* November 2026 */

static void
forms(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
		const char *why;
	} rows[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777, "IMF-fixdate" },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777, "RFC 850" },
		{ "Sun Nov  6 08:49:37 1994", 784111777, "asctime" },
		{ "Sun Nov 16 08:49:37 1994", 784975777, "asctime, two digits" },
		{ "Sun Nov 06 08:49:37 1994", 784111777, "asctime, zero for blank" },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0, "the epoch" },
		{ "Wed, 31 Dec 1969 23:59:59 GMT", -1, "before it" },
		{ "Sat, 01 Jan 0000 00:00:00 GMT", -62167219200, "the first" },
		{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799, "the last" },
		{ "Tue, 29 Feb 2000 00:00:00 GMT", 951782400, "leap of 400" },
		{ "Thu, 29 Feb 2024 12:00:00 GMT", 1709208000, "leap of 4" },
		{ "Fri, 01 Mar 2024 00:00:00 GMT", 1709251200, "behind it" },
		{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800, "leap second" },
		{ "Thu, 18 Aug 2050 02:01:18 GMT", 2544400878, "beyond 2^31" },
		{ "THU, 18 Aug 2050 02:01:18 GMT", 2544400878, "case of the day" },
		{ "Thu, 18 AUG 2050 02:01:18 GMT", 2544400878, "of the month" },
		{ "Thu, 18 Aug 2050 02:01:18 gMT", 2544400878, "of the zone" },
		{ "Mon, 06 Nov 1994 08:49:37 GMT", 784111777, "it was a Sunday" },
		{ "Wednesday, 18-Nov-26 00:00:00 GMT", 1794960000, "long name" },
		{ "", NONE, "empty" },
		{ "0", NONE, "Expires: 0" },
		{ "-1", NONE, "Expires: -1" },
		{ "Sun", NONE, "a day" },
		{ "Sunday", NONE, "a long day" },
		{ "Sun,", NONE, "ends early" },
		{ "Xun, 06 Nov 1994 08:49:37 GMT", NONE, "no day" },
		{ "06 Nov 1994 08:49:37 GMT", NONE, "without a day" },
		{ "Sun, 6 Nov 1994 08:49:37 GMT", NONE, "one digit" },
		{ "Sun, 06 Nov 94 08:49:37 GMT", NONE, "year of two digits" },
		{ "Sun, 06 Nov 19940 08:49:37 GMT", NONE, "year of five" },
		{ "Sun, 06-Nov-1994 08:49:37 GMT", NONE, "dashes" },
		{ "Sunday, 06-Nov-1994 08:49:37 GMT", NONE, "RFC 850, four digits" },
		{ "Sun, 06-Nov-94 08:49:37 GMT", NONE, "RFC 850, short day" },
		{ "Sunday, 06 Nov 1994 08:49:37 GMT", NONE, "fixdate, long day" },
		{ "Sun 06 Nov 1994 08:49:37 GMT", NONE, "without the comma" },
		{ "Sun,06 Nov 1994 08:49:37 GMT", NONE, "without a blank" },
		{ "Sun, 06  Nov  1994 08:49:37 GMT", NONE, "more blanks" },
		{ "Sun, 06 Nov 1994 8:49:37 GMT", NONE, "hour of one digit" },
		{ "Sun, 06 Nov 1994 08.49.37 GMT", NONE, "dots" },
		{ "Sun, 06 Nov 1994 08:49 GMT", NONE, "no seconds" },
		{ "Sun, 06 Nov 1994 08:49:37", NONE, "no zone" },
		{ "Sun, 06 Nov 1994 08:49:37 UTC", NONE, "another name" },
		{ "Sun, 06 Nov 1994 08:49:37 +0000", NONE, "an offset" },
		{ "Sun, 06 Nov 1994 08:49:37 AEST", NONE, "another zone" },
		{ "Sun, 06 Nov 1994 08:49:37 GMT ", NONE, "something behind" },
		{ "Sun, 06 Nov 1994 08:49:37 GMT, x", NONE, "two of them" },
		{ "Sun, 06 Nov 1994 24:00:00 GMT", NONE, "hour 24" },
		{ "Sun, 06 Nov 1994 08:60:00 GMT", NONE, "minute 60" },
		{ "Sun, 06 Nov 1994 08:59:61 GMT", NONE, "second 61" },
		{ "Sun, 00 Nov 1994 08:49:37 GMT", NONE, "day 0" },
		{ "Sun, 31 Nov 1994 08:49:37 GMT", NONE, "31 November" },
		{ "Thu, 29 Feb 2023 00:00:00 GMT", NONE, "no leap year" },
		{ "Thu, 29 Feb 1900 00:00:00 GMT", NONE, "nor this" },
		{ "Sun, 06 Foo 1994 08:49:37 GMT", NONE, "no month" },
		{ "Sun, +6 Nov 1994 08:49:37 GMT", NONE, "a sign" },
		{ "Sun Nov 6 08:49:37 1994", NONE, "asctime, one digit" },
		{ "Sun Nov  6 08:49:37 94", NONE, "asctime, short year" },
		{ "Sun Nov  6 08:49:37 1994 GMT", NONE, "asctime with zone" },
	};
	int64_t seconds;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		seconds = NONE;
		if (!cache_date_parse(span_of(rows[i].text), NOW, &seconds))
			assert_int_equal(seconds, NONE);
		if (seconds != rows[i].seconds)
			fail_msg("%s (%s): %lld", rows[i].text, rows[i].why,
			    (long long)seconds);
	}
	assert_false(cache_date_parse(SPAN_NONE, NOW, &seconds));
}

/* More than 50 years ahead is the past. */
static void
centuries(void **state)
{
	static const struct {
		const char *text;
		const char *now, *same;
	} rows[] = {
		{ "Friday, 06-Nov-26 00:00:00 GMT", "Mon, 23 Nov 2026 00:00:00 GMT",
		    "Fri, 06 Nov 2026 00:00:00 GMT" },
		{ "Friday, 06-Nov-76 00:00:00 GMT", "Mon, 23 Nov 2026 00:00:00 GMT",
		    "Fri, 06 Nov 2076 00:00:00 GMT" },
		{ "Friday, 23-Nov-76 00:00:00 GMT", "Mon, 23 Nov 2026 00:00:00 GMT",
		    "Fri, 23 Nov 2076 00:00:00 GMT" },
		{ "Friday, 24-Nov-76 00:00:00 GMT", "Mon, 23 Nov 2026 00:00:00 GMT",
		    "Fri, 24 Nov 1976 00:00:00 GMT" },
		{ "Friday, 06-Nov-77 00:00:00 GMT", "Mon, 23 Nov 2026 00:00:00 GMT",
		    "Fri, 06 Nov 1977 00:00:00 GMT" },
		{ "Friday, 06-Nov-94 00:00:00 GMT", "Mon, 23 Nov 2026 00:00:00 GMT",
		    "Fri, 06 Nov 1994 00:00:00 GMT" },
		{ "Friday, 01-Jan-00 00:00:00 GMT", "Mon, 23 Nov 1998 00:00:00 GMT",
		    "Fri, 01 Jan 2000 00:00:00 GMT" },
		{ "Tuesday, 29-Feb-00 00:00:00 GMT", "Mon, 23 Nov 2099 00:00:00 GMT",
		    "Tue, 29 Feb 2000 00:00:00 GMT" },
		{ "Tuesday, 30-Feb-00 00:00:00 GMT", "Mon, 23 Nov 2026 00:00:00 GMT",
		    NULL },
	};
	int64_t now, same, seconds;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_true(cache_date_parse(span_of(rows[i].now), 0, &now));
		if (rows[i].same == NULL) {
			assert_false(
			    cache_date_parse(span_of(rows[i].text), now, &seconds));
			continue;
		}
		assert_true(cache_date_parse(span_of(rows[i].same), 0, &same));
		if (!cache_date_parse(span_of(rows[i].text), now, &seconds) ||
		    seconds != same)
			fail_msg("%s at %s", rows[i].text, rows[i].now);
	}
}

/* Every day of four centuries and more, as the clock writes it. */
static void
as_written(void **state)
{
	char text[CLOCK_HTTP_MAX];
	int64_t day, at, seconds;
	size_t n;

	(void)state;
	for (day = 0; day < 160000; day++) {
		at = day * 86400 + day % 86400;
		n = clock_http_date(at * CLOCK_SECOND, text);
		assert_true(cache_date_parse(span_mem(text, n), NOW, &seconds));
		assert_int_equal(seconds, at);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(centuries),
		cmocka_unit_test(as_written),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
