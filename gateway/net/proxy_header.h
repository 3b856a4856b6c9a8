/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/net/proxy_header.h - the PROXY protocol header, versions 1 and 2
 * (haproxy's doc/proxy-protocol.txt), in front of a connection's first byte.
 * Strict, pure; given the bytes so far. */
#ifndef YETT_PROXY_HEADER_H
#define YETT_PROXY_HEADER_H

#include <stdbool.h>

#include "gateway/base/netaddr.h"
#include "gateway/base/span.h"

/* The longest that is taken: 16 + 520 bytes of version 2, TLVs included. */
#define PROXY_HEADER_MAX 536

enum proxy_rc {
	PROXY_MORE,	/* may become a header */
	PROXY_NONE,	/* is none: the bytes are the client's own */
	PROXY_DONE,
	PROXY_BAD,	/* begins like one and is malformed, or is too long */
};

struct proxy_header {
	size_t bytes;		/* of the header; what follows is the client's */
	bool local;		/* LOCAL or UNKNOWN: the peer speaks for itself */
	struct netaddr source, destination;
	const char *problem;	/* of PROXY_BAD: static text */
};

enum proxy_rc proxy_header_parse(struct span, struct proxy_header *header_r);

#endif
