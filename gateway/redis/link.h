/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/redis/link.h - one connection to one server: made, greeted, kept alive,
 * made again. Commands go out in order and are answered in order. */
#ifndef YETT_REDIS_LINK_H
#define YETT_REDIS_LINK_H

#include "gateway/redis/command.h"
#include "gateway/redis/service.h"

/* An attempt, from connect to the greeting's last answer; and how long a server
 * may be silent with an answer due before it is given up. */
#define LINK_ATTEMPT_US ((int64_t)1000000)
#define LINK_SILENCE_US ((int64_t)1000000)
/* A server nobody asks is asked whether it lives. */
#define LINK_BEAT_US ((int64_t)1000000)
/* Before the next attempt: doubled each time, minus up to a half at random. */
#define LINK_REST_MIN_US ((int64_t)50000)
#define LINK_REST_MAX_US ((int64_t)500000)

struct link;

/* All from the loop, none from inside a call (but for link_free and link_aim, which
 * give back what was under way). A link must not be freed from its own. */
struct link_ops {
	/* Before an attempt: the place for link_aim. May be NULL. */
	void (*choose)(void *data, struct link *);
	/* Up, or an attempt or the connection failed. */
	void (*changed)(void *data, struct link *);
	/* The command is the owner's again; NULL: lost, see link_reason. */
	void (*answered)(void *data, struct link *, struct command *,
	    const struct redis_value *);
};

struct link_options {
	struct loop *loop;
	struct redis_service *service;
	const struct redis_profile *profile;
	struct job_pool *resolver;
	struct commands *commands;
	const struct link_ops *ops;
	void *data;
	bool early;	/* takes commands during its first attempt, too */
};

struct link *link_new(const struct link_options *);
void link_free(struct link **);

/* Where the next attempt goes. A connection to elsewhere is given up. */
void link_aim(struct link *, const char *host, uint16_t port);
void link_aim_unix(struct link *, const char *path);
bool link_is_aimed(const struct link *, const char *host, uint16_t port);
/* Begins to connect, soon, unless it does already. */
void link_start(struct link *);
/* Gives the connection up for `reason` (static) and makes another. */
void link_fail(struct link *, const char *reason);

bool link_is_up(const struct link *);
bool link_accepts(const struct link *);
/* The last attempt failed, or the connection was lost, and none was made since. */
bool link_is_failing(const struct link *);
const char *link_reason(const struct link *);	/* NULL: nothing failed yet */
const char *link_host(const struct link *);
uint64_t link_reconnects(const struct link *);
#define LINK_NAME_MAX 300
/* "host:port" or the path; returns `out`. */
const char *link_name(const struct link *, char out[LINK_NAME_MAX]);
/* The cause in an error of a server that can't serve, as static text. */
const char *link_refusal(struct span error);
bool link_is_idle(const struct link *);		/* nothing under way */

/* False: not taken. */
bool link_send(struct link *, struct command *);
/* With ASKING before it. */
bool link_send_asking(struct link *, struct command *);

#endif
