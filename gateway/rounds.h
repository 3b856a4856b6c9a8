/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/rounds.h - what was replaced is freed when no worker can look at it any
 * more: rounds through all workers, one after the other, each for all that was
 * asked for before it began. On the control thread's loop. */
#ifndef YETT_ROUNDS_H
#define YETT_ROUNDS_H

#include "gateway/loop/loop.h"
#include "gateway/worker.h"

struct rounds;
struct rounds *rounds_new(struct loop *, struct workers *);
/* After the workers have ended. Messages that wait are never delivered. */
void rounds_free(struct rounds **);
/* Delivers the message, on the loop, once every worker has passed a quiet point
 * after now. */
void rounds_add(struct rounds *, struct loop_message *);

#endif
