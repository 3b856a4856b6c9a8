/* SPDX-License-Identifier: Apache-2.0 */
/* Bans of several gateways through real redis-servers. */
#include "config.h"

#include "gateway/access/bans_share.h"

#include "gateway/access/bans_news.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "redis_lab.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define S CLOCK_SECOND
#define NODES 2

struct node {
	struct conf conf;
	struct redis *redis;
	struct bans *bans;
	struct bans_share *share;
};

struct fixture {
	struct redis_lab *lab;
	struct redis_server *server;
	struct conf_redis where;
	struct conf_redis_host hosts[3];
	struct loop *loop;
	struct job_pool *resolver;
	struct node nodes[NODES];
};

static void
set_conf(struct fixture *f, struct node *n, const char *name)
{
	n->conf.node = name;
	n->conf.identity.ipv6_prefix = 64;
	n->conf.redis = f->where;
	n->conf.bans.present = true;
	n->conf.bans.after = 6;
	n->conf.bans.within = 60 * S;
	n->conf.bans.lasts = 2 * S;
	n->conf.bans.max = 600 * S;
	n->conf.bans.count = CONF_BAN_WAF | CONF_BAN_LIMIT | CONF_BAN_AUTH;
}

static void
start_node(struct fixture *f, struct node *n)
{
	struct redis_service *service;
	struct err e;

	if (redis_service_new(&service, &n->conf.redis, &e) != ERR_OK)
		fail_msg("%s", e.text);
	n->redis = redis_new(f->loop, service, f->resolver);
	redis_service_free(&service);
	n->bans = bans_new(&n->conf);
	n->share = bans_share_new(f->loop, n->redis, n->bans, &n->conf);
}

static void
stop_node(struct node *n)
{
	bans_share_free(&n->share);
	redis_free(&n->redis);
	bans_free(&n->bans);
}

static void
start_nodes(struct fixture *f)
{
	static const char *const names[NODES] = { "gw1", "gw2" };
	unsigned i;

	f->loop = loop_new();
	f->resolver = job_pool_new("resolve", 1, 0);
	for (i = 0; i < NODES; i++) {
		set_conf(f, &f->nodes[i], names[i]);
		start_node(f, &f->nodes[i]);
	}
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->lab = redis_lab_new();
	f->server = redis_lab_start(f->lab, NULL);
	redis_lab_conf(&f->where, f->server);
	f->where.prefix = "yett:";
	start_nodes(f);
	*state = f;
	return (0);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	for (i = 0; i < NODES; i++)
		if (f->nodes[i].bans != NULL)
			stop_node(&f->nodes[i]);
	job_pool_free(&f->resolver);
	loop_free(&f->loop);
	redis_lab_free(&f->lab);
	free(f);
	return (0);
}

/* --- running the loop until something is so ------------------------------- */

static void
stop_loop(struct loop_timer *timer)
{
	loop_stop(timer->data);
}

static void
run_for(struct fixture *f, int64_t us)
{
	struct loop_timer timer;

	loop_timer_init(&timer, f->loop, stop_loop, f->loop);
	loop_timer_set(&timer, us);
	loop_run(f->loop);
	loop_timer_stop(&timer);
}

static struct ban
ban_of(const char *text, int64_t lasts)
{
	struct ban ban = { .by_hand = true, .node = "gw1", .reason = "by hand" };
	struct netprefix prefix;

	assert_int_equal(netprefix_parse(&prefix, span_of(text), NULL), ERR_OK);
	ban.client = prefix.base;
	ban.bits = prefix.bits;
	ban.since_us = clock_wall_us();
	ban.until_us = ban.since_us + lasts;
	return (ban);
}

static bool
knows(struct node *n, const char *client)
{
	struct ban ban = ban_of(client, 0);

	return (bans_knows(n->bans, &ban.client, ban.bits, clock_wall_us()));
}

/* How long it took; fails after `most`. */
static int64_t
wait_until(
    struct fixture *f, struct node *n, const char *client, bool banned, int64_t most)
{
	int64_t began = clock_mono_us();

	while (knows(n, client) != banned) {
		if (clock_mono_us() - began > most)
			fail_msg("%s: %s: %s after %lld ms", n->conf.node, client,
			    banned ? "not banned" : "still banned",
			    (long long)(most / CLOCK_MS));
		run_for(f, 10 * CLOCK_MS);
	}
	return (clock_mono_us() - began);
}

static void
wait_for_link(struct fixture *f, struct node *n, enum redis_link link)
{
	int64_t began = clock_mono_us();
	struct redis_state state;

	for (;;) {
		redis_state(n->redis, &state);
		if (state.link == link)
			return;
		if (clock_mono_us() - began > 15 * S)
			fail_msg(
			    "redis is %s: %s", redis_link_text(state.link), state.reason);
		run_for(f, 10 * CLOCK_MS);
	}
}

static bool
refuse(struct node *n, const char *client, const char *reason)
{
	static unsigned serial; /* ids that differ */
	struct netaddr addr;
	char id[ID_TEXT_MAX];

	assert_true(netaddr_parse_ip(&addr, span_of(client)));
	snprintf(id, sizeof(id), "01HZ%022u", serial++);
	return (bans_refused(n->bans, &addr, reason, id, clock_wall_us()));
}

struct search {
	struct ban like, found;
	bool there;
};

static bool
look(const struct ban *ban, void *data)
{
	struct search *s = data;

	if (!netaddr_same_ip(&ban->client, &s->like.client) || ban->bits != s->like.bits)
		return (true);
	s->found = *ban;
	s->there = true;
	return (false);
}

static struct ban
get_ban(struct node *n, const char *client)
{
	struct search s = { .like = ban_of(client, 0) };

	bans_each(n->bans, clock_wall_us(), look, &s);
	assert_true(s.there);
	return (s.found);
}

/* --- tests ---------------------------------------------------------------- */

static void
test_a_ban_is_known_everywhere(void **state)
{
	struct fixture *f = *state;
	struct node *one = &f->nodes[0], *two = &f->nodes[1];
	struct ban here, there;
	unsigned i;

	wait_for_link(f, one, REDIS_UP);
	wait_for_link(f, two, REDIS_UP);
	for (i = 0; i < 5; i++)
		assert_false(refuse(one, "192.0.2.1", i % 2 ? "waf" : "limit"));
	assert_true(refuse(one, "192.0.2.1", "waf"));
	print_message("heard after %lld ms\n",
	    (long long)(wait_until(f, two, "192.0.2.1", true, S) / CLOCK_MS));
	here = get_ban(one, "192.0.2.1");
	there = get_ban(two, "192.0.2.1");
	assert_string_equal(there.reason, "6 refusals within 60 s: waf, limit");
	assert_string_equal(there.node, "gw1");
	assert_int_equal(there.n_ids, 6);
	for (i = 0; i < 6; i++)
		assert_string_equal(there.ids[i], here.ids[i]);
	assert_true(llabs(there.until_us - here.until_us) < S / 2);
	assert_true(llabs(there.since_us - here.since_us) < S / 2);
	assert_false(there.by_hand);
	assert_false(there.shadow);
}

static void
test_an_ipv6_client_and_a_wide_ban(void **state)
{
	struct fixture *f = *state;
	struct ban ban = ban_of("198.51.100.0/24", 60 * S);
	unsigned i;

	snprintf(ban.reason, sizeof(ban.reason), "a\tb\nc \303\244");
	for (i = 0; i < 6; i++)
		refuse(&f->nodes[1], "2001:db8:1:2::1", "auth");
	assert_true(bans_add(f->nodes[0].bans, &ban));
	wait_until(f, &f->nodes[0], "2001:db8:1:2::/64", true, 3 * S);
	wait_until(f, &f->nodes[1], "198.51.100.0/24", true, 3 * S);
	ban = get_ban(&f->nodes[1], "198.51.100.0/24");
	assert_true(ban.by_hand);
	assert_string_equal(ban.reason, "a b c \303\244");
}

static void
test_refusals_add_up(void **state)
{
	struct fixture *f = *state;
	struct node *one = &f->nodes[0], *two = &f->nodes[1];
	struct ban ban;
	unsigned i;

	wait_for_link(f, one, REDIS_UP);
	wait_for_link(f, two, REDIS_UP);
	for (i = 0; i < 3; i++)
		assert_false(refuse(one, "192.0.2.1", "waf"));
	for (i = 0; i < 2; i++)
		assert_false(refuse(two, "192.0.2.1", "limit"));
	run_for(f, S);
	assert_false(knows(one, "192.0.2.1"));
	assert_false(knows(two, "192.0.2.1"));
	assert_false(refuse(two, "192.0.2.1", "limit"));
	wait_until(f, one, "192.0.2.1", true, S);
	wait_until(f, two, "192.0.2.1", true, S);
	ban = get_ban(one, "192.0.2.1");
	assert_string_equal(ban.reason, "6 refusals within 60 s: waf, limit");
	assert_string_equal(ban.node, "gw2");
	assert_int_equal(ban.n_ids, 6);
}

/* More than are counted exactly: in slices. */
static void
test_many_refusals_add_up(void **state)
{
	struct fixture *f = *state;
	unsigned i, n;

	for (n = 0; n < NODES; n++) {
		f->nodes[n].conf.bans.after = 200;
		bans_configure(f->nodes[n].bans, &f->nodes[n].conf);
		wait_for_link(f, &f->nodes[n], REDIS_UP);
	}
	for (i = 0; i < 199; i++)
		assert_false(refuse(&f->nodes[i % 2], "192.0.2.1", "waf"));
	run_for(f, S / 2);
	assert_false(knows(&f->nodes[0], "192.0.2.1"));
	assert_false(refuse(&f->nodes[0], "192.0.2.1", "waf"));
	wait_until(f, &f->nodes[0], "192.0.2.1", true, S);
	wait_until(f, &f->nodes[1], "192.0.2.1", true, S);
	assert_int_equal(get_ban(&f->nodes[1], "192.0.2.1").n_ids, BANS_IDS_MAX);
}

static void
test_levels_are_shared(void **state)
{
	struct fixture *f = *state;
	struct node *one = &f->nodes[0], *two = &f->nodes[1];
	struct ban ban;
	unsigned i;

	for (i = 0; i < 6; i++)
		refuse(one, "192.0.2.1", "waf");
	wait_until(f, two, "192.0.2.1", true, 3 * S);
	/* for 2 s */
	wait_until(f, one, "192.0.2.1", false, 3 * S);
	wait_until(f, two, "192.0.2.1", false, S);
	for (i = 0; i < 6; i++)
		refuse(two, "192.0.2.1", "waf");
	wait_until(f, one, "192.0.2.1", true, S);
	ban = get_ban(one, "192.0.2.1");
	assert_int_equal(ban.level, 1);
	assert_true(ban.until_us - ban.since_us >= 39 * S / 10);
	/* a gateway that was not there learns of it */
	stop_node(two);
	wait_until(f, one, "192.0.2.1", false, 5 * S);
	start_node(f, two);
	wait_for_link(f, two, REDIS_UP);
	run_for(f, S / 2);
	assert_false(knows(two, "192.0.2.1"));
	for (i = 0; i < 6; i++)
		refuse(two, "192.0.2.1", "waf");
	wait_until(f, one, "192.0.2.1", true, S);
	assert_int_equal(get_ban(one, "192.0.2.1").level, 2);
	assert_int_equal(get_ban(two, "192.0.2.1").level, 2);
}

static void
test_restart_of_a_gateway(void **state)
{
	struct fixture *f = *state;
	struct node *one = &f->nodes[0];
	char client[32];
	struct ban ban;
	unsigned i;

	for (i = 0; i < 300; i++) {
		snprintf(client, sizeof(client), "10.0.%u.%u", i / 256, i % 256);
		ban = ban_of(client, 60 * S);
		assert_true(bans_add(one->bans, &ban));
	}
	/* the last one told */
	for (i = 0; i < 300; i++) {
		snprintf(client, sizeof(client), "10.0.%u.%u", i / 256, i % 256);
		wait_until(f, &f->nodes[1], client, true, 10 * S);
	}
	stop_node(one);
	start_node(f, one);
	for (i = 0; i < 300; i++) {
		snprintf(client, sizeof(client), "10.0.%u.%u", i / 256, i % 256);
		wait_until(f, one, client, true, 5 * S);
	}
}

static void
test_lift(void **state)
{
	struct fixture *f = *state;
	struct node *one = &f->nodes[0], *two = &f->nodes[1];
	struct ban ban = ban_of("192.0.2.1", 60 * S);
	unsigned i;

	bans_add(one->bans, &ban);
	wait_until(f, two, "192.0.2.1", true, 3 * S);
	assert_true(bans_lift(two->bans, &ban.client, 32));
	assert_false(knows(two, "192.0.2.1"));
	wait_until(f, one, "192.0.2.1", false, S);
	/* and it stays so, also for one who comes later */
	stop_node(two);
	start_node(f, two);
	wait_for_link(f, two, REDIS_UP);
	run_for(f, S);
	assert_false(knows(one, "192.0.2.1"));
	assert_false(knows(two, "192.0.2.1"));
	/* forgiven: the next is a first one */
	for (i = 0; i < 6; i++)
		refuse(two, "192.0.2.1", "waf");
	wait_until(f, one, "192.0.2.1", true, S);
	assert_int_equal(get_ban(one, "192.0.2.1").level, 0);
}

static void
test_redis_goes_and_comes(void **state)
{
	struct fixture *f = *state;
	struct node *one = &f->nodes[0], *two = &f->nodes[1];
	struct ban ban = ban_of("192.0.2.1", 60 * S), hand = ban_of("10.0.0.0/8", 60 * S);
	unsigned i;

	bans_add(one->bans, &ban);
	wait_until(f, two, "192.0.2.1", true, 3 * S);
	redis_lab_kill(f->server);
	wait_for_link(f, one, REDIS_DOWN);
	wait_for_link(f, two, REDIS_DOWN);
	/* goes on alone */
	for (i = 0; i < 5; i++)
		assert_false(refuse(two, "192.0.2.2", "waf"));
	assert_true(refuse(two, "192.0.2.2", "waf"));
	bans_add(two->bans, &hand);
	refuse(one, "192.0.2.3", "waf");
	run_for(f, S / 2);
	assert_false(knows(one, "10.0.0.0/8"));
	assert_true(knows(one, "192.0.2.1"));
	/* comes back with nothing: all that was held is told again */
	redis_lab_restart(f->server);
	wait_for_link(f, one, REDIS_UP);
	wait_for_link(f, two, REDIS_UP);
	wait_until(f, one, "10.0.0.0/8", true, 3 * S);
	run_for(f, S);
	stop_node(one);
	start_node(f, one);
	wait_until(f, one, "10.0.0.0/8", true, 3 * S);
	wait_until(f, one, "192.0.2.1", true, 3 * S);
	/* refusals of that time were not told: counted late is counted wrong */
	redis_lab_expect(f->server, "0", "EXISTS yett:ban:{192.0.2.3/32}");
}

static void
test_lifted_while_redis_was_away(void **state)
{
	struct fixture *f = *state;
	struct node *one = &f->nodes[0], *two = &f->nodes[1];
	struct ban ban = ban_of("192.0.2.1", 60 * S);

	bans_add(one->bans, &ban);
	wait_until(f, two, "192.0.2.1", true, 3 * S);
	redis_lab_freeze(f->server);
	assert_true(bans_lift(two->bans, &ban.client, 32));
	run_for(f, S);
	redis_lab_thaw(f->server);
	wait_until(f, one, "192.0.2.1", false, 10 * S);
	run_for(f, S);
	assert_false(knows(two, "192.0.2.1"));
}

/* Whatever somebody wrote under our names. */
static void
test_hostile_redis(void **state)
{
	struct fixture *f = *state;
	struct node *one = &f->nodes[0], *two = &f->nodes[1];
	struct bans_share_figures figures;
	struct ban ban = ban_of("192.0.2.1", 60 * S);

	wait_for_link(f, one, REDIS_UP);
	wait_for_link(f, two, REDIS_UP);
	/* no record behind it, no client, and a record that is none */
	redis_lab_expect(f->server, "4",
	    "ZADD yett:bans 1 192.0.2.7/32 2 nonsense 3 192.0.2.8/32 4.5 #x");
	redis_lab_expect(
	    f->server, "2", "HSET yett:ban:{192.0.2.7/32} u 99999999999999 s x");
	redis_lab_expect(f->server, "5",
	    "HSET yett:ban:{192.0.2.8/32} u 99999999999999 s 1 l 2 f zz n \r");
	run_for(f, S);
	bans_share_figures(one->share, &figures);
	assert_true(figures.bad >= 1);
	assert_false(knows(one, "192.0.2.8"));
	assert_int_equal(figures.heard, 0);
	/* other types: replaced */
	redis_lab_expect(f->server, "OK", "SET yett:bans x");
	redis_lab_expect(f->server, "OK", "SET yett:ban:{192.0.2.1/32} x");
	bans_add(one->bans, &ban);
	wait_until(f, two, "192.0.2.1", true, 3 * S);
}

/* Entries of bans that are over do not stay for ever. */
static void
test_the_index_is_swept(void **state)
{
	struct fixture *f = *state;
	struct ban ban = ban_of("192.0.2.1", S), other = ban_of("192.0.2.2", 60 * S);
	int64_t began = clock_mono_us();
	char *answer;
	bool gone = false;

	bans_add(f->nodes[0].bans, &ban);
	bans_add(f->nodes[0].bans, &other);
	wait_until(f, &f->nodes[1], "192.0.2.2", true, 3 * S);
	while (!gone) {
		assert_true(clock_mono_us() - began < 15 * S);
		run_for(f, S / 5);
		answer = redis_lab_ask(f->server, "ZSCORE yett:bans 192.0.2.1/32");
		gone = strcmp(answer, "(nil)") == 0;
		free(answer);
	}
	answer = redis_lab_ask(f->server, "ZSCORE yett:bans 192.0.2.2/32");
	assert_string_not_equal(answer, "(nil)");
	free(answer);
}

/* A flood of addresses: so many commands a second and no more. */
static void
test_what_a_flood_costs_redis(void **state)
{
	struct fixture *f = *state;
	struct redis_state before, after;
	struct bans_figures figures;
	unsigned i, n;
	char client[32];

	wait_for_link(f, &f->nodes[0], REDIS_UP);
	run_for(f, S / 2);
	redis_state(f->nodes[0].redis, &before);
	for (n = 0; n < 10; n++) {
		for (i = 0; i < 20000; i++) {
			snprintf(
			    client, sizeof(client), "10.%u.%u.%u", n, i / 256, i % 256);
			refuse(&f->nodes[0], client, "waf");
		}
		run_for(f, S / 10);
	}
	redis_state(f->nodes[0].redis, &after);
	bans_figures(f->nodes[0].bans, &figures);
	print_message("200,000 addresses: %llu commands\n",
	    (unsigned long long)(after.commands - before.commands));
	assert_true(after.commands - before.commands < 4000);
	assert_true(figures.watched <= BANS_WATCH_MAX);
}

static void
test_clock_of_the_gateway(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	f->where.clock = CONF_CLOCK_LOCAL;
	for (i = 0; i < NODES; i++) {
		stop_node(&f->nodes[i]);
		f->nodes[i].conf.redis = f->where;
		start_node(f, &f->nodes[i]);
	}
	wait_for_link(f, &f->nodes[0], REDIS_UP);
	for (i = 0; i < 3; i++)
		refuse(&f->nodes[0], "192.0.2.1", "waf");
	run_for(f, S / 5);
	for (i = 0; i < 3; i++)
		refuse(&f->nodes[1], "192.0.2.1", "waf");
	wait_until(f, &f->nodes[0], "192.0.2.1", true, 3 * S);
	assert_true(get_ban(&f->nodes[0], "192.0.2.1").until_us > clock_wall_us());
}

/* One key a command, so that a cluster carries bans, too. */
static void
test_cluster(void **state)
{
	struct redis_server *servers[3];
	struct fixture *f = *state;
	char client[32];
	struct ban ban;
	unsigned i;

	for (i = 0; i < NODES; i++)
		stop_node(&f->nodes[i]);
	redis_lab_start_cluster(f->lab, servers, 3, NULL);
	f->where.kind = CONF_REDIS_CLUSTER;
	f->where.unix_path = "";
	f->where.hosts = f->hosts;
	f->where.n_hosts = 3;
	for (i = 0; i < 3; i++) {
		f->hosts[i].host = "127.0.0.1";
		f->hosts[i].port = servers[i]->port;
	}
	for (i = 0; i < NODES; i++) {
		f->nodes[i].conf.redis = f->where;
		start_node(f, &f->nodes[i]);
	}
	wait_for_link(f, &f->nodes[0], REDIS_UP);
	wait_for_link(f, &f->nodes[1], REDIS_UP);
	for (i = 0; i < 50; i++) {
		snprintf(client, sizeof(client), "192.0.2.%u", i);
		ban = ban_of(client, 60 * S);
		bans_add(f->nodes[0].bans, &ban);
	}
	for (i = 0; i < 50; i++) {
		snprintf(client, sizeof(client), "192.0.2.%u", i);
		wait_until(f, &f->nodes[1], client, true, 5 * S);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_ban_is_known_everywhere),
		TEST(test_an_ipv6_client_and_a_wide_ban),
		TEST(test_refusals_add_up),
		TEST(test_many_refusals_add_up),
		TEST(test_levels_are_shared),
		TEST(test_restart_of_a_gateway),
		TEST(test_lift),
		TEST(test_redis_goes_and_comes),
		TEST(test_lifted_while_redis_was_away),
		TEST(test_hostile_redis),
		TEST(test_the_index_is_swept),
		TEST(test_what_a_flood_costs_redis),
		TEST(test_clock_of_the_gateway),
		TEST(test_cluster),
	};

	redis_lab_or_skip();
	log_set_level(LOG_LEVEL_ERROR);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
