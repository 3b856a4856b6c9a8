/* SPDX-License-Identifier: Apache-2.0 */
/* When to stop waiting for Redis. */
#include "config.h"

#include "ratelimit/breaker.h"

static void
forget(struct breaker *b, int64_t now_us)
{
	unsigned i;

	for (i = 0; i < BREAKER_FAILURES; i++)
		b->failed_us[i] = now_us - BREAKER_WITHIN_US;
}

void
breaker_init(struct breaker *b, int64_t now_us)
{
	*b = (struct breaker){ .since_us = now_us };
	forget(b, now_us);
}

bool
breaker_failure(struct breaker *b, int64_t now_us, const char *reason)
{
	b->failed_us[b->next] = now_us;
	b->next = (b->next + 1) % BREAKER_FAILURES;
	/* The next to be written over is the oldest. */
	if (breaker_is_open(b) || now_us - b->failed_us[b->next] >= BREAKER_WITHIN_US)
		return (false);
	return (breaker_open(b, now_us, reason));
}

bool
breaker_open(struct breaker *b, int64_t now_us, const char *reason)
{
	bool was_open = breaker_is_open(b);

	b->reason = reason;
	if (!was_open)
		b->since_us = now_us;
	return (!was_open);
}

void
breaker_close(struct breaker *b, int64_t now_us)
{
	b->reason = NULL;
	b->since_us = now_us;
	forget(b, now_us);
}
