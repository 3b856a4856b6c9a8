/* SPDX-License-Identifier: Apache-2.0 */
/* A rule set by the conventions of CRS 4, in a folder of its own. */
#include "config.h"

#include "rules/waf.h"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/base/check.h"
#include "tests/unit/waf_rig.h"

struct row {
	uint32_t paranoia, threshold;
	enum conf_waf_mode mode;
	const char *target;
	bool refuse, detected;
	uint32_t score;
	const char *why;
};

static const struct row ROWS[] = {
	{ 1, 5, CONF_WAF_BLOCK, "/?q=hello", false, false, 0, "clean" },
	{ 1, 5, CONF_WAF_BLOCK, "/?q=1'%20OR%201=1--", true, false, 5, "an attack" },
	{ 1, 6, CONF_WAF_BLOCK, "/?q=1'%20OR%201=1--", false, false, 5,
	    "under the threshold" },
	{ 1, 5, CONF_WAF_DETECT, "/?q=1'%20OR%201=1--", false, true, 5, "only detected" },
	{ 1, 5, CONF_WAF_BLOCK, "/?q=level-two", false, false, 0,
	    "a rule of level 2 at 1" },
	{ 2, 5, CONF_WAF_BLOCK, "/?q=level-two", true, false, 5,
	    "a rule of level 2 at 2" },
};

static struct waf_policy *
make_policy(struct waf *waf, const struct row *row)
{
	struct conf_policy c = rig_policy();
	struct waf_policy *policy;
	struct err e;
	char *path;

	path = mem_printf("%s/tests/unit/data/crs4", getenv("top_srcdir"));
	c.crs.path = path;
	c.crs.paranoia = row->paranoia;
	c.crs.inbound_threshold = row->threshold;
	c.mode = row->mode;
	if (waf_policy_new(&policy, waf, &c, &e) != ERR_OK)
		fail_msg("%s", e.text);
	free(path);
	return (policy);
}

static void
check_row(struct waf *waf, const struct row *row)
{
	const struct waf_verdict *v;
	struct waf_policy *policy;
	struct rig_request request;
	struct waf_txn *txn;
	char *head;

	policy = make_policy(waf, row);
	head = rig_head("GET", row->target, NULL, 0);
	rig_request_init(&request, head, SPAN_NONE);
	txn = rig_txn(policy, &request);
	v = waf_request(txn, &request.body);
	if (v->refuse != row->refuse || v->detected != row->detected ||
	    v->score != row->score || v->threshold != row->threshold) {
		rig_print(v);
		fail_msg("%s: score %u", row->why, v->score);
	}
	(void)waf_finish(txn, row->refuse ? 403 : 200);
	waf_txn_free(&txn);
	rig_request_free(&request);
	free(head);
	waf_policy_free(&policy);
}

static void
test_rows(void **state)
{
	struct waf *waf;
	struct err e;
	size_t i;

	(void)state;
	assert_int_equal(waf_new(&waf, &e), ERR_OK);
	for (i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		check_row(waf, &ROWS[i]);
	waf_free(&waf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
