/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a PROXY protocol header, version 1 (a line of text) or 2 (binary). */
#include "config.h"

#include "gateway/net/proxy_header.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <string.h>

#define V1_MAX 107 /* with its CRLF */
#define V2_FIXED 16
#define V2_TCP4 12
#define V2_TCP6 36
#define V2_UNIX 216
#define TLV_HEAD 3
#define TLV_CRC32C 0x03
#define CRC_BYTES 4
#define CRC32C_REFLECTED 0x82f63b78u

static const char V1_SIGNATURE[] = "PROXY ";
static const char V2_SIGNATURE[] = "\r\n\r\n\0\r\nQUIT\n";
#define V1_SIGNATURE_BYTES (sizeof(V1_SIGNATURE) - 1)
#define V2_SIGNATURE_BYTES (sizeof(V2_SIGNATURE) - 1)

static enum proxy_rc
bad(struct proxy_header *h, const char *problem)
{
	h->problem = problem;
	return (PROXY_BAD);
}

/* --- version 1 ---------------------------------------------------------------- */

/* Decimal, 0 to 65535, as a machine prints it: no sign, no leading zero. */
static bool
v1_port(struct span s, uint16_t *port_r)
{
	uint64_t port;

	if (s.n == 0 || s.n > 5 || (s.n > 1 && s.p[0] == '0') || !span_u64(s, &port) ||
	    port > UINT16_MAX)
		return (false);
	*port_r = (uint16_t)port;
	return (true);
}

static bool
v1_address(struct span s, bool is_ip6, struct netaddr *addr_r)
{
	if (s.p == NULL || (span_index(s, ':') != SIZE_MAX) != is_ip6)
		return (false);
	return (netaddr_parse_ip(addr_r, s));
}

static bool
next_word(struct span *rest, struct span *word_r)
{
	*word_r = SPAN_NONE;
	return (span_split(rest, ' ', word_r));
}

/* "TCP4 192.0.2.1 198.51.100.2 56324 443" */
static enum proxy_rc
v1_words(struct span line, struct proxy_header *h)
{
	struct span protocol, source, destination, from, to;
	bool is_ip6;

	(void)next_word(&line, &protocol);
	if (span_eq(protocol, SPAN("UNKNOWN"))) {
		h->local = true;
		return (PROXY_DONE);
	}
	is_ip6 = span_eq(protocol, SPAN("TCP6"));
	if (!is_ip6 && !span_eq(protocol, SPAN("TCP4")))
		return (bad(h, "neither TCP4, TCP6 nor UNKNOWN"));
	if (!next_word(&line, &source) || !next_word(&line, &destination) ||
	    !next_word(&line, &from) || !next_word(&line, &to) || line.p != NULL)
		return (bad(h, "not two addresses and two ports"));
	if (!v1_address(source, is_ip6, &h->source) ||
	    !v1_address(destination, is_ip6, &h->destination))
		return (bad(h, "an address is malformed"));
	if (!v1_port(from, &h->source.port) || !v1_port(to, &h->destination.port))
		return (bad(h, "a port is malformed"));
	return (PROXY_DONE);
}

static enum proxy_rc
parse_v1(struct span s, struct proxy_header *h)
{
	struct span line;
	size_t end;

	line = span_cut(s, 0, V1_MAX);
	for (end = 0; end < line.n; end++) {
		if (line.p[end] == '\r')
			break;
		if (line.p[end] < ' ' || line.p[end] > '~')
			return (bad(h, "a control byte in the line"));
	}
	if (end + 1 >= line.n)
		return (
		    line.n < V1_MAX ? PROXY_MORE : bad(h, "no end of line in 107 bytes"));
	if (line.p[end + 1] != '\n')
		return (bad(h, "a carriage return without a line feed"));
	h->bytes = end + 2;
	return (v1_words(span_cut(line, V1_SIGNATURE_BYTES, end), h));
}

/* --- version 2 ---------------------------------------------------------------- */

static unsigned
be16(const char *p)
{
	return ((unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1]);
}

static uint32_t
be32(const char *p)
{
	return ((uint32_t)be16(p) << 16 | be16(p + 2));
}

/* CRC-32C (RFC 3309) of the header as if the sum itself were zero. A header comes
 * once a connection: a table would be for nothing. */
static uint32_t
crc32c(struct span header, size_t sum_at)
{
	uint32_t crc;
	unsigned bit;
	size_t i;

	crc = UINT32_MAX;
	for (i = 0; i < header.n; i++) {
		if (i < sum_at || i >= sum_at + CRC_BYTES)
			crc ^= (uint8_t)header.p[i];
		for (bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? CRC32C_REFLECTED : 0);
	}
	return (~crc);
}

/* They are passed over, but must be whole, and a checksum must be right. */
static enum proxy_rc
v2_tlvs(struct span header, size_t at, struct proxy_header *h)
{
	bool summed;
	size_t n;

	summed = false;
	while (at < header.n) {
		if (header.n - at < TLV_HEAD)
			return (bad(h, "a TLV is cut off"));
		n = be16(header.p + at + 1);
		if (header.n - at - TLV_HEAD < n)
			return (bad(h, "a TLV is longer than the header"));
		if (header.p[at] == TLV_CRC32C) {
			if (n != CRC_BYTES || summed)
				return (bad(h, "a malformed or second checksum"));
			summed = true;
			if (be32(header.p + at + TLV_HEAD) !=
			    crc32c(header, at + TLV_HEAD))
				return (bad(h, "the checksum is wrong"));
		}
		at += TLV_HEAD + n;
	}
	return (PROXY_DONE);
}

static void
ip4_from(struct netaddr *addr, const char *ip, const char *port)
{
	addr->family = NETADDR_IP4;
	memcpy(addr->ip, ip, 4);
	addr->port = (uint16_t)be16(port);
}

static void
ip6_from(struct netaddr *addr, const char *ip, const char *port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	memcpy(&in6.sin6_addr, ip, 16);
	/* makes one client of ::ffff:192.0.2.1 and 192.0.2.1 */
	(void)netaddr_from_sockaddr(addr, (struct sockaddr *)&in6, sizeof(in6));
	addr->port = (uint16_t)be16(port);
}

/* Paths of unix sockets are not kept: nobody asks for them, and they are bytes
 * of somebody else. */
static enum proxy_rc
v2_addresses(struct span header, uint8_t family, struct proxy_header *h)
{
	const char *p = header.p + V2_FIXED;
	size_t n = header.n - V2_FIXED;

	switch (family) {
	case 0x11: /* TCP over IPv4 */
		if (n < V2_TCP4)
			return (bad(h, "too short for its addresses"));
		ip4_from(&h->source, p, p + 8);
		ip4_from(&h->destination, p + 4, p + 10);
		return (v2_tlvs(header, V2_FIXED + V2_TCP4, h));
	case 0x21: /* TCP over IPv6 */
		if (n < V2_TCP6)
			return (bad(h, "too short for its addresses"));
		ip6_from(&h->source, p, p + 32);
		ip6_from(&h->destination, p + 16, p + 34);
		return (v2_tlvs(header, V2_FIXED + V2_TCP6, h));
	case 0x31: /* stream over a unix socket */
		if (n < V2_UNIX)
			return (bad(h, "too short for its addresses"));
		h->source.family = h->destination.family = NETADDR_UNIX;
		return (v2_tlvs(header, V2_FIXED + V2_UNIX, h));
	default: return (bad(h, "neither TCP over IPv4 or IPv6 nor a unix stream"));
	}
}

static enum proxy_rc
parse_v2(struct span s, struct proxy_header *h)
{
	uint8_t command, family;

	if (s.n > V2_SIGNATURE_BYTES && (uint8_t)s.p[12] != 0x20 &&
	    (uint8_t)s.p[12] != 0x21)
		return (bad(h, "neither version 2 nor a known command"));
	if (s.n < V2_FIXED)
		return (PROXY_MORE);
	command = (uint8_t)s.p[12] & 0x0f;
	family = (uint8_t)s.p[13];
	h->bytes = V2_FIXED + be16(s.p + 14);
	if (h->bytes > PROXY_HEADER_MAX)
		return (bad(h, "longer than 536 bytes"));
	if (s.n < h->bytes)
		return (PROXY_MORE);
	/* LOCAL, or a family that the proxy can't name: what follows means nothing */
	if (command == 0 || family == 0) {
		h->local = true;
		return (PROXY_DONE);
	}
	return (v2_addresses(span_cut(s, 0, h->bytes), family, h));
}

/* True: the bytes are the signature, or may become it. */
static bool
may_begin(struct span s, const char *signature, size_t n)
{
	return (memcmp(s.p, signature, s.n < n ? s.n : n) == 0);
}

enum proxy_rc
proxy_header_parse(struct span s, struct proxy_header *header_r)
{
	memset(header_r, 0, sizeof(*header_r));
	if (s.n == 0)
		return (PROXY_MORE);
	if (may_begin(s, V1_SIGNATURE, V1_SIGNATURE_BYTES))
		return (s.n < V1_SIGNATURE_BYTES ? PROXY_MORE : parse_v1(s, header_r));
	if (may_begin(s, V2_SIGNATURE, V2_SIGNATURE_BYTES))
		return (s.n < V2_SIGNATURE_BYTES ? PROXY_MORE : parse_v2(s, header_r));
	return (PROXY_NONE);
}
