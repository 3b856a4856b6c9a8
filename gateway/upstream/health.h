/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/health.h - what active checks say of one server. Pure: the
 * thread that makes the checks owns the state and tells the others of changes;
 * time and chance are arguments. */
#ifndef YETT_UPSTREAM_HEALTH_H
#define YETT_UPSTREAM_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

/* Of the interval, to either side. */
#define HEALTH_JITTER_PERCENT 10

struct health_conf {
	int64_t interval_us;
	uint32_t rise, fall; /* good or bad ones in a row; 0 counts as 1 */
	uint16_t status_low, status_high; /* good answers, both included */
};

/* All zero is a server that was never checked. */
struct health {
	bool checked;
	bool down;
	uint32_t against; /* results in a row that say otherwise */
};

enum health_change { HEALTH_SAME, HEALTH_WENT_UP, HEALTH_WENT_DOWN };

/* Up until the first result, so that a start does not refuse anybody; the first
 * one decides alone (and says WENT_UP or WENT_DOWN), so that a dead server does
 * not get requests for `fall` intervals more. */
enum health_change health_note(struct health *, const struct health_conf *, bool good);
bool health_status_is_good(const struct health_conf *, unsigned status);

/* When to check next, having begun the last check at `began_us`: an interval
 * later, give or take a tenth, so that gateways and servers do not fall into
 * step. Late checks are not made up for: never before `now_us`. */
int64_t health_next_us(
    const struct health_conf *, int64_t began_us, int64_t now_us, uint64_t random);
/* The first one: anywhere within an interval. */
int64_t health_first_us(const struct health_conf *, int64_t now_us, uint64_t random);

#endif
