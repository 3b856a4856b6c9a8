/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/pools.h - the part of the configuration that speaks of origin servers:
 * how they are chosen, checked and talked to. As in conf.h: durations are
 * microseconds, strings never NULL. */
#ifndef YETT_CONF_POOLS_H
#define YETT_CONF_POOLS_H

#include <stdbool.h>

#include "gateway/conf/controls.h"

struct conf_server {
	struct conf_place place;
	const char *url;
	bool https;			/* the url, taken apart */
	const char *host;		/* name or address, no brackets; "" for unix */
	uint16_t port;
	const char *unix_path;		/* "http://unix:/path", else "" */
	uint32_t weight;
	bool backup;
};

enum conf_balance {
	CONF_ROUND_ROBIN, CONF_LEAST_CONNECTIONS, CONF_RANDOM_TWO, CONF_CONSISTENT_HASH,
};

struct conf_pool {
	struct conf_place place;
	const char *name;
	struct conf_server *servers;
	size_t n_servers;
	struct {
		const char *ca;		/* "system" or a PEM path */
		bool verify;
		const char *server_name;	/* "": the host of the url */
		const char *certificate, *key;	/* client certificate, or "" */
	} tls;
	enum conf_balance balance;
	const char *hash_on;		/* as written; "" only without consistent_hash */
	struct conf_key hash_key;	/* the same, taken apart */
	uint32_t bound;			/* consistent_hash: percent of the fair share */
	struct {
		const char *cookie;	/* "": none */
		const char *key_file;	/* secret all gateways share, or "" */
	} sticky;
	struct {
		bool present;		/* else nobody is checked */
		const char *path, *host;	/* host "": that of the url */
		int64_t interval, timeout;
		uint32_t rise, fall;
		const char *status;	/* as written: "200-399" */
		uint16_t status_low, status_high;
	} health;
	struct {
		bool present;		/* else nobody is ejected */
		uint32_t failures;
		int64_t within, eject;
		uint32_t max_percent;	/* of the servers, out at once */
	} outlier;
	int64_t slow_start;
	uint32_t retries;
	uint32_t max_connections;	/* to one server, of all threads; 0: no bound */
	struct { uint32_t length; int64_t wait; } queue;
	struct { int64_t connect, first_byte, idle; } timeouts;
	struct { uint32_t connections; int64_t idle; } keepalive;
};

#endif
