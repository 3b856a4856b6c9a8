/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/heap.h - the memory of the store: one range of addresses, and nothing of
 * the store lies outside of it. So what it holds can't be more than it was given,
 * whatever becomes of the holes, and holes cost hits instead of memory.
 *
 * Two-level segregated fit (Masmano, Ripoll, Crespo, Real: "TLSF: a new dynamic memory
 * allocator for real-time systems", ECRTS 2004): free blocks in lists by size, 32 to
 * each power of two; neighbours are joined at once; constant time. Blocks never move.
 * Any thread. */
#ifndef YETT_CACHE_HEAP_H
#define YETT_CACHE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/lock.h"

#define HEAP_STEPS	32	/* lists to a power of two */
#define HEAP_POWERS	36	/* up to 2^44 bytes */
#define HEAP_HEAD	16	/* bytes that a block has before what it holds */

struct heap_block;

struct heap {
	struct lock lock;
	void *memory;
	size_t size;		/* of the range, all of it */
	size_t used;		/* blocks that are taken, with their heads */
	uint64_t powers;	/* which have a free block */
	uint32_t steps[HEAP_POWERS];
	struct heap_block *free[HEAP_POWERS][HEAP_STEPS];
};

/* `memory` has zeros in it, or what it likes; aligned to 16. */
void heap_init(struct heap *, void *memory, size_t size);
void heap_destroy(struct heap *);
/* Aligned to 16, what was there before is in it. NULL: no block is large enough. */
void *heap_alloc(struct heap *, size_t size);
/* The largest one there is, when it has `least` bytes; at most `most`. */
void *heap_alloc_most(struct heap *, size_t least, size_t most);
void heap_free(struct heap *, void *);
/* Gives back what is behind the first `size` bytes. */
void heap_trim(struct heap *, void *, size_t size);
/* Bytes that it may be used for, and what it costs. */
size_t heap_room(const void *);
static inline size_t
heap_cost(const void *p)
{
	return (heap_room(p) + HEAP_HEAD);
}
size_t heap_used(struct heap *);

#endif
