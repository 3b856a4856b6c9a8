/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/memory.h - the allocator that zlib and brotli are given: counts what
 * one context holds and hands out no more than its limit. No more memory is an error
 * that the libraries report, not a reason to abort. One thread at a time. */
#ifndef YETT_FILTER_MEMORY_H
#define YETT_FILTER_MEMORY_H

#include <stddef.h>

struct memory {
	size_t used, limit;
};

/* The forms that brotli and zlib want. `of`: a struct memory. */
void *memory_take(void *of, size_t size);
/* Whatever the limit is, and aborts when there is none. */
void *memory_take_sure(void *of, size_t size);
void *memory_take_array(void *of, unsigned items, unsigned size);
void memory_give(void *of, void *p);

#endif
