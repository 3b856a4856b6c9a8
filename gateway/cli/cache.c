/* SPDX-License-Identifier: Apache-2.0 */
/* yett cache: figures of the cache, and taking answers out. */
#include "config.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/control_client.h"

static const char HELP[] =
    "usage: yett cache stats [--json]\n"
    "       yett cache purge URL... | tag NAME... | all\n"
    "\n"
    "Shows what the cache holds and how often it answered, or takes answers out of it:\n"
    "those of a URL with all their variants, those that their origin gave a name by\n"
    "Surrogate-Key, or all. What is on its way from an origin meanwhile is not kept.\n"
    "\n"
    "      --json             print the answer as it came\n"
    "      --socket PATH      the gateway's control socket\n"
    "  -c, --config FILE      take admin.socket from this configuration (default\n"
    "                         " CLI_CONFIG_DEFAULT ", else " CONTROL_SOCKET_DEFAULT ")\n"
    "  -h, --help             this text\n"
    "\n"
    "exit status: 0 done (purged 0 is done, too), 1 refused (no cache there, not a "
    "URL),\n"
    "2 wrong usage, 3 no gateway there\n";

struct request_line {
	struct control_target target;
	bool as_json;
};

static int
usage(const char *problem, const char *argument)
{
	fprintf(stderr, "yett cache: %s%s\ntry: yett cache --help\n", problem, argument);
	return (CLI_USAGE);
}

static void
print_stats(const json_t *a)
{
	long long hits, misses;

	hits = control_number(a, "hit") + control_number(a, "stale");
	misses = control_number(a, "miss") + control_number(a, "validated") +
		 control_number(a, "collapsed");
	printf("%-12s %lld of %lld bytes\n", "memory", control_number(a, "used"),
	    control_number(a, "memory"));
	printf("%-12s %lld under %lld keys\n", "answers", control_number(a, "objects"),
	    control_number(a, "keys"));
	printf("%-12s %lld, %.1f %%; stale %lld\n", "hits", hits,
	    hits + misses > 0 ? 100.0 * (double)hits / (double)(hits + misses) : 0.0,
	    control_number(a, "stale"));
	printf("%-12s %lld; validated %lld, with another request's %lld\n", "misses",
	    control_number(a, "miss"), control_number(a, "validated"),
	    control_number(a, "collapsed"));
	printf("%-12s %lld\n", "past it", control_number(a, "bypass"));
	printf("%-12s %lld, evicted %lld, purged %lld, no room for %lld\n", "kept",
	    control_number(a, "inserted"), control_number(a, "evicted"),
	    control_number(a, "purged"), control_number(a, "refused"));
	printf("%-12s %lld, %lld wait for them\n", "under way",
	    control_number(a, "under_way"), control_number(a, "waiting"));
}

/* One question; what it purged is added up. */
static int
ask(const struct request_line *line, json_t *question, long long *purged)
{
	json_t *answer;
	struct err e;

	if (control_ask(&line->target, question, &answer, &e) != ERR_OK)
		return (control_failed("cache", &e));
	if (line->as_json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (purged == NULL) {
		print_stats(answer);
	}
	if (purged != NULL)
		*purged += control_number(answer, "purged");
	json_decref(answer);
	return (CLI_OK);
}

/* Each of the words by itself. */
static int
purge_each(const struct request_line *line, const char *kind, char **words, int n)
{
	long long purged = 0;
	int rc = CLI_OK, i;

	for (i = 0; i < n && rc == CLI_OK; i++)
		rc = ask(line,
		    json_pack("{s:s,s:s?}", "command", "cache.purge", kind, words[i]),
		    &purged);
	if (rc == CLI_OK && !line->as_json)
		printf("%lld purged\n", purged);
	return (rc);
}

static int
purge(const struct request_line *line, char **words, int n)
{
	long long purged = 0;
	int rc, i;

	if (strcmp(words[0], "tag") == 0)
		return (n > 1 ? purge_each(line, "tag", words + 1, n - 1)
			      : usage("which tag?", ""));
	if (n == 1 && strcmp(words[0], "all") == 0) {
		rc = ask(line, json_pack("{s:s,s:b}", "command", "cache.purge", "all", 1),
		    &purged);
		if (rc == CLI_OK && !line->as_json)
			printf("%lld purged\n", purged);
		return (rc);
	}
	for (i = 0; i < n; i++)
		if (strstr(words[i], "://") == NULL)
			return (usage("neither all, tag nor a URL: ", words[i]));
	return (purge_each(line, "url", words, n));
}

static int
run(const struct request_line *line, char **words, int n)
{
	int rc;

	if (strcmp(words[0], "stats") == 0 && n == 1)
		rc = ask(line, json_pack("{s:s}", "command", "cache.stats"), NULL);
	else if (strcmp(words[0], "stats") == 0)
		return (usage("stats takes no argument: ", words[1]));
	else if (strcmp(words[0], "purge") != 0)
		return (usage("neither stats nor purge: ", words[0]));
	else if (n == 1)
		return (usage("what: a URL, tag NAME or all?", ""));
	else
		rc = purge(line, words + 1, n - 1);
	if (fflush(stdout) != 0) {
		perror("yett cache: standard output");
		return (CLI_SYSTEM);
	}
	return (rc);
}

int
cli_cache(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "socket", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct request_line line = { { NULL, NULL }, false };
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		switch (c) {
		case 'j': line.as_json = true; break;
		case 's': line.target.socket = optarg; break;
		case 'c': line.target.config = optarg; break;
		case 'h': fputs(HELP, stdout); return (CLI_OK);
		default:
			return (usage("unknown option, or one without its value: ",
			    argv[optind - 1]));
		}
	if (line.target.socket != NULL && line.target.config != NULL)
		return (usage("--socket and -c exclude each other", ""));
	if (optind == argc)
		return (usage("what: stats or purge?", ""));
	return (run(&line, argv + optind, argc - optind));
}
