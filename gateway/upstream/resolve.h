/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/resolve.h - the addresses of an origin's name, looked up again
 * when their time to live is over (c-ares; RFC 2181 section 8). Contract only:
 * docs/design/balancing.md says which thread it runs on and how a changed set
 * gets to the workers. One resolver belongs to one thread's loop. */
#ifndef YETT_UPSTREAM_RESOLVE_H
#define YETT_UPSTREAM_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/netaddr.h"
#include "gateway/loop/loop.h"

/* Of a name that has more, the first ones in the order of their bytes, so that
 * answers in turn do not look like changes. */
#define RESOLVE_ADDRESSES_MAX 64
/* A time to live is taken to be within these; 0 is no reason to ask for each
 * request. */
#define RESOLVE_TTL_LEAST_US INT64_C(1000000)
#define RESOLVE_TTL_MOST_US INT64_C(3600000000)
/* After a failure; doubled for each in a row up to RESOLVE_RETRY_MOST_US. */
#define RESOLVE_RETRY_US INT64_C(1000000)
#define RESOLVE_RETRY_MOST_US INT64_C(60000000)
#define RESOLVE_TIMEOUT_US INT64_C(5000000)

/* What is known of a name. Sorted and without repetition, IPv4 and IPv6. */
struct resolve_set {
	uint32_t n;
	struct netaddr addresses[RESOLVE_ADDRESSES_MAX];
};

struct resolver;
/* Reads resolv.conf and hosts of the system once. */
enum err_code resolver_new(struct resolver **resolver_r, struct loop *, struct err *);
/* Ends all watches; none is called any more. */
void resolver_free(struct resolver **);

/* One name of a pool; embedded in what belongs to the resolver's thread. */
struct resolve_watch {
	/* The set is another one than it was, and not empty. An answer without
	 * addresses (NXDOMAIN, no data), a failure or a timeout changes nothing:
	 * the last good set stays, however old, since an origin that works is
	 * worth more than a DNS server that does not; `failed` tells for the log
	 * and the status page. May be called from inside resolve_watch. */
	void (*changed)(struct resolve_watch *, const struct resolve_set *);
	/* Static text; only the first failure in a row. */
	void (*failed)(struct resolve_watch *, const char *why);
	void *data;
	void *work; /* the module's */
};

/* Asks for A and AAAA, and again when the shorter TTL is over, a tenth sooner or
 * later by chance. Up to eight queries at once for all watches; others queue.
 * `name` is copied; an address is a set that never changes. */
void resolve_watch(struct resolver *, struct resolve_watch *, const char *name);
void resolve_forget(struct resolver *, struct resolve_watch *);
/* Asks at once unless it did within the last second: every address refused. */
void resolve_hurry(struct resolver *, struct resolve_watch *);

#endif
