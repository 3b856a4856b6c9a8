/* SPDX-License-Identifier: Apache-2.0 */
/* Which files are refused and why, which certificate a client gets, what is
 * stapled, and the certificate that the gateway makes itself. */
#include "config.h"

#include "tests/unit/tls_lab.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include <sys/stat.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

#include "gateway/base/check.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

static struct lab lab;

static int
setup(void **state)
{
	static const struct lab_cert certs[] = {
		{ .file = "ca", .ca = true },
		{ .file = "shop", .names = "DNS:shop.test,DNS:www.shop.test" },
		{ .file = "shop-rsa",
		    .names = "DNS:shop.test,DNS:www.shop.test",
		    .type = "RSA:2048" },
		{ .file = "wild", .names = "DNS:*.shop.test" },
		{ .file = "wide-rsa",
		    .names = "DNS:one.test,DNS:two.test",
		    .type = "RSA:2048" },
		{ .file = "two-ec", .names = "DNS:TWO.test" },
		{ .file = "cn", .cn = "cn.test" },
		{ .file = "san", .cn = "hidden.test", .names = "DNS:seen.test" },
		{ .file = "ip", .cn = "hidden.test", .names = "IP:127.0.0.1" },
		{ .file = "odd",
		    .names = "DNS:f*o.test,DNS:*,DNS:*.,DNS:a b.test,DNS:ok.test" },
		{ .file = "first", .names = "DNS:first.test" },
		{ .file = "issued", .names = "DNS:issued.test", .issuer = "ca" },
		{ .file = "weak", .type = "RSA:1024" },
		{ .file = "ed", .names = "DNS:ed.test", .type = "ED25519" },
		{ .file = "expired",
		    .names = "DNS:old.test",
		    .from_days = -20,
		    .to_days = -10 },
		{ .file = "early",
		    .names = "DNS:new.test",
		    .from_days = 10,
		    .to_days = 20 },
	};
	size_t i;

	(void)state;
	lab_open(&lab);
	for (i = 0; i < N(certs); i++)
		lab_make(&lab, &certs[i]);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	lab_close(&lab);
	return (0);
}

/* --- which certificate ----------------------------------------------------- */

/* The file of the certificate that a client gets, or NULL: no handshake. */
static const char *
served(struct tls_server *server, const char *sni, const char *sigalgs, int version)
{
	static const char *const all[] = { "shop", "shop-rsa", "wild", "wide-rsa",
		"two-ec", "cn", "san", "ip", "odd", "first", "issued", "ed", "expired",
		"early" };
	struct lab_raw raw = { 0 };
	const char *found = NULL;
	struct stream *s;
	int fd[2];
	size_t i;

	lab_pair(fd);
	s = tls_accept(server, fd[0]);
	lab_raw_open(&raw, fd[1], sni);
	SSL_set_min_proto_version(raw.ssl, version);
	SSL_set_max_proto_version(raw.ssl, version);
	if (sigalgs != NULL)
		assert_int_equal(SSL_set1_sigalgs_list(raw.ssl, sigalgs), 1);
	if (lab_raw_handshake(&raw, s, NULL)) {
		X509 *got = SSL_get1_peer_certificate(raw.ssl);
		for (i = 0; i < N(all) && found == NULL; i++) {
			FILE *in = fopen(lab_files(&lab, all[i]).certificate, "r");
			X509 *x = PEM_read_X509(in, NULL, NULL, NULL);
			if (X509_cmp(x, got) == 0)
				found = all[i];
			X509_free(x);
			fclose(in);
		}
		X509_free(got);
	}
	lab_raw_close(&raw);
	SSL_CTX_free(raw.ctx);
	stream_close(&s);
	return (found);
}

static void
test_sni(void **state)
{
	static const struct {
		const char *sni, *want, *why;
	} rows[] = {
		{ "shop.test", "shop", "exact" },
		{ "www.shop.test", "shop", "exact before wildcard" },
		{ "a.shop.test", "wild", "wildcard" },
		{ "A.Shop.TEST", "wild", "names have no case" },
		{ "shop.test.", "shop", "a final dot names the same" },
		{ "a.b.shop.test", "first", "a wildcard is one label" },
		{ "*.shop.test", "first", "a star is no name to ask for" },
		{ ".shop.test", "first", "an empty label matches no wildcard" },
		{ "cn.test", "cn", "the common name where there are no others" },
		{ "seen.test", "san", "alternative name" },
		{ "hidden.test", "first", "no common name beside alternative names" },
		{ "ok.test", "odd", "odd names beside a good one are skipped" },
		{ "foo.test", "first", "no partial wildcards" },
		{ "ed.test", "ed", "ed25519" },
		{ "old.test", "expired", "expired, served all the same" },
		{ "new.test", "early", "not valid yet, served all the same" },
		{ "nobody.test", "first", "unknown: the default" },
		{ "test", "first", "one label" },
		{ NULL, "first", "no name: the default" },
	};
	static const char *const files[] = { "first", "shop", "wild", "cn", "san", "odd",
		"ed", "expired", NULL };
	static const char *const more[] = { "first", "early", NULL };
	struct tls_server *server = lab_server(&lab, files),
			  *other = lab_server(&lab, more);
	const char *got;
	size_t i;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		got = served(strcmp(rows[i].want, "early") == 0 ? other : server,
		    rows[i].sni, NULL, i % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
		if (got == NULL || strcmp(got, rows[i].want) != 0)
			fail_msg("%s (%s): %s, not %s", rows[i].sni, rows[i].why, got,
			    rows[i].want);
	}
	tls_server_free(&server);
	tls_server_free(&other);
}

static void
test_key_types_side_by_side(void **state)
{
	static const char *const ec = "ECDSA+SHA256", *const rsa =
							  "RSA-PSS+SHA256:RSA+SHA256";
	static const char *const files[] = { "shop-rsa", "shop", "wide-rsa", "two-ec",
		NULL };
	const struct {
		const char *sni, *sigalgs, *want, *why;
	} rows[] = {
		{ "shop.test", rsa, "shop-rsa", "client knows RSA" },
		{ "shop.test", ec, "shop", "client knows ECDSA" },
		{ "shop.test", NULL, "shop", "ECDSA first where both do" },
		{ NULL, ec, "shop", "the default has both too" },
		{ NULL, rsa, "shop-rsa", "the default has both too" },
		{ "two.test", rsa, "wide-rsa", "sets that overlap" },
		{ "two.test", ec, "two-ec", "sets that overlap" },
		{ "one.test", rsa, "wide-rsa", "only one key type has the name" },
		{ "one.test", ec, NULL, "only the other key type has the name" },
	};
	struct tls_server *server = lab_server(&lab, files);
	const char *got;
	size_t i;
	int version;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		for (version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			got = served(server, rows[i].sni, rows[i].sigalgs, version);
			if ((got == NULL) != (rows[i].want == NULL) ||
			    (got != NULL && strcmp(got, rows[i].want) != 0))
				fail_msg("%s %s (%s): %s, not %s", rows[i].sni,
				    rows[i].sigalgs, rows[i].why, got, rows[i].want);
		}
	}
	tls_server_free(&server);
}

/* --- files that are refused ------------------------------------------------ */

static void
make_bad_files(void)
{
	const unsigned char passphrase[] = "secret";
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *out;
	BIO *bio;

	lab_write(&lab, "empty.pem", "");
	lab_write(&lab, "text.pem", "no certificate\n");
	lab_write(&lab, "broken.pem",
	    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	lab_write(&lab, "cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
	out = fopen(lab_path(&lab, "locked.key"), "w");
	assert_non_null(out);
	assert_int_equal(PEM_write_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(),
			     (const char *)passphrase, 6, NULL, NULL),
	    1);
	fclose(out);
	bio = BIO_new_file(lab_path(&lab, "locked-old.key"), "w");
	assert_non_null(bio);
	assert_int_equal(PEM_write_bio_PrivateKey_traditional(
			     bio, key, EVP_aes_128_cbc(), passphrase, 6, NULL, NULL),
	    1);
	BIO_free(bio);
	EVP_PKEY_free(key);
	out = fopen(lab_path(&lab, "huge.pem"), "w");
	assert_non_null(out);
	assert_int_equal(fseek(out, 2 * 1024 * 1024, SEEK_SET), 0);
	fputc('x', out);
	fclose(out);
}

static void
test_refused_files(void **state)
{
	static const struct {
		const char *certificate, *key, *ocsp;
		enum err_code code;
		const char *names, *says;
	} rows[] = {
		{ "none.pem", "shop.key", "", ERR_IO, "none.pem", "No such file" },
		{ "shop.pem", "none.key", "", ERR_IO, "none.key", "No such file" },
		{ "", "shop.key", "", ERR_IO, "/: ", "directory" },
		{ "empty.pem", "shop.key", "", ERR_FORMAT, "empty.pem",
		    "no certificate" },
		{ "text.pem", "shop.key", "", ERR_FORMAT, "text.pem",
		    "BEGIN CERTIFICATE" },
		{ "broken.pem", "shop.key", "", ERR_FORMAT, "broken.pem", "broken" },
		{ "cut.pem", "shop.key", "", ERR_FORMAT, "cut.pem", "broken" },
		{ "huge.pem", "shop.key", "", ERR_RANGE, "huge.pem", "1 MiB" },
		{ "shop.key", "shop.key", "", ERR_FORMAT, "shop.key", "no certificate" },
		{ "shop.pem", "shop.pem", "", ERR_FORMAT, "shop.pem", "no private key" },
		{ "shop.pem", "empty.pem", "", ERR_FORMAT, "empty.pem",
		    "no private key" },
		{ "shop.pem", "wild.key", "", ERR_CONFLICT, "wild.key", "shop.pem" },
		{ "shop.pem", "shop-rsa.key", "", ERR_CONFLICT, "shop-rsa.key",
		    "shop.pem" },
		{ "shop.pem", "locked.key", "", ERR_UNSUPPORTED, "locked.key",
		    "passphrase" },
		{ "shop.pem", "locked-old.key", "", ERR_UNSUPPORTED, "locked-old.key",
		    "passphrase" },
		{ "weak.pem", "weak.key", "", ERR_RANGE, "weak.key", "2048" },
		{ "issued.pem", "issued.key", "none.der", ERR_IO, "none.der",
		    "No such file" },
		{ "issued.pem", "issued.key", "shop.key", ERR_FORMAT, "shop.key",
		    "OCSP" },
	};
	struct tls_server_options o = { .n_files = 1 };
	struct tls_server *server;
	struct tls_files files;
	struct err e;
	size_t i;

	(void)state;
	make_bad_files();
	o.files = &files;
	for (i = 0; i < N(rows); i++) {
		files.certificate = lab_path(&lab, rows[i].certificate);
		files.key = lab_path(&lab, rows[i].key);
		files.ocsp = rows[i].ocsp[0] != '\0' ? lab_path(&lab, rows[i].ocsp) : "";
		assert_int_equal(tls_server_new(&server, &o, &e), rows[i].code);
		assert_null(server);
		if (strstr(e.text, rows[i].names) == NULL ||
		    strstr(e.text, rows[i].says) == NULL)
			fail_msg(
			    "%s + %s: \"%s\"", rows[i].certificate, rows[i].key, e.text);
	}
	o.n_files = 0;
	assert_int_equal(tls_server_new(&server, &o, &e), ERR_MISSING);
}

/* Certificate and key in one file, the key first. */
static void
test_combined_file(void **state)
{
	char *both = strdup(lab_path(&lab, "both.pem"));
	struct tls_files files = { both, both, "" };
	struct tls_server_options o = { &files, 1, false, NULL };
	char command[3 * PATH_MAX];
	struct tls_server *server;
	struct err e;

	(void)state;
	snprintf(command, sizeof(command), "cat %s/shop.key %s/shop.pem > %s", lab.folder,
	    lab.folder, both);
	assert_int_equal(system(command), 0);
	assert_int_equal(tls_server_new(&server, &o, &e), ERR_OK);
	tls_server_free(&server);
	free(both);
}

/* --- stapling -------------------------------------------------------------- */

static int
on_staple(SSL *ssl, void *arg)
{
	const unsigned char *p;

	*(long *)arg = SSL_get_tlsext_status_ocsp_resp(ssl, &p);
	return (1);
}

/* Length of the staple that a client gets, -1 for none. */
static long
stapled(struct tls_server *server, const char *sigalgs, int version)
{
	struct lab_raw raw = { 0 };
	struct stream *s;
	long length = -2;
	int fd[2];

	lab_pair(fd);
	s = tls_accept(server, fd[0]);
	raw.ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_tlsext_status_cb(raw.ctx, on_staple);
	SSL_CTX_set_tlsext_status_arg(raw.ctx, &length);
	lab_raw_open(&raw, fd[1], "issued.test");
	SSL_set_max_proto_version(raw.ssl, version);
	SSL_set_tlsext_status_type(raw.ssl, TLSEXT_STATUSTYPE_ocsp);
	if (sigalgs != NULL)
		assert_int_equal(SSL_set1_sigalgs_list(raw.ssl, sigalgs), 1);
	assert_true(lab_raw_handshake(&raw, s, NULL));
	lab_raw_close(&raw);
	SSL_CTX_free(raw.ctx);
	stream_close(&s);
	return (length);
}

static void
test_stapling(void **state)
{
	static const struct {
		struct lab_ocsp answer;
		enum err_code code;
		bool staple;
		const char *why;
	} rows[] = {
		{ { "good.der", "issued", "ca", V_OCSP_CERTSTATUS_GOOD, -1, 24, false },
		    ERR_OK, true, "good" },
		{ { "sha256.der", "issued", "ca", V_OCSP_CERTSTATUS_GOOD, -1, 24, true },
		    ERR_OK, true, "id made with SHA-256" },
		{ { "open.der", "issued", "ca", V_OCSP_CERTSTATUS_GOOD, -1, 0, false },
		    ERR_OK, true, "no next update" },
		{ { "old.der", "issued", "ca", V_OCSP_CERTSTATUS_GOOD, -48, -24, false },
		    ERR_OK, false, "expired" },
		{ { "soon.der", "issued", "ca", V_OCSP_CERTSTATUS_GOOD, 24, 48, false },
		    ERR_OK, false, "from the future" },
		{ { "revoked.der", "issued", "ca", V_OCSP_CERTSTATUS_REVOKED, -1, 24,
		      false },
		    ERR_OK, false, "revoked" },
		{ { "unknown.der", "issued", "ca", V_OCSP_CERTSTATUS_UNKNOWN, -1, 24,
		      false },
		    ERR_OK, false, "unknown" },
		{ { "other.der", "shop", "ca", V_OCSP_CERTSTATUS_GOOD, -1, 24, false },
		    ERR_CONFLICT, false, "another certificate" },
		{ { "issuer.der", "issued", "wild", V_OCSP_CERTSTATUS_GOOD, -1, 24,
		      false },
		    ERR_CONFLICT, false, "another issuer" },
	};
	struct tls_server_options o = { .n_files = 1 };
	struct tls_server *server;
	struct tls_files files;
	struct err e;
	size_t i;
	int version;

	(void)state;
	o.files = &files;
	for (i = 0; i < N(rows); i++) {
		lab_ocsp(&lab, &rows[i].answer);
		files = lab_files(&lab, "issued");
		files.ocsp = lab_path(&lab, rows[i].answer.file);
		assert_int_equal(tls_server_new(&server, &o, &e), rows[i].code);
		if (server == NULL) {
			assert_non_null(strstr(e.text, rows[i].answer.file));
			continue;
		}
		for (version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			if ((stapled(server, NULL, version) > 0) != rows[i].staple)
				fail_msg("%s", rows[i].why);
		}
		tls_server_free(&server);
	}
}

/* --- the gateway's own certificate ----------------------------------------- */

static mode_t
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (st.st_mode & 07777);
}

static void
make_own(const char *folder, const char *const *names, bool want_made)
{
	char *certificate, *key;
	struct err e;
	bool made;

	if (tls_self_signed(folder, names, &certificate, &key, &made, &e) != ERR_OK)
		fail_msg("%s", e.text);
	assert_int_equal(made, want_made);
	assert_int_equal(mode_of(certificate), 0600);
	assert_int_equal(mode_of(key), 0600);
	free(certificate);
	free(key);
}

static void
refuse_own(const char *folder, const char *const *names, const char *says)
{
	char *certificate, *key;
	struct err e;
	bool made;

	assert_int_not_equal(
	    tls_self_signed(folder, names, &certificate, &key, &made, &e), ERR_OK);
	assert_null(certificate);
	assert_null(key);
	assert_false(made);
	if (strstr(e.text, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, says);
}

static void
rename_in(const char *from, const char *to)
{
	assert_int_equal(rename(lab_path(&lab, from), to), 0);
}

static void
test_self_signed(void **state)
{
	static const char *const names[] = { "app.test", "*.app.test", "192.0.2.7",
		NULL };
	static const char *const bad[] = { "a,DNS:evil.test", NULL };
	static const char *const empty[] = { "", NULL };
	char folder[PATH_MAX], crt[PATH_MAX + 32], key[PATH_MAX + 32];
	static const struct lab_cert old = {
		.file = "spare", .from_days = -20, .to_days = -1
	};
	X509 *x;
	FILE *in;

	(void)state;
	snprintf(folder, sizeof(folder), "%s/state/deep", lab.folder);
	snprintf(crt, sizeof(crt), "%s/self-signed.crt", folder);
	snprintf(key, sizeof(key), "%s/self-signed.key", folder);
	make_own(folder, names, true);
	assert_int_equal(mode_of(folder), 0700);
	make_own(folder, names, false);

	in = fopen(crt, "r");
	x = PEM_read_X509(in, NULL, NULL, NULL);
	fclose(in);
	assert_int_equal(X509_check_host(x, "app.test", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "www.app.test", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "192.0.2.7", 0), 1);
	assert_int_equal(X509_check_host(x, "evil.test", 0, 0, NULL), 0);
	X509_free(x);

	assert_int_equal(unlink(key), 0);
	make_own(folder, NULL, true); /* one of them gone */
	lab_make(&lab, &old);
	rename_in("spare.key", key);
	assert_int_equal(chmod(key, 0600), 0);
	make_own(folder, NULL, true); /* half replaced */
	lab_make(&lab, &old);
	rename_in("spare.pem", crt);
	rename_in("spare.key", key);
	make_own(folder, NULL, true); /* expired */
	make_own(folder, NULL, false);
	lab_write(&lab, "spare.pem", "rubbish");
	rename_in("spare.pem", crt);
	refuse_own(folder, NULL, "self-signed.crt"); /* not ours to overwrite */
	refuse_own(folder, bad, "no host name");
	refuse_own(folder, empty, "empty");
	refuse_own(crt, NULL, "self-signed.crt"); /* a file, no folder */
	assert_int_equal(unlink(crt), 0);
	assert_int_equal(unlink(key), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(rmdir(lab_path(&lab, "state")), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sni),
		cmocka_unit_test(test_key_types_side_by_side),
		cmocka_unit_test(test_refused_files),
		cmocka_unit_test(test_combined_file),
		cmocka_unit_test(test_stapling),
		cmocka_unit_test(test_self_signed),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
