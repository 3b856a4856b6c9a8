/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a shard: objects by key, and by tag. */
#include "config.h"

#include "gateway/cache/shard.h"

#include "gateway/base/check.h"

/* --- tags ---------------------------------------------------------------- */

static struct tag_link **
tag_bucket(const struct shard *shard, uint64_t tag)
{
	return (&shard->tags[(uint32_t)(tag >> 32) & shard->tag_mask]);
}

static struct tag_link *
tag_find(const struct shard *shard, uint64_t tag)
{
	struct tag_link *link;

	for (link = *tag_bucket(shard, tag); link != NULL; link = link->bucket_next)
		if (link->tag == tag)
			return (link);
	return (NULL);
}

static void
bucket_put(struct tag_link **at, struct tag_link *link)
{
	link->bucket_next = *at;
	link->bucket_back = at;
	if (link->bucket_next != NULL)
		link->bucket_next->bucket_back = &link->bucket_next;
	*at = link;
}

static void
bucket_take(struct tag_link *link)
{
	*link->bucket_back = link->bucket_next;
	if (link->bucket_next != NULL)
		link->bucket_next->bucket_back = link->bucket_back;
	link->bucket_next = NULL;
	link->bucket_back = NULL;
}

static void
tag_put(struct shard *shard, struct tag_link *link)
{
	struct tag_link *other = tag_find(shard, link->tag);

	link->next = link->previous = link;
	if (other == NULL) {
		bucket_put(tag_bucket(shard, link->tag), link);
		return;
	}
	link->next = other->next;
	link->previous = other;
	other->next->previous = link;
	other->next = link;
}

static void
tag_take(struct shard *shard, struct tag_link *link)
{
	struct tag_link *other = link->next;

	other->previous = link->previous;
	link->previous->next = other;
	if (link->bucket_back == NULL)
		return;
	bucket_take(link);
	if (other != link)
		bucket_put(tag_bucket(shard, other->tag), other);
}

struct object *
table_tagged(const struct shard *shard, uint64_t tag)
{
	struct tag_link *link = tag_find(shard, tag);

	return (link != NULL ? link->object : NULL);
}

/* --- keys ---------------------------------------------------------------- */

static struct object **
bucket_of(const struct shard *shard, const struct cache_key *key)
{
	return (&shard->buckets[store_slot(key) & shard->bucket_mask]);
}

static struct object *
first_from(struct object *object, const struct cache_key *key, struct span text)
{
	for (; object != NULL; object = object->bucket_next)
		if (store_same_key(&object->key, key) &&
		    span_eq(object->o.key_text, text))
			return (object);
	return (NULL);
}

struct object *
table_first(const struct shard *shard, const struct cache_key *key, struct span text)
{
	return (first_from(*bucket_of(shard, key), key, text));
}

struct object *
table_next(const struct object *object, const struct cache_key *key, struct span text)
{
	return (first_from(object->bucket_next, key, text));
}

struct object *
table_newest(const struct shard *shard, const struct cache_key *key, struct span text)
{
	struct object *object = table_first(shard, key, text), *newest = object;

	while (object != NULL) {
		if (object->o.validators.date_s > newest->o.validators.date_s)
			newest = object;
		object = table_next(object, key, text);
	}
	return (newest);
}

void
table_add(struct shard *shard, struct object *object, const struct object *instead)
{
	struct object **at = bucket_of(shard, &object->key);
	uint32_t i;

	lock_assert_held(&shard->lock);
	if (table_first(shard, &object->key, object->o.key_text) == NULL)
		shard->keys++;
	object->bucket_next = *at;
	*at = object;
	for (i = 0; i < object->n_tags; i++)
		tag_put(shard, &object->tags[i]);
	queues_add(shard, object, instead);
	shard->inserted++;
	atomic_fetch_add_explicit(&shard->objects, 1, memory_order_relaxed);
}

void
table_remove(struct shard *shard, struct object *object)
{
	struct object **at = bucket_of(shard, &object->key);
	uint32_t i;

	lock_assert_held(&shard->lock);
	while (*at != object)
		at = &(*at)->bucket_next;
	*at = object->bucket_next;
	for (i = 0; i < object->n_tags; i++)
		tag_take(shard, &object->tags[i]);
	queues_remove(shard, object);
	if (object->age != shard->age)
		shard->n_old--;
	if (table_first(shard, &object->key, object->o.key_text) == NULL)
		shard->keys--;
	atomic_fetch_sub_explicit(&shard->objects, 1, memory_order_relaxed);
}
