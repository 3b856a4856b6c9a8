/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/redis_rig.h - a Redis client on a loop of its own against the servers
 * of a lab, and asks that are waited for. */
#ifndef YETT_REDIS_RIG_H
#define YETT_REDIS_RIG_H

#include "gateway/base/clock.h"
#include "gateway/redis/redis.h"
#include "tests/unit/redis_lab.h"

struct rig {
	struct redis_lab *lab;
	struct loop *loop;
	struct job_pool *resolver;
	struct loop_timer guard;
	struct conf_redis conf;
	struct conf_redis_host hosts[4];
	struct redis_service *service;
	struct redis *redis;
	enum redis_link wanted;		/* rig_wait stops there */
	unsigned changes;		/* calls of redis_on_change */
	unsigned left;			/* asks under way */
	char answer[4096];		/* of the last ask, as text; "": none */
	const char *failure;
	int fds;
};

/* cmocka's; *state is a struct rig. The teardown fails on a leaked descriptor. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* hosts[0..n) from the servers' ports, on 127.0.0.1. */
void rig_use_ports(struct rig *, struct redis_server *const *, unsigned n);
/* Opens service and client from `conf`. */
void rig_open(struct rig *);
void rig_close(struct rig *);
/* Runs the loop until the client is so; fails the test after `us`. */
void rig_wait(struct rig *, enum redis_link, int64_t us);
/* Runs the loop for a while. */
void rig_run(struct rig *, int64_t us);
struct redis_state rig_state(struct rig *);

/* Sends the words of a line; the second is the key. False: refused, see failure. */
bool rig_send(struct rig *, struct redis_ask *, const char *line);
/* Runs until no ask is left. */
void rig_finish(struct rig *);
/* Both; returns the answer's text, "" with `failure` when there is none. */
const char *rig_ask(struct rig *, const char *line);
const char *rig_call(
    struct rig *, const struct redis_script *, const char *key, const char *argument);
/* Asks until the answer is `wanted`, for `us` at most; how long that took. */
int64_t rig_until(struct rig *, const char *wanted, const char *line, int64_t us);

#endif
