/* SPDX-License-Identifier: Apache-2.0 */
/* Takes in as much of the body as the WAF wants to see. */
#include "config.h"

#include "gateway/request/request.h"

/* A client that waits for permission gets it now: what can be refused by the
 * head alone has been. */
static enum step_rc
permit(struct request *req)
{
	if (req->http.expect_continue && !req->continued && req->http.minor > 0 &&
	    buf_len(&req->conn->in) == req->head.head_bytes)
		sender_put(&req->out, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
	req->continued = true;
	return (request_flush(req));
}

static enum step_rc
too_large(struct request *req)
{
	return (request_refuse(req, 413, "body", "body larger than what is inspected"));
}

/* One piece of the body into the spool. NEXT: there may be more. */
static enum step_rc
take_piece(struct request *req, uint64_t inspect, bool reject)
{
	uint64_t room;

	room = inspect - spool_bytes(&req->spool);
	if (req->piece.n > room) {
		if (reject)
			return (too_large(req));
		req->beyond = span_cut(req->piece, (size_t)room, req->piece.n);
		req->piece.n = (size_t)room;
		req->truncated = true;
	}
	switch (spool_put(&req->spool, req->worker->files, req->piece)) {
	case SPOOL_OK: req->piece = SPAN_NONE; return (STEP_NEXT);
	case SPOOL_WAIT: return (STEP_WAIT);
	default: return (request_refuse(req, 500, "body", "temporary file failed"));
	}
}

static enum step_rc
take_body(struct request *req, uint64_t inspect, bool reject)
{
	enum step_rc rc;

	for (;;) {
		if (req->piece.p != NULL) {
			rc = take_piece(req, inspect, reject);
			if (rc != STEP_NEXT)
				return (rc);
			continue;
		}
		if (req->truncated)
			break;
		switch (request_body(req, &req->piece)) {
		case BODY_DATA: continue;
		case BODY_WAIT: return (STEP_WAIT);
		case BODY_REFUSED: return (STEP_REPLY);
		case BODY_GONE: return (STEP_CLOSE);
		case BODY_END: break;
		}
		break;
	}
	switch (spool_seal(&req->spool, req->worker->files)) {
	case SPOOL_OK: return (STEP_NEXT);
	case SPOOL_WAIT: return (STEP_WAIT);
	default: return (request_refuse(req, 500, "body", "temporary file failed"));
	}
}

/* Before anything of it is taken. NEXT, or REPLY. */
static enum step_rc
look_at_head(struct request *req, const struct conf_policy *policy)
{
	uint64_t inspect, limit;
	bool reject;

	inspect = policy->request_body.inspect;
	limit = policy->request_body.limit;
	reject = policy->request_body.over_inspect == CONF_OVER_REJECT;
	if (req->http.framing == H1_LENGTH && req->http.content_length > limit)
		return (request_refuse(
		    req, 413, "body", "body larger than the policy's limit"));
	if (!request_is_inspected(req))
		return (STEP_NEXT);
	if (inspect > 0 &&
	    unpack_begin(req, reject && inspect < limit ? inspect : limit) != STEP_NEXT)
		return (STEP_REPLY);
	/* what comes compressed may well become smaller */
	if (req->http.framing == H1_LENGTH && !req->unpack.on && reject &&
	    req->http.content_length > inspect)
		return (too_large(req));
	return (STEP_NEXT);
}

enum step_rc
step_body(struct request *req)
{
	const struct conf_policy *policy;
	enum step_rc rc;
	bool reject;

	if (req->http.framing == H1_NO_BODY)
		return (STEP_NEXT);
	if (request_is_busy(req))
		return (STEP_WAIT);
	policy = req->place->policy;
	if (policy != NULL && !req->continued &&
	    (rc = look_at_head(req, policy)) != STEP_NEXT)
		return (rc);
	if ((rc = permit(req)) != STEP_NEXT)
		return (rc);
	if (!request_is_inspected(req))
		return (STEP_NEXT);
	reject = policy->request_body.over_inspect == CONF_OVER_REJECT;
	return (take_body(req, policy->request_body.inspect, reject));
}
