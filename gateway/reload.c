/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration made live. */
#include "config.h"

#include "gateway/reload.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/reload_cache.h"
#include "gateway/reload_compress.h"
#include "gateway/reload_controls.h"
#include "gateway/reload_headers.h"
#include "gateway/reload_pages.h"
#include "gateway/upstream/resolved.h"

#define AUDIT_BUFFER (4u << 20)
#define ACCESS_BUFFER (4u << 20)

static void
problem(struct conf_problems *problems, const struct conf_place *place, const char *field,
    const struct err *e)
{
	conf_problems_add(problems, place, field, "%s", e->text);
}

static void
make_policies(struct snapshot *snap, struct conf_problems *problems)
{
	const struct conf_policy *policy;
	char field[128];
	struct err e;
	size_t i;

	snap->policies = mem_zalloc(snap->conf->n_policies * sizeof(*snap->policies));
	if (waf_new(&snap->waf, &e) != ERR_OK) {
		problem(problems, &(struct conf_place){ 0 }, "policies", &e);
		return;
	}
	for (i = 0; i < snap->conf->n_policies; i++) {
		policy = &snap->conf->policies[i];
		if (policy->mode == CONF_WAF_OFF)
			continue;
		snprintf(field, sizeof(field), "policies.%s", policy->name);
		if (waf_policy_new(&snap->policies[i], snap->waf, policy, &e) != ERR_OK)
			problem(problems, &policy->place, field, &e);
	}
}

static void
make_pools(struct snapshot *snap, struct conf_problems *problems)
{
	const struct conf_pool *pool;
	struct resolved *resolved;
	char field[128];
	struct err e;
	size_t i;

	resolved = resolved_configured(snap->conf);
	snap->pools = mem_zalloc(snap->conf->n_pools * sizeof(*snap->pools));
	for (i = 0; i < snap->conf->n_pools; i++) {
		pool = &snap->conf->pools[i];
		snprintf(field, sizeof(field), "pools.%s", pool->name);
		if (upstream_pool_new(&snap->pools[i], pool, resolved, &e) != ERR_OK)
			problem(problems, &pool->place, field, &e);
	}
	resolved_free(&resolved);
}

static enum err_code
make_tls(struct entrance *entrance, struct err *e)
{
	const struct conf_listener *listener;
	struct tls_server_options options;
	struct tls_files *files;
	enum err_code code;
	size_t i;

	listener = entrance->conf;
	files = mem_zalloc(listener->n_certificates * sizeof(*files));
	for (i = 0; i < listener->n_certificates; i++) {
		files[i].certificate = listener->certificates[i].certificate;
		files[i].key = listener->certificates[i].key;
		files[i].ocsp = listener->certificates[i].ocsp;
	}
	memset(&options, 0, sizeof(options));
	options.files = files;
	options.n_files = listener->n_certificates;
	options.only_1_3 = listener->min_version == CONF_TLS_1_3;
	options.client_ca = listener->client_ca;
	options.alpn = (const char *[]){ "http/1.1", "http/1.0", NULL };
	code = tls_server_new(&entrance->tls, &options, e);
	free(files);
	return (code);
}

static uint16_t
https_port(const struct conf *conf)
{
	size_t i;

	for (i = 0; i < conf->n_listeners; i++)
		if (conf->listeners[i].tls && conf->listeners[i].address.port != 0)
			return (conf->listeners[i].address.port);
	return (443);
}

static void
make_entrances(struct snapshot *snap, struct conf_problems *problems)
{
	struct entrance *entrance;
	char field[64];
	struct err e;
	size_t i;

	snap->entrances = mem_zalloc(snap->conf->n_listeners * sizeof(*snap->entrances));
	for (i = 0; i < snap->conf->n_listeners; i++) {
		entrance = &snap->entrances[i];
		entrance->conf = &snap->conf->listeners[i];
		entrance->https_port = https_port(snap->conf);
		snprintf(field, sizeof(field), "listeners[%zu].tls", i);
		if (entrance->conf->tls && make_tls(entrance, &e) != ERR_OK)
			problem(problems, &entrance->conf->place, field, &e);
	}
}

static void
settle_place(const struct snapshot *snap, struct place *place, const char *policy,
    const char *pool)
{
	const struct conf *conf;
	const struct conf_policy *found;

	conf = snap->conf;
	found = conf_find_policy(conf, policy);
	place->policy_name = policy;
	place->policy = found;
	if (found != NULL)
		place->waf = snap->policies[found - conf->policies];
	place->pool = snap->pools[conf_find_pool(conf, pool) - conf->pools];
}

static void
make_sites(struct snapshot *snap)
{
	const struct conf_site *site;
	const struct conf_route *route;
	struct site_places *places;
	struct place *place;
	size_t i, j;

	snap->sites = mem_zalloc(snap->conf->n_sites * sizeof(*snap->sites));
	for (i = 0; i < snap->conf->n_sites; i++) {
		site = &snap->conf->sites[i];
		places = &snap->sites[i];
		places->self.site = site->hosts.v[0];
		places->self.methods = &site->methods;
		settle_place(snap, &places->self, site->policy, site->pool);
		places->routes = mem_zalloc(site->n_routes * sizeof(*places->routes));
		for (j = 0; j < site->n_routes; j++) {
			route = &site->routes[j];
			place = &places->routes[j];
			place->site = site->hosts.v[0];
			place->route = route->path;
			place->methods =
			    route->methods.n > 0 ? &route->methods : &site->methods;
			settle_place(snap, place,
			    route->policy[0] != '\0' ? route->policy : site->policy,
			    route->pool[0] != '\0' ? route->pool : site->pool);
		}
	}
}

static void
open_logs(struct snapshot *snap, struct conf_problems *problems)
{
	const struct conf *conf;
	struct err e;

	conf = snap->conf;
	if (strcmp(conf->logs.audit.path, "off") != 0 &&
	    log_file_open(&snap->audit, conf->logs.audit.path, AUDIT_BUFFER, &e) !=
		ERR_OK)
		problem(problems, &(struct conf_place){ 0 }, "logs.audit.path", &e);
	if (strcmp(conf->logs.access.path, "off") != 0 &&
	    log_file_open(&snap->access, conf->logs.access.path, ACCESS_BUFFER, &e) !=
		ERR_OK)
		problem(problems, &(struct conf_place){ 0 }, "logs.access.path", &e);
}

struct snapshot *
snapshot_new(struct conf *conf, bool with_logs, struct conf_problems *problems)
{
	struct snapshot *snap;
	struct err e;

	snap = mem_zalloc(sizeof(*snap));
	snap->magic = SNAPSHOT_MAGIC;
	snap->conf = conf;
	snap->limits.header_bytes = (uint32_t)conf->max.header_bytes;
	snap->limits.target_bytes = (uint32_t)conf->max.header_bytes / 2;
	snap->mask = mask_new(&conf->logs.audit.mask);
	controls_make(snap, problems);
	make_policies(snap, problems);
	make_pools(snap, problems);
	make_entrances(snap, problems);
	if (route_table_new(&snap->routes, conf, &e) != ERR_OK)
		problem(problems, &(struct conf_place){ 0 }, "sites", &e);
	make_sites(snap);
	controls_settle(snap, problems);
	headers_make(conf, snap->sites, problems);
	pages_make(snap, problems);
	caches_settle(snap, problems);
	compress_make(conf, snap->sites);
	if (with_logs && problems->n == 0)
		open_logs(snap, problems);
	if (problems->n > 0)
		snapshot_free(&snap);
	return (snap);
}

void
snapshot_free(struct snapshot **snapshot)
{
	struct snapshot *snap;
	size_t i;

	snap = *snapshot;
	*snapshot = NULL;
	if (snap == NULL)
		return;
	CHECK_OBJ(snap, SNAPSHOT_MAGIC);
	caches_free(snap);
	controls_free(snap);
	headers_free(snap->conf, snap->sites);
	pages_free(snap);
	compress_free(snap->conf, snap->sites);
	for (i = 0; i < snap->conf->n_sites; i++)
		free(snap->sites[i].routes);
	free(snap->sites);
	for (i = 0; i < snap->conf->n_listeners; i++)
		if (snap->entrances[i].tls != NULL)
			tls_server_free(&snap->entrances[i].tls);
	free(snap->entrances);
	for (i = 0; i < snap->conf->n_pools; i++)
		if (snap->pools[i] != NULL)
			upstream_pool_free(&snap->pools[i]);
	free(snap->pools);
	for (i = 0; i < snap->conf->n_policies; i++)
		if (snap->policies[i] != NULL)
			waf_policy_free(&snap->policies[i]);
	free(snap->policies);
	if (snap->waf != NULL)
		waf_free(&snap->waf);
	if (snap->routes != NULL)
		route_table_free(&snap->routes);
	mask_free(&snap->mask);
	if (snap->audit != NULL)
		log_file_close(&snap->audit);
	if (snap->access != NULL)
		log_file_close(&snap->access);
	conf_free(&snap->conf);
	free(snap);
}

void
snapshot_tick(struct snapshot *snap)
{
	int64_t now;
	size_t i;

	now = clock_mono_us();
	for (i = 0; i < snap->conf->n_listeners; i++)
		if (snap->entrances[i].tls != NULL)
			tls_server_tick(snap->entrances[i].tls, now);
}
