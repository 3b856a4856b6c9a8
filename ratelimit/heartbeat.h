/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/heartbeat.h - tells the other gateways of a cluster that this one
 * lives and counts them: a sorted set in Redis, one entry a process, once a
 * second; who was silent for five is gone. Runs on the control thread's loop. */
#ifndef YETT_HEARTBEAT_H
#define YETT_HEARTBEAT_H

#include "gateway/redis/redis.h"
#include "ratelimit/limiter.h"

struct heartbeat;
/* `conf`: of node and redis.prefix. Gives the count to `limits`. */
struct heartbeat *heartbeat_new(struct loop *, struct redis *, struct limits *,
    const struct conf *conf);
/* Takes this node off the set if Redis is there to be told. */
void heartbeat_free(struct heartbeat **);

#endif
