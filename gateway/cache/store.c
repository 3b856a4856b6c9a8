/* SPDX-License-Identifier: Apache-2.0 */
/* The store: its memory, and what is asked of it and put into it. */
#include "config.h"

#include "gateway/cache/store_inside.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Evictions for one allocation: then it is refused, so that no loop stands still. */
#define EVICTIONS_MAX 65536
/* Evicted beyond what is missing before smaller pieces are taken. */
#define SEARCH_SLACK ((size_t)64 * 1024)
/* Pieces smaller than that only where there is nothing else. Larger holes are rare where
 * many small objects come and go: what goes next lies far apart. */
#define PIECE_FAIR ((size_t)8192)

/* --- making -------------------------------------------------------------- */

/* The tables of one shard, by what an entry of each stands for, in bytes of memory. */
struct plan {
	unsigned shards;
	uint32_t buckets, tags, flights, mark_sets, ghost_sets;
};

static uint32_t
entries(uint64_t memory, uint64_t bytes_each, uint32_t least, uint32_t most)
{
	uint64_t n = memory / bytes_each;
	uint32_t power = least;

	while (power < most && power * UINT64_C(2) <= n)
		power *= 2;
	return (power);
}

static struct plan
plan_for(uint64_t memory)
{
	struct plan plan;
	uint64_t share;

	plan.shards = memory < UINT64_C(64) << 20 ? 16 : SHARDS_MAX;
	share = memory / plan.shards;
	plan.buckets = entries(share, 2048, 8, UINT32_C(1) << 28);
	plan.tags = entries(share, 16384, 8, UINT32_C(1) << 24);
	plan.flights = entries(share, 65536, 8, 256);
	plan.mark_sets = entries(share, 65536, 4, 1024);
	plan.ghost_sets = entries(share, 16384, 8, UINT32_C(1) << 24);
	return (plan);
}

/* Takes `size` bytes off the front of what is left. They are zeros. */
static void *
carve(char **at, size_t size)
{
	void *p = *at;

	*at += (size + 63) & ~(size_t)63;
	return (p);
}

static void
shard_init(struct shard *shard, const struct plan *plan, char **at)
{
	unsigned i;

	lock_init(&shard->lock, LOCK_CACHE_SHARD);
	shard->buckets = carve(at, plan->buckets * sizeof(*shard->buckets));
	shard->bucket_mask = plan->buckets - 1;
	shard->tags = carve(at, plan->tags * sizeof(*shard->tags));
	shard->tag_mask = plan->tags - 1;
	shard->flights = carve(at, plan->flights * sizeof(*shard->flights));
	shard->flight_mask = plan->flights - 1;
	shard->marks = carve(at, plan->mark_sets * MARK_WAYS * sizeof(*shard->marks));
	shard->mark_sets = plan->mark_sets;
	shard->ghost.v = carve(at, plan->ghost_sets * GHOST_WAYS * sizeof(uint64_t));
	shard->ghost.sets = plan->ghost_sets;
	for (i = 0; i < PURGE_SLOTS; i++)
		shard->purged_us[i] = INT64_MIN;
}

/* Is a file of that size allowed? Asking for a larger one would end the process. */
static bool
may_be_file(uint64_t size)
{
	struct rlimit limit;

	return (sysconf(_SC_PAGESIZE) == (long)STORE_PAGE &&
		getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur >= size);
}

/* A file in memory, so that the kernel can send from it without a copy; where there is
 * none to be had, memory. Not reserved: what is not used yet is not there. */
static struct cache_store *
map_memory(uint64_t size)
{
	struct cache_store *store;
	int fd, kind = MAP_SHARED;

	fd = -1;
	if (may_be_file(size))
		fd = memfd_create("yett-cache", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, (off_t)size) != 0) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		kind = MAP_PRIVATE | MAP_ANONYMOUS;
	store = mmap(NULL, size, PROT_READ | PROT_WRITE, kind | MAP_NORESERVE, fd, 0);
	if (store == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		return (NULL);
	}
	/* A page of a large one can't be given up alone. */
	(void)madvise(store, size, MADV_NOHUGEPAGE);
	store->fd = fd;
	return (store);
}

struct cache_store *
cache_store_new(uint64_t memory, uint64_t max_object)
{
	struct plan plan = plan_for(memory);
	struct cache_store *store;
	unsigned i;
	char *at;

	CHECK(memory >= CACHE_MEMORY_MIN);
	store = map_memory(memory);
	if (store == NULL)
		return (NULL);
	at = (char *)store;
	(void)carve(&at, sizeof(*store));
	store->magic = STORE_MAGIC;
	store->memory = memory;
	store->max_object = max_object < memory ? max_object : memory;
	store->secret = hash_key_random();
	store->n_shards = plan.shards;
	store->shards = carve(&at, plan.shards * sizeof(*store->shards));
	for (i = 0; i < plan.shards; i++)
		shard_init(&store->shards[i], &plan, &at);
	for (i = 0; i < WAITER_LOCKS; i++)
		lock_init(&store->waiters[i], LOCK_CACHE_WAITERS);
	atomic_init(&store->all_purged_us, INT64_MIN);
	for (i = 0; i < TAG_SLOTS; i++)
		atomic_init(&store->tag_purged_us[i], INT64_MIN);
	store->fixed = (uint64_t)(at - (char *)store);
	CHECK(store->fixed < memory / 4);
	heap_init(&store->heap, at, memory - store->fixed);
	store->fixed = memory - store->heap.size;
	return (store);
}

void
cache_store_free(struct cache_store **store_ptr)
{
	struct cache_store *store = *store_ptr;
	unsigned i;
	int fd;

	if (store == NULL)
		return;
	CHECK_OBJ(store, STORE_MAGIC);
	*store_ptr = NULL;
	(void)cache_store_purge_all(store);
	/* Else somebody would read what is not there any more. */
	CHECK(heap_used(&store->heap) == HEAP_HEAD + atomic_load(&store->lost));
	for (i = 0; i < store->n_shards; i++)
		lock_destroy(&store->shards[i].lock);
	for (i = 0; i < WAITER_LOCKS; i++)
		lock_destroy(&store->waiters[i]);
	heap_destroy(&store->heap);
	fd = store->fd;
	munmap(store, store->memory);
	if (fd >= 0)
		close(fd);
}

uint64_t
cache_store_max_object(const struct cache_store *store)
{
	CHECK_OBJ(store, STORE_MAGIC);
	return (store->max_object);
}

/* --- memory -------------------------------------------------------------- */

static uint64_t
objects_in(const struct shard *shard)
{
	return (atomic_load_explicit(&shard->objects, memory_order_relaxed));
}

/* The shard that gives: of two, the one with more objects, so that none is drained by
 * chance. Not bytes: one large object would cost the others of its shard their place. */
static unsigned
giver(struct cache_store *store)
{
	unsigned hand = atomic_fetch_add(&store->hand, 1), n = store->n_shards;
	unsigned a = hand % n, b = (hand * 2654435761u >> 16) % n;

	return (objects_in(&store->shards[a]) >= objects_in(&store->shards[b]) ? a : b);
}

/* One object less; false: there is none that would help. */
static bool
evict(struct cache_store *store, uint64_t *freed)
{
	unsigned start = giver(store), i;
	struct cache_object *o;
	struct object *object;
	struct shard *shard;

	for (i = 0; i < store->n_shards; i++) {
		shard = &store->shards[(start + i) % store->n_shards];
		if (objects_in(shard) == 0)
			continue;
		lock_take(&shard->lock);
		object = queues_victim(shard);
		lock_release(&shard->lock);
		if (object == NULL)
			continue;
		*freed += object->cost;
		o = &object->o;
		cache_object_free(&o);
		return (true);
	}
	return (false);
}

void *
store_alloc_most(struct cache_store *store, size_t least, size_t most, uint64_t *credit)
{
	size_t fair = most / 8 < PIECE_FAIR ? most / 8 : PIECE_FAIR;
	unsigned tries;
	void *p = NULL;

	if (least >= store->heap.size)
		return (NULL);
	if (fair < least)
		fair = least;
	for (tries = 0; tries < EVICTIONS_MAX; tries++) {
		p = heap_alloc(&store->heap, most);
		if (p == NULL && *credit >= most + SEARCH_SLACK)
			p = heap_alloc_most(&store->heap, fair, most);
		if (p != NULL || !evict(store, credit))
			break;
	}
	if (p == NULL)
		p = heap_alloc_most(&store->heap, least, most);
	if (p == NULL) {
		atomic_fetch_add(&store->refused, 1);
		return (NULL);
	}
	*credit -= heap_cost(p) < *credit ? heap_cost(p) : *credit;
	return (p);
}

void *
store_alloc(struct cache_store *store, size_t size)
{
	uint64_t credit = 0;

	return (store_alloc_most(store, size, size, &credit));
}

bool
store_detach(struct cache_store *store, char *from, char *to)
{
	return (fallocate(store->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		    from - (char *)store, to - from) == 0);
}

void
store_grown(struct object *object, uint64_t cost)
{
	struct shard *shard = atomic_load(&object->shard);

	if (shard == NULL)
		return;
	lock_take(&shard->lock);
	if (object->place != PLACE_NONE)
		queues_grow(shard, object, cost);
	lock_release(&shard->lock);
}

/* --- asking -------------------------------------------------------------- */

/* References to the variants of a key. */
static unsigned
collect(
    struct shard *shard, const struct cache_question *q, struct object **v, unsigned max)
{
	struct object *object = table_first(shard, &q->key, q->key_text);
	unsigned n = 0;

	for (; object != NULL && n < max; n++) {
		(void)cache_object_ref(&object->o);
		v[n] = object;
		object = table_next(object, &q->key, q->key_text);
	}
	return (n);
}

static bool
matches(const struct object *object, const struct cache_question *q)
{
	return (object->o.vary_names.n == 0 ||
		cache_vary_matches(object->o.vary_names, object->o.vary_key, q->request,
		    q->vary, q->scratch));
}

/* Without the lock: a Vary of long fields takes a while. */
static enum cache_found
choose(const struct cache_question *q, struct object **v, unsigned n,
    struct cache_object **object_r)
{
	struct object *best = NULL;
	struct cache_object *o;
	unsigned i;

	for (i = 0; i < n; i++)
		if ((best == NULL ||
			v[i]->o.validators.date_s > best->o.validators.date_s) &&
		    matches(v[i], q))
			best = v[i];
	for (i = 0; i < n; i++) {
		o = &v[i]->o;
		if (v[i] != best)
			cache_object_free(&o);
	}
	if (best == NULL)
		return (n > 0 ? CACHE_FOUND_OTHERS : CACHE_FOUND_NOTHING);
	object_hit(best);
	*object_r = &best->o;
	return (CACHE_FOUND);
}

enum cache_found
cache_store_find(struct cache_store *store, const struct cache_question *q,
    struct cache_object **object_r)
{
	struct object *v[CACHE_VARIANTS_MAX], *first;
	struct shard *shard;
	unsigned n = 0;

	CHECK_OBJ(store, STORE_MAGIC);
	*object_r = NULL;
	shard = store_shard(store, &q->key);
	lock_take(&shard->lock);
	first = table_first(shard, &q->key, q->key_text);
	if (first != NULL && first->o.vary_names.n == 0 &&
	    table_next(first, &q->key, q->key_text) == NULL) {
		*object_r = cache_object_ref(&first->o);
		object_hit(first);
	} else if (first != NULL)
		n = collect(shard, q, v, CACHE_VARIANTS_MAX);
	lock_release(&shard->lock);
	if (*object_r != NULL)
		return (CACHE_FOUND);
	return (choose(q, v, n, object_r));
}

unsigned
cache_store_variants(struct cache_store *store, const struct cache_question *q,
    struct cache_object **objects_r, unsigned max)
{
	struct object *v[CACHE_VARIANTS_MAX];
	struct shard *shard;
	unsigned n, i;

	CHECK_OBJ(store, STORE_MAGIC);
	shard = store_shard(store, &q->key);
	lock_take(&shard->lock);
	n = collect(shard, q, v, max < CACHE_VARIANTS_MAX ? max : CACHE_VARIANTS_MAX);
	lock_release(&shard->lock);
	for (i = 0; i < n; i++)
		objects_r[i] = &v[i]->o;
	return (n);
}

/* --- putting ------------------------------------------------------------- */

/* Of the variant within its key: FNV-1a, the key's own part is secret. */
static uint32_t
fingerprint(const struct cache_key *key, struct span vary_key)
{
	uint64_t h = key->half[1];
	size_t i;

	for (i = 0; i < vary_key.n; i++)
		h = (h ^ (unsigned char)vary_key.p[i]) * UINT64_C(0x100000001b3);
	return ((uint32_t)(h >> 32 ^ h));
}

static uint64_t
cost_of(const struct object *object)
{
	uint64_t cost = heap_cost(object);
	struct cache_body *body;
	unsigned i;

	if (object->o.body != NULL)
		cost += body_cost(object->o.body);
	for (i = 0; i < CACHE_DERIVED; i++) {
		body = atomic_load(&object->derived[i]);
		if (body != NULL)
			cost += body_cost(body);
	}
	return (cost);
}

static bool
was_purged(const struct cache_store *store, const struct shard *shard,
    const struct object *object, const struct cache_key *key, int64_t asked_us)
{
	return (atomic_load(&store->all_purged_us) >= asked_us ||
		shard->purged_us[store_slot(key) % PURGE_SLOTS] >= asked_us ||
		store_tags_purged(object) >= asked_us);
}

/* Who has to go for a new variant: the same one, or the oldest of too many. */
static struct object *
displaced(const struct shard *shard, const struct object *new, bool *same_r)
{
	const struct cache_key *key = &new->key;
	struct object *object = table_first(shard, key, new->o.key_text), *last = NULL;
	unsigned n = 0;

	*same_r = false;
	for (; object != NULL; object = table_next(object, key, new->o.key_text)) {
		n++;
		last = object;
		if (span_eq(object->o.vary_key, new->o.vary_key) &&
		    span_eq(object->o.vary_names, new->o.vary_names)) {
			*same_r = true;
			return (object);
		}
	}
	return (n >= CACHE_VARIANTS_MAX ? last : NULL);
}

bool
cache_store_put(struct cache_store *store, const struct cache_key *key,
    struct cache_object *o, int64_t asked_us)
{
	struct shard *shard = store_shard(store, key);
	struct object *object = object_of(o), *old;
	struct cache_object *gone = NULL;
	uint32_t name = fingerprint(key, o->vary_key);
	bool kept, same;

	CHECK_OBJ(store, STORE_MAGIC);
	CHECK_OBJ(o, OBJECT_MAGIC);
	CHECK(o->body == NULL || cache_body_is_complete(o->body));
	lock_take(&shard->lock);
	kept = !was_purged(store, shard, object, key, asked_us);
	if (kept && object->place == PLACE_NONE) {
		object->key = *key;
		object->fingerprint = name;
		object->cost = cost_of(object);
		atomic_store(&object->shard, shard);
		old = displaced(shard, object, &same);
		(void)cache_object_ref(o);
		table_add(shard, object, same ? old : NULL);
		if (old != NULL) {
			table_remove(shard, old);
			gone = &old->o;
		}
		marks_drop(shard, key);
	}
	lock_release(&shard->lock);
	cache_object_free(&gone);
	return (kept);
}

/* --- figures ------------------------------------------------------------- */

void
cache_store_figures(struct cache_store *store, struct cache_figures *f)
{
	int64_t now_us = clock_mono_us();
	struct shard *shard;
	unsigned i;

	CHECK_OBJ(store, STORE_MAGIC);
	memset(f, 0, sizeof(*f));
	f->memory = store->memory;
	f->used = store->fixed + heap_used(&store->heap);
	f->refused = atomic_load(&store->refused);
	f->followers = atomic_load(&store->followers);
	for (i = 0; i < store->n_shards; i++) {
		shard = &store->shards[i];
		lock_take(&shard->lock);
		f->objects += shard->small.n + shard->main.n;
		f->keys += shard->keys;
		f->inserted += shard->inserted;
		f->evicted += shard->evicted;
		f->purged += shard->purged;
		f->flights += shard->n_flights;
		f->marks += marks_count(shard, now_us);
		lock_release(&shard->lock);
	}
}
