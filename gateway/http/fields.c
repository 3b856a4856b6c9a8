/* SPDX-License-Identifier: Apache-2.0 */
/* Field lines, the identities of known names, and lists of tokens. */
#include "config.h"

#include "gateway/http/fields.h"

#include "gateway/base/check.h"
#include "gateway/http/chars.h"

/* Options of Connection that are heeded. Nobody sends that many, and thousands of
 * them must not cost thousands times the fields. */
#define OPTIONS_MAX 100

/* clang-format off */
/* A perfect hash of the known names over length, first and last byte. Two
 * names in one slot would not compile: an initialiser overridden. */
#define SLOTS	256
#define SLOT(length, first, last)					\
	(((length) * 1U + (first) * 5U + (last) * 26U) % SLOTS)

static const uint8_t slots[SLOTS] = {
	[SLOT(6, 'a', 't')] = HTTP_ACCEPT,
	[SLOT(15, 'a', 'g')] = HTTP_ACCEPT_ENCODING,
	[SLOT(3, 'a', 'e')] = HTTP_AGE,
	[SLOT(7, 'a', 'c')] = HTTP_ALT_SVC,
	[SLOT(13, 'a', 'n')] = HTTP_AUTHORIZATION,
	[SLOT(13, 'c', 'l')] = HTTP_CACHE_CONTROL,
	[SLOT(17, 'c', 'l')] = HTTP_CDN_CACHE_CONTROL,
	[SLOT(10, 'c', 'n')] = HTTP_CONNECTION,
	[SLOT(16, 'c', 'g')] = HTTP_CONTENT_ENCODING,
	[SLOT(14, 'c', 'h')] = HTTP_CONTENT_LENGTH,
	[SLOT(13, 'c', 'e')] = HTTP_CONTENT_RANGE,
	[SLOT(12, 'c', 'e')] = HTTP_CONTENT_TYPE,
	[SLOT(6, 'c', 'e')] = HTTP_COOKIE,
	[SLOT(4, 'd', 'e')] = HTTP_DATE,
	[SLOT(4, 'e', 'g')] = HTTP_ETAG,
	[SLOT(6, 'e', 't')] = HTTP_EXPECT,
	[SLOT(7, 'e', 's')] = HTTP_EXPIRES,
	[SLOT(9, 'f', 'd')] = HTTP_FORWARDED,
	[SLOT(4, 'h', 't')] = HTTP_HOST,
	[SLOT(14, 'h', 's')] = HTTP_HTTP2_SETTINGS,
	[SLOT(8, 'i', 'h')] = HTTP_IF_MATCH,
	[SLOT(17, 'i', 'e')] = HTTP_IF_MODIFIED_SINCE,
	[SLOT(13, 'i', 'h')] = HTTP_IF_NONE_MATCH,
	[SLOT(8, 'i', 'e')] = HTTP_IF_RANGE,
	[SLOT(19, 'i', 'e')] = HTTP_IF_UNMODIFIED_SINCE,
	[SLOT(10, 'k', 'e')] = HTTP_KEEP_ALIVE,
	[SLOT(13, 'l', 'd')] = HTTP_LAST_MODIFIED,
	[SLOT(8, 'l', 'n')] = HTTP_LOCATION,
	[SLOT(12, 'm', 's')] = HTTP_MAX_FORWARDS,
	[SLOT(6, 'p', 'a')] = HTTP_PRAGMA,
	[SLOT(18, 'p', 'e')] = HTTP_PROXY_AUTHENTICATE,
	[SLOT(19, 'p', 'n')] = HTTP_PROXY_AUTHORIZATION,
	[SLOT(16, 'p', 'n')] = HTTP_PROXY_CONNECTION,
	[SLOT(5, 'r', 'e')] = HTTP_RANGE,
	[SLOT(7, 'r', 'r')] = HTTP_REFERER,
	[SLOT(6, 's', 'r')] = HTTP_SERVER,
	[SLOT(10, 's', 'e')] = HTTP_SET_COOKIE,
	[SLOT(20, 's', 'y')] = HTTP_SURROGATE_CAPABILITY,
	[SLOT(17, 's', 'l')] = HTTP_SURROGATE_CONTROL,
	[SLOT(13, 's', 'y')] = HTTP_SURROGATE_KEY,
	[SLOT(2, 't', 'e')] = HTTP_TE,
	[SLOT(7, 't', 'r')] = HTTP_TRAILER,
	[SLOT(17, 't', 'g')] = HTTP_TRANSFER_ENCODING,
	[SLOT(7, 'u', 'e')] = HTTP_UPGRADE,
	[SLOT(10, 'u', 't')] = HTTP_USER_AGENT,
	[SLOT(4, 'v', 'y')] = HTTP_VARY,
	[SLOT(3, 'v', 'a')] = HTTP_VIA,
	[SLOT(15, 'x', 'r')] = HTTP_X_FORWARDED_FOR,
	[SLOT(16, 'x', 't')] = HTTP_X_FORWARDED_HOST,
	[SLOT(17, 'x', 'o')] = HTTP_X_FORWARDED_PROTO,
	[SLOT(12, 'x', 'd')] = HTTP_X_REQUEST_ID,
};

static const struct span names[HTTP_FIELD_ID_COUNT] = {
#define FIELD_NAME(id, name)	[HTTP_##id] = { name, sizeof(name) - 1 },
	HTTP_FIELD_NAMES(FIELD_NAME)
#undef FIELD_NAME
};

/* Good for one connection only (RFC 9110 7.6.1, and what RFC 2616 13.5.1 had
 * beyond it). Trailer is here because trailers are dropped. */
static const bool hops[HTTP_FIELD_ID_COUNT] = {
	[HTTP_CONNECTION] = true,
	[HTTP_HTTP2_SETTINGS] = true,
	[HTTP_KEEP_ALIVE] = true,
	[HTTP_PROXY_AUTHENTICATE] = true,
	[HTTP_PROXY_AUTHORIZATION] = true,
	[HTTP_PROXY_CONNECTION] = true,
	[HTTP_TE] = true,
	[HTTP_TRAILER] = true,
	[HTTP_TRANSFER_ENCODING] = true,
	[HTTP_UPGRADE] = true,
};

/* Connection may not take these off: framing, routing, identity, credentials
 * and the sense of the content rest on them, and a client that names them
 * there wants the origin to see another request than the one judged here. */
static const bool kept[HTTP_FIELD_ID_COUNT] = {
	[HTTP_AUTHORIZATION] = true,
	[HTTP_CACHE_CONTROL] = true,
	[HTTP_CONTENT_ENCODING] = true,
	[HTTP_CONTENT_LENGTH] = true,
	[HTTP_CONTENT_RANGE] = true,
	[HTTP_CONTENT_TYPE] = true,
	[HTTP_COOKIE] = true,
	[HTTP_EXPECT] = true,
	[HTTP_FORWARDED] = true,
	[HTTP_HOST] = true,
	[HTTP_RANGE] = true,
	[HTTP_SET_COOKIE] = true,
	[HTTP_VARY] = true,
	[HTTP_VIA] = true,
	[HTTP_X_FORWARDED_FOR] = true,
	[HTTP_X_FORWARDED_HOST] = true,
	[HTTP_X_FORWARDED_PROTO] = true,
	[HTTP_X_REQUEST_ID] = true,
};
/* clang-format on */

void
http_fields_init(struct http_fields *f, struct http_field *array, uint32_t max)
{
	memset(f, 0, sizeof(*f));
	f->v = array;
	/* count[] must be able to hold it */
	f->max = max <= UINT16_MAX ? max : UINT16_MAX;
}

enum http_field_id
http_field_id(struct span name)
{
	unsigned id;

	if (name.n == 0)
		return (HTTP_OTHER);
	id = slots[SLOT((unsigned)name.n, (unsigned char)char_lower(name.p[0]),
	    (unsigned char)char_lower(name.p[name.n - 1]))];
	if (!span_eq_nocase(name, names[id]))
		return (HTTP_OTHER);
	return ((enum http_field_id)id);
}

bool
http_fields_add(struct http_fields *f, struct span name, struct span value)
{
	struct http_field *field;

	if (f->n >= f->max)
		return (false);
	field = &f->v[f->n++];
	field->name = name;
	field->value = value;
	field->id = http_field_id(name);
	field->hop_by_hop = hops[field->id];
	f->count[field->id]++;
	return (true);
}

const struct http_field *
http_fields_get(const struct http_fields *f, enum http_field_id id)
{
	uint32_t i;

	CHECK(id > HTTP_OTHER && id < HTTP_FIELD_ID_COUNT);
	if (f->count[id] == 0)
		return (NULL);
	for (i = 0; i < f->n; i++)
		if (f->v[i].id == id)
			return (&f->v[i]);
	return (NULL);
}

struct span
http_fields_value(const struct http_fields *f, enum http_field_id id)
{
	const struct http_field *field = http_fields_get(f, id);

	return (field != NULL ? field->value : SPAN_NONE);
}

/* Takes the next element off a comma-separated list, without its white space;
 * empty elements are passed over (RFC 9110 5.6.1.2). False at the end. */
static bool
next_token(struct span *list, struct span *token_r)
{
	size_t end;

	while (list->n > 0) {
		for (end = 0; end < list->n && list->p[end] != ','; end++)
			continue;
		*token_r = span_trim(span_mem(list->p, end));
		if (end < list->n)
			end++;
		*list = span_mem(list->p + end, list->n - end);
		while (
		    token_r->n > 0 && (token_r->p[0] == ' ' || token_r->p[0] == '\t')) {
			token_r->p++;
			token_r->n--;
		}
		if (token_r->n > 0)
			return (true);
	}
	return (false);
}

static void
mark_named(struct http_fields *f, struct span token)
{
	enum http_field_id id = http_field_id(token);
	uint32_t i;

	if (kept[id] || hops[id] || (id != HTTP_OTHER && f->count[id] == 0))
		return;
	for (i = 0; i < f->n; i++)
		if (!f->v[i].hop_by_hop && f->v[i].id == id &&
		    (id != HTTP_OTHER || span_eq_nocase(f->v[i].name, token)))
			f->v[i].hop_by_hop = true;
}

void
http_fields_mark_hops(struct http_fields *f)
{
	unsigned tokens = OPTIONS_MAX;
	struct span list, token;
	uint32_t i;

	if (f->count[HTTP_CONNECTION] == 0)
		return;
	for (i = 0; i < f->n; i++) {
		if (f->v[i].id != HTTP_CONNECTION)
			continue;
		list = f->v[i].value;
		while (tokens > 0 && next_token(&list, &token)) {
			mark_named(f, token);
			tokens--;
		}
	}
}

bool
http_fields_have_token(
    const struct http_fields *f, enum http_field_id id, struct span token)
{
	struct span list, element;
	uint32_t i;

	if (f->count[id] == 0)
		return (false);
	for (i = 0; i < f->n; i++) {
		if (f->v[i].id != id)
			continue;
		list = f->v[i].value;
		while (next_token(&list, &element))
			if (span_eq_nocase(element, token))
				return (true);
	}
	return (false);
}
