/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/mix.h - spreads the bits of a number (the finaliser of
 * SplitMix64: Steele, Lea, Flood 2014). Not keyed: never for what a client could
 * gain by colliding. Pure. */
#ifndef YETT_UPSTREAM_MIX_H
#define YETT_UPSTREAM_MIX_H

#include <stdint.h>

static inline uint64_t
mix64(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (x ^ (x >> 31));
}

#endif
