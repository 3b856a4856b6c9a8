/* SPDX-License-Identifier: Apache-2.0 */
/* Directives by a table, from two grammars; dates, ages and tags. */
#include "config.h"

#include "gateway/cache/control.h"

#include <stddef.h>

#include "gateway/cache/date.h"
#include "gateway/cache/dictionary.h"

/* Where a directive means something. */
enum side { SIDE_ANSWER = 1, SIDE_REQUEST = 2, SIDE_BOTH = 3 };

enum kind {
	KIND_FLAG,
	KIND_NAMES, /* a flag, or a list of fields */
	KIND_LEAST, /* seconds: the fewest are the strictest */
	KIND_MOST,
	KIND_STALE, /* KIND_LEAST, and no value is the maximum */
};

struct directive {
	struct span name;
	enum side side;
	enum kind kind;
	unsigned flag;
	size_t offset; /* of the int64_t in struct cache_control */
};

/* clang-format off */
#define FLAG(name, side, flag)	{ { name, sizeof(name) - 1 }, side, KIND_FLAG, flag, 0 }
#define NAMES(name, side, flag)	{ { name, sizeof(name) - 1 }, side, KIND_NAMES, flag, 0 }
#define SECONDS(name, side, kind, member)				\
	{ { name, sizeof(name) - 1 }, side, kind, 0, offsetof(struct cache_control, member) }

static const struct directive directives[] = {
	SECONDS("max-age", SIDE_BOTH, KIND_LEAST, max_age),
	SECONDS("s-maxage", SIDE_ANSWER, KIND_LEAST, s_maxage),
	SECONDS("max-stale", SIDE_REQUEST, KIND_STALE, max_stale),
	SECONDS("min-fresh", SIDE_REQUEST, KIND_MOST, min_fresh),
	SECONDS("stale-while-revalidate", SIDE_ANSWER, KIND_LEAST, stale_while_revalidate),
	SECONDS("stale-if-error", SIDE_BOTH, KIND_LEAST, stale_if_error),
	FLAG("no-store", SIDE_BOTH, CC_NO_STORE),
	NAMES("no-cache", SIDE_BOTH, CC_NO_CACHE),
	NAMES("private", SIDE_ANSWER, CC_PRIVATE),
	FLAG("public", SIDE_ANSWER, CC_PUBLIC),
	FLAG("must-revalidate", SIDE_ANSWER, CC_MUST_REVALIDATE),
	FLAG("proxy-revalidate", SIDE_ANSWER, CC_PROXY_REVALIDATE),
	FLAG("must-understand", SIDE_ANSWER, CC_MUST_UNDERSTAND),
	FLAG("no-transform", SIDE_BOTH, CC_NO_TRANSFORM),
	FLAG("only-if-cached", SIDE_REQUEST, CC_ONLY_IF_CACHED),
};

/* Without these an answer is another one, or is kept wrongly. */
static const bool essential[HTTP_FIELD_ID_COUNT] = {
	[HTTP_AGE] = true,
	[HTTP_CACHE_CONTROL] = true,
	[HTTP_CONTENT_ENCODING] = true,
	[HTTP_CONTENT_LENGTH] = true,
	[HTTP_CONTENT_RANGE] = true,
	[HTTP_CONTENT_TYPE] = true,
	[HTTP_DATE] = true,
	[HTTP_ETAG] = true,
	[HTTP_EXPIRES] = true,
	[HTTP_LAST_MODIFIED] = true,
	[HTTP_LOCATION] = true,
	[HTTP_TRANSFER_ENCODING] = true,
	[HTTP_VARY] = true,
};
/* clang-format on */

static const struct directive *
find_directive(struct span name, enum side side)
{
	size_t i;

	for (i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if ((directives[i].side & side) != 0 &&
		    span_eq_nocase(name, directives[i].name))
			return (&directives[i]);
	return (NULL);
}

static void
control_init(struct cache_control *c)
{
	memset(c, 0, sizeof(*c));
	c->max_age = c->s_maxage = c->max_stale = c->min_fresh = CACHE_ABSENT;
	c->stale_while_revalidate = c->stale_if_error = CACHE_ABSENT;
}

static void
take_seconds(struct cache_control *c, const struct directive *d, int64_t seconds)
{
	int64_t *member = (int64_t *)(void *)((char *)c + d->offset);

	if (*member == CACHE_ABSENT ||
	    (d->kind == KIND_MOST ? seconds > *member : seconds < *member))
		*member = seconds;
}

static bool
add_name(struct cache_control *c, struct span name)
{
	if (!cache_is_token(name) || essential[http_field_id(name)])
		return (false);
	if (cache_control_names(c, name))
		return (true);
	if (c->n_names >= CACHE_NAMES_MAX)
		return (false);
	c->names[c->n_names++] = name;
	return (true);
}

/* The list of fields in a qualified form. No list that can be followed to the
 * letter means all of the answer. */
static void
take_names(struct cache_control *c, const struct directive *d, struct span names)
{
	struct cache_list list = { .rest = names };
	struct span name;
	bool any = false;

	while (cache_list_next(&list, &name)) {
		any = true;
		if (!add_name(c, name)) {
			c->set |= d->flag;
			return;
		}
	}
	if (!any)
		c->set |= d->flag;
}

/* --- Cache-Control ------------------------------------------------------- */

/* `argument` is absent without a "=". */
static void
take_argument(struct cache_control *c, const struct directive *d, enum side side,
    struct span argument)
{
	struct span inside = argument;
	bool has_escape = false, quoted;
	int64_t seconds;

	quoted = argument.p != NULL && cache_unquote(argument, &inside, &has_escape);
	switch (d->kind) {
	case KIND_FLAG: c->set |= d->flag; return;
	case KIND_NAMES:
		/* a request's no-cache has no qualified form; a single name comes
		 * without quotes, too */
		if (side == SIDE_REQUEST || argument.p == NULL || has_escape ||
		    (!quoted && !cache_is_token(argument)))
			c->set |= d->flag;
		else
			take_names(c, d, inside);
		return;
	case KIND_STALE:
		if (argument.p == NULL) {
			take_seconds(c, d, CACHE_SECONDS_MAX);
			return;
		}
		break;
	case KIND_LEAST:
	case KIND_MOST: break;
	}
	if (!cache_delta_seconds(inside, &seconds))
		seconds = d->kind == KIND_MOST ? CACHE_SECONDS_MAX : 0;
	take_seconds(c, d, seconds);
}

/* False when it is no directive that is known. */
static bool
take_element(struct cache_control *c, enum side side, struct span element)
{
	const struct directive *d;
	struct span argument = SPAN_NONE;
	size_t end = 0;

	while (end < element.n && element.p[end] != '=' && element.p[end] != ' ' &&
	       element.p[end] != '\t' && element.p[end] != '"' && element.p[end] != ';')
		end++;
	d = find_directive(span_cut(element, 0, end), side);
	if (d == NULL)
		return (false);
	if (end < element.n && element.p[end] == '=')
		argument = span_cut(element, end + 1, element.n);
	else if (end < element.n)
		argument = span_cut(element, end, element.n); /* no number, no list */
	take_argument(c, d, side, argument);
	return (true);
}

static bool
take_lines(struct cache_control *c, enum side side, const struct http_fields *f)
{
	struct cache_list list;
	struct span value, element;
	bool any = false;
	uint32_t at = 0;

	while (cache_next_line(f, HTTP_CACHE_CONTROL, SPAN_NONE, &at, &value)) {
		list = (struct cache_list){ .rest = value };
		while (cache_list_next(&list, &element)) {
			any = true;
			(void)take_element(c, side, element);
		}
	}
	return (any);
}

/* --- CDN-Cache-Control --------------------------------------------------- */

/* The member that counts of each directive that was there: the last. */
struct targeted {
	struct dictionary_member last[sizeof(directives) / sizeof(directives[0])];
	bool any, valid;
};

static void
read_targeted(struct targeted *t, const struct http_fields *f)
{
	struct dictionary_member member;
	const struct directive *d;
	enum dictionary_rc rc;
	struct span value;
	uint32_t at = 0;

	memset(t, 0, sizeof(*t));
	t->valid = true;
	while (cache_next_line(f, HTTP_CDN_CACHE_CONTROL, SPAN_NONE, &at, &value)) {
		while ((rc = dictionary_next(&value, &member)) == DICTIONARY_MEMBER) {
			t->any = true;
			d = find_directive(member.key, SIDE_ANSWER);
			if (d != NULL)
				t->last[d - directives] = member;
		}
		if (rc == DICTIONARY_BAD)
			t->valid = false;
	}
}

/* False when the type is not one that the directive has: the field is ignored. */
static bool
take_member(
    struct cache_control *c, const struct directive *d, const struct dictionary_member *m)
{
	int64_t seconds;

	if (m->type == DICTIONARY_FALSE)
		return (true);
	switch (d->kind) {
	case KIND_FLAG: c->set |= d->flag; return (true);
	case KIND_NAMES:
		if (m->type == DICTIONARY_STRING && !m->has_escape)
			take_names(c, d, m->string);
		else
			c->set |= d->flag;
		return (true);
	case KIND_LEAST:
	case KIND_MOST:
	case KIND_STALE: break;
	}
	if (m->type != DICTIONARY_INTEGER)
		return (false);
	seconds = m->integer < 0 ? 0 : m->integer;
	take_seconds(c, d, seconds > CACHE_SECONDS_MAX ? CACHE_SECONDS_MAX : seconds);
	return (true);
}

static bool
control_targeted(struct cache_control *c, const struct http_fields *f)
{
	struct targeted t;
	size_t i;

	read_targeted(&t, f);
	if (!t.any || !t.valid)
		return (false);
	for (i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
		if (t.last[i].key.p != NULL &&
		    !take_member(c, &directives[i], &t.last[i]))
			return (false);
	c->targeted = true;
	return (true);
}

/* --- Surrogate-Control --------------------------------------------------- */

/* Is one of the targets behind a directive Yett? `targets_r`: there are any. */
static bool
is_for_us(struct span parameters, bool *targets_r)
{
	struct span target;

	*targets_r = false;
	while (span_split(&parameters, ';', &target)) {
		*targets_r = true;
		if (span_eq_nocase(span_trim(target), SPAN(CACHE_SURROGATE)))
			return (true);
	}
	return (false);
}

/* Takes the directives for Yett alone, or else those for everybody; false when there
 * is none that it knows. */
static bool
take_surrogate(struct cache_control *c, const struct http_fields *f, bool alone)
{
	struct cache_list list;
	struct span value, element, directive;
	bool any = false, targets, ours;
	uint32_t at = 0;

	while (cache_next_line(f, HTTP_SURROGATE_CONTROL, SPAN_NONE, &at, &value)) {
		list = (struct cache_list){ .rest = value };
		while (cache_list_next(&list, &element)) {
			if (!span_split(&element, ';', &directive))
				continue;
			ours = is_for_us(element, &targets);
			if (alone ? ours : !targets)
				any |= take_element(c, SIDE_ANSWER, span_trim(directive));
		}
	}
	return (any);
}

static bool
control_surrogate(struct cache_control *c, const struct http_fields *f)
{
	if (f->count[HTTP_SURROGATE_CONTROL] == 0 ||
	    (!take_surrogate(c, f, true) && !take_surrogate(c, f, false)))
		return (false);
	c->targeted = true;
	return (true);
}

/* --- what others use ----------------------------------------------------- */

void
cache_control_answer(struct cache_control *control_r, const struct http_fields *f)
{
	control_init(control_r);
	if (control_targeted(control_r, f))
		return;
	control_init(control_r);
	if (!control_surrogate(control_r, f))
		take_lines(control_r, SIDE_ANSWER, f);
}

void
cache_control_request(struct cache_control *control_r, const struct http_fields *f)
{
	control_init(control_r);
	if (!take_lines(control_r, SIDE_REQUEST, f) &&
	    http_fields_have_token(f, HTTP_PRAGMA, SPAN("no-cache")))
		control_r->set |= CC_NO_CACHE;
}

bool
cache_control_names(const struct cache_control *c, struct span field_name)
{
	unsigned i;

	for (i = 0; i < c->n_names; i++)
		if (span_eq_nocase(c->names[i], field_name))
			return (true);
	return (false);
}

bool
cache_date(const struct http_fields *f, int64_t now_s, int64_t *date_s_r)
{
	return (cache_date_parse(http_fields_value(f, HTTP_DATE), now_s, date_s_r));
}

bool
cache_expires(const struct http_fields *f, int64_t now_s, int64_t *expires_s_r)
{
	struct span value;
	uint32_t at = 0;
	int64_t when;
	bool any = false;

	while (cache_next_line(f, HTTP_EXPIRES, SPAN_NONE, &at, &value)) {
		if (!cache_date_parse(value, now_s, &when))
			when = INT64_MIN;
		if (!any || when < *expires_s_r)
			*expires_s_r = when;
		any = true;
	}
	return (any);
}

int64_t
cache_age_field(const struct http_fields *f)
{
	struct span rest = http_fields_value(f, HTTP_AGE), first, other;
	int64_t seconds;

	if (f->count[HTTP_AGE] == 0)
		return (0);
	if (f->count[HTTP_AGE] > 1 || !span_split(&rest, ',', &first) ||
	    !cache_delta_seconds(span_trim(first), &seconds))
		return (CACHE_SECONDS_MAX);
	while (span_split(&rest, ',', &other))
		if (span_eq(span_trim(other), span_trim(first)))
			return (CACHE_SECONDS_MAX);
	return (seconds);
}

bool
cache_tags_read(struct cache_tags *tags_r, const struct http_fields *f)
{
	struct span value, word;
	uint32_t at = 0;
	size_t end;

	tags_r->n = 0;
	while (cache_next_line(f, HTTP_SURROGATE_KEY, SPAN_NONE, &at, &value)) {
		for (;;) {
			value = span_trim(value);
			if (value.n == 0)
				break;
			for (end = 0; end < value.n; end++)
				if (value.p[end] == ' ' || value.p[end] == '\t')
					break;
			word = span_cut(value, 0, end);
			value = span_cut(value, end, value.n);
			if (word.n > CACHE_TAG_BYTES_MAX || tags_r->n >= CACHE_TAGS_MAX)
				return (false);
			tags_r->v[tags_r->n++] = word;
		}
	}
	return (true);
}
