/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/reload.h - turns a configuration into live objects: certificates,
 * rules, pools, routes, logs. Main thread; slow (rules take about 0.1 s). */
#ifndef YETT_RELOAD_H
#define YETT_RELOAD_H

#include "gateway/conf/conf.h"
#include "gateway/request/snapshot.h"

/* Takes over `conf`, also when it fails. Every part that can't be made is a
 * problem at its place in the configuration; all are collected. NULL then.
 * `with_logs`: open the log files too (yett check does not). */
struct snapshot *snapshot_new(struct conf *, bool with_logs, struct conf_problems *);
void snapshot_free(struct snapshot **);
/* What is due now and then: ticket keys. Every minute or so. */
void snapshot_tick(struct snapshot *);

#endif
