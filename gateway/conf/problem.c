/* SPDX-License-Identifier: Apache-2.0 */
/* The list of what is wrong with a configuration. */
#include "config.h"

#include "gateway/conf/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/base/utf8.h"

/* More than anybody reads; a broken file of a megabyte must not cost a
 * gigabyte. */
#define PROBLEMS_MAX 500

/* A character that was cut in two by a full array is taken off whole. */
static void
trim_to_utf8(char *text)
{
	size_t n = strlen(text), i = n;

	while (i > 0 && n - i < 4 && ((unsigned char)text[i - 1] & 0xc0) == 0x80)
		i--;
	if (i > 0 && utf8_sequence(span_mem(text + i - 1, n - i + 1)) != n - i + 1)
		text[i - 1] = '\0';
}

void
conf_problems_add(struct conf_problems *problems, const struct conf_place *place,
    const char *field, const char *format, ...)
{
	struct conf_problem *p;
	va_list ap;

	if (problems->n >= PROBLEMS_MAX)
		return;
	if ((problems->n & (problems->n - 1)) == 0)
		problems->v = mem_realloc(problems->v,
		    (problems->n == 0 ? 1 : problems->n * 2) * sizeof(*problems->v));
	p = &problems->v[problems->n++];
	p->place = *place;
	p->place.file = mem_strdup(place->file != NULL ? place->file : "");
	snprintf(p->field, sizeof(p->field), "%s", field);
	if (problems->n == PROBLEMS_MAX) {
		snprintf(p->text, sizeof(p->text), "%s",
		    "further problems are left out: mend these first");
		return;
	}
	va_start(ap, format);
	vsnprintf(p->text, sizeof(p->text), format, ap);
	va_end(ap);
	trim_to_utf8(p->text);
	trim_to_utf8(p->field);
}

static int
problem_order(const void *a, const void *b)
{
	const struct conf_problem *x = a, *y = b;
	int order = strcmp(x->place.file, y->place.file);

	if (order != 0)
		return (order);
	if (x->place.line != y->place.line)
		return (x->place.line < y->place.line ? -1 : 1);
	if (x->place.column != y->place.column)
		return (x->place.column < y->place.column ? -1 : 1);
	return (strcmp(x->field, y->field));
}

void
conf_problems_sort(struct conf_problems *problems)
{
	if (problems->n > 1)
		qsort(problems->v, problems->n, sizeof(*problems->v), problem_order);
}

void
conf_problem_text(const struct conf_problem *p, struct text *out)
{
	text_puts(out, p->place.file);
	if (p->place.line > 0)
		text_printf(out, ":%u:%u", p->place.line, p->place.column);
	if (p->place.file[0] != '\0')
		text_puts(out, ": ");
	if (p->field[0] != '\0')
		text_printf(out, "%s: ", p->field);
	text_puts(out, p->text);
}

void
conf_problems_free(struct conf_problems *problems)
{
	char *file;
	size_t i;

	for (i = 0; i < problems->n; i++) {
		/* mem_strdup made it; const for everybody else */
		memcpy(&file, &problems->v[i].place.file, sizeof(file));
		free(file);
	}
	free(problems->v);
	*problems = (struct conf_problems){ NULL, 0 };
}
