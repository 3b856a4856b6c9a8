/* SPDX-License-Identifier: Apache-2.0 */
/* The WAF against the real engine and rule set. */
#include "config.h"

#include "rules/waf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/waf_rig.h"

static struct waf *waf;
static struct waf_policy *plain;

static int
setup(void **state)
{
	struct conf_policy c = rig_policy();
	struct err e;

	(void)state;
	if (waf_new(&waf, &e) != ERR_OK || waf_policy_new(&plain, waf, &c, &e) != ERR_OK) {
		print_error("%s\n", e.text);
		return (-1);
	}
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	waf_policy_free(&plain);
	waf_free(&waf);
	return (0);
}

#define FORM "application/x-www-form-urlencoded"

static const struct {
	const char *method, *target, *type, *body;
	bool refuse;
	uint16_t status;
	uint32_t rule;			/* one that must have matched; 0: none named */
	const char *variable;
	const char *why;
} rows[] = {
	{ "GET", "/", NULL, NULL, false, 0, 0, NULL, "clean" },
	{ "GET", "/?id=1", NULL, NULL, false, 0, 0, NULL, "clean query" },
	{ "GET", "/?id=1%27%20OR%201=1--", NULL, NULL, true, 403, 942100, "ARGS:id", "SQL" },
	{ "POST", "/", FORM, "q=1%27%20OR%201=1--", true, 403, 942100, "ARGS:q", "form" },
	{ "POST", "/", FORM, "q=one&r=two", false, 0, 0, NULL, "clean form" },
	{ "POST", "/", "application/json", "{\"a\":[1,\"1' OR 1=1--\"]}", true, 403,
	    942100, "ARGS:json.a.array_1", "JSON" },
	{ "POST", "/", "application/vnd.api+json", "{\"a\":\"1' OR 1=1--\"}", true, 403,
	    942100, "ARGS:json.a", "JSON by suffix" },
	{ "POST", "/", "application/vnd.api+json", "{\"a\":\"b\"}", false, 0, 0, NULL,
	    "clean JSON by suffix" },
	{ "POST", "/", "application/json", "{\"a\":", true, 400, 200002, "REQBODY_ERROR",
	    "broken JSON" },
	{ "POST", "/", "text/xml", "<a><b>1' OR 1=1--</b></a>", true, 403, 942100, "XML:/*",
	    "XML" },
	{ "POST", "/", "application/soap+xml", "<a><b>one</b></a>", false, 0, 0, NULL,
	    "clean XML" },
	{ "POST", "/", "text/xml", "<a><b>", true, 400, 200002, NULL, "broken XML" },
	{ "GET", "/", "text/xml", "", false, 0, 0, NULL, "type without a body" },
	{ "GET", "/x%3f/../../etc/passwd%3fa=1%27%20OR%201=1--", NULL, NULL, true, 403, 0,
	    NULL, "behind an encoded ?" },
	{ "GET", "/a%3fb=/etc/passwd", NULL, NULL, true, 403, 930120, NULL,
	    "file behind an encoded ?" },
	{ "GET", "/index.php?x=<script>alert(1)</script>", NULL, NULL, true, 403, 941100,
	    "ARGS:x", "script" },
};

static void
test_rows(void **state)
{
	struct rig_request r;
	const struct waf_verdict *v;
	struct waf_txn *txn;
	char *head;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		head = rig_head(rows[i].method, rows[i].target, rows[i].type,
		    rows[i].body != NULL ? strlen(rows[i].body) : 0);
		rig_request_init(&r, head, span_of(rows[i].body));
		txn = rig_txn(plain, &r);
		assert_non_null(txn);
		v = waf_request(txn, &r.body);
		if (v->refuse != rows[i].refuse || v->status != rows[i].status ||
		    (rows[i].rule != 0 && rig_hit(v, rows[i].rule) == NULL) ||
		    getenv("SHOW") != NULL) {
			printf("%s: ", rows[i].why);
			rig_print(v);
		}
		assert_int_equal(v->refuse, rows[i].refuse);
		assert_int_equal(v->status, rows[i].status);
		if (rows[i].rule != 0)
			assert_non_null(rig_hit(v, rows[i].rule));
		if (rows[i].variable != NULL) {
			const struct waf_hit *hit = rig_hit(v, rows[i].rule);

			assert_true(span_eq(hit->variable, span_of(rows[i].variable)));
		}
		v = waf_finish(txn, v->refuse ? v->status : 200);
		waf_txn_free(&txn);
		rig_request_free(&r);
		free(head);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
