/* SPDX-License-Identifier: Apache-2.0 */
/* geo/internal.h - between the files of this folder, and for its tests. */
#ifndef YETT_GEO_INTERNAL_H
#define YETT_GEO_INTERNAL_H

#include <maxminddb.h>

#include "gateway/base/span.h"
#include "geo/fields.h"
#include "geo/geo.h"

/* The same as geo_db_open for bytes in memory. Errors don't name a file. */
enum err_code geo_db_open_bytes(struct geo_db **db_r, struct span, struct err *);
bool geo_db_has(const struct geo_db *, enum fields_kind);

/* geo/tree.c: every way down the search tree is followed once, without
 * recursion. What is checked: each record is a node, empty, or points into the
 * data section; no node leads back to itself; no way is longer than an address has
 * bits. `leaf` is called for each record that points at data, with the offset in
 * the data section, and returns NULL or what is wrong. */
struct tree_visit {
	const char *(*leaf)(void *data, uint32_t offset);
	void *data;
	uint64_t networks;	/* out: records that point at data */
};
enum err_code tree_check(const MMDB_s *, size_t data_bytes, struct tree_visit *,
    struct err *);

#endif
