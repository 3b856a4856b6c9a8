/* SPDX-License-Identifier: Apache-2.0 */
/* What a client is told of its limits: RateLimit-Policy, RateLimit, Retry-After. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "ratelimit/internal.h"

static uint64_t
seconds(int64_t us)
{
	if (us <= 0)
		return (0);
	return ((uint64_t)us / CLOCK_SECOND + ((uint64_t)us % CLOCK_SECOND > 0));
}

/* The name as a string of RFC 8941, 3.3.3, which has no way to say what is not
 * ASCII. */
static void
put_name(struct text *out, const char *name)
{
	const char *c;

	text_putc(out, '"');
	for (c = name; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~') {
			text_putc(out, '?');
			continue;
		}
		if (*c == '"' || *c == '\\')
			text_putc(out, '\\');
		text_putc(out, *c);
	}
	text_putc(out, '"');
}

/* A limit in mode shadow holds nobody up, so nobody is told of it; one that costs
 * nothing has nothing to tell. */
static bool
is_told(const struct conf_limit *limit, bool refused)
{
	return (limit->mode == CONF_ENFORCE && limit->cost > 0 &&
		(refused || limit->headers));
}

static void
put_policy(struct text *policy, const struct limit *limit)
{
	text_puts(policy, policy->n > 0 ? ", " : "");
	put_name(policy, limit->conf->name);
	/* What a client counts is requests. The window is the time in which a
	 * spent quota comes back, not one at whose end it does. */
	text_puts(policy, ";q=");
	text_put_u64(policy, limit->conf->burst / limit->conf->cost);
	text_puts(policy, ";w=");
	text_put_u64(policy, seconds(limit->rate.full_us));
}

/* How long `now` requests are all there are: until the bucket lacks no more than
 * what is above one request more. A node's share of a limit, which counts while
 * Redis is gone, fills more slowly than that says. */
static int64_t
until_more(const struct limit *limit, const struct limiter_result *r, uint64_t now)
{
	uint64_t tokens = (now + 1) * limit->conf->cost, above;
	int64_t above_us;

	if (r->denied)
		return (r->retry_us > 0 ? r->retry_us : 1);
	if (tokens > limit->rate.burst)
		return (r->reset_us);
	above = limit->rate.burst - tokens;
	above_us = (int64_t)(above * (uint64_t)limit->rate.whole_us +
			     above * limit->rate.rest / limit->rate.parts);
	return (r->reset_us > above_us ? r->reset_us - above_us : 1);
}

static void
put_state(struct text *state, const struct limit *limit, const struct limiter_result *r)
{
	uint64_t now = r->denied ? 0 : r->remaining / limit->conf->cost;

	text_puts(state, state->n > 0 ? ", " : "");
	put_name(state, limit->conf->name);
	text_puts(state, ";r=");
	text_put_u64(state, now);
	text_puts(state, ";t=");
	text_put_u64(state, seconds(until_more(limit, r, now)));
}

void
limiter_fields(const struct limits *limits, const struct limiter_take *take, bool refused,
    struct text *policy, struct text *state)
{
	unsigned i;

	CHECK_OBJ(limits, LIMITS_MAGIC);
	text_reset(policy);
	text_reset(state);
	for (i = 0; i < take->n; i++) {
		const struct limiter_result *r = &take->results[i];
		const struct limit *limit = &limits->all[r->limit];

		if (!is_told(limit->conf, refused))
			continue;
		put_policy(policy, limit);
		put_state(state, limit, r);
	}
}

uint32_t
limiter_retry_after(const struct limiter_result *result)
{
	uint64_t after = seconds(result->retry_us);

	if (after < 1)
		return (1);
	return (after < UINT32_MAX ? (uint32_t)after : UINT32_MAX);
}
