/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/shard.h - one shard of the store: its tables, its queues, and what is
 * done with them under its lock. */
#ifndef YETT_CACHE_SHARD_H
#define YETT_CACHE_SHARD_H

#include "gateway/cache/object_inside.h"

struct queue {
	struct object *newest, *oldest;
	uint64_t bytes, n;
};

/* Keys whose objects went before they were asked for twice, with the number of the one
 * that went: 0 is none. Sets of GHOST_WAYS. */
#define GHOST_WAYS 4
struct ghost {
	uint64_t *v;		/* fingerprint << 32 | number */
	uint32_t sets;
	uint32_t number;
};

struct flight;

#define MARK_WAYS 4
struct mark {
	uint64_t name;		/* second half of the key */
	int64_t until_us;	/* 0: none */
};

/* When a key was purged last, by a part of its hash. Two keys may share a place: then
 * an answer is not kept that could have been, never the other way. */
#define PURGE_SLOTS 64

struct shard {
	struct lock lock;
	struct object **buckets;	/* by key; newest first */
	struct tag_link **tags;		/* by tag */
	struct flight **flights;	/* those that may be joined, by key */
	struct mark *marks;
	uint32_t bucket_mask, tag_mask, flight_mask, mark_sets;
	struct queue small, main;
	struct ghost ghost;
	int64_t purged_us[PURGE_SLOTS];
	uint64_t keys, inserted, evicted, purged, n_flights;
	/* Purges of all it has begun; objects of before the last one. */
	uint32_t age;
	uint64_t n_old;
	atomic_uint_least64_t objects;
};

/* The low bits chose the shard. */
static inline uint32_t
store_slot(const struct cache_key *key)
{
	return ((uint32_t)(key->half[0] >> 32));
}

static inline bool
store_same_key(const struct cache_key *a, const struct cache_key *b)
{
	return (a->half[0] == b->half[0] && a->half[1] == b->half[1]);
}

/* Of all functions here the shard's lock is held. */

/* --- S3-FIFO (queues.c) ------------------------------------------------- */

/* Into the queue that it belongs in; `instead` (may be NULL) left its place to it. */
void queues_add(struct shard *, struct object *, const struct object *instead);
void queues_remove(struct shard *, struct object *);
void queues_grow(struct shard *, struct object *, uint64_t cost);
/* What is in them now is old, and goes. */
void queues_outdate(struct shard *);
/* The next old one; NULL: not found at once, if n_old is not 0. */
struct object *queues_old(struct shard *);
/* Takes the one that goes next out of the store; NULL: none that would help. */
struct object *queues_victim(struct shard *);

/* --- table and tags (table.c) ------------------------------------------ */

void table_add(struct shard *, struct object *, const struct object *instead);
/* Out of table, queue and tags. The store's reference is the caller's then. */
void table_remove(struct shard *, struct object *);
struct object *table_first(const struct shard *, const struct cache_key *, struct span);
struct object *table_next(const struct object *, const struct cache_key *, struct span);
/* The newest by Date, NULL: none. */
struct object *table_newest(const struct shard *, const struct cache_key *, struct span);
/* One object with that tag, or NULL. */
struct object *table_tagged(const struct shard *, uint64_t tag);

/* --- hit-for-miss (marks.c) -------------------------------------------- */

void marks_set(struct shard *, const struct cache_key *, int64_t until_us,
    int64_t now_us);
bool marks_have(const struct shard *, const struct cache_key *, int64_t now_us);
void marks_drop(struct shard *, const struct cache_key *);
void marks_drop_all(struct shard *);
uint64_t marks_count(const struct shard *, int64_t now_us);

/* --- flights (flight.c) ------------------------------------------------- */

/* Nobody joins them any more. */
void flights_detach(struct shard *, const struct cache_key *, struct span key_text);
void flights_detach_all(struct shard *);
/* Those that landed with this tag. */
void flights_detach_tagged(struct shard *, uint64_t tag);

#endif
