/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/route/paths.h - the routes of one site. Never changes once made but
 * for the counter of overruns: any thread may look up. */
#ifndef YETT_ROUTE_PATHS_H
#define YETT_ROUTE_PATHS_H

#include <stdatomic.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/span.h"
#include "gateway/conf/conf.h"

struct paths;
enum err_code paths_new(struct paths **paths_r, const struct conf_site *, struct err *);
void paths_free(struct paths **);
/* Index of the route, -1 none. Regular expressions cut short add to *overruns. */
int32_t paths_find(const struct paths *, struct span path, _Atomic uint64_t *overruns);

#endif
