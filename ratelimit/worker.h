/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/worker.h - inside of a struct limiter, one worker thread's part:
 * requests that wait, trips to Redis under way, the breaker. For limiter.c,
 * trip.c and recover.c only. */
#ifndef YETT_RATELIMIT_WORKER_H
#define YETT_RATELIMIT_WORKER_H

#include <sys/queue.h>

#include <stdatomic.h>

#include "gateway/loop/loop.h"
#include "gateway/redis/redis.h"
#include "ratelimit/breaker.h"
#include "ratelimit/call.h"
#include "ratelimit/internal.h"
#include "ratelimit/lease.h"
#include "ratelimit/limiter.h"

/* Of one worker: requests that wait at once, trips under way (a slow Redis is
 * given up long before). What comes beyond is decided without Redis. */
#define WORKS_MAX 4096
#define TRIPS_MAX 4096
#define TRIP_CHAINS 256		/* a power of two */

/* One limit of a request that waits for a trip. */
struct slot {
	struct work *work;
	struct limiter_result *result;
	struct trip *trip;		/* NULL: decided */
	TAILQ_ENTRY(slot) next;
	struct table_key key;
};
TAILQ_HEAD(slots, slot);

/* A request that waits; its take's `work`. */
#define WORK_MAGIC 0x11e7a4b5u
struct work {
	unsigned magic;
	struct limiter *limiter;
	struct limiter_take *take;
	struct loop_timer timer;
	int64_t until_us;
	bool graced;			/* the timer passed once */
	bool done;			/* on `done`, else on `waiting` */
	unsigned n_slots, n_open;
	struct slot slots[LIMITER_LIMITS_MAX];
	TAILQ_ENTRY(work) next;
};
TAILQ_HEAD(works, work);

/* One call of bucket.lua under way. */
#define TRIP_MAGIC 0x7e1b7100u
struct trip {
	unsigned magic;
	struct redis_ask ask;
	struct limiter *limiter;
	uint32_t limit;
	struct key key;
	struct table_key hash;		/* of it */
	struct lease_plan plan;
	bool open;			/* in `chains`: others may join it */
	uint32_t spent;			/* allowed without it when it was late */
	int64_t sent_us;
	struct slots slots;		/* who waits for it */
	uint32_t n_slots;
	LIST_ENTRY(trip) next, same;	/* all; open ones whose key hashes alike */
};
LIST_HEAD(trips, trip);

#define LIMITER_MAGIC 0x11417e40u
struct limiter {
	unsigned magic;
	struct limits *limits;
	struct loop *loop;
	struct redis *redis;		/* NULL: every bucket is here */
	struct lease_terms *terms;	/* as conf->limits, */
	uint32_t terms_nodes;		/* for that many gateways */
	int64_t deadline_us;
	struct breaker breaker;
	struct loop_timer probe_timer;	/* runs while the breaker is open */
	struct redis_ask probe;
	int64_t probe_us;		/* when the one under way was sent; 0 none */
	struct key probe_key;		/* whose server was last found wanting */
	uint64_t random;
	struct works waiting, done, spare_works;
	unsigned n_works;		/* not spare */
	struct trips trips, spare_trips;
	unsigned n_live_trips;
	struct trips chains[TRIP_CHAINS];
	unsigned busy;			/* callbacks of ours on the stack */
	bool gone;			/* limiter_free came from one of them */
};

/* limiter.c: */
/* A result's end: the verdict as the limit's mode has it, and its count. */
void limiter_conclude(struct limiter *, struct limiter_result *, bool denied);
/* Redis has no say in it: the limit's on_redis_failure decides. */
void limiter_fall_back(struct limiter *, struct limiter_result *, struct table_key);
/* The same for a slot, which is taken off its trip; for all of a request. */
void limiter_give_up_slot(struct slot *);
void limiter_give_up(struct work *);
/* What is known of the key here. */
void limiter_tell(struct limiter_result *, const struct table_entry *,
    const struct lease_terms *, int64_t now_us);
/* A slot has its result. */
void limiter_slot_done(struct slot *);
/* Around every callback from the loop: `leave` tells the requests that are done.
 * The limiter may be gone after it. */
void limiter_enter(struct limiter *);
void limiter_leave(struct limiter *);

/* trip.c: */
/* The trip of this worker for that key that one may wait for. */
struct trip *trip_find(struct limiter *, struct table_key);
void trip_join(struct trip *, struct slot *);
void trip_quit(struct slot *);
/* What a trip is for. */
struct errand {
	uint32_t limit;
	const struct key *key;
	struct table_key hash;
	struct lease_plan plan;
	bool open;	/* others may wait for it, too: as for every lease */
};
/* NULL: it could not be sent. */
struct trip *trip_send(struct limiter *, const struct errand *);
void trips_free(struct limiter *);
/* The entry's trip for more tokens came to nothing. */
void trip_lease_ends(struct limiter *, struct table_key);
/* Calls bucket.lua for `key`. */
bool trip_call(struct limiter *, struct redis_ask *, const struct key *,
    const struct bucket_rate *, const struct lease_plan *);

/* recover.c: */
void recover_init(struct limiter *);
/* A request or a trip found Redis wanting. */
void recover_failure(struct limiter *, const struct key *, const char *reason);
void recover_free(struct limiter *);

static inline void
tally(_Atomic uint64_t *n)
{
	(void)atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

#endif
