/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/date.h - reading HTTP-date (RFC 9110 5.6.7) in its three forms:
 *	Sun, 06 Nov 1994 08:49:37 GMT		IMF-fixdate
 *	Sunday, 06-Nov-94 08:49:37 GMT		RFC 850
 *	Sun Nov  6 08:49:37 1994		asctime
 * Forgiven are the case of letters and a name of a day that is not the day of that
 * date. Everything else is not a date: other zones, missing digits, further blanks,
 * the 30th of February, hour 24. Who reads Expires takes what is no date as past
 * (RFC 9111 5.3). Pure functions; writing is clock_http_date. */
#ifndef YETT_CACHE_DATE_H
#define YETT_CACHE_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"

/* Seconds since 1970, negative before it. `now_s` decides the century of RFC 850's
 * two digits: a year more than 50 years ahead is one of the past. A leap second
 * (:60) is the first of the next minute. */
bool cache_date_parse(struct span text, int64_t now_s, int64_t *seconds_r);

#endif
