/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/pool.h - inside of a pool: servers with their addresses, the
 * order they are asked in and what is remembered of their failures. Immutable
 * but for the atomics, so any thread reads it without a lock. */
#ifndef YETT_UPSTREAM_POOL_H
#define YETT_UPSTREAM_POOL_H

#include <sys/socket.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/tls/tls.h"
#include "gateway/upstream/upstream.h"

/* Of a name that has more, the first ones. */
#define POOL_ADDRESSES_MAX 8
/* How long a server that failed is asked last. */
#define POOL_DOWN_US (1 * CLOCK_SECOND)

struct pool_address {
	struct sockaddr_storage sa;
	socklen_t n;
};

struct pool_server {
	struct pool_address *addresses;
	uint32_t n_addresses;
	bool https;
	char *host_text;
	char *tls_name;
	/* Address that took the last connection: begin there, so that a dead
	 * first one costs its timeout once. */
	_Atomic uint32_t first;
	_Atomic int64_t down_until_us;	/* monotonic; 0: no failure lately */
};

#define POOL_MAGIC 0x9001c0deu
struct upstream_pool {
	unsigned magic;
	_Atomic uint32_t references;
	const struct conf_pool *conf;
	/* Copies: idle connections may outlive the configuration. */
	int64_t connect_us, idle_us;
	uint32_t idle_max;
	struct tls_client *tls; /* NULL: no server speaks TLS */
	struct pool_server *servers;
	uint32_t n_servers;
	/* One period of smooth weighted round robin, made once. A ticket is
	 * its index: threads share the turn by one atomic add, without a lock,
	 * and the shares of the whole process are exact. */
	uint16_t *turns;
	uint32_t n_turns;
	char before[64];	/* the ticket has a cache line of its own */
	_Atomic uint32_t ticket;
	char after[64];
};

/* Whose turn it is; a server that failed lately gives its turn away. */
uint32_t pool_turn(struct upstream_pool *, int64_t now_us);
bool pool_is_down(const struct upstream_pool *, uint32_t server, int64_t now_us);
void pool_mark_down(struct upstream_pool *, uint32_t server, int64_t now_us);
void pool_mark_up(struct upstream_pool *, uint32_t server, uint32_t address);

#endif
