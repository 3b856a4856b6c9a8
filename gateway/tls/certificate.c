/* SPDX-License-Identifier: Apache-2.0 */
/* Loads a certificate with its chain and key, and checks what can be checked
 * before a client does. */
#include "config.h"

#include "gateway/tls/internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/log.h"

#define CHAIN_MAX 16
#define NAME_MAX_LEN 253
#define RSA_BITS_MIN 2048

static enum err_code
read_chain(struct tls_certificate *c, BIO *bio, struct err *e)
{
	X509 *x;

	ERR_clear_error();
	c->leaf = PEM_read_bio_X509(bio, NULL, tls_no_passphrase, NULL);
	if (c->leaf == NULL && tls_is_end_of_pem())
		return (err_set(e, ERR_FORMAT,
		    "%s: no certificate in it; PEM (-----BEGIN CERTIFICATE-----) is "
		    "needed",
		    c->path));
	if (c->leaf == NULL)
		return (tls_err(e, ERR_FORMAT, c->path, "the certificate is broken"));
	while ((x = PEM_read_bio_X509(bio, NULL, tls_no_passphrase, NULL)) != NULL) {
		CHECK(sk_X509_push(c->chain, x) > 0);
		if (sk_X509_num(c->chain) > CHAIN_MAX)
			return (err_set(e, ERR_RANGE,
			    "%s: more than %d certificates behind the first", c->path,
			    CHAIN_MAX));
	}
	if (!tls_is_end_of_pem())
		return (tls_err(e, ERR_FORMAT, c->path, "the chain is broken"));
	ERR_clear_error();
	return (ERR_OK);
}

static enum err_code
load_chain(struct tls_certificate *c, struct err *e)
{
	struct tls_file file;
	enum err_code code;
	BIO *bio;

	code = tls_file_read(&file, c->path, e);
	if (code != ERR_OK)
		return (code);
	bio = BIO_new_mem_buf(file.bytes, (int)file.n);
	CHECK(bio != NULL);
	code = read_chain(c, bio, e);
	BIO_free(bio);
	tls_file_free(&file);
	return (code);
}

static enum err_code
load_key(struct tls_certificate *c, const char *path, struct err *e)
{
	struct tls_file file;
	enum err_code code;
	bool asked = false;
	BIO *bio;

	code = tls_file_read(&file, path, e);
	if (code != ERR_OK)
		return (code);
	ERR_clear_error();
	bio = BIO_new_mem_buf(file.bytes, (int)file.n);
	CHECK(bio != NULL);
	c->key = PEM_read_bio_PrivateKey(bio, NULL, tls_no_passphrase, &asked);
	BIO_free(bio);
	if (c->key == NULL && asked)
		code = err_set(e, ERR_UNSUPPORTED,
		    "%s: the key is encrypted; give one without a passphrase (openssl "
		    "pkey -in %s -out NEW) that only the gateway's user can read",
		    path, path);
	else if (c->key == NULL)
		code = tls_err(e, ERR_FORMAT, path, "no private key in PEM");
	else if (file.world_readable)
		log_warn("tls",
		    "%s: every user of this machine can read this key: chmod 640", path);
	ERR_clear_error();
	tls_file_free(&file);
	return (code);
}

static enum err_code
check_key(struct tls_certificate *c, const char *path, struct err *e)
{
	static const struct {
		const char *type;
		enum key_slot slot;
	} types[] = {
		{ "EC", KEY_ECDSA },
		{ "RSA", KEY_RSA },
		{ "RSA-PSS", KEY_RSA_PSS },
		{ "ED25519", KEY_ED25519 },
		{ "ED448", KEY_ED448 },
	};
	size_t i;
	int bits;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (EVP_PKEY_is_a(c->key, types[i].type))
			break;
	}
	if (i == sizeof(types) / sizeof(types[0]))
		return (err_set(e, ERR_UNSUPPORTED,
		    "%s: keys of this kind do not serve TLS; use ECDSA P-256 or RSA",
		    path));
	c->slot = types[i].slot;
	bits = EVP_PKEY_get_bits(c->key);
	if ((c->slot == KEY_RSA || c->slot == KEY_RSA_PSS) && bits < RSA_BITS_MIN)
		return (err_set(e, ERR_RANGE,
		    "%s: an RSA key of %d bits is too weak, %d are needed; make a new "
		    "key "
		    "and ask for a new certificate",
		    path, bits, RSA_BITS_MIN));
	if (X509_check_private_key(c->leaf, c->key) != 1) {
		ERR_clear_error();
		return (err_set(e, ERR_CONFLICT,
		    "%s: not the key of the certificate in %s", path, c->path));
	}
	return (ERR_OK);
}

static void
warn_of_dates(const struct tls_certificate *c)
{
	char text[TLS_TIME_MAX];

	if (X509_cmp_current_time(X509_get0_notBefore(c->leaf)) > 0)
		log_warn("tls", "%s: this certificate is not valid before %s", c->path,
		    tls_time_text(X509_get0_notBefore(c->leaf), text));
	if (X509_cmp_current_time(X509_get0_notAfter(c->leaf)) < 0)
		log_warn("tls", "%s: this certificate expired on %s", c->path,
		    tls_time_text(X509_get0_notAfter(c->leaf), text));
}

static void
warn_of_chain(const struct tls_certificate *c)
{
	X509 *subject = c->leaf;
	int i;

	for (i = 0; i < sk_X509_num(c->chain); i++) {
		if (X509_check_issued(sk_X509_value(c->chain, i), subject) != X509_V_OK)
			log_warn("tls",
			    "%s: certificate %d did not sign certificate %d; many "
			    "clients "
			    "will not trust this chain",
			    c->path, i + 2, i + 1);
		subject = sk_X509_value(c->chain, i);
	}
	ERR_clear_error();
}

/* A host name, or "*." before one, in lower case; anything else is nothing that
 * a client can ask for. */
static bool
clean_name(const unsigned char *p, size_t n, char out[NAME_MAX_LEN + 1])
{
	size_t i, from;

	if (n > 0 && p[n - 1] == '.')
		n--;
	from = n > 2 && p[0] == '*' && p[1] == '.' ? 2 : 0;
	if (n == 0 || n > NAME_MAX_LEN || p[from] == '.')
		return (false);
	for (i = 0; i < n; i++) {
		if (i >= from && !isalnum(p[i]) && p[i] != '-' && p[i] != '_' &&
		    p[i] != '.')
			return (false);
		out[i] = (char)tolower(p[i]);
	}
	out[n] = '\0';
	return (true);
}

static void
add_name(struct tls_certificate *c, const ASN1_STRING *s)
{
	char name[NAME_MAX_LEN + 1];

	if (!clean_name(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s), name))
		return;
	c->names = mem_realloc(c->names, (c->n_names + 1) * sizeof(char *));
	c->names[c->n_names++] = mem_strdup(name);
}

/* The common name counts only where there are no alternative names, as in
 * RFC 6125. */
static void
read_names(struct tls_certificate *c)
{
	X509_NAME *subject = X509_get_subject_name(c->leaf);
	const GENERAL_NAME *general;
	GENERAL_NAMES *sans;
	int i;

	sans = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
	for (i = 0; i < sk_GENERAL_NAME_num(sans); i++) {
		general = sk_GENERAL_NAME_value(sans, i);
		if (general->type == GEN_DNS)
			add_name(c, general->d.dNSName);
	}
	if (sans == NULL) {
		i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
		if (i >= 0)
			add_name(
			    c, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
	}
	GENERAL_NAMES_free(sans);
	ERR_clear_error();
}

enum err_code
tls_certificate_load(
    struct tls_certificate *c, const struct tls_files *files, struct err *e)
{
	enum err_code code;

	memset(c, 0, sizeof(*c));
	c->path = mem_strdup(files->certificate);
	c->chain = sk_X509_new_null();
	CHECK(c->chain != NULL);
	code = load_chain(c, e);
	if (code == ERR_OK)
		code = load_key(c, files->key, e);
	if (code == ERR_OK)
		code = check_key(c, files->key, e);
	if (code == ERR_OK && files->ocsp != NULL && files->ocsp[0] != '\0')
		code = tls_staple_load(c, files->ocsp, e);
	if (code != ERR_OK) {
		tls_certificate_clear(c);
		return (code);
	}
	read_names(c);
	warn_of_dates(c);
	warn_of_chain(c);
	return (ERR_OK);
}

void
tls_certificate_clear(struct tls_certificate *c)
{
	size_t i;

	for (i = 0; i < c->n_names; i++)
		free(c->names[i]);
	free(c->names);
	free(c->staple);
	free(c->path);
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->key);
	memset(c, 0, sizeof(*c));
}

enum err_code
tls_certificate_use(const struct tls_certificate *c, SSL_CTX *ctx, struct err *e)
{
	ERR_clear_error();
	if (SSL_CTX_use_cert_and_key(ctx, c->leaf, c->key, c->chain, 1) != 1)
		return (tls_err(e, ERR_UNSUPPORTED, c->path, "OpenSSL refuses it"));
	return (ERR_OK);
}
