/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/exchange.h - one request with an origin: the head written
 * anew from the canonical request, the body passed on with back-pressure, the
 * answer's head parsed, its body pulled. Part of a request; its loop only. */
#ifndef YETT_REQUEST_EXCHANGE_H
#define YETT_REQUEST_EXCHANGE_H

#include "gateway/base/buf.h"
#include "gateway/http/message.h"
#include "gateway/request/sender.h"
#include "gateway/upstream/upstream.h"

struct request;

enum exchange_rc {
	EXCHANGE_OK,		/* head is there / a piece of the body is there */
	EXCHANGE_WAIT,
	EXCHANGE_END,		/* the body is complete */
	EXCHANGE_INTERIM,	/* a 1xx head: pass it on, then go on */
	EXCHANGE_REFUSED,	/* the request was refused meanwhile (body) */
	EXCHANGE_NONE,		/* no server would take the request: 503 */
	EXCHANGE_TIMEOUT,	/* 504 */
	EXCHANGE_BAD,		/* not an answer that may be passed on: 502 */
	EXCHANGE_CLIENT_GONE,
};

struct exchange {
	struct upstream_ask ask;
	struct upstream_conn *conn;
	bool chosen;			/* `ask` says what the choice needs */
	struct span sticky;		/* name of the pool's cookie; absent none */
	char cookie[UPSTREAM_COOKIE];	/* value to set; "" none */
	bool touched;			/* this connection took bytes of the request */
	bool noted;			/* what became of this connection's try */
	unsigned retries;		/* so far, */
	enum exchange_rc earlier;	/* because of this, */
	const char *failure;		/* static text, NULL: nothing failed */
	struct loop_timer timer;	/* first byte, then idle */
	int64_t deadline_us;		/* 0: the timer means nothing now */
	unsigned wants;			/* enum loop_events, gathered in a run */
	bool readable;			/* as in struct conn */
	struct text text;		/* the request's head as written */
	struct sender out;		/* to the origin */
	struct buf in;			/* from the origin */
	bool has_long;			/* `in` is a long buffer */
	bool is_fast;			/* the last read filled `in` */
	size_t in_used;			/* of `in`, once the client has it */
	struct http_field *fields;	/* room for the answer's */
	struct h1_head head;
	struct http_response response;
	struct h1_body body;
	bool asking;			/* upstream_get waits */
	bool began;			/* the request's head is in `out` or gone */
	bool length_told;		/* in the head: the body goes unchunked */
	bool last_chunk;		/* put into `out` */
	bool sent;			/* all of the request is written */
	bool deaf;			/* the origin takes no more of it */
	bool streaming;			/* bytes that can't be sent again were sent */
	bool got_byte;			/* of the answer */
	unsigned interims;		/* 1xx answers so far */
	bool has_head;			/* response is complete */
	bool body_done;
	int64_t began_us, head_us;	/* for the record */
};

void exchange_init(struct request *);
/* Gives the connection back (`keep`), or closes it, or cancels the ask. */
void exchange_end(struct request *, bool keep);
/* The answer so far counts for nothing: a request without a body is sent anew. */
void exchange_again(struct request *);
/* Up to the response's head. */
enum exchange_rc exchange_head(struct request *);
/* The interim response was passed on. */
void exchange_interim_done(struct request *);
/* Next piece of the response's body; valid until exchange_body_used. */
enum exchange_rc exchange_body(struct request *, struct span *piece_r);
void exchange_body_used(struct request *);
/* Goes on sending the request's body while the client is slow to take the answer. */
enum exchange_rc exchange_send_on(struct request *);
/* May the origin's connection serve another request? */
bool exchange_may_keep(const struct request *);

/* Text of a failure, for the record. */
const char *exchange_error(const struct request *);

#endif
