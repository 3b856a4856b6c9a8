/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/reference.h - the configuration described, from the tables that
 * also read it. Any thread. */
#ifndef YETT_CONF_REFERENCE_H
#define YETT_CONF_REFERENCE_H

#include <stdbool.h>

#include "gateway/base/buf.h"

/* The JSON Schema, the reference page in Markdown, and
 * `yett check --explain FIELD` ("limits.*.rate"); false for an unknown field. */
void conf_schema(struct text *);
void conf_reference(struct text *);
bool conf_explain(struct span field, struct text *);

#endif
