/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of origins: names resolved, TLS opened, turns laid out. */
#include "config.h"

#include "gateway/upstream/pool.h"

#include <sys/un.h>

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

/* Weights are scaled to it, so that laying out the turns stays cheap. */
#define TURNS_MAX 16384u

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
	uint64_t t;

	while (b != 0) {
		t = a % b;
		a = b;
		b = t;
	}
	return (a);
}

/* The least whole weights of the same proportions, at least 1 each. Returns
 * their sum. */
static uint32_t
least_weights(const struct conf_pool *cf, uint32_t *weights)
{
	uint64_t divisor = 0, sum = 0, w;
	uint32_t total = 0;
	size_t i;

	for (i = 0; i < cf->n_servers; i++) {
		w = cf->servers[i].weight != 0 ? cf->servers[i].weight : 1;
		divisor = common_divisor(w, divisor);
		sum += w;
	}
	CHECK(divisor != 0);
	sum /= divisor;
	for (i = 0; i < cf->n_servers; i++) {
		w = cf->servers[i].weight != 0 ? cf->servers[i].weight : 1;
		w /= divisor;
		if (sum > TURNS_MAX)
			w = w * TURNS_MAX / sum;
		weights[i] = w != 0 ? (uint32_t)w : 1;
		total += weights[i];
	}
	return (total);
}

/* Smooth weighted round robin (as nginx does it): each step every server gains
 * its weight, the richest has the turn and pays the sum of all. */
static void
lay_out_turns(struct upstream_pool *pool, const struct conf_pool *cf)
{
	uint32_t *weights, total, turn, best, i;
	int64_t *credit;

	weights = mem_zalloc(cf->n_servers * sizeof(*weights));
	credit = mem_zalloc(cf->n_servers * sizeof(*credit));
	total = least_weights(cf, weights);
	pool->turns = mem_alloc(total * sizeof(*pool->turns));
	pool->n_turns = total;
	for (turn = 0; turn < total; turn++) {
		best = 0;
		for (i = 0; i < cf->n_servers; i++) {
			credit[i] += weights[i];
			if (credit[i] > credit[best])
				best = i;
		}
		credit[best] -= total;
		pool->turns[turn] = (uint16_t)best;
	}
	free(credit);
	free(weights);
}

static enum err_code
resolve_unix(struct pool_server *server, const struct conf_server *cf, struct err *e)
{
	struct sockaddr_un un;
	size_t n = strlen(cf->unix_path);

	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	if (n >= sizeof(un.sun_path))
		return (err_set(e, ERR_RANGE, "the path has %zu bytes, at most %zu fit",
		    n, sizeof(un.sun_path) - 1));
	memcpy(un.sun_path, cf->unix_path, n);
	server->addresses = mem_zalloc(sizeof(*server->addresses));
	server->n_addresses = 1;
	memcpy(&server->addresses->sa, &un, sizeof(un));
	server->addresses->n = sizeof(un);
	server->host_text = mem_printf("unix:%s", cf->unix_path);
	return (ERR_OK);
}

static enum err_code
resolve_name(struct pool_server *server, const struct conf_server *cf, struct err *e)
{
	struct addrinfo hints, *list = NULL, *ai;
	struct span host = span_of(cf->host);
	char service[8], *name;
	int rc;

	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_cut(host, 1, host.n - 1);
	name = span_strdup(host);
	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_NUMERICSERV;
	(void)snprintf(service, sizeof(service), "%u", (unsigned)cf->port);
	rc = getaddrinfo(name, service, &hints, &list);
	if (rc != 0) {
		(void)err_set(e, ERR_MISSING, "cannot resolve \"%s\": %s", name,
		    rc == EAI_SYSTEM ? "system error" : gai_strerror(rc));
		free(name);
		return (ERR_MISSING);
	}
	server->addresses = mem_zalloc(POOL_ADDRESSES_MAX * sizeof(*server->addresses));
	for (ai = list; ai != NULL && server->n_addresses < POOL_ADDRESSES_MAX;
	     ai = ai->ai_next) {
		if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
			continue;
		memcpy(&server->addresses[server->n_addresses].sa, ai->ai_addr,
		    ai->ai_addrlen);
		server->addresses[server->n_addresses++].n = ai->ai_addrlen;
	}
	freeaddrinfo(list);
	server->host_text = mem_printf(
	    strchr(name, ':') != NULL ? "[%s]:%u" : "%s:%u", name, (unsigned)cf->port);
	if (server->n_addresses == 0)
		(void)err_set(e, ERR_MISSING, "\"%s\" has no address", name);
	free(name);
	return (server->n_addresses != 0 ? ERR_OK : ERR_MISSING);
}

static enum err_code
server_init(struct pool_server *server, const struct conf_pool *cf,
    const struct conf_server *sv, struct err *e)
{
	struct span name;
	enum err_code rc;

	rc = sv->unix_path[0] != '\0' ? resolve_unix(server, sv, e)
				      : resolve_name(server, sv, e);
	if (rc != ERR_OK)
		return (rc);
	server->https = sv->https;
	name = span_of(cf->tls.server_name[0] != '\0' ? cf->tls.server_name : sv->host);
	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = span_cut(name, 1, name.n - 1);
	if (sv->https && name.n == 0)
		return (err_set(e, ERR_MISSING,
		    "TLS over a unix socket needs tls.server_name in the pool"));
	server->tls_name = span_strdup(name);
	return (ERR_OK);
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

enum err_code
upstream_pool_new(
    struct upstream_pool **pool_r, const struct conf_pool *cf, struct err *e)
{
	struct upstream_pool *pool;
	uint32_t i;

	*pool_r = NULL;
	if (cf->n_servers == 0 || cf->n_servers > UINT16_MAX)
		return (err_set(e, ERR_RANGE, "pool %s: %zu servers, 1 to %d are allowed",
		    cf->name, cf->n_servers, UINT16_MAX));
	pool = mem_zalloc(sizeof(*pool));
	pool->magic = POOL_MAGIC;
	atomic_init(&pool->references, 1);
	pool->conf = cf;
	pool->connect_us = cf->timeouts.connect;
	pool->idle_us = cf->keepalive.idle;
	pool->idle_max = cf->keepalive.connections;
	pool->servers = mem_zalloc(cf->n_servers * sizeof(*pool->servers));
	pool->n_servers = (uint32_t)cf->n_servers;
	for (i = 0; i < pool->n_servers; i++) {
		if (server_init(&pool->servers[i], cf, &cf->servers[i], e) == ERR_OK)
			continue;
		upstream_pool_free(&pool);
		return (err_wrap(e, "pool %s: server %s", cf->name, cf->servers[i].url));
	}
	if (open_tls(pool, cf, e) != ERR_OK) {
		upstream_pool_free(&pool);
		return (err_wrap(e, "pool %s: tls", cf->name));
	}
	lay_out_turns(pool, cf);
	*pool_r = pool;
	return (ERR_OK);
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
	struct upstream_pool *pool = *pool_p;
	uint32_t i;

	*pool_p = NULL;
	if (pool == NULL)
		return;
	CHECK_OBJ(pool, POOL_MAGIC);
	if (atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < pool->n_servers; i++) {
		free(pool->servers[i].addresses);
		free(pool->servers[i].host_text);
		free(pool->servers[i].tls_name);
	}
	free(pool->servers);
	free(pool->turns);
	if (pool->tls != NULL)
		tls_client_free(&pool->tls);
	pool->magic = 0;
	free(pool);
}

const struct conf_pool *
upstream_pool_conf(const struct upstream_pool *pool)
{
	CHECK_OBJ(pool, POOL_MAGIC);
	return (pool->conf);
}

bool
pool_is_down(const struct upstream_pool *pool, uint32_t server, int64_t now_us)
{
	return (atomic_load_explicit(
		    &pool->servers[server].down_until_us, memory_order_relaxed) > now_us);
}

uint32_t
pool_turn(struct upstream_pool *pool, int64_t now_us)
{
	uint32_t ticket, server = 0, i;

	/* A server that is down gives its turn to the next ticket rather than
	 * to its neighbour, so that the others share it by their weights. */
	for (i = 0; i < 2 * pool->n_servers; i++) {
		ticket =
		    atomic_fetch_add_explicit(&pool->ticket, 1, memory_order_relaxed);
		server = pool->turns[ticket % pool->n_turns];
		if (!pool_is_down(pool, server, now_us))
			return (server);
	}
	for (i = 0; i < pool->n_servers; i++)
		if (!pool_is_down(pool, i, now_us))
			return (i);
	return (server);
}

void
pool_mark_down(struct upstream_pool *pool, uint32_t server, int64_t now_us)
{
	atomic_store_explicit(&pool->servers[server].down_until_us, now_us + POOL_DOWN_US,
	    memory_order_relaxed);
}

void
pool_mark_up(struct upstream_pool *pool, uint32_t server, uint32_t address)
{
	struct pool_server *sv = &pool->servers[server];

	/* Written only when it changes: the line stays shared by all cores. */
	if (atomic_load_explicit(&sv->down_until_us, memory_order_relaxed) != 0)
		atomic_store_explicit(&sv->down_until_us, 0, memory_order_relaxed);
	if (atomic_load_explicit(&sv->first, memory_order_relaxed) != address)
		atomic_store_explicit(&sv->first, address, memory_order_relaxed);
}
