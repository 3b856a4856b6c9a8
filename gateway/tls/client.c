/* SPDX-License-Identifier: Apache-2.0 */
/* TLS context for connections to origins. */
#include "config.h"

#include "gateway/tls/internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/netaddr.h"

static bool
is_given(const char *text)
{
	return (text != NULL && text[0] != '\0');
}

/* OpenSSL reads a certificate's extensions when they are first asked for: here, once,
 * and not by all threads at the same time. */
static void
read_extensions(SSL_CTX *ctx)
{
	STACK_OF(X509_OBJECT) * objects;
	X509 *x;
	int i;

	objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
	for (i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		if (x != NULL)
			(void)X509_check_purpose(x, -1, 0);
	}
}

static enum err_code
set_trust(struct tls_client *client, const char *ca, struct err *e)
{
	ERR_clear_error();
	if (!is_given(ca) || strcmp(ca, "system") == 0) {
		if (SSL_CTX_set_default_verify_paths(client->ctx) != 1)
			return (tls_err(e, ERR_IO, "system", "no trust store"));
		return (ERR_OK);
	}
	if (SSL_CTX_load_verify_file(client->ctx, ca) != 1)
		return (tls_err(e, ERR_FORMAT, ca, "no certificates to trust"));
	read_extensions(client->ctx);
	/* Whoever names a file means what is in it: an intermediate or the
	 * origin's own certificate is trusted as it stands. */
	X509_VERIFY_PARAM_set_flags(
	    SSL_CTX_get0_param(client->ctx), X509_V_FLAG_PARTIAL_CHAIN);
	return (ERR_OK);
}

static enum err_code
set_certificate(struct tls_client *client, const struct tls_files *files, struct err *e)
{
	struct tls_certificate certificate;
	enum err_code code;

	if (!is_given(files->certificate) && !is_given(files->key))
		return (ERR_OK);
	if (!is_given(files->certificate) || !is_given(files->key))
		return (err_set(e, ERR_MISSING,
		    "a client certificate needs both certificate and key"));
	code = tls_certificate_load(&certificate, files, e);
	if (code != ERR_OK)
		return (code);
	code = tls_certificate_use(&certificate, client->ctx, e);
	tls_certificate_clear(&certificate);
	return (code);
}

static enum err_code
fill_client(struct tls_client *client, const struct tls_client_options *o, struct err *e)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	enum err_code code = ERR_OK;

	client->ctx = SSL_CTX_new(TLS_client_method());
	client->bio = tls_bio_method();
	if (client->ctx == NULL || client->bio == NULL)
		return (tls_err(e, ERR_IO, "OpenSSL", "no context"));
	tls_ctx_defaults(client->ctx);
	/* Returns 0 for success, unlike its siblings. */
	CHECK(o->no_alpn ||
	      SSL_CTX_set_alpn_protos(client->ctx, alpn, sizeof(alpn) - 1) == 0);
	SSL_CTX_set_session_cache_mode(client->ctx, SSL_SESS_CACHE_OFF);
	client->verify = o->verify;
	if (o->verify) {
		SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
		code = set_trust(client, o->ca, e);
	}
	if (code == ERR_OK)
		code = set_certificate(client, &o->files, e);
	return (code);
}

enum err_code
tls_client_new(
    struct tls_client **client_r, const struct tls_client_options *o, struct err *e)
{
	struct tls_client *client;
	enum err_code code;

	client = mem_zalloc(sizeof(*client));
	client->magic = TLS_CLIENT_MAGIC;
	atomic_init(&client->refs, 1);
	code = fill_client(client, o, e);
	if (code != ERR_OK)
		tls_client_free(&client);
	*client_r = client;
	return (code);
}

struct tls_client *
tls_client_ref(struct tls_client *client)
{
	CHECK_OBJ(client, TLS_CLIENT_MAGIC);
	atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
	return (client);
}

void
tls_client_free(struct tls_client **client_p)
{
	struct tls_client *client = *client_p;

	*client_p = NULL;
	if (client == NULL)
		return;
	CHECK_OBJ(client, TLS_CLIENT_MAGIC);
	if (atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_CTX_free(client->ctx);
	BIO_meth_free(client->bio);
	client->magic = 0;
	free(client);
}

/* An address has no place in SNI (RFC 6066 3) and is verified as an address. */
bool
tls_client_name(const struct tls_client *client, SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char text[NETADDR_TEXT_MAX];
	struct netaddr addr;
	size_t n = strlen(name);
	struct span bare = span_of(name);

	if (n > 2 && name[0] == '[' && name[n - 1] == ']')
		bare = span_cut(bare, 1, n - 1);
	if (netaddr_parse_ip(&addr, bare))
		return (!client->verify || X509_VERIFY_PARAM_set1_ip_asc(
					       param, netaddr_ip_text(&addr, text)) == 1);
	if (n == 0)
		return (true); /* without verification only */
	if (SSL_set_tlsext_host_name(ssl, name) != 1)
		return (false);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return (!client->verify || X509_VERIFY_PARAM_set1_host(param, name, n) == 1);
}
