/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/worker.h - the worker threads: each has its loop, its listening
 * sockets and its connections. Called by the main thread. */
#ifndef YETT_WORKER_H
#define YETT_WORKER_H

#include "gateway/base/err.h"
#include "gateway/loop/loop.h"
#include "gateway/request/snapshot.h"
#include "gateway/request/tally.h"

struct workers;

/* Binds all listeners (`threads` of the configuration times) and starts the
 * threads. The snapshot must outlive them. */
enum err_code workers_start(struct workers **workers_r, struct snapshot *, struct err *);
/* Delivers `done` on the thread of `home`, which calls, once every worker thread has
 * passed a quiet point: nothing that one of them read before is in use any more. Any
 * number may be under way; always the same `home`. */
void workers_round(struct workers *, struct loop *home, struct loop_message *done);
/* Connections of clients that are open, and what became of requests; any thread. */
uint32_t workers_connections(const struct workers *);
void workers_tally(const struct workers *, struct tally *sum_r);
/* No new connections; idle ones close, the others after their answer. */
void workers_drain(struct workers *);
/* Have all threads come to their end? */
bool workers_ended(const struct workers *);
/* Ends the threads now, closes what is open, frees. */
void workers_stop(struct workers **);

#endif
