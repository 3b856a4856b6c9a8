/* SPDX-License-Identifier: Apache-2.0 */
/* rules/scan.h - reads a rule file of the operator's before the engine does and
 * refuses what has no place in a gateway: directives that fetch, execute, ask
 * the DNS, write files, or fight what the policy says. Pure but for reading the
 * file; any thread. */
#ifndef YETT_RULES_SCAN_H
#define YETT_RULES_SCAN_H

#include "gateway/base/buf.h"
#include "gateway/base/err.h"
#include "gateway/base/span.h"
#include "gateway/conf/conf.h"

/* `allow`: of remote_rules exec lua inspect_file rbl. Errors name file, line
 * and what to do instead. */
enum err_code
scan_rules_file(const char *path, const struct conf_strings *allow, struct err *);
enum err_code scan_rules_text(
    const char *name, struct span text, const struct conf_strings *allow, struct err *);
/* The line of the rule with that id; 0 when it isn't found. */
unsigned scan_find_rule(struct span text, uint32_t id);
/* The file's text; the caller frees it. */
enum err_code scan_read(const char *path, struct text *, struct err *);

#endif
