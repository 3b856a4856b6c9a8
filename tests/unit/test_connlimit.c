/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on connections: in all, per client, from many threads. */
#include "config.h"

#include "gateway/net/listener.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/base/check.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

static struct netaddr
addr_of(const char *text)
{
	struct netaddr addr;

	if (strcmp(text, "unix") == 0) {
		memset(&addr, 0, sizeof(addr));
		addr.family = NETADDR_UNIX;
	} else {
		CHECK(netaddr_parse_ip(&addr, span_of(text)));
	}
	return (addr);
}

/* Rows in order, on one limit of 6 in all and 2 per client. */
static void
test_rows(void **state)
{
	static const struct {
		const char *client;
		bool enter, want; /* enter or leave; the verdict */
		uint32_t total;
		const char *why;
	} rows[] = {
		{ "192.0.2.1", true, true, 1, "first" },
		{ "192.0.2.1", true, true, 2, "second" },
		{ "192.0.2.1", true, false, 2, "third of one client" },
		{ "192.0.2.2", true, true, 3, "its neighbour is another client" },
		{ "2001:db8::1", true, true, 4, "IPv6" },
		{ "2001:db8::ffff:1", true, true, 5, "the same /64" },
		{ "2001:db8::2", true, false, 5, "the same /64 again" },
		{ "2001:db8:0:1::1", true, true, 6, "the next /64" },
		{ "192.0.2.3", true, false, 6, "full" },
		{ "unix", true, false, 6, "full" },
		{ "192.0.2.1", false, true, 5, "one leaves" },
		{ "unix", true, true, 6, "unix counts in the total" },
		{ "192.0.2.2", false, true, 5, "leaves" },
		{ "2001:db8::3", false, true, 4,
		    "leaves, by another address of the /64" },
		{ "2001:db8::4", true, true, 5, "comes back" },
		{ "unix", true, true, 6, "no limit per unix client" },
		{ "unix", false, true, 5, "leaves" },
		{ "unix", false, true, 4, "leaves" },
		{ "192.0.2.1", true, true, 5, "the first is back at two" },
		{ "192.0.2.1", true, false, 5, "and no more" },
	};
	struct connlimit *limit = connlimit_new(6, 2);
	struct netaddr addr;
	bool verdict = true;
	size_t i;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		addr = addr_of(rows[i].client);
		if (rows[i].enter)
			verdict = connlimit_enter(limit, &addr);
		else
			connlimit_leave(limit, &addr);
		if ((rows[i].enter && verdict != rows[i].want) ||
		    connlimit_total(limit) != rows[i].total)
			fail_msg("%s: %s", rows[i].client, rows[i].why);
	}
	connlimit_free(&limit);
	assert_null(limit);
}

/* A connection whose client turns out to be another one. */
static void
test_move(void **state)
{
	static const struct {
		const char *from, *to; /* NULL: counted in the total only */
		bool want;
		const char *why;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.2", true, "to another client" },
		{ "192.0.2.2", "192.0.2.2", true, "to itself, which has all it may" },
		{ "192.0.2.2", NULL, true, "to nobody" },
		{ NULL, NULL, true, "and on" },
		{ NULL, "unix", true, "unix is nobody" },
		{ NULL, "2001:db8::1", true, "to an IPv6 client" },
		{ "2001:db8::1", "2001:db8::2", true, "the same /64" },
		{ "2001:db8::2", "198.51.100.1", false, "to one who has too many" },
	};
	struct connlimit *limit = connlimit_new(10, 1);
	struct netaddr none = { .family = NETADDR_NONE }, from, to;
	struct netaddr other = addr_of("198.51.100.1");
	size_t i;

	(void)state;
	from = addr_of("192.0.2.1");
	assert_true(connlimit_enter(limit, &from));
	assert_true(connlimit_enter(limit, &other));
	for (i = 0; i < N(rows); i++) {
		from = rows[i].from != NULL ? addr_of(rows[i].from) : none;
		to = rows[i].to != NULL ? addr_of(rows[i].to) : none;
		if (connlimit_move(limit, &from, &to) != rows[i].want)
			fail_msg("%s", rows[i].why);
		assert_int_equal(connlimit_total(limit), 2);
	}
	/* where it was before is free again */
	from = addr_of("192.0.2.1");
	assert_true(connlimit_enter(limit, &from));
	connlimit_leave(limit, &from);
	from = addr_of("2001:db8::3");
	assert_false(connlimit_enter(limit, &from));
	connlimit_leave(limit, &from);
	connlimit_leave(limit, &other);
	assert_int_equal(connlimit_total(limit), 0);
	connlimit_free(&limit);
}

#define CLIENTS 50
#define TURNS 3000

struct crowd {
	struct connlimit *limit;
	unsigned first;
	unsigned entered;
};

static void *
crowd_thread(void *arg)
{
	unsigned held[CLIENTS] = { 0 }, i, n;
	struct crowd *crowd = arg;
	struct netaddr addr = addr_of("10.0.0.0");

	for (i = 0; i < TURNS; i++) {
		n = (crowd->first + i * 7) % CLIENTS;
		addr.ip[3] = (uint8_t)n;
		if (held[n] > 1 || (held[n] == 1 && i % 3 == 0)) {
			connlimit_leave(crowd->limit, &addr);
			held[n]--;
		} else if (connlimit_enter(crowd->limit, &addr)) {
			held[n]++;
			crowd->entered++;
		}
	}
	for (n = 0; n < CLIENTS; n++) {
		addr.ip[3] = (uint8_t)n;
		for (; held[n] > 0; held[n]--)
			connlimit_leave(crowd->limit, &addr);
	}
	return (NULL);
}

static void
test_threads(void **state)
{
	struct connlimit *limit = connlimit_new(80, 3);
	struct netaddr addr = addr_of("10.0.0.0");
	struct crowd crowds[4];
	pthread_t threads[4];
	unsigned i, entered = 0;

	(void)state;
	for (i = 0; i < N(crowds); i++) {
		crowds[i] = (struct crowd){ .limit = limit, .first = i * 11 };
		CHECK(pthread_create(&threads[i], NULL, crowd_thread, &crowds[i]) == 0);
	}
	for (i = 0; i < N(crowds); i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
		entered += crowds[i].entered;
	}
	/* one crowd may hold all places for as long as another tries */
	assert_true(entered >= 80);
	assert_int_equal(connlimit_total(limit), 0);
	/* nothing was left behind for any client */
	for (i = 0; i < CLIENTS; i++) {
		addr.ip[3] = (uint8_t)i;
		assert_true(connlimit_enter(limit, &addr));
		connlimit_leave(limit, &addr);
	}
	for (i = 0; i < 3; i++)
		assert_true(connlimit_enter(limit, &addr));
	assert_false(connlimit_enter(limit, &addr));
	connlimit_free(&limit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_threads),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
