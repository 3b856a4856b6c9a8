/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request out of its Content-Encoding. */
#include "config.h"

#include "gateway/request/unpack.h"

#include "gateway/base/check.h"
#include "gateway/request/request.h"

/* Even a call that moves a single byte is work: a body in chunks of one. */
#define WORK_OF_A_CALL 1024u
/* What a decoder needs before it has decoded anything, about. */
#define HELD_AT_FIRST (192u << 10)

static const char *
detail_of(enum decode_rc rc)
{
	switch (rc) {
	case DECODE_RATIO: return ("compressed body grows too much");
	case DECODE_SIZE: return ("compressed body larger than the policy allows");
	case DECODE_NO_MEMORY: return ("no memory for compressed bodies");
	default: return ("compressed body is broken");
	}
}

/* What a decoder holds, but no more of its window than was ever written. */
static void
count_memory(struct request *req)
{
	struct unpack *u;
	uint64_t touched;
	size_t held;

	u = &req->unpack;
	held = 0;
	if (u->decoder != NULL) {
		touched = HELD_AT_FIRST + decoder_produced(u->decoder);
		held = decoder_memory(u->decoder);
		if (touched < held)
			held = (size_t)touched;
		if (held < HELD_AT_FIRST)
			held = HELD_AT_FIRST;
	}
	req->worker->unpacking += held;
	req->worker->unpacking -= u->held;
	u->held = held;
}

enum step_rc
unpack_begin(struct request *req, uint64_t size)
{
	struct decode_caps caps = { .size = size, .ratio = DECODER_RATIO };
	enum decode_plan plan;
	enum coding coding;

	plan = decode_plan(&req->http.fields, &coding);
	if (plan == DECODE_AS_IT_IS)
		return (STEP_NEXT);
	if (plan != DECODE_WITH) {
		req->refusal.accept_encoding = SPAN("gzip, deflate, br, zstd");
		return (request_refuse(req, decode_plan_status(plan), "body",
		    plan == DECODE_SEVERAL ? "more than one Content-Encoding"
					   : "unknown Content-Encoding"));
	}
	if (req->worker->unpacking + HELD_AT_FIRST > UNPACK_MEMORY_MAX)
		return (request_refuse(req, decode_status(DECODE_NO_MEMORY), "body",
		    detail_of(DECODE_NO_MEMORY)));
	req->unpack.on = true;
	req->unpack.decoder = decoder_new(coding, &caps);
	req->http.unpacked = true;
	count_memory(req);
	return (STEP_NEXT);
}

void
unpack_end(struct request *req)
{
	struct unpack *u;

	u = &req->unpack;
	decoder_free(&u->decoder);
	count_memory(req);
	buf_give(req->worker->buffers, &u->out);
}

static enum body_rc
refuse(struct request *req, enum decode_rc rc)
{
	request_refuse(req, decode_status(rc), "body", detail_of(rc));
	return (BODY_REFUSED);
}

/* One call of the decoder. DATA: there is a piece; WAIT: it wants more. */
static enum body_rc
decode(struct request *req, struct span *data_r)
{
	struct unpack *u;
	enum decode_rc rc;
	size_t had;

	u = &req->unpack;
	buf_take(req->worker->buffers, &u->out);
	u->out.start = u->out.end = 0;
	had = u->in.n;
	rc = decoder_run(u->decoder, &u->in, &u->out);
	u->work += WORK_OF_A_CALL + had - u->in.n + buf_len(&u->out);
	req->body_bytes = decoder_produced(u->decoder);
	count_memory(req);
	if (decode_status(rc) != 0)
		return (refuse(req, rc));
	if (req->worker->unpacking > UNPACK_MEMORY_MAX)
		return (refuse(req, DECODE_NO_MEMORY));
	u->more = rc == DECODE_FULL;
	*data_r = buf_span(&u->out);
	return (data_r->n > 0 ? BODY_DATA : BODY_WAIT);
}

/* The last byte was taken in. */
static enum body_rc
finish(struct request *req)
{
	enum decode_rc rc;

	rc = decoder_finish(req->unpack.decoder);
	if (decode_status(rc) != 0)
		return (refuse(req, rc));
	req->unpack.over = true;
	unpack_end(req);
	return (BODY_END);
}

enum body_rc
unpack_body(struct request *req, struct span *data_r)
{
	struct unpack *u;
	enum body_rc rc;

	u = &req->unpack;
	*data_r = SPAN_NONE;
	if (req->refusal.status != 0)
		return (BODY_REFUSED);
	if (u->over)
		return (BODY_END);
	for (;;) {
		if (u->work >= DECODER_STEP) {
			u->work = 0;
			conn_yield(req->conn);
		}
		if (req->conn->yields)
			return (BODY_WAIT);
		if (u->in.n > 0 || u->more) {
			if ((rc = decode(req, data_r)) != BODY_WAIT)
				return (rc);
			continue;
		}
		rc = request_body_as_sent(req, &u->in);
		if (rc == BODY_END)
			return (finish(req));
		if (rc != BODY_DATA)
			return (rc);
	}
}
