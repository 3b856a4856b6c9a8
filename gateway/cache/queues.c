/* SPDX-License-Identifier: Apache-2.0 */
/* S3-FIFO: what comes goes through a small queue first, and gets into the main one only
 * when it was asked for meanwhile, or comes again soon after it went. */
#include "config.h"

#include "gateway/cache/shard.h"

#include "gateway/base/check.h"

/* Objects looked at for one victim, so that the lock is held for short. */
#define LOOK_MAX 64

/* --- ghosts -------------------------------------------------------------- */

static uint64_t *
ghost_set(struct ghost *ghost, uint32_t fingerprint)
{
	return (&ghost->v[(size_t)(fingerprint % ghost->sets) * GHOST_WAYS]);
}

static uint32_t
ghost_age(const struct ghost *ghost, uint64_t entry)
{
	return (ghost->number - (uint32_t)entry);
}

static void
ghost_put(struct ghost *ghost, uint32_t fingerprint)
{
	uint64_t *set = ghost_set(ghost, fingerprint);
	unsigned i, oldest = 0;

	if (++ghost->number == 0)
		ghost->number = 1;
	for (i = 0; i < GHOST_WAYS; i++) {
		if (set[i] == 0 || set[i] >> 32 == fingerprint) {
			oldest = i;
			break;
		}
		if (ghost_age(ghost, set[i]) > ghost_age(ghost, set[oldest]))
			oldest = i;
	}
	set[oldest] = (uint64_t)fingerprint << 32 | ghost->number;
}

/* Was it among the last `n`? Not any more then. */
static bool
ghost_take(struct ghost *ghost, uint32_t fingerprint, uint64_t n)
{
	uint64_t *set = ghost_set(ghost, fingerprint), entry;
	unsigned i;

	for (i = 0; i < GHOST_WAYS; i++) {
		entry = set[i];
		if (entry == 0 || entry >> 32 != fingerprint)
			continue;
		set[i] = 0;
		return (ghost_age(ghost, entry) <= n);
	}
	return (false);
}

/* --- queues -------------------------------------------------------------- */

static struct queue *
queue_of(struct shard *shard, const struct object *object)
{
	return (object->place == PLACE_MAIN ? &shard->main : &shard->small);
}

static void
push(struct shard *shard, struct object *object, enum place place)
{
	struct queue *q;

	object->place = (uint8_t)place;
	q = queue_of(shard, object);
	object->newer = NULL;
	object->older = q->newest;
	if (q->newest != NULL)
		q->newest->newer = object;
	else
		q->oldest = object;
	q->newest = object;
	q->bytes += object->cost;
	q->n++;
}

void
queues_remove(struct shard *shard, struct object *object)
{
	struct queue *q = queue_of(shard, object);

	CHECK(object->place != PLACE_NONE);
	if (object->newer != NULL)
		object->newer->older = object->older;
	else
		q->newest = object->older;
	if (object->older != NULL)
		object->older->newer = object->newer;
	else
		q->oldest = object->newer;
	object->newer = object->older = NULL;
	object->place = PLACE_NONE;
	q->bytes -= object->cost;
	q->n--;
}

void
queues_grow(struct shard *shard, struct object *object, uint64_t cost)
{
	queue_of(shard, object)->bytes += cost;
	object->cost += cost;
}

static void
move(struct shard *shard, struct object *object, enum place place)
{
	queues_remove(shard, object);
	push(shard, object, place);
}

void
queues_add(struct shard *shard, struct object *object, const struct object *instead)
{
	uint64_t n = shard->main.n + shard->small.n;
	unsigned char hits = 0;

	object->age = shard->age;
	if (instead != NULL) {
		hits = atomic_load_explicit(&instead->hits, memory_order_relaxed);
		atomic_store_explicit(&object->hits, hits, memory_order_relaxed);
		push(shard, object, (enum place)instead->place);
	} else if (ghost_take(&shard->ghost, object->fingerprint, n)) {
		push(shard, object, PLACE_MAIN);
	} else
		push(shard, object, PLACE_SMALL);
}

/* Somebody reads it: to take it out would give nothing back. */
static bool
is_read(const struct object *object)
{
	return (atomic_load_explicit(&object->refs, memory_order_relaxed) > 1);
}

static struct object *
from_small(struct shard *shard, unsigned *looks)
{
	struct object *object;
	unsigned hits;

	while ((object = shard->small.oldest) != NULL && *looks > 0) {
		(*looks)--;
		hits = atomic_load_explicit(&object->hits, memory_order_relaxed);
		if (hits <= 1 && !is_read(object)) {
			ghost_put(&shard->ghost, object->fingerprint);
			return (object);
		}
		atomic_store_explicit(&object->hits, 0, memory_order_relaxed);
		move(shard, object, PLACE_MAIN);
	}
	return (NULL);
}

static struct object *
from_main(struct shard *shard, unsigned *looks)
{
	struct object *object;
	unsigned hits;

	while ((object = shard->main.oldest) != NULL && *looks > 0) {
		(*looks)--;
		hits = atomic_load_explicit(&object->hits, memory_order_relaxed);
		/* The last one goes, whatever it was asked for: work has an end. */
		if (!is_read(object) && (hits == 0 || *looks == 0))
			return (object);
		if (hits > 0)
			atomic_store_explicit(&object->hits, (unsigned char)(hits - 1),
			    memory_order_relaxed);
		move(shard, object, PLACE_MAIN);
	}
	return (NULL);
}

struct object *
queues_victim(struct shard *shard)
{
	uint64_t bytes = shard->small.bytes + shard->main.bytes;
	struct object *object = NULL;
	unsigned looks = LOOK_MAX;

	lock_assert_held(&shard->lock);
	/* A tenth of what there is, in bytes. */
	if (shard->small.bytes >= bytes / 10 || shard->main.n == 0)
		object = from_small(shard, &looks);
	/* Looks of its own: where all that is small was asked for, somebody goes, too. */
	looks = LOOK_MAX;
	if (object == NULL)
		object = from_main(shard, &looks);
	looks = LOOK_MAX;
	if (object == NULL)
		object = from_small(shard, &looks);
	if (object == NULL)
		return (NULL);
	table_remove(shard, object);
	shard->evicted++;
	return (object);
}

/* --- all that is there now ------------------------------------------------- */

void
queues_outdate(struct shard *shard)
{
	lock_assert_held(&shard->lock);
	shard->age++;
	shard->n_old = shard->small.n + shard->main.n;
}

struct object *
queues_old(struct shard *shard)
{
	struct object *object = shard->small.oldest;

	lock_assert_held(&shard->lock);
	/* In the order in which they came; not so in the main one. */
	if (object != NULL && object->age != shard->age)
		return (object);
	object = shard->main.oldest;
	if (object == NULL || object->age != shard->age)
		return (object);
	move(shard, object, PLACE_MAIN);
	return (NULL);
}
