/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/snapshot.h - a configuration made live: everything a request
 * looks up. Immutable once made; all threads read it without a lock. Made and
 * freed by gateway/reload.c. */
#ifndef YETT_REQUEST_SNAPSHOT_H
#define YETT_REQUEST_SNAPSHOT_H

#include "gateway/access/acl.h"
#include "gateway/access/auth.h"
#include "gateway/access/bans.h"
#include "gateway/access/identity.h"
#include "gateway/base/log.h"
#include "gateway/cache/store.h"
#include "gateway/conf/conf.h"
#include "gateway/filter/changes.h"
#include "gateway/filter/compress.h"
#include "gateway/filter/error_pages.h"
#include "gateway/filter/mask.h"
#include "gateway/http/h1.h"
#include "gateway/redis/redis.h"
#include "gateway/route/route.h"
#include "gateway/tls/tls.h"
#include "gateway/upstream/upstream.h"
#include "geo/geo.h"
#include "ratelimit/limiter.h"
#include "rules/waf.h"

/* How a site or route uses the cache. */
struct place_cache {
	const struct conf_cache_use *conf;
	struct cache_rules rules;
	struct cache_key_rules key;		/* parts are each request's own */
	struct cache_vary_rules vary;
};

/* What a site, or one of its routes, decided about its requests. */
struct place {
	const char *site;			/* its first host */
	const char *route;			/* path as configured, NULL */
	const struct conf_strings *methods;
	const char *policy_name;
	const struct conf_policy *policy;	/* NULL: off */
	struct waf_policy *waf;			/* NULL: off */
	struct upstream_pool *pool;
	struct acl *acl;			/* NULL: everyone may */
	bool owns_acl;				/* else the site's */
	struct auth *auth;			/* NULL: nobody is asked who he is */
	const char *realm;
	bool certificate_required;		/* a verified one, of the client */
	uint32_t limits[LIMITER_LIMITS_MAX];	/* as limits_find has them */
	unsigned n_limits;
	/* of header fields; NULL: none */
	struct changes *request_changes, *response_changes;
	bool owns_changes;			/* else the site's */
	const struct error_pages *error_pages;	/* NULL: Yett's */
	struct place_cache *cache;		/* NULL: nothing is kept */
	bool owns_cache;			/* else the site's */
	struct compress_plan *compress;		/* NULL: off */
	bool owns_compress;
};

struct site_places {
	struct place self;
	struct place *routes;			/* as in conf_site.routes */
};

/* A listener's part of the snapshot; connections point at it. */
struct entrance {
	const struct conf_listener *conf;
	struct tls_server *tls;			/* NULL: plain */
	uint16_t https_port;			/* where redirect_to: https leads */
};

#define SNAPSHOT_MAGIC 0x5a9b0755u
struct snapshot {
	unsigned magic;
	struct conf *conf;
	struct waf *waf;
	struct waf_policy **policies;		/* as conf.policies; NULL: mode off */
	struct upstream_pool **pools;		/* as conf.pools */
	struct route_table *routes;
	struct site_places *sites;		/* as conf.sites */
	struct entrance *entrances;		/* as conf.listeners */
	struct identity *identity;
	struct geo *geo;
	struct redis_service *redis;		/* NULL: none */
	struct limits *rate_limits;
	struct acl_files *acl_files;
	struct auth **auths;			/* one per password file */
	size_t n_auths;
	struct error_pages **error_pages;	/* one per folder */
	size_t n_error_pages;
	struct bans *bans;
	struct cache_store *cache;		/* NULL: no place uses it */
	struct cache_secret cache_secret;
	struct mask *mask;
	struct h1_limits limits;
	struct log_file *audit, *access;	/* NULL: off */
};

#endif
