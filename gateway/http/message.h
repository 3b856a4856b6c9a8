/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/http/message.h - the canonical request and the response: what every
 * stage sees, whatever protocol it came in by. Spans live as long as the
 * request's buffer and arena. */
#ifndef YETT_HTTP_MESSAGE_H
#define YETT_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/http/fields.h"
#include "gateway/http/h1.h"
#include "gateway/http/uri.h"

struct http_request {
	struct span protocol;		/* "HTTP/1.1", "HTTP/1.0" */
	uint8_t minor;
	struct span method;
	bool is_head;
	struct span scheme;		/* of the connection: "http", "https" */
	struct uri_authority authority;	/* from the target, else Host */
	struct span host_text;		/* canonical "host" or "host:port" */
	struct uri_target target;
	struct span raw_target;		/* as sent; for REQUEST_URI_RAW and records */
	struct http_fields fields;	/* as sent, Host included */
	enum h1_framing framing;
	uint64_t content_length;
	bool expect_continue;
	bool unpacked;			/* Content-Encoding was undone: such fields, which
					 * are here as sent, no longer hold */
};

struct http_response {
	uint16_t status;
	struct span reason;
	struct http_fields fields;
	enum h1_framing framing;
	uint64_t content_length;
};

#endif
