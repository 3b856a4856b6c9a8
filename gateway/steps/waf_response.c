/* SPDX-License-Identifier: Apache-2.0 */
/* Engine phases 3 and 4: the answer's head, and its body where wanted. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/request/answer.h"
#include "gateway/request/caching.h"
#include "gateway/request/request.h"
#include "gateway/request/waf_call.h"

static void
give_head(struct request *req)
{
	caching_settle(req);
	answer_head(req);
}

/* The head's spans go stale once body bytes are read: all that looks at them
 * does so here. */
static enum step_rc
inspect_head(struct request *req)
{
	const struct http_response *r;
	int64_t began;

	r = req->response;
	req->hold = HOLD_DONE;
	if (req->txn == NULL) {
		give_head(req);
		return (req->refusal.status != 0 ? STEP_REPLY : STEP_NEXT);
	}
	began = clock_mono_us();
	req->verdict = waf_response_head(req->txn, r);
	req->hold_bytes = r->framing == H1_NO_BODY ? 0 : waf_response_wanted(req->txn, r);
	req->waf_us += clock_mono_us() - began;
	if (waf_call_judge(req) != STEP_NEXT)
		return (STEP_REPLY);
	give_head(req);
	if (req->refusal.status != 0)
		return (STEP_REPLY);
	if (req->hold_bytes > 0) {
		text_init(&req->held, (size_t)req->hold_bytes + req->origin.in.size);
		req->hold = HOLD_FILL;
	}
	return (STEP_NEXT);
}

static enum step_rc
fill(struct request *req)
{
	struct span piece;

	while (req->held.n < req->hold_bytes) {
		switch (exchange_body(req, &piece)) {
		case EXCHANGE_OK:
			text_put(&req->held, piece);
			CHECK(!req->held.overflow); /* a byte would be lost */
			exchange_body_used(req);
			continue;
		case EXCHANGE_END: break;
		case EXCHANGE_WAIT: conn_watch(req->conn); return (STEP_WAIT);
		case EXCHANGE_REFUSED: return (STEP_REPLY);
		case EXCHANGE_CLIENT_GONE: return (STEP_CLOSE);
		case EXCHANGE_TIMEOUT:
			return (
			    request_refuse(req, 504, "upstream", exchange_error(req)));
		default:
			return (
			    request_refuse(req, 502, "upstream", exchange_error(req)));
		}
		break;
	}
	req->hold = HOLD_INSPECT;
	return (STEP_NEXT);
}

static void
inspect_body(struct job *job)
{
	struct request *req;
	int64_t began;

	req = request_of_job(job);
	began = clock_mono_us();
	req->verdict = waf_response_body(
	    req->txn, span_cut(text_span(&req->held), 0, (size_t)req->hold_bytes));
	req->waf_us += clock_mono_us() - began;
}

enum step_rc
step_waf_response(struct request *req)
{
	enum step_rc rc;

	if (req->hold == HOLD_HEAD && (rc = inspect_head(req)) != STEP_NEXT)
		return (rc);
	if (req->hold == HOLD_FILL && (rc = fill(req)) != STEP_NEXT)
		return (rc);
	if (req->hold == HOLD_INSPECT) {
		if (!request_inspect(req, inspect_body)) {
			conn_watch(req->conn);
			return (STEP_WAIT);
		}
		req->hold = HOLD_DONE;
		return (waf_call_judge(req));
	}
	return (STEP_NEXT);
}
