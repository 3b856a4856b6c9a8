/* SPDX-License-Identifier: Apache-2.0 */
/* OCSP stapling: the certificate authority's answer, from a file that a cron
 * job or the ACME client keeps fresh. */
#include "config.h"

#include "gateway/tls/internal.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/log.h"

/* Seconds that clocks may differ. */
#define SKEW 300

/* The id names the issuer by hashes of its name and key, with a digest of the
 * responder's choice, and the certificate by its serial number. */
static bool
id_matches(OCSP_CERTID *id, const struct tls_certificate *c)
{
	ASN1_OCTET_STRING *name_hash, *key_hash;
	unsigned char hash[EVP_MAX_MD_SIZE];
	ASN1_INTEGER *serial;
	ASN1_OBJECT *digest;
	const EVP_MD *md;
	unsigned n;
	X509 *issuer;

	if (OCSP_id_get0_info(&name_hash, &digest, &key_hash, &serial, id) != 1)
		return (false);
	md = EVP_get_digestbyobj(digest);
	if (md == NULL || ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(c->leaf)) != 0)
		return (false);
	if (X509_NAME_digest(X509_get_issuer_name(c->leaf), md, hash, &n) != 1 ||
	    (int)n != ASN1_STRING_length(name_hash) ||
	    memcmp(hash, ASN1_STRING_get0_data(name_hash), n) != 0)
		return (false);
	issuer = sk_X509_value(c->chain, 0);
	if (issuer == NULL)
		return (true);
	return (X509_pubkey_digest(issuer, md, hash, &n) == 1 &&
		(int)n == ASN1_STRING_length(key_hash) &&
		memcmp(hash, ASN1_STRING_get0_data(key_hash), n) == 0);
}

static bool
is_for(const OCSP_SINGLERESP *single, const struct tls_certificate *c)
{
	OCSP_CERTID *id;
	bool matches;

	/* A copy, since OCSP_id_get0_info wants it writable. */
	id = OCSP_CERTID_dup(OCSP_SINGLERESP_get0_id(single));
	matches = id != NULL && id_matches(id, c);
	OCSP_CERTID_free(id);
	return (matches);
}

static OCSP_SINGLERESP *
find_single(OCSP_BASICRESP *basic, const struct tls_certificate *c)
{
	OCSP_SINGLERESP *single;
	int i;

	for (i = 0; i < OCSP_resp_count(basic); i++) {
		single = OCSP_resp_get0(basic, i);
		if (is_for(single, c))
			return (single);
	}
	return (NULL);
}

static time_t
time_of(const ASN1_GENERALIZEDTIME *at)
{
	struct tm tm;

	if (at == NULL || ASN1_TIME_to_tm(at, &tm) != 1)
		return (0);
	return (timegm(&tm));
}

/* The answer says "good" and is fresh. */
static bool
is_usable(OCSP_SINGLERESP *single, const char *path, time_t *until_r)
{
	ASN1_GENERALIZEDTIME *this_update, *next_update;
	char text[TLS_TIME_MAX];
	int status, reason;

	status =
	    OCSP_single_get0_status(single, &reason, NULL, &this_update, &next_update);
	if (status != V_OCSP_CERTSTATUS_GOOD) {
		log_warn("tls", "%s: the answer is \"%s\", not stapled", path,
		    OCSP_cert_status_str(status));
		return (false);
	}
	if (OCSP_check_validity(this_update, next_update, SKEW, -1) != 1) {
		log_warn("tls", "%s: not stapled: %s (next update %s)", path,
		    tls_reason(),
		    next_update != NULL ? tls_time_text(next_update, text) : "not given");
		ERR_clear_error();
		return (false);
	}
	*until_r = time_of(next_update);
	return (true);
}

static enum err_code
staple_check(struct tls_certificate *c, OCSP_RESPONSE *answer, const char *path,
    bool *usable_r, struct err *e)
{
	OCSP_SINGLERESP *single;
	OCSP_BASICRESP *basic;
	int status;

	status = OCSP_response_status(answer);
	if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		return (err_set(e, ERR_FORMAT, "%s: the OCSP responder answered \"%s\"",
		    path, OCSP_response_status_str(status)));
	basic = OCSP_response_get1_basic(answer);
	if (basic == NULL)
		return (tls_err(e, ERR_FORMAT, path, "no basic OCSP answer"));
	single = find_single(basic, c);
	*usable_r = single != NULL && is_usable(single, path, &c->staple_until);
	OCSP_BASICRESP_free(basic);
	if (single == NULL)
		return (err_set(e, ERR_CONFLICT,
		    "%s: this OCSP answer is not for the certificate in %s", path,
		    c->path));
	return (ERR_OK);
}

enum err_code
tls_staple_load(struct tls_certificate *c, const char *path, struct err *e)
{
	const unsigned char *at;
	OCSP_RESPONSE *answer;
	struct tls_file file;
	enum err_code code;
	bool usable = false;

	code = tls_file_read(&file, path, e);
	if (code != ERR_OK)
		return (code);
	ERR_clear_error();
	at = (const unsigned char *)file.bytes;
	answer = d2i_OCSP_RESPONSE(NULL, &at, (long)file.n);
	if (answer == NULL)
		code = tls_err(e, ERR_FORMAT, path, "no OCSP answer in DER");
	else
		code = staple_check(c, answer, path, &usable, e);
	if (code == ERR_OK && usable) {
		c->staple = mem_alloc(file.n);
		memcpy(c->staple, file.bytes, file.n);
		c->staple_n = file.n;
	}
	OCSP_RESPONSE_free(answer);
	tls_file_free(&file);
	ERR_clear_error();
	return (code);
}

int
tls_staple_send(SSL *ssl, const struct tls_certificate *c)
{
	unsigned char *copy;

	if (c->staple == NULL || (c->staple_until != 0 && time(NULL) > c->staple_until))
		return (SSL_TLSEXT_ERR_NOACK);
	copy = OPENSSL_memdup(c->staple, c->staple_n);
	if (copy == NULL)
		return (SSL_TLSEXT_ERR_NOACK);
	if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)c->staple_n) != 1) {
		OPENSSL_free(copy);
		return (SSL_TLSEXT_ERR_NOACK);
	}
	return (SSL_TLSEXT_ERR_OK);
}
