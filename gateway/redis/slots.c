/* SPDX-License-Identifier: Apache-2.0 */
/* Slots of a cluster: keys to slots, and what servers say of them. */
#include "config.h"

#include "gateway/redis/slots.h"

uint16_t
slot_of_key(struct span key)
{
	/* Half bytes: keys are short, and the table stays in a cache line. */
	static const uint16_t table[16] = { 0x0000, 0x1021, 0x2042, 0x3063, 0x4084,
		0x50a5, 0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad,
		0xe1ce, 0xf1ef };
	size_t open = span_index(key, '{'), close, i;
	uint16_t crc = 0;
	uint8_t byte;

	if (open != SIZE_MAX) {
		close = span_index(span_cut(key, open + 1, key.n), '}');
		if (close != SIZE_MAX && close > 0)
			key = span_cut(key, open + 1, open + 1 + close);
	}
	for (i = 0; i < key.n; i++) {
		byte = (uint8_t)key.p[i];
		crc = (uint16_t)(crc << 4) ^ table[(crc >> 12) ^ (byte >> 4)];
		crc = (uint16_t)(crc << 4) ^ table[(crc >> 12) ^ (byte & 15)];
	}
	return (crc % SLOTS);
}

/* A server that does not know its own name says "" or nil, some say "?". */
static bool
read_host(struct slot_server *server, struct span host, const char *self)
{
	if (host.n == 0 || span_eq(host, SPAN("?")))
		host = span_of(self);
	if (host.n == 0 || host.n >= sizeof(server->host) ||
	    memchr(host.p, '\0', host.n) != NULL)
		return (false);
	memcpy(server->host, host.p, host.n);
	server->host[host.n] = '\0';
	return (true);
}

static bool
is_integer(const struct redis_value *value, int64_t least, int64_t most)
{
	return (value->type == REDIS_INTEGER && value->integer >= least &&
		value->integer <= most);
}

/* [first, last, [host, port, ...], replicas ...] */
static bool
read_run(const struct redis_value *run, const char *self, struct slot_server *server)
{
	const struct redis_value *master;

	if (run->type != REDIS_ARRAY || run->n_items < 3 ||
	    !is_integer(&run->items[0], 0, SLOTS - 1) ||
	    !is_integer(&run->items[1], run->items[0].integer, SLOTS - 1))
		return (false);
	master = &run->items[2];
	if (master->type != REDIS_ARRAY || master->n_items < 2 ||
	    (master->items[0].type != REDIS_TEXT && master->items[0].type != REDIS_NIL) ||
	    !is_integer(&master->items[1], 1, UINT16_MAX))
		return (false);
	server->port = (uint16_t)master->items[1].integer;
	return (read_host(server, master->items[0].text, self));
}

bool
slots_read(
    const struct redis_value *value, const char *self, slots_serve_f *serve, void *data)
{
	struct slot_server server;
	int64_t sum = 0;
	size_t i;

	if (value->type != REDIS_ARRAY || value->n_items == 0 || value->n_items > SLOTS)
		return (false);
	for (i = 0; i < value->n_items; i++) {
		if (!read_run(&value->items[i], self, &server))
			return (false);
		sum += value->items[i].items[1].integer -
		       value->items[i].items[0].integer + 1;
		if (sum > SLOTS)
			return (false);
	}
	for (i = 0; i < value->n_items; i++) {
		(void)read_run(&value->items[i], self, &server);
		serve(data, (uint16_t)value->items[i].items[0].integer,
		    (uint16_t)value->items[i].items[1].integer, &server);
	}
	return (true);
}

/* "3999 127.0.0.1:6381", an IPv6 address without brackets. */
static bool
read_redirect(
    struct span text, const char *self, uint16_t *slot_r, struct slot_server *to_r)
{
	struct span slot;
	uint64_t number;
	size_t colon;

	if (!span_split(&text, ' ', &slot) || !span_u64(slot, &number) || number >= SLOTS)
		return (false);
	*slot_r = (uint16_t)number;
	for (colon = text.n; colon > 0 && text.p[colon - 1] != ':'; colon--)
		continue;
	if (colon == 0 || !span_u64(span_cut(text, colon, text.n), &number) ||
	    number == 0 || number > UINT16_MAX)
		return (false);
	to_r->port = (uint16_t)number;
	return (read_host(to_r, span_cut(text, 0, colon - 1), self));
}

enum slot_error
slot_error_read(
    struct span text, const char *self, uint16_t *slot_r, struct slot_server *to_r)
{
	struct span word;

	if (!span_split(&text, ' ', &word))
		return (SLOT_ERROR_NONE);
	if (span_eq(word, SPAN("TRYAGAIN")))
		return (SLOT_ERROR_TRYAGAIN);
	if (span_eq(word, SPAN("CLUSTERDOWN")))
		return (SLOT_ERROR_DOWN);
	if (span_eq(word, SPAN("MOVED")) && read_redirect(text, self, slot_r, to_r))
		return (SLOT_ERROR_MOVED);
	if (span_eq(word, SPAN("ASK")) && read_redirect(text, self, slot_r, to_r))
		return (SLOT_ERROR_ASK);
	return (SLOT_ERROR_NONE);
}
