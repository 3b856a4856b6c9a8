/* SPDX-License-Identifier: Apache-2.0 */
/* yett geo: what the databases say of an address, as the gateway sees it. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/json.h"
#include "gateway/base/log.h"
#include "gateway/cli/cli.h"
#include "gateway/conf/conf.h"
#include "geo/geo.h"

static const char HELP[] =
    "usage: yett geo [-v] [-c FILE | --country FILE --asn FILE] ADDRESS...\n"
    "\n"
    "Tells where addresses are: one line of JSON for each, with the country, the\n"
    "continent and the network (AS number) that access lists and limits see. An\n"
    "address that is not of the public internet is \"private\", one that no database\n"
    "knows \"unknown\".\n"
    "\n"
    "  -c, --config FILE      use the databases of this configuration (default\n"
    "                         " CLI_CONFIG_DEFAULT ")\n"
    "      --country FILE     use this database of countries\n"
    "      --asn FILE         use this database of networks\n"
    "  -v, --verbose          tell first what the databases hold, on standard error\n"
    "  -h, --help             this text\n"
    "\n"
    "exit status: 0 answered, 1 bad address, database or configuration, 2 wrong\n"
    "usage, 3 cannot open or write\n";

struct ask {
	const char *config;
	struct conf_geo files;
	bool verbose;
	char **addresses;
	int n;
};

static int
usage(const char *problem, const char *argument)
{
	fprintf(stderr, "yett geo: %s%s\ntry: yett geo --help\n", problem, argument);
	return (CLI_USAGE);
}

static void
put_place(struct text *out, const struct netaddr *addr, const struct geo_place *place)
{
	char text[NETADDR_TEXT_MAX];
	struct json_out json;

	json_start(&json, out);
	json_object_begin(&json);
	json_pair(&json, "address", span_of(netaddr_ip_text(addr, text)));
	json_pair(&json, "country", span_of(place->country));
	json_pair(&json, "continent", span_of(place->continent));
	if (place->asn != 0)
		json_pair_int(&json, "asn", place->asn);
	else
		json_pair(&json, "asn", SPAN_NONE);
	json_pair(&json, "organisation",
	    place->organisation[0] != '\0' ? span_of(place->organisation) : SPAN_NONE);
	json_object_end(&json);
	text_putc(out, '\n');
}

/* All that can be answered are, whatever else was asked for. */
static int
answer(const struct geo *geo, const struct ask *ask)
{
	struct geo_place place;
	struct netaddr addr;
	struct text out;
	int i, rc = CLI_OK;

	text_init(&out, 4096);
	for (i = 0; i < ask->n; i++) {
		if (!netaddr_parse_ip(&addr, span_of(ask->addresses[i]))) {
			fprintf(stderr,
			    "yett geo: %s: not an address; allowed: 192.0.2.1, "
			    "2001:db8::1\n",
			    ask->addresses[i]);
			rc = CLI_BAD_INPUT;
			continue;
		}
		addr = netaddr_unwrap(&addr);
		geo_find(geo, &addr, &place);
		text_reset(&out);
		put_place(&out, &addr, &place);
		fwrite(out.p, 1, out.n, stdout);
	}
	text_free(&out);
	if (fflush(stdout) == 0)
		return (rc);
	perror("yett geo: standard output");
	return (CLI_SYSTEM);
}

static int
open_and_answer(const struct conf_geo *files, const struct ask *ask)
{
	struct geo *geo = NULL;
	enum err_code code;
	struct err e;
	int rc;

	code = geo_new(&geo, files, &e);
	if (code != ERR_OK) {
		fprintf(stderr, "yett geo: %s\n", e.text);
		return (code == ERR_IO ? CLI_SYSTEM : CLI_BAD_INPUT);
	}
	if (!geo_is_on(geo))
		fprintf(stderr, "yett geo: the configuration names no database: every "
				"public address is unknown\n");
	rc = answer(geo, ask);
	geo_free(&geo);
	return (rc);
}

static int
from_configuration(const struct ask *ask)
{
	const char *file = ask->config != NULL ? ask->config : CLI_CONFIG_DEFAULT;
	struct conf_problems problems;
	struct conf *conf;
	int rc;

	if (access(file, R_OK) != 0) {
		fprintf(stderr, "yett geo: %s: %s%s\n", file, strerror(errno),
		    ask->config == NULL ? "; or name databases: --country FILE" : "");
		return (CLI_SYSTEM);
	}
	conf = conf_load(file, &problems);
	conf_problems_free(&problems);
	if (conf == NULL) {
		fprintf(stderr,
		    "yett geo: %s: cannot be read as a configuration: see yett check -c "
		    "%s\n",
		    file, file);
		return (CLI_BAD_INPUT);
	}
	rc = open_and_answer(&conf->geo, ask);
	conf_free(&conf);
	return (rc);
}

int
cli_geo(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "country", required_argument, NULL, 'C' },
		{ "asn", required_argument, NULL, 'A' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct ask ask = { .files = { .country = "", .asn = "" } };
	bool named;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "c:vh", options, NULL)) != -1)
		switch (c) {
		case 'c': ask.config = optarg; break;
		case 'C': ask.files.country = optarg; break;
		case 'A': ask.files.asn = optarg; break;
		case 'v': ask.verbose = true; break;
		case 'h': fputs(HELP, stdout); return (CLI_OK);
		default:
			return (usage("unknown option, or one without its value: ",
			    argv[optind - 1]));
		}
	if (optind == argc)
		return (usage("no address", ""));
	named = ask.files.country[0] != '\0' || ask.files.asn[0] != '\0';
	if (named && ask.config != NULL)
		return (usage("-c and the names of databases exclude each other", ""));
	ask.addresses = argv + optind;
	ask.n = argc - optind;
	log_set_level(ask.verbose ? LOG_LEVEL_INFO : LOG_LEVEL_WARN);
	return (named ? open_and_answer(&ask.files, &ask) : from_configuration(&ask));
}
