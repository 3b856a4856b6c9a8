/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/caching_inside.h - what the files of caching share. */
#ifndef YETT_REQUEST_CACHING_INSIDE_H
#define YETT_REQUEST_CACHING_INSIDE_H

#include "gateway/request/caching.h"

/* Makes `caching.object` the response; false when the request's own conditions are
 * for the origin to judge. */
bool caching_serve(struct request *);
/* Ends the flight that this request leads or follows. */
void caching_leave(struct request *, int64_t mark_us);
/* A mark lives so long; shorter when it was the request's doing or there was no room,
 * longer when others were cut off. */
#define CACHING_MARK_US (120 * CLOCK_SECOND)
#define CACHING_MARK_BRIEF_US (10 * CLOCK_SECOND)
#define CACHING_MARK_LARGE_US (3600 * CLOCK_SECOND)

/* A request that leads already gets its key. False: it can't. */
bool caching_resume(struct request *);
/* Asks the origin whether the stale answer that was served still holds: a request
 * without a client (refresh.c). */
void refresh_begin(struct request *);

#endif
