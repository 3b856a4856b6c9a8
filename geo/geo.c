/* SPDX-License-Identifier: Apache-2.0 */
/* The databases of a configuration. */
#include "config.h"

#include "geo/geo.h"

#include "gateway/base/check.h"
#include "geo/internal.h"
#include "geo/special.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GEO_MAGIC 0x9e09e001u

struct geo {
	unsigned magic;
	char *country_path, *asn_path;
	struct watched *country, *asn; /* NULL: none */
};

/* A database that holds something else would make every address unknown. */
static enum err_code
load(struct geo_db **db_r, const char *path, enum fields_kind kind, struct err *e)
{
	enum err_code rc = geo_db_open(db_r, path, e);

	if (rc != ERR_OK || geo_db_has(*db_r, kind))
		return (rc);
	geo_db_close(db_r);
	return (err_set(e, ERR_UNSUPPORTED, "%s: no record of it has %s", path,
	    kind == FIELDS_COUNTRY ? "a country" : "an AS number"));
}

static enum err_code
load_country(void **object_r, const char *path, void *data, struct err *e)
{
	struct geo_db *db = NULL;
	enum err_code rc = load(&db, path, FIELDS_COUNTRY, e);

	(void)data;
	*object_r = db;
	return (rc);
}

static enum err_code
load_asn(void **object_r, const char *path, void *data, struct err *e)
{
	struct geo_db *db = NULL;
	enum err_code rc = load(&db, path, FIELDS_ASN, e);

	(void)data;
	*object_r = db;
	return (rc);
}

static void
free_db(void *object)
{
	struct geo_db *db = object;

	geo_db_close(&db);
}

static void
describe_db(const void *object, char *out, size_t size)
{
	geo_db_describe(object, out, size);
}

static const struct watched_ops COUNTRY_OPS = {
	.area = "geo", .load = load_country, .free = free_db, .describe = describe_db
};
static const struct watched_ops ASN_OPS = {
	.area = "geo", .load = load_asn, .free = free_db, .describe = describe_db
};

enum err_code
geo_new(struct geo **geo_r, const struct conf_geo *conf, struct err *e)
{
	struct geo *geo = mem_zalloc(sizeof *geo);
	enum err_code rc = ERR_OK;

	geo->magic = GEO_MAGIC;
	geo->country_path = mem_strdup(conf->country);
	geo->asn_path = mem_strdup(conf->asn);
	if (geo->country_path[0] != '\0')
		rc = watched_new(&geo->country, &COUNTRY_OPS, geo->country_path, NULL, e);
	if (rc == ERR_OK && geo->asn_path[0] != '\0')
		rc = watched_new(&geo->asn, &ASN_OPS, geo->asn_path, NULL, e);
	if (rc != ERR_OK) {
		geo_free(&geo);
		return (err_wrap(e, "geo"));
	}
	*geo_r = geo;
	return (ERR_OK);
}

void
geo_free(struct geo **geo)
{
	if (*geo == NULL)
		return;
	CHECK_OBJ(*geo, GEO_MAGIC);
	watched_free(&(*geo)->country);
	watched_free(&(*geo)->asn);
	free((*geo)->country_path);
	free((*geo)->asn_path);
	(*geo)->magic = 0;
	free(*geo);
	*geo = NULL;
}

bool
geo_is_on(const struct geo *geo)
{
	CHECK_OBJ(geo, GEO_MAGIC);
	return (geo->country != NULL || geo->asn != NULL);
}

static void
set_both(struct geo_place *place, const char *word)
{
	snprintf(place->country, sizeof place->country, "%s", word);
	snprintf(place->continent, sizeof place->continent, "%s", word);
}

/* Each database counts most for what it is there for: one that knows both tells
 * the network only where the other does not. */
void
geo_find(const struct geo *geo, const struct netaddr *addr, struct geo_place *place_r)
{
	struct geo_place place;

	CHECK_OBJ(geo, GEO_MAGIC);
	memset(place_r, 0, sizeof *place_r);
	if (!special_is_public(addr)) {
		set_both(place_r, "private");
		return;
	}
	set_both(place_r, "unknown");
	if (geo->asn != NULL)
		geo_db_find(watched_get(geo->asn), addr, place_r);
	if (geo->country == NULL)
		return;
	place = *place_r;
	geo_db_find(watched_get(geo->country), addr, place_r);
	if (place.asn != 0) {
		place_r->asn = place.asn;
		memcpy(
		    place_r->organisation, place.organisation, sizeof place.organisation);
	}
}

/* One more than the sum, so that it is never 0. */
uint64_t
geo_version(const struct geo *geo)
{
	uint64_t version = 1;

	CHECK_OBJ(geo, GEO_MAGIC);
	if (geo->country != NULL)
		version += watched_version(geo->country);
	if (geo->asn != NULL)
		version += watched_version(geo->asn);
	return (version);
}

unsigned
geo_watched(struct geo *geo, struct watched *list_r[2])
{
	unsigned n = 0;

	CHECK_OBJ(geo, GEO_MAGIC);
	if (geo->country != NULL)
		list_r[n++] = geo->country;
	if (geo->asn != NULL)
		list_r[n++] = geo->asn;
	return (n);
}
