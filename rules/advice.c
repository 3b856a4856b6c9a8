/* SPDX-License-Identifier: Apache-2.0 */
/* The narrowest exclusions that would let a request pass. */
#include "config.h"

#include "rules/advice.h"

#include "rules/internal.h"

#define PHASE_ANSWER 3
#define PHASE_LOGGING 5
#define OUTBOUND_EVALUATION 959

bool
advice_is_evaluation(uint32_t id)
{
	return ((id >= 949000 && id <= 949999) || (id >= 959000 && id <= 959999) ||
		(id >= 980000 && id <= 980999));
}

static bool
is_own(uint32_t id)
{
	return (id >= WAF_HIT_ARGUMENTS && id <= WAF_HIT_ENGINE);
}

static bool
same(const struct advice_hit *a, const struct advice_hit *b)
{
	return (a->id == b->id && span_eq(a->variable, b->variable));
}

/* What all hits of this rule and variable scored. */
static uint32_t
worth(const struct advice_hit *hits, size_t n, const struct advice_hit *of)
{
	uint32_t sum;
	size_t i;

	sum = 0;
	for (i = 0; i < n; i++)
		if (same(&hits[i], of))
			sum += hits[i].score;
	return (sum);
}

/* The heaviest that is not marked, of the rules for requests or for answers. */
static struct advice_hit *
heaviest(struct advice_hit *hits, size_t n, bool outbound)
{
	struct advice_hit *best;
	uint32_t sum, most;
	size_t i;

	best = NULL;
	most = 0;
	for (i = 0; i < n; i++) {
		if (hits[i].exclude || advice_is_evaluation(hits[i].id) ||
		    (hits[i].phase >= PHASE_ANSWER) != outbound)
			continue;
		sum = worth(hits, n, &hits[i]);
		if (sum > most) {
			most = sum;
			best = &hits[i];
		}
	}
	return (best);
}

static void
mark(struct advice_hit *hits, size_t n, const struct advice_hit *like)
{
	struct advice_hit wanted;
	size_t i;

	wanted = *like;
	for (i = 0; i < n; i++)
		if (same(&hits[i], &wanted))
			hits[i].exclude = true;
}

/* The last hit before the logging phase: where a rule refuses, the phase ends. */
static const struct advice_hit *
last_before_logging(const struct advice_hit *hits, size_t n)
{
	while (n > 0 && hits[n - 1].phase >= PHASE_LOGGING)
		n--;
	return (n > 0 ? &hits[n - 1] : NULL);
}

/* Rules that refuse by themselves: the last one, unless it compared the score;
 * where nothing was stopped, any without a score may be one. */
static void
mark_deciders(struct advice_hit *hits, size_t n, bool detected)
{
	const struct advice_hit *last;
	size_t i;

	last = last_before_logging(hits, n);
	for (i = 0; i < n; i++) {
		if (advice_is_evaluation(hits[i].id) || hits[i].phase >= PHASE_LOGGING)
			continue;
		if (detected ? hits[i].score == 0 : &hits[i] == last)
			mark(hits, n, &hits[i]);
	}
}

static bool
was_evaluated(const struct advice_hit *hits, size_t n, uint32_t family)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (hits[i].id / 1000 == family && hits[i].phase < PHASE_LOGGING)
			return (true);
	return (false);
}

/* What the marked ones leave of the score. */
static uint32_t
rest_of(const struct advice_hit *hits, size_t n, uint32_t score)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (hits[i].exclude)
			score -= hits[i].score < score ? hits[i].score : score;
	return (score);
}

enum advice_rc
advice_choose(struct advice_hit *hits, size_t n, const struct advice_score *s)
{
	struct advice_hit *next;
	bool outbound, any;
	size_t i;

	for (i = 0; i < n; i++)
		if (is_own(hits[i].id))
			return (ADVICE_OWN_CHECK);
	mark_deciders(hits, n, s->detected);
	outbound = was_evaluated(hits, n, OUTBOUND_EVALUATION);
	while (rest_of(hits, n, s->score) >= s->threshold) {
		next = heaviest(hits, n, outbound);
		if (next == NULL)
			return (ADVICE_NONE);
		mark(hits, n, next);
	}
	for (any = false, i = 0; i < n; i++)
		any = any || hits[i].exclude;
	return (any ? ADVICE_EXCLUDE : ADVICE_NONE);
}

bool
advice_target(struct span variable, struct text *target)
{
	static const struct span not_of_the_request[] = { SPAN("TX"), SPAN("MATCHED_VAR"),
		SPAN("MATCHED_VARS"), SPAN("MATCHED_VAR_NAME"),
		SPAN("MATCHED_VARS_NAMES"), SPAN("DURATION"), SPAN("UNIQUE_ID"),
		SPAN("ENV"), SPAN("RULE") };
	struct span collection;
	size_t i;

	collection = span_cut(variable, 0, span_index(variable, ':'));
	if (collection.n == 0 || span_ends(variable, SPAN("...")) ||
	    span_find(variable, SPAN("***")) != SIZE_MAX)
		return (false);
	for (i = 0; i < sizeof(not_of_the_request) / sizeof(not_of_the_request[0]); i++)
		if (span_eq(collection, not_of_the_request[i]))
			return (false);
	text_put(target, variable);
	return (true);
}

const char *
advice_own(uint32_t id)
{
	switch (id) {
	case WAF_HIT_ARGUMENTS:
	case WAF_HIT_COOKIES:
		return ("raise request_body.arguments of the policy; each argument costs "
			"time in every rule");
	case WAF_HIT_MULTIPART:
		return ("the multipart body is malformed in a way that parsers read "
			"differently: mend the client; no exclusion helps");
	case WAF_HIT_CONTENT_TYPE:
		return (
		    "the client sends Content-Type twice: mend the client; no exclusion "
		    "helps");
	case WAF_HIT_BODY:
		return (
		    "the body could not be read back: look for a full disk in the error "
		    "log");
	default:
		return ("the engine failed on this request: see the error log, and "
			"report it");
	}
}
