/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/worker.h - what a connection and its requests need of the
 * thread they live on. One per worker thread, used on that thread only; made
 * and run by gateway/worker.c. */
#ifndef YETT_REQUEST_WORKER_H
#define YETT_REQUEST_WORKER_H

#include <sys/queue.h>

#include <stdbool.h>

#include "gateway/base/clock.h"
#include "gateway/base/id.h"
#include "gateway/loop/jobs.h"
#include "gateway/loop/loop.h"
#include "gateway/net/listener.h"
#include "gateway/request/snapshot.h"
#include "gateway/request/tally.h"
#include "gateway/upstream/upstream.h"

struct conn;
struct encoder_pool;
struct request;

/* For bodies of answers that come as fast as they are read: large enough that calls
 * of the kernel no longer count. So many for each worker; who gets none makes do. */
#define LONG_BUFFER_SIZE (512u << 10)
#define LONG_BUFFERS 32

#define WORKER_MAGIC 0x30c4e100u
struct worker {
	unsigned magic;
	struct loop *loop;
	struct snapshot *snapshot;
	struct upstream *upstream;
	struct redis *redis;			/* NULL: none */
	struct limiter *limiter;
	struct connlimit *limits;		/* shared */
	struct job_pool *inspectors, *hashers, *files;	/* shared */
	LIST_HEAD(, request) hashing;		/* whose passwords the hashers have */
	struct buf_pool *buffers;
	struct buf_pool *long_buffers;		/* of LONG_BUFFER_SIZE */
	struct encoder_pool *encoders;
	size_t unpacking, packing;		/* memory that de- and encoders hold */
	struct id_source ids;
	struct tally tally;
	struct text line;			/* of a log record being made */
	char date[CLOCK_HTTP_MAX];		/* for Date fields, */
	int64_t date_second;			/* of this second */
	TAILQ_HEAD(, conn) conns;
	unsigned n_refreshes;			/* of stored answers, under way */
	SLIST_HEAD(, request) spare;		/* freed requests, for reuse */
	unsigned n_spare;
	bool draining;
	void (*drained)(struct worker *);	/* draining and the last one went */
	int64_t proxy_warned_us;		/* of a PROXY header; 0: never */
	/* what becomes of a client that a PROXY header names, as a listener asks
	 * it of a peer; NULL: it is counted */
	enum listener_rc (*admit)(struct worker *, const struct netaddr *client);
	/* runs a request's steps; true when it is over (gateway/pipeline.c) */
	bool (*run)(struct request *);
};

#endif
