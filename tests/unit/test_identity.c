/* SPDX-License-Identifier: Apache-2.0 */
/* Who the client is: what trusted proxies say is read to the letter, what others
 * say is not looked at. */
#include "config.h"

#include "gateway/access/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/base/check.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))
#define FIELDS_MAX 200

/* The proxies of all rows. */
static const char *const proxies[] = { "192.0.2.0/24", "2001:db8:f::/48", "10.0.0.1",
	"127.0.0.0/8" };

static struct identity *
make(const char *header, const char *const *trusted, size_t n)
{
	struct conf_identity conf = { .header = header, .ipv6_prefix = 64 };
	struct netprefix v[8];
	struct err e;
	size_t i;

	for (i = 0; i < n; i++)
		CHECK(netprefix_parse(&v[i], span_of(trusted[i]), &e) == ERR_OK);
	conf.trusted_proxies.v = v;
	conf.trusted_proxies.n = n;
	return (identity_new(&conf));
}

static struct netaddr
addr_of(const char *text)
{
	struct netaddr addr;

	memset(&addr, 0, sizeof(addr));
	if (strcmp(text, "unix") == 0)
		addr.family = NETADDR_UNIX;
	else
		CHECK(netaddr_parse_ip(&addr, span_of(text)));
	return (addr);
}

/* "Name: value" lines, with bare line feeds between. */
static void
fill(struct http_fields *fields, struct http_field *array, const char *lines)
{
	struct span rest = span_of(lines), line;
	size_t at;

	http_fields_init(fields, array, FIELDS_MAX);
	while (rest.n > 0 && span_split(&rest, '\n', &line)) {
		at = span_index(line, ':');
		CHECK(at != SIZE_MAX);
		CHECK(http_fields_add(fields, span_cut(line, 0, at),
		    span_trim(span_cut(line, at + 1, line.n))));
	}
}

struct row {
	const char *peer, *lines;
	enum identity_rc rc;
	const char *client; /* with port where it has one */
	const char *why;
};

static void
check_rows(const char *header, const struct row *rows, size_t n)
{
	struct identity *id = make(header, proxies, N(proxies));
	struct http_field array[FIELDS_MAX];
	struct netaddr peer, client;
	struct http_fields fields;
	char text[NETADDR_TEXT_MAX];
	enum identity_rc rc;
	size_t i;

	for (i = 0; i < n; i++) {
		peer = addr_of(rows[i].peer);
		fill(&fields, array, rows[i].lines);
		rc = identity_find(id, &peer, &fields, &client);
		if (client.port == 0)
			netaddr_ip_text(&client, text);
		else
			netaddr_text(&client, text);
		if (rc != rows[i].rc || strcmp(text, rows[i].client) != 0)
			fail_msg("%s: %s: %d, %s", rows[i].lines, rows[i].why, rc, text);
	}
	identity_free(&id);
	assert_null(id);
}

/* clang-format off */
#define P IDENTITY_PEER
#define T IDENTITY_TOLD
#define B IDENTITY_BAD
#define XFF "X-Forwarded-For: "

static const struct row list[] = {
	{ "192.0.2.1", "", P, "192.0.2.1", "a proxy that says nothing" },
	{ "192.0.2.1", XFF "203.0.113.7", T, "203.0.113.7", "a proxy speaks" },
	{ "203.0.113.9", XFF "203.0.113.7", P, "203.0.113.9", "somebody else speaks" },
	{ "2001:db8:f::1", XFF "203.0.113.7", T, "203.0.113.7", "an IPv6 proxy" },
	{ "2001:db8:e::1", XFF "203.0.113.7", P, "2001:db8:e::1", "not a proxy" },
	{ "unix", XFF "203.0.113.7", T, "203.0.113.7", "over a unix socket" },
	{ "192.0.2.1", XFF "1.1.1.1, 203.0.113.7", T, "203.0.113.7",
	    "what the client claimed stands left" },
	{ "192.0.2.1", XFF "203.0.113.7, 192.0.2.2, 10.0.0.1", T, "203.0.113.7",
	    "past several proxies" },
	{ "192.0.2.1", XFF "1.1.1.1, 203.0.113.7,192.0.2.2", T, "203.0.113.7",
	    "past one, no further" },
	{ "192.0.2.1", XFF "10.0.0.1, 192.0.2.2, 192.0.2.3", T, "10.0.0.1",
	    "all are proxies: the leftmost" },
	{ "192.0.2.1", XFF "1.1.1.1, 127.0.0.1, 203.0.113.7", T, "203.0.113.7",
	    "a claim to be a proxy" },
	{ "192.0.2.1", XFF "1.1.1.1\n" XFF "203.0.113.7", T, "203.0.113.7",
	    "the last line is the last proxy's" },
	{ "192.0.2.1", XFF "203.0.113.7, 192.0.2.3\nAccept: 1.1.1.1\n" XFF "192.0.2.2", T,
	    "203.0.113.7", "over lines" },
	{ "192.0.2.1", "x-FORWARDED-for: 203.0.113.7", T, "203.0.113.7", "any case" },
	{ "192.0.2.1", "X_Forwarded_For: 203.0.113.7", P, "192.0.2.1", "another name" },
	{ "192.0.2.1", "Forwarded: for=203.0.113.7\nX-Real-IP: 203.0.113.7", P,
	    "192.0.2.1", "fields that were not configured" },
	{ "192.0.2.1", XFF "203.0.113.7:567", T, "203.0.113.7:567", "with its port" },
	{ "192.0.2.1", XFF "2001:db8::1", T, "2001:db8::1", "IPv6" },
	{ "192.0.2.1", XFF "[2001:db8::1]", T, "2001:db8::1", "in brackets" },
	{ "192.0.2.1", XFF "[2001:db8::1]:567", T, "[2001:db8::1]:567", "and a port" },
	{ "192.0.2.1", XFF "2001:db8::1:567", T, "2001:db8::1:567",
	    "without brackets there is no port" },
	{ "192.0.2.1", XFF "::ffff:203.0.113.7", T, "203.0.113.7", "mapped" },
	{ "192.0.2.1", XFF "64:ff9b::203.0.113.7", T, "203.0.113.7", "NAT64" },
	{ "192.0.2.1", XFF "2002:cb00:7107::1", T, "203.0.113.7", "6to4" },
	{ "192.0.2.1", XFF "203.0.113.7, ::ffff:192.0.2.2", T, "203.0.113.7",
	    "a mapped proxy" },
	{ "192.0.2.1", XFF "203.0.113.7, 2002:7f00:1::1", T, "2002:7f00:1::1",
	    "not the loopback that it says it is" },
	{ "192.0.2.1", XFF "203.0.113.7, 64:ff9b::127.0.0.1", T, "64:ff9b::7f00:1",
	    "nor this one" },
	{ "192.0.2.1", XFF "", P, "192.0.2.1", "empty" },
	{ "192.0.2.1", XFF ",, ,", P, "192.0.2.1", "empty entries" },
	{ "192.0.2.1", XFF ",203.0.113.7, ,", T, "203.0.113.7", "beside empty entries" },
	{ "192.0.2.1", XFF "\t203.0.113.7\t,\t192.0.2.2 ", T, "203.0.113.7", "white space" },
	{ "192.0.2.1", XFF "unknown", B, "192.0.2.1", "unknown" },
	{ "192.0.2.1", XFF "203.0.113.7, unknown, 192.0.2.2", B, "192.0.2.2",
	    "the last that could be read" },
	{ "192.0.2.1", XFF "garbage, 203.0.113.7", T, "203.0.113.7",
	    "garbage that nobody has to read" },
	{ "192.0.2.1", XFF "garbage\n" XFF "203.0.113.7", T, "203.0.113.7", "or here" },
	{ "192.0.2.1", XFF "_hidden", B, "192.0.2.1", "obfuscated" },
	{ "192.0.2.1", XFF "fe80::1%eth0", B, "192.0.2.1", "zone id" },
	{ "192.0.2.1", XFF "[fe80::1%25eth0]:80", B, "192.0.2.1", "zone id in brackets" },
	{ "192.0.2.1", XFF "localhost", B, "192.0.2.1", "a name" },
	{ "192.0.2.1", XFF "\"203.0.113.7\"", B, "192.0.2.1", "quotes" },
	{ "192.0.2.1", XFF "203.0.113.7 203.0.113.8", B, "192.0.2.1", "no comma" },
	{ "192.0.2.1", XFF "203.0.113.7;203.0.113.8", B, "192.0.2.1", "a semicolon" },
	{ "192.0.2.1", XFF "203.0.113.7:", B, "192.0.2.1", "an empty port" },
	{ "192.0.2.1", XFF "203.0.113.7:65536", B, "192.0.2.1", "no such port" },
	{ "192.0.2.1", XFF "203.0.113.7:000080", B, "192.0.2.1", "six digits" },
	{ "192.0.2.1", XFF "203.0.113.7:_p", B, "192.0.2.1", "Forwarded has those" },
	{ "192.0.2.1", XFF "[203.0.113.7]", B, "192.0.2.1", "brackets are IPv6's" },
	{ "192.0.2.1", XFF "[2001:db8::1", B, "192.0.2.1", "an open bracket" },
	{ "192.0.2.1", XFF "[2001:db8::1]x", B, "192.0.2.1", "bytes behind it" },
	{ "192.0.2.1", XFF "[2001:db8::1]:", B, "192.0.2.1", "an empty port" },
	{ "192.0.2.1", XFF "[]", B, "192.0.2.1", "nothing in it" },
	{ "192.0.2.1", XFF "203.0.113.07", B, "192.0.2.1", "octal?" },
	{ "192.0.2.1", XFF "3405803783", B, "192.0.2.1", "a number" },
	{ "192.0.2.1", XFF "203.0.113.7/32", B, "192.0.2.1", "a prefix" },
	{ "192.0.2.1", "Connection: X-Forwarded-For\n" XFF "203.0.113.7", T, "203.0.113.7",
	    "a client can't take it off" },
};

#define FWD "Forwarded: "

static const struct row forwarded[] = {
	{ "192.0.2.1", FWD "for=203.0.113.7", T, "203.0.113.7", "a token" },
	{ "203.0.113.9", FWD "for=203.0.113.7", P, "203.0.113.9", "not a proxy" },
	{ "192.0.2.1", FWD "For=\"203.0.113.7\"", T, "203.0.113.7", "quoted" },
	{ "192.0.2.1", FWD "for=\"203.0.113.7:567\"", T, "203.0.113.7:567", "a port" },
	{ "192.0.2.1", FWD "for=\"[2001:db8::1]\"", T, "2001:db8::1", "IPv6" },
	{ "192.0.2.1", FWD "for=\"[2001:db8::1]:567\"", T, "[2001:db8::1]:567", "a port" },
	{ "192.0.2.1", FWD "for=\"203.0.113.7:_p\"", T, "203.0.113.7", "a hidden port" },
	{ "192.0.2.1", FWD "for=\"\\203.0.11\\3.7\"", T, "203.0.113.7", "escapes" },
	{ "192.0.2.1", FWD "by=192.0.2.1;for=203.0.113.7;host=\"x:1\";proto=http", T,
	    "203.0.113.7", "among others" },
	{ "192.0.2.1", FWD "for=203.0.113.7 ; proto=http;", T, "203.0.113.7",
	    "white space, and an empty pair" },
	{ "192.0.2.1", FWD "for=1.1.1.1, for=203.0.113.7, for=192.0.2.2", T, "203.0.113.7",
	    "past a proxy" },
	{ "192.0.2.1", FWD "for=1.1.1.1\n" FWD "for=203.0.113.7\n" FWD "for=192.0.2.2", T,
	    "203.0.113.7", "over lines" },
	{ "192.0.2.1", FWD "for=203.0.113.7;host=\"a, for=1.1.1.1\"", T, "203.0.113.7",
	    "a comma within quotes" },
	{ "192.0.2.1", FWD "for=203.0.113.7;host=\"a\\\", for=1.1.1.1\"", T, "203.0.113.7",
	    "and behind an escaped quote" },
	{ "192.0.2.1", FWD "for=203.0.113.7;host=\"\\\\\\\\\", for=192.0.2.2", T,
	    "203.0.113.7", "escaped backslashes before the end" },
	{ "192.0.2.1", FWD "for=1.1.1.1, for=\", for=203.0.113.7;host=\"x\"", T,
	    "203.0.113.7", "a quote that the client left open" },
	{ "192.0.2.1", FWD "for=\"evil, for=\"[2001:db8::1]:5\"", T, "[2001:db8::1]:5",
	    "and again" },
	{ "192.0.2.1", FWD "for=\"evil\\, for=\"[2001:db8:f::2]\"", B, "2001:db8:f::2",
	    "which is not read past a proxy" },
	{ "192.0.2.1", FWD "for=evil\", for=203.0.113.7", T, "203.0.113.7",
	    "a quote that closes nothing" },
	{ "192.0.2.1", XFF "203.0.113.7", P, "192.0.2.1", "fields not configured" },
	{ "192.0.2.1", FWD "", P, "192.0.2.1", "empty" },
	{ "192.0.2.1", FWD ", ,for=203.0.113.7,", T, "203.0.113.7", "empty elements" },
	{ "192.0.2.1", FWD "for=unknown", B, "192.0.2.1", "unknown" },
	{ "192.0.2.1", FWD "for=\"unknown:80\"", B, "192.0.2.1", "unknown with a port" },
	{ "192.0.2.1", FWD "for=_obf", B, "192.0.2.1", "obfuscated" },
	{ "192.0.2.1", FWD "for=203.0.113.7, for=_obf, for=192.0.2.2", B, "192.0.2.2",
	    "the last that could be read" },
	{ "192.0.2.1", FWD "proto=https", B, "192.0.2.1", "nobody named" },
	{ "192.0.2.1", FWD ";", B, "192.0.2.1", "no pairs" },
	{ "192.0.2.1", FWD "for=203.0.113.7;for=1.1.1.1", B, "192.0.2.1", "two" },
	{ "192.0.2.1", FWD "for=203.0.113.7;for", B, "192.0.2.1", "no value" },
	{ "192.0.2.1", FWD "for=203.0.113.7;for=", B, "192.0.2.1", "an empty value" },
	{ "192.0.2.1", FWD "for=\"\"", B, "192.0.2.1", "an empty string" },
	{ "192.0.2.1", FWD "for = 203.0.113.7", B, "192.0.2.1", "spaces around =" },
	{ "192.0.2.1", FWD "for=203.0.113.7:567", B, "192.0.2.1",
	    "a colon is not for tokens" },
	{ "192.0.2.1", FWD "for=[2001:db8::1]", B, "192.0.2.1", "nor a bracket" },
	{ "192.0.2.1", FWD "for=\"2001:db8::1\"", B, "192.0.2.1", "no brackets" },
	{ "192.0.2.1", FWD "for=\"[fe80::1%eth0]\"", B, "192.0.2.1", "zone id" },
	{ "192.0.2.1", FWD "for=\"203.0.113.7:_\"", B, "192.0.2.1", "an empty name" },
	{ "192.0.2.1", FWD "for=\"203.0.113.7:_p q\"", B, "192.0.2.1", "a space in it" },
	{ "192.0.2.1", FWD "for=\"203.0.113.7", B, "192.0.2.1", "an open quote" },
	{ "192.0.2.1", FWD "for=\"203.0.113.7\\\"", B, "192.0.2.1", "an escaped one" },
	{ "192.0.2.1", FWD "for=203.0.113.7 proto=http", B, "192.0.2.1", "no semicolon" },
	{ "192.0.2.1", FWD "for=203.0.113.7\"x\"", B, "192.0.2.1", "bytes behind it" },
	{ "192.0.2.1", FWD "203.0.113.7", B, "192.0.2.1", "not a pair" },
};

#define CF "CF-Connecting-IP: "

static const struct row single[] = {
	{ "192.0.2.1", CF "203.0.113.7", T, "203.0.113.7", "one address" },
	{ "192.0.2.1", "cf-connecting-ip: 2001:db8::1", T, "2001:db8::1", "any case" },
	{ "192.0.2.1", CF "203.0.113.7:567", T, "203.0.113.7:567", "with a port" },
	{ "192.0.2.1", CF "[2001:db8::1]:567", T, "[2001:db8::1]:567", "with a port" },
	{ "192.0.2.1", CF "10.0.0.1", T, "10.0.0.1", "a proxy is the client here" },
	{ "203.0.113.9", CF "203.0.113.7", P, "203.0.113.9", "not a proxy" },
	{ "192.0.2.1", "", P, "192.0.2.1", "a proxy that says nothing" },
	{ "192.0.2.1", XFF "203.0.113.7\nCF-Connecting-IPv6: ::1\nCF_Connecting_IP: 1.1.1.1",
	    P, "192.0.2.1", "other fields" },
	{ "192.0.2.1", CF "203.0.113.7\n" CF "203.0.113.7", B, "192.0.2.1", "two lines" },
	{ "192.0.2.1", CF "1.1.1.1\nA: b\n" CF "203.0.113.7", B, "192.0.2.1", "apart" },
	{ "192.0.2.1", CF "203.0.113.7, 203.0.113.8", B, "192.0.2.1", "two addresses" },
	{ "192.0.2.1", CF "203.0.113.7,", B, "192.0.2.1", "a list of one" },
	{ "192.0.2.1", CF "", B, "192.0.2.1", "empty" },
	{ "192.0.2.1", CF "unknown", B, "192.0.2.1", "unknown" },
	{ "192.0.2.1", CF "fe80::1%eth0", B, "192.0.2.1", "zone id" },
	{ "192.0.2.1", CF "2002:cb00:7107::1", T, "203.0.113.7", "6to4" },
};
/* clang-format on */

static void
test_list(void **state)
{
	(void)state;
	check_rows("X-Forwarded-For", list, N(list));
	check_rows("x-forwarded-for", list, N(list));
}

static void
test_forwarded(void **state)
{
	(void)state;
	check_rows("Forwarded", forwarded, N(forwarded));
}

static void
test_single(void **state)
{
	(void)state;
	check_rows("CF-Connecting-IP", single, N(single));
}

/* 64 entries are looked at, whoever is behind them. */
static void
test_many_entries(void **state)
{
	struct identity *id = make("X-Forwarded-For", proxies, N(proxies));
	struct netaddr peer = addr_of("192.0.2.1"), client;
	struct http_field array[FIELDS_MAX];
	struct http_fields fields;
	char value[2000], text[NETADDR_TEXT_MAX];
	size_t n, i;

	(void)state;
	http_fields_init(&fields, array, FIELDS_MAX);
	n = (size_t)snprintf(value, sizeof(value), "203.0.113.7");
	for (i = 64; i-- > 1;)
		n += (size_t)snprintf(
		    value + n, sizeof(value) - n, ",192.0.2.%u", (unsigned)i);
	assert_true(http_fields_add(&fields, SPAN("X-Forwarded-For"), span_of(value)));
	assert_int_equal(identity_find(id, &peer, &fields, &client), IDENTITY_TOLD);
	assert_string_equal(netaddr_ip_text(&client, text), "203.0.113.7");
	/* one more, in a line of its own */
	assert_true(
	    http_fields_add(&fields, SPAN("X-Forwarded-For"), SPAN("192.0.2.99")));
	assert_int_equal(identity_find(id, &peer, &fields, &client), IDENTITY_TOLD);
	assert_string_equal(netaddr_ip_text(&client, text), "192.0.2.63");
	identity_free(&id);
}

static void
test_trust(void **state)
{
	static const struct {
		const char *trusted, *addr;
		bool is;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/24", "unix", false },
		{ "127.0.0.0/8", "unix", true },
		{ "127.0.0.5", "unix", true },
		{ "0.0.0.0/0", "unix", true },
		{ "::1", "unix", true },
		{ "::/0", "unix", true },
		{ "128.0.0.0/8", "unix", false },
		{ "::2", "unix", false },
		{ "::/0", "192.0.2.1", false },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::ffff:192.0.2.0/120", "192.0.2.1", true },
	};
	struct netaddr addr;
	struct identity *id;
	size_t i;

	(void)state;
	for (i = 0; i < N(rows); i++) {
		id = make("X-Forwarded-For", &rows[i].trusted, 1);
		addr = addr_of(rows[i].addr);
		if (identity_is_trusted(id, &addr) != rows[i].is)
			fail_msg("%s, %s", rows[i].trusted, rows[i].addr);
		identity_free(&id);
	}
	id = make("X-Forwarded-For", NULL, 0);
	addr = addr_of("127.0.0.1");
	assert_false(identity_is_trusted(id, &addr));
	addr = addr_of("unix");
	assert_false(identity_is_trusted(id, &addr));
	identity_free(&id);
}

static void
test_key(void **state)
{
	struct identity *id = make("X-Forwarded-For", NULL, 0);
	struct netaddr addr, key;
	char text[NETADDR_TEXT_MAX];

	(void)state;
	addr = addr_of("2001:db8:1:2:3:4:5:6");
	addr.port = 5;
	key = identity_key(id, &addr);
	assert_string_equal(netaddr_text(&key, text), "[2001:db8:1:2::]:0");
	addr = addr_of("192.0.2.7");
	addr.port = 5;
	key = identity_key(id, &addr);
	assert_string_equal(netaddr_text(&key, text), "192.0.2.7:0");
	addr = addr_of("unix");
	snprintf(addr.path, sizeof(addr.path), "/x");
	key = identity_key(id, &addr);
	assert_string_equal(netaddr_text(&key, text), "unix:");
	identity_free(&id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_many_entries),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_key),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
