/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets to origins, and what their failures mean. */
#include "config.h"

#include "gateway/upstream/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <errno.h>

int
dial_socket(int family)
{
	const int on = 1;
	int fd;

	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd != -1 && family != AF_UNIX) {
		/* Neither is needed for the connection to work. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	return (fd);
}

const char *
dial_text(int error)
{
	switch (error) {
	case ECONNREFUSED: return ("connection refused");
	case ENOENT: return ("no such socket");
	case EACCES:
	case EPERM: return ("connection not permitted");
	case ENETUNREACH: return ("network unreachable");
	case EHOSTUNREACH: return ("host unreachable");
	case ETIMEDOUT: return ("connection timed out");
	case ECONNRESET: return ("connection reset");
	case EADDRNOTAVAIL: return ("no local port left");
	case EMFILE:
	case ENFILE: return ("too many open files");
	case ENOBUFS:
	case ENOMEM: return ("out of socket memory");
	default: return ("connection failed");
	}
}

bool
dial_is_servers_fault(int error)
{
	return (error != EADDRNOTAVAIL && error != EMFILE && error != ENFILE &&
		error != ENOBUFS && error != ENOMEM);
}
