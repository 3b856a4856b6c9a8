/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/caching.h - a request and the cache: looked up, waited for, asked of
 * the origin for others too, kept, validated, served. docs/design/cache.md draws the
 * way of a request. Part of a request; its loop only. */
#ifndef YETT_REQUEST_CACHING_H
#define YETT_REQUEST_CACHING_H

#include "gateway/cache/range.h"
#include "gateway/cache/status.h"
#include "gateway/cache/store.h"
#include "gateway/conf/conf.h"
#include "gateway/http/message.h"
#include "gateway/request/exchange.h"
#include "gateway/request/step.h"
#include "gateway/request/tally.h"

struct place_cache;

struct caching {
	const struct place_cache *place;	/* NULL: nothing to do with the cache */
	bool looked;				/* the lookup has begun */
	bool admitted;				/* and the request has a key */
	bool passes;		/* asks for itself: conditions and Range as they are */
	bool conditional;			/* our conditions were sent */
	bool unconditional;			/* they led nowhere: none this time */
	bool leads;				/* the flight */
	bool writes;				/* this request fills `body` */
	bool published;				/* others may read it */
	bool direct;		/* it could not be stored whole: the rest as it comes */
	bool refresh;				/* behind a stale answer, for nobody */
	unsigned turns;				/* at joining a flight */
	struct cache_control asks;		/* what the request says */
	struct cache_question question;
	struct cache_object *object;		/* to be served, or found stale */
	struct cache_object *coming;		/* what is being stored */
	struct cache_flight *flight;
	struct cache_wait *wait;
	int64_t wait_until_us;
	struct loop_timer timer;
	struct cache_body *body;		/* being sent */
	uint64_t offset, end;			/* of it */
	struct span piece;			/* of it, in `out` */
	struct span leftover;			/* of the origin, not stored */
	struct http_response response;		/* of what is stored */
	bool is_part;				/* a 206 or 416 */
	struct cache_range range;
	struct cache_report report;
	struct text key, scratch;
};

void caching_init(struct request *);
void caching_free(struct request *);

/* An answer that is kept: REPLY, it is the request's response. WAIT: another request
 * asks for it. NEXT: ask the origin. */
enum step_rc caching_lookup(struct request *);
/* The request goes out changed: what its own conditions and Range ask for is answered
 * here, and what is not in the key does not reach the origin. */
bool caching_rewrites(const struct request *);
/* May the origin know this of the client? Not so what the key does not have. */
bool caching_tells_apart(const struct request *, enum conf_key_kind);
/* Conditions of ours, for the head that the origin gets. */
void caching_put_conditions(struct request *, struct text *head);
/* The query to send; false: none. */
bool caching_put_query(struct request *, struct text *head);

enum caching_rc {
	CACHING_PASS,		/* the origin's answer it is, kept or not */
	CACHING_SERVED,		/* a stored one, the request's response */
	CACHING_AGAIN,		/* ask the origin again, without conditions */
};
/* The head of the origin's answer is there. */
enum caching_rc caching_keep(struct request *);
/* The WAF let the origin's answer pass. Where the request asked for less than the
 * whole, and that was not the origin's to judge, it gets that of what is being
 * stored. */
void caching_settle(struct request *);
/* No answer came: true when a stale one is the response now. */
bool caching_serve_stale(struct request *);

/* The head is on its way and no refusal: others may have the answer. */
void caching_publish(struct request *);
/* It was refused: nobody gets it. */
void caching_refuse(struct request *);
/* The body comes from the cache (caching_body.c). */
bool caching_has_body(const struct request *);
enum exchange_rc caching_piece(struct request *, struct span *piece_r);
/* As source_lends. */
bool caching_lends(struct request *, struct span piece, struct sender_lent *lent_r);
void caching_piece_used(struct request *);
/* The stored answer that is served whole and complete; NULL: it is not. */
struct cache_object *caching_whole(const struct request *);
bool caching_is_done(const struct request *);
/* While the client is slow: takes in what the origin has. */
void caching_take_on(struct request *);
/* The client left: true as long as the answer is worth being taken in. */
bool caching_goes_on(struct request *);

/* What the cache did, for records; TALLY_CACHE: it had no part in the request. */
enum tally_cache caching_outcome(const struct request *);
/* Fields of the response that are the cache's: Age, Content-Range, Cache-Status. */
void caching_put_fields(struct request *, struct text *head);
/* Does a field of the response belong into the answer? */
bool caching_field_is_sent(const struct request *, const struct http_field *);

#endif
