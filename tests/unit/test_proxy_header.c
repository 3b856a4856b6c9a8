/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY protocol headers of both versions: what is read, what is refused, and that
 * a header in pieces is waited for. */
#include "config.h"

#include "gateway/net/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))
/* clang-format off */
#define BYTES(literal) { "" literal, sizeof(literal) - 1 }
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IP4 "\xc0\0\2\1" "\xc6\x33\x64\2" "\xdc\4" "\1\xbb"
#define IP6 "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1" \
	"\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2" "\xdc\4" "\1\xbb"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1" \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\2" "\xdc\4" "\1\xbb"
#define ZERO12 "\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZERO108 ZERO12 ZERO12 ZERO12 ZERO12 ZERO12 ZERO12 ZERO12 ZERO12 ZERO12
#define ZERO504 ZERO108 ZERO108 ZERO108 ZERO108 ZERO12 ZERO12 ZERO12 ZERO12 ZERO12 ZERO12
#define SUM_AND_MORE(sum) "\4\0\2zz" "\3\0\4" sum "\1\0\2h2"
#define LONGEST6 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

struct row {
	struct span in;
	enum proxy_rc rc;
	const char *source, *destination;	/* NULL: local */
	const char *why;
};

static const struct row v1[] = {
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), PROXY_DONE,
	    "192.0.2.1:56324", "198.51.100.2:443", "IPv4" },
	{ BYTES("PROXY TCP6 2001:db8::1 2001:DB8:0::2 56324 443\r\n"), PROXY_DONE,
	    "[2001:db8::1]:56324", "[2001:db8::2]:443", "IPv6" },
	{ BYTES("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"), PROXY_DONE,
	    "0.0.0.0:0", "255.255.255.255:65535", "the ends of the ranges" },
	{ BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n"), PROXY_DONE,
	    "192.0.2.1:1", "198.51.100.2:2", "mapped is IPv4" },
	{ BYTES("PROXY UNKNOWN\r\n"), PROXY_DONE, NULL, NULL, "unknown" },
	{ BYTES("PROXY UNKNOWN " LONGEST6 " " LONGEST6 " 65535 65535\r\n"), PROXY_DONE,
	    NULL, NULL, "unknown with the longest tail: 107 bytes" },
	{ BYTES("PROXY UNKNOWN x  y\tz\r\n"), PROXY_BAD, NULL, NULL, "a tab" },
	{ BYTES("PROXY UNKNOWN " LONGEST6 " " LONGEST6 " 65535 65535 \r\n"), PROXY_BAD,
	    NULL, NULL, "108 bytes" },
	{ BYTES("PROXY TCP6 " LONGEST6 " " LONGEST6 " 65535 65535\r\n"), PROXY_DONE,
	    "[" LONGEST6 "]:65535", "[" LONGEST6 "]:65535", "the longest" },
	{ BYTES("PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "two spaces" },
	{ BYTES("PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "two spaces in front" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n"), PROXY_BAD, NULL, NULL,
	    "space behind" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n"), PROXY_BAD, NULL, NULL,
	    "one port" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n"), PROXY_BAD, NULL, NULL,
	    "three ports" },
	{ BYTES("PROXY TCP4\r\n"), PROXY_BAD, NULL, NULL, "no addresses" },
	{ BYTES("PROXY \r\n"), PROXY_BAD, NULL, NULL, "nothing" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n"), PROXY_BAD, NULL, NULL,
	    "leading zero" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 00 2\r\n"), PROXY_BAD, NULL, NULL,
	    "two zeros" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n"), PROXY_BAD, NULL, NULL,
	    "port out of range" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "sign" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 0x2\r\n"), PROXY_BAD, NULL, NULL,
	    "hexadecimal" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2  2\r\n"), PROXY_BAD, NULL, NULL,
	    "an empty port" },
	{ BYTES("PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "octal?" },
	{ BYTES("PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "three parts" },
	{ BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "IPv6 in TCP4" },
	{ BYTES("PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "IPv4 in TCP6" },
	{ BYTES("PROXY TCP6 2001:db8::1 198.51.100.2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "one of each" },
	{ BYTES("PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "zone id" },
	{ BYTES("PROXY TCP6 [2001:db8::1] [2001:db8::2] 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "brackets" },
	{ BYTES("PROXY TCP4 localhost 198.51.100.2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "a name" },
	{ BYTES("PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "lower case" },
	{ BYTES("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "UDP" },
	{ BYTES("PROXY UNKNOWNS\r\n"), PROXY_BAD, NULL, NULL, "a longer word" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n"), PROXY_BAD, NULL, NULL,
	    "line feed alone" },
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\rX"), PROXY_BAD, NULL, NULL,
	    "carriage return alone" },
	{ BYTES("PROXY TCP4 192.0.2.1\0 198.51.100.2 1 2\r\n"), PROXY_BAD, NULL, NULL,
	    "NUL" },
	{ BYTES("PROXY /x HTTP/1.1\r\n"), PROXY_BAD, NULL, NULL,
	    "a request of that method: who speaks so is not believed" },
	{ BYTES("GET / HTTP/1.1\r\n"), PROXY_NONE, NULL, NULL, "HTTP" },
	{ BYTES("PROPFIND / HTTP/1.1\r\n"), PROXY_NONE, NULL, NULL, "WebDAV" },
	{ BYTES("proxy TCP4 "), PROXY_NONE, NULL, NULL, "lower case" },
	{ BYTES(" PROXY TCP4 "), PROXY_NONE, NULL, NULL, "space in front" },
	{ BYTES("PROXY\tTCP4 "), PROXY_NONE, NULL, NULL, "tab" },
	{ BYTES("\x16\3\1\2\0"), PROXY_NONE, NULL, NULL, "TLS" },
	{ BYTES("\0"), PROXY_NONE, NULL, NULL, "NUL" },
};

static const struct row v2[] = {
	{ BYTES(SIGNATURE "\x21\x11\0\xc" IP4), PROXY_DONE,
	    "192.0.2.1:56324", "198.51.100.2:443", "IPv4" },
	{ BYTES(SIGNATURE "\x21\x21\0\x24" IP6), PROXY_DONE,
	    "[2001:db8::1]:56324", "[2001:db8::2]:443", "IPv6" },
	{ BYTES(SIGNATURE "\x21\x21\0\x24" MAPPED), PROXY_DONE,
	    "192.0.2.1:56324", "198.51.100.2:443", "mapped is IPv4" },
	{ BYTES(SIGNATURE "\x21\x31\0\xd8" ZERO108 ZERO108), PROXY_DONE,
	    "unix:", "unix:", "unix" },
	{ BYTES(SIGNATURE "\x20\0\0\0"), PROXY_DONE, NULL, NULL, "LOCAL" },
	{ BYTES(SIGNATURE "\x20\x11\0\xc" IP4), PROXY_DONE, NULL, NULL,
	    "LOCAL with addresses that mean nothing" },
	{ BYTES(SIGNATURE "\x20\xff\0\3abc"), PROXY_DONE, NULL, NULL,
	    "LOCAL of any family" },
	{ BYTES(SIGNATURE "\x21\0\0\0"), PROXY_DONE, NULL, NULL, "unspecified" },
	{ BYTES(SIGNATURE "\x21\0\0\3abc"), PROXY_DONE, NULL, NULL,
	    "unspecified, with something behind" },
	{ BYTES(SIGNATURE "\x21\x11\0\x13" IP4 "\4\0\4abcd"), PROXY_DONE,
	    "192.0.2.1:56324", "198.51.100.2:443", "a TLV" },
	{ BYTES(SIGNATURE "\x21\x11\0\xf" IP4 "\xea\0\0"), PROXY_DONE,
	    "192.0.2.1:56324", "198.51.100.2:443", "an empty TLV" },
	{ BYTES(SIGNATURE "\x21\x11\0\x1d" IP4 SUM_AND_MORE("\x51\xde\xf6\x6e")),
	    PROXY_BAD, NULL, NULL, "a wrong checksum" },
	{ BYTES(SIGNATURE "\x21\x11\0\x1d" IP4 SUM_AND_MORE("\x51\xde\xf6\x6d")), PROXY_DONE,
	    "192.0.2.1:56324", "198.51.100.2:443", "a right checksum" },
	{ BYTES(SIGNATURE "\x21\x11\0\x12" IP4 "\3\0\3abc"), PROXY_BAD, NULL, NULL,
	    "a checksum of three bytes" },
	{ BYTES(SIGNATURE "\x21\x11\0\xe" IP4 "\4\0"), PROXY_BAD, NULL, NULL,
	    "a TLV cut in its head" },
	{ BYTES(SIGNATURE "\x21\x11\0\x10" IP4 "\4\0\2a"), PROXY_BAD, NULL, NULL,
	    "a TLV cut in its value" },
	{ BYTES(SIGNATURE "\x21\x11\0\xb" IP4), PROXY_BAD, NULL, NULL,
	    "too short for IPv4" },
	{ BYTES(SIGNATURE "\x21\x21\0\xc" IP4), PROXY_BAD, NULL, NULL,
	    "too short for IPv6" },
	{ BYTES(SIGNATURE "\x21\x31\0\xc" IP4), PROXY_BAD, NULL, NULL,
	    "too short for unix" },
	{ BYTES(SIGNATURE "\x21\x12\0\xc" IP4), PROXY_BAD, NULL, NULL, "UDP" },
	{ BYTES(SIGNATURE "\x21\x10\0\xc" IP4), PROXY_BAD, NULL, NULL, "no transport" },
	{ BYTES(SIGNATURE "\x21\x41\0\xc" IP4), PROXY_BAD, NULL, NULL, "no such family" },
	{ BYTES(SIGNATURE "\x22\x11\0\xc" IP4), PROXY_BAD, NULL, NULL,
	    "no such command" },
	{ BYTES(SIGNATURE "\x11\x11\0\xc" IP4), PROXY_BAD, NULL, NULL, "version 1" },
	{ BYTES(SIGNATURE "\x31\x11\0\xc" IP4), PROXY_BAD, NULL, NULL, "version 3" },
	{ BYTES(SIGNATURE "\x20\0\2\x8" ZERO504 ZERO12 "\0\0\0\0"), PROXY_DONE, NULL,
	    NULL, "the longest: 536 bytes" },
	{ BYTES(SIGNATURE "\x20\0\2\x9"), PROXY_BAD, NULL, NULL,
	    "a longer one, before it comes" },
	{ BYTES("\r\n\r\n\0\r\nQUIT\r"), PROXY_NONE, NULL, NULL, "no signature" },
	{ BYTES("\r\n\r\nGET / HTTP/1.1\r\n"), PROXY_NONE, NULL, NULL,
	    "empty lines before a request" },
};
/* clang-format on */

/* Exactly these bytes, nothing behind, and every beginning of them. */
static void
check_row(const struct row *row)
{
	char source[NETADDR_TEXT_MAX], destination[NETADDR_TEXT_MAX];
	struct proxy_header h;
	enum proxy_rc rc;
	char more[1024];
	size_t n;

	rc = proxy_header_parse(row->in, &h);
	if (rc != row->rc)
		fail_msg("%s: %d, %s", row->why, rc, h.problem != NULL ? h.problem : "");
	assert_true((rc == PROXY_BAD) == (h.problem != NULL));
	if (rc != PROXY_DONE)
		return;
	assert_int_equal(h.bytes, row->in.n);
	if (h.local != (row->source == NULL))
		fail_msg("%s", row->why);
	if (!h.local) {
		assert_string_equal(netaddr_text(&h.source, source), row->source);
		assert_string_equal(
		    netaddr_text(&h.destination, destination), row->destination);
	}
	for (n = 0; n < row->in.n; n++)
		if (proxy_header_parse(span_cut(row->in, 0, n), &h) != PROXY_MORE)
			fail_msg("%s: the first %zu bytes", row->why, n);
	memcpy(more, row->in.p, row->in.n);
	memcpy(more + row->in.n, "\r\n\0GET", 6);
	assert_int_equal(
	    proxy_header_parse(span_mem(more, row->in.n + 6), &h), PROXY_DONE);
	assert_int_equal(h.bytes, row->in.n);
}

static void
test_v1(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(v1); i++)
		check_row(&v1[i]);
}

static void
test_v2(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N(v2); i++)
		check_row(&v2[i]);
}

/* 107 bytes that may be a line are all that is waited for. */
static void
test_endless_line(void **state)
{
	struct proxy_header h;
	char line[200];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY ", 6);
	assert_int_equal(proxy_header_parse(span_mem(line, 106), &h), PROXY_MORE);
	assert_int_equal(proxy_header_parse(span_mem(line, 107), &h), PROXY_BAD);
	assert_int_equal(proxy_header_parse(span_mem(line, 200), &h), PROXY_BAD);
	line[106] = '\r';
	assert_int_equal(proxy_header_parse(span_mem(line, 107), &h), PROXY_BAD);
	assert_string_equal(h.problem, "no end of line in 107 bytes");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_endless_line),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
