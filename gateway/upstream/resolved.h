/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/resolved.h - the addresses of names, all looked up together by
 * whoever can wait for them: for the start and for `yett check`. A dead DNS server
 * costs its time once, not for each name. Any thread. */
#ifndef YETT_UPSTREAM_RESOLVED_H
#define YETT_UPSTREAM_RESOLVED_H

#include "gateway/upstream/resolve.h"

/* For all names together. */
#define RESOLVED_TIMEOUT_US INT64_C(15000000)

struct resolved;
/* Waits until each name has its addresses or its failure. Names may be repeated,
 * and be addresses. */
struct resolved *resolved_new(const struct resolve_options *, const char *const *names,
    size_t n, int64_t timeout_us);
/* Those of the servers of all pools, as the configuration says. */
struct resolved *resolved_configured(const struct conf *);
void resolved_free(struct resolved **);
/* ERR_MISSING, with the cause, where a name has no address or was not asked for. */
enum err_code resolved_find(
    const struct resolved *, const char *name, struct resolve_set *set_r, struct err *);

#endif
