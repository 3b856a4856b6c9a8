/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to origins, over real sockets: turns, reuse, failures, TLS. */
#include "config.h"

#include "gateway/upstream/upstream.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/tls/tls.h"
#include "gateway/upstream/pool.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define SERVERS_MAX 4

/* A loop, a pool over listeners of the test, and one ask. */
struct fixture {
	struct loop *loop;
	struct upstream *up;
	struct upstream_pool *pool;
	struct conf_pool conf;
	struct conf_server servers[SERVERS_MAX];
	int listener[SERVERS_MAX];
	struct upstream_ask ask;
	struct loop_timer guard;
	unsigned called;
	int fds_before;
};

static int
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return (n);
}

static int
listen_tcp(uint16_t *port_r, int backlog)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	*port_r = ntohs(in.sin_port);
	return (fd);
}

static void
on_ready(struct upstream_ask *ask)
{
	struct fixture *f = ask->data;

	f->called++;
	loop_stop(f->loop);
}

static void
on_guard(struct loop_timer *timer)
{
	struct fixture *f = timer->data;

	loop_stop(f->loop);
}

/* Runs until the ask ends or the time is over. */
static void
run(struct fixture *f, int64_t us)
{
	loop_timer_set(&f->guard, us);
	loop_run(f->loop);
	loop_timer_stop(&f->guard);
}

static int
setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	int i;

	f->fds_before = count_fds();
	f->loop = loop_new();
	f->up = upstream_new(f->loop);
	loop_timer_init(&f->guard, f->loop, on_guard, f);
	f->ask.ready = on_ready;
	f->ask.data = f;
	f->conf.name = "shop";
	f->conf.servers = f->servers;
	f->conf.tls.ca = "system";
	f->conf.sticky.cookie = f->conf.sticky.key_file = "";
	f->conf.tls.verify = true;
	f->conf.tls.server_name = f->conf.tls.certificate = f->conf.tls.key = "";
	f->conf.timeouts.connect = 2 * CLOCK_SECOND;
	f->conf.keepalive.connections = 4;
	f->conf.keepalive.idle = 60 * CLOCK_SECOND;
	for (i = 0; i < SERVERS_MAX; i++) {
		f->listener[i] = -1;
		f->servers[i].url = "http://127.0.0.1";
		f->servers[i].host = "127.0.0.1";
		f->servers[i].unix_path = "";
		f->servers[i].weight = 1;
	}
	*state = f;
	return (0);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	int i, leaked;

	upstream_forget(&f->ask);
	upstream_free(&f->up);
	upstream_pool_free(&f->pool);
	loop_free(&f->loop);
	for (i = 0; i < SERVERS_MAX; i++)
		if (f->listener[i] != -1)
			(void)close(f->listener[i]);
	leaked = count_fds() - f->fds_before;
	free(f);
	return (leaked);
}

static void
add_server(struct fixture *f, uint32_t weight)
{
	size_t i = f->conf.n_servers++;

	f->listener[i] = listen_tcp(&f->servers[i].port, 64);
	f->servers[i].weight = weight;
}

/* A port that nobody listens on: bound, so that nobody else gets it. */
static void
add_dead_server(struct fixture *f)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(in);
	size_t i = f->conf.n_servers++;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	f->servers[i].port = ntohs(in.sin_port);
	f->listener[i] = fd;
}

static void
open_pool(struct fixture *f)
{
	struct err e;
	enum err_code rc = upstream_pool_new(&f->pool, &f->conf, NULL, &e);

	if (rc != ERR_OK)
		fail_msg("%s", e.text);
}

static enum upstream_rc
ask(struct fixture *f, bool fresh)
{
	upstream_forget(&f->ask);
	f->ask.fresh = fresh;
	return (upstream_get(f->up, f->pool, &f->ask));
}

/* Asks and waits for the outcome. */
static enum upstream_rc
get(struct fixture *f, bool fresh)
{
	unsigned called = f->called;
	enum upstream_rc rc = ask(f, fresh);

	assert_int_equal(f->called, called); /* never from inside */
	if (rc == UPSTREAM_WAIT) {
		run(f, 5 * CLOCK_SECOND);
		assert_int_equal(f->called, called + 1);
	}
	assert_null(f->ask.work);
	return (f->ask.rc);
}

static struct upstream_conn *
get_conn(struct fixture *f, bool fresh)
{
	assert_int_equal(get(f, fresh), UPSTREAM_READY);
	assert_non_null(f->ask.conn);
	assert_null(f->ask.error);
	return (f->ask.conn);
}

static struct upstream_server *
server(struct fixture *f, uint32_t i)
{
	return (pool_set(f->pool)->servers[i]);
}

static bool
is_down(struct fixture *f, uint32_t i)
{
	return (atomic_load(&server(f, i)->down_until_us) > loop_now_us(f->loop));
}

static int
accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
	return (fd);
}

static bool
is_closed(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	return (poll(&p, 1, timeout_ms) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) == 0);
}

/* --- turns ----------------------------------------------------------------- */

static void
test_connections_go_two_to_one(void **state)
{
	struct fixture *f = *state;
	uint32_t count[2] = { 0, 0 };
	struct upstream_conn *c;
	int i;

	add_server(f, 2);
	add_server(f, 1);
	open_pool(f);
	for (i = 0; i < 60; i++) {
		c = get_conn(f, false);
		count[c->server->index]++;
		(void)close(accept_one(f->listener[c->server->index]));
		upstream_release(f->up, &c, false);
	}
	assert_int_equal(count[0], 40);
	assert_int_equal(count[1], 20);
}

/* --- kept connections ------------------------------------------------------ */

static void
test_kept_connection_is_used_again(void **state)
{
	struct fixture *f = *state;
	struct upstream_conn *c, *d;
	char want[64];
	int one = 0, peer, other;
	socklen_t n = sizeof(one);

	add_server(f, 1);
	open_pool(f);
	assert_ptr_equal(upstream_pool_conf(f->pool), &f->conf);
	c = get_conn(f, false);
	assert_false(c->reused);
	(void)snprintf(want, sizeof(want), "127.0.0.1:%u", (unsigned)f->servers[0].port);
	assert_string_equal(c->host_text, want);
	assert_int_equal(
	    getsockopt(c->stream->fd, IPPROTO_TCP, TCP_NODELAY, &one, &n), 0);
	assert_int_equal(one, 1);
	assert_int_equal(
	    getsockopt(c->stream->fd, SOL_SOCKET, SO_KEEPALIVE, &one, &n), 0);
	assert_int_equal(one, 1);
	peer = accept_one(f->listener[0]);
	upstream_release(f->up, &c, true);
	assert_null(c);
	run(f, 20 * CLOCK_MS);
	assert_false(is_closed(peer, 0));
	c = get_conn(f, false);
	assert_true(c->reused);
	/* a second one is new; the newest is taken first */
	d = get_conn(f, false);
	assert_false(d->reused);
	other = accept_one(f->listener[0]);
	upstream_release(f->up, &c, true);
	upstream_release(f->up, &d, true);
	d = get_conn(f, false);
	assert_int_equal(write(other, "!", 1), 1);
	assert_int_equal(recv(d->stream->fd, &one, 1, 0), 1);
	/* fresh: none of the kept ones */
	c = get_conn(f, true);
	assert_false(c->reused);
	upstream_release(f->up, &c, false);
	upstream_release(f->up, &d, false);
	assert_true(is_closed(other, 1000));
	upstream_release(f->up, &c, true); /* NULL: nothing happens */
	(void)close(peer);
	(void)close(other);
}

static void
test_kept_connections_are_capped(void **state)
{
	struct fixture *f = *state;
	struct upstream_conn *c[3];
	int peer[3], i;

	add_server(f, 1);
	f->conf.keepalive.connections = 2;
	open_pool(f);
	for (i = 0; i < 3; i++) {
		c[i] = get_conn(f, false);
		peer[i] = accept_one(f->listener[0]);
	}
	for (i = 0; i < 3; i++)
		upstream_release(f->up, &c[i], true);
	assert_true(is_closed(peer[0], 1000)); /* the oldest goes */
	assert_false(is_closed(peer[1], 0));
	assert_false(is_closed(peer[2], 0));
	for (i = 0; i < 3; i++)
		(void)close(peer[i]);
}

/* It went round for ever: the idle one counted as room, and was not to be used. */
static void
test_fresh_one_takes_the_room_of_an_idle_one(void **state)
{
	struct fixture *f = *state;
	struct upstream_conn *c;
	int peer;

	add_server(f, 1);
	f->conf.max_connections = 1;
	open_pool(f);
	c = get_conn(f, false);
	peer = accept_one(f->listener[0]);
	upstream_release(f->up, &c, true);
	c = get_conn(f, true);
	assert_false(c->reused);
	assert_true(is_closed(peer, 1000));
	upstream_release(f->up, &c, false);
	(void)close(peer);
}

/* A retry waits for the one server that did not fail it; nobody else has to. */
static void
test_retry_that_waits_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	struct upstream_ask retry = { .ready = on_ready, .data = f };
	struct upstream_conn *busy, *c, *second;

	add_server(f, 1);
	add_server(f, 1);
	f->conf.max_connections = 1;
	f->conf.queue.length = 8;
	f->conf.queue.wait = 60 * CLOCK_SECOND;
	open_pool(f);
	busy = get_conn(f, false);
	if (upstream_get(f->up, f->pool, &retry) == UPSTREAM_WAIT)
		run(f, 5 * CLOCK_SECOND);
	assert_int_equal(retry.rc, UPSTREAM_READY);
	second = retry.conn;
	upstream_tried(&retry, second);
	upstream_release(f->up, &second, false);
	assert_int_equal(upstream_get(f->up, f->pool, &retry), UPSTREAM_WAIT);
	c = get_conn(f, false);
	assert_ptr_not_equal(c->server, busy->server);
	upstream_release(f->up, &c, false);
	assert_non_null(retry.work);
	upstream_release(f->up, &busy, false);
	run(f, 5 * CLOCK_SECOND);
	assert_int_equal(retry.rc, UPSTREAM_READY);
	upstream_release(f->up, &retry.conn, false);
	upstream_forget(&retry);
}

static void
test_keepalive_off(void **state)
{
	struct fixture *f = *state;
	struct upstream_conn *c;
	int peer;

	add_server(f, 1);
	f->conf.keepalive.connections = 0;
	open_pool(f);
	c = get_conn(f, false);
	peer = accept_one(f->listener[0]);
	upstream_release(f->up, &c, true);
	assert_true(is_closed(peer, 1000));
	(void)close(peer);
}

static void
test_idle_timeout(void **state)
{
	struct fixture *f = *state;
	struct upstream_conn *c;
	int peer;

	add_server(f, 1);
	f->conf.keepalive.idle = 30 * CLOCK_MS;
	open_pool(f);
	c = get_conn(f, false);
	peer = accept_one(f->listener[0]);
	upstream_release(f->up, &c, true);
	assert_false(is_closed(peer, 0));
	run(f, 200 * CLOCK_MS);
	assert_true(is_closed(peer, 0));
	(void)close(peer);
}

/* What an origin does to an idle connection, with and without the loop running
 * before the next ask. */
static void
test_spoilt_idle_connection_is_not_used(void **state)
{
	static const struct {
		bool stray, run;
		const char *why;
	} rows[] = {
		{ false, true, "closed, and the loop saw it" },
		{ false, false, "closed just before" },
		{ true, true, "stray bytes, and the loop saw them" },
		{ true, false, "stray bytes just before" },
	};
	struct fixture *f = *state;
	struct upstream_conn *c;
	size_t row;
	int peer, next;

	add_server(f, 1);
	open_pool(f);
	for (row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		c = get_conn(f, false);
		peer = accept_one(f->listener[0]);
		upstream_release(f->up, &c, true);
		if (rows[row].stray)
			assert_int_equal(write(peer, "HTTP/1.1 200 OK\r\n\r\n", 19), 19);
		else
			assert_int_equal(shutdown(peer, SHUT_WR), 0);
		if (rows[row].run)
			run(f, 20 * CLOCK_MS);
		c = get_conn(f, false);
		if (c->reused)
			fail_msg("%s: used again", rows[row].why);
		next = accept_one(f->listener[0]);
		upstream_release(f->up, &c, false);
		(void)close(peer);
		(void)close(next);
	}
}

static void
test_idle_connections_are_of_their_server(void **state)
{
	struct fixture *f = *state;
	struct upstream_conn *c[2];
	uint32_t i, server;

	add_server(f, 1);
	add_server(f, 1);
	open_pool(f);
	for (i = 0; i < 2; i++)
		c[i] = get_conn(f, false);
	assert_int_not_equal(c[0]->server->index, c[1]->server->index);
	for (i = 0; i < 2; i++)
		upstream_release(f->up, &c[i], true);
	for (i = 0; i < 4; i++) {
		server = i % 2;
		c[0] = get_conn(f, false);
		assert_true(c[0]->reused);
		assert_int_equal(c[0]->server->index, server);
		upstream_release(f->up, &c[0], true);
	}
}

static void
test_pool_outlives_its_owner_by_idle_connections(void **state)
{
	struct fixture *f = *state;
	struct upstream_conn *c;
	int peer;

	add_server(f, 1);
	f->conf.keepalive.idle = 20 * CLOCK_MS;
	open_pool(f);
	c = get_conn(f, false);
	peer = accept_one(f->listener[0]);
	upstream_release(f->up, &c, true);
	upstream_pool_free(&f->pool);
	memset(&f->conf, 0xa5, sizeof(f->conf));
	run(f, 100 * CLOCK_MS);
	assert_true(is_closed(peer, 0));
	(void)close(peer);
}

/* --- failures -------------------------------------------------------------- */

static void
test_refusing_server_is_passed_over(void **state)
{
	struct fixture *f = *state;
	struct upstream_conn *c;
	int i;

	add_dead_server(f);
	add_server(f, 1);
	add_dead_server(f);
	open_pool(f);
	for (i = 0; i < 6; i++) {
		c = get_conn(f, false);
		assert_int_equal(c->server->index, 1);
		upstream_release(f->up, &c, true);
	}
	/* Servers 0 and, at its turn, 2 are remembered. */
	assert_true(is_down(f, 0));
	assert_false(is_down(f, 1));
}

static void
test_all_refuse(void **state)
{
	struct fixture *f = *state;
	int i;

	add_dead_server(f);
	add_dead_server(f);
	open_pool(f);
	for (i = 0; i < 3; i++) {
		assert_int_equal(get(f, false), UPSTREAM_REFUSED);
		assert_null(f->ask.conn);
		assert_string_equal(f->ask.error, "connection refused");
	}
	assert_true(is_down(f, 0));
	assert_true(is_down(f, 1));
}

static void
test_server_that_came_back_is_asked(void **state)
{
	struct fixture *f = *state;
	struct upstream_conn *c;

	add_dead_server(f);
	open_pool(f);
	assert_int_equal(get(f, false), UPSTREAM_REFUSED);
	assert_int_equal(listen(f->listener[0], 8), 0);
	c = get_conn(f, false);
	assert_false(is_down(f, 0));
	upstream_release(f->up, &c, false);
}

/* Fills the backlog until a connect no longer succeeds. */
static void
fill_backlog(const struct sockaddr *to, socklen_t n, int *fds, int max)
{
	struct pollfd p = { .events = POLLOUT };
	int i;

	for (i = 0; i < max; i++) {
		fds[i] =
		    socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		p.fd = fds[i];
		if (connect(fds[i], to, n) == 0)
			continue;
		if (errno != EINPROGRESS || poll(&p, 1, 100) == 0)
			return;
	}
	fail_msg("the backlog has no end");
}

#define FILL_MAX 16

static void
test_connect_timeout(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct fixture *f = *state;
	struct upstream_conn *c;
	int fds[FILL_MAX], i;
	int64_t began;

	f->conf.n_servers = 1;
	f->listener[0] = listen_tcp(&f->servers[0].port, 0);
	f->conf.timeouts.connect = 50 * CLOCK_MS;
	memset(fds, -1, sizeof(fds));
	in.sin_port = htons(f->servers[0].port);
	fill_backlog((struct sockaddr *)&in, sizeof(in), fds, FILL_MAX);
	open_pool(f);
	began = clock_mono_us();
	assert_int_equal(get(f, false), UPSTREAM_TIMEOUT);
	assert_in_range(clock_mono_us() - began, 50 * CLOCK_MS, 2 * CLOCK_SECOND);
	assert_string_equal(f->ask.error, "connection timed out");
	upstream_pool_free(&f->pool);
	/* with a second server it is only passed over */
	add_server(f, 1);
	open_pool(f);
	c = get_conn(f, false);
	assert_int_equal(c->server->index, 1);
	upstream_release(f->up, &c, false);
	for (i = 0; i < FILL_MAX; i++)
		if (fds[i] != -1)
			(void)close(fds[i]);
}

static void
test_cancel(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct fixture *f = *state;
	int fds[FILL_MAX], i, before;

	f->conf.n_servers = 1;
	f->listener[0] = listen_tcp(&f->servers[0].port, 0);
	f->conf.timeouts.connect = 30 * CLOCK_MS;
	memset(fds, -1, sizeof(fds));
	in.sin_port = htons(f->servers[0].port);
	fill_backlog((struct sockaddr *)&in, sizeof(in), fds, FILL_MAX);
	open_pool(f);
	before = count_fds();
	assert_int_equal(ask(f, false), UPSTREAM_WAIT);
	assert_int_equal(count_fds(), before + 1);
	upstream_cancel(f->up, &f->ask);
	assert_int_equal(count_fds(), before);
	assert_null(f->ask.work);
	upstream_cancel(f->up, &f->ask); /* nothing to give up */
	run(f, 60 * CLOCK_MS);
	assert_int_equal(f->called, 0);
	for (i = 0; i < FILL_MAX; i++)
		if (fds[i] != -1)
			(void)close(fds[i]);
}

/* The addresses that "localhost" has here, and one where nobody listens. */
static void
test_every_address_of_a_name_is_a_server(void **state)
{
	struct fixture *f = *state;
	struct netaddr addresses[2];
	struct loop_message *quiet;
	struct upstream_conn *c;
	int i;

	add_server(f, 1);
	f->servers[0].host = "localhost";
	open_pool(f);
	assert_true(upstream_pool_has_name(f->pool, 0));
	assert_true(netaddr_parse_ip(&addresses[0], SPAN("127.0.0.1")));
	assert_true(netaddr_parse_ip(&addresses[1], SPAN("127.0.0.9")));
	quiet = upstream_pool_change(f->pool, 0, addresses, 2, clock_mono_us());
	assert_non_null(quiet);
	quiet->deliver(quiet);
	assert_int_equal(upstream_pool_count(f->pool), 2);
	for (i = 0; i < 4; i++) {
		c = get_conn(f, true);
		assert_string_equal(
		    c->server->address_text + strlen("127.0.0.1"), c->host_text + 9);
		assert_int_equal(c->server->index, 0);
		upstream_release(f->up, &c, false);
	}
	assert_true(is_down(f, 1));
	assert_false(is_down(f, 0));
}

/* A pool that has all the servers it may have follows its names all the same; of a name
 * that grew it takes as many addresses as there is room for. */
static void
test_a_full_pool_follows_its_names(void **state)
{
	struct fixture *f = *state;
	struct conf_server *servers = mem_zalloc(BALANCE_SERVERS_MAX * sizeof(*servers));
	struct netaddr addresses[2];
	struct loop_message *quiet;
	uint32_t i;

	for (i = 0; i < BALANCE_SERVERS_MAX; i++)
		servers[i] = f->servers[0];
	servers[0].host = "localhost";
	f->conf.servers = servers;
	f->conf.n_servers = BALANCE_SERVERS_MAX - 1;
	open_pool(f);
	if (upstream_pool_count(f->pool) == BALANCE_SERVERS_MAX - 1) {
		upstream_pool_free(&f->pool);
		f->conf.n_servers =
		    BALANCE_SERVERS_MAX; /* localhost is one address here */
		open_pool(f);
	}
	assert_int_equal(upstream_pool_count(f->pool), BALANCE_SERVERS_MAX);
	for (i = 0; i < 2; i++) {
		assert_true(netaddr_parse_ip(
		    &addresses[0], i == 0 ? SPAN("127.0.0.8") : SPAN("127.0.0.7")));
		assert_true(netaddr_parse_ip(&addresses[1], SPAN("127.0.0.9")));
		quiet = upstream_pool_change(f->pool, 0, addresses, 2, clock_mono_us());
		assert_non_null(quiet);
		quiet->deliver(quiet);
		assert_int_equal(upstream_pool_count(f->pool), BALANCE_SERVERS_MAX);
	}
	upstream_pool_free(&f->pool);
	f->conf.servers = f->servers;
	free(servers);
}

/* --- unix sockets ---------------------------------------------------------- */

static void
test_unix_socket(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char folder[] = "/tmp/yett-upstream-XXXXXX", path[64];
	struct upstream_conn *c;
	int fds[FILL_MAX], i;
	int64_t began;

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/origin.sock", folder);
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	f->conf.n_servers = 1;
	f->servers[0].host = "";
	f->servers[0].unix_path = path;
	f->conf.timeouts.connect = 60 * CLOCK_MS;
	open_pool(f);
	assert_int_equal(get(f, false), UPSTREAM_REFUSED);
	assert_string_equal(f->ask.error, "no such socket");

	f->listener[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener[0], (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(get(f, false), UPSTREAM_REFUSED);
	assert_string_equal(f->ask.error, "connection refused");

	assert_int_equal(listen(f->listener[0], 0), 0);
	c = get_conn(f, false);
	assert_true(strncmp(c->host_text, "unix:/tmp/yett-", 15) == 0);
	upstream_release(f->up, &c, true);
	c = get_conn(f, false);
	assert_true(c->reused);
	upstream_release(f->up, &c, false);
	(void)close(accept_one(f->listener[0]));

	/* a full backlog is asked again until the time is over */
	memset(fds, -1, sizeof(fds));
	fill_backlog((struct sockaddr *)&un, sizeof(un), fds, FILL_MAX);
	began = clock_mono_us();
	assert_int_equal(get(f, false), UPSTREAM_TIMEOUT);
	assert_true(clock_mono_us() - began >= 60 * CLOCK_MS);
	/* or until there is room */
	f->conf.timeouts.connect = 5 * CLOCK_SECOND;
	f->pool->connect_us = 5 * CLOCK_SECOND;
	assert_int_equal(ask(f, false), UPSTREAM_WAIT);
	run(f, 15 * CLOCK_MS);
	assert_int_equal(f->ask.rc, UPSTREAM_WAIT);
	(void)close(accept_one(f->listener[0]));
	run(f, CLOCK_SECOND);
	assert_int_equal(f->ask.rc, UPSTREAM_READY);
	upstream_release(f->up, &f->ask.conn, false);
	for (i = 0; i < FILL_MAX; i++)
		if (fds[i] != -1)
			(void)close(fds[i]);
	(void)unlink(path);
	(void)rmdir(folder);
}

/* --- pools that can't be made ---------------------------------------------- */

static void
test_pool_errors(void **state)
{
	static const char path[] =
	    "/tmp/a-path-that-is-longer-than-any-unix-socket-address-may-be/"
	    "a-path-that-is-longer-than-any-unix-socket-address-may-be/x.sock";
	static const struct {
		const char *host, *unix_path, *ca;
		bool https;
		const char *text;
	} rows[] = {
		{ "256.1..2", "", "system", false,
		    "pool shop: server http://x: cannot resolve" },
		{ "", path, "system", false, "pool shop: server http://x: the path has" },
		{ "", "/tmp/x.sock", "system", true, "needs tls.server_name" },
		{ "127.0.0.1", "", "/no/such/ca.pem", true, "pool shop: tls: " },
	};
	struct fixture *f = *state;
	struct err e;
	size_t i;

	assert_int_equal(upstream_pool_new(&f->pool, &f->conf, NULL, &e), ERR_RANGE);
	f->conf.n_servers = 1;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->servers[0].url = "http://x";
		f->servers[0].host = rows[i].host;
		f->servers[0].unix_path = rows[i].unix_path;
		f->servers[0].https = rows[i].https;
		f->conf.tls.ca = rows[i].ca;
		assert_int_not_equal(
		    upstream_pool_new(&f->pool, &f->conf, NULL, &e), ERR_OK);
		assert_null(f->pool);
		if (strstr(e.text, rows[i].text) == NULL)
			fail_msg("row %zu: %s", i, e.text);
	}
}

static void
test_address_forms(void **state)
{
	static const struct {
		const char *host, *host_text;
		int family;
	} rows[] = {
		{ "127.0.0.1", "127.0.0.1:80", AF_INET },
		{ "::1", "[::1]:80", AF_INET6 },
		{ "[::1]", "[::1]:80", AF_INET6 },
	};
	struct fixture *f = *state;
	size_t i;

	f->conf.n_servers = 1;
	f->servers[0].port = 80;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->servers[0].host = rows[i].host;
		open_pool(f);
		assert_int_equal(upstream_pool_count(f->pool), 1);
		assert_string_equal(server(f, 0)->host_text, rows[i].host_text);
		assert_string_equal(server(f, 0)->address_text, rows[i].host_text);
		assert_int_equal(server(f, 0)->sa.ss_family, rows[i].family);
		assert_false(upstream_pool_has_name(f->pool, 0));
		upstream_pool_free(&f->pool);
	}
}

/* --- TLS ------------------------------------------------------------------- */

enum origin_kind { ORIGIN_TLS, ORIGIN_SILENT, ORIGIN_PLAIN, ORIGIN_CLOSES };

struct origin {
	pthread_t thread;
	int listener;
	struct tls_server *tls;
	enum origin_kind kind;
	int stop[2];
};

static void
poll_for(int fd, enum stream_rc rc)
{
	struct pollfd p = { .fd = fd,
		.events = rc == STREAM_WANT_WRITE ? POLLOUT : POLLIN };

	(void)poll(&p, 1, 2000);
}

/* Echoes one byte after the handshake and waits for the end. */
static void
serve_tls(struct origin *o, int fd)
{
	struct stream *s;
	struct iovec iov;
	enum stream_rc rc;
	char byte;
	size_t n;

	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	s = tls_accept(o->tls, fd);
	while ((rc = stream_handshake(s)) == STREAM_WANT_READ || rc == STREAM_WANT_WRITE)
		poll_for(fd, rc);
	while (rc == STREAM_OK || rc == STREAM_WANT_READ) {
		rc = stream_read(s, &byte, 1, &n);
		iov.iov_base = &byte;
		iov.iov_len = 1;
		if (rc == STREAM_OK)
			rc = stream_write(s, &iov, 1, &n);
		else if (rc == STREAM_WANT_READ)
			poll_for(fd, rc);
	}
	stream_close(&s);
}

static void *
serve(void *p)
{
	struct origin *o = p;
	struct pollfd fds[2] = { { .fd = o->listener, .events = POLLIN },
		{ .fd = o->stop[0], .events = POLLIN } };
	char trash[1024];
	int fd;

	while (poll(fds, 2, -1) > 0 && fds[1].revents == 0) {
		fd = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC);
		if (o->kind == ORIGIN_TLS) {
			serve_tls(o, fd);
			continue;
		}
		if (o->kind == ORIGIN_PLAIN) {
			(void)!write(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
			(void)!read(fd, trash, sizeof(trash));
		} else if (o->kind == ORIGIN_SILENT) {
			while (read(fd, trash, sizeof(trash)) > 0)
				continue;
		}
		(void)close(fd);
	}
	return (NULL);
}

static void
origin_start(
    struct origin *o, int listener, enum origin_kind kind, struct tls_server *tls)
{
	o->listener = listener;
	o->kind = kind;
	o->tls = tls;
	assert_int_equal(pipe(o->stop), 0);
	assert_int_equal(pthread_create(&o->thread, NULL, serve, o), 0);
}

static void
origin_stop(struct origin *o)
{
	(void)close(o->stop[1]);
	(void)pthread_join(o->thread, NULL);
	(void)close(o->stop[0]);
}

static void
test_tls(void **state)
{
	static const struct {
		const char *name;
		bool own_ca, verify;
		enum origin_kind kind;
		enum upstream_rc rc;
		const char *error; /* a part of it */
	} rows[] = {
		{ "shop.test", true, true, ORIGIN_TLS, UPSTREAM_READY, NULL },
		{ "other.test", true, true, ORIGIN_TLS, UPSTREAM_TLS,
		    "ostname mismatch" },
		{ "", true, true, ORIGIN_TLS, UPSTREAM_TLS, "address mismatch" },
		{ "shop.test", false, true, ORIGIN_TLS, UPSTREAM_TLS, "self" },
		{ "other.test", false, false, ORIGIN_TLS, UPSTREAM_READY, NULL },
		{ "shop.test", true, true, ORIGIN_SILENT, UPSTREAM_TIMEOUT,
		    "TLS handshake timed out" },
		{ "shop.test", true, true, ORIGIN_PLAIN, UPSTREAM_TLS, "" },
		{ "shop.test", true, true, ORIGIN_CLOSES, UPSTREAM_TLS, "" },
	};
	static const char *const names[] = { "shop.test", NULL };
	struct fixture *f = *state;
	char folder[] = "/tmp/yett-upstream-XXXXXX", *cert, *key;
	struct tls_server_options options;
	struct tls_server *tls;
	struct tls_files files;
	struct tls_info info;
	struct upstream_conn *c;
	struct origin origin;
	struct err e;
	size_t i;
	bool made;

	assert_non_null(mkdtemp(folder));
	if (tls_self_signed(folder, names, &cert, &key, &made, &e) != ERR_OK)
		fail_msg("%s", e.text);
	memset(&options, 0, sizeof(options));
	files = (struct tls_files){ cert, key, "" };
	options.files = &files;
	options.n_files = 1;
	if (tls_server_new(&tls, &options, &e) != ERR_OK)
		fail_msg("%s", e.text);
	add_server(f, 1);
	f->servers[0].https = true;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->conf.tls.server_name = rows[i].name;
		f->conf.tls.ca = rows[i].own_ca ? cert : "system";
		f->conf.tls.verify = rows[i].verify;
		f->servers[0].host = rows[i].name[0] != '\0' ? "127.0.0.1" : "127.0.0.2";
		f->conf.timeouts.connect =
		    rows[i].kind == ORIGIN_SILENT ? 80 * CLOCK_MS : 5 * CLOCK_SECOND;
		open_pool(f);
		/* the address is the listener's, whatever the name was */
		((struct sockaddr_in *)(void *)&server(f, 0)->sa)->sin_addr.s_addr =
		    htonl(INADDR_LOOPBACK);
		origin_start(&origin, f->listener[0], rows[i].kind, tls);
		if (get(f, false) != rows[i].rc)
			fail_msg("row %zu: %d %s", i, (int)f->ask.rc, f->ask.error);
		if (rows[i].error != NULL && strstr(f->ask.error, rows[i].error) == NULL)
			fail_msg("row %zu: %s", i, f->ask.error);
		if (f->ask.rc == UPSTREAM_READY) {
			c = f->ask.conn;
			assert_true(tls_info(c->stream, &info));
			upstream_release(f->up, &c, true);
			/* session tickets that come late are no stray bytes */
			run(f, 50 * CLOCK_MS);
			c = get_conn(f, false);
			assert_true(c->reused);
			upstream_release(f->up, &c, false);
		}
		origin_stop(&origin);
		upstream_pool_free(&f->pool);
	}
	tls_server_free(&tls);
	(void)unlink(cert);
	(void)unlink(key);
	(void)rmdir(folder);
	free(cert);
	free(key);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_connections_go_two_to_one),
		TEST(test_kept_connection_is_used_again),
		TEST(test_kept_connections_are_capped),
		TEST(test_fresh_one_takes_the_room_of_an_idle_one),
		TEST(test_retry_that_waits_holds_up_nobody),
		TEST(test_keepalive_off),
		TEST(test_idle_timeout),
		TEST(test_spoilt_idle_connection_is_not_used),
		TEST(test_idle_connections_are_of_their_server),
		TEST(test_pool_outlives_its_owner_by_idle_connections),
		TEST(test_refusing_server_is_passed_over),
		TEST(test_all_refuse),
		TEST(test_server_that_came_back_is_asked),
		TEST(test_connect_timeout),
		TEST(test_cancel),
		TEST(test_every_address_of_a_name_is_a_server),
		TEST(test_a_full_pool_follows_its_names),
		TEST(test_unix_socket),
		TEST(test_pool_errors),
		TEST(test_address_forms),
		TEST(test_tls),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
