/* SPDX-License-Identifier: Apache-2.0 */
/* What a verdict of the WAF means to a request. */
#include "config.h"

#include "gateway/request/waf_call.h"

#include "gateway/request/request.h"

/* A rule may fill what the client sent into its redirect, line ends too. */
static bool
is_location(struct span url)
{
	size_t i;

	for (i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] > '~')
			return (false);
	return (url.n > 0);
}

/* Of the 3xx only these take a page along (RFC 9110 15.4). */
static bool
is_redirect(uint16_t status)
{
	return (status == 301 || status == 302 || status == 303 || status == 307 ||
		status == 308);
}

enum step_rc
waf_call_judge(struct request *req)
{
	const struct waf_verdict *v;
	uint16_t status;

	v = req->verdict;
	if (!v->refuse)
		return (STEP_NEXT);
	status = v->status;
	if (is_redirect(status) && is_location(v->redirect))
		req->refusal.location = v->redirect;
	else if (status < 400)
		status = 403;
	return (request_refuse(req, status, "waf", "refused by the rules"));
}
