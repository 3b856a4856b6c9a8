/* SPDX-License-Identifier: Apache-2.0 */
/* Exclusions: checking, compiling against a base, and choosing per request. */
#include "config.h"

#include "rules/exclude.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/log.h"

struct exclude_condition {
	char *path; /* NULL: any */
	bool exact;
	char **methods;
	size_t n_methods;
};

struct exclude_set {
	struct shim_exclude *v;
	struct exclude_condition *conditions;
	size_t n;
	struct shim_exclude_link *links;
	size_t n_links, max_links;
	uint16_t *first;
};

/* Without these rules nothing would ever be refused. */
static const struct {
	uint32_t from, to;
	const char *what;
} vital[] = {
	{ 901000, 901999, "sets up the rule set" },
	{ 949000, 949999, "compares the score with the threshold" },
	{ 959000, 959999, "compares the score with the threshold" },
};

static const char *const field_collections[] = {
	"REQUEST_HEADERS",
	"REQUEST_HEADERS_NAMES",
	"RESPONSE_HEADERS",
	NULL,
};

static enum err_code
check_rule(uint32_t rule, struct err *e)
{
	for (size_t i = 0; i < sizeof(vital) / sizeof(vital[0]); i++)
		if (rule >= vital[i].from && rule <= vital[i].to)
			return (err_set(e, ERR_UNSUPPORTED,
			    "rule %u %s: without it nothing is refused; exclude the "
			    "rules that scored, raise the threshold or use mode: detect",
			    rule, vital[i].what));
	return (ERR_OK);
}

/* "/regex/" with its slashes off; the engine's own syntax. */
static enum err_code
compile_regex(
    struct shim_exclude *ex, struct span member, const char *target, struct err *e)
{
	PCRE2_UCHAR why[128];
	PCRE2_SIZE offset;
	pcre2_code *code;
	int number;

	member = span_cut(member, 1, member.n - 1);
	code = pcre2_compile(
	    (PCRE2_SPTR)member.p, member.n, PCRE2_DOLLAR_ENDONLY, &number, &offset, NULL);
	if (code == NULL) {
		pcre2_get_error_message(number, why, sizeof(why));
		return (err_set(e, ERR_FORMAT,
		    "target \"%s\": %s at offset %zu of the "
		    "regular expression",
		    target, (const char *)why, (size_t)offset));
	}
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	ex->regex = code;
	return (ERR_OK);
}

static enum err_code
compile_target(struct shim_exclude *ex, const char *target, struct err *e)
{
	struct span text = span_of(target), member;
	size_t colon = span_index(text, ':'), i, end;
	char *collection;

	end = colon == SIZE_MAX ? text.n : colon;
	for (i = 0; i < end; i++)
		if (!isupper((unsigned char)target[i]) && target[i] != '_')
			break;
	if (end == 0 || i != end || colon == text.n - 1)
		return (err_set(e, ERR_FORMAT,
		    "target \"%s\": found \"%s\"; allowed: a "
		    "variable like REQUEST_URI, a collection like ARGS, a member "
		    "like ARGS:q, or members by regular expression like "
		    "ARGS:/^item/",
		    target, target));
	collection = span_strdup(span_cut(text, 0, end));
	ex->collection = collection;
	for (i = 0; field_collections[i] != NULL; i++)
		if (strcmp(collection, field_collections[i]) == 0)
			ex->nocase = true;
	if (colon == SIZE_MAX)
		return (ERR_OK);
	member = span_cut(text, colon + 1, text.n);
	/* "XML:/" + "*" is a member too, spelt as the rules do */
	if (member.n > 2 && member.p[0] == '/' && member.p[member.n - 1] == '/')
		return (compile_regex(ex, member, target, e));
	ex->name = span_strdup(member);
	return (ERR_OK);
}

static void
compile_condition(struct exclude_condition *to, const struct conf_exclude *from)
{
	if (from->path[0] != '\0') {
		to->exact = from->path[0] == '=';
		to->path = mem_strdup(from->path + (to->exact ? 1 : 0));
	}
	to->n_methods = from->method.n;
	to->methods = mem_zalloc(sizeof(*to->methods) * (from->method.n + 1));
	for (size_t i = 0; i < from->method.n; i++)
		to->methods[i] = mem_strdup(from->method.v[i]);
}

static enum err_code
add_link(struct exclude_set *set, uint32_t rule_index, size_t exclude, struct err *e)
{
	uint16_t *slot = &set->first[rule_index];

	if (set->n_links == 0)
		set->n_links = 1; /* 0 ends a chain */
	if (set->n_links > UINT16_MAX)
		return (err_set(e, ERR_RANGE,
		    "too many exclusions: each tag counts once for every rule with it; "
		    "at most %d",
		    UINT16_MAX));
	if (set->n_links >= set->max_links) {
		set->max_links = set->max_links * 2 + 16;
		set->links =
		    mem_realloc(set->links, set->max_links * sizeof(*set->links));
	}
	while (*slot != 0)
		slot = &set->links[*slot].next;
	*slot = (uint16_t)set->n_links;
	set->links[set->n_links].exclude = (uint16_t)exclude;
	set->links[set->n_links].next = 0;
	set->n_links++;
	return (ERR_OK);
}

static enum err_code
link_rules(struct exclude_set *set, size_t exclude, const struct conf_exclude *from,
    struct shim_rules *rules, struct err *e)
{
	uint32_t i, found = 0, count = shim_rules_count(rules);
	bool *tagged = mem_zalloc(count);
	enum err_code rc = ERR_OK;
	struct shim_rule rule;

	if (from->rule == 0 && !shim_rules_tagged(rules, from->tag, tagged))
		rc = err_set(e, ERR_IO, "out of memory");
	for (i = 0; i < count && rc == ERR_OK; i++) {
		rule = shim_rules_at(rules, i);
		if (rule.id == 0)
			continue;
		if (from->rule != 0 ? rule.id != from->rule : !tagged[i])
			continue;
		if (from->rule == 0 && check_rule(rule.id, NULL) != ERR_OK)
			continue; /* "OWASP_CRS" is on all of them */
		rc = add_link(set, i, exclude, e);
		found++;
	}
	free(tagged);
	if (rc != ERR_OK)
		return (rc);
	if (found == 0)
		return (ERR_MISSING);
	return (ERR_OK);
}

static enum err_code
compile_one(struct exclude_set *set, size_t i, const struct conf_exclude *from,
    struct shim_rules *rules, struct err *e)
{
	if ((from->rule != 0) == (from->tag[0] != '\0'))
		return (
		    err_set(e, ERR_FORMAT, "one of rule and tag, not both, not none"));
	if (from->path[0] != '\0' && from->path[0] != '/' && from->path[0] != '=')
		return (err_set(e, ERR_FORMAT,
		    "path: found \"%s\"; allowed: a prefix "
		    "like /search, or an exact path like \"=/login\"",
		    from->path));
	if (from->rule != 0 && check_rule(from->rule, e) != ERR_OK)
		return (e->code);
	compile_condition(&set->conditions[i], from);
	if (from->target[0] != '\0' &&
	    compile_target(&set->v[i], from->target, e) != ERR_OK)
		return (e->code);
	return (link_rules(set, i, from, rules, e));
}

enum err_code
exclude_new(struct exclude_set **set_r, const struct conf_policy *policy,
    struct shim_rules *rules, struct err *e)
{
	const struct conf_exclude *from = policy->exclude;
	size_t n = policy->n_exclude;
	struct exclude_set *set;
	enum err_code rc;

	*set_r = NULL;
	if (n == 0)
		return (ERR_OK);
	if (n > UINT16_MAX)
		return (err_set(
		    e, ERR_RANGE, "exclude: %zu entries; at most %d", n, UINT16_MAX));
	set = mem_zalloc(sizeof(*set));
	set->n = n;
	set->v = mem_zalloc(n * sizeof(*set->v));
	set->conditions = mem_zalloc(n * sizeof(*set->conditions));
	set->first = mem_zalloc(shim_rules_count(rules) * sizeof(*set->first));
	for (size_t i = 0; i < n; i++) {
		rc = compile_one(set, i, &from[i], rules, e);
		if (rc == ERR_MISSING) {
			if (from[i].rule != 0)
				log_warn("waf", "policy %s: exclude: there is no rule %u",
				    policy->name, from[i].rule);
			else
				log_warn("waf", "policy %s: exclude: no rule has tag %s",
				    policy->name, from[i].tag);
		} else if (rc != ERR_OK) {
			exclude_free(&set);
			return (err_wrap(e, "exclude: entry %zu", i + 1));
		}
	}
	*set_r = set;
	return (ERR_OK);
}

/* What the set owns is const to its readers. */
static void
free_const(const void *p)
{
	union {
		const void *from;
		void *to;
	} u = { p };

	free(u.to);
}

static void
free_regex(const pcre2_code *code)
{
	union {
		const pcre2_code *from;
		pcre2_code *to;
	} u = { code };

	pcre2_code_free(u.to);
}

void
exclude_free(struct exclude_set **set_p)
{
	struct exclude_set *set = *set_p;

	*set_p = NULL;
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->n; i++) {
		free_const(set->v[i].collection);
		free_const(set->v[i].name);
		free_regex(set->v[i].regex);
		free(set->conditions[i].path);
		for (size_t m = 0; m < set->conditions[i].n_methods; m++)
			free(set->conditions[i].methods[m]);
		free(set->conditions[i].methods);
	}
	free(set->v);
	free(set->conditions);
	free(set->links);
	free(set->first);
	free(set);
}

size_t
exclude_count(const struct exclude_set *set)
{
	return (set != NULL ? set->n : 0);
}

struct shim_excludes
exclude_table(const struct exclude_set *set)
{
	if (set == NULL)
		return ((struct shim_excludes){ NULL, NULL, NULL });
	return ((struct shim_excludes){ set->v, set->links, set->first });
}

/* A path with an encoded slash has two readings; an exclusion must be meant by
 * both. */
static bool
path_matches(const struct exclude_condition *c, struct span decoded)
{
	struct span path = span_of(c->path);

	return (c->exact ? span_eq(decoded, path) : span_starts(decoded, path));
}

static bool
condition_holds(const struct exclude_condition *c, const struct http_request *rq)
{
	size_t i;

	if (c->path != NULL && !path_matches(c, rq->target.decoded))
		return (false);
	if (c->path != NULL && rq->target.has_encoded_slash &&
	    !path_matches(c, rq->target.slashed))
		return (false);
	for (i = 0; i < c->n_methods; i++)
		if (span_eq(rq->method, span_of(c->methods[i])))
			return (true);
	return (c->n_methods == 0);
}

void
exclude_select(const struct exclude_set *set, const struct http_request *rq, bool *active)
{
	for (size_t i = 0; i < exclude_count(set); i++)
		active[i] = condition_holds(&set->conditions[i], rq);
}
