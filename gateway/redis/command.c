/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: made, kept, written. */
#include "config.h"

#include "gateway/redis/command.h"

#include "gateway/base/check.h"

#include <hiredis/hiredis.h>

#include <stdio.h>
#include <stdlib.h>

#define SPARE_MAX 256u

static struct command *
command_take(struct commands *commands)
{
	struct command *command = commands->spare;

	if (command != NULL) {
		commands->spare = command->next;
		commands->n_spare--;
	} else
		command = mem_alloc(sizeof(*command));
	*command = (struct command){ .magic = COMMAND_MAGIC };
	commands->n++;
	return (command);
}

/* The connections' own are bounded by them and not refused. */
static bool
is_too_much(const struct commands *commands, enum command_kind kind,
    const struct span *argv, unsigned argc)
{
	size_t bytes = commands->bytes;
	unsigned i;

	CHECK(argc > 0 && argc <= COMMAND_ARGS_MAX);
	if (kind != COMMAND_CALLER)
		return (false);
	if (commands->n >= COMMANDS_MAX)
		return (true);
	for (i = 0; i < argc; i++) {
		if (argv[i].n > COMMANDS_BYTES_MAX)
			return (true);
		bytes += argv[i].n;
	}
	return (bytes > COMMANDS_BYTES_MAX);
}

struct command *
command_new(struct commands *commands, enum command_kind kind, const struct span *argv,
    unsigned argc)
{
	const char *texts[COMMAND_ARGS_MAX];
	size_t lengths[COMMAND_ARGS_MAX];
	struct command *command;
	unsigned i;
	int n;

	if (argc > COMMAND_ARGS_MAX || is_too_much(commands, kind, argv, argc))
		return (NULL);
	for (i = 0; i < argc; i++) {
		texts[i] = argv[i].p != NULL ? argv[i].p : "";
		lengths[i] = argv[i].n;
	}
	command = command_take(commands);
	command->kind = kind;
	command->argc = argc;
	n = redisFormatCommandArgv(&command->bytes, (int)argc, texts, lengths);
	CHECK(n > 0);
	command->n = (size_t)n;
	commands->bytes += command->n;
	return (command);
}

struct command *
command_new_script(struct commands *commands, const struct redis_script *script,
    struct span key, const struct span *args, unsigned n_args)
{
	struct span argv[COMMAND_ARGS_MAX] = { SPAN("EVALSHA"), span_of(script->sha1),
		SPAN("1"), key };
	struct command *command;
	char head[96];

	if (n_args > COMMAND_ARGS_MAX - 4)
		return (NULL);
	if (n_args > 0)
		memcpy(argv + 4, args, n_args * sizeof(*args));
	command = command_new(commands, COMMAND_CALLER, argv, n_args + 4);
	if (command == NULL)
		return (NULL);
	command->script = script;
	command->behind_sha =
	    (size_t)snprintf(head, sizeof(head), "*%u\r\n$7\r\nEVALSHA\r\n$%zu\r\n%s\r\n",
		n_args + 4, argv[1].n, script->sha1);
	CHECK(command->behind_sha < sizeof(head) &&
	      memcmp(command->bytes, head, command->behind_sha) == 0);
	return (command);
}

void
command_free(struct commands *commands, struct command **command_p)
{
	struct command *command = *command_p;

	*command_p = NULL;
	CHECK_OBJ(command, COMMAND_MAGIC);
	CHECK(command->ask == NULL && commands->n > 0);
	commands->n--;
	commands->bytes -= command->n;
	if (command->kind == COMMAND_AUTH)
		explicit_bzero(command->bytes, command->n);
	redisFreeCommand(command->bytes);
	command->bytes = NULL;
	command->magic = 0;
	if (commands->n_spare >= SPARE_MAX) {
		free(command);
		return;
	}
	command->next = commands->spare;
	commands->spare = command;
	commands->n_spare++;
}

void
commands_clear(struct commands *commands)
{
	struct command *command;

	CHECK(commands->n == 0 && commands->bytes == 0);
	while ((command = commands->spare) != NULL) {
		commands->spare = command->next;
		free(command);
	}
	commands->n_spare = 0;
}

void
command_put(const struct command *command, struct text *out)
{
	struct span all = span_mem(command->bytes, command->n);
	struct span source;

	CHECK_OBJ(command, COMMAND_MAGIC);
	if (!command->with_source) {
		text_put(out, all);
		return;
	}
	source = span_of(command->script->source);
	text_printf(out, "*%u\r\n$4\r\nEVAL\r\n$%zu\r\n", command->argc, source.n);
	text_put(out, source);
	text_puts(out, "\r\n");
	text_put(out, span_cut(all, command->behind_sha, all.n));
}

void
command_queue_init(struct command_queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

void
command_queue_put(struct command_queue *queue, struct command *command)
{
	command->next = NULL;
	*queue->last = command;
	queue->last = &command->next;
}

struct command *
command_queue_take(struct command_queue *queue)
{
	struct command *command = queue->first;

	if (command == NULL)
		return (NULL);
	queue->first = command->next;
	if (queue->first == NULL)
		queue->last = &queue->first;
	command->next = NULL;
	return (command);
}
