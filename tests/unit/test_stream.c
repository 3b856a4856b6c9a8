/* SPDX-License-Identifier: Apache-2.0 */
/* Plain streams over real sockets. */
#include "config.h"

#include "gateway/loop/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct stream *
new_pair(int *other_r)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	*other_r = fd[1];
	return (stream_plain(fd[0]));
}

static enum stream_rc
write_text(struct stream *s, const char *text, size_t *n_r)
{
	char copy[64];
	struct iovec iov[2];
	size_t n = strlen(text);

	memcpy(copy, text, n);
	iov[0] = (struct iovec){ copy, n / 2 };
	iov[1] = (struct iovec){ copy + n / 2, n - n / 2 };
	return (stream_write(s, iov, 2, n_r));
}

static void
test_read_and_write(void **state)
{
	struct stream *s;
	char bytes[64];
	size_t n = 99;
	int other;

	(void)state;
	s = new_pair(&other);
	assert_int_equal(stream_handshake(s), STREAM_OK);
	assert_int_equal(stream_read(s, bytes, sizeof bytes, &n), STREAM_WANT_READ);
	assert_int_equal(n, 0);
	assert_int_equal(write(other, "hello", 5), 5);
	assert_int_equal(stream_read(s, bytes, 3, &n), STREAM_OK);
	assert_int_equal(n, 3);
	assert_memory_equal(bytes, "hel", 3);
	assert_false(stream_pending(s));
	assert_int_equal(stream_read(s, bytes, 64, &n), STREAM_OK);
	assert_int_equal(n, 2);
	assert_int_equal(write_text(s, "answer", &n), STREAM_OK);
	assert_int_equal(n, 6);
	assert_int_equal(read(other, bytes, 64), 6);
	assert_memory_equal(bytes, "answer", 6);
	/* The end in either direction. */
	assert_int_equal(stream_finish(s), STREAM_OK);
	assert_int_equal(read(other, bytes, 64), 0);
	assert_int_equal(write(other, "last", 4), 4);
	close(other);
	assert_int_equal(stream_read(s, bytes, 64, &n), STREAM_OK);
	assert_int_equal(stream_read(s, bytes, 64, &n), STREAM_EOF);
	assert_int_equal(n, 0);
	assert_null(s->error);
	stream_close(&s);
	assert_null(s);
	stream_close(&s);
	stream_reset(&s);
}

static void
test_full(void **state)
{
	struct stream *s;
	char block[4096] = { 0 };
	struct iovec iov = { block, sizeof block };
	size_t n, sent = 0, got = 0;
	enum stream_rc rc;
	ssize_t r;
	int other;

	(void)state;
	s = new_pair(&other);
	while ((rc = stream_write(s, &iov, 1, &n)) == STREAM_OK)
		sent += n;
	assert_int_equal(rc, STREAM_WANT_WRITE);
	assert_int_equal(n, 0);
	while ((r = read(other, block, sizeof block)) > 0)
		got += (size_t)r;
	assert_int_equal(got, sent);
	assert_int_equal(stream_write(s, &iov, 1, &n), STREAM_OK);
	stream_close(&s);
	close(other);
}

static void
test_peer_gone(void **state)
{
	struct stream *s;
	size_t n;
	int other;

	(void)state;
	s = new_pair(&other);
	close(other);
	/* An error, not SIGPIPE. */
	assert_int_equal(write_text(s, "x", &n), STREAM_ERROR);
	assert_string_equal(s->error, "Broken pipe");
	stream_close(&s);
}

static void
test_many_pieces(void **state)
{
	struct stream *s;
	struct iovec iov[1500];
	char byte = 'b', bytes[2000];
	size_t n, i;
	int other;

	(void)state;
	s = new_pair(&other);
	for (i = 0; i < 1500; i++)
		iov[i] = (struct iovec){ &byte, 1 };
	assert_int_equal(stream_write(s, iov, 1500, &n), STREAM_OK);
	assert_in_range(n, 1, 1500);
	assert_int_equal(read(other, bytes, sizeof bytes), n);
	stream_close(&s);
	close(other);
}

/* --- TCP ---------------------------------------------------------------- */

static int
new_listener(struct sockaddr_in *at_r)
{
	socklen_t len = sizeof *at_r;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at_r = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)at_r, sizeof *at_r), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at_r, &len), 0);
	return (fd);
}

static struct stream *
new_connect(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0)
		assert_int_equal(errno, EINPROGRESS);
	return (stream_plain(fd));
}

static enum stream_rc
finish_handshake(struct stream *s)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };
	enum stream_rc rc;

	while ((rc = stream_handshake(s)) == STREAM_WANT_WRITE)
		assert_int_equal(poll(&pfd, 1, 10000), 1);
	return (rc);
}

static void
test_connect(void **state)
{
	struct sockaddr_in at;
	int listener = new_listener(&at);
	struct stream *s = new_connect(&at);

	(void)state;
	assert_int_equal(finish_handshake(s), STREAM_OK);
	assert_int_equal(stream_handshake(s), STREAM_OK);
	stream_close(&s);
	close(listener); /* nobody listens there now */
	s = new_connect(&at);
	assert_int_equal(finish_handshake(s), STREAM_ERROR);
	assert_string_equal(s->error, "Connection refused");
	/* The kernel tells a cause once; asking again must not wait. */
	assert_int_equal(finish_handshake(s), STREAM_ERROR);
	stream_close(&s);
}

static void
test_reset(void **state)
{
	struct sockaddr_in at;
	int listener = new_listener(&at), peer;
	struct stream *s, *client;
	struct pollfd pfd = { .events = POLLIN };
	size_t n;
	char byte;

	(void)state;
	client = new_connect(&at);
	assert_int_equal(finish_handshake(client), STREAM_OK);
	peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(peer >= 0);
	s = stream_plain(peer);
	assert_int_equal(write_text(s, "part of an answ", &n), STREAM_OK);
	stream_reset(&s);
	assert_null(s);
	pfd.fd = client->fd;
	assert_int_equal(poll(&pfd, 1, 10000), 1);
	/* No orderly end: the reset may even discard what was sent. */
	while (stream_read(client, &byte, 1, &n) == STREAM_OK)
		;
	assert_int_equal(stream_read(client, &byte, 1, &n), STREAM_EOF);
	assert_non_null(client->error);
	assert_string_equal(client->error, "Connection reset by peer");
	stream_close(&client);
	close(listener);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_and_write),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_peer_gone),
		cmocka_unit_test(test_many_pieces),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_reset),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
