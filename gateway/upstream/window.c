/* SPDX-License-Identifier: Apache-2.0 */
/* Two counts over a sliding window. */
#include "config.h"

#include "gateway/upstream/window.h"

#define PICKED_BITS 20
#define EVENTS_BITS 24
#define NUMBER_MASK UINT64_C(0xfffff)

static uint64_t
slot_number(const struct window *w, int64_t now_us)
{
	return ((uint64_t)(now_us > 0 ? now_us : 0) / (uint64_t)w->slot_us);
}

static uint64_t
picked_of(uint64_t word)
{
	return (word & WINDOW_PICKED_MAX);
}

static uint64_t
events_of(uint64_t word)
{
	return (word >> PICKED_BITS & WINDOW_EVENTS_MAX);
}

static uint64_t
number_of(uint64_t word)
{
	return (word >> (PICKED_BITS + EVENTS_BITS));
}

static uint64_t
plus(uint64_t count, int32_t more, uint64_t max)
{
	int64_t sum = (int64_t)count + more;

	if (sum < 0)
		return (0);
	return ((uint64_t)sum < max ? (uint64_t)sum : max);
}

void
window_init(struct window *w, int64_t window_us)
{
	w->slot_us =
	    (window_us > WINDOW_LEAST_US ? window_us : WINDOW_LEAST_US) / WINDOW_SLOTS;
	window_clear(w);
}

void
window_clear(struct window *w)
{
	int i;

	for (i = 0; i < WINDOW_SLOTS; i++)
		atomic_store(&w->slots[i], 0);
}

void
window_add(struct window *w, int64_t now_us, int32_t events, int32_t picked)
{
	uint64_t number = slot_number(w, now_us), old, word, had_events, had_picked;
	_Atomic uint64_t *slot = &w->slots[number % WINDOW_SLOTS];

	number &= NUMBER_MASK;
	old = atomic_load(slot);
	do {
		had_events = had_picked = 0;
		if (number_of(old) == number) {
			had_events = events_of(old);
			had_picked = picked_of(old);
		} else if (((number_of(old) - number) & NUMBER_MASK) <=
			       2 * WINDOW_SLOTS &&
			   old != 0) {
			return; /* this thread's time is a whole window late */
		}
		word = number << (PICKED_BITS + EVENTS_BITS) |
		       plus(had_events, events, WINDOW_EVENTS_MAX) << PICKED_BITS |
		       plus(had_picked, picked, WINDOW_PICKED_MAX);
	} while (!atomic_compare_exchange_weak(slot, &old, word));
}

void
window_sum(struct window *w, int64_t now_us, uint64_t *events_r, uint64_t *picked_r)
{
	uint64_t now = slot_number(w, now_us), word;
	int i;

	*events_r = *picked_r = 0;
	for (i = 0; i < WINDOW_SLOTS; i++) {
		word = atomic_load(&w->slots[i]);
		if (((now - number_of(word)) & NUMBER_MASK) >= WINDOW_SLOTS)
			continue;
		*events_r += events_of(word);
		*picked_r += picked_of(word);
	}
}
