/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/answer.h - heads that a client gets: of the request's `response`
 * (hop-by-hop fields gone, framing of our own), of a refusal, interim ones.
 * They are written into the request's `answer` text. */
#ifndef YETT_REQUEST_ANSWER_H
#define YETT_REQUEST_ANSWER_H

struct request;

/* The response; settles answer_status, _chunked, _close, _bodyless. */
void answer_head(struct request *);
/* The refusal with its page, ready in `out`. */
void answer_refusal(struct request *);
/* A 1xx of the origin, for a client of HTTP/1.1; into `out`. */
void answer_interim(struct request *);

#endif
