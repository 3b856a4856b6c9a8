/* SPDX-License-Identifier: Apache-2.0 */
/* Pools and their servers, for the control socket. */
#include "config.h"

#include "gateway/admin_commands.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/control.h"
#include "gateway/upstream/set.h"

const char *
admin_server_state(const struct upstream_server_state *state)
{
	if (state->drained)
		return ("drained");
	if (state->down)
		return ("down");
	if (state->ejected)
		return ("ejected");
	return (state->failed ? "refusing" : "up");
}

/* null: not checked. */
static json_t *
check_of(const struct pool_watch *watch, uint32_t server)
{
	struct pool_watch_state state;
	const char *text;
	json_t *object;

	if (!pool_watch_state(watch, server, &state))
		return (json_null());
	text = state.down ? "down" : "up";
	object = json_object();
	json_object_set_new(
	    object, "state", json_string(state.checked ? text : "waiting"));
	json_object_set_new(
	    object, "reason", state.checked ? json_string(state.reason) : json_null());
	json_object_set_new(object, "in_a_row", json_integer(state.in_a_row));
	json_object_set_new(object, "age_seconds",
	    json_integer((clock_mono_us() - state.since_us) / CLOCK_SECOND));
	json_object_set_new(object, "made", json_integer((json_int_t)state.made));
	json_object_set_new(object, "failed", json_integer((json_int_t)state.failed));
	return (object);
}

static json_t *
server_of(const struct upstream_server_state *state)
{
	json_t *object;

	object = json_object();
	json_object_set_new(object, "address", json_string(state->address));
	json_object_set_new(object, "host", json_string(state->host));
	json_object_set_new(object, "weight", json_integer(state->weight));
	json_object_set_new(object, "backup", json_boolean(state->backup));
	json_object_set_new(object, "state", json_string(admin_server_state(state)));
	json_object_set_new(object, "active", json_integer(state->active));
	json_object_set_new(
	    object, "requests", json_integer((json_int_t)state->requests));
	json_object_set_new(
	    object, "failures", json_integer((json_int_t)state->failures));
	return (object);
}

json_t *
admin_pools(const struct control_view *view)
{
	struct upstream_server_state state;
	json_t *list, *object, *server, *servers;
	struct upstream_pool *pool;
	uint32_t i, n;
	size_t p;

	list = json_array();
	for (p = 0; p < view->snap->conf->n_pools; p++) {
		pool = view->snap->pools[p];
		servers = json_array();
		n = upstream_pool_count(pool);
		for (i = 0; i < n; i++) {
			upstream_pool_state(pool, i, clock_mono_us(), &state);
			server = server_of(&state);
			json_object_set_new(
			    server, "check", check_of(view->checks[p], i));
			json_array_append_new(servers, server);
		}
		object = json_object();
		json_object_set_new(
		    object, "name", json_string(view->snap->conf->pools[p].name));
		json_object_set_new(object, "servers", servers);
		json_array_append_new(list, object);
	}
	return (list);
}

void
admin_pool_drain(struct control_view *view, const json_t *question, json_t *answer)
{
	const char *name, *server;
	const struct conf *conf;
	uint32_t n;
	bool undo;
	size_t p;

	conf = view->snap->conf;
	name = json_string_value(json_object_get(question, "pool"));
	server = json_string_value(json_object_get(question, "server"));
	undo = json_is_true(json_object_get(question, "undo"));
	if (name == NULL || server == NULL) {
		admin_refuse(answer, "pool and server are missing");
		return;
	}
	for (p = 0; p < conf->n_pools && strcmp(conf->pools[p].name, name) != 0; p++)
		continue;
	if (p == conf->n_pools) {
		admin_refuse(answer, "no such pool");
		return;
	}
	n = upstream_pool_drain(view->snap->pools[p], server, !undo);
	if (n == 0) {
		admin_refuse(answer, "the pool has no such server: it is named by its "
				     "address, or by host:port of its url");
		return;
	}
	log_info("upstream", "pool %s: %s is %s", name, server,
	    undo ? "in service again" : "drained");
	json_object_set_new(answer, "servers", json_integer(n));
}
