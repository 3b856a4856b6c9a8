/* SPDX-License-Identifier: Apache-2.0 */
/* The sender: pieces and chunks in order, whole, however little is taken at once. */
#include "config.h"

#include "gateway/request/sender.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/base/check.h"

#define DATA_BYTES (1u << 20)

struct pair {
	struct stream *stream;
	int peer;
	struct text got;
};

static char *data;

static int
setup(void **state)
{
	size_t i;

	(void)state;
	data = mem_alloc(DATA_BYTES);
	for (i = 0; i < DATA_BYTES; i++)
		data[i] = (char)(i * 31 + i / 251);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	free(data);
	return (0);
}

/* A socket that takes as little as the kernel lets it. */
static void
pair_open(struct pair *p)
{
	const int least = 1;
	int fd[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	assert_int_equal(
	    setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
	p->stream = stream_plain(fd[0]);
	p->peer = fd[1];
	text_init(&p->got, 4 * DATA_BYTES);
}

static void
pair_close(struct pair *p)
{
	stream_close(&p->stream);
	if (p->peer >= 0)
		close(p->peer);
	text_free(&p->got);
}

/* Up to `most` bytes off the other end. */
static void
pair_take(struct pair *p, size_t most)
{
	char bytes[4096];
	ssize_t n;

	n = read(p->peer, bytes, most < sizeof(bytes) ? most : sizeof(bytes));
	assert_true(n > 0 || (n < 0 && errno == EAGAIN));
	if (n > 0)
		text_put(&p->got, span_mem(bytes, (size_t)n));
}

/* All of it; how often the stream would take no more. */
static unsigned
flush_all(struct sender *out, struct pair *p, size_t step)
{
	enum stream_rc rc;
	unsigned waits;
	size_t before;

	for (waits = 0;; waits++) {
		before = sender_bytes(out);
		rc = sender_flush(out, p->stream);
		assert_true(sender_bytes(out) <= before);
		if (rc == STREAM_OK)
			break;
		assert_int_equal(rc, STREAM_WANT_WRITE);
		assert_false(sender_is_empty(out));
		pair_take(p, step);
	}
	assert_true(sender_is_empty(out));
	assert_int_equal(sender_bytes(out), 0);
	return (waits);
}

static void
take_rest(struct pair *p)
{
	size_t before;

	do {
		before = p->got.n;
		pair_take(p, SIZE_MAX);
	} while (p->got.n > before);
}

/* What is put: p N a piece, c N a chunk, l the last chunk, f flush. */
static const struct row {
	const char *what, *why;
} rows[] = {
	{ "f", "nothing to write is written at once" },
	{ "p0 f", "an empty piece is passed over" },
	{ "p1 f", "one byte" },
	{ "p10 p0 p20 f", "pieces in order" },
	{ "p100 c5 l f", "head, chunk and end leave together" },
	{ "c1 f c15 f c16 f c255 f c256 f l f", "sizes in hexadecimal" },
	{ "p1 p1 p1 p1 p1 p1 p1 p1 f", "as many pieces as there may be" },
	{ "p1 p1 p1 p1 p1 p1 p1 p1 f p1 p1 p1 p1 p1 p1 p1 p1 f", "and again" },
	{ "p300000 f", "more than a socket takes" },
	{ "p7 c1000000 l f", "a large chunk" },
	{ "p100000 p1 p100000 p1 f c70000 f l f", "cut anywhere" },
};

static void
put_one(struct sender *out, struct text *wanted, char kind, size_t n)
{
	switch (kind) {
	case 'p':
		sender_put(out, span_mem(data, n));
		text_put(wanted, span_mem(data, n));
		break;
	case 'c':
		sender_put_chunk(out, span_mem(data, n));
		text_printf(wanted, "%zx\r\n", n);
		text_put(wanted, span_mem(data, n));
		text_puts(wanted, "\r\n");
		break;
	case 'l':
		sender_put_last_chunk(out);
		text_puts(wanted, "0\r\n\r\n");
		break;
	default: fail_msg("what is %c", kind);
	}
}

static void
run_row(const struct row *row, size_t step)
{
	struct sender out;
	struct text wanted;
	struct pair p;
	const char *at;

	pair_open(&p);
	text_init(&wanted, 4 * DATA_BYTES);
	memset(&out, 0, sizeof(out));
	for (at = row->what; *at != '\0'; at++) {
		if (*at == 'f') {
			(void)flush_all(&out, &p, step);
		} else if (*at >= 'a') {
			put_one(&out, &wanted, *at, strtoul(at + 1, NULL, 10));
		}
	}
	take_rest(&p);
	if (!span_eq(text_span(&p.got), text_span(&wanted)))
		fail_msg("%s: %s (by %zu)", row->what, row->why, step);
	text_free(&wanted);
	pair_close(&p);
}

static void
test_rows(void **state)
{
	static const size_t steps[] = { 4096, 1000, 17 };
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = 0; k < sizeof(steps) / sizeof(steps[0]); k++)
			run_row(&rows[i], steps[k]);
}

static void
test_waits_when_nothing_is_taken(void **state)
{
	struct sender out;
	struct pair p;

	(void)state;
	pair_open(&p);
	memset(&out, 0, sizeof(out));
	sender_put(&out, span_mem(data, DATA_BYTES));
	assert_int_equal(sender_flush(&out, p.stream), STREAM_WANT_WRITE);
	assert_true(sender_bytes(&out) < DATA_BYTES);
	assert_int_equal(sender_flush(&out, p.stream), STREAM_WANT_WRITE);
	sender_reset(&out);
	assert_true(sender_is_empty(&out));
	assert_int_equal(sender_flush(&out, p.stream), STREAM_OK);
	pair_close(&p);
}

/* A piece that is a file in its middle: the same bytes, in order. */
static void
test_lent(void **state)
{
	static const struct {
		size_t from, n, step;
	} lents[] = {
		{ 0, DATA_BYTES, 4096 },
		{ 0, 1, 4096 },
		{ 1, DATA_BYTES - 1, 777 },
		{ 4096, 65536, 4096 },
		{ 100, 5000, 333 },
	};
	struct sender_lent lent;
	struct sender out;
	struct pair p;
	size_t i;
	int fd;

	(void)state;
	fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, DATA_BYTES), DATA_BYTES);
	memset(&out, 0, sizeof(out));
	for (i = 0; i < sizeof(lents) / sizeof(lents[0]); i++) {
		pair_open(&p);
		assert_true(stream_takes_files(p.stream));
		lent.file.fd = fd;
		lent.file.offset = (off_t)lents[i].from;
		lent.from = lents[i].from;
		lent.n = lents[i].n;
		sender_put(&out, SPAN("head"));
		sender_put_lent(&out, span_mem(data, DATA_BYTES), &lent);
		sender_put(&out, SPAN("tail"));
		assert_int_equal(sender_bytes(&out), DATA_BYTES + 8);
		flush_all(&out, &p, lents[i].step);
		take_rest(&p);
		assert_int_equal(p.got.n, DATA_BYTES + 8);
		assert_memory_equal(p.got.p, "head", 4);
		assert_memory_equal(p.got.p + 4, data, DATA_BYTES);
		assert_memory_equal(p.got.p + 4 + DATA_BYTES, "tail", 4);
		pair_close(&p);
	}
	close(fd);
}

static void
test_peer_is_gone(void **state)
{
	struct sender out;
	struct pair p;

	(void)state;
	pair_open(&p);
	close(p.peer);
	p.peer = -1;
	memset(&out, 0, sizeof(out));
	sender_put(&out, SPAN("x"));
	assert_int_equal(sender_flush(&out, p.stream), STREAM_ERROR);
	assert_false(sender_is_empty(&out));
	pair_close(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_waits_when_nothing_is_taken),
		cmocka_unit_test(test_lent),
		cmocka_unit_test(test_peer_is_gone),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
