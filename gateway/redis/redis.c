/* SPDX-License-Identifier: Apache-2.0 */
/* The client as its users see it, and the topology of one server. */
#include "config.h"

#include "gateway/redis/redis.h"

#include "gateway/base/check.h"
#include "gateway/redis/redis_inside.h"
#include "gateway/redis/slots.h"

#include <stdlib.h>

struct redis *
redis_new(struct loop *loop, struct redis_service *service, struct job_pool *resolver)
{
	struct redis *redis = mem_zalloc(sizeof(*redis));

	CHECK_OBJ(service, REDIS_SERVICE_MAGIC);
	redis->magic = REDIS_MAGIC;
	redis->loop = loop;
	redis->service = redis_service_ref(service);
	redis->resolver = resolver;
	redis->state.link = REDIS_CONNECTING;
	redis->state.since_us = loop_now_us(loop);
	switch (service->conf->kind) {
	case CONF_REDIS_SINGLE: redis->topology = &topology_single; break;
	case CONF_REDIS_SENTINEL: redis->topology = &topology_sentinel; break;
	case CONF_REDIS_CLUSTER: redis->topology = &topology_cluster; break;
	}
	redis->work = redis->topology->start(redis);
	return (redis);
}

void
redis_free(struct redis **redis_p)
{
	struct redis *redis = *redis_p;

	*redis_p = NULL;
	if (redis == NULL)
		return;
	CHECK_OBJ(redis, REDIS_MAGIC);
	redis->closing = true;
	redis->topology->stop(redis->work);
	commands_clear(&redis->commands);
	redis_service_free(&redis->service);
	redis->magic = 0;
	free(redis);
}

/* --- asks --------------------------------------------------------------- */

static bool
begin(
    struct redis *redis, struct redis_ask *ask, struct span key, struct command *command)
{
	const char *failure;

	CHECK_OBJ(redis, REDIS_MAGIC);
	CHECK(ask->work == NULL);
	ask->failure = NULL;
	if (command == NULL)
		failure = "too many commands are waiting";
	else if (redis->closing)
		failure = "the gateway is closing";
	else {
		command->slot = slot_of_key(key);
		command->ask = ask;
		failure = redis->topology->send(redis->work, command);
	}
	if (failure == NULL) {
		ask->work = command;
		redis->state.commands++;
		return (true);
	}
	if (command != NULL) {
		command->ask = NULL;
		command_free(&redis->commands, &command);
	}
	ask->failure = failure;
	redis->state.failures++;
	return (false);
}

bool
redis_send(struct redis *redis, struct redis_ask *ask, struct span key,
    const struct span *argv, unsigned argc)
{
	return (begin(
	    redis, ask, key, command_new(&redis->commands, COMMAND_CALLER, argv, argc)));
}

/* lint: parameters: together they are one EVALSHA */
bool
redis_call(struct redis *redis, struct redis_ask *ask, const struct redis_script *script,
    struct span key, const struct span *args, unsigned n_args)
{
	return (begin(redis, ask, key,
	    command_new_script(&redis->commands, script, key, args, n_args)));
}

void
redis_cancel(struct redis_ask *ask)
{
	struct command *command = ask->work;

	if (command == NULL)
		return;
	CHECK_OBJ(command, COMMAND_MAGIC);
	CHECK(command->ask == ask);
	command->ask = NULL;
	ask->work = NULL;
}

void
redis_finish(struct redis *redis, struct command *command,
    const struct redis_value *value, const char *failure)
{
	struct redis_ask *ask = command->ask;

	command->ask = NULL;
	command_free(&redis->commands, &command);
	if (ask == NULL)
		return;
	ask->work = NULL;
	ask->failure = value == NULL ? failure : NULL;
	if (value == NULL)
		redis->state.failures++;
	ask->done(ask, value);
}

/* --- answers ------------------------------------------------------------ */

const char *
redis_useless(const struct redis_value *value)
{
	static const char *const begins[] = { "LOADING ", "READONLY ", "MASTERDOWN ",
		"NOAUTH " };
	size_t i;

	if (value->type != REDIS_ERROR)
		return (NULL);
	for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (span_starts(value->text, span_of(begins[i])))
			return (link_refusal(value->text));
	/* older servers put what a script met into a sentence */
	if (span_starts(value->text, SPAN("ERR Error running script")) &&
	    span_find(value->text, SPAN(" -READONLY ")) != SIZE_MAX)
		return (link_refusal(SPAN("READONLY")));
	return (NULL);
}

void
redis_answered(struct redis *redis, struct link *link, struct command *command,
    const struct redis_value *value)
{
	const char *useless;

	if (value == NULL) {
		redis_finish(redis, command, NULL, link_reason(link));
		return;
	}
	useless = redis_useless(value);
	if (useless != NULL) {
		redis_finish(redis, command, NULL, useless);
		link_fail(link, useless);
	} else if (value->type == REDIS_ERROR &&
		   (span_starts(value->text, SPAN("MOVED ")) ||
		       span_starts(value->text, SPAN("ASK "))))
		redis_finish(redis, command, NULL, "the server belongs to a cluster");
	else
		redis_finish(redis, command, value, NULL);
}

/* --- state -------------------------------------------------------------- */

void
redis_became(struct redis *redis, enum redis_link link, const char *reason)
{
	if (redis->closing)
		return;
	if (reason != NULL)
		redis->state.reason = reason;
	if (redis->state.link == link)
		return;
	redis->state.link = link;
	redis->state.since_us = loop_now_us(redis->loop);
	if (redis->changed != NULL)
		redis->changed(redis->changed_data);
}

void
redis_follow(struct redis *redis, const struct link *link)
{
	char name[LINK_NAME_MAX];

	if (redis->closing)
		return;
	if (link_is_up(link)) {
		if (link_reconnects(link) > 0)
			redis->state.reconnects++;
		service_tell_success(redis->service, link_name(link, name));
		redis_became(redis, REDIS_UP, NULL);
	} else {
		service_tell_failure(
		    redis->service, link_name(link, name), link_reason(link));
		redis_became(redis, REDIS_DOWN, link_reason(link));
	}
}

void
redis_state(const struct redis *redis, struct redis_state *state_r)
{
	CHECK_OBJ(redis, REDIS_MAGIC);
	*state_r = redis->state;
}

const char *
redis_link_text(enum redis_link link)
{
	switch (link) {
	case REDIS_CONNECTING: return ("connecting");
	case REDIS_UP: return ("up");
	case REDIS_DOWN: return ("down");
	}
	WRONG("state of a link");
}

void
redis_on_change(struct redis *redis, void (*changed)(void *data), void *data)
{
	CHECK_OBJ(redis, REDIS_MAGIC);
	redis->changed = changed;
	redis->changed_data = data;
}

struct link_options
redis_link_options(struct redis *redis, const struct link_ops *ops, void *data)
{
	return ((struct link_options){ .loop = redis->loop,
	    .service = redis->service,
	    .profile = &redis->service->server,
	    .resolver = redis->resolver,
	    .commands = &redis->commands,
	    .ops = ops,
	    .data = data });
}

/* --- one server --------------------------------------------------------- */

struct single {
	struct redis *redis;
	struct link *link;
	size_t turn;
};

static void
single_choose(void *data, struct link *link)
{
	struct single *single = data;
	const struct conf_redis *cf = single->redis->service->conf;
	const struct conf_redis_host *host;

	if (cf->unix_path[0] != '\0') {
		link_aim_unix(link, cf->unix_path);
		return;
	}
	host = &cf->hosts[single->turn++ % cf->n_hosts];
	link_aim(link, host->host, host->port);
}

static void
single_changed(void *data, struct link *link)
{
	struct single *single = data;

	redis_follow(single->redis, link);
}

static void
single_answered(void *data, struct link *link, struct command *command,
    const struct redis_value *value)
{
	struct single *single = data;

	redis_answered(single->redis, link, command, value);
}

static const struct link_ops single_ops = {
	.choose = single_choose,
	.changed = single_changed,
	.answered = single_answered,
};

static void *
single_start(struct redis *redis)
{
	struct single *single = mem_zalloc(sizeof(*single));
	struct link_options options = redis_link_options(redis, &single_ops, single);

	single->redis = redis;
	single->link = link_new(&options);
	link_start(single->link);
	return (single);
}

static void
single_stop(void *data)
{
	struct single *single = data;

	link_free(&single->link);
	free(single);
}

static const char *
single_send(void *data, struct command *command)
{
	struct single *single = data;

	return (link_send(single->link, command) ? NULL : "there is no connection");
}

const struct topology topology_single = {
	.start = single_start,
	.stop = single_stop,
	.send = single_send,
};
