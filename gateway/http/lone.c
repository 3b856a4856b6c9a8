/* SPDX-License-Identifier: Apache-2.0 */
/* The one value of a field or cookie. */
#include "config.h"

#include "gateway/http/lone.h"

/* False: it differs from the one before. */
static bool
take_value(struct span value, struct span *taken)
{
	if (taken->p != NULL)
		return (span_eq(value, *taken));
	*taken = value.p != NULL ? value : SPAN("");
	return (true);
}

static bool
is_same_name(struct span a, struct span b)
{
	size_t i;
	char c, d;

	if (a.n != b.n)
		return (false);
	for (i = 0; i < a.n; i++) {
		c = a.p[i] == '_' ? '-' : a.p[i];
		d = b.p[i] == '_' ? '-' : b.p[i];
		if (c != d && !span_eq_nocase(span_mem(&c, 1), span_mem(&d, 1)))
			return (false);
	}
	return (true);
}

bool
http_lone_field(const struct http_fields *fields, struct span name, struct span *value_r)
{
	uint32_t i;

	*value_r = SPAN_NONE;
	for (i = 0; i < fields->n; i++)
		if (is_same_name(fields->v[i].name, name) &&
		    !take_value(fields->v[i].value, value_r))
			return (false);
	return (true);
}

bool
http_field_is_plain(const struct http_fields *fields, struct span name)
{
	const struct http_field *f;
	uint32_t i;

	for (i = 0; i < fields->n; i++) {
		f = &fields->v[i];
		if (is_same_name(f->name, name) &&
		    (f->hop_by_hop || !span_eq_nocase(f->name, name)))
			return (false);
	}
	return (true);
}

static bool
take_cookies(struct span rest, struct span name, struct span *taken)
{
	struct span pair, key;

	while (span_split(&rest, ';', &pair)) {
		pair = span_trim(pair);
		(void)span_split(&pair, '=', &key);
		if (pair.p != NULL && span_eq(span_trim(key), name) &&
		    !take_value(span_trim(pair), taken))
			return (false);
	}
	return (true);
}

bool
http_lone_cookie(const struct http_fields *fields, struct span name, struct span *value_r)
{
	uint32_t i;

	*value_r = SPAN_NONE;
	for (i = 0; i < fields->n; i++)
		if (fields->v[i].id == HTTP_COOKIE &&
		    !take_cookies(fields->v[i].value, name, value_r))
			return (false);
	return (true);
}
