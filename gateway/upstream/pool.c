/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of origins: names resolved, TLS and secrets opened, the first set. */
#include "config.h"

#include "gateway/upstream/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/upstream/resolved.h"

#define SECRET_MIN 16
#define SECRET_MAX 65536

/* A server of the configuration while the pool is made. */
struct found {
	struct netaddr addresses[UPSTREAM_ADDRESSES_MAX];
	uint32_t n;
};

static enum err_code
find_unix(struct found *found, const struct conf_server *cf, struct err *e)
{
	struct netaddr *address;
	size_t n;

	n = strlen(cf->unix_path);
	address = &found->addresses[0];
	if (n >= sizeof(address->path))
		return (err_set(e, ERR_RANGE, "the path has %zu bytes, at most %zu fit",
		    n, sizeof(address->path) - 1));
	memset(address, 0, sizeof(*address));
	address->family = NETADDR_UNIX;
	memcpy(address->path, cf->unix_path, n);
	found->n = 1;
	return (ERR_OK);
}

static enum err_code
find_name(struct found *found, const struct conf_server *cf,
    const struct resolved *resolved, struct err *e)
{
	struct resolved *own = NULL;
	struct resolve_set set;
	enum err_code rc;
	uint32_t i;

	if (resolved == NULL)
		resolved = own = resolved_new(NULL, &cf->host, 1, RESOLVED_TIMEOUT_US);
	rc = resolved_find(resolved, cf->host, &set, e);
	resolved_free(&own);
	if (rc != ERR_OK)
		return (rc);
	found->n = set.n;
	for (i = 0; i < set.n; i++) {
		found->addresses[i] = set.addresses[i];
		found->addresses[i].port = cf->port;
	}
	return (ERR_OK);
}

static enum err_code
find(struct found *found, const struct conf_pool *cf, const struct conf_server *sv,
    const struct resolved *resolved, struct err *e)
{
	enum err_code rc;

	found->n = 0;
	rc = sv->unix_path[0] != '\0' ? find_unix(found, sv, e)
				      : find_name(found, sv, resolved, e);
	if (rc == ERR_OK && sv->https && sv->host[0] == '\0' &&
	    cf->tls.server_name[0] == '\0')
		return (err_set(e, ERR_MISSING,
		    "TLS over a unix socket needs tls.server_name in the pool"));
	return (rc);
}

/* All addresses of all servers. *n_r says how many there are also on failure. */
static enum err_code
find_all(const struct conf_pool *cf, const struct resolved *resolved,
    struct upstream_server ***servers_r, uint32_t *n_r, struct err *e)
{
	struct upstream_server **servers;
	struct found *found;
	enum err_code rc;
	uint32_t i, j;

	found = mem_zalloc(sizeof(*found));
	servers = mem_zalloc(BALANCE_SERVERS_MAX * sizeof(struct upstream_server *));
	*servers_r = servers;
	*n_r = 0;
	rc = ERR_OK;
	for (i = 0; i < cf->n_servers && rc == ERR_OK; i++) {
		rc = find(found, cf, &cf->servers[i], resolved, e);
		if (rc != ERR_OK)
			rc = err_wrap(
			    e, "pool %s: server %s", cf->name, cf->servers[i].url);
		else if (*n_r + found->n > BALANCE_SERVERS_MAX)
			rc = err_set(e, ERR_RANGE, "pool %s: more than %u addresses",
			    cf->name, BALANCE_SERVERS_MAX);
		for (j = 0; rc == ERR_OK && j < found->n; j++)
			servers[(*n_r)++] =
			    upstream_server_new(cf, i, &found->addresses[j]);
	}
	free(found);
	return (rc);
}

static enum err_code
open_tls(struct upstream_pool *pool, const struct conf_pool *cf, struct err *e)
{
	struct tls_client_options options;
	size_t i;

	for (i = 0; i < cf->n_servers && !cf->servers[i].https; i++)
		continue;
	if (i == cf->n_servers)
		return (ERR_OK);
	memset(&options, 0, sizeof(options));
	options.ca = cf->tls.ca;
	options.verify = cf->tls.verify;
	options.files.certificate = cf->tls.certificate;
	options.files.key = cf->tls.key;
	options.files.ocsp = "";
	return (tls_client_new(&pool->tls, &options, e));
}

/* The bytes of a file but for line ends behind them. */
static enum err_code
read_secret(struct text *secret, const char *path, struct err *e)
{
	char piece[512];
	FILE *f;
	size_t n;

	f = fopen(path, "re");
	if (f == NULL)
		return (err_errno(e, "%s: cannot be opened", path));
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0 && !secret->overflow)
		text_put(secret, span_mem(piece, n));
	(void)fclose(f);
	explicit_bzero(piece, sizeof(piece));
	while (secret->n > 0 &&
	       (secret->p[secret->n - 1] == '\n' || secret->p[secret->n - 1] == '\r'))
		secret->n--;
	if (secret->n < SECRET_MIN || secret->overflow)
		return (err_set(e, ERR_RANGE, "%s: a secret has %d to %d bytes", path,
		    SECRET_MIN, SECRET_MAX));
	return (ERR_OK);
}

/* Four words, each from all of the secret. */
static void
take_secret(struct upstream_pool *pool, struct span secret)
{
	uint64_t words[4];
	unsigned i;

	for (i = 0; i < 4; i++) {
		struct hash_key fixed = { UINT64_C(0x796574742d706f6f) + i,
			UINT64_C(0x6c2d66696c650000) };

		words[i] = hash_bytes(&fixed, secret.p, secret.n);
	}
	pool->secret = (struct hash_key){ words[0], words[1] };
	pool->hash_key = (struct hash_key){ words[2], words[3] };
	explicit_bzero(words, sizeof(words));
}

/* Of cookies: the operator's, or one of this start. Of consistent_hash: the same on
 * all gateways either way, and with the operator's secret nobody else's. */
static enum err_code
open_secrets(struct upstream_pool *pool, const struct conf_pool *cf, struct err *e)
{
	static const struct hash_key fixed = { UINT64_C(0x796574742d706f6f),
		UINT64_C(0x6c2d736563726574) };
	struct hash_key second;
	struct text secret;
	enum err_code rc;

	second = fixed;
	second.k1++;
	pool->secret = hash_key_random();
	pool->hash_key.k0 = hash_bytes(&fixed, pool->name, strlen(pool->name));
	pool->hash_key.k1 = hash_bytes(&second, pool->name, strlen(pool->name));
	if (cf->sticky.key_file[0] == '\0')
		return (ERR_OK);
	text_init(&secret, SECRET_MAX);
	rc = read_secret(&secret, cf->sticky.key_file, e);
	if (rc == ERR_OK)
		take_secret(pool, text_span(&secret));
	if (secret.p != NULL)
		explicit_bzero(secret.p, secret.size);
	text_free(&secret);
	return (rc);
}

enum err_code
upstream_pool_new(struct upstream_pool **pool_r, const struct conf_pool *cf,
    const struct resolved *resolved, struct err *e)
{
	struct upstream_server **servers;
	struct upstream_pool *pool;
	enum err_code rc;
	uint32_t n, i;

	*pool_r = NULL;
	if (cf->n_servers == 0 || cf->n_servers > BALANCE_SERVERS_MAX)
		return (err_set(e, ERR_RANGE, "pool %s: %zu servers, 1 to %u are allowed",
		    cf->name, cf->n_servers, BALANCE_SERVERS_MAX));
	pool = mem_zalloc(sizeof(*pool));
	pool->magic = POOL_MAGIC;
	atomic_init(&pool->references, 1);
	pool->conf = cf;
	pool->name = mem_strdup(cf->name);
	pool->connect_us = cf->timeouts.connect;
	pool->idle_us = cf->keepalive.idle;
	pool->idle_max = cf->keepalive.connections;
	pool->slow_start_us = cf->slow_start;
	pool->by_hash = cf->balance == CONF_CONSISTENT_HASH;
	pool->max_connections = cf->max_connections;
	pool->queue_length = cf->queue.length;
	pool->queue_wait_us = cf->queue.wait;
	budget_init(&pool->budget, BUDGET_PERCENT, BUDGET_PER_SECOND, BUDGET_WINDOW_US);
	rc = find_all(cf, resolved, &servers, &n, e);
	if (rc == ERR_OK && open_tls(pool, cf, e) != ERR_OK)
		rc = err_wrap(e, "pool %s: tls", cf->name);
	if (rc == ERR_OK && open_secrets(pool, cf, e) != ERR_OK)
		rc = err_wrap(e, "pool %s: sticky", cf->name);
	if (rc == ERR_OK) {
		atomic_init(&pool->set, set_new(pool, servers, n));
	} else {
		for (i = 0; i < n; i++)
			upstream_server_free(&servers[i]);
		upstream_pool_free(&pool);
	}
	free(servers);
	*pool_r = pool;
	return (rc);
}

struct upstream_pool *
upstream_pool_ref(struct upstream_pool *pool)
{
	CHECK_OBJ(pool, POOL_MAGIC);
	(void)atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
	return (pool);
}

void
upstream_pool_free(struct upstream_pool **pool_p)
{
	struct upstream_pool *pool;

	pool = *pool_p;
	*pool_p = NULL;
	if (pool == NULL)
		return;
	CHECK_OBJ(pool, POOL_MAGIC);
	if (atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1)
		return;
	set_forget(pool);
	if (pool->tls != NULL)
		tls_client_free(&pool->tls);
	explicit_bzero(&pool->secret, sizeof(pool->secret));
	free(pool->name);
	pool->magic = 0;
	free(pool);
}

const struct conf_pool *
upstream_pool_conf(const struct upstream_pool *pool)
{
	CHECK_OBJ(pool, POOL_MAGIC);
	return (pool->conf);
}

uint64_t
upstream_pool_hash(const struct upstream_pool *pool, struct span key)
{
	return (hash_bytes(&pool->hash_key, key.p, key.n));
}

void
upstream_pool_request(struct upstream_pool *pool, int64_t now_us)
{
	CHECK_OBJ(pool, POOL_MAGIC);
	budget_request(&pool->budget, now_us);
}

bool
upstream_pool_retry(struct upstream_pool *pool, int64_t now_us)
{
	CHECK_OBJ(pool, POOL_MAGIC);
	return (budget_retry(&pool->budget, now_us));
}
