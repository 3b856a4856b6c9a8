/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/prefixes.h - a set of addresses and prefixes, made for lists of
 * hundreds of thousands: sorted, disjoint ranges, found by bisection in well
 * under a microsecond. Immutable once made; any thread. */
#ifndef YETT_PREFIXES_H
#define YETT_PREFIXES_H

#include "gateway/base/netaddr.h"
#include "gateway/base/watched.h"
#include "gateway/conf/conf.h"

struct prefixes;
/* `list` is copied; unwrap is the caller's business. */
struct prefixes *prefixes_new(const struct conf_prefixes *list);
/* One address or prefix a line, "#" or ";" begins a comment; empty lines, blanks,
 * CRLF and a byte order mark are passed over; ::ffff:192.0.2.0/120 is an IPv4
 * prefix; what is there twice or within another is fine. A bad line (or a set host
 * bit) is an error that names file and line and shows it; at most 64 MiB and
 * 2,000,000 entries. Takes as long as parsing takes: not on a loop. */
enum err_code prefixes_load(struct prefixes **set_r, const char *path, struct err *);
/* The same from memory; `name` stands for the file. */
enum err_code prefixes_parse(struct prefixes **set_r, const char *name, struct span text,
    struct err *);
void prefixes_free(struct prefixes **);
bool prefixes_have(const struct prefixes *, const struct netaddr *);
size_t prefixes_count(const struct prefixes *);	/* entries as written */

/* A file of them, for watched_new. */
extern const struct watched_ops prefixes_watched;

#endif
