/* SPDX-License-Identifier: Apache-2.0 */
/* What the text of a rule says about when it can't match. */
#include "config.h"

#include "rules/facts.h"

#include <stdlib.h>

#include "gateway/base/buf.h"
#include "gateway/base/check.h"

#define DIRECTIVE_MAX (1u << 16)

struct facts {
	struct fact *v; /* sorted by id once looked up */
	size_t n, size;
	char *headers[FACTS_HEADER_MAX];
	unsigned n_headers;
	bool updated; /* targets are changed elsewhere */
};

struct facts *
facts_new(void)
{
	return (mem_zalloc(sizeof(struct facts)));
}

static void
fact_clear(struct fact *f)
{
	free(f->tx);
	free(f->label);
	f->tx = f->label = NULL;
	f->kind = FACT_NONE;
}

void
facts_free(struct facts **facts)
{
	struct facts *all;
	size_t i;

	all = *facts;
	*facts = NULL;
	if (all == NULL)
		return;
	for (i = 0; i < all->n; i++)
		fact_clear(&all->v[i]);
	for (i = 0; i < all->n_headers; i++)
		free(all->headers[i]);
	free(all->v);
	free(all);
}

uint64_t
facts_header(const struct facts *all, struct span name)
{
	unsigned i;

	for (i = 0; i < all->n_headers; i++)
		if (span_eq_nocase(span_of(all->headers[i]), name))
			return (UINT64_C(1) << (FACTS_HEADER_0 + i));
	return (0);
}

static uint64_t
header_bit(struct facts *all, struct span name)
{
	uint64_t bit;

	bit = facts_header(all, name);
	if (bit != 0)
		return (bit);
	if (all->n_headers == FACTS_HEADER_MAX)
		return (FACTS_HEADERS);
	all->headers[all->n_headers++] = span_strdup(name);
	return (facts_header(all, name));
}

/* --- variables ---------------------------------------------------------------- */

static const struct {
	struct span name;
	uint64_t bit;
} SOURCES[] = {
	{ SPAN("ARGS"), FACTS_ARGS },
	{ SPAN("ARGS_NAMES"), FACTS_ARGS },
	{ SPAN("ARGS_GET"), FACTS_ARGS_GET },
	{ SPAN("ARGS_GET_NAMES"), FACTS_ARGS_GET },
	{ SPAN("ARGS_POST"), FACTS_ARGS_POST },
	{ SPAN("ARGS_POST_NAMES"), FACTS_ARGS_POST },
	{ SPAN("REQUEST_COOKIES"), FACTS_COOKIES },
	{ SPAN("REQUEST_COOKIES_NAMES"), FACTS_COOKIES },
	{ SPAN("FILES"), FACTS_FILES },
	{ SPAN("FILES_NAMES"), FACTS_FILES_NAMES },
	{ SPAN("MULTIPART_PART_HEADERS"), FACTS_PART_HEADERS },
	{ SPAN("XML"), FACTS_XML },
	{ SPAN("REQUEST_HEADERS_NAMES"), FACTS_HEADERS },
};

/* 0: not a part that may be absent, as far as is known. */
static uint64_t
source_bit(struct facts *all, struct span variable)
{
	struct span name, member;
	size_t colon, i;

	colon = span_index(variable, ':');
	name = span_cut(variable, 0, colon);
	member =
	    colon == SIZE_MAX ? SPAN_NONE : span_cut(variable, colon + 1, variable.n);
	if (span_eq_nocase(name, SPAN("REQUEST_HEADERS")))
		return (member.n == 0 || member.p[0] == '/' || member.p[0] == '\''
			    ? FACTS_HEADERS
			    : header_bit(all, member));
	for (i = 0; i < sizeof(SOURCES) / sizeof(SOURCES[0]); i++)
		if (span_eq_nocase(name, SOURCES[i].name))
			return (SOURCES[i].bit);
	return (0);
}

/* Takes a variable off the front; a "|" within a regular expression or quotes is
 * none that divides. */
static bool
next_variable(struct span *rest, struct span *variable_r)
{
	bool regex, quoted;
	size_t i, colon;

	if (rest->n == 0)
		return (false);
	colon = span_index(*rest, ':');
	regex = quoted = false;
	for (i = 0; i < rest->n; i++) {
		if (rest->p[i] == '\\')
			i++;
		else if (rest->p[i] == '\'')
			quoted = !quoted;
		else if (regex && rest->p[i] == '/')
			regex = false;
		else if (i == colon + 1 && rest->p[i] == '/' &&
			 !span_starts(*rest, SPAN("XML:")))
			regex = true;
		else if (rest->p[i] == '|' && !regex && !quoted)
			break;
	}
	if (i > rest->n)
		i = rest->n;
	*variable_r = span_cut(*rest, 0, i);
	*rest = span_cut(*rest, i + 1, rest->n);
	return (true);
}

static void
learn_sources(struct facts *all, struct span variables, struct fact *f)
{
	struct span variable;
	uint64_t bit, sources;

	sources = 0;
	while (next_variable(&variables, &variable)) {
		if (variable.n > 0 && variable.p[0] == '!')
			continue;
		bit = source_bit(all, variable);
		if (bit == 0)
			return;
		sources |= bit;
	}
	f->sources = sources;
	f->kind = sources != 0 ? FACT_SOURCES : FACT_NONE;
}

/* --- actions ------------------------------------------------------------------ */

struct actions {
	uint64_t id;
	struct span label;
	bool chain;
	bool plain; /* none but those that a jump may have */
};

static bool
next_action(struct span *rest, struct span *action_r)
{
	bool quoted;
	size_t i;

	if (rest->n == 0)
		return (false);
	quoted = false;
	for (i = 0; i < rest->n; i++) {
		if (rest->p[i] == '\\')
			i++;
		else if (rest->p[i] == '\'')
			quoted = !quoted;
		else if (rest->p[i] == ',' && !quoted)
			break;
	}
	if (i > rest->n)
		i = rest->n;
	*action_r = span_trim(span_cut(*rest, 0, i));
	*rest = span_cut(*rest, i + 1, rest->n);
	return (true);
}

static struct actions
read_actions(struct span text)
{
	struct actions a = { .plain = true };
	struct span action;

	while (next_action(&text, &action)) {
		if (span_starts(action, SPAN("id:")))
			span_u64(span_cut(action, 3, action.n), &a.id);
		else if (span_starts(action, SPAN("skipAfter:")))
			a.label = span_cut(action, 10, action.n);
		else if (span_eq(action, SPAN("chain")))
			a.chain = true;
		else if (!span_eq(action, SPAN("pass")) &&
			 !span_eq(action, SPAN("nolog")) &&
			 !span_starts(action, SPAN("phase:")) && action.n != 0)
			a.plain = false;
	}
	return (a);
}

/* --- rules -------------------------------------------------------------------- */

/* SecRule TX:NAME "@lt N" "...,skipAfter:LABEL": how the rule set leaves out the
 * rules of higher paranoia levels. */
static void
learn_jump(
    struct fact *f, struct span name, struct span operator, const struct actions * a)
{
	uint64_t bound;

	if (!a->plain || a->chain || a->label.n == 0 ||
	    !span_starts(operator, SPAN("@lt ")) ||
	    !span_u64(span_cut(operator, 4, operator.n), &bound) || bound > 1000)
		return;
	f->kind = FACT_TX_LESS;
	f->tx = span_strdup(name);
	f->label = span_strdup(a->label);
	f->bound = (int)bound;
}

static bool
is_lone_tx(struct span variables, size_t prefix)
{
	return (variables.n > prefix && span_index(variables, '|') == SIZE_MAX &&
		span_index(variables, '/') == SIZE_MAX &&
		span_index(variables, '%') == SIZE_MAX);
}

static void
learn(struct facts *all, struct span variables, struct span operator, struct span text)
{
	struct fact f = { 0 };
	struct actions a;

	a = read_actions(text);
	if (a.id == 0 || a.id > UINT32_MAX)
		return;
	f.id = (uint32_t)a.id;
	if (span_starts(variables, SPAN("&TX:")) && is_lone_tx(variables, 4)) {
		if (span_eq(operator, SPAN("@eq 0"))) {
			f.kind = FACT_TX_ABSENT;
			f.tx = span_strdup(span_cut(variables, 4, variables.n));
		}
	} else if (span_starts(variables, SPAN("TX:")) && is_lone_tx(variables, 3)) {
		learn_jump(&f, span_cut(variables, 3, variables.n), operator, & a);
	} else {
		learn_sources(all, variables, &f);
	}
	if (all->n == all->size) {
		all->size = all->size != 0 ? 2 * all->size : 256;
		all->v = mem_realloc(all->v, all->size * sizeof(*all->v));
	}
	all->v[all->n++] = f;
}

/* Takes a word off the front: quoted (with \" inside), or up to white space. */
static struct span
next_word(struct span *rest)
{
	struct span word;
	size_t i;

	*rest = span_trim(*rest);
	if (rest->n > 0 && rest->p[0] == '"') {
		for (i = 1; i < rest->n && rest->p[i] != '"'; i++)
			if (rest->p[i] == '\\')
				i++;
		word = span_cut(*rest, 1, i);
		*rest = span_cut(*rest, i + 1, rest->n);
		return (word);
	}
	for (i = 0; i < rest->n && rest->p[i] != ' ' && rest->p[i] != '\t'; i++)
		continue;
	word = span_cut(*rest, 0, i);
	*rest = span_cut(*rest, i, rest->n);
	return (word);
}

static void
learn_directive(struct facts *all, struct span directive)
{
	struct span word, variables, operator;

	word = next_word(&directive);
	if (span_cut(word, 0, 19).n == 19 &&
	    span_eq_nocase(span_cut(word, 0, 19), SPAN("SecRuleUpdateTarget")))
		all->updated = true;
	if (!span_eq_nocase(word, SPAN("SecRule")))
		return;
	variables = next_word(&directive);
	operator= next_word(&directive);
	learn(all, variables, operator, next_word(&directive));
}

static int
by_id(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;

	return ((x->id > y->id) - (x->id < y->id));
}

void
facts_add(struct facts *all, struct span text)
{
	struct text directive;
	struct span line;

	text_init(&directive, DIRECTIVE_MAX);
	while (span_split(&text, '\n', &line)) {
		line = span_trim(line);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (directive.n == 0 && line.n > 0 && line.p[0] == '#')
			continue;
		if (line.n > 0 && line.p[line.n - 1] == '\\') {
			text_put(&directive, span_cut(line, 0, line.n - 1));
			continue;
		}
		text_put(&directive, line);
		if (!directive.overflow)
			learn_directive(all, text_span(&directive));
		text_reset(&directive);
	}
	text_free(&directive);
	if (all->n > 0)
		qsort(all->v, all->n, sizeof(*all->v), by_id);
}

const struct fact *
facts_find(const struct facts *all, uint32_t id)
{
	const struct fact key = { .id = id };
	const struct fact *f;

	if (all->updated || all->n == 0)
		return (NULL);
	f = bsearch(&key, all->v, all->n, sizeof(*all->v), by_id);
	if (f == NULL || (f > all->v && f[-1].id == id) ||
	    (f + 1 < all->v + all->n && f[1].id == id))
		return (NULL);
	return (f->kind != FACT_NONE ? f : NULL);
}
