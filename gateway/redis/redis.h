/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/redis/redis.h - asynchronous, pipelined Redis for one event loop, be
 * it one server, a master behind Sentinel or a cluster; over TCP, TLS or a unix
 * socket. The only user of hiredis (its reader and formatter; RESP2). What a
 * server says is hostile: every answer is bounded. A service is immutable and
 * shared; a client belongs to its loop's thread. */
#ifndef YETT_REDIS_H
#define YETT_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/span.h"
#include "gateway/conf/conf.h"
#include "gateway/loop/jobs.h"
#include "gateway/loop/loop.h"

/* Where Redis is and how to be let in: passwords and CA read, reference-counted.
 * `conf` must outlive it. Errors name the file; nothing is connected yet. */
struct redis_service;
enum err_code redis_service_new(struct redis_service **service_r,
    const struct conf_redis *conf, struct err *);
struct redis_service *redis_service_ref(struct redis_service *);
void redis_service_free(struct redis_service **);

/* A value of an answer; lives until the callback it was given to returns. */
enum redis_type { REDIS_NIL, REDIS_INTEGER, REDIS_TEXT, REDIS_STATUS, REDIS_ERROR,
	REDIS_ARRAY };
struct redis_value {
	enum redis_type type;
	int64_t integer;
	struct span text;			/* TEXT, STATUS, ERROR */
	const struct redis_value *items;	/* ARRAY */
	size_t n_items;
};

/* A Lua script and the SHA-1 of its source in hexadecimal. Made at build time
 * from a .lua file (gateway/redis/embed.sh). */
struct redis_script { const char *source; const char *sha1; };

/* One command on its way; the caller's memory, until `done` was called or
 * redis_cancel. */
struct redis_ask;
/* On the loop, never from inside redis_send or redis_call. `answer` NULL: there
 * is none (connection lost, queue full, redis_free); `failure` says why. */
typedef void redis_done_f(struct redis_ask *, const struct redis_value *answer);
struct redis_ask {
	redis_done_f *done;
	void *data;
	const char *failure;	/* static text */
	void *work;		/* the module's; NULL when not under way */
};

struct redis;
/* Connects at once, in the background, and again (with back-off and jitter)
 * whenever the connection is lost. Names are resolved on `resolver`. */
struct redis *redis_new(struct loop *, struct redis_service *, struct job_pool *resolver);
/* Every outstanding ask gets its `done` with no answer; what was not yet written is,
 * as far as the socket takes it. Not from inside `done` or `changed`. A name that is
 * being looked up is left to the resolver: the loop runs on, or the process ends. */
void redis_free(struct redis **);

/* Queues a command; what is queued in one round of the loop leaves in one write
 * per connection. `key` chooses the node of a cluster (hash tags as Redis has
 * them) and is prefixed by nobody: it must be one of `argv`. False: not
 * connected or too much is waiting; `failure` is set, `done` is not called.
 * MOVED, ASK, READONLY, LOADING and TRYAGAIN are the module's business. */
bool redis_send(struct redis *, struct redis_ask *, struct span key,
    const struct span *argv, unsigned argc);
/* EVALSHA with the one key; loads the script where the server lacks it. */
bool redis_call(struct redis *, struct redis_ask *, const struct redis_script *,
    struct span key, const struct span *args, unsigned n_args);
/* `done` will not be called. The command may be carried out all the same. No-op
 * when the ask is not under way. */
void redis_cancel(struct redis_ask *);

enum redis_link { REDIS_CONNECTING, REDIS_UP, REDIS_DOWN };
struct redis_state {
	enum redis_link link;
	const char *reason;	/* static text of the last failure; NULL none */
	int64_t since_us;	/* monotonic: when it came to be so */
	uint64_t commands, failures, reconnects;
};
void redis_state(const struct redis *, struct redis_state *state_r);
const char *redis_link_text(enum redis_link);
/* `changed(data)` runs on the loop whenever `link` of the state changes. */
void redis_on_change(struct redis *, void (*changed)(void *data), void *data);

#endif
