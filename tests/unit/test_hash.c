/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-1-3 against another implementation's results; random bytes. */
#include "config.h"

#include "gateway/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What CPython 3.11 (sys.hash_info.algorithm: siphash13) answers for hash(bytes)
 * with PYTHONHASHSEED=0, a key of zeros, and with 42, whose key follows from
 * the generator in its Python/bootstrap_hash.c. */
static void
test_vectors(void **state)
{
	static const struct hash_key zero = { 0, 0 },
				     seed42 = { UINT64_C(0xdc504fd368cd90af),
					     UINT64_C(0xb920bb9ffe99e9c1) };
	static const struct {
		const char *text;
		uint64_t with_zero, with_seed42;
	} rows[] = {
		{ "a", UINT64_C(0x407448d2b89b1813), UINT64_C(0xfe4a47335692551e) },
		{ "abc", UINT64_C(0xc03bc3a0042630f2), UINT64_C(0x35b382d0c5d675e9) },
		{ "1234567", UINT64_C(0xa33d651594fdae81), UINT64_C(0xf426c87f0d9890ae) },
		{ "12345678", UINT64_C(0x3489982430560a87),
		    UINT64_C(0x84eb586ab30cc7f5) },
		{ "123456789", UINT64_C(0xfbc0f0007965fcf),
		    UINT64_C(0x2cc2cece25c33444) },
		{ "GET /index.html HTTP/1.1", UINT64_C(0x529ed32a9e0af914),
		    UINT64_C(0xece074bc730beef6) },
	};
	unsigned char counting[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t n = strlen(rows[i].text);

		assert_true(hash_bytes(&zero, rows[i].text, n) == rows[i].with_zero);
		assert_true(hash_bytes(&seed42, rows[i].text, n) == rows[i].with_seed42);
	}
	for (i = 0; i < sizeof counting; i++)
		counting[i] = (unsigned char)i;
	assert_true(hash_bytes(&zero, counting, 63) == UINT64_C(0x385d3e39e5f37359));
	assert_true(hash_bytes(&seed42, counting, 63) == UINT64_C(0x06e24d6f0d014c37));
	/* Any alignment. */
	memmove(counting + 1, counting, 63);
	assert_true(hash_bytes(&zero, counting + 1, 63) == UINT64_C(0x385d3e39e5f37359));
	/* Nothing at all is hashed too, and depends on the key. */
	assert_true(hash_bytes(&zero, NULL, 0) != hash_bytes(&seed42, NULL, 0));
}

static void
test_random(void **state)
{
	struct hash_key a = hash_key_random(), b = hash_key_random();
	unsigned char big[1000], zero[16] = { 0 };

	(void)state;
	assert_true(a.k0 != b.k0 && a.k1 != b.k1 && a.k0 != a.k1);
	memset(big, 0, sizeof big);
	random_bytes(big, sizeof big);
	assert_memory_not_equal(big + sizeof big - 16, zero, 16);
	random_bytes(NULL, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_random),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
