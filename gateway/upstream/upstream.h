/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/upstream.h - connections to origins. A pool (its servers,
 * their addresses and TLS) is shared by all threads and reference-counted; the
 * connections, idle ones included, belong to one worker thread. */
#ifndef YETT_UPSTREAM_H
#define YETT_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/conf/conf.h"
#include "gateway/loop/loop.h"
#include "gateway/loop/stream.h"

struct upstream_pool;
/* Resolves names (blocking: not on a loop) and opens TLS files. The conf_pool
 * must outlive every use of upstream_pool_conf; connections that are kept past
 * that hold the pool but never look at it. */
enum err_code
upstream_pool_new(struct upstream_pool **pool_r, const struct conf_pool *, struct err *);
struct upstream_pool *upstream_pool_ref(struct upstream_pool *);
void upstream_pool_free(struct upstream_pool **);
const struct conf_pool *upstream_pool_conf(const struct upstream_pool *);

/* One worker thread's connections. */
struct upstream;
struct upstream *upstream_new(struct loop *);
/* Closes idle ones; all others must have been released. */
void upstream_free(struct upstream **);

/* A connected origin: TLS done, ready to write a request. */
struct upstream_conn {
	unsigned magic;
	struct stream *stream;
	struct loop_io io; /* the user's while it holds the connection */
	bool reused; /* was idle before: a failure may be its age */
	const char *host_text; /* "host:port" of the url, for records and Via */
	uint32_t server; /* index in the pool */
};

enum upstream_rc {
	UPSTREAM_READY,
	UPSTREAM_WAIT, /* `ready` of the ask will be called */
	UPSTREAM_REFUSED, /* no server would take a connection */
	UPSTREAM_TIMEOUT, /* connect or handshake took too long */
	UPSTREAM_TLS, /* certificate or handshake; `error` says which */
};

/* One ask for a connection; embedded in the request. */
struct upstream_ask {
	void (*ready)(struct upstream_ask *); /* on the loop; see rc, conn */
	void *data;
	enum upstream_rc rc;
	struct upstream_conn *conn; /* of READY */
	const char *error; /* static text of a failure */
	void *work; /* the module's, while WAIT */
};

/* Next server by weighted round robin, the turn shared by all threads; one that
 * refuses is passed over for the next, each server tried once (every address of
 * its name, each with the pool's connect timeout) and asked last for a second.
 * `fresh`: none that was kept (a retry); a kept one is looked at once more before
 * it is given out, since what an origin said unasked must not become the next
 * answer. Returns at once, with the outcome in the ask but for WAIT; never calls
 * `ready` from inside. */
enum upstream_rc upstream_get(
    struct upstream *, struct upstream_pool *, bool fresh, struct upstream_ask *);
/* Gives up a WAIT: `ready` is not called any more. No-op after the outcome. */
void upstream_cancel(struct upstream *, struct upstream_ask *);
/* `keep`: the last answer was complete and allows another request; kept up to
 * the pool's keepalive figures (connections: per server and worker thread). Stops
 * `io`; closes the stream when not kept. NULLs the pointer. */
void upstream_release(struct upstream *, struct upstream_conn **, bool keep);

#endif
