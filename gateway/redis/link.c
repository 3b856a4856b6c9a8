/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to a server: what is sent and what comes back. How it is made is
 * in connect.c. */
#include "config.h"

#include "gateway/redis/link_inside.h"

#include "gateway/base/check.h"
#include "gateway/base/hash.h"

#include <stdlib.h>

/* What waits to be written: commands, scripts' sources among them. */
#define OUT_MAX ((size_t)16 << 20)
#define OUT_KEPT ((size_t)64 << 10)
/* A greeting fits, so that no copy of a password is left by growing. */
#define OUT_FIRST (4 * REDIS_SECRET_MAX)
#define READ_SIZE 16384
#define READS_MAX 16 /* in a row, before others have their turn */

static void link_timer(struct loop_timer *);
static void link_flush_due(struct loop_timer *);

struct link *
link_new(const struct link_options *options)
{
	struct link *link = mem_zalloc(sizeof(*link));

	link->magic = LINK_MAGIC;
	link->options = *options;
	link->fd = -1;
	link->answers = answers_new();
	command_queue_init(&link->sent);
	command_queue_init(&link->waiting);
	text_init(&link->out, OUT_MAX);
	loop_timer_init(&link->timer, options->loop, link_timer, link);
	loop_timer_init(&link->flush, options->loop, link_flush_due, link);
	return (link);
}

static void
give_back(struct link *link, struct command *command, const struct redis_value *value)
{
	if (command->kind == COMMAND_CALLER || command->kind == COMMAND_QUESTION)
		link->options.ops->answered(link->options.data, link, command, value);
	else
		command_free(link->options.commands, &command);
}

/* What is under way is lost. Callbacks may give the link new commands, which it
 * refuses, or takes for its next connection. */
static void
lose_commands(struct link *link)
{
	struct command_queue lost;
	struct command *command;

	command_queue_init(&lost);
	while ((command = command_queue_take(&link->sent)) != NULL)
		command_queue_put(&lost, command);
	while ((command = command_queue_take(&link->waiting)) != NULL)
		command_queue_put(&lost, command);
	while ((command = command_queue_take(&lost)) != NULL)
		give_back(link, command, NULL);
}

/* Closes what is open. */
static void
link_close(struct link *link)
{
	link->connection++;
	link->phase = LINK_OFF;
	link_drop_socket(link);
	lookup_abandon(&link->lookup);
	loop_timer_stop(&link->timer);
	loop_timer_stop(&link->flush);
	if (link->out.p != NULL) /* AUTH may be in it */
		explicit_bzero(link->out.p, link->out.size);
	text_free(&link->out);
	link->out_from = 0;
	link->loading = NULL;
}

/* What was asked for in this round, if the socket takes it at once: who says good-bye
 * wants to be heard. */
static void
last_words(struct link *link)
{
	struct iovec iov;
	size_t n;

	while (link->phase == LINK_UP && link->out_from < link->out.n) {
		iov.iov_base = link->out.p + link->out_from;
		iov.iov_len = link->out.n - link->out_from;
		if (stream_write(link->stream, &iov, 1, &n) != STREAM_OK)
			return;
		link->out_from += n;
	}
}

void
link_free(struct link **link_p)
{
	struct link *link = *link_p;

	*link_p = NULL;
	if (link == NULL)
		return;
	CHECK_OBJ(link, LINK_MAGIC);
	CHECK(!link->busy);
	last_words(link);
	link_close(link);
	link->failing = true;
	link->reason = "given up";
	lose_commands(link);
	answers_free(&link->answers);
	free(link->host);
	free(link->unix_path);
	link->magic = 0;
	free(link);
}

static int64_t
rest_us(const struct link *link)
{
	unsigned doubled = link->failures < 4 ? link->failures : 4;
	int64_t most = LINK_REST_MIN_US << doubled;
	uint32_t some;

	if (most > LINK_REST_MAX_US)
		most = LINK_REST_MAX_US;
	random_bytes(&some, sizeof(some));
	return (most - (int64_t)some % (most / 2));
}

void
link_fail(struct link *link, const char *reason)
{
	int64_t now_us = loop_now_us(link->options.loop);

	CHECK_OBJ(link, LINK_MAGIC);
	/* One that is lost as soon as it is made counts as a failed attempt. */
	if (link->phase == LINK_UP && now_us - link->up_us >= LINK_BEAT_US)
		link->failures = 0;
	link_close(link);
	link->reason = reason;
	link->failing = true;
	link->phase = LINK_RESTING;
	loop_timer_set(&link->timer, rest_us(link));
	link->failures++;
	lose_commands(link);
	link->options.ops->changed(link->options.data, link);
}

void
link_start(struct link *link)
{
	CHECK_OBJ(link, LINK_MAGIC);
	if (link->phase != LINK_OFF)
		return;
	link->phase = LINK_RESTING;
	loop_timer_set(&link->timer, 0);
}

static void
aim(struct link *link, const char *host, uint16_t port, const char *path)
{
	char *old_host = link->host, *old_path = link->unix_path;

	CHECK_OBJ(link, LINK_MAGIC);
	link->host = host != NULL ? mem_strdup(host) : NULL;
	link->unix_path = path != NULL ? mem_strdup(path) : NULL;
	link->port = port;
	free(old_host);
	free(old_path);
	if (link->phase == LINK_OFF || link->choosing)
		return;
	link_close(link);
	link->failing = false;
	link->failures = 0;
	link->reason = "the server is another now";
	lose_commands(link);
	link_start(link);
}

void
link_aim(struct link *link, const char *host, uint16_t port)
{
	if (!link_is_aimed(link, host, port))
		aim(link, host, port, NULL);
}

void
link_aim_unix(struct link *link, const char *path)
{
	aim(link, NULL, 0, path);
}

bool
link_is_aimed(const struct link *link, const char *host, uint16_t port)
{
	return (
	    link->host != NULL && strcmp(link->host, host) == 0 && link->port == port);
}

/* --- state -------------------------------------------------------------- */

bool
link_is_up(const struct link *link)
{
	return (link->phase == LINK_UP);
}

bool
link_accepts(const struct link *link)
{
	return (link->phase == LINK_UP ||
		(link->options.early && !link->failing && link->phase != LINK_OFF));
}

bool
link_is_failing(const struct link *link)
{
	return (link->failing);
}

const char *
link_reason(const struct link *link)
{
	return (link->reason);
}

const char *
link_host(const struct link *link)
{
	return (link->host != NULL ? link->host : "");
}

uint64_t
link_reconnects(const struct link *link)
{
	return (link->connected > 0 ? link->connected - 1 : 0);
}

bool
link_is_idle(const struct link *link)
{
	return (link->sent.first == NULL && link->waiting.first == NULL);
}

/* --- sending ------------------------------------------------------------ */

/* To be written when the round's other work is done. */
void
link_put(struct link *link, struct command *command)
{
	command->sent_us = loop_now_us(link->options.loop);
	command_queue_put(&link->sent, command);
	if (link->out.p == NULL) {
		link->out.p = mem_alloc(OUT_FIRST);
		link->out.size = OUT_FIRST;
	}
	command_put(command, &link->out);
	if (link->flush.deadline_us == 0)
		loop_timer_set(&link->flush, 0);
}

void
link_put_own(
    struct link *link, enum command_kind kind, const struct span *argv, unsigned argc)
{
	link_put(link, command_new(link->options.commands, kind, argv, argc));
}

bool
link_send(struct link *link, struct command *command)
{
	CHECK_OBJ(link, LINK_MAGIC);
	if (!link_accepts(link))
		return (false);
	if (link->phase == LINK_UP)
		link_put(link, command);
	else
		command_queue_put(&link->waiting, command);
	return (true);
}

bool
link_send_asking(struct link *link, struct command *command)
{
	const struct span asking = SPAN("ASKING");
	struct command *before;

	CHECK_OBJ(link, LINK_MAGIC);
	if (!link_accepts(link))
		return (false);
	before = command_new(link->options.commands, COMMAND_ASKING, &asking, 1);
	return (link_send(link, before) && link_send(link, command));
}

/* Writes what there is until the socket is full. */
void
link_write(struct link *link)
{
	struct iovec iov;
	enum stream_rc rc = STREAM_OK;
	size_t n;

	if (link->out.overflow) {
		link_fail(link, "too much waits to be sent");
		return;
	}
	while (link->out_from < link->out.n) {
		iov.iov_base = link->out.p + link->out_from;
		iov.iov_len = link->out.n - link->out_from;
		rc = stream_write(link->stream, &iov, 1, &n);
		if (rc != STREAM_OK)
			break;
		link->out_from += n;
	}
	if (rc != STREAM_OK && rc != STREAM_WANT_READ && rc != STREAM_WANT_WRITE) {
		link_fail(link, link->stream->error != NULL ? link->stream->error
							    : "the connection broke");
		return;
	}
	loop_io_want(
	    &link->io, rc == STREAM_WANT_WRITE ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	if (link->out_from == link->out.n) {
		if (link->phase == LINK_GREETING && link->out.p != NULL)
			explicit_bzero(link->out.p, link->out.size);
		if (link->out.size > OUT_KEPT)
			text_free(&link->out);
		else
			text_reset(&link->out);
		link->out_from = 0;
	} else if (link->out_from > link->out.n / 2) {
		link->out.n -= link->out_from;
		memmove(link->out.p, link->out.p + link->out_from, link->out.n);
		link->out_from = 0;
	}
}

static void
link_flush_due(struct loop_timer *timer)
{
	struct link *link;

	CAST_OBJ(link, timer->data, LINK_MAGIC);
	if (link->stream == NULL)
		return;
	if (link->unread)
		link_read(link);
	/* A socket that is full says by itself when it is not. */
	if (link->stream != NULL && (loop_io_wanted(&link->io) & LOOP_WRITE) == 0)
		link_write(link);
}

/* --- receiving ---------------------------------------------------------- */

/* A server that lost its scripts: the source is sent once, and what follows it on
 * the same connection may use the digest again. */
static bool
send_script_again(
    struct link *link, struct command *command, const struct redis_value *value)
{
	if (command->script == NULL)
		return (false);
	if (link->loading == command->script && command->with_source)
		link->loading = NULL;
	if (value->type != REDIS_ERROR || !span_starts(value->text, SPAN("NOSCRIPT")) ||
	    command->tries >= LINK_TRIES_MAX)
		return (false);
	command->tries++;
	command->with_source = link->loading != command->script;
	if (command->ask == NULL)
		return (false);
	link->loading = command->script;
	link_put(link, command);
	return (true);
}

static void
take_answer(struct link *link, struct command *command, const struct redis_value *value)
{
	switch (command->kind) {
	case COMMAND_CALLER:
		if (send_script_again(link, command, value))
			return;
		/* FALLTHROUGH */
	case COMMAND_QUESTION:
		link->options.ops->answered(link->options.data, link, command, value);
		return;
	default: link_take_own(link, command, value);
	}
}

/* All whole answers that are there. False when the connection is gone. */
static bool
take_answers(struct link *link)
{
	unsigned connection = link->connection;
	const struct redis_value *value;
	struct command *command;

	while (link->connection == connection) {
		switch (answers_next(link->answers, &value)) {
		case ANSWERS_MORE: return (true);
		case ANSWERS_BROKEN:
			link_fail(link, answers_error(link->answers));
			return (false);
		case ANSWERS_ONE: break;
		}
		command = command_queue_take(&link->sent);
		if (command == NULL) {
			/* "max number of clients" comes so, too */
			link_fail(link, value->type == REDIS_ERROR
					    ? link_refusal(value->text)
					    : "the server speaks unasked");
			return (false);
		}
		link->heard_us = loop_now_us(link->options.loop);
		link->busy = true;
		take_answer(link, command, value);
		link->busy = false;
	}
	return (false);
}

void
link_read(struct link *link)
{
	char bytes[READ_SIZE];
	enum stream_rc rc;
	unsigned i;
	size_t n;

	link->unread = false;
	for (i = 0; i < READS_MAX; i++) {
		rc = stream_read(link->stream, bytes, sizeof(bytes), &n);
		switch (rc) {
		case STREAM_OK: break;
		case STREAM_WANT_READ: return;
		case STREAM_WANT_WRITE:
			loop_io_want(&link->io, LOOP_READ | LOOP_WRITE);
			return;
		case STREAM_EOF:
			link_fail(link, "the server closed the connection");
			return;
		default:
			link_fail(link, link->stream->error != NULL
					    ? link->stream->error
					    : "the connection broke");
			return;
		}
		if (!answers_feed(link->answers, span_mem(bytes, n))) {
			link_fail(link, answers_error(link->answers));
			return;
		}
		if (!take_answers(link))
			return;
	}
	/* TLS may hold bytes that no descriptor tells of. */
	link->unread = true;
	loop_timer_set(&link->flush, 0);
}

/* --- time --------------------------------------------------------------- */

/* Until the next look; none left: an answer is overdue. */
static int64_t
left_us(const struct link *link)
{
	if (link->sent.first == NULL)
		return (LINK_BEAT_US);
	return (link->sent.first->sent_us + LINK_SILENCE_US -
		loop_now_us(link->options.loop));
}

/* Up: is an answer overdue, is it time to ask for a sign of life? */
static void
watch(struct link *link)
{
	int64_t now_us = loop_now_us(link->options.loop);
	const struct span role = SPAN("ROLE"), ping = SPAN("PING");
	int64_t left = left_us(link);

	if (left <= 0) {
		/* If it was us who slept, the answer is there. */
		link_read(link);
		if (link->phase != LINK_UP)
			return;
		left = left_us(link);
	}
	if (left <= 0) {
		link_fail(link, "the server does not answer");
		return;
	}
	if (link->options.profile->must_be_master) {
		if (now_us - link->beat_us >= LINK_BEAT_US) {
			link->beat_us = now_us;
			link_put_own(link, COMMAND_ROLE, &role, 1);
		}
	} else if (link->sent.first == NULL && now_us - link->heard_us >= LINK_BEAT_US)
		link_put_own(link, COMMAND_PING, &ping, 1);
	loop_timer_set(&link->timer, left);
}

static void
link_timer(struct loop_timer *timer)
{
	struct link *link;

	CAST_OBJ(link, timer->data, LINK_MAGIC);
	switch (link->phase) {
	case LINK_UP: watch(link); return;
	case LINK_RESTING: link_attempt(link); return;
	default: link_attempt_late(link);
	}
}
