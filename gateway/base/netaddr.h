/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/netaddr.h - socket addresses as values: IPv4, IPv6, unix path,
 * and CIDR prefixes. Pure functions, no name service. */
#ifndef YETT_NETADDR_H
#define YETT_NETADDR_H

#include <sys/socket.h>
#include <sys/un.h>

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/span.h"

enum netaddr_family { NETADDR_NONE = 0, NETADDR_IP4, NETADDR_IP6, NETADDR_UNIX };

struct netaddr {
	enum netaddr_family family;
	uint16_t port;			/* host order; 0 for unix */
	uint8_t ip[16];			/* IPv4: the first 4 */
	char path[108];			/* unix: NUL-terminated */
};

/* "a.b.c.d:port", "[v6]:port", "unix:/path". Port required but for unix. */
enum err_code netaddr_parse(struct netaddr *addr_r, struct span, struct err *);
/* An address without a port; zone ids ("fe80::1%eth0") are refused. */
bool netaddr_parse_ip(struct netaddr *addr_r, struct span);
/* False for a family that is none of ours. IPv4-mapped IPv6 becomes IPv4. */
bool netaddr_from_sockaddr(struct netaddr *addr_r, const struct sockaddr *, socklen_t);
/* Returns the length to give to bind/connect. */
socklen_t netaddr_to_sockaddr(const struct netaddr *, struct sockaddr_storage *ss_r);

#define NETADDR_TEXT_MAX 128
/* "192.0.2.1" / "2001:db8::1" / "unix" - without and with the port. Return out. */
const char *netaddr_ip_text(const struct netaddr *, char out[NETADDR_TEXT_MAX]);
const char *netaddr_text(const struct netaddr *, char out[NETADDR_TEXT_MAX]);
bool netaddr_same_ip(const struct netaddr *, const struct netaddr *);
/* The IPv4 address that an IPv6 one carries: mapped (::ffff:0:0/96), NAT64
 * (64:ff9b::/96, RFC 6052) and 6to4 (2002::/16, RFC 3056), so that a client has one
 * name whatever way it came. The latter two only carry public addresses; one that
 * claims a private or loopback address stays what it is. Others stay as they are;
 * the port is kept. */
struct netaddr netaddr_unwrap(const struct netaddr *);

struct netprefix {
	struct netaddr base;		/* host bits zero */
	uint8_t bits;
};

/* "192.0.2.0/24", "2001:db8::/32" or a lone address. Set host bits are refused. */
enum err_code netprefix_parse(struct netprefix *prefix_r, struct span, struct err *);
bool netprefix_has(const struct netprefix *, const struct netaddr *);
/* `addr` cut to `bits4` / `bits6` leading bits, port 0: the key of a client. */
struct netaddr netaddr_cut(const struct netaddr *, unsigned bits4, unsigned bits6);

#endif
