/* SPDX-License-Identifier: Apache-2.0 */
/* TLS streams over real sockets: handshakes that succeed and fail, bytes in
 * both directions, and peers that do not play by the rules. */
#include "config.h"

#include "tests/unit/tls_lab.h"

#include <openssl/err.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

#include "gateway/base/check.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

static struct lab lab;

static int
setup(void **state)
{
	static const struct lab_cert certs[] = {
		{ .file = "ca", .ca = true },
		{ .file = "other-ca", .ca = true },
		{ .file = "app",
		    .names = "DNS:app.test,DNS:*.app.test,IP:192.0.2.1,IP:2001:db8::1",
		    .issuer = "ca" },
		{ .file = "expired",
		    .names = "DNS:app.test",
		    .issuer = "ca",
		    .from_days = -20,
		    .to_days = -10 },
		{ .file = "lone", .names = "DNS:app.test" },
		{ .file = "user", .cn = "gateway", .issuer = "ca" },
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

static struct tls_server *
server_of(const char *file)
{
	const char *const files[] = { file, NULL };

	return (lab_server(&lab, files));
}

/* --- handshakes ------------------------------------------------------------ */

static void
test_verification(void **state)
{
	static const struct {
		const char *server, *ca, *name, *error, *why;
	} rows[] = {
		{ "app", "ca", "app.test", NULL, "all well" },
		{ "app", "ca", "www.app.test", NULL, "wildcard" },
		{ "app", "ca", "192.0.2.1", NULL, "address" },
		{ "app", "ca", "2001:db8::1", NULL, "address" },
		{ "app", "ca", "[2001:db8::1]", NULL, "address as in a URL" },
		{ "app", "app", "app.test", NULL, "the certificate itself is trusted" },
		{ "lone", "lone", "app.test", NULL, "self-signed and trusted" },
		{ "app", NULL, "evil.test", NULL, "verification off" },
		{ "app", NULL, "", NULL, "verification off, no name" },
		{ "app", "ca", "evil.test", "hostname mismatch", "another name" },
		{ "app", "ca", "a.b.app.test", "hostname mismatch", "wildcard too wide" },
		{ "app", "ca", "192.0.2.2", "IP address mismatch", "another address" },
		{ "app", "other-ca", "app.test",
		    "self-signed certificate in certificate chain", "another CA" },
		{ "lone", "ca", "app.test", "self-signed certificate", "nobody's" },
		{ "expired", "ca", "app.test", "certificate has expired", "expired" },
		{ "app", "ca", "", "no name to verify the certificate against",
		    "no name" },
	};
	enum stream_rc sr, cr;
	struct tls_server *server;
	struct tls_client *client;
	struct stream *s, *c;
	struct tls_info info;
	size_t i;
	int fd[2];

	(void)state;
	for (i = 0; i < N(rows); i++) {
		server = server_of(rows[i].server);
		client = lab_client(&lab, rows[i].ca);
		lab_pair(fd);
		s = tls_accept(server, fd[0]);
		c = tls_connect(client, fd[1], rows[i].name);
		assert_false(tls_info(c, &info));
		lab_handshake(s, c, &sr, &cr);
		if ((cr == STREAM_OK) != (rows[i].error == NULL) ||
		    (cr != STREAM_OK && strcmp(c->error, rows[i].error) != 0))
			fail_msg("%s: %d \"%s\"", rows[i].why, cr, c->error);
		if (cr != STREAM_OK && rows[i].name[0] != '\0')
			assert_int_equal(sr, STREAM_ERROR);
		if (cr == STREAM_OK) {
			assert_int_equal(sr, STREAM_OK);
			assert_true(tls_info(s, &info));
			assert_string_equal(info.version, "TLSv1.3");
			assert_string_equal(info.cipher, "TLS_AES_128_GCM_SHA256");
			assert_true(span_eq(info.alpn, SPAN("http/1.1")));
			assert_false(info.resumed);
		}
		stream_close(&s);
		stream_close(&c);
		tls_server_free(&server);
		tls_client_free(&client);
	}
}

/* The name is there for whoever looks, and only names are sent. */
static void
test_sni_is_told(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "app.test", "app.test" },
		{ "Nobody.TEST", "Nobody.TEST" },
		{ "192.0.2.1", NULL },
	};
	struct tls_server *server = server_of("app");
	struct tls_client *client = lab_client(&lab, NULL);
	enum stream_rc sr, cr;
	struct stream *s, *c;
	struct tls_info info;
	size_t i;
	int fd[2];

	(void)state;
	for (i = 0; i < N(rows); i++) {
		lab_pair(fd);
		s = tls_accept(server, fd[0]);
		c = tls_connect(client, fd[1], rows[i].name);
		lab_handshake(s, c, &sr, &cr);
		assert_true(tls_info(s, &info));
		assert_true(span_eq(info.sni, span_of(rows[i].want)));
		stream_close(&s);
		stream_close(&c);
	}
	tls_server_free(&server);
	tls_client_free(&client);
}

static void
test_client_files(void **state)
{
	static const struct {
		const char *ca, *certificate, *key, *says;
		enum err_code code;
	} rows[] = {
		{ "none.pem", "", "", "none.pem", ERR_FORMAT },
		{ "ca.key", "", "", "ca.key", ERR_FORMAT },
		{ "ca.pem", "user.pem", "", "both", ERR_MISSING },
		{ "ca.pem", "user.pem", "app.key", "app.key", ERR_CONFLICT },
		{ "ca.pem", "user.pem", "user.key", NULL, ERR_OK },
		{ "", "", "", NULL, ERR_OK },
	};
	struct tls_client_options o = { .verify = true };
	struct tls_client *client;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		o.ca = rows[i].ca[0] != '\0' ? lab_path(&lab, rows[i].ca) : "system";
		o.files.certificate = rows[i].certificate[0] != '\0'
					  ? lab_path(&lab, rows[i].certificate)
					  : "";
		o.files.key = rows[i].key[0] != '\0' ? lab_path(&lab, rows[i].key) : "";
		o.files.ocsp = "";
		assert_int_equal(tls_client_new(&client, &o, &e), rows[i].code);
		if (rows[i].says != NULL && strstr(e.text, rows[i].says) == NULL)
			fail_msg("\"%s\"", e.text);
		tls_client_free(&client);
	}
}

/* An origin of plain OpenSSL that asks for a client certificate. */
static void
test_client_certificate(void **state)
{
	struct tls_files user = lab_files(&lab, "user"), app = lab_files(&lab, "app");
	struct tls_client_options o = {
		.ca = lab_path(&lab, "ca.pem"), .verify = true, .files = user
	};
	enum stream_rc rc = STREAM_WANT_READ;
	struct tls_client *client;
	int fd[2], i, done = 0;
	struct stream *c;
	struct err e;
	char cn[64];
	SSL_CTX *ctx;
	X509 *peer;
	SSL *ssl;

	(void)state;
	assert_int_equal(tls_client_new(&client, &o, &e), ERR_OK);
	ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, app.certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, app.key, SSL_FILETYPE_PEM), 1);
	assert_int_equal(SSL_CTX_load_verify_file(ctx, o.ca), 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	lab_pair(fd);
	c = tls_connect(client, fd[0], "app.test");
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd[1]);
	for (i = 0; i < 20 && (done != 1 || rc != STREAM_OK); i++) {
		if (rc != STREAM_OK)
			rc = stream_handshake(c);
		if (done != 1)
			done = SSL_accept(ssl);
	}
	assert_int_equal(rc, STREAM_OK);
	assert_int_equal(done, 1);
	peer = SSL_get1_peer_certificate(ssl);
	assert_non_null(peer);
	X509_NAME_get_text_by_NID(
	    X509_get_subject_name(peer), NID_commonName, cn, sizeof(cn));
	assert_string_equal(cn, "gateway");
	X509_free(peer);
	stream_close(&c);
	SSL_free(ssl);
	close(fd[1]);
	SSL_CTX_free(ctx);
	tls_client_free(&client);
}

/* What old or odd clients are told. */
static void
test_odd_clients(void **state)
{
	static const struct {
		int version;
		const char *ciphers, *groups;
		const char *alpn; /* on the wire */
		bool ok;
		const char *chosen; /* ALPN */
		const char *says, *why;
	} rows[] = {
		{ TLS1_3_VERSION, NULL, NULL, NULL, true, "", NULL, "1.3" },
		{ TLS1_2_VERSION, NULL, NULL, NULL, true, "", NULL, "1.2" },
		{ TLS1_1_VERSION, NULL, NULL, NULL, false, "", "alert protocol version",
		    "1.1" },
		{ TLS1_VERSION, NULL, NULL, NULL, false, "", "alert protocol version",
		    "1.0" },
		{ TLS1_2_VERSION, "AES128-GCM-SHA256", NULL, NULL, false, "",
		    "handshake failure", "no forward secrecy" },
		{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", NULL, NULL, false, "",
		    "handshake failure", "CBC" },
		{ TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL, NULL, true, "",
		    NULL, "ChaCha" },
		{ TLS1_3_VERSION, NULL, "P-256", NULL, true, "", NULL, "P-256" },
		{ TLS1_3_VERSION, NULL, "P-521", NULL, false, "", "handshake failure",
		    "P-521" },
		{ TLS1_3_VERSION, NULL, NULL, "\x08http/1.1", true, "http/1.1", NULL,
		    "ALPN" },
		{ TLS1_3_VERSION, NULL, NULL, "\x02h2\x08http/1.1", true, "http/1.1",
		    NULL, "we do not have its first choice" },
		{ TLS1_2_VERSION, NULL, NULL, "\x08http/1.1\x02h2", true, "http/1.1",
		    NULL, "1.2" },
		{ TLS1_3_VERSION, NULL, NULL, "\x02h2\x04xmpp", false, "",
		    "no application protocol", "nothing in common" },
		{ TLS1_2_VERSION, NULL, NULL, "\x02h2", false, "",
		    "no application protocol", "nothing in common" },
	};
	struct tls_server *server = server_of("app");
	struct lab_raw raw;
	struct tls_info info;
	const char *reason;
	struct stream *s;
	int fd[2];
	size_t i;
	bool ok;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		memset(&raw, 0, sizeof(raw));
		lab_pair(fd);
		s = tls_accept(server, fd[0]);
		lab_raw_open(&raw, fd[1], "app.test");
		SSL_set_security_level(raw.ssl, 0);
		SSL_set_min_proto_version(raw.ssl, rows[i].version);
		SSL_set_max_proto_version(raw.ssl, rows[i].version);
		SSL_set_cipher_list(
		    raw.ssl, rows[i].ciphers != NULL ? rows[i].ciphers : "ALL");
		if (rows[i].groups != NULL)
			SSL_set1_groups_list(raw.ssl, rows[i].groups);
		if (rows[i].alpn != NULL)
			SSL_set_alpn_protos(raw.ssl, (const unsigned char *)rows[i].alpn,
			    (unsigned)strlen(rows[i].alpn));
		ok = lab_raw_handshake(&raw, s, &reason);
		if (ok != rows[i].ok ||
		    (!ok && (reason == NULL || strstr(reason, rows[i].says) == NULL)))
			fail_msg(
			    "%s: %d \"%s\" \"%s\"", rows[i].why, ok, reason, s->error);
		if (ok) {
			assert_true(tls_info(s, &info));
			assert_true(span_eq(info.alpn, span_of(rows[i].chosen)));
			/* nothing may be sent before the handshake ends */
			assert_int_equal(
			    SSL_SESSION_get_max_early_data(SSL_get0_session(raw.ssl)), 0);
		} else {
			assert_int_equal(stream_handshake(s), STREAM_ERROR);
			assert_non_null(s->error);
		}
		lab_raw_close(&raw);
		SSL_CTX_free(raw.ctx);
		stream_close(&s);
	}
	tls_server_free(&server);
}

static void
test_only_1_3(void **state)
{
	struct tls_files files = lab_files(&lab, "app");
	struct tls_server_options o = { &files, 1, true, NULL };
	struct lab_raw raw = { 0 };
	struct tls_server *server;
	const char *reason;
	struct stream *s;
	struct err e;
	int fd[2];

	(void)state;
	assert_int_equal(tls_server_new(&server, &o, &e), ERR_OK);
	lab_pair(fd);
	s = tls_accept(server, fd[0]);
	lab_raw_open(&raw, fd[1], "app.test");
	SSL_set_max_proto_version(raw.ssl, TLS1_2_VERSION);
	assert_false(lab_raw_handshake(&raw, s, &reason));
	assert_non_null(strstr(reason, "protocol version"));
	lab_raw_close(&raw);
	SSL_CTX_free(raw.ctx);
	stream_close(&s);
	tls_server_free(&server);
}

/* --- plain HTTP on a TLS port ---------------------------------------------- */

static void
test_plain_http(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
	char start[] = "HTTP/1.1 ", status[] = "308";
	struct iovec answer[] = { { start, 9 }, { status, 3 } };
	struct tls_server *server = server_of("app");
	struct tls_info info;
	struct stream *s;
	char got[128];
	int fd[2];
	size_t n;

	(void)state;
	lab_pair(fd);
	s = tls_accept(server, fd[0]);
	assert_int_equal(stream_handshake(s), STREAM_WANT_READ);
	assert_int_equal(write(fd[1], request, sizeof(request) - 1), sizeof(request) - 1);
	assert_int_equal(stream_handshake(s), STREAM_PLAIN_HTTP);
	assert_int_equal(stream_handshake(s), STREAM_OK);
	assert_false(tls_info(s, &info));
	assert_int_equal(stream_read(s, got, sizeof(got), &n), STREAM_OK);
	assert_int_equal(n, sizeof(request) - 1);
	assert_memory_equal(got, request, n);
	assert_int_equal(stream_read(s, got, sizeof(got), &n), STREAM_WANT_READ);
	assert_false(stream_pending(s));
	assert_int_equal(stream_write(s, answer, 2, &n), STREAM_OK);
	assert_int_equal(n, 12);
	assert_int_equal(stream_finish(s), STREAM_OK);
	assert_int_equal(read(fd[1], got, sizeof(got)), 12);
	assert_memory_equal(got, "HTTP/1.1 308", 12);
	assert_int_equal(read(fd[1], got, sizeof(got)), 0);
	close(fd[1]);
	assert_int_equal(stream_read(s, got, sizeof(got), &n), STREAM_EOF);
	stream_close(&s);
	tls_server_free(&server);
}

/* Ends of a connection before or in the handshake, and rubbish. */
static void
test_short_visits(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum stream_rc want;
	} rows[] = {
		{ "", 0, STREAM_EOF },
		{ "\x16", 1, STREAM_ERROR },
		{ "\x16\x03\x01\x02", 4, STREAM_ERROR },
		{ "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10, STREAM_ERROR },
		{ "\x16GET / HTTP/1.1\r\n\r\n", 19, STREAM_ERROR },
	};
	struct tls_server *server = server_of("app");
	enum stream_rc rc;
	struct stream *s;
	size_t i;
	int fd[2];

	(void)state;
	for (i = 0; i < N(rows); i++) {
		lab_pair(fd);
		s = tls_accept(server, fd[0]);
		assert_int_equal(write(fd[1], rows[i].bytes, rows[i].n), rows[i].n);
		shutdown(fd[1], SHUT_WR);
		rc = stream_handshake(s);
		assert_int_equal(rc, rows[i].want);
		if (rc == STREAM_ERROR)
			assert_non_null(s->error);
		close(fd[1]);
		stream_close(&s);
	}
	tls_server_free(&server);
}

/* The client says why, too. */
static void
test_origin_without_tls(void **state)
{
	struct tls_client *client = lab_client(&lab, "ca");
	struct stream *c;
	int fd[2];

	(void)state;
	lab_pair(fd);
	c = tls_connect(client, fd[0], "app.test");
	assert_int_equal(stream_handshake(c), STREAM_WANT_READ);
	assert_int_equal(write(fd[1], "HTTP/1.1 400 Bad\r\n\r\n", 20), 20);
	assert_int_equal(stream_handshake(c), STREAM_ERROR);
	assert_string_equal(c->error, "wrong version number");
	close(fd[1]);
	stream_close(&c);
	tls_client_free(&client);
}

/* A connect that is under way when the stream takes the socket. */
static void
test_origin_that_is_not_there(void **state)
{
	struct tls_client *client = lab_client(&lab, "ca");
	struct sockaddr_in addr = { .sin_family = AF_INET };
	enum stream_rc rc = STREAM_WANT_WRITE;
	socklen_t len = sizeof(addr);
	struct pollfd wait;
	struct stream *c;
	int fd, unused;

	(void)state;
	/* a port that is taken, but not listened on */
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	unused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(unused, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(unused, (struct sockaddr *)&addr, &len), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, len), -1);
	c = tls_connect(client, fd, "app.test");
	while (rc == STREAM_WANT_WRITE) {
		wait = (struct pollfd){ .fd = fd, .events = POLLOUT };
		assert_int_equal(poll(&wait, 1, 5000), 1);
		rc = stream_handshake(c);
	}
	assert_int_equal(rc, STREAM_ERROR);
	assert_string_equal(c->error, "Connection refused");
	stream_close(&c);
	close(unused);
	tls_client_free(&client);
}

/* --- bytes ----------------------------------------------------------------- */

struct both {
	struct tls_server *server;
	struct tls_client *client;
	struct stream *s, *c;
};

static void
both_open(struct both *b)
{
	enum stream_rc sr, cr;
	int fd[2], size = 16384;

	b->server = server_of("app");
	b->client = lab_client(&lab, "ca");
	lab_pair(fd);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	b->s = tls_accept(b->server, fd[0]);
	b->c = tls_connect(b->client, fd[1], "app.test");
	lab_handshake(b->s, b->c, &sr, &cr);
	assert_int_equal(sr, STREAM_OK);
	assert_int_equal(cr, STREAM_OK);
}

static void
both_close(struct both *b)
{
	stream_close(&b->s);
	stream_close(&b->c);
	tls_server_free(&b->server);
	tls_client_free(&b->client);
}

/* One direction of a transfer: a known sequence of bytes, so that a lost, doubled
 * or moved one is seen. */
struct flow {
	struct stream *from, *to;
	size_t sent, got, total;
	unsigned waits;
	uint32_t random;
};

static uint8_t
byte_at(size_t i)
{
	return ((uint8_t)(i * 2654435761u >> 13));
}

static uint32_t
next_random(struct flow *f)
{
	f->random = f->random * 1664525u + 1013904223u;
	return (f->random >> 8);
}

/* Writes a vector of odd pieces; after a WANT the same bytes come again, cut
 * elsewhere, from other memory, with more behind. */
static void
flow_send(struct flow *f)
{
	static uint8_t memory[2][65536];
	struct iovec iov[8];
	enum stream_rc rc;
	uint8_t *base = memory[next_random(f) % 2];
	size_t i, n, at = 0, room = sizeof(memory[0]);
	int count;

	if (f->sent == f->total)
		return;
	if (room > f->total - f->sent)
		room = f->total - f->sent;
	for (i = 0; i < room; i++)
		base[i] = byte_at(f->sent + i);
	for (count = 0; count < 7; count++) {
		n = next_random(f) % (next_random(f) % 4 == 0 ? 30000 : 300);
		if (n > room - at)
			n = room - at;
		iov[count].iov_base = base + at;
		iov[count].iov_len = n;
		at += n;
	}
	iov[7].iov_base = base + at;
	iov[7].iov_len = room - at;
	rc = stream_write(f->from, iov, 8, &n);
	if (rc == STREAM_OK) {
		assert_true(n >= 1 && n <= room);
		f->sent += n;
	} else {
		assert_int_equal(rc, STREAM_WANT_WRITE);
		assert_int_equal(n, 0);
		f->waits++;
	}
	memset(base, 0xee, room);
}

static void
flow_receive(struct flow *f)
{
	uint8_t got[20000];
	enum stream_rc rc;
	size_t i, n;

	rc = stream_read(f->to, got, 1 + next_random(f) % sizeof(got), &n);
	if (rc == STREAM_WANT_READ) {
		assert_int_equal(n, 0);
		assert_false(stream_pending(f->to));
		return;
	}
	assert_int_equal(rc, STREAM_OK);
	for (i = 0; i < n; i++)
		assert_int_equal(got[i], byte_at(f->got + i));
	f->got += n;
}

static void
test_back_pressure_both_ways(void **state)
{
	struct flow up, down;
	struct both b;
	unsigned round;

	(void)state;
	both_open(&b);
	up = (struct flow){ .from = b.c, .to = b.s, .total = 3000000, .random = 1 };
	down = (struct flow){ .from = b.s, .to = b.c, .total = 3000000, .random = 2 };
	for (round = 0; up.got < up.total || down.got < down.total; round++) {
		assert_true(round < 1000000);
		/* writers first, so that both directions stand still at times */
		flow_send(&up);
		flow_send(&down);
		if (round % 7 == 0)
			flow_receive(&up);
		if (round % 5 == 0)
			flow_receive(&down);
	}
	assert_true(up.waits > 0);
	assert_true(down.waits > 0);
	assert_int_equal(up.got, up.total);
	assert_int_equal(down.got, down.total);
	both_close(&b);
}

/* Head and body in one record: one system call here, one packet on the wire. */
static void
test_pieces_share_a_record(void **state)
{
	char head[100] = { 'h' }, body[5000] = { 'b' }, large[40000] = { 'l' },
	     got[20000];
	struct iovec iov[] = { { head, sizeof(head) }, { NULL, 0 },
		{ body, sizeof(body) } };
	struct iovec one = { large, sizeof(large) };
	struct both b;
	size_t n;

	(void)state;
	both_open(&b);
	assert_int_equal(stream_write(b.s, iov, 3, &n), STREAM_OK);
	assert_int_equal(n, 5100);
	assert_int_equal(stream_read(b.c, got, sizeof(got), &n), STREAM_OK);
	assert_int_equal(n, 5100);
	assert_int_equal(got[0], 'h');
	assert_int_equal(got[100], 'b');
	/* and a large one goes record by record */
	assert_int_equal(stream_write(b.s, &one, 1, &n), STREAM_OK);
	assert_int_equal(n, 16384);
	both_close(&b);
}

static void
test_endings(void **state)
{
	char bye[] = "bye";
	struct iovec iov = { bye, 3 };
	struct both b;
	char got[16];
	size_t n;

	(void)state;
	/* orderly: what was sent arrives, then the end; the other way is open */
	both_open(&b);
	assert_int_equal(stream_write(b.s, &iov, 1, &n), STREAM_OK);
	assert_int_equal(stream_finish(b.s), STREAM_OK);
	assert_int_equal(stream_finish(b.s), STREAM_OK);
	assert_int_equal(stream_read(b.c, got, sizeof(got), &n), STREAM_OK);
	assert_int_equal(n, 3);
	assert_int_equal(stream_read(b.c, got, sizeof(got), &n), STREAM_EOF);
	assert_int_equal(stream_read(b.c, got, sizeof(got), &n), STREAM_EOF);
	assert_int_equal(stream_write(b.c, &iov, 1, &n), STREAM_OK);
	assert_int_equal(stream_read(b.s, got, sizeof(got), &n), STREAM_OK);
	both_close(&b);

	/* cut: must not pass for the end of an answer */
	both_open(&b);
	shutdown(b.s->fd, SHUT_WR);
	assert_int_equal(stream_read(b.c, got, sizeof(got), &n), STREAM_ERROR);
	assert_string_equal(b.c->error, "closed without a TLS close_notify");
	assert_int_equal(stream_read(b.c, got, sizeof(got), &n), STREAM_ERROR);
	assert_int_equal(stream_write(b.c, &iov, 1, &n), STREAM_ERROR);
	both_close(&b);

	/* gone: an error, no SIGPIPE (whose default action would end the test) */
	both_open(&b);
	stream_close(&b.c);
	assert_int_equal(stream_write(b.s, &iov, 1, &n), STREAM_ERROR);
	assert_string_equal(b.s->error, "Broken pipe");
	assert_int_equal(stream_write(b.s, &iov, 1, &n), STREAM_ERROR);
	both_close(&b);

	/* a record changed on its way */
	both_open(&b);
	assert_int_equal(
	    send(b.s->fd, "\x17\x03\x03\x00\x20rubbish rubbish rubbish rubbish.", 37, 0),
	    37);
	assert_int_equal(stream_read(b.c, got, sizeof(got), &n), STREAM_ERROR);
	assert_string_equal(b.c->error, "decryption failed or bad record mac");
	both_close(&b);
}

/* --- peers that do not play by the rules ----------------------------------- */

struct raw_peer {
	struct tls_server *server;
	struct lab_raw raw;
	struct stream *s;
};

static void
raw_peer_open(struct raw_peer *p, int version)
{
	int fd[2];

	memset(p, 0, sizeof(*p));
	p->server = server_of("app");
	lab_pair(fd);
	p->s = tls_accept(p->server, fd[0]);
	lab_raw_open(&p->raw, fd[1], "app.test");
	SSL_set_max_proto_version(p->raw.ssl, version);
	assert_true(lab_raw_handshake(&p->raw, p->s, NULL));
}

static void
raw_peer_close(struct raw_peer *p)
{
	lab_raw_close(&p->raw);
	SSL_CTX_free(p->raw.ctx);
	stream_close(&p->s);
	tls_server_free(&p->server);
}

/* Half a record is held, but there is nothing to read: "pending" would make the
 * owner spin. */
static void
test_half_a_record_is_not_pending(void **state)
{
	uint8_t record[200];
	struct raw_peer p;
	char got[64];
	int pipe_fd[2];
	ssize_t length;
	size_t n;

	(void)state;
	raw_peer_open(&p, TLS1_3_VERSION);
	assert_int_equal(stream_read(p.s, got, sizeof(got), &n), STREAM_WANT_READ);
	/* one record, caught before it gets to the socket */
	lab_pair(pipe_fd);
	SSL_set_wfd(p.raw.ssl, pipe_fd[0]);
	assert_int_equal(SSL_write(p.raw.ssl, "twice", 5), 5);
	length = read(pipe_fd[1], record, sizeof(record));
	assert_true(length > 20);
	assert_int_equal(write(p.raw.fd, record, 20), 20);
	assert_int_equal(stream_read(p.s, got, sizeof(got), &n), STREAM_WANT_READ);
	assert_false(stream_pending(p.s));
	assert_int_equal(write(p.raw.fd, record + 20, (size_t)length - 20), length - 20);
	/* a small read leaves decrypted bytes behind */
	assert_int_equal(stream_read(p.s, got, 2, &n), STREAM_OK);
	assert_int_equal(n, 2);
	assert_true(stream_pending(p.s));
	assert_int_equal(stream_read(p.s, got, sizeof(got), &n), STREAM_OK);
	assert_int_equal(n, 3);
	assert_false(stream_pending(p.s));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	raw_peer_close(&p);
}

/* Key updates: a few are fine, endless ones are not. */
static void
test_records_without_data(void **state)
{
	static const struct {
		int updates;
		enum stream_rc want;
	} rows[] = { { 1, STREAM_OK }, { 32, STREAM_OK }, { 60, STREAM_ERROR } };
	struct raw_peer p;
	char got[16];
	size_t n, i;
	int k;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		raw_peer_open(&p, TLS1_3_VERSION);
		for (k = 0; k < rows[i].updates; k++) {
			assert_int_equal(
			    SSL_key_update(p.raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
			assert_int_equal(SSL_do_handshake(p.raw.ssl), 1);
		}
		assert_int_equal(SSL_write(p.raw.ssl, "data", 4), 4);
		if (stream_read(p.s, got, sizeof(got), &n) != rows[i].want)
			fail_msg("%d: %s", rows[i].updates, p.s->error);
		if (rows[i].want == STREAM_ERROR)
			assert_string_equal(
			    p.s->error, "too many TLS messages without data");
		raw_peer_close(&p);
	}
}

static void
test_no_renegotiation(void **state)
{
	struct raw_peer p;
	char got[16];
	size_t n;
	int rc;

	(void)state;
	raw_peer_open(&p, TLS1_2_VERSION);
	assert_int_equal(SSL_renegotiate(p.raw.ssl), 1);
	assert_int_equal(SSL_do_handshake(p.raw.ssl), -1);
	(void)stream_read(p.s, got, sizeof(got), &n);
	ERR_clear_error();
	rc = SSL_do_handshake(p.raw.ssl);
	assert_int_equal(rc, -1);
	assert_int_equal(SSL_get_error(p.raw.ssl, rc), SSL_ERROR_SSL);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
	raw_peer_close(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verification),
		cmocka_unit_test(test_sni_is_told),
		cmocka_unit_test(test_client_files),
		cmocka_unit_test(test_client_certificate),
		cmocka_unit_test(test_odd_clients),
		cmocka_unit_test(test_only_1_3),
		cmocka_unit_test(test_plain_http),
		cmocka_unit_test(test_short_visits),
		cmocka_unit_test(test_origin_without_tls),
		cmocka_unit_test(test_origin_that_is_not_there),
		cmocka_unit_test(test_back_pressure_both_ways),
		cmocka_unit_test(test_pieces_share_a_record),
		cmocka_unit_test(test_endings),
		cmocka_unit_test(test_half_a_record_is_not_pending),
		cmocka_unit_test(test_records_without_data),
		cmocka_unit_test(test_no_renegotiation),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
