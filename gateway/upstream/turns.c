/* SPDX-License-Identifier: Apache-2.0 */
/* Smooth weighted round robin, one period. */
#include "config.h"

#include "gateway/upstream/turns.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
	uint64_t t;

	while (b != 0) {
		t = a % b;
		a = b;
		b = t;
	}
	return (a);
}

/* The least whole weights of the same proportions, at least 1 each. Returns
 * their sum. */
static uint32_t
least_weights(const uint32_t *weights, uint32_t n, uint32_t *least)
{
	uint64_t divisor = 0, sum = 0, w;
	uint32_t total = 0, i;

	for (i = 0; i < n; i++) {
		w = weights[i] != 0 ? weights[i] : 1;
		divisor = common_divisor(w, divisor);
		sum += w;
	}
	sum /= divisor;
	for (i = 0; i < n; i++) {
		w = (weights[i] != 0 ? weights[i] : 1) / divisor;
		/* What rounding up to 1 adds is less than the members. */
		if (sum > TURNS_MAX - n)
			w = w * (TURNS_MAX - n) / sum;
		least[i] = w != 0 ? (uint32_t)w : 1;
		total += least[i];
	}
	return (total);
}

void
turns_init(struct turns *turns, const uint32_t *weights, uint32_t n)
{
	uint32_t turn, best, i;
	int64_t *credit;
	uint16_t *had;

	memset(turns, 0, sizeof(*turns));
	if (n == 0)
		return;
	CHECK(n < TURNS_MAX);
	turns->weight = mem_alloc(n * sizeof(*turns->weight));
	turns->n = least_weights(weights, n, turns->weight);
	turns->member = mem_alloc(turns->n * sizeof(*turns->member));
	turns->ordinal = mem_alloc(turns->n * sizeof(*turns->ordinal));
	credit = mem_zalloc(n * sizeof(*credit));
	had = mem_zalloc(n * sizeof(*had));
	for (turn = 0; turn < turns->n; turn++) {
		best = 0;
		for (i = 0; i < n; i++) {
			credit[i] += turns->weight[i];
			if (credit[i] > credit[best])
				best = i;
		}
		credit[best] -= turns->n;
		turns->member[turn] = (uint16_t)best;
		turns->ordinal[turn] = had[best]++;
	}
	free(had);
	free(credit);
}

void
turns_free(struct turns *turns)
{
	free(turns->member);
	free(turns->ordinal);
	free(turns->weight);
	memset(turns, 0, sizeof(*turns));
}
