/* SPDX-License-Identifier: Apache-2.0 */
/* Range of contents of several lengths: a part lies within, and what is a part stays
 * that part when the content grows behind it. The first byte chooses the length. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/cache/range.h"
#include "gateway/http/chars.h"

static void
check(struct span value, uint64_t length)
{
	struct cache_validators stored;
	struct cache_range range, again;
	struct http_field array[2];
	struct http_fields request;
	enum cache_range_rc rc;
	struct text text;

	rc = cache_range_parse(&range, value, length);
	http_fields_init(&request, array, 2);
	CHECK(http_fields_add(&request, SPAN("Range"), value));
	memset(&stored, 0, sizeof(stored));
	CHECK(cache_range(&again, &request, &stored, length) == rc);
	CHECK(http_fields_add(&request, SPAN("If-Range"), value));
	CHECK(cache_range(&again, &request, &stored, length) == CACHE_RANGE_WHOLE);
	if (rc != CACHE_RANGE_PART)
		return;
	CHECK(range.first <= range.last && range.last < length);
	text_init(&text, 100);
	cache_put_content_range(&text, &range, length);
	CHECK(!text.overflow);
	text_free(&text);
	text_init(&text, 100);
	text_printf(&text, "bytes=%llu-%llu", (unsigned long long)range.first,
	    (unsigned long long)range.last);
	CHECK(cache_range_parse(&again, text_span(&text), length) == CACHE_RANGE_PART);
	CHECK(again.first == range.first && again.last == range.last);
	text_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t lengths[] = { 0, 1, 2, 10, 1000, 10000, UINT32_MAX,
		UINT64_MAX };
	char *copy = fuzz_copy(span_mem(data, size));

	if (size > 1 && char_run_value(copy, 1, size) == size)
		check(span_trim(span_mem(copy + 1, size - 1)), lengths[data[0] % 8]);
	free(copy);
	return (0);
}
