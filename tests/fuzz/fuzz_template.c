/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of fields: what compiles writes one line whatever the values hold. The first
 * line is the template, the rest the value of every variable. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/filter/template.h"
#include "gateway/http/chars.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(span_mem(data, size));
	struct span rest = span_mem(copy, size), text;
	struct template_values values;
	struct template *t;
	struct text out;
	struct err e;
	size_t i;

	span_split(&rest, '\n', &text);
	if (template_compile(&t, text, &e) != ERR_OK) {
		CHECK(t == NULL && e.text[0] != '\0');
		free(copy);
		return (0);
	}
	for (i = 0; i < TEMPLATE_VARIABLE_COUNT; i++)
		values.v[i] = rest;
	text_init(&out, 1u << 20);
	CHECK(template_put(t, &values, &out) == out.n);
	CHECK(!out.overflow && out.n <= text.n + TEMPLATE_PIECES_MAX * 3 * rest.n);
	CHECK(char_run(out.p, 0, out.n, CHAR_VALUE) == out.n);
	text_free(&out);
	template_free(&t);
	free(copy);
	return (0);
}
