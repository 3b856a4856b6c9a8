/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/refusal.h - what is told of a request that is refused, or that would
 * be. Part of a request. */
#ifndef YETT_REQUEST_REFUSAL_H
#define YETT_REQUEST_REFUSAL_H

#include <stdint.h>

#include "gateway/base/span.h"

/* Why and how a request is refused. Texts are static, or of the arena. */
struct refusal {
	uint16_t status;
	const char *reason;	/* audit reason; NULL: answered, not refused */
	const char *detail;
	struct span location;	/* 3xx */
	struct span allow;	/* 405 */
	struct span authenticate;	/* 401 */
	struct span accept_encoding;	/* 415 */
	uint32_t retry_after;	/* seconds; 0: not told */
};

/* What would be refused if a mode enforced it, or what a rule only notes: the
 * first of it becomes an audit record of action "detected". Texts as above. */
struct notice { const char *reason, *detail; };

#endif
