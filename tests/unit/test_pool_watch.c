/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a pool's servers: what they do to servers, and how they follow changes
 * of the set. */
#include "config.h"

#include "gateway/upstream/pool_watch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/upstream/set.h"

#define PATIENCE_US (60 * CLOCK_SECOND)

struct fixture {
	struct loop *loop;
	struct loop_timer tick;
	struct conf_pool conf;
	struct conf_server server;
	struct upstream_pool *pool;
	struct pool_watch *watch;
	int listener;
	uint16_t port;
	pthread_t thread;
	_Atomic(const char *) answer;
	atomic_uint asked;
};

/* 127.0.0.1 answers; nobody listens on other addresses of the port. */
static void *
origin_main(void *p)
{
	struct fixture *f = p;
	const char *answer;
	char bytes[2048];
	int fd;

	while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
		if (recv(fd, bytes, sizeof(bytes), 0) > 0) {
			atomic_fetch_add(&f->asked, 1);
			answer = atomic_load(&f->answer);
			(void)!write(fd, answer, strlen(answer));
		}
		(void)close(fd);
	}
	return (NULL);
}

static void
start_origin(struct fixture *f)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(in);

	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(f->listener, 8), 0);
	assert_int_equal(getsockname(f->listener, (struct sockaddr *)&in, &n), 0);
	f->port = ntohs(in.sin_port);
	assert_int_equal(pthread_create(&f->thread, NULL, origin_main, f), 0);
}

static void
on_tick(struct loop_timer *timer)
{
	struct fixture *f = timer->data;

	loop_stop(f->loop);
}

static int
setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct err e;

	atomic_store(&f->answer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	start_origin(f);
	f->loop = loop_new();
	loop_timer_init(&f->tick, f->loop, on_tick, f);
	f->server.url = "http://127.0.0.1";
	f->server.host = "127.0.0.1";
	f->server.port = f->port;
	f->server.unix_path = "";
	f->server.weight = 1;
	f->conf.name = "shop";
	f->conf.servers = &f->server;
	f->conf.n_servers = 1;
	f->conf.hash_on = f->conf.sticky.cookie = f->conf.sticky.key_file = "";
	f->conf.tls.ca = "system";
	f->conf.tls.server_name = f->conf.tls.certificate = f->conf.tls.key = "";
	f->conf.health.present = true;
	f->conf.health.path = "/healthz";
	f->conf.health.host = "";
	f->conf.health.interval = 20 * CLOCK_MS;
	f->conf.health.timeout = 20 * CLOCK_SECOND;
	f->conf.health.rise = f->conf.health.fall = 2;
	f->conf.health.status_low = 200;
	f->conf.health.status_high = 299;
	if (upstream_pool_new(&f->pool, &f->conf, NULL, &e) != ERR_OK)
		check_failed(__FILE__, __LINE__, e.text);
	*state = f;
	return (0);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	pool_watch_free(&f->watch);
	upstream_pool_free(&f->pool);
	loop_free(&f->loop);
	(void)shutdown(f->listener, SHUT_RDWR);
	(void)pthread_join(f->thread, NULL);
	(void)close(f->listener);
	free(f);
	return (0);
}

static void
run(struct fixture *f, int64_t us)
{
	loop_timer_set(&f->tick, us);
	loop_run(f->loop);
}

static struct pool_watch_state
state_of(struct fixture *f, uint32_t i)
{
	struct pool_watch_state state;

	assert_true(pool_watch_state(f->watch, i, &state));
	return (state);
}

/* Until server i was checked and is so. */
static void
until(struct fixture *f, uint32_t i, bool down)
{
	int64_t end_us = clock_mono_us() + PATIENCE_US;

	while (!state_of(f, i).checked || state_of(f, i).down != down) {
		if (clock_mono_us() > end_us)
			fail_msg("server %u is not %s: %s", i, down ? "down" : "up",
			    state_of(f, i).reason);
		run(f, 1 * CLOCK_MS);
	}
	assert_int_equal(pool_set(f->pool)->servers[i]->down, down);
}

static void
change(struct fixture *f, const char *first, const char *second)
{
	struct netaddr addresses[2];
	struct loop_message *quiet;
	uint32_t n = 1;

	assert_true(netaddr_parse_ip(&addresses[0], span_of(first)));
	if (second != NULL)
		assert_true(netaddr_parse_ip(&addresses[n++], span_of(second)));
	quiet = upstream_pool_change(f->pool, 0, addresses, n, loop_now_us(f->loop));
	if (quiet != NULL) /* nobody else reads sets here */
		loop_post(f->loop, quiet);
}

static void
test_no_checks_without_health(void **state)
{
	struct fixture *f = *state;
	struct pool_watch_state server;

	f->conf.health.present = false;
	f->watch = pool_watch_new(f->loop, f->pool);
	assert_null(f->watch);
	assert_false(pool_watch_state(f->watch, 0, &server));
}

static void
test_server_goes_down_and_up(void **state)
{
	struct fixture *f = *state;
	struct upstream_server *server = pool_set(f->pool)->servers[0];

	f->watch = pool_watch_new(f->loop, f->pool);
	assert_false(state_of(f, 0).checked);
	assert_false(server->down);
	until(f, 0, false);
	assert_string_equal(state_of(f, 0).reason, "status 200");
	assert_int_equal(server->back_us, 0); /* it was never away */
	atomic_store(&f->answer, "HTTP/1.1 500 No\r\n\r\n");
	until(f, 0, true);
	assert_string_equal(state_of(f, 0).reason, "status 500");
	assert_int_equal(state_of(f, 0).failed, 2);
	assert_int_equal(state_of(f, 0).in_a_row, 2);
	atomic_store(&f->answer, "HTTP/1.1 204 No Content\r\n\r\n");
	until(f, 0, false);
	assert_true(server->back_us > 0); /* slow start begins */
	assert_true(state_of(f, 0).made >= 5);
}

static void
test_changes_of_the_set(void **state)
{
	struct fixture *f = *state;
	unsigned asked;
	uint64_t made;

	f->watch = pool_watch_new(f->loop, f->pool);
	until(f, 0, false);
	made = state_of(f, 0).made;
	/* one more: the first goes on, the second is unchecked */
	change(f, "127.0.0.2", "127.0.0.1");
	assert_true(state_of(f, 0).checked && state_of(f, 0).made == made);
	assert_false(state_of(f, 1).checked);
	until(f, 1, true);
	assert_string_equal(state_of(f, 1).reason, "connection refused");
	/* the first is gone, and asked no more */
	change(f, "127.0.0.2", NULL);
	assert_true(state_of(f, 0).checked && state_of(f, 0).down);
	run(f, 10 * CLOCK_MS);
	asked = atomic_load(&f->asked);
	made = state_of(f, 0).made;
	while (state_of(f, 0).made < made + 5)
		run(f, 1 * CLOCK_MS);
	/* one may have been under way */
	assert_in_range(atomic_load(&f->asked), asked, asked + 1);
	/* and comes back as one that nobody knows */
	change(f, "127.0.0.1", "127.0.0.2");
	assert_false(state_of(f, 0).checked);
	assert_true(state_of(f, 1).down);
	until(f, 0, false);
	/* the same again is no change */
	change(f, "127.0.0.1", "127.0.0.2");
	assert_true(state_of(f, 0).checked);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_no_checks_without_health),
		TEST(test_server_goes_down_and_up),
		TEST(test_changes_of_the_set),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
