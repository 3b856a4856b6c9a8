/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/htpasswd.h - a password file, parsed: users and their hashes as
 * crypt(3) takes them. Immutable; any thread. */
#ifndef YETT_ACCESS_HTPASSWD_H
#define YETT_ACCESS_HTPASSWD_H

#include "gateway/base/span.h"
#include "gateway/base/watched.h"

struct htpasswd;
/* USER:HASH a line; what is behind another colon is passed over. `name` stands for
 * the file. Errors name the line and the user, never the hash. */
enum err_code htpasswd_parse(struct htpasswd **file_r, const char *name, struct span text,
    struct err *);
void htpasswd_free(struct htpasswd **);
size_t htpasswd_count(const struct htpasswd *);
/* Random: no two contents have the same. */
uint64_t htpasswd_serial(const struct htpasswd *);
/* The user's hash; absent: there is no such user. */
struct span htpasswd_find(const struct htpasswd *, struct span user);
/* One of the hashes, the same for the same `choice`: something to work on for a
 * user who does not exist. Absent: the file has none. */
struct span htpasswd_any(const struct htpasswd *, uint64_t choice);

/* NULL: a hash that is strong enough and not too dear, in the form that crypt(3)
 * takes; else what is wrong with it, behind "the hash". */
const char *htpasswd_fault(struct span hash);

/* A file of them, for watched_new. */
extern const struct watched_ops htpasswd_watched;

#endif
