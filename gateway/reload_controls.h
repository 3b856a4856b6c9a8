/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/reload_controls.h - the controls before the WAF made live: identity,
 * geo, Redis, limits, access lists, passwords, bans. Part of gateway/reload.c. */
#ifndef YETT_RELOAD_CONTROLS_H
#define YETT_RELOAD_CONTROLS_H

#include "gateway/conf/conf.h"
#include "gateway/request/snapshot.h"

/* Every part that can't be made is a problem at its place. */
void controls_make(struct snapshot *, struct conf_problems *);
/* What a site or route asks of its clients; after controls_make. A route that says
 * nothing has what its site has. */
void controls_settle(struct snapshot *, struct conf_problems *);
void controls_free(struct snapshot *);

/* Files that are taken up when they change: of databases, lists, passwords. */
size_t controls_watched_count(const struct snapshot *);
struct watched *controls_watched(const struct snapshot *, size_t i);

#endif
