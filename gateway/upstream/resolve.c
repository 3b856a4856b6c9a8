/* SPDX-License-Identifier: Apache-2.0 */
/* Names that are watched: what is known of them and when they are asked for. */
#include "config.h"

#include "gateway/upstream/resolve.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/hash.h"
#include "gateway/upstream/dns.h"
#include "gateway/upstream/hosts.h"

#define HURRY_US CLOCK_SECOND
#define DNS_PORT 53
#define LATER_MOST_US (CLOCK_SECOND / 2)

enum { A, AAAA, FAMILIES };

/* A set in as much memory as it needs. */
struct known {
	uint32_t n;
	struct netaddr *addresses;
};

struct asked {
	bool pending;
	enum dns_verdict verdict;
	const char *why;
	int64_t ttl_us;
	struct known found;
};

#define NAME_MAGIC 0xd2500002u
struct resolve_name {
	unsigned magic;
	struct resolver *resolver;
	struct resolve_watch *watch; /* NULL: forgotten while it is asked for */
	char *text;
	enum {
		NAME_FIXED, /* never asked for */
		NAME_IDLE, /* until its timer is over */
		NAME_QUEUED,
		NAME_ASKING,
	} state;
	struct loop_timer timer;
	TAILQ_ENTRY(resolve_name) all, queue;
	unsigned form; /* of the search list: being asked for */
	struct asked asked[FAMILIES];
	unsigned known_form; /* that `known` is of */
	struct known known[FAMILIES]; /* the last good answers */
	struct known told;
	unsigned failures; /* in a row */
	int64_t asked_us; /* when it was last; 0: never */
};

TAILQ_HEAD(resolve_names, resolve_name);

#define RESOLVER_MAGIC 0xd2500003u
struct resolver {
	unsigned magic;
	struct loop *loop;
	struct dns *dns;
	char *hosts;
	struct resolve_names all, queue;
	unsigned asking;
	bool running; /* the queue: names that fail at once must not recurse */
};

/* --- sets -------------------------------------------------------------------- */

static int
compare(const struct netaddr *a, const struct netaddr *b)
{
	if (a->family != b->family)
		return (a->family < b->family ? -1 : 1);
	return (memcmp(a->ip, b->ip, sizeof(a->ip)));
}

void
resolve_set_add(struct resolve_set *set, const struct netaddr *addr)
{
	uint32_t at = set->n;
	int order = 1;

	while (at > 0 && (order = compare(&set->addresses[at - 1], addr)) > 0)
		at--;
	if ((at > 0 && order == 0) || at == RESOLVE_ADDRESSES_MAX)
		return;
	if (set->n < RESOLVE_ADDRESSES_MAX)
		set->n++;
	memmove(&set->addresses[at + 1], &set->addresses[at],
	    (set->n - 1 - at) * sizeof(*addr));
	set->addresses[at] = *addr;
}

static void
known_set(struct known *known, const struct resolve_set *set)
{
	free(known->addresses);
	known->addresses = NULL;
	known->n = set->n;
	if (set->n == 0)
		return;
	known->addresses = mem_alloc(set->n * sizeof(*set->addresses));
	memcpy(known->addresses, set->addresses, set->n * sizeof(*set->addresses));
}

static void
known_clear(struct known *known)
{
	free(known->addresses);
	known->addresses = NULL;
	known->n = 0;
}

static bool
known_is(const struct known *known, const struct resolve_set *set)
{
	uint32_t i;

	if (known->n != set->n)
		return (false);
	for (i = 0; i < set->n; i++)
		if (compare(&known->addresses[i], &set->addresses[i]) != 0)
			return (false);
	return (true);
}

/* --- names --------------------------------------------------------------------- */

static void
name_free(struct resolve_name *name)
{
	unsigned f;

	CHECK(name->state == NAME_FIXED || name->state == NAME_IDLE);
	loop_timer_stop(&name->timer);
	for (f = 0; f < FAMILIES; f++) {
		known_clear(&name->known[f]);
		known_clear(&name->asked[f].found);
	}
	known_clear(&name->told);
	free(name->text);
	name->magic = 0;
	free(name);
}

static int64_t
by_chance(int64_t below_us)
{
	uint64_t random;

	random_bytes(&random, sizeof(random));
	return (below_us > 0 ? (int64_t)(random % (uint64_t)below_us) : 0);
}

static void
ask_later(struct resolve_name *name, int64_t after_us)
{
	int64_t side_us = after_us / 10;

	if (side_us > LATER_MOST_US)
		side_us = LATER_MOST_US;
	loop_timer_set(&name->timer, after_us + by_chance(side_us));
}

/* Nothing may be done with the name after these: they may forget it. */
static void
tell_failure(struct resolve_name *name, const char *why)
{
	int64_t after_us = RESOLVE_RETRY_US;
	unsigned i;

	for (i = 0; i < name->failures && after_us < RESOLVE_RETRY_MOST_US; i++)
		after_us *= 2;
	if (after_us > RESOLVE_RETRY_MOST_US)
		after_us = RESOLVE_RETRY_MOST_US;
	ask_later(name, after_us);
	if (name->failures < UINT32_MAX)
		name->failures++;
	if (name->failures == 1 && name->watch->failed != NULL)
		name->watch->failed(name->watch, why);
}

static void
tell_set(struct resolve_name *name, const struct resolve_set *set)
{
	bool same = name->failures == 0 && known_is(&name->told, set);

	name->failures = 0;
	known_set(&name->told, set);
	if (!same)
		name->watch->changed(name->watch, set);
}

/* What was asked for becomes what is known: a family that got no answer keeps
 * the one it had, unless that was of another form of the name. */
static void
take_answers(struct resolve_name *name, struct resolve_set *set_r)
{
	struct asked *asked;
	unsigned f;
	uint32_t i;

	memset(set_r, 0, sizeof(*set_r));
	for (f = 0; f < FAMILIES; f++) {
		asked = &name->asked[f];
		if (asked->verdict != DNS_FAILED || name->form != name->known_form) {
			known_clear(&name->known[f]);
			name->known[f] = asked->found;
			memset(&asked->found, 0, sizeof(asked->found));
		}
		for (i = 0; i < name->known[f].n; i++)
			resolve_set_add(set_r, &name->known[f].addresses[i]);
	}
	name->known_form = name->form;
}

static int64_t
shortest_ttl(const struct resolve_name *name)
{
	int64_t ttl_us = RESOLVE_TTL_MOST_US;
	unsigned f;

	for (f = 0; f < FAMILIES; f++)
		if (name->asked[f].verdict == DNS_FOUND && name->asked[f].ttl_us < ttl_us)
			ttl_us = name->asked[f].ttl_us;
	return (ttl_us);
}

static void ask(struct resolve_name *);
static void run_queue(struct resolver *);

/* Both families are answered. */
static void
conclude(struct resolve_name *name)
{
	const struct asked *a = &name->asked[A], *aaaa = &name->asked[AAAA];
	struct resolver *resolver = name->resolver;
	char form[DNS_NAME_MAX];
	struct resolve_set set;

	if (name->watch != NULL && a->verdict == DNS_NONE && aaaa->verdict == DNS_NONE &&
	    dns_form(resolver->dns, name->text, name->form + 1, form)) {
		name->form++;
		ask(name);
		return;
	}
	name->state = NAME_IDLE;
	resolver->asking--;
	if (name->watch == NULL)
		name_free(name);
	else if (a->verdict == DNS_FOUND || aaaa->verdict == DNS_FOUND) {
		take_answers(name, &set);
		ask_later(name, shortest_ttl(name));
		tell_set(name, &set);
	} else
		tell_failure(name, a->verdict == DNS_FAILED ? a->why : aaaa->why);
	run_queue(resolver);
}

static void
answer(struct resolve_name *name, unsigned f, const struct dns_answer *got)
{
	struct asked *asked = &name->asked[f];

	CHECK_OBJ(name, NAME_MAGIC);
	CHECK(name->state == NAME_ASKING && asked->pending);
	asked->pending = false;
	asked->verdict = got->verdict;
	asked->why = got->why;
	asked->ttl_us = got->ttl_us;
	known_set(&asked->found, &got->set);
	if (!name->asked[!f].pending)
		conclude(name);
}

static void
answer_a(void *data, const struct dns_answer *got)
{
	answer(data, A, got);
}

static void
answer_aaaa(void *data, const struct dns_answer *got)
{
	answer(data, AAAA, got);
}

/* The name may be gone after it. */
static void
ask(struct resolve_name *name)
{
	struct dns *dns = name->resolver->dns;
	char form[DNS_NAME_MAX];
	bool any;

	any = dns_form(dns, name->text, name->form, form);
	CHECK(any);
	name->asked[A].pending = name->asked[AAAA].pending = true;
	dns_ask(dns, form, NETADDR_IP4, answer_a, name);
	dns_ask(dns, form, NETADDR_IP6, answer_aaaa, name);
}

static void
run_queue(struct resolver *resolver)
{
	struct resolve_name *name;

	if (resolver->running)
		return;
	resolver->running = true;
	while (resolver->asking < RESOLVE_AT_ONCE &&
	       (name = TAILQ_FIRST(&resolver->queue)) != NULL) {
		TAILQ_REMOVE(&resolver->queue, name, queue);
		resolver->asking++;
		name->state = NAME_ASKING;
		name->asked_us = loop_now_us(resolver->loop);
		name->form = 0;
		ask(name);
	}
	resolver->running = false;
}

static void
enqueue(struct resolve_name *name)
{
	if (name->state != NAME_IDLE)
		return;
	loop_timer_stop(&name->timer);
	name->state = NAME_QUEUED;
	TAILQ_INSERT_TAIL(&name->resolver->queue, name, queue);
	run_queue(name->resolver);
}

static void
timer_over(struct loop_timer *timer)
{
	struct resolve_name *name;

	CAST_OBJ(name, timer->data, NAME_MAGIC);
	enqueue(name);
}

/* --- watches -------------------------------------------------------------------- */

/* An address, also in brackets, or a name of the hosts file. */
static bool
is_fixed(const struct resolver *resolver, struct span text, struct resolve_set *set_r)
{
	struct netaddr addr;

	memset(set_r, 0, sizeof(*set_r));
	if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = span_cut(text, 1, text.n - 1);
	if (!netaddr_parse_ip(&addr, text))
		return (hosts_find(resolver->hosts, text, set_r));
	resolve_set_add(set_r, &addr);
	return (true);
}

void
resolve_watch(struct resolver *resolver, struct resolve_watch *watch, const char *text)
{
	struct resolve_name *name = mem_zalloc(sizeof(*name));
	struct resolve_set set;

	CHECK_OBJ(resolver, RESOLVER_MAGIC);
	name->magic = NAME_MAGIC;
	name->resolver = resolver;
	name->watch = watch;
	name->text = mem_strdup(text);
	loop_timer_init(&name->timer, resolver->loop, timer_over, name);
	TAILQ_INSERT_TAIL(&resolver->all, name, all);
	watch->name = name;
	if (is_fixed(resolver, span_of(text), &set)) {
		name->state = NAME_FIXED;
		tell_set(name, &set);
	} else {
		name->state = NAME_IDLE;
		enqueue(name);
	}
}

void
resolve_forget(struct resolve_watch *watch)
{
	struct resolve_name *name = watch->name;

	if (name == NULL)
		return;
	CHECK_OBJ(name, NAME_MAGIC);
	watch->name = NULL;
	name->watch = NULL;
	TAILQ_REMOVE(&name->resolver->all, name, all);
	if (name->state == NAME_ASKING) /* it goes with its answers */
		return;
	if (name->state == NAME_QUEUED)
		TAILQ_REMOVE(&name->resolver->queue, name, queue);
	name->state = NAME_IDLE;
	name_free(name);
}

void
resolve_hurry(struct resolve_watch *watch)
{
	struct resolve_name *name = watch->name;
	int64_t at_us, now_us;

	if (name == NULL)
		return;
	CHECK_OBJ(name, NAME_MAGIC);
	if (name->state != NAME_IDLE)
		return;
	now_us = loop_now_us(name->resolver->loop);
	at_us = name->asked_us + HURRY_US;
	if (at_us <= now_us)
		enqueue(name);
	else if (at_us < name->timer.deadline_us)
		loop_timer_set(&name->timer, at_us - now_us);
}

struct resolve_options
resolve_configured(const struct conf *cf, struct resolve_text *text)
{
	const struct conf_strings *servers = &cf->resolver.servers;
	struct resolve_options options = { .timeout_us = cf->resolver.timeout };
	char one[NETADDR_TEXT_MAX];
	struct netaddr address;
	size_t n = 0, i;

	for (i = 0; i < servers->n && i < CONF_DNS_SERVERS_MAX; i++) {
		if (netaddr_parse_ip(&address, span_of(servers->v[i])))
			address.port = DNS_PORT;
		else if (netaddr_parse(&address, span_of(servers->v[i]), NULL) != ERR_OK)
			continue;
		n += (size_t)snprintf(text->servers + n, sizeof(text->servers) - n,
		    "%s%s", n > 0 ? "," : "", netaddr_text(&address, one));
	}
	if (n > 0)
		options.servers = text->servers;
	return (options);
}

enum err_code
resolver_new(struct resolver **resolver_r, struct loop *loop,
    const struct resolve_options *options, struct err *e)
{
	const struct resolve_options none = { 0 };
	struct resolver *resolver;
	enum err_code rc;
	struct dns *dns;

	*resolver_r = NULL;
	if (options == NULL)
		options = &none;
	rc = dns_new(&dns, loop, options, e);
	if (rc != ERR_OK)
		return (rc);
	resolver = mem_zalloc(sizeof(*resolver));
	resolver->magic = RESOLVER_MAGIC;
	resolver->loop = loop;
	resolver->dns = dns;
	resolver->hosts =
	    hosts_read(options->hosts != NULL ? options->hosts : "/etc/hosts");
	TAILQ_INIT(&resolver->all);
	TAILQ_INIT(&resolver->queue);
	*resolver_r = resolver;
	return (ERR_OK);
}

void
resolver_free(struct resolver **resolver_p)
{
	struct resolver *resolver;
	struct resolve_name *name;

	if (*resolver_p == NULL)
		return;
	CAST_OBJ(resolver, *resolver_p, RESOLVER_MAGIC);
	*resolver_p = NULL;
	while ((name = TAILQ_FIRST(&resolver->all)) != NULL)
		resolve_forget(name->watch);
	dns_free(&resolver->dns);
	CHECK(resolver->asking == 0);
	free(resolver->hosts);
	resolver->magic = 0;
	free(resolver);
}
