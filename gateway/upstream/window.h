/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/window.h - two counts over a sliding window, in ten slots of
 * one atomic word each. Any thread, no lock; time is an argument, in microseconds
 * of any one clock. The window reaches back between nine tenths of its length
 * and all of it. */
#ifndef YETT_UPSTREAM_WINDOW_H
#define YETT_UPSTREAM_WINDOW_H

#include <stdatomic.h>
#include <stdint.h>

#define WINDOW_SLOTS 10
#define WINDOW_LEAST_US INT64_C(100000)

/* Counts of one slot stop at these. */
#define WINDOW_EVENTS_MAX ((1u << 24) - 1)
#define WINDOW_PICKED_MAX ((1u << 20) - 1)

struct window {
	int64_t slot_us;
	/* From the top: 20 bits of the slot's number, so that an old one is known
	 * (one that is 2^20 slots old would not be: a day at least, and then it
	 * counts a slot's worth too much); 24 bits of events; 20 of those picked
	 * out. */
	_Atomic uint64_t slots[WINDOW_SLOTS];
};

/* At least WINDOW_LEAST_US long; shorter ones become that. */
void window_init(struct window *, int64_t window_us);
/* Adds; a negative number takes back what was added a moment ago, and nothing
 * where its slot is gone. */
void window_add(struct window *, int64_t now_us, int32_t events, int32_t picked);
void window_sum(struct window *, int64_t now_us, uint64_t *events_r, uint64_t *picked_r);
void window_clear(struct window *);

#endif
