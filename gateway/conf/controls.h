/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/controls.h - the part of the configuration that speaks of the
 * controls before the WAF: identity, Redis, geo, limits, access, bans. As in
 * conf.h: durations are microseconds, strings never NULL. */
#ifndef YETT_CONF_CONTROLS_H
#define YETT_CONF_CONTROLS_H

#include <stdbool.h>

#include "gateway/base/netaddr.h"
#include "gateway/conf/problem.h"

struct conf_strings { const char **v; size_t n; };
struct conf_prefixes { struct netprefix *v; size_t n; };
struct conf_numbers { uint32_t *v; size_t n; };

#define CONF_LIMITS_MAX 8	/* of one site or route */
#define CONF_KEYS_MAX 8		/* parts of one limit's key */

enum conf_mode { CONF_ENFORCE, CONF_SHADOW };

struct conf_identity {
	struct conf_prefixes trusted_proxies;
	const char *header;		/* "X-Forwarded-For", "Forwarded", or another */
	uint32_t ipv6_prefix;		/* bits that make one client */
};

enum conf_redis_kind { CONF_REDIS_SINGLE, CONF_REDIS_SENTINEL, CONF_REDIS_CLUSTER };
enum conf_redis_clock { CONF_CLOCK_REDIS, CONF_CLOCK_LOCAL };

struct conf_redis_host { const char *host; uint16_t port; };

struct conf_redis {
	struct conf_place place;
	bool present;
	const char *url;
	enum conf_redis_kind kind;	/* the url, taken apart */
	bool tls;			/* rediss://, and rediss+sentinel, +cluster */
	struct conf_redis_host *hosts;	/* servers, sentinels or cluster nodes */
	size_t n_hosts;
	const char *unix_path;		/* "" : hosts */
	const char *master;		/* sentinel: name of the master */
	uint32_t database;
	const char *username, *password_file;
	const char *sentinel_password_file;
	const char *ca;			/* "system" or a PEM path */
	bool verify;
	const char *certificate, *key;	/* client certificate, or "" */
	const char *key_file;		/* secret that hashes keys, or "" */
	enum conf_redis_clock clock;
	int64_t deadline;
	const char *prefix;
};

struct conf_geo {
	const char *country, *asn;	/* "": none */
	bool headers;			/* X-Geo-Country, X-Geo-Asn to the origin */
};

enum conf_key_kind {
	CONF_KEY_CLIENT, CONF_KEY_ROUTE, CONF_KEY_SITE, CONF_KEY_PATH,
	CONF_KEY_COUNTRY, CONF_KEY_ASN, CONF_KEY_HEADER, CONF_KEY_COOKIE,
};
struct conf_key { enum conf_key_kind kind; const char *name; /* of header, cookie */ };

enum conf_on_failure { CONF_FAIL_LOCAL, CONF_FAIL_OPEN, CONF_FAIL_CLOSED };

struct conf_limit {
	struct conf_place place;
	const char *name;
	struct conf_strings key;	/* as written */
	struct conf_key *keys;		/* the same, taken apart */
	size_t n_keys;
	const char *rate;		/* as written: "5/m" */
	uint64_t tokens, per_us;	/* the same: 5 in 60000000 */
	uint32_t burst, cost;
	enum conf_mode mode;
	enum conf_on_failure on_failure;
	bool headers;			/* allowed answers tell of the limit, too */
};

/* Who, in one step of an access list: `any`, or one of the lists; and, where
 * they are given, one of the methods and one of the paths too. */
struct conf_match {
	bool any;
	struct conf_prefixes address;
	const char *address_file;	/* "": none */
	struct conf_strings country;	/* "DE", "unknown", "private" */
	struct conf_strings continent;	/* "EU" */
	struct conf_numbers asn;
	struct conf_strings method;
	struct conf_strings path;	/* "/prefix" or "=/exact" */
};

enum conf_access_action { CONF_ALLOW, CONF_DENY, CONF_LOG };
struct conf_access_rule {
	struct conf_place place;
	enum conf_access_action action;
	struct conf_match match;
};

struct conf_auth {
	const char *htpasswd;		/* "": no authentication */
	const char *realm;
};

enum conf_client_certificate { CONF_CERTIFICATE_OPTIONAL, CONF_CERTIFICATE_REQUIRED };

/* Kinds of refusals that lead to a ban: bits. */
enum conf_ban_kind {
	CONF_BAN_WAF = 1, CONF_BAN_LIMIT = 2, CONF_BAN_ACL = 4, CONF_BAN_GEO = 8,
	CONF_BAN_PROTOCOL = 16, CONF_BAN_AUTH = 32,
};

struct conf_bans {
	bool present;			/* else nobody is banned but by hand */
	uint32_t after;
	int64_t within, lasts, max;	/* `lasts` is the field `for` */
	unsigned count;			/* enum conf_ban_kind */
	enum conf_mode mode;
};

struct conf_admin {
	struct conf_place place;
	const char *socket;		/* "off" */
	bool socket_given;		/* else one that can't be made is a warning */
	const char *metrics;		/* "ADDRESS:PORT", "" none */
};

#endif
