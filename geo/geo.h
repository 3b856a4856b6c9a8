/* SPDX-License-Identifier: Apache-2.0 */
/* geo/geo.h - country, continent and network of an address, from MaxMind
 * database files of the usual makers. A database never changes once open: any
 * thread may look up. The only user of libmaxminddb. */
#ifndef YETT_GEO_H
#define YETT_GEO_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/netaddr.h"
#include "gateway/base/watched.h"
#include "gateway/conf/conf.h"

struct geo_place {
	char country[8];	/* "DE"; "unknown", "private" */
	char continent[8];	/* "EU"; "unknown", "private" */
	uint32_t asn;		/* 0: unknown */
	char organisation[64];	/* of the network; "" unknown */
};

/* One file. It is read into memory of our own (a file overwritten in place must
 * not change under us) and verified: metadata, search tree, and the data behind
 * a sample of its leaves. Errors name the file and what was wrong. */
struct geo_db;
enum err_code geo_db_open(struct geo_db **db_r, const char *path, struct err *);
void geo_db_close(struct geo_db **);
/* What it holds and where in a record it was found: "country at country.iso_code,
 * GeoLite2-Country, 2026-11-01, 1234567 networks, IPv4 and IPv6". */
void geo_db_describe(const struct geo_db *, char *out, size_t size);
/* Fills in what this database knows of the address; leaves the rest. */
void geo_db_find(const struct geo_db *, const struct netaddr *, struct geo_place *);

/* The databases of a configuration, each taken up anew when its file is replaced.
 * With none: every address is unknown or private. */
struct geo;
enum err_code geo_new(struct geo **geo_r, const struct conf_geo *, struct err *);
void geo_free(struct geo **);
bool geo_is_on(const struct geo *);
/* Under a microsecond; any thread, no lock. An address that is not public
 * (RFC 6890: loopback, private, link-local, unique local, shared, documentation)
 * or not of the internet (unix socket) is "private" and looked up nowhere. */
void geo_find(const struct geo *, const struct netaddr *, struct geo_place *place_r);
/* Counts replaced databases: results kept from another version are stale. */
uint64_t geo_version(const struct geo *);
/* The files to poll: at most 2. */
unsigned geo_watched(struct geo *, struct watched *list_r[2]);

#endif
