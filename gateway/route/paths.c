/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of one site: exact paths, prefixes, regular expressions. */
#include "config.h"

#include "gateway/route/paths.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "gateway/base/check.h"

/* Backtracking that one match may do: some milliseconds at the very worst. */
#define MATCH_LIMIT 50000
#define HEAP_LIMIT_KIB 4096

struct path {
	struct span text;
	int32_t route;
	int32_t parent; /* the longest other prefix that this one starts with */
};

struct pattern {
	pcre2_code *code;
	int32_t route;
};

struct paths {
	struct path *exact, *prefixes; /* sorted by text */
	struct pattern *patterns; /* in the order of the configuration */
	size_t n_exact, n_prefixes, n_patterns;
	pcre2_match_context *context; /* limits; only read once set */
};

static int
compare(struct span a, struct span b)
{
	const size_t n = a.n < b.n ? a.n : b.n;
	const int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (order != 0)
		return (order);
	return ((a.n > b.n) - (a.n < b.n));
}

static int
compare_paths(const void *a, const void *b)
{
	return (compare(((const struct path *)a)->text, ((const struct path *)b)->text));
}

/* Index behind the last path that is not greater than `text`. */
static size_t
upper_bound(const struct path *v, size_t n, struct span text)
{
	size_t low = 0, middle;

	while (low < n) {
		middle = low + (n - low) / 2;
		if (compare(v[middle].text, text) <= 0)
			low = middle + 1;
		else
			n = middle;
	}
	return (low);
}

/* The prefix itself or one it starts with, the longest that `text` starts with;
 * -1 none. */
static int32_t
ancestor(const struct path *v, int32_t i, struct span text)
{
	while (i >= 0 && !span_starts(text, v[i].text))
		i = v[i].parent;
	return (i);
}

static enum err_code
sort_paths(struct path *v, size_t n, const struct conf_site *site, struct err *e)
{
	size_t i;

	if (n == 0)
		return (ERR_OK);
	qsort(v, n, sizeof(*v), compare_paths);
	for (i = 0; i < n; i++) {
		v[i].parent = -1;
		if (i == 0)
			continue;
		if (span_eq(v[i - 1].text, v[i].text))
			return (
			    err_set(e, ERR_CONFLICT, "two routes have the path \"%s\"",
				site->routes[v[i].route].path));
		v[i].parent = ancestor(v, (int32_t)(i - 1), v[i].text);
	}
	return (ERR_OK);
}

static enum err_code
add_pattern(struct paths *paths, int32_t route, const char *text, struct err *e)
{
	PCRE2_UCHAR message[128];
	PCRE2_SIZE offset;
	pcre2_code *code;
	int error;

	/* "." takes a line feed and "$" means the end alone: a path may hold a
	 * decoded %0A, and must not slip past a pattern with it. Not UTF: paths
	 * are bytes. */
	code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
	    PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY, &error, &offset, NULL);
	if (code == NULL) {
		pcre2_get_error_message(error, message, sizeof(message));
		return (err_set(e, ERR_FORMAT, "route \"~ %s\": at character %zu: %s",
		    text, (size_t)offset + 1, (const char *)message));
	}
	/* where the system allows no JIT, the interpreter does it */
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	paths->patterns[paths->n_patterns].code = code;
	paths->patterns[paths->n_patterns++].route = route;
	return (ERR_OK);
}

static enum err_code
add_route(struct paths *paths, int32_t route, const char *path, struct err *e)
{
	struct path *p;

	if (path[0] == '~') {
		for (path++; *path == ' '; path++)
			continue;
		return (add_pattern(paths, route, path, e));
	}
	if (path[0] == '=') {
		p = &paths->exact[paths->n_exact++];
		path++;
	} else {
		p = &paths->prefixes[paths->n_prefixes++];
	}
	p->text = span_of(path);
	p->route = route;
	return (ERR_OK);
}

enum err_code
paths_new(struct paths **paths_r, const struct conf_site *site, struct err *e)
{
	struct paths *paths = mem_zalloc(sizeof(*paths));
	enum err_code rc = ERR_OK;
	size_t i;

	paths->exact = mem_zalloc(site->n_routes * sizeof(*paths->exact));
	paths->prefixes = mem_zalloc(site->n_routes * sizeof(*paths->prefixes));
	paths->patterns = mem_zalloc(site->n_routes * sizeof(*paths->patterns));
	paths->context = pcre2_match_context_create(NULL);
	CHECK(paths->context != NULL);
	pcre2_set_match_limit(paths->context, MATCH_LIMIT);
	pcre2_set_heap_limit(paths->context, HEAP_LIMIT_KIB);
	for (i = 0; i < site->n_routes && rc == ERR_OK; i++)
		rc = add_route(paths, (int32_t)i, site->routes[i].path, e);
	if (rc == ERR_OK)
		rc = sort_paths(paths->exact, paths->n_exact, site, e);
	if (rc == ERR_OK)
		rc = sort_paths(paths->prefixes, paths->n_prefixes, site, e);
	if (rc != ERR_OK)
		paths_free(&paths);
	*paths_r = paths;
	return (rc);
}

void
paths_free(struct paths **paths_p)
{
	struct paths *paths = *paths_p;
	size_t i;

	*paths_p = NULL;
	if (paths == NULL)
		return;
	for (i = 0; i < paths->n_patterns; i++)
		pcre2_code_free(paths->patterns[i].code);
	pcre2_match_context_free(paths->context);
	free(paths->exact);
	free(paths->prefixes);
	free(paths->patterns);
	free(paths);
}

/* The machine stack that JIT may use is small; what needs more is matched by the
 * interpreter, within its own limits. */
static int
match(const struct paths *paths, const struct pattern *pattern, struct span path,
    pcre2_match_data *data)
{
	int rc;

	rc = pcre2_match(
	    pattern->code, (PCRE2_SPTR)path.p, path.n, 0, 0, data, paths->context);
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(pattern->code, (PCRE2_SPTR)path.p, path.n, 0,
		    PCRE2_NO_JIT, data, paths->context);
	return (rc);
}

static int32_t
find_pattern(const struct paths *paths, struct span path, _Atomic uint64_t *overruns)
{
	pcre2_match_data *data;
	int32_t route = -1;
	size_t i;
	int rc;

	/* one for each call, so that threads share nothing */
	data = pcre2_match_data_create(1, NULL);
	CHECK(data != NULL);
	for (i = 0; i < paths->n_patterns && route < 0; i++) {
		rc = match(paths, &paths->patterns[i], path, data);
		if (rc >= 0)
			route = paths->patterns[i].route;
		else if (rc != PCRE2_ERROR_NOMATCH)
			atomic_fetch_add_explicit(overruns, 1, memory_order_relaxed);
	}
	pcre2_match_data_free(data);
	return (route);
}

int32_t
paths_find(const struct paths *paths, struct span path, _Atomic uint64_t *overruns)
{
	size_t i;
	int32_t at;

	i = upper_bound(paths->exact, paths->n_exact, path);
	if (i > 0 && span_eq(paths->exact[i - 1].text, path))
		return (paths->exact[i - 1].route);
	/* Every prefix of the path sorts between the path's longest one and the
	 * path, so the greatest entry not above it starts with that one. */
	i = upper_bound(paths->prefixes, paths->n_prefixes, path);
	at = ancestor(paths->prefixes, (int32_t)i - 1, path);
	if (at >= 0)
		return (paths->prefixes[at].route);
	return (paths->n_patterns > 0 ? find_pattern(paths, path, overruns) : -1);
}
