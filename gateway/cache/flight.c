/* SPDX-License-Identifier: Apache-2.0 */
/* Flights: one request to the origin, and who follows it. */
#include "config.h"

#include "gateway/cache/store_inside.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

#include <string.h>

/* Answers under way of one key that a newcomer is compared with. */
#define LANDED_MAX 8
#define ALLOC_TRIES 4

#define FLIGHT_MAGIC 0xf1167701u
#define FOLLOWER_MAGIC 0xf0110801u

struct flight {
	unsigned magic;
	atomic_uint refs;
	struct cache_store *store;
	struct shard *shard;
	struct cache_key key;
	/* What is asked for: the key, and its Vary as far as it is known. */
	struct span key_text, vary_names, vary_key;
	int64_t started_us;
	atomic_uint followers;
	struct waited waited;
	/* Under the shard's lock: */
	struct flight *next, **back; /* back NULL: nobody joins it any more */
	/* Set once, under both locks: */
	struct cache_object *object; /* landed */
	bool ended;
	int64_t purged_us; /* one of its tags was, when it landed; else INT64_MAX */
};

/* The leader's, or a follower's. */
struct cache_flight {
	unsigned magic;
	struct flight *flight;
	bool leads, ended;
	struct cache_wait *wait;
	int64_t joined_us;
};

/* --- flights ------------------------------------------------------------- */

static struct flight **
bucket_of(const struct shard *shard, const struct cache_key *key)
{
	return (&shard->flights[store_slot(key) & shard->flight_mask]);
}

static void
flight_unref(struct flight *flight)
{
	CHECK_OBJ(flight, FLIGHT_MAGIC);
	if (atomic_fetch_sub_explicit(&flight->refs, 1, memory_order_acq_rel) != 1)
		return;
	CHECK(flight->back == NULL);
	cache_object_free(&flight->object);
	flight->magic = 0;
	heap_free(&flight->store->heap, flight);
}

static struct flight *
flight_of(struct waited *waited)
{
	void *p = (char *)waited - offsetof(struct flight, waited);
	struct flight *flight;

	CAST_OBJ(flight, p, FLIGHT_MAGIC);
	return (flight);
}

static void
waited_ref(struct waited *waited)
{
	atomic_fetch_add(&flight_of(waited)->refs, 1);
}

static void
waited_unref(struct waited *waited)
{
	flight_unref(flight_of(waited));
}

static bool
is_of(const struct flight *flight, const struct cache_key *key, struct span key_text)
{
	return (store_same_key(&flight->key, key) && span_eq(flight->key_text, key_text));
}

static void
detach(struct flight *flight)
{
	if (flight->back == NULL)
		return;
	*flight->back = flight->next;
	if (flight->next != NULL)
		flight->next->back = flight->back;
	flight->next = NULL;
	flight->back = NULL;
	flight->shard->n_flights--;
}

void
flights_detach(struct shard *shard, const struct cache_key *key, struct span key_text)
{
	struct flight *flight = *bucket_of(shard, key), *next;

	lock_assert_held(&shard->lock);
	for (; flight != NULL; flight = next) {
		next = flight->next;
		if (is_of(flight, key, key_text))
			detach(flight);
	}
}

static bool
has_tag(const struct cache_object *o, uint64_t tag)
{
	const struct object *object = (const struct object *)(const void *)o;
	uint32_t i;

	for (i = 0; object != NULL && i < object->n_tags; i++)
		if (object->tags[i].tag == tag)
			return (true);
	return (false);
}

void
flights_detach_tagged(struct shard *shard, uint64_t tag)
{
	struct flight *flight, *next;
	uint32_t i;

	for (i = 0; shard->n_flights > 0 && i <= shard->flight_mask; i++) {
		for (flight = shard->flights[i]; flight != NULL; flight = next) {
			next = flight->next;
			if (has_tag(flight->object, tag))
				detach(flight);
		}
	}
}

void
flights_detach_all(struct shard *shard)
{
	uint32_t i;

	for (i = 0; shard->n_flights > 0 && i <= shard->flight_mask; i++)
		while (shard->flights[i] != NULL)
			detach(shard->flights[i]);
}

/* --- joining ------------------------------------------------------------- */

/* What is known of a key's variants when somebody comes: references. */
struct known {
	struct cache_object *newest; /* stored */
	struct cache_object *landed[LANDED_MAX];
	bool match[LANDED_MAX];
	unsigned n;
	struct span names, vary_key; /* of the question, by the newest of all */
};

/* With the lock. */
static void
learn(struct known *known, const struct shard *shard, const struct cache_question *q)
{
	const struct flight *flight = *bucket_of(shard, &q->key);
	struct object *newest = table_newest(shard, &q->key, q->key_text);

	memset(known, 0, sizeof(*known));
	if (newest != NULL)
		known->newest = cache_object_ref(&newest->o);
	for (; flight != NULL && known->n < LANDED_MAX; flight = flight->next)
		if (flight->object != NULL && is_of(flight, &q->key, q->key_text))
			known->landed[known->n++] = cache_object_ref(flight->object);
}

/* Without the lock. False: the Vary is too long to be compared. */
static bool
compare(struct known *known, const struct cache_question *q)
{
	const struct cache_object *newest = known->newest, *o;
	struct cache_vary vary;
	unsigned i;

	for (i = 0; i < known->n; i++) {
		o = known->landed[i];
		known->match[i] =
		    o->vary_names.n == 0 || cache_vary_matches(o->vary_names, o->vary_key,
						q->request, q->vary, q->scratch);
		if (newest == NULL || o->validators.date_s > newest->validators.date_s)
			newest = o;
	}
	if (newest == NULL || newest->vary_names.n == 0)
		return (true);
	known->names = newest->vary_names;
	cache_vary_of_names(&vary, known->names);
	text_reset(q->scratch);
	if (!cache_vary_put_key(q->scratch, &vary, q->request, q->vary))
		return (false);
	known->vary_key = text_span(q->scratch);
	return (true);
}

static void
forget(struct known *known)
{
	unsigned i;

	for (i = 0; i < known->n; i++)
		cache_object_free(&known->landed[i]);
	cache_object_free(&known->newest);
}

/* One that landed after we learnt matches for now: the follower compares again. */
static bool
landed_matches(const struct known *known, const struct cache_object *object)
{
	unsigned i;

	for (i = 0; i < known->n; i++)
		if (known->landed[i] == object)
			return (known->match[i]);
	return (true);
}

static struct flight *
find(const struct shard *shard, const struct cache_question *q, const struct known *known)
{
	struct flight *flight = *bucket_of(shard, &q->key);

	for (; flight != NULL; flight = flight->next) {
		if (!is_of(flight, &q->key, q->key_text))
			continue;
		if (flight->object != NULL
			? landed_matches(known, flight->object)
			: span_eq(flight->vary_names, known->names) &&
			      span_eq(flight->vary_key, known->vary_key))
			break;
	}
	return (flight);
}

static struct span
put_text(char **at, struct span s)
{
	struct span copy = span_mem(*at, s.n);

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return (copy);
}

static size_t
flight_size(const struct cache_question *q, const struct known *known)
{
	return (
	    sizeof(struct flight) + q->key_text.n + known->names.n + known->vary_key.n);
}

/* With the lock. */
static void
depart(struct cache_flight *lead, void *memory, const struct cache_question *q,
    const struct known *known, struct cache_store *store)
{
	struct shard *shard = store_shard(store, &q->key);
	struct flight *flight = memory, **bucket = bucket_of(shard, &q->key);
	char *at = (char *)(flight + 1);

	memset(flight, 0, sizeof(*flight));
	flight->magic = FLIGHT_MAGIC;
	atomic_init(&flight->refs, 1);
	flight->store = store;
	flight->shard = shard;
	flight->key = q->key;
	flight->key_text = put_text(&at, q->key_text);
	flight->vary_names = put_text(&at, known->names);
	flight->vary_key = put_text(&at, known->vary_key);
	flight->started_us = lead->joined_us;
	flight->purged_us = INT64_MAX;
	flight->waited.lock = store_waiters(store, flight);
	flight->waited.ref = waited_ref;
	flight->waited.unref = waited_unref;
	flight->next = *bucket;
	flight->back = bucket;
	if (flight->next != NULL)
		flight->next->back = &flight->next;
	*bucket = flight;
	shard->n_flights++;
	lead->leads = true;
	lead->flight = flight;
}

/* With the lock. */
static void
follow(struct cache_flight *follower, struct flight *flight, struct cache_wait *wait)
{
	follower->flight = flight;
	follower->wait = wait;
	*wait_follower(wait) = follower;
	atomic_fetch_add(&flight->refs, 1);
	atomic_fetch_add(&flight->followers, 1);
	atomic_fetch_add(&flight->store->followers, 1);
	lock_take(flight->waited.lock);
	wait_enter(wait, &flight->waited);
	if (flight->object != NULL)
		wait_wake(&flight->waited);
	lock_release(flight->waited.lock);
}

/* `self` is for whoever comes out of it as leader or follower, else it goes. */
static enum cache_join
join(struct cache_store *store, const struct cache_question *q, const struct known *known,
    struct cache_wait *wait, struct cache_flight *self)
{
	struct shard *shard = store_shard(store, &q->key);
	enum cache_join rc = CACHE_ALONE;
	struct flight *flight;
	void *memory = NULL;
	unsigned tries;

	for (tries = 0; tries < ALLOC_TRIES; tries++) {
		lock_take(&shard->lock);
		flight = find(shard, q, known);
		if (flight != NULL) {
			rc = CACHE_FOLLOW;
			if (wait != NULL)
				follow(self, flight, wait);
		} else if (memory != NULL) {
			rc = CACHE_LEAD;
			depart(self, memory, q, known, store);
			memory = NULL;
		}
		lock_release(&shard->lock);
		if (rc != CACHE_ALONE)
			break;
		memory = store_alloc(store, flight_size(q, known));
		if (memory == NULL)
			break;
	}
	if (memory != NULL)
		heap_free(&store->heap, memory);
	return (rc);
}

/* Where it waited until now, it does not any more. */
static void
leave(struct cache_wait *wait)
{
	struct cache_flight **follower = wait_follower(wait);

	wait_leave(wait);
	if (*follower != NULL)
		(*follower)->wait = NULL;
	*follower = NULL;
}

enum cache_join
cache_flight_join(struct cache_store *store, const struct cache_question *q,
    struct cache_wait *wait, struct cache_flight **flight_r)
{
	struct shard *shard = store_shard(store, &q->key);
	enum cache_join rc = CACHE_ALONE;
	struct cache_flight *self = NULL;
	struct known known;
	bool marked;

	CHECK_OBJ(store, STORE_MAGIC);
	*flight_r = NULL;
	if (wait != NULL)
		leave(wait);
	lock_take(&shard->lock);
	marked = marks_have(shard, &q->key, q->now_us);
	if (!marked)
		learn(&known, shard, q);
	lock_release(&shard->lock);
	if (marked)
		return (CACHE_ALONE);
	if (compare(&known, q))
		self = store_alloc(store, sizeof(*self));
	if (self != NULL) {
		memset(self, 0, sizeof(*self));
		self->magic = FOLLOWER_MAGIC;
		self->joined_us = clock_mono_us();
		rc = join(store, q, &known, wait, self);
		if (self->flight != NULL)
			*flight_r = self;
		else
			heap_free(&store->heap, self);
	}
	forget(&known);
	return (rc);
}

void
flight_forget_wait(struct cache_flight *self)
{
	CHECK_OBJ(self, FOLLOWER_MAGIC);
	self->wait = NULL;
}

/* --- news ---------------------------------------------------------------- */

static bool
is_cut(const struct cache_object *o)
{
	return (o->body != NULL && atomic_load(&o->body->state) == BODY_CUT);
}

enum cache_news
cache_flight_news(struct cache_flight *self, struct cache_object **object_r)
{
	enum cache_news news = CACHE_NEWS_NONE;
	struct flight *flight;

	CHECK_OBJ(self, FOLLOWER_MAGIC);
	flight = self->flight;
	*object_r = NULL;
	lock_take(flight->waited.lock);
	if (flight->object != NULL && !is_cut(flight->object) &&
	    self->joined_us <= flight->purged_us) {
		/* Not so for who came after a purge: it was asked for before. */
		*object_r = cache_object_ref(flight->object);
		news = CACHE_NEWS_LANDED;
	} else if (flight->object != NULL || flight->ended) {
		news = CACHE_NEWS_ENDED;
	} else if (self->wait != NULL && (wait_is_at(self->wait, NULL) ||
					     wait_is_at(self->wait, &flight->waited)))
		wait_enter(self->wait, &flight->waited);
	lock_release(flight->waited.lock);
	return (news);
}

bool
cache_flight_is_followed(const struct cache_flight *self)
{
	CHECK_OBJ(self, FOLLOWER_MAGIC);
	return (atomic_load(&self->flight->followers) > 0);
}

/* --- the leader ---------------------------------------------------------- */

void
cache_flight_land(struct cache_flight *self, struct cache_object *o)
{
	struct flight *flight;
	int64_t purged_us;

	CHECK_OBJ(self, FOLLOWER_MAGIC);
	CHECK(self->leads && !self->ended);
	flight = self->flight;
	CHECK(flight->object == NULL);
	lock_take(&flight->shard->lock);
	purged_us = store_tags_purged(object_of(o));
	lock_take(flight->waited.lock);
	flight->object = cache_object_ref(o);
	if (purged_us >= flight->started_us) {
		flight->purged_us = purged_us;
		detach(flight);
	}
	lock_release(&flight->shard->lock);
	wait_wake(&flight->waited);
	lock_release(flight->waited.lock);
}

void
cache_flight_end(struct cache_flight *self, int64_t mark_us, int64_t now_us)
{
	struct flight *flight;

	CHECK_OBJ(self, FOLLOWER_MAGIC);
	CHECK(self->leads);
	if (self->ended)
		return;
	self->ended = true;
	flight = self->flight;
	/* Of ours alone: nobody would wait for what doesn't come. */
	if (flight->object != NULL && flight->object->body != NULL)
		cache_body_end(flight->object->body, false);
	lock_take(&flight->shard->lock);
	detach(flight);
	if (mark_us > 0)
		marks_set(flight->shard, &flight->key, now_us + mark_us, now_us);
	lock_take(flight->waited.lock);
	flight->ended = true;
	lock_release(&flight->shard->lock);
	wait_wake(&flight->waited);
	lock_release(flight->waited.lock);
}

void
cache_flight_free(struct cache_flight **self_ptr)
{
	struct cache_flight *self = *self_ptr;
	struct flight *flight;
	struct cache_store *store;

	if (self == NULL)
		return;
	CHECK_OBJ(self, FOLLOWER_MAGIC);
	*self_ptr = NULL;
	flight = self->flight;
	store = flight->store;
	if (self->leads) {
		cache_flight_end(self, 0, 0);
	} else {
		atomic_fetch_sub(&flight->followers, 1);
		atomic_fetch_sub(&store->followers, 1);
	}
	if (self->wait != NULL) {
		*wait_follower(self->wait) = NULL;
		if (wait_is_at(self->wait, &flight->waited))
			wait_leave(self->wait);
	}
	flight_unref(flight);
	self->magic = 0;
	heap_free(&store->heap, self);
}
