/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing, searching and splitting runs of bytes. */
#include "config.h"

#include "gateway/base/span.h"

#include "gateway/base/check.h"

static inline unsigned char
lower(char c)
{
	unsigned char u = (unsigned char)c;

	return (u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u);
}

bool
span_eq_nocase(struct span a, struct span b)
{
	size_t i;

	if (a.n != b.n)
		return (false);
	for (i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return (false);
	return (true);
}

bool
span_starts(struct span s, struct span prefix)
{
	return (s.n >= prefix.n && span_eq(span_cut(s, 0, prefix.n), prefix));
}

bool
span_ends(struct span s, struct span suffix)
{
	return (s.n >= suffix.n && span_eq(span_cut(s, s.n - suffix.n, s.n), suffix));
}

struct span
span_trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return (s);
}

size_t
span_index(struct span s, char byte)
{
	const char *at;

	if (s.n == 0)
		return (SIZE_MAX);
	at = memchr(s.p, byte, s.n);
	return (at != NULL ? (size_t)(at - s.p) : SIZE_MAX);
}

size_t
span_find(struct span s, struct span what)
{
	const char *at;

	if (what.n > s.n)
		return (SIZE_MAX);
	if (what.n == 0)
		return (0);
	at = memmem(s.p, s.n, what.p, what.n);
	return (at != NULL ? (size_t)(at - s.p) : SIZE_MAX);
}

bool
span_split(struct span *rest, char separator, struct span *piece_r)
{
	size_t at;

	if (rest->p == NULL)
		return (false);
	at = span_index(*rest, separator);
	if (at == SIZE_MAX) {
		*piece_r = *rest;
		*rest = SPAN_NONE;
	} else {
		*piece_r = span_cut(*rest, 0, at);
		*rest = span_cut(*rest, at + 1, rest->n);
	}
	return (true);
}

bool
span_u64(struct span s, uint64_t *value_r)
{
	uint64_t value = 0;
	size_t i;

	if (s.n == 0)
		return (false);
	for (i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return (false);
	}
	*value_r = value;
	return (true);
}

char *
span_strdup(struct span s)
{
	char *copy = mem_alloc(s.n + 1);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return (copy);
}
