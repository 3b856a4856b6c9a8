/* SPDX-License-Identifier: Apache-2.0 */
/* Well-formed UTF-8 by the table of RFC 3629, section 4. */
#include "config.h"

#include "gateway/base/utf8.h"

/* What the lead byte demands of the second one; the rest are 80..BF. */
struct lead {
	unsigned char length, low, high;
};

static struct lead
lead_of(unsigned char c)
{
	struct lead lead = { 0, 0x80, 0xbf };

	if (c >= 0xc2 && c <= 0xdf)
		lead.length = 2;
	else if (c >= 0xe0 && c <= 0xef)
		lead.length = 3;
	else if (c >= 0xf0 && c <= 0xf4)
		lead.length = 4;
	if (c == 0xe0)
		lead.low = 0xa0; /* overlong below */
	else if (c == 0xed)
		lead.high = 0x9f; /* surrogates above */
	else if (c == 0xf0)
		lead.low = 0x90; /* overlong below */
	else if (c == 0xf4)
		lead.high = 0x8f; /* past U+10FFFF above */
	return (lead);
}

size_t
utf8_sequence(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	struct lead lead;
	size_t i;

	if (s.n == 0)
		return (0);
	if (p[0] < 0x80)
		return (1);
	lead = lead_of(p[0]);
	if (lead.length == 0 || s.n < lead.length)
		return (0);
	if (p[1] < lead.low || p[1] > lead.high)
		return (0);
	for (i = 2; i < lead.length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return (0);
	return (lead.length);
}

bool
utf8_is_valid(struct span s)
{
	size_t n;

	while (s.n > 0) {
		n = utf8_sequence(s);
		if (n == 0)
			return (false);
		s = span_cut(s, n, s.n);
	}
	return (true);
}
