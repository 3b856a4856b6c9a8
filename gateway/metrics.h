/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/metrics.h - figures of the gateway in Prometheus' text format 0.0.4:
 * GET /metrics on admin.metrics. On the control thread's loop. */
#ifndef YETT_METRICS_H
#define YETT_METRICS_H

#include "gateway/base/err.h"
#include "gateway/loop/loop.h"

struct control_view;

struct metrics;
/* *metrics_r is NULL, and that is no error, where it is off. `view` must outlive
 * it. */
enum err_code metrics_new(struct metrics **metrics_r, struct loop *,
    struct control_view *view, struct err *);
void metrics_free(struct metrics **);

#endif
