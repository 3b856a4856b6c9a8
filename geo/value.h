/* SPDX-License-Identifier: Apache-2.0 */
/* geo/value.h - the shape of values in a MaxMind DB file (format 2.0), checked
 * before libmaxminddb reads them: its reader recurses as deep as the file says.
 * Pure functions over hostile bytes; no memory of their own. */
#ifndef YETT_GEO_VALUE_H
#define YETT_GEO_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_DEPTH_MAX 16	/* maps and arrays in each other; usual: 4 */

struct value_check {
	const uint8_t *base;	/* the data section, or the metadata */
	size_t size;
	/* Values that may still be looked at; one is taken for each. */
	uint64_t budget;
	/* A bit for each byte of `base`: targets of pointers that were checked,
	 * which are passed over the next time. NULL: each counts each time, as
	 * for a reader that follows pointers and copies. */
	uint8_t *seen;
	/* In lists and maps within the first one only text may stand: so it is in
	 * metadata, and libmaxminddb leaks memory where it is not. */
	bool deep_text;
};

/* Checks the value at `offset` and everything in it: types, sizes, that it ends
 * within `base`, that keys are text, that it is not nested too deep and that
 * pointers point at values. Returns NULL, or what is wrong. */
const char *value_problem(struct value_check *, size_t offset);

#endif
