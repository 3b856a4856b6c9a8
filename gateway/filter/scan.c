/* SPDX-License-Identifier: Apache-2.0 */
/* The search for secrets in text of unknown form. */
#include "config.h"

#include "gateway/filter/scan.h"

/* How far a name, or what stands between it and its separator, may reach. */
#define NAME_MAX_BYTES 256u
#define ESCAPES_MAX 8u
/* How long the headers of a part of a multipart body may be. */
#define PART_HEADERS_MAX 1024u
#define BOUNDARY_MAX 128u

/* A place found: bytes [from, to) are a secret. */
struct found {
	size_t from, to;
};

/* What stands between a name and its value. */
struct separator {
	size_t end; /* first byte behind it */
	size_t width; /* bytes its encoding takes: 1, 3 for "%3D" ... */
	uint8_t byte; /* ':' or '=' */
	bool quoted; /* the name ended with a quote */
};

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}

static uint8_t
lower(uint8_t c)
{
	return (c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c);
}

static bool
is_alnum(uint8_t c)
{
	return ((c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z'));
}

static bool
is_space(uint8_t c)
{
	return (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}

static bool
is_quote(uint8_t c)
{
	return (c == '"' || c == '\'');
}

static bool
is_name(uint8_t c)
{
	return (is_alnum(c) || c == '_' || c == '-' || c == '.' || c == '[' || c == ']' ||
		c == '$' || c >= 0x80);
}

/* "%(25)*XX"; 0: it is none. */
static size_t
percent_byte(struct span s, size_t at, uint8_t *byte_r)
{
	size_t i = at + 1, level;
	int high, low;

	for (level = 0; level < ESCAPES_MAX; level++) {
		if (i + 3 >= s.n || s.p[i] != '2' || s.p[i + 1] != '5')
			break;
		i += 2;
	}
	/* "%25" itself, when what follows is no escape. */
	if (level > 0 && (hex_value(s.p[i]) < 0 || hex_value(s.p[i + 1]) < 0)) {
		*byte_r = '%';
		return (3);
	}
	if (i + 1 >= s.n)
		return (0);
	high = hex_value(s.p[i]);
	low = hex_value(s.p[i + 1]);
	if (high < 0 || low < 0)
		return (0);
	*byte_r = (uint8_t)(high * 16 + low);
	return (i + 2 - at);
}

/* "\u0041", with more backslashes when JSON stands in JSON; 0: it is none. */
static size_t
backslash_byte(struct span s, size_t at, uint8_t *byte_r)
{
	size_t i = at;
	int value = 0, digit, k;

	while (i < s.n && i - at < ESCAPES_MAX && s.p[i] == '\\')
		i++;
	if (i + 4 >= s.n || s.p[i] != 'u')
		return (0);
	for (k = 1; k <= 4; k++) {
		digit = hex_value(s.p[i + (size_t)k]);
		if (digit < 0)
			return (0);
		value = value * 16 + digit;
	}
	if (value >= 0x80)
		return (0);
	*byte_r = (uint8_t)value;
	return (i + 5 - at);
}

size_t
scan_byte(struct span s, size_t at, uint8_t *byte_r)
{
	size_t n = 0;

	if (s.p[at] == '%')
		n = percent_byte(s, at, byte_r);
	else if (s.p[at] == '\\')
		n = backslash_byte(s, at, byte_r);
	if (n != 0)
		return (n);
	*byte_r = (uint8_t)s.p[at];
	return (1);
}

/* End of the word that begins at `at`, 0 when it does not. */
static size_t
word_end(const char *word, size_t n, struct span s, size_t at)
{
	uint8_t c;
	size_t i;

	for (i = 0; i < n; i++) {
		if (at >= s.n)
			return (0);
		at += scan_byte(s, at, &c);
		if (lower(c) != (uint8_t)word[i])
			return (0);
	}
	return (at);
}

static size_t
secret_end(const struct mask *m, struct span s, size_t at)
{
	size_t i, end;

	for (i = 0; i < m->n_words; i++) {
		end = word_end(m->words[i].p, m->words[i].n, s, at);
		if (end != 0)
			return (end);
	}
	return (0);
}

/* Where to look next: "%2541" is "A" to one who decodes twice and "%41" to one
 * who decodes once, so what follows "%25" is looked at by itself too. */
static size_t
step_over(struct span s, size_t at, size_t n)
{
	return (at + (s.p[at] == '%' && n > 3 ? 3 : n));
}

/* Most letters begin no word, as the next one tells: a cheap look at both spares
 * the search. */
static bool
is_dull(const struct mask *m, struct span s, size_t at)
{
	uint8_t c = (uint8_t)s.p[at], next;

	if (!m->stops[c])
		return (true);
	if (at + 1 == s.n || lower(c) < 'a' || lower(c) > 'z')
		return (false);
	next = lower((uint8_t)s.p[at + 1]);
	return (
	    next >= 'a' && next <= 'z' && (m->follows[c] & (1u << (next - 'a'))) == 0);
}

bool
scan_has_word(const struct mask *m, struct span s)
{
	size_t at, n;
	uint8_t c;

	for (at = 0; at < s.n; at = step_over(s, at, n)) {
		n = 1;
		if (is_dull(m, s, at))
			continue;
		n = scan_byte(s, at, &c);
		if (m->starts[c] && secret_end(m, s, at) != 0)
			return (true);
	}
	return (false);
}

/* Decoded byte at `at`, its width in *n_r; 0 and 0 at the end. */
static uint8_t
look(struct span s, size_t at, size_t *n_r)
{
	uint8_t c = 0;

	*n_r = at < s.n ? scan_byte(s, at, &c) : 0;
	return (c);
}

static size_t
skip_space(struct span s, size_t at)
{
	size_t n;
	uint8_t c;

	for (c = look(s, at, &n); n != 0 && is_space(c); c = look(s, at, &n))
		at += n;
	return (at);
}

/* What may close a name: quotes, their backslashes, brackets, space. */
static size_t
skip_closing(struct span s, size_t at, bool *quoted_r)
{
	size_t n, end = at + NAME_MAX_BYTES;
	uint8_t c;

	for (c = look(s, at, &n); n != 0 && at < end; c = look(s, at, &n)) {
		if (is_quote(c))
			*quoted_r = true;
		else if (c != '\\' && c != ']' && c != ')' && !is_space(c))
			break;
		at += n;
	}
	return (at);
}

static bool
separator_at(struct span s, size_t at, struct separator *sep_r)
{
	size_t n;
	uint8_t c = look(s, at, &n);

	if (n == 0 || (c != ':' && c != '='))
		return (false);
	sep_r->byte = c;
	sep_r->width = n;
	/* "==", ":=" and "=>" too */
	do {
		at += n;
		c = look(s, at, &n);
	} while (n != 0 && (c == '=' || c == '>'));
	sep_r->end = at;
	return (true);
}

/* The separator of the name whose secret word ended at `at`. */
static bool
find_separator(struct span s, size_t at, struct separator *sep_r)
{
	size_t n, start = at, end = at + NAME_MAX_BYTES;
	uint8_t c;

	sep_r->quoted = false;
	for (c = look(s, at, &n); n != 0 && at < end && is_name(c); c = look(s, at, &n))
		at += n;
	if (separator_at(s, skip_closing(s, at, &sep_r->quoted), sep_r))
		return (true);
	/* A quoted name may hold any byte: { "my password field": ... */
	for (at = start, c = look(s, at, &n); n != 0 && at < end; c = look(s, at, &n)) {
		if (c == '\n')
			return (false);
		if (is_quote(c))
			break;
		at += n;
	}
	if (n == 0 || !is_quote(c))
		return (false);
	sep_r->quoted = true;
	at = skip_closing(s, at, &sep_r->quoted);
	return (separator_at(s, at, sep_r) && sep_r->byte == ':');
}

/* Behind the string that began with `quote`: its closing quote is written as
 * widely and has no more backslashes. */
static size_t
string_end(struct span s, size_t at, uint8_t quote, size_t width, size_t backslashes)
{
	size_t n, run = 0;
	uint8_t c;

	for (c = look(s, at, &n); n != 0; c = look(s, at, &n)) {
		if (c == quote && n == width &&
		    (backslashes == 0 ? run % 2 == 0 : run <= backslashes))
			return (at);
		run = c == '\\' && n < 6 ? run + 1 : 0;
		at += n;
	}
	return (s.n);
}

/* Behind a balanced { } or [ ]. */
static size_t
nest_end(struct span s, size_t at)
{
	size_t n, depth = 0;
	uint8_t c;

	for (c = look(s, at, &n); n != 0; c = look(s, at, &n)) {
		at += n;
		if (c == '"') {
			at = string_end(s, at, c, n, 0);
			(void)look(s, at, &n);
			at += n;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']') && --depth == 0) {
			return (at);
		}
	}
	return (s.n);
}

/* A bare value: up to the next parameter or the end of the line. */
static size_t
parameter_end(struct span s, size_t at, const struct separator *sep)
{
	size_t n;
	uint8_t c;

	for (c = look(s, at, &n); n != 0; c = look(s, at, &n)) {
		if ((n == 1 || n == sep->width) &&
		    (c == '\n' || c == '\r' || (c == '&' && sep->byte == '=')))
			return (at);
		at += n;
	}
	return (s.n);
}

/* May a value of JSON end here? What follows otherwise belongs to it. */
static bool
is_delimited(struct span s, size_t at)
{
	size_t n;
	uint8_t c = look(s, skip_space(s, at), &n);

	return (n == 0 || (c != 0 && strchr(",}]&\\\"'", c) != NULL));
}

/* A number or literal of JSON: the text behind "name": is not quoted. */
static size_t
scalar_end(struct span s, size_t at)
{
	size_t n;
	uint8_t c;

	for (c = look(s, at, &n); n != 0; c = look(s, at, &n)) {
		if (!is_alnum(c) && c != '+' && c != '-' && c != '.')
			break;
		at += n;
	}
	return (at);
}

/* A string whose opening quote is at `at`; returns what is behind it. */
static size_t
string_after(struct span s, size_t at, size_t backslashes, struct found *f)
{
	size_t n;
	uint8_t quote = look(s, at, &n);

	f->from = at + n;
	at = f->to = string_end(s, f->from, quote, n, backslashes);
	/* the backslashes of the closing quote are not the value's */
	while (f->to > f->from && s.p[f->to - 1] == '\\' && backslashes-- > 0)
		f->to--;
	(void)look(s, at, &n);
	return (at + n);
}

static void
value_after(struct span s, const struct separator *sep, struct found *f)
{
	size_t n, at = skip_space(s, sep->end), backslashes = 0;
	uint8_t c;

	f->from = at;
	/* Only a JSON member says where its value ends. A quote in "name=value" or
	 * in a line "name: value" may be a part of the value. */
	if (sep->byte != ':' || !sep->quoted) {
		f->to = parameter_end(s, f->from, sep);
		return;
	}
	for (c = look(s, at, &n); n != 0 && c == '\\' && n < 6; c = look(s, at, &n)) {
		backslashes++;
		at += n;
	}
	if (is_quote(c))
		at = string_after(s, at, backslashes, f);
	else if (c == '{' || c == '[')
		at = f->to = nest_end(s, at);
	else
		at = f->to = scalar_end(s, at);
	if (!is_delimited(s, at))
		f->to = parameter_end(s, at, sep);
}

/* Decoded, does the text at `at` begin as the name does? */
static bool
same_name(struct span name, struct span s, size_t at)
{
	size_t i = 0;
	uint8_t a, b;

	while (i < name.n) {
		if (at >= s.n)
			return (false);
		i += scan_byte(name, i, &a);
		at += scan_byte(s, at, &b);
		if (a != b)
			return (false);
	}
	return (true);
}

/* Is there "<name", with a secret name? Then all that the element holds, its
 * attributes too, up to its closing tag. */
static bool
element_after(const struct mask *m, struct span s, size_t at, struct found *f)
{
	struct span name;
	size_t n, next, start, end;
	bool open = true;
	uint8_t c, d;

	(void)look(s, at, &n);
	start = at += n;
	end = at + NAME_MAX_BYTES;
	for (c = look(s, at, &n); n != 0 && at < end && (is_name(c) || c == ':');
	     c = look(s, at, &n))
		at += n;
	name = span_cut(s, start, at);
	if (!scan_has_word(m, name))
		return (false);
	f->from = at;
	for (c = look(s, at, &n); n != 0; c = look(s, at, &n)) {
		d = look(s, at + n, &next);
		if (c == '/' && d == '>' && open)
			break;
		if (c == '<' && d == '/' && same_name(name, s, at + n + next))
			break;
		if (c == '>')
			open = false;
		at += n;
	}
	f->to = at;
	return (true);
}

/* "--boundary" from above the headers at `at`; absent when it is not there. */
static struct span
boundary_before(struct span s, size_t at)
{
	size_t i = at, end;

	while (i > 0 && at - i < PART_HEADERS_MAX && s.p[i - 1] != '\n')
		i--;
	/* `i` begins a line; what is above it ends at `end` */
	while (i > 0 && at - i < PART_HEADERS_MAX) {
		end = --i;
		if (end > 0 && s.p[end - 1] == '\r')
			end--;
		for (i = end; i > 0 && s.p[i - 1] != '\n' && at - i < PART_HEADERS_MAX;)
			i--;
		if (end > i + 2 && s.p[i] == '-' && s.p[i + 1] == '-')
			return (span_cut(s, i, end));
		if (end == i)
			break;
	}
	return (SPAN_NONE);
}

/* The line break before the next boundary; the end of the text without one. */
static size_t
part_end(struct span s, size_t at, struct span boundary)
{
	size_t i, from = at;

	if (boundary.p == NULL)
		return (s.n);
	while ((i = span_find(span_cut(s, from, s.n), boundary)) != SIZE_MAX) {
		i += from;
		if (i == at)
			return (at);
		if (s.p[i - 1] == '\n')
			return (i - 1 > at && s.p[i - 2] == '\r' ? i - 2 : i - 1);
		from = i + boundary.n;
	}
	return (s.n);
}

/* A part of a multipart body: its headers are at `at`, its content is secret
 * when they hold a secret word. */
static bool
part_after(const struct mask *m, struct span s, size_t at, struct found *f)
{
	struct span headers = span_cut(s, at, at + PART_HEADERS_MAX);
	size_t crlf = span_find(headers, SPAN("\r\n\r\n"));
	size_t lf = span_find(headers, SPAN("\n\n"));

	if (crlf != SIZE_MAX || lf != SIZE_MAX)
		headers.n = crlf < lf ? crlf + 4 : lf + 2;
	f->from = at + headers.n;
	if (f->from >= s.n || !scan_has_word(m, headers))
		return (false);
	f->to = part_end(s, f->from, boundary_before(s, at));
	return (true);
}

static bool
ends_authority(uint8_t c)
{
	return (c == '/' || c == '?' || c == '#' || is_space(c) || is_quote(c));
}

/* "://user:password@": the credentials. Also when the text is cut before the
 * "@" and it is no port that follows the colon. */
static bool
userinfo_after(struct span s, size_t at, struct found *f)
{
	size_t n, end = at + NAME_MAX_BYTES;
	bool colon = false, no_port = false;
	uint8_t c;

	at = word_end("://", 3, s, at);
	if (at == 0)
		return (false);
	f->from = at;
	f->to = 0;
	for (c = look(s, at, &n); n != 0 && at < end && !ends_authority(c);
	     c = look(s, at, &n)) {
		no_port = no_port || (colon && (c < '0' || c > '9'));
		colon = colon || c == ':';
		if (c == '@')
			f->to = at;
		at += n;
	}
	if (n == 0 && no_port && f->to == 0)
		f->to = s.n;
	return (f->to > f->from);
}

/* Does a secret begin at `at`? */
static bool
secret_at(const struct mask *m, struct span s, size_t at, uint8_t c, struct found *f)
{
	struct separator sep;
	size_t end;

	if (c == ':')
		return (userinfo_after(s, at, f));
	if (c == '<')
		return (element_after(m, s, at, f));
	if (lower(c) == 'c' && word_end("content-disposition", 19, s, at) != 0 &&
	    part_after(m, s, at, f))
		return (true);
	if (!m->starts[c])
		return (false);
	end = secret_end(m, s, at);
	if (end == 0)
		return (false);
	if (!find_separator(s, end, &sep))
		return (false);
	value_after(s, &sep, f);
	return (true);
}

void
scan_mask(const struct mask *m, struct span s, struct text *out)
{
	struct found f;
	size_t at = 0, done = 0, n;
	uint8_t c;

	while (at < s.n) {
		if (is_dull(m, s, at)) {
			at++;
			continue;
		}
		n = scan_byte(s, at, &c);
		if (!m->stops[c] || !secret_at(m, s, at, c, &f)) {
			at = step_over(s, at, n);
			continue;
		}
		text_put(out, span_cut(s, done, f.from));
		text_puts(out, MASK_TEXT);
		done = at = f.to;
	}
	text_put(out, span_cut(s, done, s.n));
}
