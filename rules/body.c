/* SPDX-License-Identifier: Apache-2.0 */
/* Media types, counts and multipart sanity. */
#include "config.h"

#include "rules/body.h"

#include <ctype.h>
#include <string.h>

#define BOUNDARY_MAX 70 /* RFC 2046 5.1.1 */
#define PART_HEAD_MAX 16384

size_t
body_media_type(struct span content_type, char *out, size_t size)
{
	struct span type =
	    span_trim(span_cut(content_type, 0, span_index(content_type, ';')));
	size_t n = type.n < size - 1 ? type.n : size - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)type.p[i]);
	out[n] = '\0';
	return (n);
}

enum shim_body
body_kind(struct span content_type)
{
	char text[256];
	struct span type;

	type = span_mem(text, body_media_type(content_type, text, sizeof(text)));
	if (span_eq(type, SPAN("application/x-www-form-urlencoded")))
		return (SHIM_BODY_FORM);
	if (span_eq(type, SPAN("multipart/form-data")))
		return (SHIM_BODY_MULTIPART);
	if (span_eq(type, SPAN("application/json")) || span_eq(type, SPAN("text/json")) ||
	    span_eq(type, SPAN("application/x-json")) || span_ends(type, SPAN("+json")))
		return (SHIM_BODY_JSON);
	if (span_eq(type, SPAN("text/xml")) || span_eq(type, SPAN("application/xml")) ||
	    span_ends(type, SPAN("+xml")))
		return (SHIM_BODY_XML);
	return (SHIM_BODY_RAW);
}

uint64_t
body_arguments_urlencoded(struct span form)
{
	uint64_t n = form.n > 0 ? 1 : 0;

	for (size_t i = 0; i < form.n; i++)
		if (form.p[i] == '&')
			n++;
	return (n);
}

/* Between two values that follow each other there is at least one comma, at
 * whatever level. */
uint64_t
body_arguments_json(struct span json)
{
	uint64_t n = json.n > 0 ? 1 : 0;
	bool quoted = false;

	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == ',' && !quoted)
			n++;
	}
	return (n);
}

static bool
is_boundary_byte(char c)
{
	return (isalnum((unsigned char)c) ||
		(c != '\0' && strchr("'()+_,-./:=?", c) != NULL));
}

/* The value of a parameter, its quotes off; moves *rest behind it. */
static bool
parameter_value(struct span *rest, struct span *value_r)
{
	struct span r = *rest;
	size_t end;

	if (r.n > 0 && r.p[0] == '"') {
		end = span_index(span_cut(r, 1, r.n), '"');
		if (end == SIZE_MAX)
			return (false);
		*value_r = span_cut(r, 1, end + 1);
		*rest = span_cut(r, end + 2, r.n);
		return (memchr(value_r->p, '\\', value_r->n) == NULL);
	}
	end = span_index(r, ';');
	*value_r = span_trim(span_cut(r, 0, end));
	*rest = span_cut(r, end, r.n);
	return (true);
}

static void
skip_blanks(struct span *s)
{
	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
		*s = span_cut(*s, 1, s->n);
}

/* Takes ";name=value" off the front; an empty one gives an absent name. */
static bool
next_parameter(struct span *rest, struct span *name_r, struct span *value_r)
{
	size_t equals;

	*name_r = SPAN_NONE;
	if (rest->p[0] != ';')
		return (false);
	*rest = span_cut(*rest, 1, rest->n);
	skip_blanks(rest);
	if (rest->n == 0 || rest->p[0] == ';')
		return (true);
	equals = span_index(*rest, '=');
	if (equals == SIZE_MAX || span_index(*rest, ';') < equals)
		return (false);
	*name_r = span_trim(span_cut(*rest, 0, equals));
	*rest = span_cut(*rest, equals + 1, rest->n);
	if (!parameter_value(rest, value_r))
		return (false);
	skip_blanks(rest);
	return (true);
}

static const char *
check_boundary(struct span boundary)
{
	if (boundary.n == 0 || boundary.n > BOUNDARY_MAX)
		return ("a boundary has 1 to 70 bytes");
	for (size_t i = 0; i < boundary.n; i++)
		if (!is_boundary_byte(boundary.p[i]))
			return ("invalid byte in the boundary");
	return (NULL);
}

const char *
body_boundary(struct span content_type, struct span *boundary_r)
{
	struct span rest =
	    span_cut(content_type, span_index(content_type, ';'), SIZE_MAX);
	struct span name, value;
	unsigned found = 0;

	*boundary_r = SPAN_NONE;
	while (rest.n > 0) {
		if (!next_parameter(&rest, &name, &value))
			return ("malformed parameters of the Content-Type");
		if (span_eq_nocase(name, SPAN("boundary"))) {
			found++;
			*boundary_r = value;
		}
	}
	if (found != 1)
		return (found == 0 ? "no boundary" : "more than one boundary");
	return (check_boundary(*boundary_r));
}

bool
body_boundary_is_plain(struct span boundary)
{
	for (size_t i = 0; i < boundary.n; i++)
		if (!isalnum((unsigned char)boundary.p[i]) && boundary.p[i] != '-' &&
		    boundary.p[i] != '_')
			return (false);
	return (boundary.n > 0);
}

/* The head of a part, up to and with its empty line; lines end as the first
 * boundary line did. Bare LF throughout is the engine's to refuse (rule 200003). */
static const char *
part_head(struct span rest, bool crlf, size_t *used_r)
{
	size_t i, line = 0;

	for (i = 0; i < rest.n; i++) {
		char c = rest.p[i];

		if (i > PART_HEAD_MAX)
			return ("the head of a part is too long");
		if (c == '\0')
			return ("NUL in the head of a part");
		if (c == '\r') {
			if (crlf && i + 1 == rest.n)
				break;
			if (!crlf || rest.p[i + 1] != '\n')
				return ("CR without LF in the head of a part");
			i++;
		} else if (c != '\n') {
			continue;
		} else if (crlf) {
			return ("LF without CR in the head of a part");
		}
		if (line + (crlf ? 1 : 0) == i) {
			*used_r = i + 1;
			return (NULL);
		}
		line = i + 1;
	}
	*used_r = rest.n; /* ends inside: the engine says so, or it is cut */
	return (NULL);
}

/* Offset of the next "--boundary" at the start of a line; SIZE_MAX none. */
static size_t
next_delimiter(struct span body, size_t from, struct span boundary)
{
	const char *p;

	while (from < body.n) {
		p = memmem(body.p + from, body.n - from, boundary.p, boundary.n);
		if (p == NULL)
			return (SIZE_MAX);
		from = (size_t)(p - body.p);
		if (from >= 2 && p[-1] == '-' && p[-2] == '-' &&
		    (from == 2 || p[-3] == '\n'))
			return (from - 2);
		from++;
	}
	return (SIZE_MAX);
}

/* The line end behind a boundary; false when there is something else. */
static bool
boundary_end(struct span rest, bool *crlf_r, size_t *used_r)
{
	if (rest.n == 0 || (rest.n == 1 && rest.p[0] != '\n')) {
		*used_r = rest.n; /* cut, or the engine says what is wrong */
		return (true);
	}
	*crlf_r = rest.p[0] == '\r';
	*used_r = *crlf_r ? 2 : 1;
	return (rest.p[*used_r - 1] == '\n');
}

const char *
body_multipart(struct span body, struct span boundary, uint64_t *parts_r)
{
	const char *wrong;
	bool crlf = true, style = true;
	size_t at = 0, used;

	*parts_r = 0;
	while ((at = next_delimiter(body, at, boundary)) != SIZE_MAX) {
		at += 2 + boundary.n;
		if (body.n - at >= 2 && memcmp(body.p + at, "--", 2) == 0)
			return (NULL);
		if (!boundary_end(span_cut(body, at, body.n), &crlf, &used))
			return ("a boundary line goes on behind the boundary");
		if (*parts_r == 0)
			style = crlf;
		else if (style != crlf)
			return ("boundary lines end in different ways");
		++*parts_r;
		at += used;
		wrong = part_head(span_cut(body, at, body.n), crlf, &used);
		if (wrong != NULL)
			return (wrong);
		at += used;
	}
	return (NULL);
}
