/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocation in chunks that double, and a list of what to free with it. */
#include "config.h"

#include "gateway/base/arena.h"

#include "gateway/base/check.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAGIC 0xa7e4a001u
#define ARENA_FIRST_CHUNK 4096
#define ARENA_CHUNK_MAX (256 * 1024)

struct chunk {
	struct chunk *next; /* the one before it in time */
	size_t size, used; /* of mem */
	alignas(max_align_t) char mem[];
};

struct deferred {
	struct deferred *next;
	arena_free_f *free_f;
	void *object;
};

struct arena {
	unsigned magic;
	bool full;
	size_t limit, used;
	struct chunk *chunks; /* newest first; the last one survives a reset */
	struct deferred *deferred;
};

struct arena *
arena_new(size_t limit)
{
	struct arena *a = mem_zalloc(sizeof *a);

	a->magic = ARENA_MAGIC;
	a->limit = limit;
	return (a);
}

static void
run_deferred(struct arena *a)
{
	struct deferred *d;

	while ((d = a->deferred) != NULL) {
		a->deferred = d->next;
		d->free_f(d->object);
	}
}

void
arena_reset(struct arena *a)
{
	struct chunk *c;

	CHECK_OBJ(a, ARENA_MAGIC);
	run_deferred(a);
	while ((c = a->chunks) != NULL) {
#ifndef YETT_ARENA_MALLOC
		if (c->next == NULL && c->size <= ARENA_FIRST_CHUNK) {
			c->used = 0;
			break;
		}
#endif
		a->chunks = c->next;
		free(c);
	}
	a->used = 0;
	a->full = false;
}

void
arena_free(struct arena **arena)
{
	struct arena *a = *arena;

	if (a == NULL)
		return;
	arena_reset(a);
	free(a->chunks);
	a->magic = 0;
	free(a);
	*arena = NULL;
}

static struct chunk *
add_chunk(struct arena *a, size_t size)
{
	struct chunk *c = malloc(sizeof *c + size);

	if (c == NULL)
		return (NULL);
	c->size = size;
	c->used = 0;
	c->next = a->chunks;
	a->chunks = c;
	return (c);
}

#ifdef YETT_ARENA_MALLOC

/* Every allocation is a chunk of just its size. */
static void *
take_bytes(struct arena *a, size_t size, size_t padded)
{
	struct chunk *c = add_chunk(a, size);

	(void)padded;
	return (c != NULL ? c->mem : NULL);
}

#else

static void *
take_bytes(struct arena *a, size_t size, size_t padded)
{
	struct chunk *c = a->chunks;
	size_t room;
	char *p;

	(void)size;
	if (c == NULL || c->size - c->used < padded) {
		room = c == NULL ? ARENA_FIRST_CHUNK : c->size * 2;
		if (room > ARENA_CHUNK_MAX)
			room = ARENA_CHUNK_MAX;
		if (room < padded)
			room = padded;
		c = add_chunk(a, room);
		if (c == NULL)
			return (NULL);
	}
	p = c->mem + c->used;
	c->used += padded;
	return (p);
}

#endif

void *
arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	size_t padded = 0;
	void *p = NULL;

	CHECK_OBJ(a, ARENA_MAGIC);
	if (!a->full && size <= a->limit - a->used) {
		padded = (size != 0 ? size + align - 1 : align) & ~(align - 1);
		if (padded <= a->limit - a->used)
			p = take_bytes(a, size, padded);
	}
	if (p == NULL)
		a->full = true;
	else
		a->used += padded;
	return (p);
}

void *
arena_zalloc(struct arena *a, size_t size)
{
	void *p = arena_alloc(a, size);

	if (p != NULL)
		memset(p, 0, size);
	return (p);
}

char *
arena_strdup(struct arena *a, struct span text)
{
	char *copy = NULL;

	if (text.n == SIZE_MAX)
		a->full = true;
	else
		copy = arena_alloc(a, text.n + 1);
	if (copy == NULL)
		return (NULL);
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return (copy);
}

struct span
arena_span(struct arena *a, struct span text)
{
	char *copy = arena_strdup(a, text);

	if (copy == NULL)
		return (SPAN_NONE);
	return (span_mem(copy, text.n));
}

char *
arena_printf(struct arena *a, const char *format, ...)
{
	char small[256], *text;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(small, sizeof small, format, ap);
	va_end(ap);
	CHECK(n >= 0);
	if ((size_t)n < sizeof small)
		return (arena_strdup(a, span_mem(small, (size_t)n)));
	text = arena_alloc(a, (size_t)n + 1);
	if (text == NULL)
		return (NULL);
	va_start(ap, format);
	vsnprintf(text, (size_t)n + 1, format, ap);
	va_end(ap);
	return (text);
}

bool
arena_defer(struct arena *a, arena_free_f *free_f, void *object)
{
	struct deferred *d = arena_alloc(a, sizeof *d);

	if (d == NULL) {
		free_f(object);
		return (false);
	}
	d->free_f = free_f;
	d->object = object;
	d->next = a->deferred;
	a->deferred = d;
	return (true);
}

bool
arena_is_full(const struct arena *a)
{
	CHECK_OBJ(a, ARENA_MAGIC);
	return (a->full);
}

size_t
arena_used(const struct arena *a)
{
	CHECK_OBJ(a, ARENA_MAGIC);
	return (a->used);
}
