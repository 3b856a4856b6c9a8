/* SPDX-License-Identifier: Apache-2.0 */
/* yett status: how the running gateway is. */
#include "config.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/control_client.h"

static const char HELP[] =
    "usage: yett status [--json] [--socket PATH | -c FILE]\n"
    "\n"
    "Asks the running gateway how it is: connections, limits and their sharing\n"
    "through Redis, bans, pools and their servers, names of origins, databases and\n"
    "lists, logs.\n"
    "\n"
    "      --json             print the answer as it came\n"
    "      --socket PATH      the gateway's control socket\n"
    "  -c, --config FILE      take admin.socket from this configuration (default\n"
    "                         " CLI_CONFIG_DEFAULT ", else " CONTROL_SOCKET_DEFAULT ")\n"
    "  -h, --help             this text\n"
    "\n"
    "exit status: 0 it runs, 1 bad configuration, 2 wrong usage, 3 no gateway there\n";

static int
usage(const char *problem, const char *argument)
{
	fprintf(
	    stderr, "yett status: %s%s\ntry: yett status --help\n", problem, argument);
	return (CLI_USAGE);
}

/* "shared for 3 h 12 min" */
static void
print_age(long long seconds)
{
	if (seconds >= 86400)
		printf("%lld d %lld h", seconds / 86400, seconds % 86400 / 3600);
	else if (seconds >= 3600)
		printf("%lld h %lld min", seconds / 3600, seconds % 3600 / 60);
	else if (seconds >= 60)
		printf("%lld min %lld s", seconds / 60, seconds % 60);
	else
		printf("%lld s", seconds);
}

static void
print_state(const char *label, const json_t *object, const char *key)
{
	printf("%-14s %s for ", label, control_text(object, key));
	print_age(control_number(object, "age_seconds"));
	if (json_is_string(json_object_get(object, "reason")))
		printf(", %s", control_text(object, "reason"));
}

static void
print_limits(const json_t *limits)
{
	const json_t *limit;
	size_t i;

	if (json_array_size(limits) == 0)
		return;
	printf("\n%-20s %10s %12s %12s %10s %10s\n", "limit", "rate", "allowed", "denied",
	    "shadowed", "degraded");
	json_array_foreach(limits, i, limit)
	    printf("%-20s %10s %12lld %12lld %10lld %10lld\n",
		control_text(limit, "name"), control_text(limit, "rate"),
		control_number(limit, "allowed"), control_number(limit, "denied"),
		control_number(limit, "shadowed"), control_number(limit, "degraded"));
}

/* What checks say, while it is worth telling: "status 503 for 2 min 4 s" */
static void
print_check(const json_t *check)
{
	if (!json_is_object(check) || strcmp(control_text(check, "state"), "down") != 0)
		return;
	printf("  %s, down for ", control_text(check, "reason"));
	print_age(control_number(check, "age_seconds"));
}

static void
print_server(const char *pool, const json_t *server)
{
	printf("%-16s %-28s %-9s %7lld %12lld %10lld%s", pool,
	    control_text(server, "address"), control_text(server, "state"),
	    control_number(server, "active"), control_number(server, "requests"),
	    control_number(server, "failures"),
	    json_is_true(json_object_get(server, "backup")) ? "  backup" : "");
	print_check(json_object_get(server, "check"));
	putchar('\n');
}

static void
print_pools(const json_t *pools)
{
	const json_t *pool, *server;
	size_t i, j;

	if (json_array_size(pools) > 0)
		printf("\n%-16s %-28s %-9s %7s %12s %10s\n", "pool", "server", "state",
		    "active", "requests", "failures");
	json_array_foreach(pools, i, pool)
	    json_array_foreach(json_object_get(pool, "servers"), j, server)
		print_server(control_text(pool, "name"), server);
}

static void
print_files(const json_t *files)
{
	const json_t *file;
	size_t i;

	if (json_array_size(files) > 0)
		puts("\nfiles");
	json_array_foreach(files, i, file)
	{
		printf("  %s, read %s\n", control_text(file, "path"),
		    control_text(file, "loaded"));
		if (json_is_true(json_object_get(file, "stale")))
			printf("    the one on disk is refused: %s\n",
			    control_text(file, "problem"));
	}
}

static void
print_names(const json_t *names)
{
	const json_t *name, *addresses, *address;
	size_t i, j;

	if (json_array_size(names) > 0)
		puts("\nnames of origins");
	json_array_foreach(names, i, name)
	{
		printf("  %s", control_text(name, "name"));
		addresses = json_object_get(name, "addresses");
		json_array_foreach(addresses, j, address)
		    printf("%s %s", j > 0 ? "," : "", json_string_value(address));
		putchar('\n');
		if (!json_is_string(json_object_get(name, "problem")))
			continue;
		printf("    can't be looked up for ");
		print_age(control_number(name, "age_seconds"));
		printf(": %s\n", control_text(name, "problem"));
	}
}

/* "blocked: waf 12, limit 3" */
static void
print_reasons(const char *label, json_t *reasons)
{
	const char *reason, *before = " ";
	json_t *count;

	printf("%-14s", label);
	json_object_foreach(reasons, reason, count)
	{
		if (json_integer_value(count) == 0)
			continue;
		printf("%s%s %lld", before, reason, (long long)json_integer_value(count));
		before = ", ";
	}
	puts(before[0] == ' ' ? " none" : "");
}

static void
print_requests(const json_t *requests)
{
	printf("%-14s %lld\n", "requests", control_number(requests, "answered"));
	print_reasons("blocked", json_object_get(requests, "blocked"));
	print_reasons("detected", json_object_get(requests, "detected"));
}

static void
print_log(const char *label, const json_t *log)
{
	if (json_is_object(log))
		printf("%-14s %lld lines, %lld dropped\n", label,
		    control_number(log, "written"), control_number(log, "dropped"));
}

static void
print_status(const json_t *s)
{
	const json_t *bans, *redis, *keys;
	long long nodes;

	bans = json_object_get(s, "bans");
	redis = json_object_get(s, "redis");
	keys = json_object_get(s, "limit_keys");
	printf("%-14s %s, yett %s, since %s\n", "node", control_text(s, "node"),
	    control_text(s, "version"), control_text(s, "started"));
	printf("%-14s %lld, %lld worker threads\n", "connections",
	    control_number(s, "connections"), control_number(s, "threads"));
	print_requests(json_object_get(s, "requests"));
	print_state("limits", json_object_get(s, "sharing"), "state");
	nodes = control_number(json_object_get(s, "sharing"), "nodes");
	printf(", %lld gateway%s\n", nodes, nodes == 1 ? "" : "s");
	printf("%-14s %lld, room for %lld\n", "limit keys", control_number(keys, "used"),
	    control_number(keys, "room"));
	if (json_is_object(redis)) {
		print_state("redis", redis, "link");
		putchar('\n');
	}
	printf("%-14s %lld, %lld in shadow, %lld on the way\n", "bans",
	    control_number(bans, "bans"), control_number(bans, "shadow"),
	    control_number(bans, "watched"));
	print_log("access log", json_object_get(s, "access_log"));
	print_log("audit log", json_object_get(s, "audit_log"));
	print_limits(json_object_get(s, "limits"));
	print_pools(json_object_get(s, "pools"));
	print_names(json_object_get(s, "names"));
	print_files(json_object_get(s, "files"));
}

static int
ask(const struct control_target *target, bool as_json)
{
	json_t *answer;
	struct err e;

	if (control_ask(target, json_pack("{s:s}", "command", "status"), &answer, &e) !=
	    ERR_OK)
		return (control_failed("status", &e));
	if (as_json)
		json_dumpf(answer, stdout, JSON_INDENT(2));
	else
		print_status(answer);
	if (as_json)
		putchar('\n');
	json_decref(answer);
	if (fflush(stdout) == 0)
		return (CLI_OK);
	perror("yett status: standard output");
	return (CLI_SYSTEM);
}

int
cli_status(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "socket", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct control_target target = { NULL, NULL };
	bool as_json = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		switch (c) {
		case 'j': as_json = true; break;
		case 's': target.socket = optarg; break;
		case 'c': target.config = optarg; break;
		case 'h': fputs(HELP, stdout); return (CLI_OK);
		default:
			return (usage("unknown option, or one without its value: ",
			    argv[optind - 1]));
		}
	if (optind < argc)
		return (usage("unexpected argument: ", argv[optind]));
	if (target.socket != NULL && target.config != NULL)
		return (usage("--socket and -c exclude each other", ""));
	return (ask(&target, as_json));
}
