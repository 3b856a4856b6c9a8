/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/resolve.h - the addresses of an origin's name, asked for again
 * when their time to live is over (RFC 2181, section 8). docs/design/balancing.md
 * says which thread it runs on and how a changed set gets to the workers. One
 * resolver belongs to one thread's loop; nothing here blocks but resolver_new,
 * which reads two files.
 *
 * A name is looked for in the hosts file, then in DNS; other name services of
 * nsswitch.conf are not asked. */
#ifndef YETT_UPSTREAM_RESOLVE_H
#define YETT_UPSTREAM_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/netaddr.h"
#include "gateway/conf/conf.h"
#include "gateway/loop/loop.h"

/* Of a name that has more, the first ones in the order of their bytes, so that
 * answers in turn do not look like changes. */
#define RESOLVE_ADDRESSES_MAX 64
/* A time to live is taken to be within these; 0 is no reason to ask for each
 * request. */
#define RESOLVE_TTL_LEAST_US INT64_C(1000000)
#define RESOLVE_TTL_MOST_US INT64_C(3600000000)
/* After a failure; doubled for each in a row up to RESOLVE_RETRY_MOST_US. */
#define RESOLVE_RETRY_US INT64_C(1000000)
#define RESOLVE_RETRY_MOST_US INT64_C(60000000)
/* For a server's first answer; it is asked once more, for twice as long. */
#define RESOLVE_TIMEOUT_US INT64_C(1500000)
/* Names that are asked for at once, of all watches; others queue. */
#define RESOLVE_AT_ONCE 8

/* What is known of a name. IPv4, then IPv6, each sorted and without repetition;
 * an IPv6 address that carries an IPv4 one (::ffff:0:0/96) is that one. Ports are
 * 0. */
struct resolve_set {
	uint32_t n;
	struct netaddr addresses[RESOLVE_ADDRESSES_MAX];
};

/* Keeps the order. Of more than fit, the first remain. */
void resolve_set_add(struct resolve_set *, const struct netaddr *);

/* Where to ask. All zero: the system's way. */
struct resolve_options {
	/* "address:port", more after commas; the port may be left out. NULL: the
	 * servers of resolv.conf, and its search list. With servers of one's own
	 * a name is asked for as it is. */
	const char *servers;
	const char *hosts;	/* NULL: /etc/hosts */
	int64_t timeout_us;	/* 0: RESOLVE_TIMEOUT_US */
};

/* As the configuration says; the text lives as long as the options. */
struct resolve_text { char servers[CONF_DNS_SERVERS_MAX * NETADDR_TEXT_MAX]; };
struct resolve_options resolve_configured(const struct conf *, struct resolve_text *);

struct resolver;
/* Reads resolv.conf and hosts once. The options may be NULL. */
enum err_code resolver_new(struct resolver **resolver_r, struct loop *,
    const struct resolve_options *, struct err *);
/* Ends all watches; none is called any more. Not from inside one's callback. */
void resolver_free(struct resolver **);

/* One name of a pool; embedded in what belongs to the resolver's thread. Both
 * callbacks may be called from inside resolve_watch and resolve_hurry, and may
 * watch, hurry and forget, themselves included. */
struct resolve_watch {
	/* The set is another one than it was, or the one that it was before
	 * `failed` was called; never an empty one. An answer without
	 * addresses (NXDOMAIN, no data), a failure or a timeout changes nothing:
	 * the last good set stays, however old, since an origin that works is
	 * worth more than a DNS server that does not; `failed` tells for the log
	 * and the status page. So it is for one family where only the other got
	 * a good answer; an answer that says there are none of one family while
	 * the other has some does take the former away. */
	void (*changed)(struct resolve_watch *, const struct resolve_set *);
	/* Static text; only the first failure in a row. */
	void (*failed)(struct resolve_watch *, const char *why);
	void *data;
	struct resolve_name *name;	/* the module's; NULL: not watched */
};

/* Asks for A and AAAA, and again when the shorter TTL is over, up to a tenth of it
 * but at most half a second later by chance. `name` is copied; an address, or a
 * name of the hosts file, is a set that never changes. */
void resolve_watch(struct resolver *, struct resolve_watch *, const char *name);
void resolve_forget(struct resolve_watch *);
/* Asks at once, or a second after it asked last: every address refused. */
void resolve_hurry(struct resolve_watch *);

#endif
