/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/dns.h - questions to DNS servers, over UDP and, for answers that
 * are cut short, TCP. The only user of c-ares. One belongs to one thread's loop. */
#ifndef YETT_UPSTREAM_DNS_H
#define YETT_UPSTREAM_DNS_H

#include "gateway/upstream/resolve.h"

#define DNS_NAME_MAX 256	/* with the NUL; what fills it is too long for a name */
#define DNS_DOMAINS_MAX 6	/* of a search list; resolv.conf(5)'s old bound */

struct dns_answer {
	enum dns_verdict {
		DNS_FOUND,
		DNS_NONE,	/* surely: NXDOMAIN, no such data, no possible name */
		DNS_FAILED,	/* no answer, or none that says anything */
	} verdict;
	const char *why;		/* static; for the latter two */
	int64_t ttl_us;			/* within RESOLVE_TTL_*; FOUND only */
	struct resolve_set set;
};

struct dns;
enum err_code dns_new(
    struct dns **dns_r, struct loop *, const struct resolve_options *, struct err *);
/* Calls what is under way with DNS_FAILED. Not from inside a callback. */
void dns_free(struct dns **);

/* The answer lives as long as the call. */
typedef void dns_done_f(void *data, const struct dns_answer *);
/* `done` may be called at once. */
void dns_ask(
    struct dns *, const char *name, enum netaddr_family, dns_done_f *, void *data);

/* What to ask for when somebody says `name`: the i-th of the search list's
 * forms, in order; false: there is none. One that is too long ends as DNS_NONE. */
bool dns_form(const struct dns *, const char *name, unsigned i, char out[DNS_NAME_MAX]);

#endif
