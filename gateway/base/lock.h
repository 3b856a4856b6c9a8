/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/lock.h - mutexes with a rank. A thread takes them in the order
 * of the list only; a debug build (--enable-asan or --enable-tsan) aborts on a
 * lock taken against the order, on one not held at lock_assert_held and on one
 * released by another thread. */
#ifndef YETT_LOCK_H
#define YETT_LOCK_H

#include <pthread.h>
#include <stdbool.h>

/* Take downwards only. */
#define LOCK_RANKS(RANK)						\
	RANK(CONFIG, "configuration snapshot")				\
	RANK(RULES, "rule parser of libmodsecurity")			\
	RANK(CLIENTS, "connections per client, one shard")		\
	RANK(LIMITS, "limit table, one shard")				\
	RANK(BANS, "bans, one shard")					\
	RANK(AUTH, "passwords verified lately")				\
	RANK(TLS, "ticket keys and session cache, one shard")		\
	RANK(UPSTREAM, "state of origins")				\
	RANK(CACHE_SHARD, "store of answers, one shard")		\
	RANK(CACHE_WAITERS, "who waits for an answer or a body")	\
	RANK(CACHE_HEAP, "memory of the store")				\
	RANK(JOBS, "queue of a job pool")				\
	RANK(MAILBOX, "queue of a loop")				\
	RANK(WATCHED, "state of a watched file")			\
	RANK(LOG, "buffer of a log")

enum lock_rank {
#define LOCK_RANK_ENUM(name, what)	LOCK_##name,
	LOCK_RANKS(LOCK_RANK_ENUM)
#undef LOCK_RANK_ENUM
};

struct lock {
	pthread_mutex_t mutex;
	enum lock_rank rank;
	pthread_t owner;		/* debug builds only */
	bool held;
};

void lock_init(struct lock *, enum lock_rank);
void lock_destroy(struct lock *);
void lock_take(struct lock *);
void lock_release(struct lock *);
void lock_assert_held(const struct lock *);
/* pthread_cond_wait with the bookkeeping; `lock` is held before and after. */
void lock_wait(struct lock *, pthread_cond_t *);

#endif
