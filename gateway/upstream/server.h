/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/server.h - one address of an origin, and what is known of it.
 * Reference-counted: sets, connections and checks hold it. What is fixed never
 * changes; what changes is atomic, for any thread, and outlives changes of the set
 * that keep the address. */
#ifndef YETT_UPSTREAM_SERVER_H
#define YETT_UPSTREAM_SERVER_H

#include <sys/socket.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/netaddr.h"
#include "gateway/conf/conf.h"

/* How long a server that refused a connection is asked last; doubled so many times
 * at most while it goes on refusing. */
#define UPSTREAM_DOWN_US INT64_C(1000000)
#define UPSTREAM_DOWN_DOUBLINGS 3u

#define UPSTREAM_SERVER_MAGIC 0x5e74e401u
struct upstream_server {
	unsigned magic;
	struct netaddr address;
	struct sockaddr_storage sa;
	socklen_t sa_bytes;
	char address_text[NETADDR_TEXT_MAX]; /* "10.0.0.1:80", "[::1]:80", "unix:/x" */
	char *host_text; /* "host:port" of the url; of a unix socket as above */
	char *tls_name; /* for SNI and the certificate; "": none */
	bool https, backup;
	uint32_t weight;
	uint32_t conf_server; /* index in conf_pool.servers */
	uint64_t id; /* of its address, the same in every gateway */
	_Atomic uint32_t references;
	/* Where it was last seen in its pool's set: a hint (pool_index). */
	_Atomic uint32_t index;
	/* Written seldom. */
	_Atomic bool down; /* checks say so */
	_Atomic bool drained; /* the operator says so */
	_Atomic int64_t back_us; /* monotonic: came or came back; 0: was always there */
	_Atomic int64_t down_until_us; /* it refused a connection; 0: not lately */
	_Atomic uint32_t refusals; /* periods of that in a row */
	_Atomic bool gone; /* no set has it any more */
	char before[64]; /* what each request writes has lines of its own */
	_Atomic uint32_t active; /* requests it has, and connects, of all threads */
	_Atomic uint32_t open; /* connections, idle ones too; with max_connections */
	_Atomic uint64_t requests, failures; /* tries, and those of them that failed */
	char after[64];
};

/* The conf_server is copied; `address` is with its port, or a unix path. */
struct upstream_server *upstream_server_new(
    const struct conf_pool *, uint32_t conf_server, const struct netaddr *address);
struct upstream_server *upstream_server_ref(struct upstream_server *);
void upstream_server_free(struct upstream_server **);

/* What active checks found; only changes need to be told. One that went up begins
 * with slow start. Any thread; the log line is the caller's. */
void upstream_server_health(struct upstream_server *, bool up, int64_t now_us);

/* A server that refused connections is chosen again once its time is over. May this
 * request have it? Only one finds out (*probe_r) whether it is back, within
 * `connect_us`; the others go on to the next server. */
bool upstream_server_probe(
    struct upstream_server *, int64_t now_us, int64_t connect_us, bool *probe_r);
/* A connection failed (true: worth a line in the log, it is the first); it worked. */
bool upstream_server_refused(struct upstream_server *, int64_t now_us, bool probe);
void upstream_server_connected(struct upstream_server *);

#endif
