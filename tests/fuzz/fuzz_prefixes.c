/* SPDX-License-Identifier: Apache-2.0 */
/* Address lists: any file is a set or an error that names its line; the set holds
 * what a search through the entries, one by one, holds. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "gateway/access/prefixes.h"
#include "gateway/base/utf8.h"

#define ENTRIES_MAX 256

struct entries {
	struct netprefix v[ENTRIES_MAX];
	size_t n;
	bool more; /* than are kept here */
};

/* As prefixes.h says it, in the plainest way. Zero: all lines are fine; else the
 * first that is not. */
static size_t
plain_reading(struct entries *entries, struct span text)
{
	struct span rest = text, line, word;
	struct netprefix prefix;
	size_t number = 0;

	entries->n = 0;
	entries->more = false;
	if (span_starts(rest, SPAN("\xef\xbb\xbf")))
		rest = span_cut(rest, 3, rest.n);
	while (span_split(&rest, '\n', &line)) {
		number++;
		if (span_ends(line, SPAN("\r")))
			line.n--;
		span_split(&line, '#', &word);
		line = word;
		span_split(&line, ';', &word);
		word = span_trim(word);
		if (word.n == 0)
			continue;
		if (netprefix_parse(&prefix, word, NULL) != ERR_OK)
			return (number);
		if (entries->n < ENTRIES_MAX)
			entries->v[entries->n++] = prefix;
		else
			entries->more = true;
	}
	return (0);
}

static void
check_address(
    const struct prefixes *set, const struct entries *entries, const struct netaddr *addr)
{
	bool have = false;
	size_t i;

	for (i = 0; i < entries->n && !have; i++)
		have = netprefix_has(&entries->v[i], addr);
	CHECK(
	    have ? prefixes_have(set, addr) : entries->more || !prefixes_have(set, addr));
}

static size_t
bytes_of(const struct netaddr *addr)
{
	return (addr->family == NETADDR_IP4 ? 4 : 16);
}

/* One up or down, around at the ends. */
static struct netaddr
neighbour(struct netaddr addr, int step)
{
	size_t i = bytes_of(&addr);

	do {
		i--;
		addr.ip[i] = (uint8_t)(addr.ip[i] + step);
	} while (i > 0 && addr.ip[i] == (step > 0 ? 0x00 : 0xff));
	return (addr);
}

static struct netaddr
last_of(const struct netprefix *prefix)
{
	struct netaddr last = prefix->base;
	unsigned bit;

	for (bit = prefix->bits; bit < 8 * bytes_of(&last); bit++)
		last.ip[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
	return (last);
}

static void
check_entry(const struct prefixes *set, const struct entries *entries,
    const struct netprefix *prefix)
{
	struct netaddr addr = prefix->base, last = last_of(prefix);

	CHECK(prefixes_have(set, &addr) && prefixes_have(set, &last));
	addr = neighbour(addr, -1);
	check_address(set, entries, &addr);
	last = neighbour(last, 1);
	check_address(set, entries, &last);
	addr.ip[bytes_of(&addr) / 2] ^= 0x10;
	check_address(set, entries, &addr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct entries *entries = mem_alloc(sizeof(*entries));
	char *copy = fuzz_copy(span_mem(data, size));
	const struct span text = span_mem(copy, size);
	struct netaddr addr = { .family = NETADDR_IP4 };
	struct prefixes *set;
	char place[64];
	enum err_code rc;
	struct err e;
	size_t bad, i;

	rc = prefixes_parse(&set, "file", text, &e);
	bad = plain_reading(entries, text);
	CHECK((rc == ERR_OK) == (bad == 0));
	if (rc != ERR_OK) {
		snprintf(place, sizeof(place), "file:%zu: ", bad);
		CHECK(set == NULL && strncmp(e.text, place, strlen(place)) == 0);
		CHECK(utf8_is_valid(span_of(e.text)));
	} else {
		CHECK(prefixes_count(set) >= entries->n);
		for (i = 0; i < entries->n; i++)
			check_entry(set, entries, &entries->v[i]);
		check_address(set, entries, &addr);
		addr.family = NETADDR_IP6;
		check_address(set, entries, &addr);
		addr.family = NETADDR_NONE;
		CHECK(!prefixes_have(set, &addr));
		prefixes_free(&set);
	}
	free(entries);
	free(copy);
	return (0);
}
