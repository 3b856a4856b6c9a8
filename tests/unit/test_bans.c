/* SPDX-License-Identifier: Apache-2.0 */
/* Bans: windows, levels, prefixes, full tables, threads. */
#include "config.h"

#include "gateway/access/bans.h"

#include "gateway/access/bans_allowance.h"
#include "gateway/access/bans_news.h"
#include "gateway/access/bans_window.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define S CLOCK_SECOND
#define T0 (INT64_C(4102444800) * S) /* later than any clock */

static const struct conf CONF = {
	.node = "gw1",
	.identity = { .ipv6_prefix = 64 },
	.bans = { .present = true,
	    .after = 3,
	    .within = 10 * S,
	    .lasts = 100 * S,
	    .max = 500 * S,
	    .count = CONF_BAN_WAF | CONF_BAN_LIMIT,
	    .mode = CONF_ENFORCE },
};

static struct netaddr
address(const char *text)
{
	struct netaddr addr;

	assert_true(netaddr_parse_ip(&addr, span_of(text)));
	return (addr);
}

static bool
refuse(struct bans *b, const char *client, const char *reason, int64_t at)
{
	static unsigned serial; /* ids that differ */
	struct netaddr addr = address(client);
	char id[ID_TEXT_MAX];

	snprintf(id, sizeof(id), "01HZ%022u", serial++);
	return (bans_refused(b, &addr, reason, id, T0 + at));
}

static enum bans_rc
check(struct bans *b, const char *client, int64_t at)
{
	struct netaddr addr = address(client);

	return (bans_check(b, &addr, T0 + at, NULL));
}

/* A ban of `text` ("192.0.2.0/24"). */
static struct ban
ban_of(const char *text, int64_t at, int64_t lasts)
{
	struct ban ban = { .by_hand = true, .node = "gw1", .reason = "test" };
	struct netprefix prefix;

	assert_int_equal(netprefix_parse(&prefix, span_of(text), NULL), ERR_OK);
	ban.client = prefix.base;
	ban.bits = prefix.bits;
	ban.since_us = T0 + at;
	ban.until_us = T0 + at + lasts;
	return (ban);
}

/* --- windows -------------------------------------------------------------- */

static void
test_window(void **state)
{
	static const struct {
		uint32_t after;
		int64_t within_ms;
		int64_t at_ms[8]; /* of refusals; -1 ends */
		int yes; /* the one that fills the window; -1 none */
		const char *why;
	} rows[] = {
		{ 1, 1000, { 0, -1 }, 0, "the first is enough" },
		{ 3, 1000, { 0, 500, 1000, -1 }, 2, "just within" },
		{ 3, 1000, { 0, 500, 1001, -1 }, -1, "just too slow" },
		{ 3, 1000, { 0, 500, 1001, 1500, -1 }, 3, "the oldest has left" },
		{ 3, 1000, { 0, 0, 0, -1 }, 2, "all at once" },
		{ 3, 1000, { 0, 10, 2000, 2010, -1 }, -1, "a pause forgets" },
		{ 3, 1000, { 5000, 5001, 3000, 3001, -1 }, -1, "a clock put back" },
		{ 3, 1000, { 5000, 5001, 3000, 3001, 3002, -1 }, 4, "and on" },
		{ 3, 1000, { 5000, 5100, 4500, -1 }, 2, "out of order" },
	};
	struct bans_window w;
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		bans_window_clear(&w);
		for (k = 0; k < 8 && rows[i].at_ms[k] >= 0; k++)
			if (bans_window_add(&w, rows[i].after,
				rows[i].within_ms * CLOCK_MS,
				T0 + rows[i].at_ms[k] * CLOCK_MS) != (k == rows[i].yes))
				fail_msg("%s: refusal %d", rows[i].why, k);
	}
}

/* Never early: when it says yes there were `after` within the window; and never
 * later than with a window one sixteenth shorter. */
static void
test_window_of_many(void **state)
{
	static const uint32_t afters[] = { 2, 10, 64, 65, 100, 1000 };
	static int64_t times[200000];
	int64_t within = 60 * S, now, span;
	struct bans_window w;
	uint32_t after, n;
	unsigned round;
	size_t i;
	bool yes;

	(void)state;
	srandom(1);
	for (i = 0; i < COUNT(afters); i++)
		for (round = 0; round < 20; round++) {
			after = afters[i];
			now = T0 + random() % S;
			/* around the rate that fills it */
			span = within / after * 2;
			bans_window_clear(&w);
			for (n = 0; n < 20000; n++) {
				now += random() % (span * (round + 1) / 10 + 1);
				now = now / CLOCK_MS * CLOCK_MS;
				times[n] = now;
				yes = bans_window_add(&w, after, within, now);
				if (n + 1 < after) {
					assert_false(yes);
					continue;
				}
				if (yes)
					assert_true(now - times[n + 1 - after] <= within);
				else
					assert_true(now - times[n + 1 - after] >
						    within - within / BANS_SLICES);
				if (yes)
					break;
			}
		}
}

/* --- bans ----------------------------------------------------------------- */

static void
test_refusals_lead_to_a_ban(void **state)
{
	struct bans *b = bans_new(&CONF);

	(void)state;
	assert_false(refuse(b, "192.0.2.1", "waf", 0));
	assert_false(refuse(b, "192.0.2.1", "limit", 1 * S));
	assert_false(refuse(b, "192.0.2.2", "waf", 2 * S));
	assert_false(refuse(b, "192.0.2.1", "acl", 2 * S)); /* does not count */
	assert_false(refuse(b, "192.0.2.1", "upstream", 2 * S));
	assert_int_equal(check(b, "192.0.2.1", 2 * S), BANS_NONE);
	assert_true(refuse(b, "192.0.2.1", "waf", 3 * S));
	assert_int_equal(check(b, "192.0.2.1", 3 * S), BANS_BANNED);
	assert_int_equal(check(b, "192.0.2.2", 3 * S), BANS_NONE);
	assert_false(refuse(b, "192.0.2.1", "waf", 4 * S)); /* is banned */
	assert_int_equal(check(b, "192.0.2.1", 103 * S - 1), BANS_BANNED);
	assert_int_equal(check(b, "192.0.2.1", 103 * S), BANS_NONE);
	bans_free(&b);
	assert_null(b);
}

struct listing {
	struct ban bans[8];
	unsigned n;
};

static bool
note_ban(const struct ban *ban, void *data)
{
	struct listing *l = data;

	if (l->n < COUNT(l->bans))
		l->bans[l->n++] = *ban;
	return (true);
}

static struct listing
list(struct bans *b, int64_t at)
{
	struct listing l = { .n = 0 };

	bans_each(b, T0 + at, note_ban, &l);
	return (l);
}

static void
test_what_a_ban_tells(void **state)
{
	struct bans *b = bans_new(&CONF);
	struct listing l;
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++)
		refuse(b, "192.0.2.1", "waf", 0);
	refuse(b, "192.0.2.1", "limit", 0);
	for (i = 0; i < 3; i++)
		refuse(b, "192.0.2.2", "limit", -1 * S);
	l = list(b, 0);
	assert_int_equal(l.n, 2);
	/* soonest to end first */
	assert_string_equal(l.bans[0].reason, "3 refusals within 10 s: limit");
	assert_string_equal(l.bans[1].reason, "3 refusals within 10 s: waf, limit");
	assert_string_equal(l.bans[1].node, "gw1");
	assert_int_equal(l.bans[1].n_ids, 3);
	for (i = 0; i < 3; i++)
		assert_true(id_is_valid(span_of(l.bans[1].ids[i])));
	assert_true(strcmp(l.bans[1].ids[0], l.bans[1].ids[1]) < 0);
	assert_int_equal(l.bans[1].bits, 32);
	assert_int_equal(l.bans[1].since_us, T0);
	assert_int_equal(l.bans[1].until_us, T0 + 100 * S);
	assert_int_equal(list(b, 99 * S).n, 1);
	assert_int_equal(list(b, 100 * S).n, 0);
	bans_free(&b);
}

static void
get_banned(struct bans *b, int64_t at)
{
	refuse(b, "192.0.2.1", "waf", at);
	refuse(b, "192.0.2.1", "waf", at);
	assert_true(refuse(b, "192.0.2.1", "waf", at));
}

static void
test_doubling(void **state)
{
	/* for 100 s, max 500 s */
	static const struct {
		int64_t pause; /* after the end of the one before */
		int64_t lasts;
		uint32_t level;
	} rows[] = {
		{ 0, 100, 0 },
		{ 1, 200, 1 },
		{ 499, 400, 2 },
		{ 10, 500, 3 },
		{ 10, 500, 4 },
		{ 500, 500, 5 },
		{ 501, 100, 0 },
		{ 0, 200, 1 },
	};
	struct bans *b = bans_new(&CONF);
	int64_t at = 0;
	struct listing l;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		at += rows[i].pause * S;
		get_banned(b, at);
		l = list(b, at);
		assert_int_equal(l.n, 1);
		assert_int_equal(l.bans[0].level, rows[i].level);
		assert_int_equal(l.bans[0].until_us - T0 - at, rows[i].lasts * S);
		at += rows[i].lasts * S;
	}
	bans_free(&b);
}

static void
test_shadow(void **state)
{
	struct conf conf = CONF;
	struct netaddr client = address("192.0.2.1");
	struct bans *b;

	(void)state;
	conf.bans.mode = CONF_SHADOW;
	b = bans_new(&conf);
	get_banned(b, 0);
	assert_int_equal(check(b, "192.0.2.1", 1), BANS_SHADOW);
	assert_false(bans_shuts_out(b, &client, T0 + 1));
	/* goes on being refused: that makes no second ban while the first holds */
	for (int i = 0; i < 10; i++)
		assert_false(refuse(b, "192.0.2.1", "waf", i * S));
	assert_int_equal(list(b, 0).bans[0].level, 0);
	/* one by hand is enforced */
	struct ban hand = ban_of("192.0.2.1", 5 * S, 5 * S);

	assert_true(bans_add(b, &hand));
	assert_int_equal(check(b, "192.0.2.1", 6 * S), BANS_BANNED);
	bans_free(&b);
}

static void
test_without_a_configuration(void **state)
{
	struct conf conf = CONF;
	struct ban ban = ban_of("192.0.2.1", 0, 10 * S);
	struct bans *b;

	(void)state;
	conf.bans.present = false;
	b = bans_new(&conf);
	for (int i = 0; i < 100; i++)
		assert_false(refuse(b, "192.0.2.2", "waf", 0));
	assert_true(bans_add(b, &ban));
	assert_int_equal(check(b, "192.0.2.1", 0), BANS_BANNED);
	assert_int_equal(check(b, "192.0.2.1", 10 * S), BANS_NONE);
	bans_free(&b);
}

static void
test_ipv6(void **state)
{
	struct netaddr prefix = address("2001:db8:1:2::");
	struct bans *b = bans_new(&CONF);

	(void)state;
	refuse(b, "2001:db8:1:2::1", "waf", 0);
	refuse(b, "2001:db8:1:2:ffff::2", "waf", 0);
	refuse(b, "2001:db8:1:3::1", "waf", 0);
	assert_true(refuse(b, "2001:db8:1:2:8000::3", "waf", 0));
	assert_int_equal(check(b, "2001:db8:1:2:1234:5678:9abc:def0", 0), BANS_BANNED);
	assert_int_equal(check(b, "2001:db8:1:3::1", 0), BANS_NONE);
	assert_int_equal(list(b, 0).bans[0].bits, 64);
	assert_true(bans_lift(b, &prefix, 64));
	assert_int_equal(check(b, "2001:db8:1:2::1", 0), BANS_NONE);
	bans_free(&b);
}

static void
test_wide_bans(void **state)
{
	static const struct {
		const char *ban, *inside, *outside;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.77", "192.0.3.77" },
		{ "10.0.0.0/8", "10.255.255.255", "11.0.0.0" },
		{ "0.0.0.0/0", "203.0.113.9", "2001:db8::1" },
		{ "203.0.113.9/32", "203.0.113.9", "203.0.113.8" },
		{ "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1" },
		{ "2001:db8::1/128", "2001:db8::1", "2001:db8::2" },
		{ "::/0", "2001:db8::1", "192.0.2.1" },
		{ "2001:db8::/63", "2001:db8:0:1::", "2001:db8:0:2::" },
	};
	struct bans_figures f;
	struct ban ban;
	struct bans *b;
	size_t i;

	(void)state;
	b = bans_new(&CONF);
	for (i = 0; i < COUNT(rows); i++) {
		ban = ban_of(rows[i].ban, 0, 10 * S);
		assert_true(bans_add(b, &ban));
		assert_int_equal(check(b, rows[i].inside, 0), BANS_BANNED);
		assert_int_equal(check(b, rows[i].outside, 0), BANS_NONE);
		assert_false(bans_lift(b, &ban.client, (uint8_t)(ban.bits ^ 1)));
		assert_true(bans_lift(b, &ban.client, ban.bits));
		assert_false(bans_lift(b, &ban.client, ban.bits));
		assert_int_equal(check(b, rows[i].inside, 0), BANS_NONE);
	}
	/* refusals of who is banned as part of something wider don't count */
	ban = ban_of("192.0.2.0/24", 0, 10 * S);
	bans_add(b, &ban);
	for (i = 0; i < 10; i++)
		assert_false(refuse(b, "192.0.2.1", "waf", 0));
	/* the enforced one, and the longest of them, decides */
	ban = ban_of("192.0.0.0/16", 0, 20 * S);
	bans_add(b, &ban);
	ban = ban_of("192.0.2.1", 0, 30 * S);
	ban.shadow = true;
	bans_add(b, &ban);
	{
		struct netaddr client = address("192.0.2.1");
		int64_t until;

		assert_int_equal(bans_check(b, &client, T0, &until), BANS_BANNED);
		assert_int_equal(until, T0 + 20 * S);
		assert_int_equal(
		    bans_check(b, &client, T0 + 25 * S, &until), BANS_SHADOW);
		assert_int_equal(until, T0 + 30 * S);
	}
	bans_figures(b, &f);
	assert_int_equal(f.lifted, COUNT(rows));
	bans_free(&b);
}

static void
test_a_longer_one_stays(void **state)
{
	struct bans *b = bans_new(&CONF);
	struct ban longer = ban_of("192.0.2.1", 0, 100 * S),
		   shorter = ban_of("192.0.2.1", 0, 10 * S),
		   none = { .client = { .family = NETADDR_UNIX } };

	(void)state;
	assert_true(bans_add(b, &longer));
	assert_true(bans_add(b, &shorter));
	assert_int_equal(list(b, 0).bans[0].until_us, T0 + 100 * S);
	assert_false(bans_add(b, &none));
	longer.bits = 33;
	assert_false(bans_add(b, &longer));
	bans_free(&b);
}

static void
test_the_page_then_the_door(void **state)
{
	struct netaddr one = address("192.0.2.1"), other = address("192.0.2.2");
	int64_t now = clock_wall_us();
	struct bans *b = bans_new(&CONF);
	struct ban ban = ban_of("192.0.2.0/24", 0, 0);

	(void)state;
	ban.since_us = now;
	ban.until_us = now + 1000 * S;
	bans_page_shown(b, &one); /* nobody is banned */
	bans_add(b, &ban);
	assert_false(bans_shuts_out(b, &one, now));
	bans_page_shown(b, &one);
	assert_true(bans_shuts_out(b, &one, now));
	assert_false(bans_shuts_out(b, &other, now)); /* has not seen it */
	/* the same, heard back from Redis */
	ban.since_us += CLOCK_MS;
	ban.until_us += CLOCK_MS;
	bans_heard(b, &ban);
	assert_true(bans_shuts_out(b, &one, now));
	bans_lift(b, &ban.client, 24);
	assert_false(bans_shuts_out(b, &one, now));
	ban.since_us++;
	bans_add(b, &ban);
	assert_false(bans_shuts_out(b, &one, now)); /* a new ban, a new page */
	bans_free(&b);
}

static void
test_lifted_is_forgiven(void **state)
{
	struct netaddr client = address("192.0.2.1");
	struct bans *b = bans_new(&CONF);

	(void)state;
	for (int told = 0; told < 2; told++) {
		bans_news_on(b, told);
		get_banned(b, 0);
		assert_true(bans_lift(b, &client, 32));
		assert_int_equal(check(b, "192.0.2.1", 0), BANS_NONE);
		get_banned(b, 1 * S);
		assert_int_equal(list(b, 1 * S).bans[0].level, 0);
		assert_true(bans_lift(b, &client, 32));
	}
	bans_free(&b);
}

static void
test_a_new_configuration(void **state)
{
	struct conf conf = CONF;
	struct bans *b = bans_new(&conf);

	(void)state;
	get_banned(b, 0);
	refuse(b, "192.0.2.2", "waf", 0);
	refuse(b, "192.0.2.2", "waf", 0);
	bans_configure(b, &conf); /* nothing new: counts stay */
	assert_true(refuse(b, "192.0.2.2", "waf", 0));
	conf.bans.after = 2;
	conf.bans.count = CONF_BAN_ACL;
	bans_configure(b, &conf);
	assert_int_equal(check(b, "192.0.2.1", 0), BANS_BANNED);
	assert_false(refuse(b, "192.0.2.3", "waf", 0));
	assert_false(refuse(b, "192.0.2.3", "acl", 0));
	assert_true(refuse(b, "192.0.2.3", "acl", 0));
	bans_free(&b);
}

/* --- full ----------------------------------------------------------------- */

static struct netaddr
nth(uint32_t i)
{
	struct netaddr addr = { .family = NETADDR_IP4 };

	addr.ip[0] = (uint8_t)(i >> 24);
	addr.ip[1] = (uint8_t)(i >> 16);
	addr.ip[2] = (uint8_t)(i >> 8);
	addr.ip[3] = (uint8_t)i;
	return (addr);
}

/* A flood of addresses does not displace who is nearly banned, and what it costs
 * is counted. */
static void
test_a_flood_of_addresses(void **state)
{
	struct bans *b = bans_new(&CONF);
	struct bans_figures f;
	struct netaddr addr;
	unsigned i, caught = 0;
	char who[16];

	(void)state;
	for (i = 0; i < 100; i++) {
		snprintf(who, sizeof(who), "192.0.2.%u", i);
		refuse(b, who, "waf", 0);
		refuse(b, who, "waf", 0);
	}
	for (i = 0; i < 4 * BANS_WATCH_MAX; i++) {
		addr = nth(0x0a000000u + i);
		assert_false(bans_refused(b, &addr, "waf", "x", T0 + i));
	}
	bans_figures(b, &f);
	assert_int_equal(f.watched, BANS_WATCH_MAX);
	assert_true(f.lost >= 3 * BANS_WATCH_MAX - 100);
	for (i = 0; i < 100; i++) {
		snprintf(who, sizeof(who), "192.0.2.%u", i);
		caught += refuse(b, who, "waf", 1 * S);
	}
	assert_true(caught >= 95);
	bans_free(&b);
}

static bool
count_one(const struct ban *ban, void *data)
{
	(void)ban;
	++*(size_t *)data;
	return (true);
}

static void
test_full_of_bans(void **state)
{
	struct ban ban = ban_of("10.0.0.0", 0, 100 * S), hand;
	struct bans *b = bans_new(&CONF);
	struct bans_figures f;
	size_t held = 0, n = 0;
	uint32_t i;

	(void)state;
	ban.by_hand = false;
	for (i = 0; i < BANS_MAX + 4096; i++) {
		ban.client = nth(0x0a000000u + i);
		held += bans_add(b, &ban);
	}
	assert_int_equal(held, BANS_MAX);
	bans_each(b, T0, count_one, &n);
	assert_int_equal(n, BANS_MAX);
	bans_figures(b, &f);
	assert_int_equal(f.bans, BANS_MAX);
	assert_int_equal(f.lost, 4096);
	/* the operator's word counts for more */
	for (i = 0; i < 100; i++) {
		hand = ban_of("192.0.2.0", 0, 10 * S);
		hand.client = nth(0xc0000200u + i);
		assert_true(bans_add(b, &hand));
	}
	assert_int_equal(check(b, "192.0.2.50", 0), BANS_BANNED);
	/* when they are over there is room again */
	for (i = 0; i < BANS_MAX / 2; i++) {
		ban.client = nth(0x0b000000u + i);
		ban.since_us = T0 + 100 * S;
		ban.until_us = T0 + 200 * S;
		assert_true(bans_add(b, &ban));
	}
	bans_free(&b);
}

/* --- news ----------------------------------------------------------------- */

static void
test_news(void **state)
{
	struct bans *b = bans_new(&CONF);
	struct netaddr client = address("192.0.2.1");
	struct ban heard = ban_of("192.0.2.9", 0, 10 * S);
	struct bans_news news;

	(void)state;
	refuse(b, "192.0.2.1", "waf", 0);
	assert_false(bans_news_take(b, &news)); /* not switched on */
	bans_news_on(b, true);
	refuse(b, "192.0.2.1", "limit", 0);
	assert_true(bans_news_take(b, &news));
	assert_int_equal(news.kind, BANS_NEWS_REFUSALS);
	assert_int_equal(news.refusals, 1);
	assert_int_equal(news.kinds, CONF_BAN_LIMIT);
	assert_int_equal(news.ban.n_ids, 1);
	assert_false(bans_news_take(b, &news));
	/* a ban says it all: refusals that led to it are not told again */
	assert_true(refuse(b, "192.0.2.1", "waf", 0));
	assert_true(bans_news_take(b, &news));
	assert_int_equal(news.kind, BANS_NEWS_MADE);
	assert_int_equal(news.ban.n_ids, 3);
	assert_false(bans_news_take(b, &news));
	/* could not be told: once more */
	bans_news_keep(b, &news);
	assert_false(bans_heard_lift(b, &client, 32));
	assert_true(bans_news_take(b, &news));
	assert_int_equal(news.kind, BANS_NEWS_MADE);
	assert_true(bans_heard_lift(b, &client, 32));
	/* lifted */
	get_banned(b, 1 * S);
	assert_true(bans_news_take(b, &news));
	assert_true(bans_lift(b, &client, 32));
	assert_true(bans_news_take(b, &news));
	assert_int_equal(news.kind, BANS_NEWS_LIFTED);
	bans_news_keep(b, &news);
	assert_true(bans_news_take(b, &news));
	assert_int_equal(news.kind, BANS_NEWS_LIFTED);
	/* what was heard is no news */
	assert_true(bans_heard(b, &heard));
	assert_true(bans_knows(b, &heard.client, 32, T0));
	assert_false(bans_knows(b, &heard.client, 31, T0));
	assert_false(bans_news_take(b, &news));
	bans_news_all(b, T0);
	assert_true(bans_news_take(b, &news));
	assert_false(bans_news_take(b, &news));
	bans_free(&b);
}

static void
test_news_is_one_a_client(void **state)
{
	struct conf conf = CONF;
	struct bans_news news;
	struct bans *b;
	unsigned i, n = 0;

	(void)state;
	conf.bans.after = 1000;
	b = bans_new(&conf);
	bans_news_on(b, true);
	for (i = 0; i < 900; i++)
		refuse(b, i % 2 ? "192.0.2.1" : "192.0.2.2", "waf", 0);
	while (bans_news_take(b, &news)) {
		assert_int_equal(news.refusals, 450);
		assert_int_equal(news.ban.n_ids, BANS_IDS_MAX);
		n++;
	}
	assert_int_equal(n, 2);
	bans_free(&b);
}

/* --- what may be told ----------------------------------------------------- */

static void
test_allowance(void **state)
{
	struct bans_allowance a = { 0 };
	int64_t now = T0;
	unsigned i;

	(void)state;
	/* all at once, then evenly, and full again after a period */
	for (i = 0; i < 100; i++)
		assert_true(bans_take(&a, 100, now, 10 * S));
	assert_false(bans_may_take(&a, now, 10 * S));
	assert_false(bans_take(&a, 100, now, 10 * S));
	now += S;
	for (i = 0; i < 10; i++)
		assert_true(bans_take(&a, 100, now, 10 * S));
	assert_false(bans_take(&a, 100, now, 10 * S));
	now += 100 * S;
	for (i = 0; i < 100; i++)
		assert_true(bans_take(&a, 100, now, 10 * S));
	assert_false(bans_take(&a, 100, now, 10 * S));
}

/* --- threads -------------------------------------------------------------- */

struct crowd {
	struct bans *bans;
	unsigned number;
};

static void *
run_crowd(void *data)
{
	struct crowd *c = data;
	struct bans_news news;
	struct bans_figures f;
	struct netaddr addr;
	struct ban ban;
	size_t n;
	unsigned i;

	for (i = 0; i < 4000; i++) {
		addr = nth(0x0a000000u + (i * 7 + c->number) % 64);
		bans_refused(c->bans, &addr, "waf", "01HZ0000000000000000000000",
		    T0 + i * CLOCK_MS);
		bans_check(c->bans, &addr, T0 + i * CLOCK_MS, NULL);
		bans_page_shown(c->bans, &addr);
		bans_shuts_out(c->bans, &addr, T0 + i * CLOCK_MS);
		if (i % 16 == 0)
			bans_lift(c->bans, &addr, 32);
		if (i % 32 == 0) {
			ban = ban_of("10.0.0.0/28", i, 10 * S);
			bans_add(c->bans, &ban);
		}
		if (i % 64 == 0)
			bans_lift(c->bans, &ban.client, 28);
		if (bans_news_take(c->bans, &news) && i % 2)
			bans_news_keep(c->bans, &news);
		if (i % 500 == 0) {
			n = 0;
			bans_each(c->bans, T0, count_one, &n);
			bans_figures(c->bans, &f);
			bans_configure(c->bans, &CONF);
		}
	}
	return (NULL);
}

static void
test_threads(void **state)
{
	struct bans *b = bans_new(&CONF);
	struct crowd crowds[4];
	struct bans_figures f;
	pthread_t threads[4];
	size_t n = 0;
	unsigned i;

	(void)state;
	bans_news_on(b, true);
	for (i = 0; i < 4; i++) {
		crowds[i] = (struct crowd){ b, i };
		assert_int_equal(
		    pthread_create(&threads[i], NULL, run_crowd, &crowds[i]), 0);
	}
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	bans_figures(b, &f);
	assert_true(f.made > 0);
	bans_each(b, 0, count_one, &n);
	assert_int_equal(n, f.bans);
	bans_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_of_many),
		cmocka_unit_test(test_refusals_lead_to_a_ban),
		cmocka_unit_test(test_what_a_ban_tells),
		cmocka_unit_test(test_doubling),
		cmocka_unit_test(test_shadow),
		cmocka_unit_test(test_without_a_configuration),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_wide_bans),
		cmocka_unit_test(test_a_longer_one_stays),
		cmocka_unit_test(test_the_page_then_the_door),
		cmocka_unit_test(test_lifted_is_forgiven),
		cmocka_unit_test(test_a_new_configuration),
		cmocka_unit_test(test_a_flood_of_addresses),
		cmocka_unit_test(test_full_of_bans),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_news_is_one_a_client),
		cmocka_unit_test(test_allowance),
		cmocka_unit_test(test_threads),
	};

	log_set_level(LOG_LEVEL_WARN);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
