/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of header fields, and which fields nobody may change. */
#include "config.h"

#include "gateway/filter/changes.h"

#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/http/chars.h"
#include "gateway/http/write.h"

enum action { SET, ADD, REMOVE };

struct change {
	enum action action;
	char *name;
	struct span name_span;
	struct template *text; /* of SET and ADD */
};

struct changes {
	enum changes_of of;
	bool preset;
	unsigned n;
	struct change v[CHANGES_MAX];
};

/* --- the preset ---------------------------------------------------------- */

/* clang-format off */
static const struct {
	struct span name, value;
	bool https_only;
} preset[] = {
	{ SPAN("X-Content-Type-Options"), SPAN("nosniff"), false },
	{ SPAN("X-Frame-Options"), SPAN("SAMEORIGIN"), false },
	{ SPAN("Referrer-Policy"), SPAN("strict-origin-when-cross-origin"), false },
	{ SPAN("Permissions-Policy"),
	  SPAN("camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
	  false },
	/* Browsers must not believe it over HTTP (RFC 6797 8.1); of subdomains
	 * the gateway knows nothing. */
	{ SPAN("Strict-Transport-Security"), SPAN("max-age=31536000"), true },
};
/* clang-format on */

#define PRESET_N (sizeof(preset) / sizeof(preset[0]))

bool
changes_preset_field(
    size_t i, struct span *name_r, struct span *value_r, bool *https_only_r)
{
	if (i >= PRESET_N)
		return (false);
	*name_r = preset[i].name;
	*value_r = preset[i].value;
	*https_only_r = preset[i].https_only;
	return (true);
}

void
changes_preset(struct changes *c)
{
	CHECK(c->of == CHANGES_OF_RESPONSE);
	c->preset = true;
}

/* --- what nobody may change ---------------------------------------------- */

static const struct {
	enum http_field_id id;
	const char *why;
} fixed[] = {
	{ HTTP_HOST, "the gateway says it from the request that was judged" },
	{ HTTP_CONTENT_LENGTH, "it frames the body" },
	{ HTTP_TRANSFER_ENCODING, "it frames the body" },
	{ HTTP_CONTENT_ENCODING, "it says what the body is" },
	{ HTTP_CONTENT_RANGE, "it says what the body is" },
	{ HTTP_EXPECT, "the gateway answers it" },
	{ HTTP_VIA, "it keeps messages from going in circles" },
	{ HTTP_CONNECTION, "it is of one connection" },
};

static const char *
fixed_why(struct span name)
{
	struct http_field field;
	struct http_fields fields;
	size_t i;

	http_fields_init(&fields, &field, 1);
	http_fields_add(&fields, name, SPAN(""));
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (fixed[i].id == field.id)
			return (fixed[i].why);
	return (field.hop_by_hop ? "it is of one connection" : NULL);
}

/* What only the client can ask for, since it must understand the answer; the cache and
 * the WAF ask for themselves. */
static const struct span askers[] = {
	SPAN("Accept-Encoding"),
	SPAN("Range"),
	SPAN("If-Range"),
	SPAN("If-Match"),
	SPAN("If-None-Match"),
	SPAN("If-Modified-Since"),
	SPAN("If-Unmodified-Since"),
};

/* As CGI and its like have them: X_Id and X-Id become one variable. */
static bool
same_for_cgi(struct span a, struct span b)
{
	size_t i;
	char x, y;

	if (a.n != b.n)
		return (false);
	for (i = 0; i < a.n; i++) {
		x = a.p[i] == '_' ? '-' : a.p[i];
		y = b.p[i] == '_' ? '-' : b.p[i];
		if (char_lower(x) != char_lower(y))
			return (false);
	}
	return (true);
}

static bool
is_asker(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof(askers) / sizeof(askers[0]); i++)
		if (same_for_cgi(askers[i], name))
			return (true);
	return (false);
}

static enum err_code
check_name(struct span name, struct err *e)
{
	const char *why;

	if (name.n == 0 || name.n > CHANGES_NAME_MAX)
		return (
		    err_set(e, ERR_RANGE, "found a name of %zu bytes; allowed: 1 to %d",
			name.n, CHANGES_NAME_MAX));
	if (char_run(name.p, 0, name.n, CHAR_TOKEN) < name.n)
		return (err_set(e, ERR_FORMAT,
		    "found a name with other bytes than letters, digits and "
		    "!#$%%&'*+-.^_`|~"));
	why = fixed_why(name);
	if (why != NULL)
		return (err_set(e, ERR_UNSUPPORTED, "%.*s can't be changed: %s",
		    SPAN_FMT(name), why));
	return (ERR_OK);
}

/* --- making -------------------------------------------------------------- */

struct changes *
changes_new(enum changes_of of)
{
	struct changes *c = mem_zalloc(sizeof(*c));

	c->of = of;
	return (c);
}

void
changes_free(struct changes **c_p)
{
	struct changes *c = *c_p;
	unsigned i;

	if (c == NULL)
		return;
	*c_p = NULL;
	for (i = 0; i < c->n; i++) {
		template_free(&c->v[i].text);
		free(c->v[i].name);
	}
	free(c);
}

/* One name may be added many times; anything else twice contradicts itself. */
static enum err_code
check_conflict(
    const struct changes *c, struct span name, enum action action, struct err *e)
{
	unsigned i;

	if (c->n == CHANGES_MAX)
		return (
		    err_set(e, ERR_RANGE, "too many changes; allowed: %d", CHANGES_MAX));
	for (i = 0; i < c->n; i++)
		if (span_eq_nocase(c->v[i].name_span, name) &&
		    (action == c->v[i].action ? action != ADD
					      : action != ADD && c->v[i].action != ADD))
			return (err_set(e, ERR_CONFLICT, "%.*s is %s already",
			    SPAN_FMT(name), c->v[i].action == SET ? "set" : "removed"));
	return (ERR_OK);
}

static enum err_code
change(struct changes *c, enum action action, struct span name, struct span text,
    struct err *e)
{
	struct template *template = NULL;
	struct change *new;
	enum err_code code;

	code = check_name(name, e);
	if (code == ERR_OK && c->of == CHANGES_OF_REQUEST && action != REMOVE &&
	    is_asker(name))
		code = err_set(e, ERR_UNSUPPORTED,
		    "%.*s can't be said for a client: it must understand the answer; "
		    "allowed: remove",
		    SPAN_FMT(name));
	if (code == ERR_OK)
		code = check_conflict(c, name, action, e);
	if (code == ERR_OK && action != REMOVE) {
		code = template_compile(&template, text, e);
		if (code != ERR_OK)
			err_wrap(e, "%.*s", SPAN_FMT(name));
	}
	if (code != ERR_OK)
		return (code);
	new = &c->v[c->n++];
	new->action = action;
	new->name = span_strdup(name);
	new->name_span = span_mem(new->name, name.n);
	new->text = template;
	return (ERR_OK);
}

enum err_code
changes_set(struct changes *c, struct span name, struct span text, struct err *e)
{
	return (change(c, SET, name, text, e));
}

enum err_code
changes_add(struct changes *c, struct span name, struct span text, struct err *e)
{
	return (change(c, ADD, name, text, e));
}

enum err_code
changes_remove(struct changes *c, struct span name, struct err *e)
{
	return (change(c, REMOVE, name, SPAN_NONE, e));
}

/* --- applying ------------------------------------------------------------ */

bool
changes_takes(const struct changes *c, struct span name)
{
	unsigned i;

	for (i = 0; i < c->n; i++) {
		if (c->v[i].action == ADD)
			continue;
		if (c->of == CHANGES_OF_REQUEST ? same_for_cgi(c->v[i].name_span, name)
						: span_eq_nocase(c->v[i].name_span, name))
			return (true);
	}
	return (false);
}

bool
changes_tells_apart(const struct changes *c, struct span name)
{
	unsigned i;

	for (i = 0; i < c->n; i++)
		if (c->v[i].text != NULL && same_for_cgi(c->v[i].name_span, name) &&
		    template_tells_apart(c->v[i].text))
			return (true);
	return (false);
}

static void
put_change(
    const struct change *ch, const struct template_values *values, struct text *head)
{
	const size_t before = head->n;

	text_put(head, ch->name_span);
	text_put(head, SPAN(": "));
	if (template_put(ch->text, values, head) == 0 && !head->overflow)
		head->n = before; /* nothing to say */
	else
		text_put(head, SPAN("\r\n"));
}

static bool
is_named(const struct changes *c, const struct http_fields *fields, struct span name)
{
	uint32_t i;

	for (i = 0; i < c->n; i++)
		if (span_eq_nocase(c->v[i].name_span, name))
			return (true);
	for (i = 0; i < fields->n; i++)
		if (!fields->v[i].hop_by_hop && span_eq_nocase(fields->v[i].name, name))
			return (true);
	return (false);
}

void
changes_put(const struct changes *c, const struct http_fields *fields,
    const struct template_values *values, bool is_https, struct text *head)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->v[i].action != REMOVE)
			put_change(&c->v[i], values, head);
	if (!c->preset)
		return;
	for (i = 0; i < PRESET_N; i++)
		if ((is_https || !preset[i].https_only) &&
		    !is_named(c, fields, preset[i].name))
			http_put_field(head, preset[i].name, preset[i].value);
}
