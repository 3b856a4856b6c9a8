/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz.h - the entry point that each target defines. It must do the
 * same for the same bytes, and abort (CHECK) where an invariant is broken. */
#ifndef YETT_FUZZ_H
#define YETT_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy with nothing behind it, so that ASan sees a read past the end. */
static inline char *
fuzz_copy(struct span s)
{
	char *copy = mem_alloc(s.n);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	return (copy);
}

static inline bool
fuzz_inside(struct span inner, struct span outer)
{
	return (inner.p == NULL ||
		(inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n));
}

#endif
