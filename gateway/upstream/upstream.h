/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/upstream.h - connections to origins. A pool (its servers,
 * their state and TLS; set.h) is shared by all threads and reference-counted; the
 * connections, idle ones included, belong to one worker thread. */
#ifndef YETT_UPSTREAM_H
#define YETT_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/span.h"
#include "gateway/conf/conf.h"
#include "gateway/loop/loop.h"
#include "gateway/loop/stream.h"

struct resolved; /* resolved.h; NULL: names are looked up the system's way */
struct upstream_pool;
/* Resolves names (blocking: not on a loop) and opens TLS files. The conf_pool
 * must outlive every use of upstream_pool_conf; connections that are kept past
 * that hold the pool but never look at it. */
enum err_code upstream_pool_new(struct upstream_pool **pool_r, const struct conf_pool *,
    const struct resolved *, struct err *);
struct upstream_pool *upstream_pool_ref(struct upstream_pool *);
void upstream_pool_free(struct upstream_pool **);
const struct conf_pool *upstream_pool_conf(const struct upstream_pool *);
/* The hash of what hash_on names, the same on all gateways. */
uint64_t upstream_pool_hash(const struct upstream_pool *, struct span key);
/* One more request, before its first try; may one be sent again? Any thread. */
void upstream_pool_request(struct upstream_pool *, int64_t now_us);
bool upstream_pool_retry(struct upstream_pool *, int64_t now_us);

/* One worker thread's connections. */
struct upstream;
struct upstream *upstream_new(struct loop *);
/* Closes idle ones; all others must have been released. */
void upstream_free(struct upstream **);
/* Those of the other workers, whom it tells of room (max_connections); before any of
 * their loops runs, and for as long. The array is the caller's. */
void upstream_meet(struct upstream *, struct upstream *const *all, uint32_t n);
/* Closes idle connections to servers that are no more. */
void upstream_tidy(struct upstream *);

struct upstream_server;
/* A connected origin: TLS done, ready to write a request. */
struct upstream_conn {
	unsigned magic;
	struct stream *stream;
	struct loop_io io; /* the user's while it holds the connection */
	bool reused; /* was idle before: a failure may be its age */
	bool cookie_anew; /* sticky: the client has no cookie of a server it can have */
	struct upstream_server *server;
	const char *host_text; /* "host:port" of the url; as long as the connection */
};

enum upstream_rc {
	UPSTREAM_READY,
	UPSTREAM_WAIT, /* `ready` of the ask will be called */
	UPSTREAM_REFUSED, /* no server would take a connection */
	UPSTREAM_TIMEOUT, /* connect or handshake took too long */
	UPSTREAM_TLS, /* certificate or handshake; `error` says which */
	UPSTREAM_FULL, /* max_connections: queue full, or waited too long */
};

/* One request's asks for connections, one at a time; embedded in the request, and
 * all zero at first. */
struct upstream_ask {
	void (*ready)(struct upstream_ask *); /* on the loop; see rc, conn */
	void *data;
	/* What the choice needs. */
	uint64_t hash; /* consistent_hash: upstream_pool_hash() */
	struct span cookie; /* sticky: the cookie's value; absent: none */
	bool fresh; /* none that was kept */
	/* The outcome. */
	enum upstream_rc rc;
	struct upstream_conn *conn; /* of READY */
	const char *error; /* static text of a failure */
	/* The module's. */
	void *work; /* while WAIT */
	struct upstream_tries *tries; /* servers that were tried; upstream_forget */
};

/* A server by the pool's balance and the ask (docs/design/balancing.md); one that
 * refuses is passed over for the next, each tried once and asked last for a
 * while. Waits in the pool's queue while all have max_connections. A kept
 * connection is looked at once more before it is given out, since what an origin
 * said unasked must not become the next answer. Returns at once, with the outcome
 * in the ask but for WAIT; never calls `ready` from inside. */
enum upstream_rc
upstream_get(struct upstream *, struct upstream_pool *, struct upstream_ask *);
/* Gives up a WAIT: `ready` is not called any more. No-op after the outcome. */
void upstream_cancel(struct upstream *, struct upstream_ask *);
/* What became of a try, once for each connection that was lent: a failure is a
 * broken connection, a timeout, an answer that is no HTTP or one of 500 and above but
 * 501. Not called where the client left. */
void upstream_note(struct upstream *, const struct upstream_conn *, bool failed);
/* The next upstream_get of this ask goes to another server than this one. */
void upstream_tried(struct upstream_ask *, const struct upstream_conn *);
/* The ask's request is over: frees what is remembered of it. */
void upstream_forget(struct upstream_ask *);
/* Value of the cookie that leads to this server (sticky.h); false where the pool has
 * none, or not the server any more. */
#define UPSTREAM_COOKIE 33
bool upstream_cookie(const struct upstream_conn *, char value_r[UPSTREAM_COOKIE]);
/* `keep`: the last answer was complete and allows another request; kept up to
 * the pool's keepalive figures (connections: per server and worker thread). Stops
 * `io`; closes the stream when not kept. NULLs the pointer. */
void upstream_release(struct upstream *, struct upstream_conn **, bool keep);

#endif
