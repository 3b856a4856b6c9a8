/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/talk.h - a small server for questions and answers that fit into memory:
 * what the control socket and the metrics have in common. Bounded in connections,
 * in bytes of a question and in the time one may take. One loop. */
#ifndef YETT_TALK_H
#define YETT_TALK_H

#include "gateway/base/buf.h"
#include "gateway/base/err.h"
#include "gateway/base/netaddr.h"
#include "gateway/loop/loop.h"

enum talk_rc {
	TALK_MORE,	/* the question is not complete */
	TALK_NEXT,	/* answered; there may be another question */
	TALK_LAST,	/* answered; close when it is sent */
	TALK_WAIT,	/* the answer comes later: talk_hold was called */
};
/* Looks at what came so far; puts the answer into `out` and says how much of `in`
 * it was for. */
typedef enum talk_rc talk_f(void *data, struct span in, size_t *used_r, struct text *out);

/* A question whose answer has to be found out first; embedded in what does that. */
struct call;
struct talk_wait {
	struct call *call;
	/* The connection ended before: nobody waits any more. */
	void (*gone)(struct talk_wait *);
};

struct talk_options {
	size_t question_max;	/* bytes; a longer one ends the connection */
	size_t answer_max;
	int64_t idle_us;	/* for a question to come, an answer to be taken */
	uint32_t connections;
	int mode;		/* of a unix socket: 0600 */
};

struct talk;
/* Binds the address. `options` is copied. Errors name the address. */
enum err_code talk_new(struct talk **talk_r, struct loop *, const struct netaddr *,
    const struct talk_options *options, struct err *);
/* Before the loop runs. */
void talk_answer(struct talk *, talk_f *, void *data);
/* From within a talk_f, which then says TALK_WAIT. The connection is not read
 * until talk_release; idle_us bounds that, too. */
void talk_hold(struct talk *, struct talk_wait *, void (*gone)(struct talk_wait *));
/* Where the answer goes; then sends it. Not from within the talk_f. */
struct text *talk_text(struct talk_wait *);
void talk_release(struct talk_wait *);
/* Closes all; the file of a unix socket is removed. */
void talk_free(struct talk **);

#endif
