/* SPDX-License-Identifier: Apache-2.0 */
/* redis-servers for tests. */
#include "config.h"

#include "tests/unit/redis_lab.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

#include <hiredis/hiredis.h>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SERVERS_MAX 16u
#define FILES_MAX 32u
#define WORDS_MAX 64u
#define CLUSTER_PORT_ABOVE 10000
#define START_US (20 * CLOCK_SECOND) /* slow machines, sanitizers beside it */

struct redis_lab {
	char folder[64];
	struct redis_server *servers[SERVERS_MAX];
	unsigned n_servers;
	char *files[FILES_MAX];
	unsigned n_files;
};

static void
pause_ms(int ms)
{
	struct timespec time = { ms / 1000, (long)(ms % 1000) * 1000000L };

	(void)nanosleep(&time, NULL);
}

void
redis_lab_or_skip(void)
{
	if (system("{ redis-server --version && redis-sentinel --version; } "
		   ">/dev/null 2>&1") == 0)
		return;
	puts("skipped: redis-server or redis-sentinel is not installed");
	exit(77);
}

struct redis_lab *
redis_lab_new(void)
{
	struct redis_lab *lab = mem_zalloc(sizeof(*lab));

	(void)snprintf(lab->folder, sizeof(lab->folder), "/tmp/yett-redis-XXXXXX");
	assert_non_null(mkdtemp(lab->folder));
	return (lab);
}

static int
remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return (remove(path));
}

void
redis_lab_free(struct redis_lab **lab_p)
{
	struct redis_lab *lab = *lab_p;
	unsigned i, word;

	*lab_p = NULL;
	if (lab == NULL)
		return;
	for (i = 0; i < lab->n_servers; i++) {
		redis_lab_kill(lab->servers[i]);
		for (word = 0; lab->servers[i]->argv[word] != NULL; word++)
			free(lab->servers[i]->argv[word]);
		free(lab->servers[i]->argv);
		free(lab->servers[i]);
	}
	for (i = 0; i < lab->n_files; i++)
		free(lab->files[i]);
	(void)nftw(lab->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(lab);
}

const char *
redis_lab_folder(const struct redis_lab *lab)
{
	return (lab->folder);
}

const char *
redis_lab_file(struct redis_lab *lab, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", lab->folder, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_true(lab->n_files < FILES_MAX);
	lab->files[lab->n_files++] = path;
	return (path);
}

/* The port, or (`port` 0) any; 0 when it is taken. */
static uint16_t
try_port(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &n) != 0)
		in.sin_port = 0;
	(void)close(fd);
	return (ntohs(in.sin_port));
}

uint16_t
redis_lab_port(void)
{
	uint16_t port;

	/* Servers of a cluster talk to each other on the port 10000 above. */
	do
		port = try_port(0);
	while (port == 0 || port > UINT16_MAX - CLUSTER_PORT_ABOVE ||
	       try_port(port + CLUSTER_PORT_ABOVE) == 0);
	return (port);
}

/* --- processes ---------------------------------------------------------- */

static void
child(const struct redis_server *server)
{
	sigset_t none;
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir(server->folder) != 0)
		_exit(127);
	fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd == -1 || dup2(fd, 1) == -1 || dup2(fd, 2) == -1)
		_exit(127);
	(void)execvp(server->argv[0], server->argv);
	_exit(127);
}

static void
show_log(const struct redis_server *server)
{
	char *path = mem_printf("%s/log", server->folder), line[1024];
	FILE *f = fopen(path, "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		(void)fputs(line, stderr);
	if (f != NULL)
		(void)fclose(f);
	free(path);
}

/* NULL: nobody there. */
static redisContext *
talk(const struct redis_server *server)
{
	const struct timeval limit = { 5, 0 };
	redisContext *context = redisConnectUnixWithTimeout(server->socket, limit);
	redisReply *reply;

	if (context == NULL || context->err != 0) {
		if (context != NULL)
			redisFree(context);
		return (NULL);
	}
	(void)redisSetTimeout(context, limit);
	if (server->password != NULL) {
		reply = redisCommand(context, "AUTH %s", server->password);
		if (reply != NULL)
			freeReplyObject(reply);
	}
	return (context);
}

static bool
answers_ping(const struct redis_server *server)
{
	redisContext *context = talk(server);
	redisReply *reply;
	bool up;

	if (context == NULL)
		return (false);
	reply = redisCommand(context, "PING");
	/* A password that is wanted is a sign of life, too. */
	up = reply != NULL &&
	     (reply->type != REDIS_REPLY_ERROR || strncmp(reply->str, "NOAUTH", 6) == 0);
	if (reply != NULL)
		freeReplyObject(reply);
	redisFree(context);
	return (up);
}

void
redis_lab_restart(struct redis_server *server)
{
	int64_t until_us = clock_mono_us() + START_US;
	int status;

	assert_int_equal(server->pid, 0);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0)
		child(server);
	while (!answers_ping(server)) {
		if (waitpid(server->pid, &status, WNOHANG) == server->pid)
			server->pid = 0; /* its number may be another's by now */
		if (server->pid == 0 || clock_mono_us() > until_us) {
			show_log(server);
			fail_msg("%s does not start", server->argv[0]);
		}
		pause_ms(5);
	}
}

void
redis_lab_kill(struct redis_server *server)
{
	int status;

	if (server->pid <= 0)
		return;
	(void)kill(server->pid, SIGKILL);
	(void)waitpid(server->pid, &status, 0);
	server->pid = 0;
	(void)unlink(server->socket);
}

void
redis_lab_freeze(struct redis_server *server)
{
	assert_int_equal(kill(server->pid, SIGSTOP), 0);
}

void
redis_lab_thaw(struct redis_server *server)
{
	assert_int_equal(kill(server->pid, SIGCONT), 0);
}

/* --- kinds of servers --------------------------------------------------- */

static struct redis_server *
add_server(struct redis_lab *lab)
{
	struct redis_server *server = mem_zalloc(sizeof(*server));
	unsigned number = lab->n_servers;

	assert_true(number < SERVERS_MAX);
	server->lab = lab;
	(void)snprintf(
	    server->folder, sizeof(server->folder), "%s/%u", lab->folder, number);
	(void)snprintf(
	    server->socket, sizeof(server->socket), "%s/%u.sock", lab->folder, number);
	assert_int_equal(mkdir(server->folder, 0700), 0);
	lab->servers[lab->n_servers++] = server;
	return (server);
}

/* Copies both lists of words into the server's command line. */
static void
set_argv(struct redis_server *server, const char *const *first, const char *const *more)
{
	unsigned n = 0;

	server->argv = mem_zalloc((WORDS_MAX + 1) * sizeof(*server->argv));
	for (; first != NULL && *first != NULL && n < WORDS_MAX; first++)
		server->argv[n++] = mem_strdup(*first);
	for (; more != NULL && *more != NULL && n < WORDS_MAX; more++)
		server->argv[n++] = mem_strdup(*more);
	assert_true(n < WORDS_MAX);
}

static struct redis_server *
start(struct redis_lab *lab, const char *port_option, const char *const *options)
{
	struct redis_server *server = add_server(lab);
	char port[8];
	const char *words[] = { "redis-server", "--save", "", "--appendonly", "no",
		"--repl-diskless-sync-delay", "0", "--unixsocket", server->socket,
		"--bind", "127.0.0.1", "--port", "0", port_option,
		port_option != NULL ? port : NULL, NULL };
	const char *const *word;

	if (port_option != NULL)
		server->port = redis_lab_port();
	(void)snprintf(port, sizeof(port), "%u", (unsigned)server->port);
	for (word = options; word != NULL && *word != NULL; word++)
		if (strcmp(*word, "--requirepass") == 0)
			server->password = word[1];
	set_argv(server, words, options);
	redis_lab_restart(server);
	return (server);
}

struct redis_server *
redis_lab_start(struct redis_lab *lab, const char *const *options)
{
	return (start(lab, NULL, options));
}

struct redis_server *
redis_lab_start_port(struct redis_lab *lab, bool tls, const char *const *options)
{
	return (start(lab, tls ? "--tls-port" : "--port", options));
}

struct redis_server *
redis_lab_start_sentinel(
    struct redis_lab *lab, const struct redis_server *master, const char *const *options)
{
	struct redis_server *server = add_server(lab);
	char *text, *path;
	FILE *f;

	server->port = redis_lab_port();
	server->sentinel = true;
	text = mem_printf("port %u\nbind 127.0.0.1\nunixsocket %s\n"
			  "sentinel monitor yard 127.0.0.1 %u 1\n"
			  "sentinel down-after-milliseconds yard 300\n"
			  "sentinel failover-timeout yard 3000\n",
	    (unsigned)server->port, server->socket, (unsigned)master->port);
	path = mem_printf("%s/sentinel.conf", server->folder);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	set_argv(server, (const char *const[]){ "redis-sentinel", path, NULL }, options);
	free(text);
	free(path);
	redis_lab_restart(server);
	return (server);
}

static void
wait_for(struct redis_server *server, const char *what)
{
	int64_t until_us = clock_mono_us() + START_US;
	char *info = NULL;

	do {
		free(info);
		pause_ms(20);
		info = redis_lab_ask(server, "CLUSTER INFO");
		assert_true(clock_mono_us() < until_us);
	} while (strstr(info, what) == NULL);
	free(info);
}

void
redis_lab_start_cluster(struct redis_lab *lab, struct redis_server **servers, unsigned n,
    const char *const *tls)
{
	const char *options[WORDS_MAX + 1] = { "--cluster-enabled", "yes",
		"--cluster-node-timeout", "1000", "--tls-cluster",
		tls != NULL ? "yes" : "no", NULL };
	unsigned i, first, last;
	char known[40];

	for (i = 0; tls != NULL && tls[i] != NULL && i < WORDS_MAX - 6; i++)
		options[6 + i] = tls[i];
	for (i = 0; i < n; i++) {
		servers[i] = redis_lab_start_port(lab, tls != NULL, options);
		first = 16384 * i / n;
		last = 16384 * (i + 1) / n - 1;
		redis_lab_expect(
		    servers[i], "OK", "CLUSTER ADDSLOTSRANGE %u %u", first, last);
		redis_lab_expect(servers[i], "OK", "CLUSTER SET-CONFIG-EPOCH %u", i + 1);
	}
	for (i = 1; i < n; i++)
		redis_lab_expect(servers[0], "OK", "CLUSTER MEET 127.0.0.1 %u",
		    (unsigned)servers[i]->port);
	(void)snprintf(known, sizeof(known), "cluster_known_nodes:%u", n);
	for (i = 0; i < n; i++) {
		wait_for(servers[i], known);
		wait_for(servers[i], "cluster_state:ok");
	}
}

/* --- questions ---------------------------------------------------------- */

static char *
reply_text(const redisReply *reply)
{
	char *text = mem_strdup(""), *item, *longer;
	size_t i;

	switch (reply->type) {
	case REDIS_REPLY_INTEGER: free(text); return (mem_printf("%lld", reply->integer));
	case REDIS_REPLY_NIL: free(text); return (mem_strdup("(nil)"));
	case REDIS_REPLY_ARRAY: break;
	default: free(text); return (mem_strdup(reply->str));
	}
	for (i = 0; i < reply->elements; i++) {
		item = reply_text(reply->element[i]);
		longer = mem_printf("%s%s\n", text, item);
		free(item);
		free(text);
		text = longer;
	}
	return (text);
}

char *
redis_lab_try(struct redis_server *server, const char *command)
{
	redisContext *context = talk(server);
	const char *words[WORDS_MAX];
	char *copy = mem_strdup(command), *rest = copy, *word;
	redisReply *reply;
	char *text = NULL;
	int n = 0;

	assert_non_null(context);
	while ((word = strsep(&rest, " ")) != NULL) {
		assert_true(n < (int)WORDS_MAX);
		words[n++] = word;
	}
	reply = redisCommandArgv(context, n, words, NULL);
	if (reply != NULL) {
		text = reply_text(reply);
		freeReplyObject(reply);
	}
	redisFree(context);
	free(copy);
	return (text);
}

static char *
ask(struct redis_server *server, const char *command)
{
	char *text = redis_lab_try(server, command);

	if (text == NULL)
		fail_msg("%s: the connection broke", command);
	return (text);
}

char *
redis_lab_ask(struct redis_server *server, const char *format, ...)
{
	char command[1024], *text;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	text = ask(server, command);
	return (text);
}

void
redis_lab_expect(struct redis_server *server, const char *answer, const char *format, ...)
{
	char command[1024], *text;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	text = ask(server, command);
	if (strcmp(text, answer) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", command, text, answer);
	free(text);
}

void
redis_lab_conf(struct conf_redis *conf, const struct redis_server *server)
{
	*conf = (struct conf_redis){ .present = true,
		.url = "unix:",
		.kind = CONF_REDIS_SINGLE,
		.unix_path = server->socket,
		.master = "",
		.username = "",
		.password_file = "",
		.sentinel_password_file = "",
		.ca = "system",
		.verify = true,
		.certificate = "",
		.key = "",
		.key_file = "",
		.clock = CONF_CLOCK_REDIS,
		.deadline = 10 * CLOCK_MS,
		.prefix = "yett:" };
}
