/* SPDX-License-Identifier: Apache-2.0 */
/* Names of Vary, and the key that a request has under them. */
#include "config.h"

#include "gateway/cache/vary.h"

#include "gateway/http/chars.h"
#include "gateway/http/lone.h"

/* clang-format off */
static const struct {
	struct span name;
	unsigned coding;
} codings[] = {
	{ { "br", 2 }, CACHE_CODING_BR },
	{ { "gzip", 4 }, CACHE_CODING_GZIP },
	{ { "identity", 8 }, CACHE_CODING_IDENTITY },
	{ { "zstd", 4 }, CACHE_CODING_ZSTD },
};
/* clang-format on */
#define CODINGS (sizeof(codings) / sizeof(codings[0]))

static int
compare(struct span a, struct span b)
{
	size_t i;

	for (i = 0; i < a.n && i < b.n; i++)
		if (char_lower(a.p[i]) != char_lower(b.p[i]))
			return (char_lower(a.p[i]) < char_lower(b.p[i]) ? -1 : 1);
	if (a.n == b.n)
		return (0);
	return (a.n < b.n ? -1 : 1);
}

/* Keeps the order; false when there is no room. */
static bool
insert(struct cache_vary *vary, struct span name)
{
	unsigned at = 0, i;
	int order = 1;

	while (at < vary->n && (order = compare(name, vary->v[at])) > 0)
		at++;
	if (at < vary->n && order == 0)
		return (true);
	if (vary->n >= CACHE_VARY_MAX)
		return (false);
	for (i = vary->n; i > at; i--)
		vary->v[i] = vary->v[i - 1];
	vary->v[at] = name;
	vary->n++;
	return (true);
}

/* What the origin is told of each client, whatever the client says there. */
static bool
is_told(struct span name)
{
	enum http_field_id id = http_field_id(name);

	return (id == HTTP_FORWARDED || id == HTTP_X_FORWARDED_FOR ||
		id == HTTP_X_REQUEST_ID);
}

bool
cache_vary_read(struct cache_vary *vary_r, const struct http_fields *answer)
{
	struct span value, name;
	uint32_t at = 0;

	vary_r->n = 0;
	if (answer->count[HTTP_CONTENT_ENCODING] > 0)
		(void)insert(vary_r, SPAN("accept-encoding"));
	while (cache_next_line(answer, HTTP_VARY, SPAN_NONE, &at, &value)) {
		/* "*" is a token character, but no field's name */
		while (span_split(&value, ',', &name)) {
			name = span_trim(name);
			if (name.n == 0)
				continue;
			if (!cache_is_token(name) || span_index(name, '*') != SIZE_MAX ||
			    is_told(name) || !insert(vary_r, name))
				return (false);
		}
	}
	return (true);
}

static void
put_lower(struct text *t, struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		text_putc(t, char_lower(s.p[i]));
}

void
cache_vary_put_names(struct text *t, const struct cache_vary *vary)
{
	unsigned i;

	for (i = 0; i < vary->n; i++) {
		if (i > 0)
			text_putc(t, ',');
		put_lower(t, vary->v[i]);
	}
}

void
cache_vary_of_names(struct cache_vary *vary_r, struct span names)
{
	struct span name;

	vary_r->n = 0;
	while (
	    names.n > 0 && vary_r->n < CACHE_VARY_MAX && span_split(&names, ',', &name))
		vary_r->v[vary_r->n++] = name;
}

/* --- Accept-Encoding ----------------------------------------------------- */

/* Is there a parameter q with weight 0? What is no weight counts as 1. */
static bool
is_refused(struct span parameters)
{
	struct span piece;
	size_t i;

	while (span_split(&parameters, ';', &piece)) {
		piece = span_trim(piece);
		if (piece.n < 3 || char_lower(piece.p[0]) != 'q' || piece.p[1] != '=' ||
		    piece.p[2] != '0')
			continue;
		if (piece.n > 3 && (piece.p[3] != '.' || piece.n > 7))
			continue;
		for (i = 4; i < piece.n && piece.p[i] == '0'; i++)
			continue;
		if (i >= piece.n)
			return (true);
	}
	return (false);
}

static unsigned
coding_of(struct span name)
{
	size_t i;

	if (span_eq_nocase(name, SPAN("x-gzip")))
		return (CACHE_CODING_GZIP);
	for (i = 0; i < CODINGS; i++)
		if (span_eq_nocase(name, codings[i].name))
			return (codings[i].coding);
	return (0);
}

unsigned
cache_codings(const struct http_fields *request, unsigned wanted)
{
	unsigned accepted = 0, refused = 0, all = 0, coding;
	bool refused_all = false;
	struct span value, element, name;
	uint32_t at = 0;

	if (request->count[HTTP_ACCEPT_ENCODING] == 0)
		return (wanted & CACHE_CODING_IDENTITY);
	while (cache_next_line(request, HTTP_ACCEPT_ENCODING, SPAN_NONE, &at, &value)) {
		while (span_split(&value, ',', &element)) {
			if (!span_split(&element, ';', &name))
				continue;
			name = span_trim(name);
			coding = coding_of(name);
			if (is_refused(element)) {
				refused |= coding;
				refused_all |= span_eq(name, SPAN("*"));
			} else if (span_eq(name, SPAN("*")))
				all = ~0u;
			else
				accepted |= coding;
		}
	}
	if (!refused_all)
		accepted |= all | CACHE_CODING_IDENTITY;
	else if ((refused & CACHE_CODING_IDENTITY) == 0 &&
		 (accepted & CACHE_CODING_IDENTITY) == 0)
		refused |= CACHE_CODING_IDENTITY;
	return (accepted & ~refused & wanted);
}

static void
put_codings(struct text *t, const struct http_fields *request, unsigned wanted)
{
	unsigned accepted = cache_codings(request, wanted);
	bool any = false;
	size_t i;

	for (i = 0; i < CODINGS; i++) {
		if ((accepted & codings[i].coding) == 0)
			continue;
		if (any)
			text_putc(t, ',');
		text_put(t, codings[i].name);
		any = true;
	}
}

/* --- the key ------------------------------------------------------------- */

/* The elements of all lines, joined by commas; empty ones are kept, since not every
 * field is a list. */
static void
put_value(struct text *t, const struct http_fields *request, struct span name)
{
	enum http_field_id id = http_field_id(name);
	struct cache_list list;
	struct span value, element;
	bool any_line = false, any = false;
	uint32_t at = 0;

	while (cache_next_line(request, id, name, &at, &value)) {
		if (!any_line)
			text_putc(t, ':');
		any_line = true;
		list = (struct cache_list){ .rest = value };
		while (cache_list_piece(&list, &element)) {
			if (any)
				text_putc(t, ',');
			text_put(t, element);
			any = true;
		}
	}
}

bool
cache_vary_put_key(struct text *t, const struct cache_vary *vary,
    const struct http_fields *request, const struct cache_vary_rules *rules)
{
	unsigned i;

	for (i = 0; i < vary->n; i++) {
		put_lower(t, vary->v[i]);
		if (rules->codings != 0 &&
		    http_field_id(vary->v[i]) == HTTP_ACCEPT_ENCODING) {
			text_putc(t, '=');
			put_codings(t, request, rules->codings);
		} else if (http_field_is_plain(request, vary->v[i]))
			put_value(t, request, vary->v[i]);
		else
			return (false);
		text_putc(t, '\n');
	}
	return (!t->overflow);
}

bool
cache_vary_matches(struct span names, struct span key, const struct http_fields *request,
    const struct cache_vary_rules *rules, struct text *scratch)
{
	struct cache_vary vary;

	cache_vary_of_names(&vary, names);
	text_reset(scratch);
	if (!cache_vary_put_key(scratch, &vary, request, rules))
		return (false);
	return (span_eq(text_span(scratch), key));
}
