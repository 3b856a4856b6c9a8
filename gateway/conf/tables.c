/* SPDX-License-Identifier: Apache-2.0 */
/* The directive tables of the top level, listeners and logs. */
#include "config.h"

#include "gateway/conf/rows.h"
#include "gateway/conf/tables.h"

#include "gateway/base/log.h"

/* clang-format off */
static const struct choice words_threads[] = { { "auto", 0, false }, { NULL, 0, false } };

static const struct choice words_protocol[] = {
	{ "http/1.1", 0, false },
	{ "h2", 1, true },
	{ NULL, 0, false },
};

static const struct choice words_proxy_protocol[] = {
	{ "off", CONF_PROXY_OFF, false },
	{ "accept", CONF_PROXY_ACCEPT, false },
	{ "require", CONF_PROXY_REQUIRE, false },
	{ NULL, 0, false },
};

static const struct choice words_redirect[] = {
	{ "off", 0, false },
	{ "https", 1, false },
	{ NULL, 0, false },
};

static const struct choice words_tls_version[] = {
	{ "1.2", CONF_TLS_1_2, false },
	{ "1.3", CONF_TLS_1_3, false },
	{ NULL, 0, false },
};

static const struct choice words_access_format[] = {
	{ "json", CONF_ACCESS_JSON, false },
	{ "combined", CONF_ACCESS_COMBINED, false },
	{ NULL, 0, false },
};

static const struct choice words_level[] = {
	{ "debug", LOG_LEVEL_DEBUG, false },
	{ "info", LOG_LEVEL_INFO, false },
	{ "warn", LOG_LEVEL_WARN, false },
	{ "error", LOG_LEVEL_ERROR, false },
	{ NULL, 0, false },
};

static const struct choice words_log_target[] = {
	{ "stdout", 0, false },
	{ "stderr", 1, false },
	{ "syslog", 2, false },
	{ "off", 3, false },
	{ NULL, 0, false },
};

static const struct field rows_certificate[] = {
	{ .name = "certificate", PATH(conf_certificate, certificate), .required = true,
	  .prose = "PEM file of the certificate, with the chain behind it." },
	{ .name = "key", PATH(conf_certificate, key), .required = true,
	  .prose = "PEM file of the private key, not encrypted." },
	{ .name = "ocsp", PATH(conf_certificate, ocsp), .standard = "",
	  .prose = "DER file of an OCSP answer, stapled to the handshake; empty: none." },
};

static const struct map map_certificate = {
	.name = "certificate", ROWS(rows_certificate), ELEMENT(conf_certificate),
	.prose = "A certificate of a listener and its key.",
};

static const struct field rows_listener_tls[] = {
	{ .name = "certificates", LIST(conf_listener, certificates, certificate),
	  .required = true,
	  .prose = "Certificates and keys. The name that the client asks for (SNI) chooses: an "
	    "exact name before a wildcard; the first is for all else." },
	{ .name = "min_version", WORD(conf_listener, min_version, words_tls_version),
	  .standard = "1.2", .prose = "Oldest version of TLS that is spoken." },
	{ .name = "client_ca", PATH(conf_listener, client_ca), .standard = "",
	  .prose = "PEM file of authorities: clients are asked for a certificate of theirs, which "
	    "a site may require; empty: they are not." },
};

static const struct map map_listener_tls = {
	.name = "listener_tls", ROWS(rows_listener_tls), WITHIN,
	.prose = "TLS to clients. A listener without it is plain HTTP.",
};

static const struct field rows_listener[] = {
	{ .name = "address", ADDRESS(conf_listener, address), .required = true,
	  .prose = "Where to listen: \"0.0.0.0:443\", \"[::]:443\", \"127.0.0.1:8443\" or "
	    "\"unix:/run/yett/in.sock\". Quote it: YAML reads brackets and colons." },
	{ .name = "protocols", WORDS(conf_listener, protocols, words_protocol),
	  .standard = "http/1.1",
	  .prose = "Protocols offered by ALPN, the preferred one first." },
	{ .name = "proxy_protocol", WORD(conf_listener, proxy_protocol, words_proxy_protocol),
	  .standard = "off",
	  .prose = "Take the client's address from a PROXY header (v1 or v2): never; where one of "
	    "identity.trusted_proxies sends one; or only connections of those, with one." },
	{ .name = "tls", MAP_PRESENT(conf_listener, tls, listener_tls),
	  .prose = "TLS to clients; left out: plain HTTP." },
	{ .name = "redirect_to", .type = FIELD_TRUTH, .choices = words_redirect,
	  .offset = FIELD_AT(conf_listener, redirect_to_https, bool), .standard = "off",
	  .prose = "https: answer 308 with the https:// address to everything." },
};

const struct map map_listener = {
	.name = "listener", ROWS(rows_listener), ELEMENT(conf_listener),
	.finish = finish_listener,
	.prose = "An address that clients connect to.",
};

static const struct field rows_timeouts[] = {
	{ .name = "handshake", DURATION(conf, timeouts.handshake), .standard = "10s",
	  .min = "100ms", .max = "10m", .prose = "For the whole TLS handshake." },
	{ .name = "header", DURATION(conf, timeouts.header), .standard = "10s",
	  .min = "100ms", .max = "10m",
	  .prose = "For the head of a request, from its first byte to its last." },
	{ .name = "body_idle", DURATION(conf, timeouts.body_idle), .standard = "30s",
	  .min = "100ms", .max = "1h",
	  .prose = "Longest pause between two pieces of a request's body." },
	{ .name = "keepalive", DURATION(conf, timeouts.keepalive), .standard = "60s",
	  .min = "0s", .max = "1h",
	  .prose = "How long a connection may wait for its next request; 0s: closed after each." },
	{ .name = "send_idle", DURATION(conf, timeouts.send_idle), .standard = "30s",
	  .min = "100ms", .max = "1h",
	  .prose = "Longest time in which a client takes nothing of its answer." },
};

static const struct map map_timeouts = {
	.name = "timeouts", ROWS(rows_timeouts), WITHIN,
	.prose = "How long clients may take. Past one of these the connection is closed.",
};

static const struct field rows_max[] = {
	{ .name = "header_bytes", SIZE(conf, max.header_bytes), .standard = "32KiB",
	  .min = "1KiB", .max = "1MiB",
	  .prose = "Head of a request: request line and all fields. Above: 431, or 414 for the "
	    "request line." },
	{ .name = "fields", NUMBER(conf, max.fields), .standard = "100", .min = "8",
	  .max = "1000", .prose = "Header fields of one request. Above: 431." },
	{ .name = "connections", NUMBER(conf, max.connections), .standard = "20000",
	  .min = "1", .max = "1000000",
	  .prose = "Client connections in all. Further ones are reset at once." },
	{ .name = "connections_per_client", NUMBER(conf, max.connections_per_client),
	  .standard = "200", .min = "1", .max = "1000000",
	  .prose = "Connections of one client: an IPv4 address or an IPv6 /64." },
	{ .name = "limit_keys", NUMBER(conf, max.limit_keys), .standard = "131072",
	  .min = "1024", .max = "16777216",
	  .prose = "Buckets of rate limits kept in this process; some 120 bytes each." },
};

static const struct map map_max = {
	.name = "max", ROWS(rows_max), WITHIN, .prose = "Bounds on what clients may use.",
};

static const struct field rows_log_access[] = {
	{ .name = "path", PATH(conf, logs.access.path), .choices = words_log_target,
	  .standard = "/var/log/yett/access.log", .prose = "Where it goes." },
	{ .name = "format", WORD(conf, logs.access.format, words_access_format),
	  .standard = "json",
	  .prose = "json: one object a line; combined: the format of Apache and nginx." },
};

static const struct map map_log_access = {
	.name = "log_access", ROWS(rows_log_access), WITHIN,
	.prose = "One line for each request.",
};

static const struct field rows_log_audit[] = {
	{ .name = "path", PATH(conf, logs.audit.path), .choices = words_log_target,
	  .standard = "/var/log/yett/audit.log", .prose = "Where it goes." },
	{ .name = "mask", STRINGS(conf, logs.audit.mask), .check = check_word,
	  .standard = "password, passwd, token, secret, authorization, cookie, set-cookie",
	  .form = "a list of words",
	  .prose = "Fields, cookies and arguments whose name contains one of these words, "
	    "in capitals or not, have their value replaced by ***." },
};

static const struct map map_log_audit = {
	.name = "log_audit", ROWS(rows_log_audit), WITHIN,
	.prose = "One JSON object for each refusal, and for what a policy in mode detect "
	    "would have refused.",
};

static const struct field rows_log_error[] = {
	{ .name = "path", PATH(conf, logs.error.path), .choices = words_log_target,
	  .standard = "stderr", .prose = "Where it goes." },
	{ .name = "level", WORD_INT(conf, logs.error.level, words_level), .standard = "info",
	  .prose = "The least that is logged." },
};

static const struct map map_log_error = {
	.name = "log_error", ROWS(rows_log_error), WITHIN,
	.prose = "What happens to the gateway itself.",
};

static const struct field rows_logs[] = {
	{ .name = "access", MAP(log_access), .prose = "One line for each request." },
	{ .name = "audit", MAP(log_audit), .prose = "One JSON object for each refusal." },
	{ .name = "error", MAP(log_error), .prose = "What happens to the gateway itself." },
};

const struct map map_logs = {
	.name = "logs", ROWS(rows_logs), WITHIN,
	.prose = "Log files are opened again on SIGUSR1. Lines that a slow disk has no room "
	    "for are dropped and counted.",
};

static const struct field rows_root[] = {
	{ .name = "node", STRING(conf, node), .standard = "", .shown = "the host's name",
	  .check = check_node, .form = "a name of up to 64 letters, digits, dots, - and _",
	  .prose = "Name of this gateway in logs and in the cluster." },
	{ .name = "threads", NUMBER(conf, threads), .choices = words_threads,
	  .standard = "auto", .min = "1", .max = "256",
	  .prose = "Worker threads; auto: one per core that the process may use." },
	{ .name = "include", BY_HAND(FILES), .shown = "none",
	  .prose = "Further files, such as conf.d/*.yaml, against the folder of this one. They "
	    "may hold sites, pools and policies." },
	{ .name = "listeners", LIST(conf, listeners, listener), .required = true,
	  .prose = "Addresses that clients connect to." },
	{ .name = "timeouts", MAP(timeouts), .prose = "How long clients may take." },
	{ .name = "max", MAP(max), .prose = "Bounds on what clients may use." },
	{ .name = "identity", MAP_IN(conf, identity, identity), .prose = "Who the client is." },
	{ .name = "redis", MAP_IN_PRESENT(conf, redis, redis),
	  .prose = "The store that gateways share limits and bans in." },
	{ .name = "geo", MAP_IN(conf, geo, geo), .prose = "Databases of countries and networks." },
	{ .name = "resolver", MAP(resolver), .prose = "How names of origins are looked up." },
	{ .name = "pools", DICT(conf, pools, pool), .prose = "Origin servers, by a name." },
	{ .name = "limits", DICT(conf, limits, limit), .prose = "Rate limits, by a name." },
	{ .name = "policies", DICT(conf, policies, policy),
	  .prose = "What the WAF does, by a name. A policy called default is always there; off "
	    "stands for no WAF and can't be redefined." },
	{ .name = "cache", MAP(cache), .prose = "Memory for answers kept." },
	{ .name = "sites", LIST(conf, sites, site), .required = true,
	  .prose = "Host names and what is done with their requests." },
	{ .name = "bans", MAP_IN_PRESENT(conf, bans, bans),
	  .prose = "Shuts out clients that keep on being refused." },
	{ .name = "logs", MAP(logs), .prose = "Log files." },
	{ .name = "admin", MAP_IN(conf, admin, admin), .prose = "Control socket and metrics." },
};

const struct map map_root = {
	.name = "configuration", ROWS(rows_root), .size = sizeof(struct conf), WITHIN,
	.finish = finish_root,
	.prose = "The top level. All but listeners and sites may be left out.",
};
/* clang-format on */
