/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/tls/internal.h - what the files of this folder share, for them only.
 * Everything here but the ticket keys is immutable once a server or client is
 * made. */
#ifndef YETT_TLS_INTERNAL_H
#define YETT_TLS_INTERNAL_H

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdatomic.h>
#include <time.h>

#include "gateway/base/lock.h"
#include "gateway/tls/tls.h"
#include "gateway/tls/trust.h"

/* common.c */

/* "path: what: OpenSSL's reason"; empties OpenSSL's error queue. */
enum err_code tls_err(struct err *, enum err_code, const char *path, const char *what);
/* Static text for the first error in this thread's queue; never NULL. */
const char *tls_reason(void);
/* A whole file of at most 1 MiB, wiped and freed by tls_file_free. */
struct tls_file {
	char *bytes;
	size_t n;
	bool world_readable;
};
enum err_code tls_file_read(struct tls_file *file_r, const char *path, struct err *);
void tls_file_free(struct tls_file *);
/* "Jan  1 00:00:00 2026 GMT" */
#define TLS_TIME_MAX 64
const char *tls_time_text(const ASN1_TIME *, char out[TLS_TIME_MAX]);
/* What servers and clients have in common. */
void tls_ctx_defaults(SSL_CTX *);

/* For PEM_read_..., or OpenSSL asks on the terminal. `asked`: bool *, or NULL. */
int tls_no_passphrase(char *buf, int size, int writing, void *asked);
bool tls_is_end_of_pem(void);

/* certificate.c */

/* OpenSSL keeps one certificate of each kind in a context and picks by what
 * the client can verify. */
enum key_slot { KEY_ECDSA, KEY_RSA, KEY_RSA_PSS, KEY_ED25519, KEY_ED448, KEY_SLOTS };

struct tls_certificate {
	char *path;
	X509 *leaf;
	STACK_OF(X509) * chain; /* without the leaf */
	EVP_PKEY *key;
	enum key_slot slot;
	char **names; /* lower case; "*.x" for wildcards */
	size_t n_names;
	unsigned char *staple; /* OCSP answer in DER, NULL: none */
	size_t staple_n;
	time_t staple_until; /* 0: no end given */
};
enum err_code
tls_certificate_load(struct tls_certificate *, const struct tls_files *, struct err *);
void tls_certificate_clear(struct tls_certificate *);
enum err_code
tls_certificate_use(const struct tls_certificate *, SSL_CTX *, struct err *);

/* ocsp.c */

/* Fills the staple fields. An answer that is expired or not "good" is warned
 * of and left out; one that is broken or for another certificate is an error. */
enum err_code tls_staple_load(struct tls_certificate *, const char *path, struct err *);
int tls_staple_send(SSL *, const struct tls_certificate *);

/* sni.c */

/* A set of certificates, at most one of a kind: becomes one SSL_CTX. */
struct tls_context {
	struct tls_server *server;
	SSL_CTX *ctx;
	uint32_t by_slot[KEY_SLOTS]; /* index of a certificate, or SNI_NONE */
	uint32_t next; /* with the same first certificate */
};
#define SNI_NONE UINT32_MAX

struct sni_name {
	const char *name;
	uint32_t context;
};
struct sni_table {
	struct sni_name *names; /* sorted; the certificates own the text */
	size_t n_names;
	struct tls_context *contexts; /* the first is the default */
	size_t n_contexts;
};
void sni_build(struct sni_table *, const struct tls_certificate *, size_t n);
/* Exact, then wildcard; NULL: no certificate has this name. */
struct tls_context *sni_find(const struct sni_table *, struct span name);
void sni_clear(struct sni_table *);

/* ticket.c */

struct ticket_key {
	uint8_t name[16], cipher[32], mac[32];
};
struct ticket_keys {
	struct lock lock;
	struct ticket_key key[3]; /* the first encrypts, the others are past */
	int64_t rotated_us;
	EVP_CIPHER *cipher;
};
bool ticket_init(struct ticket_keys *, int64_t now_mono_us);
void ticket_clear(struct ticket_keys *);
void ticket_tick(struct ticket_keys *, int64_t now_mono_us);
/* As SSL_CTX_set_tlsext_ticket_key_evp_cb has it. */
int ticket_crypt(struct ticket_keys *, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *,
    EVP_MAC_CTX *, int encrypt);

/* server.c, client.c */

#define TLS_SERVER_MAGIC 0x715e54e4u
struct tls_server {
	unsigned magic;
	_Atomic uint32_t refs;
	struct tls_certificate *certificates;
	size_t n_certificates;
	struct sni_table sni;
	uint8_t *alpn; /* as on the wire, our order */
	unsigned alpn_n;
	struct tls_trust trust;
	struct ticket_keys tickets;
	BIO_METHOD *bio;
};

#define TLS_CLIENT_MAGIC 0x715c11e4u
struct tls_client {
	unsigned magic;
	_Atomic uint32_t refs;
	SSL_CTX *ctx;
	bool verify;
	BIO_METHOD *bio;
};
/* Prepares a fresh SSL for SNI and verification of `name`. */
bool tls_client_name(const struct tls_client *, SSL *, const char *name);

/* stream.c */

BIO_METHOD *tls_bio_method(void); /* NULL: out of memory */
/* The name that the client asked for; called during the handshake. */
void tls_stream_sni(SSL *, struct span);

#endif
