/* SPDX-License-Identifier: Apache-2.0 */
/* Where the body of an answer comes from. */
#include "config.h"

#include "gateway/request/source.h"

#include "gateway/request/caching.h"
#include "gateway/request/request.h"

enum exchange_rc
source_piece(struct request *req, struct span *piece_r)
{
	if (caching_has_body(req))
		return (caching_piece(req, piece_r));
	if (req->held_sent < req->held.n) {
		*piece_r = span_cut(text_span(&req->held), req->held_sent, req->held.n);
		req->held_sent = req->held.n;
		return (EXCHANGE_OK);
	}
	return (exchange_body(req, piece_r));
}

bool
source_lends(struct request *req, struct span piece, struct sender_lent *lent_r)
{
	const struct stream *to = req->conn->stream; /* NULL: for the cache alone */

	return (caching_has_body(req) && to != NULL && stream_takes_files(to) &&
		caching_lends(req, piece, lent_r));
}

void
source_used(struct request *req)
{
	if (caching_has_body(req))
		caching_piece_used(req);
	else
		exchange_body_used(req);
}

bool
source_is_done(const struct request *req)
{
	return (caching_has_body(req) ? caching_is_done(req) : req->origin.body_done);
}
