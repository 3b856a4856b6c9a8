/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/unpack.h - a request's body out of its Content-Encoding, so that
 * the rules see what it says and the origin gets what they saw. Part of a request;
 * its loop only. */
#ifndef YETT_REQUEST_UNPACK_H
#define YETT_REQUEST_UNPACK_H

#include "gateway/base/buf.h"
#include "gateway/filter/decode.h"
#include "gateway/request/step.h"

/* What the decoders of one worker thread may hold in all. */
#define UNPACK_MEMORY_MAX (128u << 20)

struct request;

/* What there is of a body. */
enum body_rc {
	BODY_DATA,
	BODY_END,
	BODY_WAIT, /* the connection waits for bytes, or for its turn */
	BODY_REFUSED, /* malformed or too large: the refusal is set */
	BODY_GONE, /* the client left */
};

struct unpack {
	bool on; /* the body is decoded on its way */
	bool over; /* all of it was */
	struct decoder *decoder;
	struct span in; /* as sent, not decoded yet */
	struct buf out; /* the last piece */
	bool more; /* the decoder has more to say without any input */
	size_t work; /* bytes in and out since others had their turn */
	size_t held; /* memory that counts in the worker's sum */
};

/* Before the first byte of the body is taken: what its Content-Encoding asks for.
 * `size`: bytes that it may become. NEXT, or REPLY with the refusal. */
enum step_rc unpack_begin(struct request *, uint64_t size);
/* As request_body, decoded; for request.c alone. */
enum body_rc unpack_body(struct request *, struct span *data_r);
/* Gives back what it holds. */
void unpack_end(struct request *);

#endif
