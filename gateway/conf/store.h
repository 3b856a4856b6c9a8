/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/store.h - values, known to be allowed, into the members that the
 * rows of the directive tables name. Only within this folder; one thread. */
#ifndef YETT_CONF_STORE_H
#define YETT_CONF_STORE_H

#include "gateway/conf/reader.h"

/* Where the row's value goes; NULL: nothing is stored. */
void *store_member(const struct field *, void *object);
/* A single value: `text` as it was written, or as its check left it. */
void store_value(struct reader *, const struct field *, const union field_value *,
    struct span text, void *object);
/* A list: made empty, and one more member to it. */
void store_clear(const struct field *, void *list);
void store_item(struct reader *, const struct field *, struct span text, void *list);

#endif
