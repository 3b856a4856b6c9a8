/* SPDX-License-Identifier: Apache-2.0 */
/* Names of origins, and the pools that use them. */
#include "config.h"

#include "gateway/names.h"

#include <stdlib.h>

#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/upstream/resolve.h"
#include "gateway/upstream/set.h"

/* How often it is looked whether all addresses of a name refuse connections. DNS
 * may know of others, and is asked at most every HURRY_US for that. */
#define LOOK_US CLOCK_SECOND
#define HURRY_US (5 * CLOCK_SECOND)
#define LOGGED_MAX 1024u

struct use {
	struct upstream_pool *pool;
	uint32_t conf_server;
};

struct name {
	struct resolve_watch watch;
	struct names *names;
	char *text;
	struct use *uses;
	size_t n_uses;
	struct netaddr *addresses;
	uint32_t n;
	const char *problem;
	int64_t since_us, hurried_us;
};

#define NAMES_MAGIC 0x4a3e5001u
struct names {
	unsigned magic;
	struct loop *loop;
	struct rounds *rounds;
	struct resolver *resolver;
	struct loop_timer look;
	struct name **v;
	size_t n;
};

static void
log_addresses(const struct name *name)
{
	char one[NETADDR_TEXT_MAX];
	struct text list;
	uint32_t i;

	text_init(&list, LOGGED_MAX);
	for (i = 0; i < name->n; i++)
		text_printf(&list, "%s%s", i > 0 ? ", " : "",
		    netaddr_ip_text(&name->addresses[i], one));
	log_info("names", "%s is now %.*s%s", name->text, SPAN_FMT(text_span(&list)),
	    list.overflow ? " ..." : "");
	text_free(&list);
}

static void
name_changed(struct resolve_watch *watch, const struct resolve_set *set)
{
	struct name *name = watch->data;
	struct loop_message *replaced;
	bool changed = false;
	size_t i;

	if (name->problem != NULL)
		log_info("names", "%s can be looked up again", name->text);
	name->problem = NULL;
	name->since_us = loop_now_us(name->names->loop);
	free(name->addresses);
	name->n = set->n;
	name->addresses = mem_alloc(set->n * sizeof(*set->addresses));
	memcpy(name->addresses, set->addresses, set->n * sizeof(*set->addresses));
	for (i = 0; i < name->n_uses; i++) {
		replaced = upstream_pool_change(name->uses[i].pool,
		    name->uses[i].conf_server, set->addresses, set->n, clock_mono_us());
		if (replaced != NULL)
			rounds_add(name->names->rounds, replaced);
		changed |= replaced != NULL;
	}
	if (changed)
		log_addresses(name);
}

static void
name_failed(struct resolve_watch *watch, const char *why)
{
	struct name *name = watch->data;

	name->problem = why;
	name->since_us = loop_now_us(name->names->loop);
	log_warn("names", "%s: %s; its addresses stay as they are", name->text, why);
}

/* --- when all addresses refuse ---------------------------------------------------- */

static bool
use_refuses(const struct use *use, int64_t now_us)
{
	const struct upstream_server *server;
	const struct upstream_set *set;
	uint32_t i;

	set = pool_set(use->pool);
	for (i = 0; i < set->n; i++) {
		server = set->servers[i];
		if (server->conf_server == use->conf_server &&
		    !atomic_load_explicit(&server->down, memory_order_relaxed) &&
		    atomic_load_explicit(&server->down_until_us, memory_order_relaxed) <=
			now_us)
			return (false);
	}
	return (true);
}

static void
look(struct loop_timer *timer)
{
	int64_t now_us;
	struct names *names;
	struct name *name;
	size_t i, j;

	CAST_OBJ(names, timer->data, NAMES_MAGIC);
	loop_timer_set(timer, LOOK_US);
	now_us = clock_mono_us();
	for (i = 0; i < names->n; i++) {
		name = names->v[i];
		if (now_us - name->hurried_us < HURRY_US)
			continue;
		for (j = 0; j < name->n_uses; j++)
			if (use_refuses(&name->uses[j], now_us))
				break;
		if (j == name->n_uses)
			continue;
		name->hurried_us = now_us;
		resolve_hurry(&name->watch);
	}
}

/* --- all names -------------------------------------------------------------------- */

static struct name *
name_of(struct names *names, const char *text)
{
	struct name *name;
	size_t i;

	for (i = 0; i < names->n; i++)
		if (strcmp(names->v[i]->text, text) == 0)
			return (names->v[i]);
	name = mem_zalloc(sizeof(*name));
	name->names = names;
	name->text = mem_strdup(text);
	name->watch.changed = name_changed;
	name->watch.failed = name_failed;
	name->watch.data = name;
	name->since_us = loop_now_us(names->loop);
	names->v = mem_realloc(names->v, (names->n + 1) * sizeof(struct name *));
	names->v[names->n++] = name;
	return (name);
}

static void
add_pool(struct names *names, struct upstream_pool *pool)
{
	const struct conf_pool *cf;
	struct name *name;
	uint32_t i;

	cf = upstream_pool_conf(pool);
	for (i = 0; i < cf->n_servers; i++) {
		if (!upstream_pool_has_name(pool, i))
			continue;
		name = name_of(names, cf->servers[i].host);
		name->uses =
		    mem_realloc(name->uses, (name->n_uses + 1) * sizeof(*name->uses));
		name->uses[name->n_uses++] = (struct use){ pool, i };
	}
}

enum err_code
names_new(struct names **names_r, struct loop *loop, const struct snapshot *snap,
    struct rounds *rounds, struct err *e)
{
	struct resolve_options options;
	struct resolve_text text;
	struct names *names;
	size_t i;

	*names_r = NULL;
	names = mem_zalloc(sizeof(*names));
	names->magic = NAMES_MAGIC;
	names->loop = loop;
	names->rounds = rounds;
	loop_timer_init(&names->look, loop, look, names);
	for (i = 0; i < snap->conf->n_pools; i++)
		add_pool(names, snap->pools[i]);
	if (names->n == 0) {
		names_free(&names);
		return (ERR_OK);
	}
	options = resolve_configured(snap->conf, &text);
	if (resolver_new(&names->resolver, loop, &options, e) != ERR_OK) {
		names_free(&names);
		return (err_wrap(e, "resolver"));
	}
	for (i = 0; i < names->n; i++)
		resolve_watch(names->resolver, &names->v[i]->watch, names->v[i]->text);
	loop_timer_set(&names->look, LOOK_US);
	*names_r = names;
	return (ERR_OK);
}

void
names_free(struct names **names_p)
{
	struct names *names;
	size_t i;

	if (*names_p == NULL)
		return;
	CAST_OBJ(names, *names_p, NAMES_MAGIC);
	*names_p = NULL;
	loop_timer_stop(&names->look);
	resolver_free(&names->resolver);
	for (i = 0; i < names->n; i++) {
		free(names->v[i]->addresses);
		free(names->v[i]->uses);
		free(names->v[i]->text);
		free(names->v[i]);
	}
	free(names->v);
	names->magic = 0;
	free(names);
}

size_t
names_count(const struct names *names)
{
	return (names != NULL ? names->n : 0);
}

void
names_state(const struct names *names, size_t i, struct name_state *state_r)
{
	const struct name *name;

	CHECK_OBJ(names, NAMES_MAGIC);
	CHECK(i < names->n);
	name = names->v[i];
	state_r->name = name->text;
	state_r->addresses = name->addresses;
	state_r->n = name->n;
	state_r->problem = name->problem;
	state_r->since_us = name->since_us;
}
