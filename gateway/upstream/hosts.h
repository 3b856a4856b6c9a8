/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/hosts.h - the hosts file of the system (hosts(5)): names that
 * DNS is not asked for. */
#ifndef YETT_UPSTREAM_HOSTS_H
#define YETT_UPSTREAM_HOSTS_H

#include "gateway/base/span.h"
#include "gateway/upstream/resolve.h"

/* What is beyond it is left out. Files that block advertisements are long. */
#define HOSTS_BYTES_MAX (16u << 20)

/* malloc'd; empty when there is no such file, as for getaddrinfo. */
char *hosts_read(const char *path);
/* Adds all addresses of the name, of every line that has it. Whatever the file
 * says, localhost and names below it are loopback where it does not name them
 * (RFC 6761, section 6.3). False: not a name of the file's. */
bool hosts_find(const char *text, struct span name, struct resolve_set *set);

#endif
