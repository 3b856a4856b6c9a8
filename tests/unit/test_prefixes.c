/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of addresses: what a file may hold, what is found, against a naive search. */
#include "config.h"

#include "gateway/access/prefixes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/base/check.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static struct netaddr
ip(const char *text)
{
	struct netaddr addr;

	assert_true(netaddr_parse_ip(&addr, span_of(text)));
	return (addr);
}

static void
test_membership(void **state)
{
	static const struct {
		const char *list, *ip;
		bool have;
		const char *why;
	} rows[] = {
		{ "", "192.0.2.1", false, "an empty file" },
		{ "\n\n# nothing\n", "192.0.2.1", false, "nothing but a comment" },
		{ "192.0.2.1", "192.0.2.1", true, "a lone address, no newline" },
		{ "192.0.2.1", "192.0.2.0", false, "the one below" },
		{ "192.0.2.1", "192.0.2.2", false, "the one above" },
		{ "192.0.2.0/24\n", "192.0.2.0", true, "first of a prefix" },
		{ "192.0.2.0/24\n", "192.0.2.255", true, "last of a prefix" },
		{ "192.0.2.0/24\n", "192.0.3.0", false, "behind it" },
		{ "192.0.2.0/24\n", "192.0.1.255", false, "before it" },
		{ "0.0.0.0/0\n", "255.255.255.255", true, "all of IPv4" },
		{ "0.0.0.0/0\n", "0.0.0.0", true, "all of IPv4" },
		{ "0.0.0.0/0\n", "::1", false, "IPv6 is apart" },
		{ "::/0\n", "::", true, "all of IPv6" },
		{ "::/0\n", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true,
		    "all of it" },
		{ "::/0\n", "192.0.2.1", false, "IPv4 is apart" },
		{ "2001:db8::/32\n", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true,
		    "last" },
		{ "2001:db8::/32\n", "2001:db9::", false, "behind it" },
		{ "2001:db8::/32\n", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false,
		    "before it" },
		{ "2001:db8::/64\n", "2001:db8::ffff:0:0:1", true, "bits end at 64" },
		{ "2001:db8::/64\n", "2001:db8:0:1::", false, "bits end at 64" },
		{ "2001:db8::8000:0:0:0/65\n", "2001:db8::8000:0:0:1", true,
		    "beyond 64" },
		{ "2001:db8::8000:0:0:0/65\n", "2001:db8::7000:0:0:1", false,
		    "beyond 64" },
		{ "2001:db8::1/128\n", "2001:db8::1", true, "one address" },
		{ "2001:db8::1\n", "2001:db8::2", false, "one address" },
		{ "10.0.0.0/8\n10.1.0.0/16\n", "10.200.0.1", true, "one in another" },
		{ "10.1.0.0/16\n10.0.0.0/8\n", "10.0.0.1", true, "the other order" },
		{ "10.0.0.0/8\n10.1.0.0/16\n11.0.0.0/8\n", "11.2.3.4", true, "after it" },
		{ "192.0.2.1\n192.0.2.1\n", "192.0.2.1", true, "twice" },
		{ "::ffff:192.0.2.0/120\n", "192.0.2.9", true, "mapped in the file" },
		{ "192.0.2.9\n", "::ffff:192.0.2.9", true, "mapped client" },
		{ "\xef\xbb\xbf"
		  "192.0.2.1\n",
		    "192.0.2.1", true, "byte order mark" },
		{ "192.0.2.1\r\n192.0.2.9\r\n", "192.0.2.9", true, "CRLF" },
		{ "  192.0.2.1 \t\n", "192.0.2.1", true, "blanks" },
		{ "192.0.2.1 # the office\n", "192.0.2.1", true, "comment" },
		{ "192.0.2.0/24;SBL123456\n", "192.0.2.7", true, "the other comment" },
		{ "\t# 192.0.2.1\n;192.0.2.1\n \t \r\n", "192.0.2.1", false,
		    "commented" },
	};
	struct prefixes *set;
	struct netaddr addr;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		if (prefixes_parse(&set, "f", span_of(rows[i].list), &e) != ERR_OK)
			fail_msg("%s: %s", rows[i].why, e.text);
		addr = ip(rows[i].ip);
		if (prefixes_have(set, &addr) != rows[i].have)
			fail_msg("row %zu, %s: %s", i, rows[i].ip, rows[i].why);
		prefixes_free(&set);
		assert_null(set);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		struct span list;
		const char *text;
	} rows[] = {
		{ SPAN("192.0.2.1\n\nexample.org\n"),
		    "bad.txt:3: example.org: not a prefix; allowed: 192.0.2.0/24, "
		    "2001:db8::/32 or one address" },
		{ SPAN("192.0.2.1/24"),
		    "bad.txt:1: 192.0.2.1/24: bits are set behind the "
		    "prefix; meant: 192.0.2.0/24 ?" },
		{ SPAN("#\r\n2001:db8::1/32\r\n"), "meant: 2001:db8::/32 ?" },
		{ SPAN("192.0.2.0/33"), "more bits than the address has" },
		{ SPAN("192.0.2.0/"), "no number of bits" },
		{ SPAN("192.0.2.1-192.0.2.9"), "bad.txt:1: 192.0.2.1-192.0.2.9: not a" },
		{ SPAN("192.0.2.1 192.0.2.2\n"),
		    "bad.txt:1: \"192.0.2.1 192.0.2.2\": not a prefix" },
		{ SPAN("192.0.2.1\0"), "bad.txt:1: \"192.0.2.1\\x00\": not a prefix" },
		{ SPAN("\x1b[2J"), "bad.txt:1: \"\\x1b[2J\": not a prefix" },
		{ SPAN("1\r2\n"), "bad.txt:1: \"1\\x0d2\": not a prefix" },
		{ SPAN("\xff\xfe"
		       "1\0.\0"),
		    "bad.txt:1: \"\\xff\\xfe1" },
		{ SPAN("fe80::1%eth0"), "not a prefix" },
		{ SPAN(
		      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
		    "...\": not a prefix" },
	};
	struct prefixes *set;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_not_equal(
		    prefixes_parse(&set, "bad.txt", rows[i].list, &e), ERR_OK);
		assert_null(set);
		if (strstr(e.text, rows[i].text) == NULL)
			fail_msg("row %zu: %s", i, e.text);
	}
}

static void
test_bounds(void **state)
{
	const size_t most = 2000000;
	char *text = mem_alloc(3 * (most + 1));
	struct netaddr addr = ip("::");
	struct prefixes *set;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < most + 1; i++)
		memcpy(text + 3 * i, "::\n", 3);
	assert_int_equal(prefixes_parse(&set, "f", span_mem(text, 3 * most), &e), ERR_OK);
	assert_int_equal(prefixes_count(set), most);
	assert_true(prefixes_have(set, &addr));
	prefixes_free(&set);
	assert_int_equal(
	    prefixes_parse(&set, "f", span_mem(text, 3 * most + 3), &e), ERR_RANGE);
	assert_string_equal(e.text, "f:2000001: more than 2000000 entries");
	free(text);
}

static void
test_files(void **state)
{
	char path[] = "/tmp/test_prefixes.XXXXXX", line[256];
	struct prefixes *set;
	struct netaddr addr = ip("192.0.2.77");
	void *object;
	struct err e;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "192.0.2.0/24\n::1\n", 17), 17);
	assert_int_equal(prefixes_load(&set, path, &e), ERR_OK);
	assert_true(prefixes_have(set, &addr));
	assert_int_equal(prefixes_count(set), 2);
	prefixes_free(&set);
	assert_int_equal(prefixes_watched.load(&object, path, NULL, &e), ERR_OK);
	prefixes_watched.describe(object, line, sizeof(line));
	assert_string_equal(line, "2 addresses and prefixes");
	prefixes_watched.free(object);
	/* a hole of the right size costs no disk */
	assert_int_equal(ftruncate(fd, (64 << 20) + 1), 0);
	assert_int_equal(prefixes_load(&set, path, &e), ERR_RANGE);
	assert_non_null(strstr(e.text, path));
	assert_non_null(strstr(e.text, "larger than 65536 KiB"));
	close(fd);
	unlink(path);
	assert_int_equal(prefixes_load(&set, path, &e), ERR_IO);
	assert_null(set);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(prefixes_load(&set, path, &e), ERR_IO);
	assert_non_null(strstr(e.text, "not a regular file"));
	unlink(path);
	assert_int_equal(prefixes_load(&set, "/tmp", &e), ERR_IO);
}

/* A generator of its own: the same data on every machine. */
static uint32_t
next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((uint32_t)(*seed >> 32));
}

/* Prefixes and addresses from few values, so that they meet often. */
static struct netaddr
random_addr(uint64_t *seed, bool six)
{
	struct netaddr addr = { .family = six ? NETADDR_IP6 : NETADDR_IP4 };
	size_t i, n = six ? 16 : 4;
	uint32_t r = next_random(seed);

	for (i = 0; i < n; i++)
		addr.ip[i] = (uint8_t)((next_random(seed) & 3) == 0 ? next_random(seed)
								    : r & 0x81);
	return (addr);
}

static void
test_as_a_naive_search(void **state)
{
	struct netprefix list[200];
	struct conf_prefixes conf = { list, 0 };
	struct prefixes *set;
	struct netaddr addr;
	uint64_t seed = 3;
	unsigned round, i, hits = 0;
	size_t j;
	bool have;

	(void)state;
	for (round = 0; round < 300; round++) {
		conf.n = next_random(&seed) % COUNT(list);
		for (j = 0; j < conf.n; j++) {
			bool six = (next_random(&seed) & 1) != 0;

			addr = random_addr(&seed, six);
			list[j].bits = (uint8_t)(next_random(&seed) % (six ? 129 : 33));
			if (list[j].bits < 4)
				list[j].bits = (uint8_t)(list[j].bits + 20);
			list[j].base = netaddr_cut(&addr, list[j].bits, list[j].bits);
		}
		set = prefixes_new(&conf);
		assert_int_equal(prefixes_count(set), conf.n);
		for (i = 0; i < 1000; i++) {
			addr = random_addr(&seed, (i & 1) != 0);
			for (j = 0, have = false; j < conf.n && !have; j++)
				have = netprefix_has(&list[j], &addr);
			hits += have;
			if (prefixes_have(set, &addr) != have)
				fail_msg("round %u, address %u", round, i);
		}
		prefixes_free(&set);
	}
	assert_true(hits > 30000 && hits < 270000);
}

static int64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000);
}

static void
measure(const char *what, bool six)
{
	enum { ENTRIES = 100000, LOOKUPS = 1000000 };
	char out[NETADDR_TEXT_MAX];
	struct netaddr addr, asked[1024];
	struct prefixes *set;
	uint64_t seed = 7;
	struct text text;
	int64_t start, parse, look;
	unsigned i, j, hits = 0;
	struct err e;

	text_init(&text, (size_t)64 << 20);
	for (i = 0; i < ENTRIES; i++) {
		addr = (struct netaddr){ .family = six ? NETADDR_IP6 : NETADDR_IP4 };
		for (j = 0; j < (six ? 7u : 3u); j++)
			addr.ip[j] = (uint8_t)next_random(&seed);
		if (six)
			addr.ip[0] = 0x20;
		asked[i % COUNT(asked)] = addr;
		text_puts(&text, netaddr_ip_text(&addr, out));
		text_puts(&text, six ? "/56\n" : "/24\n");
	}
	start = cpu_us();
	if (prefixes_parse(&set, "f", text_span(&text), &e) != ERR_OK)
		fail_msg("%s", e.text);
	parse = cpu_us() - start;
	start = cpu_us();
	for (i = 0; i < LOOKUPS; i++) {
		/* half of them far from each other and all over the set */
		addr = asked[next_random(&seed) % COUNT(asked)];
		addr.ip[1] = (uint8_t)(addr.ip[1] ^ (i & 1 ? i : 0));
		hits += prefixes_have(set, &addr);
	}
	look = cpu_us() - start;
	assert_true(hits > LOOKUPS / 3);
	print_message("%s: %d entries parsed in %lld ms, a lookup takes %lld ns\n", what,
	    ENTRIES, (long long)parse / 1000, (long long)look * 1000 / LOOKUPS);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_true(look < LOOKUPS);
#endif
	prefixes_free(&set);
	text_free(&text);
}

static void
test_a_lookup_takes_less_than_a_microsecond(void **state)
{
	(void)state;
	measure("IPv4", false);
	measure("IPv6", true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_membership),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_as_a_naive_search),
		cmocka_unit_test(test_a_lookup_takes_less_than_a_microsecond),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
