/* SPDX-License-Identifier: Apache-2.0 */
/* Vary and the secondary key. A line of input each: Vary, then the field Foo and
 * Accept-Encoding of one request, then those of another. A request always finds what
 * was stored for it; another one only with the same values, white space aside. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/cache/vary.h"
#include "gateway/http/chars.h"

#define LINES 5
#define KEY_MAX 65536

struct message {
	struct http_field array[2];
	struct http_fields f;
};

static const struct http_fields *
make(struct message *m, struct span foo, struct span encodings)
{
	http_fields_init(&m->f, m->array, 2);
	if (foo.p != NULL)
		CHECK(http_fields_add(&m->f, SPAN("Foo"), foo));
	if (encodings.p != NULL)
		CHECK(http_fields_add(&m->f, SPAN("Accept-Encoding"), encodings));
	return (&m->f);
}

/* Every blank dropped: what is equal without them may be one variant. */
static void
squeeze(struct text *t, struct span s)
{
	size_t i;

	text_reset(t);
	for (i = 0; i < s.n; i++)
		if (s.p[i] != ' ' && s.p[i] != '\t')
			text_putc(t, s.p[i]);
}

static bool
same_without_blanks(struct span a, struct span b)
{
	struct text x, y;
	bool same;

	text_init(&x, KEY_MAX);
	text_init(&y, KEY_MAX);
	squeeze(&x, a);
	squeeze(&y, b);
	same = (a.p == NULL) == (b.p == NULL) && span_eq(text_span(&x), text_span(&y));
	text_free(&x);
	text_free(&y);
	return (same);
}

static bool
is_named(const struct cache_vary *vary, struct span name)
{
	unsigned i;

	for (i = 0; i < vary->n; i++)
		if (span_eq_nocase(vary->v[i], name))
			return (true);
	return (false);
}

static void
check_keys(const struct cache_vary *vary, const struct span lines[LINES])
{
	static const struct cache_vary_rules rules[2] = { { .codings = 0 },
		{ .codings = CACHE_CODING_GZIP | CACHE_CODING_BR } };
	struct text names, key, scratch;
	struct message one, two;
	unsigned i;
	bool same;

	text_init(&names, KEY_MAX);
	text_init(&key, KEY_MAX);
	text_init(&scratch, KEY_MAX);
	cache_vary_put_names(&names, vary);
	(void)make(&one, lines[1], lines[2]);
	(void)make(&two, lines[3], lines[4]);
	for (i = 0; i < 2; i++) {
		text_reset(&key);
		CHECK(cache_vary_put_key(&key, vary, &one.f, &rules[i]));
		CHECK(cache_vary_matches(
		    text_span(&names), text_span(&key), &one.f, &rules[i], &scratch));
		same = cache_vary_matches(
		    text_span(&names), text_span(&key), &two.f, &rules[i], &scratch);
		if (same && is_named(vary, SPAN("foo")))
			CHECK(same_without_blanks(lines[1], lines[3]));
		if (same && i == 0 && is_named(vary, SPAN("accept-encoding")))
			CHECK(same_without_blanks(lines[2], lines[4]));
	}
	text_free(&names);
	text_free(&key);
	text_free(&scratch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(span_mem(data, size));
	struct span rest = span_mem(copy, size), lines[LINES] = { { NULL, 0 } };
	struct http_field array[1];
	struct http_fields answer;
	struct cache_vary vary;
	unsigned i;

	for (i = 0; i < LINES && span_split(&rest, '\n', &lines[i]); i++) {
		lines[i] = span_trim(lines[i]);
		if (lines[i].n > 0 &&
		    char_run_value(lines[i].p, 0, lines[i].n) != lines[i].n)
			break;
	}
	if (i > 0 && (i == LINES || rest.p == NULL)) {
		http_fields_init(&answer, array, 1);
		CHECK(http_fields_add(&answer, SPAN("Vary"), lines[0]));
		if (cache_vary_read(&vary, &answer))
			check_keys(&vary, lines);
	}
	free(copy);
	return (0);
}
