/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of requests: the verdict does not depend on how the bytes arrive, what is
 * accepted keeps the grammar, and written anew it reads as the same. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/http/h1.h"

#define FIELDS_MAX 32
#define OUT_MAX 4096

static const struct h1_limits limits = { .header_bytes = 1024, .target_bytes = 256 };

static bool
all_of(struct span s, const char *allowed)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || strchr(allowed, s.p[i]) == NULL)
			return (false);
	return (true);
}

static void
same(const struct h1_head *a, const struct h1_head *b)
{
	uint32_t i;

	CHECK(a->oddity == b->oddity && a->framing == b->framing);
	CHECK(a->content_length == b->content_length && a->minor == b->minor);
	CHECK(a->keepalive == b->keepalive && a->expect_continue == b->expect_continue);
	CHECK(span_eq(a->method, b->method) && span_eq(a->target, b->target));
	CHECK(a->fields.n == b->fields.n);
	for (i = 0; i < a->fields.n; i++) {
		CHECK(span_eq(a->fields.v[i].name, b->fields.v[i].name));
		CHECK(span_eq(a->fields.v[i].value, b->fields.v[i].value));
		CHECK(a->fields.v[i].id == b->fields.v[i].id);
		CHECK(a->fields.v[i].hop_by_hop == b->fields.v[i].hop_by_hop);
	}
}

/* The grammar once more, in plain words. */
static void
check_bytes(const struct h1_head *h, struct span in)
{
	size_t i;

	CHECK(h->head_bytes <= in.n && h->head_bytes <= limits.header_bytes);
	CHECK(span_ends(span_cut(in, 0, h->head_bytes), SPAN("\r\n\r\n")));
	for (i = 0; i < h->head_bytes; i++) {
		CHECK(in.p[i] != '\0' && in.p[i] != 0x7f);
		CHECK(in.p[i] != '\n' || (i > 0 && in.p[i - 1] == '\r'));
		CHECK(in.p[i] != '\r' || in.p[i + 1] == '\n');
	}
}

static void
check_parts(const struct h1_head *h, struct span in)
{
	static const char tchar[] =
	    "!#$%&'*+-.^_`|~"
	    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const struct http_field *f;
	size_t i;

	CHECK(fuzz_inside(h->method, in) && fuzz_inside(h->target, in));
	CHECK(h->method.n >= 1 && h->method.n <= 32 && all_of(h->method, tchar));
	CHECK(h->target.n >= 1 && h->target.n <= limits.target_bytes);
	for (i = 0; i < h->target.n; i++)
		CHECK((unsigned char)h->target.p[i] > ' ' && h->target.p[i] != '#');
	for (i = 0; i < h->fields.n; i++) {
		f = &h->fields.v[i];
		CHECK(fuzz_inside(f->name, in) && fuzz_inside(f->value, in));
		CHECK(f->name.n > 0 && all_of(f->name, tchar));
		CHECK(span_eq(f->value, span_trim(f->value)));
		CHECK(span_index(f->value, '\r') == SIZE_MAX);
		CHECK(f->name.p[f->name.n] == ':');
	}
}

static void
check_framing(const struct h1_head *h)
{
	const uint16_t *count = h->fields.count;
	struct span value;
	uint64_t n;

	CHECK(count[HTTP_HOST] <= 1 && (h->minor == 0 || count[HTTP_HOST] == 1));
	CHECK(count[HTTP_CONTENT_LENGTH] + count[HTTP_TRANSFER_ENCODING] <= 1);
	CHECK((h->framing == H1_LENGTH) == (count[HTTP_CONTENT_LENGTH] == 1));
	CHECK((h->framing == H1_CHUNKED) == (count[HTTP_TRANSFER_ENCODING] == 1));
	CHECK(h->framing != H1_UNTIL_CLOSE);
	CHECK(h->framing != H1_CHUNKED || h->minor == 1);
	value = http_fields_value(&h->fields, HTTP_CONTENT_LENGTH);
	if (value.p != NULL)
		CHECK(span_u64(value, &n) && n == h->content_length && n <= INT64_MAX);
}

static size_t
put(char *out, size_t n, struct span s)
{
	CHECK(n + s.n <= OUT_MAX);
	memcpy(out + n, s.p, s.n);
	return (n + s.n);
}

static void
write_anew(const struct h1_head *h)
{
	struct http_field fields[FIELDS_MAX];
	struct h1_limits wide = { 2 * limits.header_bytes, limits.target_bytes };
	struct h1_head again;
	char out[OUT_MAX];
	size_t n = 0;
	uint32_t i;

	n = put(out, n, h->method);
	n = put(out, n, SPAN(" "));
	n = put(out, n, h->target);
	n = put(out, n, h->minor == 0 ? SPAN(" HTTP/1.0\r\n") : SPAN(" HTTP/1.1\r\n"));
	for (i = 0; i < h->fields.n; i++) {
		n = put(out, n, h->fields.v[i].name);
		n = put(out, n, SPAN(": "));
		n = put(out, n, h->fields.v[i].value);
		n = put(out, n, SPAN("\r\n"));
	}
	n = put(out, n, SPAN("\r\n"));
	h1_request_init(&again, &wide, fields, FIELDS_MAX);
	CHECK(h1_head_push(&again, span_mem(out, n)) == H1_DONE);
	CHECK(again.head_bytes == n);
	http_fields_mark_hops(&again.fields);
	same(h, &again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_field fields[FIELDS_MAX], slow_fields[FIELDS_MAX];
	const struct span in = span_mem(data, size);
	char *whole = fuzz_copy(in), *first;
	struct h1_head head, slow;
	enum h1_rc rc, slow_rc = H1_MORE;
	size_t n;

	h1_request_init(&head, &limits, fields, FIELDS_MAX);
	rc = h1_head_push(&head, span_mem(whole, size));
	CHECK((rc == H1_BAD) == (head.oddity != H1_ODD_NONE));
	h1_request_init(&slow, &limits, slow_fields, FIELDS_MAX);
	for (n = 1; n <= size && slow_rc == H1_MORE; n++)
		slow_rc = h1_head_push(&slow, span_mem(data, n));
	CHECK(rc == slow_rc);
	same(&head, &slow);
	http_fields_mark_hops(&head.fields);
	http_fields_mark_hops(&slow.fields);
	same(&head, &slow);
	if (rc == H1_DONE) {
		check_bytes(&head, span_mem(whole, size));
		check_parts(&head, span_mem(whole, size));
		check_framing(&head);
		write_anew(&head);
		/* what is behind the head has no say */
		first = fuzz_copy(span_cut(in, 0, head.head_bytes));
		h1_request_init(&slow, &limits, slow_fields, FIELDS_MAX);
		CHECK(h1_head_push(&slow, span_mem(first, head.head_bytes)) == H1_DONE);
		http_fields_mark_hops(&slow.fields);
		same(&head, &slow);
		free(first);
	}
	free(whole);
	return (0);
}
