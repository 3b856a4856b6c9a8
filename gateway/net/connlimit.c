/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections there are, in all and per client. */
#include "config.h"

#include "gateway/net/listener.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/hash.h"
#include "gateway/base/lock.h"

#define CONNLIMIT_MAGIC 0x3c1d77a5u
#define N_SHARDS 64
#define BUCKETS_MIN 16
#define BUCKETS_MAX 65536

/* One per client that has a connection, so there are never more of them than
 * `total`. */
struct client {
	struct client *next;
	uint8_t key[9]; /* family, then the address or its /64 */
	uint32_t connections;
};

struct shard {
	struct lock lock;
	struct client **buckets; /* n_buckets of the connlimit */
};

struct connlimit {
	unsigned magic;
	uint32_t total_max, client_max;
	uint32_t n_buckets; /* per shard; a power of two */
	struct hash_key key;
	_Atomic uint32_t total;
	struct shard shards[N_SHARDS];
};

struct connlimit *
connlimit_new(uint32_t total, uint32_t per_client)
{
	struct connlimit *c;
	size_t i;

	c = mem_zalloc(sizeof(*c));
	c->magic = CONNLIMIT_MAGIC;
	c->total_max = total;
	c->client_max = per_client;
	c->key = hash_key_random();
	c->n_buckets = BUCKETS_MIN;
	while (c->n_buckets < total / N_SHARDS && c->n_buckets < BUCKETS_MAX)
		c->n_buckets *= 2;
	for (i = 0; i < N_SHARDS; i++) {
		lock_init(&c->shards[i].lock, LOCK_CLIENTS);
		c->shards[i].buckets = mem_zalloc(c->n_buckets * sizeof(struct client *));
	}
	return (c);
}

void
connlimit_free(struct connlimit **c_p)
{
	struct connlimit *c = *c_p;
	struct client *client;
	size_t i, b;

	if (c == NULL)
		return;
	CHECK_OBJ(c, CONNLIMIT_MAGIC);
	for (i = 0; i < N_SHARDS; i++) {
		for (b = 0; b < c->n_buckets; b++) {
			while ((client = c->shards[i].buckets[b]) != NULL) {
				c->shards[i].buckets[b] = client->next;
				free(client);
			}
		}
		free(c->shards[i].buckets);
		lock_destroy(&c->shards[i].lock);
	}
	c->magic = 0;
	free(c);
	*c_p = NULL;
}

/* False: no such thing as one client of this address (a unix socket). */
static bool
client_key(const struct netaddr *addr, uint8_t key[9])
{
	memset(key, 0, 9);
	key[0] = (uint8_t)addr->family;
	switch (addr->family) {
	case NETADDR_IP4: memcpy(key + 1, addr->ip, 4); return (true);
	case NETADDR_IP6: memcpy(key + 1, addr->ip, 8); return (true);
	case NETADDR_NONE:
	case NETADDR_UNIX: break;
	}
	return (false);
}

/* Where the client of `key` is linked in, or where it would be. */
static struct client **
client_find(struct shard *shard, uint64_t hash, uint32_t n_buckets, const uint8_t key[9])
{
	struct client **at;

	lock_assert_held(&shard->lock);
	at = &shard->buckets[(hash / N_SHARDS) & (n_buckets - 1)];
	while (*at != NULL && memcmp((*at)->key, key, 9) != 0)
		at = &(*at)->next;
	return (at);
}

static bool
client_enter(struct connlimit *c, const uint8_t key[9])
{
	struct client **at, *client;
	struct shard *shard;
	uint64_t hash;
	bool entered;

	hash = hash_bytes(&c->key, key, 9);
	shard = &c->shards[hash % N_SHARDS];
	lock_take(&shard->lock);
	at = client_find(shard, hash, c->n_buckets, key);
	/* Out of memory refuses one client rather than ending them all. */
	if (*at == NULL && (client = calloc(1, sizeof(*client))) != NULL) {
		memcpy(client->key, key, 9);
		*at = client;
	}
	client = *at;
	entered = client != NULL && client->connections < c->client_max;
	if (entered) {
		client->connections++;
	} else if (client != NULL && client->connections == 0) {
		*at = client->next;
		free(client);
	}
	lock_release(&shard->lock);
	return (entered);
}

static void
client_leave(struct connlimit *c, const uint8_t key[9])
{
	struct client **at, *client;
	struct shard *shard;
	uint64_t hash;

	hash = hash_bytes(&c->key, key, 9);
	shard = &c->shards[hash % N_SHARDS];
	lock_take(&shard->lock);
	at = client_find(shard, hash, c->n_buckets, key);
	client = *at;
	CHECK(client != NULL && client->connections > 0);
	if (--client->connections == 0) {
		*at = client->next;
		free(client);
	}
	lock_release(&shard->lock);
}

static void
total_leave(struct connlimit *c)
{
	uint32_t before;

	before = atomic_fetch_sub_explicit(&c->total, 1, memory_order_relaxed);
	CHECK(before > 0);
}

bool
connlimit_enter(struct connlimit *c, const struct netaddr *addr)
{
	uint8_t key[9];
	uint32_t total;

	CHECK_OBJ(c, CONNLIMIT_MAGIC);
	total = atomic_load_explicit(&c->total, memory_order_relaxed);
	do {
		if (total >= c->total_max)
			return (false);
	} while (!atomic_compare_exchange_weak_explicit(
	    &c->total, &total, total + 1, memory_order_relaxed, memory_order_relaxed));
	if (client_key(addr, key) && !client_enter(c, key)) {
		total_leave(c);
		return (false);
	}
	return (true);
}

void
connlimit_leave(struct connlimit *c, const struct netaddr *addr)
{
	uint8_t key[9];

	CHECK_OBJ(c, CONNLIMIT_MAGIC);
	if (client_key(addr, key))
		client_leave(c, key);
	total_leave(c);
}

bool
connlimit_move(struct connlimit *c, const struct netaddr *from, const struct netaddr *to)
{
	uint8_t old[9], fresh[9];
	bool was_counted, counts;

	CHECK_OBJ(c, CONNLIMIT_MAGIC);
	was_counted = client_key(from, old);
	counts = client_key(to, fresh);
	if (was_counted && counts && memcmp(old, fresh, sizeof(old)) == 0)
		return (true);
	if (counts && !client_enter(c, fresh))
		return (false);
	if (was_counted)
		client_leave(c, old);
	return (true);
}

uint32_t
connlimit_total(const struct connlimit *c)
{
	CHECK_OBJ(c, CONNLIMIT_MAGIC);
	return (atomic_load_explicit(&c->total, memory_order_relaxed));
}
