/* SPDX-License-Identifier: Apache-2.0 */
/* Slow start: a line. */
#include "config.h"

#include "gateway/upstream/slow_start.h"

#include "gateway/upstream/balance.h"

uint16_t
slow_start_share(int64_t since_us, int64_t window_us, int64_t now_us)
{
	int64_t age_us, grown;

	if (since_us <= 0 || window_us <= 0)
		return (BALANCE_SHARE_FULL);
	if (now_us <= since_us)
		return (SLOW_START_LEAST);
	age_us = now_us - since_us;
	if (age_us >= window_us)
		return (BALANCE_SHARE_FULL);
	/* Of windows too long for the product only the thousands count. */
	if (window_us > INT64_MAX / BALANCE_SHARE_FULL) {
		age_us /= BALANCE_SHARE_FULL;
		window_us /= BALANCE_SHARE_FULL;
	}
	grown = age_us * (BALANCE_SHARE_FULL - SLOW_START_LEAST) / window_us;
	return ((uint16_t)(SLOW_START_LEAST + grown));
}
