/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: pieces, bounds, and readers on other threads than the writer's. */
#include "config.h"

#include "tests/unit/store_rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define KIB UINT64_C(1024)

/* Delivers what is in the mailbox. */
static void
turn(struct loop *loop)
{
	loop_stop(loop);
	loop_run(loop);
}

static void
count(void *data)
{
	(*(unsigned *)data)++;
}

/* How it ends: what may be appended, and what readers get behind the last byte. */
static void
test_bounds(void **state)
{
	static const struct {
		uint64_t length, append;
		bool taken, end;
		enum cache_body_rc last;
	} rows[] = {
		{ 0, 0, true, true, CACHE_BODY_END },
		{ 1000, 1000, true, true, CACHE_BODY_END },
		{ 1000, 1001, false, true, CACHE_BODY_CUT }, /* longer than it said */
		{ 1000, 999, true, true, CACHE_BODY_CUT }, /* shorter */
		{ 1000, 1000, true, false, CACHE_BODY_CUT }, /* its framing is broken */
		{ CACHE_LENGTH_UNKNOWN, 0, true, true, CACHE_BODY_END },
		{ CACHE_LENGTH_UNKNOWN, 100 * KIB, true, true, CACHE_BODY_END },
		{ CACHE_LENGTH_UNKNOWN, 100 * KIB, true, false, CACHE_BODY_CUT },
		{ CACHE_LENGTH_UNKNOWN, MIB, true, true, CACHE_BODY_END },
		{ CACHE_LENGTH_UNKNOWN, MIB + 1, false, true, CACHE_BODY_CUT },
		{ MIB, MIB, true, true, CACHE_BODY_END },
	};
	struct cache_store *store = cache_store_new(8 * MIB, MIB);
	uint64_t before = rig_used(store);
	struct cache_body *body;
	struct span piece;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		body = cache_body_new(store, rows[i].length);
		assert_non_null(body);
		assert_int_equal(rig_append(body, 5, rows[i].append), rows[i].taken);
		cache_body_end(body, rows[i].end);
		assert_int_equal(
		    cache_body_is_complete(body), rows[i].last == CACHE_BODY_END);
		assert_true(rig_is(body, 5, cache_body_bytes(body)));
		assert_int_equal(cache_body_read(body, cache_body_bytes(body), UINT64_MAX,
				     NULL, &piece),
		    rows[i].last);
		assert_false(cache_body_append(body, SPAN("x")));
		assert_true(rig_used(store) != UINT64_MAX);
		cache_body_free(&body);
		assert_int_equal(rig_used(store), before);
	}
	assert_null(cache_body_new(store, MIB + 1));
	cache_store_free(&store);
}

/* A small one is one piece; what was set aside too much is given back. */
static void
test_pieces(void **state)
{
	static const struct {
		uint64_t length, bytes;
		unsigned least, most; /* pieces */
	} rows[] = {
		{ 1, 1, 1, 1 },
		{ 200, 200, 1, 1 },
		{ 256 * KIB, 256 * KIB, 1, 1 },
		{ MIB, MIB, 4, 5 },
		{ CACHE_LENGTH_UNKNOWN, 3000, 1, 1 },
		{ CACHE_LENGTH_UNKNOWN, 100 * KIB, 2, 6 },
		{ CACHE_LENGTH_UNKNOWN, 4 * MIB, 8, 24 },
	};
	struct cache_store *store = cache_store_new(16 * MIB, 4 * MIB);
	uint64_t before = rig_used(store), at, used;
	struct cache_body *body;
	struct span piece;
	unsigned n;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		body = rig_body(
		    store, 1, rows[i].bytes, rows[i].length != CACHE_LENGTH_UNKNOWN);
		n = 0;
		for (at = 0; cache_body_read(body, at, UINT64_MAX, NULL, &piece) ==
			     CACHE_BODY_DATA;
		     at += piece.n)
			n++;
		assert_int_equal(at, rows[i].bytes);
		assert_true(n >= rows[i].least && n <= rows[i].most);
		used = rig_used(store) - before;
		assert_true(used >= at && used <= at + at / 1000 + 1200);
		/* a part of it */
		assert_int_equal(
		    cache_body_read(body, 0, 1, NULL, &piece), CACHE_BODY_DATA);
		assert_int_equal(piece.n, 1);
		assert_int_equal(
		    cache_body_read(body, at - 1, at, NULL, &piece), CACHE_BODY_DATA);
		assert_int_equal(piece.n, 1);
		assert_true(piece.p[0] == rig_byte(1, at - 1));
		assert_int_equal(
		    cache_body_read(body, 1, 1, NULL, &piece), CACHE_BODY_END);
		cache_body_free(&body);
	}
	cache_store_free(&store);
}

/* Holes everywhere: a large body comes in smaller pieces, and is the same. */
static void
test_a_body_among_holes(void **state)
{
	struct cache_store *store = cache_store_new(4 * MIB, 2 * MIB);
	struct cache_body *held[400], *body;
	unsigned n, i;

	(void)state;
	for (n = 0; n < 400; n++) {
		held[n] = rig_body(store, n, 10000, true);
		if (held[n] == NULL)
			break;
	}
	for (i = 0; i < n; i += 2)
		cache_body_free(&held[i]);
	body = rig_body(store, 7, MIB, true);
	assert_non_null(body);
	assert_true(rig_is(body, 7, MIB));
	cache_body_free(&body);
	body = rig_body(store, 8, MIB, false);
	assert_non_null(body);
	assert_true(rig_is(body, 8, MIB));
	cache_body_free(&body);
	for (i = 1; i < n; i += 2) {
		assert_true(rig_is(held[i], i, 10000));
		cache_body_free(&held[i]);
	}
	cache_store_free(&store);
}

/* --- waiting ------------------------------------------------------------- */

static void
test_one_wake_for_one_wait(void **state)
{
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	struct loop *loop = loop_new();
	unsigned wakes = 0;
	struct cache_wait *wait = cache_wait_new(loop, count, &wakes);
	struct cache_body *body = cache_body_new(store, CACHE_LENGTH_UNKNOWN);
	struct span piece;

	(void)state;
	/* nothing was waited for */
	assert_true(cache_body_append(body, SPAN("abc")));
	turn(loop);
	assert_int_equal(wakes, 0);
	assert_int_equal(
	    cache_body_read(body, 0, UINT64_MAX, wait, &piece), CACHE_BODY_DATA);
	assert_int_equal(
	    cache_body_read(body, 3, UINT64_MAX, wait, &piece), CACHE_BODY_WAIT);
	assert_int_equal(
	    cache_body_read(body, 3, UINT64_MAX, wait, &piece), CACHE_BODY_WAIT);
	assert_true(cache_body_append(body, SPAN("d")));
	assert_int_equal(wakes, 0); /* never from inside a call */
	assert_true(cache_body_append(body, SPAN("e")));
	turn(loop);
	assert_int_equal(wakes, 1);
	assert_int_equal(
	    cache_body_read(body, 3, UINT64_MAX, wait, &piece), CACHE_BODY_DATA);
	assert_true(span_eq(piece, SPAN("de")));
	/* a range that is there needs no more */
	assert_int_equal(cache_body_read(body, 5, 5, wait, &piece), CACHE_BODY_END);
	assert_int_equal(
	    cache_body_read(body, 5, UINT64_MAX, wait, &piece), CACHE_BODY_WAIT);
	cache_body_end(body, true);
	turn(loop);
	assert_int_equal(wakes, 2);
	assert_int_equal(
	    cache_body_read(body, 5, UINT64_MAX, wait, &piece), CACHE_BODY_END);
	cache_wait_free(&wait);
	cache_body_free(&body);
	loop_free(&loop);
	cache_store_free(&store);
}

/* The owner goes before the wake, between wake and message, or the body goes first. */
static void
test_a_wait_that_is_freed(void **state)
{
	static const struct {
		bool posted, body_first;
	} rows[] = { { false, false }, { false, true }, { true, false }, { true, true } };
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	struct loop *loop = loop_new();
	uint64_t before = rig_used(store);
	struct cache_body *body;
	struct cache_wait *wait;
	unsigned wakes = 0;
	struct span piece;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		body = cache_body_new(store, CACHE_LENGTH_UNKNOWN);
		wait = cache_wait_new(loop, count, &wakes);
		assert_int_equal(
		    cache_body_read(body, 0, 9, wait, &piece), CACHE_BODY_WAIT);
		if (rows[i].posted)
			assert_true(cache_body_append(body, SPAN("a")));
		if (rows[i].body_first)
			cache_body_free(&body);
		cache_wait_free(&wait);
		assert_null(wait);
		cache_body_free(&body);
		turn(loop);
		assert_int_equal(wakes, 0);
		assert_int_equal(rig_used(store), before);
	}
	loop_free(&loop);
	cache_store_free(&store);
}

/* The loop ends with the wake on its way: nothing is left behind. */
static void
test_a_wait_whose_loop_ends(void **state)
{
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	struct loop *loop = loop_new();
	struct cache_body *body = cache_body_new(store, 100);
	struct cache_wait *waits[3];
	unsigned wakes = 0, i;
	struct span piece;

	(void)state;
	for (i = 0; i < 3; i++) {
		waits[i] = cache_wait_new(loop, count, &wakes);
		assert_int_equal(
		    cache_body_read(body, 0, 9, waits[i], &piece), CACHE_BODY_WAIT);
	}
	assert_true(cache_body_append(body, SPAN("a")));
	cache_wait_free(&waits[1]);
	cache_wait_free(&waits[0]);
	cache_wait_free(&waits[2]);
	cache_body_free(&body);
	loop_free(&loop);
	assert_int_equal(wakes, 0);
	cache_store_free(&store);
}

/* From one body to another, with the first one's wake on its way. */
static void
test_a_wait_that_moves(void **state)
{
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	struct loop *loop = loop_new();
	uint64_t before = rig_used(store);
	unsigned wakes = 0;
	struct cache_wait *wait = cache_wait_new(loop, count, &wakes);
	struct cache_body *a = cache_body_new(store, 100),
			  *b = cache_body_new(store, 100);
	struct span piece;

	(void)state;
	assert_int_equal(cache_body_read(a, 0, 9, wait, &piece), CACHE_BODY_WAIT);
	assert_true(cache_body_append(a, SPAN("a")));
	assert_int_equal(cache_body_read(b, 0, 9, wait, &piece), CACHE_BODY_WAIT);
	cache_body_free(&a);
	assert_true(cache_body_append(b, SPAN("b")));
	turn(loop);
	assert_int_equal(wakes, 1);
	turn(loop);
	assert_int_equal(wakes, 1);
	assert_int_equal(cache_body_read(b, 1, 9, wait, &piece), CACHE_BODY_WAIT);
	assert_true(cache_body_append(b, SPAN("b")));
	turn(loop);
	assert_int_equal(wakes, 2);
	cache_body_free(&b);
	cache_wait_free(&wait);
	assert_int_equal(rig_used(store), before);
	loop_free(&loop);
	cache_store_free(&store);
}

/* --- threads ------------------------------------------------------------- */

#define LOOPS 2
#define READERS 6
#define BODIES 40

struct shared {
	struct cache_store *store;
	struct loop *loops[LOOPS];
	atomic_uint left;
	atomic_bool failed;
};

struct reader {
	struct shared *shared;
	struct cache_body *body;
	struct cache_wait *wait;
	struct loop_message start;
	unsigned seed;
	uint64_t at, length;
	bool cut;
};

static void
reader_ends(struct reader *reader, enum cache_body_rc rc)
{
	unsigned i;

	if (rc != (reader->cut ? CACHE_BODY_CUT : CACHE_BODY_END) ||
	    reader->at != reader->length)
		atomic_store(&reader->shared->failed, true);
	cache_body_free(&reader->body);
	cache_wait_free(&reader->wait);
	if (atomic_fetch_sub(&reader->shared->left, 1) == 1)
		for (i = 0; i < LOOPS; i++)
			loop_stop(reader->shared->loops[i]);
}

static void
reader_wakes(void *data)
{
	struct reader *reader = data;
	enum cache_body_rc rc;
	struct span piece;
	size_t i;

	while ((rc = cache_body_read(reader->body, reader->at, UINT64_MAX, reader->wait,
		    &piece)) == CACHE_BODY_DATA) {
		for (i = 0; i < piece.n; i++)
			if (piece.p[i] != rig_byte(reader->seed, reader->at + i))
				atomic_store(&reader->shared->failed, true);
		reader->at += piece.n;
	}
	if (rc != CACHE_BODY_WAIT)
		reader_ends(reader, rc);
}

static void
reader_starts(struct loop_message *message)
{
	reader_wakes((char *)message - offsetof(struct reader, start));
}

static void *
run_loop(void *loop)
{
	loop_run(loop);
	return (NULL);
}

/* Every reader sees every byte in order, and is woken until the end. */
static void
test_readers_on_other_threads(void **state)
{
	struct reader *readers = calloc(BODIES * READERS, sizeof(*readers)), *reader;
	struct cache_body *body;
	struct shared shared;
	pthread_t threads[LOOPS];
	uint64_t length, before;
	unsigned i, b;

	(void)state;
	shared.store = cache_store_new(8 * MIB, 2 * MIB);
	before = rig_used(shared.store);
	atomic_init(&shared.left, BODIES * READERS);
	atomic_init(&shared.failed, false);
	for (i = 0; i < LOOPS; i++) {
		shared.loops[i] = loop_new();
		assert_int_equal(
		    pthread_create(&threads[i], NULL, run_loop, shared.loops[i]), 0);
	}
	for (b = 0; b < BODIES; b++) {
		length = b * 5000;
		body = cache_body_new(
		    shared.store, b % 2 == 0 ? CACHE_LENGTH_UNKNOWN : length);
		assert_non_null(body);
		for (i = 0; i < READERS; i++) {
			reader = &readers[b * READERS + i];
			reader->shared = &shared;
			reader->body = cache_body_ref(body);
			reader->wait =
			    cache_wait_new(shared.loops[i % LOOPS], reader_wakes, reader);
			reader->seed = b;
			reader->length = length;
			reader->cut = b % 5 == 0;
			reader->start.deliver = reader_starts;
			loop_post(shared.loops[i % LOOPS], &reader->start);
		}
		for (i = 0; i < 10; i++)
			assert_true(rig_append(body, b, length / 10));
		cache_body_end(body, b % 5 != 0);
		cache_body_free(&body);
	}
	for (i = 0; i < LOOPS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_false(atomic_load(&shared.failed));
	assert_int_equal(rig_used(shared.store), before);
	for (i = 0; i < LOOPS; i++)
		loop_free(&shared.loops[i]);
	cache_store_free(&shared.store);
	free(readers);
}

/* All of a body into a socket, as files where it lends. */
static uint64_t
send_body(struct cache_body *body, struct stream *to, uint64_t *lent_r)
{
	struct iovec iov;
	struct stream_file file;
	struct span piece;
	size_t from, n, done;
	uint64_t at = 0;

	*lent_r = 0;
	while (cache_body_read(body, at, UINT64_MAX, NULL, &piece) == CACHE_BODY_DATA) {
		from = piece.n;
		n = 0;
		if (cache_body_lend(body, piece, &file, &from, &n) && from == 0) {
			assert_int_equal(
			    stream_write_file(to, &file, n, &done), STREAM_OK);
			*lent_r += done;
		} else {
			iov.iov_base = (char *)(uintptr_t)piece.p;
			iov.iov_len = from;
			assert_int_equal(stream_write(to, &iov, 1, &done), STREAM_OK);
		}
		at += done;
	}
	return (at);
}

/* A client that takes its time gets what was sent to it, whatever has been stored at
 * that place since. */
static void
test_lent_bytes_stay(void **state)
{
	static const struct {
		uint64_t length;
		bool known, lends;
	} rows[] = {
		{ 1000, true, false },
		{ 31 * KIB, true, false },
		{ 32 * KIB, true, true },
		{ 100 * KIB, true, true },
		{ 100 * KIB + 1, true, true },
		{ 100 * KIB, false, true },
		{ 280 * KIB + 77, true, true },
	};
	struct cache_store *store = cache_store_new(2 * MIB, MIB);
	uint64_t before = rig_used(store), lent, at;
	struct cache_body *body, *others[64];
	const int large = 4 << 20;
	struct stream *stream;
	unsigned i, j;
	char *got;
	int fd[2];

	(void)state;
	got = malloc(MIB);
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
		setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
		assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
		stream = stream_plain(fd[0]);
		body = rig_body(store, i, rows[i].length, rows[i].known);
		assert_non_null(body);
		assert_int_equal(send_body(body, stream, &lent), rows[i].length);
		assert_int_equal(lent > 0, rows[i].lends);
		cache_body_free(&body);
		/* the whole store is written over */
		for (j = 0; j < COUNT(others); j++)
			others[j] = rig_body(store, 200 + j, 64 * KIB, true);
		for (j = 0; j < COUNT(others); j++)
			if (others[j] != NULL) {
				assert_true(rig_is(others[j], 200 + j, 64 * KIB));
				cache_body_free(&others[j]);
			}
		assert_int_equal(recv(fd[1], got, rows[i].length, MSG_WAITALL),
		    (ssize_t)rows[i].length);
		for (at = 0; at < rows[i].length; at++)
			if (got[at] != rig_byte(i, at))
				fail_msg("row %u: another byte at %llu", i,
				    (unsigned long long)at);
		stream_close(&stream);
		close(fd[1]);
	}
	assert_int_equal(rig_used(store), before);
	free(got);
	cache_store_free(&store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_a_body_among_holes),
		cmocka_unit_test(test_one_wake_for_one_wait),
		cmocka_unit_test(test_a_wait_that_is_freed),
		cmocka_unit_test(test_a_wait_whose_loop_ends),
		cmocka_unit_test(test_a_wait_that_moves),
		cmocka_unit_test(test_readers_on_other_threads),
		cmocka_unit_test(test_lent_bytes_stay),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
