/* SPDX-License-Identifier: Apache-2.0 */
/* How the gateway is, for the control socket. */
#include "config.h"

#include "gateway/admin_commands.h"
#include "gateway/base/clock.h"
#include "gateway/control.h"
#include "gateway/reload_controls.h"
#include "ratelimit/table.h"

static void
put(json_t *object, const char *key, uint64_t figure)
{
	json_object_set_new(object, key, json_integer((json_int_t)figure));
}

static void
put_text(json_t *object, const char *key, const char *text)
{
	json_t *string;

	string = text != NULL ? json_string(text) : NULL; /* NULL: not UTF-8 either */
	json_object_set_new(object, key, string != NULL ? string : json_null());
}

static void
put_age(json_t *object, int64_t since_us)
{
	put(object, "age_seconds",
	    (uint64_t)((clock_mono_us() - since_us) / CLOCK_SECOND));
}

static json_t *
sharing(const struct control_view *view)
{
	struct limits_status status;
	json_t *object;

	limits_status(view->snap->rate_limits, &status);
	object = json_object();
	put_text(object, "state", limits_state_text(status.state));
	put_text(object, "reason", status.reason);
	put_age(object, status.since_us);
	put(object, "nodes", status.nodes);
	put(object, "redis_trips", status.redis_trips);
	return (object);
}

static json_t *
redis(const struct control_view *view)
{
	struct redis_state state;
	json_t *object;

	if (view->redis == NULL)
		return (json_null());
	redis_state(view->redis, &state);
	object = json_object();
	put_text(object, "link", redis_link_text(state.link));
	put_text(object, "reason", state.reason);
	put_age(object, state.since_us);
	put(object, "commands", state.commands);
	put(object, "failures", state.failures);
	put(object, "reconnects", state.reconnects);
	return (object);
}

/* The table of keys. */
static json_t *
keys(const struct control_view *view)
{
	struct table_figures figures;
	json_t *object;

	limits_table(view->snap->rate_limits, &figures);
	object = json_object();
	put(object, "room", figures.entries);
	put(object, "used", figures.used);
	put(object, "forgotten", figures.evicted);
	put(object, "without_room", figures.full);
	return (object);
}

static json_t *
limits(const struct control_view *view)
{
	const struct conf *conf;
	struct limits_count count;
	json_t *list, *object;
	uint32_t i;

	conf = view->snap->conf;
	list = json_array();
	for (i = 0; i < conf->n_limits; i++) {
		limits_count(view->snap->rate_limits, i, &count);
		object = json_object();
		put_text(object, "name", conf->limits[i].name);
		put_text(object, "rate", conf->limits[i].rate);
		put(object, "burst", conf->limits[i].burst);
		put_text(object, "mode",
		    conf->limits[i].mode == CONF_SHADOW ? "shadow" : "enforce");
		put(object, "allowed", count.allowed);
		put(object, "denied", count.denied);
		put(object, "shadowed", count.shadowed);
		put(object, "degraded", count.degraded);
		put(object, "leased", count.leased);
		put(object, "denied_here", count.denied_here);
		json_array_append_new(list, object);
	}
	return (list);
}

static json_t *
bans_sharing(const struct control_view *view)
{
	struct bans_share_figures figures;
	json_t *object;

	if (view->bans_share == NULL)
		return (json_null());
	bans_share_figures(view->bans_share, &figures);
	object = json_object();
	put(object, "told", figures.told);
	put(object, "kept", figures.kept);
	put(object, "heard", figures.heard);
	put(object, "failed", figures.failed);
	put(object, "bad", figures.bad);
	return (object);
}

static json_t *
bans(const struct control_view *view)
{
	struct bans_figures figures;
	json_t *object;

	bans_figures(view->snap->bans, &figures);
	object = json_object();
	put(object, "bans", figures.bans);
	put(object, "shadow", figures.shadow);
	put(object, "made", figures.made);
	put(object, "lifted", figures.lifted);
	put(object, "watched", figures.watched);
	put(object, "lost", figures.lost);
	json_object_set_new(object, "sharing", bans_sharing(view));
	return (object);
}

/* Databases, lists and password files that are taken up when they change. */
static json_t *
files(const struct control_view *view)
{
	char time[CLOCK_RFC3339_MAX];
	struct watched_state state;
	json_t *list, *object;
	size_t i;

	list = json_array();
	for (i = 0; i < controls_watched_count(view->snap); i++) {
		watched_state(controls_watched(view->snap, i), &state);
		clock_rfc3339(state.loaded_us, time);
		object = json_object();
		put_text(object, "path", state.path);
		put_text(object, "loaded", time);
		json_object_set_new(object, "stale", json_boolean(state.stale));
		put_text(
		    object, "problem", state.problem[0] != '\0' ? state.problem : NULL);
		json_array_append_new(list, object);
	}
	return (list);
}

/* Of origins, watched for other addresses. */
static json_t *
names(const struct control_view *view)
{
	char text[NETADDR_TEXT_MAX];
	struct name_state state;
	json_t *list, *object, *addresses;
	uint32_t j;
	size_t i;

	list = json_array();
	for (i = 0; i < names_count(view->names); i++) {
		names_state(view->names, i, &state);
		addresses = json_array();
		for (j = 0; j < state.n; j++)
			json_array_append_new(addresses,
			    json_string(netaddr_ip_text(&state.addresses[j], text)));
		object = json_object();
		put_text(object, "name", state.name);
		json_object_set_new(object, "addresses", addresses);
		put_text(object, "problem", state.problem);
		put_age(object, state.since_us);
		json_array_append_new(list, object);
	}
	return (list);
}

static json_t *
requests(const struct control_view *view)
{
	json_t *object, *blocked, *detected;
	struct tally tally;
	uint64_t all;
	unsigned i;

	workers_tally(view->workers, &tally);
	blocked = json_object();
	detected = json_object();
	all = 0;
	for (i = 0; i < TALLY_CLASSES; i++)
		all += tally.answers[i];
	for (i = 0; i < TALLY_REASONS; i++) {
		put(blocked, tally_reasons[i], tally.blocked[i]);
		put(detected, tally_reasons[i], tally.detected[i]);
	}
	object = json_object();
	put(object, "answered", all);
	json_object_set_new(object, "blocked", blocked);
	json_object_set_new(object, "detected", detected);
	return (object);
}

static json_t *
log_figures(const struct log_file *file)
{
	json_t *object;

	if (file == NULL)
		return (json_null());
	object = json_object();
	put(object, "written", log_file_written(file));
	put(object, "dropped", log_file_dropped(file));
	return (object);
}

void
admin_status(struct control_view *view, const json_t *question, json_t *answer)
{
	char time[CLOCK_RFC3339_MAX];

	(void)question;
	put_text(answer, "version", PACKAGE_VERSION);
	put_text(answer, "node", view->snap->conf->node);
	clock_rfc3339(view->started_us, time);
	put_text(answer, "started", time);
	put(answer, "threads", view->snap->conf->threads);
	put(answer, "connections", workers_connections(view->workers));
	json_object_set_new(answer, "requests", requests(view));
	json_object_set_new(answer, "sharing", sharing(view));
	json_object_set_new(answer, "redis", redis(view));
	json_object_set_new(answer, "limits", limits(view));
	json_object_set_new(answer, "limit_keys", keys(view));
	json_object_set_new(answer, "bans", bans(view));
	json_object_set_new(answer, "pools", admin_pools(view));
	json_object_set_new(answer, "files", files(view));
	json_object_set_new(answer, "names", names(view));
	json_object_set_new(answer, "access_log", log_figures(view->snap->access));
	json_object_set_new(answer, "audit_log", log_figures(view->snap->audit));
}
