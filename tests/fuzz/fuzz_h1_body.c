/* SPDX-License-Identifier: Apache-2.0 */
/* Chunked bodies: however the bytes arrive, the same body or the same refusal
 * comes out, and what is accepted survives being chunked anew. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "gateway/http/h1.h"

#define TRAILER_MAX 200

struct result {
	enum h1_rc rc;
	enum h1_oddity oddity;
	size_t used, n;
	char *body;
};

/* Decodes `in`, given in pieces of which a generator over `seed` says how long
 * they are; seed 0: one piece, 1: single bytes. */
static struct result
decode(enum h1_framing framing, uint64_t length, struct span in, uint32_t seed)
{
	struct result r = { .body = mem_alloc(in.n) };
	struct h1_body body;
	struct span data, piece;
	size_t end = 0, used;
	char *copy;

	h1_body_init(&body, framing, length, TRAILER_MAX);
	do {
		seed = seed > 1 ? seed * 1664525 + 1013904223 : seed;
		end += seed == 0 ? in.n : seed == 1 ? 1 : 1 + (seed >> 24) % 40;
		piece = span_cut(in, r.used, end);
		copy = fuzz_copy(piece);
		piece.p = copy;
		do {
			r.rc = h1_body_pull(&body, piece, &used, &data);
			CHECK(used <= piece.n && fuzz_inside(data, piece));
			CHECK(r.n + data.n <= in.n);
			CHECK(data.n == 0 || data.p + data.n <= piece.p + used);
			memcpy(r.body + r.n, data.p, data.n);
			r.n += data.n;
			r.used += used;
			piece = span_cut(piece, used, piece.n);
		} while (r.rc == H1_MORE && used > 0);
		CHECK(r.rc != H1_MORE || piece.n == 0);
		free(copy);
	} while (r.rc == H1_MORE && end < in.n);
	r.oddity = body.oddity;
	CHECK((r.rc == H1_BAD) == (r.oddity != H1_ODD_NONE));
	CHECK(h1_body_may_end(&body) == (r.rc == H1_DONE || framing == H1_UNTIL_CLOSE));
	return (r);
}

static void
same(const struct result *a, const struct result *b)
{
	CHECK(a->rc == b->rc && a->oddity == b->oddity && a->used == b->used);
	CHECK(span_eq(span_mem(a->body, a->n), span_mem(b->body, b->n)));
}

/* The body in chunks of 1, 2, 3 ... bytes. */
static void
chunk_anew(const struct result *first)
{
	char *out = mem_alloc(first->n * 8 + 16);
	size_t n = 0, at = 0, size;
	struct result second;

	for (size = 1; at < first->n; size++) {
		if (size > first->n - at)
			size = first->n - at;
		n += (size_t)snprintf(out + n, 8, "%zx\r\n", size);
		memcpy(out + n, first->body + at, size);
		n += size;
		at += size;
		out[n++] = '\r';
		out[n++] = '\n';
	}
	memcpy(out + n, "0\r\n\r\n", 5);
	n += 5;
	second = decode(H1_CHUNKED, 0, span_mem(out, n), 7);
	CHECK(second.rc == H1_DONE && second.used == n);
	CHECK(span_eq(span_mem(first->body, first->n), span_mem(second.body, second.n)));
	free(second.body);
	free(out);
}

static void
check_framing(enum h1_framing framing, uint64_t length, struct span in, uint32_t seed)
{
	struct result whole = decode(framing, length, in, 0);
	struct result single = decode(framing, length, in, 1);
	struct result pieces = decode(framing, length, in, seed);

	same(&whole, &single);
	same(&whole, &pieces);
	if (framing == H1_LENGTH)
		CHECK(whole.n == (length < in.n ? length : in.n));
	if (framing == H1_CHUNKED)
		CHECK(whole.rc == H1_MORE || whole.used >= whole.n);
	if (framing == H1_CHUNKED && whole.rc == H1_DONE)
		chunk_anew(&whole);
	free(whole.body);
	free(single.body);
	free(pieces.body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span in = span_mem(data, size);
	uint32_t seed = 2;
	size_t i;

	for (i = 0; i < size; i++)
		seed = seed * 31 + data[i];
	check_framing(H1_CHUNKED, 0, in, seed | 2);
	if (size < 64) {
		check_framing(H1_LENGTH, size / 2, in, seed | 2);
		check_framing(H1_LENGTH, size + 1, in, seed | 2);
		check_framing(H1_UNTIL_CLOSE, 0, in, seed | 2);
		check_framing(H1_NO_BODY, 0, in, seed | 2);
	}
	return (0);
}
