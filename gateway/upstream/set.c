/* SPDX-License-Identifier: Apache-2.0 */
/* The servers of a pool, and how they change while it runs. */
#include "config.h"

#include "gateway/upstream/set.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/upstream/pool.h"

/* Of a server's requests that have to fail for it to be left out: whoever can make
 * an application answer 500 now and then must not have it ejected. */
#define OUTLIER_PERCENT 50
#define OUTLIER_MOST 10 /* times the first spell */

static struct balancer *
make_balancer(const struct conf_pool *cf, const struct upstream_set *set)
{
	static const enum balance_kind kinds[] = {
		[CONF_ROUND_ROBIN] = BALANCE_ROUND_ROBIN,
		[CONF_LEAST_CONNECTIONS] = BALANCE_LEAST_CONNECTIONS,
		[CONF_RANDOM_TWO] = BALANCE_RANDOM_TWO,
		[CONF_CONSISTENT_HASH] = BALANCE_CONSISTENT_HASH,
	};
	struct balance_member *members;
	struct balancer *balancer;
	uint32_t i;

	members = mem_zalloc(set->n * sizeof(*members));
	for (i = 0; i < set->n; i++) {
		members[i].id = set->servers[i]->id;
		members[i].weight = set->servers[i]->weight < BALANCE_WEIGHT_MAX
					? set->servers[i]->weight
					: BALANCE_WEIGHT_MAX;
		members[i].backup = set->servers[i]->backup;
	}
	balancer = balancer_new(
	    kinds[cf->balance], members, set->n, cf->bound > 100 ? cf->bound : 101);
	free(members);
	return (balancer);
}

static struct outlier *
make_outlier(const struct conf_pool *cf, uint32_t n)
{
	struct outlier_conf conf = {
		.window_us = cf->outlier.within,
		.failures = cf->outlier.failures,
		.percent = OUTLIER_PERCENT,
		.base_us = cf->outlier.eject,
		.max_us = OUTLIER_MOST * cf->outlier.eject,
		.decay_us = cf->outlier.eject,
		.max_percent = cf->outlier.max_percent,
	};

	return (cf->outlier.present ? outlier_new(&conf, n) : NULL);
}

static struct sticky *
make_sticky(const struct upstream_pool *pool, const struct upstream_set *set)
{
	struct sticky *sticky;
	struct span *texts;
	uint32_t i;

	if (pool->conf->sticky.cookie[0] == '\0')
		return (NULL);
	texts = mem_zalloc(set->n * sizeof(*texts));
	for (i = 0; i < set->n; i++)
		texts[i] = span_of(set->servers[i]->address_text);
	sticky = sticky_new(&pool->secret, span_of(pool->name), texts, set->n);
	free(texts);
	return (sticky);
}

static void
set_quiet(struct loop_message *message)
{
	struct upstream_set *set, **at;

	set = (struct upstream_set *)((char *)message -
				      offsetof(struct upstream_set, quiet));
	CHECK_OBJ(set, UPSTREAM_SET_MAGIC);
	for (at = &set->pool->retired; *at != set; at = &(*at)->retired)
		CHECK(*at != NULL);
	*at = set->retired;
	upstream_set_free(&set);
}

struct upstream_set *
set_new(struct upstream_pool *pool, struct upstream_server *const *servers, uint32_t n)
{
	struct upstream_set *set;
	uint32_t i;

	CHECK(n >= 1 && n <= BALANCE_SERVERS_MAX);
	set = mem_zalloc(sizeof(*set));
	set->magic = UPSTREAM_SET_MAGIC;
	atomic_init(&set->references, 1);
	set->servers = mem_zalloc(n * sizeof(struct upstream_server *));
	set->n = n;
	for (i = 0; i < n; i++) {
		set->servers[i] = servers[i];
		atomic_store_explicit(&servers[i]->index, i, memory_order_relaxed);
	}
	set->balancer = make_balancer(pool->conf, set);
	set->outlier = make_outlier(pool->conf, n);
	set->sticky = make_sticky(pool, set);
	set->pool = pool;
	set->quiet.deliver = set_quiet;
	return (set);
}

struct upstream_set *
upstream_set_ref(struct upstream_set *set)
{
	CHECK_OBJ(set, UPSTREAM_SET_MAGIC);
	(void)atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
	return (set);
}

void
upstream_set_free(struct upstream_set **set_p)
{
	struct upstream_set *set;
	uint32_t i;

	set = *set_p;
	*set_p = NULL;
	if (set == NULL)
		return;
	CHECK_OBJ(set, UPSTREAM_SET_MAGIC);
	if (atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < set->n; i++)
		upstream_server_free(&set->servers[i]);
	free(set->servers);
	balancer_free(&set->balancer);
	outlier_free(&set->outlier);
	sticky_free(&set->sticky);
	set->magic = 0;
	free(set);
}

struct upstream_set *
pool_set(const struct upstream_pool *pool)
{
	return (atomic_load_explicit(&pool->set, memory_order_acquire));
}

uint32_t
pool_index(const struct upstream_set *set, const struct upstream_server *server)
{
	uint32_t i;

	i = atomic_load_explicit(&server->index, memory_order_relaxed);
	if (i < set->n && set->servers[i] == server)
		return (i);
	for (i = 0; i < set->n; i++)
		if (set->servers[i] == server)
			return (i);
	return (BALANCE_NONE);
}

/* --- changes --------------------------------------------------------------- */

bool
upstream_pool_has_name(const struct upstream_pool *pool, uint32_t conf_server)
{
	const struct conf_server *cf;
	struct netaddr address;
	struct span host;

	CHECK_OBJ(pool, POOL_MAGIC);
	cf = &pool->conf->servers[conf_server];
	host = span_of(cf->host);
	return (cf->unix_path[0] == '\0' && host.n != 0 && host.p[0] != '[' &&
		!netaddr_parse_ip(&address, host));
}

static int
compare_addresses(const void *a, const void *b)
{
	const struct netaddr *left, *right;

	left = a;
	right = b;
	if (left->family != right->family)
		return (left->family < right->family ? -1 : 1);
	return (memcmp(left->ip, right->ip, sizeof(left->ip)));
}

/* Drops repetitions, too; returns how many are left. */
static uint32_t
sort_addresses(struct netaddr *v, uint32_t n)
{
	uint32_t i, kept;

	qsort(v, n, sizeof(*v), compare_addresses);
	for (i = kept = 0; i < n; i++)
		if (kept == 0 || compare_addresses(&v[kept - 1], &v[i]) != 0)
			v[kept++] = v[i];
	return (kept);
}

static bool
is_drained(const struct upstream_pool *pool, const struct upstream_server *server)
{
	const struct upstream_drain *d;

	for (d = pool->drains; d != NULL; d = d->next)
		if (strcmp(d->server, server->address_text) == 0 ||
		    strcmp(d->server, server->host_text) == 0)
			return (true);
	return (false);
}

/* The server of this address that there is, or a new one; with a reference. */
static struct upstream_server *
adopt(struct upstream_pool *pool, uint32_t conf_server, const struct netaddr *address,
    int64_t now_us)
{
	struct upstream_server *server;
	struct upstream_set *set;
	uint32_t i;

	set = pool_set(pool);
	for (i = 0; i < set->n; i++) {
		server = set->servers[i];
		if (server->conf_server == conf_server &&
		    compare_addresses(&server->address, address) == 0)
			return (upstream_server_ref(server));
	}
	server = upstream_server_new(pool->conf, conf_server, address);
	atomic_init(&server->back_us, now_us);
	atomic_init(&server->drained, is_drained(pool, server));
	return (server);
}

struct change {
	struct upstream_server **servers;
	uint32_t n;
	int64_t now_us;
	bool differs;
};

static void
keep_others(struct change *change, const struct upstream_set *set, uint32_t conf_server,
    bool before)
{
	uint32_t at, i;

	for (i = 0; i < set->n; i++) {
		at = set->servers[i]->conf_server;
		if (before ? at < conf_server : at > conf_server)
			change->servers[change->n++] =
			    upstream_server_ref(set->servers[i]);
	}
}

static void
lay_out_change(struct change *change, struct upstream_pool *pool, uint32_t conf_server,
    struct netaddr *addresses, uint32_t n)
{
	const struct upstream_set *set;
	struct upstream_server *server;
	uint32_t i;

	set = pool_set(pool);
	change->servers =
	    mem_zalloc((set->n + (size_t)n) * sizeof(struct upstream_server *));
	keep_others(change, set, conf_server, true);
	for (i = 0; i < n; i++) {
		server = adopt(pool, conf_server, &addresses[i], change->now_us);
		change->servers[change->n++] = server;
	}
	keep_others(change, set, conf_server, false);
	change->differs = change->n != set->n;
	for (i = 0; i < set->n && !change->differs; i++)
		change->differs = change->servers[i] != set->servers[i];
}

static void
retire(struct upstream_pool *pool, struct upstream_set *old, struct upstream_set *set,
    int64_t now_us)
{
	uint32_t i, at;

	for (i = 0; i < old->n; i++) {
		at = pool_index(set, old->servers[i]);
		if (at == BALANCE_NONE)
			atomic_store_explicit(
			    &old->servers[i]->gone, true, memory_order_relaxed);
		else if (set->outlier != NULL)
			outlier_adopt(set->outlier, at, old->outlier, i, now_us);
	}
	atomic_store_explicit(&pool->set, set, memory_order_release);
	old->retired = pool->retired;
	pool->retired = old;
}

/* How many servers one of the configuration may be. */
static uint32_t
room_for(const struct upstream_set *set, uint32_t conf_server)
{
	uint32_t i, others;

	others = 0;
	for (i = 0; i < set->n; i++)
		if (set->servers[i]->conf_server != conf_server)
			others++;
	if (BALANCE_SERVERS_MAX - others < UPSTREAM_ADDRESSES_MAX)
		return (BALANCE_SERVERS_MAX - others);
	return (UPSTREAM_ADDRESSES_MAX);
}

struct loop_message *
upstream_pool_change(struct upstream_pool *pool, uint32_t conf_server,
    const struct netaddr *addresses, uint32_t n, int64_t now_us)
{
	struct netaddr sorted[UPSTREAM_ADDRESSES_MAX];
	struct upstream_set *old;
	struct change change = { .now_us = now_us };
	uint32_t i, room;

	CHECK_OBJ(pool, POOL_MAGIC);
	CHECK(conf_server < pool->conf->n_servers);
	old = pool_set(pool);
	room = room_for(old, conf_server);
	n = n < room ? n : room;
	if (n == 0)
		return (NULL);
	memcpy(sorted, addresses, n * sizeof(*sorted));
	for (i = 0; i < n; i++)
		sorted[i].port = pool->conf->servers[conf_server].port;
	n = sort_addresses(sorted, n);
	lay_out_change(&change, pool, conf_server, sorted, n);
	if (change.differs) {
		retire(pool, old, set_new(pool, change.servers, change.n), now_us);
		if (pool->on_change != NULL)
			pool->on_change(pool, pool->on_change_data);
	} else {
		for (i = 0; i < change.n; i++)
			upstream_server_free(&change.servers[i]);
	}
	free(change.servers);
	return (change.differs ? &old->quiet : NULL);
}

void
upstream_pool_watch(struct upstream_pool *pool,
    void (*on_change)(struct upstream_pool *, void *data), void *data)
{
	CHECK_OBJ(pool, POOL_MAGIC);
	pool->on_change = on_change;
	pool->on_change_data = data;
}

static void
drain_forget(struct upstream_pool *pool, const char *server)
{
	struct upstream_drain **at, *d;

	for (at = &pool->drains; (d = *at) != NULL;) {
		if (server == NULL || strcmp(d->server, server) == 0) {
			*at = d->next;
			free(d);
		} else {
			at = &d->next;
		}
	}
}

static void
drain_remember(struct upstream_pool *pool, const char *server)
{
	struct upstream_drain *d;
	size_t n;

	drain_forget(pool, server);
	n = strlen(server) + 1;
	d = mem_alloc(sizeof(*d) + n);
	memcpy(d->server, server, n);
	d->next = pool->drains;
	pool->drains = d;
}

uint32_t
upstream_pool_drain(struct upstream_pool *pool, const char *server, bool drain)
{
	struct upstream_server *s;
	struct upstream_set *set;
	uint32_t i, n;

	CHECK_OBJ(pool, POOL_MAGIC);
	set = pool_set(pool);
	for (i = n = 0; i < set->n; i++) {
		s = set->servers[i];
		if (strcmp(server, s->address_text) != 0 &&
		    strcmp(server, s->host_text) != 0)
			continue;
		n++;
		/* one that has been away begins slowly, as any that comes back */
		if (!drain && atomic_load_explicit(&s->drained, memory_order_relaxed))
			atomic_store_explicit(
			    &s->back_us, clock_mono_us(), memory_order_relaxed);
		atomic_store_explicit(&s->drained, drain, memory_order_relaxed);
		if (!drain)
			drain_forget(pool, s->address_text);
	}
	if (n != 0 && drain)
		drain_remember(pool, server);
	else if (n != 0)
		drain_forget(pool, server);
	return (n);
}

void
set_forget(struct upstream_pool *pool)
{
	struct upstream_set *set;
	uint32_t i;

	drain_forget(pool, NULL);
	while ((set = pool->retired) != NULL) {
		pool->retired = set->retired;
		upstream_set_free(&set);
	}
	set = pool_set(pool);
	for (i = 0; set != NULL && i < set->n; i++)
		atomic_store_explicit(&set->servers[i]->gone, true, memory_order_relaxed);
	upstream_set_free(&set);
}

/* --- what status and metrics show ------------------------------------------ */

uint32_t
upstream_pool_count(const struct upstream_pool *pool)
{
	CHECK_OBJ(pool, POOL_MAGIC);
	return (pool_set(pool)->n);
}

void
upstream_pool_state(const struct upstream_pool *pool, uint32_t i, int64_t now_us,
    struct upstream_server_state *state_r)
{
	const struct upstream_server *s;
	const struct upstream_set *set;

	CHECK_OBJ(pool, POOL_MAGIC);
	set = pool_set(pool);
	CHECK(i < set->n);
	s = set->servers[i];
	state_r->address = s->address_text;
	state_r->host = s->host_text;
	state_r->weight = s->weight;
	state_r->backup = s->backup;
	state_r->drained = atomic_load_explicit(&s->drained, memory_order_relaxed);
	state_r->down = atomic_load_explicit(&s->down, memory_order_relaxed);
	state_r->ejected =
	    set->outlier != NULL && outlier_is_ejected(set->outlier, i, now_us);
	state_r->failed =
	    atomic_load_explicit(&s->down_until_us, memory_order_relaxed) > now_us;
	state_r->active = atomic_load_explicit(&s->active, memory_order_relaxed);
	state_r->requests = atomic_load_explicit(&s->requests, memory_order_relaxed);
	state_r->failures = atomic_load_explicit(&s->failures, memory_order_relaxed);
}
