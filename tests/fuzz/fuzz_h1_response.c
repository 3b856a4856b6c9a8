/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of answers: the verdict does not depend on how the bytes arrive, and the
 * framing of what is accepted follows RFC 9112 6.3. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/http/h1.h"

#define FIELDS_MAX 32

static const struct h1_limits limits = { .header_bytes = 1024, .target_bytes = 256 };

static void
same(const struct h1_head *a, const struct h1_head *b)
{
	uint32_t i;

	CHECK(a->oddity == b->oddity && a->framing == b->framing);
	CHECK(a->content_length == b->content_length && a->minor == b->minor);
	CHECK(a->keepalive == b->keepalive && a->status == b->status);
	CHECK(a->head_bytes == b->head_bytes && span_eq(a->reason, b->reason));
	CHECK(a->fields.n == b->fields.n);
	for (i = 0; i < a->fields.n; i++) {
		CHECK(span_eq(a->fields.v[i].name, b->fields.v[i].name));
		CHECK(span_eq(a->fields.v[i].value, b->fields.v[i].value));
		CHECK(a->fields.v[i].hop_by_hop == b->fields.v[i].hop_by_hop);
	}
}

static enum h1_framing
framing_by_the_book(const struct h1_head *h)
{
	if (h->to_head || h->status < 200 || h->status == 204 || h->status == 304)
		return (H1_NO_BODY);
	if (h->fields.count[HTTP_TRANSFER_ENCODING] > 0)
		return (H1_CHUNKED);
	return (h->fields.count[HTTP_CONTENT_LENGTH] > 0 ? H1_LENGTH : H1_UNTIL_CLOSE);
}

static void
check_head(const struct h1_head *h, struct span in)
{
	size_t i;

	CHECK(h->head_bytes <= in.n && h->head_bytes <= limits.header_bytes);
	CHECK(span_ends(span_cut(in, 0, h->head_bytes), SPAN("\r\n\r\n")));
	for (i = 0; i < h->head_bytes; i++) {
		CHECK(in.p[i] != '\0' && in.p[i] != 0x7f);
		CHECK(in.p[i] != '\n' || (i > 0 && in.p[i - 1] == '\r'));
		CHECK(in.p[i] != '\r' || in.p[i + 1] == '\n');
	}
	CHECK(h->status >= 100 && h->status <= 599);
	CHECK(fuzz_inside(h->reason, in));
	CHECK(h->framing == framing_by_the_book(h));
	CHECK(h->framing != H1_UNTIL_CLOSE || !h->keepalive);
	CHECK(h->framing != H1_CHUNKED || h->minor == 1);
	CHECK(h->fields.count[HTTP_CONTENT_LENGTH] +
		  h->fields.count[HTTP_TRANSFER_ENCODING] <=
	      1);
	for (i = 0; i < h->fields.n; i++) {
		CHECK(fuzz_inside(h->fields.v[i].name, in));
		CHECK(fuzz_inside(h->fields.v[i].value, in));
	}
}

static void
check_answer(struct span in, bool to_head)
{
	struct http_field fields[FIELDS_MAX], slow_fields[FIELDS_MAX];
	struct h1_head head, slow;
	enum h1_rc rc, slow_rc = H1_MORE;
	char *whole = fuzz_copy(in);
	size_t n;

	h1_response_init(&head, &limits, fields, FIELDS_MAX, to_head);
	rc = h1_head_push(&head, span_mem(whole, in.n));
	CHECK((rc == H1_BAD) == (head.oddity != H1_ODD_NONE));
	h1_response_init(&slow, &limits, slow_fields, FIELDS_MAX, to_head);
	for (n = 1; n <= in.n && slow_rc == H1_MORE; n++)
		slow_rc = h1_head_push(&slow, span_cut(in, 0, n));
	CHECK(rc == slow_rc);
	same(&head, &slow);
	if (rc == H1_DONE)
		check_head(&head, span_mem(whole, in.n));
	free(whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_answer(span_mem(data, size), false);
	check_answer(span_mem(data, size), true);
	return (0);
}
