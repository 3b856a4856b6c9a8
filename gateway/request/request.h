/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/request.h - a request on its way through the steps: the
 * canonical request, what the steps decided, what they wait for. Lives on one
 * worker thread; only its inspection job may run elsewhere. */
#ifndef YETT_REQUEST_H
#define YETT_REQUEST_H

#include "gateway/base/arena.h"
#include "gateway/request/caching.h"
#include "gateway/request/connection.h"
#include "gateway/request/exchange.h"
#include "gateway/request/pack.h"
#include "gateway/request/refusal.h"
#include "gateway/request/sender.h"
#include "gateway/request/spool.h"
#include "gateway/request/step.h"
#include "gateway/request/unpack.h"
#include "gateway/request/variables.h"
#include "rules/waf.h"

enum take_state { TAKE_IDLE, TAKE_WAITS, TAKE_DONE };

enum inspect_state { INSPECT_IDLE, INSPECT_RUNS, INSPECT_DONE };
enum hold_state { HOLD_HEAD, HOLD_FILL, HOLD_INSPECT, HOLD_DONE };

#define REQUEST_MAGIC 0x4e90e570u
struct request {
	unsigned magic;
	SLIST_ENTRY(request) spare;
	struct conn *conn;
	struct worker *worker;
	const struct snapshot *snap;
	struct arena *arena;
	char id[ID_TEXT_MAX];
	int64_t began_wall_us, began_us;

	struct h1_head head;			/* as parsed from the client */
	struct http_field *fields;
	struct http_request http;		/* the canonical request */
	bool keepalive;				/* after the answer */

	unsigned step;				/* pipeline.c's */
	bool over;				/* all steps are done */
	const struct place *place;		/* NULL: not routed */
	struct refusal refusal;
	struct notice notice;

	struct netaddr client;			/* the peer, or for whom it speaks */
	struct netaddr client_key;		/* what makes one client of it */
	struct geo_place geo;			/* where it is */
	bool located;				/* geo is filled in */
	struct variables variables;		/* of texts of fields */
	struct limiter_take take;
	enum take_state take_state;
	const struct limiter_result *over_limit;	/* that refuses or would; NULL */
	struct span limit_key;			/* of that limit, as text */
	struct span ratelimit_policy, ratelimit;	/* fields to send; absent none */
	struct auth_claim *claim;		/* NULL: not asked */
	struct job auth_job;
	LIST_ENTRY(request) hashing;
	enum inspect_state auth_state;

	struct buf block;			/* the client's body bytes */
	size_t block_used;
	struct h1_body body;
	bool body_done;
	uint64_t sent_bytes;			/* of it, without its framing, so far */
	uint64_t body_bytes;			/* the same, as the origin gets it */
	struct unpack unpack;
	struct spool spool;
	struct span piece;			/* on its way into the spool */
	struct span beyond;		/* of that piece, past what is inspected */
	bool truncated;				/* over_inspect: head */
	bool continued;				/* 100 Continue was sent */

	struct waf_txn *txn;
	const struct waf_verdict *verdict;
	struct waf_body waf_body;
	enum hold_state hold;
	struct text held;			/* response body under inspection */
	uint64_t hold_bytes;			/* how much of it the WAF wants */
	size_t held_sent;			/* of it, in `out` or gone */
	struct job inspect;
	enum inspect_state inspect_state;
	bool long_inspection;
	int64_t waf_us;

	struct caching caching;

	struct exchange origin;
	const char *origin_text;		/* whom it was asked of; NULL: nobody */
	const struct http_response *response;	/* to be given; NULL: none yet */

	struct pack pack;			/* its compression */
	struct sender out;			/* to the client */
	struct text answer;			/* its head, interim ones too */
	struct text page;			/* body of a refusal */
	bool answer_began, answer_chunked, answer_close, answer_ended;
	bool answer_bodyless, piece_out;
	uint16_t answer_status;
	size_t piece_bytes;			/* of the body, in `out` */
	uint64_t answer_bytes;			/* of the body, written */
	bool cut;				/* the answer could not be completed */
};

struct request *request_new(struct conn *);
void request_free(struct request *);
void request_free_spare(struct worker *);
/* The head is complete: makes the canonical request of it. STEP_NEXT, or
 * STEP_REPLY when it was refused. */
enum step_rc request_begin(struct request *);
/* The head is malformed. */
enum step_rc request_malformed(struct request *, enum h1_oddity);
/* Refuses; the first refusal stands. */
enum step_rc request_refuse(struct request *, uint16_t status, const char *reason,
    const char *detail);
/* Fills in where the client is, once. */
void request_locate(struct request *);
/* Notes what is only to be recorded; the first notice stands. */
void request_notice(struct request *, const char *reason, const char *detail);
/* A job thread has part of the request: it must not end now. */
bool request_is_busy(const struct request *);
/* Writes what is in `out`. STEP_NEXT: all of it; else wait, or close. */
enum step_rc request_flush(struct request *);
/* Runs the request's steps as far as they go. */
void request_wake(void *request);

/* Next piece of the body without its framing, and without its Content-Encoding where
 * that is undone; valid until the next call. */
enum body_rc request_body(struct request *, struct span *data_r);
/* The same before its Content-Encoding is undone: for unpack.c. */
enum body_rc request_body_as_sent(struct request *, struct span *data_r);
/* The WAF's view of the body it may see, and whether it looks at all. */
bool request_is_inspected(const struct request *);
/* Runs `work` on an inspection thread (once), then wakes the request. True
 * when it is done. */
bool request_inspect(struct request *, void (*work)(struct job *));
struct request *request_of_job(struct job *);

#endif
