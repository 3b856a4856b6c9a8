/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/auth.h - Basic authentication (RFC 7617) against an htpasswd
 * file: bcrypt, SHA-crypt and yescrypt through libcrypt; weak hashes (MD5, SHA-1,
 * DES, plain text) and ones that would take seconds are refused when the file is
 * read. Hashing takes many milliseconds: auth_check is for a job thread. What was
 * verified, and what was refused, is remembered for a minute under a keyed hash,
 * so that it is hashed once; a new content of the file forgets it. */
#ifndef YETT_AUTH_H
#define YETT_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/span.h"
#include "gateway/base/watched.h"

/* One password file, watched; shared by threads. Errors name file and line. */
struct auth;
enum err_code auth_new(struct auth **auth_r, const char *htpasswd, struct err *);
void auth_free(struct auth **);
struct watched *auth_watched(struct auth *);

#define AUTH_USER_MAX 128
#define AUTH_PASSWORD_MAX 256

/* A request's claim, and the work of checking it; embedded in the request, wiped
 * by auth_forget. */
struct auth_claim {
	char user[AUTH_USER_MAX + 1];
	char password[AUTH_PASSWORD_MAX + 1];
	char hash[256];		/* what it is compared with: copied, so that no
				 * job reads a file that is being replaced */
	uint64_t memo[2];	/* keyed hash of user, password and file content */
	bool given;		/* a user and a password were sent: what counts as
				 * a wrong one, where a lone 401 does not */
	bool known;		/* the user is in the file */
	bool hashed;		/* auth_check could: else there is nothing to remember */
	bool accepted;
};

enum auth_rc {
	AUTH_ACCEPTED,		/* remembered from before */
	AUTH_REFUSED,		/* no credentials, malformed, or known to be wrong */
	AUTH_HASH,		/* run auth_check on a job thread, then auth_settle */
};
/* On the loop. `authorization`: the field's value, may be absent. A user that is
 * not in the file is checked against a hash all the same: time tells nothing. */
enum auth_rc auth_begin(struct auth *, struct span authorization, struct auth_claim *,
    int64_t now_us);
/* On a job thread; touches nothing but the claim. */
void auth_check(struct auth_claim *);
/* On the loop: remembers; true when accepted. */
bool auth_settle(struct auth *, struct auth_claim *, int64_t now_us);
void auth_forget(struct auth_claim *);

#endif
