/* SPDX-License-Identifier: Apache-2.0 */
/* What rule texts say about when a rule can't match. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gateway/base/buf.h"
#include "rules/facts.h"
#include "rules/scan.h"

struct row {
	const char *text;
	enum fact_kind kind;
	uint64_t sources;
	const char *why;
};

/* clang-format off */
static const struct row ROWS[] = {
	{ "SecRule ARGS \"@rx x\" \"id:1,deny\"\n", FACT_SOURCES, FACTS_ARGS, "plain" },
	{ "SecRule ARGS|XML:/*|!REQUEST_COOKIES:/a|b/ \"@rx x\" \\\n  \"id:1,\\\n  deny\"\n",
	    FACT_SOURCES, FACTS_ARGS | FACTS_XML, "lines joined, exclusions passed over" },
	{ "SecRule REQUEST_COOKIES|REQUEST_FILENAME \"@rx x\" \"id:1\"\n", FACT_NONE, 0,
	    "a file name is always there" },
	{ "SecRule &ARGS \"@eq 0\" \"id:1\"\n", FACT_NONE, 0, "a count is always there" },
	{ "SecRule ARGS:/x|y/|FILES \"@rx x\" \"id:1\"\n", FACT_SOURCES,
	    FACTS_ARGS | FACTS_FILES, "a bar within a regular expression" },
	{ "SecRule REQUEST_HEADERS:Range \"@rx x\" \"id:1\"\n", FACT_SOURCES,
	    UINT64_C(1) << FACTS_HEADER_0, "a field of its own bit" },
	{ "SecRule REQUEST_HEADERS:/^X/ \"@rx x\" \"id:1\"\n", FACT_SOURCES, FACTS_HEADERS,
	    "fields by regular expression" },
	{ "SecRule &TX:a \"@eq 0\" \"id:1,setvar:'tx.a=1'\"\n", FACT_TX_ABSENT, 0, "absent" },
	{ "SecRule &TX:a|TX:a \"@eq 0\" \"id:1,skipAfter:E\"\n", FACT_NONE, 0, "two of TX" },
	{ "SecRule TX:L \"@lt 2\" \"id:1,phase:1,pass,nolog,skipAfter:E\"\n", FACT_TX_LESS, 0,
	    "jump over a paranoia level" },
	{ "SecRule TX:L \"@lt 2\" \"id:1,pass,nolog,setvar:tx.a=1,skipAfter:E\"\n", FACT_NONE,
	    0, "a jump that does more" },
	{ "SecRule TX:L \"@lt %{tx.m}\" \"id:1,pass,nolog,skipAfter:E\"\n", FACT_NONE, 0,
	    "a bound that isn't known" },
	{ "SecRule TX:L \"@lt 2\" \"id:1,deny\"\n", FACT_NONE, 0, "no jump" },
	{ "# SecRule ARGS \"@rx x\" \"id:1,deny\"\n", FACT_NONE, 0, "a comment" },
	{ "SecRule ARGS \"@rx x\" \"id:1\"\nSecRule FILES \"@rx x\" \"id:1\"\n", FACT_NONE, 0,
	    "an id that comes twice" },
	{ "SecRule ARGS \"@rx x\" \"id:1\"\nSecRuleUpdateTargetById 1 FILES\n", FACT_NONE, 0,
	    "targets changed later" },
	{ "SecRule ARGS \"@rx \\\" id:7\" \"msg:'a, id:9',id:1\"\n", FACT_SOURCES, FACTS_ARGS,
	    "quotes within the operator, ids within a message" },
	{ "SecRule ARGS \"@rx", FACT_NONE, 0, "cut short" },
	{ "SecRule ARGS:'/x|y/'|IP \"@rx x\" \"id:1\"\n", FACT_NONE, 0, "quoted, then unknown" },
};
/* clang-format on */

static void
test_rows(void **state)
{
	const struct fact *f;
	struct facts *all;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		all = facts_new();
		facts_add(all, span_of(ROWS[i].text));
		f = facts_find(all, 1);
		if ((f == NULL ? FACT_NONE : f->kind) != ROWS[i].kind ||
		    (f != NULL && f->sources != ROWS[i].sources))
			fail_msg("%s: another fact", ROWS[i].why);
		facts_free(&all);
	}
}

/* Most of the rule set's rules are understood. */
static void
test_rule_set(void **state)
{
	const char *path =
	    "/usr/share/modsecurity-crs/rules/REQUEST-942-APPLICATION-ATTACK-SQLI.conf";
	const struct fact *f;
	struct facts *all;
	struct text file;
	struct err e;

	(void)state;
	assert_int_equal(scan_read(path, &file, &e), ERR_OK);
	all = facts_new();
	facts_add(all, text_span(&file));
	f = facts_find(all, 942100);
	assert_non_null(f);
	assert_int_equal(f->kind, FACT_SOURCES);
	f = facts_find(all, 942014);
	assert_non_null(f);
	assert_int_equal(f->kind, FACT_TX_LESS);
	assert_string_equal(f->label, "END-REQUEST-942-APPLICATION-ATTACK-SQLI");
	assert_int_equal(f->bound, 2);
	facts_free(&all);
	text_free(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_rule_set),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
