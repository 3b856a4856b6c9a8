/* SPDX-License-Identifier: Apache-2.0 */
/* The directive tables of WAF policies. */
#include "config.h"

#include "gateway/conf/rows.h"
#include "gateway/conf/tables.h"

/* clang-format off */
static const struct choice words_waf_mode[] = {
	{ "block", CONF_WAF_BLOCK, false },
	{ "detect", CONF_WAF_DETECT, false },
	{ "off", CONF_WAF_OFF, false },
	{ NULL, 0, false },
};

static const struct choice words_apps[] = {
	{ "cpanel", 0, false }, { "dokuwiki", 1, false }, { "drupal", 2, false },
	{ "nextcloud", 3, false }, { "phpbb", 4, false }, { "phpmyadmin", 5, false },
	{ "wordpress", 6, false }, { "xenforo", 7, false }, { NULL, 0, false },
};

static const struct choice words_allow[] = {
	{ "remote_rules", 0, false }, { "exec", 1, false }, { "lua", 2, false },
	{ "inspect_file", 3, false }, { "rbl", 4, false }, { NULL, 0, false },
};

static const struct choice words_over_inspect[] = {
	{ "reject", CONF_OVER_REJECT, false },
	{ "head", CONF_OVER_HEAD, false },
	{ NULL, 0, false },
};

static const struct field rows_crs[] = {
	{ .name = "path", PATH(conf_policy, crs.path), .standard = "",
	  .shown = "/usr/share/modsecurity-crs", .form = "a folder",
	  .prose = "Folder of the OWASP Core Rule Set: 3.3 or 4." },
	{ .name = "paranoia", NUMBER(conf_policy, crs.paranoia), .standard = "1", .min = "1",
	  .max = "4",
	  .prose = "Paranoia level: higher finds more attacks and more that are none." },
	{ .name = "inbound_threshold", NUMBER(conf_policy, crs.inbound_threshold),
	  .standard = "5", .min = "1", .max = "10000",
	  .prose = "Score from which a request is refused. A critical rule adds 5." },
	{ .name = "outbound_threshold", NUMBER(conf_policy, crs.outbound_threshold),
	  .standard = "4", .min = "1", .max = "10000",
	  .prose = "Score from which an answer is refused." },
	{ .name = "apps", WORDS(conf_policy, crs.apps, words_apps), .standard = "",
	  .prose = "Applications whose exclusions, as the rule set brings them, are switched on." },
};

static const struct map map_crs = {
	.name = "crs", ROWS(rows_crs), WITHIN, .prose = "The OWASP Core Rule Set.",
};

static const struct field rows_exclude[] = {
	{ .name = "rule", NUMBER(conf_exclude, rule), .min = "1", .max = "999999999",
	  .form = "the id of a rule", .prose = "The rule, by its id. This or tag." },
	{ .name = "tag", STRING(conf_exclude, tag), .check = check_tag, .form = "a tag",
	  .prose = "All rules with that tag. This or rule." },
	{ .name = "target", STRING(conf_exclude, target), .standard = "",
	  .shown = "the whole rule",
	  .form = "COLLECTION, COLLECTION:name or COLLECTION:/regex/",
	  .prose = "What the rule no longer looks at: ARGS:q, REQUEST_COOKIES:sid, "
	    "ARGS:/^json\\.items\\./." },
	{ .name = "path", STRING(conf_exclude, path), .standard = "", .shown = "any",
	  .check = check_path, .form = "/PREFIX or =/EXACT",
	  .prose = "Only for requests of this path." },
	{ .name = "method", STRINGS(conf_exclude, method), .standard = "", .shown = "any",
	  .check = check_method, .form = "a list of methods",
	  .prose = "Only for requests of these methods." },
};

const struct map map_exclude = {
	.name = "exclude", ROWS(rows_exclude), ELEMENT(conf_exclude), .finish = finish_exclude,
	.prose = "An exclusion: take the narrowest form that serves. yett explain ID prints it "
	    "for a refused request.",
};

static const struct field rows_request_body[] = {
	{ .name = "inspect", SIZE(conf_policy, request_body.inspect), .standard = "128KiB",
	  .min = "0", .max = "64MiB",
	  .prose = "Bytes of the body that the rules see; 0: none, and over_inspect decides "
	    "about every body." },
	{ .name = "limit", SIZE(conf_policy, request_body.limit), .standard = "10MiB",
	  .min = "0", .max = "1024GiB", .prose = "Largest body. Above: 413." },
	{ .name = "over_inspect",
	  WORD(conf_policy, request_body.over_inspect, words_over_inspect),
	  .standard = "reject",
	  .prose = "A body larger than inspect: reject it with 413, or let the rules see its "
	    "head and pass on the rest unseen." },
	{ .name = "arguments", NUMBER(conf_policy, request_body.arguments), .standard = "255",
	  .min = "1", .max = "10000",
	  .prose = "Arguments of one request, in query and body. Above: refused, since the cost "
	    "of the rules grows with them." },
};

static const struct map map_request_body = {
	.name = "request_body", ROWS(rows_request_body), WITHIN,
	.prose = "How bodies of requests are inspected.",
};

static const struct field rows_response_body[] = {
	{ .name = "inspect", SIZE(conf_policy, response_body.inspect), .standard = "0",
	  .min = "0", .max = "64MiB",
	  .prose = "Bytes of an answer's body that the rules see; 0: answers are not inspected." },
	{ .name = "types", STRINGS(conf_policy, response_body.types), .check = check_media_type,
	  .standard = "text/html, text/plain, text/xml, application/json",
	  .form = "a list of media types", .prose = "Media types that are inspected." },
};

static const struct map map_response_body = {
	.name = "response_body", ROWS(rows_response_body), WITHIN,
	.prose = "How bodies of answers are inspected.",
};

static const struct field rows_policy[] = {
	{ .name = "mode", WORD(conf_policy, mode, words_waf_mode), .standard = "block",
	  .prose = "block: refuse; detect: only write to the audit log what would have been "
	    "refused; off: no inspection." },
	{ .name = "crs", MAP(crs), .prose = "The OWASP Core Rule Set." },
	{ .name = "rules", FILES(conf_policy, rules), .standard = "",
	  .prose = "Files of your own rules in SecLang, after the rule set." },
	{ .name = "allow", WORDS(conf_policy, allow, words_allow), .standard = "",
	  .prose = "What rules may do that is refused otherwise, as it blocks a thread or reaches "
	    "out of the gateway: fetch rules from the network, run programs, run Lua, run a "
	    "program on uploads, ask DNS block lists." },
	{ .name = "exclude", LIST(conf_policy, exclude, exclude), .prose = "Exclusions." },
	{ .name = "request_body", MAP(request_body),
	  .prose = "How bodies of requests are inspected." },
	{ .name = "response_body", MAP(response_body),
	  .prose = "How bodies of answers are inspected." },
};

const struct map map_policy = {
	.name = "policy", ROWS(rows_policy), NAMED_ELEMENT(conf_policy),
	.finish = finish_policy, .prose = "What the WAF does.",
};
/* clang-format on */
