/* SPDX-License-Identifier: Apache-2.0 */
/* Basic authentication: credentials taken apart, hashed elsewhere, remembered. */
#include "config.h"

#include "gateway/access/auth.h"

#include "gateway/access/htpasswd.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/hash.h"
#include "gateway/base/lock.h"

#include <crypt.h>

#include <stdlib.h>
#include <string.h>

#define REMEMBERED_US (60 * CLOCK_SECOND)
#define MEMO_SETS 256
#define MEMO_WAYS 4
/* base64 of USER:PASSWORD */
#define DECODED_MAX (AUTH_USER_MAX + 1 + AUTH_PASSWORD_MAX)
#define ENCODED_MAX ((DECODED_MAX + 2) / 3 * 4)

struct slot {
	uint64_t hash[2];
	int64_t until_us;
};

/* What was found out lately; a set's oldest makes room. */
struct memo {
	struct slot slots[MEMO_SETS][MEMO_WAYS];
};

#define AUTH_MAGIC 0xa07a07u
struct auth {
	unsigned magic;
	char *path;
	struct watched *file;
	struct hash_key keys[2];
	struct lock lock;
	/* apart, so that guesses can't push out what is right */
	struct memo accepted, refused;
};

enum err_code
auth_new(struct auth **auth_r, const char *htpasswd, struct err *e)
{
	struct auth *auth = mem_zalloc(sizeof(*auth));
	enum err_code rc;

	*auth_r = NULL;
	auth->path = mem_strdup(htpasswd);
	rc = watched_new(&auth->file, &htpasswd_watched, auth->path, NULL, e);
	if (rc != ERR_OK) {
		free(auth->path);
		free(auth);
		return (rc);
	}
	auth->magic = AUTH_MAGIC;
	auth->keys[0] = hash_key_random();
	auth->keys[1] = hash_key_random();
	lock_init(&auth->lock, LOCK_AUTH);
	*auth_r = auth;
	return (ERR_OK);
}

void
auth_free(struct auth **auth_p)
{
	struct auth *auth = *auth_p;

	*auth_p = NULL;
	if (auth == NULL)
		return;
	CHECK_OBJ(auth, AUTH_MAGIC);
	watched_free(&auth->file);
	free(auth->path);
	lock_destroy(&auth->lock);
	explicit_bzero(auth, sizeof(*auth));
	free(auth);
}

struct watched *
auth_watched(struct auth *auth)
{
	CHECK_OBJ(auth, AUTH_MAGIC);
	return (auth->file);
}

static bool
memo_has(const struct memo *memo, const uint64_t hash[2], int64_t now_us)
{
	const struct slot *set = memo->slots[hash[0] % MEMO_SETS];
	size_t i;

	for (i = 0; i < MEMO_WAYS; i++)
		if (set[i].hash[0] == hash[0] && set[i].hash[1] == hash[1])
			return (now_us < set[i].until_us);
	return (false);
}

static void
memo_put(struct memo *memo, const uint64_t hash[2], int64_t now_us)
{
	struct slot *set = memo->slots[hash[0] % MEMO_SETS], *slot = &set[0];
	size_t i;

	for (i = 0; i < MEMO_WAYS; i++) {
		if (set[i].hash[0] == hash[0] && set[i].hash[1] == hash[1]) {
			slot = &set[i];
			break;
		}
		if (set[i].until_us < slot->until_us)
			slot = &set[i];
	}
	slot->hash[0] = hash[0];
	slot->hash[1] = hash[1];
	slot->until_us = now_us + REMEMBERED_US;
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (c - 'A');
	if (c >= 'a' && c <= 'z')
		return (c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (c - '0' + 52);
	if (c == '+')
		return (62);
	return (c == '/' ? 63 : -1);
}

/* RFC 4648, with its padding and without bits left over, so that credentials have
 * one form only. SIZE_MAX: it is none, or too long. */
static size_t
base64_decode(struct span in, char out[DECODED_MAX])
{
	size_t i, n = 0, pad = 0;
	uint32_t bits = 0;
	int value;

	if (in.n == 0 || in.n % 4 != 0 || in.n > ENCODED_MAX)
		return (SIZE_MAX);
	while (pad < 2 && in.p[in.n - 1 - pad] == '=')
		pad++;
	for (i = 0; i < in.n - pad; i++) {
		value = base64_value(in.p[i]);
		if (value < 0)
			return (SIZE_MAX);
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 == 0)
			continue;
		if (n == DECODED_MAX)
			return (SIZE_MAX);
		out[n++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	/* 2 characters make one byte and 4 bits, 3 make two bytes and 2 bits */
	if (pad > 0 && (bits & ((1u << 2 * pad) - 1)) != 0)
		return (SIZE_MAX);
	return (n);
}

static bool
take_text(char *out, size_t size, struct span in)
{
	size_t i;

	for (i = 0; i < in.n; i++)
		if ((unsigned char)in.p[i] < 0x20 || in.p[i] == 0x7f)
			return (false);
	if (in.n >= size)
		return (false);
	if (in.n > 0)
		memcpy(out, in.p, in.n);
	out[in.n] = '\0';
	return (true);
}

/* User and password of the field; control bytes are in neither (RFC 7617). */
static bool
take_credentials(struct auth_claim *claim, struct span authorization)
{
	const struct span scheme = SPAN("Basic ");
	struct span user = SPAN_NONE, rest;
	char decoded[DECODED_MAX];
	bool fine = false;
	size_t n;

	if (authorization.p == NULL ||
	    !span_eq_nocase(span_cut(authorization, 0, scheme.n), scheme))
		return (false);
	rest = span_trim(span_cut(authorization, scheme.n, authorization.n));
	n = base64_decode(rest, decoded);
	if (n != SIZE_MAX) {
		rest = span_mem(decoded, n);
		span_split(&rest, ':', &user);
		fine = rest.p != NULL && user.n > 0 &&
		       take_text(claim->user, sizeof(claim->user), user) &&
		       take_text(claim->password, sizeof(claim->password), rest);
	}
	explicit_bzero(decoded, sizeof(decoded));
	return (fine);
}

static void
hash_claim(const struct auth *auth, const struct htpasswd *file, struct auth_claim *claim)
{
	char bytes[sizeof(uint64_t) + sizeof(claim->user) + sizeof(claim->password)];
	const uint64_t serial = htpasswd_serial(file);
	const size_t n_user = strlen(claim->user) + 1,
		     n_password = strlen(claim->password);
	size_t n = sizeof(serial);

	memcpy(bytes, &serial, n);
	memcpy(bytes + n, claim->user, n_user); /* and a NUL, which none holds */
	n += n_user;
	memcpy(bytes + n, claim->password, n_password);
	n += n_password;
	claim->memo[0] = hash_bytes(&auth->keys[0], bytes, n);
	claim->memo[1] = hash_bytes(&auth->keys[1], bytes, n);
	explicit_bzero(bytes, sizeof(bytes));
}

enum auth_rc
auth_begin(struct auth *auth, struct span authorization, struct auth_claim *claim,
    int64_t now_us)
{
	const struct htpasswd *file;
	bool accepted, refused;
	struct span user, hash;

	CHECK_OBJ(auth, AUTH_MAGIC);
	memset(claim, 0, sizeof(*claim));
	claim->given = take_credentials(claim, authorization);
	if (!claim->given)
		return (AUTH_REFUSED);
	file = watched_get(auth->file);
	hash_claim(auth, file, claim);
	lock_take(&auth->lock);
	accepted = memo_has(&auth->accepted, claim->memo, now_us);
	refused = memo_has(&auth->refused, claim->memo, now_us);
	lock_release(&auth->lock);
	claim->accepted = accepted;
	if (accepted || refused)
		return (accepted ? AUTH_ACCEPTED : AUTH_REFUSED);
	user = span_of(claim->user);
	hash = htpasswd_find(file, user);
	claim->known = hash.p != NULL;
	/* always the same one for a user, as if he had it */
	if (!claim->known)
		hash = htpasswd_any(file, hash_bytes(&auth->keys[0], user.p, user.n));
	if (hash.p == NULL)
		return (AUTH_REFUSED);
	CHECK(hash.n < sizeof(claim->hash));
	memcpy(claim->hash, hash.p, hash.n);
	claim->hash[hash.n] = '\0';
	return (AUTH_HASH);
}

/* Takes as long whatever differs. */
static bool
is_same(const char *a, const char *b)
{
	const size_t n = strlen(a);
	unsigned char difference = 0;
	size_t i;

	if (n != strlen(b))
		return (false);
	for (i = 0; i < n; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return (difference == 0);
}

void
auth_check(struct auth_claim *claim)
{
	struct crypt_data *data = mem_zalloc(sizeof(*data));
	const char *hash;
	bool same;

	/* NULL: no memory for it */
	hash = crypt_rn(claim->password, claim->hash, data, (int)sizeof(*data));
	claim->hashed = hash != NULL;
	same = claim->hashed && is_same(hash, claim->hash);
	claim->accepted = same && claim->known;
	explicit_bzero(data, sizeof(*data));
	free(data);
}

bool
auth_settle(struct auth *auth, struct auth_claim *claim, int64_t now_us)
{
	CHECK_OBJ(auth, AUTH_MAGIC);
	if (!claim->hashed)
		return (false);
	lock_take(&auth->lock);
	memo_put(claim->accepted ? &auth->accepted : &auth->refused, claim->memo, now_us);
	lock_release(&auth->lock);
	return (claim->accepted);
}

void
auth_forget(struct auth_claim *claim)
{
	explicit_bzero(claim, sizeof(*claim));
}
