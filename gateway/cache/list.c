/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of lists, lines of fields, numbers of seconds. */
#include "config.h"

#include "gateway/cache/list.h"

#include "gateway/http/chars.h"

/* Index behind the closing quote of the quoted-string that begins at `from`; 0 when
 * there is none. */
static size_t
quoted_end(struct span s, size_t from)
{
	size_t i;

	for (i = from + 1; i < s.n; i++) {
		if (s.p[i] == '"')
			return (i + 1);
		if (s.p[i] == '\\')
			i++;
	}
	return (0);
}

static size_t
element_end(struct cache_list *list)
{
	const struct span s = list->rest;
	size_t i = 0, end;

	while (i < s.n && s.p[i] != ',') {
		if (s.p[i] == '"' && !list->unquoted) {
			end = quoted_end(s, i);
			if (end != 0) {
				i = end;
				continue;
			}
			list->unquoted = true;
		}
		i++;
	}
	return (i);
}

bool
cache_list_piece(struct cache_list *list, struct span *piece_r)
{
	size_t end;

	if (list->rest.p == NULL)
		return (false);
	end = element_end(list);
	*piece_r = span_trim(span_cut(list->rest, 0, end));
	if (end < list->rest.n)
		list->rest = span_cut(list->rest, end + 1, list->rest.n);
	else
		list->rest = SPAN_NONE;
	return (true);
}

bool
cache_list_next(struct cache_list *list, struct span *element_r)
{
	while (cache_list_piece(list, element_r))
		if (element_r->n > 0)
			return (true);
	return (false);
}

bool
cache_unquote(struct span text, struct span *inside_r, bool *has_escape_r)
{
	if (text.n < 2 || text.p[0] != '"' || quoted_end(text, 0) != text.n)
		return (false);
	*inside_r = span_cut(text, 1, text.n - 1);
	*has_escape_r = span_index(*inside_r, '\\') != SIZE_MAX;
	return (true);
}

bool
cache_next_line(const struct http_fields *f, enum http_field_id id, struct span name,
    uint32_t *at, struct span *value_r)
{
	const struct http_field *field;

	if (id != HTTP_OTHER && f->count[id] == 0)
		return (false);
	while (*at < f->n) {
		field = &f->v[(*at)++];
		if (field->id == id &&
		    (id != HTTP_OTHER || span_eq_nocase(field->name, name))) {
			*value_r = field->value;
			return (true);
		}
	}
	return (false);
}

bool
cache_is_token(struct span s)
{
	return (s.n > 0 && char_run(s.p, 0, s.n, CHAR_TOKEN) == s.n);
}

bool
cache_delta_seconds(struct span s, int64_t *seconds_r)
{
	int64_t value = 0;
	size_t i;

	if (s.n == 0)
		return (false);
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return (false);
		value = value * 10 + (s.p[i] - '0');
		if (value > CACHE_SECONDS_MAX)
			value = CACHE_SECONDS_MAX;
	}
	*seconds_r = value;
	return (true);
}
