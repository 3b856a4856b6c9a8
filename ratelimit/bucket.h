/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/bucket.h - the token bucket in its virtual-scheduling form (ITU-T
 * I.371, annex A: the generic cell rate algorithm): all that is kept of a
 * bucket is when it will be full again. Exact: a rate that does not divide into
 * whole microseconds keeps its rest. bucket.lua is the same in Redis; a property
 * test holds the two together. Pure; time is an argument, in microseconds of any
 * one clock. Arithmetic saturates. */
#ifndef YETT_BUCKET_H
#define YETT_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* A token takes whole_us + rest/parts microseconds to come; `parts` > rest. */
struct bucket_rate {
	int64_t whole_us;
	uint32_t rest, parts;
	uint32_t burst;
	int64_t full_us;	/* an empty bucket is full after that, rounded up */
};

/* False where the figures are out of bounds: 1 <= tokens <= 1000000 per
 * 1 <= per_us <= one day; 1 <= burst <= 1000000; full_us at most ten years. */
bool bucket_rate_init(struct bucket_rate *rate_r, uint64_t tokens, uint64_t per_us,
    uint32_t burst);
/* The share of one of `nodes` gateways: the rate divided, the burst too (at
 * least 1). */
void bucket_rate_share(struct bucket_rate *share_r, const struct bucket_rate *,
    uint32_t nodes);

/* All zero is a full bucket. */
struct bucket {
	int64_t full_at_us;
	uint32_t rest;		/* of `parts` */
};

struct bucket_answer {
	uint32_t granted;	/* 0: denied; else need..want */
	uint32_t remaining;	/* whole tokens left */
	int64_t retry_us;	/* 0, or when `need` tokens will be there */
	int64_t reset_us;	/* until the bucket is full */
};

/* Takes as many tokens as there are, from `need` to `want` (1 <= need <= want);
 * none where there are fewer than `need`. A `need` above the burst is never
 * granted: retry_us is reset_us then. A clock that was set back can make no
 * bucket emptier than empty. need = want = 0 only looks. */
void bucket_take(struct bucket *, const struct bucket_rate *, int64_t now_us,
    uint32_t need, uint32_t want, struct bucket_answer *answer_r);
bool bucket_is_full(const struct bucket *, int64_t now_us);

#endif
