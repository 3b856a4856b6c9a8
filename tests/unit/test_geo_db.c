/* SPDX-License-Identifier: Apache-2.0 */
/* Databases of all layouts and trees are read; truncated, torn, cyclic and
 * otherwise broken ones are refused before anything is looked up in them. */
#include "config.h"

#include "geo/internal.h"

#include "tests/unit/mmdb_make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static enum err_code
open_made(const struct mmdb_make *m, struct geo_db **db_r, struct err *e)
{
	enum err_code rc;
	size_t n;
	char *bytes = mmdb_bytes(m, &n);

	*db_r = NULL;
	rc = geo_db_open_bytes(db_r, span_mem(bytes, n), e);
	free(bytes);
	return (rc);
}

static struct geo_db *
must_open(const struct mmdb_make *m)
{
	struct geo_db *db;
	struct err e;

	if (open_made(m, &db, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return (db);
}

static struct geo_place
find(const struct geo_db *db, const char *ip)
{
	struct geo_place place;
	struct netaddr addr;

	memset(&place, 0, sizeof place);
	assert_true(netaddr_parse_ip(&addr, span_of(ip)));
	geo_db_find(db, &addr, &place);
	return (place);
}

static void
test_layouts(void **state)
{
	static const struct {
		const char *words[5];
		const char *country, *continent, *organisation;
		uint32_t asn;
		const char *told; /* in the description */
	} rows[] = {
		{ { "country", "iso_code", "DE" }, "DE", "EU", "", 0,
		    "country at country.iso_code, continent from the country" },
		{ { "country_code", "JP" }, "JP", "AS", "", 0,
		    "country at country_code" },
		{ { "country", "BR" }, "BR", "SA", "", 0, "country at country," },
		{ { "registered_country", "iso_code", "NZ" }, "NZ", "OC", "", 0,
		    "country at registered_country.iso_code" },
		{ { "continent", "code", "AF" }, "", "AF", "", 0,
		    "continent at continent.code" },
		{ { "continent_code", "NA" }, "", "NA", "", 0,
		    "continent at continent_code" },
		{ { "continent", "AN" }, "", "AN", "", 0, "continent at continent," },
		{ { "asn", "AS64512" }, "", "", "", 64512, "AS number at asn" },
		{ { "asn", "64513" }, "", "", "", 64513, "AS number at asn" },
		{ { "autonomous_system_number", "4294967295" }, "", "", "", UINT32_MAX,
		    "AS number at autonomous_system_number" },
		/* Not of the right form. */
		{ { "country_code", "de" }, NULL, NULL, NULL, 0, NULL },
		{ { "country_code", "DEU" }, NULL, NULL, NULL, 0, NULL },
		{ { "country_code", "D\xc3" }, NULL, NULL, NULL, 0, NULL },
		{ { "country_code", "" }, NULL, NULL, NULL, 0, NULL },
		{ { "country_code", "ZZ" }, NULL, NULL, NULL, 0, NULL },
		{ { "country", "Germany" }, NULL, NULL, NULL, 0, NULL },
		{ { "country", "iso_code", "deep", "DE" }, NULL, NULL, NULL, 0, NULL },
		{ { "continent_code", "XX" }, NULL, NULL, NULL, 0, NULL },
		{ { "asn", "AS" }, NULL, NULL, NULL, 0, NULL },
		{ { "asn", "AS12x" }, NULL, NULL, NULL, 0, NULL },
		{ { "asn", "AS4294967296" }, NULL, NULL, NULL, 0, NULL },
		{ { "asn", "AS0" }, NULL, NULL, NULL, 0, NULL },
		{ { "name", "Only A Name" }, NULL, NULL, NULL, 0, NULL },
		{ { "city", "Bonn" }, NULL, NULL, NULL, 0, NULL },
	};
	struct geo_place place;
	struct mmdb_make m;
	struct geo_db *db;
	char told[1024];
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		mmdb_init(&m, 24, 4);
		mmdb_add(&m, "192.0.2.0/24", mmdb_nested(&m, rows[i].words));
		if (rows[i].told == NULL) {
			if (open_made(&m, &db, &e) != ERR_UNSUPPORTED)
				fail_msg("row %zu", i);
			assert_non_null(strstr(e.text, "country.iso_code"));
			mmdb_free(&m);
			continue;
		}
		db = must_open(&m);
		place = find(db, "192.0.2.77");
		assert_string_equal(place.country, rows[i].country);
		assert_string_equal(place.continent, rows[i].continent);
		assert_string_equal(place.organisation, rows[i].organisation);
		assert_int_equal(place.asn, rows[i].asn);
		geo_db_describe(db, told, sizeof told);
		if (strstr(told, rows[i].told) == NULL)
			fail_msg("\"%s\" is not in: %s", rows[i].told, told);
		geo_db_close(&db);
		assert_null(db);
		mmdb_free(&m);
	}
}

/* As GeoLite2-City has it: names shared through pointers, lists, numbers. */
static uint32_t
put_city(struct mmdb_make *m)
{
	uint32_t names = mmdb_map(m, 1), at;

	mmdb_put(m, "en");
	mmdb_put(m, "Land");
	at = mmdb_map(m, 5);
	mmdb_put(m, "subdivisions");
	mmdb_array(m, 2);
	mmdb_map(m, 1);
	mmdb_put(m, "names");
	mmdb_put_pointer(m, names);
	mmdb_map(m, 0);
	mmdb_put(m, "location");
	mmdb_put_raw(m, "\x68\x40\x49\x0f\xdb\x00\x00\x00\x00", 9); /* double */
	mmdb_put(m, "is_anonymous");
	mmdb_put_raw(m, "\x01\x07", 2); /* boolean */
	mmdb_put(m, "registered_country");
	mmdb_map(m, 1);
	mmdb_put(m, "iso_code");
	mmdb_put(m, "US");
	mmdb_put(m, "country");
	mmdb_map(m, 2);
	mmdb_put(m, "names");
	mmdb_put_pointer(m, names);
	mmdb_put(m, "iso_code");
	mmdb_put(m, "FR");
	return (at);
}

static uint32_t
put_asn(struct mmdb_make *m, uint32_t number, const char *name)
{
	uint32_t at = mmdb_map(m, 2);

	mmdb_put(m, "autonomous_system_number");
	mmdb_put_number(m, number);
	mmdb_put(m, "autonomous_system_organization");
	mmdb_put(m, name);
	return (at);
}

static void
test_records(void **state)
{
	static const char euros[] = "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac";
	struct mmdb_make m;
	struct geo_db *db;
	struct geo_place place;
	char long_name[300];
	uint32_t city;

	(void)state;
	memset(long_name, 'n', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	mmdb_init(&m, 28, 6);
	city = put_city(&m);
	mmdb_add(&m, "2001:db8::/32", city);
	mmdb_add(&m, "198.51.100.0/24", city);
	mmdb_add(&m, "192.0.2.0/25", put_asn(&m, 64512, "Ex\xc3\xa4mple AG"));
	mmdb_add(&m, "192.0.2.128/26", put_asn(&m, 64513, long_name));
	mmdb_add(&m, "192.0.2.192/27", put_asn(&m, 64514, "bad \xff bytes"));
	mmdb_add(&m, "192.0.2.224/28", put_asn(&m, 64515, "two\nlines"));
	snprintf(long_name + 62, sizeof long_name - 62, "%s", euros);
	mmdb_add(&m, "192.0.2.240/28", put_asn(&m, 64516, long_name));
	db = must_open(&m);
	place = find(db, "2001:db8::1");
	assert_string_equal(place.country, "FR");
	assert_string_equal(place.continent, "EU");
	place = find(db, "198.51.100.9");
	assert_string_equal(place.country, "FR");
	place = find(db, "192.0.2.1");
	assert_int_equal(place.asn, 64512);
	assert_string_equal(place.organisation, "Ex\xc3\xa4mple AG");
	assert_string_equal(place.country, "");
	place = find(db, "192.0.2.129");
	assert_int_equal(strlen(place.organisation), FIELDS_ORGANISATION_MAX);
	assert_string_equal(find(db, "192.0.2.193").organisation, "");
	assert_int_equal(find(db, "192.0.2.193").asn, 64514);
	assert_string_equal(find(db, "192.0.2.225").organisation, "");
	/* Cut at a character, not in one. */
	assert_int_equal(strlen(find(db, "192.0.2.241").organisation), 62);
	/* Nothing known. */
	assert_int_equal(find(db, "203.0.113.1").asn, 0);
	assert_string_equal(find(db, "2001:db9::").country, "");
	geo_db_close(&db);
	mmdb_free(&m);
}

static void
test_trees(void **state)
{
	static const unsigned bits[] = { 24, 28, 32 };
	struct mmdb_make m;
	struct geo_db *db;
	char told[1024], prefix[64], ip[64];
	uint32_t at[2];
	unsigned i, k;

	(void)state;
	for (i = 0; i < 2 * COUNT(bits); i++) {
		mmdb_init(&m, bits[i / 2], i % 2 == 0 ? 4 : 6);
		/* Offsets above 65535 in every width. */
		while (m.data.n < 70000)
			mmdb_put(&m, "filler");
		at[0] =
		    mmdb_nested(&m, (const char *const[]){ "country_code", "AA", NULL });
		at[1] =
		    mmdb_nested(&m, (const char *const[]){ "country_code", "BB", NULL });
		for (k = 0; k < 100; k++) {
			snprintf(prefix, sizeof prefix, "10.%u.0.0/16", k);
			mmdb_add(&m, prefix, at[k % 2]);
		}
		mmdb_add(&m, "255.255.255.255", at[0]);
		if (m.ip_version == 6) {
			mmdb_add(&m, "2001:db8::7", at[1]);
			mmdb_add(&m, "8000::/1", at[0]);
		}
		db = must_open(&m);
		for (k = 0; k < 100; k++) {
			snprintf(ip, sizeof ip, "10.%u.3.4", k);
			assert_string_equal(
			    find(db, ip).country, k % 2 == 0 ? "AA" : "BB");
		}
		assert_string_equal(find(db, "255.255.255.255").country, "AA");
		assert_string_equal(find(db, "255.255.255.254").country, "");
		assert_string_equal(
		    find(db, "2001:db8::7").country, m.ip_version == 6 ? "BB" : "");
		assert_string_equal(
		    find(db, "ffff::").country, m.ip_version == 6 ? "AA" : "");
		geo_db_describe(db, told, sizeof told);
		assert_non_null(strstr(told,
		    m.ip_version == 6 ? ", Test, 2026-01-01, 103 networks, IPv4 and IPv6"
				      : ", Test, 2026-01-01, 101 networks, IPv4 only"));
		geo_db_close(&db);
		mmdb_free(&m);
	}
}

/* Makers let 2002::/16 and others lead into the IPv4 tree. */
static void
test_shared_subtree(void **state)
{
	uint32_t at, ip4 = 0, node = 0;
	struct mmdb_make m;
	struct geo_db *db;
	unsigned i;

	(void)state;
	mmdb_init(&m, 24, 6);
	at = mmdb_nested(&m, (const char *const[]){ "country_code", "DE", NULL });
	mmdb_add(&m, "192.0.2.0/24", at);
	mmdb_add(&m, "2002::/16", at);
	for (i = 0; i < 96; i++)
		ip4 = (uint32_t)m.nodes[ip4][0];
	for (i = 0; i < 15; i++)
		node = (uint32_t)m.nodes[node][0x2002 >> (15 - i) & 1];
	assert_int_equal(m.nodes[node][0], -1 - (int64_t)at);
	m.nodes[node][0] = ip4;
	db = must_open(&m);
	assert_string_equal(find(db, "192.0.2.1").country, "DE");
	assert_string_equal(find(db, "2002:c000:201::").country, "DE");
	assert_string_equal(find(db, "2002:c000:301::").country, "");
	geo_db_close(&db);
	mmdb_free(&m);
}

static void
test_cut_off(void **state)
{
	struct mmdb_make m;
	struct geo_db *db = NULL;
	size_t n, whole, step;
	char *bytes;
	struct err e;

	(void)state;
	mmdb_init(&m, 24, 6);
	mmdb_add(&m, "192.0.2.0/24", put_city(&m));
	bytes = mmdb_bytes(&m, &whole);
	/* Each length: the metadata are last, so nothing shorter is a database. */
	for (n = 0; n < whole; n++) {
		if (geo_db_open_bytes(&db, span_mem(bytes, n), &e) == ERR_OK)
			fail_msg("%zu of %zu bytes", n, whole);
		assert_true(e.text[0] != '\0');
	}
	/* The front is missing, or a piece of the middle. */
	for (step = 1; step < whole - 200; step += 7) {
		char *torn = malloc(whole);

		memcpy(torn, bytes, 100);
		memcpy(torn + 100, bytes + 100 + step, whole - 100 - step);
		n = whole - step;
		if (geo_db_open_bytes(&db, span_mem(torn, n), &e) == ERR_OK)
			geo_db_close(&db);
		if (step > whole / 2 && db != NULL)
			fail_msg("without %zu bytes", step);
		free(torn);
	}
	free(bytes);
	mmdb_free(&m);
}

enum breakage {
	CYCLE,
	SELF,
	TOO_DEEP,
	INTO_SEPARATOR,
	BEYOND_DATA,
	INTO_METADATA,
	NODES_TOO_MANY,
	NODES_HUGE,
	RECORD_CUT,
	KEY_NUMBER,
	POINTER_OUT,
	POINTER_POINTER,
	NESTED,
	HUGE_MAP,
	BAD_TYPE,
	END_TYPE,
	WIDE_NUMBER,
	SHORT_DOUBLE,
};

static void
break_tree(struct mmdb_make *m, enum breakage how)
{
	uint32_t last = m->n_nodes - 1, i;

	switch (how) {
	case CYCLE: m->nodes[last][1] = 1; break;
	case SELF: m->nodes[last][1] = last; break;
	case TOO_DEEP:
		for (i = 0; i < 40; i++) {
			m->nodes[m->n_nodes][0] = m->n_nodes + 1;
			m->nodes[m->n_nodes][1] = MMDB_EMPTY;
			m->n_nodes++;
		}
		m->nodes[m->n_nodes - 1][0] = MMDB_EMPTY;
		m->nodes[last][1] = last + 1;
		break;
	case INTO_SEPARATOR: m->nodes[last][1] = m->n_nodes + 5; break;
	case BEYOND_DATA: m->nodes[last][1] = 0x7ffff0; break;
	case INTO_METADATA: m->nodes[last][1] = -1 - (int64_t)m->data.n; break;
	case NODES_TOO_MANY: m->told_nodes = m->n_nodes + 30; break;
	case NODES_HUGE: m->told_nodes = UINT32_MAX; break;
	default: fail();
	}
}

static void
add_broken(struct mmdb_make *m, enum breakage how)
{
	uint32_t at = mmdb_map(m, 1);
	unsigned i;

	mmdb_put(m, "key");
	switch (how) {
	case RECORD_CUT: mmdb_put_raw(m, "\x5d\xff", 2); break;
	case KEY_NUMBER:
		at = mmdb_map(m, 1);
		mmdb_put_number(m, 7);
		mmdb_put(m, "value");
		break;
	case POINTER_OUT: mmdb_put_pointer(m, 1u << 20); break;
	case POINTER_POINTER:
		mmdb_put_pointer(m, (uint32_t)m->data.n + 5);
		mmdb_put_pointer(m, 0);
		break;
	case NESTED:
		for (i = 0; i < 5000; i++) {
			mmdb_map(m, 1);
			mmdb_put(m, "");
		}
		mmdb_put(m, "");
		break;
	case HUGE_MAP: mmdb_put_raw(m, "\xff\xff\xff\xff", 4); break;
	case BAD_TYPE: mmdb_put_raw(m, "\x01\x50", 2); break;
	case END_TYPE: mmdb_put_raw(m, "\x00\x06", 2); break;
	case WIDE_NUMBER: mmdb_put_raw(m, "\xc5\x01\x01\x01\x01\x01", 6); break;
	case SHORT_DOUBLE: mmdb_put_raw(m, "\x64\x01\x01\x01\x01", 5); break;
	default: fail();
	}
	mmdb_add(m, "10.0.0.0/8", at);
}

static void
test_broken(void **state)
{
	static const struct {
		enum breakage how;
		const char *said;
	} rows[] = {
		{ CYCLE, "leads back to node 1" },
		{ SELF, "leads back to node" },
		{ TOO_DEEP, "deeper than an address has bits" },
		{ INTO_SEPARATOR, "points outside of the data" },
		{ BEYOND_DATA, "points outside of the data" },
		{ INTO_METADATA, "points outside of the data" },
		{ NODES_TOO_MANY, "" },
		{ NODES_HUGE, "" },
		{ RECORD_CUT, "ends in the middle" },
		{ KEY_NUMBER, "something where only text may be" },
		{ POINTER_OUT, "a pointer that points at no value" },
		{ POINTER_POINTER, "a pointer that points at no value" },
		{ NESTED, "nested too deep" },
		{ HUGE_MAP, "longer than the file" },
		{ BAD_TYPE, "unknown type" },
		{ END_TYPE, "a type that is not for data" },
		{ WIDE_NUMBER, "a number of a wrong size" },
		{ SHORT_DOUBLE, "a number of a wrong size" },
	};
	struct mmdb_make m;
	struct geo_db *db;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		mmdb_init(&m, 24, 4);
		mmdb_add(&m, "192.0.2.0/24",
		    mmdb_nested(&m, (const char *const[]){ "country_code", "DE", NULL }));
		if (rows[i].how >= RECORD_CUT)
			add_broken(&m, rows[i].how);
		else
			break_tree(&m, rows[i].how);
		if (open_made(&m, &db, &e) == ERR_OK)
			fail_msg("row %zu: %s", i, rows[i].said);
		if (strstr(e.text, rows[i].said) == NULL)
			fail_msg("\"%s\" is not in: %s", rows[i].said, e.text);
		mmdb_free(&m);
	}
}

/* Lists of pointers to lists of pointers: small in the file, endless for who
 * copies them. In a record each is looked at once. */
static void
test_pointer_bomb(void **state)
{
	uint32_t level, at, k, i;
	struct mmdb_make m;
	struct geo_db *db;

	(void)state;
	mmdb_init(&m, 24, 4);
	level = mmdb_put(&m, "x");
	for (i = 0; i < 12; i++) {
		at = mmdb_array(&m, 200);
		for (k = 0; k < 200; k++)
			mmdb_put_pointer(&m, level);
		level = at;
	}
	at = mmdb_map(&m, 2);
	mmdb_put(&m, "bomb");
	mmdb_put_pointer(&m, level);
	mmdb_put(&m, "country_code");
	mmdb_put(&m, "DE");
	mmdb_add(&m, "192.0.2.0/24", at);
	db = must_open(&m);
	assert_string_equal(find(db, "192.0.2.1").country, "DE");
	geo_db_close(&db);
	mmdb_free(&m);
}

/* The same in the metadata, which libmaxminddb does copy. */
static void
test_metadata(void **state)
{
	struct mmdb_make m;
	struct geo_db *db = NULL;
	size_t n, at, i;
	char *bytes;
	struct text t;
	struct err e;

	(void)state;
	mmdb_init(&m, 24, 4);
	mmdb_add(&m, "192.0.2.0/24",
	    mmdb_nested(&m, (const char *const[]){ "country_code", "DE", NULL }));
	bytes = mmdb_bytes(&m, &n);
	at = span_find(span_mem(bytes, n), SPAN("MaxMind.com")) + 11;
	text_init(&t, 1u << 20);
	text_put(&t, span_mem(bytes, at));
	text_put(&t, SPAN("\xe1\x49languages"));
	for (i = 0; i < 60000; i++)
		text_put(&t, SPAN("\x01\x04")); /* lists of one in each other */
	assert_int_equal(geo_db_open_bytes(&db, text_span(&t), &e), ERR_FORMAT);
	assert_non_null(strstr(e.text, "only text may be"));
	/* languages: [p, p, ...] of a list that points at itself. */
	t.n = at;
	text_put(&t, SPAN("\xe1\x49languages\x02\x04\x28\x0b\x28\x0b"));
	assert_int_equal(geo_db_open_bytes(&db, text_span(&t), &e), ERR_FORMAT);
	/* Nothing that a database needs. */
	t.n = at;
	text_put(&t, SPAN("\xe0"));
	assert_int_equal(geo_db_open_bytes(&db, text_span(&t), &e), ERR_FORMAT);
	text_free(&t);
	free(bytes);
	mmdb_free(&m);
}

static void
test_flipped(void **state)
{
	struct geo_db *db = NULL;
	struct mmdb_make m;
	size_t n, i;
	char *bytes;
	unsigned k;

	(void)state;
	mmdb_init(&m, 24, 6);
	mmdb_add(&m, "192.0.2.0/24", put_city(&m));
	mmdb_add(&m, "2001:db8::/32", put_asn(&m, 64512, "name"));
	bytes = mmdb_bytes(&m, &n);
	for (i = 0; i < n; i++)
		for (k = 0; k < 8; k += 3) {
			bytes[i] ^= (char)(1 << k);
			if (geo_db_open_bytes(&db, span_mem(bytes, n), NULL) == ERR_OK) {
				find(db, "192.0.2.1");
				find(db, "2001:db8::1");
				geo_db_close(&db);
			}
			bytes[i] ^= (char)(1 << k);
		}
	free(bytes);
	mmdb_free(&m);
}

static void
test_files(void **state)
{
	char folder[] = "/tmp/yett-geo-XXXXXX", path[64];
	struct geo_db *db = NULL;
	struct mmdb_make m;
	struct err e;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/x.mmdb", folder);
	assert_int_equal(geo_db_open(&db, path, &e), ERR_IO);
	assert_non_null(strstr(e.text, path));
	assert_int_equal(geo_db_open(&db, folder, &e), ERR_FORMAT);
	mmdb_init(&m, 24, 4);
	mmdb_add(&m, "192.0.2.0/24",
	    mmdb_nested(&m, (const char *const[]){ "country_code", "DE", NULL }));
	mmdb_write(&m, path);
	assert_int_equal(geo_db_open(&db, path, &e), ERR_OK);
	/* Overwritten in place and cut to nothing: what is open doesn't change. */
	fd = open(path, O_WRONLY);
	assert_int_equal(write(fd, "garbage garbage garbage garbage", 31), 31);
	assert_string_equal(find(db, "192.0.2.1").country, "DE");
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_string_equal(find(db, "192.0.2.1").country, "DE");
	geo_db_close(&db);
	assert_int_equal(geo_db_open(&db, path, &e), ERR_FORMAT);
	assert_non_null(strstr(e.text, path));
	/* Larger than allowed: a sparse file costs nothing. */
	assert_int_equal(ftruncate(fd, (off_t)600 << 20), 0);
	assert_int_equal(geo_db_open(&db, path, &e), ERR_RANGE);
	close(fd);
	unlink(path);
	rmdir(folder);
	mmdb_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_shared_subtree),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_pointer_bomb),
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_files),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
