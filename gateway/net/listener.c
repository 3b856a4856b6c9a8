/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts connections on a loop. */
#include "config.h"

#include "gateway/net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"

#define LISTENER_MAGIC 0x1157e4e4u
#define ACCEPTS_PER_WAKE 64
#define PAUSE_US (100 * CLOCK_MS)
#define LOG_EVERY_US (60 * CLOCK_SECOND)

struct listener {
	unsigned magic;
	int fd;
	struct netaddr local;
	bool local_differs; /* bound to a wildcard: each connection has its own */
	struct connlimit *limit;
	struct listener_owner owner;
	struct loop_io io;
	struct loop_timer pause;
	int64_t logged_us; /* 0: never */
};

enum accept_next { ACCEPT_MORE, ACCEPT_DONE, ACCEPT_PAUSE };

/* What accept4(2) says of one connection that went away, or of the network,
 * says nothing of the next connection. */
static enum accept_next
after_error(int cause)
{
	switch (cause) {
	case EAGAIN:
#if EWOULDBLOCK != EAGAIN
	case EWOULDBLOCK:
#endif
		return (ACCEPT_DONE);
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENONET:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ETIMEDOUT: return (ACCEPT_MORE);
	default: return (ACCEPT_PAUSE);
	}
}

/* The connection stays in the kernel's queue, so the socket stays readable:
 * going on at once would only burn the processor. */
static void
take_a_pause(struct listener *l, int cause)
{
	char text[NETADDR_TEXT_MAX];
	int64_t now = clock_mono_us();

	if (l->logged_us == 0 || now - l->logged_us >= LOG_EVERY_US) {
		l->logged_us = now;
		log_error("net", "%s: cannot accept, connections wait: %s",
		    netaddr_text(&l->local, text), strerrordesc_np(cause));
	}
	loop_io_want(&l->io, 0);
	loop_timer_set(&l->pause, PAUSE_US);
}

static void
on_pause_over(struct loop_timer *timer)
{
	struct listener *l;

	CAST_OBJ(l, timer->data, LISTENER_MAGIC);
	loop_io_want(&l->io, LOOP_READ);
}

/* A reset costs no more state than the packet: no TIME_WAIT, no bytes. */
static void
refuse(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void
local_of(const struct listener *l, int fd, struct netaddr *local_r)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	*local_r = l->local;
	if (l->local_differs && getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		(void)netaddr_from_sockaddr(local_r, (struct sockaddr *)&ss, len);
}

static bool
peer_of(const struct listener *l, const struct sockaddr_storage *ss, socklen_t len,
    struct netaddr *peer_r)
{
	memset(peer_r, 0, sizeof(*peer_r));
	if (l->local.family == NETADDR_UNIX)
		peer_r->family = NETADDR_UNIX;
	else if (!netaddr_from_sockaddr(peer_r, (const struct sockaddr *)ss, len))
		return (false);
	*peer_r = netaddr_unwrap(peer_r);
	return (true);
}

static bool
admit(struct listener *l, struct arrival *new)
{
	enum listener_rc rc;

	rc = LISTENER_COUNT;
	if (l->owner.admit != NULL)
		rc = l->owner.admit(l->owner.data, &new->peer);
	if (rc == LISTENER_REFUSE)
		return (false);
	if (rc == LISTENER_COUNT)
		new->counted = new->peer;
	return (connlimit_enter(l->limit, &new->counted));
}

static void
hand_over(struct listener *l, int fd, const struct sockaddr_storage *ss, socklen_t len)
{
	struct arrival new = { .fd = fd };

	if (!peer_of(l, ss, len, &new.peer) || !admit(l, &new)) {
		refuse(fd);
		return;
	}
	local_of(l, fd, &new.local);
	l->owner.accept(l->owner.data, &new);
}

static void
on_readable(struct loop_io *io, unsigned events)
{
	struct sockaddr_storage ss;
	struct listener *l;
	socklen_t len;
	int fd, i, cause;

	(void)events;
	CAST_OBJ(l, io->data, LISTENER_MAGIC);
	for (i = 0; i < ACCEPTS_PER_WAKE; i++) {
		len = sizeof(ss);
		fd = accept4(
		    l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			hand_over(l, fd, &ss, len);
			continue;
		}
		cause = errno;
		switch (after_error(cause)) {
		case ACCEPT_MORE: break;
		case ACCEPT_DONE: return;
		case ACCEPT_PAUSE: take_a_pause(l, cause); return;
		}
	}
}

static bool
is_wildcard(const struct netaddr *addr)
{
	static const uint8_t zero[16];

	return ((addr->family == NETADDR_IP4 && memcmp(addr->ip, zero, 4) == 0) ||
		(addr->family == NETADDR_IP6 && memcmp(addr->ip, zero, 16) == 0));
}

struct listener *
listener_new(struct loop *loop, int fd, struct connlimit *limit,
    const struct listener_owner *owner)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	const int on = 1;
	struct listener *l;

	l = mem_zalloc(sizeof(*l));
	l->magic = LISTENER_MAGIC;
	l->fd = fd;
	l->limit = limit;
	l->owner = *owner;
	CHECK(getsockname(fd, (struct sockaddr *)&ss, &len) == 0);
	CHECK(netaddr_from_sockaddr(&l->local, (struct sockaddr *)&ss, len));
	l->local_differs = is_wildcard(&l->local);
	/* inherited by what is accepted: once instead of for each */
	if (l->local.family != NETADDR_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	loop_io_init(&l->io, loop, fd, on_readable, l);
	loop_timer_init(&l->pause, loop, on_pause_over, l);
	loop_io_want(&l->io, LOOP_READ);
	return (l);
}

void
listener_free(struct listener **l_p)
{
	struct listener *l = *l_p;

	if (l == NULL)
		return;
	CHECK_OBJ(l, LISTENER_MAGIC);
	loop_io_stop(&l->io);
	loop_timer_stop(&l->pause);
	close(l->fd);
	l->magic = 0;
	free(l);
	*l_p = NULL;
}
