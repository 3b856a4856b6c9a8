/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/bans_allowance.h - so many in such a time: a bucket of tokens that
 * is full at first and fills within a period. Pure. */
#ifndef YETT_BANS_ALLOWANCE_H
#define YETT_BANS_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

/* The time at which it would be empty, were all tokens taken evenly. Zero: full. */
struct bans_allowance { int64_t empty_us; };

static inline bool
bans_may_take(const struct bans_allowance *a, int64_t now_us, int64_t period_us)
{
	return (a->empty_us < now_us + period_us);
}

static inline bool
bans_take(struct bans_allowance *a, uint32_t tokens, int64_t now_us, int64_t period_us)
{
	if (!bans_may_take(a, now_us, period_us))
		return (false);
	if (a->empty_us < now_us)
		a->empty_us = now_us;
	a->empty_us += period_us / tokens + (period_us % tokens != 0);
	return (true);
}

#endif
