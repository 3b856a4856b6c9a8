/* SPDX-License-Identifier: Apache-2.0 */
/* May an answer be compressed, and what that changes in its head. */
#include "config.h"

#include "gateway/filter/compress.h"

#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/filter/encoder.h"
#include "gateway/http/write.h"

const char *
compress_why_text(enum compress_why why)
{
	static const char *const texts[] = {
#define COMPRESS_TEXT(id, text) [COMPRESS_##id] = (text),
		COMPRESS_WHYS(COMPRESS_TEXT)
#undef COMPRESS_TEXT
	};

	return (texts[why]);
}

struct compress_plan *
compress_plan_new(const struct conf_compress *conf)
{
	struct compress_plan *plan;
	enum coding coding;
	unsigned most;
	size_t i;

	if (!conf->on)
		return (NULL);
	plan = mem_zalloc(sizeof(*plan));
	plan->types = mem_zalloc(conf->types.n * sizeof(*plan->types));
	for (i = 0; i < conf->types.n; i++)
		plan->types[i] = span_of(conf->types.v[i]);
	plan->rules.types = plan->types;
	plan->rules.n_types = conf->types.n;
	plan->rules.min = conf->min;
	plan->rules.secrets = conf->secrets;
	for (i = 0; i < conf->encodings.n; i++) {
		coding = coding_find(span_of(conf->encodings.v[i]));
		CHECK(coding <= CODING_GZIP && plan->n_order < CODING_COUNT);
		plan->order[plan->n_order++] = coding;
		most = encoder_level_max(coding);
		plan->level[coding] = conf->level == 0 ? encoder_level_standard(coding)
				      : conf->level < most ? conf->level
							   : most;
	}
	return (plan);
}

void
compress_plan_free(struct compress_plan **plan_p)
{
	struct compress_plan *plan = *plan_p;

	*plan_p = NULL;
	if (plan == NULL)
		return;
	free(plan->types);
	free(plan);
}

/* Names that http_fields knows no identity of. */
static bool
has_value(const struct http_field *f, struct span name, struct span value)
{
	return (f->id == HTTP_OTHER && span_eq_nocase(f->name, name) &&
		span_eq_nocase(f->value, value));
}

void
compress_request_read(struct compress_request *r, const struct http_fields *fields)
{
	const struct span name = SPAN("sec-fetch-site");
	unsigned said = 0, same = 0;
	uint32_t i;

	if (fields->count[HTTP_COOKIE] > 0 || fields->count[HTTP_AUTHORIZATION] > 0)
		r->has_credentials = true;
	for (i = 0; i < fields->n; i++) {
		if (fields->v[i].id != HTTP_OTHER ||
		    !span_eq_nocase(fields->v[i].name, name))
			continue;
		said++;
		if (has_value(&fields->v[i], name, SPAN("same-origin")) ||
		    has_value(&fields->v[i], name, SPAN("none")))
			same++;
	}
	if (said == 1 && same == 1)
		r->is_same_origin = true;
}

static bool
is_encoded(const struct http_fields *fields)
{
	uint32_t i;

	if (fields->count[HTTP_CONTENT_ENCODING] == 0)
		return (false);
	for (i = 0; i < fields->n; i++)
		if (fields->v[i].id == HTTP_CONTENT_ENCODING && fields->v[i].value.n > 0)
			return (true);
	return (false);
}

void
compress_answer_read(struct compress_answer *a, const struct http_fields *fields)
{
	const enum http_field_id control = HTTP_CACHE_CONTROL;

	a->content_type = http_fields_value(fields, HTTP_CONTENT_TYPE);
	a->is_encoded = is_encoded(fields);
	a->is_range = fields->count[HTTP_CONTENT_RANGE] > 0;
	a->is_no_transform =
	    http_fields_have_token(fields, control, SPAN("no-transform"));
	a->is_public = http_fields_have_token(fields, control, SPAN("public"));
	a->sets_cookie = fields->count[HTTP_SET_COOKIE] > 0;
}

/* Statuses whose content is a whole representation of its own. */
static bool
has_content(uint16_t status)
{
	switch (status) {
	case 204:
	case 205:
	case 206: /* a part */
	case 226: /* a difference */
	case 304: return (false);
	default: return (status >= 200);
	}
}

static bool
type_is_in(struct span type, const struct span *types, size_t n)
{
	struct span major;
	size_t i;

	type = span_trim(span_cut(type, 0, span_index(type, ';')));
	if (type.n == 0)
		return (false);
	for (i = 0; i < n; i++) {
		if (span_eq_nocase(type, types[i]) || span_eq(types[i], SPAN("*/*")))
			return (true);
		if (types[i].n < 2 || !span_ends(types[i], SPAN("/*")))
			continue;
		major = span_cut(types[i], 0, types[i].n - 1);
		if (type.n > major.n && span_eq_nocase(span_cut(type, 0, major.n), major))
			return (true);
	}
	return (false);
}

/* BREACH: who can make a browser ask, with the user's credentials, for an answer that
 * repeats what was asked and holds a secret, and who sees how long it comes out,
 * guesses the secret bit by bit. Whether an answer repeats or holds any is not known
 * here; whether it could be is. */
static bool
may_tell_secrets(const struct compress_request *r, const struct compress_answer *a)
{
	if (!r->is_https) /* who could see the length sees the text */
		return (false);
	if (a->sets_cookie)
		return (true);
	return (
	    r->has_credentials && r->has_input && !r->is_same_origin && !a->is_public);
}

enum compress_why
compress_may(const struct compress_rules *rules, const struct compress_request *r,
    const struct compress_answer *a)
{
	if (!has_content(a->status))
		return (COMPRESS_STATUS);
	if (r->is_connect || (r->is_head && !a->has_length))
		return (COMPRESS_METHOD);
	if (r->is_http_1_0)
		return (COMPRESS_PROTOCOL);
	if (!type_is_in(a->content_type, rules->types, rules->n_types))
		return (COMPRESS_TYPE);
	if (a->has_length && (a->length == 0 || a->length < rules->min))
		return (COMPRESS_LENGTH);
	if (a->is_encoded)
		return (COMPRESS_ENCODED);
	if (a->is_no_transform)
		return (COMPRESS_NO_TRANSFORM);
	if (a->is_range)
		return (COMPRESS_RANGE);
	if (!rules->secrets && may_tell_secrets(r, a))
		return (COMPRESS_SECRETS);
	return (COMPRESS_YES);
}

static bool
is_digest(struct span name)
{
	static const struct span digests[] = { SPAN("content-digest"),
		SPAN("repr-digest"), SPAN("digest"), SPAN("content-md5") };
	size_t i;

	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		if (span_eq_nocase(name, digests[i]))
			return (true);
	return (false);
}

enum compress_field
compress_field(enum coding coding, const struct http_field *f)
{
	if (coding == CODING_IDENTITY)
		return (COMPRESS_KEEP);
	switch (f->id) {
	case HTTP_CONTENT_LENGTH: return (COMPRESS_DROP);
	case HTTP_CONTENT_ENCODING: return (COMPRESS_DROP); /* an empty one */
	case HTTP_ETAG:
		if (span_starts(f->value, SPAN("W/\"")))
			return (COMPRESS_KEEP);
		/* what is no entity tag may be compared as a strong one */
		return (
		    span_starts(f->value, SPAN("\"")) ? COMPRESS_WEAKEN : COMPRESS_DROP);
	case HTTP_OTHER:
		if (span_eq_nocase(f->name, SPAN("accept-ranges")) || is_digest(f->name))
			return (COMPRESS_DROP);
		return (COMPRESS_KEEP);
	default: return (COMPRESS_KEEP);
	}
}

void
compress_put_fields(enum coding coding, uint16_t status, const struct http_fields *fields,
    struct text *head)
{
	if (coding != CODING_IDENTITY && status != 304)
		http_put_field(head, SPAN("Content-Encoding"), coding_name(coding));
	if (!http_fields_have_token(fields, HTTP_VARY, SPAN("accept-encoding")) &&
	    !http_fields_have_token(fields, HTTP_VARY, SPAN("*")))
		http_put_field(head, SPAN("Vary"), SPAN("Accept-Encoding"));
}
