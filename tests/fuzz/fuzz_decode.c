/* SPDX-License-Identifier: Apache-2.0 */
/* Decoders: any bytes cost bounded memory and output, and the pieces they come in
 * change neither the verdict nor, for a whole stream, what comes out. The first byte is
 * the coding, the second the size of the pieces. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/filter/decode.h"

#define SIZE_CAP 300000u

static enum decode_rc
decode(enum coding coding, struct span in, size_t piece, size_t room, struct text *to)
{
	static const struct decode_caps caps = { SIZE_CAP, DECODER_RATIO };
	struct decoder *d = decoder_new(coding, &caps);
	char *mem = mem_alloc(room);
	struct buf out = { mem, 0, 0, room };
	enum decode_rc rc = DECODE_MORE;
	struct span rest;
	size_t at;

	for (at = 0; at < in.n && decode_status(rc) == 0; at += piece) {
		rest = span_cut(in, at, at + piece);
		do {
			rc = decoder_run(d, &rest, &out);
			text_put(to, buf_span(&out));
			buf_drain(&out, buf_len(&out));
		} while (rc == DECODE_FULL);
		CHECK(decoder_memory(d) < DECODER_MEMORY_MAX);
	}
	rc = decoder_finish(d);
	CHECK(rc != DECODE_MORE && rc != DECODE_FULL);
	CHECK(decoder_produced(d) == to->n && to->n <= SIZE_CAP + 1);
	decoder_free(&d);
	free(mem);
	return (rc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text whole, parts;
	enum decode_rc rc, again;
	enum coding coding;
	struct span in;
	char *copy;

	if (size < 2)
		return (0);
	coding = (enum coding)(data[0] % CODING_IDENTITY);
	copy = fuzz_copy(span_mem(data + 2, size - 2));
	in = span_mem(copy, size - 2);
	text_init(&whole, 1u << 20);
	text_init(&parts, 1u << 20);
	rc = decode(coding, in, in.n + 1, 1u << 16, &whole);
	again = decode(coding, in, 1 + data[1] % 16, 1 + data[1] * 16u, &parts);
	/* in pieces a ratio may be passed for a while */
	if (rc == DECODE_END && again == DECODE_END)
		CHECK(span_eq(text_span(&whole), text_span(&parts)));
	else
		CHECK(rc != DECODE_END || again == DECODE_RATIO);
	text_free(&whole);
	text_free(&parts);
	free(copy);
	return (0);
}
