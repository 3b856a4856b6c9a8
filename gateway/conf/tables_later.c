/* SPDX-License-Identifier: Apache-2.0 */
/* The directive tables of what is understood and not built yet: identity,
 * Redis, geo databases, limits, cache, bans, the control socket. */
#include "config.h"

#include "gateway/conf/rows.h"
#include "gateway/conf/tables.h"

/* clang-format off */
const struct choice words_off_on[] = {
	{ "off", 0, false }, { "on", 1, true }, { NULL, 0, false },
};

const struct choice words_mode_later[] = {
	{ "enforce", 0, false }, { "shadow", 1, false }, { NULL, 0, false },
};

static const struct choice words_on_failure[] = {
	{ "local", 0, false }, { "open", 1, false }, { "closed", 2, false },
	{ NULL, 0, false },
};

static const struct choice words_count[] = {
	{ "waf", 0, false }, { "limit", 1, false }, { "acl", 2, false },
	{ "geo", 3, false }, { "protocol", 4, false }, { NULL, 0, false },
};

static const struct choice words_off[] = { { "off", 0, false }, { NULL, 0, false } };

static const struct field rows_identity[] = {
	{ .name = "trusted_proxies", LATER(PREFIXES), .standard = "", .harmless = "",
	  .prose = "Only these may speak for others; the list of addresses that the field names "
	    "is walked from right to left." },
	{ .name = "header", LATER(STRING), .standard = "X-Forwarded-For",
	  .harmless = "X-Forwarded-For", .check = check_field_name, .form = "a field name",
	  .prose = "The field in which a trusted proxy names the client: X-Forwarded-For, "
	    "Forwarded, or one like CF-Connecting-IP." },
	{ .name = "ipv6_prefix", LATER(NUMBER), .standard = "64", .harmless = "64",
	  .min = "32", .max = "128", .prose = "Bits of an IPv6 address that make one client." },
};

const struct map map_identity = {
	.name = "identity", ROWS(rows_identity), WITHIN, .prose = "Who the client is.",
};

static const struct field rows_redis[] = {
	{ .name = "url", LATER(STRING), .required = true, .check = check_redis_url,
	  .form = "redis://, rediss://, unix:/, redis+sentinel:// or redis+cluster://",
	  .prose = "Where Redis is." },
	{ .name = "username", LATER(STRING), .standard = "", .prose = "Name of the account." },
	{ .name = "password_file", LATER(PATH), .standard = "",
	  .prose = "File that holds the password." },
	{ .name = "deadline", LATER(DURATION), .standard = "10ms", .min = "1ms", .max = "1s",
	  .prose = "A decision never waits longer." },
	{ .name = "prefix", LATER(STRING), .standard = "yett:", .prose = "In front of each key." },
};

const struct map map_redis = {
	.name = "redis", ROWS(rows_redis), WITHIN,
	.prose = "The store that gateways share limits and bans in.",
};

static const struct field rows_geo[] = {
	{ .name = "country", LATER(PATH), .standard = "", .harmless = "",
	  .prose = "MaxMind file of countries. A replaced file is taken up if it is sound." },
	{ .name = "asn", LATER(PATH), .standard = "", .harmless = "",
	  .prose = "MaxMind file of autonomous systems." },
};

const struct map map_geo = {
	.name = "geo", ROWS(rows_geo), WITHIN,
	.prose = "Databases of countries and networks.",
};

static const struct field rows_limit[] = {
	{ .name = "key", LATER(STRINGS), .required = true, .check = check_key,
	  .form = "client, route, site, path, country, asn, header:NAME, cookie:NAME, or a list "
	    "of them",
	  .prose = "What is counted: each different value has a bucket of its own." },
	{ .name = "rate", LATER(RATE), .required = true, .min = "1/d", .max = "1000000/s",
	  .prose = "Tokens added to the bucket of one key per unit of time." },
	{ .name = "burst", LATER(NUMBER), .standard = "1", .min = "1", .max = "1000000",
	  .prose = "What a full bucket holds." },
	{ .name = "cost", LATER(NUMBER), .standard = "1", .min = "0", .max = "1000000",
	  .prose = "Tokens that a request takes." },
	{ .name = "mode", LATER_WORD(words_mode_later), .standard = "enforce",
	  .prose = "shadow: only count what would have been refused." },
	{ .name = "on_redis_failure", LATER_WORD(words_on_failure), .standard = "local",
	  .prose = "Without Redis: use this node's share of the limit, let all pass, or refuse." },
};

const struct map map_limit = {
	.name = "limit", ROWS(rows_limit), WITHIN, .prose = "A rate limit.",
};

static const struct field rows_cache[] = {
	{ .name = "memory", LATER(SIZE), .standard = "256MiB", .min = "1MiB", .max = "1024GiB",
	  .prose = "For all answers kept." },
	{ .name = "max_object", LATER(SIZE), .standard = "8MiB", .min = "1KiB", .max = "1GiB",
	  .prose = "Largest answer kept." },
};

const struct map map_cache = {
	.name = "cache", ROWS(rows_cache), WITHIN, .prose = "Memory for answers kept.",
};

static const struct field rows_bans[] = {
	{ .name = "after", LATER(NUMBER), .standard = "10", .min = "1", .max = "100000",
	  .prose = "Refusals that lead to a ban." },
	{ .name = "within", LATER(DURATION), .standard = "1m", .min = "1s", .max = "1d",
	  .prose = "The time in which they are counted." },
	{ .name = "for", LATER(DURATION), .standard = "10m", .min = "1s", .max = "30d",
	  .prose = "Length of the first ban; each further one is longer." },
	{ .name = "max", LATER(DURATION), .standard = "24h", .min = "1s", .max = "365d",
	  .prose = "Length of the longest ban." },
	{ .name = "count", LATER(WORDS), .choices = words_count, .standard = "waf, limit",
	  .prose = "Refusals that count." },
	{ .name = "mode", LATER_WORD(words_mode_later), .standard = "enforce",
	  .prose = "shadow: only log who would be banned." },
};

const struct map map_bans = {
	.name = "bans", ROWS(rows_bans), WITHIN,
	.prose = "Shuts out clients that keep on being refused; shared by the cluster where "
	    "Redis is set.",
};

static const struct field rows_admin[] = {
	{ .name = "socket", LATER(PATH), .choices = words_off,
	  .standard = "/run/yett/control.sock", .harmless = "off",
	  .prose = "Control socket of the command." },
	{ .name = "metrics", LATER(STRING), .standard = "", .harmless = "",
	  .check = check_address, .form = "\"ADDRESS:PORT\", or empty",
	  .prose = "Address of the metrics, in Prometheus' format." },
};

const struct map map_admin = {
	.name = "admin", ROWS(rows_admin), WITHIN, .prose = "Control socket and metrics.",
};
/* clang-format on */
