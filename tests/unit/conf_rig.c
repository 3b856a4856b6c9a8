/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations in tests. */
#include "config.h"

#include "tests/unit/conf_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct conf *
conf_rig_load(struct span yaml, struct conf_problems *problems)
{
	return (conf_load_text("t.yaml", yaml, problems));
}

char *
conf_problems_text(struct conf_problems *problems)
{
	struct text t;
	char *out;
	size_t i;

	text_init(&t, 1 << 20);
	for (i = 0; i < problems->n; i++) {
		conf_problem_text(&problems->v[i], &t);
		text_putc(&t, '\n');
	}
	out = span_strdup(text_span(&t));
	text_free(&t);
	conf_problems_free(problems);
	return (out);
}

static bool
is_told(const struct conf_fault *row)
{
	struct conf_problems problems;
	struct conf *cf = conf_rig_load(span_of(row->yaml), &problems);
	size_t count = problems.n;
	char *text = conf_problems_text(&problems);
	bool good;

	if (row->told == NULL)
		good = count == 0 && cf != NULL;
	else
		good = count == 1 && cf == NULL &&
		       strncmp(text, row->told, strlen(row->told)) == 0;
	if (!good)
		print_error("%s:\n%s\ntold as\n%snot\n%s\n", row->why, row->yaml, text,
		    row->told != NULL ? row->told : "");
	free(text);
	conf_free(&cf);
	return (good);
}

void
conf_check_faults(const struct conf_fault *rows, size_t n)
{
	size_t i, bad = 0;

	for (i = 0; i < n; i++)
		if (!is_told(&rows[i]))
			bad++;
	assert_int_equal(bad, 0);
}
