/* SPDX-License-Identifier: Apache-2.0 */
/* The directive tables of sites and routes. */
#include "config.h"

#include "gateway/conf/rows.h"
#include "gateway/conf/tables.h"

/* clang-format off */
static const struct choice words_any[] = { { "any", 0, false }, { NULL, 0, false } };

static const struct choice words_encoding[] = {
	{ "zstd", 0, false }, { "br", 1, false }, { "gzip", 2, false }, { NULL, 0, false },
};

static const struct field rows_match[] = {
	{ .name = "address", LATER(PREFIXES), .prose = "Addresses and prefixes." },
	{ .name = "address_file", LATER(PATH),
	  .prose = "File of addresses and prefixes, one a line; taken up when it changes." },
	{ .name = "country", LATER(STRINGS), .check = check_country,
	  .form = "a list of two-letter codes, or unknown", .prose = "Countries." },
	{ .name = "asn", LATER(STRINGS), .check = check_asn,
	  .form = "a list of autonomous system numbers", .prose = "Autonomous systems." },
};

static const struct map map_match = {
	.name = "match", ROWS(rows_match), WITHIN,
	.prose = "Clients of which any of these is true.",
};

static const struct field rows_access[] = {
	{ .name = "allow", LATER_MAP(MAP, match), .choices = words_any,
	  .prose = "These may pass." },
	{ .name = "deny", LATER_MAP(MAP, match), .choices = words_any,
	  .prose = "These are refused with 403." },
};

static const struct map map_access = {
	.name = "access_rule", ROWS(rows_access), WITHIN,
	.prose = "One step of an access list; the first that matches decides.",
};

static const struct field rows_compress[] = {
	{ .name = "types", LATER(STRINGS), .check = check_media_type, .harmless = "",
	  .standard = "text/*, application/json, application/javascript, image/svg+xml",
	  .form = "a list of media types", .prose = "What is compressed." },
	{ .name = "min", LATER(SIZE), .standard = "1KiB", .min = "0", .max = "1GiB",
	  .prose = "Smallest answer that is." },
	{ .name = "encodings", LATER(WORDS), .choices = words_encoding,
	  .standard = "zstd, br, gzip", .prose = "In order of preference." },
};

static const struct map map_compress = {
	.name = "compress", ROWS(rows_compress), WITHIN, .prose = "Compression of answers.",
};

static const struct field rows_change[] = {
	{ .name = "set", LATER(PAIRS), .harmless = "",
	  .prose = "Fields to set, to a text in which %{scheme} and the like are replaced." },
	{ .name = "remove", LATER(STRINGS), .check = check_field_name, .harmless = "",
	  .form = "a list of field names", .prose = "Fields to take away." },
};

static const struct map map_change = {
	.name = "header_change", ROWS(rows_change), WITHIN, .prose = "Changes of header fields.",
};

static const struct field rows_headers[] = {
	{ .name = "request", LATER_MAP(MAP, change), .prose = "Of requests, to the origin." },
	{ .name = "response", LATER_MAP(MAP, change), .prose = "Of answers, to the client." },
};

static const struct map map_headers = {
	.name = "headers", ROWS(rows_headers), WITHIN, .prose = "Changes of header fields.",
};

static const struct field rows_route[] = {
	{ .name = "path", STRING(conf_route, path), .required = true,
	  .check = check_route_path, .form = "/PREFIX, =/EXACT or \"~ REGEX\"",
	  .prose = "Which requests. An exact path before the longest prefix before the regular "
	    "expressions, in order." },
	{ .name = "methods", STRINGS(conf_route, methods), .standard = "",
	  .shown = "the site's", .check = check_method, .form = "a list of methods",
	  .prose = "Others are refused with 405." },
	{ .name = "policy", POLICY(conf_route, policy), .standard = "", .shown = "the site's",
	  .prose = "What the WAF does; off: nothing." },
	{ .name = "pool", POOL(conf_route, pool), .standard = "", .shown = "the site's",
	  .prose = "Where requests go." },
	{ .name = "limits", LATER(STRINGS), .harmless = "", .form = "a list of names of limits",
	  .prose = "Rate limits; each of them counts." },
	{ .name = "access", LATER_MAP(LIST, access),
	  .prose = "Who may use it: the first match decides." },
	{ .name = "cache", LATER_WORD(words_off_on), .standard = "off", .harmless = "off",
	  .prose = "Keep answers that may be kept." },
};

static const struct map map_route = {
	.name = "route", ROWS(rows_route), ELEMENT(conf_route),
	.prose = "A part of a site that differs from the rest of it.",
};

static const struct field rows_site[] = {
	{ .name = "hosts", HOSTS(conf_site, hosts), .required = true, .check = check_host,
	  .form = "a list of host names, \"*.NAME\" or \"*\"",
	  .prose = "Names it answers to. An exact name before the longest wildcard before \"*\"." },
	{ .name = "pool", POOL(conf_site, pool), .required = true,
	  .prose = "Where its requests go." },
	{ .name = "policy", POLICY(conf_site, policy), .standard = "default",
	  .prose = "What the WAF does; off: nothing." },
	{ .name = "limits", LATER(STRINGS), .harmless = "", .form = "a list of names of limits",
	  .prose = "Rate limits; each of them counts." },
	{ .name = "access", LATER_MAP(LIST, access),
	  .prose = "Who may use it: the first match decides." },
	{ .name = "methods", STRINGS(conf_site, methods), .check = check_method,
	  .standard = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
	  .form = "a list of methods", .prose = "Others are refused with 405." },
	{ .name = "cache", LATER_WORD(words_off_on), .standard = "off", .harmless = "off",
	  .prose = "Keep answers that may be kept." },
	{ .name = "compress", LATER_MAP(MAP, compress), .prose = "Compression of answers." },
	{ .name = "headers", LATER_MAP(MAP, headers), .prose = "Changes of header fields." },
	{ .name = "routes", LIST(conf_site, routes, route),
	  .prose = "Parts of the site that differ from the rest of it." },
};

const struct map map_site = {
	.name = "site", ROWS(rows_site), ELEMENT(conf_site),
	.prose = "Host names and what is done with their requests.",
};
/* clang-format on */
