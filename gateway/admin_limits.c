/* SPDX-License-Identifier: Apache-2.0 */
/* One key of a limit, for the control socket: looked at, or made full again. */
#include "config.h"

#include <stdlib.h>

#include "gateway/admin_commands.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/control.h"
#include "ratelimit/inspect.h"

#define PATIENCE_US (2 * CLOCK_SECOND)

/* A question that Redis is asked. */
#define LIMIT_TURN_MAGIC 0x117a7042u
struct limit_turn {
	unsigned magic;
	struct admin_turn turn;
	struct limits *limits;
	struct inspect_key key;
	struct redis_ask ask;
	struct loop_timer patience;
	bool erases;
};

static void
put_text(json_t *object, const char *key, struct span text)
{
	json_t *string = json_stringn(text.p, text.n); /* NULL: not UTF-8 */

	json_object_set_new(object, key, string != NULL ? string : json_null());
}

static void
put_seconds(json_t *object, const char *key, int64_t us)
{
	json_object_set_new(object, key, json_real((double)us / CLOCK_SECOND));
}

static struct span
text_of(const json_t *value)
{
	if (!json_is_string(value))
		return (SPAN_NONE);
	return (span_mem(json_string_value(value), json_string_length(value)));
}

/* --- which key ------------------------------------------------------------- */

/* {"limit": "login", "values": ["192.0.2.7", null]} */
static bool
read_values(const struct limits *limits, const json_t *question, struct inspect_key *key,
    struct err *e)
{
	const json_t *list = json_object_get(question, "values"), *value;
	struct span name = text_of(json_object_get(question, "limit"));
	struct span values[CONF_KEYS_MAX];
	size_t i;

	if (name.p == NULL || !json_is_array(list)) {
		err_set(e, ERR_FORMAT, "key, or limit and values: missing");
		return (false);
	}
	key->limit = limits_find(limits, name);
	if (key->limit == LIMIT_NONE) {
		err_set(e, ERR_MISSING, "no limit is called \"%.*s\"", SPAN_FMT(name));
		return (false);
	}
	for (i = 0; i < json_array_size(list) && i < CONF_KEYS_MAX; i++) {
		value = json_array_get(list, i);
		if (!json_is_string(value) && !json_is_null(value)) {
			err_set(e, ERR_FORMAT, "values: texts or null");
			return (false);
		}
		values[i] = text_of(value);
	}
	return (inspect_values(key, limits, values, json_array_size(list), e) == ERR_OK);
}

static bool
read_key(struct control_view *view, const json_t *question, json_t *answer,
    struct inspect_key *key)
{
	const struct limits *limits = view->snap->rate_limits;
	struct span text = text_of(json_object_get(question, "key"));
	struct err e;
	bool good;

	good = text.p != NULL ? inspect_text(key, limits, text, &e) == ERR_OK
			      : read_values(limits, question, key, &e);
	if (!good)
		admin_refuse(answer, e.text);
	else
		put_text(answer, "key", key_text(&key->key));
	return (good);
}

/* --- Redis ----------------------------------------------------------------- */

static void
turn_end(struct limit_turn *t)
{
	redis_cancel(&t->ask);
	loop_timer_stop(&t->patience);
	t->magic = 0;
	free(t);
}

static void
turn_answer(struct limit_turn *t, const struct redis_value *v, const char *problem)
{
	struct bucket_answer bucket;
	json_t *object = json_object();

	if (problem == NULL && t->erases)
		problem = v != NULL && v->type == REDIS_INTEGER ? NULL
			  : t->ask.failure != NULL              ? t->ask.failure
								: "Redis refused";
	else if (problem == NULL)
		problem = inspect_read(t->limits, &t->key, &t->ask, v, &bucket);
	if (problem != NULL) {
		put_text(object, "problem", span_of(problem));
	} else if (t->erases) {
		/* Requests may have asked before Redis forgot. */
		inspect_forget(t->limits, &t->key, clock_mono_us());
	} else {
		json_object_set_new(object, "remaining", json_integer(bucket.remaining));
		put_seconds(object, "full_in_seconds", bucket.reset_us);
	}
	json_object_set_new(t->turn.answer, "redis", object);
	admin_finish(&t->turn);
	turn_end(t);
}

static void
on_answer(struct redis_ask *ask, const struct redis_value *v)
{
	struct limit_turn *t;

	CAST_OBJ(t, ask->data, LIMIT_TURN_MAGIC);
	turn_answer(t, v, NULL);
}

static void
on_patience(struct loop_timer *timer)
{
	struct limit_turn *t;

	CAST_OBJ(t, timer->data, LIMIT_TURN_MAGIC);
	redis_cancel(&t->ask);
	turn_answer(t, NULL, "Redis did not answer");
}

static void
on_gone(struct admin_turn *turn)
{
	struct limit_turn *t;

	t = (struct limit_turn *)((char *)turn - offsetof(struct limit_turn, turn));
	CHECK_OBJ(t, LIMIT_TURN_MAGIC);
	turn_end(t);
}

/* NULL: there is no Redis, or it can't be asked. */
static struct admin_turn *
ask_redis(
    struct control_view *view, const struct inspect_key *key, bool erases, json_t *answer)
{
	struct limit_turn *t;
	bool sent;

	if (view->redis == NULL) {
		json_object_set_new(answer, "redis", json_null());
		return (NULL);
	}
	t = mem_zalloc(sizeof(*t));
	t->magic = LIMIT_TURN_MAGIC;
	t->limits = view->snap->rate_limits;
	t->key = *key;
	t->erases = erases;
	t->turn.gone = on_gone;
	t->ask.done = on_answer;
	t->ask.data = t;
	loop_timer_init(&t->patience, view->loop, on_patience, t);
	if (erases)
		sent = inspect_erase(view->redis, &t->ask, &t->key);
	else
		sent = inspect_ask(t->limits, view->redis, &t->ask, &t->key);
	if (!sent) {
		json_object_set_new(
		    answer, "redis", json_pack("{s:s}", "problem", t->ask.failure));
		turn_end(t);
		return (NULL);
	}
	loop_timer_set(&t->patience, PATIENCE_US);
	return (&t->turn);
}

/* --- the commands ---------------------------------------------------------- */

void
admin_limit_show(struct control_view *view, const json_t *question, json_t *answer,
    struct admin_turn **turn_r)
{
	const struct conf_limit *conf;
	struct inspect_here here;
	struct inspect_key key;
	json_t *object;

	if (!read_key(view, question, answer, &key))
		return;
	conf = &view->snap->conf->limits[key.limit];
	put_text(answer, "limit", span_of(conf->name));
	put_text(answer, "rate", span_of(conf->rate));
	json_object_set_new(answer, "burst", json_integer(conf->burst));
	inspect_here(view->snap->rate_limits, &key, clock_mono_us(), &here);
	object = json_object();
	put_seconds(object, "denied_for_seconds", here.denied_us);
	if (view->redis == NULL) {
		json_object_set_new(object, "remaining", json_integer(here.remaining));
		put_seconds(object, "full_in_seconds", here.reset_us);
	} else {
		json_object_set_new(object, "lease", json_integer(here.lease));
	}
	json_object_set_new(answer, "here", object);
	*turn_r = ask_redis(view, &key, false, answer);
}

void
admin_limit_reset(struct control_view *view, const json_t *question, json_t *answer,
    struct admin_turn **turn_r)
{
	struct inspect_key key;

	if (!read_key(view, question, answer, &key))
		return;
	inspect_forget(view->snap->rate_limits, &key, clock_mono_us());
	log_info("admin", "reset of the limit's key %.*s", SPAN_FMT(key_text(&key.key)));
	*turn_r = ask_redis(view, &key, true, answer);
}
