/* SPDX-License-Identifier: Apache-2.0 */
/* The narrowest exclusions that would let a request pass. */
#include "config.h"

#include "rules/advice.h"

#include "rules/internal.h"

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

static struct advice_hit *
heaviest(struct advice_hit *hits, size_t n)
{
	struct advice_hit *best;
	uint32_t sum, most;
	size_t i;

	best = NULL;
	most = 0;
	for (i = 0; i < n; i++) {
		if (hits[i].exclude || advice_is_evaluation(hits[i].id))
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

static enum advice_rc
choose_scoreless(struct advice_hit *hits, size_t n)
{
	enum advice_rc rc;
	size_t i;

	rc = ADVICE_NONE;
	for (i = 0; i < n; i++)
		if (hits[i].score == 0 && !advice_is_evaluation(hits[i].id)) {
			hits[i].exclude = true;
			rc = ADVICE_EXCLUDE;
		}
	return (rc);
}

enum advice_rc
advice_choose(struct advice_hit *hits, size_t n, uint32_t score, uint32_t threshold)
{
	struct advice_hit *next;
	uint32_t sum;
	size_t i;

	for (i = 0; i < n; i++)
		if (is_own(hits[i].id))
			return (ADVICE_OWN_CHECK);
	if (score < threshold)
		return (choose_scoreless(hits, n));
	while (score >= threshold) {
		next = heaviest(hits, n);
		if (next == NULL)
			return (ADVICE_NONE);
		sum = worth(hits, n, next);
		mark(hits, n, next);
		score -= sum < score ? sum : score;
	}
	return (ADVICE_EXCLUDE);
}

bool
advice_target(struct span variable, struct text *target)
{
	static const struct span not_of_the_request[] = { SPAN("TX"), SPAN("MATCHED_VAR"),
		SPAN("MATCHED_VARS"), SPAN("MATCHED_VAR_NAME"), SPAN("MATCHED_VARS_NAMES"),
		SPAN("DURATION"), SPAN("UNIQUE_ID"), SPAN("ENV"), SPAN("RULE") };
	struct span collection;
	size_t i;

	collection = span_cut(variable, 0, span_index(variable, ':'));
	if (collection.n == 0)
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
		return ("the client sends Content-Type twice: mend the client; no exclusion "
			"helps");
	case WAF_HIT_BODY:
		return ("the body could not be read back: look for a full disk in the error "
			"log");
	default:
		return ("the engine failed on this request: see the error log, and report it");
	}
}
