/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/span.h - a run of bytes that somebody else owns. Not
 * NUL-terminated, may hold any byte. A span with p == NULL is "absent", one
 * with n == 0 and p != NULL is "empty". Pure functions. */
#ifndef YETT_SPAN_H
#define YETT_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(literal)	((struct span){ "" literal, sizeof(literal) - 1 })
#define SPAN_NONE	((struct span){ NULL, 0 })
/* For printf: "%.*s", SPAN_FMT(s) */
#define SPAN_FMT(s)	(int)(s).n, (s).p != NULL ? (s).p : ""

static inline struct span
span_of(const char *text)
{
	return ((struct span){ text, text != NULL ? strlen(text) : 0 });
}

static inline struct span
span_mem(const void *p, size_t n)
{
	return ((struct span){ (const char *)p, n });
}

static inline bool
span_eq(struct span a, struct span b)
{
	return (a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0));
}

/* Bytes from `from` up to, not including, `to`; clipped to the span. */
static inline struct span
span_cut(struct span s, size_t from, size_t to)
{
	if (s.p == NULL) /* NULL + 0 is undefined in C */
		return (SPAN_NONE);
	if (to > s.n)
		to = s.n;
	if (from > to)
		from = to;
	return ((struct span){ s.p + from, to - from });
}

/* ASCII letters compared without case, locale-free. */
bool span_eq_nocase(struct span a, struct span b);
bool span_starts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
/* Spaces and tabs off both ends (OWS, RFC 9110 5.6.3). */
struct span span_trim(struct span s);
/* Index of the byte or of the text; SIZE_MAX when absent. */
size_t span_index(struct span s, char byte);
size_t span_find(struct span s, struct span what);
/* Takes the piece before `separator` off the front of *rest; false when *rest
 * is absent. The last piece leaves *rest absent. */
bool span_split(struct span *rest, char separator, struct span *piece_r);
/* Decimal digits only, no sign, no overflow; false otherwise. */
bool span_u64(struct span s, uint64_t *value_r);
/* malloc'd NUL-terminated copy. Aborts when out of memory. */
char *span_strdup(struct span s);

#endif
