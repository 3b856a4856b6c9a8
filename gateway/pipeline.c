/* SPDX-License-Identifier: Apache-2.0 */
/* The only place that knows the order of the steps. */
#include "config.h"

#include "gateway/pipeline.h"

#include "gateway/base/check.h"
#include "gateway/request/request.h"

enum { STEP_WAF_REQUEST = 6, STEP_DELIVER = 10, STEP_LOG = 11, STEPS = 12 };

static step_f *const PIPELINE[STEPS] = {
	step_identity,
	step_route,
	step_access,
	step_limit,
	step_auth,
	step_body,
	[STEP_WAF_REQUEST] = step_waf_request,
	step_cache,
	step_fetch,
	step_waf_response,
	[STEP_DELIVER] = step_deliver,
	[STEP_LOG] = step_log,
};

/* Jumps only forward: a refusal or a stored answer to its delivery, a lost client to
 * the log. */
static void
jump(struct request *req, unsigned step)
{
	if (req->step < step)
		req->step = step;
}

bool
pipeline_run(struct request *req)
{
	CHECK_OBJ(req, REQUEST_MAGIC);
	/* the client's request has been through the controls */
	if (req->caching.refresh)
		jump(req, STEP_WAF_REQUEST);
	while (req->step < STEPS) {
		if (req->refusal.status != 0)
			jump(req, STEP_DELIVER);
		if (req->conn->gone) {
			if (request_is_busy(req) || caching_goes_on(req))
				return (false);
			exchange_end(req, false);
			jump(req, STEP_LOG);
		}
		switch (PIPELINE[req->step](req)) {
		case STEP_NEXT: req->step++; break;
		case STEP_WAIT:
			if (req->conn->gone)
				break;
			return (false);
		case STEP_REPLY: jump(req, STEP_DELIVER); break;
		case STEP_CLOSE: req->conn->gone = true; break;
		}
	}
	return (!request_is_busy(req));
}
