/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a configuration as values. */
#include "config.h"

#include "gateway/conf/value.h"

#include "gateway/base/utf8.h"

#define QUOTE_MAX 80
#define WORD_MAX 64

/* clang-format off */
const struct value_unit value_duration_units[] = {
	{ "us",	1,				"microseconds" },
	{ "ms",	1000,				"milliseconds" },
	{ "s",	1000000,			"seconds" },
	{ "m",	UINT64_C(60) * 1000000,		"minutes" },
	{ "h",	UINT64_C(3600) * 1000000,	"hours" },
	{ "d",	UINT64_C(86400) * 1000000,	"days" },
	{ NULL, 0, NULL },
};

const struct value_unit value_size_units[] = {
	{ "B",		1,			"bytes" },
	{ "kB",		1000,			"1000 bytes" },
	{ "KiB",	UINT64_C(1) << 10,	"1024 bytes" },
	{ "MB",		1000000,		"1000 kB" },
	{ "MiB",	UINT64_C(1) << 20,	"1024 KiB" },
	{ "GB",		1000000000,		"1000 MB" },
	{ "GiB",	UINT64_C(1) << 30,	"1024 MiB" },
	{ NULL, 0, NULL },
};

const struct value_unit value_rate_units[] = {
	{ "s",	86400,	"a second" },
	{ "m",	1440,	"a minute" },
	{ "h",	24,	"an hour" },
	{ "d",	1,	"a day" },
	{ NULL, 0, NULL },
};
/* clang-format on */

static const struct value_unit *
unit_find(const struct value_unit *unit, struct span name)
{
	for (; unit->name != NULL; unit++)
		if (span_eq(span_of(unit->name), name))
			return (unit);
	return (NULL);
}

/* Splits "10s" into 10 and "s". */
static bool
split_unit(struct span text, uint64_t *number_r, struct span *unit_r)
{
	size_t n = 0;

	while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
		n++;
	*unit_r = span_cut(text, n, text.n);
	return (n > 0 && span_u64(span_cut(text, 0, n), number_r));
}

bool
value_number(struct span text, uint32_t *number_r)
{
	uint64_t number;

	if (text.n == 0 || !span_u64(text, &number) || number > UINT32_MAX)
		return (false);
	*number_r = (uint32_t)number;
	return (true);
}

bool
value_duration(struct span text, int64_t *us_r)
{
	const struct value_unit *unit;
	struct span name;
	uint64_t number, us;

	if (!split_unit(text, &number, &name))
		return (false);
	if (name.n == 0) {
		*us_r = 0;
		return (number == 0);
	}
	unit = unit_find(value_duration_units, name);
	if (unit == NULL || __builtin_mul_overflow(number, unit->factor, &us) ||
	    us > INT64_MAX)
		return (false);
	*us_r = (int64_t)us;
	return (true);
}

bool
value_size(struct span text, uint64_t *bytes_r)
{
	const struct value_unit *unit;
	struct span name;
	uint64_t number;

	if (!split_unit(text, &number, &name))
		return (false);
	unit = unit_find(value_size_units, name.n > 0 ? name : SPAN("B"));
	return (unit != NULL && !__builtin_mul_overflow(number, unit->factor, bytes_r));
}

bool
value_rate(struct span text, struct value_rate *rate_r)
{
	const struct value_unit *unit;
	struct span tokens;

	if (!span_split(&text, '/', &tokens) || tokens.n == 0 || text.p == NULL)
		return (false);
	unit = unit_find(value_rate_units, text);
	if (unit == NULL || !span_u64(tokens, &rate_r->tokens))
		return (false);
	rate_r->per_us = UINT64_C(86400) * 1000000 / unit->factor;
	return (!__builtin_mul_overflow(
	    rate_r->tokens, unit->factor, &rate_r->tokens_per_day));
}

bool
value_truth(struct span text, bool *truth_r)
{
	static const struct {
		struct span word;
		bool truth;
	} words[] = {
		{ SPAN("on"), true },
		{ SPAN("off"), false },
		{ SPAN("true"), true },
		{ SPAN("false"), false },
		{ SPAN("yes"), true },
		{ SPAN("no"), false },
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!span_eq_nocase(words[i].word, text))
			continue;
		*truth_r = words[i].truth;
		return (true);
	}
	return (false);
}

bool
value_word(struct span *rest, struct span *word_r)
{
	if (rest->n == 0 || !span_split(rest, ',', word_r))
		return (false);
	*word_r = span_trim(*word_r);
	return (true);
}

static int
lower(char c)
{
	return (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c);
}

static unsigned
smallest(unsigned a, unsigned b, unsigned c)
{
	if (b < a)
		a = b;
	return (c < a ? c : a);
}

/* Damerau and Levenshtein, with swaps of neighbours only: three rows do. */
size_t
value_distance(struct span a, struct span b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before, *last, *row;
	size_t i, j;

	if (a.n > WORD_MAX || b.n > WORD_MAX)
		return (SIZE_MAX);
	for (j = 0; j <= b.n; j++)
		rows[0][j] = (unsigned)j;
	for (i = 1; i <= a.n; i++) {
		before = rows[(i + 1) % 3];
		last = rows[(i + 2) % 3];
		row = rows[i % 3];
		row[0] = (unsigned)i;
		for (j = 1; j <= b.n; j++) {
			row[j] = smallest(last[j] + 1, row[j - 1] + 1,
			    last[j - 1] + (lower(a.p[i - 1]) != lower(b.p[j - 1])));
			if (i > 1 && j > 1 && lower(a.p[i - 1]) == lower(b.p[j - 2]) &&
			    lower(a.p[i - 2]) == lower(b.p[j - 1]))
				row[j] = smallest(row[j], before[j - 2] + 1, row[j]);
		}
	}
	return (rows[a.n % 3][b.n]);
}

bool
value_is_near(struct span typed, struct span word, size_t *distance_r)
{
	size_t allowed = (word.n + 1) / 3;

	if (allowed < 1)
		allowed = 1;
	if (allowed > 3)
		allowed = 3;
	*distance_r = value_distance(typed, word);
	return (*distance_r <= allowed && *distance_r < word.n);
}

void
value_quote(struct span s, struct text *out)
{
	size_t i = 0, n;
	unsigned char c;

	text_putc(out, '"');
	while (i < s.n && i < QUOTE_MAX) {
		c = (unsigned char)s.p[i];
		n = utf8_sequence(span_cut(s, i, s.n));
		if (n == 0 || c < 0x20 || c == 0x7f ||
		    (n == 2 && c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0)) {
			text_printf(out, "\\x%02x", c);
			i++;
			continue;
		}
		text_put(out, span_cut(s, i, i + n));
		i += n;
	}
	if (i < s.n)
		text_puts(out, "...");
	text_putc(out, '"');
}
