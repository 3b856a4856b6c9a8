/* SPDX-License-Identifier: Apache-2.0 */
/* The job pool: off the loop and back, in order, nothing lost at the end. */
#include "config.h"

#include "gateway/loop/jobs.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define JOBS 500

struct work {
	struct job job; /* first: the work's address */
	pthread_t home;
	int input, result, *done;
	int *order, *ordered; /* of the one thread of a pool */
};

static void
double_it(struct job *job)
{
	struct work *w = (struct work *)(void *)job;

	assert_false(pthread_equal(pthread_self(), w->home));
	w->result = 2 * w->input;
	if (w->order != NULL)
		w->order[(*w->ordered)++] = w->input;
}

static void
doubled(struct job *job)
{
	struct work *w = (struct work *)(void *)job;

	assert_true(pthread_equal(pthread_self(), w->home));
	assert_int_equal(w->result, 2 * w->input);
	if (++*w->done == JOBS)
		loop_stop(job->home);
}

static void
submit_all(struct job_pool *pool, struct loop *loop, struct work *work, int *done)
{
	int i;

	for (i = 0; i < JOBS; i++) {
		work[i].job =
		    (struct job){ .home = loop, .run = double_it, .done = doubled };
		work[i].home = pthread_self();
		work[i].input = i;
		work[i].done = done;
		job_submit(pool, &work[i].job);
	}
}

static void
test_many(void **state)
{
	struct job_pool *pool = job_pool_new("many", 3, 0);
	struct work work[JOBS] = { 0 };
	struct loop *loop = loop_new();
	int done = 0;

	(void)state;
	submit_all(pool, loop, work, &done);
	loop_run(loop);
	assert_int_equal(done, JOBS);
	job_pool_free(&pool);
	assert_null(pool);
	job_pool_free(&pool);
	loop_free(&loop);
}

static void
test_order(void **state)
{
	struct job_pool *pool = job_pool_new("order", 1, 0);
	int done = 0, order[JOBS], ordered = 0, i;
	struct work work[JOBS] = { 0 };
	struct loop *loop = loop_new();

	(void)state;
	for (i = 0; i < JOBS; i++) {
		work[i].order = order;
		work[i].ordered = &ordered;
	}
	submit_all(pool, loop, work, &done);
	loop_run(loop);
	for (i = 0; i < JOBS; i++)
		assert_int_equal(order[i], i);
	job_pool_free(&pool);
	loop_free(&loop);
}

static void
test_free_finishes(void **state)
{
	struct job_pool *pool = job_pool_new("end", 2, 0);
	struct work work[JOBS] = { 0 };
	struct loop *loop = loop_new();
	int done = 0;

	(void)state;
	submit_all(pool, loop, work, &done);
	job_pool_free(&pool);
	assert_int_equal(done, 0); /* in the mailbox, every one */
	loop_run(loop);
	assert_int_equal(done, JOBS);
	loop_free(&loop);
}

struct held {
	struct job job;
	sem_t begun, go_on;
	bool done;
};

static void
hold(struct job *job)
{
	struct held *held = (struct held *)(void *)job;

	(void)sem_post(&held->begun);
	while (sem_wait(&held->go_on) != 0)
		continue;
}

static void
let_go(struct job *job)
{
	((struct held *)(void *)job)->done = true;
	loop_stop(job->home);
}

/* The one that has begun ends, those behind it are forgotten. */
static void
test_drop(void **state)
{
	struct job_pool *pool = job_pool_new("drop", 1, 0);
	struct held held = { .job = { .run = hold, .done = let_go } };
	struct work work[JOBS] = { 0 };
	struct loop *loop = loop_new();
	int done = 0;

	(void)state;
	held.job.home = loop;
	assert_int_equal(sem_init(&held.begun, 0, 0), 0);
	assert_int_equal(sem_init(&held.go_on, 0, 0), 0);
	job_submit(pool, &held.job);
	while (sem_wait(&held.begun) != 0)
		continue;
	submit_all(pool, loop, work, &done);
	job_pool_drop(pool);
	assert_int_equal(sem_post(&held.go_on), 0);
	job_pool_free(&pool);
	loop_run(loop);
	assert_true(held.done);
	assert_int_equal(done, 0);
	loop_free(&loop);
}

struct look {
	struct job job;
	int nice;
	char name[16];
	sigset_t blocked;
};

static void
look_around(struct job *job)
{
	struct look *l = (struct look *)(void *)job;

	l->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	pthread_getname_np(pthread_self(), l->name, sizeof l->name);
	pthread_sigmask(SIG_BLOCK, NULL, &l->blocked);
}

static void
looked(struct job *job)
{
	loop_stop(job->home);
}

static void
test_thread(void **state)
{
	struct job_pool *pool = job_pool_new("inspection-threads", 1, 5);
	struct loop *loop = loop_new();
	struct look l = { .job = { .home = loop, .run = look_around, .done = looked } };
	int nice = getpriority(PRIO_PROCESS, 0);

	(void)state;
	job_submit(pool, &l.job);
	loop_run(loop);
	assert_int_equal(l.nice, nice + 5 < 19 ? nice + 5 : 19);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), nice);
	assert_string_equal(l.name, "inspection-0");
	assert_true(sigismember(&l.blocked, SIGTERM));
	assert_true(sigismember(&l.blocked, SIGUSR1));
	job_pool_free(&pool);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_free_finishes),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_thread),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
