/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/table.h - what this process knows of each key of a limit: a bucket
 * of its own, tokens on lease from Redis, until when it is denied. Fixed memory,
 * sharded; a set of a few slots per hash, and the slot that is given up is one
 * whose loss loses least: never one that is being denied. Shared by threads: an
 * entry is used between table_enter and table_leave only, which hold its shard's
 * lock: no call out in between. */
#ifndef YETT_RATELIMIT_TABLE_H
#define YETT_RATELIMIT_TABLE_H

#include "ratelimit/bucket.h"

/* A key and its limit as 128 bits of keyed hash; all zero is nobody's. */
struct table_key { uint64_t a, b; };

struct table_entry {
	struct table_key key;
	struct bucket bucket;		/* without Redis: all there is; else the share */
	int64_t seen_us;
	int64_t denied_until_us;	/* 0: not denied */
	int64_t denied_reset_us;	/* then the bucket is full: for the fields */
	int64_t trip_us;		/* when Redis was last asked */
	int64_t lease_until_us;
	uint32_t lease;			/* tokens in hand */
	uint32_t remaining;		/* and in Redis, when it last said so */
	uint32_t asked;			/* tokens wanted since demand_us */
	uint32_t demand;		/* tokens per second, smoothed */
	int64_t demand_us;
	int64_t forgotten_us;		/* reset by hand then; 0: never */
	bool asking;			/* a trip for more tokens is under way */
	bool denied_alone;		/* by `bucket`: Redis has not said so */
};

struct table;
/* `entries`: rounded up to a power of two, at least 512. Memory is touched as
 * keys come: about 120 bytes each. */
struct table *table_new(uint32_t entries);
void table_free(struct table **);

/* The entry of the key, a fresh one (all zero but the key) where there was none.
 * NULL, and nothing to leave: every slot it could have is being denied.
 * `now_us`: the time. */
struct table_entry *table_enter(struct table *, struct table_key, int64_t now_us);
void table_leave(struct table *, struct table_entry *);

/* Slots there are and slots in use; keys forgotten for others; times that nobody
 * could be forgotten. */
struct table_figures { uint64_t entries, used, evicted, full; };
void table_figures(struct table *, struct table_figures *figures_r);

#endif
