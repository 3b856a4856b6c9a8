/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the operator's own: read, taken apart, written. */
#include "config.h"

#include "gateway/filter/error_pages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/check.h"
#include "gateway/filter/pages.h"

#define ENTRIES_MAX 1000 /* of the folder, pages or not */
#define FILE_NAME_MAX 16
#define VARIABLE_NAME_MAX 32

enum variable {
#define VARIABLE_ENUM(id, name, prose) VARIABLE_##id,
	ERROR_PAGE_VARIABLES(VARIABLE_ENUM)
#undef VARIABLE_ENUM
	    VARIABLE_COUNT
};

static const struct span names[VARIABLE_COUNT] = {
#define VARIABLE_SPAN(id, name, prose) SPAN(name),
	ERROR_PAGE_VARIABLES(VARIABLE_SPAN)
#undef VARIABLE_SPAN
};

struct piece {
	struct span text; /* absent: the variable */
	enum variable variable;
};

struct error_page {
	uint16_t status; /* 403; 4: of the class; 0: any */
	bool json;
	char *bytes;
	size_t n;
	struct piece *pieces;
	unsigned n_pieces;
};

struct error_pages {
	char *folder;
	unsigned n;
	struct error_page v[ERROR_PAGES_MAX];
};

/* --- names of files ------------------------------------------------------ */

static bool
is_page(struct span name, bool *json_r)
{
	*json_r = span_ends(name, SPAN(".json"));
	return (*json_r || span_ends(name, SPAN(".html")));
}

/* "403", "4xx", "default" */
static bool
take_status(struct span stem, uint16_t *status_r)
{
	uint64_t status;

	if (span_eq(stem, SPAN("default")))
		*status_r = 0;
	else if (span_eq(stem, SPAN("4xx")) || span_eq(stem, SPAN("5xx")))
		*status_r = (uint16_t)(stem.p[0] - '0');
	else if (stem.n == 3 && span_u64(stem, &status) && status >= 400 && status <= 599)
		*status_r = (uint16_t)status;
	else
		return (false);
	return (true);
}

static int
name_order(const void *a, const void *b)
{
	return (strcmp(a, b));
}

struct listing {
	unsigned n, entries;
	char names[ERROR_PAGES_MAX][FILE_NAME_MAX];
};

static enum err_code
add_name(struct listing *list, const char *folder, const char *name, struct err *e)
{
	struct span s = span_of(name);
	uint16_t status;
	bool json;

	if (++list->entries > ENTRIES_MAX)
		return (
		    err_set(e, ERR_RANGE, "%s: more than %d files", folder, ENTRIES_MAX));
	if (name[0] == '.' || !is_page(s, &json))
		return (ERR_OK);
	if (!take_status(span_cut(s, 0, s.n - 5), &status))
		return (err_set(e, ERR_FORMAT,
		    "%s/%s: not the name of a page; allowed: 400.html to 599.html, "
		    "4xx.html, 5xx.html, default.html, and the same with .json",
		    folder, name));
	if (list->n == ERROR_PAGES_MAX)
		return (err_set(
		    e, ERR_RANGE, "%s: more than %d pages", folder, ERROR_PAGES_MAX));
	snprintf(list->names[list->n++], FILE_NAME_MAX, "%s", name);
	return (ERR_OK);
}

static enum err_code
list_folder(struct listing *list, const char *folder, struct err *e)
{
	enum err_code code = ERR_OK;
	struct dirent *entry;
	DIR *dir;

	memset(list, 0, sizeof(*list));
	dir = opendir(folder);
	if (dir == NULL)
		return (err_set(e, ERR_IO, "%s: cannot open the folder: %s", folder,
		    strerror(errno)));
	while (code == ERR_OK && (entry = readdir(dir)) != NULL)
		code = add_name(list, folder, entry->d_name, e);
	closedir(dir);
	if (code == ERR_OK && list->n == 0)
		code = err_set(e, ERR_MISSING,
		    "%s: no page there: no 403.html, 5xx.html, default.html or the like",
		    folder);
	qsort(list->names, list->n, sizeof(list->names[0]), name_order);
	return (code);
}

/* --- reading ------------------------------------------------------------- */

static enum err_code
read_file(struct error_page *page, const char *path, struct err *e)
{
	struct stat st;
	ssize_t got = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return (err_set(e, ERR_IO, "%s: cannot open: %s", path, strerror(errno)));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return (err_set(e, ERR_IO, "%s: not a file", path));
	}
	page->bytes = mem_alloc(ERROR_PAGE_BYTES_MAX + 1);
	while (page->n <= ERROR_PAGE_BYTES_MAX && got != 0) {
		got = read(fd, page->bytes + page->n, ERROR_PAGE_BYTES_MAX + 1 - page->n);
		if (got < 0 && errno != EINTR)
			break;
		page->n += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	if (got < 0)
		return (err_set(e, ERR_IO, "%s: cannot read: %s", path, strerror(errno)));
	if (page->n > ERROR_PAGE_BYTES_MAX)
		return (err_set(e, ERR_RANGE, "%s: larger than 64 KiB", path));
	if (page->n == 0)
		return (err_set(e, ERR_FORMAT, "%s: empty", path));
	return (ERR_OK);
}

static bool
is_of_name(char c)
{
	return ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_' || c == '-');
}

/* The name of what begins with "%{" at `at`; false: it is no variable. */
static bool
variable_at(struct span s, size_t at, struct span *name_r)
{
	size_t i;

	if (at + 2 >= s.n || s.p[at] != '%' || s.p[at + 1] != '{')
		return (false);
	for (i = at + 2; i < s.n && i - at - 2 <= VARIABLE_NAME_MAX; i++)
		if (!is_of_name(s.p[i]))
			break;
	*name_r = span_cut(s, at + 2, i);
	return (i > at + 2 && i < s.n && s.p[i] == '}');
}

static size_t
line_of(struct span s, size_t at)
{
	size_t i, line = 1;

	for (i = 0; i < at; i++)
		line += s.p[i] == '\n';
	return (line);
}

static bool
push(struct error_page *page, struct span text, enum variable variable)
{
	if (text.p != NULL && text.n == 0)
		return (true);
	if (page->n_pieces == ERROR_PAGE_PIECES_MAX)
		return (false);
	page->pieces[page->n_pieces++] = (struct piece){ text, variable };
	return (true);
}

static enum err_code
take_apart(struct error_page *page, const char *path, struct err *e)
{
	struct span s = span_mem(page->bytes, page->n), name;
	size_t from = 0, at;
	unsigned i;
	bool room = true;

	page->pieces = mem_zalloc(ERROR_PAGE_PIECES_MAX * sizeof(*page->pieces));
	for (at = 0; at < s.n && room; at++) {
		if (s.p[at] != '%' || !variable_at(s, at, &name))
			continue;
		if (at > from && s.p[at - 1] == '%') { /* "%%{NAME}": one goes */
			room = push(page, span_cut(s, from, at - 1), VARIABLE_ID);
			from = at;
			continue;
		}
		for (i = 0; i < VARIABLE_COUNT && !span_eq(name, names[i]); i++)
			;
		if (i == VARIABLE_COUNT)
			return (err_set(e, ERR_MISSING,
			    "%s:%zu: unknown variable %%{%.*s}; allowed: %%{id}, "
			    "%%{status}, %%{reason}, %%{host}",
			    path, line_of(s, at), SPAN_FMT(name)));
		room = push(page, span_cut(s, from, at), VARIABLE_ID) &&
		       push(page, SPAN_NONE, (enum variable)i);
		at += name.n + 2;
		from = at + 1;
	}
	room = room && push(page, span_cut(s, from, s.n), VARIABLE_ID);
	return (room ? ERR_OK
		     : err_set(e, ERR_RANGE, "%s:%zu: too many variables; allowed: %d",
			   path, line_of(s, at), ERROR_PAGE_PIECES_MAX / 2));
}

static enum err_code
load_page(struct error_pages *pages, const char *name, struct err *e)
{
	struct error_page *page = &pages->v[pages->n++];
	char *path = mem_printf("%s/%s", pages->folder, name);
	struct span s = span_of(name);
	enum err_code code;

	CHECK(is_page(s, &page->json) &&
	      take_status(span_cut(s, 0, s.n - 5), &page->status));
	code = read_file(page, path, e);
	if (code == ERR_OK)
		code = take_apart(page, path, e);
	free(path);
	return (code);
}

enum err_code
error_pages_load(struct error_pages **pages_r, const char *folder, struct err *e)
{
	struct listing *list = mem_zalloc(sizeof(*list));
	struct error_pages *pages = mem_zalloc(sizeof(*pages));
	enum err_code code;
	unsigned i;

	*pages_r = NULL;
	pages->folder = mem_printf("%s", folder);
	code = list_folder(list, folder, e);
	for (i = 0; i < list->n && code == ERR_OK; i++)
		code = load_page(pages, list->names[i], e);
	free(list);
	if (code == ERR_OK)
		*pages_r = pages;
	else
		error_pages_free(&pages);
	return (code);
}

void
error_pages_free(struct error_pages **pages_p)
{
	struct error_pages *pages = *pages_p;
	unsigned i;

	if (pages == NULL)
		return;
	*pages_p = NULL;
	for (i = 0; i < pages->n; i++) {
		free(pages->v[i].bytes);
		free(pages->v[i].pieces);
	}
	free(pages->folder);
	free(pages);
}

unsigned
error_pages_count(const struct error_pages *pages)
{
	return (pages->n);
}

const char *
error_pages_folder(const struct error_pages *pages)
{
	return (pages->folder);
}

/* --- writing ------------------------------------------------------------- */

static const struct error_page *
find(const struct error_pages *pages, uint16_t status, bool json)
{
	const uint16_t wanted[] = { status, status / 100, 0 };
	unsigned i, j;

	for (j = 0; j < sizeof(wanted) / sizeof(wanted[0]); j++)
		for (i = 0; i < pages->n; i++)
			if (pages->v[i].status == wanted[j] && pages->v[i].json == json)
				return (&pages->v[i]);
	return (NULL);
}

/* Within a string of JSON. What is written is ASCII. */
static void
put_json(struct text *body, struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			text_putc(body, '\\');
		text_putc(body, s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?');
	}
}

static void
put_value(struct text *body, bool json, struct span s)
{
	if (json)
		put_json(body, s);
	else
		page_put_escaped(body, s);
}

struct span
error_pages_put(const struct error_pages *pages, struct text *body,
    const struct error_page_values *values, struct span accept)
{
	bool json = page_wants_json(accept);
	const struct error_page *page = find(pages, values->status, json);
	const struct piece *piece;
	const size_t before = body->n;
	unsigned i;

	for (i = 0; page != NULL && i < page->n_pieces; i++) {
		piece = &page->pieces[i];
		if (piece->text.p != NULL) {
			text_put(body, piece->text);
			continue;
		}
		switch (piece->variable) {
		case VARIABLE_ID: put_value(body, json, values->id); break;
		case VARIABLE_HOST: put_value(body, json, values->host); break;
		case VARIABLE_STATUS: text_put_u64(body, values->status); break;
		case VARIABLE_REASON:
			put_value(
			    body, json, span_of(page_reason_phrase(values->status)));
			break;
		default: WRONG("variable of a page");
		}
	}
	if (page != NULL && !body->overflow)
		return (json ? PAGE_TYPE_PROBLEM : PAGE_TYPE_HTML);
	body->n = before;
	body->overflow = false;
	return (SPAN_NONE);
}
