/* SPDX-License-Identifier: Apache-2.0 */
/* Host and path to a site and its route. */
#include "config.h"

#include "gateway/route/route.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/base/check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HOSTS(array)                \
	{                           \
		array, COUNT(array) \
	}

static const char *shop_hosts[] = { "shop.example.com", "*.shop.example.com", "[::1]" };
static const char *wide_hosts[] = { "*.example.com", "example.com", "192.0.2.1" };
static const char *any_hosts[] = { "*" };

static struct conf_route shop_routes[] = {
	{ .path = "=/login" }, /* 0 */
	{ .path = "/" }, /* 1 */
	{ .path = "/static/" }, /* 2 */
	{ .path = "/static/private/" }, /* 3 */
	{ .path = "/static/public" }, /* 4 */
	{ .path = "/api" }, /* 5 */
	{ .path = "=/" }, /* 6 */
};

static struct conf_route wide_routes[] = {
	{ .path = "~ \\.php$" }, /* 0 */
	{ .path = "/admin/" }, /* 1 */
	{ .path = "~ ^/a.*z$" }, /* 2 */
	{ .path = "~ ^/a" }, /* 3 */
	{ .path = "=/exact.php" }, /* 4 */
	{ .path = "~ ^/(b|c)*d$" }, /* 5 */
	{ .path = "~ ^/e(?:f+)+g$" }, /* 6 */
	{ .path = "~ \xe9" }, /* 7 */
};

static struct conf_site sites[] = {
	{ .hosts = HOSTS(shop_hosts),
	    .routes = shop_routes,
	    .n_routes = COUNT(shop_routes) },
	{ .hosts = HOSTS(wide_hosts),
	    .routes = wide_routes,
	    .n_routes = COUNT(wide_routes) },
	{ .hosts = HOSTS(any_hosts) },
};

static const struct conf conf = { .sites = sites, .n_sites = COUNT(sites) };
/* The same without a site for every host. */
static const struct conf conf_some = { .sites = sites, .n_sites = 2 };

static struct route_table *
table_of(const struct conf *c)
{
	struct route_table *table;
	struct err e;

	assert_int_equal(route_table_new(&table, c, &e), ERR_OK);
	return (table);
}

static void
hosts(void **state)
{
	static const struct {
		const char *host;
		uint32_t site;
	} rows[] = {
		{ "shop.example.com", 0 }, /* exact before wildcard */
		{ "a.shop.example.com", 0 }, /* the longest wildcard */
		{ "a.b.shop.example.com", 0 }, /* several labels */
		{ "[::1]", 0 },
		{ "example.com", 1 },
		{ "www.example.com", 1 },
		{ "xshop.example.com", 1 },
		{ "192.0.2.1", 1 },
		{ ".example.com", 2 }, /* no label before the dot */
		{ "xexample.com", 2 },
		{ "com", 2 },
		{ "*.example.com", 1 }, /* no name, but harmless */
		{ "192.0.2.2", 2 },
		{ "", 2 },
	};
	struct route_table *all = table_of(&conf), *some = table_of(&conf_some);
	uint32_t site;
	bool found;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		if (!route_site(all, span_of(rows[i].host), &site) ||
		    site != rows[i].site)
			fail_msg("%s: site %u", rows[i].host, site);
		found = route_site(some, span_of(rows[i].host), &site);
		assert_int_equal(found, rows[i].site != 2);
	}
	route_table_free(&all);
	route_table_free(&some);
	assert_null(all);
}

static void
paths(void **state)
{
	static const struct {
		uint32_t site;
		struct span path;
		int32_t route;
	} rows[] = {
		{ 0, SPAN("/login"), 0 }, { 0, SPAN("/login/"), 1 },
		{ 0, SPAN("/logi"), 1 }, { 0, SPAN("/"), 6 }, { 0, SPAN("/static/"), 2 },
		{ 0, SPAN("/static"), 1 }, { 0, SPAN("/static/a"), 2 },
		{ 0, SPAN("/static/private/a"), 3 }, { 0, SPAN("/static/private"), 2 },
		{ 0, SPAN("/static/publication"), 4 },
		{ 0, SPAN("/static/puz"), 2 }, /* behind a longer, unrelated one */
		{ 0, SPAN("/staticz"), 1 }, { 0, SPAN("/api"), 5 },
		{ 0, SPAN("/apiary"), 5 }, { 0, SPAN("/static/\xff"), 2 },
		{ 0, SPAN("*"), -1 }, /* OPTIONS * */
		{ 0, SPAN(""), -1 }, { 1, SPAN("/exact.php"), 4 },
		{ 1, SPAN("/other.php"), 0 },
		{ 1, SPAN("/admin/x.php"), 1 }, /* prefix before pattern */
		{ 1, SPAN("/abcz"), 2 }, /* patterns in order */
		{ 1, SPAN("/abc"), 3 },
		{ 1, SPAN("/a\nz"), 2 }, /* "." takes a line feed */
		{ 1, SPAN("/x.php\n"), -1 }, /* "$" is the very end */
		{ 1, SPAN("/A"), -1 },
		{ 1, SPAN("/x\xe9"), 7 }, /* bytes, not characters */
		{ 1, SPAN("/x"), -1 }, { 2, SPAN("/x"), -1 }, /* no routes at all */
	};
	struct route_table *table = table_of(&conf);
	int32_t route;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		route = route_path(table, rows[i].site, rows[i].path);
		if (route != rows[i].route)
			fail_msg("%u %s: route %d, not %d", rows[i].site, rows[i].path.p,
			    route, rows[i].route);
	}
	assert_int_equal(route_overruns(table), 0);
	route_table_free(&table);
}

/* A pattern that needs more stack than JIT has is matched all the same; one that
 * backtracks without end is cut short, taken as no match and counted. */
static void
limits(void **state)
{
	struct route_table *table = table_of(&conf);
	char path[8192];

	(void)state;
	memset(path, 'b', sizeof(path));
	path[0] = '/';
	path[3000] = 'd';
	assert_int_equal(route_path(table, 1, span_mem(path, 3001)), 5);
	assert_int_equal(route_overruns(table), 0);
	memset(path, 'f', sizeof(path));
	path[0] = '/';
	path[1] = 'e';
	path[59] = 'g';
	path[60] = 'h';
	assert_int_equal(route_path(table, 1, span_mem(path, 61)), -1);
	assert_int_equal(route_overruns(table), 1);
	route_table_free(&table);
}

static void
errors(void **state)
{
	static const char *a_hosts[] = { "a", "a" };
	static const char *b_hosts[] = { "b", "a" };
	static const char *wild_hosts[] = { "*.a" };
	struct conf_route bad[] = { { .path = "/" }, { .path = "~ /(a" } };
	struct conf_route twice[] = { { .path = "/a" }, { .path = "=/a" },
		{ .path = "/a" } };
	struct conf_site two[] = { { .hosts = HOSTS(a_hosts) },
		{ .hosts = HOSTS(b_hosts) } };
	struct conf c = { .sites = two, .n_sites = 1 };
	struct route_table *table;
	struct err e;

	(void)state;
	/* a host twice in one site is no contradiction */
	assert_int_equal(route_table_new(&table, &c, &e), ERR_OK);
	route_table_free(&table);
	c.n_sites = 2;
	assert_int_equal(route_table_new(&table, &c, &e), ERR_CONFLICT);
	assert_null(table);
	assert_string_equal(e.text, "two sites have the host \"a\"");
	two[0].hosts = two[1].hosts = (struct conf_strings)HOSTS(wild_hosts);
	assert_int_equal(route_table_new(&table, &c, &e), ERR_CONFLICT);
	two[0].hosts = two[1].hosts = (struct conf_strings)HOSTS(any_hosts);
	assert_int_equal(route_table_new(&table, &c, &e), ERR_CONFLICT);
	c.n_sites = 1;
	two[0].routes = bad;
	two[0].n_routes = COUNT(bad);
	assert_int_equal(route_table_new(&table, &c, &e), ERR_FORMAT);
	assert_string_equal(e.text,
	    "site *: route \"~ /(a\": at character 4: missing closing parenthesis");
	two[0].routes = twice;
	two[0].n_routes = COUNT(twice);
	assert_int_equal(route_table_new(&table, &c, NULL), ERR_CONFLICT);
	assert_null(table);
}

/* Against the plain way of saying it, over all short paths of three bytes. */
static void
longest_prefix(void **state)
{
	static const char *const texts[] = { "/", "/a", "/aa", "/ab/", "/ab/a", "/b",
		"/b/b", "/a/b", "//", "/aaa", "/ab" };
	struct conf_route routes[COUNT(texts)];
	struct conf_site site = {
		.hosts = HOSTS(any_hosts), .routes = routes, .n_routes = COUNT(texts)
	};
	const struct conf c = { .sites = &site, .n_sites = 1 };
	struct route_table *table;
	size_t i, n, code, best;
	int32_t want;
	char path[8];

	(void)state;
	memset(routes, 0, sizeof(routes));
	for (i = 0; i < COUNT(texts); i++)
		routes[i].path = texts[i];
	table = table_of(&c);
	for (code = 0; code < 3 * 3 * 3 * 3 * 3 * 3; code++) {
		for (n = 0, i = code; n < 6; n++, i /= 3)
			path[n] = "/ab"[i % 3];
		for (want = -1, best = 0, i = 0; i < COUNT(texts); i++)
			if (strlen(texts[i]) > best &&
			    memcmp(path, texts[i], strlen(texts[i])) == 0) {
				best = strlen(texts[i]);
				want = (int32_t)i;
			}
		assert_int_equal(route_path(table, 0, span_mem(path, n)), want);
	}
	route_table_free(&table);
}

static void *
look_up(void *argument)
{
	const struct route_table *table = argument;
	uint32_t site;
	unsigned i;

	for (i = 0; i < 2000; i++) {
		CHECK(route_site(table, SPAN("x.example.com"), &site) && site == 1);
		CHECK(route_path(table, site, SPAN("/abcz")) == 2);
		CHECK(route_path(table, site, SPAN("/efffffffffffffffffffffffgh")) == -1);
	}
	return (NULL);
}

/* Threads share one table. */
static void
threads(void **state)
{
	struct route_table *table = table_of(&conf);
	pthread_t ids[4];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(ids); i++)
		assert_int_equal(pthread_create(&ids[i], NULL, look_up, table), 0);
	for (i = 0; i < COUNT(ids); i++)
		assert_int_equal(pthread_join(ids[i], NULL), 0);
	assert_int_equal(route_overruns(table), COUNT(ids) * 2000);
	route_table_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test(paths),
		cmocka_unit_test(limits),
		cmocka_unit_test(errors),
		cmocka_unit_test(longest_prefix),
		cmocka_unit_test(threads),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
