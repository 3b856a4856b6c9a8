/* SPDX-License-Identifier: Apache-2.0 */
/* ULIDs from xoshiro256** (Blackman and Vigna 2018): unique and fast, which is
 * all an id must be; it is no secret, so nothing may rely on it being hard to
 * guess. */
#include "config.h"

#include "gateway/base/id.h"

#include "gateway/base/hash.h"

#include <stddef.h>

#define ALPHABET "0123456789ABCDEFGHJKMNPQRSTVWXYZ" /* Crockford's base32 */

void
id_source_init(struct id_source *source)
{
	do {
		random_bytes(source->state, sizeof source->state);
	} while ((source->state[0] | source->state[1] | source->state[2] |
		     source->state[3]) == 0); /* the one state it can't leave */
}

static inline uint64_t
rotate(uint64_t x, unsigned by)
{
	return (x << by | x >> (64 - by));
}

static uint64_t
next_random(uint64_t s[4])
{
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate(s[3], 45);
	return (result);
}

/* The lowest 5 * n bits of `value`, most significant first. */
static void
put_base32(char *to, uint64_t value, int n)
{
	int i;

	for (i = n - 1; i >= 0; i--) {
		to[i] = ALPHABET[value & 31];
		value >>= 5;
	}
}

void
id_make(struct id_source *source, int64_t wall_us, char out[ID_TEXT_MAX])
{
	uint64_t ms = wall_us > 0 ? (uint64_t)wall_us / 1000 : 0;

	put_base32(out, ms & UINT64_C(0xffffffffffff), 10);
	/* The upper bits are the better ones. */
	put_base32(out + 10, next_random(source->state) >> 24, 8);
	put_base32(out + 18, next_random(source->state) >> 24, 8);
	out[26] = '\0';
}

bool
id_is_valid(struct span text)
{
	size_t i;

	if (text.n != ID_TEXT_MAX - 1 || text.p[0] > '7' || text.p[0] < '0')
		return (false);
	for (i = 0; i < text.n; i++)
		if (span_index(SPAN(ALPHABET), text.p[i]) == SIZE_MAX)
			return (false);
	return (true);
}
