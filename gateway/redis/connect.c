/* SPDX-License-Identifier: Apache-2.0 */
/* How a connection to a server is made: name, socket, TLS, greeting. */
#include "config.h"

#include "gateway/redis/link_inside.h"

#include "gateway/base/check.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void link_connect(struct link *, const char *reason);

const char *
link_name(const struct link *link, char out[LINK_NAME_MAX])
{
	bool bare = strchr(link_host(link), ':') != NULL && link->host[0] != '[';

	if (link->unix_path != NULL)
		(void)snprintf(out, LINK_NAME_MAX, "%s", link->unix_path);
	else
		(void)snprintf(out, LINK_NAME_MAX, bare ? "[%s]:%u" : "%s:%u",
		    link_host(link), (unsigned)link->port);
	return (out);
}

void
link_drop_socket(struct link *link)
{
	if (link->stream == NULL && link->fd == -1)
		return;
	loop_io_stop(&link->io);
	if (link->stream != NULL)
		stream_close(&link->stream);
	else
		(void)close(link->fd);
	link->fd = -1;
}

/* --- greeting ----------------------------------------------------------- */

const char *
link_refusal(struct span error)
{
	static const struct {
		const char *begin, *reason;
	} table[] = {
		{ "WRONGPASS", "the server refuses the password" },
		{ "NOAUTH", "the server wants a password" },
		{ "LOADING", "the server is still loading its data" },
		{ "READONLY", "the server is a replica" },
		{ "MASTERDOWN", "the server is a replica without its master" },
		{ "DENIED", "the server is in protected mode" },
		{ "ERR max number of clients", "the server has too many clients" },
		{ "ERR AUTH", "the server knows no such password" },
		{ "ERR Client sent AUTH", "the server knows no such password" },
		{ "ERR invalid password", "the server refuses the password" },
		{ "ERR invalid DB", "the server has no database of that number" },
		{ "ERR DB index", "the server has no database of that number" },
		{ "NOPERM", "the server's user may not do what is needed" },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (span_starts(error, span_of(table[i].begin)))
			return (table[i].reason);
	return ("the server refuses the connection");
}

static void
greet(struct link *link)
{
	const struct redis_profile *profile = link->options.profile;
	struct span argv[3];
	char number[16];
	unsigned n = 0;

	link->phase = LINK_GREETING;
	answers_reset(link->answers);
	if (profile->password != NULL) {
		argv[n++] = SPAN("AUTH");
		if (profile->username[0] != '\0')
			argv[n++] = span_of(profile->username);
		argv[n++] = span_of(profile->password);
		link_put_own(link, COMMAND_AUTH, argv, n);
	}
	if (profile->database != 0) {
		(void)snprintf(number, sizeof(number), "%u", (unsigned)profile->database);
		argv[0] = SPAN("SELECT");
		argv[1] = span_of(number);
		link_put_own(link, COMMAND_SELECT, argv, 2);
	}
	argv[0] = SPAN("ROLE");
	if (profile->must_be_master)
		link_put_own(link, COMMAND_ROLE, argv, 1);
	argv[0] = SPAN("PING"); /* the last: its answer ends the greeting */
	link_put_own(link, COMMAND_PING, argv, 1);
	loop_io_want(&link->io, LOOP_READ);
}

static void
become_up(struct link *link)
{
	struct command_queue waiting;
	struct command *command;

	link->phase = LINK_UP;
	link->failing = false;
	link->connected++;
	link->up_us = link->heard_us = link->beat_us = loop_now_us(link->options.loop);
	loop_timer_set(&link->timer, LINK_BEAT_US);
	command_queue_init(&waiting);
	while ((command = command_queue_take(&link->waiting)) != NULL)
		command_queue_put(&waiting, command);
	while ((command = command_queue_take(&waiting)) != NULL)
		link_put(link, command);
	link->options.ops->changed(link->options.data, link);
}

static bool
is_master(const struct redis_value *value)
{
	return (value->type == REDIS_ARRAY && value->n_items > 0 &&
		value->items[0].type == REDIS_TEXT &&
		span_eq(value->items[0].text, SPAN("master")));
}

/* Why the answer ends the connection; NULL: it does not. */
static const char *
own_refusal(enum command_kind kind, const struct redis_value *value)
{
	bool is_error = value->type == REDIS_ERROR;

	/* A user may lack the right to ask: then others must tell. */
	if ((kind == COMMAND_PING || kind == COMMAND_ROLE) && is_error &&
	    span_starts(value->text, SPAN("NOPERM")))
		return (NULL);
	if (kind == COMMAND_ASKING)
		return (NULL); /* the command behind it gets the error */
	if (is_error)
		return (link_refusal(value->text));
	if (kind == COMMAND_ROLE && !is_master(value))
		return ("the server is not a master");
	return (NULL);
}

void
link_take_own(struct link *link, struct command *command, const struct redis_value *value)
{
	enum command_kind kind = command->kind;
	const char *reason = own_refusal(kind, value);

	command_free(link->options.commands, &command);
	if (reason != NULL)
		link_fail(link, reason);
	else if (kind == COMMAND_PING && link->phase == LINK_GREETING)
		become_up(link);
}

/* --- socket and TLS ----------------------------------------------------- */

static void
handshake(struct link *link)
{
	switch (stream_handshake(link->stream)) {
	case STREAM_OK: greet(link); return;
	case STREAM_WANT_READ: loop_io_want(&link->io, LOOP_READ); return;
	case STREAM_WANT_WRITE: loop_io_want(&link->io, LOOP_WRITE); return;
	case STREAM_EOF: link_fail(link, "closed during the TLS handshake"); return;
	default:
		link_fail(link, link->stream->error != NULL ? link->stream->error
							    : "TLS handshake failed");
	}
}

static void
connected(struct link *link)
{
	struct redis_service *service = link->options.service;

	if (service->tls == NULL) {
		link->stream = stream_plain(link->fd);
		link->fd = -1;
		greet(link);
		return;
	}
	link->stream = tls_connect(service->tls, link->fd, link_host(link));
	link->fd = -1;
	link->phase = LINK_SECURING;
	handshake(link);
}

static const char *
error_text(int number)
{
	const char *text = strerrordesc_np(number);

	return (text != NULL ? text : "the connection failed");
}

static void
link_ready(struct loop_io *io, unsigned events)
{
	socklen_t n = sizeof(int);
	struct link *link;
	int error = 0;

	CAST_OBJ(link, io->data, LINK_MAGIC);
	switch (link->phase) {
	case LINK_CONNECTING:
		if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
			error = errno;
		if (error != 0)
			link_connect(link, error_text(error));
		else
			connected(link);
		return;
	case LINK_SECURING: handshake(link); return;
	default: break;
	}
	/* What TLS waits for need not be what it was asked for: both are tried. */
	if ((events & LOOP_WRITE) != 0 && link->out.n > 0)
		link_write(link);
	if (link->stream != NULL && link->phase >= LINK_GREETING)
		link_read(link);
}

/* NULL: under way, or connected. */
static const char *
connect_to(struct link *link, const struct netaddr *address)
{
	struct sockaddr_storage ss;
	socklen_t n = netaddr_to_sockaddr(address, &ss);
	const int on = 1;

	link->phase = LINK_CONNECTING;
	link->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd == -1)
		return (error_text(errno));
	if (address->family != NETADDR_UNIX) {
		/* It works without either. */
		(void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(link->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	loop_io_init(&link->io, link->options.loop, link->fd, link_ready, link);
	if (connect(link->fd, (const struct sockaddr *)&ss, n) == 0) {
		connected(link);
		return (NULL);
	}
	if (errno != EINPROGRESS && errno != EINTR)
		return (error_text(errno));
	loop_io_want(&link->io, LOOP_WRITE);
	return (NULL);
}

/* The next address; none left: fails with the reason of the one before. */
static void
link_connect(struct link *link, const char *reason)
{
	while (link->address < link->n_addresses) {
		link_drop_socket(link);
		loop_timer_set(&link->timer, LINK_ATTEMPT_US);
		reason = connect_to(link, &link->addresses[link->address++]);
		if (reason == NULL)
			return;
	}
	link_fail(link, reason);
}

static void
resolved(void *data, const struct netaddr *addresses, unsigned n)
{
	struct link *link;
	unsigned i;

	CAST_OBJ(link, data, LINK_MAGIC);
	link->lookup = NULL;
	for (i = 0; i < n; i++) {
		link->addresses[i] = addresses[i];
		link->addresses[i].port = link->port;
	}
	link->n_addresses = n;
	link_connect(link, "the server's name has no address");
}

/* --- an attempt --------------------------------------------------------- */

void
link_attempt(struct link *link)
{
	struct netaddr *first = link->addresses;

	link->n_addresses = link->address = 0;
	if (link->options.ops->choose != NULL) {
		link->choosing = true;
		link->options.ops->choose(link->options.data, link);
		link->choosing = false;
	}
	if (link->unix_path != NULL) {
		if (strlen(link->unix_path) >= sizeof(first->path)) {
			link_fail(link, "the path of the socket is too long");
			return;
		}
		*first = (struct netaddr){ .family = NETADDR_UNIX };
		memcpy(first->path, link->unix_path, strlen(link->unix_path) + 1);
		link->n_addresses = 1;
	} else if (link->host == NULL) {
		link->phase = LINK_OFF; /* until it is told where to */
		return;
	} else if (resolve_literal(first, link->host, link->port)) {
		link->n_addresses = 1;
	} else if (link->options.resolver != NULL) {
		link->phase = LINK_RESOLVING;
		link->lookup = lookup_start(link->options.loop, link->options.resolver,
		    link->host, resolved, link);
		return;
	}
	link_connect(link, "there is nobody to resolve the server's name");
}

void
link_attempt_late(struct link *link)
{
	switch (link->phase) {
	case LINK_CONNECTING: link_connect(link, "the connection timed out"); return;
	case LINK_SECURING: link_fail(link, "the TLS handshake timed out"); return;
	case LINK_GREETING: link_fail(link, "the server does not answer"); return;
	default: WRONG("phase of a connection");
	}
}
