/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/hash.h - keyed hashing of hostile bytes (SipHash-1-3, Aumasson
 * and Bernstein 2012) and random bytes. Any thread. */
#ifndef YETT_HASH_H
#define YETT_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key { uint64_t k0, k1; };

/* From getrandom(2); aborts if the kernel has none. */
void random_bytes(void *out, size_t n);
struct hash_key hash_key_random(void);
uint64_t hash_bytes(const struct hash_key *, const void *p, size_t n);

#endif
