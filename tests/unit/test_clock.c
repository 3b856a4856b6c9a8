/* SPDX-License-Identifier: Apache-2.0 */
/* Times of records: the three forms, against the C library's calendar. */
#include "config.h"

#include "gateway/base/clock.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <setjmp.h>

#include <cmocka.h>

static void
test_known(void **state)
{
	static const struct {
		int64_t second;
		const char *rfc3339, *http, *clf;
	} rows[] = {
		{ 784111777, "1994-11-06T08:49:37.000042Z",
		    "Sun, 06 Nov 1994 08:49:37 GMT", "06/Nov/1994:08:49:37 +0000" },
		{ 0, "1970-01-01T00:00:00.000042Z", "Thu, 01 Jan 1970 00:00:00 GMT",
		    "01/Jan/1970:00:00:00 +0000" },
		{ 951782400, "2000-02-29T00:00:00.000042Z",
		    "Tue, 29 Feb 2000 00:00:00 GMT", "29/Feb/2000:00:00:00 +0000" },
		{ 253402300799, "9999-12-31T23:59:59.000042Z",
		    "Fri, 31 Dec 9999 23:59:59 GMT", "31/Dec/9999:23:59:59 +0000" },
	};
	char out[CLOCK_RFC3339_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t us = rows[i].second * CLOCK_SECOND + 42;

		assert_int_equal(clock_rfc3339(us, out), strlen(rows[i].rfc3339));
		assert_string_equal(out, rows[i].rfc3339);
		assert_int_equal(clock_http_date(us, out), strlen(rows[i].http));
		assert_string_equal(out, rows[i].http);
		assert_int_equal(clock_clf(us, out), strlen(rows[i].clf));
		assert_string_equal(out, rows[i].clf);
	}
	clock_rfc3339(-5, out);
	assert_string_equal(out, "1970-01-01T00:00:00.000000Z");
	clock_rfc3339(INT64_MAX, out);
	assert_string_equal(out, "9999-12-31T23:59:59.999999Z");
}

/* Every day of four centuries. */
static void
test_calendar(void **state)
{
	char ours[CLOCK_HTTP_MAX], theirs[64];
	struct tm tm;
	time_t t;

	(void)state;
	for (t = 3661; t < INT64_C(400) * 366 * 86400; t += 86400) {
		gmtime_r(&t, &tm);
		strftime(theirs, sizeof theirs, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		clock_http_date((int64_t)t * CLOCK_SECOND, ours);
		assert_string_equal(ours, theirs);
	}
}

static void
test_clocks(void **state)
{
	int64_t mono = clock_mono_us(), wall = clock_wall_us();

	(void)state;
	assert_true(clock_mono_us() >= mono);
	assert_true(llabs((long long)(wall / CLOCK_SECOND - (int64_t)time(NULL))) <= 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_clocks),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
