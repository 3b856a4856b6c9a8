/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration of the controls before the WAF: what a sound one becomes, and
 * what each kind of fault is told as. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/conf/conf.h"
#include "tests/unit/conf_rig.h"

/* The value starts in column 15. */
#define REDIS(url) BASE "redis: { url: \"" url "\" }\n"
#define LIMIT(rest) BASE "limits: { a: { " rest " } }\n"
#define ACCESS(rest) SITE("hosts: a, pool: p, access: [ " rest " ]")

static void
test_identity_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ BASE "identity: { trusted_proxies: [10.0.0.0/8, \"::1\", 192.0.2.1], "
		       "header: Forwarded, ipv6_prefix: 128 }\n",
		    NULL, "all of it" },
		{ BASE "identity: { trusted_proxies: 10.0.0.0/8 }\n", NULL,
		    "a lone one" },
		{ BASE "identity: { trusted_proxies: [10.0.0.1/8] }\n",
		    "t.yaml:7:31: identity.trusted_proxies[0]: found \"10.0.0.1/8\"; "
		    "allowed: an address, or a prefix with its host bits zero",
		    "host bits" },
		{ BASE "identity: { trusted_proxies: [proxy] }\n",
		    "t.yaml:7:31: identity.trusted_proxies[0]: found \"proxy\"", "name" },
		{ BASE "identity: { header: \"X Real\" }\n",
		    "t.yaml:7:21: identity.header: found \"X Real\"", "header" },
		{ BASE "identity: { header: host }\n",
		    "t.yaml:7:21: identity.header: found \"host\"; allowed: a field that "
		    "holds addresses and nothing else",
		    "the application needs it" },
		{ BASE "identity: { ipv6_prefix: 31 }\n",
		    "t.yaml:7:26: identity.ipv6_prefix: found \"31\"; allowed: a whole "
		    "number, 32 to 128",
		    "prefix" },
		{ POOL "listeners: [ { address: \"127.0.0.1:1\", proxy_protocol: accept "
		       "} ]\nsites: [ { hosts: a, pool: p } ]\n",
		    "t.yaml:2:56: listeners[0].proxy_protocol: needs "
		    "identity.trusted_proxies",
		    "nobody could send one" },
		{ POOL "listeners: [ { address: \"127.0.0.1:1\", proxy_protocol: require "
		       "} ]\nsites: [ { hosts: a, pool: p } ]\n"
		       "identity: { trusted_proxies: \"127.0.0.1\" }\n",
		    NULL, "later in the file" },
		{ BASE "max: { limit_keys: 1023 }\n",
		    "t.yaml:7:20: max.limit_keys: found \"1023\"", "keys" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_redis_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ BASE "redis: {}\n", "t.yaml:7:8: redis.url: is missing", "url" },
		{ REDIS("redis://h"), NULL, "" },
		{ REDIS("redis://h:1/15"), NULL, "" },
		{ REDIS("redis://[2001:db8::1]:6380"), NULL, "" },
		{ REDIS("rediss://h/"), NULL, "" },
		{ REDIS("unix:/run/redis.sock?db=3"), NULL, "" },
		{ REDIS("redis+sentinel://a,b:1,[::1]:2/main"), NULL, "" },
		{ REDIS("rediss+sentinel://a/main/2"), NULL, "" },
		{ REDIS("redis+cluster://a,b:7000"), NULL, "" },
		{ REDIS("rediss+cluster://a/0"), NULL, "" },
		{ REDIS("http://h"),
		    "t.yaml:7:15: redis.url: found \"http://h\": it begins with none of "
		    "the schemes; allowed: redis://",
		    "" },
		{ REDIS("redis://"),
		    "t.yaml:7:15: redis.url: found \"redis://\": the host "
		    "is missing",
		    "" },
		{ REDIS("redis://u:geheim@h"),
		    "t.yaml:7:15: redis.url: found a url: a user and a password have no "
		    "place in it: that is for username and password_file",
		    "secrets are not repeated" },
		{ REDIS("redis://h/x"),
		    "t.yaml:7:15: redis.url: found \"redis://h/x\": the database", "" },
		{ REDIS("redis://h/65536"),
		    "t.yaml:7:15: redis.url: found \"redis://h/65536\": the database",
		    "" },
		{ REDIS("redis://h/1/2"), "t.yaml:7:15: redis.url: found", "" },
		{ REDIS("redis://h:0"),
		    "t.yaml:7:15: redis.url: found \"redis://h:0\": the port", "" },
		{ REDIS("redis://a,b"),
		    "t.yaml:7:15: redis.url: found \"redis://a,b\": a list of hosts is",
		    "" },
		{ REDIS("redis://h?db=1"),
		    "t.yaml:7:15: redis.url: found \"redis://h?db=1\": nothing may", "" },
		{ REDIS("redis://[::1"),
		    "t.yaml:7:15: redis.url: found \"redis://[::1\": the bracket", "" },
		{ REDIS("redis://a b"),
		    "t.yaml:7:15: redis.url: found \"redis://a b\": the host is neither",
		    "" },
		{ REDIS("unix:run"), "t.yaml:7:15: redis.url: found", "relative" },
		{ REDIS("unix:/run?x=1"),
		    "t.yaml:7:15: redis.url: found \"unix:/run?x=1\": only ?db=N", "" },
		{ REDIS("redis+sentinel://a"),
		    "t.yaml:7:15: redis.url: found \"redis+sentinel://a\": the name of "
		    "the master is missing",
		    "" },
		{ REDIS("redis+sentinel://a,/m"),
		    "t.yaml:7:15: redis.url: found \"redis+sentinel://a,/m\": the host "
		    "is missing",
		    "" },
		{ REDIS("redis+sentinel://a/m x"),
		    "t.yaml:7:15: redis.url: found \"redis+sentinel://a/m x\": the name",
		    "" },
		{ REDIS("redis+sentinel://a/m/x"),
		    "t.yaml:7:15: redis.url: found \"redis+sentinel://a/m/x\": the "
		    "database",
		    "" },
		{ REDIS("redis+cluster://a/1"),
		    "t.yaml:7:15: redis.url: found \"redis+cluster://a/1\": a cluster "
		    "has database 0 only",
		    "" },
		{ BASE "redis: { url: \"redis://a\", ca: ca.pem }\n",
		    "t.yaml:7:32: redis.ca: is for rediss:// alone", "no TLS" },
		{ BASE "redis: { url: \"redis://a\", ca: system, key: \"\" }\n", NULL,
		    "the defaults, written out" },
		{ BASE "redis: { url: \"rediss://a\", key: k.pem }\n",
		    "t.yaml:7:8: redis: key needs certificate beside it", "key" },
		{ BASE "redis: { url: \"redis://a\", sentinel_password_file: p }\n",
		    "t.yaml:7:52: redis.sentinel_password_file: is for redis+sentinel://",
		    "no sentinel" },
		{ BASE "redis: { url: \"redis://a\", deadline: 2s }\n",
		    "t.yaml:7:38: redis.deadline: found \"2s\"; allowed: a duration",
		    "deadline" },
		{ BASE "redis: { url: \"redis://a\", prefix: \"{x}\" }\n",
		    "t.yaml:7:36: redis.prefix: found \"{x}\"; allowed: up to 64 letters",
		    "hash tag" },
		{ BASE "redis: { url: \"redis://a\", username: \"a b\" }\n",
		    "t.yaml:7:38: redis.username: found \"a b\"", "name" },
		{ BASE "redis: { url: \"redis://a\", clock: mine }\n",
		    "t.yaml:7:35: redis.clock: found \"mine\"; allowed: redis, local",
		    "clock" },
		{ BASE "redis: { url: \"redis://a\", password: x }\n",
		    "t.yaml:7:28: redis.password: unknown field; allowed: ",
		    "not in this file" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_limit_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ BASE "limits: {}\n", NULL, "none" },
		{ LIMIT("key: client, rate: 1/s"), NULL, "least" },
		{ LIMIT("key: ['header:X-Key', 'cookie:sid', route], rate: 1/d"), NULL,
		    "keys" },
		{ LIMIT("rate: 1/s"), "t.yaml:7:14: limits.a.key: is missing", "key" },
		{ LIMIT("key: client"), "t.yaml:7:14: limits.a.rate: is missing",
		    "rate" },
		{ LIMIT("key: [], rate: 1/s"), "t.yaml:7:21: limits.a.key: is empty",
		    "no key" },
		{ LIMIT("key: ip, rate: 1/s"),
		    "t.yaml:7:21: limits.a.key: found \"ip\"; allowed: client, route, ",
		    "key" },
		{ LIMIT("key: ['header:'], rate: 1/s"),
		    "t.yaml:7:22: limits.a.key[0]: found \"header:\"", "no name" },
		{ LIMIT("key: [client, site, path, route, 'header:a', 'header:b', "
			"'header:c', 'header:d', 'header:e'], rate: 1/s"),
		    "t.yaml:7:21: limits.a.key: has 9 members; allowed: 8", "many" },
		{ LIMIT("key: client, rate: 5"),
		    "t.yaml:7:35: limits.a.rate: found \"5\"", "rate" },
		{ LIMIT("key: client, rate: 0/s"),
		    "t.yaml:7:35: limits.a.rate: found \"0/s\"", "rate" },
		{ LIMIT("key: client, rate: 1000001/s"),
		    "t.yaml:7:35: limits.a.rate: found \"1000001/s\"", "rate" },
		{ LIMIT("key: client, rate: 1/s, burst: 0"),
		    "t.yaml:7:47: limits.a.burst: found \"0\"", "burst" },
		{ LIMIT("key: client, rate: 1/s, burst: 4, cost: 5"),
		    "t.yaml:7:56: limits.a.cost: 5 tokens are never there: a full bucket "
		    "holds 4 (burst)",
		    "cost" },
		{ LIMIT("key: client, rate: 1/d, burst: 3654"),
		    "t.yaml:7:35: limits.a.rate: an empty bucket of 3654 (burst) would "
		    "need more than ten years to be full",
		    "ten years" },
		{ LIMIT("key: client, rate: 1/s, on_redis_failure: close"),
		    "t.yaml:7:58: limits.a.on_redis_failure: found \"close\"; allowed: "
		    "local, open, closed; did you mean \"closed\"?",
		    "failure" },
		{ LIMIT("key: country, rate: 1/s"),
		    "t.yaml:7:21: limits.a.key: needs geo.country, a database of "
		    "countries",
		    "geo" },
		{ LIMIT("key: [client, asn], rate: 1/s"),
		    "t.yaml:7:21: limits.a.key: needs geo.asn", "geo" },
		{ LIMIT("key: asn, rate: 1/s") "geo: { asn: a.mmdb }\n", NULL, "geo" },
		{ SITE("hosts: a, pool: p, limits: [logni]") "limits: { login: { key: "
							     "client, rate: 1/s } }\n",
		    "t.yaml:3:40: sites[0].limits[0]: no limit is called \"logni\"; did "
		    "you mean \"login\"?",
		    "name" },
		{ SITE("hosts: a, pool: p, routes: [ { path: /, limits: x } ]"),
		    "t.yaml:3:60: sites[0].routes[0].limits: no limit is called \"x\"; "
		    "there is no limit at all",
		    "name" },
		{ SITE("hosts: a, pool: p, limits: [a, a]") "limits: { a: { key: client, "
							    "rate: 1/s } }\n",
		    "t.yaml:3:39: sites[0].limits: names \"a\" twice", "twice" },
		{ SITE("hosts: a, pool: p, limits: [a, b, c, d, e, f, g, h, i]"),
		    "t.yaml:3:39: sites[0].limits: has 9 members; allowed: 8", "many" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_access_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ ACCESS(""), NULL, "none" },
		{ ACCESS("{ allow: any }"), NULL, "any" },
		{ ACCESS("{ deny: { address: [192.0.2.0/24, \"2001:db8::/32\"] } }, { "
			 "log: { method: [GET], path: [/a, =/b] } }"),
		    NULL, "lists" },
		{ ACCESS("{ deny: { country: [private], continent: private } }"), NULL,
		    "private addresses need no database" },
		{ ACCESS("{ deny: { country: [unknown] } }"),
		    "t.yaml:3:60: sites[0].access[0].deny.country: needs geo.country",
		    "database" },
		{ ACCESS("{ deny: { continent: EU } }"),
		    "t.yaml:3:62: sites[0].access[0].deny.continent: needs geo.country",
		    "database" },
		{ ACCESS("{ deny: { asn: 64500 } }"),
		    "t.yaml:3:56: sites[0].access[0].deny.asn: needs geo.asn",
		    "database" },
		{ ACCESS("{ deny: { asn: AS64500 } }") "geo: { asn: a.mmdb }\n",
		    "t.yaml:3:56: sites[0].access[0].deny.asn: found \"AS64500\"; "
		    "allowed: a whole number, 1 to 4294967295",
		    "number" },
		{ ACCESS("{ deny: { country: [de] } }") "geo: { country: a.mmdb }\n",
		    "t.yaml:3:61: sites[0].access[0].deny.country[0]: found \"de\"; "
		    "allowed: a code of two capitals such as DE, unknown or private",
		    "case" },
		{ ACCESS("{ deny: { continent: [XX] } }") "geo: { country: a.mmdb }\n",
		    "t.yaml:3:63: sites[0].access[0].deny.continent[0]: found \"XX\"",
		    "continent" },
		{ ACCESS("{ deny: { path: [a] } }"),
		    "t.yaml:3:58: sites[0].access[0].deny.path[0]: found \"a\"", "path" },
		{ ACCESS("{ deny: { method: [get] } }"),
		    "t.yaml:3:60: sites[0].access[0].deny.method[0]: found \"get\"",
		    "method" },
		{ ACCESS("{}"),
		    "t.yaml:3:41: sites[0].access[0]: found none of allow, deny and log",
		    "none" },
		{ ACCESS("{ allow: any, deny: any }"),
		    "t.yaml:3:41: sites[0].access[0]: found more than one of allow, deny",
		    "two" },
		{ ACCESS("{ allow: {} }"),
		    "t.yaml:3:50: sites[0].access[0].allow: is empty; allowed: any, or",
		    "nobody" },
		{ ACCESS("{ allow: all }"),
		    "t.yaml:3:50: sites[0].access[0].allow: found \"all\"; allowed: a "
		    "mapping, or any",
		    "word" },
		{ ACCESS("{ allow: [any] }"),
		    "t.yaml:3:50: sites[0].access[0].allow: found a list; allowed: a "
		    "mapping, or any",
		    "list" },
		{ ACCESS("{ permit: any, allow: any }"),
		    "t.yaml:3:43: sites[0].access[0].permit: unknown field; allowed: "
		    "allow, deny, log",
		    "action" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_further_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ SITE("hosts: a, pool: p, auth: { htpasswd: u }, routes: [ { path: /, "
		       "auth: off } ]"),
		    NULL, "passwords" },
		{ SITE("hosts: a, pool: p, auth: { realm: x }"),
		    "t.yaml:3:37: sites[0].auth.htpasswd: is missing", "file" },
		{ SITE("hosts: a, pool: p, auth: { htpasswd: u, realm: 'a\"b' }"),
		    "t.yaml:3:59: sites[0].auth.realm: found \"a\"b\"", "quote" },
		{ SITE("hosts: a, pool: p, routes: [ { path: /, auth: on } ]"),
		    "t.yaml:3:58: sites[0].routes[0].auth: found \"on\"; allowed: a "
		    "mapping, or off",
		    "word" },
		{ SITE("hosts: a, pool: p, client_certificate: required"),
		    "t.yaml:3:51: sites[0].client_certificate: needs tls.client_ca of a "
		    "listener",
		    "nobody asks" },
		{ POOL "listeners: [ { address: \"127.0.0.1:1\", tls: { client_ca: c, "
		       "certificates: [ { certificate: a, key: b } ] } } ]\n"
		       "sites: [ { hosts: a, pool: p, client_certificate: required } ]\n",
		    NULL, "asked" },
		{ BASE "bans: {}\n", NULL, "with its defaults" },
		{ BASE "resolver: { servers: [10.0.0.53, \"10.0.0.53:5353\", "
		       "\"[::1]:53\", \"::1\"], timeout: 2s }\n",
		    NULL, "with a port and without" },
		{ BASE "resolver: { servers: [ns.example] }\n",
		    "t.yaml:7:23: resolver.servers[0]: found \"ns.example\"; allowed: an "
		    "IPv4 or IPv6 address",
		    "who would look it up?" },
		{ BASE "resolver: { servers: [\"10.0.0.53:0\"] }\n",
		    "t.yaml:7:23: resolver.servers[0]: found", "no port" },
		{ BASE "resolver: { servers: [\"unix:/dns\"] }\n",
		    "t.yaml:7:23: resolver.servers[0]: found", "no socket" },
		{ BASE "bans: { for: 2h, max: 1h }\n",
		    "t.yaml:7:14: bans.for: is longer than max", "" },
		{ BASE "bans: { max: 1m }\n",
		    "t.yaml:7:14: bans.max: is shorter than for, 10m", "" },
		{ BASE "bans: { count: [waf, geo, protocol, auth, acl, limit] }\n", NULL,
		    "" },
		{ BASE "bans: { count: [wafs] }\n",
		    "t.yaml:7:17: bans.count[0]: found \"wafs\"; allowed: waf, limit, "
		    "acl, geo, protocol, auth; did you mean \"waf\"?",
		    "" },
		{ BASE "admin: { socket: off, metrics: \"[::1]:9180\" }\n", NULL, "" },
		{ BASE "admin: { metrics: 9180 }\n",
		    "t.yaml:7:19: admin.metrics: found \"9180\"; allowed: \"IPV4:PORT\"",
		    "" },
		{ BASE
		    "admin: { socket: "
		    "/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/"
		    "0123456789/0123456789/0123456789/0123456789 }\n",
		    "t.yaml:7:18: admin.socket: the path is too long for a socket", "" },
		{ BASE "geo: { country: \"\", asn: \"\", headers: on }\n", NULL, "" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_defaults(void **state)
{
	struct conf_problems problems;
	struct conf *cf =
	    conf_rig_load(SPAN(BASE "bans: {}\nredis: { url: \"redis://h\" }\n"
				    "limits: { a: { key: client, rate: 1/s } }\n"),
		&problems);

	(void)state;
	assert_non_null(cf);
	assert_true(cf->identity.trusted_proxies.n == 0 &&
		    cf->identity.ipv6_prefix == 64 && cf->max.limit_keys == 131072);
	assert_string_equal(cf->identity.header, "X-Forwarded-For");
	assert_true(cf->listeners[0].proxy_protocol == CONF_PROXY_OFF &&
		    cf->listeners[0].client_ca[0] == '\0');
	assert_true(cf->redis.present && cf->redis.kind == CONF_REDIS_SINGLE &&
		    !cf->redis.tls && cf->redis.database == 0 && cf->redis.verify &&
		    cf->redis.deadline == 10000 && cf->redis.clock == CONF_CLOCK_REDIS);
	assert_true(cf->redis.n_hosts == 1 && cf->redis.hosts[0].port == 6379 &&
		    strcmp(cf->redis.hosts[0].host, "h") == 0 &&
		    cf->redis.unix_path[0] == '\0' && cf->redis.master[0] == '\0');
	assert_string_equal(cf->redis.ca, "system");
	assert_string_equal(cf->redis.prefix, "yett:");
	assert_true(cf->resolver.servers.n == 0 && cf->resolver.timeout == 1500000);
	assert_int_equal(cf->redis.place.line, 8);
	assert_true(
	    cf->geo.country[0] == '\0' && cf->geo.asn[0] == '\0' && !cf->geo.headers);
	assert_true(cf->limits[0].burst == 1 && cf->limits[0].cost == 1 &&
		    cf->limits[0].mode == CONF_ENFORCE &&
		    cf->limits[0].on_failure == CONF_FAIL_LOCAL &&
		    !cf->limits[0].headers);
	assert_true(cf->bans.present && cf->bans.after == 10 &&
		    cf->bans.within == 60000000 && cf->bans.lasts == 600000000 &&
		    cf->bans.max == INT64_C(86400000000) &&
		    cf->bans.count == (CONF_BAN_WAF | CONF_BAN_LIMIT) &&
		    cf->bans.mode == CONF_ENFORCE);
	assert_string_equal(cf->admin.socket, "/run/yett/control.sock");
	assert_true(!cf->admin.socket_given && cf->admin.metrics[0] == '\0');
	assert_true(cf->sites[0].limits.n == 0 && cf->sites[0].n_access == 0 &&
		    cf->sites[0].auth.htpasswd[0] == '\0' &&
		    cf->sites[0].client_certificate == CONF_CERTIFICATE_OPTIONAL);
	conf_free(&cf);
	cf = conf_rig_load(SPAN(BASE), &problems);
	assert_non_null(cf);
	assert_true(!cf->redis.present && !cf->bans.present && cf->n_limits == 0);
	assert_true(cf->redis.url[0] == '\0' && cf->redis.master[0] == '\0');
	conf_free(&cf);
}

static void
check_limits(const struct conf *cf)
{
	const struct conf_limit *login = conf_find_limit(cf, "login");
	const struct conf_limit *key = conf_find_limit(cf, "api-key");

	assert_null(conf_find_limit(cf, "other"));
	assert_non_null(login);
	assert_non_null(key);
	assert_true(login->tokens == 5 && login->per_us == 60000000 &&
		    login->burst == 5 && login->on_failure == CONF_FAIL_CLOSED);
	assert_true(login->n_keys == 2 && login->keys[0].kind == CONF_KEY_CLIENT &&
		    login->keys[1].kind == CONF_KEY_PATH);
	assert_string_equal(login->key.v[1], "path");
	assert_true(key->tokens == 1000 && key->per_us == INT64_C(3600000000) &&
		    key->cost == 2 && key->mode == CONF_SHADOW && key->headers);
	assert_true(key->n_keys == 2 && key->keys[0].kind == CONF_KEY_HEADER &&
		    key->keys[1].kind == CONF_KEY_COOKIE);
	assert_string_equal(key->keys[0].name, "X-Api-Key");
	assert_string_equal(key->keys[1].name, "sid");
}

static void
check_access(const struct conf *cf)
{
	const struct conf_site *site = &cf->sites[0];
	const struct conf_access_rule *rule = site->access;

	assert_int_equal(site->n_access, 3);
	assert_true(rule[0].action == CONF_ALLOW && !rule[0].match.any &&
		    rule[0].match.address.n == 2 && rule[0].place.line == 13);
	assert_true(rule[0].match.address.v[0].bits == 24 &&
		    rule[0].match.address.v[1].base.family == NETADDR_IP6);
	assert_true(rule[1].action == CONF_LOG && rule[1].match.asn.n == 2 &&
		    rule[1].match.asn.v[1] == UINT32_MAX);
	assert_string_equal(rule[1].match.country.v[0], "KP");
	assert_string_equal(rule[1].match.path.v[0], "=/x");
	assert_true(rule[1].match.address_file[0] == '/' &&
		    rule[1].match.continent.n == 1 && rule[1].match.method.n == 1);
	assert_true(rule[2].action == CONF_DENY && rule[2].match.any &&
		    rule[2].match.address.n == 0);
	assert_true(site->auth.htpasswd[0] == '/');
	assert_string_equal(site->auth.realm, "shop");
	assert_true(!site->routes[0].has_limits && !site->routes[0].has_access &&
		    !site->routes[0].has_auth);
	assert_true(site->routes[1].has_limits && site->routes[1].limits.n == 0 &&
		    site->routes[1].has_access && site->routes[1].n_access == 0 &&
		    site->routes[1].has_auth && site->routes[1].auth.htpasswd[0] == '\0');
	assert_true(site->routes[2].limits.n == 2 && site->routes[2].n_access == 1 &&
		    site->routes[2].access[0].match.any);
	assert_string_equal(site->routes[2].auth.realm, "restricted");
}

static void
test_values(void **state)
{
	static const char yaml[] = POOL
	    "listeners: [ { address: \"127.0.0.1:1\", proxy_protocol: require } ]\n"
	    "identity: { trusted_proxies: [10.0.0.0/8], header: Forwarded }\n"
	    "redis: { url: \"rediss+sentinel://a,[::1]:5/main/3\", clock: local,\n"
	    "         username: u, password_file: pw, key_file: /k, verify: off }\n"
	    "geo: { country: c.mmdb, asn: /a.mmdb, headers: on }\n"
	    "limits:\n"
	    "  login: { key: [client, path], rate: 5/m, burst: 5,\n"
	    "    on_redis_failure: closed }\n"
	    "  api-key: { key: ['header:X-Api-Key', 'cookie:sid'], rate: 1000/h,\n"
	    "    burst: 9, cost: 2, mode: shadow, headers: on }\n"
	    "sites: [ { hosts: a, pool: p, access: [\n"
	    "  { allow: { address: [192.0.2.0/24, \"2001:db8::/32\"] } },\n"
	    "  { log: { country: KP, asn: [1, 4294967295], path: =/x,\n"
	    "    address_file: f, continent: EU, method: POST } }, { deny: any } ],\n"
	    "  auth: { htpasswd: users, realm: shop }, routes: [\n"
	    "    { path: / }, { path: /b, limits: [], access: [], auth: off },\n"
	    "    { path: /c, limits: [login, api-key], access: [ { allow: any } ],\n"
	    "      auth: { htpasswd: users } } ] } ]\n"
	    "bans: { count: [geo, auth], mode: shadow, for: 1h }\n"
	    "admin: { socket: off, metrics: \"127.0.0.1:9180\" }\n"
	    "max: { limit_keys: 4096 }\n";
	struct conf_problems problems;
	struct conf *cf = conf_rig_load(span_of(yaml), &problems);
	const struct conf_path *path;

	(void)state;
	if (cf == NULL)
		fail_msg("%s", conf_problems_text(&problems));
	assert_int_equal(cf->listeners[0].proxy_protocol, CONF_PROXY_REQUIRE);
	assert_true(cf->identity.trusted_proxies.n == 1 &&
		    cf->identity.trusted_proxies.v[0].bits == 8);
	assert_string_equal(cf->identity.header, "Forwarded");
	assert_true(cf->redis.kind == CONF_REDIS_SENTINEL && cf->redis.tls &&
		    cf->redis.n_hosts == 2 && cf->redis.hosts[0].port == 26379 &&
		    cf->redis.hosts[1].port == 5 && cf->redis.database == 3 &&
		    !cf->redis.verify && cf->redis.clock == CONF_CLOCK_LOCAL);
	assert_string_equal(cf->redis.hosts[1].host, "::1");
	assert_string_equal(cf->redis.master, "main");
	assert_string_equal(cf->redis.key_file, "/k");
	assert_true(cf->redis.password_file[0] == '/');
	assert_true(cf->geo.country[0] == '/' && cf->geo.headers);
	check_limits(cf);
	check_access(cf);
	assert_null(conf_find_path(cf, cf->redis.ca));
	path = conf_find_path(cf, cf->sites[0].access[1].match.address_file);
	assert_non_null(path);
	assert_string_equal(path->field, "sites[0].access[1].log.address_file");
	assert_true(path->place.line == 15 && path->place.column == 19);
	assert_true(cf->bans.count == (CONF_BAN_GEO | CONF_BAN_AUTH) &&
		    cf->bans.mode == CONF_SHADOW &&
		    cf->bans.lasts == INT64_C(3600000000));
	assert_string_equal(cf->admin.socket, "off");
	assert_string_equal(cf->admin.metrics, "127.0.0.1:9180");
	assert_true(cf->admin.socket_given && cf->max.limit_keys == 4096);
	conf_free(&cf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity_faults),
		cmocka_unit_test(test_redis_faults),
		cmocka_unit_test(test_limit_faults),
		cmocka_unit_test(test_access_faults),
		cmocka_unit_test(test_further_faults),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
