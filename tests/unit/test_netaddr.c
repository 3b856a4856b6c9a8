/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and prefixes: what is read, what is refused, how they print. */
#include "config.h"

#include "gateway/base/netaddr.h"

#include <netinet/in.h>
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static void
test_parse(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
		const char *why;
	} rows[] = {
		{ "192.0.2.1:80", "192.0.2.1:80", "IPv4" },
		{ "0.0.0.0:0", "0.0.0.0:0", "any port" },
		{ "[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", "canonical IPv6" },
		{ "[::]:65535", "[::]:65535", "highest port" },
		{ "[::ffff:192.0.2.1]:80", "192.0.2.1:80", "mapped" },
		{ "unix:/run/a b.sock", "unix:/run/a b.sock", "unix" },
		{ "", NULL, "empty" },
		{ "192.0.2.1", NULL, "no port" },
		{ "192.0.2.1:", NULL, "empty port" },
		{ "192.0.2.1:65536", NULL, "port out of range" },
		{ "192.0.2.1:080000", NULL, "long port" },
		{ "192.0.2.1:80x", NULL, "port with a tail" },
		{ "192.0.2.1:-1", NULL, "sign" },
		{ "192.0.2:80", NULL, "three parts" },
		{ "192.0.2.01:80", NULL, "octal?" },
		{ "[192.0.2.1]:80", NULL, "brackets are IPv6's" },
		{ "::1:80", NULL, "no brackets" },
		{ "[::1]", NULL, "no port" },
		{ "[::1]80", NULL, "no colon" },
		{ "[::1", NULL, "open bracket" },
		{ "[fe80::1%eth0]:80", NULL, "zone" },
		{ "localhost:80", NULL, "names are not ours" },
		{ "unix:relative", NULL, "relative path" },
		{ "unix:", NULL, "no path" },
		{ "unix:@abstract", NULL, "abstract" },
		{ " 192.0.2.1:80", NULL, "space" },
	};
	char out[NETADDR_TEXT_MAX], path[200];
	struct netaddr addr;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		enum err_code rc = netaddr_parse(&addr, span_of(rows[i].in), &e);

		if ((rc == ERR_OK) != (rows[i].out != NULL))
			fail_msg("\"%s\": %s", rows[i].in, rows[i].why);
		if (rc == ERR_OK)
			assert_string_equal(netaddr_text(&addr, out), rows[i].out);
		else if (rows[i].in[0] != '\0' && strstr(e.text, rows[i].in) == NULL)
			fail_msg("\"%s\" is not named in: %s", rows[i].in, e.text);
	}
	memset(path, 'p', sizeof path);
	memcpy(path, "unix:/", 6);
	assert_int_equal(netaddr_parse(&addr, span_mem(path, 5 + 107), &e), ERR_OK);
	assert_int_equal(strlen(netaddr_text(&addr, out)), 5 + 107);
	assert_int_equal(netaddr_parse(&addr, span_mem(path, 5 + 108), &e), ERR_RANGE);
	assert_int_equal(netaddr_parse(&addr, SPAN("unix:/a\0b"), &e), ERR_FORMAT);
	assert_int_equal(netaddr_parse(&addr, SPAN("192.0.2.1\0:80"), &e), ERR_FORMAT);
}

static void
test_parse_ip(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "::FFFF:c000:0201", "192.0.2.1" },
		{ "::192.0.2.1", "::192.0.2.1" },
		{ "fe80::1%eth0", NULL },
		{ "192.0.2.1:80", NULL },
		{ "[::1]", NULL },
		{ "192.0.2.256", NULL },
		{ "0x7f.1", NULL },
		{ "127.1", NULL },
		{ "", NULL },
		{ "2001:db8::1::2", NULL },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", NULL },
	};
	char out[NETADDR_TEXT_MAX];
	struct netaddr addr;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		if (netaddr_parse_ip(&addr, span_of(rows[i].in)) != (rows[i].out != NULL))
			fail_msg("%s", rows[i].in);
		if (rows[i].out != NULL)
			assert_string_equal(netaddr_ip_text(&addr, out), rows[i].out);
	}
	assert_false(netaddr_parse_ip(&addr, SPAN_NONE));
}

static void
test_sockaddr(void **state)
{
	static const char *const texts[] = { "192.0.2.1:80", "[2001:db8::1]:443",
		"unix:/run/x.sock" };
	struct sockaddr_storage ss;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&ss;
	struct netaddr addr, back;
	char out[NETADDR_TEXT_MAX];
	socklen_t n;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++) {
		assert_int_equal(netaddr_parse(&addr, span_of(texts[i]), NULL), ERR_OK);
		n = netaddr_to_sockaddr(&addr, &ss);
		assert_true(n > 0);
		assert_true(netaddr_from_sockaddr(&back, (struct sockaddr *)&ss, n));
		assert_string_equal(netaddr_text(&back, out), texts[i]);
		assert_false(netaddr_from_sockaddr(&back, (struct sockaddr *)&ss, 1));
	}
	/* A dual-stack listener reports an IPv4 client like this. */
	memset(&ss, 0, sizeof ss);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(5);
	memcpy(in6->sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	assert_true(netaddr_from_sockaddr(&addr, (struct sockaddr *)&ss, sizeof *in6));
	assert_string_equal(netaddr_text(&addr, out), "192.0.2.1:5");
	/* A peer without a name. */
	assert_true(netaddr_from_sockaddr(&addr, (struct sockaddr *)&un, 2));
	assert_string_equal(netaddr_text(&addr, out), "unix:");
	assert_string_equal(netaddr_ip_text(&addr, out), "unix");
	un.sun_family = AF_APPLETALK;
	assert_false(netaddr_from_sockaddr(&addr, (struct sockaddr *)&un, sizeof un));
	memset(&addr, 0, sizeof addr);
	assert_int_equal(netaddr_to_sockaddr(&addr, &ss), 0);
	assert_string_equal(netaddr_text(&addr, out), "-");
}

static void
test_prefix(void **state)
{
	static const struct {
		const char *prefix, *ip;
		bool has;
		const char *why;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", true, "inside" },
		{ "192.0.2.0/24", "192.0.3.0", false, "next" },
		{ "192.0.2.128/25", "192.0.2.127", false, "just below" },
		{ "192.0.2.7", "192.0.2.7", true, "a lone address" },
		{ "192.0.2.7", "192.0.2.6", false, "its neighbour" },
		{ "0.0.0.0/0", "203.0.113.9", true, "all of IPv4" },
		{ "0.0.0.0/0", "::1", false, "not IPv6" },
		{ "::/0", "192.0.2.1", false, "not IPv4" },
		{ "2001:db8::/33", "2001:db8:7fff::1", true, "bit 33" },
		{ "2001:db8::/33", "2001:db8:8000::1", false, "bit 33" },
		{ "::1", "::1", true, "loopback" },
		{ "192.0.2.0/24", "::ffff:192.0.2.9", true, "mapped client" },
		{ "::ffff:192.0.2.0/120", "192.0.2.9", true, "mapped prefix" },
	};
	static const char *const refused[] = { "192.0.2.1/24", "192.0.2.0/33", "::/129",
		"192.0.2.0/", "192.0.2.0/x", "192.0.2.0/24/8", "192.0.2.0/-1", "/8", "",
		"example.org", "2001:db8::1/64", "192.0.2.0/0000",
		"::ffff:192.0.2.0/64" };
	struct netprefix prefix;
	struct netaddr addr;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
		    netprefix_parse(&prefix, span_of(rows[i].prefix), &e), ERR_OK);
		assert_true(netaddr_parse_ip(&addr, span_of(rows[i].ip)));
		if (netprefix_has(&prefix, &addr) != rows[i].has)
			fail_msg(
			    "%s has %s: %s", rows[i].prefix, rows[i].ip, rows[i].why);
	}
	for (i = 0; i < COUNT(refused); i++)
		if (netprefix_parse(&prefix, span_of(refused[i]), &e) == ERR_OK)
			fail_msg("%s", refused[i]);
	netprefix_parse(&prefix, SPAN("192.0.2.1/24"), &e);
	assert_non_null(strstr(e.text, "192.0.2.0/24"));
	memset(&addr, 0, sizeof addr);
	assert_int_equal(netprefix_parse(&prefix, SPAN("0.0.0.0/0"), NULL), ERR_OK);
	assert_false(netprefix_has(&prefix, &addr));
}

/* One client has one name, and nobody gets a private one by writing it into an
 * address of the internet. */
static void
test_unwrap(void **state)
{
	static const struct {
		const char *in, *out, *why;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", "IPv4" },
		{ "10.0.0.1", "10.0.0.1", "private IPv4" },
		{ "::ffff:192.0.2.1", "192.0.2.1", "mapped" },
		{ "::ffff:127.0.0.1", "127.0.0.1", "mapped loopback" },
		{ "64:ff9b::192.0.2.1", "192.0.2.1", "NAT64" },
		{ "64:ff9b::1:c000:201", "64:ff9b::1:c000:201", "beside its prefix" },
		{ "64:ff9b:1::c000:201", "64:ff9b:1::c000:201",
		    "a local prefix of NAT64 (RFC 8215): no way to know where in it" },
		{ "2002:c000:201::1", "192.0.2.1", "6to4" },
		{ "2002:c000:201:ffff:a:b:c:d", "192.0.2.1", "6to4, any host of it" },
		{ "2001:db8::1", "2001:db8::1", "IPv6" },
		{ "::192.0.2.1", "::192.0.2.1", "compatible: no longer in use" },
		{ "::1", "::1", "loopback" },
		{ "64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "loopback in NAT64" },
		{ "64:ff9b::10.0.0.1", "64:ff9b::a00:1", "private in NAT64" },
		{ "64:ff9b::", "64:ff9b::", "nothing in NAT64" },
		{ "2002:7f00:1::1", "2002:7f00:1::1", "loopback in 6to4" },
		{ "2002:a00:1::1", "2002:a00:1::1", "10/8" },
		{ "2002:ac10:1::1", "2002:ac10:1::1", "172.16/12" },
		{ "2002:ac1f:ffff::", "2002:ac1f:ffff::", "its end" },
		{ "2002:ac20:1::1", "172.32.0.1", "behind it" },
		{ "2002:c0a8:1::1", "2002:c0a8:1::1", "192.168/16" },
		{ "2002:c000:1::1", "2002:c000:1::1", "192.0.0/24" },
		{ "2002:a9fe:1::1", "2002:a9fe:1::1", "169.254/16" },
		{ "2002:6440:1::1", "2002:6440:1::1", "100.64/10" },
		{ "2002:6480:1::1", "100.128.0.1", "behind it" },
		{ "2002:e000:1::1", "2002:e000:1::1", "multicast" },
		{ "2002:ffff:ffff::", "2002:ffff:ffff::", "broadcast" },
		{ "2002::1", "2002::1", "0/8" },
	};
	struct netaddr addr, inner;
	char out[NETADDR_TEXT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_true(netaddr_parse_ip(&addr, span_of(rows[i].in)));
		addr.port = 1234;
		inner = netaddr_unwrap(&addr);
		if (strcmp(netaddr_ip_text(&inner, out), rows[i].out) != 0)
			fail_msg("%s, %s: %s", rows[i].in, rows[i].why, out);
		assert_int_equal(inner.port, 1234);
	}
	/* as it comes in binary, not read from text */
	memset(&addr, 0, sizeof addr);
	addr.family = NETADDR_IP6;
	memcpy(addr.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	inner = netaddr_unwrap(&addr);
	assert_string_equal(netaddr_ip_text(&inner, out), "192.0.2.1");
	addr.family = NETADDR_UNIX;
	assert_int_equal(netaddr_unwrap(&addr).family, NETADDR_UNIX);
}

static void
test_cut(void **state)
{
	static const struct {
		const char *in;
		unsigned bits4, bits6;
		const char *out;
	} rows[] = {
		{ "192.0.2.255", 32, 64, "192.0.2.255" },
		{ "192.0.2.255", 24, 64, "192.0.2.0" },
		{ "192.0.2.255", 25, 64, "192.0.2.128" },
		{ "192.0.2.255", 0, 64, "0.0.0.0" },
		{ "192.0.2.255", 99, 64, "192.0.2.255" },
		{ "2001:db8:1:2:3:4:5:6", 32, 64, "2001:db8:1:2::" },
		{ "2001:db8:1:2:3:4:5:6", 32, 128, "2001:db8:1:2:3:4:5:6" },
		{ "2001:db8:1:ffff::", 32, 50, "2001:db8:1:c000::" },
	};
	struct netaddr addr, cut;
	char out[NETADDR_TEXT_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_true(netaddr_parse_ip(&addr, span_of(rows[i].in)));
		addr.port = 1234;
		cut = netaddr_cut(&addr, rows[i].bits4, rows[i].bits6);
		assert_string_equal(netaddr_ip_text(&cut, out), rows[i].out);
		assert_int_equal(cut.port, 0);
		assert_true(netaddr_same_ip(&addr, &addr));
	}
}

/* Every byte at every place, as inet_ntop has it. */
static void
test_ip4_text(void **state)
{
	struct netaddr addr = { .family = NETADDR_IP4 };
	char text[NETADDR_TEXT_MAX], known[INET_ADDRSTRLEN];
	unsigned at, value;

	(void)state;
	for (at = 0; at < 4; at++)
		for (value = 0; value < 256; value++) {
			addr.ip[at] = (uint8_t)value;
			assert_non_null(
			    inet_ntop(AF_INET, addr.ip, known, sizeof(known)));
			assert_string_equal(netaddr_ip_text(&addr, text), known);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ip4_text),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_ip),
		cmocka_unit_test(test_sockaddr),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_unwrap),
		cmocka_unit_test(test_cut),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
