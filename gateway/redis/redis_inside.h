/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/redis/redis_inside.h - a client, and what its topologies do for it. */
#ifndef YETT_REDIS_INSIDE_H
#define YETT_REDIS_INSIDE_H

#include "gateway/redis/link.h"

/* One server, Sentinel, cluster: who gets a command. */
struct topology {
	void *(*start)(struct redis *);
	/* Gives back what is under way. */
	void (*stop)(void *);
	/* NULL: taken. Else why not (static text). */
	const char *(*send)(void *, struct command *);
};
extern const struct topology topology_single, topology_sentinel, topology_cluster;

#define REDIS_MAGIC 0x4ed15001u
struct redis {
	unsigned magic;
	struct loop *loop;
	struct redis_service *service;
	struct job_pool *resolver;
	struct commands commands;
	const struct topology *topology;
	void *work;		/* the topology's */
	bool closing;
	struct redis_state state;
	void (*changed)(void *data);
	void *changed_data;
};

/* For link_new and watch_new. */
struct link_options redis_link_options(
    struct redis *, const struct link_ops *, void *data);
/* Ends a command; NULL: no answer, for `failure`. */
void redis_finish(struct redis *, struct command *, const struct redis_value *,
    const char *failure);
/* The answer of the one server that there is. */
void redis_answered(struct redis *, struct link *, struct command *,
    const struct redis_value *);
/* An error says that this server can't serve; why, or NULL. */
const char *redis_useless(const struct redis_value *);
/* The link as a whole; `reason` may be NULL. */
void redis_became(struct redis *, enum redis_link, const char *reason);
/* As it is with the only server: up or failing; counted and logged. */
void redis_follow(struct redis *, const struct link *);

#endif
