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

#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

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
	{ "GET", "/x/.git/config", NULL, NULL, true, 403, 930130, "REQUEST_FILENAME",
	    "file that is nobody's business" },
	{ "GET", "/x%3f/.git/config", NULL, NULL, true, 403, 930130, "REQUEST_FILENAME",
	    "the same behind an encoded ?" },
	{ "GET", "/x%23/.git/config", NULL, NULL, true, 403, 930130, "REQUEST_FILENAME",
	    "the same behind an encoded #" },
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

/* Why shim_request fills the engine's variables itself: msc_process_uri decodes
 * before it looks for the query (CVE-2024-1019). When this test fails, the engine
 * is a repaired one. */
static bool
engine_sees(const char *uri)
{
	ModSecurity *ms = msc_init();
	RulesSet *rules = msc_create_rules_set();
	ModSecurityIntervention it = { .status = 200 };
	char id[] = "test";
	const char *error = NULL;
	Transaction *t;
	int seen;

	assert_true(msc_rules_add(rules,
			"SecRuleEngine On\n"
			"SecRule REQUEST_FILENAME \"@contains .git\" \"id:1,phase:1,nolog,deny\"",
			&error) > 0);
	t = msc_new_transaction_with_id(ms, rules, id, NULL);
	msc_process_connection(t, "192.0.2.1", 1, "192.0.2.2", 2);
	msc_process_uri(t, uri, "GET", "1.1");
	msc_process_request_headers(t);
	seen = msc_intervention(t, &it);
	free(it.log);
	msc_transaction_cleanup(t);
	msc_rules_cleanup(rules);
	msc_cleanup(ms);
	return (seen != 0);
}

static void
test_engine_hole_is_real(void **state)
{
	(void)state;
	assert_true(engine_sees("/x/.git/config"));
	assert_false(engine_sees("/x%3f/.git/config"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_engine_hole_is_real),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
