/* SPDX-License-Identifier: Apache-2.0 */
/* yett limit: one key of a rate limit. */
#include "config.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/control_client.h"

static const char HELP[] =
    "usage: yett limit show [--json] KEY | LIMIT VALUE...\n"
    "       yett limit reset KEY | LIMIT VALUE...\n"
    "\n"
    "Shows how many tokens one key of a rate limit has left, or fills its bucket\n"
    "again. KEY is what the record of a refusal has as limit.key, for example\n"
    "'login|192.0.2.7|/login'; or name the limit and one value for each part of its\n"
    "key: yett limit show login 192.0.2.7 /login. A value of - stands for requests\n"
    "that have none. Gateways that share a Redis share the bucket; one that knows it\n"
    "to be empty denies the key until there are tokens again, unless it is asked to\n"
    "reset it, too.\n"
    "\n"
    "      --json             print the answer as it came\n"
    "      --socket PATH      the gateway's control socket\n"
    "  -c, --config FILE      take admin.socket from this configuration (default\n"
    "                         " CLI_CONFIG_DEFAULT ", else " CONTROL_SOCKET_DEFAULT ")\n"
    "  -h, --help             this text\n"
    "\n"
    "exit status: 0 done, 1 refused (no such limit, bad configuration, Redis does not\n"
    "answer), 2 wrong usage, 3 no gateway there\n";

static int
usage(const char *problem, const char *argument)
{
	fprintf(stderr, "yett limit: %s%s\ntry: yett limit --help\n", problem, argument);
	return (CLI_USAGE);
}

static json_t *
make_question(const char *command, char **words, int n)
{
	json_t *question, *values, *value;
	int i;

	question = json_pack("{s:s}", "command", command);
	if (n == 1 && strchr(words[0], '|') != NULL) {
		value = json_string(words[0]); /* NULL: not UTF-8 */
		json_object_set_new(question, "key", value);
		return (question);
	}
	json_object_set_new(question, "limit", json_string(words[0]));
	values = json_array();
	for (i = 1; i < n; i++) {
		value = strcmp(words[i], "-") == 0 ? json_null() : json_string(words[i]);
		json_array_append_new(values, value);
	}
	json_object_set_new(question, "values", values);
	return (question);
}

static bool
has_problem(const json_t *answer)
{
	return (json_object_get(json_object_get(answer, "redis"), "problem") != NULL);
}

static void
print_bucket(const char *label, const json_t *bucket, long long burst)
{
	double full = json_number_value(json_object_get(bucket, "full_in_seconds"));

	printf("%-8s %lld of %lld left", label,
	    (long long)json_integer_value(json_object_get(bucket, "remaining")), burst);
	if (full > 0)
		printf(", full in %.1f s", full);
}

static void
print_shown(const json_t *answer)
{
	const json_t *redis = json_object_get(answer, "redis");
	const json_t *here = json_object_get(answer, "here");
	long long burst = json_integer_value(json_object_get(answer, "burst"));
	double denied = json_number_value(json_object_get(here, "denied_for_seconds"));

	printf("%-8s %s, %s, burst %lld\n", "limit", control_text(answer, "limit"),
	    control_text(answer, "rate"), burst);
	printf("%-8s %s\n", "key", control_text(answer, "key"));
	if (has_problem(answer)) {
		printf("%-8s %s\n", "redis", control_text(redis, "problem"));
	} else if (json_is_object(redis)) {
		print_bucket("redis", redis, burst);
		putchar('\n');
	}
	if (json_is_object(redis))
		printf("%-8s %lld on lease", "here",
		    (long long)json_integer_value(json_object_get(here, "lease")));
	else
		print_bucket("here", here, burst);
	if (denied > 0)
		printf(", denied for %.1f s", denied);
	putchar('\n');
}

static int
finish(const json_t *answer)
{
	if (fflush(stdout) != 0) {
		perror("yett limit: standard output");
		return (CLI_SYSTEM);
	}
	if (!has_problem(answer))
		return (CLI_OK);
	fprintf(stderr, "yett limit: Redis: %s\n",
	    control_text(json_object_get(answer, "redis"), "problem"));
	return (CLI_BAD_INPUT);
}

static int
ask(const struct control_target *target, bool as_json, char **words, int n)
{
	bool resets = strcmp(words[0], "reset") == 0;
	json_t *answer;
	struct err e;
	int rc;

	if (control_ask(target,
		make_question(resets ? "limit.reset" : "limit.show", words + 1, n - 1),
		&answer, &e) != ERR_OK)
		return (control_failed("limit", &e));
	if (as_json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (resets) {
		printf("%s starts over%s\n", control_text(answer, "key"),
		    has_problem(answer) ? " here, perhaps not in Redis" : "");
	} else {
		print_shown(answer);
	}
	rc = finish(answer);
	json_decref(answer);
	return (rc);
}

int
cli_limit(int argc, char **argv)
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
	if (target.socket != NULL && target.config != NULL)
		return (usage("--socket and -c exclude each other", ""));
	if (optind == argc)
		return (usage("what: show or reset?", ""));
	if (strcmp(argv[optind], "show") != 0 && strcmp(argv[optind], "reset") != 0)
		return (usage("neither show nor reset: ", argv[optind]));
	if (optind + 1 == argc)
		return (usage("which key?", ""));
	return (ask(&target, as_json, argv + optind, argc - optind));
}
