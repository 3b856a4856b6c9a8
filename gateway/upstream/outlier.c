/* SPDX-License-Identifier: Apache-2.0 */
/* Passive ejection of servers that fail. */
#include "config.h"

#include "gateway/upstream/outlier.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/lock.h"
#include "gateway/upstream/window.h"

struct server {
	struct window window; /* events: tries; picked: failures */
	/* Written under the lock. 0: not out. May have passed: it is out for the
	 * cap, then, until somebody looks. */
	_Atomic int64_t until_us;
	_Atomic int64_t back_us;
	_Atomic uint32_t in_a_row; /* failures, with no success between them */
	/* Under the lock. */
	uint32_t times;
	char apart[64];
};

#define OUTLIER_MAGIC 0x0071e4adu
struct outlier {
	unsigned magic;
	struct outlier_conf conf;
	uint32_t n, cap;
	struct lock lock;
	struct server *servers;
};

static uint32_t
cap_of(uint32_t max_percent, uint32_t n)
{
	uint64_t cap = (uint64_t)max_percent * n / 100;

	if (max_percent == 0 || n < 2)
		return (0);
	if (cap == 0)
		cap = 1;
	return (cap < n ? (uint32_t)cap : n - 1);
}

struct outlier *
outlier_new(const struct outlier_conf *conf, uint32_t n_servers)
{
	struct outlier *o;
	uint32_t i;

	o = mem_zalloc(sizeof(*o));
	o->magic = OUTLIER_MAGIC;
	o->conf = *conf;
	o->n = n_servers;
	o->cap = cap_of(conf->max_percent, n_servers);
	lock_init(&o->lock, LOCK_UPSTREAM);
	o->servers = mem_zalloc((n_servers + 1) * sizeof(*o->servers));
	for (i = 0; i < n_servers; i++)
		window_init(&o->servers[i].window, conf->window_us);
	return (o);
}

void
outlier_free(struct outlier **o_p)
{
	struct outlier *o = *o_p;

	*o_p = NULL;
	if (o == NULL)
		return;
	CHECK_OBJ(o, OUTLIER_MAGIC);
	lock_destroy(&o->lock);
	free(o->servers);
	o->magic = 0;
	free(o);
}

static int64_t
until(const struct outlier *o, uint32_t server)
{
	return (atomic_load_explicit(&o->servers[server].until_us, memory_order_relaxed));
}

/* How long its n-th time is. */
static int64_t
eject_us(const struct outlier_conf *cf, uint32_t times)
{
	int64_t us;

	if (__builtin_mul_overflow(cf->base_us, (int64_t)times, &us) || us > cf->max_us)
		us = cf->max_us;
	return (us > 0 ? us : 1);
}

/* Ends what is over, so that the cap counts who is out now; returns how many. */
static uint32_t
sweep(struct outlier *o, int64_t now_us)
{
	uint32_t out = 0, i;

	lock_assert_held(&o->lock);
	for (i = 0; i < o->n; i++) {
		if (until(o, i) != 0 && until(o, i) <= now_us)
			atomic_store_explicit(
			    &o->servers[i].until_us, 0, memory_order_relaxed);
		out += until(o, i) != 0;
	}
	return (out);
}

static void
eject(struct outlier *o, struct server *server, int64_t now_us)
{
	int64_t back_us = atomic_load_explicit(&server->back_us, memory_order_relaxed);
	int64_t spells;

	lock_assert_held(&o->lock);
	if (o->conf.decay_us > 0 && now_us > back_us) {
		spells = (now_us - back_us) / o->conf.decay_us;
		server->times =
		    spells < server->times ? server->times - (uint32_t)spells : 0;
	}
	if (server->times < UINT32_MAX)
		server->times++;
	back_us = now_us + eject_us(&o->conf, server->times);
	atomic_store_explicit(&server->back_us, back_us, memory_order_relaxed);
	atomic_store_explicit(&server->until_us, back_us, memory_order_relaxed);
	window_clear(&server->window);
	atomic_store_explicit(&server->in_a_row, 0, memory_order_relaxed);
}

static uint32_t
in_a_row(const struct outlier *o, uint32_t server)
{
	return (atomic_load_explicit(&o->servers[server].in_a_row, memory_order_relaxed));
}

static bool
is_outlier(struct outlier *o, uint32_t server, int64_t now_us)
{
	uint64_t tries, failures;

	window_sum(&o->servers[server].window, now_us, &tries, &failures);
	/* A busy one that dies had thousands of successes a moment ago. */
	return (failures != 0 && failures >= o->conf.failures &&
		(failures * 100 >= tries * o->conf.percent ||
		    in_a_row(o, server) >= o->conf.failures));
}

bool
outlier_note(struct outlier *o, uint32_t server, bool failed, int64_t now_us)
{
	bool ejected = false;

	CHECK_OBJ(o, OUTLIER_MAGIC);
	CHECK(server < o->n);
	if (o->cap == 0 || outlier_is_ejected(o, server, now_us))
		return (false);
	if (failed)
		(void)atomic_fetch_add_explicit(
		    &o->servers[server].in_a_row, 1, memory_order_relaxed);
	else if (in_a_row(o, server) != 0)
		atomic_store_explicit(
		    &o->servers[server].in_a_row, 0, memory_order_relaxed);
	window_add(&o->servers[server].window, now_us, 1, failed ? 1 : 0);
	if (!failed || !is_outlier(o, server, now_us))
		return (false);
	lock_take(&o->lock);
	/* Another thread may have been first, and emptied the window. */
	if (sweep(o, now_us) < o->cap && until(o, server) == 0 &&
	    is_outlier(o, server, now_us)) {
		eject(o, &o->servers[server], now_us);
		ejected = true;
	}
	lock_release(&o->lock);
	return (ejected);
}

bool
outlier_is_ejected(const struct outlier *o, uint32_t server, int64_t now_us)
{
	CHECK_OBJ(o, OUTLIER_MAGIC);
	CHECK(server < o->n);
	return (until(o, server) > now_us);
}

int64_t
outlier_back_us(const struct outlier *o, uint32_t server)
{
	CHECK_OBJ(o, OUTLIER_MAGIC);
	CHECK(server < o->n);
	return (atomic_load_explicit(&o->servers[server].back_us, memory_order_relaxed));
}

void
outlier_pardon(struct outlier *o, uint32_t server)
{
	CHECK_OBJ(o, OUTLIER_MAGIC);
	CHECK(server < o->n);
	lock_take(&o->lock);
	o->servers[server].times = 0;
	atomic_store_explicit(&o->servers[server].until_us, 0, memory_order_relaxed);
	atomic_store_explicit(&o->servers[server].back_us, 0, memory_order_relaxed);
	window_clear(&o->servers[server].window);
	atomic_store_explicit(&o->servers[server].in_a_row, 0, memory_order_relaxed);
	lock_release(&o->lock);
}

void
outlier_adopt(struct outlier *o, uint32_t server, struct outlier *from,
    uint32_t from_server, int64_t now_us)
{
	int64_t until_us, back_us;
	uint32_t times;

	CHECK_OBJ(o, OUTLIER_MAGIC);
	CHECK_OBJ(from, OUTLIER_MAGIC);
	CHECK(o != from && server < o->n && from_server < from->n);
	/* One after the other: two locks of one rank are not held at once. */
	lock_take(&from->lock);
	until_us = until(from, from_server);
	back_us = outlier_back_us(from, from_server);
	times = from->servers[from_server].times;
	lock_release(&from->lock);
	lock_take(&o->lock);
	if (until_us <= now_us || (sweep(o, now_us) >= o->cap && until(o, server) == 0))
		until_us = 0;
	o->servers[server].times = times;
	atomic_store_explicit(&o->servers[server].back_us, back_us, memory_order_relaxed);
	atomic_store_explicit(
	    &o->servers[server].until_us, until_us, memory_order_relaxed);
	lock_release(&o->lock);
}

uint32_t
outlier_cap(const struct outlier *o)
{
	CHECK_OBJ(o, OUTLIER_MAGIC);
	return (o->cap);
}

uint32_t
outlier_list(struct outlier *o, int64_t now_us, bool *ejected_r)
{
	uint32_t out = 0, i;
	bool ejected;

	CHECK_OBJ(o, OUTLIER_MAGIC);
	lock_take(&o->lock);
	for (i = 0; i < o->n; i++) {
		ejected = until(o, i) > now_us;
		if (ejected_r != NULL)
			ejected_r[i] = ejected;
		out += ejected;
	}
	lock_release(&o->lock);
	return (out);
}
