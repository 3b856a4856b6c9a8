/* SPDX-License-Identifier: Apache-2.0 */
/* yett check, of the controls before the WAF: each file that is not sound is told
 * at its own line. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "gateway/access/acl.h"
#include "gateway/access/auth.h"
#include "gateway/cli/check.h"
#include "gateway/redis/redis.h"
#include "geo/geo.h"
#include "ratelimit/limiter.h"

/* Which of the paths does the error speak of? NULL: of none. */
static const char **
find_culprit(
    const struct check *check, const char **paths[], size_t n, const struct err *e)
{
	const char **culprit = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		if (conf_find_path(check->conf, *paths[i]) == NULL ||
		    strstr(e->text, *paths[i]) == NULL)
			continue;
		if (culprit == NULL || strlen(*paths[i]) > strlen(*culprit))
			culprit = paths[i];
	}
	return (culprit);
}

/* Each file that is at fault is told and left out, until the rest is sound. */
static struct redis_service *
check_redis(const struct check *check)
{
	struct conf_redis rest = check->conf->redis;
	const char **paths[] = { &rest.password_file, &rest.sentinel_password_file,
		&rest.ca, &rest.certificate, &rest.key };
	struct redis_service *service = NULL;
	const char **culprit;
	bool sound = true;
	struct err e;

	if (!rest.present)
		return (NULL);
	while (redis_service_new(&service, &rest, &e) != ERR_OK) {
		sound = false;
		culprit = find_culprit(check, paths, sizeof(paths) / sizeof(*paths), &e);
		if (culprit == NULL) {
			conf_problems_add(
			    check->problems, &rest.place, "redis", "%s", e.text);
			return (NULL);
		}
		check_fault(check, *culprit, &e);
		if (culprit == &rest.certificate || culprit == &rest.key)
			rest.certificate = rest.key = "";
		else
			*culprit = culprit == &rest.ca ? "system" : "";
	}
	if (sound)
		check_good(check, "redis %s", rest.url);
	return (service);
}

static void
check_limits(const struct check *check, struct redis_service *service)
{
	static const struct conf_place nowhere;
	const char *key_file = check->conf->redis.key_file;
	const char *password_file = check->conf->redis.password_file;
	const char **paths[] = { &key_file, &password_file };
	struct limits *limits = NULL;
	const char **culprit;
	struct err e;

	if (check->conf->redis.present && service == NULL)
		return; /* its password is not there to make a key of */
	if (limits_new(&limits, check->conf, service, &e) == ERR_OK) {
		limits_free(&limits);
		return;
	}
	culprit = find_culprit(check, paths, sizeof(paths) / sizeof(*paths), &e);
	if (culprit == &key_file)
		check_fault(check, key_file, &e);
	else if (culprit == NULL)
		conf_problems_add(check->problems, &nowhere, "limits", "%s", e.text);
}

static void
check_database(const struct check *check, const char *kind, const struct conf_geo *one)
{
	const char *path = one->country[0] != '\0' ? one->country : one->asn;
	struct geo_db *db = NULL;
	struct geo *geo = NULL;
	char text[256];
	struct err e;

	if (path[0] == '\0')
		return;
	if (geo_new(&geo, one, &e) != ERR_OK) {
		check_fault(check, path, &e);
		return;
	}
	geo_free(&geo);
	if (geo_db_open(&db, path, &e) != ERR_OK)
		return; /* replaced just now */
	geo_db_describe(db, text, sizeof(text));
	check_good(check, "geo.%s %s: %s", kind, path, text);
	geo_db_close(&db);
}

/* One after the other, so that each is told where it is wrong. */
static void
check_geo(const struct check *check)
{
	struct conf_geo country = check->conf->geo, asn = check->conf->geo;

	country.asn = "";
	asn.country = "";
	check_database(check, "country", &country);
	check_database(check, "asn", &asn);
}

static void
check_access(const struct check *check, const struct conf_access_rule *rules, size_t n,
    struct acl_files *files)
{
	const char *path;
	struct acl *acl;
	struct err e;
	size_t i;

	for (i = 0; i < n; i++) {
		path = rules[i].match.address_file;
		if (acl_new(&acl, &rules[i], 1, files, &e) == ERR_OK)
			acl_free(&acl);
		else if (path[0] != '\0')
			check_fault(check, path, &e);
		else
			conf_problems_add(
			    check->problems, &rules[i].place, "access", "%s", e.text);
	}
}

static void
check_auth(const struct check *check, const struct conf_auth *conf)
{
	struct auth *auth = NULL;
	struct err e;

	if (conf->htpasswd[0] == '\0')
		return;
	if (auth_new(&auth, conf->htpasswd, &e) == ERR_OK)
		auth_free(&auth);
	else
		check_fault(check, conf->htpasswd, &e);
}

static void
check_places(const struct check *check)
{
	struct acl_files *files = acl_files_new();
	const struct conf_site *site;
	const struct conf_route *route;
	size_t i, j;

	for (i = 0; i < check->conf->n_sites; i++) {
		site = &check->conf->sites[i];
		check_access(check, site->access, site->n_access, files);
		check_auth(check, &site->auth);
		for (j = 0; j < site->n_routes; j++) {
			route = &site->routes[j];
			check_access(check, route->access, route->n_access, files);
			check_auth(check, &route->auth);
		}
	}
	for (i = 0; i < acl_files_count(files); i++)
		check_good(
		    check, "address file %s", watched_path(acl_files_get(files, i)));
	acl_files_free(&files);
}

void
check_controls(const struct check *check)
{
	struct redis_service *service = check_redis(check);

	check_limits(check, service);
	if (service != NULL)
		redis_service_free(&service);
	check_geo(check);
	check_places(check);
}
