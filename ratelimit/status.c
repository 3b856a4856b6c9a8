/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of a configuration: made, found, counted, told of. */
#include "config.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "ratelimit/internal.h"

#include <stdlib.h>
#include <string.h>

static enum err_code
limit_init(struct limit *limit, const struct conf_limit *cf, struct err *e)
{
	limit->conf = cf;
	if (!bucket_rate_init(&limit->rate, cf->tokens, cf->per_us, cf->burst))
		return (err_set(e, ERR_RANGE,
		    "%llu tokens in %llu us with a burst of %u: 1 to 1000000 tokens in "
		    "at most a day and bursts of 1 to 1000000 are allowed, and a bucket "
		    "has to be full within ten years",
		    (unsigned long long)cf->tokens, (unsigned long long)cf->per_us,
		    cf->burst));
	if (cf->cost > cf->burst)
		return (err_set(e, ERR_RANGE,
		    "a request costs %u, which the burst of %u never holds", cf->cost,
		    cf->burst));
	return (ERR_OK);
}

enum err_code
limits_new(struct limits **limits_r, const struct conf *conf,
    struct redis_service *service, struct err *e)
{
	struct limits *limits = mem_zalloc(sizeof(*limits));
	size_t i;

	*limits_r = NULL;
	limits->magic = LIMITS_MAGIC;
	limits->conf = conf;
	limits->service = service != NULL ? redis_service_ref(service) : NULL;
	limits->n = conf->n_limits;
	atomic_init(&limits->nodes, 1);
	atomic_init(&limits->since_us, clock_mono_us());
	/* An array of aligned elements wants aligned memory. */
	limits->all =
	    aligned_alloc(_Alignof(struct limit), (limits->n + 1) * sizeof(*limits->all));
	CHECK(limits->all != NULL);
	memset(limits->all, 0, (limits->n + 1) * sizeof(*limits->all));
	for (i = 0; i < limits->n; i++) {
		if (limit_init(&limits->all[i], &conf->limits[i], e) == ERR_OK)
			continue;
		(void)err_wrap(e, "limit %s", conf->limits[i].name);
		limits_free(&limits);
		return (e != NULL ? e->code : ERR_RANGE);
	}
	if (keys_init(&limits->keys, conf, service != NULL, e) != ERR_OK) {
		limits_free(&limits);
		return (err_wrap(e, "keys of limits"));
	}
	limits->table = table_new(conf->max.limit_keys);
	*limits_r = limits;
	return (ERR_OK);
}

void
limits_free(struct limits **limits_p)
{
	struct limits *limits = *limits_p;

	*limits_p = NULL;
	if (limits == NULL)
		return;
	CHECK_OBJ(limits, LIMITS_MAGIC);
	table_free(&limits->table);
	redis_service_free(&limits->service);
	free(limits->all);
	limits->magic = 0;
	free(limits);
}

uint32_t
limits_find(const struct limits *limits, struct span name)
{
	size_t i;

	CHECK_OBJ(limits, LIMITS_MAGIC);
	for (i = 0; i < limits->n; i++)
		if (span_eq(span_of(limits->all[i].conf->name), name))
			return ((uint32_t)i);
	return (LIMIT_NONE);
}

void
limits_set_nodes(struct limits *limits, uint32_t nodes)
{
	CHECK_OBJ(limits, LIMITS_MAGIC);
	atomic_store_explicit(
	    &limits->nodes, nodes > 0 ? nodes : 1, memory_order_relaxed);
}

void
limits_status(struct limits *limits, struct limits_status *status_r)
{
	CHECK_OBJ(limits, LIMITS_MAGIC);
	*status_r = (struct limits_status){
		.since_us = atomic_load(&limits->since_us),
		.nodes = atomic_load(&limits->nodes),
		.redis_trips = atomic_load(&limits->redis_trips),
	};
	if (limits->service == NULL) {
		status_r->state = LIMITS_LOCAL;
	} else if (atomic_load(&limits->degraded) == 0) {
		status_r->state = LIMITS_SHARED;
	} else {
		status_r->state = LIMITS_DEGRADED;
		status_r->reason = atomic_load(&limits->reason);
	}
}

void
limits_table(const struct limits *limits, struct table_figures *figures_r)
{
	CHECK_OBJ(limits, LIMITS_MAGIC);
	table_figures(limits->table, figures_r);
}

const char *
limits_state_text(enum limits_state state)
{
	switch (state) {
	case LIMITS_LOCAL: return ("local");
	case LIMITS_SHARED: return ("shared");
	case LIMITS_DEGRADED: return ("degraded");
	}
	WRONG("state of limits");
}

void
limits_count(const struct limits *limits, uint32_t limit, struct limits_count *count_r)
{
	const struct limit *of;

	CHECK_OBJ(limits, LIMITS_MAGIC);
	CHECK(limit < limits->n);
	of = &limits->all[limit];
	*count_r = (struct limits_count){
		.allowed = atomic_load_explicit(&of->count.allowed, memory_order_relaxed),
		.denied = atomic_load_explicit(&of->count.denied, memory_order_relaxed),
		.shadowed =
		    atomic_load_explicit(&of->count.shadowed, memory_order_relaxed),
		.degraded =
		    atomic_load_explicit(&of->count.degraded, memory_order_relaxed),
		.leased = atomic_load_explicit(&of->count.leased, memory_order_relaxed),
		.denied_here =
		    atomic_load_explicit(&of->count.denied_here, memory_order_relaxed),
	};
}
