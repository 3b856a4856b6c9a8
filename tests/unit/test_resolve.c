/* SPDX-License-Identifier: Apache-2.0 */
/* Names of origins: sets, the hosts file, and questions to a real DNS server. */
#include "config.h"

#include "gateway/upstream/resolve.h"

#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/upstream/resolved.h"
#include "gateway/upstream/dns.h"
#include "gateway/upstream/hosts.h"
#include "tests/unit/dns_lab.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define LONG_TTL 3600
#define GUARD_US (60 * CLOCK_SECOND)
#define QUICK_US (100 * CLOCK_MS)

/* "10.0.0.1,10.0.0.2,2001:db8::1" */
static const char *
set_text(const struct resolve_set *set, char out[4096])
{
	char one[NETADDR_TEXT_MAX];
	size_t n = 0;
	uint32_t i;

	out[0] = '\0';
	for (i = 0; i < set->n; i++)
		n += (size_t)snprintf(out + n, 4096 - n, "%s%s", i > 0 ? "," : "",
		    netaddr_ip_text(&set->addresses[i], one));
	return (out);
}

static void
add_all(struct resolve_set *set, const char *addresses)
{
	struct span rest = span_of(addresses), text;
	struct netaddr addr;

	while (span_split(&rest, ',', &text) && text.n != 0) {
		assert_true(netaddr_parse_ip(&addr, text));
		resolve_set_add(set, &addr);
	}
}

static void
test_set(void **state)
{
	static const struct {
		const char *add, *set, *why;
	} rows[] = {
		{ "", "", "none" },
		{ "10.0.0.2,10.0.0.1", "10.0.0.1,10.0.0.2", "sorted" },
		{ "10.0.0.1,10.0.0.1", "10.0.0.1", "once" },
		{ "2001:db8::1,9.9.9.9", "9.9.9.9,2001:db8::1", "IPv4 first" },
		{ "2001:db8::1,2001:db8::1", "2001:db8::1", "once, too" },
		{ "::ffff:10.0.0.1,10.0.0.1", "10.0.0.1", "one address of two names" },
		{ "10.0.0.3,10.0.0.1,10.0.0.2,10.0.0.1,10.0.0.3",
		    "10.0.0.1,10.0.0.2,10.0.0.3", "between" },
	};
	struct netaddr addr = { .family = NETADDR_IP4 };
	struct resolve_set set;
	char text[4096];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		set.n = 0;
		add_all(&set, rows[i].add);
		if (strcmp(set_text(&set, text), rows[i].set) != 0)
			fail_msg("row %zu (%s): %s", i, rows[i].why, text);
	}
	/* More than fit, in an order that makes each push others out. */
	set.n = 0;
	for (i = 0; i < 256; i++) {
		addr.ip[3] = (uint8_t)(i * 37);
		resolve_set_add(&set, &addr);
	}
	assert_int_equal(set.n, RESOLVE_ADDRESSES_MAX);
	for (i = 0; i < set.n; i++)
		assert_int_equal(set.addresses[i].ip[3], i);
}

static void
test_hosts(void **state)
{
	static const char file[] = "# 10.9.9.9 app\n"
				   "127.0.0.1\tlocalhost\n"
				   "10.0.0.1 app app.example # 10.9.9.9 app\n"
				   " 10.0.0.2  App\r\n"
				   "2001:db8::1 app\n"
				   "nonsense bad\n"
				   "10.0.0.3\n"
				   "fe80::1%lo zone\n"
				   "10.0.0.4 #app\n"
				   "\n"
				   "10.0.0.5 last";
	static const struct {
		const char *name, *set, *why;
	} rows[] = {
		{ "app", "10.0.0.1,10.0.0.2,2001:db8::1", "all lines" },
		{ "APP.example", "10.0.0.1", "an alias, letters of either case" },
		{ "app.", "10.0.0.1,10.0.0.2,2001:db8::1", "a final dot" },
		{ "last", "10.0.0.5", "no newline behind it" },
		{ "localhost", "127.0.0.1", "as the file says" },
		{ "a.localhost", "127.0.0.1,::1", "not in the file" },
		{ "localhost.", "127.0.0.1", "and with a dot" },
		{ "notlocalhost", NULL, "another name" },
		{ ".localhost", NULL, "no name" },
		{ "10.0.0.1", NULL, "an address is no name of its line" },
		{ "bad", NULL, "no address" },
		{ "zone", NULL, "a zone" },
		{ "10.9.9.9", NULL, "a comment" },
		{ "", NULL, "nothing" },
		{ ".", NULL, "a dot" },
	};
	struct resolve_set set;
	char text[4096], *empty;
	size_t i;
	bool found;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		set.n = 0;
		found = hosts_find(file, span_of(rows[i].name), &set);
		/* A name whose address can't be read is left to DNS. */
		if (found != (rows[i].set != NULL) ||
		    (found && strcmp(set_text(&set, text), rows[i].set) != 0))
			fail_msg("row %zu (%s)", i, rows[i].why);
	}
	empty = hosts_read("/nonexistent/hosts");
	assert_string_equal(empty, "");
	free(empty);
}

/* --- a resolver and its watches ------------------------------------------------ */

struct fixture {
	struct loop *loop;
	struct dns_lab *lab;
	struct resolver *resolver;
	struct loop_timer guard;
	int fds;
};

struct seen {
	struct resolve_watch watch;
	struct fixture *f;
	struct resolve_set set;
	unsigned changed, failed, events;
	const char *why;
	unsigned stop_at; /* ends the loop at this many events */
	bool forget;
	const char *then; /* watched after forgetting */
};

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
guard_over(struct loop_timer *timer)
{
	(void)timer;
	fail_msg("nothing happened for a long time");
}

static void
setup(struct fixture *f, int64_t timeout_us)
{
	struct resolve_options options = { .hosts = "/nonexistent/hosts",
		.timeout_us = timeout_us };
	struct err e;

	memset(f, 0, sizeof(*f));
	f->fds = count_fds();
	f->loop = loop_new();
	f->lab = dns_lab_new();
	options.servers = dns_lab_address(f->lab);
	assert_int_equal(resolver_new(&f->resolver, f->loop, &options, &e), ERR_OK);
	loop_timer_init(&f->guard, f->loop, guard_over, f);
	loop_timer_set(&f->guard, GUARD_US);
}

static void
teardown(struct fixture *f)
{
	resolver_free(&f->resolver);
	assert_null(f->resolver);
	loop_timer_stop(&f->guard);
	dns_lab_free(&f->lab);
	loop_free(&f->loop);
	assert_int_equal(count_fds(), f->fds);
}

static void
event(struct seen *s)
{
	struct fixture *f = s->f;

	s->events++;
	if (s->events == s->stop_at)
		loop_stop(f->loop);
	if (!s->forget)
		return;
	resolve_forget(&s->watch);
	if (s->then == NULL)
		return;
	s->forget = false;
	resolve_watch(f->resolver, &s->watch, s->then);
}

static void
saw_change(struct resolve_watch *watch, const struct resolve_set *set)
{
	struct seen *s = watch->data;

	s->set = *set;
	s->changed++;
	event(s);
}

static void
saw_failure(struct resolve_watch *watch, const char *why)
{
	struct seen *s = watch->data;

	s->why = why;
	s->failed++;
	event(s);
}

static void
watch(struct fixture *f, struct seen *s, const char *name)
{
	memset(s, 0, sizeof(*s));
	s->f = f;
	s->watch.changed = saw_change;
	s->watch.failed = saw_failure;
	s->watch.data = s;
	resolve_watch(f->resolver, &s->watch, name);
}

/* Until the watch has heard so much. */
static void
run(struct fixture *f, struct seen *s, unsigned events)
{
	loop_timer_set(&f->guard, GUARD_US);
	s->stop_at = events;
	while (s->events < events) /* others may end the loop, too */
		loop_run(f->loop);
	s->stop_at = 0;
}

static void
passed(struct loop_timer *timer)
{
	loop_stop(timer->loop);
}

static void
run_for(struct fixture *f, int64_t us)
{
	struct loop_timer timer;

	loop_timer_init(&timer, f->loop, passed, f);
	loop_timer_set(&timer, us);
	loop_run(f->loop);
}

static void
assert_set(const struct seen *s, const char *set)
{
	char text[4096];

	assert_string_equal(set_text(&s->set, text), set);
}

/* --- what is answered ------------------------------------------------------------ */

static void
test_answers(void **state)
{
	static const struct {
		const char *name, *set, *why;
	} rows[] = {
		{ "both.test", "10.0.0.1,10.0.0.2,2001:db8::1", "A and AAAA" },
		{ "BOTH.test.", "10.0.0.1,10.0.0.2,2001:db8::1", "as it may be written" },
		{ "four.test", "10.0.0.4", "no AAAA" },
		{ "six.test", "2001:db8::6", "no A" },
		{ "mapped.test", "10.0.0.7", "IPv4 in IPv6, and the same in A" },
		{ "alias.test", "10.0.0.4", "an alias" },
		{ "nowhere.test", NULL, "an alias of nothing" },
		{ "empty.test", NULL, "no data of either" },
		{ "unknown.test", NULL, "no name" },
		{ "a..test", NULL, "no possible name" },
		{ "192.0.2.1", "192.0.2.1", "an address" },
		{ "[2001:db8::9]", "2001:db8::9", "in brackets" },
		{ "localhost", "127.0.0.1,::1", "whatever the servers say" },
	};
	struct seen seen[COUNT(rows)];
	struct fixture f;
	char text[4096];
	size_t i;

	(void)state;
	setup(&f, 0);
	dns_lab_set(f.lab, "both.test", LAB_A, LONG_TTL, "10.0.0.2,10.0.0.1,10.0.0.2");
	dns_lab_set(f.lab, "both.test", LAB_AAAA, LONG_TTL, "2001:db8::1");
	dns_lab_set(f.lab, "four.test", LAB_A, LONG_TTL, "10.0.0.4");
	dns_lab_set(f.lab, "four.test", LAB_AAAA, LONG_TTL, "");
	dns_lab_set(f.lab, "six.test", LAB_AAAA, LONG_TTL, "2001:db8::6");
	dns_lab_set(f.lab, "mapped.test", LAB_A, LONG_TTL, "10.0.0.7");
	dns_lab_set(f.lab, "mapped.test", LAB_AAAA, LONG_TTL, "::ffff:10.0.0.7");
	dns_lab_alias(f.lab, "alias.test", LAB_A, LONG_TTL, "four.test");
	dns_lab_alias(f.lab, "alias.test", LAB_AAAA, LONG_TTL, "four.test");
	dns_lab_alias(f.lab, "nowhere.test", LAB_A, LONG_TTL, "missing.test");
	dns_lab_alias(f.lab, "nowhere.test", LAB_AAAA, LONG_TTL, "missing.test");
	dns_lab_set(f.lab, "empty.test", LAB_A, LONG_TTL, "");
	dns_lab_set(f.lab, "empty.test", LAB_AAAA, LONG_TTL, "");
	for (i = 0; i < COUNT(rows); i++)
		watch(&f, &seen[i], rows[i].name);
	for (i = 0; i < COUNT(rows); i++) {
		run(&f, &seen[i], 1);
		if (seen[i].changed != (rows[i].set != NULL) ||
		    seen[i].failed != (rows[i].set == NULL) ||
		    (rows[i].set != NULL &&
			strcmp(set_text(&seen[i].set, text), rows[i].set) != 0))
			fail_msg("row %zu (%s): %s", i, rows[i].why, text);
		if (rows[i].set == NULL)
			assert_non_null(seen[i].why);
	}
	assert_int_equal(dns_lab_asked(f.lab, "localhost", LAB_A), 0);
	teardown(&f);
}

/* A hundred addresses are too much for a datagram and for a set. */
static void
test_many_addresses(void **state)
{
	struct text list;
	struct fixture f;
	struct seen s;
	unsigned i;

	(void)state;
	setup(&f, 0);
	text_init(&list, 1u << 14);
	for (i = 200; i > 0; i--)
		text_printf(&list, "%s10.0.0.%u", i < 200 ? "," : "", i);
	text_printf(&list, "%c", '\0');
	dns_lab_set(f.lab, "many.test", LAB_A, LONG_TTL, text_span(&list).p);
	text_free(&list);
	watch(&f, &s, "many.test");
	run(&f, &s, 1);
	assert_int_equal(s.changed, 1);
	assert_true(dns_lab_asked_tcp(f.lab) > 0);
	assert_int_equal(s.set.n, RESOLVE_ADDRESSES_MAX);
	for (i = 0; i < s.set.n; i++)
		assert_int_equal(s.set.addresses[i].ip[3], i + 1);
	teardown(&f);
}

/* The shortest time to live of all records counts, an alias's too. */
static void
test_refresh(void **state)
{
	struct seen s, other, alias;
	struct fixture f;
	int64_t began_us;

	(void)state;
	setup(&f, 0);
	dns_lab_set(f.lab, "app.test", LAB_A, LONG_TTL, "10.0.0.1");
	dns_lab_set(f.lab, "app.test", LAB_AAAA, 1, "2001:db8::1");
	dns_lab_set(f.lab, "slow.test", LAB_A, LONG_TTL, "10.0.0.1");
	dns_lab_set(f.lab, "real.test", LAB_A, LONG_TTL, "10.0.0.1");
	dns_lab_alias(f.lab, "alias.test", LAB_A, 1, "real.test");
	watch(&f, &s, "app.test");
	watch(&f, &other, "slow.test");
	watch(&f, &alias, "alias.test");
	run(&f, &s, 1);
	run(&f, &other, 1);
	run(&f, &alias, 1);
	began_us = clock_mono_us();
	while (dns_lab_asked(f.lab, "app.test", LAB_A) < 3)
		run_for(&f, 100 * CLOCK_MS);
	assert_true(clock_mono_us() - began_us >= CLOCK_SECOND);
	assert_int_equal(s.changed, 1); /* the same set is no change */
	dns_lab_set(f.lab, "app.test", LAB_A, LONG_TTL, "10.0.0.2,10.0.0.1");
	run(&f, &s, 2);
	assert_set(&s, "10.0.0.1,10.0.0.2,2001:db8::1");
	dns_lab_set(f.lab, "app.test", LAB_A, LONG_TTL, "10.0.0.2");
	run(&f, &s, 3);
	assert_set(&s, "10.0.0.2,2001:db8::1");
	dns_lab_set(f.lab, "app.test", LAB_A, 1, "");
	run(&f, &s, 4);
	assert_set(&s, "2001:db8::1");
	dns_lab_set(f.lab, "real.test", LAB_A, LONG_TTL, "10.0.0.3");
	run(&f, &alias, 2);
	assert_set(&alias, "10.0.0.3");
	assert_int_equal(s.failed + other.failed + alias.failed, 0);
	assert_int_equal(dns_lab_asked(f.lab, "slow.test", LAB_A), 1);
	teardown(&f);
}

/* Whatever a server does, what was known stays; when it is good again, the watch
 * hears of it though the set is the same. */
static void
test_bad_answers(void **state)
{
	struct seen seen[LAB_WAYS];
	char name[LAB_WAYS][32];
	struct fixture f;
	unsigned i;

	(void)state;
	setup(&f, QUICK_US);
	for (i = 1; i < LAB_WAYS; i++) {
		(void)snprintf(name[i], sizeof(name[i]), "way%u.test", i);
		dns_lab_set(f.lab, name[i], LAB_A, 1, "10.0.0.1");
		dns_lab_set(f.lab, name[i], LAB_AAAA, 1, "2001:db8::1");
		watch(&f, &seen[i], name[i]);
	}
	/* A machine that is too busy for the short timeout fails a name first;
	 * then it is good the second time. */
	for (i = 1; i < LAB_WAYS; i++)
		while (seen[i].changed == 0)
			run(&f, &seen[i], seen[i].events + 1);
	for (i = 1; i < LAB_WAYS; i++) {
		seen[i].failed = seen[i].changed = seen[i].events = 0;
		dns_lab_way(f.lab, name[i], LAB_A, (enum dns_lab_way)i);
		dns_lab_way(f.lab, name[i], LAB_AAAA, (enum dns_lab_way)i);
	}
	for (i = 1; i < LAB_WAYS; i++)
		while (seen[i].failed == 0)
			run(&f, &seen[i], seen[i].events + 1);
	run_for(&f, 2 * CLOCK_SECOND);
	for (i = 1; i < LAB_WAYS; i++) {
		if (seen[i].failed != 1)
			fail_msg("way %u: failed %u times in a row", i, seen[i].failed);
		assert_set(&seen[i], "10.0.0.1,2001:db8::1");
		seen[i].changed = 0;
		dns_lab_way(f.lab, name[i], LAB_A, LAB_GOOD);
		dns_lab_way(f.lab, name[i], LAB_AAAA, LAB_GOOD);
	}
	for (i = 1; i < LAB_WAYS; i++) {
		while (seen[i].changed == 0)
			run(&f, &seen[i], seen[i].events + 1);
		assert_set(&seen[i], "10.0.0.1,2001:db8::1");
	}
	teardown(&f);
}

/* One family fails: it keeps its addresses, the other goes on. */
static void
test_half(void **state)
{
	struct fixture f;
	struct seen s;

	(void)state;
	setup(&f, 0);
	dns_lab_set(f.lab, "app.test", LAB_A, 1, "10.0.0.1");
	dns_lab_set(f.lab, "app.test", LAB_AAAA, 1, "2001:db8::1");
	watch(&f, &s, "app.test");
	run(&f, &s, 1);
	dns_lab_way(f.lab, "app.test", LAB_AAAA, LAB_SERVFAIL);
	dns_lab_set(f.lab, "app.test", LAB_A, 1, "10.0.0.2");
	run(&f, &s, 2);
	assert_set(&s, "10.0.0.2,2001:db8::1");
	dns_lab_way(f.lab, "app.test", LAB_A, LAB_SERVFAIL);
	run(&f, &s, 3);
	assert_int_equal(s.failed, 1);
	dns_lab_set(f.lab, "app.test", LAB_AAAA, 1, "2001:db8::2");
	dns_lab_way(f.lab, "app.test", LAB_AAAA, LAB_GOOD);
	run(&f, &s, 4);
	assert_set(&s, "10.0.0.2,2001:db8::2");
	/* Said to be gone is gone, as long as there is another. */
	dns_lab_set(f.lab, "app.test", LAB_A, 1, "");
	dns_lab_way(f.lab, "app.test", LAB_A, LAB_GOOD);
	run(&f, &s, 5);
	assert_set(&s, "2001:db8::2");
	dns_lab_set(f.lab, "app.test", LAB_AAAA, 1, "");
	run(&f, &s, 6);
	assert_int_equal(s.failed, 2);
	assert_set(&s, "2001:db8::2");
	teardown(&f);
}

/* --- when it is asked -------------------------------------------------------------- */

static void
test_hurry(void **state)
{
	struct fixture f;
	struct seen s;
	unsigned i;

	(void)state;
	setup(&f, 0);
	dns_lab_set(f.lab, "app.test", LAB_A, LONG_TTL, "10.0.0.1");
	watch(&f, &s, "app.test");
	resolve_hurry(&s.watch);
	run(&f, &s, 1);
	dns_lab_set(f.lab, "app.test", LAB_A, LONG_TTL, "10.0.0.2");
	for (i = 0; i < 100; i++)
		resolve_hurry(&s.watch);
	run(&f, &s, 2);
	assert_set(&s, "10.0.0.2");
	assert_int_equal(dns_lab_asked(f.lab, "app.test", LAB_A), 2);
	run_for(&f, CLOCK_SECOND + 100 * CLOCK_MS);
	dns_lab_set(f.lab, "app.test", LAB_A, LONG_TTL, "10.0.0.3");
	resolve_hurry(&s.watch); /* at once */
	run(&f, &s, 3);
	assert_int_equal(dns_lab_asked(f.lab, "app.test", LAB_A), 3);
	assert_int_equal(s.failed, 0);
	teardown(&f);
}

/* Eight at a time; the others have their turn, and the good ones their answer. */
static void
test_queue(void **state)
{
	enum { NAMES = 40 };
	struct seen seen[NAMES];
	struct fixture f;
	char name[32];
	unsigned i;

	(void)state;
	setup(&f, 0);
	for (i = 0; i < NAMES; i++) {
		(void)snprintf(name, sizeof(name), "n%u.test", i);
		if (i < RESOLVE_AT_ONCE) {
			dns_lab_way(f.lab, name, LAB_A, LAB_SILENT);
			dns_lab_way(f.lab, name, LAB_AAAA, LAB_SILENT);
		} else
			dns_lab_set(f.lab, name, LAB_A, LONG_TTL, "10.0.0.1");
		watch(&f, &seen[i], name);
	}
	while (dns_lab_asked(f.lab, NULL, LAB_A) < 2 * RESOLVE_AT_ONCE)
		run_for(&f, 10 * CLOCK_MS);
	run_for(&f, 200 * CLOCK_MS);
	assert_int_equal(dns_lab_asked(f.lab, "n8.test", LAB_A), 0);
	/* One that is queued, one that is asked for. */
	resolve_forget(&seen[NAMES - 1].watch);
	resolve_forget(&seen[0].watch);
	for (i = 1; i < NAMES - 1; i++)
		run(&f, &seen[i], 1);
	for (i = 1; i < NAMES - 1; i++)
		assert_int_equal(seen[i].changed, i >= RESOLVE_AT_ONCE);
	assert_int_equal(seen[0].events + seen[NAMES - 1].events, 0);
	assert_int_equal(dns_lab_asked(f.lab, "n39.test", LAB_A), 0);
	teardown(&f);
}

/* Callbacks may forget their watch and begin another; what is under way when the
 * resolver goes is forgotten. */
static void
test_forget(void **state)
{
	static const char *const firsts[] = { "app.test", "missing.test", "localhost",
		"a..test" };
	static const char *const thens[] = { NULL, "next.test", "127.0.0.1",
		"missing.test" };
	struct seen seen[COUNT(firsts) * COUNT(thens)], silent, *s = seen;
	struct fixture f;
	size_t i, j;

	(void)state;
	setup(&f, 0);
	dns_lab_set(f.lab, "app.test", LAB_A, LONG_TTL, "10.0.0.1");
	dns_lab_set(f.lab, "next.test", LAB_A, LONG_TTL, "10.0.0.2");
	dns_lab_way(f.lab, "silent.test", LAB_A, LAB_SILENT);
	for (i = 0; i < COUNT(firsts); i++)
		for (j = 0; j < COUNT(thens); j++, s++) {
			memset(s, 0, sizeof(*s));
			s->f = &f;
			s->watch = (struct resolve_watch){
				.changed = saw_change, .failed = saw_failure, .data = s
			};
			s->forget = true;
			s->then = thens[j];
			resolve_watch(f.resolver, &s->watch, firsts[i]);
		}
	for (s = seen; s < seen + COUNT(seen); s++) {
		run(&f, s, s->then != NULL ? 2 : 1);
		assert_int_equal(s->watch.name != NULL, s->then != NULL);
		resolve_forget(&s->watch);
		resolve_forget(&s->watch); /* again is nothing */
		resolve_hurry(&s->watch);
	}
	watch(&f, &silent, "silent.test");
	while (dns_lab_asked(f.lab, "silent.test", LAB_A) == 0)
		run_for(&f, 10 * CLOCK_MS);
	teardown(&f);
	assert_null(silent.watch.name);
	assert_int_equal(silent.events, 0);
}

/* Names that fail as soon as they are asked for, behind ones that take a while:
 * each has its turn, without recursion. */
static void
test_queue_of_failures(void **state)
{
	enum { NAMES = 2000 };
	struct seen *seen = mem_zalloc(NAMES * sizeof(*seen));
	struct fixture f;
	char name[32];
	unsigned i;

	(void)state;
	setup(&f, QUICK_US);
	for (i = 0; i < NAMES; i++) {
		(void)snprintf(name, sizeof(name),
		    i < RESOLVE_AT_ONCE ? "silent%u.test" : "a..%u", i);
		if (i < RESOLVE_AT_ONCE)
			dns_lab_way(f.lab, name, LAB_A, LAB_SILENT);
		watch(&f, &seen[i], name);
	}
	assert_int_equal(seen[NAMES - 1].events, 0);
	for (i = 0; i < NAMES; i++) {
		run(&f, &seen[i], 1);
		assert_int_equal(seen[i].failed, 1);
	}
	teardown(&f);
	free(seen);
}

/* --- the search list of resolv.conf ------------------------------------------- */

static void
test_forms(void **state)
{
	static const struct {
		const char *name, *forms[4], *why;
	} rows[] = {
		{ "db", { "db.a.test", "db.b.test", "db" },
		    "no dot: as it is comes last" },
		{ "db.x", { "db.x.a.test", "db.x.b.test", "db.x" }, "one is not enough" },
		{ "db.x.y", { "db.x.y", "db.x.y.a.test", "db.x.y.b.test" }, "two are" },
		{ "db.", { "db." }, "a final dot: only as it is" },
	};
	const struct resolve_options options = { 0 };
	char form[DNS_NAME_MAX], expected[DNS_NAME_MAX];
	struct loop *loop = loop_new();
	struct dns *dns;
	struct err e;
	unsigned i, j;

	(void)state;
	/* What these variables say goes before what resolv.conf says. */
	setenv("LOCALDOMAIN", "a.test b.test", 1);
	setenv("RES_OPTIONS", "ndots:2", 1);
	assert_int_equal(dns_new(&dns, loop, &options, &e), ERR_OK);
	unsetenv("LOCALDOMAIN");
	unsetenv("RES_OPTIONS");
	for (i = 0; i < COUNT(rows); i++) {
		for (j = 0; j < 4 && rows[i].forms[j] != NULL; j++) {
			(void)snprintf(
			    expected, sizeof(expected), "%s", rows[i].forms[j]);
			if (!dns_form(dns, rows[i].name, j, form) ||
			    strcmp(form, expected) != 0)
				fail_msg("row %u (%s): %s", i, rows[i].why, form);
		}
		assert_false(dns_form(dns, rows[i].name, j, form));
	}
	dns_free(&dns);
	loop_free(&loop);
}

/* --- waiting --------------------------------------------------------------------- */

static void
test_answers_together(void **state)
{
	static const struct {
		const char *name, *set, *error, *why;
	} rows[] = {
		{ "app.test", "10.0.0.1,2001:db8::1", NULL, "found" },
		{ "127.0.0.1", "127.0.0.1", NULL, "an address" },
		{ "localhost", "127.0.0.1,::1", NULL, "a name of this machine" },
		{ "missing.test", NULL, "not found", "no such name" },
		{ "silent.test", NULL, "in time", "nobody answers" },
		{ "app.test", "10.0.0.1,2001:db8::1", NULL, "once more" },
	};
	struct resolve_options options = { .hosts = "/nonexistent/hosts" };
	struct dns_lab *lab = dns_lab_new();
	const char *names[COUNT(rows)];
	struct resolved *answers;
	struct resolve_set set;
	int fds = count_fds();
	enum err_code rc;
	char text[4096];
	struct err e;
	size_t i;

	(void)state;
	options.servers = dns_lab_address(lab);
	dns_lab_set(lab, "app.test", LAB_A, LONG_TTL, "10.0.0.1");
	dns_lab_set(lab, "app.test", LAB_AAAA, LONG_TTL, "2001:db8::1");
	dns_lab_way(lab, "silent.test", LAB_A, LAB_SILENT);
	for (i = 0; i < COUNT(rows); i++)
		names[i] = rows[i].name;
	/* Less than the server is waited for, more than a slow machine takes. */
	answers = resolved_new(&options, names, COUNT(rows), 3 * CLOCK_SECOND);
	for (i = 0; i < COUNT(rows); i++) {
		rc = resolved_find(answers, rows[i].name, &set, &e);
		if ((rc == ERR_OK) != (rows[i].set != NULL))
			fail_msg("row %zu (%s)", i, rows[i].why);
		if (rc == ERR_OK)
			assert_string_equal(set_text(&set, text), rows[i].set);
		else if (strstr(e.text, rows[i].error) == NULL ||
			 strstr(e.text, rows[i].name) == NULL)
			fail_msg("row %zu (%s): %s", i, rows[i].why, e.text);
	}
	assert_int_equal(resolved_find(answers, "other.test", &set, &e), ERR_MISSING);
	assert_int_equal(dns_lab_asked(lab, "app.test", LAB_A), 1);
	resolved_free(&answers);
	answers = resolved_new(&options, names, 0, GUARD_US);
	resolved_free(&answers);
	options.servers = "no address";
	answers = resolved_new(&options, names, 1, GUARD_US);
	assert_int_equal(resolved_find(answers, "app.test", &set, &e), ERR_IO);
	resolved_free(&answers);
	assert_int_equal(count_fds(), fds);
	dns_lab_free(&lab);
}

/* A dead server costs its time once. */
static void
test_answers_of_nobody(void **state)
{
	enum { NAMES = 1000 };
	struct resolve_options options = { .hosts = "/nonexistent/hosts" };
	struct dns_lab *lab = dns_lab_new();
	const char *names[NAMES];
	char text[NAMES][16];
	struct resolved *answers;
	struct resolve_set set;
	int64_t began_us;
	struct err e;
	size_t i;

	(void)state;
	options.servers = dns_lab_address(lab);
	for (i = 0; i < NAMES; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "n%zu.test", i);
		names[i] = text[i];
		if (i < RESOLVE_AT_ONCE)
			dns_lab_way(lab, names[i], LAB_A, LAB_SILENT);
	}
	began_us = clock_mono_us();
	answers = resolved_new(&options, names, NAMES, CLOCK_SECOND);
	assert_true(clock_mono_us() - began_us >= CLOCK_SECOND);
	for (i = 0; i < NAMES; i++)
		assert_int_equal(resolved_find(answers, names[i], &set, &e), ERR_MISSING);
	assert_int_equal(dns_lab_asked(lab, names[NAMES - 1], LAB_A), 0);
	resolved_free(&answers);
	dns_lab_free(&lab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_half),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_queue_of_failures),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_answers_together),
		cmocka_unit_test(test_answers_of_nobody),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
