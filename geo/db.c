/* SPDX-License-Identifier: Apache-2.0 */
/* One database: checked as a whole when it is opened, then a walk down its tree
 * and one look into a table for each address. The table has what each distinct
 * record says, read once: a country database has some 250 of them. */
#include "config.h"

#include "geo/internal.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/hash.h"
#include "geo/continent.h"
#include "geo/copy.h"
#include "geo/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define GEO_DB_MAGIC 0x9e0db001u
#define MARKER "\xab\xcd\xefMaxMind.com"
#define METADATA_BYTES_MAX 131072
#define METADATA_VALUES_MAX 10000
#define RECORDS_MAX (8u << 20)
#define DISTINCT_FIRST 1024 /* slots; a power of two */

/* What one record of the file says. 16 bytes, so that four are in a cache line. */
struct slot {
	uint32_t key; /* offset in the data section + 1; 0: free */
	uint32_t asn;
	uint32_t organisation; /* offset in the data section */
	char country[2];
	uint8_t continent;
	uint8_t organisation_n;
};

struct geo_db {
	unsigned magic;
	MMDB_s mm;
	size_t data_bytes; /* without the metadata behind it */
	struct slot *slots;
	unsigned slot_bits;
	uint32_t n_slots_used;
	uint64_t multiplier; /* odd, random: offsets can't be chosen to collide */
	uint64_t networks;
	struct fields_tally tally;
};

/* While it is being opened. */
struct opening {
	struct geo_db *db;
	struct value_check values;
};

/* --- the table ---------------------------------------------------------- */

static inline size_t
slot_home(const struct geo_db *db, uint32_t key)
{
	return ((size_t)((key * db->multiplier) >> (64 - db->slot_bits)));
}

/* The slot with the key, or the free one where it belongs. */
static inline struct slot *
slot_find(const struct geo_db *db, uint32_t key)
{
	size_t mask = ((size_t)1 << db->slot_bits) - 1, i = slot_home(db, key);

	while (db->slots[i].key != 0 && db->slots[i].key != key)
		i = (i + 1) & mask;
	return (&db->slots[i]);
}

static void
slots_grow(struct geo_db *db)
{
	size_t i, old_n = (size_t)1 << db->slot_bits;
	struct slot *old = db->slots;

	db->slot_bits++;
	db->slots = mem_zalloc(2 * old_n * sizeof *old);
	for (i = 0; i < old_n; i++)
		if (old[i].key != 0)
			*slot_find(db, old[i].key) = old[i];
	free(old);
}

static void
slots_start(struct geo_db *db)
{
	db->slots = mem_zalloc(DISTINCT_FIRST * sizeof *db->slots);
	db->slot_bits = (unsigned)__builtin_ctz(DISTINCT_FIRST);
	random_bytes(&db->multiplier, sizeof db->multiplier);
	db->multiplier |= 1;
}

/* --- opening ------------------------------------------------------------ */

static const char *
take_record(void *data, uint32_t offset)
{
	struct opening *o = data;
	struct geo_db *db = o->db;
	MMDB_entry_s entry = { .mmdb = &db->mm, .offset = offset };
	struct slot *slot = slot_find(db, offset + 1);
	struct fields fields;
	const char *problem;

	if (slot->key != 0)
		return (NULL);
	if (db->n_slots_used == RECORDS_MAX)
		return ("is one too many: more than 8388608 different ones");
	problem = value_problem(&o->values, offset);
	if (problem != NULL)
		return (problem);
	if (++db->n_slots_used > ((size_t)1 << db->slot_bits) / 2) {
		slots_grow(db);
		slot = slot_find(db, offset + 1);
	}
	fields_read(&entry, &fields, &db->tally);
	slot->key = offset + 1;
	slot->asn = fields.asn;
	memcpy(slot->country, fields.country, sizeof slot->country);
	slot->continent = fields.continent;
	slot->organisation_n = fields.organisation_n;
	if (fields.organisation_n > 0)
		slot->organisation = (uint32_t)((const uint8_t *)fields.organisation -
						db->mm.data_section);
	return (NULL);
}

/* The metadata stand behind the last marker in the last 128 KiB. */
static size_t
find_metadata(const uint8_t *file, size_t n)
{
	size_t marker_n = sizeof MARKER - 1;
	size_t at = n, end = n > METADATA_BYTES_MAX ? n - METADATA_BYTES_MAX : 0;

	while (at >= end + marker_n) {
		if (memcmp(file + at - marker_n, MARKER, marker_n) == 0)
			return (at);
		at--;
	}
	return (0);
}

/* Before libmaxminddb reads them, which it does when it opens a file. */
static enum err_code
check_metadata(int fd, size_t *metadata_r, struct err *e)
{
	struct value_check values = { .budget = METADATA_VALUES_MAX, .deep_text = true };
	const char *problem = NULL;
	struct stat st;
	uint8_t *file;
	size_t n;

	if (fstat(fd, &st) != 0)
		return (err_errno(e, "fstat"));
	if (st.st_size == 0)
		return (err_set(e, ERR_FORMAT, "is empty"));
	n = (size_t)st.st_size;
	file = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		return (err_errno(e, "mmap"));
	*metadata_r = find_metadata(file, n);
	if (*metadata_r > 0) {
		values.base = file + *metadata_r;
		values.size = n - *metadata_r;
		problem = value_problem(&values, 0);
	}
	munmap(file, n);
	if (*metadata_r == 0)
		return (err_set(e, ERR_FORMAT,
		    "not a MaxMind database, or a truncated one: no metadata at its "
		    "end"));
	if (problem != NULL)
		return (err_set(e, ERR_FORMAT, "its metadata %s", problem));
	return (ERR_OK);
}

/* The library opens by path only, and maps what is there: our sealed copy. */
static enum err_code
open_library(MMDB_s *mm, int fd, struct err *e)
{
	char path[32];
	int rc;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	rc = MMDB_open(path, MMDB_MODE_MMAP, mm);
	if (rc == MMDB_FILE_OPEN_ERROR)
		return (err_errno(e, "%s: cannot open (is /proc mounted?)", path));
	if (rc != MMDB_SUCCESS)
		return (
		    err_set(e, ERR_FORMAT, "not a good database: %s", MMDB_strerror(rc)));
	return (ERR_OK);
}

/* The tree ends and the data begin where the metadata say; all of it must be in
 * front of the metadata. */
static enum err_code
check_sizes(struct geo_db *db, size_t metadata, struct err *e)
{
	const MMDB_metadata_s *m = &db->mm.metadata;
	size_t data_at = (size_t)(db->mm.data_section - db->mm.file_content);

	if (m->node_count == 0 || (m->ip_version != 4 && m->ip_version != 6) ||
	    (m->record_size != 24 && m->record_size != 28 && m->record_size != 32))
		return (err_set(e, ERR_FORMAT,
		    "its metadata are none that make sense: %u nodes, IP version %u, "
		    "records of %u bits",
		    m->node_count, m->ip_version, m->record_size));
	metadata -= sizeof MARKER - 1;
	if (db->mm.data_section == NULL || data_at > metadata)
		return (err_set(e, ERR_FORMAT,
		    "a truncated or torn database: %u nodes do not fit into it",
		    m->node_count));
	db->data_bytes = metadata - data_at;
	return (ERR_OK);
}

/* Everything that a lookup can reach: the whole tree, and each distinct record
 * behind it. */
static enum err_code
check_content(struct geo_db *db, struct err *e)
{
	struct opening o = { .db = db };
	struct tree_visit visit = { .leaf = take_record, .data = &o };
	enum err_code rc;

	o.values.base = db->mm.data_section;
	o.values.size = db->data_bytes;
	/* Each value takes a byte at least, is looked at where it stands and once
	 * more for each pointer to something around it. */
	o.values.budget = UINT64_C(4) * db->data_bytes + 1024;
	o.values.seen = mem_zalloc(db->data_bytes / 8 + 1);
	rc = tree_check(&db->mm, db->data_bytes, &visit, e);
	free(o.values.seen);
	db->networks = visit.networks;
	if (rc != ERR_OK)
		return (rc);
	if (!geo_db_has(db, FIELDS_COUNTRY) && !geo_db_has(db, FIELDS_CONTINENT) &&
	    !geo_db_has(db, FIELDS_ASN))
		return (err_set(e, ERR_UNSUPPORTED,
		    "no record of it has a country, a continent or an AS number "
		    "(looked for country.iso_code, country_code, "
		    "autonomous_system_number and the like)"));
	return (ERR_OK);
}

static enum err_code
open_fd(struct geo_db **db_r, int fd, struct err *e)
{
	struct geo_db *db;
	size_t metadata = 0;
	enum err_code rc;

	rc = check_metadata(fd, &metadata, e);
	if (rc != ERR_OK)
		return (rc);
	db = mem_zalloc(sizeof *db);
	rc = open_library(&db->mm, fd, e);
	if (rc != ERR_OK) {
		free(db);
		return (rc);
	}
	db->magic = GEO_DB_MAGIC;
	slots_start(db);
	rc = check_sizes(db, metadata, e);
	if (rc == ERR_OK)
		rc = check_content(db, e);
	if (rc != ERR_OK)
		geo_db_close(&db);
	else
		*db_r = db;
	return (rc);
}

enum err_code
geo_db_open(struct geo_db **db_r, const char *path, struct err *e)
{
	enum err_code rc;
	int fd;

	rc = copy_file(path, &fd, e);
	if (rc != ERR_OK)
		return (rc);
	rc = open_fd(db_r, fd, e);
	close(fd);
	return (rc == ERR_OK ? ERR_OK : err_wrap(e, "%s", path));
}

enum err_code
geo_db_open_bytes(struct geo_db **db_r, struct span bytes, struct err *e)
{
	enum err_code rc;
	int fd;

	rc = copy_bytes(bytes, &fd, e);
	if (rc != ERR_OK)
		return (rc);
	rc = open_fd(db_r, fd, e);
	close(fd);
	return (rc);
}

void
geo_db_close(struct geo_db **db)
{
	if (*db == NULL)
		return;
	CHECK_OBJ(*db, GEO_DB_MAGIC);
	MMDB_close(&(*db)->mm);
	free((*db)->slots);
	(*db)->magic = 0;
	free(*db);
	*db = NULL;
}

/* --- answers ------------------------------------------------------------ */

bool
geo_db_has(const struct geo_db *db, enum fields_kind kind)
{
	CHECK_OBJ(db, GEO_DB_MAGIC);
	return (fields_has(&db->tally, kind));
}

static void
date_of(uint64_t epoch, char out[CLOCK_RFC3339_MAX])
{
	if (epoch > (uint64_t)(INT64_MAX / CLOCK_SECOND / 1000)) {
		snprintf(out, CLOCK_RFC3339_MAX, "unknown date");
		return;
	}
	clock_rfc3339((int64_t)epoch * CLOCK_SECOND, out);
	out[strcspn(out, "T")] = '\0';
}

void
geo_db_describe(const struct geo_db *db, char *out, size_t size)
{
	static const char *const names[] = { "country", "continent", "AS number",
		"organisation" };
	char date[CLOCK_RFC3339_MAX], path[128], found[512];
	size_t n = 0;
	unsigned i;

	CHECK_OBJ(db, GEO_DB_MAGIC);
	for (i = 0; i < FIELDS_KINDS; i++) {
		fields_path(&db->tally, i, path, sizeof path);
		if (path[0] != '\0')
			n += (size_t)snprintf(
			    found + n, sizeof found - n, "%s at %s, ", names[i], path);
		else if (i == FIELDS_CONTINENT && db->tally.derived > 0)
			n += (size_t)snprintf(
			    found + n, sizeof found - n, "continent from the country, ");
	}
	date_of(db->mm.metadata.build_epoch, date);
	snprintf(out, size, "%s%.64s, %s, %" PRIu64 " networks, %s", found,
	    db->mm.metadata.database_type != NULL ? db->mm.metadata.database_type : "",
	    date, db->networks,
	    db->mm.metadata.ip_version == 6 ? "IPv4 and IPv6" : "IPv4 only");
}

static void
tell(const struct geo_db *db, const struct slot *slot, struct geo_place *place)
{
	if (slot->country[0] != '\0') {
		memcpy(place->country, slot->country, 2);
		place->country[2] = '\0';
	}
	if (slot->continent != CONTINENT_UNKNOWN) {
		memcpy(place->continent, continent_text(slot->continent), 2);
		place->continent[2] = '\0';
	}
	if (slot->asn != 0)
		place->asn = slot->asn;
	if (slot->organisation_n > 0) {
		memcpy(place->organisation, db->mm.data_section + slot->organisation,
		    slot->organisation_n);
		place->organisation[slot->organisation_n] = '\0';
	}
}

void
geo_db_find(const struct geo_db *db, const struct netaddr *addr, struct geo_place *place)
{
	struct sockaddr_storage ss;
	MMDB_lookup_result_s result;
	const struct slot *slot;
	int rc;

	CHECK_OBJ(db, GEO_DB_MAGIC);
	if (addr->family != NETADDR_IP4 && addr->family != NETADDR_IP6)
		return;
	netaddr_to_sockaddr(addr, &ss);
	result = MMDB_lookup_sockaddr(&db->mm, (struct sockaddr *)&ss, &rc);
	if (rc != MMDB_SUCCESS || !result.found_entry)
		return;
	slot = slot_find(db, result.entry.offset + 1);
	CHECK(slot->key != 0); /* the tree was walked: each record is in the table */
	tell(db, slot, place);
}
