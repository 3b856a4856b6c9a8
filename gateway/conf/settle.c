/* SPDX-License-Identifier: Apache-2.0 */
/* What can be looked at only when every file of a configuration is read. */
#include "config.h"

#include "gateway/conf/settle.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/conf/tables.h"
#include "gateway/conf/value.h"

#define THREADS_MAX 256

struct name {
	const char *name;
	const struct conf_place *place;
	const char *field;
};

struct names {
	struct name *v;
	size_t n;
	const char *what; /* "pool" */
};

/* Equal names stay in the order in which they were read: all places are in
 * one array. */
static int
name_order(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return (order != 0 ? order : (x->place > y->place) - (x->place < y->place));
}

/* Sorts, and refuses what is there twice. */
static void
names_settle(struct reader *r, struct names *names)
{
	size_t i;

	if (names->n > 1)
		qsort(names->v, names->n, sizeof(*names->v), name_order);
	for (i = 1; i < names->n; i++) {
		const struct name *a = &names->v[i - 1], *b = &names->v[i];

		if (strcmp(a->name, b->name) == 0)
			conf_problems_add(r->problems, b->place, b->field,
			    "%s \"%s\" is there already, at %s:%u:%u", names->what,
			    b->name, a->place->file, a->place->line, a->place->column);
	}
}

static bool
names_have(const struct names *names, const char *name)
{
	size_t low = 0, high = names->n, mid;
	int order;

	while (low < high) {
		mid = low + (high - low) / 2;
		order = strcmp(name, names->v[mid].name);
		if (order == 0)
			return (true);
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return (false);
}

/* "no such pool; did you mean ...?", or the names there are. */
static void
refuse_name(struct reader *r, const struct mention *m, const struct names *names)
{
	const char *near = NULL;
	size_t i, distance, least = SIZE_MAX;
	struct text t;

	for (i = 0; i < names->n; i++) {
		if (!value_is_near(
			span_of(m->name), span_of(names->v[i].name), &distance) ||
		    distance >= least)
			continue;
		near = names->v[i].name;
		least = distance;
	}
	text_init(&t, 500);
	text_printf(&t, "no %s is called ", names->what);
	value_quote(span_of(m->name), &t);
	if (near != NULL)
		text_printf(&t, "; did you mean \"%s\"?", near);
	else if (names->n == 0)
		text_printf(&t, "; there is no %s at all", names->what);
	else
		text_puts(&t, "; allowed:");
	for (i = 0; near == NULL && i < names->n && i < 10; i++)
		text_printf(&t, "%s %s", i > 0 ? "," : "", names->v[i].name);
	if (near == NULL && names->n > 10)
		text_puts(&t, " ...");
	conf_problems_add(
	    r->problems, &m->place, m->field, "%.*s", SPAN_FMT(text_span(&t)));
	text_free(&t);
}

static void
check_names(struct reader *r)
{
	const struct conf *cf = r->conf;
	struct names pools = { reader_alloc(r, cf->n_pools * sizeof(struct name)), 0,
		"pool" };
	struct names policies = { reader_alloc(r, cf->n_policies * sizeof(struct name)),
		0, "policy" };
	struct names hosts = { reader_alloc(r, r->n_mentions * sizeof(struct name)), 0,
		"host" };
	struct names limits = { reader_alloc(r, cf->n_limits * sizeof(struct name)), 0,
		"limit" };
	const struct mention *m;
	size_t i;

	for (i = 0; i < cf->n_limits; i++)
		limits.v[limits.n++] =
		    (struct name){ cf->limits[i].name, &cf->limits[i].place, "limits" };
	for (i = 0; i < cf->n_pools; i++)
		pools.v[pools.n++] =
		    (struct name){ cf->pools[i].name, &cf->pools[i].place, "pools" };
	for (i = 0; i < cf->n_policies; i++)
		policies.v[policies.n++] = (struct name){ cf->policies[i].name,
			&cf->policies[i].place, "policies" };
	for (i = 0; i < r->n_mentions; i++)
		if (r->mentions[i].kind == MENTION_HOST)
			hosts.v[hosts.n++] = (struct name){ r->mentions[i].name,
				&r->mentions[i].place, r->mentions[i].field };
	names_settle(r, &pools);
	names_settle(r, &policies);
	names_settle(r, &hosts);
	names_settle(r, &limits);
	if (r->incomplete)
		return;
	for (i = 0; i < r->n_mentions; i++) {
		m = &r->mentions[i];
		if (m->kind == MENTION_POOL && !names_have(&pools, m->name))
			refuse_name(r, m, &pools);
		if (m->kind == MENTION_POLICY && strcmp(m->name, "off") != 0 &&
		    !names_have(&policies, m->name))
			refuse_name(r, m, &policies);
		if (m->kind == MENTION_LIMIT && !names_have(&limits, m->name))
			refuse_name(r, m, &limits);
	}
}

static bool
asks_for_certificates(const struct conf *cf)
{
	size_t i;

	for (i = 0; i < cf->n_listeners; i++)
		if (cf->listeners[i].tls && cf->listeners[i].client_ca[0] != '\0')
			return (true);
	return (false);
}

/* What one field asks of another, which may stand in another file. */
static void
check_needs(struct reader *r)
{
	const struct conf *cf = r->conf;
	const struct mention *m;
	const char *needed;
	size_t i;

	for (i = 0; i < r->n_mentions; i++) {
		m = &r->mentions[i];
		needed = NULL;
		if (m->kind == MENTION_COUNTRY && cf->geo.country[0] == '\0')
			needed = "geo.country, a database of countries";
		else if (m->kind == MENTION_ASN && cf->geo.asn[0] == '\0')
			needed = "geo.asn, a database of autonomous systems";
		else if (m->kind == MENTION_PROXIES &&
			 cf->identity.trusted_proxies.n == 0)
			needed = "identity.trusted_proxies: only those may send a PROXY "
				 "header";
		else if (m->kind == MENTION_CLIENT_CA && !asks_for_certificates(cf))
			needed = "tls.client_ca of a listener: no client is asked for a "
				 "certificate";
		if (needed != NULL)
			conf_problems_add(
			    r->problems, &m->place, m->field, "needs %s", needed);
	}
}

static bool
same_address(const struct netaddr *a, const struct netaddr *b)
{
	if (a->family == NETADDR_NONE || a->family != b->family)
		return (false);
	if (a->family == NETADDR_UNIX)
		return (strcmp(a->path, b->path) == 0);
	return (a->port == b->port && netaddr_same_ip(a, b));
}

/* The sockets share their port among threads, so that a second listener would
 * not fail but take every other connection. */
static void
check_listeners(struct reader *r)
{
	const struct conf *cf = r->conf;
	char a[NETADDR_TEXT_MAX];
	char field[64];
	size_t i, j;

	for (i = 1; i < cf->n_listeners && i < 1000; i++) {
		const struct netaddr *address = &cf->listeners[i].address;

		for (j = 0; j < i; j++)
			if (same_address(&cf->listeners[j].address, address))
				break;
		if (j == i)
			continue;
		snprintf(field, sizeof(field), "listeners[%zu].address", i);
		conf_problems_add(r->problems, &cf->listeners[i].place, field,
		    "%s is the address of the listener in line %u already",
		    netaddr_text(address, a), cf->listeners[j].place.line);
	}
}

static uint32_t
cores(void)
{
	cpu_set_t set;
	int n = 1;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	if (n < 1)
		n = 1;
	return (n < THREADS_MAX ? (uint32_t)n : THREADS_MAX);
}

static void
fill_in(struct reader *r)
{
	struct conf *cf = r->conf;
	struct conf_policy *policy;
	char host[256] = "";
	void *v;

	if (cf->threads == 0)
		cf->threads = cores();
	if (cf->node[0] == '\0') {
		if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
			memcpy(host, "yett", sizeof("yett"));
		cf->node = reader_strdup(r, span_of(host));
	}
	if (cf->redis.unix_path == NULL)
		cf->redis.unix_path = "";
	if (cf->redis.master == NULL)
		cf->redis.master = "";
	if (conf_find_policy(cf, "default") != NULL)
		return;
	v = cf->policies;
	policy = reader_grow(r, &v, &cf->n_policies, sizeof(*policy));
	cf->policies = v;
	reader_defaults(r, &map_policy, policy);
	policy->name = "default";
	policy->place.file = r->file;
}

void
settle(struct reader *r, const struct node *root)
{
	if (!r->incomplete)
		reader_root_required(r, root);
	fill_in(r);
	check_names(r);
	if (!r->incomplete)
		check_needs(r);
	check_listeners(r);
}
