/* SPDX-License-Identifier: Apache-2.0 */
/* The cache, for the control socket: figures, and taking answers out. */
#include "config.h"

#include <inttypes.h>

#include "gateway/admin_commands.h"
#include "gateway/control.h"

#define KEY_MAX (64u << 10)
#define ARENA_MAX (256u << 10)

static void
put(json_t *object, const char *key, uint64_t figure)
{
	json_object_set_new(object, key, json_integer((json_int_t)figure));
}

void
admin_cache_stats(struct control_view *view, const json_t *question, json_t *answer)
{
	struct cache_figures figures;
	struct tally tally;
	unsigned i;

	(void)question;
	if (view->snap->cache == NULL) {
		admin_refuse(answer, "no site or route has a cache");
		return;
	}
	cache_store_figures(view->snap->cache, &figures);
	workers_tally(view->workers, &tally);
	put(answer, "memory", figures.memory);
	put(answer, "used", figures.used);
	put(answer, "objects", figures.objects);
	put(answer, "keys", figures.keys);
	put(answer, "inserted", figures.inserted);
	put(answer, "evicted", figures.evicted);
	put(answer, "purged", figures.purged);
	put(answer, "refused", figures.refused);
	put(answer, "under_way", figures.flights);
	put(answer, "waiting", figures.followers);
	put(answer, "marks", figures.marks);
	for (i = 0; i < TALLY_CACHE; i++)
		put(answer, tally_cache_texts[i], tally.cache[i]);
}

/* The place that serves the URL, and what the URL is in a key. NULL: *error_r. */
static const struct place_cache *
find_place(const struct snapshot *snap, struct arena *arena, struct span url,
    struct cache_target *target_r, const char **error_r)
{
	const struct site_places *places;
	const struct place *place;
	struct uri_target uri;
	uint32_t site;
	int32_t route;

	*error_r = "not an absolute http or https URL";
	if (uri_target_parse(&uri, arena, SPAN("GET"), url) != URI_OK || !uri.absolute)
		return (NULL);
	*error_r = "no site has this host";
	if (!route_site(snap->routes, uri.authority.host, &site))
		return (NULL);
	places = &snap->sites[site];
	route = route_path(snap->routes, site, uri.decoded);
	place = route >= 0 ? &places->routes[route] : &places->self;
	*error_r = "the cache is off there";
	target_r->scheme = uri.scheme;
	target_r->host = uri.authority.host;
	target_r->port = uri.authority.port;
	if (target_r->port == (span_eq(uri.scheme, SPAN("https")) ? 443 : 80))
		target_r->port = 0;
	target_r->path = uri.path;
	target_r->has_query = uri.has_query;
	target_r->query = uri.query;
	return (place->cache);
}

/* How many; -1: *error_r. */
static int64_t
purge_url(const struct snapshot *snap, struct span url, const char **error_r)
{
	const struct place_cache *place;
	char tag[CACHE_KEY_TAG_MAX];
	struct cache_target target;
	struct cache_key key;
	struct arena *arena;
	struct text text;
	int64_t n;

	n = -1;
	arena = arena_new(ARENA_MAX);
	text_init(&text, KEY_MAX);
	place = find_place(snap, arena, url, &target, error_r);
	if (place != NULL &&
	    cache_key_make(&key, &text, &snap->cache_secret, &target, &place->key)) {
		n = cache_store_purge_key(snap->cache, &key, text_span(&text));
		cache_key_tag(&key, tag);
		if (place->conf->n_keys > 0)
			n += cache_store_purge_tag(snap->cache, span_of(tag));
	}
	text_free(&text);
	arena_free(&arena);
	return (n);
}

static struct span
text_of(const json_t *value)
{
	if (!json_is_string(value))
		return (SPAN_NONE);
	return (span_mem(json_string_value(value), json_string_length(value)));
}

/* {"all": true}, {"tag": ...} or {"url": ...} */
void
admin_cache_purge(struct control_view *view, const json_t *question, json_t *answer)
{
	struct cache_store *store;
	struct span url, tag;
	const char *error;
	int64_t n;

	store = view->snap->cache;
	url = text_of(json_object_get(question, "url"));
	tag = text_of(json_object_get(question, "tag"));
	error = "all, tag or url: missing";
	n = -1;
	if (store == NULL)
		error = "no site or route has a cache";
	else if (json_is_true(json_object_get(question, "all")))
		n = (int64_t)cache_store_purge_all(store);
	else if (tag.p != NULL)
		n = cache_store_purge_tag(store, tag);
	else if (url.p != NULL)
		n = purge_url(view->snap, url, &error);
	if (n < 0) {
		admin_refuse(answer, error);
		return;
	}
	log_info("admin", "%" PRId64 " stored answers purged", n);
	put(answer, "purged", (uint64_t)n);
}
