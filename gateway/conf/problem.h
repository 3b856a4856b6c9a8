/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/problem.h - what is wrong with a configuration, and where. */
#ifndef YETT_CONF_PROBLEM_H
#define YETT_CONF_PROBLEM_H

#include <stddef.h>

#include "gateway/base/buf.h"

/* Where a value stands, for errors found after reading. */
struct conf_place {
	const char *file;
	unsigned line, column;		/* from 1; 0: a default */
};

/* One finding; conf_load collects all there are, in order of file and line. */
struct conf_problem {
	struct conf_place place;
	char field[160];		/* "policies.default.crs.paranoia" */
	char text[640];			/* found, allowed, nearest field */
};

struct conf_problems { struct conf_problem *v; size_t n; };

void conf_problems_add(struct conf_problems *, const struct conf_place *,
    const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "file:line:column: field: text" without a newline, for a person. */
void conf_problem_text(const struct conf_problem *, struct text *);
/* By file, line and column; conf_load has done so with what it gives. */
void conf_problems_sort(struct conf_problems *);
void conf_problems_free(struct conf_problems *);

#endif
