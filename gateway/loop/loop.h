/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/loop/loop.h - one event loop per thread: descriptors, timers, and
 * messages from other threads. The only user of libev. Everything but
 * loop_post and loop_stop is called on the loop's own thread (or before it
 * runs). Watchers are embedded in their owner and hold no memory. */
#ifndef YETT_LOOP_H
#define YETT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <ev.h>

struct loop;

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop_io;
typedef void loop_io_f(struct loop_io *, unsigned events);

/* Readiness of one descriptor (level-triggered). */
struct loop_io {
	ev_io watcher;
	struct loop *loop;
	loop_io_f *callback;
	void *data;		/* the owner's */
};

void loop_io_init(struct loop_io *, struct loop *, int fd, loop_io_f *, void *data);
/* Another owner for a descriptor that stays as it is: what is waited for stays,
 * and the kernel need not be told anything. */
void loop_io_hand(struct loop_io *, loop_io_f *, void *data);
/* Sets what is waited for; 0 stops. Cheap when nothing changes. */
void loop_io_want(struct loop_io *, unsigned events);
unsigned loop_io_wanted(const struct loop_io *);
void loop_io_stop(struct loop_io *);

struct loop_timer;
typedef void loop_timer_f(struct loop_timer *);

/* A one-shot deadline, made for being pushed back often: a later deadline only
 * stores a number, the heap is touched when the old one passes. */
struct loop_timer {
	ev_timer watcher;
	struct loop *loop;
	loop_timer_f *callback;
	void *data;
	int64_t deadline_us;	/* monotonic; 0: not set */
};

void loop_timer_init(struct loop_timer *, struct loop *, loop_timer_f *, void *data);
void loop_timer_set(struct loop_timer *, int64_t after_us);
void loop_timer_stop(struct loop_timer *);

/* A message: embedded in what it speaks of, in one mailbox at a time. */
struct loop_message {
	struct loop_message *next;
	void (*deliver)(struct loop_message *);	/* on the loop's thread */
};

/* What outlives its owner only because a message of it is under way: freed by
 * loop_free, where that message is not delivered any more. */
struct loop_orphan {
	struct loop_orphan *next, **back;
	void (*free)(struct loop_orphan *);
};
void loop_orphan_keep(struct loop *, struct loop_orphan *);
void loop_orphan_forget(struct loop_orphan *);

struct loop *loop_new(void);
void loop_free(struct loop **);
/* Runs until loop_stop. */
void loop_run(struct loop *);
/* Any thread. Order is kept per sender. */
void loop_post(struct loop *, struct loop_message *);
/* Any thread: loop_run returns after the current round. */
void loop_stop(struct loop *);
/* Monotonic microseconds, read once a round: for deadlines, not durations of
 * work. */
int64_t loop_now_us(const struct loop *);

#endif
