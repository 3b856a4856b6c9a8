/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/conf.h - the configuration as plain structs. Read by conf_load
 * from YAML through the directive tables; never changed after.
 * Durations are microseconds, sizes bytes. Strings are NUL-terminated, never
 * NULL ("" when left out) and live as long as the struct conf. */
#ifndef YETT_CONF_H
#define YETT_CONF_H

#include <stdbool.h>

#include "gateway/base/netaddr.h"
#include "gateway/conf/answers.h"
#include "gateway/conf/controls.h"
#include "gateway/conf/policy.h"
#include "gateway/conf/pools.h"
#include "gateway/conf/problem.h"

struct conf_certificate {
	struct conf_place place;
	const char *certificate, *key;	/* PEM paths, made absolute against the file */
	const char *ocsp;		/* DER file of an OCSP answer, or "" */
};

enum conf_tls_version { CONF_TLS_1_2, CONF_TLS_1_3 };

enum conf_proxy_protocol { CONF_PROXY_OFF, CONF_PROXY_ACCEPT, CONF_PROXY_REQUIRE };

struct conf_listener {
	struct conf_place place;
	struct netaddr address;
	enum conf_proxy_protocol proxy_protocol;
	struct conf_strings protocols;
	bool redirect_to_https;
	bool tls;			/* a tls: mapping is there */
	struct conf_certificate *certificates;
	size_t n_certificates;
	enum conf_tls_version min_version;
	const char *client_ca;		/* "": no certificate is asked for */
};

struct conf_route {
	struct conf_place place;
	const char *path;		/* as written: "/x/", "=/x", "~ regex" */
	struct conf_strings methods;	/* none: the site's */
	const char *policy, *pool;	/* "": the site's; policy may be "off" */
	/* else the site's */
	bool has_limits, has_access, has_auth, has_cache, has_compress, has_headers;
	struct conf_strings limits;
	struct conf_access_rule *access;
	size_t n_access;
	struct conf_auth auth;
	struct conf_cache_use cache;
	struct conf_compress compress;
	struct conf_headers headers;
};

struct conf_site {
	struct conf_place place;
	struct conf_strings hosts;	/* lower case; "*.x", and "*" for any */
	const char *pool, *policy;
	struct conf_strings methods;
	struct conf_strings limits;
	struct conf_access_rule *access;
	size_t n_access;
	struct conf_auth auth;
	enum conf_client_certificate client_certificate;
	struct conf_cache_use cache;
	struct conf_compress compress;
	struct conf_headers headers;
	const char *error_pages;	/* folder of the operator's own, or "" */
	struct conf_route *routes;
	size_t n_routes;
};

#define CONF_DNS_SERVERS_MAX 8

/* Where a path was written, to tell of a file that is not sound. */
struct conf_path {
	struct conf_place place;
	const char *field;		/* "geo.country" */
	const char *value;
};

enum conf_access_format { CONF_ACCESS_JSON, CONF_ACCESS_COMBINED };

struct conf {
	const char *node;
	uint32_t threads;		/* already resolved from auto */
	struct conf_listener *listeners;
	size_t n_listeners;
	struct { int64_t handshake, header, body_idle, keepalive, send_idle; } timeouts;
	struct {
		uint64_t header_bytes;
		uint32_t fields, connections, connections_per_client;
		uint32_t limit_keys;	/* buckets kept in this process */
	} max;
	struct conf_identity identity;
	struct conf_redis redis;
	struct conf_geo geo;
	struct conf_limit *limits;
	size_t n_limits;
	struct conf_bans bans;
	struct conf_admin admin;
	struct {
		struct conf_strings servers;	/* addresses, ports may be left out */
		int64_t timeout;
	} resolver;
	struct conf_pool *pools;
	size_t n_pools;
	struct conf_policy *policies;
	size_t n_policies;
	struct { uint64_t memory, max_object; } cache;
	struct conf_site *sites;
	size_t n_sites;
	struct {
		struct { const char *path; enum conf_access_format format; } access;
		struct { const char *path; struct conf_strings mask; } audit;
		struct { const char *path; int level; } error;	/* enum log_level */
	} logs;
	struct conf_path *paths;	/* all single ones that were written */
	size_t n_paths;
};

/* Reads `path` and what it includes. NULL when there is any problem. Problems
 * are the caller's: conf_problems_free. One thread at a time. */
struct conf *conf_load(const char *path, struct conf_problems *problems_r);
/* The same for text made in memory (`yett run --protect`), which may include
 * nothing; `name` stands for the file in problems, relative paths are against
 * the working folder. */
struct conf *conf_load_text(const char *name, struct span yaml,
    struct conf_problems *problems_r);
void conf_free(struct conf **);
const struct conf_pool *conf_find_pool(const struct conf *, const char *name);
const struct conf_policy *conf_find_policy(const struct conf *, const char *name);
const struct conf_limit *conf_find_limit(const struct conf *, const char *name);
/* `value`: a member of the configuration, itself and not a copy. NULL: a default. */
const struct conf_path *conf_find_path(const struct conf *, const char *value);

#endif
