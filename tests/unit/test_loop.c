/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: readiness, deadlines, messages from other threads. */
#include "config.h"

#include "gateway/loop/loop.h"

#include "gateway/base/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* --- descriptors -------------------------------------------------------- */

struct pair {
	int fd[2];
	struct loop *loop;
	struct loop_io io;
	unsigned last, calls;
};

static void
pair_ready(struct loop_io *io, unsigned events)
{
	struct pair *p = io->data;
	char byte;

	p->last = events;
	p->calls++;
	if ((events & LOOP_READ) != 0) {
		assert_int_equal(read(p->fd[0], &byte, 1), 1);
		if (byte == 'w') { /* wants to write, once */
			loop_io_want(io, LOOP_READ | LOOP_WRITE);
			return;
		}
	}
	loop_io_want(io, 0);
	loop_stop(p->loop);
}

static void
test_io(void **state)
{
	struct pair p = { .calls = 0 };

	(void)state;
	p.loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd), 0);
	loop_io_init(&p.io, p.loop, p.fd[0], pair_ready, &p);
	assert_int_equal(loop_io_wanted(&p.io), 0);
	loop_io_want(&p.io, LOOP_READ);
	loop_io_want(&p.io, LOOP_READ);
	assert_int_equal(loop_io_wanted(&p.io), LOOP_READ);
	assert_int_equal(write(p.fd[1], "x", 1), 1);
	loop_run(p.loop);
	assert_int_equal(p.calls, 1);
	assert_int_equal(p.last, LOOP_READ);
	assert_int_equal(loop_io_wanted(&p.io), 0);

	loop_io_want(&p.io, LOOP_READ);
	assert_int_equal(write(p.fd[1], "w", 1), 1);
	loop_run(p.loop);
	assert_int_equal(p.calls, 3);
	assert_int_equal(p.last, LOOP_WRITE);

	/* The end of the peer is readiness too; stopped, nothing is told. */
	loop_io_want(&p.io, LOOP_READ);
	loop_io_stop(&p.io);
	loop_io_stop(&p.io);
	close(p.fd[1]);
	loop_stop(p.loop);
	loop_run(p.loop);
	assert_int_equal(p.calls, 3);
	close(p.fd[0]);
	loop_free(&p.loop);
	assert_null(p.loop);
	loop_free(&p.loop);
}

/* --- timers ------------------------------------------------------------- */

struct clockwork {
	struct loop *loop;
	struct loop_timer early, late, pushed, pusher;
	int64_t began;
	char order[8];
	int n, pushes;
};

static void
mark(struct clockwork *c, char name, int64_t at_least_us)
{
	assert_true(clock_mono_us() - c->began >= at_least_us);
	c->order[c->n++] = name;
}

static void
early_rings(struct loop_timer *t)
{
	mark(t->data, 'e', 10 * CLOCK_MS);
	assert_int_equal(t->deadline_us, 0);
}

static void
late_rings(struct loop_timer *t)
{
	mark(t->data, 'l', 60 * CLOCK_MS);
}

static void
pushed_rings(struct loop_timer *t)
{
	struct clockwork *c = t->data;

	mark(c, 'p', 130 * CLOCK_MS);
	loop_stop(c->loop);
}

static void
push(struct loop_timer *t)
{
	struct clockwork *c = t->data;

	loop_timer_set(&c->pushed, 80 * CLOCK_MS);
	if (++c->pushes < 10)
		loop_timer_set(t, 5 * CLOCK_MS);
}

static void
test_timers(void **state)
{
	struct clockwork c = { .n = 0 };

	(void)state;
	c.loop = loop_new();
	loop_timer_init(&c.early, c.loop, early_rings, &c);
	loop_timer_init(&c.late, c.loop, late_rings, &c);
	loop_timer_init(&c.pushed, c.loop, pushed_rings, &c);
	loop_timer_init(&c.pusher, c.loop, push, &c);
	c.began = clock_mono_us();
	loop_timer_set(&c.late, 60 * CLOCK_MS);
	loop_timer_set(&c.early, CLOCK_SECOND);
	loop_timer_set(&c.early, 10 * CLOCK_MS); /* drawn nearer */
	loop_timer_set(&c.pushed, 20 * CLOCK_MS);
	loop_timer_set(&c.pusher, 5 * CLOCK_MS);
	loop_run(c.loop);
	c.order[c.n] = '\0';
	assert_string_equal(c.order, "elp");
	assert_int_equal(c.pushes, 10);
	/* Stopped, one does not ring; one in the past rings at once. */
	loop_timer_set(&c.early, 1);
	loop_timer_stop(&c.early);
	loop_timer_stop(&c.early);
	assert_int_equal(c.early.deadline_us, 0);
	loop_timer_set(&c.pushed, -5);
	loop_run(c.loop);
	assert_int_equal(c.n, 4);
	loop_free(&c.loop);
}

/* Two timers pass in one round; the first to ring pushes the other back, and later
 * it is drawn nearer again. */
struct twins {
	struct loop *loop;
	struct loop_timer timer[2], nearer, *other;
	int rings;
	int64_t rang_us;
};

static void
twin_rings(struct loop_timer *t)
{
	struct twins *w = t->data;

	if (w->rings++ == 0) {
		w->other = &w->timer[t == &w->timer[0]];
		loop_timer_set(w->other, 400 * CLOCK_MS);
		loop_timer_set(&w->nearer, 5 * CLOCK_MS);
		return;
	}
	w->rang_us = loop_now_us(w->loop);
	loop_stop(w->loop);
}

static void
draw_nearer(struct loop_timer *t)
{
	struct twins *w = t->data;

	loop_timer_set(w->other, 20 * CLOCK_MS);
}

static void
test_set_in_the_round_it_passed(void **state)
{
	struct twins w = { .loop = loop_new() };
	int64_t began;

	(void)state;
	loop_timer_init(&w.timer[0], w.loop, twin_rings, &w);
	loop_timer_init(&w.timer[1], w.loop, twin_rings, &w);
	loop_timer_init(&w.nearer, w.loop, draw_nearer, &w);
	began = loop_now_us(w.loop);
	loop_timer_set(&w.timer[0], 1);
	loop_timer_set(&w.timer[1], 1);
	usleep(5000); /* both have passed when the loop looks */
	loop_run(w.loop);
	assert_true(w.rang_us - began < 300 * CLOCK_MS);
	loop_timer_stop(&w.timer[0]);
	loop_timer_stop(&w.timer[1]);
	loop_free(&w.loop);
}

static void
now_is_read(struct loop_timer *t)
{
	int64_t now = loop_now_us(t->loop);

	assert_in_range((uint64_t)now, (uint64_t)clock_mono_us() - CLOCK_SECOND,
	    (uint64_t)clock_mono_us());
	usleep(3000);
	assert_true(loop_now_us(t->loop) == now);
	loop_stop(t->loop);
}

static void
test_now(void **state)
{
	struct loop *loop = loop_new();
	struct loop_timer t;
	int64_t now = loop_now_us(loop);

	(void)state;
	assert_true(clock_mono_us() - now < CLOCK_SECOND);
	loop_timer_init(&t, loop, now_is_read, NULL);
	loop_timer_set(&t, 1);
	loop_run(loop);
	loop_free(&loop);
}

/* --- messages ----------------------------------------------------------- */

#define SENDERS 4
#define EACH 20000

struct receiver {
	struct loop *loop;
	pthread_t thread;
	int next[SENDERS], received;
};

struct letter {
	struct loop_message message; /* first: the letter's address */
	struct receiver *to;
	int sender, number;
};

static void
take_letter(struct loop_message *message)
{
	struct letter *l = (struct letter *)(void *)message;
	struct receiver *r = l->to;

	assert_true(pthread_equal(pthread_self(), r->thread));
	assert_int_equal(l->number, r->next[l->sender]);
	r->next[l->sender]++;
	r->received++;
	if (l->number == EACH - 1)
		free(l - (EACH - 1));
	if (r->received == SENDERS * EACH)
		loop_stop(r->loop);
}

struct sender {
	struct receiver *to;
	int index;
};

static void *
send_letters(void *arg)
{
	struct sender *s = arg;
	struct letter *letters = calloc(EACH, sizeof *letters);
	int i;

	for (i = 0; i < EACH; i++) {
		letters[i] = (struct letter){ { NULL, take_letter }, s->to, s->index, i };
		loop_post(s->to->loop, &letters[i].message);
	}
	return (NULL);
}

static void
test_messages(void **state)
{
	struct receiver r = { .loop = loop_new(), .thread = pthread_self() };
	struct sender sender[SENDERS];
	pthread_t thread[SENDERS];
	int i;

	(void)state;
	for (i = 0; i < SENDERS; i++) {
		sender[i] = (struct sender){ &r, i };
		assert_int_equal(
		    pthread_create(&thread[i], NULL, send_letters, &sender[i]), 0);
	}
	loop_run(r.loop);
	assert_int_equal(r.received, SENDERS * EACH);
	for (i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
	loop_free(&r.loop);
}

struct round_trip {
	struct loop_message message;
	struct loop *loop;
	int left;
};

static void
again(struct loop_message *message)
{
	struct round_trip *t = (struct round_trip *)(void *)message;

	if (--t->left > 0)
		loop_post(t->loop, message); /* delivered: free for the next trip */
	else
		loop_stop(t->loop);
}

static void
test_post_before_run_and_again(void **state)
{
	struct round_trip t = { { NULL, again }, loop_new(), 5 };

	(void)state;
	loop_post(t.loop, &t.message);
	loop_run(t.loop);
	assert_int_equal(t.left, 0);
	/* What is never delivered stays its owner's. */
	loop_post(t.loop, &t.message);
	loop_free(&t.loop);
}

static void *
stop_it(void *loop)
{
	usleep(20000);
	loop_stop(loop);
	return (NULL);
}

static void
test_stop(void **state)
{
	struct loop *loop = loop_new();
	pthread_t thread;

	(void)state;
	loop_stop(loop); /* before it runs counts as well */
	loop_run(loop);
	assert_int_equal(pthread_create(&thread, NULL, stop_it, loop), 0);
	loop_run(loop);
	pthread_join(thread, NULL);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_set_in_the_round_it_passed),
		cmocka_unit_test(test_now),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_post_before_run_and_again),
		cmocka_unit_test(test_stop),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
