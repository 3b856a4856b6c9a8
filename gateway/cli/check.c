/* SPDX-License-Identifier: Apache-2.0 */
/* yett check: reads a configuration and opens all that it names, without
 * listening; every fault is told with its place. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/cli/check.h"
#include "gateway/cli/cli.h"
#include "gateway/conf/conf.h"
#include "gateway/conf/reference.h"
#include "gateway/filter/error_pages.h"
#include "gateway/reload_headers.h"
#include "gateway/route/route.h"
#include "gateway/tls/tls.h"
#include "gateway/upstream/resolved.h"
#include "gateway/upstream/upstream.h"
#include "rules/waf.h"

static const char HELP[] =
    "usage: yett check [-c FILE]\n"
    "       yett check --explain FIELD\n"
    "\n"
    "Tests a configuration: reads it, opens certificates and keys, parses the rules\n"
    "of every policy, geo databases, address and password files, error pages, resolves\n"
    "the names of origins and compiles the routes. Prints all that is wrong, one line "
    "each:\n"
    "file:line:column: field: what was found and what is allowed. Nothing is listened\n"
    "on, Redis is not asked, and no file is written.\n"
    "\n"
    "  -c, --config FILE      configuration (default " CLI_CONFIG_DEFAULT ")\n"
    "      --explain FIELD    print what a field is for, what it takes and its\n"
    "                         default: --explain pools.*.timeouts.connect\n"
    "                         (\"\" lists the top level)\n"
    "  -q, --quiet            print problems only\n"
    "  -h, --help             this text\n"
    "\n"
    "exit status: 0 good, 1 something is wrong, 2 wrong usage, 3 cannot be tested\n";

static int
usage(const char *problem, const char *argument)
{
	fprintf(stderr, "yett check: %s%s\ntry: yett check --help\n", problem, argument);
	return (CLI_USAGE);
}

static int
explain(const char *field)
{
	struct text out;
	bool known;

	text_init(&out, 1u << 16);
	known = conf_explain(span_of(field), &out);
	fprintf(known ? stdout : stderr, "%.*s", SPAN_FMT(text_span(&out)));
	text_free(&out);
	return (known ? CLI_OK : CLI_BAD_INPUT);
}

void
check_good(const struct check *check, const char *format, ...)
{
	va_list ap;

	if (check->quiet)
		return;
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

void
check_fault(const struct check *check, const char *path, const struct err *e)
{
	const struct conf_path *written = conf_find_path(check->conf, path);
	static const struct conf_place nowhere;

	conf_problems_add(check->problems, written != NULL ? &written->place : &nowhere,
	    written != NULL ? written->field : "", "%s", e->text);
}

static const char *
plural(size_t n)
{
	return (n == 1 ? "" : "s");
}

/* One certificate at a time, so that a fault is told at its own line. */
static bool
check_certificate(const struct check *check, const struct conf_listener *listener,
    const struct conf_certificate *certificate, const char *field)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	struct tls_files files = { certificate->certificate, certificate->key,
		certificate->ocsp };
	struct tls_server_options options = { .files = &files,
		.n_files = 1,
		.only_1_3 = listener->min_version == CONF_TLS_1_3,
		.alpn = alpn };
	struct tls_server *server = NULL;
	struct err e;

	if (tls_server_new(&server, &options, &e) == ERR_OK) {
		tls_server_free(&server);
		return (true);
	}
	conf_problems_add(check->problems, &certificate->place, field, "%s", e.text);
	return (false);
}

/* Authorities for clients' certificates, beside a certificate known to be sound. */
static bool
check_client_ca(const struct check *check, const struct conf_listener *listener)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	const struct conf_certificate *first = &listener->certificates[0];
	struct tls_files files = { first->certificate, first->key, first->ocsp };
	struct tls_server_options options = { .files = &files,
		.n_files = 1,
		.alpn = alpn,
		.client_ca = listener->client_ca };
	struct tls_server *server = NULL;
	struct err e;

	if (tls_server_new(&server, &options, &e) == ERR_OK) {
		tls_server_free(&server);
		return (true);
	}
	check_fault(check, listener->client_ca, &e);
	return (false);
}

static void
check_listeners(const struct check *check)
{
	char address[NETADDR_TEXT_MAX], field[80];
	const struct conf_listener *listener;
	size_t i, j;
	bool sound;

	for (i = 0; i < check->conf->n_listeners; i++) {
		listener = &check->conf->listeners[i];
		sound = true;
		for (j = 0; j < listener->n_certificates; j++) {
			snprintf(field, sizeof(field),
			    "listeners[%zu].tls.certificates[%zu]", i, j);
			if (!check_certificate(
				check, listener, &listener->certificates[j], field))
				sound = false;
		}
		netaddr_text(&listener->address, address);
		if (sound && listener->client_ca[0] != '\0')
			sound = check_client_ca(check, listener);
		if (sound && listener->tls)
			check_good(check, "listener %s: TLS, %zu certificate%s", address,
			    listener->n_certificates, plural(listener->n_certificates));
		else if (sound)
			check_good(check, "listener %s: plain HTTP%s", address,
			    listener->redirect_to_https ? ", redirects to https" : "");
	}
}

/* A fault of one named thing; its field says the name, the text need not. */
static void
fault(const struct check *check, const struct conf_place *place, const char *kind,
    const char *name, const struct err *e)
{
	const char *text = e->text;
	char field[80], prefix[80];

	snprintf(field, sizeof(field), "%s.%s",
	    strcmp(kind, "pool") == 0 ? "pools" : "policies", name);
	snprintf(prefix, sizeof(prefix), "%s %s: ", kind, name);
	if (strncmp(text, prefix, strlen(prefix)) == 0)
		text += strlen(prefix);
	conf_problems_add(check->problems, place, field, "%s", text);
}

/* Which server is at fault: the pool alone with each of them tells. */
static const struct conf_place *
find_server(const struct conf_pool *pool, const struct resolved *resolved)
{
	struct upstream_pool *live = NULL;
	struct conf_pool one;
	struct err e;
	size_t i;

	for (i = 0; pool->n_servers > 1 && i < pool->n_servers; i++) {
		one = *pool;
		one.servers = &pool->servers[i];
		one.n_servers = 1;
		if (upstream_pool_new(&live, &one, resolved, &e) != ERR_OK)
			return (&pool->servers[i].place);
		upstream_pool_free(&live);
	}
	return (pool->n_servers == 1 ? &pool->servers[0].place : &pool->place);
}

static void
check_pools(const struct check *check)
{
	struct resolved *resolved = resolved_configured(check->conf);
	const struct conf_pool *pool;
	struct upstream_pool *live = NULL;
	struct err e;
	size_t i;

	for (i = 0; i < check->conf->n_pools; i++) {
		pool = &check->conf->pools[i];
		if (upstream_pool_new(&live, pool, resolved, &e) == ERR_OK) {
			upstream_pool_free(&live);
			check_good(check, "pool %s: %zu server%s", pool->name,
			    pool->n_servers, plural(pool->n_servers));
			continue;
		}
		fault(check, find_server(pool, resolved), "pool", pool->name, &e);
	}
	resolved_free(&resolved);
}

static void
check_policy(const struct check *check, struct waf *waf, const struct conf_policy *policy)
{
	struct waf_policy *live = NULL;
	char crs[80] = "";
	struct err e;

	if (policy->mode == CONF_WAF_OFF) {
		check_good(check, "policy %s: off", policy->name);
		return;
	}
	if (waf_policy_new(&live, waf, policy, &e) != ERR_OK) {
		fault(check, &policy->place, "policy", policy->name, &e);
		return;
	}
	waf_policy_free(&live);
	(void)waf_crs_version(policy->crs.path, crs, sizeof(crs));
	check_good(check,
	    "policy %s: %s, %s, paranoia %u, %zu rule file%s, %zu exclusion%s",
	    policy->name, policy->mode == CONF_WAF_BLOCK ? "block" : "detect", crs,
	    policy->crs.paranoia, policy->rules.n, plural(policy->rules.n),
	    policy->n_exclude, plural(policy->n_exclude));
}

static bool
check_policies(const struct check *check, struct err *e)
{
	struct waf *waf = NULL;
	size_t i;

	if (waf_new(&waf, e) != ERR_OK)
		return (false);
	for (i = 0; i < check->conf->n_policies; i++)
		check_policy(check, waf, &check->conf->policies[i]);
	waf_free(&waf);
	return (true);
}

/* A table of a part of one site: the smallest that fails is the culprit. */
static bool
table_is_sound(const struct conf *conf, struct conf_site site, struct err *e)
{
	struct route_table *table = NULL;
	struct conf part = *conf;
	bool sound;

	part.sites = &site;
	part.n_sites = 1;
	sound = route_table_new(&table, &part, e) == ERR_OK;
	if (sound)
		route_table_free(&table);
	return (sound);
}

static void
check_site(const struct check *check, size_t i)
{
	const struct conf_site *site = &check->conf->sites[i];
	struct conf_site part = *site;
	char field[80];
	struct err e;
	size_t j;
	bool sound = true;

	part.n_routes = 1;
	for (j = 0; j < site->n_routes; j++) {
		part.routes = &site->routes[j];
		if (table_is_sound(check->conf, part, &e))
			continue;
		snprintf(field, sizeof(field), "sites[%zu].routes[%zu].path", i, j);
		conf_problems_add(
		    check->problems, &site->routes[j].place, field, "%s", e.text);
		sound = false;
	}
	if (sound && !table_is_sound(check->conf, *site, &e)) {
		snprintf(field, sizeof(field), "sites[%zu]", i);
		conf_problems_add(check->problems, &site->place, field, "%s", e.text);
	} else if (sound) {
		check_good(check, "site %s: pool %s, policy %s, %zu route%s",
		    site->hosts.v[0], site->pool, site->policy, site->n_routes,
		    plural(site->n_routes));
	}
}

static void
check_sites(const struct check *check, const char *file)
{
	struct conf_place place = { file, 0, 0 };
	struct route_table *table = NULL;
	size_t i, before = check->problems->n;
	struct err e;

	for (i = 0; i < check->conf->n_sites; i++)
		check_site(check, i);
	if (check->problems->n > before)
		return;
	if (route_table_new(&table, check->conf, &e) == ERR_OK)
		route_table_free(&table);
	else
		conf_problems_add(check->problems, &place, "sites", "%s", e.text);
}

/* Each folder once, however many sites use it. */
static void
check_error_pages(const struct check *check)
{
	const struct conf_site *sites = check->conf->sites;
	struct error_pages *pages;
	struct err e;
	size_t i, j;

	for (i = 0; i < check->conf->n_sites; i++) {
		for (j = 0; j < i; j++)
			if (strcmp(sites[i].error_pages, sites[j].error_pages) == 0)
				break;
		if (sites[i].error_pages[0] == '\0' || j < i)
			continue;
		if (error_pages_load(&pages, sites[i].error_pages, &e) != ERR_OK) {
			check_fault(check, sites[i].error_pages, &e);
			continue;
		}
		check_good(check, "error pages %s: %u page%s", sites[i].error_pages,
		    error_pages_count(pages), plural(error_pages_count(pages)));
		error_pages_free(&pages);
	}
}

static void
print_problems(struct conf_problems *problems)
{
	struct text line;
	size_t i;

	conf_problems_sort(problems);
	fflush(stdout);
	text_init(&line, 4096);
	for (i = 0; i < problems->n; i++) {
		text_reset(&line);
		conf_problem_text(&problems->v[i], &line);
		fprintf(stderr, "%.*s\n", SPAN_FMT(text_span(&line)));
	}
	fprintf(stderr, "%zu problem%s\n", problems->n, plural(problems->n));
	text_free(&line);
}

static int
check_file(const char *file, bool quiet)
{
	struct conf_problems problems;
	struct check check = { NULL, &problems, quiet };
	struct conf *conf;
	struct err e;
	int rc;

	if (access(file, R_OK) != 0) {
		fprintf(stderr, "yett check: %s: %s\n", file, strerror(errno));
		return (CLI_SYSTEM);
	}
	conf = conf_load(file, &problems);
	if (conf != NULL) {
		check.conf = conf;
		check_listeners(&check);
		check_pools(&check);
		if (!check_policies(&check, &e)) {
			fprintf(stderr, "yett check: %s\n", e.text);
			conf_free(&conf);
			conf_problems_free(&problems);
			return (CLI_SYSTEM);
		}
		check_controls(&check);
		headers_check(conf, &problems);
		check_error_pages(&check);
		check_sites(&check, file);
	}
	rc = problems.n == 0 ? CLI_OK : CLI_BAD_INPUT;
	if (rc == CLI_OK)
		check_good(&check, "configuration is good");
	else
		print_problems(&problems);
	conf_free(&conf);
	conf_problems_free(&problems);
	return (rc);
}

int
cli_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "explain", required_argument, NULL, 'e' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *file = NULL, *field = NULL;
	bool quiet = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "c:qh", options, NULL)) != -1)
		switch (c) {
		case 'c': file = optarg; break;
		case 'e': field = optarg; break;
		case 'q': quiet = true; break;
		case 'h': fputs(HELP, stdout); return (CLI_OK);
		default:
			return (usage("unknown option, or one without its value: ",
			    argv[optind - 1]));
		}
	if (optind < argc)
		return (usage("unexpected argument: ", argv[optind]));
	if (field != NULL && file != NULL)
		return (usage("-c and --explain exclude each other", ""));
	if (field != NULL)
		return (explain(field));
	log_set_level(LOG_LEVEL_WARN);
	return (check_file(file != NULL ? file : CLI_CONFIG_DEFAULT, quiet));
}
