/* SPDX-License-Identifier: Apache-2.0 */
/* The WAF against the real engine and rule set. */
#include "config.h"

#include "rules/waf.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <unistd.h>
#include <cmocka.h>

#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

#include "gateway/base/check.h"
#include "rules/advice.h"
#include "tests/unit/waf_rig.h"

static struct waf *waf;
static struct waf_policy *plain;

static int
setup(void **state)
{
	struct conf_policy c = rig_policy();
	struct err e;

	(void)state;
	if (waf_new(&waf, &e) != ERR_OK ||
	    waf_policy_new(&plain, waf, &c, &e) != ERR_OK) {
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
#define MULTIPART "multipart/form-data; boundary=xYzZY"
#define PART(name, more, content)                                           \
	"--xYzZY\r\nContent-Disposition: form-data; name=\"" name "\"" more \
	"\r\n\r\n" content "\r\n"

static const struct {
	const char *method, *target, *type, *body;
	bool refuse;
	uint16_t status;
	uint32_t rule; /* one that must have matched; 0: none named */
	const char *variable;
	const char *why;
} rows[] = {
	{ "GET", "/", NULL, NULL, false, 0, 0, NULL, "clean" },
	{ "GET", "/?id=1", NULL, NULL, false, 0, 0, NULL, "clean query" },
	{ "GET", "/?id=1%27%20OR%201=1--", NULL, NULL, true, 403, 942100, "ARGS:id",
	    "SQL" },
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
	{ "POST", "/", "text/xml", "<a><b>1' OR 1=1--</b></a>", true, 403, 942100,
	    "XML:/*", "XML" },
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
		(void)waf_finish(txn, v->refuse ? v->status : 200);
		waf_txn_free(&txn);
		rig_request_free(&r);
		free(head);
	}
}

/* --- policies ------------------------------------------------------------------ */

/* The verdict of one request under a policy; hits are gone then, so what a test
 * asks is answered here. */
struct outcome {
	bool refuse, detected, hit;
	uint16_t status;
	uint32_t score, n_hits;
};

static struct outcome
ask_body(struct waf_policy *policy, const char *head, struct span body, uint32_t rule)
{
	const struct waf_verdict *v;
	struct rig_request r;
	struct waf_txn *txn;
	struct outcome out;

	rig_request_init(&r, head, body);
	txn = rig_txn(policy, &r);
	v = waf_request(txn, &r.body);
	out = (struct outcome){ v->refuse, v->detected, rig_hit(v, rule) != NULL,
		v->status, v->score, v->n_hits };
	if (getenv("SHOW") != NULL)
		rig_print(v);
	(void)waf_finish(txn, 200);
	waf_txn_free(&txn);
	rig_request_free(&r);
	return (out);
}

static struct outcome
ask(struct waf_policy *policy, const char *method, const char *target, uint32_t rule)
{
	char *head = rig_head(method, target, NULL, 0);
	struct outcome out = ask_body(policy, head, SPAN_NONE, rule);

	free(head);
	return (out);
}

static struct waf_policy *
make_policy(const struct conf_policy *c)
{
	struct waf_policy *policy;
	struct err e;

	if (waf_policy_new(&policy, waf, c, &e) != ERR_OK) {
		print_error("%s\n", e.text);
		fail();
	}
	return (policy);
}

#define SQL "1%27%20OR%201=1--"

static void
test_modes_and_thresholds(void **state)
{
	struct conf_policy c = rig_policy();
	struct waf_policy *policy;
	struct outcome out;

	(void)state;
	c.mode = CONF_WAF_DETECT;
	policy = make_policy(&c);
	out = ask(policy, "GET", "/?q=" SQL, 942100);
	assert_false(out.refuse);
	assert_true(out.detected);
	assert_true(out.hit);
	assert_int_equal(out.score, 5);
	assert_false(ask(policy, "GET", "/?q=1", 0).detected);
	waf_policy_free(&policy);
	c.mode = CONF_WAF_BLOCK;
	c.crs.inbound_threshold = 6;
	policy = make_policy(&c);
	out = ask(policy, "GET", "/?q=" SQL, 942100);
	assert_false(out.refuse);
	assert_true(out.hit);
	assert_int_equal(out.score, 5);
	waf_policy_free(&policy);
	/* paranoia 2 sees more */
	c.crs.inbound_threshold = 5;
	assert_false(ask(plain, "GET", "/?q=%22a%22%20or%20b", 0).refuse);
	c.crs.paranoia = 4;
	policy = make_policy(&c);
	assert_true(ask(policy, "GET", "/?q=%22a%22%20or%20b", 0).refuse);
	waf_policy_free(&policy);
}

static const char *get[] = { "GET" };

static const struct {
	struct conf_exclude exclude;
	const char *method, *target;
	bool refuse;
	const char *why;
} exclusions[] = {
	{ { .rule = 942100, .tag = "", .target = "ARGS:q", .path = "" }, "GET",
	    "/?q=" SQL, false, "rule and target" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:q", .path = "" }, "GET",
	    "/?r=" SQL, true, "another argument" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:q", .path = "" }, "GET",
	    "/?q=1&Q=" SQL, true, "names of arguments have case" },
	{ { .rule = 942100, .tag = "", .target = "ARGS", .path = "" }, "GET", "/?q=" SQL,
	    false, "a whole collection" },
	{ { .rule = 942100, .tag = "", .target = "", .path = "" }, "GET", "/?q=" SQL,
	    false, "a whole rule" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:/^q[0-9]+$/", .path = "" }, "GET",
	    "/?q12=" SQL, false, "by regular expression" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:/^q[0-9]+$/", .path = "" }, "GET",
	    "/?q12=1&x=" SQL, true, "not matched by it" },
	{ { .rule = 942100, .tag = "", .target = "ARGS_NAMES:/^q/", .path = "" }, "GET",
	    "/?q=" SQL, true, "a regular expression stays in its collection" },
	{ { .rule = 0, .tag = "attack-sqli", .target = "ARGS:q", .path = "" }, "GET",
	    "/?q=" SQL, false, "tag and target" },
	{ { .rule = 0, .tag = "attack-xss", .target = "ARGS:q", .path = "" }, "GET",
	    "/?q=" SQL, true, "another tag" },
	{ { .rule = 0, .tag = "OWASP_CRS", .target = "", .path = "" }, "GET", "/?q=" SQL,
	    false, "all of the rule set" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:q", .path = "/search" }, "GET",
	    "/search/shoes?q=" SQL, false, "path by prefix" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:q", .path = "/search" }, "GET",
	    "/login?q=" SQL, true, "another path" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:q", .path = "=/search" }, "GET",
	    "/search?q=" SQL, false, "exact path" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:q", .path = "=/search" }, "GET",
	    "/search/?q=" SQL, true, "longer than the exact path" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:q", .path = "=/search" }, "GET",
	    "/%73earch?q=" SQL, false, "the canonical path counts" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:q", .path = "/a%2Fb" }, "GET",
	    "/a%2fb?q=" SQL, true, "an encoded slash has two readings" },
	{ { .rule = 942100,
	      .tag = "",
	      .target = "ARGS:q",
	      .path = "",
	      .method = { get, 1 } },
	    "GET", "/?q=" SQL, false, "method" },
	{ { .rule = 942100,
	      .tag = "",
	      .target = "ARGS:q",
	      .path = "",
	      .method = { get, 1 } },
	    "HEAD", "/?q=" SQL, true, "another method" },
	{ { .rule = 999, .tag = "", .target = "", .path = "" }, "GET", "/?q=" SQL, true,
	    "a rule that is not there is only logged" },
};

static void
test_exclusions(void **state)
{
	struct waf_policy *policy;
	struct conf_policy c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(exclusions) / sizeof(exclusions[0]); i++) {
		struct conf_exclude exclude = exclusions[i].exclude;

		c = rig_policy();
		c.exclude = &exclude;
		c.n_exclude = 1;
		policy = make_policy(&c);
		if (ask(policy, exclusions[i].method, exclusions[i].target, 0).refuse !=
		    exclusions[i].refuse) {
			print_error("%s\n", exclusions[i].why);
			fail();
		}
		waf_policy_free(&policy);
	}
}

static const struct {
	struct conf_exclude exclude;
	const char *text; /* in the error */
} bad_exclusions[] = {
	{ { .rule = 949110, .tag = "", .target = "", .path = "" }, "nothing is refused" },
	{ { .rule = 901200, .tag = "", .target = "", .path = "" }, "sets up" },
	{ { .rule = 0, .tag = "", .target = "", .path = "" }, "one of rule and tag" },
	{ { .rule = 942100, .tag = "x", .target = "", .path = "" },
	    "one of rule and tag" },
	{ { .rule = 942100, .tag = "", .target = "args:q", .path = "" }, "allowed" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:", .path = "" }, "allowed" },
	{ { .rule = 942100, .tag = "", .target = "ARGS:/(/", .path = "" }, "offset" },
	{ { .rule = 942100, .tag = "", .target = "", .path = "search" }, "a prefix" },
};

static void
test_bad_exclusions(void **state)
{
	struct waf_policy *policy;
	struct conf_policy c;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad_exclusions) / sizeof(bad_exclusions[0]); i++) {
		struct conf_exclude exclude = bad_exclusions[i].exclude;

		c = rig_policy();
		c.exclude = &exclude;
		c.n_exclude = 1;
		assert_int_not_equal(waf_policy_new(&policy, waf, &c, &e), ERR_OK);
		assert_non_null(strstr(e.text, "policy default: exclude: entry 1: "));
		assert_non_null(strstr(e.text, bad_exclusions[i].text));
	}
}

/* Exclusions that the rules make for themselves (ctl) go on working beside ours. */
static void
test_app_exclusions(void **state)
{
	static const char *names[] = { "wordpress" };
	static const char *wrong[] = { "wordpres" };
	struct conf_policy c = rig_policy();
	struct waf_policy *policy;
	struct err e;

	(void)state;
	c.crs.apps.v = names;
	c.crs.apps.n = 1;
	policy = make_policy(&c);
	assert_true(ask(plain, "POST", "/wp-login.php?pwd=" SQL, 0).refuse);
	assert_false(ask(policy, "POST", "/wp-login.php?pwd=" SQL, 0).refuse);
	assert_true(ask(policy, "POST", "/wp-login.php?log=" SQL, 0).refuse);
	waf_policy_free(&policy);
	c.crs.apps.v = wrong;
	assert_int_not_equal(waf_policy_new(&policy, waf, &c, &e), ERR_OK);
	assert_non_null(strstr(e.text, "allowed: cpanel"));
}

/* What yett explain proposes lets the same request pass. */
static const struct {
	const char *target, *type, *body;
	unsigned entries; /* how many it takes */
} advised[] = {
	{ "/search?q=" SQL, NULL, NULL, 1 },
	{ "/search?q=%3Cscript%3Ealert(1)%3C/script%3E", NULL, NULL, 3 },
	{ "/search?q=%3Cscript%3Ealert(1)%3C/script%3E&id=" SQL, NULL, NULL, 4 },
	{ "/x/.git/config", NULL, NULL, 1 },
	{ "/?a=/etc/passwd", NULL, NULL, 2 },
	{ "/", "application/json", "{\"a\":[{\"note\":\"1' OR 1=1--\"}]}", 1 },
	{ "/", "text/xml", "<a>1' OR 1=1--</a>", 1 },
	{ "/", "application/json", "{", 1 },
	{ "/", "application/nonsense", "x", 1 },
};

static size_t
take_advice(const struct waf_verdict *v, struct conf_exclude *exclude, char **kept)
{
	struct advice_score score = { v->score, v->threshold, v->detected };
	struct advice_hit hits[32];
	struct text target;
	size_t n = 0, i;

	assert_true(v->n_hits <= 32);
	for (i = 0; i < v->n_hits; i++)
		hits[i] = (struct advice_hit){ v->hits[i].id, v->hits[i].score,
			v->hits[i].phase, v->hits[i].variable, false };
	assert_int_equal(advice_choose(hits, v->n_hits, &score), ADVICE_EXCLUDE);
	for (i = 0; i < v->n_hits; i++) {
		if (!hits[i].exclude)
			continue;
		text_init(&target, 1024);
		(void)advice_target(hits[i].variable, &target);
		kept[n] = span_strdup(text_span(&target));
		text_free(&target);
		exclude[n] = (struct conf_exclude){ .rule = hits[i].id,
			.tag = "",
			.target = kept[n],
			.path = "",
			.method = { get, 0 } };
		n++;
	}
	return (n);
}

static void
test_advice_lets_it_pass(void **state)
{
	struct conf_exclude exclude[8];
	const struct waf_verdict *v;
	struct waf_policy *policy;
	struct rig_request r;
	struct conf_policy c;
	struct waf_txn *txn;
	char *head, *kept[8];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(advised) / sizeof(advised[0]); i++) {
		head = rig_head(advised[i].type != NULL ? "POST" : "GET",
		    advised[i].target, advised[i].type, 1);
		rig_request_init(&r, head, span_of(advised[i].body));
		txn = rig_txn(plain, &r);
		v = waf_request(txn, &r.body);
		assert_true(v->refuse);
		c = rig_policy();
		c.exclude = exclude;
		c.n_exclude = n = take_advice(v, exclude, kept);
		if (n != advised[i].entries) {
			printf("%s: %zu entries\n", advised[i].target, n);
			rig_print(v);
		}
		assert_int_equal(n, advised[i].entries);
		waf_txn_free(&txn);
		policy = make_policy(&c);
		txn = rig_txn(policy, &r);
		v = waf_request(txn, &r.body);
		if (v->refuse)
			rig_print(v);
		assert_false(v->refuse);
		waf_txn_free(&txn);
		waf_policy_free(&policy);
		while (n-- > 0)
			free(kept[n]);
		rig_request_free(&r);
		free(head);
	}
}

/* --- rules of the operator's ----------------------------------------------------- */

static char *
write_rules(const char *text)
{
	char *path = mem_strdup("/tmp/test_waf.XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return (path);
}

static enum err_code
policy_with_rules(struct waf_policy **policy, const char *text, struct err *e)
{
	struct conf_policy c = rig_policy();
	char *path = write_rules(text);
	const char *files[1];
	enum err_code rc;

	files[0] = path;
	c.rules.v = files;
	c.rules.n = 1;
	rc = waf_policy_new(policy, waf, &c, e);
	unlink(path);
	free(path);
	return (rc);
}

static void
test_own_rules(void **state)
{
	struct waf_policy *policy;
	struct outcome out;
	struct err e;
	char *head;

	(void)state;
	assert_int_equal(
	    policy_with_rules(&policy,
		"SecRule ARGS:secret \"@streq 1\" \"id:1,phase:1,deny,status:418,"
		"msg:'no secrets'\"\n"
		"SecRule REQUEST_BODY \"@contains needle\" \"id:2,phase:2,deny\"\n"
		"SecRule REQUEST_FILENAME \"@streq /old\" \"id:3,phase:1,"
		"redirect:https://new.example/\"\n"
		"SecRule REQUEST_FILENAME \"@streq /free\" \"id:4,phase:1,allow\"\n"
		"SecRule ARGS:pair \"@streq a\" \"id:5,phase:2,deny,chain\"\n"
		"  SecRule ARGS:other \"@streq b\"\n",
		&e),
	    ERR_OK);
	out = ask(policy, "GET", "/?secret=1", 1);
	assert_true(out.refuse && out.hit);
	assert_int_equal(out.status, 418);
	assert_int_equal(ask(policy, "GET", "/old", 3).status, 302);
	assert_false(ask(policy, "GET", "/free?q=" SQL, 0).refuse);
	assert_true(ask(policy, "GET", "/?pair=a&other=b", 5).hit);
	assert_false(ask(policy, "GET", "/?pair=a&other=c", 5).hit);
	/* the raw body of what is parsed is for own rules only */
	head = rig_head("POST", "/", "application/json", 16);
	assert_true(ask_body(policy, head, SPAN("{\"x\":\"needle\"}  "), 2).hit);
	free(head);
	waf_policy_free(&policy);
}

static const struct {
	const char *rules, *text;
} bad_rules[] = {
	{ "SecRule ARGS \"@streq 1\" \"id:942100,phase:3,deny\"\n",
	    "942100 is used already" },
	{ "SecRule ARGS \"@streq 1\" \"id:9500001,phase:1,deny\"\n", "Yett's own" },
	{ "SecAction \"id:5,phase:1\"\nSecAction \"id:5,phase:2\"\n", "id 5 is used" },
	{ "SecRule ARGS \"@rx a\" \"id:1,nonsense\"\n", "Line: 1" },
	{ "SecRule ARGS \"@rx a\"\n", "must have an ID. Line: 1" },
	{ "# one\n\nSecRemoteRules key https://x.example/\n", "line 3: SecRemoteRules" },
	{ "SecRule ARGS \\\n  \"@streq 1\" \\\n \"id:1,phase:1,exec:/bin/x\"",
	    "line 1: exec" },
	{ "SecRuleScript /x.lua \"id:1\"\n", "allow: [lua]" },
	{ "SecRule FILES_TMPNAMES \"@inspectFile /x\" \"id:1,phase:2\"\n",
	    "[inspect_file]" },
	{ "SecRule REMOTE_ADDR \"!@rbl x.example\" \"id:1,phase:1\"\n", "allow: [rbl]" },
	{ "Include other.conf\n", "under rules:" },
	{ "  secauditlog /x\n", "logs.audit" },
	{ "SecRuleEngine Off\n", "mode:" },
	{ "SecDefaultAction \"phase:2,deny\"\n", "each rule" },
	{ "SecAction \"id:1,phase:1,initcol:ip=%{REMOTE_ADDR}\"\n", "threads" },
	{ "SecAction \"id:1,phase:1,setvar:'ip.n=+1'\"\n", "threads" },
	{ "SecAction \"id:1,phase:1,ctl:requestBodyAccess=Off\"\n", "always inspected" },
};

static void
test_bad_rules(void **state)
{
	struct waf_policy *policy;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad_rules) / sizeof(bad_rules[0]); i++) {
		assert_int_not_equal(
		    policy_with_rules(&policy, bad_rules[i].rules, &e), ERR_OK);
		if (strstr(e.text, bad_rules[i].text) == NULL) {
			print_error("%s\n", e.text);
			fail();
		}
	}
	/* words in a comment, a message or a pattern are no directives */
	assert_int_equal(policy_with_rules(&policy,
			     "# SecRemoteRules x\n"
			     "SecRule ARGS \"@rx SecRuleEngine,exec:/x\" \"id:1,phase:1,"
			     "msg:'never, exec:/bin/sh, Include'\"\n",
			     &e),
	    ERR_OK);
	waf_policy_free(&policy);
}

/* --- Yett's own checks ------------------------------------------------------------ */

static char *
many(const char *before, const char *item, size_t n, const char *after)
{
	struct text t;
	char *copy;

	text_init(&t, 1 << 20);
	text_puts(&t, before);
	for (size_t i = 0; i < n; i++)
		text_printf(&t, "%s%s%zu", i != 0 ? "," : "", item, i);
	text_puts(&t, after);
	for (size_t i = 0; item[0] == '&' && i < t.n; i++)
		if (t.p[i] == ',')
			t.p[i] = '&';
	copy = span_strdup(text_span(&t));
	text_free(&t);
	return (copy);
}

static void
test_argument_limits(void **state)
{
	struct outcome out;
	char *body, *head, *target;

	(void)state;
	head = rig_head("POST", "/", "application/json", 1);
	body = many("[", "", 256, "]");
	out = ask_body(plain, head, span_of(body), 9500001);
	assert_true(out.refuse && out.hit);
	assert_int_equal(out.status, 400);
	free(body);
	body = many("[", "", 255, "]");
	assert_false(ask_body(plain, head, span_of(body), 0).refuse);
	free(body);
	assert_false(ask_body(plain, head, SPAN("[\",,,\\\",,,\"]"), 0).refuse);
	free(head);
	target = many("/?", "a=1&b", 128, "");
	for (char *c = target; *c != '\0'; c++)
		if (*c == ',')
			*c = '&';
	assert_true(ask(plain, "GET", target, 9500001).hit);
	free(target);
}

static const struct {
	const char *type, *body;
	uint32_t rule;
	const char *why;
} multiparts[] = {
	{ MULTIPART, PART("a", "", "one") "--xYzZY--\r\n", 0, "sane" },
	{ "multipart/form-data; boundary=\"xYzZY\"", PART("a", "", "one") "--xYzZY--\r\n",
	    0, "a quoted boundary is a valid one" },
	{ "multipart/form-data; boundary=\"xYzZY\"",
	    PART("a", "", "1' OR 1=1--") "--xYzZY--\r\n", 942100, "and hides nothing" },
	{ "multipart/form-data; Boundary=xYzZY", PART("a", "", "one") "--xYzZY--\r\n", 0,
	    "names of parameters have no case" },
	{ "multipart/form-data; charset=utf-8; boundary=xYzZY",
	    PART("a", "", "1' OR 1=1--") "--xYzZY--\r\n", 942100, "another parameter" },
	{ "multipart/form-data; charset=utf-8; boundary=xYzZY",
	    PART("a", "", "one") "--xYzZY--\r\n", 0, "another parameter, clean" },
	{ "multipart/form-data", "x", 9500003, "no boundary" },
	{ "multipart/form-data; boundary=a; boundary=b", "x", 9500003, "two boundaries" },
	{ "multipart/form-data; boundary=a\"b", "x", 9500003, "quote in a boundary" },
	{ MULTIPART, PART("a", "\n", "one") "--xYzZY--\r\n", 9500003, "bare LF" },
	{ MULTIPART,
	    "--xYzZY\nContent-Disposition: form-data; name=\"a\"\n\none\n--xYzZY--\n",
	    200003, "bare LF throughout is the engine's business" },
	{ MULTIPART,
	    "--xYzZY\nContent-Disposition: form-data; name=\"a\"\n\none\r\n" PART(
		"b", "", "two") "--xYzZY--\r\n",
	    9500003, "two kinds of lines" },
	{ MULTIPART, PART("a", "\r", "one") "--xYzZY--\r\n", 9500003, "bare CR" },
	{ MULTIPART,
	    "--xYzZY \r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
	    "--xYzZY--\r\n",
	    9500003, "space behind the boundary" },
};

static void
test_multipart_sanity(void **state)
{
	struct outcome out;
	char *head;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(multiparts) / sizeof(multiparts[0]); i++) {
		head = rig_head("POST", "/", multiparts[i].type, 1);
		out = ask_body(
		    plain, head, span_of(multiparts[i].body), multiparts[i].rule);
		free(head);
		if (out.refuse != (multiparts[i].rule != 0) ||
		    (multiparts[i].rule != 0 && !out.hit)) {
			print_error("%s\n", multiparts[i].why);
			fail();
		}
	}
	assert_true(ask_body(plain,
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
	    "Content-Type: text/plain\r\nContent-Type: application/json\r\n\r\n",
	    SPAN("1"), 9500004)
			.hit);
}

/* A body without a Content-Type is read as a form: its bytes are arguments. */
static void
test_untyped_body(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"
				   "User-Agent: x\r\nContent-Length: 1\r\n\r\n";

	(void)state;
	assert_true(ask_body(plain, head, SPAN("{\"a\":\"1' OR 1=1--\"}"), 942100).hit);
	assert_true(ask_body(plain, head, SPAN("a=1'+OR+1%3d1--"), 942100).hit);
	assert_false(ask_body(plain, head, SPAN("plain words"), 0).refuse);
}

/* Empty fields, an IPv6 host, names that nginx would drop. */
static void
test_odd_heads(void **state)
{
	struct outcome out;

	(void)state;
	out = ask_body(plain,
	    "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\nUser-Agent: x\r\n"
	    "Accept: */*\r\nAuthorization: \r\nCookie: \r\nX_under.dot: 1\r\n\r\n",
	    SPAN_NONE, 0);
	assert_false(out.refuse);
	out = ask_body(plain,
	    "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nAccept: */*\r\n"
	    "X_Filename: a.php\r\n\r\n",
	    SPAN_NONE, 933110);
	assert_true(out.hit);
}

/* --- answers ---------------------------------------------------------------------- */

static void
test_responses(void **state)
{
	static const char page[] =
	    "<html>You have an error in your SQL syntax; check the "
	    "manual that corresponds to your MySQL server version</html>";
	struct conf_policy c = rig_policy();
	struct http_response rs = { .status = 200 };
	struct http_field fields[4];
	const struct waf_verdict *v;
	struct waf_policy *policy;
	struct rig_request r;
	struct waf_txn *txn;
	char *head;

	(void)state;
	c.response_body.inspect = 65536;
	policy = make_policy(&c);
	head = rig_head("GET", "/", NULL, 0);
	rig_request_init(&r, head, SPAN_NONE);
	http_fields_init(&rs.fields, fields, 4);
	http_fields_add(
	    &rs.fields, SPAN("Content-Type"), SPAN("Text/HTML; charset=utf-8"));
	txn = rig_txn(policy, &r);
	assert_false(waf_request(txn, &r.body)->refuse);
	assert_false(waf_response_head(txn, &rs)->refuse);
	assert_int_equal(waf_response_wanted(txn, &rs), 65536);
	v = waf_response_body(txn, span_of(page));
	assert_true(v->refuse);
	assert_int_equal(v->status, 403);
	assert_int_equal(v->threshold, 4);
	assert_true(v->score >= 4);
	assert_non_null(rig_hit(v, 951230));
	(void)waf_finish(txn, 403);
	waf_txn_free(&txn);
	http_fields_add(&rs.fields, SPAN("Content-Encoding"), SPAN("gzip"));
	txn = rig_txn(policy, &r);
	assert_int_equal(waf_response_wanted(txn, &rs), 0);
	waf_txn_free(&txn);
	rig_request_free(&r);
	free(head);
	waf_policy_free(&policy);
}

static void
test_body_from_a_file(void **state)
{
	char *path = write_rules("q=" SQL);
	const struct waf_verdict *v;
	struct rig_request r;
	struct waf_txn *txn;
	char *head;

	(void)state;
	head = rig_head("POST", "/", FORM, 2 + strlen(SQL));
	rig_request_init(&r, head, SPAN_NONE);
	r.body.fd = open(path, O_RDONLY | O_CLOEXEC);
	r.body.bytes = 2 + strlen(SQL);
	txn = rig_txn(plain, &r);
	v = waf_request(txn, &r.body);
	assert_non_null(rig_hit(v, 942100));
	waf_txn_free(&txn);
	/* shorter than it was said to be: refused, not passed half seen */
	r.body.bytes++;
	txn = rig_txn(plain, &r);
	v = waf_request(txn, &r.body);
	assert_non_null(rig_hit(v, 9500005));
	assert_true(v->refuse);
	waf_txn_free(&txn);
	close(r.body.fd);
	unlink(path);
	free(path);
	rig_request_free(&r);
	free(head);
}

/* --- bodies of which only the head is there ------------------------------------- */

static const struct {
	const char *type, *body;
	const char *attack; /* what the clean text is replaced by */
} cuts[] = {
	{ FORM, "a=one&b=red%20shoes&c=%C3%A9t%C3%A9&note=xxxxxxxxxxxxxxxxxx&last=two",
	    "1%27+OR+1%3D1--+aa" },
	{ "application/json",
	    "{\"a\":[1,true,null,{\"b\":\"\\u00e9t\\\"\xc3\xa9\"}],\"c\":-1.5e3,"
	    "\"note\":\"xxxxxxxxxxxxxxxxxx\", \"d\" : { \"e\" : [ ] , \"f\":false}}",
	    "1' OR 1=1-- aaaaaa" },
	{ "text/xml",
	    "<?xml version=\"1.0\"?>\n<!-- list --><a x='1 &amp; 2'><b>\xc3\xa9t&#233;"
	    "</b><e/><note>xxxxxxxxxxxxxxxxxx</note><![CDATA[ <raw> ]]></a>",
	    "1' OR 1=1-- aaaaaa" },
	{ MULTIPART,
	    PART("a", "", "one") PART("note", "", "xxxxxxxxxxxxxxxxxx")
		PART("file", "; filename=\"photo.png\"\r\nContent-Type: image/png",
		    "\x89PNG\r\n--xY--\r\n") "--xYzZY--\r\n",
	    "1' OR 1=1-- aaaaaa" },
};

static bool
cut_is_refused(const char *type, struct span body, const char *what)
{
	const struct waf_verdict *v;
	struct rig_request r;
	struct waf_txn *txn;
	bool refused;
	char *head = rig_head("POST", "/upload", type, body.n + 1000);

	rig_request_init(&r, head, body);
	r.body.truncated = true;
	txn = rig_txn(plain, &r);
	v = waf_request(txn, &r.body);
	refused = v->refuse;
	if (getenv("SHOW") != NULL && (refused != (what == NULL))) {
		printf("%s %zu: \"%.*s\"\n", type, body.n, SPAN_FMT(body));
		rig_print(v);
	}
	waf_txn_free(&txn);
	rig_request_free(&r);
	free(head);
	return (refused);
}

static void
test_cut_bodies(void **state)
{
	char *copy, *at;
	size_t i, n, from;

	(void)state;
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		for (n = 0; n < strlen(cuts[i].body); n++) {
			/* one that multipart can't begin with */
			if (cut_is_refused(cuts[i].type, span_mem(cuts[i].body, n), "")) {
				print_error(
				    "%s cut at %zu is refused\n", cuts[i].type, n);
				fail();
			}
		}
		copy = span_strdup(span_of(cuts[i].body));
		at = strstr(copy, "xxxxxx");
		memcpy(at, cuts[i].attack, strlen(cuts[i].attack));
		from = (size_t)(at - copy) + strlen(cuts[i].attack) - 2;
		for (n = from; n < strlen(copy); n++) {
			if (!cut_is_refused(cuts[i].type, span_mem(copy, n), NULL)) {
				print_error("%s cut at %zu passes\n", cuts[i].type, n);
				fail();
			}
		}
		free(copy);
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

	assert_true(
	    msc_rules_add(rules,
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
		cmocka_unit_test(test_modes_and_thresholds),
		cmocka_unit_test(test_exclusions),
		cmocka_unit_test(test_bad_exclusions),
		cmocka_unit_test(test_app_exclusions),
		cmocka_unit_test(test_advice_lets_it_pass),
		cmocka_unit_test(test_own_rules),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_argument_limits),
		cmocka_unit_test(test_multipart_sanity),
		cmocka_unit_test(test_untyped_body),
		cmocka_unit_test(test_odd_heads),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_body_from_a_file),
		cmocka_unit_test(test_cut_bodies),
		cmocka_unit_test(test_engine_hole_is_real),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
