/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/slow_start.h - the part of its weight that a server has which
 * came back a while ago: caches are cold, code is not compiled yet. Pure. */
#ifndef YETT_UPSTREAM_SLOW_START_H
#define YETT_UPSTREAM_SLOW_START_H

#include <stdint.h>

/* What a server begins with, of BALANCE_SHARE_FULL: a tenth (as in Envoy). */
#define SLOW_START_LEAST 102

/* Grows in a line from the least to BALANCE_SHARE_FULL, which it is `window_us`
 * after `since_us`. `since_us` 0: the server was always there; full. A time
 * before `since_us` counts as the same. Never 0: a server without requests would
 * never be known to be good. */
uint16_t slow_start_share(int64_t since_us, int64_t window_us, int64_t now_us);

#endif
