/* SPDX-License-Identifier: Apache-2.0 */
/* Bound, listening sockets. */
#include "config.h"

#include "gateway/net/listener.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/check.h"

/* The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096
/* The gateway's own user and group; who may connect beyond that is decided by
 * the folder and the group of the socket. */
#define UNIX_MODE 0660

enum bind_how {
	BIND_FIRST, /* the address must be nobody else's */
	BIND_AGAIN, /* beside our own socket */
};

static int
set_option(int fd, int level, int name)
{
	const int on = 1;

	return (setsockopt(fd, level, name, &on, sizeof(on)));
}

/* Only the first socket is bound without SO_REUSEPORT: so a second gateway on
 * the same address is told "address in use" and does not silently take half of
 * the connections. The option set after that lets our own further ones in. */
static bool
bind_inet(int fd, const struct sockaddr_storage *ss, socklen_t len, enum bind_how how)
{
	if (set_option(fd, SOL_SOCKET, SO_REUSEADDR) != 0)
		return (false);
	if (ss->ss_family == AF_INET6 && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0)
		return (false);
	if (how == BIND_AGAIN && set_option(fd, SOL_SOCKET, SO_REUSEPORT) != 0)
		return (false);
	if (bind(fd, (const struct sockaddr *)ss, len) != 0)
		return (false);
	return (how == BIND_AGAIN || set_option(fd, SOL_SOCKET, SO_REUSEPORT) == 0);
}

/* A socket file is there and nobody listens on it. */
static bool
is_stale(const struct sockaddr_storage *ss, socklen_t len, const char *path)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return (false);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return (false);
	stale =
	    connect(fd, (const struct sockaddr *)ss, len) != 0 && errno == ECONNREFUSED;
	close(fd);
	return (stale);
}

static bool
bind_unix(int fd, const struct sockaddr_storage *ss, socklen_t len, const char *path)
{
	/* The file takes the mode that the socket has, less the umask: never
	 * wider than meant, not even between bind and chmod. */
	if (fchmod(fd, UNIX_MODE) != 0)
		return (false);
	if (bind(fd, (const struct sockaddr *)ss, len) != 0) {
		if (errno != EADDRINUSE)
			return (false);
		if (!is_stale(ss, len, path)) {
			errno = EADDRINUSE;
			return (false);
		}
		if (unlink(path) != 0 || bind(fd, (const struct sockaddr *)ss, len) != 0)
			return (false);
	}
	return (chmod(path, UNIX_MODE) == 0);
}

static enum err_code
listen_on(int *fd_r, const struct netaddr *addr, enum bind_how how, struct err *e)
{
	char text[NETADDR_TEXT_MAX];
	struct sockaddr_storage ss;
	socklen_t len;
	bool bound;
	int fd, cause;

	*fd_r = -1;
	memset(&ss, 0, sizeof(ss));
	len = netaddr_to_sockaddr(addr, &ss);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return (
		    err_errno(e, "%s: cannot open a socket", netaddr_text(addr, text)));
	if (addr->family == NETADDR_UNIX)
		bound = bind_unix(fd, &ss, len, addr->path);
	else
		bound = bind_inet(fd, &ss, len, how);
	if (!bound || listen(fd, BACKLOG) != 0) {
		cause = errno;
		close(fd);
		errno = cause;
		if (addr->family == NETADDR_UNIX)
			return (err_errno(e, "unix:%s: cannot listen", addr->path));
		return (err_errno(e, "%s: cannot listen", netaddr_text(addr, text)));
	}
	*fd_r = fd;
	return (ERR_OK);
}

enum err_code
net_listen(int *fd_r, const struct netaddr *addr, struct err *e)
{
	return (listen_on(fd_r, addr, BIND_FIRST, e));
}

enum err_code
net_listen_again(int *fd_r, int fd, struct err *e)
{
	struct sockaddr_storage ss;
	struct netaddr addr;
	socklen_t len = sizeof(ss);

	*fd_r = -1;
	memset(&ss, 0, sizeof(ss));
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return (err_errno(e, "a listening socket: no address"));
	if (ss.ss_family == AF_UNIX) {
		*fd_r = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		return (*fd_r >= 0 ? ERR_OK : err_errno(e, "a unix socket: no copy"));
	}
	CHECK(netaddr_from_sockaddr(&addr, (const struct sockaddr *)&ss, len));
	return (listen_on(fd_r, &addr, BIND_AGAIN, e));
}
