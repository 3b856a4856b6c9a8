/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/store_inside.h - what the files of the store share. All of it, but for
 * cache_wait, lies in the one range of the store's heap. */
#ifndef YETT_CACHE_STORE_INSIDE_H
#define YETT_CACHE_STORE_INSIDE_H

#include <stdatomic.h>

#include "gateway/cache/heap.h"
#include "gateway/cache/object_inside.h"
#include "gateway/cache/store.h"

/* --- shards -------------------------------------------------------------- */

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
	atomic_uint_least64_t objects;
};

#define SHARDS_MAX	64
#define WAITER_LOCKS	64
#define TAG_SLOTS	1024

/* Pages are given up one by one; elsewhere nothing is lent. */
#define STORE_PAGE ((size_t)4096)

#define STORE_MAGIC 0x57041001u
struct cache_store {
	unsigned magic;
	uint64_t memory, fixed, max_object;
	int fd;					/* the same memory as a file, or -1 */
	atomic_uint_least64_t lost;		/* bytes that could not be taken back */
	struct hash_key secret;			/* of tags */
	unsigned n_shards;
	struct shard *shards;
	atomic_uint hand;			/* the shard that gives next */
	atomic_uint_least64_t refused, followers;
	atomic_int_least64_t all_purged_us;
	atomic_int_least64_t tag_purged_us[TAG_SLOTS];	/* as purged_us */
	struct lock waiters[WAITER_LOCKS];
	struct heap heap;
};

static inline struct shard *
store_shard(struct cache_store *store, const struct cache_key *key)
{
	return (&store->shards[key->half[0] % store->n_shards]);
}

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

static inline struct lock *
store_waiters(struct cache_store *store, const void *of)
{
	return (&store->waiters[((uintptr_t)of >> 6) % WAITER_LOCKS]);
}

/* Memory; objects go for it where there is none. No lock of the store is held. NULL: no
 * room, counted. */
void *store_alloc(struct cache_store *, size_t size);
/* The same, but where no hole is large enough after as much went as is needed, what is
 * smaller than `most` and not than `least` will do. `credit`: what went for it and was
 * not used yet, kept from one piece of a body to the next. */
void *store_alloc_most(struct cache_store *, size_t least, size_t most, uint64_t *credit);
/* Who has these whole pages as a file keeps what is in them; the range is zeros then.
 * False: it must not be written to any more. */
bool store_detach(struct cache_store *, char *from, char *to);
/* A body was added to an object that may be stored. */
void store_grown(struct object *, uint64_t cost);
/* When one of its tags was purged last (purge.c). */
int64_t store_tags_purged(const struct object *);

/* --- S3-FIFO (queues.c); the shard's lock is held --------------------------- */

/* Into the queue that it belongs in; `instead` (may be NULL) left its place to it. */
void queues_add(struct shard *, struct object *, const struct object *instead);
void queues_remove(struct shard *, struct object *);
void queues_grow(struct shard *, struct object *, uint64_t cost);
/* Takes the one that goes next out of the store; NULL: none that would help. */
struct object *queues_victim(struct shard *);

/* --- table and tags (table.c); the shard's lock is held ------------------ */

void table_add(struct shard *, struct object *, const struct object *instead);
/* Out of table, queue and tags. The store's reference is the caller's then. */
void table_remove(struct shard *, struct object *);
struct object *table_first(const struct shard *, const struct cache_key *, struct span);
struct object *table_next(const struct object *, const struct cache_key *, struct span);
/* The newest by Date, NULL: none. */
struct object *table_newest(const struct shard *, const struct cache_key *, struct span);
/* One object with that tag, or NULL. */
struct object *table_tagged(const struct shard *, uint64_t tag);

/* --- hit-for-miss (marks.c); the shard's lock is held -------------------- */

void marks_set(struct shard *, const struct cache_key *, int64_t until_us,
    int64_t now_us);
bool marks_have(const struct shard *, const struct cache_key *, int64_t now_us);
void marks_drop(struct shard *, const struct cache_key *);
void marks_drop_all(struct shard *);
uint64_t marks_count(const struct shard *, int64_t now_us);

/* --- flights (flight.c); the shard's lock is held ------------------------ */

/* Nobody joins them any more. */
void flights_detach(struct shard *, const struct cache_key *, struct span key_text);
void flights_detach_all(struct shard *);
/* Those that landed with this tag. */
void flights_detach_tagged(struct shard *, uint64_t tag);

#endif
