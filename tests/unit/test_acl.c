/* SPDX-License-Identifier: Apache-2.0 */
/* Access lists: which rule decides, and what a verdict says. */
#include "config.h"

#include "gateway/access/acl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/access/prefixes.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define WORDS_MAX 4

/* A rule as short text, in fields: words apart by blanks. */
struct row_rule {
	enum conf_access_action action;
	bool any;
	const char *address, *file, *country, *continent, *asn, *method, *path;
};

struct lists {
	struct netprefix prefixes[WORDS_MAX];
	const char *country[WORDS_MAX], *continent[WORDS_MAX], *method[WORDS_MAX],
	    *path[WORDS_MAX];
	uint32_t asn[WORDS_MAX];
	char words[6][128];
};

static char file_path[] = "/tmp/test_acl.XXXXXX";

static void
split(struct conf_strings *list, const char **v, char *words, const char *text)
{
	char *at;

	*list = (struct conf_strings){ v, 0 };
	if (text == NULL)
		return;
	snprintf(words, 128, "%s", text);
	for (at = words; at != NULL;) {
		assert_true(list->n < WORDS_MAX);
		v[list->n++] = at;
		at = strchr(at, ' ');
		if (at != NULL)
			*at++ = '\0';
	}
}

static void
make_rule(struct conf_access_rule *rule, struct lists *l, const struct row_rule *row)
{
	const char *v[WORDS_MAX];
	struct conf_strings words;
	size_t i;

	memset(rule, 0, sizeof(*rule));
	rule->action = row->action;
	rule->match.any = row->any;
	rule->match.address_file = row->file != NULL ? file_path : "";
	split(&rule->match.country, l->country, l->words[0], row->country);
	split(&rule->match.continent, l->continent, l->words[1], row->continent);
	split(&rule->match.method, l->method, l->words[2], row->method);
	split(&rule->match.path, l->path, l->words[3], row->path);
	split(&words, v, l->words[4], row->address);
	rule->match.address = (struct conf_prefixes){ l->prefixes, words.n };
	for (i = 0; i < words.n; i++)
		assert_int_equal(
		    netprefix_parse(&l->prefixes[i], span_of(v[i]), NULL), ERR_OK);
	split(&words, v, l->words[5], row->asn);
	rule->match.asn = (struct conf_numbers){ l->asn, words.n };
	for (i = 0; i < words.n; i++)
		l->asn[i] = (uint32_t)strtoul(v[i], NULL, 10);
}

#define DE "DE", "EU", 1
#define OFFICE "192.0.2.0/24 2001:db8::/32"
#define ADMIN .path = "/admin"

/* The file holds 198.51.100.0/24 and 2001:db8:bad::/48. */
static const struct row {
	struct row_rule rules[4];
	size_t n;
	const char *client, *country, *continent;
	uint32_t asn;
	const char *method, *path, *slashed;
	int decides; /* index of the rule; -1 none */
	const char *verdict; /* any of "denied geo trusted" */
	const char *why;
} rows[] = {
	/* clang-format off */
	{ { { 0 } }, 0, "192.0.2.1", DE, "GET", "/", NULL, -1, "", "no rules: passes" },
	{ { { CONF_DENY, .any = true } }, 1, "192.0.2.1", DE, "GET", "/", NULL, 0,
	  "denied", "deny any" },
	{ { { CONF_DENY } }, 1, "192.0.2.1", DE, "GET", "/", NULL, 0, "denied",
	  "nothing given: everyone" },
	{ { { CONF_ALLOW, .any = true } }, 1, "192.0.2.1", DE, "GET", "/", NULL, 0, "",
	  "any is not an address: not trusted" },
	{ { { CONF_ALLOW, .address = OFFICE }, { CONF_DENY, .any = true } }, 2,
	  "192.0.2.1", DE, "GET", "/", NULL, 0, "trusted", "the office" },
	{ { { CONF_ALLOW, .address = OFFICE }, { CONF_DENY, .any = true } }, 2,
	  "2001:db8::1", DE, "GET", "/", NULL, 0, "trusted", "the office, IPv6" },
	{ { { CONF_ALLOW, .address = "192.0.2.0/24" }, { CONF_DENY, .any = true } }, 2,
	  "192.0.3.1", DE, "GET", "/", NULL, 1, "denied", "the world" },
	{ { { CONF_DENY, .any = true }, { CONF_ALLOW, .address = "192.0.2.0/24" } }, 2,
	  "192.0.2.1", DE, "GET", "/", NULL, 0, "denied", "the first decides" },
	{ { { CONF_DENY, .address = "192.0.2.0/24" } }, 1, "192.0.3.1", DE, "GET", "/",
	  NULL, -1, "", "none matches: passes" },
	{ { { CONF_DENY, .file = "" } }, 1, "198.51.100.9", DE, "GET", "/", NULL, 0,
	  "denied", "on the list: reason acl" },
	{ { { CONF_DENY, .file = "" } }, 1, "2001:db8:bad::1", DE, "GET", "/", NULL, 0,
	  "denied", "on the list, IPv6" },
	{ { { CONF_DENY, .file = "" } }, 1, "198.51.101.9", DE, "GET", "/", NULL, -1,
	  "", "not on the list" },
	{ { { CONF_ALLOW, .file = "" } }, 1, "198.51.100.9", DE, "GET", "/", NULL, 0,
	  "trusted", "a list trusts too" },
	{ { { CONF_DENY, .country = "KP DE" } }, 1, "192.0.2.1", DE, "GET", "/", NULL,
	  0, "denied geo", "country" },
	{ { { CONF_DENY, .country = "KP" } }, 1, "192.0.2.1", DE, "GET", "/", NULL, -1,
	  "", "another country" },
	{ { { CONF_ALLOW, .country = "DE" }, { CONF_DENY, .any = true } }, 2,
	  "192.0.2.1", DE, "GET", "/", NULL, 0, "", "a country is not trusted" },
	{ { { CONF_ALLOW, .country = "DE" }, { CONF_DENY, .any = true } }, 2,
	  "192.0.2.1", "unknown", "unknown", 0, "GET", "/", NULL, 1, "denied",
	  "unknown is no country" },
	{ { { CONF_DENY, .country = "unknown" } }, 1, "192.0.2.1", "unknown", "unknown",
	  0, "GET", "/", NULL, 0, "denied geo", "unknown" },
	{ { { CONF_DENY, .country = "unknown" } }, 1, "192.0.2.1", NULL, "", 0, "GET",
	  "/", NULL, 0, "denied geo", "absent is unknown" },
	{ { { CONF_DENY, .country = "unknown" } }, 1, "10.0.0.1", "private", "private",
	  0, "GET", "/", NULL, -1, "", "private is not unknown" },
	{ { { CONF_ALLOW, .country = "private" }, { CONF_DENY, .any = true } }, 2,
	  "10.0.0.1", "private", "private", 0, "GET", "/", NULL, 0, "",
	  "private is a value" },
	{ { { CONF_DENY, .country = "DE" } }, 1, "192.0.2.1", "DEU", "EUR", 0, "GET",
	  "/", NULL, -1, "", "not two letters: no rule names it" },
	{ { { CONF_DENY, .continent = "EU" } }, 1, "192.0.2.1", DE, "GET", "/", NULL, 0,
	  "denied geo", "continent" },
	{ { { CONF_DENY, .continent = "AS" } }, 1, "192.0.2.1", "AS", "OC", 1, "GET",
	  "/", NULL, -1, "", "American Samoa is not Asia" },
	{ { { CONF_DENY, .asn = "64500 64501" } }, 1, "192.0.2.1", "DE", "EU", 64501,
	  "GET", "/", NULL, 0, "denied geo", "network" },
	{ { { CONF_DENY, .asn = "64500" } }, 1, "192.0.2.1", "DE", "EU", 6450, "GET",
	  "/", NULL, -1, "", "another network" },
	{ { { CONF_DENY, .asn = "64500" } }, 1, "192.0.2.1", "DE", "EU", 0, "GET", "/",
	  NULL, -1, "", "no network" },
	{ { { CONF_DENY, .address = "192.0.2.1", .country = "KP" } }, 1, "192.0.2.1",
	  DE, "GET", "/", NULL, 0, "denied", "either: the address" },
	{ { { CONF_DENY, .address = "192.0.2.1", .country = "KP" } }, 1, "203.0.113.1",
	  "KP", "AS", 1, "GET", "/", NULL, 0, "denied geo", "either: the country" },
	{ { { CONF_DENY, .any = true, .method = "PUT DELETE" } }, 1, "192.0.2.1", DE,
	  "DELETE", "/", NULL, 0, "denied", "method" },
	{ { { CONF_DENY, .any = true, .method = "PUT DELETE" } }, 1, "192.0.2.1", DE,
	  "GET", "/", NULL, -1, "", "another method" },
	{ { { CONF_DENY, .method = "delete" } }, 1, "192.0.2.1", DE, "DELETE", "/",
	  NULL, -1, "", "methods have case" },
	{ { { CONF_DENY, ADMIN } }, 1, "192.0.2.1", DE, "GET", "/admin", NULL, 0,
	  "denied", "prefix: itself" },
	{ { { CONF_DENY, ADMIN } }, 1, "192.0.2.1", DE, "GET", "/admin/x", NULL, 0,
	  "denied", "prefix: below" },
	{ { { CONF_DENY, ADMIN } }, 1, "192.0.2.1", DE, "GET", "/administrator", NULL,
	  0, "denied", "prefix of bytes, as with routes" },
	{ { { CONF_DENY, .path = "/admin/" } }, 1, "192.0.2.1", DE, "GET",
	  "/administrator", NULL, -1, "", "a whole segment" },
	{ { { CONF_DENY, .path = "/admin/" } }, 1, "192.0.2.1", DE, "GET", "/admin",
	  NULL, -1, "", "not the segment's own path" },
	{ { { CONF_DENY, .path = "=/admin /admin/" } }, 1, "192.0.2.1", DE, "GET",
	  "/admin", NULL, 0, "denied", "both" },
	{ { { CONF_DENY, .path = "=/admin" } }, 1, "192.0.2.1", DE, "GET", "/admin/x",
	  NULL, -1, "", "exact" },
	{ { { CONF_DENY, .path = "/admin/" } }, 1, "192.0.2.1", DE, "GET", "/admin%2Fx",
	  "/admin/x", 0, "denied", "denied in either reading" },
	{ { { CONF_ALLOW, .path = "/public/" }, { CONF_DENY } }, 2, "192.0.2.1", DE,
	  "GET", "/public%2Fx", "/public/x", 1, "denied",
	  "allowed in both readings only" },
	{ { { CONF_ALLOW, .path = "/public/" }, { CONF_DENY } }, 2, "192.0.2.1", DE,
	  "GET", "/public/..%2Fx", "/x", 1, "denied", "allowed in both readings only" },
	{ { { CONF_ALLOW, .path = "/public/" }, { CONF_DENY } }, 2, "192.0.2.1", DE,
	  "GET", "/public/a%2Fx", "/public/a/x", 0, "", "both readings" },
	{ { { CONF_ALLOW, .address = "192.0.2.0/24", ADMIN }, { CONF_DENY, ADMIN } }, 2,
	  "192.0.2.1", DE, "GET", "/admin", NULL, 0, "trusted",
	  "the office may administrate" },
	{ { { CONF_ALLOW, .address = "192.0.2.0/24", ADMIN }, { CONF_DENY, ADMIN } }, 2,
	  "192.0.3.1", DE, "GET", "/admin", NULL, 1, "denied", "others may not" },
	{ { { CONF_ALLOW, .address = "192.0.2.0/24", ADMIN }, { CONF_DENY, ADMIN } }, 2,
	  "192.0.3.1", DE, "GET", "/shop", NULL, -1, "", "others may elsewhere" },
	{ { { CONF_DENY, .address = "192.0.2.1", .method = "POST", .path = "/x" } }, 1,
	  "192.0.2.1", DE, "POST", "/y", NULL, -1, "", "all three must hold" },
	/* clang-format on */
};

static void
test_verdicts(void **state)
{
	struct conf_access_rule rules[4];
	struct acl_subject subject;
	struct acl_verdict verdict;
	struct acl_files *files;
	struct netaddr client;
	struct lists lists[4];
	struct acl *acl;
	struct err e;
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];

		files = acl_files_new();
		for (j = 0; j < row->n; j++)
			make_rule(&rules[j], &lists[j], &row->rules[j]);
		if (acl_new(&acl, rules, row->n, files, &e) != ERR_OK)
			fail_msg("row %zu: %s", i, e.text);
		assert_true(netaddr_parse_ip(&client, span_of(row->client)));
		subject = (struct acl_subject){ &client, row->country, row->continent,
			row->asn, span_of(row->method), span_of(row->path),
			span_of(row->slashed) };
		memset(&verdict, 0xff, sizeof(verdict));
		acl_judge(acl, &subject, &verdict);
		if (verdict.rule != (row->decides < 0 ? NULL : &rules[row->decides]) ||
		    verdict.denied != (strstr(row->verdict, "denied") != NULL) ||
		    verdict.geo != (strstr(row->verdict, "geo") != NULL) ||
		    verdict.trusted != (strstr(row->verdict, "trusted") != NULL))
			fail_msg("row %zu: %s", i, row->why);
		assert_null(verdict.logged);
		acl_free(&acl);
		assert_null(acl);
		acl_files_free(&files);
		assert_null(files);
	}
}

static void
test_log_goes_on(void **state)
{
	static const struct row_rule texts[] = {
		{ CONF_LOG, .country = "FR" },
		{ CONF_LOG, .country = "DE" },
		{ CONF_LOG, .any = true },
		{ CONF_DENY, .address = "192.0.2.0/24" },
	};
	struct conf_access_rule rules[COUNT(texts)];
	struct acl_files *files = acl_files_new();
	struct lists lists[COUNT(texts)];
	struct acl_subject subject = { .country = "DE", .continent = "EU" };
	struct acl_verdict verdict;
	struct netaddr client;
	struct acl *acl;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++)
		make_rule(&rules[i], &lists[i], &texts[i]);
	assert_int_equal(acl_new(&acl, rules, COUNT(texts), files, NULL), ERR_OK);
	subject.client = &client;
	subject.method = SPAN("GET");
	subject.path = SPAN("/");
	assert_true(netaddr_parse_ip(&client, SPAN("192.0.2.1")));
	acl_judge(acl, &subject, &verdict);
	assert_ptr_equal(verdict.logged, &rules[1]);
	assert_ptr_equal(verdict.rule, &rules[3]);
	assert_true(verdict.denied && !verdict.geo);
	assert_true(netaddr_parse_ip(&client, SPAN("192.0.3.1")));
	acl_judge(acl, &subject, &verdict);
	assert_ptr_equal(verdict.logged, &rules[1]);
	assert_null(verdict.rule);
	assert_false(verdict.denied);
	acl_free(&acl);
	acl_files_free(&files);
}

static void
test_addresses_that_are_allowed(void **state)
{
	static const struct row_rule texts[] = {
		{ CONF_DENY, .address = "192.0.2.0/24" },
		{ CONF_ALLOW, .country = "DE" },
		{ CONF_ALLOW, .any = true },
		{ CONF_ALLOW, .address = "203.0.113.0/24", ADMIN },
	};
	struct conf_access_rule rules[COUNT(texts)];
	struct acl_files *files = acl_files_new();
	struct lists lists[COUNT(texts)];
	struct netaddr client;
	struct acl *acl;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++)
		make_rule(&rules[i], &lists[i], &texts[i]);
	assert_int_equal(acl_new(&acl, rules, COUNT(texts), files, NULL), ERR_OK);
	assert_true(netaddr_parse_ip(&client, SPAN("203.0.113.9")));
	assert_true(acl_allows_address(acl, &client));
	assert_true(netaddr_parse_ip(&client, SPAN("192.0.2.9")));
	assert_false(acl_allows_address(acl, &client));
	assert_true(netaddr_parse_ip(&client, SPAN("198.51.100.9")));
	assert_false(acl_allows_address(acl, &client));
	acl_free(&acl);
	acl_files_free(&files);
}

/* Files are shared by rules and lists, and taken up when they change. */
static void
test_files(void **state)
{
	static const struct row_rule texts[] = {
		{ CONF_DENY, .file = "" },
		{ CONF_ALLOW, .file = "" },
	};
	struct conf_access_rule rules[COUNT(texts)];
	struct acl_files *files = acl_files_new();
	struct lists lists[COUNT(texts)];
	struct acl *one, *two, *bad;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++)
		make_rule(&rules[i], &lists[i], &texts[i]);
	assert_int_equal(acl_files_count(files), 0);
	assert_int_equal(acl_new(&one, rules, COUNT(texts), files, NULL), ERR_OK);
	assert_int_equal(acl_new(&two, rules, 1, files, NULL), ERR_OK);
	assert_int_equal(acl_files_count(files), 1);
	assert_int_equal(prefixes_count(watched_get(acl_files_get(files, 0))), 2);
	rules[1].match.address_file = "/nowhere/bad.txt";
	assert_int_equal(acl_new(&bad, rules, COUNT(texts), files, &e), ERR_IO);
	assert_null(bad);
	assert_non_null(strstr(e.text, "/nowhere/bad.txt: cannot open"));
	rules[1].match.address_file = "";
	rules[1].match.country = (struct conf_strings){ lists[1].country, 1 };
	lists[1].country[0] = "DEU";
	assert_int_equal(acl_new(&bad, rules, COUNT(texts), files, &e), ERR_FORMAT);
	assert_non_null(strstr(e.text, "\"DEU\""));
	assert_int_equal(acl_files_count(files), 1);
	acl_free(&one);
	acl_free(&two);
	acl_files_free(&files);
}

static int
write_file(void **state)
{
	static const char text[] = "198.51.100.0/24\n2001:db8:bad::/48\n";
	int fd = mkstemp(file_path);

	(void)state;
	if (fd < 0 || write(fd, text, sizeof(text) - 1) != (ssize_t)sizeof(text) - 1)
		return (-1);
	return (close(fd));
}

static int
remove_file(void **state)
{
	(void)state;
	return (unlink(file_path));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_log_goes_on),
		cmocka_unit_test(test_addresses_that_are_allowed),
		cmocka_unit_test(test_files),
	};

	return (cmocka_run_group_tests(tests, write_file, remove_file));
}
