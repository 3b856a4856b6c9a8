/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of the store: blocks don't overlap, holes are joined, all is counted. */
#include "config.h"

#include "gateway/cache/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RANGE ((size_t)1 << 20)
#define BLOCKS 300

struct block {
	unsigned char *p;
	size_t n;
	unsigned char mark;
};

static unsigned random_state = 99;

static unsigned
dice(unsigned sides)
{
	random_state = random_state * 1103515245u + 12345u;
	return ((random_state >> 8) % sides);
}

static bool
is_whole(const struct block *block)
{
	size_t i;

	for (i = 0; i < block->n; i++)
		if (block->p[i] != block->mark)
			return (false);
	return (true);
}

static void
take(struct heap *heap, struct block *block)
{
	/* sizes of all lists: bytes, KiB, more */
	size_t n = dice(3) == 0 ? dice(300) : dice(1u << (4 + dice(14)));

	block->p = dice(4) == 0 ? heap_alloc_most(heap, n / 8, n) : heap_alloc(heap, n);
	if (block->p == NULL)
		return;
	assert_int_equal((uintptr_t)block->p % 16, 0);
	block->n = heap_room(block->p) < n ? heap_room(block->p) : n;
	assert_true(block->n >= n / 8);
	block->mark = (unsigned char)dice(256);
	memset(block->p, block->mark, block->n);
}

static void
test_random_blocks(void **state)
{
	struct block blocks[BLOCKS] = { { 0 } }, *block;
	void *memory = aligned_alloc(64, RANGE);
	size_t used, i, full = 0;
	struct heap heap;
	unsigned step;

	(void)state;
	heap_init(&heap, memory, RANGE);
	for (step = 0; step < 20000; step++) {
		block = &blocks[dice(BLOCKS)];
		if (block->p == NULL) {
			take(&heap, block);
			full += block->p == NULL;
			continue;
		}
		assert_true(is_whole(block));
		if (dice(4) == 0) {
			block->n = dice((unsigned)block->n + 1);
			heap_trim(&heap, block->p, block->n);
			assert_true(heap_room(block->p) >= block->n);
		} else {
			heap_free(&heap, block->p);
			block->p = NULL;
		}
	}
	assert_true(full > 30);
	for (used = HEAP_HEAD, i = 0; i < BLOCKS; i++)
		used += blocks[i].p != NULL ? heap_cost(blocks[i].p) : 0;
	assert_int_equal(heap_used(&heap), used);
	for (i = 0; i < BLOCKS; i++)
		if (blocks[i].p != NULL) {
			assert_true(is_whole(&blocks[i]));
			heap_free(&heap, blocks[i].p);
		}
	assert_int_equal(heap_used(&heap), HEAP_HEAD);
	/* one hole again, as large as ever */
	blocks[0].p = heap_alloc(&heap, RANGE - 3 * HEAP_HEAD);
	assert_non_null(blocks[0].p);
	assert_null(heap_alloc(&heap, 1));
	assert_null(heap_alloc_most(&heap, 1, 100));
	heap_free(&heap, blocks[0].p);
	heap_destroy(&heap);
	free(memory);
}

static void
test_sizes_at_the_edge(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 495, 496, 497, 511, 512, 513,
		4095, 4096, 4097, 65536, RANGE - 64, RANGE - 48, RANGE - 47, RANGE - 16,
		RANGE, SIZE_MAX / 2 };
	void *memory = aligned_alloc(64, RANGE), *p;
	struct heap heap;
	size_t i;

	(void)state;
	heap_init(&heap, memory, RANGE);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		p = heap_alloc(&heap, sizes[i]);
		assert_int_equal(p != NULL, sizes[i] <= RANGE - 2 * HEAP_HEAD);
		if (p == NULL)
			continue;
		assert_true(heap_room(p) >= sizes[i]);
		assert_true(heap_room(p) < sizes[i] + 32);
		memset(p, 1, heap_room(p));
		heap_free(&heap, p);
		assert_int_equal(heap_used(&heap), HEAP_HEAD);
	}
	heap_destroy(&heap);
	free(memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_blocks),
		cmocka_unit_test(test_sizes_at_the_edge),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
