/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/buf.h - a byte queue of fixed capacity for sockets and a growing
 * text for writers. Neither is shared between threads without a lock. */
#ifndef YETT_BUF_H
#define YETT_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"

/* Fixed: bytes live in mem[start, end). The memory belongs to a buf_pool, or
 * there is none (mem == NULL) while the buffer is idle. */
struct buf {
	char *mem;
	size_t start, end, size;
};

static inline struct span
buf_span(const struct buf *b)
{
	if (b->mem == NULL)
		return (SPAN_NONE);
	return (span_mem(b->mem + b->start, b->end - b->start));
}

static inline size_t
buf_len(const struct buf *b)
{
	return (b->end - b->start);
}

/* Room behind `end`, without moving anything. */
static inline size_t
buf_room(const struct buf *b)
{
	return (b->size - b->end);
}

/* Takes n bytes off the front; an emptied buffer starts over at 0. */
void buf_drain(struct buf *, size_t n);
/* Moves what is there to the front of the memory. Spans into it go stale. */
void buf_compact(struct buf *);
/* Appends as much as fits; returns how much that was. */
size_t buf_put(struct buf *, const void *p, size_t n);

/* Free list of equal buffers, one per worker thread. Keeps at most `spare`. */
struct buf_pool;
struct buf_pool *buf_pool_new(size_t buffer_size, size_t spare);
void buf_pool_free(struct buf_pool **);	/* all buffers must be back */
/* Gives `b` memory if it has none. Never fails (aborts out of memory): the
 * number of buffers is bounded by max.connections. */
void buf_take(struct buf_pool *, struct buf *);
/* The same, unless `most` are out already: false then. */
bool buf_try(struct buf_pool *, struct buf *, size_t most);
/* Gives the memory back; `b` is empty and idle then. No-op on an idle one. */
void buf_give(struct buf_pool *, struct buf *);

/* Growing text up to `limit` bytes; past it `overflow` is set and the text
 * keeps what fitted. Memory is kept by text_reset, for reuse. */
struct text {
	char *p;
	size_t n, size, limit;
	bool overflow;
};

void text_init(struct text *, size_t limit);
void text_reset(struct text *);
void text_free(struct text *);
void text_put(struct text *, struct span);
void text_putc(struct text *, char);
void text_puts(struct text *, const char *);
void text_put_u64(struct text *, uint64_t);	/* decimal */
void text_printf(struct text *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline struct span
text_span(const struct text *t)
{
	return (span_mem(t->p, t->n));
}

#endif
