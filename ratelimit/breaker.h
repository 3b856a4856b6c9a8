/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/breaker.h - whether Redis is worth waiting for: no longer after a few
 * failures within a second, again after a probe was answered in time. One per
 * worker. Pure: time is an argument. */
#ifndef YETT_RATELIMIT_BREAKER_H
#define YETT_RATELIMIT_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BREAKER_FAILURES 3
#define BREAKER_WITHIN_US 1000000
/* Between two probes, and a random part on top, so that the workers of all
 * gateways do not probe in step. */
#define BREAKER_PROBE_US 100000
#define BREAKER_JITTER_US 200000

struct breaker {
	const char *reason;			/* static text; NULL: closed */
	int64_t since_us;			/* it is as it is */
	int64_t failed_us[BREAKER_FAILURES];	/* a ring */
	unsigned next;
};

void breaker_init(struct breaker *, int64_t now_us);
static inline bool
breaker_is_open(const struct breaker *b)
{
	return (b->reason != NULL);
}
/* A request got no answer in time, or none that could be used. True when that
 * opened it. */
bool breaker_failure(struct breaker *, int64_t now_us, const char *reason);
/* True when it was closed before. */
bool breaker_open(struct breaker *, int64_t now_us, const char *reason);
void breaker_close(struct breaker *, int64_t now_us);

#endif
