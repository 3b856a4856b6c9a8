/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/files.h - the files of a configuration: reading one, and what a
 * pattern stands for. */
#ifndef YETT_CONF_FILES_H
#define YETT_CONF_FILES_H

#include "gateway/conf/reader.h"

/* The whole file in the arena; absent, with a problem at `place`, when it can't
 * be read or is larger than a configuration may be. */
struct span files_read(struct arena *, const char *path, struct conf_problems *,
    const struct conf_place *place, const char *field);
/* Appends the files that an absolute path stands for, in order of their names.
 * * and ? may be in the last part only, so that a pattern costs one folder;
 * such a pattern may stand for none. Problems go to `node`. */
void files_expand(
    struct reader *, const struct node *, const char *pattern, struct conf_strings *);

#endif
