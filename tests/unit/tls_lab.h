/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/tls_lab.h - real certificates, OCSP answers and connections for
 * the tests of gateway/tls/, made on the spot in a temporary folder. */
#ifndef YETT_TESTS_TLS_LAB_H
#define YETT_TESTS_TLS_LAB_H

#include <openssl/ssl.h>

#include <limits.h>
#include <stdbool.h>

#include "gateway/tls/tls.h"

struct lab {
	char folder[64];
	char *paths[32]; /* of lab_path, in turn */
	unsigned turn;
};

void lab_open(struct lab *);
void lab_close(struct lab *);
/* folder/file; good for the next thirty calls. */
const char *lab_path(struct lab *, const char *file);
void lab_write(struct lab *, const char *file, const char *text);

struct lab_cert {
	const char *file; /* file.pem, file.key */
	const char *names; /* "DNS:a.test,IP:127.0.0.1"; NULL: none */
	const char *cn; /* NULL: as `file` */
	const char *type; /* "RSA:2048", "EC:P-256", "ED25519"; NULL: EC */
	const char *issuer; /* a CA made before; NULL: itself */
	int from_days, to_days; /* from now; both 0: valid */
	bool ca;
};
void lab_make(struct lab *, const struct lab_cert *);
struct tls_files lab_files(struct lab *, const char *file);

struct lab_ocsp {
	const char *file; /* DER */
	const char *cert, *ca; /* whom it speaks of; who issued and signs */
	int status; /* V_OCSP_CERTSTATUS_... */
	int from_hours, to_hours; /* to_hours 0: no next update */
	bool sha256; /* the id's digest */
};
void lab_ocsp(struct lab *, const struct lab_ocsp *);

/* Fails the test when it can't. */
struct tls_server *lab_server(struct lab *, const char *const *files);
struct tls_client *lab_client(struct lab *, const char *ca);

/* Non-blocking ends of one socket. */
void lab_pair(int fd[2]);
/* Takes turns until both have ended (or neither gets on). */
void lab_handshake(
    struct stream *a, struct stream *b, enum stream_rc *a_r, enum stream_rc *b_r);

/* A client of plain OpenSSL, for what tls_connect does not offer. */
struct lab_raw {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
};
void lab_raw_open(struct lab_raw *, int fd, const char *sni);
void lab_raw_close(struct lab_raw *);
/* True: both ends are through. What went wrong is in stream->error and in
 * OpenSSL's queue (*reason_r, may be NULL). */
bool lab_raw_handshake(struct lab_raw *, struct stream *, const char **reason_r);

#endif
