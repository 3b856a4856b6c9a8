/* SPDX-License-Identifier: Apache-2.0 */
/* An answer that is kept, or who asks the origin for it. */
#include "config.h"

#include "gateway/request/caching.h"

enum step_rc
step_cache(struct request *req)
{
	return (caching_lookup(req));
}
