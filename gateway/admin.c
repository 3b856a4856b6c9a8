/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket. */
#include "config.h"

#include "gateway/admin.h"

#include <sys/stat.h>

#include <libgen.h>
#include <stdlib.h>

#include "gateway/admin_commands.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/control.h"
#include "gateway/talk.h"

#define QUESTION_MAX (64u << 10)
#define ANSWER_MAX (64u << 20)

#define ADMIN_MAGIC 0xad311000u
struct admin {
	unsigned magic;
	struct control_view *view;
	struct talk *talk;
};

static const struct {
	const char *name;
	admin_command_f *run;
} commands[] = {
	{ "ban.add", admin_ban_add },
	{ "ban.lift", admin_ban_lift },
	{ "ban.list", admin_ban_list },
	{ "cache.purge", admin_cache_purge },
	{ "cache.stats", admin_cache_stats },
	{ "pool.drain", admin_pool_drain },
	{ "status", admin_status },
};

static const struct {
	const char *name;
	admin_slow_command_f *run;
} slow_commands[] = {
	{ "limit.reset", admin_limit_reset },
	{ "limit.show", admin_limit_show },
};

void
admin_refuse(json_t *answer, const char *error)
{
	json_object_set_new(answer, "ok", json_false());
	json_object_set_new(answer, "error", json_string(error));
}

/* *turn_r stays NULL where the answer is complete. */
static void
run(struct admin *a, const json_t *question, json_t *answer, struct admin_turn **turn_r)
{
	const char *name;
	size_t i;

	name = json_string_value(json_object_get(question, "command"));
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (name != NULL && strcmp(name, commands[i].name) == 0) {
			commands[i].run(a->view, question, answer);
			return;
		}
	for (i = 0; i < sizeof(slow_commands) / sizeof(slow_commands[0]); i++)
		if (name != NULL && strcmp(name, slow_commands[i].name) == 0) {
			slow_commands[i].run(a->view, question, answer, turn_r);
			return;
		}
	admin_refuse(answer, "unknown command");
}

static int
put_bytes(const char *bytes, size_t n, void *data)
{
	struct text *out;

	out = data;
	text_put(out, span_mem(bytes, n));
	return (out->overflow ? -1 : 0);
}

static void
put_answer(const json_t *answer, struct text *out)
{
	if (json_dump_callback(answer, put_bytes, out, JSON_COMPACT) != 0) {
		text_reset(out);
		text_puts(out, "{\"ok\":false,\"error\":\"the answer is too long\"}");
	}
	text_putc(out, '\n');
}

static struct admin_turn *
turn_of(struct talk_wait *wait)
{
	return ((struct admin_turn *)((char *)wait - offsetof(struct admin_turn, wait)));
}

static void
turn_gone(struct talk_wait *wait)
{
	struct admin_turn *turn;

	turn = turn_of(wait);
	json_decref(turn->answer);
	turn->answer = NULL;
	turn->gone(turn);
}

void
admin_finish(struct admin_turn *turn)
{
	put_answer(turn->answer, talk_text(&turn->wait));
	json_decref(turn->answer);
	turn->answer = NULL;
	talk_release(&turn->wait);
}

static enum talk_rc
answer_line(void *data, struct span in, size_t *used_r, struct text *out)
{
	json_t *question, *answer;
	struct admin_turn *turn;
	struct admin *a;
	size_t end;

	CAST_OBJ(a, data, ADMIN_MAGIC);
	end = span_index(in, '\n');
	if (end == SIZE_MAX)
		return (TALK_MORE);
	*used_r = end + 1;
	answer = json_object();
	CHECK(answer != NULL);
	json_object_set_new(answer, "ok", json_true());
	question = json_loadb(in.p, end, JSON_REJECT_DUPLICATES, NULL);
	turn = NULL;
	if (json_is_object(question))
		run(a, question, answer, &turn);
	else
		admin_refuse(answer, "not a JSON object");
	json_decref(question);
	if (turn != NULL) {
		turn->answer = answer;
		talk_hold(a->talk, &turn->wait, turn_gone);
		return (TALK_WAIT);
	}
	put_answer(answer, out);
	json_decref(answer);
	return (TALK_NEXT);
}

/* Where a socket that nobody asked for can't be made, the gateway runs without. */
static enum err_code
without(const struct conf_admin *conf, struct err *e)
{
	if (conf->socket_given)
		return (err_wrap(e, "admin.socket"));
	log_warn("admin", "no control socket: %s; admin.socket says where to make one",
	    e->text);
	return (ERR_OK);
}

static void
make_folder(const char *path)
{
	char *copy;

	copy = mem_strdup(path);
	(void)mkdir(dirname(copy), 0755); /* the bind says what is wrong */
	free(copy);
}

enum err_code
admin_new(
    struct admin **admin_r, struct loop *loop, struct control_view *view, struct err *e)
{
	static const struct talk_options options = {
		.question_max = QUESTION_MAX,
		.answer_max = ANSWER_MAX,
		.idle_us = 60 * CLOCK_SECOND,
		.connections = 16,
		.mode = 0600,
	};
	const struct conf_admin *conf;
	struct netaddr address;
	struct admin *a;

	*admin_r = NULL;
	conf = &view->snap->conf->admin;
	if (strcmp(conf->socket, "off") == 0)
		return (ERR_OK);
	memset(&address, 0, sizeof(address));
	address.family = NETADDR_UNIX;
	if (strlen(conf->socket) >= sizeof(address.path)) {
		err_set(e, ERR_RANGE, "%s: the path of a socket has at most %zu bytes",
		    conf->socket, sizeof(address.path) - 1);
		return (without(conf, e));
	}
	memcpy(address.path, conf->socket, strlen(conf->socket));
	make_folder(conf->socket);
	a = mem_zalloc(sizeof(*a));
	a->magic = ADMIN_MAGIC;
	a->view = view;
	if (talk_new(&a->talk, loop, &address, &options, e) != ERR_OK) {
		free(a);
		return (without(conf, e));
	}
	talk_answer(a->talk, answer_line, a);
	*admin_r = a;
	return (ERR_OK);
}

void
admin_free(struct admin **admin)
{
	struct admin *a;

	CAST_OBJ(a, *admin, ADMIN_MAGIC);
	*admin = NULL;
	talk_free(&a->talk);
	free(a);
}
