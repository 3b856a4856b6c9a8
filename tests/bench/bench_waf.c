/* SPDX-License-Identifier: Apache-2.0 */
/* What the WAF costs: CPU time per request of several kinds, and memory per
 * policy. One thread, the real engine and rule set. Run it under another
 * allocator with LD_PRELOAD. Arguments: seconds per kind (1), kind to run alone. */
#include "config.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/base/log.h"
#include "tests/unit/waf_rig.h"

struct kind {
	const char *name;
	char *head, *body;
};

static double
cpu_us(void)
{
	struct timespec ts;

	CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) == 0);
	return ((double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3);
}

static void
inspect(struct waf_policy *policy, const struct rig_request *r, bool refuse)
{
	struct waf_txn *txn = rig_txn(policy, r);
	const struct waf_verdict *v;

	CHECK(txn != NULL);
	v = waf_request(txn, &r->body);
	if (v->refuse != refuse)
		rig_print(v);
	CHECK(v->refuse == refuse);
	(void)waf_finish(txn, refuse ? 403 : 200);
	waf_txn_free(&txn);
}

static double
measure(struct waf_policy *policy, const struct kind *kind, double seconds)
{
	bool refuse = strstr(kind->name, "attack") != NULL;
	struct rig_request r;
	double began;
	unsigned n = 0;

	rig_request_init(&r, kind->head, span_of(kind->body));
	inspect(policy, &r, refuse);
	began = cpu_us();
	do {
		for (unsigned i = 0; i < 16; i++, n++)
			inspect(policy, &r, refuse);
	} while (cpu_us() - began < seconds * 1e6);
	began = (cpu_us() - began) / n;
	rig_request_free(&r);
	return (began);
}

static char *
form_body(void)
{
	struct text t;

	text_init(&t, 1 << 16);
	for (unsigned i = 0; i < 12; i++)
		text_printf(&t,
		    "%sfield%u=The+quick+brown+fox+jumps+over+the+lazy+dog+and+"
		    "then+sits+down+to+rest+for+a+while+in+the+shade+of+an+old+oak%%2C+"
		    "number+%u",
		    i != 0 ? "&" : "", i, i);
	text_putc(&t, '\0');
	return (t.p);
}

static char *
json_objects(void)
{
	struct text t;

	text_init(&t, 1 << 16);
	text_putc(&t, '[');
	for (unsigned i = 0; i < 60; i++)
		text_printf(&t,
		    "%s{\"id\":%u,\"name\":\"article number %u\",\"price\":%u.50,"
		    "\"stock\":%u,\"new\":true,\"colour\":\"dark green\"}",
		    i != 0 ? "," : "", i, i, i, i * 3);
	text_puts(&t, "]");
	text_putc(&t, '\0');
	return (t.p);
}

static char *
json_strings(void)
{
	struct text t;

	text_init(&t, 1 << 16);
	text_putc(&t, '[');
	for (unsigned i = 0; i < 999; i++)
		text_printf(&t, "%s\"%04u\"", i != 0 ? "," : "", i);
	text_puts(&t, "]");
	text_putc(&t, '\0');
	return (t.p);
}

static struct kind
make(const char *name, const char *method, const char *target, const char *type,
    char *body)
{
	return ((struct kind){ name,
	    rig_head(method, target, type, body != NULL ? strlen(body) : 0), body });
}

#define FORM "application/x-www-form-urlencoded"
#define QUERY "/search?q=red+shoes&page=2&sort=price&size=42&brand=acme&lang=en"

static unsigned
make_kinds(struct kind *k)
{
	unsigned n = 0;

	k[n++] = make("GET, browser fields", "GET", "/index.html", NULL, NULL);
	k[n++] = make("GET, 6 query parameters", "GET", QUERY, NULL, NULL);
	k[n++] = make("form, 12 fields", "POST", "/order", FORM, form_body());
	k[n++] =
	    make("JSON, 360 values", "POST", "/api", "application/json", json_objects());
	k[n++] =
	    make("JSON, 999 strings", "POST", "/api", "application/json", json_strings());
	k[n++] = make("attack in the query", "GET", "/?id=1%27%20OR%201=1--", NULL, NULL);
	return (n);
}

/* 500 policies on one base, each with a threshold and exclusions of its own. */
static void
memory_of_policies(struct waf *waf)
{
	static const char *get[] = { "GET" };
	struct conf_exclude exclude[3] = {
		{ .rule = 942100,
		    .tag = "",
		    .target = "ARGS:q",
		    .path = "=/search",
		    .method = { get, 1 } },
		{ .rule = 0,
		    .tag = "attack-xss",
		    .target = "ARGS:/^item\\..*\\.note$/",
		    .path = "/api/" },
		{ .rule = 920420, .tag = "", .target = "", .path = "" },
	};
	struct conf_policy c = rig_policy();
	struct waf_policy *policies[500];
	struct mallinfo2 before, after;
	struct err e;
	double began;

	c.exclude = exclude;
	c.n_exclude = 3;
	before = mallinfo2();
	began = cpu_us();
	for (unsigned i = 0; i < 500; i++) {
		c.crs.inbound_threshold = 5 + i;
		c.crs.paranoia = 1 + i % 4;
		CHECK(waf_policy_new(&policies[i], waf, &c, &e) == ERR_OK);
	}
	began = cpu_us() - began;
	after = mallinfo2();
	if (after.uordblks > before.uordblks)
		printf("500 policies with 3 exclusions each: %.1f KiB and %.0f us each\n",
		    (double)(after.uordblks - before.uordblks) / 500 / 1024, began / 500);
	else
		printf("500 policies: %.0f us each (memory: run without another "
		       "allocator)\n",
		    began / 500);
	for (unsigned i = 0; i < 500; i++)
		waf_policy_free(&policies[i]);
}

static void
bench_kinds(
    struct waf *waf, const char *crs, const char *label, double seconds, const char *only)
{
	struct conf_policy c = rig_policy();
	struct waf_policy *policy;
	struct kind kinds[8];
	unsigned n = make_kinds(kinds);
	struct mallinfo2 before = mallinfo2(), after;
	double began = cpu_us();
	struct err e;

	c.crs.path = crs;
	c.request_body.arguments = 2000;
	if (waf_policy_new(&policy, waf, &c, &e) != ERR_OK) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	after = mallinfo2();
	printf("%s: parsed in %.0f ms, %.1f MB\n", label, (cpu_us() - began) / 1e3,
	    ((double)after.uordblks - (double)before.uordblks) / 1e6);
	for (unsigned i = 0; i < n; i++) {
		bool skip = (only != NULL && strstr(kinds[i].name, only) == NULL) ||
			    (crs[0] != '\0' && strstr(kinds[i].name, "attack") != NULL);

		if (!skip)
			printf("  %-28s %10.1f us\n", kinds[i].name,
			    measure(policy, &kinds[i], seconds));
		free(kinds[i].head);
		free(kinds[i].body);
	}
	if (crs[0] == '\0' && only == NULL)
		memory_of_policies(waf);
	waf_policy_free(&policy);
}

int
main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
	const char *only = argc > 2 ? argv[2] : NULL;
	char folder[] = "/tmp/bench_waf.XXXXXX", *file;
	struct waf *waf;
	struct err e;
	FILE *f;

	log_set_level(LOG_LEVEL_WARN);
	CHECK(waf_new(&waf, &e) == ERR_OK);
	bench_kinds(waf, "", "full rule set", seconds, only);
	CHECK(mkdtemp(folder) != NULL);
	file = mem_printf("%s/none.conf", folder);
	f = fopen(file, "we");
	CHECK(f != NULL);
	fputs("SecMarker NONE\n", f);
	fclose(f);
	if (only == NULL)
		bench_kinds(waf, folder, "no rule set", seconds, only);
	remove(file);
	remove(folder);
	free(file);
	waf_free(&waf);
	return (0);
}
