/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take jobs from one queue and answer to the loops' mailboxes. */
#include "config.h"

#include "gateway/loop/jobs.h"

#include "gateway/base/check.h"
#include "gateway/base/lock.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define JOB_POOL_MAGIC 0x70b9001u
#define THREAD_NAME_MAX 16 /* the kernel's */

struct job_pool {
	unsigned magic;
	char name[THREAD_NAME_MAX];
	int niceness;
	unsigned threads;
	pthread_t *thread;

	struct lock lock; /* for what follows */
	pthread_cond_t more;
	struct loop_message *first, **last; /* of struct job */
	unsigned started;
	bool closing;
};

static struct job *
job_of(struct loop_message *message)
{
	return ((struct job *)(void *)((char *)message - offsetof(struct job, message)));
}

static void
deliver_done(struct loop_message *message)
{
	struct job *job = job_of(message);

	job->done(job);
}

/* NULL when the pool closes and nothing is left. */
static struct job *
take_job(struct job_pool *pool)
{
	struct loop_message *message;

	lock_take(&pool->lock);
	while (pool->first == NULL && !pool->closing)
		lock_wait(&pool->lock, &pool->more);
	message = pool->first;
	if (message != NULL) {
		pool->first = message->next;
		if (pool->first == NULL)
			pool->last = &pool->first;
	}
	lock_release(&pool->lock);
	return (message != NULL ? job_of(message) : NULL);
}

static void
set_up_thread(struct job_pool *pool)
{
	char name[THREAD_NAME_MAX];
	unsigned index;

	lock_take(&pool->lock);
	index = pool->started++;
	lock_release(&pool->lock);
	snprintf(name, sizeof name, "%.10s-%u", pool->name, index % 1000);
	pthread_setname_np(pthread_self(), name);
	/* Linux keeps nice values per thread. Where a container refuses this,
	 * the pool works all the same. */
	if (pool->niceness != 0)
		setpriority(PRIO_PROCESS, (id_t)gettid(),
		    getpriority(PRIO_PROCESS, (id_t)gettid()) + pool->niceness);
}

static void *
thread_main(void *arg)
{
	struct job_pool *pool;
	struct job *job;

	CAST_OBJ(pool, arg, JOB_POOL_MAGIC);
	set_up_thread(pool);
	while ((job = take_job(pool)) != NULL) {
		job->run(job);
		job->message.deliver = deliver_done;
		loop_post(job->home, &job->message); /* the loop's from here */
	}
	return (NULL);
}

struct job_pool *
job_pool_new(const char *name, unsigned threads, int niceness)
{
	struct job_pool *pool = mem_zalloc(sizeof *pool);
	sigset_t all, old;
	unsigned i;

	CHECK(threads > 0);
	pool->magic = JOB_POOL_MAGIC;
	snprintf(pool->name, sizeof pool->name, "%s", name);
	pool->niceness = niceness;
	pool->threads = threads;
	pool->thread = mem_zalloc(threads * sizeof *pool->thread);
	pool->last = &pool->first;
	lock_init(&pool->lock, LOCK_JOBS);
	CHECK(pthread_cond_init(&pool->more, NULL) == 0);
	/* Signals are for the main thread's loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (i = 0; i < threads; i++)
		CHECK(pthread_create(&pool->thread[i], NULL, thread_main, pool) == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return (pool);
}

void
job_submit(struct job_pool *pool, struct job *job)
{
	CHECK_OBJ(pool, JOB_POOL_MAGIC);
	job->message.next = NULL;
	lock_take(&pool->lock);
	CHECK(!pool->closing);
	*pool->last = &job->message;
	pool->last = &job->message.next;
	pthread_cond_signal(&pool->more);
	lock_release(&pool->lock);
}

void
job_pool_drop(struct job_pool *pool)
{
	CHECK_OBJ(pool, JOB_POOL_MAGIC);
	lock_take(&pool->lock);
	pool->first = NULL;
	pool->last = &pool->first;
	lock_release(&pool->lock);
}

void
job_pool_free(struct job_pool **pool_ptr)
{
	struct job_pool *pool = *pool_ptr;
	unsigned i;

	if (pool == NULL)
		return;
	CHECK_OBJ(pool, JOB_POOL_MAGIC);
	lock_take(&pool->lock);
	pool->closing = true;
	pthread_cond_broadcast(&pool->more);
	lock_release(&pool->lock);
	for (i = 0; i < pool->threads; i++)
		CHECK(pthread_join(pool->thread[i], NULL) == 0);
	CHECK(pool->first == NULL);
	pthread_cond_destroy(&pool->more);
	lock_destroy(&pool->lock);
	free(pool->thread);
	pool->magic = 0;
	free(pool);
	*pool_ptr = NULL;
}
