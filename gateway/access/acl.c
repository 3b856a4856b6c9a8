/* SPDX-License-Identifier: Apache-2.0 */
/* Access lists: rules made ready to be compared with. */
#include "config.h"

#include "gateway/access/acl.h"

#include "gateway/access/prefixes.h"
#include "gateway/base/check.h"

#include <stdlib.h>
#include <string.h>

struct acl_file {
	char *path;
	struct watched *watched;
};

struct acl_files {
	struct acl_file *v;
	size_t n;
};

/* A country or continent is its two letters in one number, so that a list of them
 * is compared in a few instructions. Besides: */
#define CODE_NONE 0
#define CODE_UNKNOWN 1
#define CODE_PRIVATE 2

struct codes {
	uint16_t *v;
	size_t n;
};

struct path {
	struct span text;
	bool exact;
};

struct rule {
	const struct conf_access_rule *conf;
	bool anyone;
	struct prefixes *address; /* NULL: none */
	struct watched *file; /* NULL: none */
	struct codes countries, continents;
	struct conf_numbers asns;
	struct span *methods;
	size_t n_methods;
	struct path *paths;
	size_t n_paths;
};

#define ACL_MAGIC 0xac100115u
struct acl {
	unsigned magic;
	struct rule *rules;
	size_t n;
};

/* What of a rule's `who` a client is. */
enum who { WHO_NOT, WHO_ANYONE, WHO_ADDRESS, WHO_PLACE };

struct acl_files *
acl_files_new(void)
{
	return (mem_zalloc(sizeof(struct acl_files)));
}

void
acl_files_free(struct acl_files **files_p)
{
	struct acl_files *files = *files_p;
	size_t i;

	*files_p = NULL;
	if (files == NULL)
		return;
	for (i = 0; i < files->n; i++) {
		watched_free(&files->v[i].watched);
		free(files->v[i].path);
	}
	free(files->v);
	free(files);
}

size_t
acl_files_count(const struct acl_files *files)
{
	return (files->n);
}

struct watched *
acl_files_get(const struct acl_files *files, size_t i)
{
	CHECK(i < files->n);
	return (files->v[i].watched);
}

/* The file of that path, read now if no rule named it before. */
static enum err_code
files_find(
    struct watched **watched_r, struct acl_files *files, const char *path, struct err *e)
{
	struct acl_file file = { 0 };
	enum err_code rc;
	size_t i;

	for (i = 0; i < files->n; i++)
		if (strcmp(files->v[i].path, path) == 0) {
			*watched_r = files->v[i].watched;
			return (ERR_OK);
		}
	file.path = mem_strdup(path);
	rc = watched_new(&file.watched, &prefixes_watched, file.path, NULL, e);
	if (rc != ERR_OK) {
		free(file.path);
		return (rc);
	}
	files->v = mem_realloc(files->v, (files->n + 1) * sizeof(*files->v));
	files->v[files->n++] = file;
	*watched_r = file.watched;
	return (ERR_OK);
}

static uint16_t
code_of(const char *text)
{
	if (text == NULL || text[0] == '\0' || strcmp(text, "unknown") == 0)
		return (CODE_UNKNOWN);
	if (strcmp(text, "private") == 0)
		return (CODE_PRIVATE);
	if (text[1] == '\0' || text[2] != '\0')
		return (CODE_NONE);
	return ((uint16_t)((unsigned char)text[0] << 8 | (unsigned char)text[1]));
}

static enum err_code
make_codes(struct codes *codes, const struct conf_strings *list, struct err *e)
{
	size_t i;

	codes->v = mem_alloc(list->n * sizeof(*codes->v));
	for (i = 0; i < list->n; i++) {
		codes->v[i] = code_of(list->v[i]);
		if (codes->v[i] == CODE_NONE)
			return (err_set(e, ERR_FORMAT,
			    "\"%s\": no code of two letters, unknown or private",
			    list->v[i]));
	}
	codes->n = list->n;
	return (ERR_OK);
}

static void
make_request_part(struct rule *rule, const struct conf_match *match)
{
	size_t i;

	rule->methods = mem_alloc(match->method.n * sizeof(*rule->methods));
	rule->n_methods = match->method.n;
	for (i = 0; i < match->method.n; i++)
		rule->methods[i] = span_of(match->method.v[i]);
	rule->paths = mem_alloc(match->path.n * sizeof(*rule->paths));
	rule->n_paths = match->path.n;
	for (i = 0; i < match->path.n; i++) {
		rule->paths[i].exact = match->path.v[i][0] == '=';
		rule->paths[i].text =
		    span_of(match->path.v[i] + (rule->paths[i].exact ? 1 : 0));
	}
}

static enum err_code
make_rule(struct rule *rule, const struct conf_access_rule *conf, struct acl_files *files,
    struct err *e)
{
	const struct conf_match *match = &conf->match;
	enum err_code rc;

	rule->conf = conf;
	make_request_part(rule, match);
	rc = make_codes(&rule->countries, &match->country, e);
	if (rc == ERR_OK)
		rc = make_codes(&rule->continents, &match->continent, e);
	if (rc == ERR_OK && match->address_file[0] != '\0')
		rc = files_find(&rule->file, files, match->address_file, e);
	if (rc != ERR_OK)
		return (rc);
	if (match->address.n > 0)
		rule->address = prefixes_new(&match->address);
	rule->asns = match->asn;
	rule->anyone =
	    match->any || (rule->address == NULL && rule->file == NULL &&
			      match->country.n + match->continent.n + match->asn.n == 0);
	return (ERR_OK);
}

enum err_code
acl_new(struct acl **acl_r, const struct conf_access_rule *rules, size_t n,
    struct acl_files *files, struct err *e)
{
	struct acl *acl = mem_zalloc(sizeof(*acl));
	enum err_code rc = ERR_OK;

	acl->magic = ACL_MAGIC;
	acl->rules = mem_zalloc(n * sizeof(*acl->rules));
	while (acl->n < n && rc == ERR_OK) {
		rc = make_rule(&acl->rules[acl->n], &rules[acl->n], files, e);
		acl->n++;
	}
	if (rc != ERR_OK)
		acl_free(&acl);
	*acl_r = acl;
	return (rc);
}

void
acl_free(struct acl **acl_p)
{
	struct acl *acl = *acl_p;
	size_t i;

	*acl_p = NULL;
	if (acl == NULL)
		return;
	CHECK_OBJ(acl, ACL_MAGIC);
	acl->magic = 0;
	for (i = 0; i < acl->n; i++) {
		prefixes_free(&acl->rules[i].address);
		free(acl->rules[i].countries.v);
		free(acl->rules[i].continents.v);
		free(acl->rules[i].methods);
		free(acl->rules[i].paths);
	}
	free(acl->rules);
	free(acl);
}

static bool
names_address(const struct rule *rule, const struct netaddr *client)
{
	return ((rule->address != NULL && prefixes_have(rule->address, client)) ||
		(rule->file != NULL && prefixes_have(watched_get(rule->file), client)));
}

static bool
has_code(const struct codes *codes, const char *text)
{
	const uint16_t code = codes->n > 0 ? code_of(text) : CODE_NONE;
	size_t i;

	for (i = 0; i < codes->n; i++)
		if (codes->v[i] == code)
			return (true);
	return (false);
}

static bool
names_place(const struct rule *rule, const struct acl_subject *subject)
{
	size_t i;

	for (i = 0; i < rule->asns.n; i++)
		if (rule->asns.v[i] == subject->asn)
			return (true);
	return (has_code(&rule->countries, subject->country) ||
		has_code(&rule->continents, subject->continent));
}

static enum who
who_is(const struct rule *rule, const struct acl_subject *subject)
{
	if (names_address(rule, subject->client))
		return (WHO_ADDRESS);
	if (names_place(rule, subject))
		return (WHO_PLACE);
	return (rule->anyone ? WHO_ANYONE : WHO_NOT);
}

static bool
fits_path(const struct rule *rule, struct span path)
{
	bool fits = rule->n_paths == 0;
	size_t i;

	for (i = 0; i < rule->n_paths && !fits; i++)
		fits = rule->paths[i].exact ? span_eq(path, rule->paths[i].text)
					    : span_starts(path, rule->paths[i].text);
	return (fits);
}

static bool
fits_request(const struct rule *rule, const struct acl_subject *subject)
{
	bool fits = rule->n_methods == 0, fits_slashed;
	size_t i;

	for (i = 0; i < rule->n_methods && !fits; i++)
		fits = span_eq(rule->methods[i], subject->method);
	if (!fits)
		return (false);
	fits = fits_path(rule, subject->path);
	if (subject->slashed.p == NULL)
		return (fits);
	fits_slashed = fits_path(rule, subject->slashed);
	if (rule->conf->action == CONF_ALLOW)
		return (fits && fits_slashed);
	return (fits || fits_slashed);
}

void
acl_judge(const struct acl *acl, const struct acl_subject *subject,
    struct acl_verdict *verdict_r)
{
	struct acl_verdict verdict = { 0 };
	enum who who;
	size_t i;

	CHECK_OBJ(acl, ACL_MAGIC);
	for (i = 0; i < acl->n && verdict.rule == NULL; i++) {
		const struct rule *rule = &acl->rules[i];

		if (!fits_request(rule, subject))
			continue;
		who = who_is(rule, subject);
		if (who == WHO_NOT)
			continue;
		switch (rule->conf->action) {
		case CONF_ALLOW:
			verdict.trusted = who == WHO_ADDRESS;
			verdict.rule = rule->conf;
			break;
		case CONF_DENY:
			verdict.denied = true;
			verdict.geo = who == WHO_PLACE;
			verdict.rule = rule->conf;
			break;
		case CONF_LOG:
			if (verdict.logged == NULL)
				verdict.logged = rule->conf;
			break;
		}
	}
	*verdict_r = verdict;
}

bool
acl_allows_address(const struct acl *acl, const struct netaddr *client)
{
	size_t i;

	CHECK_OBJ(acl, ACL_MAGIC);
	for (i = 0; i < acl->n; i++)
		if (acl->rules[i].conf->action == CONF_ALLOW &&
		    names_address(&acl->rules[i], client))
			return (true);
	return (false);
}
