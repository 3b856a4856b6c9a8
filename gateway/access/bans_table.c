/* SPDX-License-Identifier: Apache-2.0 */
/* Chained hashing over a fixed array of slots. */
#include "config.h"

#include "gateway/access/bans_table.h"

#include "gateway/base/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NIL UINT16_MAX

bool
bans_key_make(struct bans_key *key_r, const struct netaddr *addr, unsigned bits)
{
	unsigned most;

	switch (addr->family) {
	case NETADDR_IP4: most = 32; break;
	case NETADDR_IP6: most = 128; break;
	case NETADDR_UNIX:
	case NETADDR_NONE:
	default: return (false);
	}
	if (bits > most)
		return (false);
	memset(key_r, 0, sizeof(*key_r));
	key_r->family = (uint8_t)addr->family;
	key_r->bits = (uint8_t)bits;
	memcpy(key_r->ip, addr->ip, bits / 8);
	if (bits % 8 != 0)
		key_r->ip[bits / 8] =
		    (uint8_t)(addr->ip[bits / 8] & (0xff00u >> bits % 8));
	return (true);
}

struct netaddr
bans_key_address(const struct bans_key *key)
{
	struct netaddr addr = { .family = (enum netaddr_family)key->family };

	memcpy(addr.ip, key->ip, sizeof(addr.ip));
	return (addr);
}

uint64_t
bans_key_hash(const struct hash_key *secret, const struct bans_key *key)
{
	return (hash_bytes(secret, key, sizeof(*key)));
}

static struct bans_node *
node_at(const struct bans_table *t, size_t i)
{
	return ((struct bans_node *)(void *)(t->slots + i * t->slot_size));
}

static uint16_t
number_of(const struct bans_table *t, const void *slot)
{
	return ((uint16_t)((size_t)((const char *)slot - t->slots) / t->slot_size));
}

void
bans_table_init(struct bans_table *t, size_t slot_size, size_t slots)
{
	uint32_t heads = 1;
	void *memory;

	CHECK(slots > 0 && slots <= BANS_TABLE_MAX);
	while (heads < slots)
		heads *= 2;
	/* Not malloc: it may write zeros over all of it, and so make it resident. */
	memory = mmap(NULL, slot_size * slots, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(memory != MAP_FAILED);
	memset(t, 0, sizeof(*t));
	t->slots = memory;
	t->slot_size = slot_size;
	t->n = slots;
	t->mask = heads - 1;
	t->heads = mem_alloc(heads * sizeof(*t->heads));
	memset(t->heads, 0xff, heads * sizeof(*t->heads));
	t->free = t->queue_first = t->queue_last = NIL;
}

void
bans_table_free(struct bans_table *t)
{
	munmap(t->slots, t->slot_size * t->n);
	free(t->heads);
}

void *
bans_table_find(const struct bans_table *t, uint32_t hash, const struct bans_key *key)
{
	struct bans_node *node;
	uint16_t i;

	for (i = t->heads[hash & t->mask]; i != NIL; i = node->next) {
		node = node_at(t, i);
		if (node->hash == hash && memcmp(&node->key, key, sizeof(*key)) == 0)
			return (node);
	}
	return (NULL);
}

void *
bans_table_add(struct bans_table *t, uint32_t hash, const struct bans_key *key)
{
	struct bans_node *node, was;
	uint16_t i;

	if (t->free != NIL) {
		i = t->free;
		t->free = node_at(t, i)->next;
	} else if (t->top < t->n) {
		i = (uint16_t)t->top++;
	} else {
		return (NULL);
	}
	node = node_at(t, i);
	was = *node;
	memset(node, 0, t->slot_size);
	node->key = *key;
	node->used = true;
	node->queued = was.queued;
	node->queue_next = was.queue_next;
	node->hash = hash;
	node->next = t->heads[hash & t->mask];
	t->heads[hash & t->mask] = i;
	t->used++;
	return (node);
}

void
bans_table_remove(struct bans_table *t, void *slot)
{
	struct bans_node *node = slot;
	uint16_t i = number_of(t, slot), *link;

	CHECK(node->used);
	for (link = &t->heads[node->hash & t->mask]; *link != i;
	     link = &node_at(t, *link)->next)
		CHECK(*link != NIL);
	*link = node->next;
	node->used = false;
	node->next = t->free;
	t->free = i;
	t->used--;
}

void *
bans_table_at(const struct bans_table *t, size_t i)
{
	struct bans_node *node;

	if (i >= t->top)
		return (NULL);
	node = node_at(t, i);
	return (node->used ? node : NULL);
}

void
bans_table_queue(struct bans_table *t, void *slot)
{
	struct bans_node *node = slot;
	uint16_t i = number_of(t, slot);

	if (node->queued)
		return;
	node->queued = true;
	node->queue_next = NIL;
	if (t->queue_first == NIL)
		t->queue_first = i;
	else
		node_at(t, t->queue_last)->queue_next = i;
	t->queue_last = i;
}

void *
bans_table_dequeue(struct bans_table *t)
{
	struct bans_node *node;

	if (t->queue_first == NIL)
		return (NULL);
	node = node_at(t, t->queue_first);
	t->queue_first = node->queue_next;
	node->queued = false;
	return (node);
}
