/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/redis/link_inside.h - what link.c and connect.c share. */
#ifndef YETT_REDIS_LINK_INSIDE_H
#define YETT_REDIS_LINK_INSIDE_H

#include "gateway/redis/answers.h"
#include "gateway/redis/link.h"
#include "gateway/redis/resolve.h"

#define LINK_TRIES_MAX 5	/* of one command, with all redirections */

enum link_phase {
	LINK_OFF,		/* not started */
	LINK_RESTING,		/* an attempt begins when the timer ends */
	LINK_RESOLVING,		/* the name service is asked */
	LINK_CONNECTING,	/* fd, no stream */
	LINK_SECURING,		/* TLS handshake */
	LINK_GREETING,		/* AUTH ... PING are on their way */
	LINK_UP,
};

#define LINK_MAGIC 0x119c0a3du
struct link {
	unsigned magic;
	enum link_phase phase;
	struct link_options options;
	char *host, *unix_path;		/* the aim: one of them, or none yet */
	uint16_t port;
	bool failing, busy, choosing;
	bool unread;			/* more may be there than the socket tells */
	const char *reason;
	unsigned connection;		/* which one: tells that it was lost meanwhile */
	unsigned failures;		/* in a row */
	uint64_t connected;

	struct lookup *lookup;
	struct netaddr addresses[RESOLVE_MAX];
	unsigned n_addresses, address;	/* `address`: the next to be tried */
	int fd;				/* until the stream has it */
	struct stream *stream;
	struct loop_io io;
	struct loop_timer timer, flush;

	struct answers *answers;
	struct command_queue sent, waiting;
	struct text out;
	size_t out_from;
	const struct redis_script *loading;	/* its source is on its way */
	int64_t up_us, heard_us, beat_us;
};

/* connect.c: one attempt. */
void link_attempt(struct link *);
void link_attempt_late(struct link *);
void link_drop_socket(struct link *);
/* An answer to one of the connection's own commands; frees it. */
void link_take_own(struct link *, struct command *, const struct redis_value *);

/* link.c */
void link_put(struct link *, struct command *);
void link_put_own(
    struct link *, enum command_kind, const struct span *argv, unsigned argc);
void link_write(struct link *);
void link_read(struct link *);

#endif
