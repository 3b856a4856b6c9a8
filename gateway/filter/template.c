/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of header fields: compiled to pieces, written piece by piece. */
#include "config.h"

#include "gateway/filter/template.h"

#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/http/chars.h"

#define NAME_MAX_SEEN 32 /* of a name typed wrong, for the search of the nearest */

struct piece {
	struct span text; /* absent: the variable */
	enum template_variable variable;
};

struct template
{
	char *copy; /* what the pieces' texts are in */
	unsigned n;
	struct piece pieces[TEMPLATE_PIECES_MAX];
};

static const struct span names[TEMPLATE_VARIABLE_COUNT] = {
#define TEMPLATE_NAME(id, name, prose) [TEMPLATE_##id] = SPAN(name),
	TEMPLATE_VARIABLES(TEMPLATE_NAME)
#undef TEMPLATE_NAME
};

/* --- names typed wrong --------------------------------------------------- */

/* How many letters to change, add or drop (Levenshtein). */
static unsigned
distance(struct span a, struct span b)
{
	unsigned row[NAME_MAX_SEEN + 1], above, corner, best;
	size_t i, j;

	for (j = 0; j <= b.n; j++)
		row[j] = (unsigned)j;
	for (i = 1; i <= a.n; i++) {
		corner = row[0];
		row[0] = (unsigned)i;
		for (j = 1; j <= b.n; j++) {
			above = row[j];
			best = corner + (char_lower(a.p[i - 1]) != b.p[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = above;
			row[j] = best;
		}
	}
	return (row[b.n]);
}

static struct span
nearest(struct span typed)
{
	unsigned i, best = 0, least = ~0u, is;

	typed = span_cut(typed, 0, NAME_MAX_SEEN);
	for (i = 0; i < TEMPLATE_VARIABLE_COUNT; i++) {
		is = distance(typed, names[i]);
		if (is < least) {
			least = is;
			best = i;
		}
	}
	return (names[best]);
}

/* As it was typed, fit for a message. */
static void
printable(struct span s, char out[NAME_MAX_SEEN + 1])
{
	size_t i;

	s = span_cut(s, 0, NAME_MAX_SEEN);
	for (i = 0; i < s.n; i++)
		out[i] = s.p[i] > ' ' && s.p[i] < 0x7f ? s.p[i] : '?';
	out[s.n] = '\0';
}

/* --- compiling ----------------------------------------------------------- */

static enum err_code
push(struct template *t, struct span text, enum template_variable variable, struct err *e)
{
	if (t->n == TEMPLATE_PIECES_MAX)
		return (err_set(e, ERR_RANGE,
		    "too many variables; allowed: %d pieces of text and variables",
		    TEMPLATE_PIECES_MAX));
	t->pieces[t->n++] = (struct piece){ text, variable };
	return (ERR_OK);
}

static enum err_code
push_text(struct template *t, struct span text, struct err *e)
{
	const size_t bad = char_run(text.p, 0, text.n, CHAR_VALUE);

	if (bad < text.n)
		return (err_set(e, ERR_FORMAT,
		    "found the byte 0x%02x; allowed in a field: printable text",
		    (unsigned)(unsigned char)text.p[bad]));
	return (text.n == 0 ? ERR_OK : push(t, text, TEMPLATE_SCHEME, e));
}

static enum err_code
push_variable(struct template *t, struct span name, struct err *e)
{
	char typed[NAME_MAX_SEEN + 1];
	struct span near;
	unsigned i;

	for (i = 0; i < TEMPLATE_VARIABLE_COUNT; i++)
		if (span_eq(name, names[i]))
			return (push(t, SPAN_NONE, (enum template_variable)i, e));
	near = nearest(name);
	printable(name, typed);
	return (err_set(e, ERR_MISSING, "unknown variable %%{%s}; nearest: %%{%.*s}",
	    typed, SPAN_FMT(near)));
}

/* Index of the next "%{" or "%%{" at or behind `from`; `s.n` when there is none. */
static size_t
next_mark(struct span s, size_t from)
{
	size_t i;

	for (i = from; i + 1 < s.n; i++)
		if (s.p[i] == '%' &&
		    (s.p[i + 1] == '{' ||
			(s.p[i + 1] == '%' && i + 2 < s.n && s.p[i + 2] == '{')))
			return (i);
	return (s.n);
}

static enum err_code
compile(struct template *t, struct span s, struct err *e)
{
	size_t at = 0, mark, length;
	struct span rest;
	enum err_code code;

	while (at < s.n) {
		mark = next_mark(s, at);
		code = push_text(t, span_cut(s, at, mark), e);
		if (code != ERR_OK || mark == s.n)
			return (code);
		if (s.p[mark + 1] == '%') { /* its second % and the brace stand */
			code = push_text(t, span_cut(s, mark + 1, mark + 3), e);
			at = mark + 3;
		} else {
			rest = span_cut(s, mark + 2, s.n);
			length = span_index(rest, '}');
			if (length == SIZE_MAX)
				return (err_set(e, ERR_FORMAT,
				    "%%{ without a }; a plain %%{ is written %%%%{"));
			code = push_variable(t, span_cut(rest, 0, length), e);
			at = mark + 2 + length + 1;
		}
		if (code != ERR_OK)
			return (code);
	}
	return (ERR_OK);
}

enum err_code
template_compile(struct template **t_r, struct span text, struct err *e)
{
	struct template *t;
	enum err_code code;

	*t_r = NULL;
	if (text.n > TEMPLATE_TEXT_MAX)
		return (err_set(e, ERR_RANGE, "found %zu bytes; allowed: %d", text.n,
		    TEMPLATE_TEXT_MAX));
	text = span_trim(text);
	t = mem_zalloc(sizeof(*t));
	t->copy = span_strdup(text);
	code = compile(t, span_mem(t->copy, text.n), e);
	if (code != ERR_OK) {
		template_free(&t);
		return (code);
	}
	*t_r = t;
	return (ERR_OK);
}

void
template_free(struct template **t_p)
{
	struct template *t = *t_p;

	if (t == NULL)
		return;
	*t_p = NULL;
	free(t->copy);
	free(t);
}

/* --- writing ------------------------------------------------------------- */

static bool
is_plain(char c)
{
	return (c >= ' ' && c < 0x7f);
}

static void
put_value(struct text *out, struct span value)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i, from = 0;
	unsigned char c;
	char escape[3];

	for (i = 0; i < value.n; i++) {
		if (is_plain(value.p[i]))
			continue;
		c = (unsigned char)value.p[i];
		escape[0] = '%';
		escape[1] = hex[c >> 4];
		escape[2] = hex[c & 15];
		text_put(out, span_cut(value, from, i));
		text_put(out, span_mem(escape, sizeof(escape)));
		from = i + 1;
	}
	text_put(out, span_cut(value, from, value.n));
}

bool
template_tells_apart(const struct template *t)
{
	unsigned i;

	for (i = 0; i < t->n; i++) {
		if (t->pieces[i].text.p != NULL)
			continue;
		switch (t->pieces[i].variable) {
		case TEMPLATE_CLIENT:
		case TEMPLATE_COUNTRY:
		case TEMPLATE_ASN:
		case TEMPLATE_ID:
		case TEMPLATE_QUERY: /* some of it may not be in a key */
		case TEMPLATE_TLS_VERSION:
		case TEMPLATE_TLS_CIPHER: return (true);
		default: break;
		}
	}
	return (false);
}

size_t
template_put(
    const struct template *t, const struct template_values *values, struct text *out)
{
	const size_t before = out->n;
	unsigned i;

	for (i = 0; i < t->n; i++) {
		if (t->pieces[i].text.p != NULL)
			text_put(out, t->pieces[i].text);
		else
			put_value(out, values->v[t->pieces[i].variable]);
	}
	return (out->n - before);
}
