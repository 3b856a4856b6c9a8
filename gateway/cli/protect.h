/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cli/protect.h - the configuration behind `yett run --protect`. */
#ifndef YETT_CLI_PROTECT_H
#define YETT_CLI_PROTECT_H

#include "gateway/base/buf.h"
#include "gateway/base/err.h"

struct protect_options {
	const char *url;	/* of the app */
	const char *listen;	/* "0.0.0.0:8443" */
	const char *state;	/* folder of certificate and logs; NULL: the usual */
};

/* Writes the YAML, making folder and certificate where they are missing (and
 * says so in the error log). */
enum err_code protect_configuration(const struct protect_options *, struct text *yaml,
    struct err *);

#endif
