/* SPDX-License-Identifier: Apache-2.0 */
/* A Redis client under test. */
#include "config.h"

#include "tests/unit/redis_rig.h"

#include "gateway/base/buf.h"
#include "gateway/base/check.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 16u
#define ASK_US (10 * CLOCK_SECOND)

static int
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return (n);
}

static void
on_guard(struct loop_timer *timer)
{
	struct rig *rig = timer->data;

	loop_stop(rig->loop);
}

static void
on_change(void *data)
{
	struct rig *rig = data;

	rig->changes++;
	if (rig_state(rig).link == rig->wanted)
		loop_stop(rig->loop);
}

int
rig_setup(void **state)
{
	struct rig *rig = mem_zalloc(sizeof(*rig));

	rig->fds = count_fds();
	rig->lab = redis_lab_new();
	rig->loop = loop_new();
	rig->resolver = job_pool_new("resolver", 1, 0);
	loop_timer_init(&rig->guard, rig->loop, on_guard, rig);
	rig->conf.hosts = rig->hosts;
	*state = rig;
	return (0);
}

int
rig_teardown(void **state)
{
	struct rig *rig = *state;
	int leaked;

	rig_close(rig);
	job_pool_free(&rig->resolver);
	loop_free(&rig->loop);
	redis_lab_free(&rig->lab);
	leaked = count_fds() - rig->fds;
	free(rig);
	return (leaked);
}

void
rig_use_ports(struct rig *rig, struct redis_server *const *servers, unsigned n)
{
	unsigned i;

	assert_true(n <= 4);
	rig->conf.hosts = rig->hosts;
	rig->conf.n_hosts = n;
	rig->conf.unix_path = "";
	for (i = 0; i < n; i++)
		rig->hosts[i] = (struct conf_redis_host){ "127.0.0.1", servers[i]->port };
}

void
rig_open(struct rig *rig)
{
	struct err e;

	if (redis_service_new(&rig->service, &rig->conf, &e) != ERR_OK)
		fail_msg("%s", e.text);
	rig->redis = redis_new(rig->loop, rig->service, rig->resolver);
	redis_on_change(rig->redis, on_change, rig);
	assert_int_equal(rig_state(rig).link, REDIS_CONNECTING);
}

void
rig_close(struct rig *rig)
{
	redis_free(&rig->redis);
	redis_service_free(&rig->service);
}

struct redis_state
rig_state(struct rig *rig)
{
	struct redis_state state;

	redis_state(rig->redis, &state);
	return (state);
}

void
rig_run(struct rig *rig, int64_t us)
{
	rig->wanted = (enum redis_link) - 1;
	loop_timer_set(&rig->guard, us);
	loop_run(rig->loop);
	loop_timer_stop(&rig->guard);
}

void
rig_wait(struct rig *rig, enum redis_link link, int64_t us)
{
	rig->wanted = link;
	loop_timer_set(&rig->guard, us);
	if (rig_state(rig).link != link)
		loop_run(rig->loop);
	loop_timer_stop(&rig->guard);
	if (rig_state(rig).link != link)
		fail_msg("%s, not %s: %s", redis_link_text(rig_state(rig).link),
		    redis_link_text(link),
		    rig_state(rig).reason != NULL ? rig_state(rig).reason : "");
}

static void
put_value(struct text *out, const struct redis_value *value)
{
	size_t i;

	switch (value->type) {
	case REDIS_NIL: text_puts(out, "(nil)"); return;
	case REDIS_INTEGER: text_printf(out, "%lld", (long long)value->integer); return;
	case REDIS_ARRAY: break;
	default: text_put(out, value->text); return;
	}
	for (i = 0; i < value->n_items; i++) {
		text_puts(out, i > 0 ? " " : "");
		put_value(out, &value->items[i]);
	}
}

static void
on_done(struct redis_ask *ask, const struct redis_value *value)
{
	struct rig *rig = ask->data;
	struct text out;

	assert_null(ask->work);
	assert_true((value == NULL) == (ask->failure != NULL));
	rig->failure = ask->failure;
	rig->answer[0] = '\0';
	if (value != NULL) {
		text_init(&out, sizeof(rig->answer) - 1);
		put_value(&out, value);
		if (out.n > 0)
			memcpy(rig->answer, out.p, out.n);
		rig->answer[out.n] = '\0';
		text_free(&out);
	}
	assert_true(rig->left > 0);
	if (--rig->left == 0)
		loop_stop(rig->loop);
}

bool
rig_send(struct rig *rig, struct redis_ask *ask, const char *line)
{
	struct span words[WORDS_MAX], rest = span_of(line);
	unsigned n = 0, left = rig->left;

	while (n < WORDS_MAX && span_split(&rest, ' ', &words[n]))
		n++;
	*ask = (struct redis_ask){ .done = on_done, .data = rig };
	rig->left++;
	if (redis_send(rig->redis, ask, n > 1 ? words[1] : SPAN_NONE, words, n)) {
		assert_non_null(ask->work);
		assert_int_equal(rig->left, left + 1);
		return (true);
	}
	rig->left--;
	rig->failure = ask->failure;
	assert_non_null(ask->failure);
	assert_null(ask->work);
	return (false);
}

void
rig_finish(struct rig *rig)
{
	loop_timer_set(&rig->guard, ASK_US);
	rig->wanted = (enum redis_link) - 1;
	if (rig->left > 0)
		loop_run(rig->loop);
	loop_timer_stop(&rig->guard);
	assert_int_equal(rig->left, 0);
}

const char *
rig_ask(struct rig *rig, const char *line)
{
	struct redis_ask ask;

	rig->answer[0] = '\0';
	if (rig_send(rig, &ask, line))
		rig_finish(rig);
	return (rig->answer);
}

const char *
rig_call(struct rig *rig, const struct redis_script *script, const char *key,
    const char *argument)
{
	struct redis_ask ask = { .done = on_done, .data = rig };
	struct span args[1] = { span_of(argument) };

	rig->answer[0] = '\0';
	rig->left++;
	if (redis_call(rig->redis, &ask, script, span_of(key), args, 1))
		rig_finish(rig);
	else {
		rig->left--;
		rig->failure = ask.failure;
	}
	return (rig->answer);
}

int64_t
rig_until(struct rig *rig, const char *wanted, const char *line, int64_t us)
{
	int64_t begin_us = clock_mono_us();

	while (strcmp(rig_ask(rig, line), wanted) != 0) {
		if (clock_mono_us() - begin_us > us)
			fail_msg("%s: \"%s\" (%s), not \"%s\"", line, rig->answer,
			    rig->failure != NULL ? rig->failure : "", wanted);
		rig_run(rig, 5 * CLOCK_MS);
	}
	return (clock_mono_us() - begin_us);
}
