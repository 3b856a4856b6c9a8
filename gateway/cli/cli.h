/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cli/cli.h - the subcommands of yett. Each gets the arguments from its
 * own name on and returns the exit code of the process. Main thread. */
#ifndef YETT_CLI_H
#define YETT_CLI_H

/* Exit codes: a contract with users. */
enum cli_exit {
	CLI_OK = 0,
	CLI_BAD_INPUT = 1,	/* configuration, rules, certificate, unknown id */
	CLI_USAGE = 2,		/* the command was called wrongly */
	CLI_SYSTEM = 3,		/* cannot open, bind, start */
};

#define CLI_CONFIG_DEFAULT "/etc/yett/yett.yaml"

int cli_run(int argc, char **argv);
int cli_cache(int argc, char **argv);
int cli_geo(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_schema(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_limit(int argc, char **argv);
int cli_ban(int argc, char **argv);
int cli_drain(int argc, char **argv);
int cli_version(int argc, char **argv);

#endif
