/* SPDX-License-Identifier: Apache-2.0 */
/* Finds one record in an audit log. */
#include "config.h"

#include "gateway/cli/audit_search.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/base/id.h"

#define PROGRESS_LINES 200000u

struct search {
	const char *needle; /* "id":"..." as it stands in a line; NULL: last */
	char *found; /* the line, malloc'd */
	off_t size;
	bool progress;
};

static void
show_progress(const struct search *s, FILE *file)
{
	if (s->progress && s->size > 0)
		fprintf(stderr, "\rsearching: %lld %%",
		    (long long)(ftello(file) * 100 / s->size));
}

static void
search_lines(struct search *s, FILE *file)
{
	char *line;
	size_t size;
	unsigned long n;

	line = NULL;
	size = 0;
	for (n = 1; getline(&line, &size, file) > 0; n++) {
		if (n % PROGRESS_LINES == 0)
			show_progress(s, file);
		/* a quote inside a value is escaped: only the id itself matches */
		if (s->needle != NULL && strstr(line, s->needle) == NULL)
			continue;
		free(s->found);
		s->found = mem_strdup(line);
		if (s->needle != NULL)
			break;
	}
	free(line);
	if (s->progress && n >= PROGRESS_LINES)
		fputs("\r                    \r", stderr);
}

static enum err_code
search_file(struct search *s, const char *path, struct err *e)
{
	struct stat st;
	FILE *file;

	file = fopen(path, "re");
	if (file == NULL)
		return (err_errno(e, "%s: cannot open", path));
	s->size = fstat(fileno(file), &st) == 0 ? st.st_size : 0;
	search_lines(s, file);
	fclose(file);
	return (ERR_OK);
}

static enum err_code
parse(const struct search *s, const char *path, json_t **record_r, struct err *e)
{
	json_error_t error;

	*record_r = json_loads(s->found, JSON_ALLOW_NUL, &error);
	if (*record_r != NULL && json_is_object(*record_r))
		return (ERR_OK);
	json_decref(*record_r);
	*record_r = NULL;
	return (err_set(e, ERR_FORMAT, "%s: the line found is no audit record: %s", path,
	    error.text));
}

static enum err_code
search_rotated(struct search *s, const char *path, struct err *e)
{
	enum err_code code;
	char *rotated;

	code = ERR_OK;
	rotated = mem_printf("%s.1", path);
	if (access(rotated, R_OK) == 0)
		code = search_file(s, rotated, e);
	free(rotated);
	return (code);
}

enum err_code
audit_search(const char *path, const char *id, json_t **record_r, struct err *e)
{
	struct search s = { .progress = isatty(STDERR_FILENO) };
	enum err_code code;
	char *needle;

	*record_r = NULL;
	needle = NULL;
	if (strcmp(id, "last") != 0) {
		if (!id_is_valid(span_of(id)))
			return (err_set(e, ERR_FORMAT,
			    "\"%s\" is no request id: 26 digits and "
			    "letters, as on the page of a refusal",
			    id));
		needle = mem_printf("\"id\":\"%s\"", id);
	}
	s.needle = needle;
	code = search_file(&s, path, e);
	if (code == ERR_OK && s.found == NULL)
		code = search_rotated(&s, path, e);
	if (code == ERR_OK && s.found == NULL)
		code = err_set(e, ERR_MISSING,
		    needle == NULL ? "%s: no record yet"
				   : "%s: no record has this id; only what was refused "
				     "or detected has one",
		    path);
	if (code == ERR_OK)
		code = parse(&s, path, record_r, e);
	free(needle);
	free(s.found);
	return (code);
}
