/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration of pools' balancing and health, of the cache, compression and
 * changes of header fields: what a sound one becomes, and what each kind of fault is
 * told as. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/check.h"
#include "gateway/conf/conf.h"
#include "tests/unit/conf_rig.h"

/* What is given begins in column 20. */
#define POOLS(rest)                            \
	START "pools: { p: {      " rest ",\n" \
	      "  servers: [ { url: \"http://a\" } ] } }\n"
/* In line 3, column 30. */
#define ANSWER(rest) SITE("hosts: a, pool: p,   " rest)
#define CACHE(rest) ANSWER("cache: { " rest " }")
#define SET(rest) ANSWER("headers: { request: { set: { " rest " } } }")

static void
test_pool_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ POOLS("balance: round_robin, hash_on: \"\""), NULL, "written out" },
		{ POOLS("balance: least_connections"), NULL, "" },
		{ POOLS("balance: random_two"), NULL, "" },
		{ POOLS("balance: consistent_hash, hash_on: client"), NULL, "" },
		{ POOLS("balance: consistent_hash, hash_on: path, bound: 100"), NULL,
		    "" },
		{ POOLS("balance: consistent_hash, hash_on: \"header:X-A\", bound: 1000"),
		    NULL, "" },
		{ POOLS("balance: consistent_hash, hash_on: \"cookie:a\""), NULL, "" },
		{ POOLS("balance: fastest"),
		    "t.yaml:6:29: pools.p.balance: found \"fastest\"; allowed: "
		    "round_robin, least_connections, random_two, consistent_hash",
		    "word" },
		{ POOLS("balance: consistent_hash"),
		    "t.yaml:6:29: pools.p.balance: consistent_hash needs hash_on", "" },
		{ POOLS("balance: random_two, hash_on: path"),
		    "t.yaml:6:50: pools.p.hash_on: is for consistent_hash alone", "" },
		{ POOLS("hash_on: path"),
		    "t.yaml:6:29: pools.p.hash_on: is for consistent_hash alone", "" },
		{ POOLS("bound: 150"),
		    "t.yaml:6:27: pools.p.bound: is for consistent_hash alone", "" },
		{ POOLS("balance: consistent_hash, hash_on: path, bound: 99"),
		    "t.yaml:6:68: pools.p.bound: found \"99\"; allowed: a whole number, "
		    "100 to 1000",
		    "" },
		{ POOLS("balance: consistent_hash, hash_on: path, bound: 1001"),
		    "t.yaml:6:68: pools.p.bound: found \"1001\"", "" },
		{ POOLS("balance: consistent_hash, hash_on: country"),
		    "t.yaml:6:55: pools.p.hash_on: found \"country\"; allowed: client, "
		    "path, header:NAME or cookie:NAME",
		    "" },
		{ POOLS("balance: consistent_hash, hash_on: \"header:\""),
		    "t.yaml:6:55: pools.p.hash_on: found \"header:\"", "" },
		{ POOLS("sticky: { cookie: srv, key_file: k }"), NULL, "" },
		{ POOLS("sticky: { cookie: \"a b\" }"),
		    "t.yaml:6:38: pools.p.sticky.cookie: found \"a b\"; allowed: the "
		    "name of a cookie",
		    "" },
		{ POOLS("sticky: { key_file: k }"),
		    "t.yaml:6:28: pools.p.sticky: key_file needs cookie beside it", "" },
		{ POOLS("health: {}, outlier: {}, queue: {}"), NULL, "defaults" },
		{ POOLS("health: { path: \"/a?b=1\", host: \"app:81\", status: 204 }"),
		    NULL, "" },
		{ POOLS("health: { path: a }"),
		    "t.yaml:6:36: pools.p.health.path: found \"a\"; allowed: a path",
		    "" },
		{ POOLS("health: { path: \"/a b\" }"),
		    "t.yaml:6:36: pools.p.health.path: found \"/a b\"",
		    "would end the target" },
		{ POOLS("health: { host: \"a/b\" }"),
		    "t.yaml:6:36: pools.p.health.host: found \"a/b\"; allowed: a host",
		    "" },
		{ POOLS("health: { status: 399-200 }"),
		    "t.yaml:6:38: pools.p.health.status: found \"399-200\"", "" },
		{ POOLS("health: { status: 200-600 }"),
		    "t.yaml:6:38: pools.p.health.status: found \"200-600\"", "" },
		{ POOLS("health: { interval: 99ms }"),
		    "t.yaml:6:40: pools.p.health.interval: found \"99ms\"", "" },
		{ POOLS("health: { timeout: 2m }"),
		    "t.yaml:6:39: pools.p.health.timeout: found \"2m\"", "" },
		{ POOLS("health: { rise: 0 }"),
		    "t.yaml:6:36: pools.p.health.rise: found \"0\"", "" },
		{ POOLS("health: { fall: 101 }"),
		    "t.yaml:6:36: pools.p.health.fall: found \"101\"", "" },
		{ POOLS("outlier: { failures: 0 }"),
		    "t.yaml:6:41: pools.p.outlier.failures: found \"0\"", "" },
		{ POOLS("outlier: { max_percent: 101 }"),
		    "t.yaml:6:44: pools.p.outlier.max_percent: found \"101\"", "" },
		{ POOLS("outlier: { eject: 2h }"),
		    "t.yaml:6:38: pools.p.outlier.eject: found \"2h\"", "" },
		{ POOLS("slow_start: 61m"),
		    "t.yaml:6:32: pools.p.slow_start: found \"61m\"", "" },
		{ POOLS("max_connections: 1000001"),
		    "t.yaml:6:37: pools.p.max_connections: found \"1000001\"", "" },
		{ POOLS("queue: { length: 1000001 }"),
		    "t.yaml:6:37: pools.p.queue.length: found \"1000001\"", "" },
		{ POOLS("queue: { wait: 61s }"),
		    "t.yaml:6:35: pools.p.queue.wait: found \"61s\"", "" },
		{ START "pools: { p: { servers: [ { url: \"http://a\", backup: on },\n"
			"  { url: \"http://b\", backup: on } ] } }\n",
		    "t.yaml:6:24: pools.p.servers: all are backups", "" },
		{ START "pools: { p: { servers: [ { url: \"http://a\", backup: off },\n"
			"  { url: \"http://b\", backup: on } ] } }\n",
		    NULL, "" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_cache_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ BASE "cache: { memory: 1GiB, max_object: 256MiB }\n", NULL, "" },
		{ BASE "cache: { memory: 1MiB }\n", NULL, "the default gives way" },
		{ BASE "cache: { memory: 31MiB, max_object: 8MiB }\n",
		    "t.yaml:7:37: cache.max_object: is more than a quarter of memory, "
		    "which is 32505856 bytes",
		    "" },
		{ BASE "cache: { max_object: 65MiB }\n",
		    "t.yaml:7:22: cache.max_object: is more than a quarter of memory",
		    "" },
		{ BASE "cache: { memory: 1023KiB }\n",
		    "t.yaml:7:18: cache.memory: found \"1023KiB\"", "" },
		{ BASE "cache: { max_object: 1023 }\n",
		    "t.yaml:7:22: cache.max_object: found \"1023\"", "" },
		{ BASE "cache: { memry: 1GiB }\n",
		    "t.yaml:7:10: cache.memry: unknown field; did you mean \"memory\"?",
		    "" },
		{ BASE "cache: on\n", "t.yaml:7:8: cache: found \"on\"", "of sites" },
		{ ANSWER("cache: on"), NULL, "" },
		{ ANSWER("cache: off"), NULL, "" },
		{ ANSWER("cache: true"), NULL, "as any switch" },
		{ ANSWER("cache: {}"), NULL, "" },
		{ ANSWER("cache: []"),
		    "t.yaml:3:40: sites[0].cache: found a list; allowed: a mapping, or "
		    "off, on",
		    "" },
		{ ANSWER("cache: of"),
		    "t.yaml:3:40: sites[0].cache: found \"of\"; allowed: a mapping, or "
		    "off, on; did you mean \"off\"?",
		    "" },
		{ CACHE("ttl: 365d, key: \"cookie:a\", ignore_query: [utm_*, \"*\", a]"),
		    NULL, "" },
		{ CACHE("ttl: 366d"), "t.yaml:3:47: sites[0].cache.ttl: found \"366d\"",
		    "" },
		{ CACHE("key: [client]"),
		    "t.yaml:3:48: sites[0].cache.key[0]: found \"client\"; allowed: "
		    "header:NAME, cookie:NAME, country or asn",
		    "" },
		{ CACHE("key: [country]"),
		    "t.yaml:3:47: sites[0].cache.key: needs geo.country", "" },
		{ CACHE("key: [asn]"), "t.yaml:3:47: sites[0].cache.key: needs geo.asn",
		    "" },
		{ CACHE("ignore_query: [a=b]"),
		    "t.yaml:3:57: sites[0].cache.ignore_query[0]: found \"a=b\"; "
		    "allowed: the name of a parameter",
		    "" },
		{ CACHE("ignore_query: [\"*_a\"]"),
		    "t.yaml:3:57: sites[0].cache.ignore_query[0]: found \"*_a\"", "" },
		{ CACHE("heuristic: 101"),
		    "t.yaml:3:53: sites[0].cache.heuristic: found \"101\"", "" },
		{ CACHE("wait: 9ms"), "t.yaml:3:48: sites[0].cache.wait: found \"9ms\"",
		    "" },
		{ CACHE("wait: 2m"), "t.yaml:3:48: sites[0].cache.wait: found \"2m\"",
		    "" },
		{ CACHE("strip_cookies: 1"),
		    "t.yaml:3:57: sites[0].cache.strip_cookies: found \"1\"", "" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_change_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ ANSWER("compress: {}"), NULL, "" },
		{ ANSWER("compress: off"), NULL, "" },
		{ ANSWER("compress: on"),
		    "t.yaml:3:43: sites[0].compress: found \"on\"; allowed: a mapping, "
		    "or off",
		    "says nothing of what" },
		{ ANSWER("compress: { types: [text] }"),
		    "t.yaml:3:53: sites[0].compress.types[0]: found \"text\"", "" },
		{ ANSWER("compress: { encodings: [deflate] }"),
		    "t.yaml:3:57: sites[0].compress.encodings[0]: found \"deflate\"; "
		    "allowed: zstd, br, gzip",
		    "" },
		{ ANSWER("compress: { encodings: [br, br] }"),
		    "t.yaml:3:56: sites[0].compress.encodings: names \"br\" twice", "" },
		{ ANSWER("compress: { level: 10 }"),
		    "t.yaml:3:52: sites[0].compress.level: found \"10\"", "" },
		{ ANSWER("headers: { request: { set: {}, add: {}, remove: [] } }"), NULL,
		    "" },
		{ ANSWER("headers: off"),
		    "t.yaml:3:42: sites[0].headers: found \"off\"; allowed: a mapping",
		    "" },
		{ SET("X-A: 1, X-B: \"\", X-C: \"%{id}\""), NULL, "" },
		{ SET("X-A: "),
		    "t.yaml:3:68: sites[0].headers.request.set.X-A: found nothing",
		    "an empty text must be said" },
		{ SET("X-A: [1]"),
		    "t.yaml:3:67: sites[0].headers.request.set.X-A: found a list; "
		    "allowed: a text",
		    "" },
		{ SET("\"X A\": a"),
		    "t.yaml:3:62: sites[0].headers.request.set.X A: found \"X A\"; "
		    "allowed: the name of a header field",
		    "" },
		{ SET("\"\": a"),
		    "t.yaml:3:62: sites[0].headers.request.set.: found \"\"", "" },
		{ SET("X-A: a, X-A: b"), "t.yaml:3:70: sites[0].headers.request.set.X-A",
		    "twice" },
		{ SET("X-A: \"a\\r\\nX-B: b\""),
		    "t.yaml:3:67: sites[0].headers.request.set.X-A: holds a line break",
		    "" },
		{ ANSWER("headers: { response: { remove: [\"a:\"] } }"),
		    "t.yaml:3:65: sites[0].headers.response.remove[0]: found \"a:\"",
		    "" },
		{ ANSWER("headers: { response: { set: [a] } }"),
		    "t.yaml:3:61: sites[0].headers.response.set: found a list; allowed: "
		    "a mapping of names to texts",
		    "" },
		{ ANSWER("headers: { security: maybe }"),
		    "t.yaml:3:54: sites[0].headers.security: found \"maybe\"", "" },
		{ ANSWER("error_pages: pages"), NULL, "" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static struct conf *
load(const char *yaml)
{
	struct conf_problems problems;
	struct conf *cf = conf_rig_load(span_of(yaml), &problems);

	if (cf == NULL)
		fail_msg("%s", conf_problems_text(&problems));
	return (cf);
}

/* As many as may be and one more; as long as may be and one byte more. */
static void
test_change_bounds(void **state)
{
	struct conf_problems problems;
	struct conf *cf;
	struct text t;
	size_t n, i;

	(void)state;
	text_init(&t, 1 << 16);
	for (n = CONF_PAIRS_MAX; n <= CONF_PAIRS_MAX + 1; n++) {
		text_reset(&t);
		text_puts(&t, POOL "listeners: [ { address: \"127.0.0.1:1\" } ]\n"
				   "sites:\n  - hosts: a\n    pool: p\n    headers:\n"
				   "      response:\n        set:\n");
		for (i = 0; i < n; i++)
			text_printf(&t, "          X-%zu: a\n", i);
		cf = conf_rig_load(text_span(&t), &problems);
		assert_true((cf != NULL) == (n == CONF_PAIRS_MAX));
		conf_problems_free(&problems);
		conf_free(&cf);
	}
	for (n = CONF_PAIR_VALUE_MAX; n <= CONF_PAIR_VALUE_MAX + 1; n++) {
		text_reset(&t);
		text_puts(&t, POOL "listeners: [ { address: \"127.0.0.1:1\" } ]\n"
				   "sites: [ { hosts: a, pool: p, headers: { response: { "
				   "set: { X: ");
		for (i = 0; i < n; i++)
			text_putc(&t, 'a');
		text_puts(&t, " } } } } ]\n");
		cf = conf_rig_load(text_span(&t), &problems);
		assert_true((cf != NULL) == (n == CONF_PAIR_VALUE_MAX));
		conf_problems_free(&problems);
		conf_free(&cf);
	}
	text_free(&t);
}

static void
test_defaults(void **state)
{
	struct conf *cf = load(BASE);
	const struct conf_pool *pool = &cf->pools[0];
	const struct conf_site *site = &cf->sites[0];

	(void)state;
	assert_true(pool->balance == CONF_ROUND_ROBIN && pool->bound == 125 &&
		    !pool->servers[0].backup && pool->slow_start == 0 &&
		    pool->max_connections == 0);
	assert_string_equal(pool->hash_on, "");
	assert_string_equal(pool->sticky.cookie, "");
	assert_string_equal(pool->sticky.key_file, "");
	assert_true(pool->queue.length == 1024 && pool->queue.wait == 2000000);
	assert_true(!pool->health.present && !pool->outlier.present);
	assert_true(pool->health.interval == 2000000 && pool->health.timeout == 1000000 &&
		    pool->health.rise == 2 && pool->health.fall == 3 &&
		    pool->health.status_low == 200 && pool->health.status_high == 399);
	assert_string_equal(pool->health.path, "/");
	assert_string_equal(pool->health.host, "");
	assert_true(pool->outlier.failures == 5 && pool->outlier.within == 10000000 &&
		    pool->outlier.eject == 30000000 && pool->outlier.max_percent == 50);
	assert_true(cf->cache.memory == 268435456 && cf->cache.max_object == 8388608);
	assert_true(!site->cache.on && site->cache.ttl == 0 && site->cache.n_keys == 0 &&
		    site->cache.wait == 1000000);
	assert_true(!site->compress.on && !site->headers.security &&
		    site->headers.request.set.n == 0 &&
		    site->headers.response.remove.n == 0);
	assert_string_equal(site->error_pages, "");
	conf_free(&cf);
}

static void
check_pair(const struct conf_pair *pair, const char *name, const char *value,
    unsigned line, unsigned column)
{
	assert_string_equal(pair->name, name);
	assert_string_equal(pair->value, value);
	assert_string_equal(pair->place.file, "t.yaml");
	assert_int_equal(pair->place.line, line);
	assert_int_equal(pair->place.column, column);
}

static void
test_values(void **state)
{
	static const char yaml[] = START
	    "    cache: { key: [\"header:X-A\", \"cookie:b\"], ttl: 5m,\n"
	    "             ignore_query: utm_*, heuristic: 10, strip_cookies: on,\n"
	    "             ignore_requests: on, wait: 20ms }\n"
	    "    compress: { min: 0, encodings: gzip, level: 9, secrets: on }\n"
	    "    headers:\n"
	    "      request: { set: { X-A: \"%{id}\", X-B: 7 }, add: { X-C: \"\" } }\n"
	    "      response:\n"
	    "        remove: [Server,\n"
	    "          X-Powered-By]\n"
	    "      security: on\n"
	    "    error_pages: /srv/pages\n"
	    "    routes:\n"
	    "      - { path: /a/, cache: off, compress: off, headers: {} }\n"
	    "      - { path: /b/, cache: on, compress: {} }\n"
	    "      - path: /c/\n"
	    "cache: { memory: 1MiB }\n"
	    "pools:\n"
	    "  p:\n"
	    "    servers: [ { url: \"http://a\" }, { url: \"http://b\", backup: on } ]\n"
	    "    balance: consistent_hash\n"
	    "    hash_on: \"cookie:c\"\n"
	    "    bound: 150\n"
	    "    sticky: { cookie: srv, key_file: /k }\n"
	    "    health: { status: 204, host: app }\n"
	    "    outlier: { max_percent: 0 }\n"
	    "    queue: { length: 0, wait: 0 }\n";
	struct conf *cf = load(yaml);
	const struct conf_pool *pool = &cf->pools[0];
	const struct conf_site *site = &cf->sites[0];
	const struct conf_route *routes = site->routes;

	(void)state;
	assert_true(site->cache.on && site->cache.ttl == 300000000 &&
		    site->cache.heuristic == 10 && site->cache.strip_cookies &&
		    site->cache.ignore_requests && site->cache.wait == 20000);
	assert_true(site->cache.n_keys == 2 &&
		    site->cache.keys[0].kind == CONF_KEY_HEADER &&
		    site->cache.keys[1].kind == CONF_KEY_COOKIE);
	assert_string_equal(site->cache.keys[1].name, "b");
	assert_string_equal(site->cache.ignore_query.v[0], "utm_*");
	assert_true(site->compress.on && site->compress.min == 0 &&
		    site->compress.encodings.n == 1 && site->compress.level == 9 &&
		    site->compress.secrets && site->compress.types.n == 4);
	assert_int_equal(site->headers.place.line, 10);
	assert_int_equal(site->headers.request.set.n, 2);
	check_pair(&site->headers.request.set.v[0], "X-A", "%{id}", 11, 30);
	check_pair(&site->headers.request.set.v[1], "X-B", "7", 11, 44);
	check_pair(&site->headers.request.add.v[0], "X-C", "", 11, 61);
	assert_string_equal(
	    site->headers.request.add.v[0].field, "sites[0].headers.request.add.X-C");
	assert_int_equal(site->headers.response.remove.n, 2);
	check_pair(&site->headers.response.removed[0], "Server", "", 13, 18);
	check_pair(&site->headers.response.removed[1], "X-Powered-By", "", 14, 11);
	assert_string_equal(
	    site->headers.response.removed[1].field, "sites[0].headers.response.remove");
	assert_true(site->headers.security);
	assert_string_equal(site->error_pages, "/srv/pages");
	assert_true(routes[0].has_cache && !routes[0].cache.on &&
		    routes[0].has_compress && !routes[0].compress.on &&
		    routes[0].has_headers && routes[0].headers.request.set.n == 0);
	assert_true(routes[1].has_cache && routes[1].cache.on &&
		    routes[1].cache.wait == 1000000 && routes[1].has_compress &&
		    routes[1].compress.on && routes[1].compress.encodings.n == 3 &&
		    !routes[1].has_headers);
	assert_true(
	    !routes[2].has_cache && !routes[2].has_compress && !routes[2].has_headers);
	assert_true(cf->cache.memory == 1048576 && cf->cache.max_object == 262144);
	assert_true(pool->balance == CONF_CONSISTENT_HASH && pool->bound == 150 &&
		    pool->hash_key.kind == CONF_KEY_COOKIE && pool->servers[1].backup);
	assert_string_equal(pool->hash_key.name, "c");
	assert_string_equal(pool->sticky.key_file, "/k");
	assert_true(pool->health.present && pool->health.status_low == 204 &&
		    pool->health.status_high == 204 && pool->outlier.present &&
		    pool->outlier.max_percent == 0 && pool->queue.length == 0 &&
		    pool->queue.wait == 0);
	conf_free(&cf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool_faults),
		cmocka_unit_test(test_cache_faults),
		cmocka_unit_test(test_change_faults),
		cmocka_unit_test(test_change_bounds),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
