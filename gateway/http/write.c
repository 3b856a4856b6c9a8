/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of HTTP/1 heads as text. */
#include "config.h"

#include "gateway/http/write.h"

void
http_put_field(struct text *head, struct span name, struct span value)
{
	text_put(head, name);
	text_put(head, SPAN(": "));
	text_put(head, value);
	text_put(head, SPAN("\r\n"));
}

void
http_put_length(struct text *head, uint64_t content_length)
{
	text_put(head, SPAN("Content-Length: "));
	text_put_u64(head, content_length);
	text_put(head, SPAN("\r\n"));
}
