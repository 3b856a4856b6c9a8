/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cli/check.h - what the parts of yett check share. */
#ifndef YETT_CLI_CHECK_H
#define YETT_CLI_CHECK_H

#include <stdbool.h>

#include "gateway/base/err.h"
#include "gateway/conf/conf.h"

struct check {
	const struct conf *conf;
	struct conf_problems *problems;
	bool quiet;
};

/* A line about what was found good. */
void check_good(const struct check *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A file that the configuration names is at fault. */
void check_fault(const struct check *, const char *path, const struct err *);

/* Opens what the controls before the WAF read: databases, lists, passwords, what
 * Redis asks for. Nothing is connected. */
void check_controls(const struct check *);

#endif
