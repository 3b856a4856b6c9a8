/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming encoders over zlib, brotli and zstd. */
#include "config.h"

#include "gateway/filter/encoder.h"

#include <stdlib.h>

#define ZLIB_CONST
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "gateway/base/check.h"
#include "gateway/filter/memory.h"

#define ENCODER_MAGIC 0x7a1c0de1u
#define ENCODER_POOL_MAGIC 0x7a1c0de2u
#define GZIP_WRAPPER 16
#define GZIP_MEM_LEVEL 8

struct encoder {
	unsigned magic;
	enum coding coding;
	unsigned level;
	bool finished;
	struct encoder_pool *pool;
	struct encoder *next;
	struct memory memory; /* of gzip and br; its limit is gzip's */
	z_stream z;
	BrotliEncoderState *br;
	ZSTD_CCtx *zstd;
};

struct encoder_pool {
	unsigned magic;
	unsigned spare, in_use;
	unsigned n[CODING_COUNT];
	struct encoder *unused[CODING_COUNT];
};

/* `start` begins a stream in a new context or in a used one. `memory`: KiB by level,
 * a little more than measured; a recycled context may be a higher level's. */
struct coder {
	unsigned level, level_max;
	uint16_t memory[10];
	bool (*start)(struct encoder *, unsigned level);
	enum encoder_rc (*run)(
	    struct encoder *, struct span *, struct buf *, enum encoder_op);
	void (*end)(struct encoder *);
};

static size_t
room_of(const struct buf *out)
{
	const size_t room = buf_room(out), most = 1u << 30;

	return (room < most ? room : most); /* zlib counts in unsigned ints */
}

/* --- gzip ---------------------------------------------------------------- */

static bool
gzip_start(struct encoder *e, unsigned level)
{
	if (e->z.state == NULL) {
		e->z.zalloc = memory_take_array;
		e->z.zfree = memory_give;
		e->z.opaque = &e->memory;
		return (
		    deflateInit2(&e->z, (int)level, Z_DEFLATED, MAX_WBITS + GZIP_WRAPPER,
			GZIP_MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK);
	}
	return (deflateReset(&e->z) == Z_OK &&
		(level == e->level ||
		    deflateParams(&e->z, (int)level, Z_DEFAULT_STRATEGY) == Z_OK));
}

static enum encoder_rc
gzip_run(struct encoder *e, struct span *in, struct buf *out, enum encoder_op op)
{
	static const int flushes[] = { Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH };
	const size_t room = room_of(out);
	int rc;

	e->z.next_in = (const Bytef *)in->p;
	e->z.avail_in = (uInt)in->n;
	e->z.next_out = (Bytef *)out->mem + out->end;
	e->z.avail_out = (uInt)room;
	rc = deflate(&e->z, flushes[op]);
	out->end += room - e->z.avail_out;
	*in = span_cut(*in, in->n - e->z.avail_in, in->n);
	if (rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END)
		return (ENCODER_FAILED);
	if (op == ENCODER_FINISH)
		return (rc == Z_STREAM_END ? ENCODER_DONE : ENCODER_MORE);
	if (in->n > 0 || (op == ENCODER_FLUSH && e->z.avail_out == 0))
		return (ENCODER_MORE);
	return (ENCODER_DONE);
}

static void
gzip_end(struct encoder *e)
{
	if (e->z.state != NULL)
		deflateEnd(&e->z);
}

/* --- brotli -------------------------------------------------------------- */

static void
br_end(struct encoder *e)
{
	if (e->br != NULL)
		BrotliEncoderDestroyInstance(e->br);
	e->br = NULL;
}

/* It can't be started over, so a used context brings its struct alone. */
static bool
br_start(struct encoder *e, unsigned level)
{
	br_end(e);
	/* its encoder calls exit() when it is given no memory: no limit for it */
	e->br = BrotliEncoderCreateInstance(memory_take_sure, memory_give, &e->memory);
	return (e->br != NULL &&
		BrotliEncoderSetParameter(e->br, BROTLI_PARAM_QUALITY, level) &&
		BrotliEncoderSetParameter(e->br, BROTLI_PARAM_LGWIN, ENCODER_WINDOW_LOG));
}

static enum encoder_rc
br_run(struct encoder *e, struct span *in, struct buf *out, enum encoder_op op)
{
	static const BrotliEncoderOperation operations[] = { BROTLI_OPERATION_PROCESS,
		BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH };
	const uint8_t *next_in = (const uint8_t *)in->p;
	uint8_t *next_out = (uint8_t *)out->mem + out->end;
	const size_t had = in->n, room = room_of(out);
	size_t left = had, room_left = room;

	if (!BrotliEncoderCompressStream(
		e->br, operations[op], &left, &next_in, &room_left, &next_out, NULL))
		return (ENCODER_FAILED);
	out->end += room - room_left;
	*in = span_cut(*in, had - left, had);
	if (op == ENCODER_FINISH)
		return (BrotliEncoderIsFinished(e->br) ? ENCODER_DONE : ENCODER_MORE);
	if (in->n > 0 || (op == ENCODER_FLUSH && BrotliEncoderHasMoreOutput(e->br)))
		return (ENCODER_MORE);
	return (ENCODER_DONE);
}

/* --- zstd ---------------------------------------------------------------- */

static bool
zstd_start(struct encoder *e, unsigned level)
{
	if (e->zstd == NULL)
		e->zstd = ZSTD_createCCtx();
	if (e->zstd == NULL)
		return (false);
	ZSTD_CCtx_reset(e->zstd, ZSTD_reset_session_only);
	return (!ZSTD_isError(ZSTD_CCtx_setParameter(
		    e->zstd, ZSTD_c_compressionLevel, (int)level)) &&
		!ZSTD_isError(ZSTD_CCtx_setParameter(
		    e->zstd, ZSTD_c_windowLog, ENCODER_WINDOW_LOG)));
}

static enum encoder_rc
zstd_run(struct encoder *e, struct span *in, struct buf *out, enum encoder_op op)
{
	static const ZSTD_EndDirective directives[] = { ZSTD_e_continue, ZSTD_e_flush,
		ZSTD_e_end };
	ZSTD_inBuffer from = { in->p, in->n, 0 };
	ZSTD_outBuffer to = { out->mem + out->end, room_of(out), 0 };
	size_t left;

	left = ZSTD_compressStream2(e->zstd, &to, &from, directives[op]);
	if (ZSTD_isError(left))
		return (ENCODER_FAILED);
	out->end += to.pos;
	*in = span_cut(*in, from.pos, in->n);
	if (in->n > 0 || (op != ENCODER_PUSH && left > 0))
		return (ENCODER_MORE);
	return (ENCODER_DONE);
}

static void
zstd_end(struct encoder *e)
{
	ZSTD_freeCCtx(e->zstd);
}

/* --- contexts ------------------------------------------------------------ */

static const struct coder coders[] = {
	[CODING_ZSTD] = { 3, 6, { 0, 1152, 1408, 1920, 3200, 4224, 4224 }, zstd_start,
	    zstd_run, zstd_end },
	[CODING_BR] = { 4, 6, { 0, 512, 2304, 2304, 4096, 4608, 5632 }, br_start, br_run,
	    br_end },
	[CODING_GZIP] = { 4, 9, { 0, 320, 320, 320, 320, 320, 320, 320, 320, 320 },
	    gzip_start, gzip_run, gzip_end },
};

static const struct coder *
coder_of(enum coding coding)
{
	CHECK(coding <= CODING_GZIP);
	return (&coders[coding]);
}

unsigned
encoder_level_standard(enum coding coding)
{
	return (coder_of(coding)->level);
}

unsigned
encoder_level_max(enum coding coding)
{
	return (coder_of(coding)->level_max);
}

size_t
encoder_memory_most(enum coding coding, unsigned level)
{
	CHECK(level <= coder_of(coding)->level_max);
	return ((size_t)coder_of(coding)->memory[level] << 10);
}

static void
encoder_destroy(struct encoder *e)
{
	coder_of(e->coding)->end(e);
	e->magic = 0;
	free(e);
}

struct encoder_pool *
encoder_pool_new(unsigned spare)
{
	struct encoder_pool *pool = mem_zalloc(sizeof(*pool));

	pool->magic = ENCODER_POOL_MAGIC;
	pool->spare = spare;
	return (pool);
}

void
encoder_pool_free(struct encoder_pool **pool_p)
{
	struct encoder_pool *pool = *pool_p;
	struct encoder *e;
	unsigned i;

	if (pool == NULL)
		return;
	CHECK_OBJ(pool, ENCODER_POOL_MAGIC);
	CHECK(pool->in_use == 0);
	*pool_p = NULL;
	for (i = 0; i < CODING_COUNT; i++)
		while ((e = pool->unused[i]) != NULL) {
			pool->unused[i] = e->next;
			encoder_destroy(e);
		}
	free(pool);
}

struct encoder *
encoder_take(struct encoder_pool *pool, enum coding coding, unsigned level)
{
	const struct coder *coder = coder_of(coding);
	struct encoder *e;

	CHECK_OBJ(pool, ENCODER_POOL_MAGIC);
	CHECK(level >= 1 && level <= coder->level_max);
	e = pool->unused[coding];
	if (e != NULL) {
		pool->unused[coding] = e->next;
		pool->n[coding]--;
	} else {
		e = mem_zalloc(sizeof(*e));
		e->magic = ENCODER_MAGIC;
		e->coding = coding;
		e->pool = pool;
		e->memory.limit = ENCODER_MEMORY_MAX;
	}
	e->finished = false;
	if (!coder->start(e, level)) {
		encoder_destroy(e);
		return (NULL);
	}
	e->level = level;
	pool->in_use++;
	return (e);
}

void
encoder_give(struct encoder **e_p)
{
	struct encoder *e = *e_p;
	struct encoder_pool *pool;

	if (e == NULL)
		return;
	CHECK_OBJ(e, ENCODER_MAGIC);
	*e_p = NULL;
	pool = e->pool;
	pool->in_use--;
	if (e->coding == CODING_BR || pool->n[e->coding] >= pool->spare) {
		encoder_destroy(e);
		return;
	}
	e->next = pool->unused[e->coding];
	pool->unused[e->coding] = e;
	pool->n[e->coding]++;
}

enum encoder_rc
encoder_run(struct encoder *e, struct span *in, struct buf *out, enum encoder_op op)
{
	struct span piece, rest;
	enum encoder_rc rc;

	CHECK_OBJ(e, ENCODER_MAGIC);
	CHECK(!e->finished);
	CHECK(out->mem != NULL && buf_room(out) >= ENCODER_ROOM_MIN);
	piece = span_cut(*in, 0, ENCODER_PIECE_MAX);
	rest = span_cut(*in, piece.n, in->n);
	rc = coder_of(e->coding)->run(e, &piece, out, rest.n > 0 ? ENCODER_PUSH : op);
	*in = span_cut(*in, in->n - rest.n - piece.n, in->n);
	if (rc == ENCODER_DONE && rest.n > 0)
		return (ENCODER_MORE);
	e->finished =
	    rc == ENCODER_FAILED || (rc == ENCODER_DONE && op == ENCODER_FINISH);
	return (rc);
}

size_t
encoder_memory(const struct encoder *e)
{
	CHECK_OBJ(e, ENCODER_MAGIC);
	return (sizeof(*e) + e->memory.used +
		(e->zstd != NULL ? ZSTD_sizeof_CCtx(e->zstd) : 0));
}
