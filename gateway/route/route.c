/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts to sites: a hash table of names and one of wildcards. */
#include "config.h"

#include "gateway/route/route.h"

#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/hash.h"
#include "gateway/route/paths.h"

#define ROUTE_MAGIC 0x726f7574
#define NO_SITE UINT32_MAX

struct entry {
	struct span host; /* absent: a free slot */
	uint32_t site;
};

/* Open addressing, a power of two of slots, at most half of them used. */
struct hosts {
	struct entry *v;
	size_t slots;
};

struct route_table {
	unsigned magic;
	struct hash_key key;
	struct hosts names;
	struct hosts wildcards; /* as ".example.com" */
	uint32_t any; /* the site of "*" */
	struct paths **sites;
	size_t n_sites;
	/* not only read: relaxed, counts and nothing more */
	_Atomic uint64_t *overruns;
};

static struct entry *
find_slot(const struct route_table *table, const struct hosts *hosts, struct span host)
{
	size_t i = hash_bytes(&table->key, host.p, host.n) & (hosts->slots - 1);

	while (hosts->v[i].host.p != NULL && !span_eq(hosts->v[i].host, host))
		i = (i + 1) & (hosts->slots - 1);
	return (&hosts->v[i]);
}

static void
hosts_init(struct hosts *hosts, size_t n)
{
	hosts->slots = 2;
	while (hosts->slots < 2 * n)
		hosts->slots *= 2;
	hosts->v = mem_zalloc(hosts->slots * sizeof(*hosts->v));
}

static bool
claim(uint32_t *site_p, uint32_t site)
{
	if (*site_p != NO_SITE && *site_p != site)
		return (false);
	*site_p = site;
	return (true);
}

static bool
add_host(struct route_table *table, struct span host, uint32_t site)
{
	struct entry *entry;

	if (span_eq(host, SPAN("*")))
		return (claim(&table->any, site));
	if (span_starts(host, SPAN("*.")))
		entry = find_slot(table, &table->wildcards, span_cut(host, 1, host.n));
	else
		entry = find_slot(table, &table->names, host);
	if (entry->host.p == NULL) {
		entry->host = host.p[0] == '*' ? span_cut(host, 1, host.n) : host;
		entry->site = NO_SITE;
	}
	return (claim(&entry->site, site));
}

static enum err_code
add_site(struct route_table *table, const struct conf *conf, uint32_t i, struct err *e)
{
	const struct conf_site *site = &conf->sites[i];
	enum err_code rc;
	size_t k;

	for (k = 0; k < site->hosts.n; k++)
		if (!add_host(table, span_of(site->hosts.v[k]), i))
			return (err_set(e, ERR_CONFLICT, "two sites have the host \"%s\"",
			    site->hosts.v[k]));
	rc = paths_new(&table->sites[i], site, e);
	if (rc != ERR_OK)
		(void)err_wrap(
		    e, "site %s", site->hosts.n > 0 ? site->hosts.v[0] : "without hosts");
	return (rc);
}

enum err_code
route_table_new(struct route_table **table_r, const struct conf *conf, struct err *e)
{
	struct route_table *table = mem_zalloc(sizeof(*table));
	enum err_code rc = ERR_OK;
	size_t i, n_hosts = 0;

	table->magic = ROUTE_MAGIC;
	table->key = hash_key_random();
	table->any = NO_SITE;
	table->n_sites = conf->n_sites;
	table->sites = mem_zalloc(conf->n_sites * sizeof(struct paths *));
	table->overruns = mem_zalloc(sizeof(*table->overruns));
	for (i = 0; i < conf->n_sites; i++)
		n_hosts += conf->sites[i].hosts.n;
	hosts_init(&table->names, n_hosts);
	hosts_init(&table->wildcards, n_hosts);
	for (i = 0; i < conf->n_sites && rc == ERR_OK; i++)
		rc = add_site(table, conf, (uint32_t)i, e);
	if (rc != ERR_OK)
		route_table_free(&table);
	*table_r = table;
	return (rc);
}

void
route_table_free(struct route_table **table_p)
{
	struct route_table *table = *table_p;
	size_t i;

	*table_p = NULL;
	if (table == NULL)
		return;
	CHECK_OBJ(table, ROUTE_MAGIC);
	for (i = 0; i < table->n_sites; i++)
		paths_free(&table->sites[i]);
	free(table->sites);
	free(table->names.v);
	free(table->wildcards.v);
	free(table->overruns);
	free(table);
}

bool
route_site(const struct route_table *table, struct span host, uint32_t *site_r)
{
	const struct entry *entry;
	size_t i;

	CHECK_OBJ(table, ROUTE_MAGIC);
	*site_r = table->any;
	if (host.n == 0)
		return (table->any != NO_SITE);
	entry = find_slot(table, &table->names, host);
	for (i = 1; entry->host.p == NULL && i < host.n; i++)
		if (host.p[i] == '.')
			entry = find_slot(
			    table, &table->wildcards, span_cut(host, i, host.n));
	if (entry->host.p != NULL)
		*site_r = entry->site;
	return (*site_r != NO_SITE);
}

int32_t
route_path(const struct route_table *table, uint32_t site, struct span path)
{
	CHECK_OBJ(table, ROUTE_MAGIC);
	CHECK(site < table->n_sites);
	return (paths_find(table->sites[site], path, table->overruns));
}

uint64_t
route_overruns(const struct route_table *table)
{
	CHECK_OBJ(table, ROUTE_MAGIC);
	return (atomic_load_explicit(table->overruns, memory_order_relaxed));
}
