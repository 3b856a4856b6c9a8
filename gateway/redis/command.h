/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/redis/command.h - a command under way: its bytes are kept until it is
 * answered, since it may have to be sent again, elsewhere or as another. */
#ifndef YETT_REDIS_COMMAND_H
#define YETT_REDIS_COMMAND_H

#include "gateway/base/buf.h"
#include "gateway/redis/redis.h"

/* Of one client, on all of its connections. */
#define COMMANDS_MAX 16384u
#define COMMANDS_BYTES_MAX ((size_t)8 << 20)
#define COMMAND_ARGS_MAX 256u

enum command_kind {
	COMMAND_CALLER,		/* redis_send, redis_call */
	COMMAND_QUESTION,	/* of a watch */
	/* the connection's own: */
	COMMAND_AUTH, COMMAND_SELECT, COMMAND_ROLE, COMMAND_PING, COMMAND_ASKING,
};

#define COMMAND_MAGIC 0xc033a4d1u
struct command {
	unsigned magic;
	enum command_kind kind;
	struct command *next;
	struct redis_ask *ask;		/* NULL: nobody waits for the answer */
	char *bytes;			/* as formatted by hiredis */
	size_t n;
	const struct redis_script *script;
	size_t behind_sha;		/* index in bytes, of a script */
	unsigned argc;
	bool with_source;		/* EVAL instead of EVALSHA */
	uint8_t tries;			/* sent again so often */
	uint16_t slot;
	int64_t sent_us;		/* given to a connection */
};

/* What is under way, and what is kept for the next. */
struct commands {
	struct command *spare;
	unsigned n_spare, n;
	size_t bytes;
};

/* NULL when there is too much already, or too many arguments. */
struct command *command_new(
    struct commands *, enum command_kind, const struct span *argv, unsigned argc);
struct command *command_new_script(struct commands *, const struct redis_script *,
    struct span key, const struct span *args, unsigned n_args);
/* Secrets among its bytes are wiped. NULLs the pointer. */
void command_free(struct commands *, struct command **);
void commands_clear(struct commands *);
/* What is to be sent for it. */
void command_put(const struct command *, struct text *out);

/* First in, first out. */
struct command_queue { struct command *first, **last; };
void command_queue_init(struct command_queue *);
void command_queue_put(struct command_queue *, struct command *);
struct command *command_queue_take(struct command_queue *);	/* NULL: empty */

#endif
