/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for what another thread brings, without losing a wake-up. */
#include "config.h"

#include "gateway/cache/object_inside.h"

#include "gateway/base/check.h"

#include <stddef.h>
#include <stdlib.h>

#define WAIT_MAGIC 0x3a170001u

struct cache_wait {
	unsigned magic;
	struct loop *home;
	void (*wake)(void *);
	void *data;
	/* Of the home only: where it waits, or waited until the wake that is on its way;
	 * a reference. */
	struct waited *at;
	struct cache_flight *follower;
	bool dead; /* its owner is gone, the message frees it */
	/* Under the lock of `at`: */
	bool linked;
	struct cache_wait *next, **back;

	atomic_bool posted;
	struct loop_message message;
	struct loop_orphan orphan; /* dead */
};

static struct cache_wait *
wait_of(struct loop_message *message)
{
	void *p = (char *)message - offsetof(struct cache_wait, message);
	struct cache_wait *wait;

	CAST_OBJ(wait, p, WAIT_MAGIC);
	return (wait);
}

static void
wait_end(struct cache_wait *wait)
{
	wait->magic = 0;
	free(wait);
}

static void
free_orphan(struct loop_orphan *orphan)
{
	void *p = (char *)orphan - offsetof(struct cache_wait, orphan);
	struct cache_wait *wait;

	CAST_OBJ(wait, p, WAIT_MAGIC);
	wait_end(wait);
}

static void
deliver(struct loop_message *message)
{
	struct cache_wait *wait = wait_of(message);
	struct waited *at = wait->at;
	bool linked;

	/* Before the owner looks again: what comes after that wakes anew. */
	atomic_store(&wait->posted, false);
	if (wait->dead) {
		loop_orphan_forget(&wait->orphan);
		wait_end(wait);
		return;
	}
	if (at != NULL) {
		lock_take(at->lock);
		linked = wait->linked;
		lock_release(at->lock);
		if (!linked) {
			wait->at = NULL;
			at->unref(at);
		}
	}
	wait->wake(wait->data);
}

struct cache_wait *
cache_wait_new(struct loop *home, void (*wake)(void *), void *data)
{
	struct cache_wait *wait = mem_zalloc(sizeof(*wait));

	wait->magic = WAIT_MAGIC;
	wait->home = home;
	wait->wake = wake;
	wait->data = data;
	wait->message.deliver = deliver;
	return (wait);
}

static void
unlink_it(struct cache_wait *wait)
{
	*wait->back = wait->next;
	if (wait->next != NULL)
		wait->next->back = wait->back;
	wait->linked = false;
}

void
wait_leave(struct cache_wait *wait)
{
	struct waited *at = wait->at;

	if (at == NULL)
		return;
	lock_take(at->lock);
	if (wait->linked)
		unlink_it(wait);
	lock_release(at->lock);
	wait->at = NULL;
	at->unref(at);
}

bool
wait_is_at(const struct cache_wait *wait, const struct waited *at)
{
	return (wait->at == at);
}

void
wait_enter(struct cache_wait *wait, struct waited *at)
{
	CHECK_OBJ(wait, WAIT_MAGIC);
	lock_assert_held(at->lock);
	if (wait->at == NULL) {
		at->ref(at);
		wait->at = at;
	}
	CHECK(wait->at == at);
	if (wait->linked)
		return;
	wait->linked = true;
	wait->next = at->first;
	if (wait->next != NULL)
		wait->next->back = &wait->next;
	wait->back = &at->first;
	at->first = wait;
}

void
wait_wake(struct waited *at)
{
	struct cache_wait *wait;

	lock_assert_held(at->lock);
	atomic_store(&at->any, false);
	while ((wait = at->first) != NULL) {
		unlink_it(wait);
		/* One that is on its way is as good. Posted under the lock: who takes
		 * it after us sees whether a message is under way. */
		if (!atomic_exchange(&wait->posted, true))
			loop_post(wait->home, &wait->message);
	}
}

struct cache_flight **
wait_follower(struct cache_wait *wait)
{
	return (&wait->follower);
}

void
cache_wait_free(struct cache_wait **wait_ptr)
{
	struct cache_wait *wait = *wait_ptr;

	if (wait == NULL)
		return;
	CHECK_OBJ(wait, WAIT_MAGIC);
	*wait_ptr = NULL;
	wait_leave(wait);
	if (wait->follower != NULL)
		flight_forget_wait(wait->follower);
	if (!atomic_load(&wait->posted)) {
		wait_end(wait);
		return;
	}
	wait->dead = true;
	wait->orphan.free = free_orphan;
	loop_orphan_keep(wait->home, &wait->orphan);
}
