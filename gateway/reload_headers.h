/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/reload_headers.h - the operator's changes of header fields made live: their
 * texts compiled. Part of gateway/reload.c. */
#ifndef YETT_RELOAD_HEADERS_H
#define YETT_RELOAD_HEADERS_H

#include "gateway/conf/conf.h"
#include "gateway/request/snapshot.h"

/* What each site and route changes. Every text or name that can't be is a problem
 * where it stands. A route that says nothing has what its site has. */
void headers_make(const struct conf *, struct site_places *, struct conf_problems *);
void headers_free(const struct conf *, struct site_places *);
/* The same problems, and nothing kept. */
void headers_check(const struct conf *, struct conf_problems *);

#endif
