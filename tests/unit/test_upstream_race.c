/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that ask, retry, wait, leave and release while servers come and go, are
 * drained, found down, and close connections: nothing is lost or counted twice, and
 * nobody waits for ever. Most telling under a thread sanitizer. */
#include "config.h"

#include "gateway/upstream/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/hash.h"
#include "gateway/upstream/mix.h"
#include "gateway/upstream/pool.h"

#define ADDRESSES 4
#define WORKERS 3
#define SLOTS 24 /* requests of a worker at once */
#define REQUESTS 1000 /* of a worker in all */
#define QUEUE_WAIT_US (200 * CLOCK_MS)
#define PATIENCE_US (300 * CLOCK_SECOND)

struct rig;

/* One request after the other. */
struct slot {
	struct worker *worker;
	struct upstream_ask ask;
	struct loop_timer timer;
	struct upstream_conn *conn;
	bool waiting;
	unsigned tries;
};

struct worker {
	struct rig *rig;
	pthread_t thread;
	struct loop *loop;
	struct upstream *up;
	struct slot slots[SLOTS];
	struct loop_message round, end;
	uint64_t random;
	unsigned begun, busy;
	unsigned ready, refused, full, left;
};

struct rig {
	struct conf_pool conf;
	struct conf_server server;
	struct upstream_pool *pool;
	struct worker workers[WORKERS];
	struct upstream *ups[WORKERS];
	int listeners[ADDRESSES];
	int wake[2];
	pthread_t origin;
	struct loop *control;
	struct loop_timer tick;
	struct loop_message *quiet, passed;
	atomic_uint in_round, ended;
	uint64_t random;
	unsigned changes;
	int64_t give_up_us;
};

static uint32_t
dice(uint64_t *random, uint32_t sides)
{
	*random += 1;
	return ((uint32_t)(mix64(*random) % sides));
}

/* --- the origin: takes connections, and closes old ones -------------------- */

static void *
origin_main(void *p)
{
	struct rig *rig = p;
	struct pollfd polls[ADDRESSES + 1];
	int kept[32], fd;
	unsigned at = 0, i;

	memset(kept, 0xff, sizeof(kept));
	for (i = 0; i < ADDRESSES; i++)
		polls[i] = (struct pollfd){ .fd = rig->listeners[i], .events = POLLIN };
	polls[ADDRESSES] = (struct pollfd){ .fd = rig->wake[0], .events = POLLIN };
	while (polls[ADDRESSES].revents == 0) {
		if (poll(polls, ADDRESSES + 1, -1) < 0)
			continue;
		for (i = 0; i < ADDRESSES; i++) {
			if (polls[i].revents == 0 ||
			    (fd = accept(polls[i].fd, NULL, NULL)) < 0)
				continue;
			if (kept[at] >= 0)
				(void)close(kept[at]);
			kept[at] = fd;
			at = (at + 1) % 32;
		}
	}
	for (i = 0; i < 32; i++)
		if (kept[i] >= 0)
			(void)close(kept[i]);
	return (NULL);
}

/* --- workers --------------------------------------------------------------- */

static void ask(struct slot *);

static void
next_request(struct slot *slot)
{
	struct worker *w = slot->worker;

	upstream_forget(&slot->ask);
	slot->tries = 0;
	slot->ask.fresh = false;
	if (w->begun == REQUESTS) {
		if (--w->busy == 0)
			atomic_fetch_add(&w->rig->ended, 1);
		return;
	}
	w->begun++;
	ask(slot);
}

/* Nobody asks anything, so that a connection can at most end. */
static void
on_io(struct loop_io *io, unsigned events)
{
	(void)io;
	(void)events;
}

static void
came(struct slot *slot)
{
	struct worker *w = slot->worker;

	slot->waiting = false;
	switch (slot->ask.rc) {
	case UPSTREAM_READY:
		w->ready++;
		slot->conn = slot->ask.conn;
		loop_io_hand(&slot->conn->io, on_io, slot);
		loop_io_want(&slot->conn->io, 0);
		break;
	case UPSTREAM_FULL: w->full++; break;
	case UPSTREAM_REFUSED: w->refused++; break;
	default: check_failed(__FILE__, __LINE__, "an outcome that can't be");
	}
	/* also a failed one waits a moment, as the next may fail at once */
	loop_timer_set(&slot->timer, dice(&w->random, 2000));
}

static void
on_ready(struct upstream_ask *done)
{
	struct slot *slot = done->data;

	CHECK(slot->waiting && slot->ask.work == NULL);
	came(slot);
}

static void
ask(struct slot *slot)
{
	struct worker *w = slot->worker;

	if (upstream_get(w->up, w->rig->pool, &slot->ask) != UPSTREAM_WAIT) {
		came(slot);
		return;
	}
	slot->waiting = true;
	/* some leave; the rest must be told in time */
	loop_timer_set(&slot->timer,
	    dice(&w->random, 8) == 0 ? dice(&w->random, 5000) : PATIENCE_US);
}

static void
on_timer(struct loop_timer *timer)
{
	struct slot *slot = timer->data;
	struct worker *w = slot->worker;
	bool failed;

	if (slot->waiting) {
		upstream_cancel(w->up, &slot->ask);
		slot->waiting = false;
		w->left++;
	} else if (slot->conn != NULL) {
		failed = dice(&w->random, 10) == 0;
		upstream_note(w->up, slot->conn, failed);
		if (failed && dice(&w->random, 2) == 0)
			upstream_tried(&slot->ask, slot->conn);
		upstream_release(w->up, &slot->conn, !failed && dice(&w->random, 3) != 0);
		if (failed && ++slot->tries < 3) {
			slot->ask.fresh = true;
			ask(slot);
			return;
		}
	}
	next_request(slot);
}

static void
on_round(struct loop_message *message)
{
	struct worker *w;

	w = (struct worker *)((char *)message - offsetof(struct worker, round));
	upstream_tidy(w->up);
	if (atomic_fetch_sub(&w->rig->in_round, 1) == 1)
		loop_post(w->rig->control, &w->rig->passed);
}

static void
on_end(struct loop_message *message)
{
	struct worker *w;

	w = (struct worker *)((char *)message - offsetof(struct worker, end));
	loop_stop(w->loop);
}

static void *
worker_main(void *p)
{
	struct worker *w = p;
	unsigned i;

	w->busy = SLOTS;
	for (i = 0; i < SLOTS; i++)
		next_request(&w->slots[i]);
	loop_run(w->loop);
	return (NULL);
}

/* --- the control thread: the test's own ------------------------------------ */

static void
change_set(struct rig *rig)
{
	struct netaddr addresses[ADDRESSES];
	char text[16];
	uint32_t i, n = 0;

	for (i = 0; i < ADDRESSES; i++) {
		if (dice(&rig->random, 3) == 0)
			continue;
		(void)snprintf(text, sizeof(text), "127.0.0.%u", i + 1);
		CHECK(netaddr_parse_ip(&addresses[n++], span_of(text)));
	}
	if (n == 0)
		return;
	rig->quiet =
	    upstream_pool_change(rig->pool, 0, addresses, n, loop_now_us(rig->control));
	if (rig->quiet == NULL)
		return;
	rig->changes++;
	atomic_store(&rig->in_round, WORKERS);
	for (i = 0; i < WORKERS; i++)
		loop_post(rig->workers[i].loop, &rig->workers[i].round);
}

static void
on_passed(struct loop_message *message)
{
	struct rig *rig;
	struct loop_message *quiet;

	rig = (struct rig *)((char *)message - offsetof(struct rig, passed));
	quiet = rig->quiet;
	rig->quiet = NULL;
	quiet->deliver(quiet);
}

static void
on_tick(struct loop_timer *timer)
{
	struct rig *rig = timer->data;
	struct upstream_server_state state;
	struct upstream_set *set = pool_set(rig->pool);
	struct upstream_server *server;
	uint32_t i;

	if (atomic_load(&rig->ended) == WORKERS ||
	    loop_now_us(rig->control) > rig->give_up_us) {
		if (rig->quiet == NULL)
			loop_stop(rig->control);
		loop_timer_set(timer, 1 * CLOCK_MS);
		return;
	}
	for (i = 0; i < upstream_pool_count(rig->pool); i++)
		upstream_pool_state(rig->pool, i, loop_now_us(rig->control), &state);
	server = set->servers[dice(&rig->random, set->n)];
	switch (dice(&rig->random, 4)) {
	case 0:
		upstream_server_health(
		    server, dice(&rig->random, 2) == 0, loop_now_us(rig->control));
		break;
	case 1:
		(void)upstream_pool_drain(
		    rig->pool, server->address_text, dice(&rig->random, 3) == 0);
		break;
	default:
		if (rig->quiet == NULL)
			change_set(rig);
	}
	loop_timer_set(timer, 1 * CLOCK_MS);
}

/* --- together --------------------------------------------------------------- */

/* The same port on all addresses; false: another one has it somewhere. */
static bool
listen_on_one_port(struct rig *rig)
{
	struct sockaddr_in in;
	socklen_t n = sizeof(in);
	unsigned i;

	memset(&in, 0, sizeof(in));
	in.sin_family = AF_INET;
	for (i = 0; i < ADDRESSES; i++) {
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
		rig->listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(rig->listeners[i], (struct sockaddr *)&in, sizeof(in)) != 0 ||
		    listen(rig->listeners[i], 256) != 0)
			break;
		assert_int_equal(
		    getsockname(rig->listeners[i], (struct sockaddr *)&in, &n), 0);
	}
	rig->server.port = ntohs(in.sin_port);
	if (i == ADDRESSES)
		return (true);
	do {
		(void)close(rig->listeners[i]);
	} while (i-- > 0);
	return (false);
}

static void
listen_all(struct rig *rig)
{
	unsigned tries = 0;

	while (!listen_on_one_port(rig))
		assert_true(++tries < 1000);
	assert_int_equal(pipe(rig->wake), 0);
}

static void
configure(struct rig *rig, enum conf_balance balance, uint32_t max_connections)
{
	struct conf_pool *cf = &rig->conf;
	struct err e;

	rig->server.url = "http://127.0.0.1";
	rig->server.host = "127.0.0.1";
	rig->server.unix_path = "";
	rig->server.weight = 1;
	cf->name = "shop";
	cf->servers = &rig->server;
	cf->n_servers = 1;
	cf->balance = balance;
	cf->bound = 125;
	cf->hash_on = cf->sticky.cookie = cf->sticky.key_file = "";
	cf->tls.ca = "system";
	cf->tls.server_name = cf->tls.certificate = cf->tls.key = "";
	cf->outlier.present = true;
	cf->outlier.failures = 3;
	cf->outlier.within = 100 * CLOCK_MS;
	cf->outlier.eject = 10 * CLOCK_MS;
	cf->outlier.max_percent = 50;
	cf->slow_start = 20 * CLOCK_MS;
	cf->max_connections = max_connections;
	cf->queue.length = 32;
	cf->queue.wait = QUEUE_WAIT_US;
	cf->timeouts.connect = 20 * CLOCK_SECOND;
	cf->keepalive.connections = 3;
	cf->keepalive.idle = 5 * CLOCK_MS;
	if (upstream_pool_new(&rig->pool, cf, NULL, &e) != ERR_OK)
		check_failed(__FILE__, __LINE__, e.text);
}

static void
start(struct rig *rig)
{
	struct worker *w;
	unsigned i, j;

	random_bytes(&rig->random, sizeof(rig->random));
	rig->control = loop_new();
	rig->passed.deliver = on_passed;
	rig->give_up_us = clock_mono_us() + PATIENCE_US;
	loop_timer_init(&rig->tick, rig->control, on_tick, rig);
	loop_timer_set(&rig->tick, 1);
	for (i = 0; i < WORKERS; i++) {
		w = &rig->workers[i];
		w->rig = rig;
		w->random = mix64(rig->random + i);
		w->loop = loop_new();
		w->up = rig->ups[i] = upstream_new(w->loop);
		w->round.deliver = on_round;
		w->end.deliver = on_end;
		for (j = 0; j < SLOTS; j++) {
			w->slots[j].worker = w;
			w->slots[j].ask.ready = on_ready;
			w->slots[j].ask.data = &w->slots[j];
			loop_timer_init(
			    &w->slots[j].timer, w->loop, on_timer, &w->slots[j]);
		}
	}
	for (i = 0; i < WORKERS; i++)
		upstream_meet(rig->workers[i].up, rig->ups, WORKERS);
	assert_int_equal(pthread_create(&rig->origin, NULL, origin_main, rig), 0);
	for (i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&rig->workers[i].thread, NULL,
				     worker_main, &rig->workers[i]),
		    0);
}

static void
end(struct rig *rig)
{
	const struct upstream_set *set;
	struct worker *w;
	unsigned i;

	for (i = 0; i < WORKERS; i++)
		loop_post(rig->workers[i].loop, &rig->workers[i].end);
	for (i = 0; i < WORKERS; i++)
		(void)pthread_join(rig->workers[i].thread, NULL);
	assert_int_equal(write(rig->wake[1], "", 1), 1);
	(void)pthread_join(rig->origin, NULL);
	for (i = 0; i < WORKERS; i++) {
		w = &rig->workers[i];
		print_message("worker %u: %u ready, %u refused, %u full, %u left\n", i,
		    w->ready, w->refused, w->full, w->left);
		upstream_free(&w->up);
	}
	print_message("%u changes of the set\n", rig->changes);
	for (i = 0; i < WORKERS; i++)
		loop_free(&rig->workers[i].loop);
	set = pool_set(rig->pool);
	for (i = 0; i < set->n; i++) {
		assert_int_equal(set->servers[i]->active, 0);
		assert_int_equal(set->servers[i]->open, 0);
	}
	assert_int_equal(rig->pool->waiting, 0);
	upstream_pool_free(&rig->pool);
	loop_timer_stop(&rig->tick);
	loop_free(&rig->control);
	for (i = 0; i < ADDRESSES; i++)
		(void)close(rig->listeners[i]);
	(void)close(rig->wake[0]);
	(void)close(rig->wake[1]);
}

static void
run(enum conf_balance balance, uint32_t max_connections)
{
	struct rig *rig = mem_zalloc(sizeof(*rig));
	unsigned i, ready = 0;

	listen_all(rig);
	configure(rig, balance, max_connections);
	start(rig);
	loop_run(rig->control);
	for (i = 0; i < WORKERS; i++)
		ready += rig->workers[i].ready;
	if (atomic_load(&rig->ended) != WORKERS)
		check_failed(__FILE__, __LINE__, "a request waits for ever");
	assert_true(ready > 0);
	end(rig);
	free(rig);
}

static void
test_without_bounds(void **state)
{
	(void)state;
	run(CONF_ROUND_ROBIN, 0);
}

static void
test_with_queues(void **state)
{
	(void)state;
	run(CONF_LEAST_CONNECTIONS, 5);
}

static void
test_one_connection_for_all(void **state)
{
	(void)state;
	run(CONF_RANDOM_TWO, 1);
}

static void
test_by_hash(void **state)
{
	(void)state;
	run(CONF_CONSISTENT_HASH, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_bounds),
		cmocka_unit_test(test_with_queues),
		cmocka_unit_test(test_one_connection_for_all),
		cmocka_unit_test(test_by_hash),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
