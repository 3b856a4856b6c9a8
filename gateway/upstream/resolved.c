/* SPDX-License-Identifier: Apache-2.0 */
/* Names looked up together, waiting. */
#include "config.h"

#include "gateway/upstream/resolved.h"

#include <stdlib.h>

#include "gateway/base/check.h"

struct answer {
	struct resolve_watch watch;
	struct resolved *all;
	char *name;
	uint32_t n;
	struct netaddr *addresses;
	const char *why; /* there are none */
};

struct resolved {
	struct loop *loop; /* while waiting */
	struct answer **v;
	size_t n, left;
	struct err problem; /* why nothing could be asked */
};

static struct answer *
find(const struct resolved *all, const char *name)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (strcmp(all->v[i]->name, name) == 0)
			return (all->v[i]);
	return (NULL);
}

static void
answered(struct answer *answer)
{
	resolve_forget(&answer->watch);
	if (--answer->all->left == 0)
		loop_stop(answer->all->loop);
}

static void
changed(struct resolve_watch *watch, const struct resolve_set *set)
{
	struct answer *answer = watch->data;

	answer->n = set->n;
	answer->addresses = mem_alloc(set->n * sizeof(*set->addresses));
	memcpy(answer->addresses, set->addresses, set->n * sizeof(*set->addresses));
	answered(answer);
}

static void
failed(struct resolve_watch *watch, const char *why)
{
	struct answer *answer = watch->data;

	answer->why = why;
	answered(answer);
}

static void
over(struct loop_timer *timer)
{
	loop_stop(timer->loop);
}

static void
add(struct resolved *all, const char *name)
{
	struct answer *answer;

	if (find(all, name) != NULL)
		return;
	answer = mem_zalloc(sizeof(*answer));
	answer->all = all;
	answer->name = mem_strdup(name);
	answer->why = "no answer in time";
	answer->watch.changed = changed;
	answer->watch.failed = failed;
	answer->watch.data = answer;
	all->v[all->n++] = answer;
}

static void
wait_for_all(
    struct resolved *all, const struct resolve_options *options, int64_t timeout_us)
{
	struct resolver *resolver;
	struct loop_timer timer;
	size_t i;

	all->loop = loop_new();
	all->left = all->n;
	if (resolver_new(&resolver, all->loop, options, &all->problem) == ERR_OK) {
		loop_timer_init(&timer, all->loop, over, all);
		loop_timer_set(&timer, timeout_us);
		for (i = 0; i < all->n; i++)
			resolve_watch(resolver, &all->v[i]->watch, all->v[i]->name);
		if (all->left > 0)
			loop_run(all->loop);
		loop_timer_stop(&timer);
		resolver_free(&resolver);
	}
	loop_free(&all->loop);
}

struct resolved *
resolved_new(const struct resolve_options *options, const char *const *names, size_t n,
    int64_t timeout_us)
{
	struct resolved *all = mem_zalloc(sizeof(*all));
	size_t i;

	all->v = mem_zalloc((n + 1) * sizeof(struct answer *));
	for (i = 0; i < n; i++)
		add(all, names[i]);
	if (all->n > 0)
		wait_for_all(all, options, timeout_us);
	return (all);
}

struct resolved *
resolved_configured(const struct conf *cf)
{
	struct resolve_text text;
	struct resolve_options options = resolve_configured(cf, &text);
	const struct conf_pool *pool;
	struct resolved *all;
	const char **names;
	size_t n = 0, i, j;

	for (i = 0; i < cf->n_pools; i++)
		n += cf->pools[i].n_servers;
	names = mem_alloc((n + 1) * sizeof(*names));
	n = 0;
	for (i = 0; i < cf->n_pools; i++) {
		pool = &cf->pools[i];
		for (j = 0; j < pool->n_servers; j++)
			if (pool->servers[j].host[0] != '\0')
				names[n++] = pool->servers[j].host;
	}
	all = resolved_new(&options, names, n, RESOLVED_TIMEOUT_US);
	free(names);
	return (all);
}

void
resolved_free(struct resolved **all_p)
{
	struct resolved *all = *all_p;
	size_t i;

	*all_p = NULL;
	if (all == NULL)
		return;
	for (i = 0; i < all->n; i++) {
		free(all->v[i]->addresses);
		free(all->v[i]->name);
		free(all->v[i]);
	}
	free(all->v);
	free(all);
}

enum err_code
resolved_find(const struct resolved *all, const char *name, struct resolve_set *set_r,
    struct err *e)
{
	const struct answer *answer = find(all, name);

	set_r->n = 0;
	if (answer == NULL)
		return (err_set(e, ERR_MISSING, "\"%s\" was not looked up", name));
	if (all->problem.code != ERR_OK)
		return (err_set(e, all->problem.code, "cannot resolve \"%s\": %s", name,
		    all->problem.text));
	if (answer->n == 0)
		return (err_set(
		    e, ERR_MISSING, "cannot resolve \"%s\": %s", name, answer->why));
	set_r->n = answer->n;
	memcpy(
	    set_r->addresses, answer->addresses, answer->n * sizeof(*set_r->addresses));
	return (ERR_OK);
}
