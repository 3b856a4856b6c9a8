/* SPDX-License-Identifier: Apache-2.0 */
/* TLS contexts of a listener: one SSL_CTX per set of certificates, chosen by
 * the client hello before anything else of it is looked at. */
#include "config.h"

#include "gateway/tls/internal.h"

#include <openssl/err.h>
#include <openssl/tls1.h>

#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"

/* Sessions of TLS 1.2 clients without tickets: about 1 KiB each. */
#define SESSIONS_MAX 20000
/* As long as a ticket key encrypts. */
#define SESSION_SECONDS (12 * 3600)

static struct tls_context *
context_in_use(const SSL *ssl)
{
	return (SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

/* The first host name in the extension (RFC 6066 3); OpenSSL's own parser goes
 * over it later and refuses what is malformed. */
static struct span
hello_name(SSL *ssl)
{
	const unsigned char *p;
	size_t n, length;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1)
		return (SPAN_NONE);
	if (n < 5 || p[2] != TLSEXT_NAMETYPE_host_name)
		return (SPAN_NONE);
	length = (size_t)p[3] << 8 | p[4];
	if (length == 0 || length > n - 5 || length > TLSEXT_MAXLEN_host_name)
		return (SPAN_NONE);
	return (span_mem(p + 5, length));
}

/* Here rather than in the server name callback: that one runs after a session
 * was looked up, so one of another name could be resumed. */
static int
on_hello(SSL *ssl, int *alert_r, void *arg)
{
	struct tls_server *server = arg;
	struct tls_context *context = NULL;
	struct span name;

	CHECK_OBJ(server, TLS_SERVER_MAGIC);
	name = hello_name(ssl);
	if (name.p != NULL) {
		tls_stream_sni(ssl, name);
		context = sni_find(&server->sni, name);
	}
	if (context != NULL && context != context_in_use(ssl) &&
	    SSL_set_SSL_CTX(ssl, context->ctx) == NULL) {
		*alert_r = SSL_AD_INTERNAL_ERROR;
		return (SSL_CLIENT_HELLO_ERROR);
	}
	return (SSL_CLIENT_HELLO_SUCCESS);
}

/* The choice is made by now; this says whether the name is acknowledged. */
static int
on_name(SSL *ssl, int *alert_r, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct tls_server *server = arg;

	(void)alert_r;
	if (name == NULL || sni_find(&server->sni, span_of(name)) == NULL)
		return (SSL_TLSEXT_ERR_NOACK);
	return (SSL_TLSEXT_ERR_OK);
}

/* lint: parameters: OpenSSL calls it so */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
    const unsigned char *in, unsigned in_n, void *arg)
{
	const struct tls_server *server = arg;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_n, server->alpn, server->alpn_n, in,
		in_n) != OPENSSL_NPN_NEGOTIATED)
		return (SSL_TLSEXT_ERR_ALERT_FATAL);
	*out = chosen;
	return (SSL_TLSEXT_ERR_OK);
}

/* lint: parameters: OpenSSL calls it so */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_server *server = context_in_use(ssl)->server;

	return (ticket_crypt(&server->tickets, name, iv, cipher, mac, encrypt));
}

static int
on_status(SSL *ssl, void *arg)
{
	struct tls_context *context = context_in_use(ssl);
	const struct tls_certificate *c;
	X509 *chosen;
	size_t i;

	(void)arg;
	chosen = SSL_get_certificate(ssl);
	for (i = 0; i < KEY_SLOTS; i++) {
		if (context->by_slot[i] == SNI_NONE)
			continue;
		c = &context->server->certificates[context->by_slot[i]];
		if (c->leaf == chosen)
			return (tls_staple_send(ssl, c));
	}
	return (SSL_TLSEXT_ERR_NOACK);
}

static void
set_callbacks(SSL_CTX *ctx, struct tls_server *server)
{
	SSL_CTX_set_client_hello_cb(ctx, on_hello, server);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, server);
	SSL_CTX_set_tlsext_status_cb(ctx, on_status);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	if (server->alpn_n > 0)
		SSL_CTX_set_alpn_select_cb(ctx, on_alpn, server);
}

static enum err_code
make_context(struct tls_server *server, uint32_t index, bool only_1_3, struct err *e)
{
	struct tls_context *context = &server->sni.contexts[index];
	enum err_code code = ERR_OK;
	size_t i;

	context->server = server;
	context->ctx = SSL_CTX_new(TLS_server_method());
	if (context->ctx == NULL)
		return (tls_err(e, ERR_IO, "OpenSSL", "no context"));
	tls_ctx_defaults(context->ctx);
	if (only_1_3)
		CHECK(SSL_CTX_set_min_proto_version(context->ctx, TLS1_3_VERSION) == 1);
	SSL_CTX_set_app_data(context->ctx, context);
	/* Our order: ECDSA before RSA, AES-128 first - but ChaCha for clients
	 * that put it first because they have no AES instructions. */
	SSL_CTX_set_options(
	    context->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	/* OpenSSL looks sessions up in the context that SSL_new got, here always
	 * the default one, with a lock of its own. The index keeps the sessions
	 * of one set of certificates from being resumed under another. */
	SSL_CTX_set_session_cache_mode(context->ctx, SSL_SESS_CACHE_SERVER);
	SSL_CTX_sess_set_cache_size(context->ctx, SESSIONS_MAX);
	SSL_CTX_set_timeout(context->ctx, SESSION_SECONDS);
	CHECK(SSL_CTX_set_session_id_context(
		  context->ctx, (const unsigned char *)&index, sizeof(index)) == 1);
	set_callbacks(context->ctx, server);
	tls_trust_use(&server->trust, context->ctx);
	for (i = 0; i < KEY_SLOTS && code == ERR_OK; i++) {
		if (context->by_slot[i] != SNI_NONE)
			code = tls_certificate_use(
			    &server->certificates[context->by_slot[i]], context->ctx, e);
	}
	return (code);
}

static void
set_alpn(struct tls_server *server, const char *const *names)
{
	size_t i, n;

	for (i = 0; names != NULL && names[i] != NULL; i++) {
		n = strlen(names[i]);
		CHECK(n > 0 && n < 256);
		server->alpn = mem_realloc(server->alpn, server->alpn_n + n + 1);
		server->alpn[server->alpn_n] = (uint8_t)n;
		memcpy(server->alpn + server->alpn_n + 1, names[i], n);
		server->alpn_n += (unsigned)n + 1;
	}
}

static enum err_code
fill_server(struct tls_server *server, const struct tls_server_options *o, struct err *e)
{
	enum err_code code = ERR_OK;
	size_t i;

	if (!ticket_init(&server->tickets, clock_mono_us()))
		return (tls_err(e, ERR_IO, "OpenSSL", "no AES-256-CBC"));
	if (server->bio == NULL)
		return (tls_err(e, ERR_IO, "OpenSSL", "no BIO method"));
	for (i = 0; i < o->n_files && code == ERR_OK; i++) {
		code = tls_certificate_load(&server->certificates[i], &o->files[i], e);
		if (code == ERR_OK)
			server->n_certificates++;
	}
	if (code != ERR_OK)
		return (code);
	sni_build(&server->sni, server->certificates, server->n_certificates);
	if (o->client_ca != NULL && o->client_ca[0] != '\0')
		code = tls_trust_load(&server->trust, o->client_ca, e);
	for (i = 0; i < server->sni.n_contexts && code == ERR_OK; i++)
		code = make_context(server, (uint32_t)i, o->only_1_3, e);
	return (code);
}

enum err_code
tls_server_new(
    struct tls_server **server_r, const struct tls_server_options *o, struct err *e)
{
	struct tls_server *server;
	enum err_code code;

	*server_r = NULL;
	if (o->n_files == 0)
		return (err_set(e, ERR_MISSING, "a TLS listener needs a certificate"));
	server = mem_zalloc(sizeof(*server));
	server->magic = TLS_SERVER_MAGIC;
	atomic_init(&server->refs, 1);
	server->certificates = mem_zalloc(o->n_files * sizeof(*server->certificates));
	server->bio = tls_bio_method();
	set_alpn(server, o->alpn);
	code = fill_server(server, o, e);
	if (code != ERR_OK)
		tls_server_free(&server);
	*server_r = server;
	return (code);
}

struct tls_server *
tls_server_ref(struct tls_server *server)
{
	CHECK_OBJ(server, TLS_SERVER_MAGIC);
	atomic_fetch_add_explicit(&server->refs, 1, memory_order_relaxed);
	return (server);
}

void
tls_server_free(struct tls_server **server_p)
{
	struct tls_server *server = *server_p;
	size_t i;

	*server_p = NULL;
	if (server == NULL)
		return;
	CHECK_OBJ(server, TLS_SERVER_MAGIC);
	if (atomic_fetch_sub_explicit(&server->refs, 1, memory_order_acq_rel) != 1)
		return;
	sni_clear(&server->sni);
	for (i = 0; i < server->n_certificates; i++)
		tls_certificate_clear(&server->certificates[i]);
	free(server->certificates);
	free(server->alpn);
	tls_trust_clear(&server->trust);
	ticket_clear(&server->tickets);
	BIO_meth_free(server->bio);
	server->magic = 0;
	free(server);
}

void
tls_server_tick(struct tls_server *server, int64_t now_mono_us)
{
	CHECK_OBJ(server, TLS_SERVER_MAGIC);
	ticket_tick(&server->tickets, now_mono_us);
}
