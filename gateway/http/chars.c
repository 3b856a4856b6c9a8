/* SPDX-License-Identifier: Apache-2.0 */
/* The table of byte classes and scans over runs. */
#include "config.h"

#include "gateway/http/chars.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* clang-format off */
/* Classes that bytes have in common. */
#define PRINTED	(CHAR_VALUE | CHAR_QUOTED | CHAR_TARGET)
#define WORD	(PRINTED | CHAR_TOKEN | CHAR_LITERAL | CHAR_UNRESERVED | CHAR_NAME)
/* sub-delims, ":", "@" and "/" stay as they are; brackets too, since forms of
 * many frameworks send "list[]=1" and escaping them changes signatures. */
#define DELIM	(PRINTED | CHAR_LITERAL)
#define TDELIM	(DELIM | CHAR_TOKEN)
/* Sent by some clients although no URI may hold them: escaped by us. */
#define RAW	PRINTED
#define TRAW	(RAW | CHAR_TOKEN)

const uint8_t http_chars[256] = {
	['\t'] = CHAR_VALUE | CHAR_QUOTED,
	[' '] = CHAR_VALUE | CHAR_QUOTED,
	['!'] = TDELIM,
	['"'] = CHAR_VALUE | CHAR_TARGET,
	['#'] = CHAR_VALUE | CHAR_QUOTED | CHAR_TOKEN,
	['$'] = TDELIM,
	['%'] = TRAW,
	['&'] = TDELIM,
	['\''] = TDELIM,
	['('] = DELIM, [')'] = DELIM,
	['*'] = TDELIM, ['+'] = TDELIM,
	[','] = DELIM,
	['-'] = WORD, ['.'] = WORD,
	['/'] = DELIM,
	['0' ... '9'] = WORD | CHAR_HEX,
	[':'] = DELIM, [';'] = DELIM,
	['<'] = RAW,
	['='] = DELIM,
	['>'] = RAW,
	['?'] = DELIM, ['@'] = DELIM,
	['A' ... 'F'] = WORD | CHAR_HEX,
	['G' ... 'Z'] = WORD,
	['['] = DELIM,
	['\\'] = CHAR_VALUE | CHAR_TARGET,
	[']'] = DELIM,
	['^'] = TRAW,
	['_'] = WORD,
	['`'] = TRAW,
	['a' ... 'f'] = WORD | CHAR_HEX,
	['g' ... 'z'] = WORD,
	['{'] = RAW,
	['|'] = TRAW,
	['}'] = RAW,
	['~'] = WORD,
	[0x80 ... 0xff] = RAW,
};
/* clang-format on */

size_t
char_run(const char *p, size_t from, size_t n, unsigned classes)
{
	while (from < n && char_is(p[from], classes))
		from++;
	return (from);
}

size_t
char_run_value(const char *p, size_t from, size_t n)
{
#ifdef __SSE2__
	const __m128i controls = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t');
	const __m128i del = _mm_set1_epi8(0x7f);
	__m128i v, bad;
	int mask;

	for (; n - from >= 16; from += 16) {
		v = _mm_loadu_si128((const __m128i *)(const void *)(p + from));
		/* min(v, 0x1f) == v, unsigned: 0x00..0x1f */
		bad = _mm_cmpeq_epi8(_mm_min_epu8(v, controls), v);
		bad = _mm_andnot_si128(_mm_cmpeq_epi8(v, tab), bad);
		bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, del));
		mask = _mm_movemask_epi8(bad);
		if (mask != 0)
			return (from + (size_t)__builtin_ctz((unsigned)mask));
	}
#endif
	return (char_run(p, from, n, CHAR_VALUE));
}
