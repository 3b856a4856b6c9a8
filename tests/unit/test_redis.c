/* SPDX-License-Identifier: Apache-2.0 */
/* The client against one real redis-server: answers, scripts, passwords, TLS, and
 * servers that die, freeze, refuse or talk nonsense. */
#include "config.h"

#include "tests/unit/redis_rig.h"

#include "gateway/base/check.h"
#include "gateway/redis/command.h"
#include "tests/unit/tls_lab.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 1000u

extern const struct redis_script test_script; /* data/script.lua */

static void
open_unix(struct rig *rig, struct redis_server *server)
{
	redis_lab_conf(&rig->conf, server);
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
}

/* A number of INFO. */
static unsigned long
info(struct redis_server *server, const char *section, const char *name)
{
	char *text = redis_lab_ask(server, "INFO %s", section);
	const char *at = strstr(text, name);
	unsigned long n = at != NULL ? strtoul(at + strlen(name), NULL, 10) : 0;

	free(text);
	return (n);
}

/* --- answers ------------------------------------------------------------ */

static void
test_commands(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);

	open_unix(rig, server);
	assert_int_equal(rig->changes, 1);
	assert_string_equal(rig_ask(rig, "SET a 1"), "OK");
	assert_string_equal(rig_ask(rig, "INCR a"), "2");
	assert_string_equal(rig_ask(rig, "GET none"), "(nil)");
	assert_string_equal(rig_ask(rig, "RPUSH l x y z"), "3");
	assert_string_equal(rig_ask(rig, "LRANGE l 0 -1"), "x y z");
	assert_string_equal(rig_ask(rig, "LPUSH a b"),
	    "WRONGTYPE Operation against a key holding the wrong kind of value");
	assert_string_equal(rig_ask(rig, "PING"), "PONG");
	redis_lab_expect(server, "2", "GET a");
	assert_int_equal(rig_state(rig).commands, 7);
	assert_int_equal(rig_state(rig).failures, 0);
	assert_int_equal(rig_state(rig).reconnects, 0);
	assert_null(rig_state(rig).reason);
}

/* What is asked in one round of the loop goes out at once. */
static void
test_a_round_is_one_write(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	struct redis_ask *asks = mem_zalloc(MANY * sizeof(*asks));
	unsigned long before;
	unsigned i;

	open_unix(rig, server);
	before = info(server, "stats", "total_reads_processed:");
	for (i = 0; i < 100; i++)
		assert_true(rig_send(rig, &asks[i], "INCR n"));
	rig_finish(rig);
	/* the one, a beat perhaps, and INFO's own */
	assert_in_range(info(server, "stats", "total_reads_processed:") - before, 1, 4);
	for (i = 0; i < MANY; i++)
		assert_true(rig_send(rig, &asks[i], "INCR n"));
	rig_finish(rig);
	assert_string_equal(rig->answer, "1100"); /* the last is the last */
	free(asks);
}

static void
test_large_values(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	struct redis_ask asks[16];
	char *line = mem_alloc(400001);
	unsigned i;

	open_unix(rig, server);
	memset(line, 'v', 400000);
	memcpy(line, "SET big ", 8);
	line[400000] = '\0';
	for (i = 0; i < 16; i++) /* more than a socket takes at once */
		assert_true(rig_send(rig, &asks[i], line));
	rig_finish(rig);
	assert_string_equal(rig->answer, "OK");
	redis_lab_expect(server, "399992", "STRLEN big");
	(void)rig_ask(rig, "GET big");
	assert_int_equal(strlen(rig->answer), sizeof(rig->answer) - 1);
	/* more than an answer may be: the connection is given up, and made again */
	redis_lab_expect(server, "2000000", "SETRANGE huge 1999999 x");
	assert_string_equal(rig_ask(rig, "GET huge"), "");
	assert_string_equal(rig->failure, "an answer of the server is too large");
	rig_wait(rig, REDIS_UP, CLOCK_SECOND);
	assert_string_equal(rig_ask(rig, "STRLEN big"), "399992");
	free(line);
}

static void
test_tcp_and_names(void **state)
{
	static const char *const names[] = { "127.0.0.1", "localhost" };
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start_port(rig->lab, false, NULL);
	unsigned i;

	for (i = 0; i < 2; i++) {
		redis_lab_conf(&rig->conf, server);
		rig_use_ports(rig, &server, 1);
		rig->hosts[0].host = names[i];
		rig_open(rig);
		rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
		assert_string_equal(rig_ask(rig, "INCR a"), i == 0 ? "1" : "2");
		rig_close(rig);
	}
}

static void
test_a_name_that_is_none(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start_port(rig->lab, false, NULL);

	redis_lab_conf(&rig->conf, server);
	rig_use_ports(rig, &server, 1);
	rig->hosts[0].host = "no-such-host.invalid";
	rig_open(rig);
	rig_wait(rig, REDIS_DOWN, 20 * CLOCK_SECOND);
	assert_string_equal(rig_state(rig).reason, "the server's name has no address");
	/* the other one is tried next */
	rig->hosts[1] = (struct conf_redis_host){ "127.0.0.1", server->port };
	rig->conf.n_hosts = 2;
	rig_wait(rig, REDIS_UP, 20 * CLOCK_SECOND);
}

static void
test_database(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);

	redis_lab_conf(&rig->conf, server);
	rig->conf.database = 3;
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	assert_string_equal(rig_ask(rig, "SET a 1"), "OK");
	assert_int_equal(info(server, "keyspace", "db3:keys="), 1);
	rig_close(rig);
	rig->conf.database = 300;
	rig_open(rig);
	rig_wait(rig, REDIS_DOWN, 5 * CLOCK_SECOND);
	assert_string_equal(
	    rig_state(rig).reason, "the server has no database of that number");
}

/* --- asks --------------------------------------------------------------- */

static void
not_to_be_called(struct redis_ask *ask, const struct redis_value *value)
{
	(void)ask;
	(void)value;
	fail_msg("a cancelled ask was answered");
}

static void
test_cancel(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	const struct span set[] = { SPAN("SET"), SPAN("a"), SPAN("1") };
	struct redis_ask first, cancelled = { .done = not_to_be_called }, last;

	open_unix(rig, server);
	assert_true(rig_send(rig, &first, "INCR n"));
	assert_true(redis_send(rig->redis, &cancelled, set[1], set, 3));
	assert_true(rig_send(rig, &last, "GET a"));
	redis_cancel(&cancelled);
	assert_null(cancelled.work);
	redis_cancel(&cancelled); /* no harm */
	memset(&cancelled, 0xaa, sizeof(cancelled)); /* the caller's memory */
	rig_finish(rig);
	assert_string_equal(rig->answer, "1"); /* carried out all the same */
}

struct pair {
	struct rig *rig;
	struct redis_ask first, second;
	unsigned called;
};

static void
cancel_other(struct redis_ask *ask, const struct redis_value *value)
{
	struct pair *pair = ask->data;
	const struct span ping = SPAN("PING");

	assert_null(value);
	pair->called++;
	redis_cancel(ask == &pair->first ? &pair->second : &pair->first);
	/* nobody is there, and nothing is called from inside */
	assert_false(redis_send(pair->rig->redis, ask, ping, &ping, 1));
	assert_non_null(ask->failure);
}

/* The connection is lost with two asks under way; the first to hear of it gives up
 * the other. */
static void
test_cancel_while_losing(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	struct pair pair = { .rig = rig,
		.first = { .done = cancel_other, .data = &pair },
		.second = { .done = cancel_other, .data = &pair } };
	const struct span ping = SPAN("PING");

	open_unix(rig, server);
	redis_lab_freeze(server);
	assert_true(redis_send(rig->redis, &pair.first, ping, &ping, 1));
	assert_true(redis_send(rig->redis, &pair.second, ping, &ping, 1));
	rig_run(rig, 10 * CLOCK_MS);
	redis_lab_kill(server);
	rig_wait(rig, REDIS_DOWN, CLOCK_SECOND);
	assert_int_equal(pair.called, 1);
}

static void
again(struct redis_ask *ask, const struct redis_value *value)
{
	const struct span incr[] = { SPAN("INCR"), SPAN("n") };
	struct pair *pair = ask->data;

	assert_non_null(value);
	if (++pair->called < 100)
		assert_true(redis_send(pair->rig->redis, ask, incr[1], incr, 2));
	else
		loop_stop(pair->rig->loop);
}

static void
test_ask_again_from_the_answer(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	const struct span incr[] = { SPAN("INCR"), SPAN("n") };
	struct pair pair = { .rig = rig, .first = { .done = again, .data = &pair } };

	open_unix(rig, server);
	assert_true(redis_send(rig->redis, &pair.first, incr[1], incr, 2));
	rig_run(rig, 5 * CLOCK_SECOND);
	assert_int_equal(pair.called, 100);
	redis_lab_expect(server, "100", "GET n");
}

static void
test_free_gives_back(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	struct redis_ask asks[3];
	unsigned i;

	open_unix(rig, server);
	for (i = 0; i < 3; i++)
		assert_true(rig_send(rig, &asks[i], "PING"));
	redis_cancel(&asks[1]);
	rig->left--;
	redis_free(&rig->redis);
	assert_int_equal(rig->left, 0);
	assert_string_equal(rig->failure, "given up");
	rig_run(rig, CLOCK_MS); /* its own loop_stop */
}

static void
test_free_sends_what_was_queued(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	struct redis_ask ask;
	char *answer;
	unsigned i;

	open_unix(rig, server);
	assert_true(rig_send(rig, &ask, "SET a bye"));
	redis_free(&rig->redis);
	rig_run(rig, CLOCK_MS);
	for (i = 0; i < 200; i++) {
		answer = redis_lab_ask(server, "GET a");
		if (strcmp(answer, "bye") == 0)
			break;
		free(answer);
		(void)usleep(5000);
	}
	assert_in_range(i, 0, 199);
	free(answer);
}

static void
test_too_much(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	struct redis_ask *asks = mem_zalloc((COMMANDS_MAX + 1) * sizeof(*asks));
	struct span words[COMMAND_ARGS_MAX + 1];
	char *line = mem_alloc((1 << 20) + 1);
	unsigned i;

	open_unix(rig, server);
	redis_lab_freeze(server);
	for (i = 0; i < COMMANDS_MAX && rig_send(rig, &asks[i], "PING"); i++)
		continue;
	assert_int_equal(i, COMMANDS_MAX);
	assert_false(rig_send(rig, &asks[i], "PING"));
	assert_string_equal(rig->failure, "too many commands are waiting");
	redis_lab_thaw(server);
	rig_finish(rig);
	assert_string_equal(rig->answer, "PONG");

	memset(line, 'v', 1 << 20);
	memcpy(line, "SET a ", 6);
	line[1 << 20] = '\0';
	for (i = 0; i < 16 && rig_send(rig, &asks[i], line); i++)
		continue;
	assert_int_equal(i, 7); /* of eight megabytes */
	rig_finish(rig);
	assert_string_equal(rig->answer, "OK");

	for (i = 0; i <= COMMAND_ARGS_MAX; i++)
		words[i] = SPAN("DEL");
	assert_false(
	    redis_send(rig->redis, &asks[0], words[0], words, COMMAND_ARGS_MAX + 1));
	assert_false(redis_call(
	    rig->redis, &asks[0], &test_script, words[0], words, COMMAND_ARGS_MAX));
	free(line);
	free(asks);
}

/* --- threads ----------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	struct loop *loop;
	struct redis *redis;
	struct redis_service *service;
	struct job_pool *resolver;
	struct redis_ask ask;
	struct loop_timer guard;
	unsigned answers;
};

static void
worker_counts(struct redis_ask *ask, const struct redis_value *value)
{
	const struct span incr[] = { SPAN("INCR"), SPAN("n") };
	struct worker *worker = ask->data;

	if (value != NULL && ++worker->answers == 1000)
		loop_stop(worker->loop);
	else if (value != NULL)
		(void)redis_send(worker->redis, ask, incr[1], incr, 2);
}

/* Up, it counts on; down, it will. */
static void
worker_changed(void *data)
{
	const struct span incr[] = { SPAN("INCR"), SPAN("n") };
	struct worker *worker = data;

	if (worker->ask.work == NULL)
		(void)redis_send(worker->redis, &worker->ask, incr[1], incr, 2);
}

static void
worker_late(struct loop_timer *timer)
{
	struct worker *worker = timer->data;

	loop_stop(worker->loop);
}

static void *
worker_main(void *data)
{
	struct worker *worker = data;

	worker->loop = loop_new();
	loop_timer_init(&worker->guard, worker->loop, worker_late, worker);
	loop_timer_set(&worker->guard, 30 * CLOCK_SECOND);
	worker->ask = (struct redis_ask){ .done = worker_counts, .data = worker };
	worker->redis = redis_new(worker->loop, worker->service, worker->resolver);
	redis_on_change(worker->redis, worker_changed, worker);
	loop_run(worker->loop);
	redis_free(&worker->redis);
	loop_timer_stop(&worker->guard);
	loop_free(&worker->loop);
	return (NULL);
}

/* One service, a client per thread; the server dies and comes back meanwhile. */
static void
test_threads(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start_port(rig->lab, false, NULL);
	struct worker workers[4] = { 0 };
	struct err e;
	unsigned i;

	redis_lab_conf(&rig->conf, server);
	rig_use_ports(rig, &server, 1);
	rig->hosts[0].host = "localhost";
	assert_int_equal(redis_service_new(&rig->service, &rig->conf, &e), ERR_OK);
	for (i = 0; i < 4; i++) {
		workers[i].service = rig->service;
		workers[i].resolver = rig->resolver;
		assert_int_equal(
		    pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]),
		    0);
	}
	(void)usleep(20000);
	redis_lab_kill(server);
	(void)usleep(100000);
	redis_lab_restart(server);
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_int_equal(workers[i].answers, 1000);
	}
}

/* --- scripts ------------------------------------------------------------ */

static void
test_script_is_loaded(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	const struct redis_script broken = { "return (", "0000000000000000000000000000"
							 "000000000000" };

	open_unix(rig, server);
	redis_lab_expect(server, "0\n", "SCRIPT EXISTS %s", test_script.sha1);
	assert_string_equal(rig_call(rig, &test_script, "k", "v 1"), "k v 1 \\n\"");
	/* the digest is of these bytes: the server knows it now */
	redis_lab_expect(server, "1\n", "SCRIPT EXISTS %s", test_script.sha1);
	assert_string_equal(rig_call(rig, &test_script, "k", "v2"), "k v2 \\n\"");
	redis_lab_expect(server, "v2", "GET k");
	assert_int_equal(info(server, "commandstats", "cmdstat_eval:calls="), 1);
	redis_lab_expect(server, "OK", "SCRIPT FLUSH");
	assert_string_equal(rig_call(rig, &test_script, "k", ""), "k  \\n\"");
	assert_int_equal(info(server, "commandstats", "cmdstat_eval:calls="), 2);
	(void)rig_call(rig, &broken, "k", "v");
	assert_non_null(strstr(rig->answer, "ERR Error compiling script"));
	assert_int_equal(rig_state(rig).reconnects, 0);
}

/* Many callers meet the same lack: the source is sent once. */
static void
test_script_is_loaded_once(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	struct redis_ask *asks = mem_zalloc(MANY * sizeof(*asks)), model;
	struct span arg = SPAN("v");
	unsigned i, calls;

	open_unix(rig, server);
	assert_true(rig_send(rig, &model, "PING"));
	rig_finish(rig);
	for (calls = 1; calls <= 2; calls++) {
		for (i = 0; i < MANY; i++) {
			asks[i] = (struct redis_ask){ .done = model.done, .data = rig };
			assert_true(redis_call(
			    rig->redis, &asks[i], &test_script, SPAN("k"), &arg, 1));
			rig->left++;
		}
		redis_cancel(&asks[0]);
		rig->left--;
		rig_finish(rig);
		assert_string_equal(rig->answer, "k v \\n\"");
		assert_int_equal(
		    info(server, "commandstats", "cmdstat_eval:calls="), calls);
		redis_lab_expect(server, "OK", "SCRIPT FLUSH");
	}
	free(asks);
}

/* --- passwords ---------------------------------------------------------- */

static const struct {
	const char *user, *password; /* NULL: no file */
	const char *reason; /* NULL: let in */
} password_rows[] = {
	{ "", "s3 cret\n", NULL },
	{ "", "s3 cret", NULL },
	{ "", "s3 cret\r\n", NULL },
	{ "default", "s3 cret\n", NULL },
	{ "guard", "other\n", NULL },
	{ "guard", "s3 cret\n", "the server refuses the password" },
	{ "nobody", "other\n", "the server refuses the password" },
	{ "", "wrong\n", "the server refuses the password" },
	{ "", NULL, "the server wants a password" },
};

static void
test_passwords(void **state)
{
	static const char *const options[] = { "--requirepass", "s3 cret", NULL };
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, options);
	size_t i;

	redis_lab_expect(server, "OK", "ACL SETUSER guard on >other ~yett:* +@all -ping");
	for (i = 0; i < sizeof(password_rows) / sizeof(password_rows[0]); i++) {
		redis_lab_conf(&rig->conf, server);
		rig->conf.username = password_rows[i].user;
		if (password_rows[i].password != NULL)
			rig->conf.password_file = redis_lab_file(
			    rig->lab, "password", password_rows[i].password);
		rig_open(rig);
		rig_wait(rig, password_rows[i].reason == NULL ? REDIS_UP : REDIS_DOWN,
		    5 * CLOCK_SECOND);
		if (password_rows[i].reason != NULL) {
			assert_string_equal(
			    rig_state(rig).reason, password_rows[i].reason);
			assert_string_equal(rig_ask(rig, "PING"), "");
			assert_string_equal(rig->failure, "there is no connection");
		} else
			assert_string_equal(rig_ask(rig, "SET yett:a 1"), "OK");
		rig_close(rig);
	}
}

/* A password that is set right later lets the client in without a restart of it. */
static void
test_password_mended(void **state)
{
	static const char *const options[] = { "--requirepass", "new", NULL };
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, options);

	redis_lab_conf(&rig->conf, server);
	rig->conf.password_file = redis_lab_file(rig->lab, "password", "old\n");
	rig_open(rig);
	rig_wait(rig, REDIS_DOWN, 5 * CLOCK_SECOND);
	redis_lab_expect(server, "OK", "CONFIG SET requirepass old");
	server->password = "old";
	rig_wait(rig, REDIS_UP, 2 * CLOCK_SECOND);
}

static const struct {
	const char *text; /* of the file; NULL: there is none */
	enum err_code code;
	const char *says;
} file_rows[] = {
	{ NULL, ERR_IO, "cannot open" },
	{ "", ERR_FORMAT, "not one line with a password" },
	{ "\n", ERR_FORMAT, "not one line with a password" },
	{ "a\nb\n", ERR_FORMAT, "not one line with a password" },
};

static void
test_password_files(void **state)
{
	struct rig *rig = *state;
	struct redis_server none = { .socket = "/nowhere" };
	struct redis_service *service;
	char path[200], *many = mem_zalloc(3000);
	struct err e;
	size_t i;

	redis_lab_conf(&rig->conf, &none);
	(void)snprintf(path, sizeof(path), "%s/none", redis_lab_folder(rig->lab));
	for (i = 0; i < sizeof(file_rows) / sizeof(file_rows[0]); i++) {
		rig->conf.password_file =
		    file_rows[i].text != NULL
			? redis_lab_file(rig->lab, "secret", file_rows[i].text)
			: path;
		assert_int_equal(
		    redis_service_new(&service, &rig->conf, &e), file_rows[i].code);
		assert_null(service);
		assert_non_null(strstr(e.text, rig->conf.password_file));
		assert_non_null(strstr(e.text, file_rows[i].says));
	}
	memset(many, 'x', 2999);
	rig->conf.password_file = redis_lab_file(rig->lab, "secret", many);
	assert_int_equal(redis_service_new(&service, &rig->conf, &e), ERR_RANGE);
	assert_null(strstr(e.text, "xxx")); /* secrets are not told */
	many[1024] = '\0';
	rig->conf.password_file = redis_lab_file(rig->lab, "secret", many);
	assert_int_equal(redis_service_new(&service, &rig->conf, &e), ERR_OK);
	redis_service_free(&service);
	free(many);
}

/* --- TLS ---------------------------------------------------------------- */

struct tls_rig {
	struct lab lab;
	struct redis_server *server;
};

static void
tls_rig_open(struct tls_rig *tls, struct rig *rig)
{
	const char *options[] = { "--tls-cert-file", NULL, "--tls-key-file", NULL,
		"--tls-ca-cert-file", NULL, NULL };

	lab_open(&tls->lab);
	lab_make(&tls->lab, &(struct lab_cert){ .file = "ca", .ca = true });
	lab_make(&tls->lab, &(struct lab_cert){ .file = "other", .ca = true });
	lab_make(
	    &tls->lab, &(struct lab_cert){
			   .file = "server", .names = "DNS:localhost", .issuer = "ca" });
	lab_make(&tls->lab, &(struct lab_cert){ .file = "client", .issuer = "ca" });
	options[1] = lab_path(&tls->lab, "server.pem");
	options[3] = lab_path(&tls->lab, "server.key");
	options[5] = lab_path(&tls->lab, "ca.pem");
	tls->server = redis_lab_start_port(rig->lab, true, options);
}

static const struct {
	const char *host, *ca, *client; /* "": no client certificate */
	bool verify, in;
	const char *why;
} tls_rows[] = {
	{ "localhost", "ca.pem", "client", true, true, "all is well" },
	{ "127.0.0.1", "ca.pem", "client", false, true, "nothing is verified" },
	{ "127.0.0.1", "ca.pem", "client", true, false, "not the server's name" },
	{ "localhost", "other.pem", "client", true, false, "another CA" },
	{ "localhost", "ca.pem", "", true, false, "no client certificate" },
};

static void
test_tls(void **state)
{
	struct rig *rig = *state;
	struct tls_rig tls;
	size_t i;
	char client[64];

	tls_rig_open(&tls, rig);
	for (i = 0; i < sizeof(tls_rows) / sizeof(tls_rows[0]); i++) {
		redis_lab_conf(&rig->conf, tls.server);
		rig_use_ports(rig, &tls.server, 1);
		rig->hosts[0].host = tls_rows[i].host;
		rig->conf.tls = true;
		rig->conf.verify = tls_rows[i].verify;
		rig->conf.ca = lab_path(&tls.lab, tls_rows[i].ca);
		if (tls_rows[i].client[0] != '\0') {
			(void)snprintf(
			    client, sizeof(client), "%s.pem", tls_rows[i].client);
			rig->conf.certificate = lab_path(&tls.lab, client);
			(void)snprintf(
			    client, sizeof(client), "%s.key", tls_rows[i].client);
			rig->conf.key = lab_path(&tls.lab, client);
		}
		rig_open(rig);
		rig_wait(rig, tls_rows[i].in ? REDIS_UP : REDIS_DOWN, 5 * CLOCK_SECOND);
		if (tls_rows[i].in)
			assert_string_equal(rig_ask(rig, "ECHO hello"), "hello");
		else
			assert_non_null(rig_state(rig).reason);
		rig_close(rig);
	}
	lab_close(&tls.lab);
}

static void
test_tls_large(void **state)
{
	struct rig *rig = *state;
	struct redis_ask asks[16];
	struct tls_rig tls;
	char *line = mem_alloc(400001);
	unsigned i;

	tls_rig_open(&tls, rig);
	redis_lab_conf(&rig->conf, tls.server);
	rig_use_ports(rig, &tls.server, 1);
	rig->conf.tls = true;
	rig->hosts[0].host = "localhost";
	rig->conf.ca = lab_path(&tls.lab, "ca.pem");
	rig->conf.certificate = lab_path(&tls.lab, "client.pem");
	rig->conf.key = lab_path(&tls.lab, "client.key");
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	memset(line, 'v', 400000);
	memcpy(line, "SET big ", 8);
	line[400000] = '\0';
	for (i = 0; i < 16; i++)
		assert_true(rig_send(rig, &asks[i], line));
	rig_finish(rig);
	for (i = 0; i < 16; i++)
		assert_true(rig_send(rig, &asks[i], "GET big"));
	rig_finish(rig);
	assert_int_equal(strlen(rig->answer), sizeof(rig->answer) - 1);
	redis_lab_kill(tls.server);
	rig_wait(rig, REDIS_DOWN, CLOCK_SECOND);
	redis_lab_restart(tls.server);
	rig_wait(rig, REDIS_UP, 1500 * CLOCK_MS);
	free(line);
	lab_close(&tls.lab);
}

/* --- trouble ------------------------------------------------------------ */

static void
test_killed_and_started_again(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start_port(rig->lab, false, NULL);
	struct redis_ask ask;
	unsigned i;

	redis_lab_conf(&rig->conf, server);
	rig_use_ports(rig, &server, 1);
	rig_open(rig);
	rig_wait(rig, REDIS_UP, 5 * CLOCK_SECOND);
	for (i = 1; i <= 3; i++) {
		redis_lab_freeze(server); /* so that nothing is answered */
		assert_true(rig_send(rig, &ask, "INCR a"));
		rig_run(rig, 10 * CLOCK_MS);
		redis_lab_kill(server);
		rig_finish(rig);
		assert_string_equal(rig->answer, "");
		assert_non_null(rig->failure);
		assert_int_equal(rig_state(rig).link, REDIS_DOWN);
		assert_string_equal(rig_ask(rig, "INCR a"), "");
		rig_run(rig, 700 * CLOCK_MS); /* back-off at its longest */
		redis_lab_restart(server);
		rig_wait(rig, REDIS_UP, 1500 * CLOCK_MS);
		assert_string_equal(rig_ask(rig, "INCR a"), "1");
		assert_int_equal(rig_state(rig).reconnects, i);
		assert_int_equal(rig_state(rig).failures, 2 * i);
		assert_int_equal(rig->changes, 1 + 2 * i);
	}
	assert_non_null(rig_state(rig).reason);
}

static void
test_frozen(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	struct redis_ask ask;
	int64_t begin_us;

	open_unix(rig, server);
	redis_lab_freeze(server);
	begin_us = clock_mono_us();
	assert_true(rig_send(rig, &ask, "INCR a"));
	rig_finish(rig);
	assert_string_equal(rig->failure, "the server does not answer");
	assert_in_range(clock_mono_us() - begin_us, 900 * CLOCK_MS, 1500 * CLOCK_MS);
	rig_run(rig, 1700 * CLOCK_MS);
	assert_int_equal(rig_state(rig).link, REDIS_DOWN);
	redis_lab_thaw(server);
	rig_wait(rig, REDIS_UP, 1500 * CLOCK_MS);
	assert_string_equal(rig_ask(rig, "GET a"), "1");
}

/* It is this process that stands still for longer than a server may. */
static void
test_own_standstill(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);
	struct redis_ask ask;

	open_unix(rig, server);
	assert_true(rig_send(rig, &ask, "INCR a"));
	rig_run(rig, 0); /* it is on its way */
	(void)usleep(1500000);
	rig_finish(rig);
	assert_string_equal(rig->answer, "1");
	assert_int_equal(rig->changes, 1);
}

/* Nobody asks, and it is noticed all the same. */
static void
test_frozen_while_idle(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);

	open_unix(rig, server);
	rig_run(rig, 1200 * CLOCK_MS);
	assert_int_equal(rig_state(rig).link, REDIS_UP);
	redis_lab_freeze(server);
	rig_wait(rig, REDIS_DOWN, 2500 * CLOCK_MS);
	redis_lab_thaw(server);
	rig_wait(rig, REDIS_UP, 1500 * CLOCK_MS);
	assert_int_equal(rig_state(rig).failures, 0);
}

static void
test_not_there_yet(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);

	redis_lab_kill(server);
	redis_lab_conf(&rig->conf, server);
	rig_open(rig);
	assert_string_equal(rig_ask(rig, "PING"), ""); /* not connected */
	rig_wait(rig, REDIS_DOWN, CLOCK_SECOND);
	assert_string_equal(rig_state(rig).reason, "No such file or directory");
	assert_int_equal(rig->changes, 1);
	redis_lab_restart(server);
	rig_wait(rig, REDIS_UP, 1500 * CLOCK_MS);
	assert_int_equal(rig_state(rig).reconnects, 0);
}

static void
test_connection_killed(void **state)
{
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);

	open_unix(rig, server);
	free(redis_lab_ask(server, "CLIENT KILL TYPE normal SKIPME yes"));
	rig_wait(rig, REDIS_DOWN, CLOCK_SECOND);
	assert_string_equal(rig_state(rig).reason, "the server closed the connection");
	rig_wait(rig, REDIS_UP, CLOCK_SECOND);
}

static void
test_became_a_replica(void **state)
{
	static const struct redis_script set = { "return redis.call('SET', KEYS[1], "
						 "ARGV[1])",
		"d8f2fad9f8e86a53d2a6ebd960b33c4972cacc37" };
	struct rig *rig = *state;
	struct redis_server *server = redis_lab_start(rig->lab, NULL);

	open_unix(rig, server);
	assert_string_equal(rig_call(rig, &set, "a", "1"), "OK");
	redis_lab_expect(server, "OK", "REPLICAOF 127.0.0.1 1");
	assert_string_equal(rig_ask(rig, "SET a 2"), "");
	assert_string_equal(rig->failure, "the server is a replica");
	rig_until(rig, "1", "GET a", 2 * CLOCK_SECOND); /* connected again */
	assert_string_equal(rig_call(rig, &set, "a", "1"), "");
	assert_string_equal(rig->failure, "the server is a replica");
	redis_lab_expect(server, "OK", "REPLICAOF NO ONE");
	rig_until(rig, "OK", "SET a 2", 2 * CLOCK_SECOND);
}

/* --- servers that are none ---------------------------------------------- */

/* Says its line to everybody who comes, after what they say or at once. */
struct impostor {
	struct loop_io accepting, talking;
	struct loop *loop;
	const char *line;
	bool at_once;
	int fd, peer;
};

static void
impostor_say(struct impostor *im)
{
	if (write(im->peer, im->line, strlen(im->line)) < 0)
		return;
	if (im->line[0] == '\0') {
		loop_io_stop(&im->talking);
		(void)close(im->peer);
		im->peer = -1;
	}
}

static void
impostor_hears(struct loop_io *io, unsigned events)
{
	struct impostor *im = io->data;
	char bytes[1024];

	(void)events;
	if (read(im->peer, bytes, sizeof(bytes)) > 0 && !im->at_once) {
		impostor_say(im);
		return;
	}
	if (!im->at_once)
		loop_io_stop(&im->talking);
}

static void
impostor_accepts(struct loop_io *io, unsigned events)
{
	struct impostor *im = io->data;

	(void)events;
	if (im->peer != -1) {
		loop_io_stop(&im->talking);
		(void)close(im->peer);
	}
	im->peer = accept4(im->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(im->peer >= 0);
	loop_io_init(&im->talking, im->loop, im->peer, impostor_hears, im);
	if (im->at_once)
		impostor_say(im);
	else
		loop_io_want(&im->talking, LOOP_READ);
}

static const struct {
	const char *line;
	bool at_once;
	const char *reason;
} impostor_rows[] = {
	{ "HTTP/1.1 400 Bad Request\r\n\r\n", false,
	    "what the server sends is not Redis' protocol" },
	{ "220 mail.example ESMTP\r\n", true,
	    "what the server sends is not Redis' protocol" },
	{ "", false, "the server closed the connection" },
	{ "-ERR max number of clients reached\r\n", false,
	    "the server has too many clients" },
	{ "-LOADING Redis is loading the dataset in memory\r\n", false,
	    "the server is still loading its data" },
	{ "-DENIED Redis is running in protected mode\r\n", false,
	    "the server is in protected mode" },
	{ "-ERR operation not permitted\r\n", false,
	    "the server refuses the connection" },
	{ "*100000\r\n", false, "an answer of the server is too large" },
	{ "$3\r\nab", false, "the server does not answer" },
	{ "+PONG\r\n+PONG\r\n", false, "the server speaks unasked" },
};

static void
test_impostors(void **state)
{
	struct rig *rig = *state;
	struct redis_server none = { .folder = "" };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct impostor im = { .peer = -1, .loop = rig->loop };
	size_t i;

	(void)snprintf(
	    none.socket, sizeof(none.socket), "%s/x", redis_lab_folder(rig->lab));
	memcpy(un.sun_path, none.socket, strlen(none.socket) + 1);
	im.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(im.fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(im.fd, 16), 0);
	loop_io_init(&im.accepting, rig->loop, im.fd, impostor_accepts, &im);
	loop_io_want(&im.accepting, LOOP_READ);
	for (i = 0; i < sizeof(impostor_rows) / sizeof(impostor_rows[0]); i++) {
		im.line = impostor_rows[i].line;
		im.at_once = impostor_rows[i].at_once;
		redis_lab_conf(&rig->conf, &none);
		rig_open(rig);
		rig_wait(rig, REDIS_DOWN, 3 * CLOCK_SECOND);
		assert_string_equal(rig_state(rig).reason, impostor_rows[i].reason);
		rig_close(rig);
	}
	if (im.peer != -1) {
		loop_io_stop(&im.talking);
		(void)close(im.peer);
	}
	loop_io_stop(&im.accepting);
	(void)close(im.fd);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_commands),
		RIG_TEST(test_a_round_is_one_write),
		RIG_TEST(test_large_values),
		RIG_TEST(test_tcp_and_names),
		RIG_TEST(test_a_name_that_is_none),
		RIG_TEST(test_database),
		RIG_TEST(test_cancel),
		RIG_TEST(test_cancel_while_losing),
		RIG_TEST(test_ask_again_from_the_answer),
		RIG_TEST(test_free_gives_back),
		RIG_TEST(test_free_sends_what_was_queued),
		RIG_TEST(test_too_much),
		RIG_TEST(test_threads),
		RIG_TEST(test_script_is_loaded),
		RIG_TEST(test_script_is_loaded_once),
		RIG_TEST(test_passwords),
		RIG_TEST(test_password_mended),
		RIG_TEST(test_password_files),
		RIG_TEST(test_tls),
		RIG_TEST(test_tls_large),
		RIG_TEST(test_killed_and_started_again),
		RIG_TEST(test_frozen),
		RIG_TEST(test_own_standstill),
		RIG_TEST(test_frozen_while_idle),
		RIG_TEST(test_not_there_yet),
		RIG_TEST(test_connection_killed),
		RIG_TEST(test_became_a_replica),
		RIG_TEST(test_impostors),
	};

	redis_lab_or_skip();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
