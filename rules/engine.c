/* SPDX-License-Identifier: Apache-2.0 */
/* The library handle and the parsed bases: one for each different set of files,
 * shared by the policies that name it. */
#include "config.h"

#include "rules/internal.h"

#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gateway/base/check.h"
#include "gateway/base/log.h"
#include "rules/facts.h"
#include "rules/scan.h"

#define CRS_SYSTEM "/usr/share/modsecurity-crs"
#define FILES_MAX 4096

struct file_list {
	char **v;
	size_t n;
	size_t n_crs; /* the first of them are the rule set's */
};

/* The one writable variable of the folder: the library's parser, libxml2 and curl
 * keep state of the whole process, so there can't be two of them, and snapshots
 * that name the same files share what was parsed. Lives until the end. */
static struct waf library; /* lint: global: the library is one per process */
/* lint: global: the library is one per process */
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void
library_start(void)
{
	library.magic = WAF_MAGIC;
	lock_init(&library.lock, LOCK_RULES);
	library.engine = shim_engine_new();
}

enum err_code
waf_new(struct waf **waf_r, struct err *e)
{
	CHECK(pthread_once(&library_once, library_start) == 0);
	*waf_r = NULL;
	if (library.engine == NULL)
		return (err_set(e, ERR_IO,
		    "libmodsecurity does not start, or is not version %s, "
		    "for which this was built",
		    waf_engine_version()));
	atomic_fetch_add(&library.refs, 1);
	*waf_r = &library;
	return (ERR_OK);
}

static void
base_free(struct waf_base *base)
{
	CHECK_OBJ(base, WAF_BASE_MAGIC);
	base->magic = 0;
	shim_rules_free(&base->rules);
	free(base->key);
	free(base);
}

/* Frees the bases that nobody uses any more: not at once when the last policy
 * goes, since that may be on a loop, but when the next policy is made. */
static void
bases_sweep(struct waf *waf)
{
	struct waf_base **slot = &waf->bases, *base;

	lock_assert_held(&waf->lock);
	while ((base = *slot) != NULL) {
		if (atomic_load_explicit(&base->refs, memory_order_acquire) == 0) {
			*slot = base->next;
			base_free(base);
		} else {
			slot = &base->next;
		}
	}
}

void
waf_free(struct waf **waf_p)
{
	struct waf *waf = *waf_p;

	*waf_p = NULL;
	if (waf == NULL)
		return;
	CHECK_OBJ(waf, WAF_MAGIC);
	if (atomic_fetch_sub(&waf->refs, 1) != 1)
		return;
	lock_take(&waf->lock);
	bases_sweep(waf);
	lock_release(&waf->lock);
}

const char *
waf_engine_version(void)
{
	return (shim_engine_version());
}

/* --- which files ------------------------------------------------------------ */

static void
files_add(struct file_list *list, const char *path)
{
	list->v = mem_realloc(list->v, (list->n + 1) * sizeof(*list->v));
	list->v[list->n++] = mem_strdup(path);
}

static void
files_free(struct file_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
}

static enum err_code
files_glob(struct file_list *list, const char *folder, const char *pattern, struct err *e)
{
	char *path = mem_printf("%s/%s", folder, pattern);
	glob_t found;
	int rc = glob(path, 0, NULL, &found);

	free(path);
	if (rc == GLOB_NOMATCH)
		return (ERR_OK);
	if (rc != 0)
		return (err_set(e, ERR_IO, "%s: cannot be read", folder));
	for (size_t i = 0; i < found.gl_pathc && list->n < FILES_MAX; i++)
		files_add(list, found.gl_pathv[i]);
	globfree(&found);
	return (ERR_OK);
}

/* A folder with rules/ (and, since CRS 4, plugins/) in it, or of rule files. */
static enum err_code
files_of_crs(struct file_list *list, const char *path, struct err *e)
{
	const char *root = path[0] != '\0' ? path : CRS_SYSTEM;
	char *plugins = mem_printf("%s/plugins", root);
	char *rules = mem_printf("%s/rules", root);
	enum err_code rc;
	size_t before;

	rc = files_glob(list, plugins, "*-config.conf", e);
	if (rc == ERR_OK)
		rc = files_glob(list, plugins, "*-before.conf", e);
	before = list->n;
	if (rc == ERR_OK)
		rc = files_glob(list, rules, "*.conf", e);
	if (rc == ERR_OK && list->n == before)
		rc = files_glob(list, root, "*.conf", e);
	if (rc == ERR_OK && list->n == before)
		rc = err_set(e, ERR_MISSING, "crs.path: no rule files in %s%s", root,
		    path[0] == '\0' ? ": apt-get install modsecurity-crs" : "");
	if (rc == ERR_OK)
		rc = files_glob(list, plugins, "*-after.conf", e);
	free(plugins);
	free(rules);
	return (rc);
}

bool
waf_crs_version(const char *path, char *out, size_t size)
{
	struct file_list list = { NULL, 0, 0 };
	struct err e;
	char line[512], *quote;
	bool found = false;
	FILE *f;

	if (files_of_crs(&list, path, &e) != ERR_OK)
		list.n = 0;
	for (size_t i = 0; i < list.n && !found; i++) {
		f = fopen(list.v[i], "re");
		while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
			if (strncmp(line, "SecComponentSignature \"OWASP_CRS/", 33) != 0)
				continue;
			quote = strchr(line + 23, '"');
			if (quote == NULL)
				continue;
			*quote = '\0';
			(void)snprintf(out, size, "%s", line + 23);
			found = true;
		}
		if (f != NULL)
			(void)fclose(f);
	}
	files_free(&list);
	return (found);
}

/* --- parsing ---------------------------------------------------------------- */

/* The files by name, size and time: a changed file makes another base. */
static enum err_code
base_key(struct text *key, const struct file_list *list, const struct conf_policy *policy,
    struct err *e)
{
	struct stat st;

	for (size_t i = 0; i < list->n; i++) {
		if (stat(list->v[i], &st) != 0)
			return (err_errno(e, "%s", list->v[i]));
		text_printf(key, "%s %lld %lld.%09ld %llu\n", list->v[i],
		    (long long)st.st_size, (long long)st.st_mtim.tv_sec,
		    st.st_mtim.tv_nsec, (unsigned long long)st.st_ino);
	}
	for (size_t i = 0; i < policy->allow.n; i++)
		text_printf(key, "allow %s\n", policy->allow.v[i]);
	if (key->overflow)
		return (err_set(e, ERR_RANGE, "too many rule files"));
	return (ERR_OK);
}

/* The file is named once, before the rest; for one complaint the engine prints the
 * address of its name instead ("File: 0x55... at line: 3"). */
static enum err_code
parser_says(const char *path, struct span said, struct err *e)
{
	size_t file = span_find(said, SPAN(" File: ")), line;

	if (file == SIZE_MAX)
		return (err_set(e, ERR_FORMAT, "%s: %.*s", path, SPAN_FMT(said)));
	line = span_find(said, SPAN("ine: "));
	if (line == SIZE_MAX || line < file)
		line = said.n;
	return (err_set(e, ERR_FORMAT, "%s: %.*s%s%.*s", path, (int)file, said.p,
	    line < said.n ? " L" : "", SPAN_FMT(span_cut(said, line, said.n))));
}

/* "Rules error. File: x. Line: 3. Column: 9. what" in one line. */
static enum err_code
parse_error(struct text *why, const char *path, struct err *e)
{
	static const char duplicate[] = "Rule id: ";
	struct span said = text_span(why);
	struct text file;
	uint64_t id = 0;
	unsigned line;

	for (size_t i = 0; i < why->n; i++)
		if ((unsigned char)why->p[i] < 0x20)
			why->p[i] = ' ';
	/* the one complaint without a place */
	if (span_starts(said, span_of(duplicate)) &&
	    span_find(said, SPAN("is duplicated")) != SIZE_MAX) {
		said = span_cut(said, strlen(duplicate), said.n);
		(void)span_u64(span_cut(said, 0, span_index(said, ' ')), &id);
		line = scan_read(path, &file, NULL) == ERR_OK
			   ? scan_find_rule(text_span(&file), (uint32_t)id)
			   : 0;
		text_free(&file);
		return (err_set(e, ERR_CONFLICT,
		    "%s: line %u: rule id %llu is used already; ids of your own are best "
		    "taken from 1 to 99999",
		    path, line, (unsigned long long)id));
	}
	return (parser_says(path, span_trim(text_span(why)), e));
}

struct seen_id {
	uint32_t id, index;
};

static int
compare_ids(const void *a, const void *b)
{
	const struct seen_id *x = a, *y = b;

	if (x->id != y->id)
		return (x->id < y->id ? -1 : 1);
	return (x->index < y->index ? -1 : x->index > y->index);
}

/* The engine looks for duplicates in one file, and across files only within one
 * kind of rule. */
static enum err_code
check_ids(struct shim_rules *rules, struct err *e)
{
	uint32_t count = shim_rules_count(rules), n = 0, i;
	struct seen_id *ids = mem_alloc(count * sizeof(*ids));
	struct shim_rule a, b;
	enum err_code rc = ERR_OK;

	for (i = 0; i < count; i++) {
		ids[n].id = shim_rules_at(rules, i).id;
		ids[n].index = i;
		if (ids[n].id != 0)
			n++;
	}
	qsort(ids, n, sizeof(*ids), compare_ids);
	for (i = 1; i < n && rc == ERR_OK; i++) {
		if (ids[i].id != ids[i - 1].id)
			continue;
		a = shim_rules_at(rules, ids[i - 1].index);
		b = shim_rules_at(rules, ids[i].index);
		rc = err_set(e, ERR_CONFLICT,
		    "%s: line %u: rule id %u is used already in %s, line %u; ids of "
		    "your own are best taken from 1 to 99999",
		    b.file, b.line, b.id, a.file, a.line);
	}
	for (i = 0; i < n && rc == ERR_OK; i++) {
		a = shim_rules_at(rules, ids[i].index);
		if (a.id >= 9500000 && a.id <= 9500999)
			rc = err_set(e, ERR_CONFLICT,
			    "%s: line %u: rule ids 9500000 to 9500999 are Yett's own",
			    a.file, a.line);
	}
	free(ids);
	return (rc);
}

static enum err_code
parse_files(struct shim_rules *rules, const struct file_list *list, size_t from,
    size_t to, struct err *e)
{
	enum err_code rc = ERR_OK;
	struct text why;

	text_init(&why, 2048);
	for (size_t i = from; i < to && rc == ERR_OK; i++) {
		text_reset(&why);
		if (!shim_rules_add_file(rules, list->v[i], &why))
			rc = parse_error(&why, list->v[i], e);
	}
	text_free(&why);
	return (rc);
}

/* The texts once more, for what they say of the rules. */
static struct facts *
read_facts(const struct file_list *list)
{
	struct facts *facts = facts_new();
	struct text file;

	facts_add(facts, span_of(waf_base_settings));
	for (size_t i = 0; i < list->n; i++) {
		if (scan_read(list->v[i], &file, NULL) == ERR_OK)
			facts_add(facts, text_span(&file));
		text_free(&file);
	}
	return (facts);
}

static enum err_code
base_parse(struct waf *waf, struct shim_rules **rules_r, const struct file_list *list,
    struct err *e)
{
	struct shim_rules *rules = shim_rules_new(waf->engine);
	enum err_code rc = ERR_OK;
	struct text why;

	lock_assert_held(&waf->lock);
	if (rules == NULL)
		return (err_set(e, ERR_IO, "out of memory"));
	text_init(&why, 2048);
	if (!shim_rules_add_text(rules, "yett", waf_base_settings, &why))
		rc = parse_error(&why, "built-in rules", e);
	text_free(&why);
	if (rc == ERR_OK)
		rc = parse_files(rules, list, 0, list->n_crs, e);
	shim_rules_own(rules);
	if (rc == ERR_OK)
		rc = parse_files(rules, list, list->n_crs, list->n, e);
	if (rc == ERR_OK)
		shim_rules_facts(rules, read_facts(list));
	if (rc == ERR_OK && !shim_rules_seal(rules))
		rc = err_set(e, ERR_IO, "out of memory");
	if (rc == ERR_OK)
		rc = check_ids(rules, e);
	if (rc != ERR_OK)
		shim_rules_free(&rules);
	*rules_r = rules;
	return (rc);
}

/* Finds the base of that key or parses it. Under the lock. */
static enum err_code
base_find(struct waf_base **base_r, struct waf *waf, struct span key,
    const struct file_list *list, struct err *e)
{
	struct shim_rules *rules = NULL;
	struct waf_base *base;
	enum err_code rc;

	lock_assert_held(&waf->lock);
	for (base = waf->bases; base != NULL; base = base->next)
		if (span_eq(span_of(base->key), key))
			break;
	if (base == NULL) {
		rc = base_parse(waf, &rules, list, e);
		if (rc != ERR_OK)
			return (rc);
		base = mem_zalloc(sizeof(*base));
		base->magic = WAF_BASE_MAGIC;
		base->key = span_strdup(key);
		base->rules = rules;
		base->next = waf->bases;
		waf->bases = base;
		log_info("waf", "%u rules parsed, %s", shim_rules_count(rules),
		    shim_rules_component(rules));
	}
	atomic_fetch_add_explicit(&base->refs, 1, memory_order_relaxed);
	*base_r = base;
	return (ERR_OK);
}

enum err_code
waf_base_get(struct waf_base **base_r, struct waf *waf, const struct conf_policy *policy,
    struct err *e)
{
	struct file_list list = { NULL, 0, 0 };
	struct text key;
	enum err_code rc;

	lock_assert_held(&waf->lock);
	bases_sweep(waf);
	text_init(&key, 1 << 20);
	rc = files_of_crs(&list, policy->crs.path, e);
	list.n_crs = list.n;
	for (size_t i = 0; i < policy->rules.n && rc == ERR_OK; i++) {
		files_add(&list, policy->rules.v[i]);
		rc = scan_rules_file(policy->rules.v[i], &policy->allow, e);
	}
	if (rc == ERR_OK)
		rc = base_key(&key, &list, policy, e);
	if (rc == ERR_OK)
		rc = base_find(base_r, waf, text_span(&key), &list, e);
	text_free(&key);
	files_free(&list);
	return (rc);
}
