/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of clients: who may issue them, and what one says. */
#include "config.h"

#include "gateway/tls/internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/log.h"

/* All names are sent to every client; OpenSSL fails each handshake past 64 KiB. */
#define NAMES_BYTES_MAX (32 * 1024)
#define DEPTH_MAX 8
#define SUBJECT_MAX 1024

static enum err_code
add_issuer(struct tls_trust *t, X509 *x, const char *path, struct err *e)
{
	char text[TLS_TIME_MAX];
	X509_NAME *name;

	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		log_warn("tls", "%s: a certificate in it expired on %s", path,
		    tls_time_text(X509_get0_notAfter(x), text));
	name = X509_NAME_dup(X509_get_subject_name(x));
	CHECK(name != NULL && sk_X509_NAME_push(t->names, name) > 0);
	if (X509_STORE_add_cert(t->store, x) != 1)
		return (tls_err(e, ERR_FORMAT, path, "OpenSSL refuses a certificate"));
	(void)X509_check_purpose(x, -1, 0); /* reads it, before threads share it */
	return (ERR_OK);
}

static enum err_code
check_names(const struct tls_trust *t, const char *path, struct err *e)
{
	size_t bytes;
	int i;

	if (sk_X509_NAME_num(t->names) == 0)
		return (err_set(e, ERR_FORMAT,
		    "%s: no certificate in it; PEM (-----BEGIN CERTIFICATE-----) is "
		    "needed",
		    path));
	bytes = 0;
	for (i = 0; i < sk_X509_NAME_num(t->names); i++)
		bytes += 2 + (size_t)i2d_X509_NAME(sk_X509_NAME_value(t->names, i), NULL);
	if (bytes > NAMES_BYTES_MAX)
		return (err_set(e, ERR_RANGE,
		    "%s: too many certificates (%d); those that issue certificates of "
		    "clients are wanted, not all that there are",
		    path, sk_X509_NAME_num(t->names)));
	return (ERR_OK);
}

static enum err_code
read_issuers(struct tls_trust *t, BIO *bio, const char *path, struct err *e)
{
	enum err_code code = ERR_OK;
	X509 *x;

	ERR_clear_error();
	while (code == ERR_OK &&
	       (x = PEM_read_bio_X509(bio, NULL, tls_no_passphrase, NULL)) != NULL) {
		code = add_issuer(t, x, path, e);
		X509_free(x);
	}
	if (code != ERR_OK)
		return (code);
	if (!tls_is_end_of_pem())
		return (tls_err(e, ERR_FORMAT, path, "a certificate is broken"));
	ERR_clear_error();
	return (check_names(t, path, e));
}

enum err_code
tls_trust_load(struct tls_trust *t, const char *path, struct err *e)
{
	struct tls_file file;
	enum err_code code;
	BIO *bio;

	code = tls_file_read(&file, path, e);
	if (code != ERR_OK)
		return (code);
	t->store = X509_STORE_new();
	t->names = sk_X509_NAME_new_null();
	bio = BIO_new_mem_buf(file.bytes, (int)file.n);
	CHECK(t->store != NULL && t->names != NULL && bio != NULL);
	code = read_issuers(t, bio, path, e);
	BIO_free(bio);
	tls_file_free(&file);
	return (code);
}

void
tls_trust_clear(struct tls_trust *t)
{
	X509_STORE_free(t->store);
	sk_X509_NAME_pop_free(t->names, X509_NAME_free);
	memset(t, 0, sizeof(*t));
}

void
tls_trust_use(const struct tls_trust *t, SSL_CTX *ctx)
{
	STACK_OF(X509_NAME) * names;

	if (t->store == NULL)
		return;
	names = SSL_dup_CA_list(t->names);
	CHECK(names != NULL);
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set1_cert_store(ctx, t->store);
	/* Whoever names a file means what is in it: an intermediate stands for
	 * itself, whoever signed it. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_verify_depth(ctx, DEPTH_MAX);
}

bool
tls_trust_verified(SSL *ssl)
{
	const X509 *x = SSL_get0_peer_certificate(ssl);

	return (x != NULL && SSL_get_verify_result(ssl) == X509_V_OK &&
		X509_cmp_current_time(X509_get0_notAfter(x)) > 0);
}

char *
tls_trust_subject(SSL *ssl)
{
	const X509 *x = SSL_get0_peer_certificate(ssl);
	char *text, *subject = NULL;
	BIO *bio;
	long n;

	if (x == NULL)
		return (NULL);
	bio = BIO_new(BIO_s_mem());
	CHECK(bio != NULL);
	/* escapes what is not printable ASCII */
	if (X509_NAME_print_ex(bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0) {
		n = BIO_get_mem_data(bio, &text);
		subject =
		    span_strdup(span_cut(span_mem(text, (size_t)n), 0, SUBJECT_MAX));
	}
	BIO_free(bio);
	ERR_clear_error();
	return (subject != NULL ? subject : mem_strdup(""));
}
