/* SPDX-License-Identifier: Apache-2.0 */
/* geo/fields.h - what a record of a database says, found by path in the layouts
 * of the usual makers. Its values are hostile text: what is not of the right form
 * counts as absent. Pure functions; the record has been checked (geo/value.h). */
#ifndef YETT_GEO_FIELDS_H
#define YETT_GEO_FIELDS_H

#include <maxminddb.h>
#include <stdbool.h>
#include <stdint.h>

#define FIELDS_PATHS_MAX 32
#define FIELDS_ORGANISATION_MAX 63	/* bytes, cut at a character */

enum fields_kind {
	FIELDS_COUNTRY, FIELDS_CONTINENT, FIELDS_ASN, FIELDS_ORGANISATION, FIELDS_KINDS
};

struct fields {
	char country[2];		/* "DE"; NUL bytes: unknown */
	uint8_t continent;		/* geo/continent.h */
	uint8_t organisation_n;
	uint32_t asn;			/* 0: unknown */
	const char *organisation;	/* in the record */
};

/* How often each path answered: for a report. */
struct fields_tally {
	uint32_t hits[FIELDS_PATHS_MAX];
	uint32_t derived;		/* continents that the country told */
};

void fields_read(MMDB_entry_s *record, struct fields *fields_r, struct fields_tally *);
bool fields_has(const struct fields_tally *, enum fields_kind);
/* The path that answered most often, as "country.iso_code"; "" when none did. */
void fields_path(const struct fields_tally *, enum fields_kind, char *out, size_t size);

#endif
