/* SPDX-License-Identifier: Apache-2.0 */
/* The directive tables of sites and routes. */
#include "config.h"

#include "gateway/conf/rows.h"
#include "gateway/conf/tables.h"

/* clang-format off */
static const struct choice words_any[] = { { "any", 1, false }, { NULL, 0, false } };

static const struct choice words_client_certificate[] = {
	{ "optional", CONF_CERTIFICATE_OPTIONAL, false },
	{ "required", CONF_CERTIFICATE_REQUIRED, false },
	{ NULL, 0, false },
};

static const struct field rows_match[] = {
	{ .name = "address", PREFIXES(conf_match, address), .standard = "",
	  .prose = "Addresses and prefixes." },
	{ .name = "address_file", PATH(conf_match, address_file), .standard = "",
	  .prose = "File of addresses and prefixes, one a line; taken up when it changes." },
	{ .name = "country", STRINGS(conf_match, country), .standard = "",
	  .check = check_country, .form = "a list of two-letter codes, unknown or private",
	  .prose = "Countries; unknown: in no database; private: an address of no country." },
	{ .name = "continent", STRINGS(conf_match, continent), .standard = "",
	  .check = check_continent,
	  .form = "a list of AF, AN, AS, EU, NA, OC, SA, unknown or private",
	  .prose = "Continents." },
	{ .name = "asn", NUMBERS(conf_match, asn), .standard = "", .min = "1",
	  .max = "4294967295", .form = "a list of autonomous system numbers, without AS",
	  .prose = "Autonomous systems." },
	{ .name = "method", STRINGS(conf_match, method), .standard = "",
	  .check = check_method, .form = "a list of methods",
	  .prose = "Only requests by one of these; left out: by any." },
	{ .name = "path", STRINGS(conf_match, path), .standard = "", .check = check_path,
	  .form = "a list of /PREFIX or =/EXACT",
	  .prose = "Only requests for one of these; left out: for any." },
};

static const struct map map_match = {
	.name = "match", ROWS(rows_match), WITHIN, .finish = finish_match,
	.prose = "Clients of which any of address, address_file, country, continent and asn is "
	    "true (none given: all), where method and path are true too.",
};

#define MATCH	MAP_IN_OR(conf_access_rule, match, match, match.any, words_any)
static const struct field rows_access[] = {
	{ .name = "allow", MATCH,
	  .prose = "These may pass. Where they are named by address no ban shuts them out." },
	{ .name = "deny", MATCH, .prose = "These are refused with 403." },
	{ .name = "log", MATCH, .prose = "These are recorded, and the next step looked at." },
};

static const struct map map_access_rule = {
	.name = "access_rule", ROWS(rows_access), ELEMENT(conf_access_rule),
	.finish = finish_access_rule,
	.prose = "One step of an access list: exactly one of these. The first that allows or "
	    "denies decides; where none does the request passes.",
};

static const struct field rows_auth[] = {
	{ .name = "htpasswd", PATH(conf_auth, htpasswd), .required = true,
	  .prose = "File of users and their passwords' hashes: bcrypt, SHA-256 or SHA-512 (crypt). "
	    "Taken up when it changes." },
	{ .name = "realm", STRING(conf_auth, realm), .standard = "restricted",
	  .check = check_realm, .form = "a text",
	  .prose = "What browsers show where they ask for the password." },
};

static const struct map map_auth = {
	.name = "auth", ROWS(rows_auth), WITHIN,
	.prose = "Basic authentication: a name and a password, or 401.",
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
	{ .name = "limits", LIMITS(conf_route, limits), .standard = "", .shown = "the site's",
	  .prose = "Rate limits instead of the site's; each of them counts." },
	{ .name = "access", LIST(conf_route, access, access_rule), .shown = "the site's",
	  .prose = "Who may use it, instead of the site's list: the first match decides." },
	{ .name = "auth", MAP_IN(conf_route, auth, auth), .choices = words_off,
	  .shown = "the site's", .prose = "Asks for a name and a password; off: does not." },
	{ .name = "cache", MAP_IN_OR(conf_route, cache, cache_use, cache.on, words_off_on),
	  .shown = "the site's", .prose = "Keep answers that may be kept: off, on, or how." },
	{ .name = "compress",
	  MAP_IN_OR(conf_route, compress, compress, compress.on, words_off),
	  .shown = "the site's", .prose = "Compression of answers: off, or how." },
	{ .name = "headers", MAP_IN(conf_route, headers, headers), .shown = "the site's",
	  .prose = "Changes of header fields, all of them instead of the site's." },
};

static const struct map map_route = {
	.name = "route", ROWS(rows_route), ELEMENT(conf_route), .finish = finish_route,
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
	{ .name = "limits", LIMITS(conf_site, limits), .standard = "",
	  .prose = "Rate limits; each of them counts." },
	{ .name = "access", LIST(conf_site, access, access_rule),
	  .prose = "Who may use it: the first match decides." },
	{ .name = "auth", MAP_IN(conf_site, auth, auth), .shown = "none",
	  .prose = "Asks for a name and a password." },
	{ .name = "client_certificate",
	  WORD(conf_site, client_certificate, words_client_certificate),
	  .standard = "optional",
	  .prose = "required: requests on connections without a certificate that client_ca of "
	    "the listener vouches for are refused with 403." },
	{ .name = "methods", STRINGS(conf_site, methods), .check = check_method,
	  .standard = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
	  .form = "a list of methods", .prose = "Others are refused with 405." },
	{ .name = "cache", MAP_IN_OR(conf_site, cache, cache_use, cache.on, words_off_on),
	  .shown = "off", .prose = "Keep answers that may be kept: off, on, or how." },
	{ .name = "compress", MAP_IN_OR(conf_site, compress, compress, compress.on, words_off),
	  .shown = "off", .prose = "Compression of answers: off, or how." },
	{ .name = "headers", MAP_IN(conf_site, headers, headers), .shown = "none",
	  .prose = "Changes of header fields." },
	{ .name = "error_pages", PATH(conf_site, error_pages), .standard = "",
	  .form = "a folder",
	  .prose = "Folder of pages of your own instead of those that Yett refuses with; empty: "
	    "none." },
	{ .name = "routes", LIST(conf_site, routes, route),
	  .prose = "Parts of the site that differ from the rest of it." },
};

const struct map map_site = {
	.name = "site", ROWS(rows_site), ELEMENT(conf_site), .finish = finish_site,
	.prose = "Host names and what is done with their requests.",
};
/* clang-format on */
