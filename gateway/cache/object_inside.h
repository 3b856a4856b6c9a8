/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/object_inside.h - objects, bodies and what waits for them, as the files
 * of the store see them. */
#ifndef YETT_CACHE_OBJECT_INSIDE_H
#define YETT_CACHE_OBJECT_INSIDE_H

#include <stdatomic.h>

#include "gateway/base/lock.h"
#include "gateway/cache/key.h"
#include "gateway/cache/object.h"

/* --- waiting (wait.c) ---------------------------------------------------- */

/* What can be waited for: embedded, and referred to by those that wait, so that it
 * is there when they go. */
struct waited {
	struct lock *lock;
	struct cache_wait *first;
	atomic_bool any;		/* may be true when there is none */
	void (*ref)(struct waited *);
	void (*unref)(struct waited *);
};

/* On the home of the wait, without the lock: it waits nowhere then. */
void wait_leave(struct cache_wait *);
/* On the home of the wait, with the lock; it waits nowhere else. */
void wait_enter(struct cache_wait *, struct waited *);
bool wait_is_at(const struct cache_wait *, const struct waited *);
/* With the lock: wakes all, nobody waits then. */
void wait_wake(struct waited *);
/* The flight, as the wait's follower knows it; NULL: none. So either may go first. */
struct cache_flight **wait_follower(struct cache_wait *);
/* The wait goes: the follower knows of none (flight.c). */
void flight_forget_wait(struct cache_flight *);

/* --- bodies (body.c) ----------------------------------------------------- */

struct piece {
	uint64_t end;			/* offset behind its last byte */
	char *p;
};

/* Grows by being replaced; those before stay until the body goes, since somebody may
 * look into them. */
struct piece_index {
	struct piece_index *before;
	uint32_t max;
	struct piece *v;
};

enum body_state { BODY_COMING, BODY_COMPLETE, BODY_CUT };

#define BODY_MAGIC 0xb0d70001u
struct cache_body {
	unsigned magic;
	atomic_uint refs;
	struct cache_store *store;
	uint64_t length;		/* CACHE_LENGTH_UNKNOWN */
	atomic_uint_least64_t bytes;	/* that may be read */
	_Atomic(enum body_state) state;
	atomic_bool lent;		/* pages of it may be on their way out */
	atomic_uint n_pieces;
	_Atomic(struct piece_index *) index;
	struct waited waited;
	/* The writer's: */
	uint64_t room;			/* bytes in all pieces */
	uint64_t cost;			/* of body, pieces and indexes */
	uint64_t credit;		/* of store_alloc_most */
	/* The first piece lies behind the body; mostly it is the only one. */
	struct piece_index one;
	struct piece first;
};

uint64_t body_cost(const struct cache_body *);

/* --- objects (object.c) -------------------------------------------------- */

/* One tag of an object. Those of the same tag are a ring; one of them is in the
 * bucket. */
struct tag_link {
	struct tag_link *next, *previous;	/* ring */
	struct tag_link *bucket_next, **bucket_back;	/* back NULL: not in it */
	struct object *object;
	uint64_t tag;				/* its hash */
};

struct shard;
enum place { PLACE_NONE, PLACE_SMALL, PLACE_MAIN };

#define OBJECT_MAGIC 0x0b7ec701u
struct object {
	struct cache_object o;			/* first */
	/* What a hit looks at lies together. */
	atomic_uint refs;
	atomic_uchar hits;			/* 0..3 */
	uint8_t place;				/* under the shard's lock, as: */
	struct cache_key key;
	struct object *bucket_next;
	struct object *newer, *older;
	uint64_t cost;
	uint32_t fingerprint;
	uint32_t age;				/* the shard's when it came */
	/* Not under a lock: */
	uint32_t n_tags;
	struct tag_link *tags;
	_Atomic(struct shard *) shard;		/* NULL: never put */
	atomic_uint deriving;			/* bits */
	_Atomic(struct cache_body *) derived[CACHE_DERIVED];
};

static inline struct object *
object_of(struct cache_object *o)
{
	return ((struct object *)(void *)o);
}

static inline void
object_hit(struct object *object)
{
	unsigned char hits = atomic_load_explicit(&object->hits, memory_order_relaxed);

	/* A hit lost to another thread's is nothing. */
	if (hits < 3)
		atomic_store_explicit(
		    &object->hits, (unsigned char)(hits + 1), memory_order_relaxed);
}

#endif
