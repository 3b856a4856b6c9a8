/* SPDX-License-Identifier: Apache-2.0 */
/* Active checks over real sockets, with an origin that answers badly. */
#include "config.h"

#include "gateway/upstream/checker.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "tests/unit/tls_lab.h"

#define INTERVAL_US (20 * CLOCK_MS)
#define TIMEOUT_US (20 * CLOCK_SECOND)
#define PATIENCE_US (60 * CLOCK_SECOND)

enum manner {
	ANSWERS, /* with `answer` */
	DRIPS, /* `answer`, a byte at a time */
	FLOODS, /* `answer` over and over */
	SILENT, /* reads and says nothing */
	HANGS_UP, /* before it read anything */
};

/* A thread that takes one connection at a time. */
struct origin {
	int listener, wake[2];
	struct sockaddr_storage address;
	socklen_t address_bytes;
	struct tls_server *tls;
	pthread_t thread;
	_Atomic(const char *) answer;
	_Atomic enum manner manner;
	atomic_uint asked, open, at_once;
	char question[2048]; /* the last; read when the origin has ended */
};

struct fixture {
	struct loop *loop;
	struct loop_timer guard;
	struct origin origin;
	struct check check;
	struct check_options options;
	unsigned results, ups, downs;
	bool stop_inside;
	enum health_change wanted; /* SAME: any */
	char reason[CHECK_REASON_MAX];
	int fds_before;
};

static int
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return (n);
}

/* --- the origin ------------------------------------------------------------ */

/* False: the test is over. */
static bool
wait_for(struct origin *o, int fd, short events)
{
	struct pollfd p[2] = { { .fd = fd, .events = events },
		{ .fd = o->wake[0], .events = POLLIN } };

	while (poll(p, 2, -1) < 0)
		continue;
	return (p[1].revents == 0);
}

static bool
put(struct origin *o, struct stream *s, const char *text, size_t n)
{
	struct iovec iov = { .iov_base = (char *)(uintptr_t)text, .iov_len = n };
	enum stream_rc rc;
	size_t done;

	while (iov.iov_len > 0) {
		rc = stream_write(s, &iov, 1, &done);
		if (rc == STREAM_WANT_WRITE) {
			if (!wait_for(o, s->fd, POLLOUT))
				return (false);
			continue;
		}
		if (rc != STREAM_OK)
			return (false);
		iov.iov_base = (char *)iov.iov_base + done;
		iov.iov_len -= done;
	}
	return (true);
}

static bool
get(struct origin *o, struct stream *s)
{
	enum stream_rc rc;
	size_t n = 0, got;

	for (;;) {
		rc = stream_read(s, o->question + n, sizeof(o->question) - 1 - n, &got);
		if (rc == STREAM_WANT_READ) {
			if (!wait_for(o, s->fd, POLLIN))
				return (false);
			continue;
		}
		if (rc != STREAM_OK)
			return (false);
		n += got;
		o->question[n] = '\0';
		if (strstr(o->question, "\r\n\r\n") != NULL)
			return (true);
	}
}

static void
until_closed(struct origin *o, struct stream *s)
{
	char bytes[64];
	enum stream_rc rc;
	size_t got;

	do {
		rc = stream_read(s, bytes, sizeof(bytes), &got);
	} while (
	    rc == STREAM_OK || (rc == STREAM_WANT_READ && wait_for(o, s->fd, POLLIN)));
}

static void
answer(struct origin *o, struct stream *s)
{
	const char *text = atomic_load(&o->answer);

	if (!get(o, s))
		return;
	atomic_fetch_add(&o->asked, 1);
	switch (atomic_load(&o->manner)) {
	case ANSWERS: (void)put(o, s, text, strlen(text)); break;
	case DRIPS:
		for (; *text != '\0' && put(o, s, text, 1); text++)
			(void)poll(NULL, 0, 2);
		break;
	case FLOODS:
		while (put(o, s, text, strlen(text)))
			continue;
		break;
	case SILENT: until_closed(o, s); break;
	case HANGS_UP: break;
	}
	(void)stream_finish(s);
}

static void
serve(struct origin *o, int fd)
{
	struct stream *s = o->tls != NULL ? tls_accept(o->tls, fd) : stream_plain(fd);
	enum stream_rc rc;

	if (atomic_fetch_add(&o->open, 1) != 0)
		atomic_fetch_add(&o->at_once, 1);
	if (atomic_load(&o->manner) != HANGS_UP) {
		while ((rc = stream_handshake(s)) != STREAM_OK)
			if ((rc != STREAM_WANT_READ && rc != STREAM_WANT_WRITE) ||
			    !wait_for(o, fd, rc == STREAM_WANT_READ ? POLLIN : POLLOUT))
				break;
		if (rc == STREAM_OK)
			answer(o, s);
	}
	atomic_fetch_sub(&o->open, 1);
	stream_close(&s);
}

static void *
origin_main(void *p)
{
	struct origin *o = p;
	int fd;

	while (wait_for(o, o->listener, POLLIN)) {
		fd = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			serve(o, fd);
	}
	return (NULL);
}

static void
origin_bind(struct origin *o, sa_family_t family, const char *path)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (family == AF_UNIX) {
		(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
		memcpy(&o->address, &un, sizeof(un));
		o->address_bytes = sizeof(un);
	} else {
		memcpy(&o->address, &in, sizeof(in));
		o->address_bytes = sizeof(in);
	}
	o->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(o->listener >= 0);
	assert_int_equal(
	    bind(o->listener, (struct sockaddr *)&o->address, o->address_bytes), 0);
	if (family != AF_UNIX)
		assert_int_equal(getsockname(o->listener, (struct sockaddr *)&o->address,
				     &o->address_bytes),
		    0);
}

static void
origin_run(struct origin *o)
{
	assert_int_equal(listen(o->listener, 8), 0);
	assert_int_equal(pipe(o->wake), 0);
	assert_int_equal(pthread_create(&o->thread, NULL, origin_main, o), 0);
}

static void
origin_end(struct origin *o)
{
	if (o->wake[0] != 0) {
		assert_int_equal(write(o->wake[1], "", 1), 1);
		(void)pthread_join(o->thread, NULL);
		(void)close(o->wake[0]);
		(void)close(o->wake[1]);
		o->wake[0] = 0;
	}
	if (o->listener != -1)
		(void)close(o->listener);
	o->listener = -1;
	tls_server_free(&o->tls);
}

/* --- the check ------------------------------------------------------------- */

static void
on_changed(struct check *c, enum health_change change)
{
	struct fixture *f = c->options.data;

	assert_null(c->attempt);
	f->results++;
	if (change == HEALTH_WENT_UP)
		f->ups++;
	else
		f->downs++;
	(void)snprintf(f->reason, sizeof(f->reason), "%s", c->reason);
	if (f->stop_inside) {
		check_stop(c);
		memset(c, 0xee, sizeof(*c)); /* as if it were freed */
	}
	if (f->wanted == HEALTH_SAME || f->wanted == change)
		loop_stop(f->loop);
}

static void
on_guard(struct loop_timer *timer)
{
	struct fixture *f = timer->data;

	loop_stop(f->loop);
}

static void
run(struct fixture *f, int64_t us)
{
	loop_timer_set(&f->guard, us);
	loop_run(f->loop);
	loop_timer_stop(&f->guard);
}

/* Until the check says `change` (SAME: anything). */
static void
until(struct fixture *f, enum health_change change)
{
	unsigned before = change == HEALTH_WENT_UP     ? f->ups
			  : change == HEALTH_WENT_DOWN ? f->downs
						       : f->results;
	unsigned after;

	f->wanted = change;
	run(f, PATIENCE_US);
	after = change == HEALTH_WENT_UP     ? f->ups
		: change == HEALTH_WENT_DOWN ? f->downs
					     : f->results;
	if (after == before)
		fail_msg("nothing changed; the last reason is \"%s\"", f->check.reason);
}

static int
setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->fds_before = count_fds();
	f->loop = loop_new();
	loop_timer_init(&f->guard, f->loop, on_guard, f);
	f->origin.listener = -1;
	atomic_store(&f->origin.answer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	f->options.loop = f->loop;
	f->options.tls_name = "";
	f->options.host = "shop.test:8080";
	f->options.path = "/healthz?x=1";
	f->options.health.interval_us = INTERVAL_US;
	f->options.health.rise = 2;
	f->options.health.fall = 3;
	f->options.health.status_low = 200;
	f->options.health.status_high = 399;
	f->options.timeout_us = TIMEOUT_US;
	f->options.changed = on_changed;
	f->options.data = f;
	*state = f;
	return (0);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	int leaked;

	if (!f->stop_inside)
		check_stop(&f->check);
	origin_end(&f->origin);
	loop_free(&f->loop);
	leaked = count_fds() - f->fds_before;
	free(f);
	return (leaked);
}

static void
start(struct fixture *f)
{
	f->options.address = f->origin.address;
	f->options.address_bytes = f->origin.address_bytes;
	check_start(&f->check, &f->options);
}

static void
start_tcp(struct fixture *f)
{
	origin_bind(&f->origin, AF_INET, NULL);
	origin_run(&f->origin);
	start(f);
}

/* --- tests ----------------------------------------------------------------- */

static void
test_what_is_asked(void **state)
{
	struct fixture *f = *state;

	start_tcp(f);
	until(f, HEALTH_SAME);
	assert_int_equal(f->ups, 1);
	assert_string_equal(f->reason, "status 200");
	assert_false(f->check.health.down);
	check_stop(&f->check);
	check_stop(&f->check); /* nothing happens */
	origin_end(&f->origin);
	assert_string_equal(f->origin.question,
	    "GET /healthz?x=1 HTTP/1.1\r\nHost: shop.test:8080\r\n"
	    "User-Agent: yett-check\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

static void
test_falls_and_rises(void **state)
{
	struct fixture *f = *state;
	unsigned asked;

	start_tcp(f);
	until(f, HEALTH_WENT_UP);
	asked = atomic_load(&f->origin.asked);
	assert_int_equal(asked, 1); /* the first decides alone */
	atomic_store(&f->origin.answer, "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n");
	until(f, HEALTH_WENT_DOWN);
	assert_string_equal(f->reason, "status 503");
	assert_int_equal(f->check.in_a_row, 3);
	/* a good one may have been under way */
	assert_in_range(atomic_load(&f->origin.asked), asked + 3, asked + 4);
	asked = atomic_load(&f->origin.asked);
	atomic_store(&f->origin.answer, "HTTP/1.1 204 No Content\r\n\r\n");
	until(f, HEALTH_WENT_UP);
	assert_int_equal(f->check.in_a_row, 2);
	assert_in_range(atomic_load(&f->origin.asked), asked + 2, asked + 3);
	assert_int_equal(f->results, 3);
	assert_int_equal(atomic_load(&f->origin.at_once), 0);
}

static void
test_answers(void **state)
{
	static const struct {
		const char *answer;
		enum manner manner;
		bool good;
		const char *reason;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\n\r\n", ANSWERS, true, "status 200" },
		{ "HTTP/1.0 302 Found\r\nLocation: /\r\n\r\n", ANSWERS, true,
		    "status 302" },
		{ "HTTP/1.1 399 Odd\r\n\r\n", ANSWERS, true, "status 399" },
		{ "HTTP/1.1 400 Bad\r\n\r\n", ANSWERS, false, "status 400" },
		{ "HTTP/1.1 500 No\r\n\r\n", ANSWERS, false, "status 500" },
		{ "HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		    ANSWERS, false, "status 101" },
		{ "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
		  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		    ANSWERS, true, "status 200" },
		{ "HTTP/1.1 103 Early Hints\r\n\r\n", ANSWERS, false,
		    "closed without an answer" },
		{ "HTTP/1.1 103 Early Hints\r\n\r\n", FLOODS, false,
		    "no answer in HTTP: header section too large" },
		{ "HTTP/1.1 200 OK\r\nX: y\r\n\r\n", DRIPS, true, "status 200" },
		{ "SSH-2.0-OpenSSH_9.2\r\n", ANSWERS, false,
		    "no answer in HTTP: malformed status line" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		    ANSWERS, false, "no answer in HTTP: more than one Content-Length" },
		{ "HTTP/1.1 200 OK\r\nX: y", ANSWERS, false, "closed without an answer" },
		{ "HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
		    FLOODS, false, "no answer in HTTP: too many fields" },
		{ "HTTP/1.1 200 yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
		    FLOODS, false, "no answer in HTTP: header section too large" },
		{ "", ANSWERS, false, "closed without an answer" },
	};
	struct fixture *f = *state;
	size_t i;

	origin_bind(&f->origin, AF_INET, NULL);
	origin_run(&f->origin);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		atomic_store(&f->origin.answer, rows[i].answer);
		atomic_store(&f->origin.manner, rows[i].manner);
		start(f);
		until(f, HEALTH_SAME); /* the first result decides alone */
		if (f->check.health.down == rows[i].good ||
		    strcmp(f->reason, rows[i].reason) != 0)
			fail_msg("row %zu: \"%s\", wanted \"%s\"", i, f->reason,
			    rows[i].reason);
		check_stop(&f->check);
	}
}

static void
test_silence(void **state)
{
	static const struct {
		enum manner manner;
		const char *answer;
		const char *why;
	} rows[] = {
		{ SILENT, "", "takes the question and says nothing" },
		{ DRIPS,
		    "HTTP/1.1 200 OK\r\nX: .................................."
		    "...................................................\r\n\r\n",
		    "time counts from the start, not from the last byte" },
	};
	struct fixture *f = *state;
	int64_t began_us, took_us;
	size_t i;

	origin_bind(&f->origin, AF_INET, NULL);
	origin_run(&f->origin);
	f->options.timeout_us = 50 * CLOCK_MS;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		atomic_store(&f->origin.answer, rows[i].answer);
		atomic_store(&f->origin.manner, rows[i].manner);
		began_us = clock_mono_us();
		start(f);
		until(f, HEALTH_SAME);
		took_us = clock_mono_us() - began_us;
		assert_int_equal(f->downs, i + 1);
		if (strcmp(f->reason, "no answer in time") != 0)
			fail_msg("%s: \"%s\"", rows[i].why, f->reason);
		assert_true(took_us >= 50 * CLOCK_MS);
		check_stop(&f->check);
	}
}

/* The answer came while the loop's thread was held up past the timeout. */
static void
test_answer_that_waited_for_us_counts(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\n\r\n";
	struct fixture *f = *state;
	struct pollfd p = { .fd = -1, .events = POLLIN };

	f->options.timeout_us = 2 * CLOCK_SECOND;
	origin_bind(&f->origin, AF_INET, NULL);
	assert_int_equal(listen(f->origin.listener, 8), 0);
	start(f);
	while (p.fd < 0 || poll(&p, 1, 0) == 0) { /* until it has asked */
		run(f, 1 * CLOCK_MS);
		if (p.fd < 0)
			p.fd = accept4(f->origin.listener, NULL, NULL, SOCK_CLOEXEC);
	}
	assert_int_equal(write(p.fd, answer, sizeof(answer) - 1), sizeof(answer) - 1);
	(void)poll(NULL, 0, 2100);
	until(f, HEALTH_SAME);
	assert_string_equal(f->reason, "status 200");
	(void)close(p.fd);
}

static void
test_nobody_there(void **state)
{
	struct fixture *f = *state;

	/* bound, so that nobody else gets the port, but not listening */
	origin_bind(&f->origin, AF_INET, NULL);
	start(f);
	until(f, HEALTH_WENT_DOWN);
	assert_string_equal(f->reason, "connection refused");
	assert_int_equal(f->check.in_a_row, 1);
	origin_run(&f->origin);
	until(f, HEALTH_WENT_UP);
	assert_string_equal(f->reason, "status 200");
}

static void
test_hangs_up(void **state)
{
	struct fixture *f = *state;

	atomic_store(&f->origin.manner, HANGS_UP);
	start_tcp(f);
	until(f, HEALTH_WENT_DOWN);
	assert_true(strlen(f->reason) > 0);
	atomic_store(&f->origin.manner, ANSWERS);
	until(f, HEALTH_WENT_UP);
}

static void
test_unix_socket(void **state)
{
	struct fixture *f = *state;
	char folder[] = "/tmp/yett-check-XXXXXX";
	char path[64];

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	origin_bind(&f->origin, AF_UNIX, path);
	origin_run(&f->origin);
	start(f);
	until(f, HEALTH_WENT_UP);
	origin_end(&f->origin);
	until(f, HEALTH_WENT_DOWN);
	assert_string_equal(f->reason, "connection refused");
	(void)unlink(path);
	check_stop(&f->check);
	start(f);
	until(f, HEALTH_WENT_DOWN);
	assert_string_equal(f->reason, "no such socket");
	(void)rmdir(folder);
}

/* The kernel has no way to wait for room in the backlog of a unix socket. */
static void
test_full_backlog_of_a_unix_socket(void **state)
{
	struct fixture *f = *state;
	char folder[] = "/tmp/yett-check-XXXXXX";
	char path[64];
	int fds[16], n = 0;

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	origin_bind(&f->origin, AF_UNIX, path);
	assert_int_equal(listen(f->origin.listener, 1), 0);
	do {
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	} while (connect(fds[n++], (struct sockaddr *)&f->origin.address,
		     f->origin.address_bytes) == 0 &&
		 n < 16);
	assert_int_equal(errno, EAGAIN);
	f->options.timeout_us = 60 * CLOCK_MS;
	start(f);
	until(f, HEALTH_WENT_DOWN);
	assert_string_equal(f->reason, "connection timed out");
	while (n > 0)
		(void)close(fds[--n]);
	check_stop(&f->check);
	f->options.timeout_us = TIMEOUT_US;
	start(f);
	origin_run(&f->origin); /* takes what waited, and then the check */
	until(f, HEALTH_WENT_UP);
	(void)unlink(path);
	(void)rmdir(folder);
}

static void
test_stop_inside(void **state)
{
	struct fixture *f = *state;

	f->stop_inside = true;
	start_tcp(f);
	until(f, HEALTH_SAME);
	run(f, 3 * INTERVAL_US);
	assert_int_equal(f->results, 1);
}

/* At whatever point it is: nothing is left behind (teardown counts). */
static void
test_stop_at_any_time(void **state)
{
	struct fixture *f = *state;
	unsigned i;

	atomic_store(&f->origin.manner, SILENT);
	f->options.health.interval_us = 2 * CLOCK_MS;
	start_tcp(f);
	check_stop(&f->check);
	for (i = 0; i < 30; i++) {
		start(f);
		run(f, (i % 5) * CLOCK_MS + 1);
		check_stop(&f->check);
	}
	assert_int_equal(f->results, 0);
}

static void
test_tls(void **state)
{
	struct fixture *f = *state;
	struct lab lab;

	lab_open(&lab);
	lab_make(&lab, &(struct lab_cert){ .file = "ca", .ca = true });
	lab_make(&lab, &(struct lab_cert){ .file = "other", .ca = true });
	lab_make(&lab,
	    &(struct lab_cert){ .file = "a", .names = "DNS:a.test", .issuer = "ca" });
	f->origin.tls = lab_server(&lab, (const char *[]){ "a", NULL });
	f->options.tls = lab_client(&lab, "ca");
	f->options.tls_name = "a.test";
	start_tcp(f);
	until(f, HEALTH_WENT_UP);
	assert_string_equal(f->reason, "status 200");
	atomic_store(&f->origin.answer, "HTTP/1.1 500 No\r\n\r\n");
	until(f, HEALTH_WENT_DOWN);
	assert_string_equal(f->reason, "status 500");
	check_stop(&f->check);

	f->options.tls_name = "b.test";
	start(f);
	until(f, HEALTH_WENT_DOWN);
	assert_string_equal(f->reason, "TLS: hostname mismatch");
	check_stop(&f->check);
	tls_client_free(&f->options.tls);

	f->options.tls = lab_client(&lab, "other");
	f->options.tls_name = "a.test";
	start(f);
	until(f, HEALTH_WENT_DOWN);
	assert_memory_equal(f->reason, "TLS: ", 5);
	check_stop(&f->check);

	/* a server that takes the connection and never speaks TLS */
	origin_end(&f->origin);
	origin_bind(&f->origin, AF_INET, NULL);
	assert_int_equal(listen(f->origin.listener, 8), 0);
	f->options.timeout_us = 50 * CLOCK_MS;
	start(f);
	until(f, HEALTH_WENT_DOWN);
	assert_string_equal(f->reason, "TLS: handshake timed out");
	check_stop(&f->check);
	tls_client_free(&f->options.tls);
	lab_close(&lab);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_asked),
		TEST(test_falls_and_rises),
		TEST(test_answers),
		TEST(test_silence),
		TEST(test_answer_that_waited_for_us_counts),
		TEST(test_nobody_there),
		TEST(test_hangs_up),
		TEST(test_unix_socket),
		TEST(test_full_backlog_of_a_unix_socket),
		TEST(test_stop_inside),
		TEST(test_stop_at_any_time),
		TEST(test_tls),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
