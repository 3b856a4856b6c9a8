/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/acl.h - access lists: ordered rules, the first that matches and
 * allows or denies decides; `log` only notes. Where none does the request passes.
 * A rule matches when one of its addresses, files, countries, continents or
 * networks is the client's (all clients with `any` or where none of these is
 * given) and, where given, one of its methods and one of its paths is the
 * request's. Paths compare as those of routes do: "/x" is a prefix of bytes.
 * Immutable but for the address files, which are watched; any thread. */
#ifndef YETT_ACL_H
#define YETT_ACL_H

#include "gateway/base/netaddr.h"
#include "gateway/base/span.h"
#include "gateway/base/watched.h"
#include "gateway/conf/conf.h"

/* The address files of a configuration: each is read once however many rules
 * name it. */
struct acl_files;
struct acl_files *acl_files_new(void);
void acl_files_free(struct acl_files **);
size_t acl_files_count(const struct acl_files *);
struct watched *acl_files_get(const struct acl_files *, size_t i);

struct acl;
/* `rules` and `files` must outlive it. Errors name the file and line. */
enum err_code acl_new(struct acl **acl_r, const struct conf_access_rule *rules, size_t n,
    struct acl_files *files, struct err *);
void acl_free(struct acl **);

struct acl_subject {
	const struct netaddr *client;	/* canonical */
	const char *country, *continent;	/* as geo has them */
	uint32_t asn;
	struct span method;
	struct span path;	/* decoded, as routes see it */
	/* The same with encoded slashes as slashes, which an origin may take them
	 * for: a deny or log rule matches either, an allow rule both. Absent: there
	 * are none. */
	struct span slashed;
};

struct acl_verdict {
	bool denied;
	bool geo;		/* by country, continent or asn: reason geo, not acl */
	bool trusted;		/* allowed by an address: beats a ban */
	const struct conf_access_rule *rule;	/* that decided; NULL: none did */
	const struct conf_access_rule *logged;	/* first `log` rule on the way; NULL */
};
void acl_judge(const struct acl *, const struct acl_subject *, struct acl_verdict *);
/* Is there an allow rule that names this address? For connections that have not
 * said yet which site they want. */
bool acl_allows_address(const struct acl *, const struct netaddr *);

#endif
