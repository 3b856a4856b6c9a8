/* SPDX-License-Identifier: Apache-2.0 */
/* A writer of MaxMind DB files. */
#include "config.h"

#include "tests/unit/mmdb_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/check.h"
#include "gateway/base/netaddr.h"

void
mmdb_init(struct mmdb_make *m, unsigned record_bits, unsigned ip_version)
{
	memset(m, 0, sizeof *m);
	m->record_bits = record_bits;
	m->ip_version = ip_version;
	m->type = "Test";
	m->epoch = 1767225600; /* 2026-01-01 */
	m->nodes[0][0] = m->nodes[0][1] = MMDB_EMPTY;
	m->n_nodes = 1;
	text_init(&m->data, 1u << 24);
}

void
mmdb_free(struct mmdb_make *m)
{
	text_free(&m->data);
}

/* --- values ------------------------------------------------------------- */

static void
put_control(struct text *t, unsigned type, size_t size)
{
	unsigned low = size < 29 ? (unsigned)size : size < 285 ? 29 : 30;

	CHECK(size < 65821);
	text_putc(t, (char)((type < 8 ? type << 5 : 0) | low));
	if (type >= 8)
		text_putc(t, (char)(type - 7));
	if (low == 30)
		text_putc(t, (char)((size - 285) >> 8));
	if (low >= 29)
		text_putc(t, (char)(low == 29 ? size - 29 : size - 285));
}

static void
put_number(struct text *t, unsigned type, uint64_t value)
{
	unsigned n = 0, i;

	while (n < 8 && value >> (8 * n) != 0)
		n++;
	put_control(t, type, n);
	for (i = n; i > 0; i--)
		text_putc(t, (char)(value >> (8 * (i - 1))));
}

static void
put_text(struct text *t, const char *text)
{
	put_control(t, 2, strlen(text));
	text_puts(t, text);
}

uint32_t
mmdb_map(struct mmdb_make *m, unsigned pairs)
{
	uint32_t at = (uint32_t)m->data.n;

	put_control(&m->data, 7, pairs);
	return (at);
}

uint32_t
mmdb_array(struct mmdb_make *m, unsigned values)
{
	uint32_t at = (uint32_t)m->data.n;

	put_control(&m->data, 11, values);
	return (at);
}

uint32_t
mmdb_put(struct mmdb_make *m, const char *text)
{
	uint32_t at = (uint32_t)m->data.n;

	put_text(&m->data, text);
	return (at);
}

uint32_t
mmdb_put_number(struct mmdb_make *m, uint32_t value)
{
	uint32_t at = (uint32_t)m->data.n;

	put_number(&m->data, 6, value);
	return (at);
}

/* The form with four bytes, which reaches everything. */
uint32_t
mmdb_put_pointer(struct mmdb_make *m, uint32_t offset)
{
	uint32_t at = (uint32_t)m->data.n;
	int shift;

	text_putc(&m->data, 0x38);
	for (shift = 24; shift >= 0; shift -= 8)
		text_putc(&m->data, (char)(offset >> shift));
	return (at);
}

uint32_t
mmdb_put_raw(struct mmdb_make *m, const char *bytes, size_t n)
{
	uint32_t at = (uint32_t)m->data.n;

	text_put(&m->data, span_mem(bytes, n));
	return (at);
}

uint32_t
mmdb_nested(struct mmdb_make *m, const char *const *words)
{
	uint32_t at = (uint32_t)m->data.n;

	for (; words[1] != NULL; words++) {
		mmdb_map(m, 1);
		mmdb_put(m, words[0]);
	}
	mmdb_put(m, words[0]);
	return (at);
}

/* --- the tree ----------------------------------------------------------- */

static uint32_t
new_node(struct mmdb_make *m, int64_t record)
{
	CHECK(m->n_nodes < MMDB_MAKE_NODES);
	m->nodes[m->n_nodes][0] = m->nodes[m->n_nodes][1] = record;
	return (m->n_nodes++);
}

void
mmdb_add(struct mmdb_make *m, const char *prefix, uint32_t offset)
{
	uint8_t ip[16] = { 0 };
	struct netprefix p;
	unsigned bits, i, side;
	uint32_t node = 0;
	struct err e;

	if (netprefix_parse(&p, span_of(prefix), &e) != ERR_OK)
		WRONG(e.text);
	bits = p.bits;
	if (p.base.family == NETADDR_IP4 && m->ip_version == 6) {
		memcpy(ip + 12, p.base.ip, 4);
		bits += 96;
	} else
		memcpy(ip, p.base.ip, 16);
	CHECK(bits > 0);
	for (i = 0;; i++) {
		side = ip[i / 8] >> (7 - i % 8) & 1;
		if (i == bits - 1)
			break;
		if (m->nodes[node][side] < 0)
			m->nodes[node][side] = new_node(m, m->nodes[node][side]);
		node = (uint32_t)m->nodes[node][side];
	}
	m->nodes[node][side] = -1 - (int64_t)offset;
}

static uint32_t
record_of(const struct mmdb_make *m, int64_t record)
{
	if (record == MMDB_EMPTY)
		return (m->n_nodes);
	if (record < 0)
		return (m->n_nodes + 16 + (uint32_t)(-1 - record));
	return ((uint32_t)record);
}

static void
put_bytes(struct text *t, uint32_t value, unsigned bytes)
{
	while (bytes-- > 0)
		text_putc(t, (char)(value >> (8 * bytes)));
}

static void
put_node(const struct mmdb_make *m, struct text *t, const int64_t node[2])
{
	uint32_t left = record_of(m, node[0]), right = record_of(m, node[1]);

	if (m->record_bits == 28) {
		put_bytes(t, left, 3);
		text_putc(t, (char)((left >> 20 & 0xf0) | right >> 24));
		put_bytes(t, right, 3);
		return;
	}
	put_bytes(t, left, m->record_bits / 8);
	put_bytes(t, right, m->record_bits / 8);
}

static void
put_metadata(const struct mmdb_make *m, struct text *t)
{
	text_put(t, SPAN("\xab\xcd\xefMaxMind.com"));
	put_control(t, 7, 9);
	put_text(t, "node_count");
	put_number(t, 6, m->told_nodes != 0 ? m->told_nodes : m->n_nodes);
	put_text(t, "record_size");
	put_number(t, 5, m->record_bits);
	put_text(t, "ip_version");
	put_number(t, 5, m->ip_version);
	put_text(t, "database_type");
	put_text(t, m->type);
	put_text(t, "languages");
	put_control(t, 11, 1);
	put_text(t, "en");
	put_text(t, "binary_format_major_version");
	put_number(t, 5, 2);
	put_text(t, "binary_format_minor_version");
	put_number(t, 5, 0);
	put_text(t, "build_epoch");
	put_number(t, 9, m->epoch);
	put_text(t, "description");
	put_control(t, 7, 1);
	put_text(t, "en");
	put_text(t, "for a test");
}

char *
mmdb_bytes(const struct mmdb_make *m, size_t *n_r)
{
	struct text t;
	uint32_t i;

	text_init(&t, 1u << 25);
	for (i = 0; i < m->n_nodes; i++)
		put_node(m, &t, m->nodes[i]);
	text_put(&t, span_mem("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16));
	text_put(&t, text_span(&m->data));
	put_metadata(m, &t);
	CHECK(!t.overflow && !m->data.overflow);
	*n_r = t.n;
	return (t.p);
}

void
mmdb_write(const struct mmdb_make *m, const char *path)
{
	FILE *f = fopen(path, "w");
	char *bytes;
	size_t n;

	bytes = mmdb_bytes(m, &n);
	CHECK(f != NULL && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
	free(bytes);
}
