/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/redis/resolve.h - a host's addresses: at once for a literal, else by the
 * name service, on a thread that may wait for it. */
#ifndef YETT_REDIS_RESOLVE_H
#define YETT_REDIS_RESOLVE_H

#include "gateway/base/netaddr.h"
#include "gateway/loop/jobs.h"
#include "gateway/loop/loop.h"

#define RESOLVE_MAX 4	/* addresses of a name that are tried */

struct lookup;
/* n 0: there are none. The lookup is gone after it. */
typedef void lookup_done_f(void *data, const struct netaddr *, unsigned n);

/* An address, maybe in brackets. */
bool resolve_literal(struct netaddr *addr_r, const char *host, uint16_t port);
/* `done` is called on the loop, later. */
struct lookup *lookup_start(struct loop *, struct job_pool *, const char *host,
    lookup_done_f *done, void *data);
/* `done` won't be called; the name service is left to finish by itself, and the
 * loop to run until then. NULLs the pointer. */
void lookup_abandon(struct lookup **);

#endif
