/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/clock.h - time in integer microseconds. Any thread. */
#ifndef YETT_CLOCK_H
#define YETT_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_MS	INT64_C(1000)
#define CLOCK_SECOND	INT64_C(1000000)

int64_t clock_mono_us(void);	/* CLOCK_MONOTONIC: for durations, deadlines */
int64_t clock_wall_us(void);	/* CLOCK_REALTIME since 1970: for records */

#define CLOCK_RFC3339_MAX 32
/* "2026-01-31T12:34:56.123456Z". Returns the length. */
size_t clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_MAX]);
#define CLOCK_HTTP_MAX 32
/* IMF-fixdate (RFC 9110 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". */
size_t clock_http_date(int64_t wall_us, char out[CLOCK_HTTP_MAX]);
/* "31/Jan/2026:12:34:56 +0000", the combined log format's form. */
size_t clock_clf(int64_t wall_us, char out[CLOCK_HTTP_MAX]);

#endif
