/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP-date: what is read as a date is that date when it is written again, and a year
 * of two digits is never more than 50 years ahead. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/base/clock.h"
#include "gateway/cache/date.h"

#define NOW INT64_C(1795000000)
#define FIFTY_YEARS INT64_C(1577923200) /* with 13 leap days */
#define YEAR_10000 INT64_C(253402300800)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(span_mem(data, size));
	const struct span text = span_mem(copy, size);
	char written[CLOCK_HTTP_MAX];
	int64_t seconds, again;
	size_t n;

	if (cache_date_parse(text, NOW, &seconds)) {
		CHECK(seconds <= YEAR_10000);
		if (span_index(text, '-') != SIZE_MAX)
			CHECK(seconds <= NOW + FIFTY_YEARS);
		if (seconds >= 0 && seconds < YEAR_10000) {
			n = clock_http_date(seconds * CLOCK_SECOND, written);
			CHECK(cache_date_parse(span_mem(written, n), NOW, &again));
			CHECK(again == seconds);
		}
		/* one byte less is none */
		CHECK(!cache_date_parse(span_cut(text, 0, size - 1), NOW, &again));
	}
	free(copy);
	return (0);
}
