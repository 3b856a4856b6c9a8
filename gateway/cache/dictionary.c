/* SPDX-License-Identifier: Apache-2.0 */
/* Structured field dictionaries, one member after the other. Each reader takes what
 * it read off the front of its span. */
#include "config.h"

#include "gateway/cache/dictionary.h"

#include "gateway/http/chars.h"

#define DIGITS_MAX 15 /* of an integer; a decimal has 12 and 3 */

static bool
next_is(struct span s, char c)
{
	return (s.n > 0 && s.p[0] == c);
}

static bool
is_digit(char c)
{
	return (c >= '0' && c <= '9');
}

static bool
is_alpha(char c)
{
	return (char_lower(c) >= 'a' && char_lower(c) <= 'z');
}

static void
skip(struct span *s, size_t n)
{
	*s = span_cut(*s, n, s->n);
}

static void
skip_blanks(struct span *s, bool tabs_too)
{
	while (next_is(*s, ' ') || (tabs_too && next_is(*s, '\t')))
		skip(s, 1);
}

static bool
read_key(struct span *s, struct span *key_r)
{
	size_t n = 0;
	char c;

	for (; n < s->n; n++) {
		c = s->p[n];
		if ((c >= 'a' && c <= 'z') || c == '*')
			continue;
		if (n == 0 || !(is_digit(c) || c == '_' || c == '-' || c == '.'))
			break;
	}
	*key_r = span_cut(*s, 0, n);
	skip(s, n);
	return (n > 0);
}

static size_t
digits_at(struct span s, size_t from)
{
	size_t n = from;

	while (n < s.n && is_digit(s.p[n]))
		n++;
	return (n - from);
}

static bool
read_number(struct span *s, struct dictionary_member *m)
{
	bool negative = next_is(*s, '-');
	size_t whole, part, i;

	if (negative)
		skip(s, 1);
	whole = digits_at(*s, 0);
	if (whole == 0 || whole > DIGITS_MAX)
		return (false);
	for (m->integer = 0, i = 0; i < whole; i++)
		m->integer = m->integer * 10 + (s->p[i] - '0');
	if (negative)
		m->integer = -m->integer;
	m->type = DICTIONARY_INTEGER;
	skip(s, whole);
	if (!next_is(*s, '.'))
		return (true);
	part = digits_at(*s, 1);
	if (whole > DIGITS_MAX - 3 || part == 0 || part > 3)
		return (false);
	m->type = DICTIONARY_OTHER;
	skip(s, part + 1);
	return (true);
}

static bool
read_string(struct span *s, struct dictionary_member *m)
{
	size_t i;
	char c;

	m->has_escape = false;
	for (i = 1; i < s->n; i++) {
		c = s->p[i];
		if (c == '"') {
			m->string = span_cut(*s, 1, i);
			m->type = DICTIONARY_STRING;
			skip(s, i + 1);
			return (true);
		}
		if (c == '\\') {
			m->has_escape = true;
			if (++i >= s->n || (s->p[i] != '"' && s->p[i] != '\\'))
				return (false);
		} else if (c < ' ' || c > '~')
			return (false);
	}
	return (false);
}

static bool
read_token(struct span *s, struct dictionary_member *m)
{
	size_t n = 1;

	while (n < s->n &&
	       (char_is(s->p[n], CHAR_TOKEN) || s->p[n] == ':' || s->p[n] == '/'))
		n++;
	m->type = DICTIONARY_OTHER;
	skip(s, n);
	return (true);
}

static bool
read_bytes(struct span *s, struct dictionary_member *m)
{
	size_t n;

	for (n = 1; n < s->n && s->p[n] != ':'; n++)
		if (!is_alpha(s->p[n]) && !is_digit(s->p[n]) && s->p[n] != '+' &&
		    s->p[n] != '/' && s->p[n] != '=')
			return (false);
	if (n >= s->n)
		return (false);
	m->type = DICTIONARY_OTHER;
	skip(s, n + 1);
	return (true);
}

static bool
read_boolean(struct span *s, struct dictionary_member *m)
{
	if (s->n < 2 || (s->p[1] != '0' && s->p[1] != '1'))
		return (false);
	m->type = s->p[1] == '1' ? DICTIONARY_TRUE : DICTIONARY_FALSE;
	skip(s, 2);
	return (true);
}

static bool
read_bare(struct span *s, struct dictionary_member *m)
{
	if (s->n == 0)
		return (false);
	if (s->p[0] == '-' || is_digit(s->p[0]))
		return (read_number(s, m));
	if (s->p[0] == '"')
		return (read_string(s, m));
	if (s->p[0] == '?')
		return (read_boolean(s, m));
	if (s->p[0] == ':')
		return (read_bytes(s, m));
	if (s->p[0] == '*' || is_alpha(s->p[0]))
		return (read_token(s, m));
	return (false);
}

/* Parameters say nothing about directives (RFC 9213 2.1). */
static bool
read_parameters(struct span *s)
{
	struct dictionary_member dropped;
	struct span key;

	while (next_is(*s, ';')) {
		skip(s, 1);
		skip_blanks(s, false);
		if (!read_key(s, &key))
			return (false);
		if (next_is(*s, '=')) {
			skip(s, 1);
			if (!read_bare(s, &dropped))
				return (false);
		}
	}
	return (true);
}

static bool
read_inner_list(struct span *s, struct dictionary_member *m)
{
	skip(s, 1);
	for (;;) {
		skip_blanks(s, false);
		if (next_is(*s, ')'))
			break;
		if (!read_bare(s, m) || !read_parameters(s) ||
		    (!next_is(*s, ' ') && !next_is(*s, ')')))
			return (false);
	}
	skip(s, 1);
	m->type = DICTIONARY_OTHER;
	return (true);
}

static bool
read_member(struct span *s, struct dictionary_member *m)
{
	*m = (struct dictionary_member){ .type = DICTIONARY_TRUE };
	if (!read_key(s, &m->key))
		return (false);
	if (next_is(*s, '=')) {
		skip(s, 1);
		if (next_is(*s, '(') ? !read_inner_list(s, m) : !read_bare(s, m))
			return (false);
	}
	return (read_parameters(s));
}

enum dictionary_rc
dictionary_next(struct span *rest, struct dictionary_member *member_r)
{
	skip_blanks(rest, false);
	if (rest->n == 0)
		return (DICTIONARY_END);
	if (!read_member(rest, member_r))
		return (DICTIONARY_BAD);
	skip_blanks(rest, true);
	if (rest->n == 0)
		return (DICTIONARY_MEMBER);
	if (!next_is(*rest, ','))
		return (DICTIONARY_BAD);
	skip(rest, 1);
	skip_blanks(rest, true);
	return (rest->n > 0 ? DICTIONARY_MEMBER : DICTIONARY_BAD);
}
