/* SPDX-License-Identifier: Apache-2.0 */
/* Admission, the text of a key, and its hash. */
#include "config.h"

#include "gateway/cache/key.h"

#include <inttypes.h>
#include <stdio.h>

#include "gateway/http/chars.h"

/* "_" is "-" for CGI-like origins. */
static bool
is_name(struct span name, struct span plain)
{
	size_t i;

	if (name.n != plain.n)
		return (false);
	for (i = 0; i < name.n; i++)
		if ((name.p[i] == '_' ? '-' : char_lower(name.p[i])) != plain.p[i])
			return (false);
	return (true);
}

static bool
has_override(const struct http_fields *f)
{
	static const struct span overrides[] = { { "x-http-method-override", 22 },
		{ "x-http-method", 13 }, { "x-method-override", 17 } };
	uint32_t at;
	size_t i;

	for (at = 0; at < f->n; at++)
		for (i = 0; i < sizeof(overrides) / sizeof(overrides[0]); i++)
			if (f->v[at].id == HTTP_OTHER &&
			    is_name(f->v[at].name, overrides[i]))
				return (true);
	return (false);
}

enum cache_admission
cache_admit(const struct http_request *request)
{
	if (!span_eq(request->method, SPAN("GET")) &&
	    !span_eq(request->method, SPAN("HEAD")))
		return (CACHE_ADMIT_NOT_METHOD);
	if (request->target.asterisk)
		return (CACHE_ADMIT_NOT_TARGET);
	if (request->framing == H1_CHUNKED ||
	    (request->framing == H1_LENGTH && request->content_length > 0))
		return (CACHE_ADMIT_NOT_BODY);
	return (has_override(&request->fields) ? CACHE_ADMIT_NOT_OVERRIDE : CACHE_ADMIT);
}

void
cache_target_of(struct cache_target *target_r, const struct http_request *request)
{
	target_r->scheme = request->scheme;
	target_r->host = request->authority.host;
	target_r->port = request->authority.port;
	target_r->path = request->target.path;
	target_r->has_query = request->target.has_query;
	target_r->query = request->target.query;
}

static bool
is_ignored(struct span parameter, const struct cache_key_rules *rules)
{
	size_t equals = span_index(parameter, '=');
	struct span name = span_cut(parameter, 0, equals), ignored;
	unsigned i;

	if (rules->n_ignore_query == 0 || span_index(parameter, ';') != SIZE_MAX)
		return (false);
	for (i = 0; i < rules->n_ignore_query; i++) {
		ignored = rules->ignore_query[i];
		if (span_ends(ignored, SPAN("*"))
			? span_starts(name, span_cut(ignored, 0, ignored.n - 1))
			: span_eq(name, ignored))
			return (true);
	}
	return (false);
}

bool
cache_put_query(struct text *t, const struct cache_target *target,
    const struct cache_key_rules *rules)
{
	struct span rest = target->query, parameter;
	bool any = false, removed = false;

	if (!target->has_query)
		return (false);
	while (span_split(&rest, '&', &parameter)) {
		if (is_ignored(parameter, rules)) {
			removed = true;
			continue;
		}
		if (any)
			text_putc(t, '&');
		text_put(t, parameter);
		any = true;
	}
	/* "?" alone is not no query, but "?utm_source=x" is */
	return ((any || !removed) && !t->overflow);
}

static bool
is_default_port(const struct cache_target *target)
{
	if (target->port == 0)
		return (true);
	return (target->port == (span_eq(target->scheme, SPAN("https")) ? 443 : 80));
}

bool
cache_key_make(struct cache_key *key_r, struct text *t, const struct cache_secret *secret,
    const struct cache_target *target, const struct cache_key_rules *rules)
{
	size_t before;
	unsigned i;

	text_reset(t);
	text_put(t, target->scheme);
	text_puts(t, "://");
	text_put(t, target->host);
	if (!is_default_port(target)) {
		text_putc(t, ':');
		text_put_u64(t, target->port);
	}
	text_put(t, target->path);
	before = t->n;
	text_putc(t, '?');
	if (!cache_put_query(t, target, rules) && !t->overflow)
		t->n = before;
	if (rules->parts.n > 0) {
		text_putc(t, '\n');
		text_put(t, rules->parts);
	}
	if (t->overflow)
		return (false);
	for (i = 0; i < 2; i++)
		key_r->half[i] = hash_bytes(&secret->half[i], t->p, t->n);
	return (true);
}

void
cache_key_tag(const struct cache_key *key, char out[CACHE_KEY_TAG_MAX])
{
	(void)snprintf(out, CACHE_KEY_TAG_MAX, "=%016" PRIx64 "%016" PRIx64, key->half[0],
	    key->half[1]);
}

struct cache_secret
cache_secret_random(void)
{
	struct cache_secret secret;

	random_bytes(&secret, sizeof(secret));
	return (secret);
}
