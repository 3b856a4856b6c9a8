/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations: whatever the text, there is either a configuration that
 * holds what it promises or a list of what is wrong, each with its place. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "gateway/base/utf8.h"
#include "gateway/conf/conf.h"

#define NAME "fuzz.yaml"

static void
check_problems(const struct conf_problems *problems)
{
	const struct conf_problem *p, *last = NULL;
	size_t i;

	for (i = 0; i < problems->n; i++) {
		p = &problems->v[i];
		CHECK(strcmp(p->place.file, NAME) == 0 && p->text[0] != '\0');
		CHECK(p->place.line > 0 && p->place.column > 0);
		CHECK(
		    utf8_is_valid(span_of(p->text)) && utf8_is_valid(span_of(p->field)));
		CHECK(last == NULL || last->place.line <= p->place.line);
		last = p;
	}
}

static void
check_policy_name(const struct conf *cf, const char *name)
{
	CHECK(strcmp(name, "off") == 0 || conf_find_policy(cf, name) != NULL);
}

static void
check_limits(const struct conf *cf)
{
	const struct conf_limit *limit;
	size_t i, j;

	for (i = 0; i < cf->n_limits; i++) {
		limit = &cf->limits[i];
		CHECK(limit->tokens > 0 && limit->per_us > 0);
		CHECK(limit->burst > 0 && limit->cost <= limit->burst);
		CHECK(limit->n_keys > 0 && limit->n_keys <= CONF_KEYS_MAX);
		for (j = 0; j < limit->n_keys; j++)
			CHECK((limit->keys[j].name[0] != '\0') ==
			      (limit->keys[j].kind >= CONF_KEY_HEADER));
	}
}

static void
check_limit_names(const struct conf *cf, const struct conf_strings *names)
{
	size_t i;

	CHECK(names->n <= CONF_LIMITS_MAX);
	for (i = 0; i < names->n; i++)
		CHECK(conf_find_limit(cf, names->v[i]) != NULL);
}

static void
check_access(const struct conf *cf, const struct conf_access_rule *rules, size_t n)
{
	const struct conf_match *match;
	size_t i;

	for (i = 0; i < n; i++) {
		match = &rules[i].match;
		CHECK(rules[i].place.line > 0);
		CHECK(!match->any || (match->address.n == 0 && match->country.n == 0 &&
					 match->asn.n == 0));
		CHECK(match->asn.n == 0 || cf->geo.asn[0] != '\0');
	}
}

static void
check_redis(const struct conf *cf)
{
	const struct conf_redis *redis = &cf->redis;
	size_t i;

	CHECK(redis->unix_path != NULL && redis->master != NULL);
	CHECK(redis->present == (redis->n_hosts > 0 || redis->unix_path[0] != '\0'));
	for (i = 0; i < redis->n_hosts; i++)
		CHECK(redis->hosts[i].host[0] != '\0' && redis->hosts[i].port > 0);
	CHECK((redis->kind == CONF_REDIS_SENTINEL) == (redis->master[0] != '\0'));
}

static void
check_sites(const struct conf *cf)
{
	const struct conf_site *site;
	const struct conf_route *route;
	size_t i, j;

	CHECK(cf->n_sites > 0);
	for (i = 0; i < cf->n_sites; i++) {
		site = &cf->sites[i];
		CHECK(site->hosts.n > 0 && site->place.line > 0);
		for (j = 0; j < site->hosts.n; j++)
			CHECK(site->hosts.v[j][0] != '\0' &&
			      strpbrk(site->hosts.v[j],
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ/ @") == NULL);
		CHECK(conf_find_pool(cf, site->pool) != NULL);
		check_policy_name(cf, site->policy);
		check_limit_names(cf, &site->limits);
		check_access(cf, site->access, site->n_access);
		for (j = 0; j < site->n_routes; j++) {
			route = &site->routes[j];
			CHECK(strchr("/=~", route->path[0]) != NULL &&
			      route->path[0] != '\0');
			CHECK(route->pool[0] == '\0' ||
			      conf_find_pool(cf, route->pool) != NULL);
			if (route->policy[0] != '\0')
				check_policy_name(cf, route->policy);
			check_limit_names(cf, &route->limits);
			check_access(cf, route->access, route->n_access);
		}
	}
}

static void
check_pools(const struct conf *cf)
{
	const struct conf_server *server;
	size_t i, j;

	for (i = 0; i < cf->n_pools; i++) {
		CHECK(cf->pools[i].n_servers > 0 && cf->pools[i].timeouts.connect > 0);
		CHECK((cf->pools[i].tls.key[0] == '\0') ==
		      (cf->pools[i].tls.certificate[0] == '\0'));
		for (j = 0; j < cf->pools[i].n_servers; j++) {
			server = &cf->pools[i].servers[j];
			CHECK(
			    (server->host[0] != '\0') != (server->unix_path[0] != '\0'));
			CHECK((server->port > 0) == (server->host[0] != '\0'));
			CHECK(server->weight >= 1 && server->weight <= 1000);
		}
	}
}

static void
check_policies(const struct conf *cf)
{
	const struct conf_policy *policy;
	const struct conf_exclude *exclude;
	size_t i, j;

	CHECK(conf_find_policy(cf, "default") != NULL);
	for (i = 0; i < cf->n_policies; i++) {
		policy = &cf->policies[i];
		CHECK(policy->crs.paranoia >= 1 && policy->crs.paranoia <= 4);
		CHECK(policy->crs.inbound_threshold > 0 &&
		      policy->request_body.arguments > 0);
		for (j = 0; j < policy->n_exclude; j++) {
			exclude = &policy->exclude[j];
			CHECK((exclude->rule != 0) != (exclude->tag[0] != '\0'));
			CHECK(strchr(exclude->target, '"') == NULL);
			CHECK(strchr(exclude->tag, '"') == NULL);
		}
	}
}

static void
check_conf(const struct conf *cf)
{
	size_t i;

	CHECK(cf->n_listeners > 0 && cf->threads >= 1 && cf->node[0] != '\0');
	CHECK(cf->max.header_bytes >= 1024 && cf->max.fields >= 8);
	for (i = 0; i < cf->n_listeners; i++) {
		CHECK(cf->listeners[i].address.family != NETADDR_NONE);
		CHECK(cf->listeners[i].tls == (cf->listeners[i].n_certificates > 0));
	}
	check_limits(cf);
	check_redis(cf);
	CHECK(!cf->bans.present || cf->bans.lasts <= cf->bans.max);
	check_sites(cf);
	check_pools(cf);
	check_policies(cf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_problems problems;
	char *copy = fuzz_copy(span_mem(data, size));
	struct conf *cf = conf_load_text(NAME, span_mem(copy, size), &problems);

	CHECK((cf == NULL) == (problems.n > 0));
	check_problems(&problems);
	if (cf != NULL)
		check_conf(cf);
	conf_free(&cf);
	conf_problems_free(&problems);
	free(copy);
	return (0);
}
