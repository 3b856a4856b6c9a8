/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of exclusions: the fewest that bring the score under the threshold. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rules/advice.h"
#include "rules/holes.h"

struct row {
	struct advice_hit hits[4];
	size_t n;
	uint32_t score, threshold;
	bool detected;
	enum advice_rc rc;
	unsigned marked; /* bit per hit */
	const char *why;
};

static const struct row ROWS[] = {
	{ { { 920350, 3, 2, SPAN("REQUEST_HEADERS:Host"), false },
	      { 942100, 5, 2, SPAN("ARGS:id"), false },
	      { 949110, 0, 2, SPAN("TX:x"), false } },
	    3, 8, 5, false, ADVICE_EXCLUDE, 2, "the heavy one is enough" },
	{ { { 942100, 5, 2, SPAN("ARGS:a"), false },
	      { 942130, 5, 2, SPAN("ARGS:a"), false },
	      { 949110, 0, 2, SPAN("TX:x"), false },
	      { 980130, 0, 5, SPAN("TX:x"), false } },
	    4, 10, 5, false, ADVICE_EXCLUDE, 3, "5 is not under 5: both" },
	{ { { 942100, 3, 2, SPAN("ARGS:a"), false },
	      { 942100, 2, 2, SPAN("ARGS:a"), false },
	      { 941100, 3, 2, SPAN("ARGS:b"), false },
	      { 949110, 0, 2, SPAN("TX:x"), false } },
	    4, 8, 5, false, ADVICE_EXCLUDE, 3,
	    "hits of one rule and variable go together" },
	{ { { 10001, 0, 1, SPAN("REQUEST_URI"), false } }, 1, 0, 5, false, ADVICE_EXCLUDE,
	    1, "a rule that denies without a score" },
	{ { { 10001, 0, 1, SPAN("REQUEST_URI"), false },
	      { 200002, 0, 2, SPAN("REQBODY_ERROR"), false } },
	    2, 0, 5, false, ADVICE_EXCLUDE, 2,
	    "the last one refused, the first only logged" },
	{ { { 10001, 0, 1, SPAN("REQUEST_URI"), false },
	      { 200002, 0, 2, SPAN("REQBODY_ERROR"), false } },
	    2, 0, 5, true, ADVICE_EXCLUDE, 3,
	    "nothing was stopped: either may have refused" },
	{ { { 920100, 5, 1, SPAN("REQUEST_LINE"), false },
	      { 200002, 0, 2, SPAN("REQBODY_ERROR"), false } },
	    2, 5, 5, false, ADVICE_EXCLUDE, 3,
	    "after the one that refused the score counts" },
	{ { { 942100, 5, 2, SPAN("ARGS:a"), false },
	      { 951230, 4, 4, SPAN("RESPONSE_BODY"), false },
	      { 959100, 0, 4, SPAN("TX:x"), false } },
	    3, 4, 4, false, ADVICE_EXCLUDE, 2, "answers have a score of their own" },
	{ { { 9500001, 0, 2, SPAN("ARGS"), false } }, 1, 0, 5, false, ADVICE_OWN_CHECK, 0,
	    "a check of our own is not excluded" },
	{ { { 949110, 0, 2, SPAN("TX:x"), false } }, 1, 8, 5, false, ADVICE_NONE, 0,
	    "evaluation rules are never excluded" },
};

static void
test_choose(void **state)
{
	struct advice_hit hits[4];
	struct advice_score score;
	unsigned marked;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		memcpy(hits, ROWS[i].hits, sizeof(hits));
		score.score = ROWS[i].score;
		score.threshold = ROWS[i].threshold;
		score.detected = ROWS[i].detected;
		if (advice_choose(hits, ROWS[i].n, &score) != ROWS[i].rc)
			fail_msg("%s: verdict", ROWS[i].why);
		marked = 0;
		for (j = 0; j < ROWS[i].n; j++)
			marked |= hits[j].exclude ? 1u << j : 0;
		if (marked != ROWS[i].marked)
			fail_msg("%s: marked %x", ROWS[i].why, marked);
	}
}

static void
test_target(void **state)
{
	struct text out;

	(void)state;
	text_init(&out, 128);
	assert_true(advice_target(SPAN("ARGS:q"), &out));
	assert_true(span_eq(text_span(&out), SPAN("ARGS:q")));
	assert_true(advice_target(SPAN("REQUEST_BODY"), &out));
	assert_false(advice_target(SPAN("TX:foo"), &out));
	assert_false(advice_target(SPAN(""), &out));
	assert_false(advice_target(SPAN("ARGS:session_***"), &out));
	assert_false(advice_target(SPAN("ARGS:very_long..."), &out));
	text_free(&out);
}

static void
test_holes(void **state)
{
	struct text out;

	(void)state;
	text_init(&out, 4096);
	waf_holes("3.0.9", &out);
	assert_true(span_find(text_span(&out), SPAN("CVE-2024-1019")) != SIZE_MAX);
	text_reset(&out);
	waf_holes("3.0.14", &out);
	assert_true(span_find(text_span(&out), SPAN("CVE-2024-1019")) == SIZE_MAX);
	assert_true(span_find(text_span(&out), SPAN("CVE-2026-52747")) != SIZE_MAX);
	text_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_holes),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
