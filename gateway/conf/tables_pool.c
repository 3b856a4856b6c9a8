/* SPDX-License-Identifier: Apache-2.0 */
/* The directive tables of pools of origin servers. */
#include "config.h"

#include "gateway/conf/rows.h"
#include "gateway/conf/tables.h"

/* clang-format off */
static const struct choice words_balance[] = {
	{ "round_robin", CONF_ROUND_ROBIN, false },
	{ "least_connections", CONF_LEAST_CONNECTIONS, false },
	{ "random_two", CONF_RANDOM_TWO, false },
	{ "consistent_hash", CONF_CONSISTENT_HASH, false },
	{ NULL, 0, false },
};

static const struct choice words_ca[] = { { "system", 0, false }, { NULL, 0, false } };

static const struct field rows_server[] = {
	{ .name = "url", STRING(conf_server, url), .required = true,
	  .form = "http://HOST[:PORT], https://HOST[:PORT] or http://unix:/PATH",
	  .prose = "Where the origin is. No path or query: the client's is used." },
	{ .name = "weight", NUMBER(conf_server, weight), .standard = "1", .min = "1",
	  .max = "1000", .prose = "Its share of requests, compared with the others'." },
	{ .name = "backup", TRUTH(conf_server, backup), .standard = "off",
	  .prose = "Used only while no other server is there." },
};

static const struct map map_server = {
	.name = "server", ROWS(rows_server), ELEMENT(conf_server), .finish = finish_server,
	.prose = "One origin server.",
};

static const struct field rows_pool_tls[] = {
	{ .name = "ca", PATH(conf_pool, tls.ca), .choices = words_ca, .standard = "system",
	  .form = "a PEM file",
	  .prose = "Authorities that origins' certificates are checked against; system: those of "
	    "the operating system." },
	{ .name = "verify", TRUTH(conf_pool, tls.verify), .standard = "on",
	  .prose = "Check chain and name of the origin's certificate." },
	{ .name = "server_name", STRING(conf_pool, tls.server_name), .standard = "",
	  .shown = "the host of the url", .check = check_host_name, .form = "a host name",
	  .prose = "Name that the certificate must have, also sent by SNI." },
	{ .name = "certificate", PATH(conf_pool, tls.certificate), .standard = "",
	  .prose = "PEM file of a client certificate; empty: none." },
	{ .name = "key", PATH(conf_pool, tls.key), .standard = "",
	  .prose = "PEM file of its private key." },
};

static const struct map map_pool_tls = {
	.name = "pool_tls", ROWS(rows_pool_tls), WITHIN, .prose = "TLS to https:// origins.",
};

static const struct field rows_pool_timeouts[] = {
	{ .name = "connect", DURATION(conf_pool, timeouts.connect), .standard = "2s",
	  .min = "10ms", .max = "1m", .prose = "For the connection and its TLS handshake." },
	{ .name = "first_byte", DURATION(conf_pool, timeouts.first_byte), .standard = "30s",
	  .min = "10ms", .max = "1h",
	  .prose = "From the end of the request to the first byte of the answer. Above: 504." },
	{ .name = "idle", DURATION(conf_pool, timeouts.idle), .standard = "30s",
	  .min = "10ms", .max = "1d",
	  .prose = "Longest pause within a request or an answer." },
};

static const struct map map_pool_timeouts = {
	.name = "pool_timeouts", ROWS(rows_pool_timeouts), WITHIN,
	.prose = "How long origins may take.",
};

static const struct field rows_keepalive[] = {
	{ .name = "connections", NUMBER(conf_pool, keepalive.connections), .standard = "64",
	  .min = "0", .max = "10000",
	  .prose = "Idle connections kept per worker thread; 0: none." },
	{ .name = "idle", DURATION(conf_pool, keepalive.idle), .standard = "60s",
	  .min = "100ms", .max = "1h",
	  .prose = "How long one is kept. Choose it shorter than the origin's own." },
};

static const struct map map_keepalive = {
	.name = "keepalive", ROWS(rows_keepalive), WITHIN,
	.prose = "Connections to origins that are kept for the next request.",
};

static const struct field rows_sticky[] = {
	{ .name = "cookie", STRING(conf_pool, sticky.cookie), .standard = "",
	  .check = check_cookie_name, .form = "the name of a cookie",
	  .prose = "Cookie that brings a client back to its server; empty: none." },
	{ .name = "key_file", PATH(conf_pool, sticky.key_file), .standard = "",
	  .prose = "File of a secret, the same on all gateways, that the cookie's values are made "
	    "with; empty: one of this process, so that clients change servers at a restart." },
};

static const struct map map_sticky = {
	.name = "sticky", ROWS(rows_sticky), WITHIN,
	.prose = "Keeps a client with its server.",
};

static const struct field rows_health[] = {
	{ .name = "path", STRING(conf_pool, health.path), .standard = "/",
	  .check = check_request_target, .form = "a path, with a query or without",
	  .prose = "What is asked for." },
	{ .name = "host", STRING(conf_pool, health.host), .standard = "",
	  .shown = "the host of the url", .check = check_authority,
	  .form = "a host name or an address, with a port or without",
	  .prose = "Host field of the check." },
	{ .name = "interval", DURATION(conf_pool, health.interval), .standard = "2s",
	  .min = "100ms", .max = "1h", .prose = "Time between two checks." },
	{ .name = "timeout", DURATION(conf_pool, health.timeout), .standard = "1s",
	  .min = "10ms", .max = "1m", .prose = "For one check." },
	{ .name = "rise", NUMBER(conf_pool, health.rise), .standard = "2", .min = "1",
	  .max = "100", .prose = "Good checks in a row that bring a server back." },
	{ .name = "fall", NUMBER(conf_pool, health.fall), .standard = "3", .min = "1",
	  .max = "100", .prose = "Bad checks in a row that take a server out." },
	{ .name = "status", STRING(conf_pool, health.status), .standard = "200-399",
	  .check = check_status_range, .form = "a status or a range of them",
	  .prose = "What counts as good." },
};

static const struct map map_health = {
	.name = "health", ROWS(rows_health), WITHIN, .prose = "Checks servers by asking them.",
};

static const struct field rows_outlier[] = {
	{ .name = "failures", NUMBER(conf_pool, outlier.failures), .standard = "5",
	  .min = "1", .max = "1000", .prose = "Failed requests that take a server out." },
	{ .name = "within", DURATION(conf_pool, outlier.within), .standard = "10s",
	  .min = "100ms", .max = "1h", .prose = "The time in which they are counted." },
	{ .name = "eject", DURATION(conf_pool, outlier.eject), .standard = "30s",
	  .min = "1s", .max = "1h",
	  .prose = "How long it stays out the first time; longer each further time." },
	{ .name = "max_percent", NUMBER(conf_pool, outlier.max_percent), .standard = "50",
	  .min = "0", .max = "100",
	  .prose = "The most of the servers that are out at once, and never the last one; 0: "
	    "none." },
};

static const struct map map_outlier = {
	.name = "outlier", ROWS(rows_outlier), WITHIN,
	.prose = "Takes a server out that fails clients' requests.",
};

static const struct field rows_queue[] = {
	{ .name = "length", NUMBER(conf_pool, queue.length), .standard = "1024", .min = "0",
	  .max = "1000000", .prose = "Requests that may wait for a connection; 0: none." },
	{ .name = "wait", DURATION(conf_pool, queue.wait), .standard = "2s", .min = "0s",
	  .max = "1m", .prose = "How long one may wait. Above: 503." },
};

static const struct map map_queue = {
	.name = "queue", ROWS(rows_queue), WITHIN,
	.prose = "Requests that wait while all servers have max_connections.",
};

static const struct field rows_pool[] = {
	{ .name = "balance", WORD(conf_pool, balance, words_balance),
	  .standard = "round_robin",
	  .prose = "How a server is chosen for a request, all by weight: in turn; the one with "
	    "the fewest connections; the better of two at random; by the hash of hash_on." },
	{ .name = "hash_on", STRING(conf_pool, hash_on), .standard = "",
	  .check = check_hash_key, .form = "client, path, header:NAME or cookie:NAME",
	  .prose = "What consistent_hash, which needs it, hashes." },
	{ .name = "bound", NUMBER(conf_pool, bound), .standard = "125", .min = "100",
	  .max = "1000",
	  .prose = "With consistent_hash, the most that a server gets: percent of its fair share "
	    "of the requests that are open." },
	{ .name = "sticky", MAP(sticky), .prose = "Keeps a client with its server." },
	{ .name = "servers", LIST(conf_pool, servers, server), .required = true,
	  .prose = "The origin servers." },
	{ .name = "tls", MAP(pool_tls), .prose = "TLS to https:// origins." },
	{ .name = "health", MAP_PRESENT(conf_pool, health.present, health), .shown = "none",
	  .prose = "Checks servers by asking them." },
	{ .name = "outlier", MAP_PRESENT(conf_pool, outlier.present, outlier), .shown = "none",
	  .prose = "Takes a server out that fails clients' requests." },
	{ .name = "slow_start", DURATION(conf_pool, slow_start), .standard = "0s",
	  .min = "0s", .max = "1h",
	  .prose = "Time in which a server that came back gets its full share." },
	{ .name = "retries", NUMBER(conf_pool, retries), .standard = "1", .min = "0",
	  .max = "5", .prose = "Further attempts, of what is safe to send twice." },
	{ .name = "max_connections", NUMBER(conf_pool, max_connections), .standard = "0",
	  .min = "0", .max = "1000000", .prose = "Connections to one server; 0: no bound." },
	{ .name = "queue", MAP(queue),
	  .prose = "Requests that wait while all servers have max_connections." },
	{ .name = "timeouts", MAP(pool_timeouts), .prose = "How long origins may take." },
	{ .name = "keepalive", MAP(keepalive),
	  .prose = "Connections that are kept for the next request." },
};

const struct map map_pool = {
	.name = "pool", ROWS(rows_pool), NAMED_ELEMENT(conf_pool), .finish = finish_pool,
	.prose = "Origin servers that serve the same.",
};

static const struct field rows_resolver[] = {
	{ .name = "servers", STRINGS(conf, resolver.servers), .standard = "",
	  .check = check_dns_server, .most = CONF_DNS_SERVERS_MAX,
	  .form = "a list of addresses, each with a port or without: \"10.0.0.53\", "
	    "\"[2001:db8::53]:5353\"",
	  .prose = "DNS servers, asked in this order; a name is then asked for as it is. Empty: "
	    "those of /etc/resolv.conf, with its search list." },
	{ .name = "timeout", DURATION(conf, resolver.timeout), .standard = "1500ms",
	  .min = "50ms", .max = "30s",
	  .prose = "For a server's answer. Each is asked once more, for twice as long." },
};

const struct map map_resolver = {
	.name = "resolver", ROWS(rows_resolver), WITHIN,
	.prose = "How names of origins are looked up. /etc/hosts, read at the start, comes first. "
	    "Every address is a server of its own; names are asked for again when their time "
	    "to live is over.",
};
/* clang-format on */
