/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of addresses as sorted, disjoint ranges of numbers. */
#include "config.h"

#include "gateway/access/prefixes.h"

#include "gateway/access/lines.h"
#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/conf/value.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX_BYTES ((size_t)64 << 20)
#define ENTRIES_MAX 2000000
#define ENTRY_MAX 64 /* longer than any prefix can be written */

struct range4 {
	uint32_t low, high;
};

struct wide {
	uint64_t high, low; /* halves of an IPv6 address */
};

struct range6 {
	struct wide low, high;
};

#define PREFIXES_MAGIC 0x9ef1e5e7u
struct prefixes {
	unsigned magic;
	size_t count; /* entries as written */
	size_t n4, n6, size4, size6;
	struct range4 *v4;
	struct range6 *v6;
};

static inline int
compare_wide(struct wide a, struct wide b)
{
	if (a.high != b.high)
		return (a.high < b.high ? -1 : 1);
	return ((a.low > b.low) - (a.low < b.low));
}

static inline uint64_t
big_endian(const uint8_t *p, size_t n)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < n; i++)
		value = value << 8 | p[i];
	return (value);
}

static inline struct wide
wide_of(const struct netaddr *addr)
{
	return ((struct wide){ big_endian(addr->ip, 8), big_endian(addr->ip + 8, 8) });
}

/* All ones behind the first `bits` of 64. */
static uint64_t
tail(unsigned bits)
{
	return (bits >= 64 ? 0 : UINT64_MAX >> bits);
}

static void
add4(struct prefixes *set, const struct netprefix *prefix)
{
	uint32_t low = (uint32_t)big_endian(prefix->base.ip, 4);

	if (set->n4 == set->size4) {
		set->size4 = set->size4 != 0 ? 2 * set->size4 : 16;
		set->v4 = mem_realloc(set->v4, set->size4 * sizeof(*set->v4));
	}
	set->v4[set->n4].low = low;
	set->v4[set->n4++].high = low | (uint32_t)tail(prefix->bits + 32u);
}

static void
add6(struct prefixes *set, const struct netprefix *prefix)
{
	struct wide low = wide_of(&prefix->base), high = low;

	high.high |= tail(prefix->bits);
	high.low |= tail(prefix->bits > 64 ? prefix->bits - 64u : 0);
	if (set->n6 == set->size6) {
		set->size6 = set->size6 != 0 ? 2 * set->size6 : 16;
		set->v6 = mem_realloc(set->v6, set->size6 * sizeof(*set->v6));
	}
	set->v6[set->n6].low = low;
	set->v6[set->n6++].high = high;
}

static void
add(struct prefixes *set, const struct netprefix *prefix)
{
	set->count++;
	if (prefix->base.family == NETADDR_IP4)
		add4(set, prefix);
	else if (prefix->base.family == NETADDR_IP6)
		add6(set, prefix);
}

static int
order4(const void *a, const void *b)
{
	const uint32_t x = ((const struct range4 *)a)->low;
	const uint32_t y = ((const struct range4 *)b)->low;

	return ((x > y) - (x < y));
}

static int
order6(const void *a, const void *b)
{
	return (compare_wide(
	    ((const struct range6 *)a)->low, ((const struct range6 *)b)->low));
}

/* Sorted by their lower ends, prefixes are either apart or one within the other;
 * what lies within the one before it goes. */
static void
settle4(struct prefixes *set)
{
	struct range4 *v = set->v4;
	size_t i, kept = 0;

	if (set->n4 == 0)
		return;
	qsort(v, set->n4, sizeof(*v), order4);
	for (i = 1; i < set->n4; i++) {
		if (v[i].low > v[kept].high)
			v[++kept] = v[i];
		else if (v[i].high > v[kept].high)
			v[kept].high = v[i].high;
	}
	set->n4 = set->size4 = kept + 1;
	set->v4 = mem_realloc(v, set->n4 * sizeof(*v));
}

static void
settle6(struct prefixes *set)
{
	struct range6 *v = set->v6;
	size_t i, kept = 0;

	if (set->n6 == 0)
		return;
	qsort(v, set->n6, sizeof(*v), order6);
	for (i = 1; i < set->n6; i++) {
		if (compare_wide(v[i].low, v[kept].high) > 0)
			v[++kept] = v[i];
		else if (compare_wide(v[i].high, v[kept].high) > 0)
			v[kept].high = v[i].high;
	}
	set->n6 = set->size6 = kept + 1;
	set->v6 = mem_realloc(v, set->n6 * sizeof(*v));
}

static struct prefixes *
make(void)
{
	struct prefixes *set = mem_zalloc(sizeof(*set));

	set->magic = PREFIXES_MAGIC;
	return (set);
}

struct prefixes *
prefixes_new(const struct conf_prefixes *list)
{
	struct prefixes *set = make();
	size_t i;

	for (i = 0; i < list->n; i++)
		add(set, &list->v[i]);
	settle4(set);
	settle6(set);
	return (set);
}

/* An entry that is short and printable is shown by netprefix_parse, which knows
 * best what is wrong; any other can't be one. */
static bool
is_presentable(struct span entry)
{
	size_t i;

	for (i = 0; i < entry.n; i++)
		if (entry.p[i] <= ' ' || entry.p[i] > '~')
			return (false);
	return (entry.n <= ENTRY_MAX);
}

static enum err_code
parse_entry(struct netprefix *prefix_r, struct span entry, struct err *e)
{
	struct text quoted;
	enum err_code rc;

	if (is_presentable(entry))
		return (netprefix_parse(prefix_r, entry, e));
	text_init(&quoted, 1024);
	value_quote(entry, &quoted);
	rc = err_set(e, ERR_FORMAT,
	    "%.*s: not a prefix; allowed: 192.0.2.0/24, 2001:db8::/32 or one address",
	    SPAN_FMT(text_span(&quoted)));
	text_free(&quoted);
	return (rc);
}

enum err_code
prefixes_parse(struct prefixes **set_r, const char *name, struct span text, struct err *e)
{
	struct prefixes *set = make();
	enum err_code rc = ERR_OK;
	struct netprefix prefix = { .bits = 0 };
	struct lines lines;
	struct span line;
	size_t i;

	lines_begin(&lines, text);
	while (rc == ERR_OK && lines_next(&lines, &line)) {
		for (i = 0; i < line.n && line.p[i] != '#' && line.p[i] != ';'; i++)
			continue;
		line = span_trim(span_cut(line, 0, i));
		if (line.n == 0)
			continue;
		if (set->count == ENTRIES_MAX)
			rc = err_set(e, ERR_RANGE, "more than %d entries", ENTRIES_MAX);
		else
			rc = parse_entry(&prefix, line, e);
		if (rc == ERR_OK)
			add(set, &prefix);
	}
	if (rc != ERR_OK) {
		prefixes_free(&set);
		err_wrap(e, "%s:%zu", name, lines.number);
	} else {
		settle4(set);
		settle6(set);
	}
	*set_r = set;
	return (rc);
}

enum err_code
prefixes_load(struct prefixes **set_r, const char *path, struct err *e)
{
	struct lines_file file;
	enum err_code rc;

	*set_r = NULL;
	rc = lines_read(&file, path, FILE_MAX_BYTES, e);
	if (rc != ERR_OK)
		return (rc);
	rc = prefixes_parse(set_r, path, span_mem(file.bytes, file.n), e);
	free(file.bytes);
	return (rc);
}

void
prefixes_free(struct prefixes **set_p)
{
	struct prefixes *set = *set_p;

	*set_p = NULL;
	if (set == NULL)
		return;
	CHECK_OBJ(set, PREFIXES_MAGIC);
	set->magic = 0;
	free(set->v4);
	free(set->v6);
	free(set);
}

static bool
have4(const struct prefixes *set, uint32_t ip)
{
	const struct range4 *v = set->v4;
	size_t n = set->n4, half;

	/* v: behind all ranges that are known to begin at or below `ip` */
	while (n > 0) {
		half = n / 2;
		if (v[half].low <= ip) {
			v += half + 1;
			n -= half + 1;
		} else
			n = half;
	}
	return (v != set->v4 && ip <= v[-1].high);
}

static bool
have6(const struct prefixes *set, struct wide ip)
{
	const struct range6 *v = set->v6;
	size_t n = set->n6, half;

	while (n > 0) {
		half = n / 2;
		if (compare_wide(v[half].low, ip) <= 0) {
			v += half + 1;
			n -= half + 1;
		} else
			n = half;
	}
	return (v != set->v6 && compare_wide(ip, v[-1].high) <= 0);
}

bool
prefixes_have(const struct prefixes *set, const struct netaddr *addr)
{
	CHECK_OBJ(set, PREFIXES_MAGIC);
	if (addr->family == NETADDR_IP4)
		return (have4(set, (uint32_t)big_endian(addr->ip, 4)));
	return (addr->family == NETADDR_IP6 && have6(set, wide_of(addr)));
}

size_t
prefixes_count(const struct prefixes *set)
{
	CHECK_OBJ(set, PREFIXES_MAGIC);
	return (set->count);
}

static enum err_code
load_object(void **object_r, const char *path, void *data, struct err *e)
{
	struct prefixes *set;
	enum err_code rc;

	(void)data;
	rc = prefixes_load(&set, path, e);
	*object_r = set;
	return (rc);
}

static void
free_object(void *object)
{
	struct prefixes *set;

	CAST_OBJ(set, object, PREFIXES_MAGIC);
	prefixes_free(&set);
}

static void
describe_object(const void *object, char *out, size_t size)
{
	const struct prefixes *set;

	CAST_OBJ(set, object, PREFIXES_MAGIC);
	snprintf(out, size, "%zu addresses and prefixes", set->count);
}

const struct watched_ops prefixes_watched = {
	.area = "access",
	.load = load_object,
	.free = free_object,
	.describe = describe_object,
};
