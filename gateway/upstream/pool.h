/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/pool.h - inside of a pool: what is fixed of it, and its set. */
#ifndef YETT_UPSTREAM_POOL_H
#define YETT_UPSTREAM_POOL_H

#include "gateway/base/hash.h"
#include "gateway/tls/tls.h"
#include "gateway/upstream/budget.h"
#include "gateway/upstream/set.h"

/* What the operator drained, for addresses that come later. */
struct upstream_drain {
	struct upstream_drain *next;
	char server[]; /* address_text or host_text */
};

#define POOL_MAGIC 0x9001c0deu
struct upstream_pool {
	unsigned magic;
	_Atomic uint32_t references;
	const struct conf_pool *conf;
	/* Copies: connections may outlive the configuration. */
	char *name;
	int64_t connect_us, idle_us, slow_start_us, queue_wait_us;
	uint32_t idle_max, max_connections, queue_length;
	bool by_hash; /* consistent_hash */
	struct tls_client *tls; /* NULL: no server speaks TLS */
	struct hash_key secret; /* of sticky cookies */
	struct hash_key hash_key; /* of consistent_hash */
	struct budget budget;
	_Atomic(struct upstream_set *) set;
	_Atomic uint32_t waiting; /* in the queues of all workers */
	/* The control thread's from here on. */
	struct upstream_set *retired;
	struct upstream_drain *drains;
	void (*on_change)(struct upstream_pool *, void *data);
	void *on_change_data;
};

/* A set of these servers, whose references become the set's; the array is copied. */
struct upstream_set *
set_new(struct upstream_pool *, struct upstream_server *const *, uint32_t n);
/* Frees what is left of the changes of sets, and the drains. */
void set_forget(struct upstream_pool *);

#endif
