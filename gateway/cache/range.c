/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of byte ranges, put in order and joined. */
#include "config.h"

#include "gateway/cache/range.h"

#include "gateway/cache/date.h"

struct set {
	struct cache_range v[CACHE_RANGES_MAX];
	unsigned n;
};

/* Digits only; more than fits is the most that does. */
static bool
position(struct span s, uint64_t *value_r)
{
	uint64_t value = 0;
	size_t i;

	if (s.n == 0)
		return (false);
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return (false);
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s.p[i] - '0'), &value)) {
			value = UINT64_MAX;
			/* saturated: the rest need only be digits */
			for (; i < s.n; i++)
				if (s.p[i] < '0' || s.p[i] > '9')
					return (false);
		}
	}
	*value_r = value;
	return (true);
}

enum spec { SPEC_WHOLE, SPEC_EMPTY, SPEC_PART };

/* One "first-last", "first-" or "-suffix" (RFC 9110 14.1.2). WHOLE: not one of them;
 * EMPTY: valid, but there are no such bytes. */
static enum spec
parse_spec(struct cache_range *range_r, struct span text, uint64_t length)
{
	size_t dash = span_index(text, '-');
	struct span head, tail;
	uint64_t first, last = UINT64_MAX;

	if (dash == SIZE_MAX)
		return (SPEC_WHOLE);
	head = span_cut(text, 0, dash);
	tail = span_cut(text, dash + 1, text.n);
	if (head.n == 0) {
		if (!position(tail, &last))
			return (SPEC_WHOLE);
		if (last == 0)
			return (SPEC_EMPTY);
		if (length == 0) /* the last bytes of nothing are all of it */
			return (SPEC_WHOLE);
		first = last < length ? length - last : 0;
		last = length - 1;
	} else {
		if (!position(head, &first) || (tail.n > 0 && !position(tail, &last)) ||
		    last < first)
			return (SPEC_WHOLE);
		if (first >= length)
			return (SPEC_EMPTY);
		if (last >= length)
			last = length - 1;
	}
	*range_r = (struct cache_range){ first, last };
	return (SPEC_PART);
}

/* Do they overlap, or is there nothing between them? */
static bool
is_joined(const struct cache_range *a, const struct cache_range *b)
{
	return (a->first <= b->last + 1 && b->first <= a->last + 1);
}

/* Joins ranges until no two of them can be; true when one is left. */
static bool
join(struct set *set)
{
	unsigned i = 1;

	while (i < set->n) {
		if (!is_joined(&set->v[0], &set->v[i])) {
			i++;
			continue;
		}
		if (set->v[i].first < set->v[0].first)
			set->v[0].first = set->v[i].first;
		if (set->v[i].last > set->v[0].last)
			set->v[0].last = set->v[i].last;
		set->v[i] = set->v[--set->n];
		i = 1; /* it has grown: look at the others anew */
	}
	return (set->n == 1);
}

enum cache_range_rc
cache_range_parse(struct cache_range *range_r, struct span value, uint64_t length)
{
	struct set set = { .n = 0 };
	struct span spec, unit;
	struct cache_range range;
	unsigned specs = 0;
	enum spec kind;

	if (!span_split(&value, '=', &unit) || !span_eq_nocase(unit, SPAN("bytes")))
		return (CACHE_RANGE_WHOLE);
	while (span_split(&value, ',', &spec)) {
		spec = span_trim(spec);
		if (spec.n == 0)
			continue;
		kind = parse_spec(&range, spec, length);
		if (kind == SPEC_WHOLE || ++specs > CACHE_RANGES_MAX)
			return (CACHE_RANGE_WHOLE);
		if (kind == SPEC_PART)
			set.v[set.n++] = range;
	}
	if (specs == 0)
		return (CACHE_RANGE_WHOLE);
	if (set.n == 0)
		return (CACHE_RANGE_UNSATISFIABLE);
	if (!join(&set))
		return (CACHE_RANGE_WHOLE);
	*range_r = set.v[0];
	return (CACHE_RANGE_PART);
}

bool
cache_if_range(const struct http_fields *request, const struct cache_validators *stored)
{
	struct span value = http_fields_value(request, HTTP_IF_RANGE);
	int64_t when_s;

	if (value.p == NULL)
		return (true);
	if (request->count[HTTP_IF_RANGE] != 1)
		return (false);
	if (cache_etag_is_valid(value))
		return (cache_etag_same_strong(value, stored->etag));
	return (stored->modified.p != NULL && stored->has_date &&
		cache_date_parse(value, stored->date_s, &when_s) &&
		when_s == stored->modified_s && stored->date_s > stored->modified_s);
}

enum cache_range_rc
cache_range(struct cache_range *range_r, const struct http_fields *request,
    const struct cache_validators *stored, uint64_t length)
{
	if (request->count[HTTP_RANGE] != 1 || !cache_if_range(request, stored))
		return (CACHE_RANGE_WHOLE);
	return (
	    cache_range_parse(range_r, http_fields_value(request, HTTP_RANGE), length));
}

void
cache_put_content_range(struct text *t, const struct cache_range *range, uint64_t length)
{
	text_puts(t, "bytes ");
	if (range != NULL) {
		text_put_u64(t, range->first);
		text_putc(t, '-');
		text_put_u64(t, range->last);
	} else
		text_putc(t, '*');
	text_putc(t, '/');
	text_put_u64(t, length);
}
