/* SPDX-License-Identifier: Apache-2.0 */
/* The cache, made live. */
#include "config.h"

#include "gateway/reload_cache.h"

#include <inttypes.h>
#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

static struct place_cache *
make_cache(const struct conf_cache_use *conf)
{
	struct place_cache *cache;
	struct span *ignore;
	size_t i;

	if (!conf->on)
		return (NULL);
	cache = mem_zalloc(sizeof(*cache));
	cache->conf = conf;
	cache->rules.ttl_s = conf->ttl / CLOCK_SECOND;
	cache->rules.heuristic_percent = conf->heuristic;
	cache->rules.strip_cookies = conf->strip_cookies;
	cache->rules.ignore_requests = conf->ignore_requests;
	/* origins get what the key says: see origin_head.c */
	cache->vary.codings = CACHE_CODING_GZIP | CACHE_CODING_BR | CACHE_CODING_ZSTD;
	ignore = mem_zalloc((conf->ignore_query.n + 1) * sizeof(*ignore));
	for (i = 0; i < conf->ignore_query.n; i++)
		ignore[i] = span_of(conf->ignore_query.v[i]);
	cache->key.ignore_query = ignore;
	cache->key.n_ignore_query = (unsigned)conf->ignore_query.n;
	return (cache);
}

static void
settle_cache(struct place *place, const struct conf_cache_use *conf)
{
	place->cache = make_cache(conf);
	place->owns_cache = place->cache != NULL;
}

static void
settle_route(struct place *place, const struct place *site, const struct conf_route *conf)
{
	place->cache = site->cache;
	if (conf->has_cache)
		settle_cache(place, &conf->cache);
}

static bool
uses_cache(const struct snapshot *snap)
{
	size_t i, j;

	for (i = 0; i < snap->conf->n_sites; i++) {
		if (snap->sites[i].self.cache != NULL)
			return (true);
		for (j = 0; j < snap->conf->sites[i].n_routes; j++)
			if (snap->sites[i].routes[j].cache != NULL)
				return (true);
	}
	return (false);
}

void
caches_settle(struct snapshot *snap, struct conf_problems *problems)
{
	const struct conf *conf;
	struct place *place;
	size_t i, j;

	conf = snap->conf;
	for (i = 0; i < conf->n_sites; i++) {
		place = &snap->sites[i].self;
		settle_cache(place, &conf->sites[i].cache);
		for (j = 0; j < conf->sites[i].n_routes; j++)
			settle_route(
			    &snap->sites[i].routes[j], place, &conf->sites[i].routes[j]);
	}
	if (!uses_cache(snap))
		return;
	snap->cache = cache_store_new(conf->cache.memory, conf->cache.max_object);
	snap->cache_secret = cache_secret_random();
	if (snap->cache == NULL)
		conf_problems_add(problems, &(struct conf_place){ 0 }, "cache.memory",
		    "the system has no room for %" PRIu64 " bytes", conf->cache.memory);
}

static void
free_cache(struct place *place)
{
	if (!place->owns_cache)
		return;
	free((void *)(uintptr_t)place->cache->key.ignore_query);
	free(place->cache);
}

void
caches_free(struct snapshot *snap)
{
	size_t i, j;

	for (i = 0; i < snap->conf->n_sites && snap->sites != NULL; i++) {
		free_cache(&snap->sites[i].self);
		for (j = 0; j < snap->conf->sites[i].n_routes; j++)
			free_cache(&snap->sites[i].routes[j]);
	}
	if (snap->cache != NULL)
		cache_store_free(&snap->cache);
}
