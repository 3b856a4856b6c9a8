/* SPDX-License-Identifier: Apache-2.0 */
/* The worker threads. */
#include "config.h"

#include "gateway/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/pipeline.h"
#include "gateway/request/connection.h"
#include "gateway/request/request.h"

#define INSPECTOR_NICENESS 5
#define HASHERS 2 /* of passwords: slow on purpose */
#define HASHER_NICENESS 10
#define BUFFER_EXTRA 1024 /* a head of header_bytes and a byte too many */
#define BUFFERS_SPARE 256
#define LONG_BUFFERS_SPARE 8
#define ENCODERS_SPARE 8 /* of each coding */
#define LINE_MAX_BYTES (1u << 20)

/* One listening socket of one thread. */
struct door {
	struct thread *thread;
	const struct entrance *entrance;
	int fd;
	struct listener *listener;
};

#define THREAD_MAGIC 0x7442ead0u
struct thread {
	unsigned magic;
	struct worker worker;
	struct workers *workers;
	struct door *doors;
	pthread_t id;
	bool started;
	struct loop_message drain, round;
};

struct workers {
	struct snapshot *snapshot;
	struct connlimit *limits;
	struct job_pool *inspectors, *hashers, *files;
	struct job_pool *resolver; /* of Redis' name; NULL: no Redis */
	struct thread *threads;
	uint32_t n_threads;
	atomic_uint running;
	struct upstream **upstreams; /* of the threads, who tell each other of room */
	/* Rounds; of the thread that asks for them, but for in_round. */
	atomic_uint in_round; /* threads that have not passed yet */
	struct loop *round_home;
	struct loop_message round_over;
	struct loop_message *passing; /* told when this round is over */
	struct loop_message *next_round; /* came meanwhile */
};

/* A banned client that has seen why is not worth a connection, unless an access
 * list lets its address in: which site it wants is not known yet. */
static bool
is_shut_out(const struct snapshot *snap, const struct netaddr *client)
{
	size_t i, j;

	if (!bans_shuts_out(snap->bans, client, clock_wall_us()))
		return (false);
	for (i = 0; i < snap->conf->n_sites; i++) {
		if (snap->sites[i].self.acl != NULL &&
		    acl_allows_address(snap->sites[i].self.acl, client))
			return (false);
		for (j = 0; j < snap->conf->sites[i].n_routes; j++)
			if (snap->sites[i].routes[j].acl != NULL &&
			    acl_allows_address(snap->sites[i].routes[j].acl, client))
				return (false);
	}
	return (true);
}

static enum listener_rc
admit(struct worker *w, const struct netaddr *client)
{
	if (identity_is_trusted(w->snapshot->identity, client))
		return (LISTENER_COUNT_TOTAL);
	return (is_shut_out(w->snapshot, client) ? LISTENER_REFUSE : LISTENER_COUNT);
}

static enum listener_rc
door_admit(void *data, const struct netaddr *peer)
{
	struct door *door;

	door = data;
	return (admit(&door->thread->worker, peer));
}

static void
door_accept(void *data, const struct arrival *arrival)
{
	struct door *door;

	door = data;
	conn_new(&door->thread->worker, door->entrance, arrival);
}

static void
thread_drained(struct worker *w)
{
	loop_stop(w->loop);
}

static void
thread_drain(struct loop_message *message)
{
	struct thread *t;
	struct conn *c, *next;
	size_t i;

	t = (struct thread *)((char *)message - offsetof(struct thread, drain));
	CHECK_OBJ(t, THREAD_MAGIC);
	for (i = 0; i < t->worker.snapshot->conf->n_listeners; i++)
		if (t->doors[i].listener != NULL)
			listener_free(&t->doors[i].listener);
	t->worker.draining = true;
	if (TAILQ_EMPTY(&t->worker.conns))
		thread_drained(&t->worker);
	for (c = TAILQ_FIRST(&t->worker.conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		conn_drain(c);
	}
}

static void
thread_round(struct loop_message *message)
{
	struct workers *all;
	struct thread *t;

	t = (struct thread *)((char *)message - offsetof(struct thread, round));
	CHECK_OBJ(t, THREAD_MAGIC);
	all = t->workers;
	upstream_tidy(t->worker.upstream);
	if (atomic_fetch_sub(&all->in_round, 1) == 1)
		loop_post(all->round_home, &all->round_over);
}

static void *
thread_main(void *data)
{
	struct thread *t;
	char name[16];

	CAST_OBJ(t, data, THREAD_MAGIC);
	snprintf(name, sizeof(name), "worker-%u", (unsigned)(t - t->workers->threads));
	pthread_setname_np(pthread_self(), name);
	loop_run(t->worker.loop);
	atomic_fetch_sub(&t->workers->running, 1);
	return (NULL);
}

static void
worker_init(struct thread *t, struct workers *all)
{
	struct worker *w;

	w = &t->worker;
	t->magic = THREAD_MAGIC;
	t->workers = all;
	t->drain.deliver = thread_drain;
	t->round.deliver = thread_round;
	w->magic = WORKER_MAGIC;
	w->snapshot = all->snapshot;
	w->loop = loop_new();
	w->upstream = upstream_new(w->loop);
	w->limits = all->limits;
	w->inspectors = all->inspectors;
	w->hashers = all->hashers;
	w->files = all->files;
	if (all->snapshot->redis != NULL)
		w->redis = redis_new(w->loop, all->snapshot->redis, all->resolver);
	w->limiter = limiter_new(all->snapshot->rate_limits, w->loop, w->redis);
	w->buffers = buf_pool_new(
	    all->snapshot->limits.header_bytes + BUFFER_EXTRA, BUFFERS_SPARE);
	w->long_buffers = buf_pool_new(LONG_BUFFER_SIZE, LONG_BUFFERS_SPARE);
	w->encoders = encoder_pool_new(ENCODERS_SPARE);
	w->admit = admit;
	w->run = pipeline_run;
	w->drained = thread_drained;
	id_source_init(&w->ids);
	text_init(&w->line, LINE_MAX_BYTES);
	TAILQ_INIT(&w->conns);
	LIST_INIT(&w->hashing);
	SLIST_INIT(&w->spare);
	t->doors = mem_zalloc(all->snapshot->conf->n_listeners * sizeof(*t->doors));
}

static void
worker_close(struct thread *t)
{
	struct worker *w;
	size_t i;

	w = &t->worker;
	for (i = 0; i < w->snapshot->conf->n_listeners; i++)
		if (t->doors[i].listener != NULL)
			listener_free(&t->doors[i].listener);
		else if (t->doors[i].fd > 0)
			close(t->doors[i].fd);
	w->draining = false; /* nobody is left to be told */
	while (!TAILQ_EMPTY(&w->conns))
		conn_abort(TAILQ_FIRST(&w->conns));
	request_free_spare(w);
	limiter_free(&w->limiter);
	if (w->redis != NULL)
		redis_free(&w->redis);
	upstream_free(&w->upstream);
	encoder_pool_free(&w->encoders);
	buf_pool_free(&w->buffers);
	buf_pool_free(&w->long_buffers);
	text_free(&w->line);
	loop_free(&w->loop);
	free(t->doors);
}

/* Every thread gets a socket of its own on every address: the kernel shares the
 * connections out. */
static enum err_code
bind_listener(struct workers *all, size_t index, struct err *e)
{
	const struct netaddr *address;
	enum err_code code;
	uint32_t i;
	int fd;

	address = &all->snapshot->conf->listeners[index].address;
	for (i = 0; i < all->n_threads; i++) {
		if (i == 0)
			code = net_listen(&fd, address, e);
		else
			code = net_listen_again(&fd, all->threads[0].doors[index].fd, e);
		if (code != ERR_OK)
			return (code);
		all->threads[i].doors[index].thread = &all->threads[i];
		all->threads[i].doors[index].entrance = &all->snapshot->entrances[index];
		all->threads[i].doors[index].fd = fd;
	}
	return (ERR_OK);
}

static void
open_doors(struct thread *t)
{
	struct listener_owner owner = { .admit = door_admit, .accept = door_accept };
	struct door *door;
	size_t i;

	for (i = 0; i < t->worker.snapshot->conf->n_listeners; i++) {
		door = &t->doors[i];
		owner.data = door;
		door->listener =
		    listener_new(t->worker.loop, door->fd, t->worker.limits, &owner);
		door->fd = -1; /* the listener's now, which may end before us */
	}
}

/* Signals are the main thread's business. */
static enum err_code
start_threads(struct workers *all, struct err *e)
{
	sigset_t block, before;
	struct thread *t;
	uint32_t i;
	int rc;

	sigfillset(&block);
	pthread_sigmask(SIG_SETMASK, &block, &before);
	rc = 0;
	for (i = 0; i < all->n_threads && rc == 0; i++) {
		t = &all->threads[i];
		open_doors(t);
		atomic_fetch_add(&all->running, 1);
		rc = pthread_create(&t->id, NULL, thread_main, t);
		t->started = rc == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return (err_set(e, ERR_IO, "cannot start a thread: %s", strerror(rc)));
	return (ERR_OK);
}

static void
begin_round(struct workers *all)
{
	uint32_t i;

	all->passing = all->next_round;
	all->next_round = NULL;
	atomic_store(&all->in_round, all->n_threads);
	for (i = 0; i < all->n_threads; i++)
		loop_post(all->threads[i].worker.loop, &all->threads[i].round);
}

static void
round_over(struct loop_message *message)
{
	struct loop_message *passed, *next;
	struct workers *all;

	all = (struct workers *)((char *)message - offsetof(struct workers, round_over));
	passed = all->passing;
	all->passing = NULL;
	for (; passed != NULL; passed = next) {
		next = passed->next;
		passed->deliver(passed);
	}
	if (all->next_round != NULL && all->passing == NULL)
		begin_round(all);
}

void
workers_round(struct workers *all, struct loop *home, struct loop_message *done)
{
	done->next = all->next_round;
	all->next_round = done;
	if (all->passing != NULL)
		return;
	all->round_home = home;
	begin_round(all);
}

enum err_code
workers_start(struct workers **workers_r, struct snapshot *snap, struct err *e)
{
	const struct conf *conf;
	struct workers *all;
	enum err_code code;
	uint32_t i;
	size_t n;

	conf = snap->conf;
	all = mem_zalloc(sizeof(*all));
	all->snapshot = snap;
	all->n_threads = conf->threads;
	all->limits =
	    connlimit_new(conf->max.connections, conf->max.connections_per_client);
	all->inspectors = job_pool_new("inspect", conf->threads, INSPECTOR_NICENESS);
	all->hashers = job_pool_new("hash", HASHERS, HASHER_NICENESS);
	all->files = job_pool_new("files", 1, 0);
	/* apart: bodies must not wait for a name server that is silent */
	if (snap->redis != NULL)
		all->resolver = job_pool_new("resolve", 1, 0);
	all->threads = mem_zalloc(all->n_threads * sizeof(*all->threads));
	all->round_over.deliver = round_over;
	all->upstreams = mem_zalloc(all->n_threads * sizeof(struct upstream *));
	for (i = 0; i < all->n_threads; i++) {
		worker_init(&all->threads[i], all);
		all->upstreams[i] = all->threads[i].worker.upstream;
	}
	for (i = 0; i < all->n_threads; i++)
		upstream_meet(all->upstreams[i], all->upstreams, all->n_threads);
	code = ERR_OK;
	for (n = 0; n < conf->n_listeners && code == ERR_OK; n++)
		code = bind_listener(all, n, e);
	if (code == ERR_OK)
		code = start_threads(all, e);
	if (code != ERR_OK)
		workers_stop(&all);
	*workers_r = all;
	return (code);
}

void
workers_drain(struct workers *all)
{
	uint32_t i;

	for (i = 0; i < all->n_threads; i++)
		loop_post(all->threads[i].worker.loop, &all->threads[i].drain);
}

uint32_t
workers_connections(const struct workers *all)
{
	return (connlimit_total(all->limits));
}

void
workers_tally(const struct workers *all, struct tally *sum_r)
{
	uint32_t i;

	memset(sum_r, 0, sizeof(*sum_r));
	for (i = 0; i < all->n_threads; i++)
		tally_sum(sum_r, &all->threads[i].worker.tally);
}

bool
workers_ended(const struct workers *all)
{
	return (atomic_load(&all->running) == 0);
}

void
workers_stop(struct workers **workers)
{
	struct workers *all;
	uint32_t i;

	all = *workers;
	for (i = 0; i < all->n_threads; i++) {
		if (!all->threads[i].started)
			continue;
		loop_stop(all->threads[i].worker.loop);
		pthread_join(all->threads[i].id, NULL);
	}
	/* passwords that wait are many seconds' work, for nobody */
	job_pool_drop(all->inspectors);
	job_pool_drop(all->hashers);
	job_pool_free(&all->inspectors);
	job_pool_free(&all->hashers);
	job_pool_free(&all->files);
	job_pool_free(&all->resolver);
	for (i = 0; i < all->n_threads; i++)
		upstream_meet(all->upstreams[i], NULL, 0); /* their loops end */
	for (i = 0; i < all->n_threads; i++)
		worker_close(&all->threads[i]);
	free(all->upstreams);
	connlimit_free(&all->limits);
	free(all->threads);
	free(all);
	*workers = NULL;
}
