/* SPDX-License-Identifier: Apache-2.0 */
/* Cache-Control, CDN-Cache-Control, Surrogate-Control, Age and the verdict on an
 * answer: the same bytes with a further directive that is stricter never make an
 * answer last longer, and nothing that stands before no-store hides it. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/cache/freshness.h"
#include "gateway/http/chars.h"

#define FIELDS_MAX 4

struct answer {
	struct http_field array[FIELDS_MAX];
	struct http_fields f;
};

static const struct http_fields *
make(struct answer *a, struct span name, struct span first, struct span second)
{
	http_fields_init(&a->f, a->array, FIELDS_MAX);
	CHECK(http_fields_add(&a->f, name, first));
	if (second.p != NULL)
		CHECK(http_fields_add(&a->f, name, second));
	CHECK(http_fields_add(&a->f, SPAN("ETag"), SPAN("\"a\"")));
	return (&a->f);
}

static void
check_seconds(int64_t seconds)
{
	CHECK(seconds == CACHE_ABSENT || (seconds >= 0 && seconds <= CACHE_SECONDS_MAX));
}

static void
check_control(const struct cache_control *c, struct span value)
{
	unsigned i;

	check_seconds(c->max_age);
	check_seconds(c->s_maxage);
	check_seconds(c->max_stale);
	check_seconds(c->min_fresh);
	check_seconds(c->stale_while_revalidate);
	check_seconds(c->stale_if_error);
	CHECK(c->n_names <= CACHE_NAMES_MAX);
	for (i = 0; i < c->n_names; i++) {
		CHECK(fuzz_inside(c->names[i], value) && cache_is_token(c->names[i]));
		CHECK(cache_control_names(c, c->names[i]));
	}
}

static void
check_judged(const struct http_fields *answer)
{
	struct cache_rules rules = { .ttl_s = 60, .heuristic_percent = 10 };
	struct cache_exchange x = { .method = SPAN("GET"),
		.status = 200,
		.request_us = 0,
		.answer_us = CLOCK_SECOND,
		.wall_s = 1795000000 };
	struct cache_control none;
	struct cache_life life;
	struct http_field array[1];
	struct http_fields request;
	enum cache_use use;
	int64_t at;

	http_fields_init(&request, array, 1);
	x.request = &request;
	x.answer = answer;
	if (cache_judge(&life, &rules, &x) != CACHE_STORE_YES)
		return;
	cache_control_request(&none, &request);
	for (at = 0; at < INT64_C(1) << 52; at = at * 3 + CLOCK_SECOND) {
		use = cache_use(&life, &rules, &none, at);
		if (use == CACHE_USE_FRESH)
			CHECK(!life.validate_always && cache_ttl(&life, at) >= 0);
		else
			CHECK(use == CACHE_USE_VALIDATE || use == CACHE_USE_REVALIDATE);
		CHECK(cache_age(&life, at) >= 0);
	}
}

static void
check_answer(struct span value)
{
	struct cache_control alone, with;
	struct answer a;

	cache_control_answer(&alone, make(&a, SPAN("Cache-Control"), value, SPAN_NONE));
	check_control(&alone, value);
	CHECK(!alone.targeted);
	check_judged(&a.f);
	cache_control_answer(
	    &with, make(&a, SPAN("Cache-Control"), value,
		       SPAN("no-store, max-age=1, s-maxage=1, private")));
	CHECK(cache_control_has(&with, CC_NO_STORE) &&
	      cache_control_has(&with, CC_PRIVATE));
	CHECK(with.max_age >= 0 && with.max_age <= 1 && with.s_maxage <= 1);
	CHECK((alone.set & ~with.set) == 0);
	CHECK(alone.max_age == CACHE_ABSENT || with.max_age <= alone.max_age);
}

static void
check_open_quote(struct span value)
{
	struct cache_control control;
	struct answer a;
	struct text line;

	if (span_index(value, '"') != SIZE_MAX)
		return;
	text_init(&line, value.n + 64);
	text_puts(&line, "x=\"");
	text_put(&line, value);
	text_puts(&line, ", no-store");
	cache_control_answer(
	    &control, make(&a, SPAN("Cache-Control"), text_span(&line), SPAN_NONE));
	CHECK(cache_control_has(&control, CC_NO_STORE));
	text_free(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(span_mem(data, size));
	const struct span value = span_trim(span_mem(copy, size));
	struct cache_control control;
	struct answer a;

	/* other bytes don't get here */
	if (char_run_value(copy, 0, size) == size && size > 0) {
		check_answer(value);
		check_open_quote(value);
		cache_control_request(
		    &control, make(&a, SPAN("Cache-Control"), value, SPAN_NONE));
		check_control(&control, value);
		cache_control_answer(
		    &control, make(&a, SPAN("CDN-Cache-Control"), value, SPAN_NONE));
		check_control(&control, value);
		check_judged(&a.f);
		cache_control_answer(
		    &control, make(&a, SPAN("Surrogate-Control"), value, SPAN_NONE));
		check_control(&control, value);
		check_judged(&a.f);
		check_seconds(cache_age_field(make(&a, SPAN("Age"), value, value)));
		check_judged(make(&a, SPAN("Age"), value, SPAN_NONE));
	}
	free(copy);
	return (0);
}
