/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a configuration. */
#include "config.h"

#include "gateway/conf/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/check.h"

#define MATCHES_MAX 4096

/* Up to one byte more than a document may have, so that too much shows. */
static ssize_t
read_all(int fd, char *out, size_t room)
{
	size_t n = 0;
	ssize_t got;

	while (n < room) {
		got = read(fd, out + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return (-1);
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return ((ssize_t)n);
}

struct span
files_read(struct arena *arena, const char *path, struct conf_problems *problems,
    const struct conf_place *place, const char *field)
{
	size_t room = DOCUMENT_BYTES_MAX + 1;
	char *out;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		conf_problems_add(
		    problems, place, field, "%s: cannot open: %s", path, strerror(errno));
		return (SPAN_NONE);
	}
	out = arena_alloc(arena, room);
	CHECK(out != NULL);
	n = read_all(fd, out, room);
	if (n < 0)
		conf_problems_add(
		    problems, place, field, "%s: cannot read: %s", path, strerror(errno));
	close(fd);
	return (n < 0 ? SPAN_NONE : span_mem(out, (size_t)n));
}

static int
name_order(const void *a, const void *b)
{
	return (strcmp(*(const char *const *)a, *(const char *const *)b));
}

static void
add_match(struct reader *r, const char *path, struct conf_strings *list)
{
	void *v = list->v;
	const char **slot = reader_grow(r, &v, &list->n, sizeof(const char *));

	list->v = v;
	*slot = path;
}

static void
expand_folder(struct reader *r, const struct node *node, struct span folder,
    const char *pattern, struct conf_strings *list)
{
	const char *name = reader_strdup(r, folder);
	size_t first = list->n;
	struct dirent *entry;
	DIR *dir = opendir(folder.n > 0 ? name : "/");
	char *path;

	if (dir == NULL) {
		reader_problem(r, node, "%s: cannot open the folder: %s",
		    folder.n > 0 ? name : "/", strerror(errno));
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (fnmatch(pattern, entry->d_name, FNM_PERIOD) != 0)
			continue;
		if (list->n - first == MATCHES_MAX) {
			reader_problem(
			    r, node, "stands for more than %d files", MATCHES_MAX);
			break;
		}
		path = arena_printf(r->arena, "%s/%s", name, entry->d_name);
		CHECK(path != NULL);
		add_match(r, path, list);
	}
	closedir(dir);
	if (list->n > first)
		qsort(list->v + first, list->n - first, sizeof(list->v[0]), name_order);
}

void
files_expand(struct reader *r, const struct node *node, const char *pattern,
    struct conf_strings *list)
{
	const char *slash = strrchr(pattern, '/');
	struct span folder;
	struct stat st;

	CHECK(slash != NULL);
	folder = span_mem(pattern, (size_t)(slash - pattern));
	if (span_index(folder, '*') != SIZE_MAX || span_index(folder, '?') != SIZE_MAX) {
		reader_problem(r, node, "* and ? are for the last part of the path only");
		return;
	}
	if (strpbrk(slash, "*?") != NULL) {
		expand_folder(r, node, folder, slash + 1, list);
		return;
	}
	if (stat(pattern, &st) != 0)
		reader_problem(r, node, "%s: %s", pattern, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		reader_problem(r, node, "%s: not a file", pattern);
	else
		add_match(r, pattern, list);
}
