/* SPDX-License-Identifier: Apache-2.0 */
/* The IANA special-purpose address registries, as far as they are not globally
 * reachable; multicast too, which no client can have. */
#include "config.h"

#include "geo/special.h"

/* The first row that fits decides: exceptions stand before what they are in. */
struct row4 {
	uint32_t base;
	uint8_t bits;
	bool is_public;
};

/* clang-format off */
#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
static const struct row4 ROWS4[] = {
	{ IP4(0, 0, 0, 0), 8, false },		/* this network */
	{ IP4(10, 0, 0, 0), 8, false },		/* private */
	{ IP4(100, 64, 0, 0), 10, false },	/* shared, behind a provider's NAT */
	{ IP4(127, 0, 0, 0), 8, false },	/* loopback */
	{ IP4(169, 254, 0, 0), 16, false },	/* link-local */
	{ IP4(172, 16, 0, 0), 12, false },	/* private */
	{ IP4(192, 0, 0, 9), 32, true },	/* Port Control Protocol anycast */
	{ IP4(192, 0, 0, 10), 32, true },	/* TURN anycast */
	{ IP4(192, 0, 0, 0), 24, false },	/* protocol assignments */
	{ IP4(192, 0, 2, 0), 24, false },	/* documentation */
	{ IP4(192, 168, 0, 0), 16, false },	/* private */
	{ IP4(198, 18, 0, 0), 15, false },	/* benchmarks */
	{ IP4(198, 51, 100, 0), 24, false },	/* documentation */
	{ IP4(203, 0, 113, 0), 24, false },	/* documentation */
	{ IP4(224, 0, 0, 0), 4, false },	/* multicast */
	{ IP4(240, 0, 0, 0), 4, false },	/* reserved, broadcast */
};

/* The first and the second half of an address; `bits` of both. */
struct row6 {
	uint64_t high, low;
	uint8_t bits;
	bool is_public;
};

#define HIGH(a, b, c, d) \
	((uint64_t)(a) << 48 | (uint64_t)(b) << 32 | (uint64_t)(c) << 16 | (uint64_t)(d))
static const struct row6 ROWS6[] = {
	{ 0, 0, 128, false },				/* unspecified */
	{ 0, 1, 128, false },				/* loopback */
	{ 0, UINT64_C(0xffff00000000), 96, false },	/* IPv4-mapped */
	{ HIGH(0x64, 0xff9b, 1, 0), 0, 48, false },	/* local translation */
	{ HIGH(0x100, 0, 0, 0), 0, 63, false },		/* discard, dummy prefix */
	{ HIGH(0x2001, 0, 0, 0), 0, 32, true },		/* Teredo */
	{ HIGH(0x2001, 1, 0, 0), 1, 128, true },	/* Port Control Protocol anycast */
	{ HIGH(0x2001, 1, 0, 0), 2, 128, true },	/* TURN anycast */
	{ HIGH(0x2001, 1, 0, 0), 3, 128, true },	/* DNS-SD anycast */
	{ HIGH(0x2001, 3, 0, 0), 0, 32, true },		/* AMT */
	{ HIGH(0x2001, 4, 0x112, 0), 0, 48, true },	/* AS112 */
	{ HIGH(0x2001, 0x20, 0, 0), 0, 28, true },	/* ORCHIDv2 */
	{ HIGH(0x2001, 0x30, 0, 0), 0, 28, true },	/* drone identifiers */
	{ HIGH(0x2001, 0, 0, 0), 0, 23, false },	/* protocol assignments */
	{ HIGH(0x2001, 0xdb8, 0, 0), 0, 32, false },	/* documentation */
	{ HIGH(0x3fff, 0, 0, 0), 0, 20, false },	/* documentation */
	{ HIGH(0x5f00, 0, 0, 0), 0, 16, false },	/* segment routing */
	{ HIGH(0xfc00, 0, 0, 0), 0, 7, false },		/* unique local */
	{ HIGH(0xfe80, 0, 0, 0), 0, 10, false },	/* link-local */
	{ HIGH(0xfec0, 0, 0, 0), 0, 10, false },	/* site-local, deprecated */
	{ HIGH(0xff00, 0, 0, 0), 0, 8, false },		/* multicast */
};
/* clang-format on */
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static uint64_t
read64(const uint8_t *p)
{
	uint64_t value = 0;
	unsigned i;

	for (i = 0; i < 8; i++)
		value = value << 8 | p[i];
	return (value);
}

static bool
is_public4(uint32_t ip)
{
	unsigned i;

	for (i = 0; i < COUNT(ROWS4); i++)
		if (((ip ^ ROWS4[i].base) >> (32 - ROWS4[i].bits)) == 0)
			return (ROWS4[i].is_public);
	return (true);
}

/* `bits` leading ones, of 0 to 64. */
static uint64_t
mask64(unsigned bits)
{
	return (bits == 0 ? 0 : UINT64_MAX << (64 - bits));
}

static bool
is_public6(uint64_t high, uint64_t low)
{
	const struct row6 *row;
	unsigned i, first;

	for (i = 0; i < COUNT(ROWS6); i++) {
		row = &ROWS6[i];
		first = row->bits < 64 ? row->bits : 64;
		if (((high ^ row->high) & mask64(first)) == 0 &&
		    ((low ^ row->low) & mask64(row->bits - first)) == 0)
			return (row->is_public);
	}
	return (true);
}

bool
special_is_public(const struct netaddr *addr)
{
	switch (addr->family) {
	case NETADDR_IP4: return (is_public4((uint32_t)(read64(addr->ip) >> 32)));
	case NETADDR_IP6: return (is_public6(read64(addr->ip), read64(addr->ip + 8)));
	case NETADDR_UNIX:
	case NETADDR_NONE: break;
	}
	return (false);
}
