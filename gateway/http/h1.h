/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/http/h1.h - strict push parser of HTTP/1 messages (RFC 9112). It is
 * given the bytes so far, keeps where it stopped, copies nothing and allocates
 * nothing: spans point into the caller's buffer, which must not move between
 * calls for one head. Pure: no clock, no descriptor. What is refused and why:
 * docs/guide/http.md. */
#ifndef YETT_HTTP_H1_H
#define YETT_HTTP_H1_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/http/fields.h"

enum h1_rc {
	H1_MORE,	/* well formed so far */
	H1_DONE,
	H1_BAD,		/* refused: `oddity` says what */
};

/* Everything the parsers refuse: name, status for a client, text. */
#define H1_ODDITIES(ODD)						\
	ODD(NONE, 0, "none")						\
	ODD(METHOD, 400, "invalid method")				\
	ODD(TARGET, 400, "invalid request target")			\
	ODD(VERSION, 505, "unsupported HTTP version")			\
	ODD(HTTP09, 400, "HTTP/0.9 request")				\
	ODD(REQUEST_LINE, 400, "malformed request line")		\
	ODD(STATUS_LINE, 400, "malformed status line")			\
	ODD(BARE_CR, 400, "CR without LF")				\
	ODD(BARE_LF, 400, "LF without CR")				\
	ODD(CONTROL, 400, "control byte in a field")			\
	ODD(FIELD_NAME, 400, "invalid field name")			\
	ODD(SPACE_BEFORE_COLON, 400, "space before the colon")		\
	ODD(FOLDED, 400, "folded field line")				\
	ODD(NO_HOST, 400, "missing Host")				\
	ODD(TWO_HOSTS, 400, "more than one Host")			\
	ODD(HOST, 400, "invalid Host")					\
	ODD(HOST_MISMATCH, 400, "Host disagrees with the request target") \
	ODD(LENGTH, 400, "invalid Content-Length")			\
	ODD(TWO_LENGTHS, 400, "more than one Content-Length")		\
	ODD(LENGTH_AND_CODING, 400, "Content-Length and Transfer-Encoding") \
	ODD(CODING, 501, "unsupported Transfer-Encoding")		\
	ODD(CODING_FORM, 400, "Transfer-Encoding is not one final chunked") \
	ODD(CODING_HTTP10, 400, "Transfer-Encoding in HTTP/1.0")	\
	ODD(CHUNK_SIZE, 400, "invalid chunk size")			\
	ODD(CHUNK_EXTENSION, 400, "invalid chunk extension")		\
	ODD(CHUNK_END, 400, "chunk without its CRLF")			\
	ODD(TRAILER, 400, "invalid trailer")				\
	ODD(EXPECTATION, 417, "unknown expectation")			\
	ODD(URI_TOO_LONG, 414, "request target too long")		\
	ODD(HEADER_TOO_LARGE, 431, "header section too large")		\
	ODD(TOO_MANY_FIELDS, 431, "too many fields")			\
	ODD(TLS_ON_HTTP, 400, "TLS on a port for plain HTTP")

enum h1_oddity {
#define H1_ODDITY_ENUM(name, status, text)	H1_ODD_##name,
	H1_ODDITIES(H1_ODDITY_ENUM)
#undef H1_ODDITY_ENUM
};

unsigned h1_oddity_status(enum h1_oddity);
const char *h1_oddity_text(enum h1_oddity);

struct h1_limits {
	uint32_t header_bytes;	/* the whole head, request line included: 431 */
	uint32_t target_bytes;	/* 414 */
};

/* Framing of a message body (RFC 9112 6.3). */
enum h1_framing { H1_NO_BODY, H1_LENGTH, H1_CHUNKED, H1_UNTIL_CLOSE };

struct h1_head {
	/* results, complete on H1_DONE; what was read so far on H1_BAD, so that
	 * the record of a refusal can show it */
	struct span method;
	struct span target;		/* as sent */
	uint8_t minor;			/* HTTP/1.minor */
	uint16_t status;		/* responses */
	struct span reason;		/* responses */
	struct http_fields fields;
	enum h1_framing framing;
	uint64_t content_length;	/* of H1_LENGTH; of a HEAD answer what it says */
	bool keepalive;			/* may the connection go on after it */
	bool expect_continue;		/* and there is a body to wait for */
	size_t head_bytes;		/* length of the head with its empty line */
	enum h1_oddity oddity;
	/* the parser's own */
	const struct h1_limits *limits;
	struct span name;		/* of the field being read */
	size_t position, mark;		/* next byte; start of what is being read */
	uint8_t state;
	bool is_response, to_head;
};

void h1_request_init(struct h1_head *, const struct h1_limits *,
    struct http_field *fields, uint32_t max_fields);
/* `to_head`: the answer is to a HEAD request, so it has no body. */
void h1_response_init(struct h1_head *, const struct h1_limits *,
    struct http_field *fields, uint32_t max_fields, bool to_head);
/* `bytes` begins at the first byte of the message each time. Empty lines before
 * a request line are skipped (RFC 9112 2.2), within header_bytes. Host has been
 * validated and agrees with an absolute-form target on H1_DONE; the target's
 * path has not been looked at (uri.h), hop-by-hop fields are not marked yet. */
enum h1_rc h1_head_push(struct h1_head *, struct span bytes);

/* Decodes a body. */
struct h1_body {
	enum h1_framing framing;
	uint64_t left;			/* of the length, or of this chunk */
	uint8_t state;
	enum h1_oddity oddity;
	uint32_t line_bytes;		/* of the chunk line or trailer being read */
	uint32_t trailer_bytes;		/* with those of chunk extensions */
	uint32_t trailer_max;
};

void h1_body_init(struct h1_body *, enum h1_framing, uint64_t length,
    uint32_t trailer_max);
/* Looks at `in`: *used_r bytes are done with afterwards, and *data_r (inside
 * them, maybe empty) is body. Call again with the rest while H1_MORE and
 * *used_r > 0. Trailers are checked and dropped. H1_DONE: the body is complete
 * and what is behind *used_r is the next message. */
enum h1_rc h1_body_pull(struct h1_body *, struct span in, size_t *used_r,
    struct span *data_r);
/* The peer closed: is the body complete? (only H1_UNTIL_CLOSE is then) */
bool h1_body_may_end(const struct h1_body *);

#endif
