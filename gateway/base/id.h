/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/id.h - request ids: a ULID (26 characters of Crockford base32,
 * 48 bits of milliseconds, 80 random bits), unique without coordination and
 * sortable by time. One generator per thread. */
#ifndef YETT_ID_H
#define YETT_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"

#define ID_TEXT_MAX 27

struct id_source { uint64_t state[4]; };

void id_source_init(struct id_source *);	/* seeds from getrandom(2) */
void id_make(struct id_source *, int64_t wall_us, char out[ID_TEXT_MAX]);
bool id_is_valid(struct span text);

#endif
