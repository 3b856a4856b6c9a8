/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/reload_cache.h - the cache made live: the store, and how each site and
 * route uses it. Part of gateway/reload.c. */
#ifndef YETT_RELOAD_CACHE_H
#define YETT_RELOAD_CACHE_H

#include "gateway/conf/conf.h"
#include "gateway/request/snapshot.h"

/* A route that says nothing has what its site has. */
void caches_settle(struct snapshot *, struct conf_problems *);
void caches_free(struct snapshot *);

#endif
