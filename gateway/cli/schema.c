/* SPDX-License-Identifier: Apache-2.0 */
/* yett schema: the JSON Schema of the configuration, or its reference page. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>

#include "gateway/cli/cli.h"
#include "gateway/conf/reference.h"

static const char HELP[] =
    "usage: yett schema [--reference]\n"
    "\n"
    "Prints the JSON Schema (draft 2020-12) of the configuration, for editors and\n"
    "other tools.\n"
    "\n"
    "      --reference        print the reference page instead, in Markdown\n"
    "  -h, --help             this text\n"
    "\n"
    "exit status: 0 printed, 2 wrong usage, 3 cannot write\n";

static int
usage(const char *problem, const char *argument)
{
	fprintf(
	    stderr, "yett schema: %s%s\ntry: yett schema --help\n", problem, argument);
	return (CLI_USAGE);
}

static int
print(void (*make)(struct text *))
{
	struct text out;
	size_t written;
	bool whole;

	text_init(&out, 1u << 22);
	make(&out);
	written = fwrite(out.p, 1, out.n, stdout);
	whole = written == out.n && fflush(stdout) == 0;
	text_free(&out);
	if (whole)
		return (CLI_OK);
	perror("yett schema: standard output");
	return (CLI_SYSTEM);
}

int
cli_schema(int argc, char **argv)
{
	static const struct option options[] = {
		{ "reference", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	void (*make)(struct text *) = conf_schema;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (c) {
		case 'r': make = conf_reference; break;
		case 'h': fputs(HELP, stdout); return (CLI_OK);
		default: return (usage("unknown option: ", argv[optind - 1]));
		}
	if (optind < argc)
		return (usage("unexpected argument: ", argv[optind]));
	return (print(make));
}
