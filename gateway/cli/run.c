/* SPDX-License-Identifier: Apache-2.0 */
/* yett run: the gateway in the foreground, and its signals. */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "gateway/base/clock.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/protect.h"
#include "gateway/control.h"
#include "gateway/reload.h"
#include "gateway/worker.h"

#define DRAIN_DEFAULT_S 30
#define TICK_S 10
#define DRAIN_NAP_NS (5 * 1000 * 1000)

struct run_options {
	const char *config;
	struct protect_options protect;
	int64_t drain_us;
};

static const char HELP[] =
    "usage: yett run [-c FILE] [--drain SECONDS]\n"
    "       yett run --protect URL [--listen ADDRESS:PORT] [--state FOLDER]\n"
    "\n"
    "Runs the gateway in the foreground.\n"
    "\n"
    "  -c, --config FILE      configuration (default " CLI_CONFIG_DEFAULT ")\n"
    "      --protect URL      no file: HTTPS in front of the app at URL, with a\n"
    "                         self-signed certificate and the Core Rule Set\n"
    "      --listen ADDRESS   with --protect: where to listen (default 0.0.0.0:8443)\n"
    "      --state FOLDER     with --protect: certificate and logs (default\n"
    "                         /var/lib/yett as root, else ~/.local/state/yett)\n"
    "      --drain SECONDS    how long SIGTERM waits for open requests (default 30)\n"
    "  -h, --help             this text\n"
    "\n"
    "signals: SIGTERM drains and ends, SIGINT ends at once, SIGUSR1 reopens the logs\n"
    "exit status: 0 ended as asked, 1 bad configuration, 2 wrong usage, 3 cannot start\n";

static int
usage(const char *problem, const char *argument)
{
	fprintf(stderr, "yett run: %s%s\ntry: yett run --help\n", problem, argument);
	return (CLI_USAGE);
}

/* CLI_OK: go on; -1: help was asked for. */
static int
parse_options(struct run_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "protect", required_argument, NULL, 'p' },
		{ "listen", required_argument, NULL, 'l' },
		{ "state", required_argument, NULL, 's' },
		{ "drain", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t seconds;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'p': o->protect.url = optarg; break;
		case 'l': o->protect.listen = optarg; break;
		case 's': o->protect.state = optarg; break;
		case 'd':
			if (!span_u64(span_of(optarg), &seconds) || seconds > 86400)
				return (usage(
				    "--drain takes 0 to 86400 seconds, found ", optarg));
			o->drain_us = (int64_t)seconds * CLOCK_SECOND;
			break;
		case 'h': fputs(HELP, stdout); return (-1);
		default:
			return (usage("unknown option, or one without its value: ",
			    argv[optind - 1]));
		}
	if (optind < argc)
		return (usage("unexpected argument: ", argv[optind]));
	if (o->config != NULL && o->protect.url != NULL)
		return (usage("-c and --protect exclude each other", ""));
	if (o->protect.url == NULL &&
	    (o->protect.listen != NULL || o->protect.state != NULL))
		return (usage("--listen and --state go with --protect", ""));
	return (CLI_OK);
}

static struct conf *
load(const struct run_options *o, struct conf_problems *problems)
{
	struct protect_options protect;
	struct conf *conf;
	struct text yaml;
	struct err e;

	if (o->protect.url == NULL)
		return (conf_load(
		    o->config != NULL ? o->config : CLI_CONFIG_DEFAULT, problems));
	protect = o->protect;
	if (protect.listen == NULL)
		protect.listen = "0.0.0.0:8443";
	text_init(&yaml, 1u << 16);
	conf = NULL;
	if (protect_configuration(&protect, &yaml, &e) == ERR_OK)
		conf = conf_load_text("--protect", text_span(&yaml), problems);
	else
		conf_problems_add(problems, &(struct conf_place){ 0 }, "", "%s", e.text);
	text_free(&yaml);
	return (conf);
}

static int
print_problems(struct conf_problems *problems)
{
	struct text line;
	size_t i;

	text_init(&line, 4096);
	for (i = 0; i < problems->n; i++) {
		text_reset(&line);
		conf_problem_text(&problems->v[i], &line);
		fprintf(stderr, "yett: %.*s\n", SPAN_FMT(text_span(&line)));
	}
	text_free(&line);
	conf_problems_free(problems);
	return (CLI_BAD_INPUT);
}

/* Client, origin and the file of a large body for each connection, and some for the
 * rest. */
static void
raise_descriptors(const struct conf *conf)
{
	struct rlimit limit;
	rlim_t need;

	need = 3 * (rlim_t)conf->max.connections + 256;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < need)
		log_warn("run",
		    "open files are limited to %llu; max.connections of %u may "
		    "need %llu (ulimit -n, LimitNOFILE)",
		    (unsigned long long)limit.rlim_cur, conf->max.connections,
		    (unsigned long long)need);
}

static void
say_ready(const struct snapshot *snap)
{
	const struct conf_listener *listener;
	char address[NETADDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < snap->conf->n_listeners; i++) {
		listener = &snap->conf->listeners[i];
		log_info("run", "listening on %s%s",
		    netaddr_text(&listener->address, address),
		    listener->tls ? " (TLS)" : "");
	}
	log_info("run", "ready: yett %s, %u worker threads, %zu sites, libmodsecurity %s",
	    PACKAGE_VERSION, snap->conf->threads, snap->conf->n_sites,
	    waf_engine_version());
}

/* Until the last request is answered, the time is up, or SIGINT says at once. */
static void
drain(struct workers *workers, const sigset_t *signals, int64_t drain_us)
{
	static const struct timespec nap = { 0, DRAIN_NAP_NS };
	int64_t end;

	log_info("run", "draining: SIGTERM");
	workers_drain(workers);
	end = clock_mono_us() + drain_us;
	while (!workers_ended(workers)) {
		if (clock_mono_us() >= end) {
			log_warn("run", "drain deadline passed: closing what is open");
			return;
		}
		switch (sigtimedwait(signals, NULL, &nap)) {
		case SIGINT: log_info("run", "stopping: SIGINT"); return;
		case SIGUSR1: log_reopen(); break;
		default: break;
		}
	}
}

/* Until a signal ends it. */
static void
serve(struct snapshot *snap, struct workers *workers, const sigset_t *signals,
    int64_t drain_us)
{
	static const struct timespec tick = { TICK_S, 0 };

	for (;;) {
		switch (sigtimedwait(signals, NULL, &tick)) {
		case SIGTERM: drain(workers, signals, drain_us); return;
		case SIGINT: log_info("run", "stopping: SIGINT"); return;
		case SIGUSR1: log_reopen(); break;
		case SIGHUP:
			log_warn(
			    "run", "SIGHUP: reload is not built yet, nothing changed");
			break;
		default: snapshot_tick(snap);
		}
	}
}

static void
own_signals(sigset_t *signals)
{
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGUSR1);
	sigaddset(signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
}

static int
run_snapshot(struct snapshot *snap, const sigset_t *signals, int64_t drain_us)
{
	struct workers *workers;
	struct control *control;
	struct err e;

	raise_descriptors(snap->conf);
	if (workers_start(&workers, snap, &e) != ERR_OK) {
		log_error("run", "%s", e.text);
		return (CLI_SYSTEM);
	}
	if (control_start(&control, snap, workers, &e) != ERR_OK) {
		log_error("run", "%s", e.text);
		workers_stop(&workers);
		return (CLI_SYSTEM);
	}
	say_ready(snap);
	serve(snap, workers, signals, drain_us);
	control_stop(control);
	workers_stop(&workers);
	control_free(&control);
	log_info("run", "ended");
	return (CLI_OK);
}

int
cli_run(int argc, char **argv)
{
	struct run_options o = { .drain_us = DRAIN_DEFAULT_S * CLOCK_SECOND };
	struct conf_problems problems = { 0 };
	struct snapshot *snap;
	struct conf *conf;
	sigset_t signals;
	struct err e;
	int rc;

	rc = parse_options(&o, argc, argv);
	if (rc != CLI_OK)
		return (rc < 0 ? CLI_OK : rc);
	own_signals(&signals);
	conf = load(&o, &problems);
	if (conf == NULL)
		return (print_problems(&problems));
	log_set_level((enum log_level)conf->logs.error.level);
	if (log_start(conf->logs.error.path, &e) != ERR_OK) {
		fprintf(stderr, "yett: logs.error.path: %s\n", e.text);
		conf_free(&conf);
		return (CLI_SYSTEM);
	}
	snap = snapshot_new(conf, true, &problems);
	if (snap == NULL) {
		log_stop();
		return (print_problems(&problems));
	}
	rc = run_snapshot(snap, &signals, o.drain_us);
	log_stop();
	snapshot_free(&snap);
	conf_problems_free(&problems);
	return (rc);
}
