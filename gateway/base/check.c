/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions and allocation that does not fail. */
#include "config.h"

#include "gateway/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "yett: %s:%d: check failed: %s\n", file, line, what);
	abort();
}

static void *
not_null(void *p)
{
	if (p == NULL)
		check_failed(__FILE__, __LINE__, "out of memory");
	return (p);
}

void *
mem_alloc(size_t size)
{
	return (not_null(malloc(size != 0 ? size : 1)));
}

void *
mem_zalloc(size_t size)
{
	return (not_null(calloc(1, size != 0 ? size : 1)));
}

void *
mem_realloc(void *old, size_t size)
{
	return (not_null(realloc(old, size != 0 ? size : 1)));
}

char *
mem_strdup(const char *text)
{
	return (not_null(strdup(text)));
}

char *
mem_printf(const char *format, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	CHECK(n >= 0);
	return (text);
}
