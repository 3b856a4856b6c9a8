/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread. */
#include "config.h"

#include "gateway/control.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "gateway/admin.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/metrics.h"
#include "gateway/reload_controls.h"
#include "ratelimit/heartbeat.h"

#define POLL_US CLOCK_SECOND
#define WATCH_NICENESS 5

#define CONTROL_MAGIC 0xc0427201u
struct control {
	unsigned magic;
	struct control_view view;
	struct loop *loop;
	struct job_pool *resolver, *files;
	struct heartbeat *heartbeat; /* NULL: no Redis */
	struct rounds *rounds;
	struct admin *admin; /* NULL: off */
	struct metrics *metrics; /* NULL: off */
	struct loop_timer poll;
	struct job look; /* at all files, on a thread of its own */
	bool looking; /* until what was replaced is freed */
	bool replaced; /* the look took up another content */
	struct loop_message settled; /* all workers have passed a quiet point */
	pthread_t thread;
	bool started;
};

static void
settled(struct loop_message *message)
{
	struct control *c;
	size_t i, n;

	c = (struct control *)((char *)message - offsetof(struct control, settled));
	CHECK_OBJ(c, CONTROL_MAGIC);
	n = controls_watched_count(c->view.snap);
	for (i = 0; i < n; i++)
		watched_settle(controls_watched(c->view.snap, i));
	c->looking = false;
}

static struct control *
control_of(struct job *look)
{
	struct control *c;

	c = (struct control *)((char *)look - offsetof(struct control, look));
	CHECK_OBJ(c, CONTROL_MAGIC);
	return (c);
}

/* Off the loop: a large database takes seconds to be read and verified. */
static void
look_at_files(struct job *look)
{
	struct control *c;
	size_t i, n;

	c = control_of(look);
	n = controls_watched_count(c->view.snap);
	for (i = 0; i < n; i++)
		if (watched_poll(controls_watched(c->view.snap, i)))
			c->replaced = true;
}

/* What was replaced is freed when no worker can look at it any more. */
static void
looked(struct job *look)
{
	struct control *c;

	c = control_of(look);
	if (c->replaced)
		rounds_add(c->rounds, &c->settled);
	else
		c->looking = false;
	c->replaced = false;
}

static void
poll_files(struct loop_timer *timer)
{
	struct control *c;

	CAST_OBJ(c, timer->data, CONTROL_MAGIC);
	loop_timer_set(&c->poll, POLL_US);
	if (c->looking)
		return;
	c->looking = true;
	job_submit(c->files, &c->look);
}

static void *
thread_main(void *data)
{
	struct control *c;

	CAST_OBJ(c, data, CONTROL_MAGIC);
	pthread_setname_np(pthread_self(), "control");
	loop_run(c->loop);
	return (NULL);
}

static enum err_code
start_thread(struct control *c, struct err *e)
{
	sigset_t block, before;
	int rc;

	sigfillset(&block);
	pthread_sigmask(SIG_SETMASK, &block, &before);
	rc = pthread_create(&c->thread, NULL, thread_main, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return (err_set(e, ERR_IO, "cannot start a thread: %s", strerror(rc)));
	c->started = true;
	return (ERR_OK);
}

static void
start_checks(struct control *c)
{
	const struct snapshot *snap = c->view.snap;
	size_t i;

	c->view.checks = mem_zalloc(snap->conf->n_pools * sizeof(struct pool_watch *));
	for (i = 0; i < snap->conf->n_pools; i++)
		c->view.checks[i] = pool_watch_new(c->loop, snap->pools[i]);
}

static void
stop_checks(struct control *c)
{
	size_t i;

	for (i = 0; i < c->view.snap->conf->n_pools; i++)
		pool_watch_free(&c->view.checks[i]);
	free(c->view.checks);
}

enum err_code
control_start(struct control **control_r, struct snapshot *snap, struct workers *workers,
    struct err *e)
{
	enum err_code code;
	struct control *c;

	c = mem_zalloc(sizeof(*c));
	c->magic = CONTROL_MAGIC;
	c->loop = loop_new();
	c->resolver = job_pool_new("resolve", 1, 0);
	c->view.loop = c->loop;
	c->files = job_pool_new("watch", 1, WATCH_NICENESS);
	c->view.snap = snap;
	c->view.workers = workers;
	c->view.started_us = clock_wall_us();
	c->rounds = rounds_new(c->loop, workers);
	c->settled.deliver = settled;
	c->look.home = c->loop;
	c->look.run = look_at_files;
	c->look.done = looked;
	if (snap->redis != NULL) {
		c->view.redis = redis_new(c->loop, snap->redis, c->resolver);
		c->heartbeat =
		    heartbeat_new(c->loop, c->view.redis, snap->rate_limits, snap->conf);
		c->view.bans_share =
		    bans_share_new(c->loop, c->view.redis, snap->bans, snap->conf);
	}
	start_checks(c);
	loop_timer_init(&c->poll, c->loop, poll_files, c);
	loop_timer_set(&c->poll, POLL_US);
	code = names_new(&c->view.names, c->loop, snap, c->rounds, e);
	if (code == ERR_OK)
		code = admin_new(&c->admin, c->loop, &c->view, e);
	if (code == ERR_OK)
		code = metrics_new(&c->metrics, c->loop, &c->view, e);
	if (code == ERR_OK)
		code = start_thread(c, e);
	if (code != ERR_OK)
		control_free(&c);
	*control_r = c;
	return (code);
}

void
control_stop(struct control *c)
{
	CHECK_OBJ(c, CONTROL_MAGIC);
	if (!c->started)
		return;
	loop_stop(c->loop);
	pthread_join(c->thread, NULL);
	c->started = false;
}

void
control_free(struct control **control)
{
	struct control *c;

	CAST_OBJ(c, *control, CONTROL_MAGIC);
	*control = NULL;
	control_stop(c);
	if (c->metrics != NULL)
		metrics_free(&c->metrics);
	if (c->admin != NULL)
		admin_free(&c->admin);
	if (c->view.bans_share != NULL)
		bans_share_free(&c->view.bans_share);
	if (c->heartbeat != NULL)
		heartbeat_free(&c->heartbeat);
	job_pool_free(&c->resolver);
	job_pool_free(&c->files);
	stop_checks(c);
	if (c->view.redis != NULL)
		redis_free(&c->view.redis);
	names_free(&c->view.names);
	rounds_free(&c->rounds);
	loop_timer_stop(&c->poll);
	loop_free(&c->loop);
	free(c);
}
