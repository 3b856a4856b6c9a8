/* SPDX-License-Identifier: Apache-2.0 */
/* A check for each server of a pool. */
#include "config.h"

#include "gateway/upstream/pool_watch.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/log.h"
#include "gateway/upstream/checker.h"
#include "gateway/upstream/pool.h"
#include "gateway/upstream/set.h"

struct checked {
	struct check check;
	struct pool_watch *watch;
	struct upstream_server *server;
};

#define POOL_WATCH_MAGIC 0x900c4a7cu
struct pool_watch {
	unsigned magic;
	struct loop *loop;
	struct upstream_pool *pool;
	struct checked **servers; /* as they are in the set */
	uint32_t n;
};

/* The first good result is news only of a server that was down. */
static void
changed(struct check *check, enum health_change change)
{
	struct checked *w = check->options.data;
	const char *pool = upstream_pool_conf(w->watch->pool)->name;
	bool up = change == HEALTH_WENT_UP;

	if (up != atomic_load_explicit(&w->server->down, memory_order_relaxed))
		return;
	upstream_server_health(w->server, up, loop_now_us(w->watch->loop));
	log_line(up ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "upstream",
	    "pool %s: %s is %s: %s (%u in a row)", pool, w->server->address_text,
	    up ? "up" : "down", check->reason, check->in_a_row);
}

static const char *
host_of(const struct conf_pool *conf, const struct upstream_server *server)
{
	if (conf->health.host[0] != '\0')
		return (conf->health.host);
	return (server->sa.ss_family == AF_UNIX ? "localhost" : server->host_text);
}

static struct checked *
checked_new(struct pool_watch *watch, struct upstream_server *server)
{
	const struct conf_pool *conf = upstream_pool_conf(watch->pool);
	struct check_options options = {
		.loop = watch->loop,
		.address = server->sa,
		.address_bytes = server->sa_bytes,
		.tls = server->https ? watch->pool->tls : NULL,
		.tls_name = server->tls_name,
		.host = host_of(conf, server),
		.path = conf->health.path,
		.health = {
			.interval_us = conf->health.interval,
			.rise = conf->health.rise,
			.fall = conf->health.fall,
			.status_low = conf->health.status_low,
			.status_high = conf->health.status_high,
		},
		.timeout_us = conf->health.timeout,
		.changed = changed,
	};
	struct checked *w;

	w = mem_zalloc(sizeof(*w));
	w->watch = watch;
	w->server = upstream_server_ref(server);
	options.data = w;
	check_start(&w->check, &options);
	return (w);
}

static void
checked_free(struct checked *w)
{
	check_stop(&w->check);
	upstream_server_free(&w->server);
	free(w);
}

/* Servers that are still there keep their checks and what those found. */
static void
follow(struct pool_watch *watch)
{
	struct upstream_set *set = pool_set(watch->pool);
	struct checked **servers;
	uint32_t i, at;

	servers = mem_zalloc(set->n * sizeof(struct checked *));
	for (i = 0; i < watch->n; i++) {
		at = pool_index(set, watch->servers[i]->server);
		if (at != BALANCE_NONE)
			servers[at] = watch->servers[i];
		else
			checked_free(watch->servers[i]);
	}
	for (i = 0; i < set->n; i++)
		if (servers[i] == NULL)
			servers[i] = checked_new(watch, set->servers[i]);
	free(watch->servers);
	watch->servers = servers;
	watch->n = set->n;
}

static void
on_change(struct upstream_pool *pool, void *data)
{
	struct pool_watch *watch;

	CAST_OBJ(watch, data, POOL_WATCH_MAGIC);
	CHECK(pool == watch->pool);
	follow(watch);
}

struct pool_watch *
pool_watch_new(struct loop *loop, struct upstream_pool *pool)
{
	struct pool_watch *watch;

	if (!upstream_pool_conf(pool)->health.present)
		return (NULL);
	watch = mem_zalloc(sizeof(*watch));
	watch->magic = POOL_WATCH_MAGIC;
	watch->loop = loop;
	watch->pool = upstream_pool_ref(pool);
	follow(watch);
	upstream_pool_watch(pool, on_change, watch);
	return (watch);
}

void
pool_watch_free(struct pool_watch **watch_p)
{
	struct pool_watch *watch = *watch_p;
	uint32_t i;

	*watch_p = NULL;
	if (watch == NULL)
		return;
	CHECK_OBJ(watch, POOL_WATCH_MAGIC);
	upstream_pool_watch(watch->pool, NULL, NULL);
	for (i = 0; i < watch->n; i++)
		checked_free(watch->servers[i]);
	free(watch->servers);
	upstream_pool_free(&watch->pool);
	watch->magic = 0;
	free(watch);
}

bool
pool_watch_state(
    const struct pool_watch *watch, uint32_t i, struct pool_watch_state *state_r)
{
	const struct check *check;

	if (watch == NULL)
		return (false);
	CHECK_OBJ(watch, POOL_WATCH_MAGIC);
	CHECK(i < watch->n);
	check = &watch->servers[i]->check;
	state_r->checked = check->health.checked;
	state_r->down = check->health.down;
	state_r->reason = check->reason;
	state_r->in_a_row = check->in_a_row;
	state_r->since_us = check->since_us;
	state_r->made = check->made;
	state_r->failed = check->failed;
	return (true);
}
