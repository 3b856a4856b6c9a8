/* SPDX-License-Identifier: Apache-2.0 */
/* Engine phases 1 and 2, in place or on an inspection thread. */
#include "config.h"

#include "gateway/request/request.h"
#include "gateway/request/waf_call.h"

static void
inspect(struct request *req)
{
	int64_t began;

	began = clock_mono_us();
	req->verdict = waf_request(req->txn, &req->waf_body);
	req->waf_us += clock_mono_us() - began;
}

static void
inspect_job(struct job *job)
{
	inspect(request_of_job(job));
}

static bool
begin(struct request *req)
{
	struct waf_client client;

	client.peer = &req->client;
	client.local = &req->conn->local;
	client.id = req->id;
	req->txn = waf_txn_new(req->place->waf, &req->http, &client);
	req->waf_body.memory = span_mem(req->spool.memory, req->spool.used);
	req->waf_body.fd = req->spool.fd;
	req->waf_body.bytes = spool_bytes(&req->spool);
	req->waf_body.truncated = req->truncated;
	return (req->txn != NULL);
}

enum step_rc
step_waf_request(struct request *req)
{
	if (!request_is_inspected(req))
		return (STEP_NEXT);
	if (req->txn == NULL) {
		if (!begin(req))
			return (request_refuse(req, 503, "waf", "out of memory"));
		req->long_inspection = waf_is_long(&req->http, &req->waf_body);
	}
	if (!req->long_inspection) {
		inspect(req);
	} else if (!request_inspect(req, inspect_job)) {
		conn_watch(req->conn);
		return (STEP_WAIT);
	}
	return (waf_call_judge(req));
}
