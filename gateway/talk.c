/* SPDX-License-Identifier: Apache-2.0 */
/* A small server for questions and answers. */
#include "config.h"

#include "gateway/talk.h"

#include <sys/queue.h>
#include <sys/stat.h>

#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/loop/stream.h"
#include "gateway/net/listener.h"

#define CALL_MAGIC 0x7a1cca11u
struct call {
	unsigned magic;
	TAILQ_ENTRY(call) link;
	struct talk *talk;
	struct stream *stream;
	struct loop_io io;
	struct loop_timer timer;
	struct buf in;
	struct text out;
	size_t sent;
	bool last;
	struct talk_wait *wait; /* NULL: no answer is being found out */
	struct netaddr counted; /* in the limit on connections */
};

#define TALK_MAGIC 0x7a1c0000u
struct talk {
	unsigned magic;
	struct loop *loop;
	struct netaddr address;
	struct talk_options options;
	talk_f *answer;
	void *data;
	struct connlimit *limit;
	struct listener *listener;
	struct call *asking; /* whose question is being looked at */
	TAILQ_HEAD(, call) calls;
};

static void
call_free(struct call *call)
{
	struct talk_wait *wait;
	struct talk *t;

	t = call->talk;
	wait = call->wait;
	if (wait != NULL) {
		call->wait = NULL;
		wait->call = NULL;
		wait->gone(wait);
	}
	TAILQ_REMOVE(&t->calls, call, link);
	loop_io_stop(&call->io);
	loop_timer_stop(&call->timer);
	stream_close(&call->stream);
	connlimit_leave(t->limit, &call->counted);
	free(call->in.mem);
	text_free(&call->out);
	call->magic = 0;
	free(call);
}

/* STREAM_OK: all is sent. */
static enum stream_rc
send_answer(struct call *call)
{
	enum stream_rc rc;
	struct iovec iov;
	size_t n;

	while (call->sent < call->out.n) {
		iov.iov_base = call->out.p + call->sent;
		iov.iov_len = call->out.n - call->sent;
		rc = stream_write(call->stream, &iov, 1, &n);
		if (rc != STREAM_OK)
			return (rc);
		call->sent += n;
		loop_timer_set(&call->timer, call->talk->options.idle_us);
	}
	text_reset(&call->out);
	call->sent = 0;
	return (STREAM_OK);
}

/* Looks for a question that is complete. */
static enum talk_rc
answer(struct call *call)
{
	struct talk *t;
	enum talk_rc rc;
	size_t used;

	t = call->talk;
	if (buf_len(&call->in) == 0)
		return (TALK_MORE);
	used = 0;
	t->asking = call;
	rc = t->answer(t->data, buf_span(&call->in), &used, &call->out);
	t->asking = NULL;
	buf_drain(&call->in, used);
	call->last = rc == TALK_LAST;
	return (rc);
}

static enum stream_rc
receive(struct call *call)
{
	enum stream_rc rc;
	size_t n;

	buf_compact(&call->in);
	if (buf_room(&call->in) == 0)
		return (STREAM_ERROR);
	rc = stream_read(
	    call->stream, call->in.mem + call->in.end, buf_room(&call->in), &n);
	if (rc == STREAM_OK)
		call->in.end += n;
	return (rc);
}

static void
call_run(struct call *call)
{
	enum stream_rc rc;
	enum talk_rc found;

	for (;;) {
		rc = send_answer(call);
		if (rc == STREAM_OK && call->last)
			rc = STREAM_EOF;
		found = rc == STREAM_OK ? answer(call) : TALK_MORE;
		if (found == TALK_WAIT) {
			loop_io_want(&call->io, 0);
			return;
		}
		if (rc == STREAM_OK && found == TALK_MORE)
			rc = receive(call);
		if (rc != STREAM_OK)
			break;
	}
	if (rc == STREAM_WANT_READ)
		loop_io_want(&call->io, LOOP_READ);
	else if (rc == STREAM_WANT_WRITE)
		loop_io_want(&call->io, LOOP_WRITE);
	else
		call_free(call);
}

static void
on_io(struct loop_io *io, unsigned events)
{
	struct call *call;

	(void)events;
	CAST_OBJ(call, io->data, CALL_MAGIC);
	call_run(call);
}

static void
on_timer(struct loop_timer *timer)
{
	struct call *call;

	CAST_OBJ(call, timer->data, CALL_MAGIC);
	call_free(call);
}

static void
on_accept(void *data, const struct arrival *arrival)
{
	struct call *call;
	struct talk *t;

	CAST_OBJ(t, data, TALK_MAGIC);
	call = mem_zalloc(sizeof(*call));
	call->magic = CALL_MAGIC;
	call->talk = t;
	call->counted = arrival->counted;
	call->stream = stream_plain(arrival->fd);
	call->in.mem = mem_alloc(t->options.question_max);
	call->in.size = t->options.question_max;
	text_init(&call->out, t->options.answer_max);
	loop_io_init(&call->io, t->loop, arrival->fd, on_io, call);
	loop_timer_init(&call->timer, t->loop, on_timer, call);
	loop_timer_set(&call->timer, t->options.idle_us);
	TAILQ_INSERT_TAIL(&t->calls, call, link);
	loop_io_want(&call->io, LOOP_READ);
}

enum err_code
talk_new(struct talk **talk_r, struct loop *loop, const struct netaddr *address,
    const struct talk_options *options, struct err *e)
{
	enum err_code code;
	struct listener_owner owner = { .accept = on_accept };
	struct talk *t;
	int fd;

	*talk_r = NULL;
	code = net_listen(&fd, address, e);
	if (code != ERR_OK)
		return (code);
	if (address->family == NETADDR_UNIX &&
	    chmod(address->path, (mode_t)options->mode) != 0) {
		close(fd);
		return (err_errno(e, "%s: cannot set its mode", address->path));
	}
	t = mem_zalloc(sizeof(*t));
	t->magic = TALK_MAGIC;
	t->loop = loop;
	t->address = *address;
	t->options = *options;
	TAILQ_INIT(&t->calls);
	t->limit = connlimit_new(options->connections, options->connections);
	owner.data = t;
	t->listener = listener_new(loop, fd, t->limit, &owner);
	*talk_r = t;
	return (ERR_OK);
}

void
talk_answer(struct talk *t, talk_f *function, void *data)
{
	CHECK_OBJ(t, TALK_MAGIC);
	t->answer = function;
	t->data = data;
}

void
talk_hold(struct talk *t, struct talk_wait *wait, void (*gone)(struct talk_wait *))
{
	CHECK_OBJ(t, TALK_MAGIC);
	CHECK(t->asking != NULL && t->asking->wait == NULL);
	wait->call = t->asking;
	wait->gone = gone;
	wait->call->wait = wait;
}

struct text *
talk_text(struct talk_wait *wait)
{
	CHECK_OBJ(wait->call, CALL_MAGIC);
	return (&wait->call->out);
}

void
talk_release(struct talk_wait *wait)
{
	struct call *call;

	CAST_OBJ(call, wait->call, CALL_MAGIC);
	CHECK(call->talk->asking == NULL);
	call->wait = NULL;
	wait->call = NULL;
	call_run(call);
}

void
talk_free(struct talk **talk)
{
	struct call *call, *next;
	struct talk *t;

	CAST_OBJ(t, *talk, TALK_MAGIC);
	*talk = NULL;
	for (call = TAILQ_FIRST(&t->calls); call != NULL; call = next) {
		next = TAILQ_NEXT(call, link);
		call_free(call);
	}
	listener_free(&t->listener);
	connlimit_free(&t->limit);
	if (t->address.family == NETADDR_UNIX)
		unlink(t->address.path);
	t->magic = 0;
	free(t);
}
