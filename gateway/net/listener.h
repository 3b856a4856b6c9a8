/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/net/listener.h - listening sockets of one worker thread, and the
 * limits on connections that all threads share. */
#ifndef YETT_NET_LISTENER_H
#define YETT_NET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/netaddr.h"
#include "gateway/loop/loop.h"

/* Counts of connections: in all and per client (an IPv4 address, an IPv6 /64).
 * Any thread. */
struct connlimit;
struct connlimit *connlimit_new(uint32_t total, uint32_t per_client);
void connlimit_free(struct connlimit **);
/* False: over a limit, nothing was counted. Clients of unix sockets count in
 * the total only. */
bool connlimit_enter(struct connlimit *, const struct netaddr *client);
void connlimit_leave(struct connlimit *, const struct netaddr *client);
/* A connection counted for `from` is one of `to` (family NETADDR_NONE on either
 * side: of nobody, in the total only). False: `to` has too many; nothing changed. */
bool connlimit_move(struct connlimit *, const struct netaddr *from,
    const struct netaddr *to);
uint32_t connlimit_total(const struct connlimit *);

/* A bound, listening, non-blocking socket with SO_REUSEPORT (one per thread
 * and address; for unix sockets threads share one through dup). ERR_IO names
 * address and cause: the address must be free, a second gateway on it is an
 * error. "[::]" takes IPv6 only, so that "0.0.0.0" can stand beside it. A unix
 * socket gets mode 0660; a stale one that nobody listens on is replaced. */
enum err_code net_listen(int *fd_r, const struct netaddr *, struct err *);
/* A further socket for another thread on the address `fd` is bound to. */
enum err_code net_listen_again(int *fd_r, int fd, struct err *);

struct listener;

/* A connection that passed the limits. The addresses are canonical
 * (netaddr_unwrap). The callee owns `fd` (non-blocking, TCP_NODELAY) and calls
 * connlimit_leave with `counted` when it closes it. */
struct arrival {
	int fd;
	struct netaddr peer, local;	/* local: what it was accepted on */
	struct netaddr counted;		/* NETADDR_NONE: in the total only */
};

enum listener_rc {
	LISTENER_COUNT,		/* in all and for this client */
	LISTENER_COUNT_TOTAL,	/* it carries many clients: in all only */
	LISTENER_REFUSE,	/* reset it at once */
};

struct listener_owner {
	/* Asked before anything is counted; NULL: LISTENER_COUNT. */
	enum listener_rc (*admit)(void *data, const struct netaddr *peer);
	void (*accept)(void *data, const struct arrival *);
	void *data;
};

/* Accepts on `fd` (owned) on the loop's thread, a bounded number per round.
 * Out of descriptors or memory it pauses 100 ms and logs once a minute; over a
 * limit the connection is reset at once. */
struct listener *listener_new(struct loop *, int fd, struct connlimit *,
    const struct listener_owner *);
/* Stops accepting and closes the socket. Not from within accept. */
void listener_free(struct listener **);

#endif
