/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/bans_window.h - have there been `after` refusals within the time
 * `within`? Never answers yes too early. Up to BANS_EXACT_MAX refusals are counted
 * exactly, by their times; more of them in slices of a sixteenth of the window, of
 * which the oldest is left out, so that the time counted over is between fifteen
 * sixteenths of `within` and all of it. Pure; redis keeps count the same way
 * (bans_client.lua). */
#ifndef YETT_BANS_WINDOW_H
#define YETT_BANS_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define BANS_EXACT_MAX	64
#define BANS_SLICES	16

struct bans_window {
	int64_t last_us;		/* the newest refusal */
	uint32_t n;			/* exact: times held; else: sum of slices */
	union {
		uint32_t times[BANS_EXACT_MAX];	/* ring; milliseconds, modulo 2^32 */
		struct {
			int64_t newest;		/* number of the slice */
			uint32_t count[BANS_SLICES];
		} slices;
	};
	uint32_t next;			/* of the ring */
};

/* Counts one refusal. `after` and `within_us` must stay what they are, or the
 * window begins anew (bans_window_clear). A clock that was put back forgets; a time
 * that is only a little earlier is one of a request that ended out of order. */
bool bans_window_add(struct bans_window *, uint32_t after, int64_t within_us,
    int64_t wall_us);
void bans_window_clear(struct bans_window *);

#endif
