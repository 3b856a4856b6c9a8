/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster: the server of each slot, redirections, the map kept up to date. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/redis/link_inside.h"
#include "gateway/redis/redis_inside.h"
#include "gateway/redis/slots.h"
#include "gateway/redis/watch.h"

#include <stdlib.h>

#define NODES_MAX 1024u
#define NODE_NONE UINT16_MAX
#define MAP_CALM_US ((int64_t)10000000)
#define MAP_TROUBLE_US ((int64_t)500000)
/* After MOVED: one map for all that meet the same change. */
#define MAP_SOON_US ((int64_t)100000)
#define AGAIN_US ((int64_t)20000)

struct cluster;

struct node {
	struct cluster *cluster;
	struct link *link;
	struct slot_server server;
	bool used; /* by the map */
};

#define CLUSTER_MAGIC 0xc105fe40u
struct cluster {
	unsigned magic;
	struct redis *redis;
	struct watch *watch;
	struct span question[2];
	struct node *nodes[NODES_MAX]; /* with holes */
	unsigned n_nodes; /* none behind */
	unsigned last; /* the one found last */
	bool known;
	uint16_t slots[SLOTS];
	struct command_queue again;
	struct loop_timer timer; /* of `again` */
};

static const char *cluster_send(void *, struct command *);

/* --- state -------------------------------------------------------------- */

static void
cluster_follow(struct cluster *c)
{
	bool some_up = watch_is_up(c->watch), some_failing = false;
	const char *reason = watch_reason(c->watch);
	char name[LINK_NAME_MAX];
	unsigned i;

	for (i = 0; i < c->n_nodes; i++) {
		if (c->nodes[i] == NULL)
			continue;
		some_up |= link_is_up(c->nodes[i]->link);
		if (c->nodes[i]->used && link_is_failing(c->nodes[i]->link)) {
			some_failing = true;
			reason = link_reason(c->nodes[i]->link);
			service_tell_failure(c->redis->service,
			    link_name(c->nodes[i]->link, name), reason);
		}
	}
	for (i = 0; c->known && i < SLOTS && !some_failing; i++)
		some_failing = c->slots[i] == NODE_NONE;
	watch_set_interval(c->watch, some_failing ? MAP_TROUBLE_US : MAP_CALM_US);
	if (some_failing)
		watch_hurry(c->watch, MAP_TROUBLE_US);
	if (c->known && some_up) {
		if (!some_failing)
			service_tell_success(c->redis->service, "cluster");
		redis_became(c->redis, REDIS_UP, some_failing ? reason : NULL);
	} else if (watch_is_failing(c->watch)) {
		service_tell_failure(
		    c->redis->service, "cluster", watch_reason(c->watch));
		redis_became(c->redis, REDIS_DOWN, watch_reason(c->watch));
	}
}

/* --- servers ------------------------------------------------------------ */

static void node_changed(void *, struct link *);
static void
node_answered(void *, struct link *, struct command *, const struct redis_value *);

static const struct link_ops node_ops = {
	.changed = node_changed,
	.answered = node_answered,
};

static bool
is_same(const struct node *node, const struct slot_server *server)
{
	return (node != NULL && node->server.port == server->port &&
		strcmp(node->server.host, server->host) == 0);
}

/* The server's index; a new one when it is not known yet. NODE_NONE: there are
 * too many. */
static uint16_t
node_find(struct cluster *c, const struct slot_server *server)
{
	struct link_options options;
	unsigned i, hole = c->n_nodes;
	struct node *node;

	if (c->last < c->n_nodes && is_same(c->nodes[c->last], server))
		return ((uint16_t)c->last);
	for (i = 0; i < c->n_nodes && !is_same(c->nodes[i], server); i++)
		if (c->nodes[i] == NULL && hole == c->n_nodes)
			hole = i;
	if (i == c->n_nodes) {
		if (hole == NODES_MAX)
			return (NODE_NONE);
		i = hole;
		if (hole == c->n_nodes)
			c->n_nodes++;
		node = mem_zalloc(sizeof(*node));
		node->cluster = c;
		node->server = *server;
		options = redis_link_options(c->redis, &node_ops, node);
		options.early = true;
		node->link = link_new(&options);
		link_aim(node->link, server->host, server->port);
		c->nodes[i] = node;
	}
	c->last = i;
	return ((uint16_t)i);
}

static void
node_free(struct node **node_p)
{
	struct node *node = *node_p;

	*node_p = NULL;
	if (node == NULL)
		return;
	link_free(&node->link);
	free(node);
}

static const char *
node_send(struct node *node, struct command *command, bool asking)
{
	link_start(node->link);
	if (asking ? link_send_asking(node->link, command)
		   : link_send(node->link, command))
		return (NULL);
	return (link_reason(node->link) != NULL ? link_reason(node->link)
						: "there is no connection");
}

static void
node_changed(void *data, struct link *link)
{
	struct node *node = data;
	struct cluster *c = node->cluster;

	if (c->redis->closing)
		return;
	if (link_is_up(link)) {
		if (link_reconnects(link) > 0)
			c->redis->state.reconnects++;
	} else
		watch_hurry(c->watch, MAP_SOON_US);
	cluster_follow(c);
}

/* --- redirections ------------------------------------------------------- */

static void
send_later(struct cluster *c, struct command *command)
{
	command_queue_put(&c->again, command);
	if (c->timer.deadline_us == 0)
		loop_timer_set(&c->timer, AGAIN_US);
}

static void
again_due(struct loop_timer *timer)
{
	struct command_queue due;
	struct command *command;
	const char *failure;
	struct cluster *c;

	CAST_OBJ(c, timer->data, CLUSTER_MAGIC);
	command_queue_init(&due);
	while ((command = command_queue_take(&c->again)) != NULL)
		command_queue_put(&due, command);
	while ((command = command_queue_take(&due)) != NULL) {
		failure = command->ask != NULL ? cluster_send(c, command) : "cancelled";
		if (failure != NULL)
			redis_finish(c->redis, command, NULL, failure);
	}
}

/* Sends it where the error says. Why not; NULL: it is on its way, or in the queue.
 * `failure_r` is untouched when the error says nothing of the kind. */
static bool
redirect(struct cluster *c, struct link *link, struct command *command,
    const struct redis_value *value, const char **failure_r)
{
	enum slot_error error;
	struct slot_server to;
	uint16_t slot, index;

	error = slot_error_read(value->text, link_host(link), &slot, &to);
	if (error == SLOT_ERROR_NONE)
		return (false);
	*failure_r = NULL;
	if (error != SLOT_ERROR_ASK)
		watch_hurry(c->watch, MAP_SOON_US);
	if (command->ask == NULL || command->tries >= LINK_TRIES_MAX) {
		*failure_r = error == SLOT_ERROR_DOWN ? "the cluster is down"
						      : "sent from server to server";
		return (true);
	}
	command->tries++;
	if (error == SLOT_ERROR_TRYAGAIN || error == SLOT_ERROR_DOWN) {
		send_later(c, command);
		return (true);
	}
	index = node_find(c, &to);
	if (index == NODE_NONE) {
		*failure_r = "the cluster has too many servers";
		return (true);
	}
	if (error == SLOT_ERROR_MOVED)
		c->slots[command->slot] = index;
	*failure_r = node_send(c->nodes[index], command, error == SLOT_ERROR_ASK);
	return (true);
}

static void
node_answered(void *data, struct link *link, struct command *command,
    const struct redis_value *value)
{
	struct cluster *c = ((struct node *)data)->cluster;
	const char *failure = NULL;

	if (value != NULL && value->type == REDIS_ERROR &&
	    redirect(c, link, command, value, &failure)) {
		if (failure != NULL)
			redis_finish(c->redis, command, NULL, failure);
		return;
	}
	redis_answered(c->redis, link, command, value);
}

/* --- the map ------------------------------------------------------------ */

struct serving {
	struct cluster *cluster;
	bool begun;
};

static void
serve(void *data, uint16_t first, uint16_t last, const struct slot_server *server)
{
	struct serving *serving = data;
	struct cluster *c = serving->cluster;
	uint16_t index;
	unsigned i;

	if (!serving->begun) {
		serving->begun = true;
		for (i = 0; i < SLOTS; i++)
			c->slots[i] = NODE_NONE;
		for (i = 0; i < c->n_nodes; i++)
			if (c->nodes[i] != NULL)
				c->nodes[i]->used = false;
	}
	index = node_find(c, server);
	if (index == NODE_NONE)
		return;
	c->nodes[index]->used = true;
	for (i = first; i <= last; i++)
		c->slots[i] = index;
}

static const char *
cluster_told(void *data, const struct redis_value *value, const char *asked)
{
	struct cluster *c = data;
	struct serving serving = { c, false };
	unsigned i;

	if (value->type == REDIS_ERROR)
		return ("the server is in no cluster, or does not tell");
	if (!slots_read(value, asked, serve, &serving))
		return ("the server knows of no slots");
	c->known = true;
	/* Who left and owes nothing is forgotten; who owes, by a later map. */
	for (i = 0; i < c->n_nodes; i++)
		if (c->nodes[i] != NULL && !c->nodes[i]->used &&
		    link_is_idle(c->nodes[i]->link))
			node_free(&c->nodes[i]);
	cluster_follow(c);
	return (NULL);
}

/* The configured ones and those the map told of, turn by turn. */
static struct conf_redis_host
cluster_server(void *data, unsigned turn)
{
	const struct cluster *c = data;
	const struct conf_redis *cf = c->redis->service->conf;
	const struct node *node;

	turn %= (unsigned)cf->n_hosts + c->n_nodes;
	if (turn < cf->n_hosts)
		return (cf->hosts[turn]);
	node = c->nodes[turn - cf->n_hosts];
	if (node == NULL)
		return (cf->hosts[turn % cf->n_hosts]);
	return ((struct conf_redis_host){ node->server.host, node->server.port });
}

static void
cluster_changed(void *data)
{
	cluster_follow(data);
}

/* --- the topology ------------------------------------------------------- */

static void *
cluster_start(struct redis *redis)
{
	struct cluster *c = mem_zalloc(sizeof(*c));
	struct watch_options watch = { .loop = redis->loop,
		.service = redis->service,
		.profile = &redis->service->server,
		.resolver = redis->resolver,
		.commands = &redis->commands,
		.argv = c->question,
		.argc = 2,
		.told = cluster_told,
		.server = cluster_server,
		.changed = cluster_changed,
		.data = c };

	c->magic = CLUSTER_MAGIC;
	c->redis = redis;
	c->question[0] = SPAN("CLUSTER");
	c->question[1] = SPAN("SLOTS");
	command_queue_init(&c->again);
	loop_timer_init(&c->timer, redis->loop, again_due, c);
	memset(c->slots, 0xff, sizeof(c->slots));
	c->watch = watch_new(&watch);
	watch_set_interval(c->watch, MAP_CALM_US);
	return (c);
}

static void
cluster_stop(void *data)
{
	struct command *command;
	struct cluster *c;
	unsigned i;

	CAST_OBJ(c, data, CLUSTER_MAGIC);
	loop_timer_stop(&c->timer);
	while ((command = command_queue_take(&c->again)) != NULL)
		redis_finish(c->redis, command, NULL, "given up");
	for (i = 0; i < c->n_nodes; i++)
		node_free(&c->nodes[i]);
	watch_free(&c->watch);
	c->magic = 0;
	free(c);
}

static const char *
cluster_send(void *data, struct command *command)
{
	struct cluster *c = data;
	uint16_t index = c->slots[command->slot];

	if (!c->known)
		return ("the cluster's slots are not known yet");
	if (index == NODE_NONE) {
		watch_hurry(c->watch, MAP_SOON_US);
		return ("no server of the cluster has the key");
	}
	return (node_send(c->nodes[index], command, false));
}

const struct topology topology_cluster = {
	.start = cluster_start,
	.stop = cluster_stop,
	.send = cluster_send,
};
