/* SPDX-License-Identifier: Apache-2.0 */
/* Active checks: connect, ask, read the head of the answer, close. */
#include "config.h"

#include "gateway/upstream/checker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/hash.h"
#include "gateway/http/h1.h"
#include "gateway/http/write.h"
#include "gateway/upstream/dial.h"

#define QUESTION_MAX (16u << 10)
/* The head of the answer, with those of interim answers before it. */
#define ANSWER_MAX (16u << 10)
#define FIELDS_MAX 100
#define NOT_HTTP "no answer in HTTP: "

enum outcome {
	GOING_ON,
	GOOD,
	BAD,
	VOID, /* this host is in trouble, which says nothing of the server */
};

/* One check under way. */
struct check_try {
	int fd; /* while connecting; then the stream's */
	struct stream *stream;
	bool open; /* connected, TLS done */
	bool again; /* connect when the timer ends */
	bool late; /* the time is over: what is there already still counts */
	struct loop_io io;
	struct text question;
	size_t asked; /* bytes of it that are sent */
	struct h1_limits limits;
	struct h1_head head;
	struct http_field fields[FIELDS_MAX];
	size_t head_start, got; /* in the answer */
	char answer[ANSWER_MAX];
};

#define CHECK_MAGIC 0xc8ec4e12u

static void due(struct loop_timer *);
static void ready(struct loop_io *, unsigned);

static uint64_t
chance(void)
{
	uint64_t random;

	random_bytes(&random, sizeof(random));
	return (random);
}

static enum outcome
say(struct check *c, enum outcome outcome, const char *before, const char *reason)
{
	(void)snprintf(c->reason, sizeof(c->reason), "%s%s", before, reason);
	return (outcome);
}

/* --- the answer ------------------------------------------------------------ */

static void
expect_head(struct check_try *t)
{
	t->limits.header_bytes = (uint32_t)(sizeof(t->answer) - t->head_start);
	t->limits.target_bytes = t->limits.header_bytes;
	h1_response_init(&t->head, &t->limits, t->fields, FIELDS_MAX, false);
}

/* What is there of the answer so far. Interim answers are passed over. */
static enum outcome
judge(struct check *c)
{
	struct check_try *t = c->attempt;
	char text[16];

	for (;;) {
		switch (h1_head_push(&t->head,
		    span_mem(t->answer + t->head_start, t->got - t->head_start))) {
		case H1_MORE: return (GOING_ON);
		case H1_BAD:
			return (say(c, BAD,
			    "no answer in HTTP: ", h1_oddity_text(t->head.oddity)));
		case H1_DONE: break;
		}
		if (t->head.status >= 200 || t->head.status == 101)
			break;
		t->head_start += t->head.head_bytes;
		expect_head(t);
	}
	(void)snprintf(text, sizeof(text), "%u", (unsigned)t->head.status);
	return (
	    say(c, health_status_is_good(&c->options.health, t->head.status) ? GOOD : BAD,
		"status ", text));
}

static enum outcome
want(struct check *c, enum stream_rc rc, const char *eof, const char *before)
{
	struct check_try *t = c->attempt;

	switch (rc) {
	case STREAM_WANT_READ: loop_io_want(&t->io, LOOP_READ); return (GOING_ON);
	case STREAM_WANT_WRITE: loop_io_want(&t->io, LOOP_WRITE); return (GOING_ON);
	case STREAM_EOF: return (say(c, BAD, before, eof));
	default:
		return (say(c, BAD, before,
		    t->stream->error != NULL ? t->stream->error : "broken"));
	}
}

static enum outcome
read_answer(struct check *c)
{
	struct check_try *t = c->attempt;
	enum outcome outcome;
	enum stream_rc rc;
	size_t n;

	while (t->got < sizeof(t->answer)) {
		rc = stream_read(
		    t->stream, t->answer + t->got, sizeof(t->answer) - t->got, &n);
		if (rc != STREAM_OK)
			return (want(c, rc, "closed without an answer", ""));
		t->got += n;
		outcome = judge(c);
		if (outcome != GOING_ON)
			return (outcome);
	}
	return (say(c, BAD, NOT_HTTP, h1_oddity_text(H1_ODD_HEADER_TOO_LARGE)));
}

static enum outcome
ask(struct check *c)
{
	struct check_try *t = c->attempt;
	enum stream_rc rc;
	struct iovec iov;
	size_t n;

	while (t->asked < t->question.n) {
		iov.iov_base = t->question.p + t->asked;
		iov.iov_len = t->question.n - t->asked;
		rc = stream_write(t->stream, &iov, 1, &n);
		if (rc != STREAM_OK)
			return (want(c, rc, "closed without an answer", ""));
		t->asked += n;
	}
	return (read_answer(c));
}

/* --- the connection -------------------------------------------------------- */

static enum outcome
go_on(struct check *c)
{
	struct check_try *t = c->attempt;
	enum stream_rc rc;

	if (!t->open) {
		rc = stream_handshake(t->stream);
		if (rc != STREAM_OK)
			return (want(c, rc, "closed during the handshake", "TLS: "));
		t->open = true;
	}
	return (ask(c));
}

static enum outcome
connected(struct check *c)
{
	struct check_try *t = c->attempt;

	t->stream = c->options.tls != NULL
			? tls_connect(c->options.tls, t->fd, c->options.tls_name)
			: stream_plain(t->fd);
	return (go_on(c));
}

static enum outcome
refused(struct check *c, int error)
{
	return (say(c, dial_is_servers_fault(error) ? BAD : VOID, "", dial_text(error)));
}

static enum outcome
try_connect(struct check *c)
{
	struct check_try *t = c->attempt;
	const struct sockaddr *to = (const struct sockaddr *)&c->options.address;

	if (connect(t->fd, to, c->options.address_bytes) == 0)
		return (connected(c));
	switch (errno) {
	case EINPROGRESS:
	case EINTR: loop_io_want(&t->io, LOOP_WRITE); return (GOING_ON);
	case EAGAIN:
		if (to->sa_family != AF_UNIX)
			return (refused(c, EADDRNOTAVAIL));
		t->again = true;
		return (GOING_ON);
	default: return (refused(c, errno));
	}
}

static void
put_question(struct text *out, const struct check_options *options)
{
	text_puts(out, "GET ");
	text_puts(out, options->path);
	text_puts(out, " HTTP/1.1\r\n");
	http_put_field(out, SPAN("Host"), span_of(options->host));
	http_put_field(out, SPAN("User-Agent"), SPAN("yett-check"));
	http_put_field(out, SPAN("Accept"), SPAN("*/*"));
	http_put_field(out, SPAN("Connection"), SPAN("close"));
	text_puts(out, "\r\n");
}

static enum outcome
begin(struct check *c)
{
	struct check_try *t;

	t = c->attempt = mem_zalloc(sizeof(*t));
	text_init(&t->question, QUESTION_MAX);
	put_question(&t->question, &c->options);
	CHECK(!t->question.overflow);
	expect_head(t);
	t->fd = dial_socket(c->options.address.ss_family);
	loop_io_init(&t->io, c->options.loop, t->fd, ready, c);
	if (t->fd == -1)
		return (refused(c, errno));
	return (try_connect(c));
}

static void
end(struct check *c)
{
	struct check_try *t = c->attempt;

	if (t == NULL)
		return;
	c->attempt = NULL;
	loop_io_stop(&t->io);
	if (t->stream != NULL) {
		if (t->open && t->asked == t->question.n)
			(void)stream_finish(t->stream); /* a courtesy to its log */
		stream_close(&t->stream);
	} else if (t->fd != -1) {
		(void)close(t->fd);
	}
	text_free(&t->question);
	free(t);
}

/* --- results --------------------------------------------------------------- */

static enum health_change
note(struct check *c, bool good)
{
	enum health_change change;
	bool same = c->in_a_row > 0 && good == c->last_good;

	c->made++;
	c->failed += !good;
	c->last_good = good;
	c->in_a_row = !same ? 1 : c->in_a_row + (c->in_a_row < UINT32_MAX);
	change = health_note(&c->health, &c->options.health, good);
	if (change != HEALTH_SAME)
		c->since_us = loop_now_us(c->options.loop);
	return (change);
}

/* What the check under way came to. */
static void
came_to(struct check *c, enum outcome outcome)
{
	enum health_change change = HEALTH_SAME;
	int64_t now_us = loop_now_us(c->options.loop);

	if (outcome == GOING_ON) {
		if (c->attempt->again)
			loop_timer_set(&c->timer, DIAL_UNIX_RETRY_US);
		return;
	}
	end(c);
	if (outcome != VOID)
		change = note(c, outcome == GOOD);
	loop_timer_set(&c->timer,
	    health_next_us(&c->options.health, c->began_us, now_us, chance()) - now_us);
	if (change != HEALTH_SAME)
		c->options.changed(c, change);
}

static void
ready(struct loop_io *io, unsigned events)
{
	struct check *c;
	struct check_try *t;
	socklen_t n = sizeof(int);
	int error = 0;

	(void)events;
	CAST_OBJ(c, io->data, CHECK_MAGIC);
	t = c->attempt;
	if (t->stream != NULL) {
		came_to(c, go_on(c));
		return;
	}
	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		error = errno;
	loop_io_want(&t->io, 0);
	came_to(c, error != 0 ? refused(c, error) : connected(c));
}

static const char *
what_is_missing(const struct check_try *t)
{
	if (t->stream == NULL)
		return ("connection timed out");
	return (t->open ? "no answer in time" : "TLS: handshake timed out");
}

static void
due(struct loop_timer *timer)
{
	struct check *c;
	struct check_try *t;
	int64_t left_us;

	CAST_OBJ(c, timer->data, CHECK_MAGIC);
	t = c->attempt;
	if (t == NULL) {
		c->began_us = loop_now_us(c->options.loop);
		loop_timer_set(&c->timer, c->options.timeout_us);
		came_to(c, begin(c));
		return;
	}
	left_us = c->began_us + c->options.timeout_us - loop_now_us(c->options.loop);
	if (t->again && left_us > 0) {
		t->again = false;
		loop_timer_set(&c->timer, left_us);
		came_to(c, try_connect(c));
	} else if (!t->again && !t->late) {
		/* Timers come before descriptors: this thread may have been held
		 * up, and the answer be there. */
		t->late = true;
		loop_timer_set(&c->timer, 1);
	} else {
		came_to(c, say(c, BAD, "", what_is_missing(t)));
	}
}

void
check_start(struct check *c, const struct check_options *options)
{
	int64_t now_us = loop_now_us(options->loop);

	memset(c, 0, sizeof(*c));
	c->magic = CHECK_MAGIC;
	c->options = *options;
	c->since_us = now_us;
	loop_timer_init(&c->timer, options->loop, due, c);
	loop_timer_set(
	    &c->timer, health_first_us(&options->health, now_us, chance()) - now_us);
}

void
check_stop(struct check *c)
{
	if (c->magic == 0)
		return;
	CHECK_OBJ(c, CHECK_MAGIC);
	end(c);
	loop_timer_stop(&c->timer);
	c->magic = 0;
}
