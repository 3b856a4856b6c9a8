/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/check.h - assertions for our own mistakes, never for bytes of a
 * peer. A failed check prints where and aborts: the supervisor starts a new
 * worker process. Usable from any thread. */
#ifndef YETT_CHECK_H
#define YETT_CHECK_H

#include <stddef.h>

#define CHECK(cond)							\
	do {								\
		if (__builtin_expect(!(cond), 0))			\
			check_failed(__FILE__, __LINE__, #cond);	\
	} while (0)

/* A switch or state machine got where it can't. */
#define WRONG(what)	check_failed(__FILE__, __LINE__, what)

/* Every long-lived struct starts with `unsigned magic`. */
#define CHECK_OBJ(obj, magic_value)					\
	CHECK((obj) != NULL && (obj)->magic == (magic_value))

/* `to` = the object behind a callback's void pointer. */
#define CAST_OBJ(to, from, magic_value)					\
	do {								\
		(to) = (from);						\
		CHECK_OBJ((to), (magic_value));				\
	} while (0)

void check_failed(const char *file, int line, const char *what)
    __attribute__((noreturn, cold));

/* Allocation that does not return NULL: out of memory aborts. For start-up and
 * objects of fixed size; what a client can make grow goes through an arena or
 * a bounded buffer instead. Free with free(3). */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *old, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *format, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

#endif
