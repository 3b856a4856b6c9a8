/* SPDX-License-Identifier: Apache-2.0 */
/* A sliding window: a ring of times when few are needed, else slices. */
#include "config.h"

#include "gateway/access/bans_window.h"

#include "gateway/base/clock.h"

#include <string.h>

void
bans_window_clear(struct bans_window *w)
{
	memset(w, 0, sizeof(*w));
}

static bool
add_time(struct bans_window *w, uint32_t after, int64_t within_us, int64_t wall_us)
{
	uint32_t now = (uint32_t)(wall_us / CLOCK_MS), oldest;

	w->times[w->next] = now;
	w->next = (w->next + 1) % after;
	if (w->n < after)
		w->n++;
	if (w->n < after)
		return (false);
	oldest = w->times[w->next];
	return ((uint32_t)(now - oldest) <= (uint64_t)(within_us / CLOCK_MS));
}

static bool
add_to_slice(struct bans_window *w, uint32_t after, int64_t within_us, int64_t wall_us)
{
	int64_t slice = wall_us / (within_us / BANS_SLICES), i;
	uint32_t *count = w->slices.count;

	for (i = w->slices.newest + 1; i <= slice && w->n > 0; i++) {
		w->n -= count[i % BANS_SLICES];
		count[i % BANS_SLICES] = 0;
	}
	w->slices.newest = slice;
	count[slice % BANS_SLICES]++;
	w->n++;
	return (w->n >= after);
}

bool
bans_window_add(struct bans_window *w, uint32_t after, int64_t within_us, int64_t wall_us)
{
	if (wall_us > w->last_us ? wall_us - w->last_us > within_us
				 : w->last_us - wall_us > within_us)
		bans_window_clear(w);
	/* requests that end out of order */
	if (wall_us < w->last_us)
		wall_us = w->last_us;
	w->last_us = wall_us;
	if (after <= BANS_EXACT_MAX)
		return (add_time(w, after, within_us, wall_us));
	return (add_to_slice(w, after, within_us, wall_us));
}
