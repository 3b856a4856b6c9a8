/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/control.h - the control thread: what must go on while the workers serve
 * and what no client waits for. It has a loop and a Redis connection of its own,
 * tells the cluster that this gateway lives, carries bans to and from it, checks
 * the servers of pools, looks for files that were replaced and for names whose
 * addresses changed, and serves the control socket and the metrics. */
#ifndef YETT_CONTROL_H
#define YETT_CONTROL_H

#include "gateway/access/bans_share.h"
#include "gateway/base/err.h"
#include "gateway/names.h"
#include "gateway/redis/redis.h"
#include "gateway/request/snapshot.h"
#include "gateway/upstream/pool_watch.h"
#include "gateway/worker.h"

/* What the control socket and the metrics tell of; its thread only. */
struct control_view {
	struct loop *loop;
	struct snapshot *snap;
	struct workers *workers;
	struct redis *redis; /* NULL: none */
	struct bans_share *bans_share; /* NULL: none */
	struct names *names; /* NULL: none */
	struct pool_watch **checks; /* as conf.pools; NULL: not checked */
	int64_t started_us; /* wall clock */
};

struct control;
/* Opens the control socket and the metrics, then starts the thread. Called by the
 * main thread, as the two below. */
enum err_code control_start(
    struct control **control_r, struct snapshot *, struct workers *, struct err *);
/* Ends the thread. Its memory stays: workers may still speak to its loop. */
void control_stop(struct control *);
/* After the workers have ended. */
void control_free(struct control **);

#endif
