/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration: what a sound one becomes, and what each kind of fault is
 * told as. */
#include "config.h"

#include "gateway/conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/check.h"
#include "gateway/conf/document.h"
#include "tests/unit/conf_rig.h"

static void
test_yaml_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ BASE, NULL, "sound" },
		{ "---\n" BASE "...\n", NULL, "document marks" },
		{ "\xef\xbb\xbf" BASE, NULL, "byte order mark" },
		{ BASE "\xff", "t.yaml:7:1: not valid UTF-8", "bytes" },
		{ BASE "# \xc3\x28", "t.yaml:7:3: not valid UTF-8", "in a comment" },
		{ BASE "# \x01", "t.yaml:7:3: a control byte", "control" },
		{ BASE "a: [", "t.yaml:8:1: not YAML: ", "open bracket" },
		{ BASE "a: \"x", "t.yaml:7:6: not YAML: ", "open quote" },
		{ BASE "\tnode: x\n", "t.yaml:7:1: not YAML: ", "tab" },
		{ BASE "---\n" BASE, "t.yaml:7:1: a second document", "two documents" },
		{ BASE "node: &a x\n", "t.yaml:7:7: node: anchors", "anchor" },
		{ BASE "node: *a\n", "t.yaml:7:7: node: aliases", "alias" },
		{ BASE "node: !!str x\n", "t.yaml:7:7: node: tags", "tag" },
		{ BASE "node: ! x\n", "t.yaml:7:7: node: tags", "tag" },
		{ BASE "max: &a {}\n", "t.yaml:7:6: max: anchors", "anchored mapping" },
		{ BASE "node: a\nnode: b\n",
		    "t.yaml:8:1: node: is given twice in one mapping, first in line 7",
		    "key" },
		{ BASE "max: {fields: 9, fields: 9}\n",
		    "t.yaml:7:18: max.fields: is given twice", "deeper" },
		{ START "pools:\n  p: { servers: [ { url: \"http://a\" } ] }\n  p: {}\n",
		    "t.yaml:8:3: pools.p: is given twice in one mapping, first in line 7",
		    "name" },
		{ BASE "[a, b]: c\n", "t.yaml:7:1: a key must be a word",
		    "list as a key" },
		{ BASE "node: \"a\\nb\"\n", "t.yaml:7:7: node: holds a line break",
		    "newline" },
		{ BASE "node: \"a\\0\"\n", "t.yaml:7:7: node: holds a line break",
		    "NUL" },
		{ BASE
		    "x: "
		    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
		    "t.yaml:7:35: lists and mappings are nested too deeply", "depth" },
		{ "[]", "t.yaml:1:1: found a list; allowed: a mapping", "root" },
		{ "x", "t.yaml:1:1: found \"x\"; allowed: a mapping", "root" },
		{ "&a {}", "t.yaml:1:1: anchors", "root" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_field_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ BASE "nod: x\n",
		    "t.yaml:7:1: nod: unknown field; did you mean \"node\"?",
		    "misspelt" },
		{ BASE "quux: x\n",
		    "t.yaml:7:1: quux: unknown field; allowed: node, threads, ",
		    "unknown" },
		{ POLICY("paranoia: 2"),
		    "t.yaml:7:18: policies.x.paranoia: unknown field; did you mean "
		    "\"crs.paranoia\"?",
		    "in the wrong mapping" },
		{ BASE "max:\n", "t.yaml:7:5: max: found nothing; allowed: a mapping",
		    "empty" },
		{ BASE "node:\n", "t.yaml:7:6: node: found nothing; allowed: ", "empty" },
		{ BASE "node: ~\n", "t.yaml:7:7: node: found nothing", "null" },
		{ BASE "node: [x]\n",
		    "t.yaml:7:7: node: found a list; allowed: ", "list" },
		{ BASE "node: \"\"\n", NULL, "empty is the default" },
		{ BASE "node: \"a b\"\n",
		    "t.yaml:7:7: node: found \"a b\"; allowed: up to 64", "check" },
		{ BASE "max: 5\n", "t.yaml:7:6: max: found \"5\"; allowed: a mapping",
		    "scalar" },
		{ BASE "threads: auto\n", NULL, "word" },
		{ BASE "threads: 256\n", NULL, "upper bound" },
		{ BASE "threads: 257\n",
		    "t.yaml:7:10: threads: found \"257\"; allowed: a whole number, 1 to "
		    "256, or "
		    "auto",
		    "above" },
		{ BASE "threads: 0\n", "t.yaml:7:10: threads: found \"0\"", "below" },
		{ BASE "threads: atuo\n",
		    "t.yaml:7:10: threads: found \"atuo\"; allowed: a whole number, 1 to "
		    "256, or "
		    "auto; did you mean \"auto\"?",
		    "near" },
		{ BASE "timeouts: { header: 99ms }\n",
		    "t.yaml:7:21: timeouts.header: found \"99ms\"; allowed: a duration "
		    "such as "
		    "10s (us, ms, s, m, h, d), 100ms to 10m",
		    "duration" },
		{ BASE "timeouts: { header: 10 }\n",
		    "t.yaml:7:21: timeouts.header: found \"10\"", "no unit" },
		{ BASE "max: { header_bytes: 2MiB }\n",
		    "t.yaml:7:22: max.header_bytes: found \"2MiB\"; allowed: a size such "
		    "as 64KiB "
		    "(B, kB, KiB, MB, MiB, GB, GiB), 1KiB to 1MiB",
		    "size" },
		{ POLICY("mode: blok"),
		    "t.yaml:7:24: policies.x.mode: found \"blok\"; allowed: block, "
		    "detect, off; "
		    "did you mean \"block\"?",
		    "word" },
		{ POLICY("crs: { apps: [wordpress, joomla] }"),
		    "t.yaml:7:43: policies.x.crs.apps[1]: found \"joomla\"; allowed: "
		    "cpanel, ",
		    "word of a list" },
		{ BASE "logs: { audit: { mask: [[x]] } }\n",
		    "t.yaml:7:25: logs.audit.mask[0]: found a list; allowed: a text",
		    "nested" },
		{ BASE "logs: { access: { path: off } }\n", NULL,
		    "word instead of a path" },
		{ SITE("hosts: []\n    , pool: p"),
		    "t.yaml:3:19: sites[0].hosts: is empty, and at least one is needed",
		    "none" },
		{ SITE("hosts: a.example"), "t.yaml:3:10: sites[0].pool: is missing",
		    "missing" },
		{ SITE("host: a.example, pool: p"),
		    "t.yaml:3:12: sites[0].host: unknown field; did you mean \"hosts\"?",
		    "misspelt is not missing too" },
		{ POOL "sites: [ { hosts: a, pool: p } ]\n",
		    "t.yaml:1:1: listeners: is missing, and has no default",
		    "listeners" },
		{ START
		    "pools: { \"a b\": { servers: [ { url: \"http://a\" } ] },\n p: { "
		    "servers: [ { url: \"http://a\" } ] } }\n",
		    "t.yaml:6:10: pools.a b: allowed as a name: ", "name of a pool" },
		{ BASE "include: x.yaml\n", "t.yaml:7:10: include: only in a file",
		    "in memory" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_listener_and_pool_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ BASE "admin: {}\n", NULL, "an empty mapping asks for nothing" },
		{ POOL "sites: [ { hosts: a, pool: p } ]\nlisteners: [ { address: "
		       "nowhere } ]\n",
		    "t.yaml:3:25: listeners[0].address: found \"nowhere\"; allowed: "
		    "\"IPV4:PORT\"",
		    "address" },
		{ POOL "sites: [ { hosts: a, pool: p } ]\nlisteners: [ { address: "
		       "\"127.0.0.1:1\" },\n  { address: \"127.0.0.1:1\" } ]\n",
		    "t.yaml:4:3: listeners[1].address: 127.0.0.1:1 is the address of the "
		    "listener in line 3 already",
		    "twice" },
		{ POOL "sites: [ { hosts: a, pool: p } ]\nlisteners: [ { address: "
		       "\"0.0.0.0:1\", "
		       "tls: { certificates: [ { certificate: a.pem } ] } } ]\n",
		    "t.yaml:3:61: listeners[0].tls.certificates[0].key: is missing",
		    "certificate without key" },
		{ POOL "sites: [ { hosts: a, pool: p } ]\nlisteners: [ { address: "
		       "\"0.0.0.0:1\", "
		       "tls: { certificates: [ { certificate: a, key: b } ] }, "
		       "redirect_to: https } "
		       "]\n",
		    "t.yaml:3:106: listeners[0].redirect_to: a listener with tls would "
		    "redirect "
		    "to itself",
		    "both" },
		{ SERVER("http://a"), NULL, "" },
		{ SERVER("https://a.example:8443"), NULL, "" },
		{ SERVER("http://[2001:db8::1]:80"), NULL, "" },
		{ SERVER("http://unix:/run/app.sock"), NULL, "" },
		{ SERVER("ftp://a"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"ftp://a\": it begins "
		    "with "
		    "neither",
		    "" },
		{ SERVER("http://a/"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://a/\": it may "
		    "have no "
		    "path",
		    "" },
		{ SERVER("http://a?q"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://a?q\": it may "
		    "have no path",
		    "" },
		{ SERVER("http://u@a"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://u@a\": a user",
		    "" },
		{ SERVER("http://:80"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://:80\": the host "
		    "is "
		    "missing",
		    "" },
		{ SERVER("http://a:0"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://a:0\": the port",
		    "" },
		{ SERVER("http://a:65536"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://a:65536\": the "
		    "port",
		    "" },
		{ SERVER("http://a:"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://a:\": the port",
		    "" },
		{ SERVER("http://[::1"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://[::1\": the "
		    "bracket",
		    "" },
		{ SERVER("http://[x]"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://[x]\": no IPv6",
		    "" },
		{ SERVER("http://[::1]x"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://[::1]x\": "
		    "something",
		    "" },
		{ SERVER("http://a b"),
		    "t.yaml:6:33: pools.p.servers[0].url: found \"http://a b\": the host "
		    "is "
		    "neither",
		    "" },
		{ START "pools: { p: { servers: [ { url: \"http://a\" } ], tls: { key: k "
			"} } }\n",
		    "t.yaml:6:54: pools.p.tls: key needs certificate beside it",
		    "client key" },
		{ START "pools: { p: { servers: [] } }\n",
		    "t.yaml:6:24: pools.p.servers: is empty", "no server" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_policy_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ POLICY("crs: { paranoia: 5 }"),
		    "t.yaml:7:35: policies.x.crs.paranoia: found \"5\"; allowed: a whole "
		    "number, "
		    "1 to 4",
		    "bounds" },
		{ BASE "policies: { off: {} }\n",
		    "t.yaml:7:13: policies.off: the name off", "reserved" },
		{ POLICY("rules: [/nowhere/at/all/*.conf]"),
		    "t.yaml:7:26: policies.x.rules[0]: /nowhere/at/all: cannot open the "
		    "folder",
		    "folder" },
		{ POLICY("rules: [/nowhere.conf]"),
		    "t.yaml:7:26: policies.x.rules[0]: /nowhere.conf: No such file",
		    "file" },
		{ POLICY("rules: [/etc]"),
		    "t.yaml:7:26: policies.x.rules[0]: /etc: not a file",
		    "folder as a file" },
		{ POLICY("rules: [/*/x.conf]"),
		    "t.yaml:7:26: policies.x.rules[0]: * and ? are for the last part",
		    "wild" },
		{ EXCLUDE("rule: 942100"), NULL, "whole rule" },
		{ EXCLUDE("tag: attack-sqli, path: =/x, method: [GET], target: ARGS"),
		    NULL, "all of it" },
		{ EXCLUDE("rule: 942100, target: 'ARGS:/^json\\.a\"/'"),
		    "t.yaml:7:53: policies.x.exclude[0].target: the expression may hold "
		    "no quote",
		    "quote" },
		{ EXCLUDE("rule: 942100, target: 'ARGS:/^json\\.items\\..*\\.note$/'"),
		    NULL, "expression" },
		{ EXCLUDE("rule: 942100, target: 'XML:/*'"), NULL, "XPath" },
		{ EXCLUDE("rule: 942100, target: ARG:q"),
		    "t.yaml:7:53: policies.x.exclude[0].target: \"ARG\" is not a "
		    "collection that "
		    "rules look at; did you mean \"ARGS\"?",
		    "collection" },
		{ EXCLUDE("rule: 942100, target: 'TX:score'"),
		    "t.yaml:7:53: policies.x.exclude[0].target: \"TX\" is not a "
		    "collection",
		    "what rules count with" },
		{ EXCLUDE("rule: 942100, target: 'ARGS:'"),
		    "t.yaml:7:53: policies.x.exclude[0].target: nothing follows the "
		    "colon",
		    "" },
		{ EXCLUDE("rule: 942100, target: 'ARGS:a|REQUEST_URI'"),
		    "t.yaml:7:53: policies.x.exclude[0].target: the name holds a byte",
		    "bar" },
		{ EXCLUDE("rule: 942100, target: 'ARGS:/x'"),
		    "t.yaml:7:53: policies.x.exclude[0].target: the expression needs a /",
		    "" },
		{ EXCLUDE("rule: 942100, path: x"),
		    "t.yaml:7:51: policies.x.exclude[0].path: found \"x\"; allowed: "
		    "/PREFIX",
		    "" },
		{ EXCLUDE("path: /x"),
		    "t.yaml:7:29: policies.x.exclude[0]: found none of rule and tag",
		    "" },
		{ EXCLUDE("rule: 942100, tag: x"),
		    "t.yaml:7:29: policies.x.exclude[0]: found both of rule and tag",
		    "" },
		{ EXCLUDE("rule: 949110"),
		    "t.yaml:7:37: policies.x.exclude[0].rule: 949110 is one of the rules "
		    "that "
		    "compare the score with the threshold: that would switch the WAF off",
		    "evaluation" },
		{ EXCLUDE("rule: 959100, path: /x"),
		    "t.yaml:7:37: policies.x.exclude[0].rule: 959100 is one",
		    "evaluation" },
		{ EXCLUDE("rule: 980130"),
		    "t.yaml:7:37: policies.x.exclude[0].rule: 980130 is one",
		    "evaluation" },
		{ EXCLUDE("tag: OWASP_CRS"),
		    "t.yaml:7:36: policies.x.exclude[0].tag: \"OWASP_CRS\" is also a tag",
		    "tag" },
		{ EXCLUDE("tag: paranoia-level/1"),
		    "t.yaml:7:36: policies.x.exclude[0].tag: \"paranoia-level/1\" is "
		    "also",
		    "" },
		{ EXCLUDE("tag: OWASP_CRS, target: 'ARGS:password'"), NULL,
		    "one argument" },
		{ EXCLUDE("tag: 'a\" b'"),
		    "t.yaml:7:36: policies.x.exclude[0].tag: found", "" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_site_faults(void **state)
{
	static const struct conf_fault rows[] = {
		{ SITE("hosts: ['*', '*.a.example', A.example., '[::1]', 192.0.2.1], "
		       "pool: p"),
		    NULL, "all forms" },
		{ SITE("hosts: 'http://a', pool: p"),
		    "t.yaml:3:19: sites[0].hosts: found \"http://a\"; allowed: a host "
		    "name",
		    "scheme" },
		{ SITE("hosts: 'a:80', pool: p"), "t.yaml:3:19: sites[0].hosts: found",
		    "port" },
		{ SITE("hosts: 'a..b', pool: p"), "t.yaml:3:19: sites[0].hosts: found",
		    "dots" },
		{ SITE("hosts: '-a', pool: p"), "t.yaml:3:19: sites[0].hosts: found",
		    "dash" },
		{ SITE("hosts: 'a.*', pool: p"), "t.yaml:3:19: sites[0].hosts: found",
		    "star" },
		{ SITE("hosts: '[::1', pool: p"), "t.yaml:3:19: sites[0].hosts: found",
		    "IPv6" },
		{ SITE("hosts: [a, A], pool: p"),
		    "t.yaml:3:23: sites[0].hosts[1]: host \"a\" is there already, at "
		    "t.yaml:3:20",
		    "twice" },
		{ SITE("hosts: a, pool: p }, { hosts: [b, a], pool: p"),
		    "t.yaml:3:46: sites[1].hosts[1]: host \"a\" is there already, at "
		    "t.yaml:3:19",
		    "in two sites" },
		{ SITE("hosts: a, pool: pp"),
		    "t.yaml:3:28: sites[0].pool: no pool is called \"pp\"; allowed: p",
		    "pool" },
		{ SITE("hosts: a, pool: quux"),
		    "t.yaml:3:28: sites[0].pool: no pool is called \"quux\"; allowed: p",
		    "pool" },
		{ SITE("hosts: a, pool: p, policy: off"), NULL, "off is built in" },
		{ SITE("hosts: a, pool: p, policy: default"), NULL, "so is default" },
		{ SITE("hosts: a, pool: p, policy: defautl"),
		    "t.yaml:3:39: sites[0].policy: no policy is called \"defautl\"; did "
		    "you mean "
		    "\"default\"?",
		    "policy" },
		{ SITE("hosts: a, pool: p, methods: [get]"),
		    "t.yaml:3:41: sites[0].methods[0]: found \"get\"; allowed: a method "
		    "in "
		    "capitals",
		    "case" },
		{ SITE("hosts: a, pool: p, methods: ['G T']"),
		    "t.yaml:3:41: sites[0].methods[0]: found \"G T\"; allowed: a method",
		    "" },
		{ SITE("hosts: a, pool: p, routes: [ { path: '=/x' }, { path: /y }, { "
		       "path: "
		       "'~ ^/z' } ]"),
		    NULL, "paths" },
		{ SITE("hosts: a, pool: p, routes: [ { path: x } ]"),
		    "t.yaml:3:49: sites[0].routes[0].path: found \"x\"; allowed: "
		    "/PREFIX, =/EXACT "
		    "or \"~ REGEX\"",
		    "path" },
		{ SITE("hosts: a, pool: p, routes: [ { path: '~' } ]"),
		    "t.yaml:3:49: sites[0].routes[0].path: found \"~\"",
		    "no expression" },
		{ SITE("hosts: a, pool: p, routes: [ { path: '/a?b' } ]"),
		    "t.yaml:3:49: sites[0].routes[0].path: found \"/a?b\"; allowed: a "
		    "path "
		    "without its query",
		    "query" },
		{ SITE("hosts: a, pool: p, routes: [ { path: /a%20b } ]"),
		    "t.yaml:3:49: sites[0].routes[0].path: found \"/a%20b\"; allowed: "
		    "the path "
		    "decoded",
		    "encoded" },
		{ SITE("hosts: a, pool: p, routes: [ { path: /, pool: q } ]"),
		    "t.yaml:3:58: sites[0].routes[0].pool: no pool is called \"q\"",
		    "pool" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_not_built(void **state)
{
	static const struct conf_fault rows[] = {
		{ POOL
		    "listeners: [ { address: \"127.0.0.1:1\", protocols: [http/1.1, h2] "
		    "} ]\nsites: [ { hosts: a, pool: p } ]\n",
		    "t.yaml:2:62: listeners[0].protocols[1]: not built yet; found "
		    "\"h2\"; "
		    "allowed: http/1.1",
		    "a word" },
	};

	(void)state;
	conf_check_faults(rows, COUNT(rows));
}

static void
test_all_at_once(void **state)
{
	static const char yaml[] = "threads: 0\n"
				   "listeners: [ { adress: \"127.0.0.1:1\" } ]\n"
				   "max: { fields: x }\n"
				   "timeouts: { header: 1y, keepalive: 2h }\n"
				   "sites: [ { hosts: a b, pool: p, policy: q } ]\n"
				   "cache: { memory: 1KiB }\n";
	static const char *const told[] = { "t.yaml:1:10: threads: found \"0\"",
		"t.yaml:2:16: listeners[0].adress: unknown field",
		"t.yaml:3:16: max.fields: found \"x\"",
		"t.yaml:4:21: timeouts.header: found",
		"t.yaml:4:36: timeouts.keepalive: found",
		"t.yaml:5:19: sites[0].hosts: found",
		"t.yaml:5:30: sites[0].pool: no pool is called \"p\"; there is no pool "
		"at all",
		"t.yaml:5:41: sites[0].policy: no policy is called \"q\"",
		"t.yaml:6:18: cache.memory: found \"1KiB\"" };
	struct conf_problems problems;
	char *text, *line;
	size_t i;

	(void)state;
	assert_null(conf_rig_load(SPAN("") /* everything is missing */, &problems));
	assert_int_equal(problems.n, 2);
	conf_problems_free(&problems);
	assert_null(conf_rig_load(span_of(yaml), &problems));
	assert_int_equal(problems.n, COUNT(told));
	line = text = conf_problems_text(&problems);
	for (i = 0; i < COUNT(told); i++) {
		if (strncmp(line, told[i], strlen(told[i])) != 0)
			fail_msg("problem %zu is %s", i, line);
		line = strchr(line, '\n') + 1;
	}
	free(text);
}

static void
test_defaults(void **state)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH",
		"DELETE", "OPTIONS" };
	struct conf_problems problems;
	struct conf *cf = conf_rig_load(span_of(BASE), &problems);
	const struct conf_policy *policy;
	const struct conf_pool *pool;
	size_t i;

	(void)state;
	assert_non_null(cf);
	assert_int_equal(problems.n, 0);
	assert_true(cf->node[0] != '\0' && cf->threads >= 1);
	assert_true(
	    cf->timeouts.handshake == 10000000 && cf->timeouts.header == 10000000 &&
	    cf->timeouts.body_idle == 30000000 && cf->timeouts.keepalive == 60000000 &&
	    cf->timeouts.send_idle == 30000000);
	assert_true(cf->max.header_bytes == 32768 && cf->max.fields == 100 &&
		    cf->max.connections == 20000 &&
		    cf->max.connections_per_client == 200);
	assert_true(!cf->listeners[0].tls && !cf->listeners[0].redirect_to_https);
	assert_int_equal(cf->listeners[0].place.line, 2);
	assert_string_equal(cf->listeners[0].protocols.v[0], "http/1.1");
	pool = conf_find_pool(cf, "p");
	assert_non_null(pool);
	assert_true(
	    pool->retries == 1 && pool->timeouts.connect == 2000000 &&
	    pool->timeouts.first_byte == 30000000 && pool->timeouts.idle == 30000000 &&
	    pool->keepalive.connections == 64 && pool->keepalive.idle == 60000000);
	assert_true(pool->tls.verify && strcmp(pool->tls.ca, "system") == 0 &&
		    pool->tls.server_name[0] == '\0' && pool->tls.key[0] == '\0');
	assert_true(pool->servers[0].weight == 1 && pool->servers[0].port == 3000);
	assert_null(conf_find_pool(cf, "q"));
	policy = conf_find_policy(cf, "default");
	assert_non_null(policy);
	assert_true(policy->mode == CONF_WAF_BLOCK && policy->crs.paranoia == 1 &&
		    policy->crs.inbound_threshold == 5 &&
		    policy->crs.outbound_threshold == 4 && policy->crs.apps.n == 0 &&
		    policy->crs.path[0] == '\0');
	assert_true(
	    policy->rules.n == 0 && policy->allow.n == 0 && policy->n_exclude == 0);
	assert_true(policy->request_body.inspect == 131072 &&
		    policy->request_body.limit == 10485760 &&
		    policy->request_body.over_inspect == CONF_OVER_REJECT &&
		    policy->request_body.arguments == 255);
	assert_true(
	    policy->response_body.inspect == 0 && policy->response_body.types.n == 4);
	assert_string_equal(cf->sites[0].policy, "default");
	assert_int_equal(cf->sites[0].methods.n, COUNT(methods));
	for (i = 0; i < COUNT(methods); i++)
		assert_string_equal(cf->sites[0].methods.v[i], methods[i]);
	assert_string_equal(cf->logs.access.path, "/var/log/yett/access.log");
	assert_string_equal(cf->logs.audit.path, "/var/log/yett/audit.log");
	assert_string_equal(cf->logs.error.path, "stderr");
	assert_true(cf->logs.access.format == CONF_ACCESS_JSON &&
		    cf->logs.error.level == 1 && cf->logs.audit.mask.n == 7);
	conf_free(&cf);
	assert_null(cf);
}

static void
test_values(void **state)
{
	static const char yaml[] =
	    "node: n1\nthreads: 3\n"
	    "listeners:\n"
	    "  - address: \"[::1]:443\"\n"
	    "    tls: { certificates: [ { certificate: a.pem, key: /k/a.key, ocsp: a.der "
	    "} ],\n"
	    "           min_version: 1.3 }\n"
	    "  - { address: \"unix:/run/y.sock\", redirect_to: https }\n"
	    "pools:\n"
	    "  p:\n"
	    "    servers:\n"
	    "      - { url: \"https://App.Internal\", weight: 3 }\n"
	    "      - url: \"http://unix:/run/app.sock\"\n"
	    "      - url: \"http://[2001:db8::1]:81\"\n"
	    "    tls: { verify: off, ca: ca.pem }\n"
	    "policies:\n"
	    "  strict: { mode: detect, crs: { paranoia: 4, apps: [wordpress] }, allow: "
	    "lua,\n"
	    "    exclude: [ { rule: 942100, target: \"ARGS:q\", method: POST },\n"
	    "               { tag: attack-sqli } ],\n"
	    "    request_body: { over_inspect: head, inspect: 1MB } }\n"
	    "sites:\n"
	    "  - hosts: [Shop.Example.COM., \"*.shop.example.com\", "
	    "\"[2001:DB8:0::1]\"]\n"
	    "    pool: p\n"
	    "    policy: strict\n"
	    "    routes: [ { path: =/x, methods: [POST], policy: off } ]\n"
	    "logs: { access: { path: stdout, format: combined }, error: { level: debug } "
	    "}\n";
	struct conf_problems problems;
	struct conf *cf = conf_rig_load(span_of(yaml), &problems);
	char here[4096], want[4200];
	const struct conf_server *servers;
	const struct conf_policy *policy;

	(void)state;
	if (cf == NULL)
		fail_msg("%s", conf_problems_text(&problems));
	assert_string_equal(cf->node, "n1");
	assert_int_equal(cf->threads, 3);
	assert_true(cf->n_listeners == 2 && cf->listeners[0].tls &&
		    cf->listeners[0].min_version == CONF_TLS_1_3 &&
		    cf->listeners[1].redirect_to_https);
	assert_int_equal(cf->listeners[0].address.port, 443);
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(want, sizeof(want), "%s/a.pem", here);
	assert_string_equal(cf->listeners[0].certificates[0].certificate, want);
	assert_string_equal(cf->listeners[0].certificates[0].key, "/k/a.key");
	assert_int_equal(cf->listeners[0].certificates[0].place.line, 5);
	servers = cf->pools[0].servers;
	assert_int_equal(cf->pools[0].n_servers, 3);
	assert_true(servers[0].https && servers[0].port == 443 && servers[0].weight == 3);
	assert_string_equal(servers[0].host, "app.internal");
	assert_string_equal(servers[1].unix_path, "/run/app.sock");
	assert_string_equal(servers[1].host, "");
	assert_string_equal(servers[2].host, "2001:db8::1");
	assert_true(!servers[2].https && servers[2].port == 81);
	assert_false(cf->pools[0].tls.verify);
	policy = conf_find_policy(cf, "strict");
	assert_true(policy->mode == CONF_WAF_DETECT && policy->crs.paranoia == 4 &&
		    policy->n_exclude == 2 && policy->request_body.inspect == 1000000 &&
		    policy->request_body.over_inspect == CONF_OVER_HEAD);
	assert_string_equal(policy->allow.v[0], "lua");
	assert_int_equal(policy->exclude[0].rule, 942100);
	assert_string_equal(policy->exclude[0].method.v[0], "POST");
	assert_string_equal(policy->exclude[0].tag, "");
	assert_string_equal(policy->exclude[1].tag, "attack-sqli");
	assert_string_equal(cf->sites[0].hosts.v[0], "shop.example.com");
	assert_string_equal(cf->sites[0].hosts.v[2], "[2001:db8::1]");
	assert_string_equal(cf->sites[0].routes[0].policy, "off");
	assert_string_equal(cf->sites[0].routes[0].pool, "");
	assert_string_equal(cf->logs.access.path, "stdout");
	assert_int_equal(cf->logs.access.format, CONF_ACCESS_COMBINED);
	assert_int_equal(cf->logs.error.level, 0);
	conf_free(&cf);
}

/* A file as long as may be, of the shape given, must not take long or much. */
static void
test_bounds(void **state)
{
	static const char *const pieces[] = { "[", "{", "- ", "a: ", "&a ", "x\n", "? ",
		"\"", "!!x ", "{a: 1}, ", "{}," };
	size_t i, n, room = DOCUMENT_BYTES_MAX;
	char *text = mem_alloc(room + 1);
	struct conf_problems problems;

	(void)state;
	for (i = 0; i < COUNT(pieces); i++) {
		for (n = 0; n + strlen(pieces[i]) <= room / 8; n += strlen(pieces[i]))
			memcpy(text + n, pieces[i], strlen(pieces[i]));
		assert_null(conf_rig_load(span_mem(text, n), &problems));
		assert_true(problems.n > 0 && problems.n <= 500);
		conf_problems_free(&problems);
	}
	memcpy(text, "sites: [ ", 9);
	n = 9;
	for (; n + 4 <= room; n += 4)
		memcpy(text + n, "{}, ", 4);
	assert_null(conf_rig_load(span_mem(text, n), &problems));
	conf_problems_free(&problems);
	memset(text, ' ', room + 1);
	assert_null(conf_rig_load(span_mem(text, room + 1), &problems));
	assert_int_equal(problems.n, 1);
	assert_non_null(strstr(problems.v[0].text, "larger than 1 MiB"));
	conf_problems_free(&problems);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml_faults),
		cmocka_unit_test(test_field_faults),
		cmocka_unit_test(test_listener_and_pool_faults),
		cmocka_unit_test(test_policy_faults),
		cmocka_unit_test(test_site_faults),
		cmocka_unit_test(test_not_built),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bounds),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
