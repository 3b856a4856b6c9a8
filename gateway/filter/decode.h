/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/decode.h - decodes bodies of requests, so that the rules see what they
 * say. Every byte is hostile: a decoder's memory is bounded by the windows of its
 * coding, its output by the caps, the time of a call by DECODER_STEP. Strict: one
 * stream and nothing behind it. One thread at a time. */
#ifndef YETT_FILTER_DECODE_H
#define YETT_FILTER_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/span.h"
#include "gateway/filter/accept.h"

/* Output of one call at most. */
#define DECODER_STEP (64u << 10)
/* Output for which no ratio is asked: short texts may pack well. */
#define DECODER_GRACE (64u << 10)
#define DECODER_RATIO 100u
/* Largest window of a zstd stream that is decoded, which RFC 9659 asks for. */
#define DECODER_WINDOW_LOG 23
/* What one decoder holds at most. Only what was decoded is ever touched: a short body
 * that claims a large window costs address space, not memory. */
#define DECODER_MEMORY_MAX (20u << 20)

enum decode_plan {
	DECODE_AS_IT_IS, /* no Content-Encoding, or identity */
	DECODE_WITH, /* *coding_r */
	DECODE_UNKNOWN, /* 415 */
	DECODE_SEVERAL, /* 415 */
};

/* What Content-Encoding asks for. */
enum decode_plan decode_plan(const struct http_fields *, enum coding *coding_r);

struct decode_caps {
	uint64_t size; /* bytes of output */
	unsigned ratio; /* output to input, beyond DECODER_GRACE; 0: no cap */
};

enum decode_rc {
	DECODE_MORE, /* *in is empty: give it more, or finish */
	DECODE_FULL, /* not all is out: make room in `out`, call again */
	DECODE_END, /* the stream is complete; more input would be an error */
	DECODE_BROKEN, /* not the coding, cut short, or something behind it */
	DECODE_RATIO, /* a bomb */
	DECODE_SIZE, /* larger than the cap */
	DECODE_NO_MEMORY
};

/* Status of a refusal: 415, 400 (broken, ratio), 413 (size), 503 (memory); 0 for what is
 * none. */
uint16_t decode_plan_status(enum decode_plan);
uint16_t decode_status(enum decode_rc);

struct decoder;
/* Any coding but identity. "deflate" is with the wrapper of zlib, as it has to be, where
 * its first two bytes say so, and without it otherwise. */
struct decoder *decoder_new(enum coding, const struct decode_caps *);
void decoder_free(struct decoder **);
/* Takes from the front of *in, appends to `out`, which must have room. An error stays:
 * later calls return it too. `out` then holds what was decoded before it, up to one
 * byte more than caps.size. */
enum decode_rc decoder_run(struct decoder *, struct span *in, struct buf *out);
/* No more input comes: END or BROKEN. No byte at all is an empty body. */
enum decode_rc decoder_finish(struct decoder *);
uint64_t decoder_produced(const struct decoder *);
/* Bytes of memory that it holds now. */
size_t decoder_memory(const struct decoder *);

#endif
