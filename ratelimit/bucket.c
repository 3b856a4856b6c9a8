/* SPDX-License-Identifier: Apache-2.0 */
/* The token bucket: exact rational arithmetic on microseconds. */
#include "config.h"

#include "ratelimit/bucket.h"

#include <stddef.h>

#define DAY_US INT64_C(86400000000)
#define FULL_MAX_US (3653 * DAY_US)
#define TOKENS_MAX 1000000
#define BURST_MAX 1000000
/* Times beyond are cut to it: with FULL_MAX_US on top every sum stays below
 * 2^53, which is what bucket.lua's numbers hold exactly. The year is 2112. */
#define NOW_MAX_US (INT64_C(1) << 52)

/* A time or a duration of us + rest/parts microseconds, 0 <= rest < parts. */
struct exact {
	int64_t us;
	int64_t rest;
};

static uint64_t
divisor(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t left = a % b;

		a = b;
		b = left;
	}
	return (a);
}

/* n * (whole + rest/parts). Bounded: n is at most the burst. */
static struct exact
cost_of(const struct bucket_rate *rate, int64_t n)
{
	int64_t rests = n * rate->rest;

	return ((struct exact){
	    n * rate->whole_us + rests / rate->parts, rests % rate->parts });
}

static struct exact
add(struct exact a, struct exact b, int64_t parts)
{
	struct exact sum = { a.us + b.us, a.rest + b.rest };

	if (sum.rest >= parts) {
		sum.us++;
		sum.rest -= parts;
	}
	return (sum);
}

/* a - b; below zero `us` is, `rest` never. */
static struct exact
subtract(struct exact a, struct exact b, int64_t parts)
{
	struct exact left = { a.us - b.us, a.rest - b.rest };

	if (left.rest < 0) {
		left.us--;
		left.rest += parts;
	}
	return (left);
}

static bool
exceeds(struct exact a, struct exact b)
{
	return (a.us > b.us || (a.us == b.us && a.rest > b.rest));
}

static int64_t
rounded_up(struct exact a)
{
	return (a.us + (a.rest > 0));
}

bool
bucket_rate_init(
    struct bucket_rate *rate_r, uint64_t tokens, uint64_t per_us, uint32_t burst)
{
	uint64_t common;

	if (tokens < 1 || tokens > TOKENS_MAX || per_us < 1 || per_us > DAY_US ||
	    burst < 1 || burst > BURST_MAX)
		return (false);
	common = divisor(per_us, tokens);
	per_us /= common;
	tokens /= common;
	*rate_r = (struct bucket_rate){
		.whole_us = (int64_t)(per_us / tokens),
		.rest = (uint32_t)(per_us % tokens),
		.parts = (uint32_t)tokens,
		.burst = burst,
	};
	rate_r->full_us = rounded_up(cost_of(rate_r, burst));
	return (rate_r->full_us <= FULL_MAX_US);
}

void
bucket_rate_share(
    struct bucket_rate *share_r, const struct bucket_rate *rate, uint32_t nodes)
{
	struct bucket_rate share = *rate;
	uint32_t common;
	uint64_t rests;

	if (nodes < 1)
		nodes = 1;
	share.burst = rate->burst / nodes > 0 ? rate->burst / nodes : 1;
	common = (uint32_t)divisor(rate->parts, nodes);
	share.parts = rate->parts / common;
	rests = (uint64_t)rate->rest * (nodes / common);
	share.rest = (uint32_t)(rests % share.parts);
	if (rate->whole_us > FULL_MAX_US / nodes) {
		share.whole_us = FULL_MAX_US;
		share.rest = 0;
	} else {
		share.whole_us = rate->whole_us * nodes + (int64_t)(rests / share.parts);
	}
	share.full_us = rounded_up(cost_of(&share, share.burst));
	*share_r = share;
}

/* How far ahead the time is when the bucket will be full: what is owed. */
static struct exact
owed(const struct bucket *bucket, const struct bucket_rate *rate, int64_t now_us)
{
	struct exact debt;

	if (bucket->full_at_us < now_us)
		return ((struct exact){ 0, 0 });
	debt.us = bucket->full_at_us - now_us;
	/* What another rate has left behind is less than a microsecond off. */
	debt.rest = bucket->rest < rate->parts ? bucket->rest : rate->parts - 1;
	return (debt);
}

/* The tokens that `time` pays for. The guess is off by one at most, since no
 * bucket holds more than 10^6 tokens and a double has 15 digits. */
static int64_t
tokens_in(const struct bucket_rate *rate, struct exact time)
{
	double parts = rate->parts;
	int64_t n = (int64_t)(((double)time.us + (double)time.rest / parts) /
			      ((double)rate->whole_us + rate->rest / parts));

	while (n > 0 && exceeds(cost_of(rate, n), time))
		n--;
	while (n < rate->burst && !exceeds(cost_of(rate, n + 1), time))
		n++;
	return (n);
}

/* lint: parameters: what is asked of a bucket has no name of its own */
void
bucket_take(struct bucket *bucket, const struct bucket_rate *rate, int64_t now_us,
    uint32_t need, uint32_t want, struct bucket_answer *answer_r)
{
	struct exact full = cost_of(rate, rate->burst), debt, left;
	int64_t there, granted = 0, retry_us = 0;
	bool back;

	if (now_us < 0)
		now_us = 0;
	else if (now_us > NOW_MAX_US)
		now_us = NOW_MAX_US;
	debt = owed(bucket, rate, now_us);
	back = exceeds(debt, full);
	if (back)
		debt = full;
	left = subtract(full, debt, rate->parts);
	there = tokens_in(rate, left);
	if (need <= there) {
		granted = want > there ? there : (want > need ? want : need);
		debt = add(debt, cost_of(rate, granted), rate->parts);
	} else if (need <= rate->burst) {
		retry_us = rounded_up(subtract(cost_of(rate, need), left, rate->parts));
	} else {
		retry_us = rounded_up(debt);
	}
	/* A denial leaves the bucket alone, but for a time that no present clock
	 * reaches: kept, it would deny until the clock is where it once was. */
	if (granted > 0 || (back && need > 0)) {
		bucket->full_at_us = now_us + debt.us;
		bucket->rest = (uint32_t)debt.rest;
	}
	*answer_r = (struct bucket_answer){
		.granted = (uint32_t)granted,
		.remaining = (uint32_t)(there - granted),
		.retry_us = retry_us,
		.reset_us = rounded_up(debt),
	};
}

bool
bucket_is_full(const struct bucket *bucket, int64_t now_us)
{
	return (bucket->full_at_us < now_us ||
		(bucket->full_at_us == now_us && bucket->rest == 0));
}
