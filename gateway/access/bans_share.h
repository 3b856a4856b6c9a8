/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/bans_share.h - bans of all gateways through Redis: what this one
 * makes or lifts is told, what others do is heard within a second, all of it
 * survives restarts; refusals of a client are counted over all gateways. Runs on
 * the control thread's loop. Without Redis everything goes on locally, and bans
 * made or lifted meanwhile are told when it is back; refusals are not, for they
 * would be counted late. */
#ifndef YETT_BANS_SHARE_H
#define YETT_BANS_SHARE_H

#include "gateway/access/bans.h"
#include "gateway/loop/loop.h"
#include "gateway/redis/redis.h"

struct bans_share;
/* What it needs of `conf` is copied. One at a time for a struct bans. */
struct bans_share *bans_share_new(struct loop *, struct redis *, struct bans *,
    const struct conf *conf);
/* Before its redis and bans. */
void bans_share_free(struct bans_share **);

struct bans_share_figures {
	uint64_t told;		/* batches of refusals, bans and ends of bans */
	uint64_t kept;		/* not told: a flood would fill Redis */
	uint64_t heard;		/* bans, or ends of bans */
	uint64_t failed;	/* commands without an answer, or refused */
	uint64_t bad;		/* answers that no gateway has written */
};
void bans_share_figures(const struct bans_share *, struct bans_share_figures *figures_r);

#endif
