/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/internal.h - what the files of this folder know of `struct limits`.
 * Everything but the atomics and the table is immutable. */
#ifndef YETT_RATELIMIT_INTERNAL_H
#define YETT_RATELIMIT_INTERNAL_H

#include <stdatomic.h>

#include "ratelimit/bucket.h"
#include "ratelimit/key.h"
#include "ratelimit/limiter.h"
#include "ratelimit/table.h"

#define LIMITS_MAGIC 0x71e3b2a5

/* Counters have a cache line of their own: every worker writes them. */
struct limit {
	const struct conf_limit *conf;
	struct bucket_rate rate;
	_Alignas(64) struct {
		_Atomic uint64_t allowed, denied, shadowed, degraded, leased, denied_here;
	} count;
};

extern const struct redis_script ratelimit_bucket;	/* bucket.lua */
extern const struct redis_script ratelimit_heartbeat;	/* heartbeat.lua */

struct limits {
	unsigned magic;
	const struct conf *conf;
	struct redis_service *service;	/* NULL: no Redis */
	struct limit *all;		/* as conf->limits */
	size_t n;
	struct keys keys;
	struct table *table;
	_Atomic uint32_t nodes;		/* at least 1 */
	_Atomic uint64_t redis_trips;
	/* How many workers do without Redis just now, why, and since when that is
	 * more than none, or none. */
	_Atomic uint32_t degraded;
	_Atomic(const char *) reason;
	_Atomic int64_t since_us;
	_Atomic bool warned;		/* the log says so */
};

#endif
