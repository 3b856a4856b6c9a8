/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON: structure, commas, and strings of hostile bytes. */
#include "config.h"

#include "gateway/base/json.h"

#include "gateway/base/check.h"
#include "gateway/base/utf8.h"

#include <inttypes.h>
#include <string.h>

void
json_start(struct json_out *j, struct text *text)
{
	*j = (struct json_out){ .text = text };
}

/* A value begins: a comma first unless it is the first one here. */
static void
value(struct json_out *j)
{
	if (j->comma[j->depth])
		text_putc(j->text, ',');
	j->comma[j->depth] = true;
}

static void
open_level(struct json_out *j, char bracket)
{
	value(j);
	text_putc(j->text, bracket);
	CHECK(j->depth + 1 < JSON_DEPTH_MAX);
	j->depth++;
	j->comma[j->depth] = false;
}

static void
close_level(struct json_out *j, char bracket)
{
	CHECK(j->depth > 0);
	j->depth--;
	text_putc(j->text, bracket);
}

void
json_object_begin(struct json_out *j)
{
	open_level(j, '{');
}

void
json_object_end(struct json_out *j)
{
	close_level(j, '}');
}

void
json_array_begin(struct json_out *j)
{
	open_level(j, '[');
}

void
json_array_end(struct json_out *j)
{
	close_level(j, ']');
}

static void
put_escaped_byte(struct text *t, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	switch (c) {
	case '"': text_puts(t, "\\\""); break;
	case '\\': text_puts(t, "\\\\"); break;
	case '\n': text_puts(t, "\\n"); break;
	case '\r': text_puts(t, "\\r"); break;
	case '\t': text_puts(t, "\\t"); break;
	default: text_put(t, span_mem(escape, sizeof escape)); break;
	}
}

static inline bool
is_plain(unsigned char c)
{
	return (c >= 0x20 && c < 0x7f && c != '"' && c != '\\');
}

/* Runs that need no escape are copied in one go. Returns what was used, which
 * is less than s.n only where `max` cut it. */
static size_t
put_string_body(struct text *t, struct span s, size_t max)
{
	size_t at = 0, run = 0, n;

	while (at < s.n && at < max) {
		unsigned char c = (unsigned char)s.p[at];

		if (is_plain(c)) {
			at++;
			continue;
		}
		n = c == 0x7f ? 0 : utf8_sequence(span_cut(s, at, s.n));
		if (n > 1) {
			if (at + n > max)
				break;
			at += n;
			continue;
		}
		text_put(t, span_cut(s, run, at));
		put_escaped_byte(t, c);
		run = ++at;
	}
	text_put(t, span_cut(s, run, at));
	return (at);
}

void
json_key(struct json_out *j, const char *key)
{
	value(j);
	text_putc(j->text, '"');
	text_puts(j->text, key);
	text_put(j->text, SPAN("\":"));
	/* What follows is this key's value. */
	j->comma[j->depth] = false;
}

void
json_put_string(struct json_out *j, struct span s)
{
	json_put_string_cut(j, s, SIZE_MAX);
}

void
json_put_string_cut(struct json_out *j, struct span s, size_t max)
{
	value(j);
	text_putc(j->text, '"');
	if (put_string_body(j->text, s, max) < s.n)
		text_put(j->text, SPAN("..."));
	text_putc(j->text, '"');
}

void
json_put_int(struct json_out *j, int64_t v)
{
	char digits[24], *at = digits + sizeof digits;
	uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;

	value(j);
	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (v < 0)
		*--at = '-';
	text_put(j->text, span_mem(at, (size_t)(digits + sizeof digits - at)));
}

void
json_put_bool(struct json_out *j, bool v)
{
	value(j);
	text_puts(j->text, v ? "true" : "false");
}

void
json_put_null(struct json_out *j)
{
	value(j);
	text_put(j->text, SPAN("null"));
}

void
json_pair(struct json_out *j, const char *key, struct span s)
{
	json_key(j, key);
	if (s.p == NULL)
		json_put_null(j);
	else
		json_put_string(j, s);
}

void
json_pair_int(struct json_out *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_put_int(j, v);
}
