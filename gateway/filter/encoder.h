/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/encoder.h - encodes a stream of bytes with gzip, brotli or zstd, piece
 * by piece into buffers of the caller's. Contexts are taken from a pool, one for each
 * worker thread, and go back there. One thread at a time.
 *
 *	encoder_run(e, &piece, &out, ENCODER_PUSH) until DONE, for each piece;
 *	ENCODER_FLUSH when the origin pauses, so that what it sent gets through;
 *	ENCODER_FINISH at the end. On MORE: send what is in `out`, call again. */
#ifndef YETT_FILTER_ENCODER_H
#define YETT_FILTER_ENCODER_H

#include "gateway/base/buf.h"
#include "gateway/base/span.h"
#include "gateway/filter/accept.h"

/* How far back a coding looks (the same for all three but gzip's, which has 32 KiB by
 * its format): more costs memory for every answer under way and gains little on
 * pages. */
#define ENCODER_WINDOW_LOG 18
/* What one context holds at most between two calls, at any level allowed. */
#define ENCODER_MEMORY_MAX (6u << 20)
/* Input taken by one call: bounds the time it takes. */
#define ENCODER_PIECE_MAX (64u << 10)

/* Room that `out` must have: with less, zlib would flush for ever. */
#define ENCODER_ROOM_MIN 64

struct encoder;
struct encoder_pool;

enum encoder_op {
	ENCODER_PUSH, /* more will come */
	ENCODER_FLUSH, /* all so far has to get out now */
	ENCODER_FINISH, /* nothing comes behind it */
};

enum encoder_rc {
	ENCODER_DONE, /* *in is empty, and what was asked for is in `out` */
	ENCODER_MORE, /* call again with the same op, with ENCODER_ROOM_MIN in `out` */
	ENCODER_FAILED, /* no memory, or misuse; the stream can't go on */
};

/* Keeps at most `spare` unused contexts of each coding and never more than were in
 * use at once. */
struct encoder_pool *encoder_pool_new(unsigned spare);
void encoder_pool_free(struct encoder_pool **); /* all encoders must be back */

/* The level that measured best for answers made on the fly (docs/design/filters.md),
 * and what may be asked for: higher ones cost more time than a gateway has. */
unsigned encoder_level_standard(enum coding);
unsigned encoder_level_max(enum coding);
/* `level`: 1 to encoder_level_max. NULL when there is no memory: send it as it is. */
struct encoder *encoder_take(struct encoder_pool *, enum coding, unsigned level);
/* Back to its pool, finished or not. */
void encoder_give(struct encoder **);
/* Takes from the front of *in, appends to `out`. Nothing is to be
 * called behind FINISH and DONE. A FLUSH with nothing new writes nothing or a few
 * bytes, so flush only when something was pushed. */
enum encoder_rc
encoder_run(struct encoder *, struct span *in, struct buf *out, enum encoder_op);
/* Bytes of memory that it holds now, and that it may come to hold between two calls;
 * brotli takes up to 2 MiB more for the time of a call. */
size_t encoder_memory(const struct encoder *);
size_t encoder_memory_most(enum coding, unsigned level);

#endif
