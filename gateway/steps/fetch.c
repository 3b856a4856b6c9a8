/* SPDX-License-Identifier: Apache-2.0 */
/* Asks an origin, up to the head of its answer. */
#include "config.h"

#include "gateway/request/answer.h"
#include "gateway/request/caching.h"
#include "gateway/request/request.h"

static enum step_rc
refuse_upstream(struct request *req, uint16_t status)
{
	if (caching_serve_stale(req))
		return (STEP_REPLY);
	return (request_refuse(req, status, "upstream", exchange_error(req)));
}

/* 100 was ours to say; other interim answers are passed on (RFC 9110 15.2). */
static void
pass_interim(struct request *req)
{
	if (req->http.minor > 0 && req->origin.response.status != 100)
		answer_interim(req);
	exchange_interim_done(req);
}

enum step_rc
step_fetch(struct request *req)
{
	enum step_rc rc;

	for (;;) {
		if ((rc = request_flush(req)) != STEP_NEXT)
			return (rc);
		switch (exchange_head(req)) {
		case EXCHANGE_INTERIM: pass_interim(req); continue;
		case EXCHANGE_WAIT: conn_watch(req->conn); return (STEP_WAIT);
		case EXCHANGE_OK:
			switch (caching_keep(req)) {
			case CACHING_AGAIN: exchange_again(req); continue;
			case CACHING_SERVED: return (STEP_REPLY);
			case CACHING_PASS: break;
			}
			req->response = &req->origin.response;
			return (STEP_NEXT);
		case EXCHANGE_REFUSED: return (STEP_REPLY);
		case EXCHANGE_CLIENT_GONE: return (STEP_CLOSE);
		case EXCHANGE_NONE: return (refuse_upstream(req, 503));
		case EXCHANGE_TIMEOUT: return (refuse_upstream(req, 504));
		case EXCHANGE_END:
		case EXCHANGE_BAD: return (refuse_upstream(req, 502));
		}
	}
}
