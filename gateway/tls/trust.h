/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/tls/trust.h - certificates of clients: who may issue them, and what one
 * says. For this folder only. Immutable once loaded. */
#ifndef YETT_TLS_TRUST_H
#define YETT_TLS_TRUST_H

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdbool.h>

#include "gateway/base/err.h"

struct tls_trust {
	X509_STORE *store; /* NULL: clients are not asked */
	STACK_OF(X509_NAME) * names; /* told to clients, to choose by */
};
enum err_code tls_trust_load(struct tls_trust *, const char *path, struct err *);
void tls_trust_clear(struct tls_trust *);
void tls_trust_use(const struct tls_trust *, SSL_CTX *);
/* Is the client's certificate good? It was when the session began. */
bool tls_trust_verified(SSL *);
/* The subject of the client's certificate, malloc'd; NULL: it sent none. */
char *tls_trust_subject(SSL *);

#endif
