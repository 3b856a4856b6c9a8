/* SPDX-License-Identifier: Apache-2.0 */
/* rules/exclude.h - the exclusions of a policy, compiled against the rules of
 * its base: which rules each one touches, and per request which of them hold.
 * Never wider than written: a target names one collection, a path matches as
 * routes do. Immutable once made; any thread. */
#ifndef YETT_RULES_EXCLUDE_H
#define YETT_RULES_EXCLUDE_H

#include "gateway/base/err.h"
#include "gateway/conf/conf.h"
#include "gateway/http/message.h"
#include "rules/shim.h"

struct exclude_set;
/* NULL in *set_r when there are none. What names no rule of the base is only
 * logged: rule sets change under a configuration that must go on working.
 * Not on a loop; the caller holds the parse lock. */
enum err_code exclude_new(struct exclude_set **set_r, const struct conf_policy *,
    struct shim_rules *, struct err *);
void exclude_free(struct exclude_set **);
size_t exclude_count(const struct exclude_set *);
/* For the walk. */
struct shim_excludes exclude_table(const struct exclude_set *);
/* Fills `active`, exclude_count long. */
void
exclude_select(const struct exclude_set *, const struct http_request *, bool *active);

#endif
