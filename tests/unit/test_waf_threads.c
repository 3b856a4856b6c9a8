/* SPDX-License-Identifier: Apache-2.0 */
/* One policy under several threads, while another thread makes and drops policies
 * of its own on the same base: what a reload does beside requests. */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/waf_rig.h"

#define THREADS 4
#define ROUNDS 12

static struct waf *waf; /* made by main before the threads */
static struct waf_policy *policy;
static atomic_uint faults;

static const struct {
	const char *method, *target, *type, *body;
	bool refuse;
} kinds[] = {
	{ "GET", "/search?q=red+shoes&page=2", NULL, NULL, false },
	{ "GET", "/search?q=1%27%20OR%201=1--", NULL, NULL, true },
	{ "POST", "/", "application/x-www-form-urlencoded", "a=1&b=two", false },
	{ "POST", "/", "application/json", "{\"a\":[1,2,{\"b\":\"1' OR 1=1--\"}]}",
	    true },
	{ "POST", "/", "text/xml", "<a><b>one</b></a>", false },
	{ "POST", "/", "text/xml", "<a><b>", true },
	{ "POST", "/", "multipart/form-data; boundary=bb",
	    "--bb\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--bb--\r\n",
	    false },
};

static void
inspect(size_t kind)
{
	const struct waf_verdict *v;
	struct rig_request r;
	struct waf_txn *txn;
	char *head = rig_head(kinds[kind].method, kinds[kind].target, kinds[kind].type,
	    kinds[kind].body != NULL ? strlen(kinds[kind].body) : 0);

	rig_request_init(&r, head, span_of(kinds[kind].body));
	txn = rig_txn(policy, &r);
	v = waf_request(txn, &r.body);
	if (v->refuse != kinds[kind].refuse)
		atomic_fetch_add(&faults, 1);
	(void)waf_finish(txn, 200);
	waf_txn_free(&txn);
	rig_request_free(&r);
	free(head);
}

static void *
worker(void *number)
{
	for (size_t i = 0; i < ROUNDS; i++)
		inspect(
		    (i + (size_t)(uintptr_t)number) % (sizeof(kinds) / sizeof(kinds[0])));
	return (NULL);
}

static void *
reloader(void *unused)
{
	struct conf_policy c = rig_policy();
	struct waf_policy *other;
	struct waf *again;
	struct err e;

	for (unsigned i = 0; i < ROUNDS; i++) {
		c.crs.paranoia = 1 + i % 4;
		if (waf_new(&again, &e) != ERR_OK ||
		    waf_policy_new(&other, again, &c, &e) != ERR_OK) {
			atomic_fetch_add(&faults, 1);
			continue;
		}
		waf_policy_free(&other);
		waf_free(&again);
	}
	return (unused);
}

static void
test_threads(void **state)
{
	struct conf_policy c = rig_policy();
	struct conf_exclude exclude = {
		.rule = 942100, .tag = "", .target = "ARGS:/^free/", .path = ""
	};
	pthread_t threads[THREADS + 1];
	struct err e;
	size_t i;

	(void)state;
	c.exclude = &exclude;
	c.n_exclude = 1;
	assert_int_equal(waf_new(&waf, &e), ERR_OK);
	assert_int_equal(waf_policy_new(&policy, waf, &c, &e), ERR_OK);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, worker, (void *)(uintptr_t)i), 0);
	assert_int_equal(pthread_create(&threads[THREADS], NULL, reloader, NULL), 0);
	for (i = 0; i <= THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&faults), 0);
	waf_policy_free(&policy);
	waf_free(&waf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
