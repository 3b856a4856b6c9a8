/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cli/audit_search.h - finds one record in an audit log, line by line:
 * the log may be larger than memory. */
#ifndef YETT_CLI_AUDIT_SEARCH_H
#define YETT_CLI_AUDIT_SEARCH_H

#include <jansson.h>

#include "gateway/base/err.h"

/* `id`: a request id, or "last". Looks in `path`, then in path.1 (rotated); a
 * terminal gets a progress line on long searches. ERR_MISSING: not there;
 * ERR_FORMAT: there, but the line is no record. The record is the caller's. */
enum err_code audit_search(const char *path, const char *id, json_t **record_r,
    struct err *);

#endif
