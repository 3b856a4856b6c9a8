/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of session tickets (RFC 5077 4, RFC 8446 4.6.1): random, in memory only,
 * shared by all contexts and threads of a server, replaced every 12 hours. A
 * stolen key opens no more than three such periods of TLS 1.2 traffic. */
#include "config.h"

#include "gateway/tls/internal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/hash.h"

#define N_KEYS 3
#define ROTATE_EVERY_US (12 * 3600 * CLOCK_SECOND)
#define IV_SIZE 16

bool
ticket_init(struct ticket_keys *t, int64_t now_mono_us)
{
	lock_init(&t->lock, LOCK_TLS);
	/* The past ones are random too: they match no ticket. */
	random_bytes(t->key, sizeof(t->key));
	t->rotated_us = now_mono_us;
	t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	return (t->cipher != NULL);
}

void
ticket_clear(struct ticket_keys *t)
{
	OPENSSL_cleanse(t->key, sizeof(t->key));
	EVP_CIPHER_free(t->cipher);
	lock_destroy(&t->lock);
}

void
ticket_tick(struct ticket_keys *t, int64_t now_mono_us)
{
	struct ticket_key fresh;

	lock_take(&t->lock);
	if (now_mono_us - t->rotated_us >= ROTATE_EVERY_US) {
		random_bytes(&fresh, sizeof(fresh));
		memmove(&t->key[1], &t->key[0], (N_KEYS - 1) * sizeof(t->key[0]));
		t->key[0] = fresh;
		t->rotated_us = now_mono_us;
		OPENSSL_cleanse(&fresh, sizeof(fresh));
	}
	lock_release(&t->lock);
}

/* Copies the key of that name, or the current one for NULL; -1: none. */
static int
copy_key(struct ticket_keys *t, const uint8_t *name, struct ticket_key *key_r)
{
	int i, found = -1;

	lock_take(&t->lock);
	for (i = 0; i < N_KEYS && found < 0; i++) {
		if (name == NULL || memcmp(t->key[i].name, name, 16) == 0)
			found = i;
	}
	if (found >= 0)
		*key_r = t->key[found];
	lock_release(&t->lock);
	return (found);
}

static bool
mac_init(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[3];

	params[0] = OSSL_PARAM_construct_octet_string(
	    OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac));
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	return (EVP_MAC_CTX_set_params(mac, params) == 1);
}

/* OpenSSL encrypts, then authenticates; a ticket whose MAC is wrong never
 * reaches the cipher. 0: no such key, full handshake; 2: renew the ticket. */
/* lint: parameters: handed through from OpenSSL */
int
ticket_crypt(struct ticket_keys *t, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int encrypt)
{
	struct ticket_key key;
	int found, rc = -1;

	found = copy_key(t, encrypt ? NULL : name, &key);
	if (found < 0)
		return (0);
	if (encrypt) {
		memcpy(name, key.name, sizeof(key.name));
		random_bytes(iv, IV_SIZE);
	}
	if (EVP_CipherInit_ex2(cipher, t->cipher, key.cipher, iv, encrypt, NULL) == 1 &&
	    mac_init(mac, &key))
		rc = found == 0 ? 1 : 2;
	OPENSSL_cleanse(&key, sizeof(key));
	return (rc);
}
