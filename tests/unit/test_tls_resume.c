/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: by ticket and by id, across threads, past a change of keys, never
 * under another certificate's name; many threads on one server. */
#include "config.h"

#include "tests/unit/tls_lab.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))
#define HOURS (3600 * CLOCK_SECOND)

static struct lab lab;

static int
setup(void **state)
{
	static const struct lab_cert certs[] = {
		{ .file = "one", .names = "DNS:one.test,DNS:uno.test" },
		{ .file = "two", .names = "DNS:two.test" },
	};
	size_t i;

	(void)state;
	lab_open(&lab);
	for (i = 0; i < N(certs); i++)
		lab_make(&lab, &certs[i]);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	lab_close(&lab);
	return (0);
}

/* One connection of a client, run by a thread of its own as a worker would. */
struct visit {
	struct tls_server *server;
	const char *sni;
	int version;
	bool no_ticket;
	SSL_SESSION *session; /* in: offered; out: for the next time */
	bool ok, resumed, info_resumed;
};

static void *
visit_thread(void *arg)
{
	char hello[] = "hello", got[16];
	struct iovec iov = { hello, 5 };
	struct visit *v = arg;
	struct lab_raw raw = { 0 };
	struct tls_info info;
	struct stream *s;
	int fd[2], n_got;
	size_t n;

	lab_pair(fd);
	s = tls_accept(v->server, fd[0]);
	lab_raw_open(&raw, fd[1], v->sni);
	memset(&info, 0, sizeof(info));
	SSL_set_min_proto_version(raw.ssl, v->version);
	SSL_set_max_proto_version(raw.ssl, v->version);
	if (v->no_ticket)
		SSL_set_options(raw.ssl, SSL_OP_NO_TICKET);
	if (v->session != NULL) {
		SSL_set_session(raw.ssl, v->session);
		SSL_SESSION_free(v->session);
		v->session = NULL;
	}
	v->ok =
	    lab_raw_handshake(&raw, s, NULL) && stream_write(s, &iov, 1, &n) == STREAM_OK;
	if (v->ok) {
		/* TLS 1.3 brings the ticket before the bytes */
		n_got = SSL_read(raw.ssl, got, sizeof(got));
		v->ok = n_got == 5 && tls_info(s, &info);
		v->info_resumed = info.resumed;
		v->resumed = SSL_session_reused(raw.ssl) == 1;
		v->session = SSL_get1_session(raw.ssl);
	}
	lab_raw_close(&raw);
	SSL_CTX_free(raw.ctx);
	stream_close(&s);
	return (NULL);
}

static void
visit(struct visit *v)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, visit_thread, v) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	assert_true(v->ok);
	assert_int_equal(v->resumed, v->info_resumed);
}

static void
test_resumption(void **state)
{
	static const struct {
		const char *first, *second;
		int version;
		bool no_ticket;
		unsigned rotations;
		bool resumed;
		const char *why;
	} rows[] = {
		{ "one.test", "one.test", TLS1_3_VERSION, false, 0, true, "ticket" },
		{ "one.test", "one.test", TLS1_2_VERSION, false, 0, true, "ticket" },
		{ "two.test", "two.test", TLS1_3_VERSION, false, 0, true,
		    "ticket of a certificate that is not the default" },
		{ "two.test", "two.test", TLS1_2_VERSION, false, 0, true,
		    "the same in 1.2" },
		{ "one.test", "one.test", TLS1_2_VERSION, true, 0, true, "session id" },
		{ "two.test", "two.test", TLS1_2_VERSION, true, 0, true,
		    "session id of a certificate that is not the default" },
		{ "one.test", "one.test", TLS1_3_VERSION, false, 1, true,
		    "previous key" },
		{ "one.test", "one.test", TLS1_2_VERSION, false, 1, true,
		    "previous key" },
		{ "one.test", "one.test", TLS1_3_VERSION, false, 2, true,
		    "the one before" },
		{ "one.test", "one.test", TLS1_3_VERSION, false, 3, false,
		    "key forgotten" },
		{ "one.test", "one.test", TLS1_2_VERSION, false, 3, false,
		    "key forgotten" },
		{ "one.test", "one.test", TLS1_2_VERSION, true, 3, true,
		    "ids have nothing to do with ticket keys" },
		{ "one.test", "two.test", TLS1_3_VERSION, false, 0, false,
		    "another certificate" },
		{ "one.test", "two.test", TLS1_2_VERSION, false, 0, false,
		    "another certificate" },
		{ "two.test", "one.test", TLS1_2_VERSION, true, 0, false,
		    "another certificate" },
		{ "two.test", NULL, TLS1_3_VERSION, false, 0, false, "the default" },
	};
	static const char *const files[] = { "one", "two", NULL };
	int64_t now = clock_mono_us();
	struct tls_server *server;
	struct visit v;
	unsigned k;
	size_t i;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		server = lab_server(&lab, files);
		memset(&v, 0, sizeof(v));
		v.server = server;
		v.version = rows[i].version;
		v.no_ticket = rows[i].no_ticket;
		v.sni = rows[i].first;
		visit(&v);
		assert_false(v.resumed);
		for (k = 0; k < rows[i].rotations; k++) {
			tls_server_tick(server, now + (k + 1) * 13 * HOURS);
			/* too early for the next */
			tls_server_tick(server, now + ((k + 1) * 13 + 11) * HOURS);
		}
		v.sni = rows[i].second;
		visit(&v);
		if (v.resumed != rows[i].resumed)
			fail_msg(
			    "%s to %s: %s", rows[i].first, rows[i].second, rows[i].why);
		/* what the second visit brought is good for a third */
		if (rows[i].rotations < 3) {
			visit(&v);
			assert_true(v.resumed);
		}
		SSL_SESSION_free(v.session);
		tls_server_free(&server);
	}
}

/* Tickets of one server are no use at another: keys are its own. */
static void
test_servers_do_not_share_keys(void **state)
{
	static const char *const files[] = { "one", NULL };
	struct tls_server *a = lab_server(&lab, files), *b = lab_server(&lab, files);
	struct visit v = { .server = a, .sni = "one.test", .version = TLS1_3_VERSION };

	(void)state;
	visit(&v);
	v.server = b;
	visit(&v);
	assert_false(v.resumed);
	SSL_SESSION_free(v.session);
	tls_server_free(&a);
	tls_server_free(&b);
}

static void *
worker_thread(void *arg)
{
	struct visit *v = arg;
	bool ok = true;
	int i;

	for (i = 0; i < 30; i++) {
		v->version = i % 3 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
		v->no_ticket = i % 6 == 0;
		if (i % 5 == 0) {
			SSL_SESSION_free(v->session);
			v->session = NULL;
		}
		visit_thread(v);
		ok = ok && v->ok;
	}
	SSL_SESSION_free(v->session);
	v->ok = ok;
	return (NULL);
}

/* Handshakes on several threads while another one changes the keys and the
 * first owner lets go: for the sanitizers. */
static void
test_threads(void **state)
{
	static const char *const files[] = { "one", "two", NULL };
	struct tls_server *server = lab_server(&lab, files);
	int64_t now = clock_mono_us();
	struct visit visits[4];
	pthread_t threads[4];
	size_t i;

	(void)state;
	memset(visits, 0, sizeof(visits));
	for (i = 0; i < N(threads); i++) {
		visits[i].server = tls_server_ref(server);
		visits[i].sni = i % 2 == 0 ? "one.test" : "two.test";
		CHECK(pthread_create(&threads[i], NULL, worker_thread, &visits[i]) == 0);
	}
	for (i = 1; i < 20; i++)
		tls_server_tick(server, now + (int64_t)i * 12 * HOURS);
	tls_server_free(&server);
	assert_null(server);
	for (i = 0; i < N(threads); i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
		assert_true(visits[i].ok);
		tls_server_free(&visits[i].server);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_servers_do_not_share_keys),
		cmocka_unit_test(test_threads),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
