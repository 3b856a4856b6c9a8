/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/store_inside.h - what the files of the store share. All of it, but for
 * cache_wait, lies in the one range of the store's heap. */
#ifndef YETT_CACHE_STORE_INSIDE_H
#define YETT_CACHE_STORE_INSIDE_H

#include <stdatomic.h>

#include "gateway/cache/heap.h"
#include "gateway/cache/shard.h"
#include "gateway/cache/store.h"

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

#endif
