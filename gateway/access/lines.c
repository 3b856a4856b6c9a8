/* SPDX-License-Identifier: Apache-2.0 */
/* Files of one entry a line. */
#include "config.h"

#include "gateway/access/lines.h"

#include "gateway/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The size is what fstat said and one byte: a file that grows meanwhile is one
 * that somebody writes, and is looked at again. */
static enum err_code
read_all(struct lines_file *file, int fd, size_t size, struct err *e)
{
	char *bytes = mem_alloc(size + 1);
	size_t n = 0;
	ssize_t got = 1;

	while (n <= size && got != 0) {
		got = read(fd, bytes + n, size + 1 - n);
		if (got < 0 && errno != EINTR)
			break;
		if (got > 0)
			n += (size_t)got;
	}
	if (got < 0) {
		free(bytes);
		return (err_errno(e, "cannot read"));
	}
	if (n > size) {
		free(bytes);
		return (err_set(e, ERR_IO, "is being written"));
	}
	file->bytes = bytes;
	file->n = n;
	return (ERR_OK);
}

enum err_code
lines_read(struct lines_file *file_r, const char *path, size_t most, struct err *e)
{
	enum err_code rc;
	struct stat st;
	int fd;

	*file_r = (struct lines_file){ NULL, 0 };
	/* a pipe without a writer would keep open(2) waiting */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return (err_errno(e, "%s: cannot open", path));
	if (fstat(fd, &st) != 0)
		rc = err_errno(e, "cannot read");
	else if (!S_ISREG(st.st_mode))
		rc = err_set(e, ERR_IO, "not a regular file");
	else if ((uint64_t)st.st_size > most)
		rc = err_set(
		    e, ERR_RANGE, "larger than %zu KiB, which is the most", most / 1024);
	else
		rc = read_all(file_r, fd, (size_t)st.st_size, e);
	close(fd);
	if (rc != ERR_OK)
		err_wrap(e, "%s", path);
	return (rc);
}

void
lines_begin(struct lines *lines, struct span text)
{
	const struct span mark = SPAN("\xef\xbb\xbf");

	lines->rest = span_starts(text, mark) ? span_cut(text, mark.n, text.n) : text;
	lines->number = 0;
}

bool
lines_next(struct lines *lines, struct span *line_r)
{
	struct span line;

	while (span_split(&lines->rest, '\n', &line)) {
		lines->number++;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		line = span_trim(line);
		if (line.n > 0 && line.p[0] != '#') {
			*line_r = line;
			return (true);
		}
	}
	return (false);
}
