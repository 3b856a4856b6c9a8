/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of clients: asked for, verified when sent, told of, also in sessions
 * that are taken up again. */
#include "config.h"

#include "tests/unit/tls_lab.h"

#include <openssl/err.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/base/check.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

static struct lab lab;

static int
setup(void **state)
{
	static const struct lab_cert certs[] = {
		{ .file = "site", .names = "DNS:site.test" },
		{ .file = "other-site", .names = "DNS:other.test" },
		{ .file = "ca", .cn = "Clients' CA", .ca = true },
		{ .file = "middle", .issuer = "ca", .ca = true },
		{ .file = "foreign", .ca = true },
		{ .file = "anna", .cn = "Anna", .issuer = "ca" },
		{ .file = "rsa", .type = "RSA:2048", .issuer = "ca" },
		{ .file = "below", .issuer = "middle" },
		{ .file = "alien", .issuer = "foreign" },
		{ .file = "alone" },
		{ .file = "late", .issuer = "ca", .from_days = -3, .to_days = -1 },
		{ .file = "early", .issuer = "ca", .from_days = 1, .to_days = 3 },
		{ .file = "odd", .cn = "a,b+c\"<\n\x01\xc3\xa9", .issuer = "ca" },
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

static enum err_code
make_server(struct tls_server **server_r, const char *ca, struct err *e)
{
	struct tls_files files[2] = { lab_files(&lab, "site"),
		lab_files(&lab, "other-site") };
	struct tls_server_options o = { .files = files, .n_files = 2, .client_ca = ca };

	return (tls_server_new(server_r, &o, e));
}

static struct tls_server *
server_with(const char *ca)
{
	struct tls_server *server;
	struct err e;

	if (make_server(&server, ca, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return (server);
}

struct visit {
	const char *cert; /* NULL: none */
	const char *sni;
	int version;
	SSL_SESSION *session; /* in: offered; out: for the next time */
	bool ok;
	struct tls_info info;
	char subject[256];
	char error[128]; /* the server's */
	int names; /* of issuers that the server told */
};

static void
dress(struct lab_raw *raw, const struct visit *v)
{
	struct tls_files files;

	raw->ctx = SSL_CTX_new(TLS_client_method());
	CHECK(raw->ctx != NULL);
	if (v->cert == NULL)
		return;
	files = lab_files(&lab, v->cert);
	CHECK(SSL_CTX_use_certificate_chain_file(raw->ctx, files.certificate) == 1);
	CHECK(SSL_CTX_use_PrivateKey_file(raw->ctx, files.key, SSL_FILETYPE_PEM) == 1);
}

static void
talk(struct visit *v, struct lab_raw *raw, struct stream *s)
{
	char hello[] = "hello", got[16];
	struct iovec iov = { hello, 5 };
	size_t n;

	/* TLS 1.3 brings the ticket before the bytes */
	CHECK(stream_write(s, &iov, 1, &n) == STREAM_OK);
	CHECK(SSL_read(raw->ssl, got, sizeof(got)) == 5);
	CHECK(tls_info(s, &v->info));
	CHECK(v->info.client_subject.n < sizeof(v->subject));
	if (v->info.client_subject.n > 0)
		memcpy(v->subject, v->info.client_subject.p, v->info.client_subject.n);
	v->names = sk_X509_NAME_num(SSL_get_client_CA_list(raw->ssl));
	v->session = SSL_get1_session(raw->ssl);
}

static void
visit(struct tls_server *server, struct visit *v)
{
	struct lab_raw raw = { 0 };
	struct stream *s;
	int fd[2];

	memset(v->subject, 0, sizeof(v->subject));
	memset(v->error, 0, sizeof(v->error));
	lab_pair(fd);
	s = tls_accept(server, fd[0]);
	dress(&raw, v);
	lab_raw_open(&raw, fd[1], v->sni);
	SSL_set_min_proto_version(raw.ssl, v->version);
	SSL_set_max_proto_version(raw.ssl, v->version);
	if (v->session != NULL) {
		SSL_set_session(raw.ssl, v->session);
		SSL_SESSION_free(v->session);
		v->session = NULL;
	}
	v->ok = lab_raw_handshake(&raw, s, NULL);
	if (v->ok)
		talk(v, &raw, s);
	else
		snprintf(v->error, sizeof(v->error), "%s", s->error);
	lab_raw_close(&raw);
	SSL_CTX_free(raw.ctx);
	stream_close(&s);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void
test_rows(void **state)
{
	static const struct {
		const char *ca, *cert; /* NULL: none */
		bool ok, verified;
		const char *subject, *why; /* subject: of the error too */
	} rows[] = {
		{ "ca.pem", NULL, true, false, "", "it need not send one" },
		{ "ca.pem", "anna", true, true, "CN=Anna", "of the CA" },
		{ "ca.pem", "rsa", true, true, "CN=rsa", "another kind of key" },
		{ "ca.pem", "below", true, true, "CN=below", "with its intermediate" },
		{ "middle.pem", "below", true, true, "CN=below",
		    "an intermediate is enough" },
		{ "alone.pem", "alone", true, true, "CN=alone", "the one itself" },
		{ "ca.pem", "odd", true, true, "CN=a\\,b\\+c\\\"\\<\\0A\\01\\C3\\A9",
		    "escapes" },
		{ "ca.pem", "alien", false, false, "in certificate chain",
		    "of another CA" },
		{ "ca.pem", "alone", false, false, "self-signed certificate",
		    "of nobody" },
		{ "ca.pem", "late", false, false, "certificate has expired", "too late" },
		{ "ca.pem", "early", false, false, "not yet valid", "too early" },
		{ NULL, "anna", true, false, "", "nobody asked" },
	};
	struct tls_server *server;
	struct visit v;
	size_t i, j;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		server =
		    server_with(rows[i].ca != NULL ? lab_path(&lab, rows[i].ca) : "");
		for (j = 0; j < N(versions); j++) {
			memset(&v, 0, sizeof(v));
			v.cert = rows[i].cert;
			v.version = versions[j];
			visit(server, &v);
			SSL_SESSION_free(v.session);
			if (v.ok != rows[i].ok ||
			    (v.ok && (v.info.client_verified != rows[i].verified ||
					 strcmp(v.subject, rows[i].subject) != 0)) ||
			    (!v.ok && strstr(v.error, rows[i].subject) == NULL))
				fail_msg("%s, %s: %d %d \"%s\" %s", rows[i].cert,
				    rows[i].why, v.ok, v.info.client_verified, v.subject,
				    v.error);
		}
		tls_server_free(&server);
	}
}

/* A session keeps what was verified when it began. */
static void
test_resumption(void **state)
{
	struct tls_server *server, *other;
	struct visit v;
	size_t j;

	(void)state;
	server = server_with(lab_path(&lab, "ca.pem"));
	for (j = 0; j < 2 * N(versions); j++) {
		memset(&v, 0, sizeof(v));
		v.version = versions[j / 2];
		v.cert = j % 2 == 0 ? "anna" : NULL;
		v.sni = "site.test";
		visit(server, &v);
		assert_true(v.ok && !v.info.resumed);
		assert_int_equal(v.names, 1);
		v.cert = NULL; /* the session speaks for it */
		visit(server, &v);
		assert_true(v.ok && v.info.resumed);
		assert_int_equal(v.info.client_verified, j % 2 == 0);
		assert_string_equal(v.subject, j % 2 == 0 ? "CN=Anna" : "");
		/* not with another certificate of ours, nor with another server */
		v.sni = "other.test";
		visit(server, &v);
		assert_true(v.ok && !v.info.resumed && !v.info.client_verified);
		SSL_SESSION_free(v.session);
	}
	other = server_with(lab_path(&lab, "foreign.pem"));
	memset(&v, 0, sizeof(v));
	v.version = TLS1_3_VERSION;
	v.cert = "anna";
	visit(server, &v);
	v.cert = NULL;
	visit(other, &v);
	assert_true(v.ok && !v.info.resumed && !v.info.client_verified);
	SSL_SESSION_free(v.session);
	tls_server_free(&server);
	tls_server_free(&other);
}

static void
append(FILE *out, const char *file)
{
	FILE *in = fopen(lab_path(&lab, file), "r");
	char bytes[8192];
	size_t n;

	CHECK(in != NULL);
	n = fread(bytes, 1, sizeof(bytes), in);
	CHECK(fwrite(bytes, 1, n, out) == n);
	fclose(in);
}

static void
test_files(void **state)
{
	static const struct {
		const char *file, *part, *why;
	} rows[] = {
		{ "missing.pem", "No such file", "missing" },
		{ "empty.pem", "no certificate in it", "empty" },
		{ "anna.key", "no certificate in it", "a key" },
		{ "broken.pem", "broken", "broken" },
		{ "half.pem", "broken", "the second one is broken" },
		{ "many.pem", "too many certificates", "everybody" },
	};
	struct tls_server *server;
	struct err e;
	FILE *out;
	size_t i;

	(void)state;
	lab_write(&lab, "empty.pem", "");
	lab_write(&lab, "broken.pem",
	    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	out = fopen(lab_path(&lab, "half.pem"), "w");
	append(out, "ca.pem");
	append(out, "broken.pem");
	fclose(out);
	out = fopen(lab_path(&lab, "many.pem"), "w");
	for (i = 0; i < 1500; i++)
		append(out, "ca.pem");
	fclose(out);
	for (i = 0; i < N(rows); i++) {
		assert_int_not_equal(
		    make_server(&server, lab_path(&lab, rows[i].file), &e), ERR_OK);
		assert_null(server);
		if (strstr(e.text, rows[i].file) == NULL ||
		    strstr(e.text, rows[i].part) == NULL)
			fail_msg("%s: %s", rows[i].why, e.text);
	}
	/* several in one file */
	out = fopen(lab_path(&lab, "two.pem"), "w");
	append(out, "ca.pem");
	append(out, "foreign.pem");
	fclose(out);
	server = server_with(lab_path(&lab, "two.pem"));
	for (i = 0; i < 2; i++) {
		struct visit v = { .version = TLS1_3_VERSION };

		v.cert = i == 0 ? "anna" : "alien";
		visit(server, &v);
		assert_true(v.ok && v.info.client_verified);
		assert_int_equal(v.names, 2);
		SSL_SESSION_free(v.session);
	}
	tls_server_free(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_files),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
