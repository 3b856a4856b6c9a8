/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/route/route.h - host and path to a site and one of its routes: exact
 * host before the longest wildcard before "*"; exact path ("=/x") before the
 * longest prefix before the regular expressions ("~ x") in order. "*.x" stands
 * for names with one or more labels before ".x". A table never changes once
 * made, but for its counter: any thread may look up. */
#ifndef YETT_ROUTE_H
#define YETT_ROUTE_H

#include "gateway/base/err.h"
#include "gateway/base/span.h"
#include "gateway/conf/conf.h"

struct route_table;
/* `conf` must outlive the table. Errors: a regular expression that does not
 * compile, a host that two sites claim, two routes of a site with one path. */
enum err_code route_table_new(struct route_table **table_r, const struct conf *,
    struct err *);
void route_table_free(struct route_table **);

struct route_choice {
	uint32_t site;		/* index in conf->sites */
	int32_t route;		/* index in its routes; -1: the site itself */
};

/* `host`: canonical, without port. False: no site serves it. */
bool route_site(const struct route_table *, struct span host, uint32_t *site_r);
/* The route of the path within that site; -1 none. `path` is decoded. A regular
 * expression that runs into its match limit is taken as no match and counted. */
int32_t route_path(const struct route_table *, uint32_t site, struct span path);
/* How often a regular expression ran into its limit. */
uint64_t route_overruns(const struct route_table *);

#endif
