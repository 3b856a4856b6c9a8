/* SPDX-License-Identifier: Apache-2.0 */
/* Closing a body of which only the head is inspected, so that the engine's
 * parsers take it for a complete one: then all of the head is inspected, and an
 * error that is left is an error of the client's and not of the cut. A body
 * that nobody could close (UTF-16, too deep) is shown to the rules raw instead. */
#include "config.h"

#include "rules/body.h"

#include <string.h>

#include "gateway/base/utf8.h"

#define DEPTH_MAX 128

/* Bytes of a sequence that the cut left incomplete at the end. */
static size_t
partial_utf8(struct span s)
{
	size_t back;

	for (back = 1; back <= 3 && back <= s.n; back++) {
		unsigned char c = (unsigned char)s.p[s.n - back];

		if ((c & 0xc0) == 0x80)
			continue;
		if (c >= 0xc0 && utf8_sequence(span_cut(s, s.n - back, s.n)) == 0)
			return (back);
		return (0);
	}
	return (0);
}

/* --- forms -------------------------------------------------------------------- */

/* "%4" at the end is no malformed escape, just the cut. */
static bool
close_form(struct span body, size_t *keep_r)
{
	if (body.n >= 1 && body.p[body.n - 1] == '%')
		*keep_r = body.n - 1;
	else if (body.n >= 2 && body.p[body.n - 2] == '%')
		*keep_r = body.n - 2;
	return (true);
}

/* --- JSON ---------------------------------------------------------------------- */

struct json_cut {
	char stack[DEPTH_MAX]; /* the closing bracket of each level */
	size_t depth;
	size_t token; /* where the string or literal at the end begins */
	size_t escape; /* where the escape at the end begins; 0: none */
	bool quoted; /* inside a string */
	bool literal; /* inside a number or a word */
	bool is_key; /* the string is the name of a member */
	char last; /* last structural byte: { [ , : or v (a value), k (a key) */
};

static bool
json_in_string(struct json_cut *j, struct span body, size_t *i)
{
	char c = body.p[*i];

	if (c == '\\') {
		size_t need = *i + 1 < body.n && body.p[*i + 1] == 'u' ? 6 : 2;

		if (*i + need > body.n) {
			j->escape = *i;
			*i = body.n;
		} else {
			*i += need - 1;
		}
	} else if (c == '"') {
		j->quoted = false;
		j->last = j->is_key ? 'k' : 'v';
	}
	return (true);
}

static bool
json_byte(struct json_cut *j, struct span body, size_t i)
{
	char c = body.p[i];

	switch (c) {
	case '{':
	case '[':
		if (j->depth == DEPTH_MAX)
			return (false);
		j->stack[j->depth++] = c == '{' ? '}' : ']';
		j->last = c;
		break;
	case '}':
	case ']':
		if (j->depth == 0 || j->stack[--j->depth] != c)
			return (false);
		j->last = 'v';
		break;
	case ',':
	case ':': j->last = c; break;
	case '"':
		j->quoted = true;
		j->token = i;
		j->is_key = j->depth > 0 && j->stack[j->depth - 1] == '}' &&
			    (j->last == '{' || j->last == ',');
		break;
	case ' ':
	case '\t':
	case '\r':
	case '\n': break;
	default: j->literal = true; j->token = i;
	}
	return (true);
}

static bool
is_literal_byte(char c)
{
	return (c != '\0' && strchr(" \t\r\n,:{}[]\"", c) == NULL);
}

static void
json_end(const struct json_cut *j, struct span body, size_t *keep_r, struct text *close)
{
	bool object = j->depth > 0 && j->stack[j->depth - 1] == '}';

	if (j->quoted) {
		*keep_r = j->escape != 0 ? j->escape : body.n - partial_utf8(body);
		text_puts(close, j->is_key ? "\":null" : "\"");
	} else if (j->literal) {
		*keep_r = j->token;
		text_puts(close, "null");
	} else if (j->last == 'k') {
		text_puts(close, ":null");
	} else if (j->last == '\0' || j->last == ':' || (j->last == ',' && !object)) {
		text_puts(close, "null");
	} else if (j->last == ',') {
		text_puts(close, "\"yett.cut\":null");
	}
	for (size_t d = j->depth; d > 0; d--)
		text_putc(close, j->stack[d - 1]);
}

static bool
close_json(struct span body, size_t *keep_r, struct text *close)
{
	struct json_cut j = { 0 };

	for (size_t i = 0; i < body.n; i++) {
		if (j.literal && !is_literal_byte(body.p[i])) {
			j.literal = false;
			j.last = 'v';
		}
		if (j.quoted    ? !json_in_string(&j, body, &i)
		    : j.literal ? false
				: !json_byte(&j, body, i))
			return (false);
	}
	json_end(&j, body, keep_r, close);
	return (true);
}

/* --- XML ----------------------------------------------------------------------- */

struct xml_cut {
	struct span body;
	size_t *keep_r;
	struct text *close;
	struct span open[DEPTH_MAX]; /* names of the elements that are open */
	size_t depth;
	bool root; /* there is one */
};

static size_t
find_from(struct span body, size_t from, struct span what)
{
	size_t at = span_find(span_cut(body, from, body.n), what);

	return (at == SIZE_MAX ? SIZE_MAX : from + at);
}

/* Comments, CDATA and processing instructions: where they end. */
static bool
xml_special(struct span body, size_t at, struct span *opener, struct span *closer)
{
	static const struct {
		const char *opener, *closer;
	} kinds[] = { { "<!--", "-->" }, { "<![CDATA[", "]]>" }, { "<?", "?>" } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		*opener = span_of(kinds[i].opener);
		*closer = span_of(kinds[i].closer);
		if (span_starts(span_cut(body, at, body.n), *opener))
			return (true);
	}
	return (false);
}

/* The end of the tag at `at`; SIZE_MAX when it is cut, then `quote` is the quote
 * it is cut in, or 0. */
static size_t
xml_tag_end(struct span body, size_t at, char *quote)
{
	*quote = 0;
	for (size_t i = at + 1; i < body.n; i++) {
		char c = body.p[i];

		if (*quote != 0) {
			if (c == *quote)
				*quote = 0;
		} else if (c == '"' || c == '\'') {
			*quote = c;
		} else if (c == '>') {
			return (i);
		}
	}
	return (SIZE_MAX);
}

static struct span
xml_name(struct span body, size_t at)
{
	size_t end = at;

	while (end < body.n && strchr(" \t\r\n/>", body.p[end]) == NULL)
		end++;
	return (span_cut(body, at, end));
}

/* "&am" or half a character at the end. */
static size_t
partial_entity(struct span body)
{
	size_t half = partial_utf8(body);

	if (half != 0)
		return (half);
	for (size_t back = 1; back <= 12 && back <= body.n; back++) {
		char c = body.p[body.n - back];

		if (c == '&')
			return (back);
		if (c == ';' || c == '<' || c == '>')
			break;
	}
	return (0);
}

/* Cut inside the tag at `at`: its attribute is closed, or it is left out. */
static void
xml_cut_tag(struct xml_cut *x, size_t at, char quote)
{
	*x->keep_r = at;
	if (quote == 0 || x->body.p[at + 1] == '/' || x->body.p[at + 1] == '!')
		return;
	*x->keep_r = x->body.n - partial_entity(x->body);
	text_putc(x->close, quote);
	text_puts(x->close, "/>");
	x->root = true;
}

/* One tag that is there as a whole. */
static bool
xml_tag(struct xml_cut *x, struct span body, size_t at, size_t end)
{
	struct span name;

	if (body.p[at + 1] == '!')
		return (true); /* the parser refuses or knows a document type */
	if (body.p[at + 1] == '/') {
		if (x->depth == 0)
			return (false);
		x->depth--;
		return (true);
	}
	name = xml_name(body, at + 1);
	x->root = true;
	if (body.p[end - 1] == '/')
		return (true);
	if (name.n == 0 || x->depth == DEPTH_MAX)
		return (false);
	x->open[x->depth++] = name;
	return (true);
}

static bool
xml_walk(struct xml_cut *x)
{
	struct span body = x->body;
	struct span opener, closer;
	size_t at = 0, end;
	char quote;

	while ((at = find_from(body, at, SPAN("<"))) != SIZE_MAX) {
		if (at + 1 == body.n) {
			*x->keep_r = at;
			return (true);
		}
		if (xml_special(body, at, &opener, &closer)) {
			end = find_from(body, at + opener.n, closer);
			if (end == SIZE_MAX) {
				*x->keep_r = at;
				if (span_eq(opener, SPAN("<![CDATA["))) {
					*x->keep_r = body.n - partial_utf8(body);
					text_put(x->close, closer);
				}
				return (true);
			}
			at = end + closer.n;
			continue;
		}
		end = xml_tag_end(body, at, &quote);
		if (end == SIZE_MAX) {
			xml_cut_tag(x, at, quote);
			return (true);
		}
		if (!xml_tag(x, body, at, end))
			return (false);
		at = end + 1;
	}
	if (x->depth > 0)
		*x->keep_r = body.n - partial_entity(body);
	return (true);
}

static bool
close_xml(struct span body, size_t *keep_r, struct text *close)
{
	struct xml_cut x = { .body = body, .keep_r = keep_r, .close = close };

	/* byte order marks of other codings than UTF-8 */
	if (memchr(body.p, '\0', body.n < 64 ? body.n : 64) != NULL ||
	    (body.n > 0 && (unsigned char)body.p[0] >= 0xfe))
		return (false);
	if (!xml_walk(&x))
		return (false);
	if (!x.root)
		text_puts(close, "<yett/>");
	while (x.depth > 0) {
		x.depth--;
		text_puts(close, "</");
		text_put(close, x.open[x.depth]);
		text_puts(close, ">");
	}
	return (!close->overflow);
}

/* --- multipart ------------------------------------------------------------------ */

/* Where the last line that is, or may become, a delimiter begins. */
static size_t
multipart_tail(struct span body, struct span boundary)
{
	size_t at = body.n, n;
	struct span line;

	while (at > 0 && body.p[at - 1] != '\n' && body.n - at <= boundary.n + 4)
		at--;
	if (at > 0 && body.p[at - 1] != '\n')
		return (body.n);
	line = span_cut(body, at, body.n);
	n = line.n < 2 ? line.n : 2;
	if (memcmp(line.p, "--", n) != 0)
		return (body.n);
	n = line.n - n < boundary.n ? line.n - n : boundary.n;
	if (line.n > 2 && memcmp(line.p + 2, boundary.p, n) != 0)
		return (body.n);
	return (at);
}

/* The last part's delimiter, and where its content begins; SIZE_MAX: its head
 * is not complete. */
static bool
last_part(struct span body, struct span boundary, size_t *part_r, size_t *content_r)
{
	size_t at = 0, head;
	const char *p;
	bool found = false;

	while (at < body.n &&
	       (p = memmem(body.p + at, body.n - at, boundary.p, boundary.n)) != NULL) {
		at = (size_t)(p - body.p);
		if (at >= 2 && p[-1] == '-' && p[-2] == '-' &&
		    (at == 2 || p[-3] == '\n')) {
			*part_r = at - 2;
			found = true;
			head = find_from(body, at, SPAN("\r\n\r\n"));
			*content_r = head == SIZE_MAX ? SIZE_MAX : head + 4;
		}
		at += boundary.n;
	}
	return (found);
}

static bool
close_multipart(
    struct span body, struct span boundary, size_t *keep_r, struct text *close)
{
	size_t part, content, tail = multipart_tail(body, boundary);

	if (!last_part(body, boundary, &part, &content))
		return (false);
	if (tail <= part)
		tail = body.n;
	if (content == SIZE_MAX) {
		*keep_r = part; /* the head of a part: shown as an argument */
		if (part == 0)
			return (false);
	} else if (tail < body.n && tail >= content) {
		*keep_r = tail;
	} else {
		if (body.n > content && body.p[body.n - 1] == '\r')
			*keep_r = body.n - 1;
		text_puts(close, "\r\n");
	}
	text_puts(close, "--");
	text_put(close, boundary);
	text_puts(close, "--\r\n");
	return (true);
}

bool
body_close(enum shim_body kind, struct span body, struct span boundary, size_t *keep_r,
    struct text *close)
{
	*keep_r = body.n;
	switch (kind) {
	case SHIM_BODY_RAW: return (true);
	case SHIM_BODY_FORM: return (close_form(body, keep_r));
	case SHIM_BODY_MULTIPART: return (close_multipart(body, boundary, keep_r, close));
	case SHIM_BODY_JSON: return (close_json(body, keep_r, close));
	case SHIM_BODY_XML: return (close_xml(body, keep_r, close));
	}
	return (false);
}
