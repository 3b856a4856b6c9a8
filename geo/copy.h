/* SPDX-License-Identifier: Apache-2.0 */
/* geo/copy.h - a private copy of a file that nobody can change any more. What
 * maps a file sees every later write to it: a database overwritten in place would
 * tear under running lookups, a shortened one would be SIGBUS. So the bytes go
 * into a sealed memfd (memfd_create(2)), and that is what gets mapped. */
#ifndef YETT_GEO_COPY_H
#define YETT_GEO_COPY_H

#include "gateway/base/err.h"
#include "gateway/base/span.h"

#define COPY_BYTES_MAX (512u << 20)

/* On ERR_OK the descriptor is the caller's to close. Errors name `path`. */
enum err_code copy_file(const char *path, int *fd_r, struct err *);
enum err_code copy_bytes(struct span, int *fd_r, struct err *);

#endif
