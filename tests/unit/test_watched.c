/* SPDX-License-Identifier: Apache-2.0 */
/* Watched files: what is taken up and when, what keeps the old content, what is
 * said of it, and readers that never see freed memory. */
#include "config.h"

#include "gateway/base/watched.h"

#include "gateway/base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A word of a file; "bad" can't be parsed. */
struct word {
	char text[64];
};

struct place {
	char folder[64], path[96], other[96], log[96];
	atomic_int alive; /* words that are not freed */
	const char *write_while_read; /* once, then NULL */
};

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static enum err_code
load_word(void **object_r, const char *path, void *data, struct err *e)
{
	struct place *p = data;
	struct word *w;
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return (err_errno(e, "%s: cannot open", path));
	w = calloc(1, sizeof *w);
	assert_non_null(w);
	assert_non_null(fgets(w->text, sizeof w->text, f));
	fclose(f);
	if (p->write_while_read != NULL)
		write_file(path, p->write_while_read);
	p->write_while_read = NULL;
	if (strcmp(w->text, "bad") == 0) {
		free(w);
		return (err_set(e, ERR_FORMAT, "%s: line 1: not a word", path));
	}
	atomic_fetch_add(&p->alive, 1);
	*object_r = w;
	return (ERR_OK);
}

static struct place *the_place;

static void
free_word(void *object)
{
	struct word *w = object;

	memset(w->text, '!', sizeof w->text);
	free(w);
	atomic_fetch_sub(&the_place->alive, 1);
}

static void
describe_word(const void *object, char *out, size_t size)
{
	const struct word *w = object;

	snprintf(out, size, "the word %s", w->text);
}

static const struct watched_ops ops = {
	.area = "words",
	.load = load_word,
	.free = free_word,
	.describe = describe_word,
};

static int
set_up(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	snprintf(p->folder, sizeof p->folder, "/tmp/yett-watched-XXXXXX");
	if (mkdtemp(p->folder) == NULL)
		return (-1);
	snprintf(p->path, sizeof p->path, "%s/words", p->folder);
	snprintf(p->other, sizeof p->other, "%s/other", p->folder);
	snprintf(p->log, sizeof p->log, "%s/error.log", p->folder);
	*state = the_place = p;
	write_file(p->path, "one");
	return (log_start(p->log, NULL) == ERR_OK ? 0 : -1);
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	unlink(p->other);
	unlink(p->log);
	rmdir(p->path);
	rmdir(p->folder);
	free(p);
	return (0);
}

/* Lines of the error log that hold `text`. Ends the log. */
static unsigned
count_log(struct place *p, const char *text)
{
	char line[1024];
	unsigned n = 0;
	FILE *f;

	log_stop();
	f = fopen(p->log, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL)
		if (strstr(line, text) != NULL)
			n++;
	fclose(f);
	return (n);
}

static struct watched *
start(struct place *p)
{
	struct watched *w = NULL;
	struct err e;

	assert_int_equal(watched_new(&w, &ops, p->path, p, &e), ERR_OK);
	return (w);
}

static const char *
word_of(const struct watched *w)
{
	return (((const struct word *)watched_get(w))->text);
}

/* As many looks as a written file needs. */
static bool
poll_twice(struct watched *w)
{
	bool first = watched_poll(w);

	return (watched_poll(w) || first);
}

static void
test_taken_up(void **state)
{
	struct place *p = *state;
	struct watched *w = start(p);
	struct watched_state st;

	assert_string_equal(word_of(w), "one");
	assert_int_equal(watched_version(w), 1);
	assert_false(poll_twice(w));
	/* Written in place: looked at twice before it is read. */
	write_file(p->path, "second");
	assert_false(watched_poll(w));
	assert_string_equal(word_of(w), "one");
	assert_true(watched_poll(w));
	assert_string_equal(word_of(w), "second");
	assert_int_equal(watched_version(w), 2);
	assert_int_equal(p->alive, 2);
	watched_settle(w);
	assert_int_equal(p->alive, 1);
	assert_false(poll_twice(w));
	/* Replaced by another file of the same size. */
	write_file(p->other, "secund");
	assert_int_equal(rename(p->other, p->path), 0);
	assert_true(poll_twice(w));
	assert_string_equal(word_of(w), "secund");
	/* Once more before the readers were quiet: both old ones wait. */
	write_file(p->other, "fourth");
	assert_int_equal(rename(p->other, p->path), 0);
	assert_true(poll_twice(w));
	assert_int_equal(p->alive, 3);
	watched_state(w, &st);
	assert_false(st.stale);
	assert_string_equal(st.path, p->path);
	assert_true(st.loaded_us > 0);
	watched_free(&w);
	assert_null(w);
	assert_int_equal(p->alive, 0);
	assert_int_equal(count_log(p, "loaded: the word one"), 1);
}

static void
test_same_size_and_time(void **state)
{
	struct place *p = *state;
	struct watched *w = start(p);
	struct timespec times[2];
	struct stat st;

	/* A copy that keeps the time of its source still changes ctime or inode. */
	assert_int_equal(stat(p->path, &st), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	write_file(p->other, "two");
	assert_int_equal(utimensat(AT_FDCWD, p->other, times, 0), 0);
	assert_int_equal(rename(p->other, p->path), 0);
	assert_true(poll_twice(w));
	assert_string_equal(word_of(w), "two");
	watched_free(&w);
	log_stop();
}

static void
test_refused(void **state)
{
	struct place *p = *state;
	struct watched *w = start(p);
	struct watched_state st;
	unsigned i;

	write_file(p->path, "bad");
	for (i = 0; i < 5; i++)
		assert_false(watched_poll(w));
	assert_string_equal(word_of(w), "one");
	assert_int_equal(watched_version(w), 1);
	watched_state(w, &st);
	assert_true(st.stale);
	assert_non_null(strstr(st.problem, "line 1: not a word"));
	/* Another bad file is another thing to say. */
	write_file(p->other, "bad");
	assert_int_equal(rename(p->other, p->path), 0);
	for (i = 0; i < 5; i++)
		assert_false(watched_poll(w));
	write_file(p->path, "mended");
	assert_true(poll_twice(w));
	assert_string_equal(word_of(w), "mended");
	watched_state(w, &st);
	assert_false(st.stale);
	assert_string_equal(st.problem, "");
	watched_free(&w);
	assert_int_equal(p->alive, 0);
	assert_int_equal(count_log(p, "not a word; the content loaded before"), 2);
}

static void
test_vanished(void **state)
{
	struct place *p = *state;
	struct watched *w = start(p);
	struct watched_state st;
	unsigned i;

	assert_int_equal(rename(p->path, p->other), 0);
	for (i = 0; i < 5; i++)
		assert_false(watched_poll(w));
	assert_string_equal(word_of(w), "one");
	watched_state(w, &st);
	assert_true(st.stale);
	/* What is no file is not opened: a pipe would never answer. */
	assert_int_equal(mkfifo(p->path, 0600), 0);
	assert_false(poll_twice(w));
	assert_int_equal(unlink(p->path), 0);
	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_false(poll_twice(w));
	assert_int_equal(rmdir(p->path), 0);
	/* Back: a rename changes ctime, so it is read again. */
	assert_int_equal(rename(p->other, p->path), 0);
	poll_twice(w);
	watched_state(w, &st);
	assert_false(st.stale);
	assert_string_equal(word_of(w), "one");
	watched_free(&w);
	assert_int_equal(count_log(p, "cannot open"), 1);
}

static void
test_written_while_read(void **state)
{
	struct place *p = *state;
	struct watched *w = start(p);

	write_file(p->path, "half");
	assert_false(watched_poll(w));
	p->write_while_read = "whole word";
	assert_false(watched_poll(w));
	assert_string_equal(word_of(w), "one");
	assert_int_equal(p->alive, 1);
	assert_true(poll_twice(w));
	assert_string_equal(word_of(w), "whole word");
	watched_free(&w);
	/* The first load has nothing older to keep: it is looked at again. */
	p->write_while_read = "newer text";
	w = start(p);
	assert_string_equal(word_of(w), "whole word");
	assert_true(poll_twice(w));
	assert_string_equal(word_of(w), "newer text");
	watched_free(&w);
	log_stop();
}

static void
test_first_load(void **state)
{
	struct place *p = *state;
	struct watched *w = NULL;
	struct err e;

	write_file(p->path, "bad");
	assert_int_equal(watched_new(&w, &ops, p->path, p, &e), ERR_FORMAT);
	assert_null(w);
	assert_non_null(strstr(e.text, p->path));
	assert_int_equal(watched_new(&w, &ops, p->other, p, &e), ERR_IO);
	assert_non_null(strstr(e.text, p->other));
	assert_int_equal(watched_new(&w, &ops, p->folder, p, &e), ERR_FORMAT);
	watched_free(&w);
	log_stop();
}

#define READERS 3
#define SWAPS 40

struct reader {
	pthread_t thread;
	struct watched *w;
	atomic_bool *stop;
	atomic_ulong rounds; /* each end of one is a quiet point */
};

static void *
read_words(void *arg)
{
	struct reader *r = arg;
	const struct word *word;
	unsigned i;

	while (!atomic_load(r->stop)) {
		word = watched_get(r->w);
		for (i = 0; i < 50; i++)
			if (strncmp(word->text, "word-", 5) != 0)
				abort();
		atomic_fetch_add(&r->rounds, 1);
	}
	return (NULL);
}

static void
wait_quiet(struct reader *readers)
{
	unsigned long from[READERS];
	unsigned i;

	for (i = 0; i < READERS; i++)
		from[i] = atomic_load(&readers[i].rounds);
	for (i = 0; i < READERS; i++)
		while (atomic_load(&readers[i].rounds) < from[i] + 2)
			usleep(100);
}

static void
test_readers(void **state)
{
	struct reader readers[READERS];
	struct place *p = *state;
	atomic_bool stop = false;
	struct watched *w;
	char text[32];
	unsigned i;

	write_file(p->path, "word-first");
	w = start(p);
	for (i = 0; i < READERS; i++) {
		readers[i].w = w;
		readers[i].stop = &stop;
		atomic_init(&readers[i].rounds, 0);
		assert_int_equal(
		    pthread_create(&readers[i].thread, NULL, read_words, &readers[i]), 0);
	}
	for (i = 0; i < SWAPS; i++) {
		snprintf(text, sizeof text, "word-%u", i);
		write_file(p->other, text);
		assert_int_equal(rename(p->other, p->path), 0);
		assert_true(poll_twice(w));
		wait_quiet(readers);
		watched_settle(w);
		assert_int_equal(p->alive, 1);
	}
	atomic_store(&stop, true);
	for (i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	assert_int_equal(watched_version(w), 1 + SWAPS);
	watched_free(&w);
	log_stop();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_taken_up),
		TEST(test_same_size_and_time),
		TEST(test_refused),
		TEST(test_vanished),
		TEST(test_written_while_read),
		TEST(test_first_load),
		TEST(test_readers),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
