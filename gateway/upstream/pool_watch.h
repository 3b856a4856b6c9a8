/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/pool_watch.h - active checks of a pool's servers, one for each
 * address, for all workers; follows changes of the set. On the thread that changes
 * sets (the control thread), whose loop it is given. */
#ifndef YETT_UPSTREAM_POOL_WATCH_H
#define YETT_UPSTREAM_POOL_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/loop/loop.h"
#include "gateway/upstream/upstream.h"

struct pool_watch;
/* NULL where the pool has no `health:`. */
struct pool_watch *pool_watch_new(struct loop *, struct upstream_pool *);
/* NULL: nothing happens. */
void pool_watch_free(struct pool_watch **);

/* What checks say of one server. */
struct pool_watch_state {
	bool checked; /* else it waits for its first check, and counts as up */
	bool down;
	const char *reason; /* of the last result, the watch's text: "status 503" */
	uint32_t in_a_row; /* results like the last one */
	int64_t since_us; /* monotonic: as it is since then */
	uint64_t made, failed;
};
/* Of server i of the pool's set, as upstream_pool_state has it; false: not
 * checked at all. */
bool
pool_watch_state(const struct pool_watch *, uint32_t i, struct pool_watch_state *state_r);

#endif
