/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/sticky.h - the value of a cookie that brings a client back to
 * its server: a keyed hash (SipHash) of pool and server, of which nothing can be
 * read or made without the secret. Immutable; any thread. */
#ifndef YETT_UPSTREAM_STICKY_H
#define YETT_UPSTREAM_STICKY_H

#include <stdint.h>

#include "gateway/base/hash.h"
#include "gateway/base/span.h"

#define STICKY_TEXT 32 /* lower-case hexadecimal digits of 128 bits */
#define STICKY_NONE UINT32_MAX

struct sticky;
/* `servers` tell the servers apart whatever their order: their addresses. All
 * gateways of a site need the same secret for their clients to keep their
 * servers. Values of a pool mean nothing to another one. */
struct sticky *sticky_new(const struct hash_key *secret, struct span pool,
    const struct span *servers, uint32_t n);
void sticky_free(struct sticky **);

/* The value for a server, NUL-terminated. */
void sticky_value(const struct sticky *, uint32_t server, char out[STICKY_TEXT + 1]);
/* The server of a cookie's value as the client sent it; STICKY_NONE, which is to
 * be treated as no cookie, where it is none of the values, for whatever reason.
 * Takes as long for a wrong value as for a right one of the same length. */
uint32_t sticky_find(const struct sticky *, struct span value);

#endif
