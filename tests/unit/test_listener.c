/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets and accepting on a loop, with real connections. */
#include "config.h"

#include "gateway/net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))
#define SEEN_MAX 128
#define PATIENCE (5 * CLOCK_SECOND)

/* What came in, and when to stop the loop. */
struct seen {
	struct loop *loop;
	struct loop_timer patience;
	struct connlimit *limit;
	int fd[SEEN_MAX];
	struct netaddr peer[SEEN_MAX], local[SEEN_MAX], counted[SEEN_MAX];
	unsigned n, wanted;
	enum listener_rc admit; /* what on_admit says */
	bool timed_out;
};

static void
on_accept(void *data, const struct arrival *new)
{
	struct seen *seen = data;

	CHECK(seen->n < SEEN_MAX);
	seen->fd[seen->n] = new->fd;
	seen->peer[seen->n] = new->peer;
	seen->counted[seen->n] = new->counted;
	seen->local[seen->n++] = new->local;
	if (seen->n == seen->wanted)
		loop_stop(seen->loop);
}

static enum listener_rc
on_admit(void *data, const struct netaddr *peer)
{
	struct seen *seen = data;

	CHECK(peer->family == NETADDR_IP4);
	return (seen->admit);
}

static struct listener *
listen_with(struct seen *seen, int fd)
{
	const struct listener_owner owner = { .accept = on_accept, .data = seen };

	return (listener_new(seen->loop, fd, seen->limit, &owner));
}

static void
on_patience(struct loop_timer *timer)
{
	struct seen *seen = timer->data;

	seen->timed_out = true;
	loop_stop(seen->loop);
}

static void
seen_open(struct seen *seen, uint32_t total, uint32_t per_client)
{
	memset(seen, 0, sizeof(*seen));
	seen->loop = loop_new();
	seen->limit = connlimit_new(total, per_client);
	loop_timer_init(&seen->patience, seen->loop, on_patience, seen);
}

/* Runs until `n` connections have come in all, or the time is up. */
static bool
seen_wait(struct seen *seen, unsigned n, int64_t patience_us)
{
	seen->wanted = n;
	seen->timed_out = false;
	loop_timer_set(&seen->patience, patience_us);
	if (seen->n < n)
		loop_run(seen->loop);
	loop_timer_stop(&seen->patience);
	return (!seen->timed_out);
}

static void
seen_close(struct seen *seen)
{
	unsigned i;

	for (i = 0; i < seen->n; i++) {
		close(seen->fd[i]);
		connlimit_leave(seen->limit, &seen->counted[i]);
	}
	assert_int_equal(connlimit_total(seen->limit), 0);
	connlimit_free(&seen->limit);
	loop_free(&seen->loop);
}

static struct netaddr
addr_of(const char *text)
{
	struct netaddr addr;
	struct err e;

	if (netaddr_parse(&addr, span_of(text), &e) != ERR_OK)
		fail_msg("%s", e.text);
	return (addr);
}

/* With the port that the kernel chose. */
static struct netaddr
bound_addr(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct netaddr addr;

	memset(&ss, 0, sizeof(ss));
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_true(netaddr_from_sockaddr(&addr, (struct sockaddr *)&ss, len));
	return (addr);
}

static int
listen_on(const struct netaddr *addr)
{
	struct err e;
	int fd;

	if (net_listen(&fd, addr, &e) != ERR_OK)
		fail_msg("%s", e.text);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	return (fd);
}

static int
connect_to(const struct netaddr *addr)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	len = netaddr_to_sockaddr(addr, &ss);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	return (fd);
}

static bool
has_ip6(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6,
		.sin6_addr = in6addr_loopback };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has;

	has = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0;
	close(fd);
	return (has);
}

/* --- sockets --------------------------------------------------------------- */

static void
test_families(void **state)
{
	static const struct {
		const char *listen, *connect, *local, *peer;
	} rows[] = {
		{ "127.0.0.1:0", "127.0.0.1:1", "127.0.0.1", "127.0.0.1" },
		{ "0.0.0.0:0", "127.0.0.2:1", "127.0.0.2", "127.0.0.1" },
		{ "[::1]:0", "[::1]:1", "::1", "::1" },
		{ "[::]:0", "[::1]:1", "::1", "::1" },
	};
	char text[NETADDR_TEXT_MAX];
	struct listener *listener;
	struct netaddr to;
	struct seen seen;
	int fd, c, on = 0;
	socklen_t len;
	uint16_t port;
	size_t i;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		if (rows[i].listen[0] == '[' && !has_ip6())
			continue;
		seen_open(&seen, 10, 10);
		to = addr_of(rows[i].listen);
		fd = listen_on(&to);
		port = bound_addr(fd).port;
		listener = listen_with(&seen, fd);
		to = addr_of(rows[i].connect);
		to.port = port;
		c = connect_to(&to);
		assert_true(seen_wait(&seen, 1, PATIENCE));
		assert_string_equal(netaddr_ip_text(&seen.local[0], text), rows[i].local);
		assert_int_equal(seen.local[0].port, port);
		assert_string_equal(netaddr_ip_text(&seen.peer[0], text), rows[i].peer);
		assert_int_equal(seen.peer[0].port, bound_addr(c).port);
		assert_true((fcntl(seen.fd[0], F_GETFL) & O_NONBLOCK) != 0);
		assert_true((fcntl(seen.fd[0], F_GETFD) & FD_CLOEXEC) != 0);
		len = sizeof(on);
		assert_int_equal(
		    getsockopt(seen.fd[0], IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
		assert_int_not_equal(on, 0);
		close(c);
		listener_free(&listener);
		assert_null(listener);
		seen_close(&seen);
	}
}

/* "[::]" is IPv6 only: both wildcards of one port stand side by side. */
static void
test_wildcards_side_by_side(void **state)
{
	struct netaddr four = addr_of("0.0.0.0:0"), six = addr_of("[::]:0");
	int a, b;

	(void)state;
	if (!has_ip6())
		skip();
	a = listen_on(&four);
	six.port = bound_addr(a).port;
	b = listen_on(&six);
	close(a);
	close(b);
}

/* A second gateway on the address gets an error; further sockets of our own get
 * their part of the connections. */
static void
test_more_sockets(void **state)
{
	struct netaddr addr = addr_of("127.0.0.1:0");
	int fd, again, other, c[40];
	struct listener *a, *b;
	struct seen one, two;
	struct err e;
	size_t i;

	(void)state;
	fd = listen_on(&addr);
	addr = bound_addr(fd);
	assert_int_equal(net_listen(&other, &addr, &e), ERR_IO);
	assert_int_equal(other, -1);
	assert_non_null(strstr(e.text, "127.0.0.1:"));
	assert_non_null(strstr(e.text, "in use"));
	assert_int_equal(net_listen_again(&again, fd, &e), ERR_OK);
	assert_int_equal(bound_addr(again).port, addr.port);
	assert_int_equal(net_listen(&other, &addr, &e), ERR_IO);

	seen_open(&one, 100, 100);
	seen_open(&two, 100, 100);
	for (i = 0; i < N(c); i++)
		c[i] = connect_to(&addr);
	a = listen_with(&one, fd);
	b = listen_with(&two, again);
	(void)seen_wait(&one, N(c), 100 * CLOCK_MS);
	assert_true(one.n > 0 && one.n < N(c));
	assert_true(seen_wait(&two, (unsigned)N(c) - one.n, PATIENCE));
	for (i = 0; i < N(c); i++)
		close(c[i]);
	listener_free(&a);
	listener_free(&b);
	seen_close(&one);
	seen_close(&two);

	/* closed for good: free for the next one, whatever lingers of the old */
	fd = listen_on(&addr);
	close(fd);
}

static void
test_unix(void **state)
{
	char folder[] = "/tmp/yett-net-XXXXXX", path[64], text[80];
	struct listener *a, *b;
	struct netaddr addr;
	struct seen seen;
	struct stat st;
	struct err e;
	int fd, again, other, c;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/in.sock", folder);
	snprintf(text, sizeof(text), "unix:%s", path);
	addr = addr_of(text);
	fd = listen_on(&addr);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(net_listen(&other, &addr, &e), ERR_IO); /* somebody listens */
	assert_non_null(strstr(e.text, path));
	assert_int_equal(net_listen_again(&again, fd, &e), ERR_OK);

	seen_open(&seen, 10, 0);
	a = listen_with(&seen, fd);
	b = listen_with(&seen, again);
	c = connect_to(&addr);
	assert_true(seen_wait(&seen, 1, PATIENCE));
	assert_int_equal(seen.peer[0].family, NETADDR_UNIX);
	assert_int_equal(seen.local[0].family, NETADDR_UNIX);
	assert_string_equal(seen.local[0].path, path);
	close(c);
	listener_free(&a);
	listener_free(&b);
	seen_close(&seen);

	assert_int_equal(stat(path, &st), 0); /* left behind: stale */
	fd = listen_on(&addr);
	close(fd);
	assert_int_equal(unlink(path), 0);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd); /* a file is not ours to remove */
	assert_int_equal(net_listen(&other, &addr, &e), ERR_IO);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* --- limits ---------------------------------------------------------------- */

/* True: the other end closed with a reset. */
static bool
was_reset(int fd)
{
	struct timeval wait = { .tv_sec = 5 };
	char byte;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return (recv(fd, &byte, 1, 0) < 0 && errno == ECONNRESET);
}

static void
test_over_the_limit(void **state)
{
	struct netaddr addr = addr_of("127.0.0.1:0");
	struct listener *listener;
	struct seen seen;
	int fd, c[5];
	size_t i;

	(void)state;
	seen_open(&seen, 100, 3);
	fd = listen_on(&addr);
	addr = bound_addr(fd);
	for (i = 0; i < N(c); i++)
		c[i] = connect_to(&addr);
	listener = listen_with(&seen, fd);
	assert_false(seen_wait(&seen, 4, 100 * CLOCK_MS));
	assert_int_equal(seen.n, 3);
	assert_int_equal(connlimit_total(seen.limit), 3);
	assert_true(was_reset(c[3]));
	assert_true(was_reset(c[4]));
	/* one goes, one more may come */
	close(seen.fd[2]);
	connlimit_leave(seen.limit, &seen.counted[2]);
	seen.n = 2;
	close(c[4]);
	c[4] = connect_to(&addr);
	assert_true(seen_wait(&seen, 3, PATIENCE));
	for (i = 0; i < N(c); i++)
		close(c[i]);
	listener_free(&listener);
	seen_close(&seen);
}

/* What the owner says of a peer, before anything is counted. */
static void
test_admit(void **state)
{
	static const struct {
		enum listener_rc says;
		bool accepted;
		enum netaddr_family counted;
	} rows[] = {
		{ LISTENER_COUNT, true, NETADDR_IP4 },
		{ LISTENER_COUNT, false, NETADDR_NONE }, /* the second of one client */
		{ LISTENER_COUNT_TOTAL, true, NETADDR_NONE },
		{ LISTENER_COUNT_TOTAL, true, NETADDR_NONE },
		{ LISTENER_REFUSE, false, NETADDR_NONE },
		{ LISTENER_COUNT_TOTAL, false, NETADDR_NONE }, /* over the total */
	};
	struct netaddr addr = addr_of("127.0.0.1:0");
	struct listener_owner owner = { .admit = on_admit, .accept = on_accept };
	struct listener *listener;
	unsigned accepted = 0;
	struct seen seen;
	int fd, c[N(rows)];
	size_t i;

	(void)state;
	seen_open(&seen, 3, 1);
	owner.data = &seen;
	fd = listen_on(&addr);
	addr = bound_addr(fd);
	listener = listener_new(seen.loop, fd, seen.limit, &owner);
	for (i = 0; i < N(rows); i++) {
		seen.admit = rows[i].says;
		c[i] = connect_to(&addr);
		if (!rows[i].accepted) {
			assert_false(seen_wait(&seen, accepted + 1, 50 * CLOCK_MS));
			assert_true(was_reset(c[i]));
			assert_int_equal(connlimit_total(seen.limit), accepted);
			continue;
		}
		assert_true(seen_wait(&seen, ++accepted, PATIENCE));
		assert_int_equal(seen.counted[accepted - 1].family, rows[i].counted);
		assert_int_equal(seen.peer[accepted - 1].family, NETADDR_IP4);
	}
	for (i = 0; i < N(c); i++)
		close(c[i]);
	listener_free(&listener);
	seen_close(&seen);
}

static int64_t
cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return ((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * CLOCK_SECOND +
		usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Allows no more descriptors than there are. */
static void
allow_no_more(struct rlimit limit)
{
	int next = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	CHECK(next >= 0);
	close(next);
	limit.rlim_cur = (rlim_t)next;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* In a child, since its limit of descriptors is lowered: 0 when the listener
 * waits without burning the processor and goes on when it can. */
static int
starve(void)
{
	struct netaddr addr = addr_of("127.0.0.1:0");
	struct rlimit was;
	struct listener *listener;
	struct seen seen;
	int64_t cpu;
	int fd, c;

	seen_open(&seen, 10, 10);
	fd = listen_on(&addr);
	addr = bound_addr(fd);
	c = connect_to(&addr);
	listener = listen_with(&seen, fd);
	getrlimit(RLIMIT_NOFILE, &was);
	allow_no_more(was);
	cpu = cpu_us();
	if (seen_wait(&seen, 1, 550 * CLOCK_MS))
		return (1);
	if (cpu_us() - cpu > 100 * CLOCK_MS)
		return (2);
	setrlimit(RLIMIT_NOFILE, &was);
	if (!seen_wait(&seen, 1, PATIENCE))
		return (3);
	close(c);
	listener_free(&listener);
	seen_close(&seen);
	return (0);
}

static void
test_out_of_descriptors(void **state)
{
	int out[2], status;
	char log[4096];
	ssize_t n, got = 0;
	unsigned lines = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(out), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		close(out[0]);
		close(out[1]);
		_exit(starve());
	}
	close(out[1]);
	while ((n = read(out[0], log + got, sizeof(log) - 1 - (size_t)got)) > 0)
		got += n;
	log[got] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("status %#x: %s", status, log);
	for (n = 0; n < got; n++)
		lines += log[n] == '\n';
	if (lines != 1 || strstr(log, "Too many open files") == NULL)
		fail_msg("%u lines: %s", lines, log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_wildcards_side_by_side),
		cmocka_unit_test(test_more_sockets),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_over_the_limit),
		cmocka_unit_test(test_admit),
		cmocka_unit_test(test_out_of_descriptors),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
