/* SPDX-License-Identifier: Apache-2.0 */
/* Masking where the form of the text is known: queries, fields, cookies, paths,
 * variables of the engine. What is left goes through the scan for text of
 * unknown form. */
#include "config.h"

#include "gateway/filter/mask.h"

#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/filter/scan.h"

static char
lower(char c)
{
	return (c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
}

static bool
is_letter(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z');
}

/* What a scan has to look at: a first byte, and which letters may follow it. */
static void
add_start(struct mask *m, const char *text)
{
	uint8_t c = (uint8_t)text[0],
		upper = (uint8_t)(is_letter(text[0]) ? c & ~0x20 : c);

	m->stops[c] = m->stops[upper] = true;
	m->follows[c] |= is_letter(text[1]) ? 1u << (text[1] - 'a') : UINT32_MAX;
	m->follows[upper] = m->follows[c];
}

static void
add_word(struct mask *m, const char *text)
{
	struct mask_word *word;
	size_t i;

	if (text[0] == '\0')
		return;
	word = &m->words[m->n_words++];
	word->p = mem_strdup(text);
	word->n = strlen(text);
	for (i = 0; i < word->n; i++)
		word->p[i] = lower(word->p[i]);
	add_start(m, word->p);
	m->starts[(uint8_t)word->p[0]] = true;
	if (is_letter(word->p[0]))
		m->starts[(uint8_t)(word->p[0] & ~0x20)] = true;
}

struct mask *
mask_new(const struct conf_strings *words)
{
	struct mask *m = mem_zalloc(sizeof(*m));
	size_t i;

	m->words = mem_zalloc(words->n * sizeof(*m->words));
	for (i = 0; i < words->n; i++)
		add_word(m, words->v[i]);
	add_start(m, "content-disposition");
	/* escapes, "://user@", tags */
	m->stops['%'] = m->stops['\\'] = m->stops[':'] = m->stops['<'] = true;
	m->cookies = scan_has_word(m, SPAN("cookie"));
	return (m);
}

void
mask_free(struct mask **m_p)
{
	struct mask *m = *m_p;
	size_t i;

	*m_p = NULL;
	if (m == NULL)
		return;
	for (i = 0; i < m->n_words; i++)
		free(m->words[i].p);
	free(m->words);
	free(m);
}

bool
mask_is_secret(const struct mask *m, struct span name)
{
	return (scan_has_word(m, name));
}

/* Takes the piece before the separator off the front; the separator stays, for
 * put_separator. False at the end. */
static bool
next_piece(struct span *rest, char separator, struct span *piece_r)
{
	size_t i = span_index(*rest, separator);

	if (rest->n == 0)
		return (false);
	*piece_r = span_cut(*rest, 0, i);
	*rest = span_cut(*rest, i, rest->n);
	return (true);
}

/* Copies the separator that ended a piece. */
static void
put_separator(struct span *rest, struct text *out)
{
	if (rest->n == 0)
		return;
	text_putc(out, rest->p[0]);
	*rest = span_cut(*rest, 1, rest->n);
}

/* "name=value" whose value ends with the piece. */
static void
mask_pair(const struct mask *m, struct span pair, struct text *out)
{
	size_t equals = span_index(pair, '=');

	if (equals != SIZE_MAX && scan_has_word(m, span_cut(pair, 0, equals))) {
		text_put(out, span_cut(pair, 0, equals + 1));
		text_puts(out, MASK_TEXT);
		return;
	}
	scan_mask(m, pair, out);
}

void
mask_query(const struct mask *m, struct span query, struct text *out)
{
	struct span piece;

	while (next_piece(&query, '&', &piece)) {
		mask_pair(m, piece, out);
		put_separator(&query, out);
	}
}

/* Index of the ";" of the first secret parameter; SIZE_MAX when none is. */
static size_t
secret_parameter(const struct mask *m, struct span segment, size_t *value_r)
{
	struct span rest, piece;
	size_t at, equals;

	for (at = span_index(segment, ';'); at < segment.n; at += 1 + piece.n) {
		rest = span_cut(segment, at + 1, segment.n);
		piece = span_cut(rest, 0, span_index(rest, ';'));
		equals = span_index(piece, '=');
		if (equals != SIZE_MAX && scan_has_word(m, span_cut(piece, 0, equals))) {
			*value_r = at + 1 + equals + 1;
			return (at);
		}
	}
	return (SIZE_MAX);
}

void
mask_path(const struct mask *m, struct span path, struct text *out)
{
	struct span segment;
	size_t at, value;

	/* In a segment a secret parameter takes all that follows: its value
	 * may hold a ";" of its own. */
	while (next_piece(&path, '/', &segment)) {
		at = secret_parameter(m, segment, &value);
		scan_mask(m, span_cut(segment, 0, at), out);
		if (at != SIZE_MAX) {
			text_put(out, span_cut(segment, at, value));
			text_puts(out, MASK_TEXT);
		}
		put_separator(&path, out);
	}
}

/* Path with query, maybe with scheme and authority before it. */
static void
mask_target(const struct mask *m, struct span target, struct text *out)
{
	size_t question = span_index(target, '?');
	size_t authority = span_find(span_cut(target, 0, question), SPAN("://"));

	if (authority != SIZE_MAX)
		scan_mask(m, span_cut(target, 0, question), out);
	else
		mask_path(m, span_cut(target, 0, question), out);
	if (question == SIZE_MAX)
		return;
	text_putc(out, '?');
	mask_query(m, span_cut(target, question + 1, target.n), out);
}

/* Names of cookies stay; a piece without a name is all value. */
static void
mask_cookies(const struct mask *m, struct span cookies, struct text *out)
{
	struct span piece;
	size_t equals, blank;

	while (next_piece(&cookies, ';', &piece)) {
		for (blank = 0; blank < piece.n && piece.p[blank] == ' '; blank++)
			continue;
		equals = span_index(piece, '=');
		if (blank == piece.n) {
			text_put(out, piece);
		} else if (m->cookies) {
			text_put(out,
			    span_cut(piece, 0, equals != SIZE_MAX ? equals + 1 : blank));
			text_puts(out, MASK_TEXT);
		} else {
			mask_pair(m, piece, out);
		}
		put_separator(&cookies, out);
	}
}

static bool
is_cookie_attribute(struct span piece)
{
	static const char *const names[] = { "path", "domain", "expires", "max-age",
		"samesite", "secure", "httponly", "partitioned", "priority" };
	struct span name = span_trim(span_cut(piece, 0, span_index(piece, '=')));
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq_nocase(name, span_of(names[i])))
			return (true);
	return (false);
}

/* The first pair is the cookie; of the others only attributes are shown. */
static void
mask_set_cookie(const struct mask *m, struct span value, struct text *out)
{
	struct span piece, rest = value;
	bool first = true;

	while (next_piece(&rest, ';', &piece)) {
		if (!first && is_cookie_attribute(piece))
			text_put(out, piece);
		else
			mask_cookies(m, piece, out);
		first = false;
		put_separator(&rest, out);
	}
}

/* Of credentials the scheme stays, if it is a known one: else the secret may
 * stand in its place. */
static void
mask_credentials(struct span value, struct text *out)
{
	static const char *const schemes[] = { "Basic", "Bearer", "Digest", "Negotiate",
		"NTLM", "DPoP", "Token", "ApiKey", "OAuth", "HOBA", "Mutual",
		"SCRAM-SHA-1", "SCRAM-SHA-256", "AWS4-HMAC-SHA256", "GNAP",
		"PrivateToken", "Hawk", "JWT", "vapid" };
	size_t space = span_index(value, ' '), i;

	for (i = 0; space != SIZE_MAX && i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (!span_eq_nocase(span_cut(value, 0, space), span_of(schemes[i])))
			continue;
		text_put(out, span_cut(value, 0, space + 1));
		break;
	}
	text_puts(out, MASK_TEXT);
}

/* A field that is no secret: its value may hold one. */
static void
mask_open_field(
    const struct mask *m, struct span name, struct span value, struct text *out)
{
	if (span_eq_nocase(name, SPAN("referer")) ||
	    span_eq_nocase(name, SPAN("location")))
		mask_target(m, value, out);
	else
		scan_mask(m, value, out);
}

void
mask_field(const struct mask *m, struct span name, struct span value, struct text *out)
{
	if (span_eq_nocase(name, SPAN("cookie")))
		mask_cookies(m, value, out);
	else if (span_eq_nocase(name, SPAN("set-cookie")))
		mask_set_cookie(m, value, out);
	else if (!scan_has_word(m, name))
		mask_open_field(m, name, value, out);
	else if (span_eq_nocase(name, SPAN("authorization")) ||
		 span_eq_nocase(name, SPAN("proxy-authorization")))
		mask_credentials(value, out);
	else
		text_puts(out, MASK_TEXT);
}

/* "GET /path?query HTTP/1.1" */
static void
mask_request_line(const struct mask *m, struct span line, struct text *out)
{
	size_t first = span_index(line, ' '), last = line.n;

	if (line.p == NULL || first == SIZE_MAX) {
		mask_target(m, line, out);
		return;
	}
	while (last > first + 1 && line.p[last - 1] != ' ')
		last--;
	if (last <= first + 1 ||
	    !span_starts(span_cut(line, last, line.n), SPAN("HTTP/")))
		last = line.n + 1;
	text_put(out, span_cut(line, 0, first + 1));
	mask_target(m, span_cut(line, first + 1, last - 1), out);
	text_put(out, span_cut(line, last - 1, line.n));
}

/* A body is JSON, XML, multipart or a form by its look. */
static void
mask_body(const struct mask *m, struct span body, struct text *out)
{
	size_t i;

	if (body.p == NULL)
		return;
	for (i = 0; i < body.n && strchr(" \t\r\n", body.p[i]) != NULL; i++)
		continue;
	if (i < body.n && strchr("{[\"<-", body.p[i]) == NULL)
		mask_query(m, body, out);
	else
		scan_mask(m, body, out);
}

enum variable_form {
	FORM_PLAIN, /* secret when its name is */
	FORM_FIELD, /* collection of fields */
	FORM_COOKIE,
	FORM_NAMES, /* the value is a name: stays */
	FORM_TARGET,
	FORM_PATH,
	FORM_QUERY,
	FORM_LINE,
	FORM_BODY,
	FORM_OPAQUE, /* names are lost: nobody can tell */
};

static enum variable_form
variable_form(struct span collection)
{
	/* clang-format off */
	static const struct { const char *name; enum variable_form form; } table[] = {
		{ "REQUEST_HEADERS", FORM_FIELD },
		{ "RESPONSE_HEADERS", FORM_FIELD },
		{ "REQUEST_COOKIES", FORM_COOKIE },
		{ "REQUEST_URI", FORM_TARGET },
		{ "REQUEST_URI_RAW", FORM_TARGET },
		{ "QUERY_STRING", FORM_QUERY },
		{ "REQUEST_LINE", FORM_LINE },
		{ "REQUEST_FILENAME", FORM_PATH },
		{ "REQUEST_BASENAME", FORM_PATH },
		{ "PATH_INFO", FORM_PATH },
		{ "REQUEST_BODY", FORM_BODY },
		{ "RESPONSE_BODY", FORM_BODY },
		{ "XML", FORM_OPAQUE },
	};
	/* clang-format on */
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (span_eq_nocase(collection, span_of(table[i].name)))
			return (table[i].form);
	if (span_ends(collection, SPAN("_NAMES")))
		return (FORM_NAMES);
	return (FORM_PLAIN);
}

static void
mask_form(const struct mask *m, enum variable_form form, struct span name,
    struct span value, struct text *out)
{
	switch (form) {
	case FORM_FIELD:
		if (name.p != NULL)
			mask_field(m, name, value, out);
		else
			scan_mask(m, value, out);
		break;
	case FORM_COOKIE:
		if (m->cookies || scan_has_word(m, name))
			text_puts(out, MASK_TEXT);
		else
			scan_mask(m, value, out);
		break;
	case FORM_PLAIN:
		if (scan_has_word(m, name))
			text_puts(out, MASK_TEXT);
		else
			scan_mask(m, value, out);
		break;
	case FORM_NAMES: scan_mask(m, value, out); break;
	case FORM_TARGET: mask_target(m, value, out); break;
	case FORM_PATH: mask_path(m, value, out); break;
	case FORM_QUERY: mask_query(m, value, out); break;
	case FORM_LINE: mask_request_line(m, value, out); break;
	case FORM_BODY: mask_body(m, value, out); break;
	case FORM_OPAQUE:
		if (m->n_words > 0)
			text_puts(out, MASK_TEXT);
		else
			scan_mask(m, value, out);
		break;
	}
}

/* Variable "COLLECTION:name" taken apart; no name: absent. */
static enum variable_form
take_apart(struct span variable, struct span *name_r)
{
	size_t colon = span_index(variable, ':');

	*name_r =
	    colon == SIZE_MAX ? SPAN_NONE : span_cut(variable, colon + 1, variable.n);
	return (variable_form(span_cut(variable, 0, colon)));
}

bool
mask_is_secret_variable(const struct mask *m, struct span variable)
{
	struct span name;
	enum variable_form form = take_apart(variable, &name);

	return ((form == FORM_OPAQUE && m->n_words > 0) ||
		(form == FORM_COOKIE && m->cookies) ||
		((form == FORM_PLAIN || form == FORM_FIELD || form == FORM_COOKIE) &&
		    scan_has_word(m, name)));
}

/* What rules write of a match: "Matched Data: X found within ARGS:q: Y". */
#define MATCHED SPAN("Matched Data: ")
#define WITHIN SPAN(" found within ")
#define VARIABLE_MAX 1024u

/* The variable before ": ". */
static struct span
variable_of(struct span text)
{
	struct span start = span_cut(text, 0, VARIABLE_MAX);

	return (span_cut(start, 0, span_find(start, SPAN(": "))));
}

/* X is a piece of Y that lost its name: it is shown only where the masked Y
 * shows it too. */
static void
mask_matched_data(
    const struct mask *m, struct span value, size_t within, struct text *out)
{
	struct span matched = span_cut(value, MATCHED.n, within), rest, variable, name, y;
	enum variable_form form;
	struct text masked;

	rest = span_cut(value, within + WITHIN.n, value.n);
	variable = variable_of(rest);
	y = span_cut(rest, variable.n + 2, rest.n);
	form = take_apart(variable, &name);
	text_init(&masked, 8 * value.n + 64);
	mask_form(m, form, name, y, &masked);
	text_put(out, MATCHED);
	if (span_find(text_span(&masked), matched) != SIZE_MAX)
		text_put(out, matched);
	else
		text_puts(out, MASK_TEXT);
	text_put(out, WITHIN);
	text_put(out, variable);
	text_puts(out, ": ");
	text_put(out, text_span(&masked));
	text_free(&masked);
}

void
mask_variable(
    const struct mask *m, struct span variable, struct span value, struct text *out)
{
	struct span name, rest;
	size_t within = span_find(value, WITHIN), at, next;
	enum variable_form form = take_apart(variable, &name);

	if (m->n_words == 0 || !span_starts(value, MATCHED) ||
	    mask_is_secret_variable(m, variable)) {
		mask_form(m, form, name, value, out);
		return;
	}
	/* The text between may have been chosen to mislead: any secret variable
	 * it names makes all of it secret. */
	for (at = within; at != SIZE_MAX; at += WITHIN.n + next) {
		rest = span_cut(value, at + WITHIN.n, value.n);
		if (mask_is_secret_variable(m, variable_of(rest))) {
			text_put(out, MATCHED);
			text_puts(out, MASK_TEXT);
			return;
		}
		next = span_find(rest, WITHIN);
		if (next == SIZE_MAX)
			break;
	}
	if (within != SIZE_MAX) {
		mask_matched_data(m, value, within, out);
		return;
	}
	/* cut before it says where */
	text_put(out, MATCHED);
	text_puts(out, MASK_TEXT);
}

void
mask_variable_name(const struct mask *m, struct span variable, struct text *out)
{
	size_t colon = span_index(variable, ':');
	size_t name = colon == SIZE_MAX ? 0 : colon + 1;

	text_put(out, span_cut(variable, 0, name));
	scan_mask(m, span_cut(variable, name, variable.n), out);
}
