/* SPDX-License-Identifier: Apache-2.0 */
/* The table of keys: shards of sets of slots. */
#include "config.h"

#include "ratelimit/table.h"

#include "gateway/base/check.h"
#include "gateway/base/lock.h"

#include <sys/mman.h>

#include <stdlib.h>

#define TABLE_MAGIC 0x7ab1e511u
#define SHARD_BITS 6
#define SHARDS (1u << SHARD_BITS)
#define SLOTS 8u

/* The tags of a set lie in one cache line: a look at it tells all but always
 * which slot it is. */
struct set {
	uint64_t tags[SLOTS]; /* 0: the slot is free */
	struct table_entry slots[SLOTS];
};

struct shard {
	_Alignas(64) struct lock lock;
	uint64_t used, evicted, full;
};

struct table {
	unsigned magic;
	uint32_t sets; /* of a shard; a power of two */
	size_t size; /* bytes at `all` */
	struct set *all;
	struct shard *shards;
};

/* A slot to put an entry in. */
struct place {
	struct set *set;
	unsigned slot;
};

struct table *
table_new(uint32_t entries)
{
	struct table *table = mem_zalloc(sizeof(*table));
	unsigned i;

	table->magic = TABLE_MAGIC;
	table->sets = 1;
	while ((uint64_t)table->sets * SHARDS * SLOTS < entries)
		table->sets *= 2;
	table->size = (size_t)table->sets * SHARDS * sizeof(struct set);
	table->all = mmap(NULL, table->size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(table->all != MAP_FAILED);
	/* Keys fall anywhere: with huge pages a few hundred would touch it all. */
	(void)madvise(table->all, table->size, MADV_NOHUGEPAGE);
	table->shards =
	    aligned_alloc(_Alignof(struct shard), SHARDS * sizeof(struct shard));
	CHECK(table->shards != NULL);
	for (i = 0; i < SHARDS; i++) {
		table->shards[i] = (struct shard){ .used = 0 };
		lock_init(&table->shards[i].lock, LOCK_LIMITS);
	}
	return (table);
}

void
table_free(struct table **table_p)
{
	struct table *table = *table_p;
	unsigned i;

	*table_p = NULL;
	if (table == NULL)
		return;
	CHECK_OBJ(table, TABLE_MAGIC);
	for (i = 0; i < SHARDS; i++)
		lock_destroy(&table->shards[i].lock);
	free(table->shards);
	CHECK(munmap(table->all, table->size) == 0);
	table->magic = 0;
	free(table);
}

static unsigned
shard_of(struct table_key key)
{
	return ((unsigned)(key.a >> (64 - SHARD_BITS)));
}

static uint64_t
tag_of(struct table_key key)
{
	return (key.a != 0 ? key.a : 1);
}

/* The two sets that a key may be in; both are the shard's. */
static void
sets_of(const struct table *table, struct table_key key, struct set *sets_r[2])
{
	struct set *first = &table->all[(size_t)shard_of(key) * table->sets];

	sets_r[0] = &first[key.a & (table->sets - 1)];
	sets_r[1] = &first[key.b & (table->sets - 1)];
}

static struct table_entry *
find(struct set *set, struct table_key key)
{
	uint64_t tag = tag_of(key);
	unsigned i;

	for (i = 0; i < SLOTS; i++)
		if (set->tags[i] == tag && set->slots[i].key.a == key.a &&
		    set->slots[i].key.b == key.b)
			return (&set->slots[i]);
	return (NULL);
}

static unsigned
free_slots(const struct set *set, unsigned *slot_r)
{
	unsigned i, n = 0;

	for (i = 0; i < SLOTS; i++)
		if (set->tags[i] == 0) {
			*slot_r = i;
			n++;
		}
	return (n);
}

/* A free slot, in the emptier set: that is what lets a table of small sets
 * become nearly full before it has to forget anybody. */
static bool
find_free(struct set *sets[2], struct place *place_r)
{
	unsigned slots[2] = { 0, 0 };
	unsigned n[2] = { free_slots(sets[0], &slots[0]),
		free_slots(sets[1], &slots[1]) };
	unsigned which = n[1] > n[0];

	*place_r = (struct place){ sets[which], slots[which] };
	return (n[which] > 0);
}

/* What is lost with an entry: the time its bucket takes to be full; a lease or a
 * trip under way is a little more than nothing. */
static int64_t
loss(const struct table_entry *e, int64_t now_us)
{
	bool busy = (e->lease > 0 && e->lease_until_us > now_us) || e->asking;

	if (bucket_is_full(&e->bucket, now_us))
		return (busy);
	return (e->bucket.full_at_us > now_us ? e->bucket.full_at_us - now_us : 1);
}

/* The slot to give up: least loss first, then the one longest not seen; never
 * one that is being denied. */
static bool
find_victim(struct set *sets[2], int64_t now_us, struct place *place_r)
{
	const struct table_entry *best = NULL;
	int64_t least = INT64_MAX, this;
	unsigned i;

	for (i = 0; i < 2 * SLOTS; i++) {
		struct place place = { sets[i / SLOTS], i % SLOTS };
		const struct table_entry *e = &place.set->slots[place.slot];

		if (e->denied_until_us > now_us)
			continue;
		this = loss(e, now_us);
		if (best != NULL &&
		    (this > least || (this == least && e->seen_us >= best->seen_us)))
			continue;
		best = e;
		least = this;
		*place_r = place;
	}
	return (best != NULL);
}

static struct table_entry *
settle(struct place place, struct table_key key)
{
	struct table_entry *e = &place.set->slots[place.slot];

	*e = (struct table_entry){ .key = key };
	place.set->tags[place.slot] = tag_of(key);
	return (e);
}

struct table_entry *
table_enter(struct table *table, struct table_key key, int64_t now_us)
{
	struct table_entry *e;
	struct shard *shard;
	struct set *sets[2];
	struct place place;

	CHECK_OBJ(table, TABLE_MAGIC);
	sets_of(table, key, sets);
	shard = &table->shards[shard_of(key)];
	lock_take(&shard->lock);
	e = find(sets[0], key);
	if (e == NULL)
		e = find(sets[1], key);
	if (e == NULL && find_free(sets, &place)) {
		e = settle(place, key);
		shard->used++;
	} else if (e == NULL && find_victim(sets, now_us, &place)) {
		e = settle(place, key);
		shard->evicted++;
	}
	if (e == NULL) {
		shard->full++;
		lock_release(&shard->lock);
		return (NULL);
	}
	e->seen_us = now_us;
	return (e);
}

void
table_leave(struct table *table, struct table_entry *e)
{
	CHECK_OBJ(table, TABLE_MAGIC);
	lock_release(&table->shards[shard_of(e->key)].lock);
}

void
table_figures(struct table *table, struct table_figures *figures_r)
{
	unsigned i;

	CHECK_OBJ(table, TABLE_MAGIC);
	*figures_r =
	    (struct table_figures){ .entries = (uint64_t)table->sets * SHARDS * SLOTS };
	for (i = 0; i < SHARDS; i++) {
		struct shard *shard = &table->shards[i];

		lock_take(&shard->lock);
		figures_r->used += shard->used;
		figures_r->evicted += shard->evicted;
		figures_r->full += shard->full;
		lock_release(&shard->lock);
	}
}
