/* SPDX-License-Identifier: Apache-2.0 */
/* Places: what is private, what is unknown, which continent a country is in, and
 * databases that are replaced by good and bad ones while threads look up. */
#include "config.h"

#include "geo/geo.h"

#include "geo/continent.h"
#include "geo/special.h"
#include "tests/unit/mmdb_make.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

struct place {
	char folder[64], country[96], asn[96], beside[96];
};

static int
set_up(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	snprintf(p->folder, sizeof p->folder, "/tmp/yett-geo-XXXXXX");
	if (mkdtemp(p->folder) == NULL)
		return (-1);
	snprintf(p->country, sizeof p->country, "%s/country.mmdb", p->folder);
	snprintf(p->asn, sizeof p->asn, "%s/asn.mmdb", p->folder);
	snprintf(p->beside, sizeof p->beside, "%s/beside", p->folder);
	*state = p;
	return (0);
}

static int
tear_down(void **state)
{
	struct place *p = *state;

	unlink(p->country);
	unlink(p->asn);
	unlink(p->beside);
	rmdir(p->folder);
	free(p);
	return (0);
}

static void
write_country(const char *path, const char *code)
{
	struct mmdb_make m;

	mmdb_init(&m, 24, 6);
	mmdb_add(&m, "8.0.0.0/8",
	    mmdb_nested(&m, (const char *const[]){ "country_code", code, NULL }));
	mmdb_write(&m, path);
	mmdb_free(&m);
}

static void
write_asn(const char *path, uint32_t number)
{
	struct mmdb_make m;
	uint32_t at;

	mmdb_init(&m, 28, 4);
	at = mmdb_map(&m, 2);
	mmdb_put(&m, "autonomous_system_number");
	mmdb_put_number(&m, number);
	mmdb_put(&m, "autonomous_system_organization");
	mmdb_put(&m, "Example");
	mmdb_add(&m, "8.8.0.0/16", at);
	mmdb_write(&m, path);
	mmdb_free(&m);
}

/* Both in one, as IPinfo sells them. */
static void
write_both(const char *path)
{
	struct mmdb_make m;
	uint32_t at;

	mmdb_init(&m, 32, 4);
	at = mmdb_map(&m, 3);
	mmdb_put(&m, "country");
	mmdb_put(&m, "CA");
	mmdb_put(&m, "asn");
	mmdb_put(&m, "AS77");
	mmdb_put(&m, "as_name");
	mmdb_put(&m, "Both");
	mmdb_add(&m, "8.0.0.0/8", at);
	mmdb_write(&m, path);
	mmdb_free(&m);
}

static struct geo_place
find(const struct geo *geo, const char *ip)
{
	struct geo_place place;
	struct netaddr addr;

	assert_true(netaddr_parse_ip(&addr, span_of(ip)));
	memset(&place, 0xaa, sizeof place);
	geo_find(geo, &addr, &place);
	return (place);
}

static struct geo *
start(const char *country, const char *asn)
{
	struct conf_geo conf = { .country = country, .asn = asn };
	struct geo *geo = NULL;
	struct err e;

	if (geo_new(&geo, &conf, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return (geo);
}

static void
test_special(void **state)
{
	static const struct {
		const char *ip;
		bool is_public;
	} rows[] = {
		{ "0.0.0.0", false },
		{ "0.255.255.255", false },
		{ "1.0.0.0", true },
		{ "9.255.255.255", true },
		{ "10.0.0.0", false },
		{ "10.255.255.255", false },
		{ "11.0.0.0", true },
		{ "100.63.255.255", true },
		{ "100.64.0.0", false },
		{ "100.127.255.255", false },
		{ "100.128.0.0", true },
		{ "127.0.0.1", false },
		{ "169.254.1.1", false },
		{ "172.15.255.255", true },
		{ "172.16.0.0", false },
		{ "172.31.255.255", false },
		{ "172.32.0.0", true },
		{ "192.0.0.8", false },
		{ "192.0.0.9", true },
		{ "192.0.0.10", true },
		{ "192.0.0.11", false },
		{ "192.0.1.0", true },
		{ "192.0.2.1", false },
		{ "192.0.3.0", true },
		{ "192.88.99.1", true },
		{ "192.168.0.1", false },
		{ "192.169.0.1", true },
		{ "198.17.255.255", true },
		{ "198.18.0.0", false },
		{ "198.19.255.255", false },
		{ "198.20.0.0", true },
		{ "198.51.100.7", false },
		{ "203.0.113.7", false },
		{ "223.255.255.255", true },
		{ "224.0.0.1", false },
		{ "240.0.0.1", false },
		{ "255.255.255.255", false },
		{ "8.8.8.8", true },
		{ "::", false },
		{ "::1", false },
		{ "::2", true },
		{ "64:ff9b::8.8.8.8", true },
		{ "64:ff9b:1::1", false },
		{ "100::1", false },
		{ "100:0:0:1::1", false },
		{ "100:0:0:2::1", true },
		{ "2001::1", true },
		{ "2001:1::1", true },
		{ "2001:1::3", true },
		{ "2001:1::4", false },
		{ "2001:2::1", false },
		{ "2001:3::1", true },
		{ "2001:4:112::1", true },
		{ "2001:4:113::1", false },
		{ "2001:10::1", false },
		{ "2001:20::1", true },
		{ "2001:2f:ffff::1", true },
		{ "2001:30::1", true },
		{ "2001:40::1", false },
		{ "2001:1ff:ffff::1", false },
		{ "2001:200::1", true },
		{ "2001:db8::1", false },
		{ "2001:db9::1", true },
		{ "2002::1", true },
		{ "3fff::1", false },
		{ "3fff:fff::1", false },
		{ "3fff:1000::1", true },
		{ "5f00::1", false },
		{ "2a00::1", true },
		{ "fbff::1", true },
		{ "fc00::1", false },
		{ "fdff::1", false },
		{ "fe80::1", false },
		{ "fec0::1", false },
		{ "ff02::1", false },
		{ "2001:4860:4860::8888", true },
	};
	struct netaddr addr;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_true(netaddr_parse_ip(&addr, span_of(rows[i].ip)));
		if (special_is_public(&addr) != rows[i].is_public)
			fail_msg("%s", rows[i].ip);
	}
	memset(&addr, 0, sizeof addr);
	assert_false(special_is_public(&addr));
	addr.family = NETADDR_UNIX;
	assert_false(special_is_public(&addr));
}

static void
test_continents(void **state)
{
	static const struct {
		const char *country, *continent;
	} rows[] = {
		{ "DE", "EU" },
		{ "US", "NA" },
		{ "BR", "SA" },
		{ "ZA", "AF" },
		{ "JP", "AS" },
		{ "NZ", "OC" },
		{ "AQ", "AN" },
		{ "RU", "EU" },
		{ "TR", "AS" },
		{ "CY", "EU" },
		{ "GE", "AS" },
		{ "EG", "AF" },
		{ "MX", "NA" },
		{ "XK", "EU" },
		{ "YE", "AS" },
		{ "ZW", "AF" },
		{ "AD", "EU" },
		{ "EU", "unknown" },
		{ "ZZ", "unknown" },
		{ "\0\0", "unknown" },
		{ "  ", "unknown" },
		{ "E ", "unknown" },
		{ " A", "unknown" },
	};
	unsigned n[8] = { 0 };
	char code[2];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (strcmp(continent_text(continent_of_country(rows[i].country)),
			rows[i].continent) != 0)
			fail_msg("%s", rows[i].country);
	/* ISO 3166-1 has 249, and XK. */
	for (i = 0; i < 26 * 26; i++) {
		code[0] = (char)('A' + i / 26);
		code[1] = (char)('A' + i % 26);
		n[continent_of_country(code)]++;
	}
	assert_int_equal(26 * 26 - n[0], 250);
	for (i = 1; i < 8; i++)
		assert_int_equal(continent_of_code(continent_text((uint8_t)i)), i);
	assert_int_equal(continent_of_code("XX"), CONTINENT_UNKNOWN);
	assert_string_equal(continent_text(200), "unknown");
}

static void
test_none(void **state)
{
	struct netaddr addr = { .family = NETADDR_UNIX };
	struct watched *list[2];
	struct geo_place place;
	struct geo *geo;

	(void)state;
	geo = start("", "");
	assert_false(geo_is_on(geo));
	assert_int_equal(geo_watched(geo, list), 0);
	assert_string_equal(find(geo, "8.8.8.8").country, "unknown");
	assert_string_equal(find(geo, "8.8.8.8").continent, "unknown");
	assert_string_equal(find(geo, "10.0.0.1").country, "private");
	assert_int_equal(find(geo, "10.0.0.1").asn, 0);
	assert_string_equal(find(geo, "::1").continent, "private");
	geo_find(geo, &addr, &place);
	assert_string_equal(place.country, "private");
	geo_free(&geo);
	assert_null(geo);
	geo_free(&geo);
}

static void
test_two(void **state)
{
	struct place *p = *state;
	struct geo_place place;
	struct watched *list[2];
	struct geo *geo;

	write_country(p->country, "US");
	write_asn(p->asn, 15169);
	geo = start(p->country, p->asn);
	assert_true(geo_is_on(geo));
	assert_int_equal(geo_watched(geo, list), 2);
	place = find(geo, "8.8.8.8");
	assert_string_equal(place.country, "US");
	assert_string_equal(place.continent, "NA");
	assert_int_equal(place.asn, 15169);
	assert_string_equal(place.organisation, "Example");
	place = find(geo, "8.9.8.8");
	assert_string_equal(place.country, "US");
	assert_int_equal(place.asn, 0);
	assert_string_equal(place.organisation, "");
	place = find(geo, "9.9.9.9");
	assert_string_equal(place.country, "unknown");
	/* IPv6, which the second can't know. */
	assert_string_equal(find(geo, "2a00::1").country, "unknown");
	geo_free(&geo);
	/* One that knows both: the network is the other's business. */
	write_both(p->country);
	geo = start(p->country, p->asn);
	place = find(geo, "8.8.8.8");
	assert_string_equal(place.country, "CA");
	assert_int_equal(place.asn, 15169);
	assert_string_equal(place.organisation, "Example");
	place = find(geo, "8.9.8.8");
	assert_int_equal(place.asn, 77);
	assert_string_equal(place.organisation, "Both");
	geo_free(&geo);
}

static void
test_wrong_kind(void **state)
{
	struct conf_geo conf = { .country = "", .asn = "" };
	struct place *p = *state;
	struct geo *geo = NULL;
	struct err e;

	write_country(p->country, "US");
	write_asn(p->asn, 15169);
	conf.country = p->asn;
	assert_int_equal(geo_new(&geo, &conf, &e), ERR_UNSUPPORTED);
	assert_non_null(strstr(e.text, "no record of it has a country"));
	conf.country = "";
	conf.asn = p->country;
	assert_int_equal(geo_new(&geo, &conf, &e), ERR_UNSUPPORTED);
	assert_non_null(strstr(e.text, "no record of it has an AS number"));
	conf.asn = "/nonexistent.mmdb";
	conf.country = p->country;
	assert_int_equal(geo_new(&geo, &conf, &e), ERR_IO);
	assert_non_null(strstr(e.text, "geo: /nonexistent.mmdb"));
	assert_null(geo);
}

#define READERS 2

struct reader {
	pthread_t thread;
	const struct geo *geo;
	atomic_bool *stop;
	atomic_ulong rounds;
};

static void *
look_up(void *arg)
{
	struct reader *r = arg;
	struct geo_place place;
	struct netaddr addr;

	if (!netaddr_parse_ip(&addr, SPAN("8.8.8.8")))
		abort();
	while (!atomic_load(r->stop)) {
		geo_find(r->geo, &addr, &place);
		if (strcmp(place.country, "US") != 0 && strcmp(place.country, "CA") != 0)
			abort();
		atomic_fetch_add(&r->rounds, 1);
	}
	return (NULL);
}

static void
wait_quiet(struct reader *readers)
{
	unsigned long from[READERS];
	unsigned i;

	for (i = 0; i < READERS; i++)
		from[i] = atomic_load(&readers[i].rounds);
	for (i = 0; i < READERS; i++)
		while (atomic_load(&readers[i].rounds) < from[i] + 2)
			usleep(100);
}

static void
write_garbage(const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs("this is no database", f);
	fclose(f);
}

static void
test_replaced(void **state)
{
	struct reader readers[READERS];
	struct place *p = *state;
	struct watched_state st;
	atomic_bool stop = false;
	struct watched *w[2];
	uint64_t version;
	struct geo *geo;
	unsigned i;

	write_country(p->country, "US");
	geo = start(p->country, "");
	assert_int_equal(geo_watched(geo, w), 1);
	version = geo_version(geo);
	for (i = 0; i < READERS; i++) {
		readers[i].geo = geo;
		readers[i].stop = &stop;
		atomic_init(&readers[i].rounds, 0);
		assert_int_equal(
		    pthread_create(&readers[i].thread, NULL, look_up, &readers[i]), 0);
	}
	for (i = 0; i < 20; i++) {
		write_country(p->beside, i % 2 == 0 ? "CA" : "US");
		assert_int_equal(rename(p->beside, p->country), 0);
		watched_poll(w[0]);
		assert_true(watched_poll(w[0]));
		wait_quiet(readers);
		watched_settle(w[0]);
		assert_int_equal(geo_version(geo), version + i + 1);
		/* In place, and no database: nothing changes. */
		write_garbage(p->country);
		watched_poll(w[0]);
		assert_false(watched_poll(w[0]));
		watched_state(w[0], &st);
		assert_true(st.stale);
		assert_string_equal(
		    find(geo, "8.8.8.8").country, i % 2 == 0 ? "CA" : "US");
	}
	atomic_store(&stop, true);
	for (i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	geo_free(&geo);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_continents),
		cmocka_unit_test(test_none),
		TEST(test_two),
		TEST(test_wrong_kind),
		TEST(test_replaced),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
