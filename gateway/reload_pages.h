/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/reload_pages.h - the operator's error pages made live: the folders read.
 * Part of gateway/reload.c. */
#ifndef YETT_RELOAD_PAGES_H
#define YETT_RELOAD_PAGES_H

#include "gateway/conf/conf.h"
#include "gateway/request/snapshot.h"

/* A folder that can't be read, or has a page that is not sound, is a problem where it
 * is named. Routes have their site's. */
void pages_make(struct snapshot *, struct conf_problems *);
void pages_free(struct snapshot *);

#endif
