/* SPDX-License-Identifier: Apache-2.0 */
/* Mutexes; with YETT_LOCK_CHECK each thread's held ranks are watched. */
#include "config.h"

#include "gateway/base/lock.h"

#include "gateway/base/check.h"

#ifdef YETT_LOCK_CHECK

#define HELD_MAX 16

struct held {
	enum lock_rank rank[HELD_MAX];
	unsigned n;
};

/* File-scope and writable: what is checked is a property of the running thread,
 * and callers have no object of it to keep this in. Checking builds only. */
static _Thread_local struct held held_here;

static void
note_taking(const struct lock *l)
{
	unsigned i;

	for (i = 0; i < held_here.n; i++)
		if (held_here.rank[i] >= l->rank)
			WRONG("lock taken against the order");
	CHECK(held_here.n < HELD_MAX);
}

static void
note_taken(struct lock *l)
{
	l->owner = pthread_self();
	l->held = true;
	held_here.rank[held_here.n++] = l->rank;
}

static void
note_released(struct lock *l)
{
	unsigned i;

	lock_assert_held(l);
	l->held = false;
	/* Ranks held are all different, in any order of release. */
	for (i = 0; held_here.rank[i] != l->rank; i++)
		CHECK(i + 1 < held_here.n);
	held_here.rank[i] = held_here.rank[--held_here.n];
}

void
lock_assert_held(const struct lock *l)
{
	CHECK(l->held && pthread_equal(l->owner, pthread_self()));
}

#else

static inline void
note_taking(const struct lock *l)
{
	(void)l;
}

static inline void
note_taken(struct lock *l)
{
	(void)l;
}

static inline void
note_released(struct lock *l)
{
	(void)l;
}

void
lock_assert_held(const struct lock *l)
{
	(void)l;
}

#endif

void
lock_init(struct lock *l, enum lock_rank rank)
{
	CHECK(pthread_mutex_init(&l->mutex, NULL) == 0);
	l->rank = rank;
	l->held = false;
}

void
lock_destroy(struct lock *l)
{
	CHECK(pthread_mutex_destroy(&l->mutex) == 0);
}

void
lock_take(struct lock *l)
{
	note_taking(l);
	CHECK(pthread_mutex_lock(&l->mutex) == 0);
	note_taken(l);
}

void
lock_release(struct lock *l)
{
	note_released(l);
	CHECK(pthread_mutex_unlock(&l->mutex) == 0);
}

void
lock_wait(struct lock *l, pthread_cond_t *cond)
{
	note_released(l);
	CHECK(pthread_cond_wait(cond, &l->mutex) == 0);
	note_taken(l);
}
