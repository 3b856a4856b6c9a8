/* SPDX-License-Identifier: Apache-2.0 */
/* The command: finds the subcommand and hands over. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "gateway/cli/cli.h"

static const struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} SUBCOMMANDS[] = {
	{ "run", cli_run, "run the gateway" },
	{ "check", cli_check, "test a configuration, certificates and rules" },
	{ "explain", cli_explain,
	    "tell why a request was refused, and what would let it pass" },
	{ "ban", cli_ban, "list, add or lift bans" },
	{ "cache", cli_cache, "figures of the cache, and purging it" },
	{ "geo", cli_geo, "tell the country and network of addresses" },
	{ "drain", cli_drain,
	    "give a server of a pool no new requests, or take it back" },
	{ "limit", cli_limit, "show one key of a rate limit, or let it start over" },
	{ "schema", cli_schema,
	    "print the configuration's JSON Schema or reference page" },
	{ "status", cli_status, "tell how the running gateway is" },
	{ "version", cli_version, "print versions and the engine's known holes" },
};
#define N_SUBCOMMANDS (sizeof(SUBCOMMANDS) / sizeof(SUBCOMMANDS[0]))

static void
help(FILE *out)
{
	size_t i;

	fputs("usage: yett COMMAND [OPTIONS]\n\n"
	      "Yett is a WAF gateway: it stands in front of a web app, inspects every\n"
	      "request, and says why it refused what it refused.\n\ncommands:\n",
	    out);
	for (i = 0; i < N_SUBCOMMANDS; i++)
		fprintf(out, "  %-9s %s\n", SUBCOMMANDS[i].name, SUBCOMMANDS[i].what);
	fputs("\nyett COMMAND --help tells more, and so does yett(1).\n"
	      "To begin: yett run --protect http://127.0.0.1:3000\n",
	    out);
}

int
main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		help(stderr);
		return (CLI_USAGE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		help(stdout);
		return (CLI_OK);
	}
	if (strcmp(argv[1], "--version") == 0)
		argv[1] = argv[1] + 2;
	for (i = 0; i < N_SUBCOMMANDS; i++)
		if (strcmp(argv[1], SUBCOMMANDS[i].name) == 0)
			return (SUBCOMMANDS[i].run(argc - 1, argv + 1));
	fprintf(stderr, "yett: no command \"%s\"\ntry: yett --help\n", argv[1]);
	return (CLI_USAGE);
}
