/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses and prefixes as values. */
#include "config.h"

#include "gateway/base/netaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* ::ffff:a.b.c.d and a.b.c.d are one client: two names for it would be a way
 * around every list and limit. */
static void
set_ip6(struct netaddr *addr, const uint8_t ip[16])
{
	if (memcmp(ip, mapped_prefix, sizeof mapped_prefix) == 0) {
		addr->family = NETADDR_IP4;
		memcpy(addr->ip, ip + 12, 4);
	} else {
		addr->family = NETADDR_IP6;
		memcpy(addr->ip, ip, 16);
	}
}

bool
netaddr_parse_ip(struct netaddr *addr_r, struct span s)
{
	struct netaddr addr = { 0 };
	char text[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	if (s.n == 0 || s.n >= sizeof text || memchr(s.p, '\0', s.n) != NULL)
		return (false);
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, ip) == 1) {
		addr.family = NETADDR_IP4;
		memcpy(addr.ip, ip, 4);
	} else if (inet_pton(AF_INET6, text, ip) == 1)
		set_ip6(&addr, ip);
	else
		return (false);
	*addr_r = addr;
	return (true);
}

static enum err_code
parse_unix(struct netaddr *addr_r, struct span path, struct err *e)
{
	struct netaddr addr = { .family = NETADDR_UNIX };

	if (path.n == 0 || path.p[0] != '/' || memchr(path.p, '\0', path.n) != NULL)
		return (err_set(e, ERR_FORMAT,
		    "unix:%.*s: a unix address needs an absolute path, as in "
		    "unix:/run/app.sock",
		    SPAN_FMT(path)));
	if (path.n >= sizeof addr.path)
		return (err_set(e, ERR_RANGE,
		    "unix:%.*s: the path is longer than %zu characters", SPAN_FMT(path),
		    sizeof addr.path - 1));
	memcpy(addr.path, path.p, path.n);
	*addr_r = addr;
	return (ERR_OK);
}

static bool
parse_port(struct span s, uint16_t *port_r)
{
	uint64_t port;

	if (s.n > 5 || !span_u64(s, &port) || port > UINT16_MAX)
		return (false);
	*port_r = (uint16_t)port;
	return (true);
}

enum err_code
netaddr_parse(struct netaddr *addr_r, struct span s, struct err *e)
{
	struct span host, port = SPAN_NONE;
	struct netaddr addr;
	bool bracket;
	size_t at;

	if (span_starts(s, SPAN("unix:")))
		return (parse_unix(addr_r, span_cut(s, 5, s.n), e));
	bracket = s.n > 0 && s.p[0] == '[';
	at = span_index(s, bracket ? ']' : ':');
	if (at == SIZE_MAX)
		host = bracket ? SPAN_NONE : s;
	else if (bracket) {
		host = span_cut(s, 1, at);
		if (at + 1 < s.n && s.p[at + 1] == ':')
			port = span_cut(s, at + 2, s.n);
	} else {
		host = span_cut(s, 0, at);
		port = span_cut(s, at + 1, s.n);
	}
	if (!netaddr_parse_ip(&addr, host) ||
	    bracket != (span_index(host, ':') != SIZE_MAX))
		return (err_set(e, ERR_FORMAT,
		    "%.*s: not an address; allowed: 192.0.2.1:80, [2001:db8::1]:80, "
		    "unix:/path",
		    SPAN_FMT(s)));
	if (port.p == NULL)
		return (err_set(
		    e, ERR_FORMAT, "%.*s: the port is missing, as in :443", SPAN_FMT(s)));
	if (!parse_port(port, &addr.port))
		return (err_set(e, ERR_RANGE,
		    "%.*s: the port is not a number of 0 to 65535", SPAN_FMT(s)));
	*addr_r = addr;
	return (ERR_OK);
}

static bool
from_unix(struct netaddr *addr, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_un un = { 0 };
	size_t head = offsetof(struct sockaddr_un, sun_path);

	memcpy(&un, sa, len < sizeof un ? len : sizeof un);
	addr->family = NETADDR_UNIX;
	/* The peer of a unix socket has no name as a rule; abstract names
	 * (first byte NUL) are shown as none. */
	if (len > head)
		memcpy(addr->path, un.sun_path,
		    strnlen(un.sun_path, sizeof un.sun_path - 1));
	return (true);
}

bool
netaddr_from_sockaddr(struct netaddr *addr_r, const struct sockaddr *sa, socklen_t len)
{
	struct netaddr addr = { 0 };
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	sa_family_t family;

	if (len < sizeof family)
		return (false);
	memcpy(&family, &sa->sa_family, sizeof family);
	switch (family) {
	case AF_INET:
		if (len < sizeof in)
			return (false);
		memcpy(&in, sa, sizeof in);
		addr.family = NETADDR_IP4;
		addr.port = ntohs(in.sin_port);
		memcpy(addr.ip, &in.sin_addr, 4);
		break;
	case AF_INET6:
		if (len < sizeof in6)
			return (false);
		memcpy(&in6, sa, sizeof in6);
		addr.port = ntohs(in6.sin6_port);
		set_ip6(&addr, in6.sin6_addr.s6_addr);
		break;
	case AF_UNIX: from_unix(&addr, sa, len); break;
	default: return (false);
	}
	*addr_r = addr;
	return (true);
}

socklen_t
netaddr_to_sockaddr(const struct netaddr *addr, struct sockaddr_storage *ss_r)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(addr->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(addr->port) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	memset(ss_r, 0, sizeof *ss_r);
	switch (addr->family) {
	case NETADDR_IP4:
		memcpy(&in.sin_addr, addr->ip, 4);
		memcpy(ss_r, &in, sizeof in);
		return ((socklen_t)sizeof in);
	case NETADDR_IP6:
		memcpy(&in6.sin6_addr, addr->ip, 16);
		memcpy(ss_r, &in6, sizeof in6);
		return ((socklen_t)sizeof in6);
	case NETADDR_UNIX:
		memcpy(
		    un.sun_path, addr->path, strnlen(addr->path, sizeof un.sun_path - 1));
		memcpy(ss_r, &un, sizeof un);
		return ((socklen_t)sizeof un);
	case NETADDR_NONE: break;
	}
	return (0);
}

/* inet_ntop goes through printf, which is felt where it is done for each request. */
static const char *
ip4_text(const uint8_t ip[4], char *out)
{
	char *p = out;
	unsigned i;

	for (i = 0; i < 4; i++) {
		if (ip[i] >= 100)
			*p++ = (char)('0' + ip[i] / 100);
		if (ip[i] >= 10)
			*p++ = (char)('0' + ip[i] / 10 % 10);
		*p++ = (char)('0' + ip[i] % 10);
		*p++ = i < 3 ? '.' : '\0';
	}
	return (out);
}

const char *
netaddr_ip_text(const struct netaddr *addr, char out[NETADDR_TEXT_MAX])
{
	const char *text = "-";

	switch (addr->family) {
	case NETADDR_IP4: return (ip4_text(addr->ip, out));
	case NETADDR_IP6: return (inet_ntop(AF_INET6, addr->ip, out, NETADDR_TEXT_MAX));
	case NETADDR_UNIX: text = "unix"; break;
	case NETADDR_NONE: break;
	}
	snprintf(out, NETADDR_TEXT_MAX, "%s", text);
	return (out);
}

const char *
netaddr_text(const struct netaddr *addr, char out[NETADDR_TEXT_MAX])
{
	char ip[NETADDR_TEXT_MAX];

	switch (addr->family) {
	case NETADDR_IP4:
	case NETADDR_IP6:
		netaddr_ip_text(addr, ip);
		snprintf(out, NETADDR_TEXT_MAX,
		    addr->family == NETADDR_IP4 ? "%.64s:%u" : "[%.64s]:%u", ip,
		    addr->port);
		return (out);
	case NETADDR_UNIX:
		snprintf(out, NETADDR_TEXT_MAX, "unix:%s", addr->path);
		return (out);
	case NETADDR_NONE: break;
	}
	return (netaddr_ip_text(addr, out));
}

static unsigned
ip_bytes(const struct netaddr *addr)
{
	switch (addr->family) {
	case NETADDR_IP4: return (4);
	case NETADDR_IP6: return (16);
	case NETADDR_UNIX:
	case NETADDR_NONE: break;
	}
	return (0);
}

bool
netaddr_same_ip(const struct netaddr *a, const struct netaddr *b)
{
	return (a->family == b->family && memcmp(a->ip, b->ip, ip_bytes(a)) == 0);
}

/* Could it be met on the internet? Loopback and private addresses within an IPv6
 * one are a claim to be somebody near, which RFC 3056 2 and RFC 6052 3.1 forbid. */
static bool
is_public_ip4(const uint8_t ip[4])
{
	switch (ip[0]) {
	case 0:
	case 10:
	case 127: return (false);
	case 100: return ((ip[1] & 0xc0) != 64);
	case 169: return (ip[1] != 254);
	case 172: return ((ip[1] & 0xf0) != 16);
	case 192: return (ip[1] != 168 && (ip[1] != 0 || ip[2] != 0));
	default: return (ip[0] < 224);
	}
}

struct netaddr
netaddr_unwrap(const struct netaddr *addr)
{
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };
	static const uint8_t six_to_four[2] = { 0x20, 0x02 };
	struct netaddr inner = { .family = NETADDR_IP4, .port = addr->port };

	if (addr->family != NETADDR_IP6)
		return (*addr);
	if (memcmp(addr->ip, mapped_prefix, sizeof mapped_prefix) == 0) {
		memcpy(inner.ip, addr->ip + 12, 4);
		return (inner);
	}
	if (memcmp(addr->ip, nat64, sizeof nat64) == 0)
		memcpy(inner.ip, addr->ip + 12, 4);
	else if (memcmp(addr->ip, six_to_four, sizeof six_to_four) == 0)
		memcpy(inner.ip, addr->ip + 2, 4);
	return (is_public_ip4(inner.ip) ? inner : *addr);
}

struct netaddr
netaddr_cut(const struct netaddr *addr, unsigned bits4, unsigned bits6)
{
	unsigned bytes = ip_bytes(addr), bits, i;
	struct netaddr cut = *addr;

	bits = addr->family == NETADDR_IP4 ? bits4 : bits6;
	cut.port = 0;
	for (i = 0; i < bytes; i++) {
		if (bits >= 8) {
			bits -= 8;
			continue;
		}
		cut.ip[i] = (uint8_t)(cut.ip[i] & (0xff00u >> bits));
		bits = 0;
	}
	return (cut);
}

enum err_code
netprefix_parse(struct netprefix *prefix_r, struct span s, struct err *e)
{
	struct span rest = s, host = SPAN_NONE;
	struct netprefix prefix = { .bits = 0 };
	struct netaddr cut;
	char text[NETADDR_TEXT_MAX];
	uint64_t bits, most;

	span_split(&rest, '/', &host);
	if (!netaddr_parse_ip(&prefix.base, host))
		return (err_set(e, ERR_FORMAT,
		    "%.*s: not a prefix; allowed: 192.0.2.0/24, 2001:db8::/32 or one "
		    "address",
		    SPAN_FMT(s)));
	most = ip_bytes(&prefix.base) * 8;
	bits = most;
	if (rest.p != NULL) {
		if (rest.n > 3 || !span_u64(rest, &bits))
			return (err_set(e, ERR_FORMAT,
			    "%.*s: no number of bits behind the slash", SPAN_FMT(s)));
		/* A mapped address counts its bits from the IPv6 front. */
		if (most == 32 && span_index(host, ':') != SIZE_MAX)
			bits = bits >= 96 ? bits - 96 : most + 1;
		if (bits > most)
			return (err_set(e, ERR_RANGE,
			    "%.*s: more bits than the address has", SPAN_FMT(s)));
	}
	prefix.bits = (uint8_t)bits;
	cut = netaddr_cut(&prefix.base, prefix.bits, prefix.bits);
	if (!netaddr_same_ip(&cut, &prefix.base))
		return (err_set(e, ERR_FORMAT,
		    "%.*s: bits are set behind the prefix; meant: %s/%u ?", SPAN_FMT(s),
		    netaddr_ip_text(&cut, text), prefix.bits));
	*prefix_r = prefix;
	return (ERR_OK);
}

bool
netprefix_has(const struct netprefix *prefix, const struct netaddr *addr)
{
	struct netaddr cut;

	if (addr->family != prefix->base.family || ip_bytes(addr) == 0)
		return (false);
	cut = netaddr_cut(addr, prefix->bits, prefix->bits);
	return (netaddr_same_ip(&cut, &prefix->base));
}
