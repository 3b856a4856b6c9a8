/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/connection.h - a client's connection: PROXY header, handshake,
 * request heads, keep-alive, timers, orderly close. One request at a time; what is
 * pipelined waits in the buffer. Belongs to one worker thread. */
#ifndef YETT_REQUEST_CONNECTION_H
#define YETT_REQUEST_CONNECTION_H

#include "gateway/base/buf.h"
#include "gateway/request/worker.h"

enum conn_state {
	CONN_PROXY,		/* the header of a proxy in front of everything */
	CONN_HANDSHAKE,		/* TLS */
	CONN_IDLE,		/* between requests, nothing buffered */
	CONN_HEAD,		/* a head has begun */
	CONN_REQUEST,		/* the pipeline has the request */
	CONN_LINGER,		/* answered, reading what still comes, then close */
	CONN_CLOSED,		/* over: conn_run frees it */
};

#define CONN_MAGIC 0xc0221ec7u
struct conn {
	unsigned magic;
	TAILQ_ENTRY(conn) link;
	struct worker *worker;
	const struct entrance *entrance;
	struct netaddr peer, local;	/* canonical, both */
	struct netaddr client;	/* the peer, or whom its PROXY header names */
	struct netaddr counted;	/* in the limits; NETADDR_NONE: in the total only */
	bool proxied;		/* a PROXY header named the client */
	struct stream *stream;	/* NULL: a request of our own, without a client */
	struct loop_io io;
	struct loop_timer timer;
	int64_t deadline_us;	/* nearest of this run; 0: the timer means nothing */
	int64_t progress_us;	/* when the client last sent or took bytes */
	unsigned wants;		/* enum loop_events, gathered in this run */
	bool readable;		/* a read may give something: saves calls that don't */
	enum conn_state state;
	struct buf in;		/* head, and what came behind it */
	struct request *request;
	struct tls_info tls;
	bool has_tls;
	bool plain_on_tls;	/* plain HTTP came to a TLS port */
	bool served;		/* a request was answered before */
	bool running;		/* conn_run is on the stack */
	bool yields;		/* this run stops for the sake of others */
	bool cut;		/* end with a reset: the answer is incomplete */
	bool gone;		/* broken, or given up: nothing can be answered */
};

/* Takes what a listener accepted and counted. */
void conn_new(struct worker *, const struct entrance *, const struct arrival *);
/* For a request without a client that begins with `head`, in the place of `like`: no
 * stream, and what is sent to it is dropped. It runs in the loop's next round. */
struct conn *conn_new_inner(const struct conn *like, struct span head);
/* Something happened: go on as far as possible. Frees the connection when it is
 * over. */
void conn_run(struct conn *);

/* Reads what the client sent, up to `size` bytes. A stream that gave all it had
 * is not asked again before its descriptor says so. */
enum stream_rc conn_receive(struct conn *, char *to, size_t size, size_t *n_r);

/* A run gathers what it waits for and the loop is told once, at its end. */
void conn_wait(struct conn *, enum stream_rc);	/* what a stream asked for */
/* The client must make progress within `limit_us` of its last: true when it did
 * not. Called where a run waits for the client. */
bool conn_overdue(struct conn *, int64_t limit_us);
/* Bytes went either way just now, or it was not the client that was waited for. */
void conn_progress(struct conn *);
/* There is more to do, but others have their turn first: the run ends and goes on
 * in the loop's next round. */
void conn_yield(struct conn *);
/* While a request waits for something else: notices that the client left, and
 * takes in what it pipelines as far as the buffer goes. */
void conn_watch(struct conn *);

/* Idle ones close now, the others after their answer. */
void conn_drain(struct conn *);
/* At once, whatever it does; the loop does not run any more. */
void conn_abort(struct conn *);

#endif
