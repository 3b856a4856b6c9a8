/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-1-3: a short-input hash that a client without the key can't collide. */
#include "config.h"

#include "gateway/base/hash.h"

#include "gateway/base/check.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

void
random_bytes(void *out, size_t n)
{
	char *to = out;
	ssize_t got;

	while (n > 0) {
		got = getrandom(to, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		CHECK(got > 0);
		to += got;
		n -= (size_t)got;
	}
}

struct hash_key
hash_key_random(void)
{
	struct hash_key key;

	random_bytes(&key, sizeof key);
	return (key);
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate(uint64_t x, unsigned by)
{
	return (x << by | x >> (64 - by));
}

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

static inline uint64_t
load_le64(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return (word);
}

uint64_t
hash_bytes(const struct hash_key *key, const void *p, size_t n)
{
	const unsigned char *at = p;
	uint64_t word, last = (uint64_t)n << 56;
	struct sip s;
	size_t i, left = n;

	s.v0 = key->k0 ^ UINT64_C(0x736f6d6570736575);
	s.v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d);
	s.v2 = key->k0 ^ UINT64_C(0x6c7967656e657261);
	s.v3 = key->k1 ^ UINT64_C(0x7465646279746573);
	for (; left >= 8; left -= 8, at += 8) {
		word = load_le64(at);
		s.v3 ^= word;
		sip_round(&s);
		s.v0 ^= word;
	}
	for (i = 0; i < left; i++)
		last |= (uint64_t)at[i] << (8 * i);
	s.v3 ^= last;
	sip_round(&s);
	s.v0 ^= last;
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return (s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}
