/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/settle.h - what can be looked at only when every file is read. */
#ifndef YETT_CONF_SETTLE_H
#define YETT_CONF_SETTLE_H

#include "gateway/conf/reader.h"

/* Fills in what is found out (node, threads, the default policy); checks that
 * names exist and are there once. */
void settle(struct reader *, const struct node *root);

#endif
