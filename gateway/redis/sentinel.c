/* SPDX-License-Identifier: Apache-2.0 */
/* A master that Sentinels know: they are asked in turn, it is followed. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/redis/redis_inside.h"
#include "gateway/redis/slots.h"
#include "gateway/redis/watch.h"

#include <stdlib.h>

/* While the master is lost, a Sentinel that says the same so often gives way to
 * the next: it may be the one that is cut off. */
#define ASK_LOST_US ((int64_t)200000)
#define SAME_MAX 4

struct sentinel {
	struct redis *redis;
	struct watch *watch;
	struct link *master;
	struct span question[3];
	unsigned same;
};

static void
master_changed(void *data, struct link *link)
{
	struct sentinel *s = data;

	s->same = 0;
	watch_set_interval(s->watch, link_is_up(link) ? LINK_BEAT_US : ASK_LOST_US);
	if (!link_is_up(link))
		watch_hurry(s->watch, 0);
	redis_follow(s->redis, link);
}

static void
master_answered(void *data, struct link *link, struct command *command,
    const struct redis_value *value)
{
	struct sentinel *s = data;

	redis_answered(s->redis, link, command, value);
}

static const struct link_ops master_ops = {
	.changed = master_changed,
	.answered = master_answered,
};

/* [host, port], both text */
static bool
read_master(const struct redis_value *value, struct slot_server *server)
{
	const struct redis_value *host, *port;
	uint64_t number;

	if (value->type != REDIS_ARRAY || value->n_items != 2)
		return (false);
	host = &value->items[0];
	port = &value->items[1];
	if (host->type != REDIS_TEXT || host->text.n == 0 ||
	    host->text.n >= sizeof(server->host) ||
	    memchr(host->text.p, '\0', host->text.n) != NULL ||
	    port->type != REDIS_TEXT || !span_u64(port->text, &number) || number == 0 ||
	    number > UINT16_MAX)
		return (false);
	memcpy(server->host, host->text.p, host->text.n);
	server->host[host->text.n] = '\0';
	server->port = (uint16_t)number;
	return (true);
}

static const char *
sentinel_told(void *data, const struct redis_value *value, const char *asked)
{
	struct sentinel *s = data;
	struct slot_server server;

	(void)asked;
	if (value->type == REDIS_ERROR)
		return ("the server is no Sentinel, or does not tell");
	if (!read_master(value, &server))
		return ("the Sentinel knows no master of that name");
	if (!link_is_aimed(s->master, server.host, server.port)) {
		s->same = 0;
		redis_became(s->redis, REDIS_CONNECTING, NULL);
		link_aim(s->master, server.host, server.port);
		link_start(s->master);
		return (NULL);
	}
	if (link_is_up(s->master) || ++s->same < SAME_MAX)
		return (NULL);
	s->same = 0;
	if (s->redis->service->conf->n_hosts == 1)
		return (NULL);
	return ("the Sentinel knows no other master");
}

static struct conf_redis_host
sentinel_server(void *data, unsigned turn)
{
	const struct sentinel *s = data;
	const struct conf_redis *cf = s->redis->service->conf;

	return (cf->hosts[turn % cf->n_hosts]);
}

static void
sentinel_changed(void *data)
{
	struct sentinel *s = data;

	/* A master that is there needs nobody to tell of it. */
	if (watch_is_failing(s->watch) && !link_is_up(s->master)) {
		service_tell_failure(
		    s->redis->service, "sentinel", watch_reason(s->watch));
		redis_became(s->redis, REDIS_DOWN, watch_reason(s->watch));
	}
}

static void *
sentinel_start(struct redis *redis)
{
	struct sentinel *s = mem_zalloc(sizeof(*s));
	struct link_options link = redis_link_options(redis, &master_ops, s);
	struct watch_options watch = { .loop = redis->loop,
		.service = redis->service,
		.profile = &redis->service->sentinel,
		.resolver = redis->resolver,
		.commands = &redis->commands,
		.argv = s->question,
		.argc = 3,
		.told = sentinel_told,
		.server = sentinel_server,
		.changed = sentinel_changed,
		.data = s };

	s->redis = redis;
	s->question[0] = SPAN("SENTINEL");
	s->question[1] = SPAN("get-master-addr-by-name");
	s->question[2] = span_of(redis->service->conf->master);
	s->master = link_new(&link);
	s->watch = watch_new(&watch);
	watch_set_interval(s->watch, ASK_LOST_US);
	return (s);
}

static void
sentinel_stop(void *data)
{
	struct sentinel *s = data;

	link_free(&s->master);
	watch_free(&s->watch);
	free(s);
}

static const char *
sentinel_send(void *data, struct command *command)
{
	struct sentinel *s = data;

	return (link_send(s->master, command) ? NULL : "there is no connection");
}

const struct topology topology_sentinel = {
	.start = sentinel_start,
	.stop = sentinel_stop,
	.send = sentinel_send,
};
