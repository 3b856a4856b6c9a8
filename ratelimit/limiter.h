/* SPDX-License-Identifier: Apache-2.0 */
/* ratelimit/limiter.h - the limits of a configuration and their enforcement:
 * alone, or shared by all gateways through Redis. With Redis a hot key takes
 * several tokens per trip (a lease, spent within 200 ms), a denied key is denied
 * here until its time has come, and a Redis that is silent, slow or gone costs no
 * request more than the deadline: each limit says what then holds (this node's
 * share, open, closed). docs/design/ratelimit.md tells how and why. */
#ifndef YETT_LIMITER_H
#define YETT_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/netaddr.h"
#include "gateway/conf/conf.h"
#include "gateway/loop/loop.h"
#include "gateway/redis/redis.h"

#define LIMITER_LIMITS_MAX 8	/* of one request */
#define LIMITER_KEY_MAX 512	/* bytes of a key's text */

/* Definitions, table, counters, what is known of the other gateways. Shared by
 * all threads. `conf` must outlive it. With `service` NULL there is no Redis. */
struct limits;
enum err_code limits_new(struct limits **limits_r, const struct conf *conf,
    struct redis_service *service, struct err *);
void limits_free(struct limits **);
/* Index of a limit as in conf->limits. */
#define LIMIT_NONE UINT32_MAX
uint32_t limits_find(const struct limits *, struct span name);

/* What a request is counted by: plain values, absent spans where there is none.
 * `field` finds the value of a header field or cookie: spans into the request. */
struct limiter_subject {
	const struct netaddr *client;	/* cut to what makes one client */
	struct span site, route, path, country;
	uint32_t asn;
	struct span (*header)(void *data, struct span name);
	struct span (*cookie)(void *data, struct span name);
	void *data;
};

/* What came of one limit of a request. */
struct limiter_result {
	uint32_t limit;		/* index in conf->limits */
	bool denied;		/* over: also in mode shadow */
	bool refuses;		/* denied, and the mode enforces */
	bool degraded;		/* decided without Redis that should have had a say */
	uint32_t remaining;
	int64_t retry_us, reset_us;
};

/* One request's take of all its limits; embedded in the request. */
struct limiter_take {
	void (*ready)(struct limiter_take *);	/* on the loop, after WAIT */
	void *data;
	unsigned n;
	struct limiter_result results[LIMITER_LIMITS_MAX];
	void *work;	/* the module's, while it waits */
};

enum limiter_rc { LIMITER_DONE, LIMITER_WAIT };

/* One worker thread's part: its Redis connection, its breaker. `redis` may be
 * NULL, is the caller's, and outlives it; its redis_on_change is taken. */
struct limiter;
struct limiter *limiter_new(struct limits *, struct loop *, struct redis *redis);
/* Requests that wait are decided as without Redis: `ready` is called from here. */
void limiter_free(struct limiter **);
/* Asks `n` limits (indices) at once, in one write: each is debited, whatever the
 * others say. Allocates nothing per request but what is bounded and recycled. A
 * limit of cost 0 asks nobody. DONE: results are there at once; WAIT: `ready`
 * comes within the deadline. */
enum limiter_rc limiter_take(struct limiter *, struct limiter_take *,
    const uint32_t *limits, unsigned n, const struct limiter_subject *);
/* Gives up a WAIT; no-op after it. What was debited stays debited. */
void limiter_cancel(struct limiter *, struct limiter_take *);
/* The result that refuses with the longest wait; NULL: none does. */
const struct limiter_result *limiter_refusal(const struct limiter_take *);

/* Fields RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10
 * and -11) as structured fields: values of all results, or (`refused` false) of
 * those limits whose `headers` is on; never of limits in mode shadow. q and r are in
 * requests, w is the time in which a spent quota comes back, t until r grows. The
 * texts start over; empty ones: none to send. */
void limiter_fields(const struct limits *, const struct limiter_take *, bool refused,
    struct text *policy, struct text *state);
/* Retry-After: whole seconds, rounded up, at least 1. */
uint32_t limiter_retry_after(const struct limiter_result *);
/* Text of the key of one limit, without secrets (header and cookie values are
 * hashed): for records and the command. Put behind what `key` holds. */
void limiter_key_text(const struct limits *, uint32_t limit,
    const struct limiter_subject *, struct text *key);

/* --- of the whole process, for status and metrics; any thread --- */
enum limits_state { LIMITS_LOCAL, LIMITS_SHARED, LIMITS_DEGRADED };
struct limits_status {
	enum limits_state state;
	const char *reason;	/* static text of why degraded; NULL */
	int64_t since_us;	/* monotonic */
	uint32_t nodes;		/* gateways that share the limits; 1 alone */
	uint64_t redis_trips;	/* commands sent for decisions */
};
void limits_status(struct limits *, struct limits_status *status_r);
const char *limits_state_text(enum limits_state);
struct limits_count {
	uint64_t allowed, denied, shadowed, degraded, leased, denied_here;
};
void limits_count(const struct limits *, uint32_t limit, struct limits_count *count_r);
/* How full the table of keys is; see table.h. */
struct table_figures;
void limits_table(const struct limits *, struct table_figures *figures_r);
/* The heartbeat found that many gateways. */
void limits_set_nodes(struct limits *, uint32_t nodes);

#endif
