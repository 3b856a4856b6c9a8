/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/tls/tls.h - TLS to clients and to origins; the only user of OpenSSL
 * but gateway/cli's self-signed certificate, which is made here too. Contexts
 * are immutable once made, reference-counted and shared by threads; a stream
 * belongs to one thread. */
#ifndef YETT_TLS_H
#define YETT_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/span.h"
#include "gateway/loop/stream.h"

/* Certificate, chain and key in PEM, optional OCSP answer in DER ("" none). */
struct tls_files { const char *certificate, *key, *ocsp; };

struct tls_server_options {
	const struct tls_files *files;	/* the first is the default */
	size_t n_files;
	bool only_1_3;
	const char *const *alpn;	/* "http/1.1"; NULL-terminated */
	const char *client_ca;		/* PEM file; "" or NULL: clients are not
					 * asked for certificates */
};

struct tls_server;

/* Opens and checks everything: key matches, certificate is valid now, chain
 * parses. An expired certificate is a warning (logged), not an error. Errors
 * name the file. */
enum err_code tls_server_new(struct tls_server **server_r,
    const struct tls_server_options *, struct err *);
struct tls_server *tls_server_ref(struct tls_server *);
void tls_server_free(struct tls_server **);
/* Rotates the session ticket keys if it is time; any one thread, now and then
 * (every minute is fine). */
void tls_server_tick(struct tls_server *, int64_t now_mono_us);

/* Takes the socket. The handshake runs by stream_handshake. A first byte that
 * is no TLS record gives STREAM_PLAIN_HTTP and the stream then reads and writes
 * plain bytes, nothing lost.
 * TLS streams raise no SIGPIPE. stream_write takes one record (16 KiB, gathered
 * from the vector) a call: OK with less than all does not mean that the socket
 * is full. A connection cut without close_notify reads as STREAM_ERROR, never
 * as STREAM_EOF. stream_finish is for when all bytes are taken. */
struct stream *tls_accept(struct tls_server *, int fd);

struct tls_info {
	const char *version, *cipher;	/* static text: "TLSv1.3" */
	struct span sni, alpn;		/* live as long as the stream */
	bool resumed;
	/* A client that is asked for a certificate need not send one; one that does
	 * not verify ends the handshake. True: it sent one, and it has not expired,
	 * in a resumed session neither. */
	bool client_verified;
	/* Of that certificate, as RFC 2253 has it, "CN=x,O=y": printable ASCII, bytes
	 * beyond it as \XX; a very long one is cut off. Lives as long as the stream. */
	struct span client_subject;
};
/* False for a plain stream, or before the handshake ended. */
bool tls_info(const struct stream *, struct tls_info *info_r);

struct tls_client_options {
	const char *ca;			/* "system" or a PEM file */
	bool verify;			/* chain and name */
	bool no_alpn;			/* what is spoken is not HTTP */
	struct tls_files files;		/* client certificate; "" none */
};
struct tls_client;
enum err_code tls_client_new(struct tls_client **client_r,
    const struct tls_client_options *, struct err *);
struct tls_client *tls_client_ref(struct tls_client *);
void tls_client_free(struct tls_client **);
/* `name`: for SNI and verification; an address is verified as an address and
 * sent without SNI. */
struct stream *tls_connect(struct tls_client *, int fd, const char *name);

/* Writes folder/self-signed.crt and .key (ECDSA P-256, 397 days, for `names`
 * and localhost, 0600) if they are not there or expired; *made_r tells. The
 * paths are malloc'd, the caller's. */
enum err_code tls_self_signed(const char *folder, const char *const *names,
    char **certificate_r, char **key_r, bool *made_r, struct err *);

#endif
