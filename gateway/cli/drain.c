/* SPDX-License-Identifier: Apache-2.0 */
/* yett drain: a server of a pool gets no new requests. */
#include "config.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "gateway/cli/cli.h"
#include "gateway/cli/control_client.h"

static const char HELP[] =
    "usage: yett drain [--undo] POOL SERVER\n"
    "\n"
    "Gives a server of a pool no new requests; those that it has go on, and clients\n"
    "who have its sticky cookie keep it. SERVER is an address as yett status shows it,\n"
    "or host:port of its url, which means all its addresses. It ends with the gateway's\n"
    "process.\n"
    "\n"
    "      --undo             take the server back\n"
    "      --socket PATH      the gateway's control socket\n"
    "  -c, --config FILE      take admin.socket from this configuration (default\n"
    "                         " CLI_CONFIG_DEFAULT ", else " CONTROL_SOCKET_DEFAULT ")\n"
    "  -h, --help             this text\n"
    "\n"
    "exit status: 0 done, 1 refused (no such pool or server, bad configuration), 2 "
    "wrong\n"
    "usage, 3 no gateway there\n";

static int
usage(const char *problem, const char *argument)
{
	fprintf(stderr, "yett drain: %s%s\ntry: yett drain --help\n", problem, argument);
	return (CLI_USAGE);
}

static int
ask(const struct control_target *target, const char *pool, const char *server, bool undo)
{
	json_t *question, *answer;
	struct err e;

	question = json_pack("{s:s,s:b}", "command", "pool.drain", "undo", undo);
	json_object_set_new(question, "pool", json_string(pool));
	json_object_set_new(question, "server", json_string(server));
	if (control_ask(target, question, &answer, &e) != ERR_OK)
		return (control_failed("drain", &e));
	printf("%s: %s %s (%lld address%s)\n", pool, server,
	    undo ? "is in service again" : "is drained",
	    control_number(answer, "servers"),
	    control_number(answer, "servers") == 1 ? "" : "es");
	json_decref(answer);
	if (fflush(stdout) == 0)
		return (CLI_OK);
	perror("yett drain: standard output");
	return (CLI_SYSTEM);
}

int
cli_drain(int argc, char **argv)
{
	static const struct option options[] = {
		{ "undo", no_argument, NULL, 'u' },
		{ "socket", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct control_target target = { NULL, NULL };
	bool undo = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		switch (c) {
		case 'u': undo = true; break;
		case 's': target.socket = optarg; break;
		case 'c': target.config = optarg; break;
		case 'h': fputs(HELP, stdout); return (CLI_OK);
		default:
			return (usage("unknown option, or one without its value: ",
			    argv[optind - 1]));
		}
	if (target.socket != NULL && target.config != NULL)
		return (usage("--socket and -c exclude each other", ""));
	if (argc - optind < 2)
		return (usage("which server? POOL SERVER", ""));
	if (argc - optind > 2)
		return (usage("unexpected argument: ", argv[optind + 2]));
	return (ask(&target, argv[optind], argv[optind + 1], undo));
}
