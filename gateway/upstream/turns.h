/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/turns.h - one period of smooth weighted round robin, laid out
 * once: each step every member gains its weight, the richest has the turn and
 * pays the sum of all, so that turns of one member lie apart. Immutable. */
#ifndef YETT_UPSTREAM_TURNS_H
#define YETT_UPSTREAM_TURNS_H

#include <stdint.h>

/* Longest period; weights are scaled to it (each at least 1). */
#define TURNS_MAX 16384u

struct turns {
	uint16_t *member; /* whose turn it is */
	uint16_t *ordinal; /* how many turns it had before, in this period */
	uint32_t *weight; /* of each member: its turns in one period */
	uint32_t n; /* turns of a period; 0: no members */
};

/* `n` weights, at most TURNS_MAX of them; 0 counts as 1. */
void turns_init(struct turns *, const uint32_t *weights, uint32_t n);
void turns_free(struct turns *);

#endif
