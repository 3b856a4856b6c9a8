/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming decoders over zlib, brotli and zstd, with caps. */
#include "config.h"

#include "gateway/filter/decode.h"

#include <stdlib.h>

#define ZLIB_CONST
#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "gateway/base/check.h"
#include "gateway/filter/memory.h"

#define DECODER_MAGIC 0x7a1dec0du
#define HEAD_MAX 4
#define GZIP_WRAPPER 16
#define ZLIB_FCHECK 31 /* RFC 1950 2.2 */

struct decoder {
	unsigned magic;
	enum coding coding;
	struct decode_caps caps;
	uint64_t consumed, produced;
	enum decode_rc rc; /* MORE, FULL while it runs */
	/* the first bytes, which tell formats apart before a library sees them */
	uint8_t head[HEAD_MAX];
	unsigned head_n, head_at;
	bool started;
	struct memory memory; /* of zlib and brotli */
	z_stream z;
	BrotliDecoderState *br;
	ZSTD_DCtx *zstd;
};

/* `head`: how many bytes `start` wants to see. Both return BROKEN, NO_MEMORY or what
 * decoder_run does. */
struct uncoder {
	unsigned head;
	enum decode_rc (*start)(struct decoder *);
	enum decode_rc (*run)(
	    struct decoder *, struct span *in, struct buf *out, size_t room);
	void (*end)(struct decoder *);
};

/* --- Content-Encoding ---------------------------------------------------- */

enum decode_plan
decode_plan(const struct http_fields *fields, enum coding *coding_r)
{
	struct span rest, element, only = SPAN_NONE;
	uint32_t i;

	*coding_r = CODING_IDENTITY;
	if (fields->count[HTTP_CONTENT_ENCODING] == 0)
		return (DECODE_AS_IT_IS);
	for (i = 0; i < fields->n; i++) {
		if (fields->v[i].id != HTTP_CONTENT_ENCODING)
			continue;
		rest = fields->v[i].value;
		while (span_split(&rest, ',', &element)) {
			element = span_trim(element);
			if (element.n == 0)
				continue;
			if (only.p != NULL)
				return (DECODE_SEVERAL);
			only = element;
		}
	}
	if (only.p == NULL)
		return (DECODE_AS_IT_IS);
	*coding_r = coding_find(only);
	if (*coding_r == CODING_COUNT)
		return (DECODE_UNKNOWN);
	return (*coding_r == CODING_IDENTITY ? DECODE_AS_IT_IS : DECODE_WITH);
}

uint16_t
decode_plan_status(enum decode_plan plan)
{
	return (plan == DECODE_UNKNOWN || plan == DECODE_SEVERAL ? 415 : 0);
}

uint16_t
decode_status(enum decode_rc rc)
{
	switch (rc) {
	case DECODE_MORE:
	case DECODE_FULL:
	case DECODE_END: return (0);
	case DECODE_BROKEN:
	case DECODE_RATIO: return (400);
	case DECODE_SIZE: return (413);
	case DECODE_NO_MEMORY: return (503);
	}
	WRONG("decode verdict");
}

/* --- gzip and deflate ---------------------------------------------------- */

/* A zlib header (RFC 1950 2.2), or the bare stream that some send as "deflate"? A bare
 * one begins with these bits only when it was made to. */
static int
window_bits(const struct decoder *d)
{
	const unsigned cmf = d->head[0], flg = d->head[1];

	if (d->coding == CODING_GZIP)
		return (MAX_WBITS + GZIP_WRAPPER);
	if ((cmf & 0x0f) == Z_DEFLATED && cmf >> 4 <= 7 &&
	    (cmf * 256 + flg) % ZLIB_FCHECK == 0)
		return (MAX_WBITS);
	return (-MAX_WBITS);
}

static enum decode_rc
zlib_start(struct decoder *d)
{
	d->z.zalloc = memory_take_array;
	d->z.zfree = memory_give;
	d->z.opaque = &d->memory;
	return (
	    inflateInit2(&d->z, window_bits(d)) == Z_OK ? DECODE_MORE : DECODE_NO_MEMORY);
}

static enum decode_rc
zlib_run(struct decoder *d, struct span *in, struct buf *out, size_t room)
{
	const uInt most = 1u << 30;
	const uInt had = in->n < most ? (uInt)in->n : most;
	int rc;

	d->z.next_in = (const Bytef *)in->p;
	d->z.avail_in = had;
	d->z.next_out = (Bytef *)out->mem + out->end;
	d->z.avail_out = (uInt)room;
	rc = inflate(&d->z, Z_NO_FLUSH);
	out->end += room - d->z.avail_out;
	*in = span_cut(*in, had - d->z.avail_in, in->n);
	switch (rc) {
	case Z_STREAM_END: return (DECODE_END);
	case Z_OK:
	case Z_BUF_ERROR:
		/* it stops early for want of room alone */
		return (d->z.avail_out == 0 || in->n > 0 ? DECODE_FULL : DECODE_MORE);
	case Z_MEM_ERROR: return (DECODE_NO_MEMORY);
	default: return (DECODE_BROKEN);
	}
}

static void
zlib_end(struct decoder *d)
{
	inflateEnd(&d->z);
}

/* --- brotli -------------------------------------------------------------- */

static enum decode_rc
br_start(struct decoder *d)
{
	d->br = BrotliDecoderCreateInstance(memory_take, memory_give, &d->memory);
	return (d->br != NULL ? DECODE_MORE : DECODE_NO_MEMORY);
}

static enum decode_rc
br_run(struct decoder *d, struct span *in, struct buf *out, size_t room)
{
	const uint8_t *next_in = (const uint8_t *)in->p;
	uint8_t *next_out = (uint8_t *)out->mem + out->end;
	const size_t had = in->n;
	size_t left = had, room_left = room;
	BrotliDecoderResult rc;
	BrotliDecoderErrorCode code;

	rc = BrotliDecoderDecompressStream(
	    d->br, &left, &next_in, &room_left, &next_out, NULL);
	out->end += room - room_left;
	*in = span_cut(*in, had - left, had);
	switch (rc) {
	case BROTLI_DECODER_RESULT_SUCCESS: return (DECODE_END);
	case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
		/* it says so even while output waits */
		return (BrotliDecoderHasMoreOutput(d->br) ? DECODE_FULL : DECODE_MORE);
	case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: return (DECODE_FULL);
	case BROTLI_DECODER_RESULT_ERROR: break;
	}
	code = BrotliDecoderGetErrorCode(d->br);
	return (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
			code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES
		    ? DECODE_NO_MEMORY
		    : DECODE_BROKEN);
}

static void
br_end(struct decoder *d)
{
	if (d->br != NULL)
		BrotliDecoderDestroyInstance(d->br);
}

/* --- zstd ---------------------------------------------------------------- */

/* Only frames of RFC 8878: the library may know the formats of its own past, and skips
 * frames that hold anything. */
static enum decode_rc
zstd_start(struct decoder *d)
{
	static const uint8_t magic[HEAD_MAX] = { 0x28, 0xb5, 0x2f, 0xfd };

	if (memcmp(d->head, magic, HEAD_MAX) != 0)
		return (DECODE_BROKEN);
	d->zstd = ZSTD_createDCtx();
	if (d->zstd == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(
				   d->zstd, ZSTD_d_windowLogMax, DECODER_WINDOW_LOG)))
		return (DECODE_NO_MEMORY);
	return (DECODE_MORE);
}

static enum decode_rc
zstd_run(struct decoder *d, struct span *in, struct buf *out, size_t room)
{
	ZSTD_inBuffer from = { in->p, in->n, 0 };
	ZSTD_outBuffer to = { out->mem + out->end, room, 0 };
	size_t rc;

	rc = ZSTD_decompressStream(d->zstd, &to, &from);
	if (ZSTD_isError(rc))
		return (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation
			    ? DECODE_NO_MEMORY
			    : DECODE_BROKEN);
	out->end += to.pos;
	*in = span_cut(*in, from.pos, in->n);
	if (rc == 0)
		return (DECODE_END);
	return (to.pos == room || in->n > 0 ? DECODE_FULL : DECODE_MORE);
}

static void
zstd_end(struct decoder *d)
{
	ZSTD_freeDCtx(d->zstd);
}

/* --- any of them --------------------------------------------------------- */

static const struct uncoder uncoders[] = {
	[CODING_ZSTD] = { 4, zstd_start, zstd_run, zstd_end },
	[CODING_BR] = { 0, br_start, br_run, br_end },
	[CODING_GZIP] = { 0, zlib_start, zlib_run, zlib_end },
	[CODING_DEFLATE] = { 2, zlib_start, zlib_run, zlib_end },
};

struct decoder *
decoder_new(enum coding coding, const struct decode_caps *caps)
{
	struct decoder *d = mem_zalloc(sizeof(*d));

	CHECK(coding < CODING_IDENTITY);
	d->magic = DECODER_MAGIC;
	d->coding = coding;
	d->caps = *caps;
	d->rc = DECODE_MORE;
	d->memory.limit = DECODER_MEMORY_MAX;
	return (d);
}

void
decoder_free(struct decoder **d_p)
{
	struct decoder *d = *d_p;

	if (d == NULL)
		return;
	CHECK_OBJ(d, DECODER_MAGIC);
	*d_p = NULL;
	if (d->started)
		uncoders[d->coding].end(d);
	d->magic = 0;
	free(d);
}

/* Gathers the head and starts; true when there is a stream to run. */
static bool
is_started(struct decoder *d, struct span *in)
{
	const struct uncoder *u = &uncoders[d->coding];

	if (d->started)
		return (true);
	while (d->head_n < u->head && in->n > 0) {
		d->head[d->head_n++] = (uint8_t)in->p[0];
		d->consumed++;
		*in = span_cut(*in, 1, in->n);
	}
	if (d->head_n < u->head)
		return (false);
	d->started = true;
	d->rc = u->start(d);
	return (d->rc == DECODE_MORE);
}

static void
run_once(struct decoder *d, struct span *in, struct buf *out, size_t room)
{
	const size_t had = in->n, filled = out->end;

	d->rc = uncoders[d->coding].run(d, in, out, room);
	d->consumed += had - in->n;
	d->produced += out->end - filled;
}

static void
hold_to_caps(struct decoder *d)
{
	const struct decode_caps *caps = &d->caps;

	if (d->produced > caps->size)
		d->rc = DECODE_SIZE;
	else if (caps->ratio > 0 && d->produced > DECODER_GRACE &&
		 d->produced / caps->ratio >= d->consumed)
		d->rc = DECODE_RATIO;
}

/* One byte beyond the cap tells that there is more. */
static size_t
room_for(const struct decoder *d, const struct buf *out)
{
	const uint64_t left = d->caps.size - d->produced;
	size_t room = buf_room(out);

	if (room > DECODER_STEP)
		room = DECODER_STEP;
	return (left < room ? (size_t)left + 1 : room);
}

/* What was gathered goes in before what follows it. */
static void
run_head(struct decoder *d, struct buf *out, bool more)
{
	struct span head = span_mem(d->head + d->head_at, d->head_n - d->head_at);

	d->consumed -= head.n; /* counted when it came */
	run_once(d, &head, out, room_for(d, out));
	d->consumed += head.n;
	d->head_at = d->head_n - (unsigned)head.n;
	if (d->rc == DECODE_MORE && more)
		d->rc = DECODE_FULL;
	else if (d->rc == DECODE_END && head.n > 0)
		d->rc = DECODE_BROKEN;
}

enum decode_rc
decoder_run(struct decoder *d, struct span *in, struct buf *out)
{
	CHECK_OBJ(d, DECODER_MAGIC);
	CHECK(out->mem != NULL && buf_room(out) > 0);
	if (d->rc == DECODE_END && in->n > 0)
		d->rc = DECODE_BROKEN; /* something behind the stream */
	if ((d->rc != DECODE_MORE && d->rc != DECODE_FULL) ||
	    (d->rc == DECODE_MORE && in->n == 0) || !is_started(d, in))
		return (d->rc);
	if (d->head_at < d->head_n)
		run_head(d, out, in->n > 0);
	else
		run_once(d, in, out, room_for(d, out));
	if (d->rc == DECODE_END && in->n > 0)
		d->rc = DECODE_BROKEN;
	if (decode_status(d->rc) == 0)
		hold_to_caps(d);
	return (d->rc);
}

enum decode_rc
decoder_finish(struct decoder *d)
{
	CHECK_OBJ(d, DECODER_MAGIC);
	if (d->rc == DECODE_MORE || d->rc == DECODE_FULL)
		d->rc = d->consumed == 0 ? DECODE_END : DECODE_BROKEN;
	return (d->rc);
}

uint64_t
decoder_produced(const struct decoder *d)
{
	CHECK_OBJ(d, DECODER_MAGIC);
	return (d->produced);
}

size_t
decoder_memory(const struct decoder *d)
{
	CHECK_OBJ(d, DECODER_MAGIC);
	return (sizeof(*d) + d->memory.used +
		(d->zstd != NULL ? ZSTD_sizeof_DCtx(d->zstd) : 0));
}
