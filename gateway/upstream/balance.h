/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/balance.h - which server of a pool gets a request. A balancer
 * is made from the set of servers and never changes but for its tickets (atomic):
 * all threads share one. What changes by the minute (connections, health, slow
 * start) comes with each pick as plain values. */
#ifndef YETT_UPSTREAM_BALANCE_H
#define YETT_UPSTREAM_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#define BALANCE_SERVERS_MAX 4096u
#define BALANCE_NONE UINT32_MAX
/* The share of a server that isn't in slow start (slow_start.h). */
#define BALANCE_SHARE_FULL 1024u
#define BALANCE_WEIGHT_MAX 65535u

enum balance_kind {
	/* Smooth weighted. Exact over a period of the weights, for the whole
	 * process. */
	BALANCE_ROUND_ROBIN,
	/* Fewest connections for its weight; those with equally few take turns
	 * by weight, so an idle pool is round robin. */
	BALANCE_LEAST_CONNECTIONS,
	/* Two at random by weight, and of these the one with fewer connections
	 * for its weight (Mitzenmacher, "The Power of Two Choices in Randomized
	 * Load Balancing", IEEE TPDS 12(10), 2001). */
	BALANCE_RANDOM_TWO,
	/* By the hash of a key (maglev.h). No server gets more than `bound` times
	 * its share of what is open now: what would be above goes to the key's next
	 * one (Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with
	 * Bounded Loads", 2016). A server that is away is passed by, so no key of
	 * another moves and its own go to many. */
	BALANCE_CONSISTENT_HASH,
};

/* What is fixed of a server as long as the set is. */
struct balance_member {
	uint64_t id; /* a hash of its address; for consistent_hash */
	uint32_t weight; /* 1..BALANCE_WEIGHT_MAX; 0 counts as 1 */
	bool backup; /* asked while no other is available */
};

/* What is so now. */
struct balance_state {
	uint32_t active; /* requests it is busy with, of all threads */
	uint16_t share; /* 1..BALANCE_SHARE_FULL; out of it is clipped */
	bool available; /* neither unhealthy nor ejected */
	/* Drained, or at its limit of connections: gets nothing, not even as the
	 * last one. */
	bool closed;
};

struct balancer;
/* 1 <= n <= BALANCE_SERVERS_MAX. `bound_percent` of the fair share is the most a
 * server gets by consistent_hash, above 100; 0 for no bound. */
struct balancer *balancer_new(
    enum balance_kind, const struct balance_member *, uint32_t n, uint32_t bound_percent);
void balancer_free(struct balancer **);

/* The servers that a request was at already: a bit each, of words that the caller
 * zeroed. */
#define BALANCE_WORDS(n) (((n) + 63u) / 64u)

static inline void
balance_mark_tried(uint64_t *tried, uint32_t server)
{
	tried[server / 64] |= UINT64_C(1) << (server % 64);
}

/* Index of the server, or BALANCE_NONE when every server was tried or is closed.
 * `number` is the key's hash for consistent_hash, a random number else. `tried`
 * may be NULL. In this order:
 *   1. available servers that are no backup
 *   2. available backups
 *   3. the last server standing: nothing is left that is known to be good, so
 *      what is known is set aside and the others are asked by the same
 *      algorithm, backups after the rest. A check that is wrong about all
 *      servers then costs nothing; where it is right, the client gets the
 *      failure that it would have got anyway.
 * Any thread. */
uint32_t balance_pick(struct balancer *, const struct balance_state *,
    const uint64_t *tried, uint64_t number);

#endif
