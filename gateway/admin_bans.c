/* SPDX-License-Identifier: Apache-2.0 */
/* Bans, for the control socket. */
#include "config.h"

#include <stdio.h>

#include "gateway/access/identity.h"
#include "gateway/admin_commands.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/control.h"

#define LIST_MAX 10000
#define CLIENT_MAX (NETADDR_TEXT_MAX + 8)
#define FOR_DEFAULT_US (600 * CLOCK_SECOND)
#define FOR_MAX_S (365 * 86400)

/* "192.0.2.1", "192.0.2.0/24" */
static const char *
client_text(const struct ban *ban, char out[static CLIENT_MAX])
{
	char ip[NETADDR_TEXT_MAX];

	netaddr_ip_text(&ban->client, ip);
	if (ban->bits == (ban->client.family == NETADDR_IP4 ? 32 : 128))
		snprintf(out, CLIENT_MAX, "%s", ip);
	else
		snprintf(out, CLIENT_MAX, "%s/%u", ip, ban->bits);
	return (out);
}

static void
put_time(json_t *object, const char *key, int64_t wall_us)
{
	char time[CLOCK_RFC3339_MAX];

	clock_rfc3339(wall_us, time);
	json_object_set_new(object, key, json_string(time));
}

static void
put_text(json_t *object, const char *key, const char *text)
{
	json_t *string = json_string(text); /* NULL: not UTF-8 */

	json_object_set_new(object, key, string != NULL ? string : json_null());
}

/* --- list ----------------------------------------------------------------- */

struct listing {
	json_t *list;
	int64_t now_us;
	size_t left_out;
};

static bool
list_ban(const struct ban *ban, void *data)
{
	struct listing *l = data;
	char client[CLIENT_MAX];
	json_t *object, *ids;
	uint32_t i;

	if (json_array_size(l->list) >= LIST_MAX) {
		l->left_out++;
		return (true);
	}
	object = json_object();
	put_text(object, "client", client_text(ban, client));
	put_time(object, "since", ban->since_us);
	put_time(object, "until", ban->until_us);
	json_object_set_new(object, "seconds_left",
	    json_integer((ban->until_us - l->now_us + CLOCK_SECOND - 1) / CLOCK_SECOND));
	json_object_set_new(object, "level", json_integer(ban->level));
	put_text(object, "by", ban->by_hand ? "hand" : "refusals");
	put_text(object, "mode", ban->shadow ? "shadow" : "enforce");
	put_text(object, "node", ban->node);
	put_text(object, "reason", ban->reason);
	ids = json_array();
	for (i = 0; i < ban->n_ids; i++)
		json_array_append_new(ids, json_string(ban->ids[i]));
	json_object_set_new(object, "ids", ids);
	json_array_append_new(l->list, object);
	return (true);
}

void
admin_ban_list(struct control_view *view, const json_t *question, json_t *answer)
{
	struct listing l = { json_array(), clock_wall_us(), 0 };

	(void)question;
	bans_each(view->snap->bans, l.now_us, list_ban, &l);
	json_object_set_new(answer, "bans", l.list);
	json_object_set_new(answer, "left_out", json_integer((json_int_t)l.left_out));
}

/* --- add, lift ------------------------------------------------------------ */

/* Whom "client" names. A lone IPv6 address stands for its client, the prefix. */
static bool
read_client(
    struct control_view *view, const json_t *question, json_t *answer, struct ban *ban_r)
{
	const char *text = json_string_value(json_object_get(question, "client"));
	struct netprefix prefix;
	struct err e;

	memset(ban_r, 0, sizeof(*ban_r));
	if (text == NULL) {
		admin_refuse(answer, "client: missing");
		return (false);
	}
	if (netprefix_parse(&prefix, span_of(text), &e) != ERR_OK) {
		admin_refuse(answer, e.text);
		return (false);
	}
	if (prefix.bits == 0) {
		admin_refuse(answer, "that is everybody");
		return (false);
	}
	if (span_index(span_of(text), '/') == SIZE_MAX) {
		ban_r->client = identity_unwrap(&prefix.base);
		ban_r->bits = ban_r->client.family == NETADDR_IP4
				  ? 32
				  : (uint8_t)view->snap->conf->identity.ipv6_prefix;
		ban_r->client = netaddr_cut(&ban_r->client, 32, ban_r->bits);
	} else {
		ban_r->client = prefix.base;
		ban_r->bits = prefix.bits;
	}
	return (true);
}

static bool
read_length(
    struct control_view *view, const json_t *question, json_t *answer, struct ban *ban)
{
	const json_t *seconds = json_object_get(question, "seconds");
	const struct conf *conf = view->snap->conf;
	int64_t lasts;

	lasts = conf->bans.present ? conf->bans.lasts : FOR_DEFAULT_US;
	if (seconds != NULL) {
		if (!json_is_integer(seconds) || json_integer_value(seconds) < 1 ||
		    json_integer_value(seconds) > FOR_MAX_S) {
			admin_refuse(
			    answer, "seconds: allowed: 1 to 31536000 (365 days)");
			return (false);
		}
		lasts = json_integer_value(seconds) * CLOCK_SECOND;
	}
	ban->since_us = clock_wall_us();
	ban->until_us = ban->since_us + lasts;
	return (true);
}

void
admin_ban_add(struct control_view *view, const json_t *question, json_t *answer)
{
	const json_t *reason = json_object_get(question, "reason");
	char client[CLIENT_MAX];
	struct ban ban;
	int64_t until;

	if (!read_client(view, question, answer, &ban) ||
	    !read_length(view, question, answer, &ban))
		return;
	if (reason != NULL && (!json_is_string(reason) ||
				  json_string_length(reason) >= sizeof(ban.reason))) {
		admin_refuse(answer, "reason: at most 95 bytes");
		return;
	}
	ban.by_hand = true;
	snprintf(ban.reason, sizeof(ban.reason), "%s",
	    reason != NULL ? json_string_value(reason) : "by hand");
	snprintf(ban.node, sizeof(ban.node), "%s", view->snap->conf->node);
	if (!bans_add(view->snap->bans, &ban)) {
		admin_refuse(answer, "there is no room for another ban");
		return;
	}
	client_text(&ban, client);
	log_info("bans", "%s banned by hand for %lld s: %s", client,
	    (long long)((ban.until_us - ban.since_us) / CLOCK_SECOND), ban.reason);
	/* a longer one may have been there */
	bans_check(view->snap->bans, &ban.client, ban.since_us, &until);
	put_text(answer, "client", client);
	put_time(answer, "until", until);
}

struct lifting {
	struct bans *bans;
	struct ban asked; /* lift all: no family */
	size_t n;
	char wider[CLIENT_MAX];
};

static bool
lift_each(const struct ban *ban, void *data)
{
	struct lifting *l = data;

	l->n += bans_lift(l->bans, &ban->client, ban->bits);
	return (true);
}

static bool
find_wider(const struct ban *ban, void *data)
{
	struct netprefix prefix = { ban->client, ban->bits };
	struct lifting *l = data;

	if (ban->bits > l->asked.bits || !netprefix_has(&prefix, &l->asked.client))
		return (true);
	client_text(ban, l->wider);
	return (false);
}

static void
lift_one(struct control_view *view, const json_t *question, json_t *answer)
{
	struct lifting l = { .bans = view->snap->bans };
	char text[2 * CLIENT_MAX + 64], client[CLIENT_MAX];

	if (!read_client(view, question, answer, &l.asked))
		return;
	client_text(&l.asked, client);
	if (bans_lift(l.bans, &l.asked.client, l.asked.bits)) {
		log_info("bans", "ban of %s lifted by hand", client);
		put_text(answer, "client", client);
		json_object_set_new(answer, "lifted", json_integer(1));
		return;
	}
	bans_each(l.bans, clock_wall_us(), find_wider, &l);
	if (l.wider[0] != '\0')
		snprintf(text, sizeof(text),
		    "%s has no ban of its own: it is in %s, which "
		    "is banned",
		    client, l.wider);
	else
		snprintf(text, sizeof(text), "%s is not banned", client);
	admin_refuse(answer, text);
}

void
admin_ban_lift(struct control_view *view, const json_t *question, json_t *answer)
{
	struct lifting l = { .bans = view->snap->bans };

	if (!json_is_true(json_object_get(question, "all"))) {
		lift_one(view, question, answer);
		return;
	}
	bans_each(l.bans, clock_wall_us(), lift_each, &l);
	log_info("bans", "all bans lifted by hand: %zu", l.n);
	json_object_set_new(answer, "lifted", json_integer((json_int_t)l.n));
}
