/* SPDX-License-Identifier: Apache-2.0 */
/* Log files on a real disk, a full one, and a pipe nobody reads. */
#include "config.h"

#include "gateway/base/log.h"

#include "gateway/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
	char folder[64], path[96], other[96];
};

static int
set_up(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	snprintf(p->folder, sizeof p->folder, "/tmp/yett-log-XXXXXX");
	if (mkdtemp(p->folder) == NULL)
		return (-1);
	snprintf(p->path, sizeof p->path, "%s/a.log", p->folder);
	snprintf(p->other, sizeof p->other, "%s/error.log", p->folder);
	*state = p;
	return (0);
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	unlink(p->other);
	rmdir(p->folder);
	free(p);
	return (0);
}

static char *
read_all(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	assert_non_null(f);
	if (getdelim(&text, &size, '\0', f) < 0)
		text[0] = '\0';
	fclose(f);
	return (text);
}

static void
expect_file(const char *path, const char *want)
{
	char *text = read_all(path);

	assert_string_equal(text, want);
	free(text);
}

/* Waits for it in the file: an event that has no descriptor. */
static void
wait_for(const char *path, const char *what)
{
	int64_t deadline = clock_mono_us() + 10 * CLOCK_SECOND;
	bool found = false;

	while (!found) {
		char *text = access(path, F_OK) == 0 ? read_all(path) : NULL;

		found = text != NULL && strstr(text, what) != NULL;
		free(text);
		if (!found && clock_mono_us() > deadline)
			fail_msg("%s never came to %s", what, path);
		usleep(2000);
	}
}

static void
test_plain(void **state)
{
	struct place *p = *state;
	struct log_file *f;
	struct stat st;
	struct err e;

	umask(022);
	assert_int_equal(log_file_open(&f, p->path, 64, &e), ERR_OK);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	/* Without the thread lines are there at once. */
	assert_true(log_file_write(f, SPAN("one")));
	expect_file(p->path, "one\n");
	assert_int_equal(log_start(p->other, &e), ERR_OK);
	assert_true(log_file_write(f, SPAN("two")));
	assert_true(log_file_write(f, SPAN("")));
	wait_for(p->path, "two\n\n");
	assert_true(log_file_write(f, SPAN("three")));
	log_stop();
	log_stop();
	expect_file(p->path, "one\ntwo\n\nthree\n");
	assert_true(log_file_write(f, SPAN("late")));
	expect_file(p->path, "one\ntwo\n\nthree\nlate\n");
	assert_int_equal(log_file_written(f), 5);
	assert_int_equal(log_file_dropped(f), 0);
	log_file_close(&f);
	assert_null(f);
	/* A second life. */
	assert_int_equal(log_start(p->other, &e), ERR_OK);
	assert_int_equal(log_file_open(&f, p->path, 64, &e), ERR_OK);
	assert_true(log_file_write(f, SPAN("again")));
	log_stop();
	log_file_close(&f);
	wait_for(p->path, "late\nagain\n");
}

static void
test_line_larger_than_buffer(void **state)
{
	struct place *p = *state;
	struct log_file *f;
	char line[64];

	memset(line, 'x', sizeof line);
	assert_int_equal(log_file_open(&f, p->path, 64, NULL), ERR_OK);
	assert_false(log_file_write(f, span_mem(line, 64)));
	assert_int_equal(log_file_dropped(f), 1);
	assert_true(log_file_write(f, span_mem(line, 63)));
	assert_int_equal(log_file_written(f), 1);
	log_file_close(&f);
}

static void
test_off(void **state)
{
	struct log_file *f;

	(void)state;
	assert_int_equal(log_file_open(&f, "off", 64, NULL), ERR_OK);
	assert_true(log_file_write(f, SPAN("nobody reads this")));
	assert_int_equal(log_file_dropped(f), 0);
	log_file_close(&f);
}

static void
test_open_errors(void **state)
{
	struct place *p = *state;
	struct log_file *f = NULL;
	char path[128];
	struct err e;

	snprintf(path, sizeof path, "%s/missing/a.log", p->folder);
	assert_int_equal(log_file_open(&f, path, 64, &e), ERR_IO);
	assert_non_null(strstr(e.text, path));
	assert_non_null(strstr(e.text, "does not exist; create it"));
	assert_int_equal(log_file_open(&f, p->folder, 64, &e), ERR_IO);
	assert_non_null(strstr(e.text, "Is a directory"));
	assert_int_equal(log_start(path, &e), ERR_IO);
	assert_memory_equal(e.text, "error log: ", 11);
	assert_null(f);
}

#define WRITERS 4
#define LINES 5000

struct writer {
	struct log_file *file;
	int index;
	int refused;
};

static void *
write_many(void *arg)
{
	struct writer *w = arg;
	char line[80];
	int i, n;

	for (i = 0; i < LINES; i++) {
		n = snprintf(line, sizeof line, "%d %d %.*s.", w->index, i, i % 40,
		    "----------------------------------------");
		if (!log_file_write(w->file, span_mem(line, (size_t)n)))
			w->refused++;
	}
	return (NULL);
}

/* Every line that was taken is there, whole, and in its thread's order. */
static void
check_lines(char *text, const struct writer *writers)
{
	int next[WRITERS] = { 0 }, seen[WRITERS] = { 0 }, i, index, number;
	char *line, *save = NULL;

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		char *end;

		index = (int)strtol(line, &end, 10);
		number = (int)strtol(end, &end, 10);
		assert_in_range(index, 0, WRITERS - 1);
		assert_true(number >= next[index]);
		assert_int_equal(strlen(end), 2 + number % 40);
		assert_int_equal(end[1 + number % 40], '.');
		next[index] = number + 1;
		seen[index]++;
	}
	for (i = 0; i < WRITERS; i++)
		assert_int_equal(seen[i], LINES - writers[i].refused);
}

static void
run_writers(struct log_file *f, struct writer *writers)
{
	pthread_t thread[WRITERS];
	int i;

	for (i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .file = f, .index = i };
		assert_int_equal(
		    pthread_create(&thread[i], NULL, write_many, &writers[i]), 0);
	}
	for (i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
}

static void
test_threads(void **state)
{
	static const size_t buffers[] = { 1 << 20, 4096 };
	struct place *p = *state;
	struct writer writers[WRITERS];
	struct log_file *f;
	uint64_t refused;
	char *text;
	size_t b;
	int i;

	for (b = 0; b < 2; b++) {
		unlink(p->path);
		assert_int_equal(log_start(p->other, NULL), ERR_OK);
		assert_int_equal(log_file_open(&f, p->path, buffers[b], NULL), ERR_OK);
		run_writers(f, writers);
		log_stop();
		for (refused = 0, i = 0; i < WRITERS; i++)
			refused += (uint64_t)writers[i].refused;
		assert_true(log_file_dropped(f) == refused);
		assert_true(log_file_written(f) == WRITERS * LINES - refused);
		if (b == 0)
			assert_int_equal(refused, 0);
		text = read_all(p->path);
		check_lines(text, writers);
		free(text);
		log_file_close(&f);
	}
	if (refused > 0)
		wait_for(p->other, "lines dropped");
}

static void
test_reopen(void **state)
{
	struct place *p = *state;
	struct log_file *f;
	char moved[128];

	snprintf(moved, sizeof moved, "%s.1", p->path);
	assert_int_equal(log_start(p->other, NULL), ERR_OK);
	assert_int_equal(log_file_open(&f, p->path, 4096, NULL), ERR_OK);
	assert_true(log_file_write(f, SPAN("before")));
	wait_for(p->path, "before");
	assert_int_equal(rename(p->path, moved), 0);
	log_reopen();
	wait_for(p->path, "");
	assert_true(log_file_write(f, SPAN("after")));
	wait_for(p->path, "after\n");
	expect_file(moved, "before\n");
	/* What can't be opened again keeps its old file. */
	assert_int_equal(unlink(p->path), 0);
	assert_int_equal(mkdir(p->path, 0700), 0);
	log_reopen();
	wait_for(p->other, "the old file is kept");
	assert_true(log_file_write(f, SPAN("still")));
	log_stop();
	assert_int_equal(log_file_dropped(f), 0);
	log_file_close(&f);
	assert_int_equal(rmdir(p->path), 0);
	unlink(moved);
}

static void
test_full_disk(void **state)
{
	struct place *p = *state;
	struct log_file *f;
	int i;

	assert_int_equal(log_start(p->other, NULL), ERR_OK);
	assert_int_equal(log_file_open(&f, "/dev/full", 4096, NULL), ERR_OK);
	for (i = 0; i < 10; i++)
		assert_true(log_file_write(f, SPAN("a line")));
	wait_for(p->other, "/dev/full: cannot write: No space left on device");
	wait_for(p->other, "lines dropped");
	log_stop();
	assert_int_equal(log_file_dropped(f), 10);
	assert_int_equal(log_file_written(f), 0);
	log_file_close(&f);
}

/* A fault inside a line must not spoil the line that comes after it. */
static void
test_torn_line(void **state)
{
	struct place *p = *state;
	struct rlimit old, small;
	struct log_file *f;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 20;
	assert_int_equal(log_file_open(&f, p->path, 4096, NULL), ERR_OK);
	assert_true(log_file_write(f, SPAN("123456789")));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_false(log_file_write(f, SPAN("abcdefghijklmnopqrstuvwxyz")));
	assert_false(log_file_write(f, SPAN("nothing at all")));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(log_file_write(f, SPAN("whole")));
	expect_file(p->path, "123456789\nabcdefghij\nwhole\n");
	assert_int_equal(log_file_written(f), 2);
	assert_int_equal(log_file_dropped(f), 2);
	log_file_close(&f);
	signal(SIGXFSZ, SIG_DFL);
}

/* The reader of a pipe that stops reading costs its own lines only. */
static void
test_stuck_pipe(void **state)
{
	struct place *p = *state;
	struct writer writers[WRITERS];
	struct log_file *stuck, *other;
	char moved[128], text[200000];
	int64_t began;
	uint64_t lines = 0;
	ssize_t got, i;
	int fd;

	snprintf(moved, sizeof moved, "%s.pipe", p->path);
	assert_int_equal(mkfifo(moved, 0600), 0);
	fd = open(moved, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(log_start(p->other, NULL), ERR_OK);
	assert_int_equal(log_file_open(&other, p->path, 4096, NULL), ERR_OK);
	assert_int_equal(log_file_open(&stuck, moved, 8192, NULL), ERR_OK);
	run_writers(stuck, writers);
	assert_true(log_file_write(other, SPAN("not held up")));
	wait_for(p->path, "not held up\n");
	wait_for(p->other, "lines dropped");
	began = clock_mono_us();
	log_stop();
	assert_true(clock_mono_us() - began < 5 * CLOCK_SECOND);
	assert_true(log_file_written(stuck) + log_file_dropped(stuck) == WRITERS * LINES);
	assert_true(log_file_dropped(stuck) > 0);
	while ((got = read(fd, text, sizeof text)) > 0)
		for (i = 0; i < got; i++)
			lines += text[i] == '\n';
	assert_true(lines == log_file_written(stuck));
	close(fd);
	log_file_close(&stuck);
	log_file_close(&other);
	unlink(moved);
}

static void
test_error_log(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{ "plain", " warn tls: plain\n" },
		{ "two\nlines", " warn tls: two\\x0alines\n" },
		{ "\x1b[2J", " warn tls: \\x1b[2J\n" },
		{ "gr\xc3\xbcn \xfc", " warn tls: gr\xc3\xbcn \\xfc\n" },
		{ "c1 \xc2\x9b", " warn tls: c1 \\xc2\\x9b\n" },
		{ "%s%n", " warn tls: %s%n\n" },
	};
	struct place *p = *state;
	char big[5000], *text;
	size_t i;

	assert_int_equal(log_start(p->other, NULL), ERR_OK);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		log_warn("tls", "%s", rows[i].text);
		wait_for(p->other, rows[i].line);
	}
	log_debug("tls", "unseen");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("tls", "seen");
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("tls", "unseen");
	log_error("tls", "last of all");
	log_set_level(LOG_LEVEL_INFO);
	memset(big, '\n', sizeof big);
	big[sizeof big - 1] = '\0';
	log_info("tls", "%s", big);
	log_stop();
	text = read_all(p->other);
	assert_null(strstr(text, "unseen"));
	assert_non_null(strstr(text, " debug tls: seen\n"));
	assert_non_null(strstr(text, " error tls: last of all\n"));
	assert_non_null(strstr(text, "\\x0a\\x0a...\n"));
	/* "2026-01-31T12:34:56.123456Z " */
	assert_int_equal(text[10], 'T');
	assert_memory_equal(text + 26, "Z warn", 6);
	free(text);
	log_info("tls", "after the end");
	wait_for(p->other, " info tls: after the end\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plain),
		TEST(test_line_larger_than_buffer),
		TEST(test_off),
		TEST(test_open_errors),
		TEST(test_threads),
		TEST(test_reopen),
		TEST(test_full_disk),
		TEST(test_torn_line),
		TEST(test_stuck_pipe),
		TEST(test_error_log),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
