/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/call.h - what bucket.lua is called with, and what it answers (trip.c). */
#ifndef YETT_RATELIMIT_CALL_H
#define YETT_RATELIMIT_CALL_H

#include "gateway/redis/redis.h"
#include "ratelimit/bucket.h"
#include "ratelimit/lease.h"

#define TRIP_ARGS 7
struct trip_args { struct span v[TRIP_ARGS]; char digits[TRIP_ARGS][24]; };
void trip_args(struct trip_args *args_r, const struct conf_redis *,
    const struct bucket_rate *, const struct lease_plan *);
/* Four integers within bounds. */
bool trip_read(const struct redis_value *, const struct bucket_rate *,
    const struct lease_plan *, struct bucket_answer *answer_r);
/* Why there is no such answer; static text. */
const char *trip_fault(const struct redis_ask *, const struct redis_value *);

#endif
