/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/loop/jobs.h - a pool of threads for work that must not run on a loop:
 * long inspections, files. The queue is bounded by its callers: one job per
 * request at a time. */
#ifndef YETT_JOBS_H
#define YETT_JOBS_H

#include <stdbool.h>

#include "gateway/loop/loop.h"

struct job {
	struct loop_message message;	/* the pool's */
	struct loop *home;
	void (*run)(struct job *);	/* on a pool thread */
	void (*done)(struct job *);	/* on `home`, after run */
};

struct job_pool;

/* `niceness` is added to the threads' nice value: long work yields to loops. */
struct job_pool *job_pool_new(const char *name, unsigned threads, int niceness);
/* Any thread. First in, first out. `job` stays the caller's and must live
 * until `done` was called; there is no cancelling. */
void job_submit(struct job_pool *, struct job *);
/* Forgets what is queued and not begun: neither `run` nor `done` will be called. For an
 * end at once: the jobs' owners must not wait for them any more. */
void job_pool_drop(struct job_pool *);
/* Finishes what is queued, then ends the threads; their `done` messages are
 * posted to loops that must still exist. */
void job_pool_free(struct job_pool **);

#endif
