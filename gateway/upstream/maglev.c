/* SPDX-License-Identifier: Apache-2.0 */
/* Maglev's table: members take turns, each taking the first free slot in an
 * order of its own. */
#include "config.h"

#include "gateway/upstream/maglev.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/upstream/mix.h"
#include "gateway/upstream/turns.h"

/* At least a hundred slots for each member (the paper's advice). */
#define SLOTS_SMALL 65537u
#define SLOTS_LARGE 655373u
#define SMALL_MEMBERS 655u
#define NOBODY UINT16_MAX

struct walker {
	uint64_t id;
	uint32_t weight;
	uint16_t member;
	uint32_t at, step; /* a walk over all slots: their number is prime */
};

static int
by_id(const void *a, const void *b)
{
	const struct walker *x = a, *y = b;

	if (x->id != y->id)
		return (x->id < y->id ? -1 : 1);
	return (x->member < y->member ? -1 : x->member > y->member);
}

static struct walker *
walkers_make(const uint64_t *ids, const uint32_t *weights, uint32_t n, uint32_t slots)
{
	struct walker *walkers;
	uint32_t i;

	walkers = mem_alloc(n * sizeof(*walkers));
	for (i = 0; i < n; i++) {
		walkers[i].id = ids[i];
		walkers[i].weight = weights[i];
		walkers[i].member = (uint16_t)i;
		walkers[i].at = (uint32_t)(mix64(ids[i]) % slots);
		walkers[i].step = (uint32_t)(mix64(~ids[i]) % (slots - 1)) + 1;
	}
	qsort(walkers, n, sizeof(*walkers), by_id);
	return (walkers);
}

static void
take_slot(struct maglev *maglev, struct walker *w)
{
	while (maglev->member[w->at] != NOBODY)
		w->at = (w->at + w->step) % maglev->n;
	maglev->member[w->at] = w->member;
}

void
maglev_init(
    struct maglev *maglev, const uint64_t *ids, const uint32_t *weights, uint32_t n)
{
	struct walker *walkers;
	uint32_t *sorted, filled, i;
	struct turns turns;

	memset(maglev, 0, sizeof(*maglev));
	if (n == 0)
		return;
	CHECK(n < NOBODY);
	maglev->n = n <= SMALL_MEMBERS ? SLOTS_SMALL : SLOTS_LARGE;
	maglev->member = mem_alloc(maglev->n * sizeof(*maglev->member));
	memset(maglev->member, 0xff, maglev->n * sizeof(*maglev->member));
	walkers = walkers_make(ids, weights, n, maglev->n);
	sorted = mem_alloc(n * sizeof(*sorted));
	for (i = 0; i < n; i++)
		sorted[i] = walkers[i].weight;
	turns_init(&turns, sorted, n);
	for (filled = 0; filled < maglev->n; filled++)
		take_slot(maglev, &walkers[turns.member[filled % turns.n]]);
	turns_free(&turns);
	free(sorted);
	free(walkers);
}

void
maglev_free(struct maglev *maglev)
{
	free(maglev->member);
	memset(maglev, 0, sizeof(*maglev));
}
