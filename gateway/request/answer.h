/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/answer.h - heads that a client gets: of the request's `response`
 * (hop-by-hop fields gone, framing of our own), of a refusal, interim ones.
 * They are written into the request's `answer` text. */
#ifndef YETT_REQUEST_ANSWER_H
#define YETT_REQUEST_ANSWER_H

#include <stdbool.h>

#include "gateway/base/buf.h"
#include "gateway/http/fields.h"

struct request;

/* The operator's changes, for whoever writes the head of an answer: each field that
 * is not kept is left out, and what is set and added put behind the others. Sets
 * overflow of the head when it does not fit. */
bool answer_keeps(const struct request *, struct span name);
void answer_put_changes(struct request *, const struct http_fields *, struct text *head);

/* The response; settles answer_status, _chunked, _close, _bodyless. Refuses the request
 * when its head does not fit. */
void answer_head(struct request *);
/* The refusal with its page, ready in `out`. */
void answer_refusal(struct request *);
/* A 1xx of the origin, for a client of HTTP/1.1; into `out`. */
void answer_interim(struct request *);

#endif
