/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/lease.h - what a key of a shared limit needs of Redis: nothing, while
 * tokens are on lease here or Redis has said until when there are none; or a trip,
 * for the cost of one request or, for a hot key, for the next 25 ms of them. Pure:
 * works on an entry whose lock the caller holds, time is an argument. */
#ifndef YETT_RATELIMIT_LEASE_H
#define YETT_RATELIMIT_LEASE_H

#include "ratelimit/bucket.h"
#include "ratelimit/table.h"

/* A lease is sized to last that long, and no denied key asks more often: a hot
 * key makes 40 trips a second, however many requests come. */
#define LEASE_SPAN_US 25000
/* What is not spent by then is lost (it was debited: nobody gets too much). */
#define LEASE_LIFE_US 200000
/* Requests per second and node from which on a key is hot. */
#define LEASE_HOT 20
/* A trip that was silent that long does not keep others from being made. */
#define LEASE_ASKING_US 1000000

/* One limit, as seen by one of `nodes` gateways. */
struct lease_terms {
	struct bucket_rate rate, share;
	uint32_t cost;		/* at least 1 wherever an entry is involved */
	uint32_t cap;		/* tokens on lease at most: burst / (4 * nodes) */
	uint32_t span_tokens;	/* what the rate yields in LEASE_SPAN_US */
	int64_t pace_us;	/* between trips of a key that is denied */
	int64_t trial_us;	/* how long others wait for one who tries again */
};

void lease_terms_init(struct lease_terms *terms_r, const struct bucket_rate *,
    uint32_t cost, uint32_t nodes, int64_t deadline_us);

enum lease_verdict {
	LEASE_SPENT,		/* allowed, from the lease */
	LEASE_DENIED,		/* known to be over */
	LEASE_JOIN,		/* a trip for it is under way: wait for that one */
	LEASE_ASK,		/* Redis has to be asked */
};

struct lease_plan {
	uint32_t need, want;	/* of the trip; want 0: none (LEASE_SPENT only) */
	bool leases;		/* it is the entry's one trip for more tokens */
};

/* Takes one request's cost, or says what to do. `online` false: nobody can be
 * asked, so no trip is planned. */
enum lease_verdict lease_take(struct table_entry *, const struct lease_terms *,
    int64_t now_us, bool online, struct lease_plan *plan_r);

/* A trip that came back. */
struct lease_return {
	struct lease_plan plan;		/* what it was sent for */
	struct bucket_answer answer;
	int64_t took_us;
	uint32_t waiting;		/* requests that wait for it */
	uint32_t spent;			/* tokens that are used up already */
};
struct lease_outcome {
	uint32_t served;		/* requests, the first of those who wait */
	bool denied;			/* the others are over; else: */
	struct lease_plan again;	/* of a trip for them */
};
/* Serves who waits, puts the rest on lease. The entry may be NULL: there is none
 * for this key. */
void lease_answer(struct table_entry *, const struct lease_terms *, int64_t now_us,
    const struct lease_return *, struct lease_outcome *outcome_r);
/* The trip of the entry came to nothing. */
void lease_failed(struct table_entry *);

/* Tokens on lease that may still be spent. */
uint32_t lease_in_hand(const struct table_entry *, int64_t now_us);

#endif
