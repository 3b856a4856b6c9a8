/* SPDX-License-Identifier: Apache-2.0 */
/* The spool: what goes in comes out, from memory or from the file, again after a
 * rewind, with a real loop and real job threads. */
#include "config.h"

#include "gateway/request/spool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/base/check.h"

#define DATA_BYTES (6u << 20)

enum phase { PUTTING, SEALING, READING, READING_AGAIN, ENDED };

/* Does what a request does with its spool: goes on as far as it can and is woken. */
struct user {
	struct spool spool;
	struct job_pool *pool;
	struct loop *loop;
	size_t total, piece, put;
	enum phase phase;
	enum spool_rc rc;
	unsigned waits;
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
		data[i] = (char)(i * 7 + i / 253 + i / 65537);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	free(data);
	return (0);
}

static enum spool_rc
put_next(struct user *u)
{
	enum spool_rc rc;
	size_t n;

	n = u->total - u->put < u->piece ? u->total - u->put : u->piece;
	if (n == 0)
		return (SPOOL_END);
	rc = spool_put(&u->spool, u->pool, span_mem(data + u->put, n));
	if (rc == SPOOL_OK) {
		u->put += n;
		assert_int_equal(spool_bytes(&u->spool), u->put);
	}
	return (rc);
}

/* The file holds all that was put, in its order. */
static void
check_sealed(const struct user *u)
{
	char *all;

	assert_int_equal(spool_bytes(&u->spool), u->total);
	if (u->spool.fd < 0) {
		assert_true(u->total <= SPOOL_MEMORY);
		return;
	}
	assert_true(u->total > SPOOL_MEMORY);
	assert_int_equal(u->spool.used, 0);
	all = mem_alloc(u->total + 1);
	assert_int_equal(pread(u->spool.fd, all, u->total + 1, 0), u->total);
	assert_memory_equal(all, data, u->total);
	free(all);
}

static enum spool_rc
read_next(struct user *u)
{
	enum spool_rc rc;
	struct span piece;

	rc = spool_read(&u->spool, u->pool, &piece);
	if (rc == SPOOL_OK) {
		assert_true(piece.n > 0 && piece.n <= SPOOL_MEMORY);
		text_put(&u->got, piece);
	}
	return (rc);
}

static void
check_got(struct user *u)
{
	assert_true(span_eq(text_span(&u->got), span_mem(data, u->total)));
	text_reset(&u->got);
	spool_rewind(&u->spool);
}

/* SPOOL_OK: there is more to do. */
static enum spool_rc
user_step(struct user *u)
{
	enum spool_rc rc;

	switch (u->phase) {
	case PUTTING: rc = put_next(u); break;
	case SEALING:
		rc = spool_seal(&u->spool, u->pool);
		if (rc == SPOOL_OK) {
			check_sealed(u);
			rc = SPOOL_END;
		}
		break;
	default:
		rc = read_next(u);
		if (rc == SPOOL_END)
			check_got(u);
		break;
	}
	if (rc == SPOOL_END)
		u->phase++;
	return (rc == SPOOL_END && u->phase != ENDED ? SPOOL_OK : rc);
}

static void
user_run(void *data_)
{
	struct user *u = data_;
	struct span piece;

	do
		u->rc = user_step(u);
	while (u->rc == SPOOL_OK);
	if (u->rc != SPOOL_WAIT) {
		loop_stop(u->loop);
		return;
	}
	u->waits++;
	/* while a job has it, nothing else happens to it */
	assert_true(u->spool.busy);
	assert_int_equal(spool_put(&u->spool, u->pool, SPAN("x")), SPOOL_WAIT);
	assert_int_equal(spool_seal(&u->spool, u->pool), SPOOL_WAIT);
	assert_int_equal(spool_read(&u->spool, u->pool, &piece), SPOOL_WAIT);
}

static void
user_play(struct user *u, size_t total, size_t piece)
{
	memset(u, 0, sizeof(*u));
	u->loop = loop_new();
	u->pool = job_pool_new("files", 1, 0);
	u->total = total;
	u->piece = piece;
	text_init(&u->got, DATA_BYTES);
	spool_init(&u->spool, u->loop, user_run, u);
	user_run(u);
	loop_run(u->loop);
	assert_false(u->spool.busy);
}

static void
user_end(struct user *u)
{
	spool_free(&u->spool);
	assert_int_equal(u->spool.fd, -1);
	text_free(&u->got);
	job_pool_free(&u->pool);
	loop_free(&u->loop);
}

static const struct row {
	size_t total, piece;
	bool in_file;
	const char *why;
} rows[] = {
	{ 0, 1, false, "nothing" },
	{ 1, 1, false, "one byte" },
	{ 5000, 7, false, "small pieces grow the memory" },
	{ SPOOL_MEMORY - 1, 4000, false, "one byte less than the memory" },
	{ SPOOL_MEMORY, 4096, false, "just the memory" },
	{ SPOOL_MEMORY, SPOOL_MEMORY, false, "just the memory, at once" },
	{ SPOOL_MEMORY + 1, 4096, true, "one byte more" },
	{ SPOOL_MEMORY + 1, SPOOL_MEMORY, true, "one byte more, in two pieces" },
	{ 2 * SPOOL_MEMORY, SPOOL_MEMORY, true, "full pieces" },
	{ 100 << 10, 33792, true, "pieces as a connection reads them" },
	{ 333333, 1000, true, "sizes that fit nothing" },
	{ 5u << 20, 65536, true, "five megabytes" },
};

static void
test_rows(void **state)
{
	struct user u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		user_play(&u, rows[i].total, rows[i].piece);
		if (u.rc != SPOOL_END || (u.waits > 0) != rows[i].in_file)
			fail_msg("%s: %d after %u waits", rows[i].why, u.rc, u.waits);
		user_end(&u);
	}
}

/* Without a place for the file small bodies pass all the same. */
static void
test_no_folder(void **state)
{
	struct user u;

	(void)state;
	assert_int_equal(setenv("TMPDIR", "/nonexistent/folder", 1), 0);
	user_play(&u, SPOOL_MEMORY, 4096);
	assert_int_equal(u.rc, SPOOL_END);
	user_end(&u);
	user_play(&u, SPOOL_MEMORY + 1, 4096);
	assert_int_equal(u.rc, SPOOL_ERROR);
	assert_int_equal(u.spool.error, ENOENT);
	/* for good */
	assert_int_equal(spool_put(&u.spool, u.pool, SPAN("x")), SPOOL_ERROR);
	assert_int_equal(spool_seal(&u.spool, u.pool), SPOOL_ERROR);
	user_end(&u);
	assert_int_equal(unsetenv("TMPDIR"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_folder),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
