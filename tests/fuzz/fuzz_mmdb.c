/* SPDX-License-Identifier: Apache-2.0 */
/* Databases of any bytes: refused, or everything that a lookup says is of the
 * right form. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/base/utf8.h"
#include "geo/internal.h"

static const char *const ips[] = { "0.0.0.0", "8.8.8.8", "192.0.2.1", "255.255.255.255",
	"::", "2001:db8::1",
	"2002:c000:201::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };

static void
check_code(const char *code)
{
	if (code[0] == '\0')
		return;
	CHECK(code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z');
	CHECK(code[2] == '\0');
}

static void
look_up(const struct geo_db *db, const struct netaddr *addr)
{
	struct geo_place place = { .asn = 0 };
	struct span organisation;

	geo_db_find(db, addr, &place);
	check_code(place.country);
	check_code(place.continent);
	organisation = span_of(place.organisation);
	CHECK(organisation.n <= FIELDS_ORGANISATION_MAX);
	CHECK(organisation.n == 0 || utf8_is_valid(organisation));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char told[1024];
	struct geo_db *db = NULL;
	struct netaddr addr;
	struct err e = { .code = ERR_OK };
	size_t i;

	if (geo_db_open_bytes(&db, span_mem(data, size), &e) != ERR_OK) {
		CHECK(db == NULL && e.text[0] != '\0');
		return (0);
	}
	for (i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
		CHECK(netaddr_parse_ip(&addr, span_of(ips[i])));
		look_up(db, &addr);
	}
	/* Where the input says, too. */
	addr.family = NETADDR_IP6;
	for (i = 0; i + 16 <= size && i < 256; i += 16) {
		memcpy(addr.ip, data + i, 16);
		look_up(db, &addr);
	}
	geo_db_describe(db, told, sizeof told);
	CHECK(told[0] != '\0');
	geo_db_close(&db);
	return (0);
}
