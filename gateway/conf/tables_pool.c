/* SPDX-License-Identifier: Apache-2.0 */
/* The directive tables of pools of origin servers. */
#include "config.h"

#include "gateway/conf/rows.h"
#include "gateway/conf/tables.h"

/* clang-format off */
static const struct choice words_balance[] = {
	{ "round_robin", 0, false },
	{ "least_connections", 1, true },
	{ "random_two", 2, true },
	{ "consistent_hash", 3, true },
	{ NULL, 0, false },
};

static const struct choice words_ca[] = { { "system", 0, false }, { NULL, 0, false } };

static const struct field rows_server[] = {
	{ .name = "url", STRING(conf_server, url), .required = true,
	  .form = "http://HOST[:PORT], https://HOST[:PORT] or http://unix:/PATH",
	  .prose = "Where the origin is. No path or query: the client's is used." },
	{ .name = "weight", NUMBER(conf_server, weight), .standard = "1", .min = "1",
	  .max = "1000", .prose = "Its share of requests, compared with the others'." },
	{ .name = "backup", LATER(TRUTH), .standard = "off", .harmless = "off",
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

static const struct field rows_pool[] = {
	{ .name = "balance", BY_HAND(WORD), .choices = words_balance, .standard = "round_robin",
	  .prose = "How a server is chosen for a request: in turn, by weight." },
	{ .name = "hash_on", LATER(STRING), .standard = "", .harmless = "",
	  .check = check_key, .form = "client, path, header:NAME or cookie:NAME",
	  .prose = "What consistent_hash hashes." },
	{ .name = "sticky", LATER_MAP(MAP, sticky), .prose = "Keeps a client with its server." },
	{ .name = "servers", LIST(conf_pool, servers, server), .required = true,
	  .prose = "The origin servers." },
	{ .name = "tls", MAP(pool_tls), .prose = "TLS to https:// origins." },
	{ .name = "health", LATER_MAP(MAP, health), .prose = "Checks servers by asking them." },
	{ .name = "outlier", LATER_MAP(MAP, outlier),
	  .prose = "Takes a server out that fails clients' requests." },
	{ .name = "slow_start", LATER(DURATION), .standard = "0s", .harmless = "0s",
	  .min = "0s", .max = "1h",
	  .prose = "Time in which a server that came back gets its full share." },
	{ .name = "retries", NUMBER(conf_pool, retries), .standard = "1", .min = "0",
	  .max = "5", .prose = "Further attempts, of what is safe to send twice." },
	{ .name = "max_connections", LATER(NUMBER), .standard = "0", .harmless = "0",
	  .min = "0", .max = "1000000", .prose = "Connections to one server; 0: no bound." },
	{ .name = "queue", LATER_MAP(MAP, queue),
	  .prose = "Requests that wait while all servers have max_connections." },
	{ .name = "timeouts", MAP(pool_timeouts), .prose = "How long origins may take." },
	{ .name = "keepalive", MAP(keepalive),
	  .prose = "Connections that are kept for the next request." },
};

const struct map map_pool = {
	.name = "pool", ROWS(rows_pool), NAMED_ELEMENT(conf_pool), .finish = finish_pool,
	.prose = "Origin servers that serve the same.",
};
/* clang-format on */
