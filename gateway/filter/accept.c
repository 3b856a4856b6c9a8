/* SPDX-License-Identifier: Apache-2.0 */
/* Accept-Encoding: reading it and choosing by it. */
#include "config.h"

#include "gateway/filter/accept.h"

static const struct span names[CODING_COUNT] = {
	[CODING_ZSTD] = SPAN("zstd"),
	[CODING_BR] = SPAN("br"),
	[CODING_GZIP] = SPAN("gzip"),
	[CODING_DEFLATE] = SPAN("deflate"),
	[CODING_IDENTITY] = SPAN("identity"),
};

struct span
coding_name(enum coding coding)
{
	return (names[coding]);
}

enum coding
coding_find(struct span name)
{
	unsigned i;

	for (i = 0; i < CODING_COUNT; i++)
		if (span_eq_nocase(name, names[i]))
			return ((enum coding)i);
	/* RFC 9110 8.4.1.3 */
	return (span_eq_nocase(name, SPAN("x-gzip")) ? CODING_GZIP : CODING_COUNT);
}

void
accept_init(struct accept *a)
{
	unsigned i;

	*a = (struct accept){ .any = -1 };
	for (i = 0; i < CODING_COUNT; i++)
		a->quality[i] = -1;
}

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ); -1 when it is none */
static int16_t
quality_of(struct span s)
{
	int16_t value, unit = 100;
	size_t i;

	if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') ||
	    (s.n > 1 && s.p[1] != '.'))
		return (-1);
	value = s.p[0] == '1' ? 1000 : 0;
	for (i = 2; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return (-1);
		value = (int16_t)(value + unit * (s.p[i] - '0'));
		unit /= 10;
	}
	return (value <= 1000 ? value : -1);
}

/* weight = OWS ";" OWS "q=" qvalue, of which `s` is what follows the semicolon */
static int16_t
weight_of(struct span s)
{
	s = span_trim(s);
	if (!span_eq_nocase(span_cut(s, 0, 2), SPAN("q=")))
		return (-1);
	return (quality_of(span_cut(s, 2, s.n)));
}

/* The lowest counts where one is named twice: what a client refused once it does
 * not get. */
static void
lower(int16_t *quality, int16_t to)
{
	if (*quality < 0 || to < *quality)
		*quality = to;
}

static void
add_element(struct accept *a, struct span element)
{
	const size_t semicolon = span_index(element, ';');
	struct span name = element;
	int16_t quality = 1000;
	enum coding coding;

	if (semicolon != SIZE_MAX) {
		name = span_trim(span_cut(element, 0, semicolon));
		quality = weight_of(span_cut(element, semicolon + 1, element.n));
	}
	coding = coding_find(name);
	if (coding != CODING_COUNT && coding != CODING_IDENTITY)
		/* not understood: "*" must not bring it back */
		lower(&a->quality[coding], quality < 0 ? 0 : quality);
	else if (quality < 0)
		return;
	else if (coding == CODING_IDENTITY)
		lower(&a->quality[CODING_IDENTITY], quality);
	else if (span_eq(name, SPAN("*")))
		lower(&a->any, quality);
}

void
accept_add(struct accept *a, struct span value)
{
	struct span rest = value, element;

	while (span_split(&rest, ',', &element)) {
		if (a->elements == ACCEPT_ELEMENTS_MAX) {
			a->crowded = true;
			return;
		}
		a->elements++;
		element = span_trim(element);
		if (element.n > 0)
			add_element(a, element);
	}
}

void
accept_read(struct accept *a, const struct http_fields *fields)
{
	uint32_t i;

	accept_init(a);
	if (fields->count[HTTP_ACCEPT_ENCODING] == 0)
		return;
	for (i = 0; i < fields->n; i++)
		if (fields->v[i].id == HTTP_ACCEPT_ENCODING)
			accept_add(a, fields->v[i].value);
}

static int16_t
quality_in(const struct accept *a, enum coding coding)
{
	return (a->quality[coding] >= 0 ? a->quality[coding] : a->any);
}

enum accept_rc
accept_choose(
    const struct accept *a, const enum coding *order, size_t n, enum coding *coding_r)
{
	int16_t best = 0, quality, identity;
	bool named = false;
	size_t i;

	*coding_r = CODING_IDENTITY;
	/* A list that nobody needs may hold refusals behind what was read. */
	if (a->crowded)
		return (ACCEPT_IDENTITY);
	for (i = 0; i < n; i++) {
		quality = quality_in(a, order[i]);
		if (quality < best || quality <= 0 ||
		    (quality == best && (named || a->quality[order[i]] < 0)))
			continue;
		best = quality;
		named = a->quality[order[i]] >= 0;
		*coding_r = order[i];
	}
	identity = quality_in(a, CODING_IDENTITY);
	if (best > 0 && a->quality[CODING_IDENTITY] <= best)
		return (ACCEPT_CODING);
	*coding_r = CODING_IDENTITY;
	return (identity == 0 ? ACCEPT_NOTHING : ACCEPT_IDENTITY);
}
