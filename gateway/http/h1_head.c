/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of HTTP/1 messages: start line and fields, byte by byte to a verdict
 * that does not depend on how the bytes were cut up on their way. */
#include "config.h"

#include "gateway/http/h1.h"

#include "gateway/base/check.h"
#include "gateway/http/chars.h"
#include "gateway/http/h1_framing.h"

#define METHOD_MAX 32

enum head_state {
	HEAD_START, /* before the request line */
	HEAD_START_LF, /* in an empty line before it */
	HEAD_METHOD,
	HEAD_TARGET,
	HEAD_TARGET_LF, /* a line that ended without a version */
	HEAD_VERSION,
	HEAD_VERSION_END, /* behind the version of a request */
	HEAD_STATUS,
	HEAD_REASON,
	HEAD_LINE_LF, /* CR of the start line was there */
	HEAD_LINE, /* at the start of a field line */
	HEAD_NAME,
	HEAD_NAME_LF, /* CR inside a name */
	HEAD_VALUE,
	HEAD_VALUE_LF,
	HEAD_END_LF, /* CR of the empty line was there */
	HEAD_DONE,
	HEAD_BAD,
};

/* clang-format off */
static const struct {
	unsigned status;
	const char *text;
} oddities[] = {
#define ODDITY(name, status, text)	[H1_ODD_##name] = { status, text },
	H1_ODDITIES(ODDITY)
#undef ODDITY
};
/* clang-format on */

unsigned
h1_oddity_status(enum h1_oddity oddity)
{
	CHECK(oddity < sizeof(oddities) / sizeof(oddities[0]));
	return (oddities[oddity].status);
}

const char *
h1_oddity_text(enum h1_oddity oddity)
{
	CHECK(oddity < sizeof(oddities) / sizeof(oddities[0]));
	return (oddities[oddity].text);
}

void
h1_request_init(struct h1_head *h, const struct h1_limits *limits,
    struct http_field *fields, uint32_t max_fields)
{
	memset(h, 0, sizeof(*h));
	h->limits = limits;
	h->state = HEAD_START;
	http_fields_init(&h->fields, fields, max_fields);
}

void
h1_response_init(struct h1_head *h, const struct h1_limits *limits,
    struct http_field *fields, uint32_t max_fields, bool to_head)
{
	h1_request_init(h, limits, fields, max_fields);
	h->state = HEAD_VERSION;
	h->is_response = true;
	h->to_head = to_head;
}

static void
refuse(struct h1_head *h, enum h1_oddity oddity)
{
	h->oddity = oddity;
	h->state = HEAD_BAD;
}

/* Goes on in `state` behind the byte at the position. */
static void
step(struct h1_head *h, enum head_state state)
{
	h->state = (uint8_t)state;
	h->position++;
	h->mark = h->position;
}

static struct span
marked(const struct h1_head *h, struct span b)
{
	return (span_cut(b, h->mark, h->position));
}

/* Every function below is called with at least one byte at the position, and
 * takes at least that one or refuses. */

static void
read_start(struct h1_head *h, struct span b)
{
	const char c = b.p[h->position];

	if (h->state == HEAD_START_LF) {
		if (c == '\n')
			step(h, HEAD_START);
		else
			refuse(h, H1_ODD_BARE_CR);
	} else if (c == '\r') {
		step(h, HEAD_START_LF);
	} else if (c == '\n') {
		refuse(h, H1_ODD_BARE_LF);
	} else {
		h->mark = h->position;
		h->state = HEAD_METHOD;
	}
}

static void
read_method(struct h1_head *h, struct span b)
{
	size_t end = h->mark + METHOD_MAX + 1;
	char c;

	/* a TLS record: type 22, version 3.x; only at the very front */
	if (b.p[h->mark] == 0x16 && h->mark == 0) {
		h->position = 1;
		if (b.n > 1)
			refuse(h, b.p[1] == 3 ? H1_ODD_TLS_ON_HTTP : H1_ODD_METHOD);
		return;
	}
	h->position = char_run(b.p, h->position, b.n < end ? b.n : end, CHAR_TOKEN);
	if (h->position == end) {
		refuse(h, H1_ODD_METHOD);
		return;
	}
	if (h->position == b.n)
		return;
	c = b.p[h->position];
	if (c == ' ' && h->position > h->mark) {
		h->method = marked(h, b);
		step(h, HEAD_TARGET);
	} else if (c == '\n') {
		refuse(h, H1_ODD_BARE_LF);
	} else {
		refuse(h, c == '\r' ? H1_ODD_REQUEST_LINE : H1_ODD_METHOD);
	}
}

static void
read_target(struct h1_head *h, struct span b)
{
	char c;

	h->position = char_run(b.p, h->position, b.n, CHAR_TARGET);
	if (h->position - h->mark > h->limits->target_bytes) {
		h->target = span_cut(b, h->mark, h->mark + h->limits->target_bytes);
		refuse(h, H1_ODD_URI_TOO_LONG);
		return;
	}
	if (h->position == b.n)
		return;
	c = b.p[h->position];
	h->target = marked(h, b);
	if (c == ' ' && h->target.n > 0)
		step(h, HEAD_VERSION);
	else if (c == '\r')
		step(h, HEAD_TARGET_LF);
	else if (c == '\n')
		refuse(h, H1_ODD_BARE_LF);
	else
		refuse(h, c == ' ' ? H1_ODD_REQUEST_LINE : H1_ODD_TARGET);
}

/* What a broken start line is called. */
static enum h1_oddity
line_oddity(const struct h1_head *h)
{
	return (h->is_response ? H1_ODD_STATUS_LINE : H1_ODD_REQUEST_LINE);
}

/* "HTTP/1.0" or "HTTP/1.1". Other versions are told from garbage. */
static void
read_version(struct h1_head *h, struct span b)
{
	static const char form[] = "HTTP/?.?";
	size_t at;
	char c;

	for (; h->position < b.n; h->position++) {
		at = h->position - h->mark;
		if (at == sizeof(form) - 1)
			break;
		c = b.p[h->position];
		if (form[at] == '?' ? c < '0' || c > '9' : c != form[at]) {
			refuse(h, line_oddity(h));
			return;
		}
	}
	if (h->position - h->mark < sizeof(form) - 1)
		return;
	if (b.p[h->mark + 5] == '0') {
		refuse(h, h->is_response ? H1_ODD_VERSION : H1_ODD_HTTP09);
	} else if (b.p[h->mark + 5] != '1' || b.p[h->mark + 7] > '1') {
		refuse(h, H1_ODD_VERSION);
	} else {
		h->minor = (uint8_t)(b.p[h->mark + 7] - '0');
		h->state = HEAD_VERSION_END;
	}
}

static void
read_version_end(struct h1_head *h, struct span b)
{
	const char c = b.p[h->position];

	if (h->is_response && c == ' ')
		step(h, HEAD_STATUS);
	else if (!h->is_response && c == '\r')
		step(h, HEAD_LINE_LF);
	else
		refuse(h, c == '\n' ? H1_ODD_BARE_LF : line_oddity(h));
}

/* Three digits, 100 to 599. The space behind them may be missing when there is
 * no reason. */
static void
read_status(struct h1_head *h, struct span b)
{
	char c;

	for (; h->position < b.n && h->position - h->mark < 3; h->position++) {
		c = b.p[h->position];
		if (c < '0' || c > '9') {
			refuse(h, H1_ODD_STATUS_LINE);
			return;
		}
		h->status = (uint16_t)(h->status * 10 + (c - '0'));
	}
	if (h->position - h->mark < 3 || h->position == b.n)
		return;
	if (h->status < 100 || h->status > 599) {
		refuse(h, H1_ODD_STATUS_LINE);
		return;
	}
	c = b.p[h->position];
	if (c == ' ')
		step(h, HEAD_REASON);
	else if (c == '\r')
		step(h, HEAD_LINE_LF);
	else
		refuse(h, c == '\n' ? H1_ODD_BARE_LF : H1_ODD_STATUS_LINE);
}

static void
read_reason(struct h1_head *h, struct span b)
{
	char c;

	h->position = char_run_value(b.p, h->position, b.n);
	if (h->position == b.n)
		return;
	c = b.p[h->position];
	if (c == '\r') {
		h->reason = marked(h, b);
		step(h, HEAD_LINE_LF);
	} else {
		refuse(h, c == '\n' ? H1_ODD_BARE_LF : H1_ODD_STATUS_LINE);
	}
}

/* The byte behind a CR, wherever one was read. */
static void
read_lf(struct h1_head *h, struct span b)
{
	if (b.p[h->position] != '\n') {
		refuse(h, H1_ODD_BARE_CR);
		return;
	}
	switch ((enum head_state)h->state) {
	case HEAD_LINE_LF: step(h, HEAD_LINE); break;
	case HEAD_VALUE_LF: step(h, HEAD_LINE); break;
	case HEAD_END_LF:
		step(h, HEAD_DONE);
		h->head_bytes = h->position;
		break;
	case HEAD_TARGET_LF:
		refuse(h, h->target.n > 0 ? H1_ODD_HTTP09 : H1_ODD_REQUEST_LINE);
		break;
	case HEAD_NAME_LF: refuse(h, H1_ODD_FIELD_NAME); break;
	default: WRONG("state of an HTTP/1 head");
	}
}

static void
read_line(struct h1_head *h, struct span b)
{
	const char c = b.p[h->position];

	if (c == '\r') {
		step(h, HEAD_END_LF);
	} else if (c == ' ' || c == '\t') {
		refuse(h, H1_ODD_FOLDED);
	} else {
		h->state = HEAD_NAME;
	}
}

static void
read_name(struct h1_head *h, struct span b)
{
	char c;

	h->position = char_run(b.p, h->position, b.n, CHAR_TOKEN);
	if (h->position == b.n)
		return;
	c = b.p[h->position];
	if (c == ':' && h->position > h->mark) {
		h->name = marked(h, b);
		step(h, HEAD_VALUE);
	} else if (c == '\r') {
		step(h, HEAD_NAME_LF);
	} else if (c == '\n') {
		refuse(h, H1_ODD_BARE_LF);
	} else if (c == ' ' || c == '\t') {
		refuse(h, H1_ODD_SPACE_BEFORE_COLON);
	} else {
		refuse(h, char_is(c, CHAR_VALUE) ? H1_ODD_FIELD_NAME : H1_ODD_CONTROL);
	}
}

static void
read_value(struct h1_head *h, struct span b)
{
	char c;

	h->position = char_run_value(b.p, h->position, b.n);
	if (h->position == b.n)
		return;
	c = b.p[h->position];
	if (c != '\r')
		refuse(h, c == '\n' ? H1_ODD_BARE_LF : H1_ODD_CONTROL);
	else if (http_fields_add(&h->fields, h->name, span_trim(marked(h, b))))
		step(h, HEAD_VALUE_LF);
	else
		refuse(h, H1_ODD_TOO_MANY_FIELDS);
}

static void
read_some(struct h1_head *h, struct span b)
{
	switch ((enum head_state)h->state) {
	case HEAD_START:
	case HEAD_START_LF: read_start(h, b); break;
	case HEAD_METHOD: read_method(h, b); break;
	case HEAD_TARGET: read_target(h, b); break;
	case HEAD_VERSION: read_version(h, b); break;
	case HEAD_VERSION_END: read_version_end(h, b); break;
	case HEAD_STATUS: read_status(h, b); break;
	case HEAD_REASON: read_reason(h, b); break;
	case HEAD_LINE: read_line(h, b); break;
	case HEAD_NAME: read_name(h, b); break;
	case HEAD_VALUE: read_value(h, b); break;
	case HEAD_TARGET_LF:
	case HEAD_LINE_LF:
	case HEAD_NAME_LF:
	case HEAD_VALUE_LF:
	case HEAD_END_LF: read_lf(h, b); break;
	case HEAD_DONE:
	case HEAD_BAD: WRONG("state of an HTTP/1 head");
	}
}

enum h1_rc
h1_head_push(struct h1_head *h, struct span bytes)
{
	const size_t limit = h->limits->header_bytes;
	struct span b = bytes;

	if (h->state == HEAD_DONE)
		return (H1_DONE);
	if (b.n > limit)
		b.n = limit;
	while (h->state < HEAD_DONE && h->position < b.n)
		read_some(h, b);
	if (h->state < HEAD_DONE && bytes.n > limit)
		refuse(h, H1_ODD_HEADER_TOO_LARGE);
	if (h->state == HEAD_DONE) {
		h->oddity = h1_framing_find(h);
		if (h->oddity != H1_ODD_NONE)
			h->state = HEAD_BAD;
	}
	if (h->state == HEAD_BAD)
		return (H1_BAD);
	return (h->state == HEAD_DONE ? H1_DONE : H1_MORE);
}
