/* SPDX-License-Identifier: Apache-2.0 */
/* yett ban: who is shut out. */
#include "config.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/control_client.h"
#include "gateway/conf/value.h"

#define IDS_SHOWN 3

static const char HELP[] =
    "usage: yett ban list [--json]\n"
    "       yett ban add ADDRESS[/BITS] [--for TIME] [--reason TEXT]\n"
    "       yett ban lift ADDRESS[/BITS] | --all\n"
    "\n"
    "Lists who is banned, until when and why, with the ids of the requests that\n"
    "led to it (yett explain ID tells more); bans by hand; lifts bans. A lone IPv6\n"
    "address stands for its client, which is a whole prefix (identity.ipv6_prefix).\n"
    "Gateways that share a Redis hear of it within a second.\n"
    "\n"
    "      --json             print the answer as it came\n"
    "      --for TIME         how long, as 30m, 12h, 7d (default: bans.for)\n"
    "      --reason TEXT      why, for whoever reads the list\n"
    "      --all              lift every ban\n"
    "      --socket PATH      the gateway's control socket\n"
    "  -c, --config FILE      take admin.socket from this configuration (default\n"
    "                         " CLI_CONFIG_DEFAULT ", else " CONTROL_SOCKET_DEFAULT ")\n"
    "  -h, --help             this text\n"
    "\n"
    "exit status: 0 done, 1 refused (no such ban, bad configuration), 2 wrong usage,\n"
    "3 no gateway there\n";

struct ban_options {
	struct control_target target;
	const char *length, *reason;
	bool as_json, all;
};

static int
usage(const char *problem, const char *argument)
{
	fprintf(stderr, "yett ban: %s%s\ntry: yett ban --help\n", problem, argument);
	return (CLI_USAGE);
}

static int
finish(void)
{
	if (fflush(stdout) == 0)
		return (CLI_OK);
	perror("yett ban: standard output");
	return (CLI_SYSTEM);
}

/* --- list ----------------------------------------------------------------- */

static const char *
rest_text(long long seconds, char out[static 32])
{
	if (seconds >= 86400)
		snprintf(out, 32, "%lldd %lldh", seconds / 86400, seconds % 86400 / 3600);
	else if (seconds >= 3600)
		snprintf(out, 32, "%lldh %lldm", seconds / 3600, seconds % 3600 / 60);
	else if (seconds >= 60)
		snprintf(out, 32, "%lldm %llds", seconds / 60, seconds % 60);
	else
		snprintf(out, 32, "%llds", seconds);
	return (out);
}

/* The newest, which is what explains best. */
static void
print_ids(const json_t *ids)
{
	size_t n = json_array_size(ids), i;

	if (n == 0)
		return;
	printf("    ids");
	for (i = n > IDS_SHOWN ? n - IDS_SHOWN : 0; i < n; i++)
		printf(" %s", json_string_value(json_array_get(ids, i)));
	if (n > IDS_SHOWN)
		printf(" and %zu before", n - IDS_SHOWN);
	putchar('\n');
}

/* What another gateway's operator wrote must not drive this terminal. */
static void
print_plain(const char *text)
{
	for (; *text != '\0'; text++)
		putchar((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
}

static void
print_list(const json_t *answer)
{
	const json_t *bans = json_object_get(answer, "bans"), *ban;
	char rest[32];
	size_t i;

	if (json_array_size(bans) == 0) {
		puts("nobody is banned");
		return;
	}
	printf("%-43s %-10s %5s %-8s %-16s %s\n", "client", "left", "level", "by", "node",
	    "reason");
	json_array_foreach(bans, i, ban)
	{
		printf("%-43s %-10s %5lld %-8s ", control_text(ban, "client"),
		    rest_text(control_number(ban, "seconds_left"), rest),
		    control_number(ban, "level"), control_text(ban, "by"));
		printf("%-16s ", control_text(ban, "node"));
		if (strcmp(control_text(ban, "mode"), "shadow") == 0)
			printf("(shadow) ");
		print_plain(control_text(ban, "reason"));
		putchar('\n');
		print_ids(json_object_get(ban, "ids"));
	}
	if (control_number(answer, "left_out") > 0)
		printf("and %lld more\n", control_number(answer, "left_out"));
}

/* --- commands ------------------------------------------------------------- */

/* Takes the question over; NULL when it failed and *rc_r says how. */
static json_t *
ask(const struct ban_options *o, json_t *question, int *rc_r)
{
	json_t *answer;
	struct err e;

	if (control_ask(&o->target, question, &answer, &e) != ERR_OK) {
		*rc_r = control_failed("ban", &e);
		return (NULL);
	}
	return (answer);
}

static int
ban_list(const struct ban_options *o, const char *client)
{
	json_t *answer;
	int rc = CLI_SYSTEM;

	if (client != NULL || o->all || o->length != NULL || o->reason != NULL)
		return (usage("list takes --json only", ""));
	answer = ask(o, json_pack("{s:s}", "command", "ban.list"), &rc);
	if (answer == NULL)
		return (rc);
	if (o->as_json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_list(answer);
	}
	json_decref(answer);
	return (finish());
}

static int
ban_add(const struct ban_options *o, const char *client)
{
	json_t *question, *answer;
	int64_t length;
	int rc = CLI_SYSTEM;

	if (client == NULL || o->all)
		return (usage("add: who? an address or prefix is missing", ""));
	if (o->length != NULL &&
	    (!value_duration(span_of(o->length), &length) || length < CLOCK_SECOND))
		return (usage(
		    "--for: a time like 30m, 12h or 7d is allowed, found: ", o->length));
	question = json_pack("{s:s, s:s}", "command", "ban.add", "client", client);
	if (question == NULL)
		return (usage("not an address: it is not UTF-8", ""));
	if (o->length != NULL)
		json_object_set_new(
		    question, "seconds", json_integer(length / CLOCK_SECOND));
	if (o->reason != NULL &&
	    json_object_set_new(question, "reason", json_string(o->reason)) != 0) {
		json_decref(question);
		return (usage("--reason: the text is not UTF-8", ""));
	}
	answer = ask(o, question, &rc);
	if (answer == NULL)
		return (rc);
	printf("%s is banned until %s\n", control_text(answer, "client"),
	    control_text(answer, "until"));
	json_decref(answer);
	return (finish());
}

static int
ban_lift(const struct ban_options *o, const char *client)
{
	json_t *question, *answer;
	int rc = CLI_SYSTEM;

	if ((client == NULL) != o->all)
		return (usage("lift: one ADDRESS[/BITS], or --all", ""));
	question = o->all
		       ? json_pack("{s:s, s:b}", "command", "ban.lift", "all", 1)
		       : json_pack("{s:s, s:s}", "command", "ban.lift", "client", client);
	if (question == NULL)
		return (usage("not an address: it is not UTF-8", ""));
	answer = ask(o, question, &rc);
	if (answer == NULL)
		return (rc);
	if (o->all)
		printf("%lld bans lifted\n", control_number(answer, "lifted"));
	else
		printf("%s is not banned any more\n", control_text(answer, "client"));
	json_decref(answer);
	return (finish());
}

static const struct {
	const char *name;
	int (*run)(const struct ban_options *, const char *client);
} COMMANDS[] = {
	{ "list", ban_list },
	{ "add", ban_add },
	{ "lift", ban_lift },
};

/* CLI_OK: go on; -1: help was asked for. */
static int
parse_options(struct ban_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "for", required_argument, NULL, 'f' },
		{ "reason", required_argument, NULL, 'r' },
		{ "all", no_argument, NULL, 'a' },
		{ "socket", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		switch (c) {
		case 'j': o->as_json = true; break;
		case 'f': o->length = optarg; break;
		case 'r': o->reason = optarg; break;
		case 'a': o->all = true; break;
		case 's': o->target.socket = optarg; break;
		case 'c': o->target.config = optarg; break;
		case 'h': fputs(HELP, stdout); return (-1);
		default:
			return (usage("unknown option, or one without its value: ",
			    argv[optind - 1]));
		}
	if (o->target.socket != NULL && o->target.config != NULL)
		return (usage("--socket and -c exclude each other", ""));
	return (CLI_OK);
}

int
cli_ban(int argc, char **argv)
{
	struct ban_options o = { { NULL, NULL }, NULL, NULL, false, false };
	size_t i;
	int rc = CLI_SYSTEM;

	rc = parse_options(&o, argc, argv);
	if (rc != CLI_OK)
		return (rc < 0 ? CLI_OK : rc);
	if (optind >= argc)
		return (usage("what? list, add or lift is missing", ""));
	if (optind + 2 < argc)
		return (usage("unexpected argument: ", argv[optind + 2]));
	for (i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
		if (strcmp(argv[optind], COMMANDS[i].name) == 0)
			return (COMMANDS[i].run(
			    &o, optind + 1 < argc ? argv[optind + 1] : NULL));
	return (usage("allowed: list, add, lift; found: ", argv[optind]));
}
