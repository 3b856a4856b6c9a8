/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/pack.h - compression of an answer on its way from its source to the
 * client: decided when the head is written, done piece by piece as the client takes
 * it, and of an answer that is stored once only. Part of a request; its loop only. */
#ifndef YETT_REQUEST_PACK_H
#define YETT_REQUEST_PACK_H

#include "gateway/base/buf.h"
#include "gateway/cache/object.h"
#include "gateway/filter/compress.h"
#include "gateway/filter/encoder.h"
#include "gateway/request/exchange.h"

/* What the encoders of one worker thread may hold in all. */
#define PACK_MEMORY_MAX (256u << 20)

struct pack {
	enum compress_why why;
	bool negotiated; /* the head depends on Accept-Encoding */
	enum coding coding; /* of the head; IDENTITY: as it is */
	struct encoder *encoder;
	bool on; /* the body goes through the encoder, */
	bool done; /* and all of it has */
	bool runs; /* the encoder has not done `op` yet */
	bool borrowed; /* `in` is the source's piece */
	bool unflushed; /* the encoder may hold something back */
	enum encoder_op op;
	struct span in;
	struct buf out;
	size_t work; /* bytes in and out since others had their turn */
	size_t held; /* memory that counts in the worker's sum */
	/* of a stored answer: what was made of it before, or what is being made */
	struct cache_body *made, *making;
	struct cache_object *object; /* `making` is to be its */
	uint64_t at; /* of `made` */
	size_t piece; /* of it, in the client's `out` */
};

/* Looks at the request and its `response`: sets why, negotiated, coding. */
void pack_decide(struct request *);
/* What becomes of a field of the response, and the lines that are added. `with_vary`:
 * the response's own Vary is in the head. */
enum compress_field pack_field(const struct request *, const struct http_field *);
void pack_put_fields(const struct request *, bool with_vary, struct text *head);
/* Is the length of the body known? That of the response, or of its compressed form. */
bool pack_length(const struct request *, uint64_t *length_r);

/* As those of source.h, with the coding around what the source gives. */
enum exchange_rc pack_piece(struct request *, struct span *piece_r);
void pack_used(struct request *);
bool pack_is_done(const struct request *);
/* Gives back what it holds. */
void pack_end(struct request *);

#endif
