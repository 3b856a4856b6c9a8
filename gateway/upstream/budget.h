/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/budget.h - how many retries a pool may make: a part of its
 * requests of the last seconds, and some per second however few those are (as
 * Finagle's RetryBudget, and Envoy's retry_budget, which counts what is open
 * instead). Without it an origin that fails under load gets a multiple of it.
 * Any thread, no lock; time is an argument. */
#ifndef YETT_UPSTREAM_BUDGET_H
#define YETT_UPSTREAM_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/upstream/window.h"

/* Finagle's figures. */
#define BUDGET_PERCENT 20
#define BUDGET_PER_SECOND 10
#define BUDGET_WINDOW_US INT64_C(10000000)

struct budget {
	uint32_t percent, per_second;
	int64_t window_us;
	struct window window;
};

void
budget_init(struct budget *, uint32_t percent, uint32_t per_second, int64_t window_us);
/* A request (its first try). */
void budget_request(struct budget *, int64_t now_us);
/* May there be one more retry? Then it is counted. Never says yes to more than
 * the budget has, however many threads ask at once; two that ask for the last
 * one may both get a no. */
bool budget_retry(struct budget *, int64_t now_us);

#endif
