/* SPDX-License-Identifier: Apache-2.0 */
/* Sticky cookies. */
#include "config.h"

#include "gateway/upstream/sticky.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"

#define STICKY_MAGIC 0x571c4ec0u
struct sticky {
	unsigned magic;
	uint32_t n;
	char (*values)[STICKY_TEXT];
};

static void
put_hex(char out[16], uint64_t number)
{
	int i;

	for (i = 15; i >= 0; i--, number >>= 4)
		out[i] = "0123456789abcdef"[number & 15];
}

/* Two keys of which neither is the secret itself, which may have other uses. */
static void
derive(const struct hash_key *secret, const char label[7], struct hash_key *key_r)
{
	char text[8];

	memcpy(text, label, 7);
	text[7] = '0';
	key_r->k0 = hash_bytes(secret, text, sizeof(text));
	text[7] = '1';
	key_r->k1 = hash_bytes(secret, text, sizeof(text));
}

static void
make_value(
    const struct hash_key keys[2], struct span pool, struct span server, char *value)
{
	size_t n = sizeof(uint64_t) + pool.n + server.n;
	uint64_t length = pool.n;
	char *text;
	int i;

	/* The length keeps "ab" + "c" apart from "a" + "bc". */
	text = mem_alloc(n);
	memcpy(text, &length, sizeof(length));
	if (pool.n != 0)
		memcpy(text + sizeof(length), pool.p, pool.n);
	if (server.n != 0)
		memcpy(text + sizeof(length) + pool.n, server.p, server.n);
	for (i = 0; i < 2; i++)
		put_hex(value + (ptrdiff_t)16 * i, hash_bytes(&keys[i], text, n));
	free(text);
}

struct sticky *
sticky_new(const struct hash_key *secret, struct span pool, const struct span *servers,
    uint32_t n)
{
	struct hash_key keys[2];
	struct sticky *sticky;
	uint32_t i;

	sticky = mem_zalloc(sizeof(*sticky));
	sticky->magic = STICKY_MAGIC;
	sticky->n = n;
	sticky->values = mem_alloc(((size_t)n + 1) * sizeof(*sticky->values));
	derive(secret, "sticky-", &keys[0]);
	derive(secret, "sticky+", &keys[1]);
	for (i = 0; i < n; i++)
		make_value(keys, pool, servers[i], sticky->values[i]);
	memset(keys, 0, sizeof(keys));
	return (sticky);
}

void
sticky_free(struct sticky **sticky_p)
{
	struct sticky *sticky = *sticky_p;

	*sticky_p = NULL;
	if (sticky == NULL)
		return;
	CHECK_OBJ(sticky, STICKY_MAGIC);
	free(sticky->values);
	sticky->magic = 0;
	free(sticky);
}

void
sticky_value(const struct sticky *sticky, uint32_t server, char out[STICKY_TEXT + 1])
{
	CHECK_OBJ(sticky, STICKY_MAGIC);
	CHECK(server < sticky->n);
	memcpy(out, sticky->values[server], STICKY_TEXT);
	out[STICKY_TEXT] = '\0';
}

/* 0 where all bytes are equal. */
static unsigned
differ(const char *a, const char *b)
{
	unsigned bits = 0;
	int i;

	for (i = 0; i < STICKY_TEXT; i++)
		bits |= (unsigned char)(a[i] ^ b[i]);
	return (bits);
}

uint32_t
sticky_find(const struct sticky *sticky, struct span value)
{
	uint32_t found = STICKY_NONE, i, mask;

	CHECK_OBJ(sticky, STICKY_MAGIC);
	if (value.p == NULL || value.n != STICKY_TEXT)
		return (STICKY_NONE);
	/* No branch and no early end: time tells nothing of a near miss. The mask
	 * is all ones where they are equal, and else 0. */
	for (i = 0; i < sticky->n; i++) {
		mask = 0 - ((differ(value.p, sticky->values[i]) - 1) >> 31);
		found = (found & ~mask) | (i & mask);
	}
	return (found);
}
