/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders and decoders: round trips in pieces of any size, flushes that get through,
 * bombs, broken streams, bounded memory. */
#include "config.h"

#include "gateway/filter/decode.h"
#include "gateway/filter/encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include "gateway/base/check.h"

#define ANY_SIZE ((uint64_t)1 << 40)

static const enum coding ENCODED[] = { CODING_ZSTD, CODING_BR, CODING_GZIP };
static const struct decode_caps NO_CAPS = { ANY_SIZE, 0 };

static struct encoder_pool *pool;

static int
setup(void **state)
{
	(void)state;
	pool = encoder_pool_new(2);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	encoder_pool_free(&pool);
	assert_null(pool);
	encoder_pool_free(&pool);
	return (0);
}

/* Pages of a kind: words that come back, numbers that do not. */
static void
make_page(struct text *t, size_t n)
{
	uint32_t x = 12345;

	while (t->n < n) {
		x = x * 1664525 + 1013904223;
		text_printf(t,
		    "<li class=\"item\"><a href=\"/item/%u\">Item %u</a></li>\n", x >> 8,
		    x >> 20);
	}
}

static void
make_noise(struct text *t, size_t n)
{
	uint32_t x = 777;

	while (t->n < n) {
		x = x * 1664525 + 1013904223;
		text_putc(t, (char)(x >> 24));
	}
}

static void
drain(struct buf *out, struct text *to)
{
	text_put(to, buf_span(out));
	buf_drain(out, buf_len(out));
}

static void
run_to_done(
    struct encoder *e, struct span in, enum encoder_op op, size_t room, struct text *to)
{
	char mem[1 << 16];
	struct buf out = { mem, 0, 0, room };
	enum encoder_rc rc;

	do {
		rc = encoder_run(e, &in, &out, op);
		assert_int_not_equal(rc, ENCODER_FAILED);
		assert_true(rc == ENCODER_MORE || in.n == 0);
		drain(&out, to);
	} while (rc == ENCODER_MORE);
}

static void
encode(enum coding coding, unsigned level, struct span in, size_t piece, struct text *to)
{
	const size_t room = piece > 100 ? 1 << 15 : ENCODER_ROOM_MIN;
	struct encoder *e = encoder_take(pool, coding, level);
	size_t at;

	assert_non_null(e);
	for (at = 0; at < in.n; at += piece)
		run_to_done(e, span_cut(in, at, at + piece), ENCODER_PUSH, room, to);
	run_to_done(e, SPAN_NONE, ENCODER_FINISH, room, to);
	assert_true(encoder_memory(e) < ENCODER_MEMORY_MAX);
	encoder_give(&e);
	assert_null(e);
}

/* What no coding likes: few letters, no words. Brotli's encoder wants most for it, and
 * ends the process when it does not get it. */
static void
make_letters(struct text *t, size_t n)
{
	uint32_t x = 1;

	while (t->n < n) {
		x = x * 1664525 + 1013904223;
		text_putc(t, "abcdefghij <>/="[(x >> 24) % 14]);
	}
}

/* What memory is set aside by is what is used at most. */
static void
test_memory_of_encoders(void **state)
{
	static const enum coding codings[] = { CODING_ZSTD, CODING_BR, CODING_GZIP };
	struct encoder_pool *own;
	struct encoder *e;
	struct text in, to;
	unsigned i, level;
	size_t most;

	(void)state;
	text_init(&in, 1 << 20);
	text_init(&to, 1 << 20);
	make_letters(&in, 1 << 19);
	for (i = 0; i < 3; i++)
		for (level = 1; level <= encoder_level_max(codings[i]); level++) {
			own = encoder_pool_new(0);
			e = encoder_take(own, codings[i], level);
			assert_non_null(e);
			text_reset(&to);
			run_to_done(e, text_span(&in), ENCODER_FINISH, 1 << 15, &to);
			most = encoder_memory_most(codings[i], level);
			assert_true(most <= ENCODER_MEMORY_MAX);
			if (encoder_memory(e) > most || encoder_memory(e) < most / 4)
				fail_msg("%u at %u: %zu, not %zu", i, level,
				    encoder_memory(e), most);
			encoder_give(&e);
			encoder_pool_free(&own);
		}
	text_free(&in);
	text_free(&to);
}

/* Pushes all of `in`; the last verdict before or of the end. */
static enum decode_rc
push(struct decoder *d, struct span in, size_t piece, size_t room, struct text *to)
{
	char mem[1 << 16];
	struct buf out = { mem, 0, 0, room };
	enum decode_rc rc = DECODE_MORE;
	struct span rest;
	size_t at;

	for (at = 0; at < in.n; at += piece) {
		rest = span_cut(in, at, at + piece);
		do {
			rc = decoder_run(d, &rest, &out);
			drain(&out, to);
		} while (rc == DECODE_FULL);
		assert_true(decoder_memory(d) < DECODER_MEMORY_MAX);
		if (rc != DECODE_MORE && rc != DECODE_END)
			return (rc);
		assert_int_equal(rest.n, 0);
	}
	return (rc);
}

static enum decode_rc
decode(enum coding coding, const struct decode_caps *caps, struct span in, size_t piece,
    struct text *to)
{
	struct decoder *d = decoder_new(coding, caps);
	enum decode_rc rc;

	rc = push(d, in, piece, piece > 100 ? 1 << 16 : 7, to);
	if (rc == DECODE_MORE || rc == DECODE_END)
		rc = decoder_finish(d);
	assert_int_equal(rc, decoder_finish(d));
	assert_int_equal(decoder_produced(d), to->n);
	decoder_free(&d);
	assert_null(d);
	return (rc);
}

static void
check_round_trip(enum coding coding, unsigned level, struct span in, size_t piece)
{
	struct text packed, plain;

	text_init(&packed, 1u << 24);
	text_init(&plain, 1u << 24);
	encode(coding, level, in, piece, &packed);
	assert_int_equal(
	    decode(coding, &NO_CAPS, text_span(&packed), piece, &plain), DECODE_END);
	assert_true(span_eq(text_span(&plain), in));
	text_free(&packed);
	text_free(&plain);
}

static void
test_round_trips(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 100, 5000, 300000 };
	static const size_t pieces[] = { 1, 100, 4096, 1 << 20 };
	struct text page, noise;
	size_t c, s, p;
	unsigned level;

	(void)state;
	text_init(&page, 1u << 20);
	text_init(&noise, 1u << 20);
	make_page(&page, 300000);
	make_noise(&noise, 300000);
	for (c = 0; c < 3; c++)
		for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
			for (p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
				if (sizes[s] > 5000 && pieces[p] < 100)
					continue;
				level = encoder_level_standard(ENCODED[c]);
				check_round_trip(ENCODED[c], level,
				    span_cut(text_span(&page), 0, sizes[s]), pieces[p]);
				check_round_trip(ENCODED[c], level,
				    span_cut(text_span(&noise), 0, sizes[s]), pieces[p]);
			}
	for (c = 0; c < 3; c++)
		for (level = 1; level <= encoder_level_max(ENCODED[c]); level++)
			check_round_trip(ENCODED[c], level, text_span(&page), 4096);
	text_free(&page);
	text_free(&noise);
}

/* What was flushed is there for the reader, though the stream goes on. */
static void
test_flush(void **state)
{
	struct text packed, plain;
	struct encoder *e;
	struct decoder *d;
	char event[64];
	size_t c, at;
	int i, n;

	(void)state;
	for (c = 0; c < 3; c++) {
		text_init(&packed, 1u << 20);
		text_init(&plain, 1u << 20);
		e = encoder_take(pool, ENCODED[c], encoder_level_standard(ENCODED[c]));
		d = decoder_new(ENCODED[c], &NO_CAPS);
		for (i = 0; i < 50; i++) {
			n = snprintf(event, sizeof(event), "data: {\"n\":%d}\n\n", i);
			at = packed.n;
			run_to_done(e, span_mem(event, (size_t)n), ENCODER_PUSH,
			    ENCODER_ROOM_MIN + (size_t)i, &packed);
			run_to_done(e, SPAN_NONE, ENCODER_FLUSH,
			    ENCODER_ROOM_MIN + (size_t)i, &packed);
			text_reset(&plain);
			assert_int_equal(
			    push(d, span_cut(text_span(&packed), at, packed.n), 5, 9,
				&plain),
			    DECODE_MORE);
			assert_true(
			    span_eq(text_span(&plain), span_mem(event, (size_t)n)));
		}
		at = packed.n;
		run_to_done(e, SPAN_NONE, ENCODER_FINISH, 64, &packed);
		assert_int_equal(
		    push(d, span_cut(text_span(&packed), at, packed.n), 1, 9, &plain),
		    DECODE_END);
		encoder_give(&e);
		decoder_free(&d);
		text_free(&packed);
		text_free(&plain);
	}
}

/* A context given back half way brings nothing into the next stream. */
static void
test_reuse(void **state)
{
	struct text junk, page, first, again;
	struct encoder *e;
	unsigned level;
	size_t c;

	(void)state;
	text_init(&junk, 1u << 20);
	text_init(&page, 1u << 20);
	make_page(&page, 20000);
	for (c = 0; c < 3; c++) {
		level = encoder_level_standard(ENCODED[c]);
		text_init(&first, 1u << 20);
		text_init(&again, 1u << 20);
		encode(ENCODED[c], level, text_span(&page), 4096, &first);
		e = encoder_take(pool, ENCODED[c], 1);
		run_to_done(e, text_span(&page), ENCODER_PUSH, 4096, &junk);
		encoder_give(&e);
		encode(ENCODED[c], level, text_span(&page), 4096, &again);
		assert_true(span_eq(text_span(&first), text_span(&again)));
		text_free(&first);
		text_free(&again);
	}
	text_free(&junk);
	text_free(&page);
	encoder_give(&e);
}

static void
test_bombs(void **state)
{
	const struct decode_caps capped = { 100000, 0 }, ratio = { ANY_SIZE, 100 };
	struct text zeros, packed, plain;
	size_t c, i;

	(void)state;
	text_init(&zeros, 1u << 24);
	for (i = 0; i < 8u << 20; i++)
		text_putc(&zeros, 0);
	for (c = 0; c < 3; c++) {
		text_init(&packed, 1u << 20);
		text_init(&plain, 1u << 24);
		encode(ENCODED[c], encoder_level_standard(ENCODED[c]), text_span(&zeros),
		    1 << 20, &packed);
		assert_int_equal(
		    decode(ENCODED[c], &ratio, text_span(&packed), 1000, &plain),
		    DECODE_RATIO);
		assert_true(plain.n <= DECODER_GRACE + 100 * packed.n + DECODER_STEP);
		text_reset(&plain);
		assert_int_equal(
		    decode(ENCODED[c], &capped, text_span(&packed), 1000, &plain),
		    DECODE_SIZE);
		assert_int_equal(plain.n, 100001);
		/* short ones may pack well, and a cap may be met */
		text_reset(&packed);
		text_reset(&plain);
		encode(ENCODED[c], 1, span_cut(text_span(&zeros), 0, DECODER_GRACE),
		    1 << 20, &packed);
		assert_int_equal(
		    decode(ENCODED[c], &(struct decode_caps){ DECODER_GRACE, 100 },
			text_span(&packed), 1000, &plain),
		    DECODE_END);
		text_free(&packed);
		text_free(&plain);
	}
	text_free(&zeros);
}

/* Cut short anywhere, with something behind it, with a byte changed. */
static void
test_broken(void **state)
{
	struct text page, packed, plain;
	enum decode_rc rc;
	size_t c, i;

	(void)state;
	text_init(&page, 4096);
	text_init(&packed, 8192);
	text_init(&plain, 1u << 20);
	make_page(&page, 400);
	for (c = 0; c < 3; c++) {
		text_reset(&packed);
		encode(ENCODED[c], 1, text_span(&page), 400, &packed);
		for (i = 0; i < packed.n; i++) {
			text_reset(&plain);
			rc = decode(ENCODED[c], &NO_CAPS,
			    span_cut(text_span(&packed), 0, i), 4096, &plain);
			assert_int_equal(rc, i == 0 ? DECODE_END : DECODE_BROKEN);
		}
		text_putc(&packed, 'x');
		text_reset(&plain);
		rc = decode(ENCODED[c], &NO_CAPS, text_span(&packed), 4096, &plain);
		assert_int_equal(rc, DECODE_BROKEN);
		text_reset(&plain);
		rc = decode(ENCODED[c], &NO_CAPS, text_span(&packed), 1, &plain);
		assert_int_equal(rc, DECODE_BROKEN);
		packed.n--;
		/* a second stream behind the first */
		encode(ENCODED[c], 1, text_span(&page), 400, &packed);
		text_reset(&plain);
		rc = decode(ENCODED[c], &NO_CAPS, text_span(&packed), 4096, &plain);
		assert_int_equal(rc, DECODE_BROKEN);
	}
	text_free(&page);
	text_free(&packed);
	text_free(&plain);
}

static void
test_streams(void **state)
{
	static const struct {
		enum coding coding;
		struct span in;
		enum decode_rc rc;
		const char *plain, *why;
	} rows[] = {
		{ CODING_DEFLATE, SPAN("\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27"),
		    DECODE_END, "abc", "with the wrapper" },
		{ CODING_DEFLATE, SPAN("\x4b\x4c\x4a\x06\x00"), DECODE_END, "abc",
		    "without" },
		{ CODING_DEFLATE, SPAN("\x03\x00"), DECODE_END, "", "the shortest" },
		{ CODING_DEFLATE, SPAN("\x03"), DECODE_BROKEN, "", "shorter" },
		{ CODING_DEFLATE, SPAN("\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x28"),
		    DECODE_BROKEN, NULL, "a wrong sum" },
		{ CODING_DEFLATE, SPAN("\x78\xbb\x00\x00\x00\x01"), DECODE_BROKEN, "",
		    "wants a dictionary" },
		{ CODING_DEFLATE, SPAN("\x4b\x4c\x4a\x06\x00z"), DECODE_BROKEN, NULL,
		    "something behind it" },
		{ CODING_GZIP, SPAN("\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27"),
		    DECODE_BROKEN, "", "the other wrapper" },
		{ CODING_GZIP, SPAN("id=1&a=b"), DECODE_BROKEN, "", "plain" },
		{ CODING_GZIP, SPAN("\x1f\x8b\x08\xe0\0\0\0\0\0\0"), DECODE_BROKEN, "",
		    "reserved flags" },
		{ CODING_BR,
		    SPAN("\x0b\x01\x80"
			 "abc\x03"),
		    DECODE_END, "abc", "stored" },
		{ CODING_BR, SPAN("\x06"), DECODE_END, "", "empty" },
		{ CODING_BR, SPAN("\x11\x1a"), DECODE_BROKEN, "", "the large window" },
		{ CODING_ZSTD,
		    SPAN("\x28\xb5\x2f\xfd\x20\x03\x19\x00\x00"
			 "abc"),
		    DECODE_END, "abc", "stored" },
		{ CODING_ZSTD,
		    SPAN("\x27\xb5\x2f\xfd\x20\x03\x19\x00\x00"
			 "abc"),
		    DECODE_BROKEN, "", "an old format" },
		{ CODING_ZSTD,
		    SPAN("\x50\x2a\x4d\x18\x03\x00\x00\x00"
			 "abc"),
		    DECODE_BROKEN, "", "a frame to be skipped" },
		{ CODING_ZSTD,
		    SPAN("\x28\xb5\x2f\xfd\x00\xa0\x19\x00\x00"
			 "abc"),
		    DECODE_BROKEN, "", "a window of 1 GiB" },
		{ CODING_ZSTD,
		    SPAN("\x28\xb5\x2f\xfd\x21\x07\x03\x19\x00\x00"
			 "abc"),
		    DECODE_BROKEN, "", "wants a dictionary" },
		{ CODING_ZSTD, SPAN("\x28\xb5"), DECODE_BROKEN, "", "half a head" },
	};
	struct text plain;
	enum decode_rc rc;
	size_t i, piece;

	(void)state;
	text_init(&plain, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (piece = 1; piece <= rows[i].in.n; piece++) {
			text_reset(&plain);
			rc = decode(rows[i].coding, &NO_CAPS, rows[i].in, piece, &plain);
			if (rc != rows[i].rc ||
			    (rows[i].plain != NULL &&
				!span_eq(text_span(&plain), span_of(rows[i].plain))))
				fail_msg("row %zu in pieces of %zu: %s: %d, \"%.*s\"", i,
				    piece, rows[i].why, rc, SPAN_FMT(text_span(&plain)));
		}
	text_free(&plain);
}

/* Names and comments of gzip files are skipped, as long as they may be. */
static void
test_gzip_names(void **state)
{
	char head[20000] = "\x1f\x8b\x08\x08";
	struct text body, plain;

	(void)state;
	text_init(&body, 1u << 16);
	text_init(&plain, 1u << 16);
	memset(head + 10, 'n', sizeof(head) - 11);
	text_put(&body, span_mem(head, sizeof(head)));
	text_put(&body, SPAN("\x4b\x4c\x4a\x06\x00\xc2\x41\x24\x35\x03\0\0\0"));
	assert_int_equal(
	    decode(CODING_GZIP, &NO_CAPS, text_span(&body), 1000, &plain), DECODE_END);
	assert_true(span_eq(text_span(&plain), SPAN("abc")));
	text_free(&body);
	text_free(&plain);
}

/* A window as large as RFC 9659 lets clients use. */
static void
test_zstd_window(void **state)
{
	static const struct {
		int window_log;
		enum decode_rc rc;
	} rows[] = { { 21, DECODE_END }, { 23, DECODE_END }, { 24, DECODE_BROKEN } };
	char packed[4096];
	ZSTD_CCtx *z = ZSTD_createCCtx();
	ZSTD_outBuffer to;
	ZSTD_inBuffer from;
	struct text plain;
	size_t i;

	(void)state;
	text_init(&plain, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ZSTD_CCtx_reset(z, ZSTD_reset_session_and_parameters);
		ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, rows[i].window_log);
		to = (ZSTD_outBuffer){ packed, sizeof(packed), 0 };
		from = (ZSTD_inBuffer){ "abc", 3, 0 };
		/* two calls: else it knows the size and takes a window that fits */
		ZSTD_compressStream2(z, &to, &from, ZSTD_e_flush);
		assert_int_equal(ZSTD_compressStream2(z, &to, &from, ZSTD_e_end), 0);
		text_reset(&plain);
		assert_int_equal(
		    decode(CODING_ZSTD, &NO_CAPS, span_mem(packed, to.pos), 9, &plain),
		    rows[i].rc);
	}
	ZSTD_freeCCtx(z);
	text_free(&plain);
}

static void
test_plans(void **state)
{
	static const struct {
		const char *lines;
		enum decode_plan plan;
		enum coding coding;
		uint16_t status;
	} rows[] = {
		{ NULL, DECODE_AS_IT_IS, CODING_IDENTITY, 0 },
		{ "", DECODE_AS_IT_IS, CODING_IDENTITY, 0 },
		{ "identity", DECODE_AS_IT_IS, CODING_IDENTITY, 0 },
		{ "gzip", DECODE_WITH, CODING_GZIP, 0 },
		{ "X-GZIP", DECODE_WITH, CODING_GZIP, 0 },
		{ "br", DECODE_WITH, CODING_BR, 0 },
		{ "zstd", DECODE_WITH, CODING_ZSTD, 0 },
		{ "deflate", DECODE_WITH, CODING_DEFLATE, 0 },
		{ " , gzip,", DECODE_WITH, CODING_GZIP, 0 },
		{ "compress", DECODE_UNKNOWN, CODING_COUNT, 415 },
		{ "gzip;q=1", DECODE_UNKNOWN, CODING_COUNT, 415 },
		{ "*", DECODE_UNKNOWN, CODING_COUNT, 415 },
		{ "gzip, gzip", DECODE_SEVERAL, CODING_IDENTITY, 415 },
		{ "identity, gzip", DECODE_SEVERAL, CODING_IDENTITY, 415 },
		{ "gzip\nbr", DECODE_SEVERAL, CODING_IDENTITY, 415 },
		{ "\ngzip", DECODE_WITH, CODING_GZIP, 0 },
	};
	struct http_field array[4];
	struct http_fields fields;
	struct span rest, line;
	enum coding coding;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		http_fields_init(&fields, array, 4);
		rest = span_of(rows[i].lines);
		while (span_split(&rest, '\n', &line))
			http_fields_add(&fields, SPAN("Content-Encoding"), line);
		if (decode_plan(&fields, &coding) != rows[i].plan ||
		    coding != rows[i].coding ||
		    decode_plan_status(rows[i].plan) != rows[i].status)
			fail_msg("row %zu: %s", i, rows[i].lines);
	}
	assert_int_equal(decode_status(DECODE_MORE), 0);
	assert_int_equal(decode_status(DECODE_END), 0);
	assert_int_equal(decode_status(DECODE_BROKEN), 400);
	assert_int_equal(decode_status(DECODE_RATIO), 400);
	assert_int_equal(decode_status(DECODE_SIZE), 413);
	assert_int_equal(decode_status(DECODE_NO_MEMORY), 503);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_memory_of_encoders),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_gzip_names),
		cmocka_unit_test(test_zstd_window),
		cmocka_unit_test(test_plans),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
