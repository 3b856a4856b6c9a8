/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/compress.h - may an answer be compressed, and what that changes in
 * its head. The body itself goes through gateway/filter/encoder.h. Pure functions. */
#ifndef YETT_FILTER_COMPRESS_H
#define YETT_FILTER_COMPRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/span.h"
#include "gateway/conf/answers.h"
#include "gateway/filter/accept.h"
#include "gateway/http/fields.h"

/* Why an answer is not compressed; the texts are for records and metrics. */
#define COMPRESS_WHYS(W)						\
	W(YES, "")							\
	W(STATUS, "status")		/* no body, or a part of one */	\
	W(METHOD, "method")		/* HEAD of unknown length, CONNECT */ \
	W(PROTOCOL, "protocol")		/* HTTP/1.0 has no chunks */	\
	W(TYPE, "type")							\
	W(LENGTH, "length")		/* less than the least */	\
	W(ENCODED, "encoded")		/* never twice */		\
	W(NO_TRANSFORM, "no-transform")					\
	W(RANGE, "range")						\
	W(SECRETS, "secrets")		/* BREACH */			\
	/* of who asks, not of compress_may */				\
	W(ACCEPT, "accept-encoding")	/* the client wants no coding of ours */ \
	W(MEMORY, "memory")		/* for one more encoder */

enum compress_why {
#define COMPRESS_ENUM(id, text) COMPRESS_##id,
	COMPRESS_WHYS(COMPRESS_ENUM)
#undef COMPRESS_ENUM
	COMPRESS_WHY_COUNT
};

const char *compress_why_text(enum compress_why);

/* What the operator wants. */
struct compress_rules {
	const struct span *types;	/* exact, of any subtype, any */
	size_t n_types;
	uint64_t min;			/* bytes */
	bool secrets;			/* also what BREACH might read */
};

/* The configuration's words made ready: rules, codings, their levels. The types point
 * into the configuration. */
struct compress_plan {
	struct compress_rules rules;
	struct span *types;
	enum coding order[CODING_COUNT];
	size_t n_order;
	unsigned level[CODING_COUNT];
};
/* NULL when it is off. */
struct compress_plan *compress_plan_new(const struct conf_compress *);
void compress_plan_free(struct compress_plan **);

/* What matters of a request. */
struct compress_request {
	bool is_https, is_head, is_connect;
	bool is_http_1_0;
	bool has_credentials;		/* Cookie or Authorization */
	bool has_input;			/* a query that is not empty, or a body */
	/* The browser's word, which pages can't forge, that no other site caused it:
	 * Sec-Fetch-Site of "same-origin" or "none" */
	bool is_same_origin;
};

/* What matters of an answer. */
struct compress_answer {
	uint16_t status;
	struct span content_type;	/* may be absent */
	bool has_length;
	uint64_t length;
	bool is_encoded, is_range, is_no_transform;
	bool sets_cookie, is_public;
};

/* From the fields; what they do not say is left as it is. */
void compress_request_read(struct compress_request *, const struct http_fields *);
void compress_answer_read(struct compress_answer *, const struct http_fields *);

/* YES: the answer depends on Accept-Encoding, whether or not this client wants a
 * coding. */
enum compress_why compress_may(const struct compress_rules *,
    const struct compress_request *, const struct compress_answer *);

/* What to do with a field of an answer that compress_may said YES to. For HEAD the
 * head is that of GET, though there is no body to encode. A 304 whose request named a
 * coding that is ours is treated with `coding` too: its ETag is the one the client
 * knows. `coding` is IDENTITY when the client wants none. */
enum compress_field {
	COMPRESS_KEEP,
	COMPRESS_DROP,		/* Content-Length, Accept-Ranges, digests */
	COMPRESS_WEAKEN,	/* ETag: put "W/" before it */
};
enum compress_field compress_field(enum coding, const struct http_field *);
/* The lines that are added: Content-Encoding (not for 304), and Vary unless the
 * answer's fields say it already. */
void compress_put_fields(
    enum coding, uint16_t status, const struct http_fields *, struct text *head);

#endif
