/* SPDX-License-Identifier: Apache-2.0 */
/* rules/advice.h - from the rules that refused a request to the narrowest
 * exclusions that would let it pass. Pure functions over plain values. */
#ifndef YETT_RULES_ADVICE_H
#define YETT_RULES_ADVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/span.h"

struct advice_hit {
	uint32_t id, score;
	uint8_t phase;
	struct span variable; /* "ARGS:q", "" when the rule has none */
	bool exclude; /* the answer: this one has to go */
};

enum advice_rc {
	ADVICE_EXCLUDE, /* the marked hits, and no fewer, would do */
	ADVICE_OWN_CHECK, /* a check of Yett's own refused: see advice_own */
	ADVICE_NONE, /* what refused is not among the hits */
};

/* The scores of a record. */
struct advice_score {
	uint32_t score, threshold;
	bool detected; /* nothing was stopped: all rules ran */
};

/* Marks the fewest hits, in the order of the record, without which no rule would
 * refuse by itself and the score would stay under the threshold; hits of one rule
 * and variable go together. */
enum advice_rc advice_choose(struct advice_hit *, size_t n, const struct advice_score *);
/* Is it a rule that compares the score, or only reports? Never to be excluded. */
bool advice_is_evaluation(uint32_t id);
/* The variable as the target of an exclusion; false where only the whole rule
 * can be excluded: TX, MATCHED_VAR and what else is no part of a request, and
 * names that the log has cut or masked. */
bool advice_target(struct span variable, struct text *target);
/* What to do about a check of Yett's own; static text. */
const char *advice_own(uint32_t id);

#endif
