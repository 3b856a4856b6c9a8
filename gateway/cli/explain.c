/* SPDX-License-Identifier: Apache-2.0 */
/* yett explain: the story of a refusal, and what would let the request pass. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/json.h"
#include "gateway/cli/audit_search.h"
#include "gateway/cli/cli.h"
#include "gateway/conf/conf.h"
#include "rules/advice.h"

#define AUDIT_DEFAULT "/var/log/yett/audit.log"

static const char HELP[] =
    "usage: yett explain ID [--audit FILE | -c FILE]\n"
    "\n"
    "Tells why a request was refused: score against threshold, each rule with the\n"
    "variable and the value it matched, and the narrowest exclusions that would let\n"
    "this request pass. ID stands on the page that the client saw; \"last\" is the\n"
    "newest record.\n"
    "\n"
    "      --audit FILE       audit log (default: of the configuration)\n"
    "  -c, --config FILE      configuration that names the audit log (default\n"
    "                         " CLI_CONFIG_DEFAULT ")\n"
    "  -h, --help             this text\n"
    "\n"
    "exit status: 0 explained, 1 no such record, 2 wrong usage\n";

struct explain_options {
	const char *id, *audit, *config;
};

static int
usage(const char *problem, const char *argument)
{
	fprintf(
	    stderr, "yett explain: %s%s\ntry: yett explain --help\n", problem, argument);
	return (CLI_USAGE);
}

/* CLI_OK: go on; -1: help was asked for. */
static int
parse_options(struct explain_options *o, int argc, char **argv)
{
	static const struct option options[] = { { "audit", required_argument, NULL,
						     'a' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		switch (c) {
		case 'a': o->audit = optarg; break;
		case 'c': o->config = optarg; break;
		case 'h': fputs(HELP, stdout); return (-1);
		default:
			return (usage("unknown option, or one without its value: ",
			    argv[optind - 1]));
		}
	if (optind + 1 != argc)
		return (usage(optind < argc ? "one ID at a time, found also: "
					    : "which request? an ID is missing",
		    optind < argc ? argv[optind + 1] : ""));
	o->id = argv[optind];
	return (CLI_OK);
}

static char *
audit_path(const struct explain_options *o)
{
	struct conf_problems problems = { 0 };
	struct conf *conf;
	char *path;

	if (o->audit != NULL)
		return (mem_strdup(o->audit));
	conf = conf_load(o->config != NULL ? o->config : CLI_CONFIG_DEFAULT, &problems);
	path = mem_strdup(conf != NULL ? conf->logs.audit.path : AUDIT_DEFAULT);
	if (conf == NULL && o->config != NULL)
		fprintf(stderr, "yett explain: %s cannot be read; looking in %s\n",
		    o->config, path);
	conf_free(&conf);
	conf_problems_free(&problems);
	return (path);
}

static struct span
string_of(const json_t *object, const char *key)
{
	const json_t *value;

	value = json_object_get(object, key);
	return (span_mem(json_string_value(value), json_string_length(value)));
}

static long long
number_of(const json_t *object, const char *key)
{
	return ((long long)json_integer_value(json_object_get(object, key)));
}

/* What a client sent must not drive the terminal: control characters, those of
 * two bytes too, are shown as \xHH. */
static void
put(struct span text)
{
	unsigned char c;
	size_t i;

	for (i = 0; i < text.n; i++) {
		c = (unsigned char)text.p[i];
		if (c < 0x20 || c == 0x7f ||
		    (c >= 0x80 && c < 0xa0 && i > 0 &&
			(unsigned char)text.p[i - 1] == 0xc2))
			printf("\\x%02x", c);
		else
			putchar(c);
	}
}

static void
put_pair(const char *label, struct span text)
{
	if (text.n == 0)
		return;
	fputs(label, stdout);
	put(text);
}

/* --- the story ------------------------------------------------------------ */

static void
print_request(const json_t *record)
{
	const json_t *request;

	request = json_object_get(record, "request");
	put_pair("request  ", string_of(record, "id"));
	put_pair("\ntime     ", string_of(record, "time"));
	put_pair("\nclient   ", string_of(json_object_get(record, "client"), "address"));
	put_pair("\nasked    ", string_of(request, "method"));
	put_pair(" ", string_of(request, "path"));
	put_pair("?", string_of(request, "query"));
	put_pair(" on ", string_of(request, "host"));
	put_pair("\nsite     ", string_of(record, "site"));
	put_pair(", route ", string_of(record, "route"));
	printf("\nanswer   %lld, ", number_of(record, "status"));
	put_pair("", string_of(record, "action"));
	put_pair(" by ", string_of(record, "reason"));
	put_pair(": ", string_of(record, "detail"));
	fputs("\n\n", stdout);
}

static void
print_rules(const json_t *waf)
{
	const json_t *rule;
	size_t i;

	printf("score %lld, threshold %lld, paranoia level %lld\n\n",
	    number_of(waf, "score"), number_of(waf, "threshold"),
	    number_of(waf, "paranoia"));
	json_array_foreach(json_object_get(waf, "rules"), i, rule)
	{
		if (advice_is_evaluation((uint32_t)number_of(rule, "id")))
			continue;
		printf("  rule %lld  +%lld  ", number_of(rule, "id"),
		    number_of(rule, "score"));
		put(string_of(rule, "message"));
		put_pair("\n    ", string_of(rule, "variable"));
		put_pair(" = ", string_of(rule, "value"));
		putchar('\n');
	}
	if (number_of(waf, "rules_lost") > 0)
		printf("  and %lld more\n", number_of(waf, "rules_lost"));
	putchar('\n');
}

/* --- advice --------------------------------------------------------------- */

/* The path as exclusions compare it: decoded but for %2F and %5C. */
static void
decode_path(struct span path, struct text *out)
{
	unsigned value;
	char hex[3];
	size_t i;

	for (i = 0; i < path.n; i++) {
		if (path.p[i] != '%' || i + 2 >= path.n) {
			text_putc(out, path.p[i]);
			continue;
		}
		memcpy(hex, path.p + i + 1, 2);
		hex[2] = '\0';
		value = (unsigned)strtoul(hex, NULL, 16);
		if (value == '/' || value == '\\') {
			text_put(out, span_mem(path.p + i, 3));
		} else {
			text_putc(out, (char)value);
		}
		i += 2;
	}
}

static void
put_yaml_string(struct text *out, const char *before, struct span value)
{
	struct json_out json;

	text_puts(out, before);
	json_start(&json, out);
	json_put_string(&json, value);
}

static void
print_exclude(const json_t *record, const struct advice_hit *hit)
{
	const json_t *request;
	struct text line, part;
	struct span path;

	request = json_object_get(record, "request");
	text_init(&line, 1u << 14);
	text_init(&part, 1u << 14);
	text_printf(&line, "      - { rule: %u", hit->id);
	if (advice_target(hit->variable, &part))
		put_yaml_string(&line, ", target: ", text_span(&part));
	text_reset(&part);
	text_putc(&part, '=');
	path = string_of(request, "path");
	decode_path(path, &part);
	/* not when the log has cut or masked it */
	if (!span_ends(path, SPAN("...")) && span_find(path, SPAN("***")) == SIZE_MAX)
		put_yaml_string(&line, ", path: ", text_span(&part));
	put_yaml_string(&line, ", method: [", string_of(request, "method"));
	text_puts(&line, "] }");
	printf("%.*s\n", SPAN_FMT(text_span(&line)));
	text_free(&line);
	text_free(&part);
}

/* One entry for each rule and variable among the marked. */
static void
print_excludes(const json_t *record, const struct advice_hit *hits, size_t n)
{
	size_t i, j;

	printf("To let this request pass, and nothing more, if it is no attack:\n\n"
	       "policies:\n  %.*s:\n    exclude:\n",
	    SPAN_FMT(string_of(record, "policy")));
	for (i = 0; i < n; i++) {
		if (!hits[i].exclude)
			continue;
		for (j = 0; j < i; j++)
			if (hits[j].exclude && hits[j].id == hits[i].id &&
			    span_eq(hits[j].variable, hits[i].variable))
				break;
		if (j == i)
			print_exclude(record, &hits[i]);
	}
}

static size_t
collect_hits(const json_t *rules, struct advice_hit *hits)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(rules, i, rule)
	{
		hits[i].id = (uint32_t)number_of(rule, "id");
		hits[i].score = (uint32_t)number_of(rule, "score");
		hits[i].phase = (uint8_t)number_of(rule, "phase");
		hits[i].variable = string_of(rule, "variable");
	}
	return (json_array_size(rules));
}

static void
advise_waf(const json_t *record)
{
	const json_t *waf, *rules;
	struct advice_score score;
	struct advice_hit *hits;
	size_t n;

	waf = json_object_get(record, "waf");
	rules = json_object_get(waf, "rules");
	print_rules(waf);
	hits = mem_zalloc((json_array_size(rules) + 1) * sizeof(*hits));
	n = collect_hits(rules, hits);
	score.score = (uint32_t)number_of(waf, "score");
	score.threshold = (uint32_t)number_of(waf, "threshold");
	score.detected = span_eq(string_of(record, "action"), SPAN("detected"));
	switch (advice_choose(hits, n, &score)) {
	case ADVICE_EXCLUDE: print_excludes(record, hits, n); break;
	case ADVICE_OWN_CHECK:
		printf("What to do: %s.\n", advice_own(hits[n - 1].id));
		break;
	case ADVICE_NONE:
		printf("No exclusion can be named: the record holds too few of the "
		       "rules.\n");
		break;
	}
	free(hits);
}

/* Which limit, and whose bucket. */
static void
print_limit(const json_t *limit)
{
	if (!json_is_object(limit))
		return;
	put_pair("limit    ", string_of(limit, "name"));
	put_pair(", ", string_of(limit, "rate"));
	put_pair("\nbucket   ", string_of(limit, "key"));
	printf("\nwait     %lld s\n\n", number_of(limit, "retry_after"));
}

static const struct {
	const char *reason, *advice;
} ADVICE[] = {
	{ "acl",
	    "The access list of the site or route denies this client: the detail above "
	    "names the rule.\nAn allow rule before it lets the client in." },
	{ "auth",
	    "The site or route asks for a user and password, and none that is right was "
	    "sent." },
	{ "ban",
	    "The client is banned for refusals before this one. `yett ban list` tells "
	    "which; `yett ban lift\nADDRESS` ends it; an allow rule that names the "
	    "address keeps it from being banned." },
	{ "geo", "The access list denies the place that the client's address belongs to: "
		 "the detail above\nnames the rule. `yett geo ADDRESS` tells what the "
		 "databases say of an address." },
	{ "limit",
	    "The bucket of this client or key was empty. Where honest clients get "
	    "here, raise burst (for\npeaks) or rate (for what lasts), or see in mode: "
	    "shadow what another figure would refuse." },
	{ "protocol",
	    "The request breaks HTTP, or could be read in two ways. Such a request "
	    "is never passed on;\nwhoever sends it has to be mended "
	    "(docs/guide/http.md says what is refused, and why)." },
	{ "method",
	    "The method is not among `methods` of the site or route. Add it there if "
	    "the app needs it." },
	{ "body",
	    "The body is larger than request_body.limit or request_body.inspect of the "
	    "policy allows.\nRaise them, or inspect only the first bytes: over_inspect: "
	    "head. A compressed body\ncounts as what it becomes; one that can't be "
	    "decoded passes only where nothing is inspected." },
	{ "upstream",
	    "The origin gave no answer that could be passed on. The request was not "
	    "at fault: see the\ndetail above, the origin's own log, and the pool's "
	    "timeouts." },
};

static void
advise(const json_t *record)
{
	struct span reason;
	size_t i;

	reason = string_of(record, "reason");
	if (span_eq(reason, SPAN("waf"))) {
		advise_waf(record);
		return;
	}
	print_limit(json_object_get(record, "limit"));
	for (i = 0; i < sizeof(ADVICE) / sizeof(ADVICE[0]); i++)
		if (span_eq(reason, span_of(ADVICE[i].reason)))
			printf("%s\n", ADVICE[i].advice);
}

int
cli_explain(int argc, char **argv)
{
	struct explain_options o = { 0 };
	json_t *record;
	struct err e;
	char *path;
	int rc;

	rc = parse_options(&o, argc, argv);
	if (rc != CLI_OK)
		return (rc < 0 ? CLI_OK : rc);
	path = audit_path(&o);
	if (audit_search(path, o.id, &record, &e) == ERR_OK) {
		print_request(record);
		advise(record);
		json_decref(record);
	} else {
		fprintf(stderr, "yett explain: %s\n", e.text);
		rc = CLI_BAD_INPUT;
	}
	free(path);
	return (rc);
}
