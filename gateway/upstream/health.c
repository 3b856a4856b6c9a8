/* SPDX-License-Identifier: Apache-2.0 */
/* Rise and fall, and when to check next. */
#include "config.h"

#include "gateway/upstream/health.h"

enum health_change
health_note(struct health *h, const struct health_conf *cf, bool good)
{
	uint32_t enough = h->down ? cf->rise : cf->fall;

	if (h->checked && good == !h->down) {
		h->against = 0;
		return (HEALTH_SAME);
	}
	if (h->checked && ++h->against < enough)
		return (HEALTH_SAME);
	h->checked = true;
	h->against = 0;
	h->down = !good;
	return (good ? HEALTH_WENT_UP : HEALTH_WENT_DOWN);
}

bool
health_status_is_good(const struct health_conf *cf, unsigned status)
{
	return (status >= cf->status_low && status <= cf->status_high);
}

/* 0 <= result < below; 0 where that is 0. */
static int64_t
within(uint64_t random, int64_t below)
{
	return (below > 0 ? (int64_t)(random % (uint64_t)below) : 0);
}

static int64_t
add(int64_t a_us, int64_t b_us)
{
	int64_t sum;

	return (__builtin_add_overflow(a_us, b_us, &sum) ? INT64_MAX : sum);
}

int64_t
health_next_us(
    const struct health_conf *cf, int64_t began_us, int64_t now_us, uint64_t random)
{
	int64_t side_us = cf->interval_us / 100 * HEALTH_JITTER_PERCENT, next_us;

	next_us = add(
	    began_us, add(cf->interval_us - side_us, within(random, 2 * side_us + 1)));
	return (next_us > now_us ? next_us : now_us);
}

int64_t
health_first_us(const struct health_conf *cf, int64_t now_us, uint64_t random)
{
	return (add(now_us, within(random, cf->interval_us)));
}
