/* SPDX-License-Identifier: Apache-2.0 */
/* One address of an origin. */
#include "config.h"

#include "gateway/upstream/server.h"

#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/hash.h"

/* The same in every gateway, so that the tables of consistent_hash are. */
static const struct hash_key ID_KEY = { UINT64_C(0x796574742d6f7269),
	UINT64_C(0x67696e2d69643031) };

/* IPv6 addresses may be written in brackets. */
static struct span
bare_host(struct span host)
{
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		return (span_cut(host, 1, host.n - 1));
	return (host);
}

static char *
make_host_text(const struct conf_server *cf)
{
	struct span host;

	if (cf->unix_path[0] != '\0')
		return (mem_printf("unix:%s", cf->unix_path));
	host = bare_host(span_of(cf->host));
	if (span_index(host, ':') != SIZE_MAX)
		return (mem_printf("[%.*s]:%u", SPAN_FMT(host), (unsigned)cf->port));
	return (mem_printf("%.*s:%u", SPAN_FMT(host), (unsigned)cf->port));
}

struct upstream_server *
upstream_server_new(
    const struct conf_pool *pool, uint32_t conf_server, const struct netaddr *address)
{
	const struct conf_server *cf;
	struct upstream_server *s;
	struct span name;

	cf = &pool->servers[conf_server];
	s = mem_zalloc(sizeof(*s));
	s->magic = UPSTREAM_SERVER_MAGIC;
	s->address = *address;
	s->sa_bytes = netaddr_to_sockaddr(address, &s->sa);
	netaddr_text(address, s->address_text);
	s->host_text = make_host_text(cf);
	name =
	    span_of(pool->tls.server_name[0] != '\0' ? pool->tls.server_name : cf->host);
	s->tls_name = span_strdup(bare_host(name));
	s->https = cf->https;
	s->backup = cf->backup;
	s->weight = cf->weight != 0 ? cf->weight : 1;
	s->conf_server = conf_server;
	s->id = hash_bytes(&ID_KEY, s->address_text, strlen(s->address_text));
	atomic_init(&s->references, 1);
	return (s);
}

struct upstream_server *
upstream_server_ref(struct upstream_server *s)
{
	CHECK_OBJ(s, UPSTREAM_SERVER_MAGIC);
	(void)atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
	return (s);
}

void
upstream_server_free(struct upstream_server **s_p)
{
	struct upstream_server *s;

	s = *s_p;
	*s_p = NULL;
	if (s == NULL)
		return;
	CHECK_OBJ(s, UPSTREAM_SERVER_MAGIC);
	if (atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) != 1)
		return;
	free(s->host_text);
	free(s->tls_name);
	s->magic = 0;
	free(s);
}

void
upstream_server_health(struct upstream_server *s, bool up, int64_t now_us)
{
	CHECK_OBJ(s, UPSTREAM_SERVER_MAGIC);
	if (up) {
		atomic_store_explicit(&s->back_us, now_us, memory_order_relaxed);
		upstream_server_connected(s);
	}
	atomic_store_explicit(&s->down, !up, memory_order_relaxed);
}

bool
upstream_server_probe(
    struct upstream_server *s, int64_t now_us, int64_t connect_us, bool *probe_r)
{
	int64_t until_us;

	*probe_r = false;
	until_us = atomic_load_explicit(&s->down_until_us, memory_order_relaxed);
	if (until_us == 0 || until_us > now_us)
		return (true);
	*probe_r = atomic_compare_exchange_strong_explicit(&s->down_until_us, &until_us,
	    now_us + connect_us, memory_order_relaxed, memory_order_relaxed);
	return (*probe_r);
}

bool
upstream_server_refused(struct upstream_server *s, int64_t now_us, bool probe)
{
	int64_t until_us;
	uint32_t times;

	until_us = atomic_load_explicit(&s->down_until_us, memory_order_relaxed);
	if (!probe && until_us != 0)
		return (false); /* another one saw it first */
	times = atomic_load_explicit(&s->refusals, memory_order_relaxed);
	times = probe && times < UPSTREAM_DOWN_DOUBLINGS ? times + 1 : times;
	atomic_store_explicit(&s->refusals, times, memory_order_relaxed);
	atomic_store_explicit(&s->down_until_us, now_us + (UPSTREAM_DOWN_US << times),
	    memory_order_relaxed);
	return (!probe);
}

void
upstream_server_connected(struct upstream_server *s)
{
	/* Written only when it changes: the line stays shared by all cores. */
	if (atomic_load_explicit(&s->refusals, memory_order_relaxed) != 0)
		atomic_store_explicit(&s->refusals, 0, memory_order_relaxed);
	if (atomic_load_explicit(&s->down_until_us, memory_order_relaxed) != 0)
		atomic_store_explicit(&s->down_until_us, 0, memory_order_relaxed);
}
