/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS connection as a stream, over a plain stream that owns the socket. */
#include "config.h"

#include "gateway/tls/internal.h"

#include <openssl/err.h>

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"

#define RECORD_MAX SSL3_RT_MAX_PLAIN_LENGTH /* 16 KiB */
#define FIRST_BYTE_OF_TLS 0x16 /* a handshake record */
/* Handshake messages (key updates, tickets, refused renegotiations) between two
 * reads that bring data. */
#define MESSAGES_MAX 32

enum state {
	TLS_START, /* no byte seen, no SSL yet */
	TLS_HANDSHAKE,
	TLS_OPEN,
	TLS_PLAIN, /* plain HTTP on a TLS port */
	TLS_BROKEN, /* OpenSSL must not be asked again */
};

struct tls_stream {
	struct stream stream; /* first: the ops cast */
	enum state state;
	struct stream *plain; /* owns the descriptor */
	SSL *ssl;
	struct tls_server *server; /* one of the two */
	struct tls_client *client;
	char *name; /* SNI; client: the peer's name */
	char *subject; /* of the client's certificate; NULL: none */
	size_t unsent; /* bytes of a record that OpenSSL holds */
	int io_errno; /* of the last socket call that failed */
	unsigned messages; /* since the last read that brought data */
	bool eof; /* the socket's end was seen */
	bool starved; /* what OpenSSL holds is no whole record */
	bool finished;
	bool more; /* another record follows at once */
};

static struct tls_stream *
tls_of(struct stream *s)
{
	CHECK_OBJ(s, STREAM_MAGIC);
	return ((struct tls_stream *)s);
}

/* --- the socket under OpenSSL: no SIGPIPE, errno kept --------------------- */

static int
bio_read(BIO *bio, char *to, int size)
{
	struct tls_stream *t = BIO_get_data(bio);
	ssize_t got;

	BIO_clear_retry_flags(bio);
	if (t->messages > MESSAGES_MAX)
		return (-1);
	do {
		got = recv(t->stream.fd, to, (size_t)size, 0);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN) {
		BIO_set_retry_read(bio);
	} else if (got < 0) {
		t->io_errno = errno;
	} else if (got == 0) {
		t->eof = true;
	}
	return ((int)got);
}

static int
bio_write(BIO *bio, const char *from, int n)
{
	struct tls_stream *t = BIO_get_data(bio);
	ssize_t sent;

	BIO_clear_retry_flags(bio);
	do {
		sent = send(t->stream.fd, from, (size_t)n,
		    MSG_NOSIGNAL | (t->more ? MSG_MORE : 0));
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN) {
		BIO_set_retry_write(bio);
	} else if (sent < 0) {
		t->io_errno = errno;
	}
	return ((int)sent);
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const struct tls_stream *t = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH: return (1);
	case BIO_CTRL_EOF: return (t->eof);
	default: return (0);
	}
}

BIO_METHOD *
tls_bio_method(void)
{
	BIO_METHOD *method;

	method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "yett socket");
	if (method != NULL) {
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	return (method);
}

/* --- what OpenSSL's answers mean ------------------------------------------- */

static enum stream_rc
broken(struct tls_stream *t, const char *text)
{
	t->state = TLS_BROKEN;
	t->stream.error = text;
	ERR_clear_error();
	return (STREAM_ERROR);
}

static const char *
fault_text(const struct tls_stream *t)
{
	unsigned long code = ERR_peek_error();
	const char *text;
	long verdict;

	if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
		verdict = SSL_get_verify_result(t->ssl);
		switch (ERR_GET_REASON(code)) {
		case SSL_R_CERTIFICATE_VERIFY_FAILED:
			if (verdict != X509_V_OK)
				return (X509_verify_cert_error_string(verdict));
			break;
		case SSL_R_UNEXPECTED_EOF_WHILE_READING:
			return ("closed without a TLS close_notify");
		default: break;
		}
	}
	if (code != 0)
		return (tls_reason());
	if (t->eof)
		return ("closed without a TLS close_notify");
	text = strerrordesc_np(t->io_errno);
	return (t->io_errno != 0 && text != NULL ? text : "TLS failed, no reason given");
}

static enum stream_rc
outcome(struct tls_stream *t)
{
	switch (SSL_get_error(t->ssl, 0)) {
	case SSL_ERROR_WANT_READ: return (STREAM_WANT_READ);
	case SSL_ERROR_WANT_WRITE: return (STREAM_WANT_WRITE);
	case SSL_ERROR_ZERO_RETURN: return (STREAM_EOF);
	default: return (broken(t, fault_text(t)));
	}
}

/* --- operations ------------------------------------------------------------ */

static enum stream_rc
forward(struct tls_stream *t, enum stream_rc rc)
{
	t->stream.error = t->plain->error;
	return (rc);
}

/* SSL_read goes through messages that carry no data by itself and as long as
 * there are any; past MESSAGES_MAX the socket gives it no more (bio_read). */
/* lint: parameters: OpenSSL calls it so */
static void
on_message(
    int is_sent, int version, int type, const void *bytes, size_t n, SSL *ssl, void *arg)
{
	struct tls_stream *t = arg;

	(void)version;
	(void)bytes;
	(void)n;
	(void)ssl;
	if (!is_sent && type == SSL3_RT_HANDSHAKE && t->state == TLS_OPEN)
		t->messages++;
}

/* Creates the SSL only when there is something to do with it: a connection that
 * sends nothing costs no more than its descriptor. */
static bool
start_ssl(struct tls_stream *t)
{
	SSL_CTX *ctx;
	BIO *bio;

	ctx = t->server != NULL ? t->server->sni.contexts[0].ctx : t->client->ctx;
	bio = BIO_new(t->server != NULL ? t->server->bio : t->client->bio);
	if (bio == NULL)
		return (false);
	t->ssl = SSL_new(ctx);
	if (t->ssl == NULL) {
		BIO_free(bio);
		return (false);
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	SSL_set_msg_callback(t->ssl, on_message);
	SSL_set_msg_callback_arg(t->ssl, t);
	t->state = TLS_HANDSHAKE;
	if (t->server != NULL) {
		SSL_set_accept_state(t->ssl);
		return (true);
	}
	SSL_set_connect_state(t->ssl);
	return (tls_client_name(t->client, t->ssl, t->name));
}

/* Server: looks at the first byte and leaves it where it is. Client: waits for
 * the connect. */
static enum stream_rc
start(struct tls_stream *t)
{
	enum stream_rc rc;
	uint8_t first;
	ssize_t got;

	if (t->server != NULL) {
		do {
			got = recv(t->stream.fd, &first, 1, MSG_PEEK);
		} while (got < 0 && errno == EINTR);
		if (got < 0 && errno == EAGAIN)
			return (STREAM_WANT_READ);
		if (got < 0)
			return (broken(t, strerrordesc_np(errno)));
		if (got == 0)
			return (STREAM_EOF);
		if (first != FIRST_BYTE_OF_TLS) {
			t->state = TLS_PLAIN;
			return (STREAM_PLAIN_HTTP);
		}
	} else {
		rc = stream_handshake(t->plain);
		if (rc != STREAM_OK)
			return (forward(t, rc));
		if (t->client->verify && t->name[0] == '\0')
			return (broken(t, "no name to verify the certificate against"));
	}
	ERR_clear_error();
	if (!start_ssl(t))
		return (broken(t, tls_reason()));
	return (STREAM_OK);
}

static enum stream_rc
tls_handshake(struct stream *s)
{
	struct tls_stream *t = tls_of(s);
	enum stream_rc rc;

	if (t->state == TLS_START) {
		rc = start(t);
		if (rc != STREAM_OK)
			return (rc);
	}
	switch (t->state) {
	case TLS_HANDSHAKE: break;
	case TLS_BROKEN: return (STREAM_ERROR);
	default: return (STREAM_OK);
	}
	ERR_clear_error();
	if (SSL_do_handshake(t->ssl) != 1)
		return (outcome(t));
	t->state = TLS_OPEN;
	if (t->server != NULL && t->server->trust.store != NULL)
		t->subject = tls_trust_subject(t->ssl);
	return (STREAM_OK);
}

static enum stream_rc
tls_read(struct stream *s, void *to, size_t size, size_t *n_r)
{
	struct tls_stream *t = tls_of(s);
	enum stream_rc rc;
	int got;

	*n_r = 0;
	if (t->state == TLS_PLAIN)
		return (forward(t, stream_read(t->plain, to, size, n_r)));
	if (t->state == TLS_BROKEN)
		return (STREAM_ERROR);
	CHECK(t->state == TLS_OPEN);
	ERR_clear_error();
	got = SSL_read_ex(t->ssl, to, size, n_r);
	if (t->messages > MESSAGES_MAX) {
		*n_r = 0;
		return (broken(t, "too many TLS messages without data"));
	}
	if (got == 1) {
		t->starved = false;
		t->messages = 0;
		return (STREAM_OK);
	}
	rc = outcome(t);
	t->starved = rc == STREAM_WANT_READ;
	return (rc);
}

/* The next record's bytes: a single large piece as it lies, small ones gathered,
 * so that head and body leave in one record and one system call. */
static const void *
next_record(const struct iovec *iov, int count, char scratch[RECORD_MAX], size_t *n_r)
{
	size_t n, used = 0;
	int i;

	for (i = 0; i < count && used < RECORD_MAX; i++) {
		n = iov[i].iov_len;
		if (used == 0 && (n >= RECORD_MAX || i == count - 1)) {
			*n_r = n < RECORD_MAX ? n : RECORD_MAX;
			return (iov[i].iov_base);
		}
		if (n > RECORD_MAX - used)
			n = RECORD_MAX - used;
		if (n > 0)
			memcpy(scratch + used, iov[i].iov_base, n);
		used += n;
	}
	*n_r = used;
	return (scratch);
}

/* Is there anything behind the first `n` bytes? */
static bool
has_more(const struct iovec *iov, int count, size_t n)
{
	int i;

	for (i = 0; i < count; i++) {
		if (iov[i].iov_len > n)
			return (true);
		n -= iov[i].iov_len;
	}
	return (false);
}

/* One record a call, so that a WANT always means that nothing was taken: the
 * record that OpenSSL then holds is the very bytes that come again. */
static enum stream_rc
tls_write(struct stream *s, const struct iovec *iov, int count, size_t *n_r)
{
	struct tls_stream *t = tls_of(s);
	char scratch[RECORD_MAX];
	const void *record;
	enum stream_rc rc;
	int written;
	size_t n;

	*n_r = 0;
	if (t->state == TLS_PLAIN)
		return (forward(t, stream_write(t->plain, iov, count, n_r)));
	if (t->state == TLS_BROKEN)
		return (STREAM_ERROR);
	CHECK(t->state == TLS_OPEN && !t->finished);
	record = next_record(iov, count, scratch, &n);
	CHECK(n >= t->unsent);
	if (n == 0)
		return (STREAM_OK);
	ERR_clear_error();
	/* records of one piece leave the kernel together */
	t->more = has_more(iov, count, n);
	written = SSL_write_ex(t->ssl, record, n, n_r);
	t->more = false;
	if (written == 1) {
		t->unsent = 0;
		return (STREAM_OK);
	}
	rc = outcome(t);
	if (rc == STREAM_WANT_WRITE && t->unsent == 0)
		t->unsent = n;
	return (rc);
}

static enum stream_rc
tls_finish(struct stream *s)
{
	struct tls_stream *t = tls_of(s);
	enum stream_rc rc;

	if (t->state == TLS_OPEN && !t->finished) {
		if (t->unsent > 0)
			return (broken(t, "finished with a record half sent"));
		ERR_clear_error();
		if (SSL_shutdown(t->ssl) < 0) {
			rc = outcome(t);
			return (rc == STREAM_WANT_WRITE ? rc : STREAM_ERROR);
		}
		t->finished = true;
	}
	return (forward(t, stream_finish(t->plain)));
}

static bool
tls_pending(const struct stream *s)
{
	const struct tls_stream *t = (const struct tls_stream *)s;

	CHECK_OBJ(s, STREAM_MAGIC);
	/* SSL_has_pending is also true for half a record read ahead. */
	return (t->state == TLS_OPEN && !t->starved && SSL_has_pending(t->ssl) == 1);
}

static void
tls_close(struct stream *s)
{
	struct tls_stream *t = tls_of(s);

	if (t->ssl != NULL) {
		/* Or OpenSSL drops the session from the cache: a client that
		 * just went away may resume it (RFC 5246 7.2.1). */
		if (t->state == TLS_OPEN)
			SSL_set_shutdown(
			    t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		ERR_clear_error();
		SSL_free(t->ssl);
	}
	stream_close(&t->plain);
	tls_server_free(&t->server);
	tls_client_free(&t->client);
	free(t->name);
	free(t->subject);
	t->stream.magic = 0;
	free(t);
}

static const struct stream_ops tls_ops = {
	.handshake = tls_handshake,
	.read = tls_read,
	.write = tls_write,
	.finish = tls_finish,
	.pending = tls_pending,
	.close = tls_close,
};

static struct tls_stream *
new_stream(int fd)
{
	struct tls_stream *t;

	t = mem_zalloc(sizeof(*t));
	t->stream.magic = STREAM_MAGIC;
	t->stream.fd = fd;
	t->stream.ops = &tls_ops;
	t->plain = stream_plain(fd);
	return (t);
}

struct stream *
tls_accept(struct tls_server *server, int fd)
{
	struct tls_stream *t;

	t = new_stream(fd);
	t->server = tls_server_ref(server);
	return (&t->stream);
}

struct stream *
tls_connect(struct tls_client *client, int fd, const char *name)
{
	struct tls_stream *t;

	t = new_stream(fd);
	t->client = tls_client_ref(client);
	t->name = mem_strdup(name);
	return (&t->stream);
}

void
tls_stream_sni(SSL *ssl, struct span name)
{
	struct tls_stream *t = SSL_get_app_data(ssl);

	free(t->name);
	t->name = span_strdup(name);
}

bool
tls_info(const struct stream *s, struct tls_info *info)
{
	const struct tls_stream *t = (const struct tls_stream *)s;
	const unsigned char *alpn;
	unsigned n;

	CHECK_OBJ(s, STREAM_MAGIC);
	memset(info, 0, sizeof(*info));
	if (s->ops != &tls_ops || t->ssl == NULL || !SSL_is_init_finished(t->ssl))
		return (false);
	info->version = SSL_get_version(t->ssl);
	info->cipher = SSL_get_cipher_name(t->ssl);
	info->sni = span_of(t->name);
	SSL_get0_alpn_selected(t->ssl, &alpn, &n);
	info->alpn = span_mem(alpn, n);
	info->resumed = SSL_session_reused(t->ssl) == 1;
	info->client_verified = t->subject != NULL && tls_trust_verified(t->ssl);
	info->client_subject = span_of(t->subject);
	return (true);
}
