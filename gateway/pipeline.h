/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/pipeline.h - the order of the steps of a request. */
#ifndef YETT_PIPELINE_H
#define YETT_PIPELINE_H

#include <stdbool.h>

struct request;

/* Runs the steps of a request as far as they go; true when it is over. On the
 * request's loop. */
bool pipeline_run(struct request *);

#endif
