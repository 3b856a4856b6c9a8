/* SPDX-License-Identifier: Apache-2.0 */
/* geo/special.h - addresses that are nobody's on the public internet (RFC 6890
 * and the IANA special-purpose registries). Pure functions. */
#ifndef YETT_GEO_SPECIAL_H
#define YETT_GEO_SPECIAL_H

#include <stdbool.h>

#include "gateway/base/netaddr.h"

/* Whether the address is one that a public host can have. False for unix sockets. */
bool special_is_public(const struct netaddr *);

#endif
