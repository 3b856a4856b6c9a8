/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/redis/service.h - inside of a service: its secrets, and what was last
 * said of it in the log. */
#ifndef YETT_REDIS_SERVICE_H
#define YETT_REDIS_SERVICE_H

#include "gateway/redis/redis.h"
#include "gateway/tls/tls.h"

#include <stdatomic.h>

#define REDIS_SECRET_MAX 1024

/* How to be let in by one kind of server. */
struct redis_profile {
	const char *username;	/* "": none */
	char *password;		/* NULL: none */
	uint32_t database;
	bool must_be_master;
};

#define REDIS_SERVICE_MAGIC 0x5e5a1ce1u
struct redis_service {
	unsigned magic;
	atomic_uint references;
	const struct conf_redis *conf;
	struct tls_client *tls;		/* NULL: plain */
	struct redis_profile server, sentinel;
	/* All threads meet the same trouble: it is told once. */
	_Atomic(const char *) told;
	_Atomic int64_t told_us;
};

/* A connection to `who` failed with `reason` (static), or is well again. */
void service_tell_failure(struct redis_service *, const char *who, const char *reason);
void service_tell_success(struct redis_service *, const char *who);

#endif
