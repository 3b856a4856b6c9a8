/* SPDX-License-Identifier: Apache-2.0 */
/* The small server for questions and answers, asked over real sockets: a question
 * is a line that says how long the answer shall be. */
#include "config.h"

#include "gateway/talk.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

#define ALPHABET SPAN("abcdefghijklmnopqrstuvwxyz")
#define QUESTION_MAX 1024u
#define ANSWER_MAX (32u << 20)
#define CONNECTIONS 4u
#define PATIENCE_S 20

struct lab {
	char folder[64], path[96];
	struct loop *loop;
	struct talk *talk;
	pthread_t thread;
	struct talk_wait wait;
	struct loop_timer later;
	atomic_uint gone;
};

static void
on_later(struct loop_timer *timer)
{
	struct lab *lab = timer->data;

	text_puts(talk_text(&lab->wait), "there\n");
	talk_release(&lab->wait);
}

static void
on_gone(struct talk_wait *wait)
{
	struct lab *lab = (struct lab *)((char *)wait - offsetof(struct lab, wait));

	loop_timer_stop(&lab->later);
	atomic_fetch_add(&lab->gone, 1);
}

/* "N\n" is answered by N bytes and a newline; "last\n" by "bye\n" and an end; "wait\n"
 * by "there\n" after a while, "never\n" not at all. */
static enum talk_rc
answer(void *data, struct span in, size_t *used_r, struct text *out)
{
	size_t end = span_index(in, '\n'), i;
	uint64_t n = 0;

	struct lab *lab = data;

	if (end == SIZE_MAX)
		return (TALK_MORE);
	*used_r = end + 1;
	if (span_eq(span_cut(in, 0, end), SPAN("last"))) {
		text_puts(out, "bye\n");
		return (TALK_LAST);
	}
	if (span_eq(span_cut(in, 0, end), SPAN("wait")) ||
	    span_eq(span_cut(in, 0, end), SPAN("never"))) {
		talk_hold(lab->talk, &lab->wait, on_gone);
		if (in.p[0] == 'w')
			loop_timer_set(&lab->later, 50 * CLOCK_MS);
		return (TALK_WAIT);
	}
	(void)span_u64(span_cut(in, 0, end), &n);
	/* many at once: found slowly, the answer would come when patience is over */
	for (i = 0; i < n; i += ALPHABET.n)
		text_put(out, span_cut(ALPHABET, 0, (size_t)n - i));
	text_putc(out, '\n');
	return (TALK_NEXT);
}

static void *
run(void *data)
{
	struct lab *lab = data;

	loop_run(lab->loop);
	return (NULL);
}

static int
start(void **state)
{
	static const struct talk_options options = {
		.question_max = QUESTION_MAX,
		.answer_max = ANSWER_MAX,
		.idle_us = 3 * CLOCK_SECOND / 2,
		.connections = CONNECTIONS,
		.mode = 0600,
	};
	struct lab *lab = mem_zalloc(sizeof(*lab));
	struct netaddr address = { .family = NETADDR_UNIX };
	struct err e;

	*state = lab;
	snprintf(lab->folder, sizeof(lab->folder), "%s", "/tmp/yett-talk-XXXXXX");
	if (mkdtemp(lab->folder) == NULL)
		return (-1);
	snprintf(lab->path, sizeof(lab->path), "%s/talk.sock", lab->folder);
	memcpy(address.path, lab->path, strlen(lab->path) + 1);
	lab->loop = loop_new();
	if (talk_new(&lab->talk, lab->loop, &address, &options, &e) != ERR_OK)
		return (-1);
	talk_answer(lab->talk, answer, lab);
	loop_timer_init(&lab->later, lab->loop, on_later, lab);
	return (pthread_create(&lab->thread, NULL, run, lab));
}

static int
stop(void **state)
{
	struct lab *lab = *state;
	struct stat st;

	loop_stop(lab->loop);
	pthread_join(lab->thread, NULL);
	talk_free(&lab->talk);
	loop_free(&lab->loop);
	if (stat(lab->path, &st) == 0 || rmdir(lab->folder) != 0)
		return (-1);
	free(lab);
	return (0);
}

static int
dial(const struct lab *lab)
{
	struct timeval wait = { .tv_sec = PATIENCE_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, lab->path, strlen(lab->path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return (fd);
}

static void
ask(int fd, const char *question)
{
	size_t n = strlen(question);

	assert_int_equal(send(fd, question, n, MSG_NOSIGNAL), n);
}

/* Takes exactly n bytes and looks at each. */
static void
take(int fd, size_t n, size_t piece)
{
	char *bytes = mem_alloc(piece);
	size_t got = 0, i;
	ssize_t rc;

	while (got <= n) {
		rc = recv(fd, bytes, n + 1 - got < piece ? n + 1 - got : piece, 0);
		assert_true(rc > 0);
		for (i = 0; i < (size_t)rc; i++, got++)
			if (bytes[i] != (got == n ? '\n' : (char)('a' + got % 26)))
				fail_msg("byte %zu of %zu is %d", got, n, bytes[i]);
	}
	free(bytes);
}

/* Did the server end it? */
static bool
has_ended(int fd)
{
	char byte;

	return (recv(fd, &byte, 1, 0) <= 0);
}

static void
test_questions(void **state)
{
	int fd = dial(*state);

	ask(fd, "0\n");
	take(fd, 0, 100);
	ask(fd, "3\n100\n");
	take(fd, 3, 1);
	take(fd, 100, 7);
	ask(fd, "2");
	ask(fd, "5");
	ask(fd, "\n1");
	take(fd, 25, 100);
	ask(fd, "\n");
	take(fd, 1, 100);
	close(fd);
}

/* More than any socket holds at once, taken by one who reads slowly. */
static void
test_large_answer(void **state)
{
	int fd = dial(*state);

	ask(fd, "8000000\n5\n");
	take(fd, 8000000, 40000);
	take(fd, 5, 100);
	close(fd);
	fd = dial(*state);
	ask(fd, "8000000\n");
	close(fd); /* without taking it */
}

static void
test_last(void **state)
{
	int fd = dial(*state);
	char bytes[5] = "";

	ask(fd, "last\n");
	assert_int_equal(recv(fd, bytes, 4, MSG_WAITALL), 4);
	assert_string_equal(bytes, "bye\n");
	assert_true(has_ended(fd));
	close(fd);
}

static void
test_wait(void **state)
{
	struct lab *lab = *state;
	char bytes[16] = "";
	int fd = dial(lab), second;

	ask(fd, "2\nwait\n3\nwait\n");
	take(fd, 2, 100);
	assert_int_equal(recv(fd, bytes, 6, MSG_WAITALL), 6);
	assert_string_equal(bytes, "there\n");
	take(fd, 3, 100);
	assert_int_equal(recv(fd, bytes, 6, MSG_WAITALL), 6);
	ask(fd, "never\n1\n"); /* idle_us ends it */
	assert_true(has_ended(fd));
	assert_int_equal(atomic_load(&lab->gone), 1);
	close(fd);
	second = dial(lab);
	ask(second, "wait\n");
	close(second); /* the answer finds nobody, which harms nobody */
	fd = dial(lab);
	ask(fd, "1\n");
	take(fd, 1, 100);
	close(fd);
}

/* The server ends while an answer is being found out. */
static void
test_end(void **state)
{
	struct lab *lab = *state;
	int fd = dial(lab);

	ask(fd, "1\nnever\n");
	take(fd, 1, 100);
	close(fd);
}

static void
test_long_question(void **state)
{
	char question[QUESTION_MAX + 1];
	int fd = dial(*state);

	memset(question, '0', sizeof(question));
	question[QUESTION_MAX - 1] = '\n';
	question[QUESTION_MAX] = '\0';
	ask(fd, question);
	take(fd, 0, 100);
	question[QUESTION_MAX - 1] = '0';
	ask(fd, question);
	assert_true(has_ended(fd));
	close(fd);
}

static void
test_idle(void **state)
{
	int silent = dial(*state), half = dial(*state), lazy = dial(*state);
	struct pollfd hung_up = { .fd = lazy };
	char bytes[4096];
	ssize_t n;

	ask(half, "5");
	ask(lazy, "30000000\n"); /* and takes nothing of it */
	assert_true(has_ended(silent));
	assert_true(has_ended(half));
	assert_int_equal(poll(&hung_up, 1, PATIENCE_S * 1000), 1);
	while ((n = recv(lazy, bytes, sizeof(bytes), 0)) > 0)
		assert_true(bytes[n - 1] != '\n'); /* not all of it */
	close(silent);
	close(half);
	close(lazy);
}

static void
test_connections(void **state)
{
	int fds[CONNECTIONS], more;
	size_t i;

	for (i = 0; i < CONNECTIONS; i++) {
		fds[i] = dial(*state);
		ask(fds[i], "1\n");
		take(fds[i], 1, 100);
	}
	more = dial(*state);
	assert_true(has_ended(more));
	close(more);
	ask(fds[0], "last\n");
	while (!has_ended(fds[0]))
		;
	more = dial(*state);
	ask(more, "1\n");
	take(more, 1, 100);
	close(more);
	for (i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
}

static void
test_socket(void **state)
{
	const struct lab *lab = *state;
	struct netaddr address = { .family = NETADDR_UNIX };
	const struct talk_options options = { QUESTION_MAX, ANSWER_MAX, 1, 1, 0600 };
	struct talk *second;
	struct stat st;
	struct err e;

	assert_int_equal(stat(lab->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	memcpy(address.path, lab->path, strlen(lab->path) + 1);
	assert_int_not_equal(
	    talk_new(&second, lab->loop, &address, &options, &e), ERR_OK);
	assert_non_null(strstr(e.text, lab->path));
	assert_null(second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_questions, start, stop),
		cmocka_unit_test_setup_teardown(test_large_answer, start, stop),
		cmocka_unit_test_setup_teardown(test_last, start, stop),
		cmocka_unit_test_setup_teardown(test_wait, start, stop),
		cmocka_unit_test_setup_teardown(test_end, start, stop),
		cmocka_unit_test_setup_teardown(test_long_question, start, stop),
		cmocka_unit_test_setup_teardown(test_idle, start, stop),
		cmocka_unit_test_setup_teardown(test_connections, start, stop),
		cmocka_unit_test_setup_teardown(test_socket, start, stop),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
