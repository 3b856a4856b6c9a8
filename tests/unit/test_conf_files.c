/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration on disk: the contract's example, includes, patterns. */
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

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

#define MAIN                                            \
	"include: [conf.d/*.yaml]\n"                    \
	"listeners: [ { address: \"127.0.0.1:1\" } ]\n" \
	"sites: [ { hosts: main.example, pool: a } ]\n"

static char folder[64];

static int
make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "%s", "/tmp/yett-conf-XXXXXX");
	return (
	    mkdtemp(folder) == NULL || chdir(folder) != 0 || mkdir("conf.d", 0700) != 0);
}

static int
remove_folder(void **state)
{
	static const char *const names[] = { "yett.yaml", "conf.d/1.yaml",
		"conf.d/2.yaml", "conf.d/3.yaml", "conf.d/a.conf", "conf.d/b.conf",
		"conf.d/.c.conf", "conf.d" };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(names); i++)
		(void)remove(names[i]);
	return (chdir("/") != 0 || rmdir(folder) != 0);
}

static void
put(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* What is told is exactly this, in this order. */
static void
check_told(struct conf_problems *problems, const char *const *told, size_t n)
{
	struct text t;
	size_t i;

	text_init(&t, 4096);
	for (i = 0; i < problems->n || i < n; i++) {
		text_reset(&t);
		if (i < problems->n)
			conf_problem_text(&problems->v[i], &t);
		text_putc(&t, '\0');
		if (i >= n || strncmp(t.p, told[i], strlen(told[i])) != 0)
			fail_msg(
			    "problem %zu is\n%s\nnot\n%s", i, t.p, i < n ? told[i] : "");
	}
	text_free(&t);
	conf_problems_free(problems);
}

/* The contract's example: what is not built yet is refused at its place;
 * nothing else is complained about. */
static void
test_contract(void **state)
{
	static const char *const told[] = {
		"contract:7:17: listeners[0].protocols[0]: not built yet;",
	};
	static const char rules[] = "/etc/yett/rules/*.conf";
	struct conf_problems problems;
	char *path, *text, *at;
	const char *source = getenv("top_srcdir");
	FILE *file;
	size_t n;

	(void)state;
	path =
	    mem_printf("%s/tests/unit/data/contract.yaml", source != NULL ? source : ".");
	file = fopen(path, "r");
	assert_non_null(file);
	text = mem_zalloc(1 << 16);
	n = fread(text, 1, (1 << 16) - 1, file);
	fclose(file);
	/* Whether the packaged folder is there is not the contract's matter. */
	at = strstr(text, rules);
	assert_non_null(at);
	memset(at, ' ', strlen(rules));
	assert_null(conf_load_text("contract", span_mem(text, n), &problems));
	check_told(&problems, told, COUNT(told));
	free(text);
	free(path);
}

static void
test_include(void **state)
{
	struct conf_problems problems;
	struct conf *cf;

	(void)state;
	put("yett.yaml", MAIN);
	put("conf.d/1.yaml", "pools: { a: { servers: [ { url: \"http://a\" } ],\n"
			     "  tls: { ca: ca.pem } } }\n");
	put("conf.d/2.yaml",
	    "policies: { p: { mode: detect } }\n"
	    "sites: [ { hosts: second.example, pool: a, policy: p } ]\n");
	put("conf.d/3.yaml", "");
	cf = conf_load("yett.yaml", &problems);
	check_told(&problems, NULL, 0);
	assert_non_null(cf);
	assert_int_equal(cf->n_sites, 2);
	assert_string_equal(cf->sites[0].hosts.v[0], "main.example");
	assert_string_equal(cf->sites[1].hosts.v[0], "second.example");
	assert_int_equal(cf->sites[1].place.line, 2);
	assert_non_null(strstr(cf->sites[1].place.file, "/conf.d/2.yaml"));
	assert_non_null(strstr(cf->pools[0].tls.ca, "/conf.d/ca.pem"));
	assert_true(cf->pools[0].tls.ca[0] == '/');
	conf_free(&cf);
}

static void
test_include_faults(void **state)
{
	static const char *const told[] = {
		"conf.d/1.yaml:1:1: include: not in an included file",
		"conf.d/1.yaml:2:1: logs: not in an included file",
		"conf.d/2.yaml:1:36: pools.a.servers[0].weight: found \"0\"",
		"conf.d/3.yaml:1:10: pools: pool \"a\" is there already, at ",
		"conf.d/3.yaml:2:19: sites[0].hosts: host \"main.example\" is there "
		"already, at "
		"yett.yaml:3:19",
		"yett.yaml:3:39: sites[0].pool: no pool is called \"aa\"",
	};
	struct conf_problems problems;
	size_t i, cut;

	(void)state;
	put("yett.yaml", "include: [conf.d/*.yaml]\n"
			 "listeners: [ { address: \"127.0.0.1:1\" } ]\n"
			 "sites: [ { hosts: main.example, pool: aa } ]\n");
	put("conf.d/1.yaml", "include: conf.d/*.yaml\nlogs: {}\n");
	put("conf.d/2.yaml",
	    "pools: { a: { servers: [ { weight: 0, url: \"http://a\" } ] } }");
	put("conf.d/3.yaml", "pools: { a: { servers: [ { url: \"http://a\" } ] } }\n"
			     "sites: [ { hosts: main.example, pool: a } ]\n");
	assert_null(conf_load("yett.yaml", &problems));
	for (i = 0; i < problems.n; i++) {
		/* files are told by their whole path: take the folder off */
		cut = strlen(folder) + 1;
		if (strncmp(problems.v[i].place.file, folder, strlen(folder)) == 0)
			memmove((char *)(uintptr_t)problems.v[i].place.file,
			    problems.v[i].place.file + cut,
			    strlen(problems.v[i].place.file + cut) + 1);
	}
	check_told(&problems, told, COUNT(told));
}

static void
test_include_missing(void **state)
{
	static const char *const told[] = { "yett.yaml:1:10: include: " };
	static const char *const wild[] = {
		"yett.yaml:1:10: include: * and ? are for the "
		"last part"
	};
	static const char *const broken[] = { "" };
	struct conf_problems problems;
	struct conf *cf;

	(void)state;
	put("yett.yaml", "include: nothing.yaml\n"
			 "listeners: [ { address: \"127.0.0.1:1\" } ]\n"
			 "pools: { a: { servers: [ { url: \"http://a\" } ] } }\n"
			 "sites: [ { hosts: main.example, pool: a } ]\n");
	assert_null(conf_load("yett.yaml", &problems));
	check_told(&problems, told, 1);
	put("yett.yaml", "include: \"*/x.yaml\"\n"
			 "listeners: [ { address: \"127.0.0.1:1\" } ]\n"
			 "pools: { a: { servers: [ { url: \"http://a\" } ] } }\n"
			 "sites: [ { hosts: main.example, pool: a } ]\n");
	assert_null(conf_load("yett.yaml", &problems));
	check_told(&problems, wild, 1);
	/* A pattern may stand for nothing; and one broken file does not make the
	 * pools that it may hold unknown. */
	put("yett.yaml", "include: conf.d/*.none\n"
			 "listeners: [ { address: \"127.0.0.1:1\" } ]\n"
			 "pools: { a: { servers: [ { url: \"http://a\" } ] } }\n"
			 "sites: [ { hosts: main.example, pool: a } ]\n");
	cf = conf_load("yett.yaml", &problems);
	check_told(&problems, NULL, 0);
	conf_free(&cf);
	put("yett.yaml", MAIN);
	put("conf.d/1.yaml", "pools: {");
	put("conf.d/2.yaml", "");
	put("conf.d/3.yaml", "");
	assert_null(conf_load("yett.yaml", &problems));
	check_told(&problems, broken, 1);
	assert_null(conf_load("not-there.yaml", &problems));
	assert_int_equal(problems.n, 1);
	assert_int_equal(problems.v[0].place.line, 0);
	conf_problems_free(&problems);
}

static void
test_rule_files(void **state)
{
	struct conf_problems problems;
	struct conf *cf;

	(void)state;
	put("yett.yaml",
	    "listeners: [ { address: \"127.0.0.1:1\" } ]\n"
	    "pools: { a: { servers: [ { url: \"http://a\" } ] } }\n"
	    "policies: { default: { rules: [conf.d/b.conf, conf.d/*.conf] } }\n"
	    "sites: [ { hosts: main.example, pool: a } ]\n");
	put("conf.d/b.conf", "");
	put("conf.d/a.conf", "");
	put("conf.d/.c.conf", "");
	cf = conf_load("yett.yaml", &problems);
	check_told(&problems, NULL, 0);
	assert_int_equal(cf->n_policies, 1);
	assert_int_equal(cf->policies[0].rules.n, 3);
	assert_non_null(strstr(cf->policies[0].rules.v[0], "/conf.d/b.conf"));
	assert_non_null(strstr(cf->policies[0].rules.v[1], "/conf.d/a.conf"));
	assert_non_null(strstr(cf->policies[0].rules.v[2], "/conf.d/b.conf"));
	conf_free(&cf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contract),
		cmocka_unit_test_setup_teardown(test_include, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
		    test_include_faults, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
		    test_include_missing, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
		    test_rule_files, make_folder, remove_folder),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
