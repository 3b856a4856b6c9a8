/* SPDX-License-Identifier: Apache-2.0 */
/* Host, message body length (RFC 9112 6.3), persistence (9.3), expectations:
 * whatever two readers could take in two ways is refused. */
#include "config.h"

#include "gateway/http/h1_framing.h"

#include "gateway/http/chars.h"
#include "gateway/http/uri.h"

static enum h1_oddity
check_host(const struct h1_head *h)
{
	struct span host = http_fields_value(&h->fields, HTTP_HOST);
	struct uri_absolute absolute;

	if (h->fields.count[HTTP_HOST] > 1)
		return (H1_ODD_TWO_HOSTS);
	if (host.p == NULL)
		return (h->minor == 0 ? H1_ODD_NONE : H1_ODD_NO_HOST);
	if (!uri_authority_is_valid(host))
		return (H1_ODD_HOST);
	if (!uri_absolute_split(&absolute, h->target))
		return (H1_ODD_NONE);
	if (!uri_authority_is_valid(absolute.authority))
		return (H1_ODD_TARGET);
	if (!uri_authority_same(absolute.authority, host, absolute.https ? 443 : 80))
		return (H1_ODD_HOST_MISMATCH);
	return (H1_ODD_NONE);
}

/* Digits only: no sign, no list, nothing that another reader's signed 64 bits
 * can't hold. */
static bool
parse_length(struct span value, uint64_t *length_r)
{
	uint64_t length = 0;
	unsigned digit;
	size_t i;

	if (value.n == 0)
		return (false);
	for (i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return (false);
		digit = (unsigned)(value.p[i] - '0');
		if (length > ((uint64_t)INT64_MAX - digit) / 10)
			return (false);
		length = length * 10 + digit;
	}
	*length_r = length;
	return (true);
}

/* Transfer-Encoding other than "chunked": codings that end in chunked, or one
 * alone, are merely unsupported; all else says something different to different
 * readers. */
static enum h1_oddity
coding_oddity(struct span value)
{
	struct span list = value, coding;
	size_t end;

	for (;;) {
		end = char_run(list.p, 0, list.n, CHAR_TOKEN);
		coding = span_mem(list.p, end);
		if (end == 0)
			return (H1_ODD_CODING_FORM);
		if (end == list.n)
			break;
		if (span_eq_nocase(coding, SPAN("chunked")))
			return (H1_ODD_CODING_FORM);
		while (end < list.n && (list.p[end] == ' ' || list.p[end] == '\t'))
			end++;
		if (end == list.n || list.p[end] != ',')
			return (H1_ODD_CODING_FORM);
		end++;
		while (end < list.n && (list.p[end] == ' ' || list.p[end] == '\t'))
			end++;
		list = span_mem(list.p + end, list.n - end);
	}
	if (coding.n < value.n && !span_eq_nocase(coding, SPAN("chunked")))
		return (H1_ODD_CODING_FORM);
	return (H1_ODD_CODING);
}

static enum h1_oddity
read_coding(struct h1_head *h)
{
	struct span value = http_fields_value(&h->fields, HTTP_TRANSFER_ENCODING);

	if (value.p == NULL)
		return (H1_ODD_NONE);
	if (h->fields.count[HTTP_CONTENT_LENGTH] > 0)
		return (H1_ODD_LENGTH_AND_CODING);
	if (h->minor == 0)
		return (H1_ODD_CODING_HTTP10);
	if (h->fields.count[HTTP_TRANSFER_ENCODING] > 1)
		return (H1_ODD_CODING_FORM);
	if (!span_eq_nocase(value, SPAN("chunked")))
		return (coding_oddity(value));
	h->framing = H1_CHUNKED;
	return (H1_ODD_NONE);
}

static enum h1_oddity
read_length(struct h1_head *h)
{
	struct span value = http_fields_value(&h->fields, HTTP_CONTENT_LENGTH);

	if (value.p == NULL)
		return (H1_ODD_NONE);
	if (h->fields.count[HTTP_CONTENT_LENGTH] > 1)
		return (H1_ODD_TWO_LENGTHS);
	if (!parse_length(value, &h->content_length))
		return (H1_ODD_LENGTH);
	h->framing = H1_LENGTH;
	return (H1_ODD_NONE);
}

static bool
wants_keepalive(const struct h1_head *h)
{
	if (http_fields_have_token(&h->fields, HTTP_CONNECTION, SPAN("close")))
		return (false);
	return (h->minor > 0 ||
		http_fields_have_token(&h->fields, HTTP_CONNECTION, SPAN("keep-alive")));
}

/* An expectation that cannot be met is told so (RFC 9110 10.1.1); in HTTP/1.0
 * there are none. */
static enum h1_oddity
read_expect(struct h1_head *h)
{
	uint32_t i;

	if (h->fields.count[HTTP_EXPECT] == 0 || h->minor == 0)
		return (H1_ODD_NONE);
	for (i = 0; i < h->fields.n; i++)
		if (h->fields.v[i].id == HTTP_EXPECT &&
		    !span_eq_nocase(h->fields.v[i].value, SPAN("100-continue")))
			return (H1_ODD_EXPECTATION);
	h->expect_continue = h->framing == H1_CHUNKED ||
			     (h->framing == H1_LENGTH && h->content_length > 0);
	return (H1_ODD_NONE);
}

/* Answers without a body, whatever their fields say (RFC 9112 6.3). Where these
 * announce one that must not be, the origin may send it all the same: nothing
 * else is read from that connection then. */
static void
frame_response(struct h1_head *h)
{
	const bool never = h->status < 200 || h->status == 204;

	if (never || h->status == 304 || h->to_head) {
		if (never && (h->framing == H1_CHUNKED || h->content_length > 0))
			h->keepalive = false;
		h->framing = H1_NO_BODY;
	} else if (h->framing == H1_NO_BODY) {
		h->framing = H1_UNTIL_CLOSE;
		h->keepalive = false;
	}
}

enum h1_oddity
h1_framing_find(struct h1_head *h)
{
	enum h1_oddity oddity = H1_ODD_NONE;

	if (!h->is_response)
		oddity = check_host(h);
	if (oddity == H1_ODD_NONE)
		oddity = read_coding(h);
	if (oddity == H1_ODD_NONE)
		oddity = read_length(h);
	if (oddity == H1_ODD_NONE && !h->is_response)
		oddity = read_expect(h);
	if (oddity != H1_ODD_NONE)
		return (oddity);
	h->keepalive = wants_keepalive(h);
	if (h->is_response)
		frame_response(h);
	return (H1_ODD_NONE);
}
