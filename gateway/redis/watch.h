/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/redis/watch.h - asks one of several servers the same question again and
 * again; the next one when it fails or has no answer. For Sentinel ("who is the
 * master?") and clusters ("who has which slots?"). */
#ifndef YETT_REDIS_WATCH_H
#define YETT_REDIS_WATCH_H

#include "gateway/redis/link.h"

struct watch_options {
	struct loop *loop;
	struct redis_service *service;
	const struct redis_profile *profile;
	struct job_pool *resolver;
	struct commands *commands;
	const struct span *argv;	/* the question; lives as long */
	unsigned argc;
	/* NULL, or why it is no answer to go by (static text); the next server is
	 * asked then. `host` was asked. */
	const char *(*told)(void *data, const struct redis_value *, const char *host);
	/* The server to ask in turn `turn`. */
	struct conf_redis_host (*server)(void *data, unsigned turn);
	/* The connection went up or down. */
	void (*changed)(void *data);
	void *data;
};

struct watch;
struct watch *watch_new(const struct watch_options *);
void watch_free(struct watch **);
/* How long after an answer, or a refusal, the question is asked again. */
void watch_set_interval(struct watch *, int64_t us);
/* Asks within `us`, if it would not anyway. */
void watch_hurry(struct watch *, int64_t us);
bool watch_is_up(const struct watch *);
bool watch_is_failing(const struct watch *);
const char *watch_reason(const struct watch *);

#endif
