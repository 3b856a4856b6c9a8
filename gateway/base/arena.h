/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/arena.h - memory of one request: many allocations, one free,
 * bounded. Full (or out of memory) is sticky: from then on every allocation
 * returns NULL until arena_reset, so a caller may check once at the end.
 * One thread at a time. configure --enable-arena-malloc gives each allocation
 * a malloc of its own, so that ASan sees overruns. */
#ifndef YETT_ARENA_H
#define YETT_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/span.h"

struct arena;

typedef void arena_free_f(void *object);

/* `limit`: bytes it may hand out at most. Never NULL. */
struct arena *arena_new(size_t limit);
/* Runs what arena_defer was given, newest first, and frees all but a first
 * chunk, so that the next request on the connection needs no malloc. */
void arena_reset(struct arena *);
void arena_free(struct arena **);

/* Aligned for any type; NULL when full. */
void *arena_alloc(struct arena *, size_t size);
void *arena_zalloc(struct arena *, size_t size);
/* NUL-terminated copies; arena_span's .p is NULL when full. */
char *arena_strdup(struct arena *, struct span text);
struct span arena_span(struct arena *, struct span text);
char *arena_printf(struct arena *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* `free_f(object)` runs when the arena is reset or freed; at once, returning
 * false, when the arena is full. */
bool arena_defer(struct arena *, arena_free_f *free_f, void *object);
bool arena_is_full(const struct arena *);
size_t arena_used(const struct arena *);

#endif
