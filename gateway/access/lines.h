/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/lines.h - a text file of one entry a line, as people and scripts
 * write them: a byte order mark, carriage returns, blanks around an entry, empty
 * lines and comments are passed over. Pure but for lines_read. */
#ifndef YETT_ACCESS_LINES_H
#define YETT_ACCESS_LINES_H

#include "gateway/base/err.h"
#include "gateway/base/span.h"

/* A regular file of at most `most` bytes, for free(3). Errors name the file. */
struct lines_file { char *bytes; size_t n; };
enum err_code lines_read(struct lines_file *file_r, const char *path, size_t most,
    struct err *);

struct lines {
	struct span rest;
	size_t number;		/* of the line last given, from 1 */
};
void lines_begin(struct lines *, struct span text);
/* The next line that holds anything but blanks and a comment that fills the whole
 * line ("#"), without the blanks around it. False at the end. */
bool lines_next(struct lines *, struct span *line_r);

#endif
