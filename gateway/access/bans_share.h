/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/bans_share.h - bans of all gateways through Redis: what this one
 * makes or lifts is told, what others do is heard within a second, all of it
 * survives restarts; refusals of a client are counted over all gateways. Runs on
 * the control thread's loop. Without Redis everything goes on locally. */
#ifndef YETT_BANS_SHARE_H
#define YETT_BANS_SHARE_H

#include "gateway/access/bans.h"
#include "gateway/loop/loop.h"
#include "gateway/redis/redis.h"

struct bans_share;
struct bans_share *bans_share_new(struct loop *, struct redis *, struct bans *,
    const struct conf *conf);
void bans_share_free(struct bans_share **);

#endif
