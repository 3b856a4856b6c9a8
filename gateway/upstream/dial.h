/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/dial.h - what connecting to an origin needs wherever it is
 * done. Pure but for the socket. */
#ifndef YETT_UPSTREAM_DIAL_H
#define YETT_UPSTREAM_DIAL_H

#include <stdbool.h>

#include "gateway/base/clock.h"

/* A unix socket whose backlog is full can't be waited for: asked again. */
#define DIAL_UNIX_RETRY_US (5 * CLOCK_MS)

/* A non-blocking stream socket of the family; -1 and errno. */
int dial_socket(int family);
/* What an errno of connect says, for people; static. */
const char *dial_text(int error);
/* Is it the server that is in trouble, or this host (no descriptor, no port, no
 * memory)? */
bool dial_is_servers_fault(int error);

#endif
