/* SPDX-License-Identifier: Apache-2.0 */
/* What a verdict of the WAF means to a request. */
#include "config.h"

#include "gateway/request/waf_call.h"

#include "gateway/request/request.h"

enum step_rc
waf_call_judge(struct request *req)
{
	const struct waf_verdict *v;

	v = req->verdict;
	if (!v->refuse)
		return (STEP_NEXT);
	if (v->status >= 300 && v->status < 400 && v->redirect.p != NULL)
		req->refusal.location = v->redirect;
	return (request_refuse(req, v->status, "waf", "refused by the rules"));
}
