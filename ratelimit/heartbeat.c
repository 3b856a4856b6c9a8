/* SPDX-License-Identifier: Apache-2.0 */
/* This gateway's sign of life in Redis, and the number of the others'. */
#include "config.h"

#include "ratelimit/heartbeat.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/hash.h"
#include "ratelimit/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HEARTBEAT_MAGIC 0x4ea27bea
#define BEAT_US CLOCK_SECOND
/* Until the first answer, so that a start is soon known to all. */
#define FIRST_BEAT_US (100 * CLOCK_MS)
#define SILENCE_US (5 * CLOCK_SECOND)
/* An answer beyond is none: no cluster is that large. */
#define NODES_MAX 10000
#define NUMBER_MAX 24

struct heartbeat {
	unsigned magic;
	struct redis *redis;
	struct limits *limits;
	enum conf_redis_clock clock;
	char *key, *member;
	struct loop_timer timer;
	struct redis_ask ask;
	int64_t interval_us;
};

static void
counted(struct redis_ask *ask, const struct redis_value *answer)
{
	struct heartbeat *h;

	CAST_OBJ(h, ask->data, HEARTBEAT_MAGIC);
	/* Without an answer the last count stands: the others are likely still
	 * there, whatever Redis does. */
	if (answer == NULL || answer->type != REDIS_INTEGER || answer->integer < 1 ||
	    answer->integer > NODES_MAX)
		return;
	h->interval_us = BEAT_US;
	limits_set_nodes(h->limits, (uint32_t)answer->integer);
}

static void
beat(struct loop_timer *timer)
{
	char silence[NUMBER_MAX], now[NUMBER_MAX] = "";
	struct heartbeat *h;
	struct span args[3];

	CAST_OBJ(h, timer->data, HEARTBEAT_MAGIC);
	/* No beat before the last one was answered or lost. */
	if (h->ask.work == NULL) {
		(void)snprintf(silence, sizeof silence, "%" PRId64, SILENCE_US);
		if (h->clock == CONF_CLOCK_LOCAL)
			(void)snprintf(now, sizeof now, "%" PRId64, clock_wall_us());
		args[0] = span_of(h->member);
		args[1] = span_of(silence);
		args[2] = span_of(now);
		/* A Redis that is not there is asked again with the next beat. */
		(void)redis_call(
		    h->redis, &h->ask, &ratelimit_heartbeat, span_of(h->key), args, 3);
	}
	loop_timer_set(&h->timer, h->interval_us);
}

struct heartbeat *
heartbeat_new(struct loop *loop, struct redis *redis, struct limits *limits,
    const struct conf *conf)
{
	struct heartbeat *h = mem_zalloc(sizeof(*h));
	uint64_t suffix;

	h->magic = HEARTBEAT_MAGIC;
	h->redis = redis;
	h->limits = limits;
	h->clock = conf->redis.clock;
	/* Two gateways of one name, by mistake or during an upgrade, are two. */
	random_bytes(&suffix, sizeof suffix);
	h->member = mem_printf("%s-%016" PRIx64, conf->node, suffix);
	h->key = mem_printf("%snodes", conf->redis.prefix);
	h->ask.done = counted;
	h->ask.data = h;
	h->interval_us = FIRST_BEAT_US;
	loop_timer_init(&h->timer, loop, beat, h);
	loop_timer_set(&h->timer, 0);
	return (h);
}

void
heartbeat_free(struct heartbeat **h_p)
{
	struct heartbeat *h = *h_p;
	struct span argv[3];

	*h_p = NULL;
	if (h == NULL)
		return;
	CHECK_OBJ(h, HEARTBEAT_MAGIC);
	loop_timer_stop(&h->timer);
	redis_cancel(&h->ask);
	argv[0] = SPAN("ZREM");
	argv[1] = span_of(h->key);
	argv[2] = span_of(h->member);
	/* Nobody waits for the answer; unheard, the node is gone in five seconds. */
	if (redis_send(h->redis, &h->ask, argv[1], argv, 3))
		redis_cancel(&h->ask);
	free(h->key);
	free(h->member);
	h->magic = 0;
	free(h);
}
