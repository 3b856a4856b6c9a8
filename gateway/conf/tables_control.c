/* SPDX-License-Identifier: Apache-2.0 */
/* The directive tables of the controls before the WAF: identity, Redis, geo
 * databases, limits, bans; and of the control socket. */
#include "config.h"

#include "gateway/conf/rows.h"
#include "gateway/conf/tables.h"

/* clang-format off */
static const struct choice words_mode[] = {
	{ "enforce", CONF_ENFORCE, false },
	{ "shadow", CONF_SHADOW, false },
	{ NULL, 0, false },
};

static const struct choice words_on_failure[] = {
	{ "local", CONF_FAIL_LOCAL, false },
	{ "open", CONF_FAIL_OPEN, false },
	{ "closed", CONF_FAIL_CLOSED, false },
	{ NULL, 0, false },
};

static const struct choice words_clock[] = {
	{ "redis", CONF_CLOCK_REDIS, false },
	{ "local", CONF_CLOCK_LOCAL, false },
	{ NULL, 0, false },
};

static const struct choice words_count[] = {
	{ "waf", CONF_BAN_WAF, false },
	{ "limit", CONF_BAN_LIMIT, false },
	{ "acl", CONF_BAN_ACL, false },
	{ "geo", CONF_BAN_GEO, false },
	{ "protocol", CONF_BAN_PROTOCOL, false },
	{ "auth", CONF_BAN_AUTH, false },
	{ NULL, 0, false },
};

static const struct choice words_system[] = { { "system", 0, false }, { NULL, 0, false } };

static const struct field rows_identity[] = {
	{ .name = "trusted_proxies", PREFIXES(conf_identity, trusted_proxies), .standard = "",
	  .prose = "Only these may speak for others: by the field below, or by a PROXY header. "
	    "The list of addresses that the field names is walked from right to left, past "
	    "trusted ones." },
	{ .name = "header", STRING(conf_identity, header), .standard = "X-Forwarded-For",
	  .check = check_client_field, .form = "a field name",
	  .prose = "The field in which a trusted proxy names the client: X-Forwarded-For, "
	    "Forwarded, or one that holds a single address, like CF-Connecting-IP." },
	{ .name = "ipv6_prefix", NUMBER(conf_identity, ipv6_prefix), .standard = "64",
	  .min = "32", .max = "128",
	  .prose = "Bits of an IPv6 address that make one client, for limits and bans." },
};

const struct map map_identity = {
	.name = "identity", ROWS(rows_identity), WITHIN, .prose = "Who the client is.",
};

static const struct field rows_redis[] = {
	{ .name = "url", STRING(conf_redis, url), .required = true,
	  .form = "redis://HOST[:PORT][/DB], rediss:// (TLS), unix:/PATH[?db=N], "
	    "redis+sentinel://HOST,HOST/MASTER or redis+cluster://HOST,HOST",
	  .prose = "Where Redis is: one server, sentinels that know the master, or some nodes of "
	    "a cluster. rediss+sentinel:// and rediss+cluster:// speak TLS." },
	{ .name = "username", STRING(conf_redis, username), .standard = "",
	  .check = check_redis_user, .form = "a name, or empty",
	  .prose = "Name of the account (ACL); empty: the default one." },
	{ .name = "password_file", PATH(conf_redis, password_file), .standard = "",
	  .prose = "File that holds the password, in one line." },
	{ .name = "sentinel_password_file", PATH(conf_redis, sentinel_password_file),
	  .standard = "", .prose = "File that holds the sentinels' password." },
	{ .name = "ca", PATH(conf_redis, ca), .choices = words_system, .standard = "system",
	  .form = "a PEM file",
	  .prose = "Authorities that Redis' certificate is checked against; system: those of the "
	    "operating system." },
	{ .name = "verify", TRUTH(conf_redis, verify), .standard = "on",
	  .prose = "Check chain and name of Redis' certificate." },
	{ .name = "certificate", PATH(conf_redis, certificate), .standard = "",
	  .prose = "PEM file of a client certificate; empty: none." },
	{ .name = "key", PATH(conf_redis, key), .standard = "",
	  .prose = "PEM file of its private key." },
	{ .name = "key_file", PATH(conf_redis, key_file), .standard = "",
	  .prose = "File of a secret of at least 16 bytes, the same on every gateway, that values of "
	    "header fields and cookies are hashed with before they leave the process; empty: one "
	    "made of the password and the prefix." },
	{ .name = "clock", WORD(conf_redis, clock, words_clock), .standard = "redis",
	  .prose = "Whose time buckets are filled by: redis: all gateways agree; local: for "
	    "servers that refuse TIME in scripts, where the hosts' clocks must agree." },
	{ .name = "deadline", DURATION(conf_redis, deadline), .standard = "10ms",
	  .min = "1ms", .max = "1s",
	  .prose = "A decision never waits longer for Redis; then on_redis_failure decides." },
	{ .name = "prefix", STRING(conf_redis, prefix), .standard = "yett:",
	  .check = check_redis_prefix, .form = "up to 64 letters, digits and . _ - : /",
	  .prose = "In front of each key. Gateways that share one share limits and bans." },
};

const struct map map_redis = {
	.name = "redis", ROWS(rows_redis), WITHIN_PLACED(conf_redis), .finish = finish_redis,
	.prose = "The store that gateways share limits and bans in.",
};

static const struct field rows_geo[] = {
	{ .name = "country", PATH(conf_geo, country), .standard = "",
	  .prose = "MaxMind file of countries; empty: none. A replaced file is taken up if it is "
	    "sound." },
	{ .name = "asn", PATH(conf_geo, asn), .standard = "",
	  .prose = "MaxMind file of autonomous systems; empty: none. May be the same file." },
	{ .name = "headers", TRUTH(conf_geo, headers), .standard = "off",
	  .prose = "Tell the origin by X-Geo-Country and X-Geo-Asn. The client's own are always "
	    "taken away." },
};

const struct map map_geo = {
	.name = "geo", ROWS(rows_geo), WITHIN,
	.prose = "Databases of countries and networks.",
};

static const struct field rows_limit[] = {
	{ .name = "key", STRINGS(conf_limit, key), .required = true, .most = CONF_KEYS_MAX,
	  .check = check_key,
	  .form = "client, route, site, path, country, asn, header:NAME, cookie:NAME, or a list "
	    "of them",
	  .prose = "What is counted: each different value has a bucket of its own." },
	{ .name = "rate", RATE(conf_limit, tokens, per_us), .required = true, .min = "1/d",
	  .max = "1000000/s",
	  .prose = "Tokens added to the bucket of one key per unit of time." },
	{ .name = "burst", NUMBER(conf_limit, burst), .standard = "1", .min = "1",
	  .max = "1000000",
	  .prose = "What a full bucket holds: so many requests may come at once." },
	{ .name = "cost", NUMBER(conf_limit, cost), .standard = "1", .min = "0",
	  .max = "1000000",
	  .prose = "Tokens that a request takes; 0: it passes and counts for nothing." },
	{ .name = "mode", WORD(conf_limit, mode, words_mode), .standard = "enforce",
	  .prose = "shadow: only count and record what would have been refused." },
	{ .name = "on_redis_failure", WORD(conf_limit, on_failure, words_on_failure),
	  .standard = "local",
	  .prose = "Without Redis: use this node's share of the limit, let all pass, or refuse." },
	{ .name = "headers", TRUTH(conf_limit, headers), .standard = "off",
	  .prose = "RateLimit and RateLimit-Policy in allowed answers too, not only in 429." },
};

const struct map map_limit = {
	.name = "limit", ROWS(rows_limit), NAMED_ELEMENT(conf_limit), .finish = finish_limit,
	.prose = "A rate limit.",
};

static const struct field rows_bans[] = {
	{ .name = "after", NUMBER(conf_bans, after), .standard = "10", .min = "1",
	  .max = "100000", .prose = "Refusals that lead to a ban." },
	{ .name = "within", DURATION(conf_bans, within), .standard = "1m", .min = "1s",
	  .max = "1d", .prose = "The time in which they are counted." },
	{ .name = "for", DURATION(conf_bans, lasts), .standard = "10m", .min = "1s",
	  .max = "30d", .prose = "Length of the first ban; each further one lasts twice as "
	    "long." },
	{ .name = "max", DURATION(conf_bans, max), .standard = "24h", .min = "1s",
	  .max = "365d", .prose = "Length of the longest ban." },
	{ .name = "count", FLAGS(conf_bans, count, words_count), .standard = "waf, limit",
	  .prose = "Refusals that count, by the reason that the audit record has." },
	{ .name = "mode", WORD(conf_bans, mode, words_mode), .standard = "enforce",
	  .prose = "shadow: only record who would be banned." },
};

const struct map map_bans = {
	.name = "bans", ROWS(rows_bans), WITHIN, .finish = finish_bans,
	.prose = "Shuts out clients that keep on being refused; shared by the cluster where "
	    "Redis is set. Without this section nobody is banned but by hand.",
};

static const struct field rows_admin[] = {
	{ .name = "socket", PATH(conf_admin, socket), .choices = words_off,
	  .standard = "/run/yett/control.sock", .prose = "Control socket of the command." },
	{ .name = "metrics", STRING(conf_admin, metrics), .standard = "",
	  .check = check_address, .form = "\"ADDRESS:PORT\", or empty",
	  .prose = "Address of the metrics, in Prometheus' format; empty: none. Anybody who can "
	    "connect may read them." },
};

const struct map map_admin = {
	.name = "admin", ROWS(rows_admin), WITHIN_PLACED(conf_admin), .finish = finish_admin,
	.prose = "Control socket and metrics.",
};
/* clang-format on */
