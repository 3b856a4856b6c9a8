/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a thread, on libev. */
#include "config.h"

#include "gateway/loop/loop.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/lock.h"

#include <stdatomic.h>
#include <stdlib.h>

#define LOOP_MAGIC 0x1009a001u

_Static_assert((int)LOOP_READ == EV_READ && (int)LOOP_WRITE == EV_WRITE,
    "masks go to libev as they are");

struct loop {
	unsigned magic;
	struct ev_loop *ev;
	ev_check round; /* first in each round: reads the clock */
	ev_async wake;
	int64_t now_us;
	bool running;
	atomic_bool stop;
	struct loop_orphan *orphans;

	struct lock lock; /* for the mailbox */
	struct loop_message *first, **last;
};

static void
begin_round(struct ev_loop *ev, ev_check *w, int revents)
{
	struct loop *loop;

	(void)ev;
	(void)revents;
	CAST_OBJ(loop, w->data, LOOP_MAGIC);
	loop->now_us = clock_mono_us();
}

static void
read_mailbox(struct ev_loop *ev, ev_async *w, int revents)
{
	struct loop_message *message, *next;
	struct loop *loop;

	(void)revents;
	CAST_OBJ(loop, w->data, LOOP_MAGIC);
	lock_take(&loop->lock);
	message = loop->first;
	loop->first = NULL;
	loop->last = &loop->first;
	lock_release(&loop->lock);
	for (; message != NULL; message = next) {
		/* Delivered, it may be gone or in another mailbox. */
		next = message->next;
		message->next = NULL;
		message->deliver(message);
	}
	if (atomic_exchange(&loop->stop, false))
		ev_break(ev, EVBREAK_ONE);
}

struct loop *
loop_new(void)
{
	struct loop *loop = mem_zalloc(sizeof *loop);

	loop->magic = LOOP_MAGIC;
	loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	CHECK(loop->ev != NULL);
	loop->last = &loop->first;
	lock_init(&loop->lock, LOCK_MAILBOX);
	ev_check_init(&loop->round, begin_round);
	ev_set_priority(&loop->round, EV_MAXPRI);
	loop->round.data = loop;
	ev_check_start(loop->ev, &loop->round);
	ev_async_init(&loop->wake, read_mailbox);
	loop->wake.data = loop;
	ev_async_start(loop->ev, &loop->wake);
	return (loop);
}

void
loop_free(struct loop **loop_ptr)
{
	struct loop *loop = *loop_ptr;
	struct loop_orphan *orphan;

	if (loop == NULL)
		return;
	CHECK_OBJ(loop, LOOP_MAGIC);
	CHECK(!loop->running);
	ev_async_stop(loop->ev, &loop->wake);
	ev_check_stop(loop->ev, &loop->round);
	ev_loop_destroy(loop->ev);
	/* Messages still there live in their owners, or in these. */
	while (loop->orphans != NULL) {
		orphan = loop->orphans;
		loop_orphan_forget(orphan);
		orphan->free(orphan);
	}
	lock_destroy(&loop->lock);
	loop->magic = 0;
	free(loop);
	*loop_ptr = NULL;
}

void
loop_run(struct loop *loop)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	CHECK(!loop->running);
	loop->now_us = clock_mono_us();
	loop->running = true;
	ev_now_update(loop->ev);
	ev_run(loop->ev, 0);
	loop->running = false;
}

void
loop_post(struct loop *loop, struct loop_message *message)
{
	bool was_empty;

	CHECK_OBJ(loop, LOOP_MAGIC);
	message->next = NULL;
	lock_take(&loop->lock);
	was_empty = loop->first == NULL;
	*loop->last = message;
	loop->last = &message->next;
	/* Under the lock, so that loop_free can't come between. */
	if (was_empty)
		ev_async_send(loop->ev, &loop->wake);
	lock_release(&loop->lock);
}

void
loop_stop(struct loop *loop)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	lock_take(&loop->lock);
	atomic_store(&loop->stop, true);
	ev_async_send(loop->ev, &loop->wake);
	lock_release(&loop->lock);
}

void
loop_orphan_keep(struct loop *loop, struct loop_orphan *orphan)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	orphan->next = loop->orphans;
	orphan->back = &loop->orphans;
	if (orphan->next != NULL)
		orphan->next->back = &orphan->next;
	loop->orphans = orphan;
}

void
loop_orphan_forget(struct loop_orphan *orphan)
{
	*orphan->back = orphan->next;
	if (orphan->next != NULL)
		orphan->next->back = orphan->back;
}

int64_t
loop_now_us(const struct loop *loop)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	return (loop->running ? loop->now_us : clock_mono_us());
}

/* --- descriptors -------------------------------------------------------- */

static void
io_ready(struct ev_loop *ev, ev_io *w, int revents)
{
	struct loop_io *io = w->data;

	(void)ev;
	io->callback(io, (unsigned)revents & (LOOP_READ | LOOP_WRITE));
}

void
loop_io_init(
    struct loop_io *io, struct loop *loop, int fd, loop_io_f *callback, void *data)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	io->loop = loop;
	io->callback = callback;
	io->data = data;
	ev_io_init(&io->watcher, io_ready, fd, 0);
	io->watcher.data = io;
}

void
loop_io_hand(struct loop_io *io, loop_io_f *callback, void *data)
{
	io->callback = callback;
	io->data = data;
}

unsigned
loop_io_wanted(const struct loop_io *io)
{
	if (!ev_is_active(&io->watcher))
		return (0);
	return ((unsigned)io->watcher.events & (LOOP_READ | LOOP_WRITE));
}

void
loop_io_want(struct loop_io *io, unsigned events)
{
	if (loop_io_wanted(io) == events)
		return;
	ev_io_stop(io->loop->ev, &io->watcher);
	if (events == 0)
		return;
	/* libev hands the kernel one change per descriptor and round, and none when
	 * the round ends as it began. */
	ev_io_modify(&io->watcher, (int)events);
	ev_io_start(io->loop->ev, &io->watcher);
}

void
loop_io_stop(struct loop_io *io)
{
	loop_io_want(io, 0);
}

/* --- timers ------------------------------------------------------------- */

static double
seconds(int64_t us)
{
	return ((double)us / (double)CLOCK_SECOND);
}

static void
timer_passed(struct ev_loop *ev, ev_timer *w, int revents)
{
	struct loop_timer *timer = w->data;
	int64_t left = timer->deadline_us - loop_now_us(timer->loop);

	(void)revents;
	if (left > 0) { /* pushed back meanwhile */
		/* It runs when it was set again in the round it passed in. */
		ev_timer_stop(ev, w);
		ev_timer_set(w, seconds(left), 0.);
		ev_timer_start(ev, w);
		return;
	}
	timer->deadline_us = 0;
	timer->callback(timer);
}

void
loop_timer_init(
    struct loop_timer *timer, struct loop *loop, loop_timer_f *callback, void *data)
{
	CHECK_OBJ(loop, LOOP_MAGIC);
	timer->loop = loop;
	timer->callback = callback;
	timer->data = data;
	timer->deadline_us = 0;
	ev_timer_init(&timer->watcher, timer_passed, 0., 0.);
	timer->watcher.data = timer;
}

void
loop_timer_set(struct loop_timer *timer, int64_t after_us)
{
	struct ev_loop *ev = timer->loop->ev;

	if (after_us < 0)
		after_us = 0;
	timer->deadline_us = loop_now_us(timer->loop) + after_us;
	if (ev_is_active(&timer->watcher)) {
		if (ev_timer_remaining(ev, &timer->watcher) <= seconds(after_us))
			return;
		ev_timer_stop(ev, &timer->watcher);
	}
	ev_timer_set(&timer->watcher, seconds(after_us), 0.);
	ev_timer_start(ev, &timer->watcher);
}

void
loop_timer_stop(struct loop_timer *timer)
{
	timer->deadline_us = 0;
	ev_timer_stop(timer->loop->ev, &timer->watcher);
}
