/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/outlier.h - servers of a pool that fail real requests are left
 * out for a while. Any thread: what each request does is atomic, what an ejection
 * does (rare) is under a lock, so that the cap always holds. Time is an argument,
 * monotonic microseconds. */
#ifndef YETT_UPSTREAM_OUTLIER_H
#define YETT_UPSTREAM_OUTLIER_H

#include <stdbool.h>
#include <stdint.h>

struct outlier_conf {
	int64_t window_us; /* failures older than that are forgotten */
	/* Ejected are those with so many failures, if they came in a row, or are so
	 * many percent of its requests too: a busy server has a few. */
	uint32_t failures, percent;
	/* The first time for `base_us`, the n-th in a row for n times that, but
	 * not above `max_us`. */
	int64_t base_us, max_us;
	/* For each such time without an ejection, one less. */
	int64_t decay_us;
	/* The most that are out at once, of all servers: at least one where there
	 * are two, never the last one. 0: nobody ever. */
	uint32_t max_percent;
};

struct outlier;
struct outlier *outlier_new(const struct outlier_conf *, uint32_t n_servers);
void outlier_free(struct outlier **);

/* The outcome of one try. A failure is a refused or broken connection, a timeout
 * or an answer of 500 and above but 501 (which is the client's doing); what was
 * sent to a server before it was ejected is not held against it after. True: the
 * server was ejected just now, worth a line in the log. */
bool outlier_note(struct outlier *, uint32_t server, bool failed, int64_t now_us);
bool outlier_is_ejected(const struct outlier *, uint32_t server, int64_t now_us);
/* 0, or when the server came or comes back: slow_start.h begins there. */
int64_t outlier_back_us(const struct outlier *, uint32_t server);
/* Back at once, and nothing remembered: the operator says so. */
void outlier_pardon(struct outlier *, uint32_t server);

/* A server of another set is this one: what was decided of it goes on, as far as
 * the cap of this set allows; the outcomes of the last seconds are forgotten. */
void outlier_adopt(struct outlier *, uint32_t server, struct outlier *from,
    uint32_t from_server, int64_t now_us);

/* Most that can be out. */
uint32_t outlier_cap(const struct outlier *);
/* How many are out, and which (`ejected_r` may be NULL), all of one moment. */
uint32_t outlier_list(struct outlier *, int64_t now_us, bool *ejected_r);

#endif
