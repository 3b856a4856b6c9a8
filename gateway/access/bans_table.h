/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/bans_table.h - a hash table of fixed capacity whose slots are
 * found by a client's address or prefix and may wait in a queue. Its memory comes
 * from the system zeroed, a page at a time as slots are used. No locks: its owner
 * has them. */
#ifndef YETT_BANS_TABLE_H
#define YETT_BANS_TABLE_H

#include "gateway/base/hash.h"
#include "gateway/base/netaddr.h"

struct bans_key { uint8_t family, bits, ip[16]; };

/* False for what is no IP address, or has fewer bits than that. Host bits are
 * cut off. */
bool bans_key_make(struct bans_key *key_r, const struct netaddr *, unsigned bits);
struct netaddr bans_key_address(const struct bans_key *);
uint64_t bans_key_hash(const struct hash_key *, const struct bans_key *);

/* Every slot begins with one. */
struct bans_node {
	struct bans_key key;
	bool used;
	bool queued;			/* stays when the slot is freed */
	uint16_t next, queue_next;
	uint32_t hash;
};

#define BANS_TABLE_MAX 32768

struct bans_table {
	char *slots;
	size_t slot_size, n, top;	/* `top` slots were ever used */
	uint16_t *heads, free, queue_first, queue_last;
	uint32_t mask, used;
};

void bans_table_init(struct bans_table *, size_t slot_size, size_t slots);
void bans_table_free(struct bans_table *);
void *bans_table_find(const struct bans_table *, uint32_t hash, const struct bans_key *);
/* The key must not be there. The slot is zero but for its node; NULL: full. */
void *bans_table_add(struct bans_table *, uint32_t hash, const struct bans_key *);
void bans_table_remove(struct bans_table *, void *slot);
/* By number, 0 to top - 1; NULL where nothing is. */
void *bans_table_at(const struct bans_table *, size_t i);
/* First in, first out; one that waits already keeps its place. What was freed (or
 * freed and used again) meanwhile comes out all the same: the owner knows by its
 * own marks. NULL: empty. */
void bans_table_queue(struct bans_table *, void *slot);
void *bans_table_dequeue(struct bans_table *);

#endif
