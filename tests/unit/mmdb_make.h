/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/mmdb_make.h - writes MaxMind DB files (format 2.0), good ones and,
 * by way of the raw parts, broken ones. For tests: it aborts where it can't. */
#ifndef YETT_MMDB_MAKE_H
#define YETT_MMDB_MAKE_H

#include <stdint.h>

#include "gateway/base/buf.h"

#define MMDB_MAKE_NODES 4096

struct mmdb_make {
	unsigned record_bits;		/* 24, 28, 32 */
	unsigned ip_version;		/* 4, 6 */
	const char *type;
	uint64_t epoch;
	/* A record below 0 is data at -1 - offset; MMDB_EMPTY: nothing. */
	int64_t nodes[MMDB_MAKE_NODES][2];
	uint32_t n_nodes;
	uint32_t told_nodes;		/* what the metadata say; 0: the truth */
	struct text data;
};
#define MMDB_EMPTY INT64_MIN

void mmdb_init(struct mmdb_make *, unsigned record_bits, unsigned ip_version);
void mmdb_free(struct mmdb_make *);

/* Values, one after the other, into the data section. A map is followed by its
 * keys and values. Each returns its offset. */
uint32_t mmdb_map(struct mmdb_make *, unsigned pairs);
uint32_t mmdb_array(struct mmdb_make *, unsigned values);
uint32_t mmdb_put(struct mmdb_make *, const char *text);
uint32_t mmdb_put_number(struct mmdb_make *, uint32_t);
uint32_t mmdb_put_pointer(struct mmdb_make *, uint32_t offset);
uint32_t mmdb_put_raw(struct mmdb_make *, const char *bytes, size_t n);
/* {"country": {"iso_code": "DE"}} from "country", "iso_code", "DE", NULL. */
uint32_t mmdb_nested(struct mmdb_make *, const char *const *words);

/* "192.0.2.0/24"; in a tree of IPv6, IPv4 is at ::/96. */
void mmdb_add(struct mmdb_make *, const char *prefix, uint32_t offset);
/* The whole file; free(3). */
char *mmdb_bytes(const struct mmdb_make *, size_t *n_r);
void mmdb_write(const struct mmdb_make *, const char *path);

#endif
