/* SPDX-License-Identifier: Apache-2.0 */
/* Message bodies: by length, until close, and chunked (RFC 9112 section 7.1). */
#include "config.h"

#include "gateway/http/h1.h"

#include "gateway/base/check.h"
#include "gateway/http/chars.h"

#define SIZE_DIGITS_MAX 16 /* of a chunk size; leading zeros count */
#define CHUNK_LINE_MAX 1024 /* with its extensions */

enum body_state {
	BODY_DATA, /* `left` bytes to come */
	BODY_SIZE,
	BODY_SIZE_BLANK, /* white space before ";" */
	BODY_EXT, /* behind ";" */
	BODY_EXT_NAME,
	BODY_EXT_NAME_BLANK, /* before "=" or ";" */
	BODY_EXT_VALUE, /* behind "=" */
	BODY_EXT_TOKEN,
	BODY_EXT_QUOTED,
	BODY_EXT_ESCAPED, /* behind "\" in quotes */
	BODY_EXT_END, /* behind a closing quote */
	BODY_EXT_END_BLANK, /* behind a value, before ";" */
	BODY_SIZE_LF,
	BODY_DATA_CR,
	BODY_DATA_LF,
	BODY_TRAILER, /* at the start of a line */
	BODY_TRAILER_NAME,
	BODY_TRAILER_NAME_LF,
	BODY_TRAILER_VALUE,
	BODY_TRAILER_LF,
	BODY_END_LF,
	BODY_DONE,
	BODY_BAD,
};

void
h1_body_init(
    struct h1_body *body, enum h1_framing framing, uint64_t length, uint32_t trailer_max)
{
	memset(body, 0, sizeof(*body));
	body->framing = framing;
	body->trailer_max = trailer_max;
	switch (framing) {
	case H1_NO_BODY: body->state = BODY_DONE; break;
	case H1_LENGTH:
		body->left = length;
		body->state = length > 0 ? BODY_DATA : BODY_DONE;
		break;
	case H1_CHUNKED: body->state = BODY_SIZE; break;
	case H1_UNTIL_CLOSE: body->state = BODY_DATA; break;
	}
}

bool
h1_body_may_end(const struct h1_body *body)
{
	return (body->framing == H1_UNTIL_CLOSE || body->state == BODY_DONE);
}

static void
refuse(struct h1_body *body, enum h1_oddity oddity)
{
	body->oddity = oddity;
	body->state = BODY_BAD;
}

static void
line_start(struct h1_body *body, enum body_state state)
{
	body->line_bytes = 0;
	body->state = (uint8_t)state;
}

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t');
}

/* Hex digits; `left` becomes their value. */
static void
read_size(struct h1_body *body, char c)
{
	if (char_is(c, CHAR_HEX)) {
		/* 16 digits can't overflow; no other reader's signed 64 bits
		 * may either */
		if (body->line_bytes > SIZE_DIGITS_MAX || body->left > INT64_MAX >> 4)
			refuse(body, H1_ODD_CHUNK_SIZE);
		else
			body->left = body->left << 4 | char_hex_value(c);
	} else if (body->line_bytes == 1) {
		refuse(body, c == '\n' ? H1_ODD_BARE_LF : H1_ODD_CHUNK_SIZE);
	} else if (c == '\r') {
		body->state = BODY_SIZE_LF;
	} else if (c == ';') {
		body->state = BODY_EXT;
	} else if (is_blank(c)) {
		body->state = BODY_SIZE_BLANK;
	} else {
		refuse(body, c == '\n' ? H1_ODD_BARE_LF : H1_ODD_CHUNK_SIZE);
	}
}

static void
refuse_extension(struct h1_body *body, char c)
{
	refuse(body, c == '\n' ? H1_ODD_BARE_LF : H1_ODD_CHUNK_EXTENSION);
}

/* Where an extension's name or value is complete. */
static void
end_extension(struct h1_body *body, char c, enum body_state blank)
{
	if (c == '\r')
		body->state = BODY_SIZE_LF;
	else if (c == ';')
		body->state = BODY_EXT;
	else if (c == '=' &&
		 (body->state == BODY_EXT_NAME || body->state == BODY_EXT_NAME_BLANK))
		body->state = BODY_EXT_VALUE;
	else if (is_blank(c))
		body->state = (uint8_t)blank;
	else
		refuse_extension(body, c);
}

/* A blank that no extension follows is no grammar of RFC 9112. */
static void
read_blank(struct h1_body *body, char c)
{
	if (c == '\r')
		refuse(body, H1_ODD_CHUNK_EXTENSION);
	else
		end_extension(body, c, (enum body_state)body->state);
}

static void
read_quoted(struct h1_body *body, char c)
{
	if (body->state == BODY_EXT_ESCAPED) {
		if (char_is(c, CHAR_VALUE))
			body->state = BODY_EXT_QUOTED;
		else
			refuse_extension(body, c);
	} else if (c == '"') {
		body->state = BODY_EXT_END;
	} else if (c == '\\') {
		body->state = BODY_EXT_ESCAPED;
	} else if (!char_is(c, CHAR_QUOTED)) {
		refuse_extension(body, c);
	}
}

static void
read_extension(struct h1_body *body, char c)
{
	const bool token = char_is(c, CHAR_TOKEN);

	switch ((enum body_state)body->state) {
	case BODY_EXT:
		if (token)
			body->state = BODY_EXT_NAME;
		else if (!is_blank(c))
			refuse_extension(body, c);
		break;
	case BODY_EXT_NAME:
		if (!token)
			end_extension(body, c, BODY_EXT_NAME_BLANK);
		break;
	case BODY_EXT_VALUE:
		if (c == '"')
			body->state = BODY_EXT_QUOTED;
		else if (token)
			body->state = BODY_EXT_TOKEN;
		else if (!is_blank(c))
			refuse_extension(body, c);
		break;
	case BODY_EXT_TOKEN:
		if (!token)
			end_extension(body, c, BODY_EXT_END_BLANK);
		break;
	case BODY_EXT_QUOTED:
	case BODY_EXT_ESCAPED: read_quoted(body, c); break;
	case BODY_EXT_END: end_extension(body, c, BODY_EXT_END_BLANK); break;
	default: read_blank(body, c); break;
	}
}

/* The LF behind the CR of a line. */
static void
read_lf(struct h1_body *body, char c)
{
	if (c != '\n') {
		refuse(body, H1_ODD_BARE_CR);
		return;
	}
	switch ((enum body_state)body->state) {
	case BODY_SIZE_LF:
		line_start(body, body->left > 0 ? BODY_DATA : BODY_TRAILER);
		break;
	case BODY_DATA_LF: line_start(body, BODY_SIZE); break;
	case BODY_TRAILER_LF: line_start(body, BODY_TRAILER); break;
	case BODY_TRAILER_NAME_LF: refuse(body, H1_ODD_TRAILER); break;
	case BODY_END_LF: body->state = BODY_DONE; break;
	default: WRONG("state of a chunked body");
	}
}

static void
read_trailer_name(struct h1_body *body, char c)
{
	const bool first = body->state == BODY_TRAILER;

	if (char_is(c, CHAR_TOKEN))
		body->state = BODY_TRAILER_NAME;
	else if (c == '\r')
		body->state = first ? BODY_END_LF : BODY_TRAILER_NAME_LF;
	else if (c == '\n')
		refuse(body, H1_ODD_BARE_LF);
	else if (is_blank(c))
		refuse(body, first ? H1_ODD_FOLDED : H1_ODD_SPACE_BEFORE_COLON);
	else if (c == ':' && !first)
		body->state = BODY_TRAILER_VALUE;
	else
		refuse(body, char_is(c, CHAR_VALUE) ? H1_ODD_TRAILER : H1_ODD_CONTROL);
}

static void
read_trailer_value(struct h1_body *body, char c)
{
	if (c == '\r')
		body->state = BODY_TRAILER_LF;
	else if (!char_is(c, CHAR_VALUE))
		refuse(body, c == '\n' ? H1_ODD_BARE_LF : H1_ODD_CONTROL);
}

static void
read_data_end(struct h1_body *body, char c)
{
	if (c == '\r')
		body->state = BODY_DATA_LF;
	else
		refuse(body, c == '\n' ? H1_ODD_BARE_LF : H1_ODD_CHUNK_END);
}

/* Is the byte to come one of an extension or a trailer? */
static bool
is_extra(enum body_state state)
{
	switch (state) {
	case BODY_DATA:
	case BODY_SIZE:
	case BODY_SIZE_LF:
	case BODY_DATA_CR:
	case BODY_DATA_LF:
	case BODY_TRAILER:
	case BODY_END_LF:
	case BODY_DONE:
	case BODY_BAD: return (false);
	default: return (true);
	}
}

/* Extensions and trailers of a whole body share one bound, so that small chunks
 * with long lines do not make work out of nothing. */
static bool
within_bounds(struct h1_body *body)
{
	body->line_bytes++;
	if (body->state < BODY_TRAILER && body->line_bytes > CHUNK_LINE_MAX) {
		refuse(body, H1_ODD_CHUNK_EXTENSION);
		return (false);
	}
	if (is_extra((enum body_state)body->state) &&
	    ++body->trailer_bytes > body->trailer_max) {
		refuse(body, H1_ODD_HEADER_TOO_LARGE);
		return (false);
	}
	return (true);
}

/* One byte of a chunked body that is not data. */
static void
read_framing(struct h1_body *body, char c)
{
	if (!within_bounds(body))
		return;
	switch ((enum body_state)body->state) {
	case BODY_SIZE: read_size(body, c); break;
	case BODY_SIZE_LF:
	case BODY_DATA_LF:
	case BODY_TRAILER_LF:
	case BODY_TRAILER_NAME_LF:
	case BODY_END_LF: read_lf(body, c); break;
	case BODY_DATA_CR: read_data_end(body, c); break;
	case BODY_TRAILER:
	case BODY_TRAILER_NAME: read_trailer_name(body, c); break;
	case BODY_TRAILER_VALUE: read_trailer_value(body, c); break;
	default: read_extension(body, c); break;
	}
}

/* Body bytes from the front of `in`. */
static struct span
take_data(struct h1_body *body, struct span in)
{
	if (body->framing == H1_UNTIL_CLOSE)
		return (in);
	if (in.n > body->left)
		in.n = (size_t)body->left;
	body->left -= in.n;
	if (body->left == 0)
		body->state = body->framing == H1_CHUNKED ? BODY_DATA_CR : BODY_DONE;
	return (in);
}

enum h1_rc
h1_body_pull(struct h1_body *body, struct span in, size_t *used_r, struct span *data_r)
{
	size_t at = 0;

	*data_r = span_mem(in.p, 0);
	while (at < in.n && body->state < BODY_DONE) {
		if (body->state != BODY_DATA) {
			read_framing(body, in.p[at++]);
		} else if (data_r->n > 0) {
			break;
		} else {
			*data_r = take_data(body, span_mem(in.p + at, in.n - at));
			at += data_r->n;
		}
	}
	*used_r = at;
	if (body->state == BODY_BAD)
		return (H1_BAD);
	return (body->state == BODY_DONE ? H1_DONE : H1_MORE);
}
