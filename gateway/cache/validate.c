/* SPDX-License-Identifier: Apache-2.0 */
/* Entity tags, dates of modification, conditions, and the merging of a 304. */
#include "config.h"

#include "gateway/cache/validate.h"

#include "gateway/cache/date.h"
#include "gateway/cache/list.h"

/* --- entity tags --------------------------------------------------------- */

static bool
is_weak(struct span etag)
{
	return (span_starts(etag, SPAN("W/")));
}

static struct span
opaque(struct span etag)
{
	return (is_weak(etag) ? span_cut(etag, 2, etag.n) : etag);
}

/* Length of the entity tag at the front; 0 when there is none. A backslash is a byte
 * like others in it (RFC 9110 8.8.3). */
static size_t
etag_length(struct span s)
{
	size_t i = is_weak(s) ? 2 : 0;
	unsigned char c;

	if (i >= s.n || s.p[i] != '"')
		return (0);
	for (i++; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c == '"')
			return (i + 1);
		if (c <= ' ' || c == 0x7f)
			return (0);
	}
	return (0);
}

bool
cache_etag_is_valid(struct span etag)
{
	return (etag.n > 0 && etag_length(etag) == etag.n);
}

bool
cache_etag_same_strong(struct span a, struct span b)
{
	return (cache_etag_is_valid(a) && !is_weak(a) && span_eq(a, b));
}

bool
cache_etag_same_weak(struct span a, struct span b)
{
	return (cache_etag_is_valid(a) && cache_etag_is_valid(b) &&
		span_eq(opaque(a), opaque(b)));
}

void
cache_validators_read(
    struct cache_validators *v, const struct http_fields *answer, int64_t wall_s)
{
	memset(v, 0, sizeof(*v));
	if (answer->count[HTTP_ETAG] == 1) {
		v->etag = http_fields_value(answer, HTTP_ETAG);
		if (!cache_etag_is_valid(v->etag))
			v->etag = SPAN_NONE;
		v->weak = is_weak(v->etag);
	}
	if (answer->count[HTTP_LAST_MODIFIED] == 1) {
		v->modified = http_fields_value(answer, HTTP_LAST_MODIFIED);
		if (!cache_date_parse(v->modified, wall_s, &v->modified_s))
			v->modified = SPAN_NONE;
	}
	v->has_date =
	    cache_date_parse(http_fields_value(answer, HTTP_DATE), wall_s, &v->date_s);
	if (!v->has_date)
		v->date_s = wall_s;
}

/* --- asking the origin --------------------------------------------------- */

bool
cache_conditions(struct text *if_none_match, struct span *if_modified_since_r,
    const struct cache_validators *variants, unsigned n)
{
	unsigned i, k, put = 0;

	text_reset(if_none_match);
	*if_modified_since_r = n > 0 ? variants[0].modified : SPAN_NONE;
	for (i = 0; i < n && put < CACHE_CONDITIONS_MAX; i++) {
		if (variants[i].etag.p == NULL)
			continue;
		for (k = 0; k < i; k++)
			if (span_eq(variants[k].etag, variants[i].etag))
				break;
		if (k < i)
			continue;
		if (put++ > 0)
			text_puts(if_none_match, ", ");
		text_put(if_none_match, variants[i].etag);
	}
	if (if_none_match->overflow)
		text_reset(if_none_match);
	return (if_none_match->n > 0 || if_modified_since_r->p != NULL);
}

/* --- a client's conditions ----------------------------------------------- */

/* Is it in the list? What does not begin with an entity tag ends a line: "a", b, "c"
 * is read up to b. */
static bool
list_has(struct span list, struct span etag)
{
	size_t n;

	for (;;) {
		while (list.n > 0 &&
		       (list.p[0] == ' ' || list.p[0] == '\t' || list.p[0] == ','))
			list = span_cut(list, 1, list.n);
		n = etag_length(list);
		if (n == 0)
			return (false);
		if (cache_etag_same_weak(span_cut(list, 0, n), etag))
			return (true);
		list = span_trim(span_cut(list, n, list.n));
		if (list.n > 0 && list.p[0] != ',')
			return (false);
	}
}

static bool
none_match_fails(const struct http_fields *request, struct span etag)
{
	struct span value;
	uint32_t at = 0;

	while (cache_next_line(request, HTTP_IF_NONE_MATCH, SPAN_NONE, &at, &value))
		if (span_eq(span_trim(value), SPAN("*")) || list_has(value, etag))
			return (true);
	return (false);
}

static bool
is_unmodified(const struct http_fields *request, const struct cache_validators *stored,
    int64_t now_s)
{
	int64_t since_s;

	if (request->count[HTTP_IF_MODIFIED_SINCE] != 1 ||
	    !cache_date_parse(
		http_fields_value(request, HTTP_IF_MODIFIED_SINCE), now_s, &since_s))
		return (false);
	return ((stored->modified.p != NULL ? stored->modified_s : stored->date_s) <=
		since_s);
}

enum cache_condition
cache_condition(const struct http_fields *request, uint16_t status,
    const struct cache_validators *stored, int64_t now_s)
{
	if (request->count[HTTP_IF_MATCH] > 0 ||
	    request->count[HTTP_IF_UNMODIFIED_SINCE] > 0)
		return (CACHE_CONDITION_ORIGIN);
	if (status < 200 || status > 299)
		return (CACHE_CONDITION_NONE);
	if (request->count[HTTP_IF_NONE_MATCH] > 0)
		return (none_match_fails(request, stored->etag)
			    ? CACHE_CONDITION_NOT_MODIFIED
			    : CACHE_CONDITION_NONE);
	return (is_unmodified(request, stored, now_s) ? CACHE_CONDITION_NOT_MODIFIED
						      : CACHE_CONDITION_NONE);
}

bool
cache_304_has(const struct http_field *field, bool has_etag)
{
	if (field->hop_by_hop)
		return (false);
	switch (field->id) {
	case HTTP_CONTENT_ENCODING:
	case HTTP_CONTENT_LENGTH:
	case HTTP_CONTENT_RANGE:
	case HTTP_CONTENT_TYPE: return (false);
	case HTTP_LAST_MODIFIED: return (!has_etag);
	default: return (!span_eq_nocase(field->name, SPAN("content-language")));
	}
}

/* --- what a 304 freshens ------------------------------------------------- */

static bool
is_same(const struct cache_validators *stored, const struct cache_validators *fresh)
{
	if (fresh->etag.p != NULL)
		return (fresh->weak ? cache_etag_same_weak(stored->etag, fresh->etag)
				    : cache_etag_same_strong(stored->etag, fresh->etag));
	return (stored->modified.p != NULL && stored->modified_s == fresh->modified_s);
}

unsigned
cache_freshened(bool *chosen_r, const struct cache_validators *stored, unsigned n,
    const struct cache_validators *fresh)
{
	bool all = fresh->etag.p != NULL && !fresh->weak;
	unsigned i, chosen = 0, newest = 0;

	for (i = 0; i < n; i++)
		chosen_r[i] = false;
	if (fresh->etag.p == NULL && fresh->modified.p == NULL) {
		if (n == 1)
			chosen_r[0] = true;
		return (n == 1 ? 1 : 0);
	}
	for (i = 0; i < n; i++) {
		if (!is_same(&stored[i], fresh))
			continue;
		if (all) {
			chosen_r[i] = true;
		} else if (chosen == 0 || stored[i].date_s > stored[newest].date_s)
			newest = i;
		chosen++;
	}
	if (all || chosen == 0)
		return (chosen);
	chosen_r[newest] = true;
	return (1);
}

/* Another parameter, as a charset, of the same type? Of several nobody knows which
 * one counts. */
static bool
is_same_type(const struct http_fields *stored, const struct http_fields *fresh)
{
	struct span kept = http_fields_value(stored, HTTP_CONTENT_TYPE);
	struct span type = http_fields_value(fresh, HTTP_CONTENT_TYPE), name, other;

	return (stored->count[HTTP_CONTENT_TYPE] == 1 &&
		fresh->count[HTTP_CONTENT_TYPE] == 1 &&
		span_index(type, ',') == SIZE_MAX && span_split(&type, ';', &name) &&
		span_split(&kept, ';', &other) &&
		span_eq_nocase(span_trim(name), span_trim(other)));
}

/* Sums of the content: it stays. */
static bool
is_digest(struct span name)
{
	return (span_eq_nocase(name, SPAN("content-md5")) ||
		span_eq_nocase(name, SPAN("content-digest")) ||
		span_eq_nocase(name, SPAN("repr-digest")) ||
		span_eq_nocase(name, SPAN("digest")));
}

/* May a 304 bring this field into what is stored? */
static bool
may_update(const struct http_field *field, const struct http_fields *stored,
    const struct http_fields *fresh)
{
	if (field->hop_by_hop)
		return (false);
	switch (field->id) {
	case HTTP_CONTENT_ENCODING:
	case HTTP_CONTENT_LENGTH:
	case HTTP_CONTENT_RANGE:
	case HTTP_SET_COOKIE: return (false);
	case HTTP_CONTENT_TYPE: return (is_same_type(stored, fresh));
	case HTTP_OTHER: return (!is_digest(field->name));
	/* a weak etag for the strong one of the content kept, another secondary key */
	case HTTP_ETAG:
	case HTTP_VARY: return (stored->count[field->id] == 0);
	default: return (true);
	}
}

/* Does a field of the 304 take the place of this stored one? */
static bool
is_replaced(const struct http_field *field, const struct http_fields *stored,
    const struct http_fields *fresh)
{
	uint32_t i;

	if (field->id != HTTP_OTHER && fresh->count[field->id] == 0)
		return (false);
	for (i = 0; i < fresh->n; i++)
		if (fresh->v[i].id == field->id &&
		    may_update(&fresh->v[i], stored, fresh) &&
		    (field->id != HTTP_OTHER ||
			span_eq_nocase(fresh->v[i].name, field->name)))
			return (true);
	return (false);
}

bool
cache_merge(struct http_fields *merged_r, const struct http_fields *stored,
    const struct http_fields *fresh)
{
	uint32_t i;

	for (i = 0; i < stored->n; i++)
		if (!is_replaced(&stored->v[i], stored, fresh) &&
		    !http_fields_add(merged_r, stored->v[i].name, stored->v[i].value))
			return (false);
	for (i = 0; i < fresh->n; i++)
		if (may_update(&fresh->v[i], stored, fresh) &&
		    !http_fields_add(merged_r, fresh->v[i].name, fresh->v[i].value))
			return (false);
	return (true);
}

enum cache_head
cache_head(uint16_t status, const struct http_fields *answer,
    const struct http_fields *stored, int64_t now_s)
{
	struct cache_validators new, old;
	struct span length = http_fields_value(answer, HTTP_CONTENT_LENGTH);
	struct span kept = http_fields_value(stored, HTTP_CONTENT_LENGTH);

	if (status != 200)
		return (CACHE_HEAD_NOTHING);
	cache_validators_read(&new, answer, now_s);
	cache_validators_read(&old, stored, now_s);
	if (length.p != NULL && kept.p != NULL && !span_eq(length, kept))
		return (CACHE_HEAD_INVALIDATES);
	if (new.etag.p != NULL && !cache_etag_same_weak(new.etag, old.etag))
		return (CACHE_HEAD_INVALIDATES);
	if (new.modified.p != NULL &&
	    (old.modified.p == NULL || old.modified_s != new.modified_s))
		return (CACHE_HEAD_INVALIDATES);
	/* nothing to recognise it by: no proof that it is another one, nor the same */
	if (new.etag.p == NULL &&new.modified.p == NULL)
		return (CACHE_HEAD_NOTHING);
	return (CACHE_HEAD_FRESHENS);
}
