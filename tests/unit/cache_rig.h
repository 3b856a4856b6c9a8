/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cache_rig.h - fields written as one text, "Name: value\nName: value",
 * for rows of the cache's tests. */
#ifndef YETT_TEST_CACHE_RIG_H
#define YETT_TEST_CACHE_RIG_H

#include "gateway/http/fields.h"

#define RIG_FIELDS 64
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct rig_fields {
	struct http_fields f;
	struct http_field array[RIG_FIELDS];
};

/* `lines` NULL: no fields. The spans point into it. */
static inline const struct http_fields *
rig_fields(struct rig_fields *rig, const char *lines)
{
	struct span rest = span_of(lines), line;
	size_t colon;

	http_fields_init(&rig->f, rig->array, RIG_FIELDS);
	while (span_split(&rest, '\n', &line)) {
		colon = span_index(line, ':');
		if (colon != SIZE_MAX)
			(void)http_fields_add(&rig->f, span_cut(line, 0, colon),
			    span_trim(span_cut(line, colon + 1, line.n)));
	}
	http_fields_mark_hops(&rig->f);
	return (&rig->f);
}

#endif
