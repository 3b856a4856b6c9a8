/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/origin_head.h - the head that an origin gets, written anew
 * from the canonical request: never the client's bytes, hop-by-hop fields gone
 * (RFC 9110 7.6.1), and the fields that speak for the client (Forwarded,
 * RFC 7239; X-Forwarded-*; Via) made by Yett alone. */
#ifndef YETT_REQUEST_ORIGIN_HEAD_H
#define YETT_REQUEST_ORIGIN_HEAD_H

#include <stdbool.h>

#include "gateway/base/buf.h"

struct request;

/* With the changes of the request's place. Sets overflow when they do not fit. */
void origin_head_write(struct request *, struct text *head);
/* Is the body sent chunked? It is when its length is not known yet. */
bool origin_head_is_chunked(const struct request *);

#endif
