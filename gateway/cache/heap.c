/* SPDX-License-Identifier: Apache-2.0 */
/* Two-level segregated fit over one range. */
#include "config.h"

#include "gateway/cache/heap.h"

#include "gateway/base/check.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_POISON 1
#endif
#endif
#ifdef HEAP_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define ALIGN 16
#define FREE ((size_t)1)
#define STEP_BITS 5
/* Below it lists are a step of ALIGN apart. */
#define SMALL ((size_t)ALIGN * HEAP_STEPS)
#define SMALL_LOG 9
/* Blocks looked at in a list whose blocks may or may not be large enough. */
#define LOOK_MAX 8

struct heap_block {
	struct heap_block *before; /* in memory; NULL: the first */
	size_t size; /* with the head; the lowest bit: it is free */
	/* Only while it is free: */
	struct heap_block *next, *previous;
};

#define LEAST sizeof(struct heap_block)

_Static_assert(offsetof(struct heap_block, next) == HEAP_HEAD, "the head");
_Static_assert(LEAST % ALIGN == 0, "blocks are aligned");
_Static_assert(SMALL == 1u << SMALL_LOG, "the first list that is not small");

static size_t
size_of(const struct heap_block *b)
{
	return (b->size & ~FREE);
}

static bool
is_free(const struct heap_block *b)
{
	return ((b->size & FREE) != 0);
}

static struct heap_block *
after(struct heap_block *b)
{
	return ((struct heap_block *)(void *)((char *)b + size_of(b)));
}

static void *
content(struct heap_block *b)
{
	return ((char *)b + HEAP_HEAD);
}

static struct heap_block *
block_of(void *p)
{
	return ((struct heap_block *)(void *)((char *)p - HEAP_HEAD));
}

/* --- lists --------------------------------------------------------------- */

static unsigned
log2_of(size_t size)
{
	return (63u - (unsigned)__builtin_clzll(size));
}

static void
list_of(size_t size, unsigned *power_r, unsigned *step_r)
{
	unsigned power;

	if (size < SMALL) {
		*power_r = 0;
		*step_r = (unsigned)(size / ALIGN);
		return;
	}
	power = log2_of(size);
	*step_r = (unsigned)(size >> (power - STEP_BITS)) & (HEAP_STEPS - 1);
	*power_r = power - SMALL_LOG + 1;
}

/* The size from which on all blocks of a list are large enough. */
static size_t
rounded_up(size_t size)
{
	if (size < SMALL)
		return (size);
	return (size + ((size_t)1 << (log2_of(size) - STEP_BITS)) - 1);
}

static void
put_free(struct heap *h, struct heap_block *b)
{
	unsigned power, step;
	size_t size = size_of(b);

	list_of(size, &power, &step);
	b->size = size | FREE;
	b->previous = NULL;
	b->next = h->free[power][step];
	if (b->next != NULL)
		b->next->previous = b;
	h->free[power][step] = b;
	h->steps[power] |= 1u << step;
	h->powers |= (uint64_t)1 << power;
	ASAN_POISON_MEMORY_REGION((char *)b + LEAST, size - LEAST);
}

static void
take_free(struct heap *h, struct heap_block *b)
{
	unsigned power, step;
	size_t size = size_of(b);

	list_of(size, &power, &step);
	if (b->next != NULL)
		b->next->previous = b->previous;
	if (b->previous != NULL) {
		b->previous->next = b->next;
	} else {
		h->free[power][step] = b->next;
		if (b->next == NULL)
			h->steps[power] &= ~(1u << step);
		if (h->steps[power] == 0)
			h->powers &= ~((uint64_t)1 << power);
	}
	b->size = size;
	ASAN_UNPOISON_MEMORY_REGION((char *)b + LEAST, size - LEAST);
}

static struct heap_block *
find_free(struct heap *h, size_t size)
{
	unsigned power, step, look;
	struct heap_block *b;
	uint32_t steps;
	uint64_t powers;

	list_of(rounded_up(size), &power, &step);
	if (power >= HEAP_POWERS)
		return (NULL);
	steps = h->steps[power] & (~(uint32_t)0 << step);
	if (steps == 0) {
		powers = power + 1 < 64 ? h->powers & (~(uint64_t)0 << (power + 1)) : 0;
		if (powers != 0) {
			power = (unsigned)__builtin_ctzll(powers);
			steps = h->steps[power];
		}
	}
	if (steps != 0)
		return (h->free[power][__builtin_ctz(steps)]);
	/* Nothing that is surely large enough: perhaps one in its own list is. */
	list_of(size, &power, &step);
	for (b = h->free[power][step], look = 0; b != NULL && look < LOOK_MAX;
	     b = b->next, look++)
		if (size_of(b) >= size)
			return (b);
	return (NULL);
}

/* --- blocks -------------------------------------------------------------- */

static size_t
block_size(size_t room)
{
	size_t size = (room + HEAP_HEAD + ALIGN - 1) & ~(size_t)(ALIGN - 1);

	return (size < LEAST ? LEAST : size);
}

/* `b` is in no list: what it has beyond `size` becomes a free block. */
static void
split(struct heap *h, struct heap_block *b, size_t size)
{
	struct heap_block *rest, *next;

	if (size_of(b) < size + LEAST)
		return;
	rest = (struct heap_block *)(void *)((char *)b + size);
	rest->before = b;
	rest->size = size_of(b) - size;
	b->size = size;
	next = after(rest);
	if (is_free(next)) {
		take_free(h, next);
		rest->size += size_of(next);
		next = after(rest);
	}
	next->before = rest;
	put_free(h, rest);
}

static void *
take(struct heap *h, struct heap_block *b, size_t size)
{
	take_free(h, b);
	split(h, b, size);
	h->used += size_of(b);
	return (content(b));
}

void
heap_init(struct heap *h, void *memory, size_t size)
{
	struct heap_block *b = memory, *end;

	memset(h, 0, sizeof(*h));
	lock_init(&h->lock, LOCK_CACHE_HEAP);
	size &= ~(size_t)(ALIGN - 1);
	CHECK((uintptr_t)memory % ALIGN == 0 && size > 2 * LEAST);
	CHECK(log2_of(size) < HEAP_POWERS + SMALL_LOG - 1);
	h->memory = memory;
	h->size = size;
	/* A last block that is never free, so that nothing is joined beyond. */
	h->used = HEAP_HEAD;
	b->before = NULL;
	b->size = size - HEAP_HEAD;
	end = after(b);
	end->before = b;
	end->size = HEAP_HEAD;
	put_free(h, b);
}

void
heap_destroy(struct heap *h)
{
	/* Whoever gets the addresses next is not to be told about our blocks. */
	ASAN_UNPOISON_MEMORY_REGION(h->memory, h->size);
	lock_destroy(&h->lock);
}

void *
heap_alloc(struct heap *h, size_t room)
{
	struct heap_block *b;
	void *p = NULL;

	if (room >= h->size)
		return (NULL);
	lock_take(&h->lock);
	b = find_free(h, block_size(room));
	if (b != NULL)
		p = take(h, b, block_size(room));
	lock_release(&h->lock);
	return (p);
}

void *
heap_alloc_most(struct heap *h, size_t least, size_t most)
{
	struct heap_block *b;
	unsigned power;
	void *p = NULL;
	size_t size;

	lock_take(&h->lock);
	if (h->powers != 0) {
		power = log2_of(h->powers);
		b = h->free[power][log2_of(h->steps[power])];
		size = size_of(b);
		if (size >= block_size(least))
			p = take(h, b, size < block_size(most) ? size : block_size(most));
	}
	lock_release(&h->lock);
	return (p);
}

void
heap_free(struct heap *h, void *p)
{
	struct heap_block *b = block_of(p), *next;

	lock_take(&h->lock);
	CHECK(!is_free(b));
	h->used -= size_of(b);
	if (b->before != NULL && is_free(b->before)) {
		take_free(h, b->before);
		b->before->size += size_of(b);
		b = b->before;
	}
	next = after(b);
	if (is_free(next)) {
		take_free(h, next);
		b->size += size_of(next);
		next = after(b);
	}
	next->before = b;
	put_free(h, b);
	lock_release(&h->lock);
}

void
heap_trim(struct heap *h, void *p, size_t room)
{
	struct heap_block *b = block_of(p);
	size_t before;

	lock_take(&h->lock);
	before = size_of(b);
	if (block_size(room) < before)
		split(h, b, block_size(room));
	h->used -= before - size_of(b);
	lock_release(&h->lock);
}

size_t
heap_room(const void *p)
{
	const struct heap_block *b =
	    (const struct heap_block *)(const void *)((const char *)p - HEAP_HEAD);

	return (size_of(b) - HEAP_HEAD);
}

size_t
heap_used(struct heap *h)
{
	size_t used;

	lock_take(&h->lock);
	used = h->used;
	lock_release(&h->lock);
	return (used);
}
