/* SPDX-License-Identifier: Apache-2.0 */
/* Retry budget. */
#include "config.h"

#include "gateway/upstream/budget.h"

#include "gateway/base/clock.h"

void
budget_init(struct budget *b, uint32_t percent, uint32_t per_second, int64_t window_us)
{
	b->percent = percent;
	b->per_second = per_second;
	b->window_us = window_us > WINDOW_LEAST_US ? window_us : WINDOW_LEAST_US;
	window_init(&b->window, window_us);
}

void
budget_request(struct budget *b, int64_t now_us)
{
	window_add(&b->window, now_us, 1, 0);
}

bool
budget_retry(struct budget *b, int64_t now_us)
{
	uint64_t requests, retries, may;

	/* Taken first and given back if it was too much: of those that ask at
	 * once the last one sees all. */
	window_add(&b->window, now_us, 0, 1);
	window_sum(&b->window, now_us, &requests, &retries);
	may = requests * b->percent / 100 +
	      (uint64_t)b->per_second * (uint64_t)b->window_us / CLOCK_SECOND;
	/* A count that is full no longer counts. */
	if (retries <= may && retries < WINDOW_PICKED_MAX)
		return (true);
	window_add(&b->window, now_us, 0, -1);
	return (false);
}
