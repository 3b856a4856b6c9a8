/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/tally.h - counts of requests by what became of them. Each worker
 * thread writes its own; any thread may add them up. */
#ifndef YETT_TALLY_H
#define YETT_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TALLY_CLASSES 6	/* of the status: 0 is no answer, 2 is 2xx */
#define TALLY_REASONS 11

/* Audit reasons, and "other" for what is none of them. */
extern const char *const tally_reasons[TALLY_REASONS];

struct tally {
	atomic_uint_fast64_t answers[TALLY_CLASSES];
	atomic_uint_fast64_t blocked[TALLY_REASONS], detected[TALLY_REASONS];
};

/* `reason` NULL: neither refused nor detected. */
void tally_add(struct tally *, unsigned status, const char *reason, bool blocked);
/* Adds `more` to `sum`, which nobody else uses. */
void tally_sum(struct tally *sum, const struct tally *more);

#endif
