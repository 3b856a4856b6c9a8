/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/identity.h - who the client is: the peer, or whom a trusted
 * proxy speaks for (Forwarded, RFC 7239; X-Forwarded-For; a single-value field).
 * Pure but for the configuration it was made of; any thread. */
#ifndef YETT_IDENTITY_H
#define YETT_IDENTITY_H

#include <stdbool.h>

#include "gateway/base/netaddr.h"
#include "gateway/conf/conf.h"
#include "gateway/http/fields.h"

struct identity;
struct identity *identity_new(const struct conf_identity *);
void identity_free(struct identity **);

/* The canonical form of an address (netaddr_unwrap): IPv4-mapped, NAT64
 * (64:ff9b::/96) and 6to4 (2002::/16) addresses become the IPv4 address within,
 * unless that is a private one. Port is kept. */
struct netaddr identity_unwrap(const struct netaddr *);
/* May this address (unwrapped) speak for others? A unix socket's peer may if the
 * list holds any prefix at all of 127.0.0.0/8 or ::1. */
bool identity_is_trusted(const struct identity *, const struct netaddr *);

enum identity_rc {
	IDENTITY_PEER,		/* nobody spoke for another */
	IDENTITY_TOLD,		/* a trusted proxy named the client */
	IDENTITY_BAD,		/* a trusted proxy said what can't be read: the last
				 * address that could be, is taken */
};
/* `peer` is unwrapped already, and the PROXY protocol's source where there is one.
 * Looks at the configured field only. Walks the entries of all its lines from right
 * to left past trusted addresses; the first that is not trusted is the client; all
 * trusted: the leftmost. A single-value field must be one line with one address.
 * "unknown", obfuscated names and zone ids are not addresses. At most 64 entries
 * are looked at. */
enum identity_rc identity_find(const struct identity *, const struct netaddr *peer,
    const struct http_fields *, struct netaddr *client_r);
/* What makes one client: an IPv4 address, an IPv6 prefix, port 0. */
struct netaddr identity_key(const struct identity *, const struct netaddr *client);

#endif
