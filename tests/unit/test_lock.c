/* SPDX-License-Identifier: Apache-2.0 */
/* Ranked locks: they exclude, and a checking build aborts on misuse. */
#include "config.h"

#include "gateway/base/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct shared {
	struct lock lock;
	pthread_cond_t changed;
	int count, turn;
};

static void *
add_many(void *arg)
{
	struct shared *s = arg;
	int i;

	for (i = 0; i < 20000; i++) {
		lock_take(&s->lock);
		lock_assert_held(&s->lock);
		s->count++;
		lock_release(&s->lock);
	}
	return (NULL);
}

static void
test_excludes(void **state)
{
	struct shared s = { .count = 0 };
	pthread_t thread[4];
	int i;

	(void)state;
	lock_init(&s.lock, LOCK_CLIENTS);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, add_many, &s), 0);
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(s.count, 80000);
	lock_destroy(&s.lock);
}

static void *
answer(void *arg)
{
	struct shared *s = arg;
	int i;

	lock_take(&s->lock);
	for (i = 0; i < 100; i++) {
		while (s->turn == 0)
			lock_wait(&s->lock, &s->changed);
		s->turn = 0;
		pthread_cond_signal(&s->changed);
	}
	lock_release(&s->lock);
	return (NULL);
}

static void
test_wait(void **state)
{
	struct shared s = { .count = 0, .changed = PTHREAD_COND_INITIALIZER };
	pthread_t thread;
	int i;

	(void)state;
	lock_init(&s.lock, LOCK_JOBS);
	assert_int_equal(pthread_create(&thread, NULL, answer, &s), 0);
	lock_take(&s.lock);
	for (i = 0; i < 100; i++) {
		s.turn = 1;
		pthread_cond_signal(&s.changed);
		while (s.turn == 1)
			lock_wait(&s.lock, &s.changed);
		lock_assert_held(&s.lock);
	}
	lock_release(&s.lock);
	pthread_join(thread, NULL);
	lock_destroy(&s.lock);
}

static struct lock *
new_lock(struct lock *l, enum lock_rank rank)
{
	lock_init(l, rank);
	return (l);
}

static void
wrong_order(void)
{
	struct lock high, low;

	new_lock(&high, LOCK_CONFIG);
	lock_take(new_lock(&low, LOCK_LOG));
	lock_take(&high);
}

static void
equal_ranks(void)
{
	struct lock one, two;

	lock_take(new_lock(&one, LOCK_CLIENTS));
	lock_take(new_lock(&two, LOCK_CLIENTS));
}

static void
not_held(void)
{
	struct lock l;

	lock_assert_held(new_lock(&l, LOCK_LOG));
}

static void
released_without(void)
{
	struct lock l;

	lock_release(new_lock(&l, LOCK_LOG));
}

static void *
release_it(void *l)
{
	lock_release(l);
	return (NULL);
}

static void
released_elsewhere(void)
{
	struct lock l;
	pthread_t thread;

	lock_take(new_lock(&l, LOCK_LOG));
	pthread_create(&thread, NULL, release_it, &l);
	pthread_join(thread, NULL);
}

static void
right_order(void)
{
	struct lock one, two, three;

	lock_take(new_lock(&one, LOCK_CONFIG));
	lock_take(new_lock(&two, LOCK_TLS));
	lock_take(new_lock(&three, LOCK_LOG));
	lock_release(&two); /* any order of release */
	lock_assert_held(&one);
	lock_assert_held(&three);
	lock_release(&three);
	lock_take(&two);
	lock_release(&two);
	lock_release(&one);
}

/* The signal that ended `what` in a process of its own; 0: none. */
static int
signal_of(void (*what)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		fclose(stderr);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return (WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void
test_checks(void **state)
{
	static const struct {
		void (*what)(void);
		int signal;
		const char *why;
	} rows[] = {
		{ right_order, 0, "downwards" },
		{ wrong_order, SIGABRT, "upwards" },
		{ equal_ranks, SIGABRT, "two of a rank" },
		{ not_held, SIGABRT, "asserted, not held" },
		{ released_without, SIGABRT, "released, not held" },
		{ released_elsewhere, SIGABRT, "released by another thread" },
	};
	size_t i;

	(void)state;
#ifndef YETT_LOCK_CHECK
	skip();
#endif
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (signal_of(rows[i].what) != rows[i].signal)
			fail_msg("%s", rows[i].why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks), /* forks: before any thread */
		cmocka_unit_test(test_excludes),
		cmocka_unit_test(test_wait),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
