/* SPDX-License-Identifier: Apache-2.0 */
/* A question asked of servers in turn. */
#include "config.h"

#include "gateway/redis/watch.h"

#include "gateway/base/check.h"

#include <stdlib.h>

#define WATCH_MAGIC 0x3a7c4001u
struct watch {
	unsigned magic;
	struct watch_options options;
	struct link *link;
	struct loop_timer timer;
	int64_t interval_us;
	unsigned turn;
	bool asking;
};

static void
watch_ask(struct watch *watch)
{
	struct command *command;

	if (watch->asking || !link_is_up(watch->link))
		return;
	command = command_new(watch->options.commands, COMMAND_QUESTION,
	    watch->options.argv, watch->options.argc);
	watch->asking = link_send(watch->link, command);
	CHECK(watch->asking);
}

static void
watch_due(struct loop_timer *timer)
{
	struct watch *watch;

	CAST_OBJ(watch, timer->data, WATCH_MAGIC);
	watch_ask(watch);
}

static void
watch_choose(void *data, struct link *link)
{
	struct watch *watch = data;
	struct conf_redis_host server =
	    watch->options.server(watch->options.data, watch->turn++);

	link_aim(link, server.host, server.port);
}

static void
watch_changed(void *data, struct link *link)
{
	struct watch *watch = data;

	if (link_is_up(link))
		watch_ask(watch);
	watch->options.changed(watch->options.data);
}

static void
watch_answered(void *data, struct link *link, struct command *command,
    const struct redis_value *value)
{
	struct watch *watch = data;
	const char *reason;

	command_free(watch->options.commands, &command);
	watch->asking = false;
	if (value == NULL)
		return;
	loop_timer_set(&watch->timer, watch->interval_us);
	reason = watch->options.told(watch->options.data, value, link_host(link));
	if (reason != NULL)
		link_fail(link, reason);
}

static const struct link_ops watch_ops = {
	.choose = watch_choose,
	.changed = watch_changed,
	.answered = watch_answered,
};

struct watch *
watch_new(const struct watch_options *options)
{
	struct watch *watch = mem_zalloc(sizeof(*watch));
	struct link_options link = { .loop = options->loop,
		.service = options->service,
		.profile = options->profile,
		.resolver = options->resolver,
		.commands = options->commands,
		.ops = &watch_ops,
		.data = watch };

	watch->magic = WATCH_MAGIC;
	watch->options = *options;
	watch->interval_us = LINK_BEAT_US;
	loop_timer_init(&watch->timer, options->loop, watch_due, watch);
	watch->link = link_new(&link);
	link_start(watch->link);
	return (watch);
}

void
watch_free(struct watch **watch_p)
{
	struct watch *watch = *watch_p;

	*watch_p = NULL;
	if (watch == NULL)
		return;
	CHECK_OBJ(watch, WATCH_MAGIC);
	link_free(&watch->link);
	loop_timer_stop(&watch->timer);
	watch->magic = 0;
	free(watch);
}

void
watch_set_interval(struct watch *watch, int64_t us)
{
	CHECK_OBJ(watch, WATCH_MAGIC);
	watch->interval_us = us;
}

void
watch_hurry(struct watch *watch, int64_t us)
{
	CHECK_OBJ(watch, WATCH_MAGIC);
	if (watch->asking || !link_is_up(watch->link))
		return; /* it is asked, or will be as soon as somebody is there */
	if (watch->timer.deadline_us == 0 ||
	    watch->timer.deadline_us > loop_now_us(watch->options.loop) + us)
		loop_timer_set(&watch->timer, us);
}

bool
watch_is_up(const struct watch *watch)
{
	return (link_is_up(watch->link));
}

bool
watch_is_failing(const struct watch *watch)
{
	return (link_is_failing(watch->link));
}

const char *
watch_reason(const struct watch *watch)
{
	return (link_reason(watch->link));
}
