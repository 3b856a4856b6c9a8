/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/worker.h - the worker threads: each has its loop, its listening
 * sockets and its connections. Called by the main thread. */
#ifndef YETT_WORKER_H
#define YETT_WORKER_H

#include "gateway/base/err.h"
#include "gateway/request/snapshot.h"

struct workers;

/* Binds all listeners (`threads` of the configuration times) and starts the
 * threads. The snapshot must outlive them. */
enum err_code workers_start(struct workers **workers_r, struct snapshot *, struct err *);
/* No new connections; idle ones close, the others after their answer. */
void workers_drain(struct workers *);
/* Have all threads come to their end? */
bool workers_ended(const struct workers *);
/* Ends the threads now, closes what is open, frees. */
void workers_stop(struct workers **);

#endif
