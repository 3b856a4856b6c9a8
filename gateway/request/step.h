/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/step.h - the stages of a request. A step does its part and
 * says what comes next; one that waits is entered again on every event of the
 * request, so what it needs to remember lives in struct request. */
#ifndef YETT_REQUEST_STEP_H
#define YETT_REQUEST_STEP_H

struct request;

enum step_rc {
	STEP_NEXT,	/* go on with the next step */
	STEP_WAIT,	/* something will wake the request: enter me again */
	STEP_REPLY,	/* refused: jump to the delivery of the refusal */
	STEP_CLOSE,	/* nobody to answer to: jump to the log, then close */
};

typedef enum step_rc step_f(struct request *);

step_f step_identity;		/* who the client is, and where */
step_f step_route;		/* host and path: site, route, method */
step_f step_access;		/* access list, bans, client certificate */
step_f step_limit;		/* rate limits */
step_f step_auth;		/* user and password */
step_f step_body;		/* takes in what the WAF wants of the body */
step_f step_waf_request;	/* engine phases 1 and 2 */
step_f step_cache;		/* an answer that is kept, or who asks for it */
step_f step_fetch;		/* asks an origin, up to its response head */
step_f step_waf_response;	/* engine phases 3 and 4 */
step_f step_deliver;		/* answer or refusal page to the client */
step_f step_log;		/* engine phase 5, audit and access records */

#endif
