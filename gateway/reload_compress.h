/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/reload_compress.h - what is compressed of the answers of each site and route.
 * Part of gateway/reload.c. */
#ifndef YETT_RELOAD_COMPRESS_H
#define YETT_RELOAD_COMPRESS_H

#include "gateway/conf/conf.h"
#include "gateway/request/snapshot.h"

/* A route that says nothing has what its site has. */
void compress_make(const struct conf *, struct site_places *);
void compress_free(const struct conf *, struct site_places *);

#endif
