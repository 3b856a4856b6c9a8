/* SPDX-License-Identifier: Apache-2.0 */
/* Counted memory: the size of each piece stands before it. */
#include "config.h"

#include "gateway/filter/memory.h"

#include <stdlib.h>

#include "gateway/base/check.h"

/* keeps what follows aligned for any type */
#define BEFORE _Alignof(max_align_t)

void *
memory_take(void *of, size_t size)
{
	struct memory *m = of;
	char *p;

	if (m->used > m->limit || size > m->limit - m->used)
		return (NULL);
	p = malloc(BEFORE + size);
	if (p == NULL)
		return (NULL);
	*(size_t *)(void *)p = size;
	m->used += size;
	return (p + BEFORE);
}

void *
memory_take_sure(void *of, size_t size)
{
	struct memory *m = of;
	char *p = mem_alloc(BEFORE + size);

	*(size_t *)(void *)p = size;
	m->used += size;
	return (p + BEFORE);
}

void *
memory_take_array(void *of, unsigned items, unsigned size)
{
	return (memory_take(of, (size_t)items * size));
}

void
memory_give(void *of, void *p)
{
	struct memory *m = of;
	char *start;

	if (p == NULL)
		return;
	start = (char *)p - BEFORE;
	m->used -= *(size_t *)(void *)start;
	free(start);
}
