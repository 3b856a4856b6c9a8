/* SPDX-License-Identifier: Apache-2.0 */
/* The controls before the WAF made live. */
#include "config.h"

#include "gateway/reload_controls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"

static void
problem(struct conf_problems *problems, const struct conf_place *place, const char *field,
    const struct err *e)
{
	conf_problems_add(problems, place, field, "%s", e->text);
}

/* Where the file is named that the error speaks of: one of two. */
static void
file_problem(const struct conf *conf, struct conf_problems *problems,
    const char *const paths[2], const char *field, const struct err *e)
{
	static const struct conf_place nowhere;
	const struct conf_path *written;
	size_t i;

	for (i = 0; i < 2; i++) {
		written = conf_find_path(conf, paths[i]);
		if (written == NULL || strstr(e->text, paths[i]) == NULL)
			continue;
		problem(problems, &written->place, written->field, e);
		return;
	}
	problem(problems, &nowhere, field, e);
}

static void
make_redis(struct snapshot *snap, struct conf_problems *problems)
{
	const struct conf_redis *redis;
	struct err e;

	redis = &snap->conf->redis;
	if (redis->present && redis_service_new(&snap->redis, redis, &e) != ERR_OK)
		problem(problems, &redis->place, "redis", &e);
}

void
controls_make(struct snapshot *snap, struct conf_problems *problems)
{
	const struct conf *conf;
	struct err e;

	conf = snap->conf;
	snap->identity = identity_new(&conf->identity);
	snap->bans = bans_new(conf);
	snap->acl_files = acl_files_new();
	make_redis(snap, problems);
	if (geo_new(&snap->geo, &conf->geo, &e) != ERR_OK)
		file_problem(conf, problems,
		    (const char *const[2]){ conf->geo.country, conf->geo.asn }, "geo",
		    &e);
	if (limits_new(&snap->rate_limits, conf, snap->redis, &e) != ERR_OK)
		file_problem(conf, problems,
		    (const char *const[2]){
			conf->redis.key_file, conf->redis.password_file },
		    "limits", &e);
}

/* One for each password file, however many sites use it. */
static struct auth *
find_auth(struct snapshot *snap, const char *path, struct err *e)
{
	struct auth *auth;
	size_t i;

	for (i = 0; i < snap->n_auths; i++)
		if (strcmp(watched_path(auth_watched(snap->auths[i])), path) == 0)
			return (snap->auths[i]);
	if (auth_new(&auth, path, e) != ERR_OK)
		return (NULL);
	snap->auths =
	    mem_realloc(snap->auths, (snap->n_auths + 1) * sizeof(*snap->auths));
	snap->auths[snap->n_auths++] = auth;
	return (auth);
}

/* Where a site or route is, for problems. */
struct spot {
	struct snapshot *snap;
	struct conf_problems *problems;
	const struct conf_place *place;
	char field[64];
};

static void
spot_problem(const struct spot *spot, const char *member, const struct err *e)
{
	char field[128];

	snprintf(field, sizeof(field), "%s.%s", spot->field, member);
	problem(spot->problems, spot->place, field, e);
}

static void
settle_access(const struct spot *spot, struct place *place,
    const struct conf_access_rule *rules, size_t n)
{
	struct err e;

	place->acl = NULL;
	if (n > 0 && acl_new(&place->acl, rules, n, spot->snap->acl_files, &e) != ERR_OK)
		spot_problem(spot, "access", &e);
	place->owns_acl = place->acl != NULL;
}

static void
settle_auth(const struct spot *spot, struct place *place, const struct conf_auth *auth)
{
	struct err e;

	place->auth = NULL;
	place->realm = auth->realm;
	if (auth->htpasswd[0] == '\0')
		return;
	place->auth = find_auth(spot->snap, auth->htpasswd, &e);
	if (place->auth == NULL)
		spot_problem(spot, "auth.htpasswd", &e);
}

static void
settle_limits(
    const struct spot *spot, struct place *place, const struct conf_strings *limits)
{
	size_t i;

	place->n_limits = 0;
	for (i = 0; i < limits->n && spot->snap->rate_limits != NULL; i++)
		place->limits[place->n_limits++] =
		    limits_find(spot->snap->rate_limits, span_of(limits->v[i]));
}

static void
settle_route(const struct spot *spot, struct place *place, const struct place *site,
    const struct conf_route *route)
{
	place->certificate_required = site->certificate_required;
	place->acl = site->acl;
	place->auth = site->auth;
	place->realm = site->realm;
	place->n_limits = site->n_limits;
	memcpy(place->limits, site->limits, sizeof(place->limits));
	if (route->has_access)
		settle_access(spot, place, route->access, route->n_access);
	if (route->has_auth)
		settle_auth(spot, place, &route->auth);
	if (route->has_limits)
		settle_limits(spot, place, &route->limits);
}

void
controls_settle(struct snapshot *snap, struct conf_problems *problems)
{
	const struct conf_site *site;
	struct place *place;
	struct spot spot;
	size_t i, j;

	spot.snap = snap;
	spot.problems = problems;
	for (i = 0; i < snap->conf->n_sites; i++) {
		site = &snap->conf->sites[i];
		place = &snap->sites[i].self;
		spot.place = &site->place;
		snprintf(spot.field, sizeof(spot.field), "sites[%zu]", i);
		place->certificate_required =
		    site->client_certificate == CONF_CERTIFICATE_REQUIRED;
		settle_access(&spot, place, site->access, site->n_access);
		settle_auth(&spot, place, &site->auth);
		settle_limits(&spot, place, &site->limits);
		for (j = 0; j < site->n_routes; j++) {
			spot.place = &site->routes[j].place;
			snprintf(spot.field, sizeof(spot.field), "sites[%zu].routes[%zu]",
			    i, j);
			settle_route(
			    &spot, &snap->sites[i].routes[j], place, &site->routes[j]);
		}
	}
}

static void
free_acl(struct place *place)
{
	if (place->owns_acl)
		acl_free(&place->acl);
}

void
controls_free(struct snapshot *snap)
{
	size_t i, j;

	for (i = 0; i < snap->conf->n_sites && snap->sites != NULL; i++) {
		free_acl(&snap->sites[i].self);
		for (j = 0; j < snap->conf->sites[i].n_routes; j++)
			free_acl(&snap->sites[i].routes[j]);
	}
	for (i = 0; i < snap->n_auths; i++)
		auth_free(&snap->auths[i]);
	free(snap->auths);
	if (snap->acl_files != NULL)
		acl_files_free(&snap->acl_files);
	if (snap->rate_limits != NULL)
		limits_free(&snap->rate_limits);
	if (snap->redis != NULL)
		redis_service_free(&snap->redis);
	if (snap->geo != NULL)
		geo_free(&snap->geo);
	if (snap->bans != NULL)
		bans_free(&snap->bans);
	if (snap->identity != NULL)
		identity_free(&snap->identity);
}

size_t
controls_watched_count(const struct snapshot *snap)
{
	struct watched *databases[2];

	return (geo_watched(snap->geo, databases) + acl_files_count(snap->acl_files) +
		snap->n_auths);
}

struct watched *
controls_watched(const struct snapshot *snap, size_t i)
{
	struct watched *databases[2];
	size_t n;

	n = geo_watched(snap->geo, databases);
	if (i < n)
		return (databases[i]);
	i -= n;
	n = acl_files_count(snap->acl_files);
	if (i < n)
		return (acl_files_get(snap->acl_files, i));
	return (auth_watched(snap->auths[i - n]));
}
