/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, OCSP answers and connections for tests. */
#include "config.h"

#include "tests/unit/tls_lab.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/check.h"

#define ROUNDS_MAX 1000

void
lab_open(struct lab *lab)
{
	memset(lab, 0, sizeof(*lab));
	snprintf(lab->folder, sizeof(lab->folder), "/tmp/yett-tls-XXXXXX");
	CHECK(mkdtemp(lab->folder) != NULL);
}

void
lab_close(struct lab *lab)
{
	struct dirent *entry;
	DIR *dir;
	int i;

	dir = opendir(lab->folder);
	CHECK(dir != NULL);
	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	CHECK(rmdir(lab->folder) == 0);
	for (i = 0; i < 32; i++)
		free(lab->paths[i]);
}

const char *
lab_path(struct lab *lab, const char *file)
{
	char **path = &lab->paths[lab->turn++ % 32];

	free(*path);
	*path = mem_printf("%s/%s", lab->folder, file);
	return (*path);
}

void
lab_write(struct lab *lab, const char *file, const char *text)
{
	FILE *out = fopen(lab_path(lab, file), "w");

	CHECK(out != NULL && fputs(text, out) >= 0);
	CHECK(fclose(out) == 0);
}

static const char *
with_end(struct lab *lab, const char *file, const char *end)
{
	char name[256];

	snprintf(name, sizeof(name), "%s%s", file, end);
	return (lab_path(lab, name));
}

static EVP_PKEY *
make_key(const char *type)
{
	if (type == NULL)
		return (EVP_EC_gen("P-256"));
	if (strncmp(type, "RSA:", 4) == 0)
		return (EVP_RSA_gen((unsigned)strtoul(type + 4, NULL, 10)));
	if (strncmp(type, "EC:", 3) == 0)
		return (EVP_EC_gen(type + 3));
	return (EVP_PKEY_Q_keygen(NULL, NULL, type));
}

static X509 *
read_cert(struct lab *lab, const char *file)
{
	FILE *in = fopen(with_end(lab, file, ".pem"), "r");
	X509 *x;

	CHECK(in != NULL);
	x = PEM_read_X509(in, NULL, NULL, NULL);
	CHECK(x != NULL);
	fclose(in);
	return (x);
}

static EVP_PKEY *
read_key(struct lab *lab, const char *file)
{
	FILE *in = fopen(with_end(lab, file, ".key"), "r");
	EVP_PKEY *key;

	CHECK(in != NULL);
	key = PEM_read_PrivateKey(in, NULL, NULL, NULL);
	CHECK(key != NULL);
	fclose(in);
	return (key);
}

static void
extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *extension;

	extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	CHECK(extension != NULL && X509_add_ext(x, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static void
fill(X509 *x, const struct lab_cert *spec, EVP_PKEY *key, X509 *issuer)
{
	X509_NAME *name = X509_get_subject_name(x);
	const char *cn = spec->cn != NULL ? spec->cn : spec->file;
	bool dated = spec->from_days != 0 || spec->to_days != 0;
	uint64_t serial = 0;
	const char *p;

	for (p = spec->file; *p != '\0'; p++)
		serial = serial * 31 + (unsigned char)*p;
	CHECK(X509_set_version(x, X509_VERSION_3) == 1);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial);
	X509_gmtime_adj(X509_getm_notBefore(x), dated ? spec->from_days * 86400L : -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), dated ? spec->to_days * 86400L : 86400);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, issuer != NULL ? X509_get_subject_name(issuer) : name);
	X509_set_pubkey(x, key);
	if (spec->names != NULL)
		extend(x, NID_subject_alt_name, spec->names);
	extend(x, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "CA:FALSE");
}

void
lab_make(struct lab *lab, const struct lab_cert *spec)
{
	EVP_PKEY *key, *issuer_key = NULL;
	X509 *x, *issuer = NULL;
	const EVP_MD *md;
	FILE *out;

	key = make_key(spec->type);
	x = X509_new();
	CHECK(key != NULL && x != NULL);
	if (spec->issuer != NULL) {
		issuer = read_cert(lab, spec->issuer);
		issuer_key = read_key(lab, spec->issuer);
	}
	fill(x, spec, key, issuer);
	md = EVP_PKEY_is_a(issuer != NULL ? issuer_key : key, "ED25519") ? NULL
									 : EVP_sha256();
	CHECK(X509_sign(x, issuer != NULL ? issuer_key : key, md) > 0);
	out = fopen(with_end(lab, spec->file, ".pem"), "w");
	CHECK(out != NULL && PEM_write_X509(out, x) == 1);
	/* with the chain, as certificate authorities give it */
	if (issuer != NULL)
		CHECK(PEM_write_X509(out, issuer) == 1);
	fclose(out);
	out = fopen(with_end(lab, spec->file, ".key"), "w");
	CHECK(out != NULL);
	CHECK(fchmod(fileno(out), 0600) == 0);
	CHECK(PEM_write_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(out);
	X509_free(issuer);
	EVP_PKEY_free(issuer_key);
	X509_free(x);
	EVP_PKEY_free(key);
}

struct tls_files
lab_files(struct lab *lab, const char *file)
{
	struct tls_files files;

	files.certificate = with_end(lab, file, ".pem");
	files.key = with_end(lab, file, ".key");
	files.ocsp = "";
	return (files);
}

void
lab_ocsp(struct lab *lab, const struct lab_ocsp *spec)
{
	X509 *cert = read_cert(lab, spec->cert), *ca = read_cert(lab, spec->ca);
	ASN1_TIME *from, *to = NULL, *revoked = NULL;
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	EVP_PKEY *key = read_key(lab, spec->ca);
	OCSP_RESPONSE *answer;
	OCSP_CERTID *id;
	FILE *out;

	id = OCSP_cert_to_id(spec->sha256 ? EVP_sha256() : EVP_sha1(), cert, ca);
	from = X509_gmtime_adj(NULL, spec->from_hours * 3600L);
	if (spec->to_hours != 0)
		to = X509_gmtime_adj(NULL, spec->to_hours * 3600L);
	if (spec->status == V_OCSP_CERTSTATUS_REVOKED)
		revoked = X509_gmtime_adj(NULL, -7200);
	CHECK(OCSP_basic_add1_status(basic, id, spec->status, 0, revoked, from, to) !=
	      NULL);
	CHECK(OCSP_basic_sign(basic, ca, key, EVP_sha256(), NULL, 0) == 1);
	answer = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	CHECK(answer != NULL);
	out = fopen(lab_path(lab, spec->file), "w");
	CHECK(out != NULL &&
	      ASN1_i2d_fp_of(OCSP_RESPONSE, i2d_OCSP_RESPONSE, out, answer) > 0);
	fclose(out);
	OCSP_RESPONSE_free(answer);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	ASN1_TIME_free(revoked);
	OCSP_BASICRESP_free(basic);
	EVP_PKEY_free(key);
	X509_free(cert);
	X509_free(ca);
}

struct tls_server *
lab_server(struct lab *lab, const char *const *files)
{
	static const char *const alpn[] = { "http/1.1", NULL };
	struct tls_server_options o = { .alpn = alpn };
	struct tls_files v[8];
	struct tls_server *server;
	struct err e;

	for (o.n_files = 0; files[o.n_files] != NULL; o.n_files++)
		v[o.n_files] = lab_files(lab, files[o.n_files]);
	o.files = v;
	if (tls_server_new(&server, &o, &e) != ERR_OK)
		check_failed(__FILE__, __LINE__, e.text);
	return (server);
}

struct tls_client *
lab_client(struct lab *lab, const char *ca)
{
	struct tls_client_options o = { .verify = ca != NULL };
	struct tls_client *client;
	struct err e;

	o.files = (struct tls_files){ "", "", "" };
	o.ca = ca != NULL ? with_end(lab, ca, ".pem") : "";
	if (tls_client_new(&client, &o, &e) != ERR_OK)
		check_failed(__FILE__, __LINE__, e.text);
	return (client);
}

void
lab_pair(int fd[2])
{
	CHECK(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
}

static bool
is_waiting(enum stream_rc rc)
{
	return (rc == STREAM_WANT_READ || rc == STREAM_WANT_WRITE);
}

void
lab_handshake(
    struct stream *a, struct stream *b, enum stream_rc *a_r, enum stream_rc *b_r)
{
	int i;

	*a_r = *b_r = STREAM_WANT_READ;
	for (i = 0; i < ROUNDS_MAX && (is_waiting(*a_r) || is_waiting(*b_r)); i++) {
		if (is_waiting(*a_r))
			*a_r = stream_handshake(a);
		if (is_waiting(*b_r))
			*b_r = stream_handshake(b);
		/* who refuses closes, and the other one sees it */
		if (*a_r == STREAM_ERROR && is_waiting(*b_r))
			shutdown(a->fd, SHUT_RDWR);
		if (*b_r == STREAM_ERROR && is_waiting(*a_r))
			shutdown(b->fd, SHUT_RDWR);
	}
}

void
lab_raw_open(struct lab_raw *raw, int fd, const char *sni)
{
	if (raw->ctx == NULL) {
		raw->ctx = SSL_CTX_new(TLS_client_method());
		CHECK(raw->ctx != NULL);
	}
	raw->fd = fd;
	raw->ssl = SSL_new(raw->ctx);
	CHECK(raw->ssl != NULL && SSL_set_fd(raw->ssl, fd) == 1);
	SSL_set_connect_state(raw->ssl);
	if (sni != NULL)
		CHECK(SSL_set_tlsext_host_name(raw->ssl, sni) == 1);
}

void
lab_raw_close(struct lab_raw *raw)
{
	if (raw->ssl != NULL) {
		SSL_set_shutdown(raw->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(raw->ssl);
		close(raw->fd);
		raw->ssl = NULL;
	}
}

bool
lab_raw_handshake(struct lab_raw *raw, struct stream *s, const char **reason_r)
{
	enum stream_rc rc = STREAM_WANT_READ;
	int i, done = 0, error;

	if (reason_r != NULL)
		*reason_r = NULL;
	for (i = 0; i < ROUNDS_MAX && (done != 1 || is_waiting(rc)); i++) {
		if (done != 1) {
			ERR_clear_error();
			done = SSL_do_handshake(raw->ssl);
			error = SSL_get_error(raw->ssl, done);
			if (done != 1 && error != SSL_ERROR_WANT_READ) {
				if (reason_r != NULL)
					*reason_r =
					    ERR_reason_error_string(ERR_peek_error());
				break;
			}
		}
		if (is_waiting(rc))
			rc = stream_handshake(s);
	}
	if (is_waiting(rc))
		rc = stream_handshake(s);
	ERR_clear_error();
	return (done == 1 && rc == STREAM_OK);
}
