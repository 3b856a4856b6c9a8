/* SPDX-License-Identifier: Apache-2.0 */
/* The answer or the refusal page to the client, with back-pressure. */
#include "config.h"

#include "gateway/request/answer.h"
#include "gateway/request/caching.h"
#include "gateway/request/request.h"
#include "gateway/request/source.h"

#define PIECES_PER_RUN 32
#define BYTES_PER_RUN (1u << 20) /* of an answer */

static void
begin(struct request *req)
{
	conn_progress(req->conn);
	req->answer_began = true;
	if (req->refusal.status != 0) {
		caching_refuse(req);
		exchange_end(req, false);
		answer_refusal(req);
		req->answer_ended = true;
		return;
	}
	sender_put(&req->out, text_span(&req->answer));
	req->answer_ended = req->answer_bodyless;
	caching_publish(req);
}

static void
put_piece(struct request *req, struct span piece)
{
	struct sender_lent lent;

	conn_progress(req->conn); /* it is the client's turn from now on */
	req->piece_bytes = piece.n;
	if (req->answer_chunked)
		sender_put_chunk(&req->out, piece);
	else if (source_lends(req, piece, &lent))
		sender_put_lent(&req->out, piece, &lent);
	else
		sender_put(&req->out, piece);
}

/* The head is gone already: all that is left is to end without the look of a
 * complete answer. */
static void
break_off(struct request *req, const char *reason, const char *detail)
{
	req->cut = true;
	req->answer_ended = true;
	if (req->refusal.status == 0) {
		req->refusal.status = req->answer_status;
		req->refusal.reason = reason;
		req->refusal.detail = detail;
	}
}

static void
end_body(struct request *req)
{
	if (req->answer_chunked)
		sender_put_last_chunk(&req->out);
	req->answer_ended = true;
}

/* Next piece into `out`. WAIT: none is there yet. */
static enum step_rc
next_piece(struct request *req)
{
	struct span piece;

	switch (pack_piece(req, &piece)) {
	case EXCHANGE_OK:
		put_piece(req, piece);
		req->piece_out = true;
		if (pack_is_done(req))
			end_body(req);
		return (STEP_NEXT);
	case EXCHANGE_END: end_body(req); return (STEP_NEXT);
	case EXCHANGE_WAIT: conn_watch(req->conn); return (STEP_WAIT);
	case EXCHANGE_CLIENT_GONE: return (STEP_CLOSE);
	case EXCHANGE_REFUSED:
		break_off(req, req->refusal.reason, req->refusal.detail);
		return (STEP_NEXT);
	default: break_off(req, "upstream", exchange_error(req)); return (STEP_NEXT);
	}
}

/* A client that does not take its answer before it has sent its body would wait
 * for us as we for it. */
static void
meanwhile(struct request *req)
{
	if (req->origin.conn == NULL || req->answer_ended)
		return;
	if (req->caching.writes)
		caching_take_on(req);
	else
		exchange_send_on(req);
}

enum step_rc
step_deliver(struct request *req)
{
	enum step_rc rc, piece;
	unsigned pieces;
	uint64_t bytes;

	if (!req->answer_began)
		begin(req);
	bytes = 0;
	for (pieces = 0;; pieces++) {
		if (pieces == PIECES_PER_RUN || bytes >= BYTES_PER_RUN) {
			conn_yield(req->conn);
			return (STEP_WAIT);
		}
		/* the head and what is there of the body leave together */
		piece = STEP_NEXT;
		if (!req->piece_out && !req->answer_ended)
			piece = next_piece(req);
		if ((rc = request_flush(req)) != STEP_NEXT) {
			if (rc == STEP_WAIT)
				meanwhile(req);
			return (rc);
		}
		if (req->piece_out)
			pack_used(req);
		req->piece_out = false;
		req->answer_bytes += req->piece_bytes;
		bytes += req->piece_bytes;
		req->piece_bytes = 0;
		if (piece != STEP_NEXT)
			return (piece);
		if (req->answer_ended)
			break;
	}
	/* a client that asked for a part does not end what is stored whole */
	if (req->caching.writes && !req->cut) {
		caching_take_on(req);
		conn_watch(req->conn);
		if (req->caching.writes)
			return (STEP_WAIT);
	}
	exchange_end(req, exchange_may_keep(req));
	return (STEP_NEXT);
}
