/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: the plain socket, and closing any kind. */
#include "config.h"

#include "gateway/loop/stream.h"

#include "gateway/base/check.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static enum stream_rc
failed(struct stream *s, int number)
{
	const char *cause = strerrordesc_np(number);

	s->error = cause != NULL ? cause : "unknown error";
	return (STREAM_ERROR);
}

/* Done as soon as a connect that was under way is. */
static enum stream_rc
plain_handshake(struct stream *s)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	int number = 0;

	CHECK_OBJ(s, STREAM_MAGIC);
	if (getpeername(s->fd, (struct sockaddr *)&peer, &len) == 0)
		return (STREAM_OK);
	if (errno != ENOTCONN)
		return (failed(s, errno));
	len = sizeof number;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
		return (failed(s, errno));
	if (number != 0)
		return (failed(s, number));
	/* Neither connected nor failed: under way, or its error was fetched
	 * before, which must not make the caller wait for ever. */
	if (poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLERR | POLLHUP)) != 0)
		return (failed(s, ENOTCONN));
	return (STREAM_WANT_WRITE);
}

static enum stream_rc
plain_read(struct stream *s, void *to, size_t size, size_t *n_r)
{
	ssize_t got;

	CHECK_OBJ(s, STREAM_MAGIC);
	*n_r = 0;
	do {
		got = recv(s->fd, to, size, 0);
	} while (got < 0 && errno == EINTR);
	if (got > 0) {
		*n_r = (size_t)got;
		return (STREAM_OK);
	}
	if (got == 0)
		return (STREAM_EOF);
	if (errno == EAGAIN)
		return (STREAM_WANT_READ);
	return (failed(s, errno));
}

static enum stream_rc
plain_write(struct stream *s, const struct iovec *iov, int count, size_t *n_r)
{
	/* The field is writable for recvmsg's sake; sendmsg only reads. */
	union {
		const struct iovec *given;
		struct iovec *any;
	} vector = { .given = iov };
	struct msghdr message = { 0 };
	ssize_t got;

	CHECK_OBJ(s, STREAM_MAGIC);
	*n_r = 0;
	message.msg_iov = vector.any;
	message.msg_iovlen = (size_t)(count < IOV_MAX ? count : IOV_MAX);
	do {
		got = sendmsg(s->fd, &message, MSG_NOSIGNAL | (s->more ? MSG_MORE : 0));
	} while (got < 0 && errno == EINTR);
	if (got >= 0) {
		*n_r = (size_t)got;
		return (STREAM_OK);
	}
	if (errno == EAGAIN)
		return (STREAM_WANT_WRITE);
	return (failed(s, errno));
}

static enum stream_rc
plain_write_file(struct stream *s, const struct stream_file *file, size_t n, size_t *n_r)
{
	off_t offset = file->offset;
	ssize_t got;

	CHECK_OBJ(s, STREAM_MAGIC);
	*n_r = 0;
	do {
		got = sendfile(s->fd, file->fd, &offset, n);
	} while (got < 0 && errno == EINTR);
	if (got > 0) {
		*n_r = (size_t)got;
		return (STREAM_OK);
	}
	if (got < 0 && errno == EAGAIN)
		return (STREAM_WANT_WRITE);
	return (failed(s, got == 0 ? EIO : errno));
}

static enum stream_rc
plain_finish(struct stream *s)
{
	CHECK_OBJ(s, STREAM_MAGIC);
	if (shutdown(s->fd, SHUT_WR) != 0)
		return (failed(s, errno));
	return (STREAM_OK);
}

static bool
plain_pending(const struct stream *s)
{
	(void)s;
	return (false);
}

static void
plain_close(struct stream *s)
{
	CHECK_OBJ(s, STREAM_MAGIC);
	close(s->fd);
	s->magic = 0;
	free(s);
}

static const struct stream_ops plain_ops = {
	.handshake = plain_handshake,
	.read = plain_read,
	.write = plain_write,
	.write_file = plain_write_file,
	.finish = plain_finish,
	.pending = plain_pending,
	.close = plain_close,
};

struct stream *
stream_plain(int fd)
{
	struct stream *s = mem_zalloc(sizeof *s);

	s->magic = STREAM_MAGIC;
	s->fd = fd;
	s->ops = &plain_ops;
	return (s);
}

void
stream_close(struct stream **stream)
{
	struct stream *s = *stream;

	if (s == NULL)
		return;
	CHECK_OBJ(s, STREAM_MAGIC);
	*stream = NULL;
	s->ops->close(s);
}

void
stream_reset(struct stream **stream)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (*stream == NULL)
		return;
	/* A unix socket knows no reset and is closed plainly. */
	setsockopt((*stream)->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	stream_close(stream);
}
