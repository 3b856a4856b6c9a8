/* SPDX-License-Identifier: Apache-2.0 */
/* Cache-Status (RFC 9211). */
#include "config.h"

#include "gateway/cache/status.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAME              \
	{                 \
		"yett", 4 \
	}

static void
texts(void **state)
{
	static const struct {
		struct cache_report report;
		const char *text;
	} rows[] = {
		{ { .name = NAME }, "yett; hit" },
		{ { .name = NAME, .has_ttl = true, .ttl_s = 376 }, "yett; hit; ttl=376" },
		{ { .name = NAME, .has_ttl = true, .ttl_s = -412 },
		    "yett; hit; ttl=-412" },
		{ { .name = NAME, .stored = true, .collapsed = true }, "yett; hit" },
		{ { .name = NAME, .forward = CACHE_FWD_URI_MISS }, "yett; fwd=uri-miss" },
		{ { .name = NAME, .forward = CACHE_FWD_URI_MISS, .stored = true },
		    "yett; fwd=uri-miss; stored" },
		{ { .name = NAME,
		      .forward = CACHE_FWD_STALE,
		      .forward_status = 304,
		      .has_ttl = true,
		      .ttl_s = 60,
		      .collapsed = true },
		    "yett; fwd=stale; fwd-status=304; ttl=60; collapsed" },
		{ { .name = NAME,
		      .forward = CACHE_FWD_BYPASS,
		      .detail = { "private", 7 } },
		    "yett; fwd=bypass; detail=private" },
		{ { .name = NAME,
		      .forward = CACHE_FWD_VARY_MISS,
		      .detail = { "a \"b\\\x01\xe4", 7 } },
		    "yett; fwd=vary-miss; detail=\"a \\\"b\\\\??\"" },
		{ { .name = { "7th node", 8 }, .forward = CACHE_FWD_METHOD },
		    "\"7th node\"; fwd=method" },
		{ { .name = { "a.example:8443/x", 16 }, .forward = CACHE_FWD_PARTIAL },
		    "a.example:8443/x; fwd=partial" },
		{ { .name = NAME, .forward = CACHE_FWD_REQUEST }, "yett; fwd=request" },
		{ { .name = NAME, .forward = CACHE_FWD_MISS }, "yett; fwd=miss" },
	};
	struct text t;
	size_t i;

	(void)state;
	text_init(&t, 4096);
	for (i = 0; i < COUNT(rows); i++) {
		text_reset(&t);
		cache_status_put(&t, &rows[i].report);
		if (!span_eq(text_span(&t), span_of(rows[i].text)))
			fail_msg("%s: %.*s", rows[i].text, SPAN_FMT(text_span(&t)));
	}
	text_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
