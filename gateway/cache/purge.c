/* SPDX-License-Identifier: Apache-2.0 */
/* Taking out: by key, by tag, all; and what is under way meanwhile. */
#include "config.h"

#include "gateway/cache/store_inside.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

/* Objects taken out at once, so that the lock is held for short. */
#define BATCH 64

/* Times only go up, whoever comes first. */
static void
raise_to(atomic_int_least64_t *time_us, int64_t now_us)
{
	int64_t was = atomic_load(time_us);

	while (was < now_us && !atomic_compare_exchange_weak(time_us, &was, now_us))
		continue;
}

static atomic_int_least64_t *
tag_time(struct cache_store *store, uint64_t tag)
{
	return (&store->tag_purged_us[(uint32_t)tag % TAG_SLOTS]);
}

int64_t
store_tags_purged(const struct object *object)
{
	int64_t latest = INT64_MIN, at;
	uint32_t i;

	for (i = 0; i < object->n_tags; i++) {
		at = atomic_load(tag_time(object->o.store, object->tags[i].tag));
		if (at > latest)
			latest = at;
	}
	return (latest);
}

/* With the lock: out of the store, onto the list. */
static void
take_out(struct shard *shard, struct object *object, struct object **list)
{
	table_remove(shard, object);
	shard->purged++;
	object->bucket_next = *list;
	*list = object;
}

/* Without the lock. */
static unsigned
give_back(struct object *list)
{
	struct cache_object *o;
	unsigned n;

	for (n = 0; list != NULL; n++) {
		o = &list->o;
		list = list->bucket_next;
		cache_object_free(&o);
	}
	return (n);
}

unsigned
cache_store_purge_key(
    struct cache_store *store, const struct cache_key *key, struct span key_text)
{
	struct object *object, *list = NULL;
	int64_t now_us = clock_mono_us(), *slot;
	struct shard *shard;

	CHECK_OBJ(store, STORE_MAGIC);
	shard = store_shard(store, key);
	lock_take(&shard->lock);
	slot = &shard->purged_us[store_slot(key) % PURGE_SLOTS];
	if (*slot < now_us)
		*slot = now_us;
	while ((object = table_first(shard, key, key_text)) != NULL)
		take_out(shard, object, &list);
	marks_drop(shard, key);
	flights_detach(shard, key, key_text);
	lock_release(&shard->lock);
	return (give_back(list));
}

unsigned
cache_store_purge_tag(struct cache_store *store, struct span tag)
{
	uint64_t name = hash_bytes(&store->secret, tag.p, tag.n);
	unsigned i, n, total = 0;
	struct object *object, *list;
	struct shard *shard;

	CHECK_OBJ(store, STORE_MAGIC);
	/* Before the first shard: what is put into it later finds it. */
	raise_to(tag_time(store, name), clock_mono_us());
	for (i = 0; i < store->n_shards; i++) {
		shard = &store->shards[i];
		do {
			list = NULL;
			lock_take(&shard->lock);
			flights_detach_tagged(shard, name);
			for (n = 0; n < BATCH; n++) {
				object = table_tagged(shard, name);
				if (object == NULL)
					break;
				take_out(shard, object, &list);
			}
			lock_release(&shard->lock);
			total += give_back(list);
		} while (n == BATCH);
	}
	return (total);
}

static uint64_t
purge_shard(struct shard *shard)
{
	struct object *object, *list;
	uint64_t total = 0;
	unsigned n;
	bool more;

	lock_take(&shard->lock);
	marks_drop_all(shard);
	flights_detach_all(shard);
	/* What comes meanwhile is newer, and not meant. */
	queues_outdate(shard);
	lock_release(&shard->lock);
	do {
		list = NULL;
		lock_take(&shard->lock);
		for (n = 0; n < BATCH && shard->n_old > 0; n++) {
			object = queues_old(shard);
			if (object != NULL)
				take_out(shard, object, &list);
		}
		more = shard->n_old > 0;
		lock_release(&shard->lock);
		total += give_back(list);
	} while (more);
	return (total);
}

uint64_t
cache_store_purge_all(struct cache_store *store)
{
	uint64_t total = 0;
	unsigned i;

	CHECK_OBJ(store, STORE_MAGIC);
	raise_to(&store->all_purged_us, clock_mono_us());
	for (i = 0; i < store->n_shards; i++)
		total += purge_shard(&store->shards[i]);
	return (total);
}
