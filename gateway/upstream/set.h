/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/set.h - the servers of a pool, one for every address of every
 * url, as a set that is immutable and is exchanged as a whole.
 *
 * Who may do what: any worker thread reads pool_set() within one callback of its
 * loop, and takes a reference (upstream_set_ref) of what it needs longer. The
 * control thread is the only one that changes sets; what it replaces stays until
 * every worker passed a quiet point (workers_round). So no reader takes a lock. */
#ifndef YETT_UPSTREAM_SET_H
#define YETT_UPSTREAM_SET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/loop/loop.h"
#include "gateway/upstream/balance.h"
#include "gateway/upstream/outlier.h"
#include "gateway/upstream/server.h"
#include "gateway/upstream/sticky.h"
#include "gateway/upstream/upstream.h"

/* Of a name that has more, the first ones. */
#define UPSTREAM_ADDRESSES_MAX 64

#define UPSTREAM_SET_MAGIC 0x5e700f5eu
struct upstream_set {
	unsigned magic;
	_Atomic uint32_t references;
	struct upstream_server **servers;
	uint32_t n;
	struct balancer *balancer;
	struct outlier *outlier; /* NULL: off */
	struct sticky *sticky; /* NULL: off */
	/* Once replaced; the control thread's. */
	struct upstream_pool *pool;
	struct upstream_set *retired;
	struct loop_message quiet;
};

struct upstream_set *upstream_set_ref(struct upstream_set *);
void upstream_set_free(struct upstream_set **);

/* The set of now. */
struct upstream_set *pool_set(const struct upstream_pool *);
/* Index of a server in a set; BALANCE_NONE: it is no more of it. */
uint32_t pool_index(const struct upstream_set *, const struct upstream_server *);

/* --- the control thread's calls ------------------------------------------- */

/* Is there a name to be resolved again (conf->servers[i].host, port; no literal
 * address, no unix socket)? */
bool upstream_pool_has_name(const struct upstream_pool *, uint32_t conf_server);
/* A name's addresses, 1 to UPSTREAM_ADDRESSES_MAX of them (more are ignored, and what
 * would make the pool larger than BALANCE_SERVERS_MAX; none is no change; their ports
 * are ignored too: the url has it). Servers whose address is still
 * there go on as they are, new ones begin with slow start and unchecked, and
 * drained where the operator drained their address or url. NULL: nothing has
 * changed; else give it to workers_round(), which then frees what was replaced. Calls
 * on_change when done. */
struct loop_message *upstream_pool_change(struct upstream_pool *, uint32_t conf_server,
    const struct netaddr *addresses, uint32_t n, int64_t now_us);
/* One listener (the checks); called at the end of each change. */
void upstream_pool_watch(struct upstream_pool *,
    void (*on_change)(struct upstream_pool *, void *data), void *data);
/* Drains (or takes back) the servers whose address_text, or host_text and thus all
 * of its addresses, is `server`; remembered for addresses that come later. Returns
 * how many there are now; 0: none, and nothing is remembered. They get no new
 * requests but of clients with their sticky cookie; what runs goes on. */
uint32_t upstream_pool_drain(struct upstream_pool *, const char *server, bool drain);

/* One server as status and metrics show it. */
struct upstream_server_state {
	const char *address, *host; /* texts of the server */
	uint32_t weight;
	bool backup;
	/* The first that is true says why it gets nothing new: drained, down
	 * (checks), ejected (outlier), failed (refused a connection just now). */
	bool drained, down, ejected, failed;
	uint32_t active;
	uint64_t requests, failures;
};
uint32_t upstream_pool_count(const struct upstream_pool *);
/* Of server i < upstream_pool_count(). */
void upstream_pool_state(const struct upstream_pool *, uint32_t i, int64_t now_us,
    struct upstream_server_state *state_r);

#endif
