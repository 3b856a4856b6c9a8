/* SPDX-License-Identifier: Apache-2.0 */
/* The layouts of the usual databases, path by path. */
#include "config.h"

#include "geo/fields.h"

#include "gateway/base/span.h"
#include "gateway/base/utf8.h"
#include "geo/continent.h"

#include <stdio.h>
#include <string.h>

/* Of one kind, the first path that answers counts. */
static const struct {
	enum fields_kind kind;
	const char *path[4];
} PATHS[] = {
	/* MaxMind, DB-IP */
	{ FIELDS_COUNTRY, { "country", "iso_code" } },
	/* ip-location-db, IPinfo Lite (whose "country" is a name) */
	{ FIELDS_COUNTRY, { "country_code" } },
	/* IPinfo */
	{ FIELDS_COUNTRY, { "country" } },
	{ FIELDS_COUNTRY, { "registered_country", "iso_code" } },
	{ FIELDS_CONTINENT, { "continent", "code" } },
	{ FIELDS_CONTINENT, { "continent_code" } },
	{ FIELDS_CONTINENT, { "continent" } },
	/* MaxMind, DB-IP, ip-location-db */
	{ FIELDS_ASN, { "autonomous_system_number" } },
	/* IPinfo */
	{ FIELDS_ASN, { "asn" } },
	{ FIELDS_ASN, { "traits", "autonomous_system_number" } },
	{ FIELDS_ORGANISATION, { "autonomous_system_organization" } },
	{ FIELDS_ORGANISATION, { "as_name" } },
	{ FIELDS_ORGANISATION, { "name" } },
	{ FIELDS_ORGANISATION, { "traits", "autonomous_system_organization" } },
};
#define N_PATHS (sizeof(PATHS) / sizeof(PATHS[0]))
_Static_assert(N_PATHS <= FIELDS_PATHS_MAX, "struct fields_tally");

static struct span
text_of(const MMDB_entry_data_s *value)
{
	if (value->type != MMDB_DATA_TYPE_UTF8_STRING)
		return (SPAN_NONE);
	return (span_mem(value->utf8_string, value->data_size));
}

static bool
is_code(struct span s)
{
	return (
	    s.n == 2 && s.p[0] >= 'A' && s.p[0] <= 'Z' && s.p[1] >= 'A' && s.p[1] <= 'Z');
}

/* XX and ZZ are how some say that they do not know. */
static bool
set_country(struct fields *f, const MMDB_entry_data_s *value)
{
	struct span s = text_of(value);

	if (!is_code(s) || span_eq(s, SPAN("XX")) || span_eq(s, SPAN("ZZ")))
		return (false);
	memcpy(f->country, s.p, 2);
	return (true);
}

static bool
set_continent(struct fields *f, const MMDB_entry_data_s *value)
{
	struct span s = text_of(value);

	if (is_code(s))
		f->continent = continent_of_code(s.p);
	return (f->continent != CONTINENT_UNKNOWN);
}

/* 64512, "64512" or "AS64512". */
static bool
set_asn(struct fields *f, const MMDB_entry_data_s *value)
{
	uint64_t number = 0;
	struct span s;

	switch (value->type) {
	case MMDB_DATA_TYPE_UINT16: number = value->uint16; break;
	case MMDB_DATA_TYPE_UINT32: number = value->uint32; break;
	case MMDB_DATA_TYPE_UINT64: number = value->uint64; break;
	case MMDB_DATA_TYPE_UTF8_STRING:
		s = text_of(value);
		if (span_starts(s, SPAN("AS")))
			s = span_cut(s, 2, s.n);
		if (!span_u64(s, &number))
			return (false);
		break;
	default: return (false);
	}
	if (number > UINT32_MAX)
		return (false);
	f->asn = (uint32_t)number;
	return (number != 0);
}

static bool
set_organisation(struct fields *f, const MMDB_entry_data_s *value)
{
	struct span s = text_of(value);
	size_t n = 0, more;

	while (n < s.n) {
		more = utf8_sequence(span_cut(s, n, s.n));
		if (more == 0 || (unsigned char)s.p[n] < 0x20 || s.p[n] == 0x7f)
			return (false);
		if (n + more > FIELDS_ORGANISATION_MAX)
			break;
		n += more;
	}
	f->organisation = s.p;
	f->organisation_n = (uint8_t)n;
	return (n > 0);
}

void
fields_read(MMDB_entry_s *record, struct fields *f, struct fields_tally *tally)
{
	static bool (*const set[FIELDS_KINDS])(
	    struct fields *, const MMDB_entry_data_s *) = {
		[FIELDS_COUNTRY] = set_country,
		[FIELDS_CONTINENT] = set_continent,
		[FIELDS_ASN] = set_asn,
		[FIELDS_ORGANISATION] = set_organisation,
	};
	bool found[FIELDS_KINDS] = { false };
	MMDB_entry_data_s value;
	size_t i;

	memset(f, 0, sizeof *f);
	for (i = 0; i < N_PATHS; i++) {
		if (found[PATHS[i].kind])
			continue;
		if (MMDB_aget_value(record, &value, PATHS[i].path) != MMDB_SUCCESS ||
		    !value.has_data || !set[PATHS[i].kind](f, &value))
			continue;
		found[PATHS[i].kind] = true;
		tally->hits[i]++;
	}
	if (f->continent != CONTINENT_UNKNOWN)
		return;
	f->continent = continent_of_country(f->country);
	if (f->continent != CONTINENT_UNKNOWN)
		tally->derived++;
}

bool
fields_has(const struct fields_tally *tally, enum fields_kind kind)
{
	size_t i;

	for (i = 0; i < N_PATHS; i++)
		if (PATHS[i].kind == kind && tally->hits[i] > 0)
			return (true);
	return (false);
}

void
fields_path(
    const struct fields_tally *tally, enum fields_kind kind, char *out, size_t size)
{
	size_t i, best = N_PATHS;

	for (i = 0; i < N_PATHS; i++)
		if (PATHS[i].kind == kind && tally->hits[i] > 0 &&
		    (best == N_PATHS || tally->hits[i] > tally->hits[best]))
			best = i;
	out[0] = '\0';
	if (best < N_PATHS)
		snprintf(out, size, "%s%s%s", PATHS[best].path[0],
		    PATHS[best].path[1] != NULL ? "." : "",
		    PATHS[best].path[1] != NULL ? PATHS[best].path[1] : "");
}
