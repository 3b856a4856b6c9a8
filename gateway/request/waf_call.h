/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/waf_call.h - what a verdict of the WAF means to a request. */
#ifndef YETT_REQUEST_WAF_CALL_H
#define YETT_REQUEST_WAF_CALL_H

#include "gateway/request/step.h"

/* STEP_NEXT, or STEP_REPLY with the refusal that the verdict asks for. */
enum step_rc waf_call_judge(struct request *);

#endif
