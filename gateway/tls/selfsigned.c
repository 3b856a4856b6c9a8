/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that is good enough to try the gateway with. */
#include "config.h"

#include "gateway/tls/internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/base/hash.h"
#include "gateway/base/netaddr.h"

#define VALID_DAYS 397 /* more, and browsers refuse even what is trusted */
#define BACKDATE_SECONDS 3600
#define SAN_TEXT_MAX 65536

/* --- the certificate ------------------------------------------------------- */

static bool
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	bool added;

	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	added = extension != NULL && X509_add_ext(x, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return (added);
}

/* "DNS:localhost,IP:127.0.0.1,..."; false: a name has a character that is not
 * for names. */
static bool
put_names(struct text *text, const char *const *names)
{
	struct netaddr addr;
	struct span name;
	size_t i, j;

	text_puts(text, "DNS:localhost,IP:127.0.0.1,IP:::1");
	for (i = 0; names != NULL && names[i] != NULL; i++) {
		name = span_of(names[i]);
		for (j = 0; j < name.n; j++) {
			if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-_.:*",
				name.p[j]) == NULL)
				return (false);
		}
		if (name.n == 0)
			return (false);
		text_puts(text, netaddr_parse_ip(&addr, name) ? ",IP:" : ",DNS:");
		text_put(text, name);
	}
	text_putc(text, '\0');
	return (!text->overflow);
}

static bool
set_serial(X509 *x)
{
	uint8_t serial[16];
	BIGNUM *number;
	bool set;

	random_bytes(serial, sizeof(serial));
	serial[0] = (serial[0] & 0x7f) | 0x40;
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	set = number != NULL &&
	      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
	BN_free(number);
	return (set);
}

static bool
fill(X509 *x, EVP_PKEY *key, const char *sans)
{
	X509_NAME *subject = X509_get_subject_name(x);

	return (X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
		X509_gmtime_adj(X509_getm_notBefore(x), -BACKDATE_SECONDS) != NULL &&
		X509_gmtime_adj(X509_getm_notAfter(x),
		    VALID_DAYS * 24L * 3600 - BACKDATE_SECONDS) != NULL &&
		X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
		    (const unsigned char *)"Yett self-signed", -1, -1, 0) == 1 &&
		X509_set_issuer_name(x, subject) == 1 && X509_set_pubkey(x, key) == 1 &&
		add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
		add_extension(x, NID_key_usage, "critical,digitalSignature") &&
		add_extension(x, NID_ext_key_usage, "serverAuth") &&
		add_extension(x, NID_subject_key_identifier, "hash") &&
		add_extension(x, NID_subject_alt_name, sans) &&
		X509_sign(x, key, EVP_sha256()) > 0);
}

/* --- the files ------------------------------------------------------------- */

/* 0700 for each part of the path that is not there yet. */
static enum err_code
make_folder(const char *folder, struct err *e)
{
	enum err_code code = ERR_OK;
	char *path, *slash;

	path = mem_strdup(folder);
	for (slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		/* What really is wrong shows at the last part. */
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		code = err_errno(e, "%s: cannot make this folder", folder);
	free(path);
	return (code);
}

static bool
write_pem(FILE *out, const X509 *x, const EVP_PKEY *key)
{
	if (x != NULL)
		return (PEM_write_X509(out, x) == 1);
	return (PEM_write_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
}

/* Whole or not at all: a temporary file beside it, then a rename. mkostemp
 * makes it 0600. Writes `x`, or `key` when there is no `x`. */
static enum err_code
write_file(const char *path, const X509 *x, const EVP_PKEY *key, struct err *e)
{
	enum err_code code = ERR_OK;
	char *temporary;
	FILE *out;
	int fd;

	temporary = mem_printf("%s.XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		code = err_errno(e, "%s: cannot write", path);
		free(temporary);
		return (code);
	}
	out = fdopen(fd, "w");
	CHECK(out != NULL);
	if (!write_pem(out, x, key) || fflush(out) != 0 || fsync(fd) != 0)
		code = err_errno(e, "%s: cannot write", path);
	if (fclose(out) != 0 && code == ERR_OK)
		code = err_errno(e, "%s: cannot write", path);
	if (code == ERR_OK && rename(temporary, path) != 0)
		code = err_errno(e, "%s: cannot put it in its place", path);
	if (code != ERR_OK)
		(void)unlink(temporary);
	free(temporary);
	ERR_clear_error();
	return (code);
}

static enum err_code
make_pair(const char *certificate, const char *key_path, const char *sans, struct err *e)
{
	enum err_code code = ERR_OK;
	EVP_PKEY *key;
	X509 *x;

	ERR_clear_error();
	key = EVP_EC_gen("P-256");
	x = X509_new();
	if (key == NULL || x == NULL || !fill(x, key, sans))
		code = tls_err(e, ERR_FORMAT, certificate, "cannot make it");
	/* The key first: a certificate without its key would be taken for a
	 * pair of the operator's. */
	if (code == ERR_OK)
		code = write_file(key_path, NULL, key, e);
	if (code == ERR_OK)
		code = write_file(certificate, x, NULL, e);
	X509_free(x);
	EVP_PKEY_free(key);
	return (code);
}

/* Both files are there. */
static bool
pair_is_there(const char *certificate, const char *key)
{
	return (access(certificate, F_OK) == 0 && access(key, F_OK) == 0);
}

/* A pair that does not match was half written; one that cannot be read is
 * an error, nothing to overwrite. */
static enum err_code
pair_is_good(const char *certificate, const char *key, bool *good_r, struct err *e)
{
	const struct tls_files files = { certificate, key, "" };
	struct tls_certificate loaded;
	enum err_code code;

	*good_r = false;
	if (!pair_is_there(certificate, key))
		return (ERR_OK);
	code = tls_certificate_load(&loaded, &files, e);
	if (code == ERR_CONFLICT)
		return (ERR_OK);
	if (code != ERR_OK)
		return (err_wrap(e, "delete it and a new one will be made"));
	*good_r = X509_cmp_current_time(X509_get0_notAfter(loaded.leaf)) > 0;
	tls_certificate_clear(&loaded);
	return (ERR_OK);
}

/* lint: parameters: three results, used in one place */
enum err_code
tls_self_signed(const char *folder, const char *const *names, char **certificate_r,
    char **key_r, bool *made_r, struct err *e)
{
	char *certificate, *key;
	enum err_code code;
	struct text sans;
	bool good = false;

	*certificate_r = *key_r = NULL;
	*made_r = false;
	certificate = mem_printf("%s/self-signed.crt", folder);
	key = mem_printf("%s/self-signed.key", folder);
	text_init(&sans, SAN_TEXT_MAX);
	if (!put_names(&sans, names))
		code = err_set(e, ERR_FORMAT,
		    "self-signed certificate: a name is empty, too long or has a "
		    "character "
		    "that no host name has");
	else
		code = make_folder(folder, e);
	if (code == ERR_OK)
		code = pair_is_good(certificate, key, &good, e);
	if (code == ERR_OK && !good) {
		code = make_pair(certificate, key, sans.p, e);
		*made_r = code == ERR_OK;
	}
	text_free(&sans);
	if (code != ERR_OK) {
		free(certificate);
		free(key);
		return (code);
	}
	*certificate_r = certificate;
	*key_r = key;
	return (ERR_OK);
}
