/* SPDX-License-Identifier: Apache-2.0 */
/* When to stop waiting for Redis. */
#include "config.h"

#include "ratelimit/breaker.h"

#include <stddef.h>

void
breaker_init(struct breaker *b, int64_t now_us)
{
	unsigned i;

	atomic_init(&b->reason, NULL);
	atomic_init(&b->since_us, now_us);
	for (i = 0; i < BREAKER_FAILURES; i++)
		b->failed_us[i] = now_us - BREAKER_WITHIN_US;
	b->next = 0;
}

bool
breaker_failure(struct breaker *b, int64_t now_us, const char *reason)
{
	b->failed_us[b->next] = now_us;
	b->next = (b->next + 1) % BREAKER_FAILURES;
	/* The next to be written over is the oldest. */
	if (breaker_is_open(b) || now_us - b->failed_us[b->next] >= BREAKER_WITHIN_US)
		return (false);
	breaker_open(b, now_us, reason);
	return (true);
}

void
breaker_open(struct breaker *b, int64_t now_us, const char *reason)
{
	if (!breaker_is_open(b))
		atomic_store_explicit(&b->since_us, now_us, memory_order_relaxed);
	atomic_store_explicit(&b->reason, reason, memory_order_release);
}

void
breaker_close(struct breaker *b, int64_t now_us)
{
	unsigned i;

	if (!breaker_is_open(b))
		return;
	for (i = 0; i < BREAKER_FAILURES; i++)
		b->failed_us[i] = now_us - BREAKER_WITHIN_US;
	atomic_store_explicit(&b->since_us, now_us, memory_order_relaxed);
	atomic_store_explicit(&b->reason, NULL, memory_order_release);
}

const char *
breaker_reason(const struct breaker *b, int64_t *since_r)
{
	const char *reason = atomic_load_explicit(&b->reason, memory_order_acquire);

	*since_r = atomic_load_explicit(&b->since_us, memory_order_relaxed);
	return (reason);
}
