/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets to their canonical form. */
#include "config.h"

#include "gateway/http/uri.h"

#include "gateway/base/check.h"
#include "gateway/http/chars.h"

static const char hex_digits[] = "0123456789ABCDEF";

const char *
uri_rc_text(enum uri_rc rc)
{
	switch (rc) {
	case URI_OK: return ("fine");
	case URI_BAD_FORM: return ("invalid request target");
	case URI_BAD_ESCAPE: return ("% without two hex digits in the path");
	case URI_NUL: return ("NUL byte in the path");
	case URI_OVERLONG: return ("overlong UTF-8 in the path");
	case URI_ABOVE_ROOT: return ("path above the root");
	case URI_HIDDEN_DOTS: return ("dot segment hidden in the path");
	case URI_BAD_AUTHORITY: return ("invalid host or port");
	case URI_FULL: return ("request too large");
	}
	WRONG("uri_rc");
}

/* A path being written anew. */
struct writer {
	char *out;
	size_t n;
};

static void
put_escape(struct writer *w, unsigned char byte)
{
	w->out[w->n++] = '%';
	w->out[w->n++] = hex_digits[byte >> 4];
	w->out[w->n++] = hex_digits[byte & 15];
}

/* Value of the escape at p[i]; -1 when it is none. */
static int
escape_value(struct span s, size_t i)
{
	if (s.n - i < 3 || !char_is(s.p[i + 1], CHAR_HEX) ||
	    !char_is(s.p[i + 2], CHAR_HEX))
		return (-1);
	return ((int)(char_hex_value(s.p[i + 1]) << 4 | char_hex_value(s.p[i + 2])));
}

/* Copies one segment, from *at to the next "/" or the end, in canonical
 * escapes. */
static enum uri_rc
copy_segment(struct writer *w, struct span path, size_t *at)
{
	int value;
	size_t i = *at;
	char c;

	for (; i < path.n && path.p[i] != '/'; i++) {
		c = path.p[i];
		if (char_is(c, CHAR_LITERAL)) {
			w->out[w->n++] = c;
		} else if (c != '%') {
			put_escape(w, (unsigned char)c);
		} else {
			value = escape_value(path, i);
			if (value < 0)
				return (URI_BAD_ESCAPE);
			if (value == 0)
				return (URI_NUL);
			if (char_is((char)value, CHAR_UNRESERVED))
				w->out[w->n++] = (char)value;
			else
				put_escape(w, (unsigned char)value);
			i += 2;
		}
	}
	*at = i;
	return (URI_OK);
}

/* Room for the path when every byte that needs it is escaped. */
static size_t
canonical_room(struct span path)
{
	size_t i, n = path.n + 1;

	for (i = 0; i < path.n; i++)
		if (!char_is(path.p[i], CHAR_LITERAL) && path.p[i] != '%')
			n += 2;
	return (n);
}

/* Escapes, empty segments and dot segments (RFC 3986 6.2.2, 5.2.4). Written as
 * "/segment" each, so that ".." takes one off the end. */
static enum uri_rc
rewrite_path(struct span path, struct arena *arena, struct span *path_r)
{
	struct writer w = { arena_alloc(arena, canonical_room(path)), 0 };
	bool slash_last = false;
	enum uri_rc rc;
	struct span segment;
	size_t i = 0, start;

	if (w.out == NULL)
		return (URI_FULL);
	while (i < path.n) {
		while (i < path.n && path.p[i] == '/')
			i++;
		start = w.n;
		w.out[w.n++] = '/';
		rc = copy_segment(&w, path, &i);
		if (rc != URI_OK)
			return (rc);
		segment = span_mem(w.out + start + 1, w.n - start - 1);
		slash_last = false;
		if (segment.n == 0 || span_eq(segment, SPAN("."))) {
			w.n = start;
			slash_last = true;
		} else if (span_eq(segment, SPAN(".."))) {
			if (start == 0)
				return (URI_ABOVE_ROOT);
			for (w.n = start - 1; w.out[w.n] != '/'; w.n--)
				continue;
			slash_last = true;
		}
	}
	if (slash_last || w.n == 0)
		w.out[w.n++] = '/';
	*path_r = span_mem(w.out, w.n);
	return (URI_OK);
}

/* Is the path canonical as it stands? Says no too often ("/.well-known"), which
 * costs a copy only. */
static bool
path_is_canonical(struct span path)
{
	size_t i;
	char before = 'x';

	for (i = 0; i < path.n; i++) {
		if (!char_is(path.p[i], CHAR_LITERAL))
			return (false);
		if (before == '/' && (path.p[i] == '/' || path.p[i] == '.'))
			return (false);
		before = path.p[i];
	}
	return (true);
}

/* Length of what some reader takes for a separator at p[i] of a canonical path:
 * "/", and "\" and "/" escaped. 0: none. */
static size_t
separator(struct span path, size_t i)
{
	if (path.p[i] == '/')
		return (1);
	if (path.p[i] == '%' &&
	    (memcmp(path.p + i, "%2F", 3) == 0 || memcmp(path.p + i, "%5C", 3) == 0))
		return (3);
	return (0);
}

/* A dot segment that the rules of RFC 3986 don't see and an application may:
 * beside an escaped slash or backslash, or with parameters ("..;x", which
 * servlet containers cut off before they look for dots). */
static bool
has_hidden_dots(struct span path)
{
	size_t i = 0, start, skip;
	struct span segment;

	while (i < path.n) {
		skip = separator(path, i);
		i += skip > 0 ? skip : 1;
		if (skip == 0)
			continue;
		start = i;
		while (i < path.n && path.p[i] == '.')
			i++;
		segment = span_cut(path, start, i);
		if (segment.n < 1 || segment.n > 2)
			continue;
		if (i == path.n || separator(path, i) > 0 || path.p[i] == ';' ||
		    (path.p[i] == '%' && memcmp(path.p + i, "%3B", 3) == 0))
			return (true);
	}
	return (false);
}

/* Undoes escapes; those of "/" and "\" stay, or become one "/" where there is
 * none yet. */
static struct span
decode_path(struct span path, struct arena *arena, bool slashes)
{
	char *out = arena_alloc(arena, path.n);
	size_t i, n = 0;
	bool slash;
	char c;

	if (out == NULL)
		return (SPAN_NONE);
	for (i = 0; i < path.n; i++) {
		c = path.p[i];
		slash = separator(path, i) == 3;
		if (slash && !slashes) {
			memcpy(out + n, path.p + i, 3);
			n += 3;
			i += 2;
			continue;
		}
		if (c == '%') {
			c = slash ? '/' : (char)escape_value(path, i);
			i += 2;
		}
		if (c == '/' && slashes && n > 0 && out[n - 1] == '/')
			continue;
		out[n++] = c;
	}
	return (span_mem(out, n));
}

static bool
is_continuation(struct span s, size_t i)
{
	return (i < s.n && ((unsigned char)s.p[i] & 0xc0) == 0x80);
}

/* A character spelt with more bytes than it needs, so that "/" or "." would
 * come out of a careless decoder. Other bytes that are not UTF-8 (Latin-1) are
 * no attack. */
static bool
has_overlong(struct span s)
{
	unsigned char lead, next;
	size_t i;

	for (i = 0; i < s.n; i++) {
		lead = (unsigned char)s.p[i];
		if (lead < 0xc0 || !is_continuation(s, i + 1))
			continue;
		next = (unsigned char)s.p[i + 1];
		if (lead <= 0xc1 || (lead == 0xe0 && next < 0xa0) ||
		    (lead == 0xf0 && next < 0x90) || (lead == 0xf8 && next < 0x88) ||
		    (lead == 0xfc && next < 0x84))
			return (true);
	}
	return (false);
}

static enum uri_rc
parse_path(struct uri_target *t, struct arena *arena, struct span path)
{
	enum uri_rc rc;
	size_t i;

	if (path_is_canonical(path)) {
		t->path = t->decoded = t->slashed = path;
		return (URI_OK);
	}
	rc = rewrite_path(path, arena, &t->path);
	if (rc != URI_OK)
		return (rc);
	if (has_hidden_dots(t->path))
		return (URI_HIDDEN_DOTS);
	t->decoded = t->slashed = t->path;
	if (memchr(t->path.p, '%', t->path.n) == NULL)
		return (URI_OK);
	for (i = 0; i < t->path.n && !t->has_encoded_slash; i++)
		t->has_encoded_slash = separator(t->path, i) == 3;
	t->decoded = decode_path(t->path, arena, false);
	t->slashed = t->decoded;
	if (t->has_encoded_slash)
		t->slashed = decode_path(t->path, arena, true);
	if (t->decoded.p == NULL || t->slashed.p == NULL)
		return (URI_FULL);
	return (has_overlong(t->decoded) ? URI_OVERLONG : URI_OK);
}

static enum uri_rc
parse_query(struct uri_target *t, struct arena *arena, struct span query)
{
	size_t i, raw = 0;
	struct writer w = { NULL, 0 };

	for (i = 0; i < query.n; i++)
		if (!char_is(query.p[i], CHAR_LITERAL) && query.p[i] != '%')
			raw++;
	t->has_query = true;
	t->query = query;
	if (raw == 0)
		return (URI_OK);
	w.out = arena_alloc(arena, query.n + 2 * raw);
	if (w.out == NULL)
		return (URI_FULL);
	for (i = 0; i < query.n; i++) {
		if (char_is(query.p[i], CHAR_LITERAL) || query.p[i] == '%')
			w.out[w.n++] = query.p[i];
		else
			put_escape(&w, (unsigned char)query.p[i]);
	}
	t->query = span_mem(w.out, w.n);
	return (URI_OK);
}

static enum uri_rc
parse_path_query(struct uri_target *t, struct arena *arena, struct span text)
{
	const char *mark = text.n > 0 ? memchr(text.p, '?', text.n) : NULL;
	struct span path = text;
	enum uri_rc rc;

	if (mark != NULL) {
		path.n = (size_t)(mark - text.p);
		rc = parse_query(t, arena, span_cut(text, path.n + 1, text.n));
		if (rc != URI_OK)
			return (rc);
	}
	return (parse_path(t, arena, path.n > 0 ? path : SPAN("/")));
}

static void
set_asterisk(struct uri_target *t)
{
	t->asterisk = true;
	t->path = t->decoded = t->slashed = SPAN("*");
}

enum uri_rc
uri_target_parse(struct uri_target *target_r, struct arena *arena, struct span method,
    struct span target)
{
	struct uri_absolute absolute;
	enum uri_rc rc;

	memset(target_r, 0, sizeof(*target_r));
	if (target.n == 0 || span_eq(method, SPAN("CONNECT")) ||
	    char_run(target.p, 0, target.n, CHAR_TARGET) < target.n)
		return (URI_BAD_FORM);
	if (target.p[0] == '/')
		return (parse_path_query(target_r, arena, target));
	if (span_eq(target, SPAN("*"))) {
		if (!span_eq(method, SPAN("OPTIONS")))
			return (URI_BAD_FORM);
		set_asterisk(target_r);
		return (URI_OK);
	}
	if (!uri_absolute_split(&absolute, target))
		return (URI_BAD_FORM);
	target_r->absolute = true;
	target_r->scheme = absolute.https ? SPAN("https") : SPAN("http");
	rc = uri_authority_parse(&target_r->authority, arena, absolute.authority);
	if (rc != URI_OK)
		return (rc);
	/* RFC 9112 3.2.4: "OPTIONS http://host" asks for the server as a whole */
	if (absolute.rest.n == 0 && span_eq(method, SPAN("OPTIONS"))) {
		set_asterisk(target_r);
		return (URI_OK);
	}
	return (parse_path_query(target_r, arena, absolute.rest));
}
