/* SPDX-License-Identifier: Apache-2.0 */
/* Byte queues of fixed capacity, their pool, and growing text. */
#include "config.h"

#include "gateway/base/buf.h"

#include "gateway/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_POOL_MAGIC 0xb0f0001u
#define TEXT_FIRST 256

void
buf_drain(struct buf *b, size_t n)
{
	CHECK(n <= buf_len(b));
	b->start += n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void
buf_compact(struct buf *b)
{
	size_t n = buf_len(b);

	if (b->start == 0)
		return;
	memmove(b->mem, b->mem + b->start, n);
	b->start = 0;
	b->end = n;
}

size_t
buf_put(struct buf *b, const void *p, size_t n)
{
	if (n > buf_room(b))
		n = buf_room(b);
	if (n > 0)
		memcpy(b->mem + b->end, p, n);
	b->end += n;
	return (n);
}

/* Written over the first bytes of an idle buffer. */
struct spare {
	struct spare *next;
};

struct buf_pool {
	unsigned magic;
	size_t size, spare_max, spares, out;
	struct spare *free;
};

struct buf_pool *
buf_pool_new(size_t buffer_size, size_t spare)
{
	struct buf_pool *pool = mem_zalloc(sizeof *pool);

	CHECK(buffer_size >= sizeof(struct spare));
	pool->magic = BUF_POOL_MAGIC;
	pool->size = buffer_size;
	pool->spare_max = spare;
	return (pool);
}

void
buf_pool_free(struct buf_pool **pool_ptr)
{
	struct buf_pool *pool = *pool_ptr;
	struct spare *s;

	if (pool == NULL)
		return;
	CHECK_OBJ(pool, BUF_POOL_MAGIC);
	CHECK(pool->out == 0);
	while ((s = pool->free) != NULL) {
		pool->free = s->next;
		free(s);
	}
	pool->magic = 0;
	free(pool);
	*pool_ptr = NULL;
}

void
buf_take(struct buf_pool *pool, struct buf *b)
{
	struct spare *s;

	CHECK_OBJ(pool, BUF_POOL_MAGIC);
	if (b->mem != NULL)
		return;
	s = pool->free;
	if (s != NULL) {
		pool->free = s->next;
		pool->spares--;
		b->mem = (char *)s;
	} else
		b->mem = mem_alloc(pool->size);
	b->start = b->end = 0;
	b->size = pool->size;
	pool->out++;
}

bool
buf_try(struct buf_pool *pool, struct buf *b, size_t most)
{
	CHECK_OBJ(pool, BUF_POOL_MAGIC);
	if (b->mem == NULL && pool->out >= most)
		return (false);
	buf_take(pool, b);
	return (true);
}

void
buf_give(struct buf_pool *pool, struct buf *b)
{
	struct spare *s;

	CHECK_OBJ(pool, BUF_POOL_MAGIC);
	if (b->mem == NULL)
		return;
	CHECK(pool->out > 0 && b->size == pool->size);
	pool->out--;
	if (pool->spares < pool->spare_max) {
		s = (struct spare *)(void *)b->mem;
		s->next = pool->free;
		pool->free = s;
		pool->spares++;
	} else
		free(b->mem);
	*b = (struct buf){ 0 };
}

void
text_init(struct text *t, size_t limit)
{
	*t = (struct text){ .limit = limit };
}

void
text_reset(struct text *t)
{
	t->n = 0;
	t->overflow = false;
}

void
text_free(struct text *t)
{
	size_t limit = t->limit;

	free(t->p);
	text_init(t, limit);
}

/* Room for up to `want` more bytes; returns for how many. Past the limit the
 * text counts as cut, and nothing is added behind the cut. */
static size_t
text_room(struct text *t, size_t want)
{
	size_t size;

	if (t->overflow)
		return (0);
	if (want > t->limit - t->n) {
		want = t->limit - t->n;
		t->overflow = true;
	}
	if (want > t->size - t->n) {
		size = t->size != 0 ? t->size : TEXT_FIRST;
		while (size - t->n < want)
			size *= 2;
		if (size > t->limit)
			size = t->limit;
		t->p = mem_realloc(t->p, size);
		t->size = size;
	}
	return (want);
}

void
text_put(struct text *t, struct span s)
{
	size_t n = s.n;

	/* mostly there is room: heads are many small pieces */
	if (t->overflow || n > t->size - t->n)
		n = text_room(t, n);
	if (n > 0)
		memcpy(t->p + t->n, s.p, n);
	t->n += n;
}

void
text_putc(struct text *t, char c)
{
	if (t->n < t->size && !t->overflow)
		t->p[t->n++] = c;
	else
		text_put(t, span_mem(&c, 1));
}

void
text_puts(struct text *t, const char *s)
{
	text_put(t, span_of(s));
}

void
text_put_u64(struct text *t, uint64_t value)
{
	char digits[20];
	size_t at;

	at = sizeof(digits);
	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	text_put(t, span_mem(digits + at, sizeof(digits) - at));
}

void
text_printf(struct text *t, const char *format, ...)
{
	char small[256], *big;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(small, sizeof small, format, ap);
	va_end(ap);
	CHECK(n >= 0);
	if ((size_t)n < sizeof small) {
		text_put(t, span_mem(small, (size_t)n));
		return;
	}
	big = mem_alloc((size_t)n + 1);
	va_start(ap, format);
	vsnprintf(big, (size_t)n + 1, format, ap);
	va_end(ap);
	text_put(t, span_mem(big, (size_t)n));
	free(big);
}
