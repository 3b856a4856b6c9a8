/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/http/write.h - pieces of HTTP/1 heads (RFC 9112) as text. Names and
 * values are the caller's word: nothing that a peer sent gets here unchecked. */
#ifndef YETT_HTTP_WRITE_H
#define YETT_HTTP_WRITE_H

#include "gateway/base/buf.h"

/* "name: value" and the end of the line. */
void http_put_field(struct text *head, struct span name, struct span value);
void http_put_length(struct text *head, uint64_t content_length);

#endif
