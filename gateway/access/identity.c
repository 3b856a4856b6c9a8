/* SPDX-License-Identifier: Apache-2.0 */
/* Who the client is, by what trusted proxies say. */
#include "config.h"

#include "gateway/access/identity.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/access/prefixes.h"
#include "gateway/base/check.h"
#include "gateway/http/chars.h"

#define IDENTITY_MAGIC 0x1de47174u
#define ENTRIES_MAX 64
#define NODE_MAX 64 /* "[v6]:port" in a quoted string, unquoted */
#define PORT_DIGITS 5

enum kind {
	KIND_LIST, /* X-Forwarded-For: addresses */
	KIND_FORWARDED, /* RFC 7239 */
	KIND_SINGLE, /* one line, one address */
};

struct identity {
	unsigned magic;
	enum kind kind;
	char *header;
	unsigned ipv6_prefix;
	struct prefixes *trusted;
	bool trusts_unix;
};

static bool
holds_loopback(const struct netprefix *prefix)
{
	static const struct netprefix four = {
		.base = { .family = NETADDR_IP4, .ip = { 127 } }, .bits = 8
	};
	static const struct netaddr six = { .family = NETADDR_IP6, .ip = { [15] = 1 } };

	return (netprefix_has(&four, &prefix->base) ||
		netprefix_has(prefix, &four.base) || netprefix_has(prefix, &six));
}

struct identity *
identity_new(const struct conf_identity *conf)
{
	struct span header = span_of(conf->header);
	struct identity *id;
	size_t i;

	id = mem_zalloc(sizeof(*id));
	id->magic = IDENTITY_MAGIC;
	id->kind = KIND_SINGLE;
	if (span_eq_nocase(header, SPAN("x-forwarded-for")))
		id->kind = KIND_LIST;
	else if (span_eq_nocase(header, SPAN("forwarded")))
		id->kind = KIND_FORWARDED;
	id->header = span_strdup(header);
	id->ipv6_prefix = conf->ipv6_prefix;
	id->trusted = prefixes_new(&conf->trusted_proxies);
	for (i = 0; i < conf->trusted_proxies.n; i++)
		if (holds_loopback(&conf->trusted_proxies.v[i]))
			id->trusts_unix = true;
	return (id);
}

void
identity_free(struct identity **id_p)
{
	struct identity *id = *id_p;

	*id_p = NULL;
	if (id == NULL)
		return;
	CHECK_OBJ(id, IDENTITY_MAGIC);
	id->magic = 0;
	free(id->header);
	prefixes_free(&id->trusted);
	free(id);
}

struct netaddr
identity_unwrap(const struct netaddr *addr)
{
	return (netaddr_unwrap(addr));
}

bool
identity_is_trusted(const struct identity *id, const struct netaddr *addr)
{
	CHECK_OBJ(id, IDENTITY_MAGIC);
	if (addr->family == NETADDR_UNIX)
		return (id->trusts_unix);
	return (prefixes_have(id->trusted, addr));
}

struct netaddr
identity_key(const struct identity *id, const struct netaddr *client)
{
	struct netaddr key;

	CHECK_OBJ(id, IDENTITY_MAGIC);
	key = netaddr_cut(client, 32, id->ipv6_prefix);
	memset(key.path, 0, sizeof(key.path));
	return (key);
}

/* --- one entry ------------------------------------------------------------------ */

static bool
read_port(struct span s, uint16_t *port_r)
{
	uint64_t port;

	if (s.n > PORT_DIGITS || !span_u64(s, &port) || port > UINT16_MAX)
		return (false);
	*port_r = (uint16_t)port;
	return (true);
}

/* "_hidden", RFC 7239 6.3: says nothing about the port. */
static bool
is_obfuscated(struct span s)
{
	size_t i;

	if (s.n < 2 || s.p[0] != '_')
		return (false);
	for (i = 1; i < s.n; i++)
		if (!char_is(s.p[i], CHAR_UNRESERVED) || s.p[i] == '~')
			return (false);
	return (true);
}

/* Takes "host" and "port" apart; the port is absent where there is none. False:
 * brackets that do not hold an IPv6 address, or bytes behind them. */
static bool
split_node(struct span node, struct span *host_r, struct span *port_r)
{
	size_t at;

	*host_r = node;
	*port_r = SPAN_NONE;
	if (node.n > 0 && node.p[0] == '[') {
		at = span_index(node, ']');
		if (at == SIZE_MAX)
			return (false);
		*host_r = span_cut(node, 1, at);
		if (span_index(*host_r, ':') == SIZE_MAX)
			return (false);
		node = span_cut(node, at + 1, node.n);
		if (node.n == 0)
			return (true);
		*port_r = span_cut(node, 1, node.n);
		return (node.p[0] == ':');
	}
	at = span_index(node, ':');
	/* more than one: an address without brackets, which has no port */
	if (at == SIZE_MAX || span_index(span_cut(node, at + 1, node.n), ':') != SIZE_MAX)
		return (true);
	*host_r = span_cut(node, 0, at);
	*port_r = span_cut(node, at + 1, node.n);
	return (true);
}

static bool
read_node(struct span node, bool is_forwarded, struct netaddr *addr_r)
{
	struct span host, port;
	struct netaddr addr;

	if (!split_node(node, &host, &port) || !netaddr_parse_ip(&addr, host))
		return (false);
	/* RFC 7239 6: an IPv6 address stands in brackets */
	if (is_forwarded && node.p[0] != '[' && span_index(host, ':') != SIZE_MAX)
		return (false);
	if (port.p != NULL && !read_port(port, &addr.port) &&
	    !(is_forwarded && is_obfuscated(port)))
		return (false);
	*addr_r = netaddr_unwrap(&addr);
	return (true);
}

/* A quoted string off the front, quotes and all; absent when it does not end. */
static struct span
take_quoted(struct span *rest)
{
	struct span quoted;
	size_t i;

	for (i = 1; i < rest->n && rest->p[i] != '"'; i++)
		if (rest->p[i] == '\\')
			i++;
	if (i >= rest->n)
		return (SPAN_NONE);
	quoted = span_cut(*rest, 0, i + 1);
	*rest = span_cut(*rest, i + 1, rest->n);
	return (quoted);
}

static struct span
take_token(struct span *rest)
{
	struct span token;
	size_t n;

	n = char_run(rest->p, 0, rest->n, CHAR_TOKEN);
	token = span_cut(*rest, 0, n);
	*rest = span_cut(*rest, n, rest->n);
	return (token);
}

/* "name=value" off the front; the value as written. */
static bool
take_pair(struct span *rest, struct span *name_r, struct span *value_r)
{
	*name_r = take_token(rest);
	if (name_r->n == 0 || rest->n < 2 || rest->p[0] != '=')
		return (false);
	*rest = span_cut(*rest, 1, rest->n);
	*value_r = rest->p[0] == '"' ? take_quoted(rest) : take_token(rest);
	return (value_r->n > 0);
}

/* The value of "for": a token or a quoted string. */
static bool
read_for(struct span value, struct netaddr *addr_r)
{
	char text[NODE_MAX];
	size_t i, n;

	if (value.p[0] != '"')
		return (read_node(value, true, addr_r));
	value = span_cut(value, 1, value.n - 1);
	n = 0;
	for (i = 0; i < value.n; i++) {
		if (n == sizeof(text))
			return (false);
		if (value.p[i] == '\\')
			i++; /* there is one behind, or the string had not ended */
		text[n++] = value.p[i];
	}
	return (n > 0 && read_node(span_mem(text, n), true, addr_r));
}

/* An element of Forwarded: pairs with semicolons between, one of them "for". What
 * the others say is not looked at: a client may have a hand in it (host). */
static bool
read_element(struct span rest, struct netaddr *addr_r)
{
	struct span name, value;
	bool found;

	found = false;
	while (rest.n > 0) {
		if (rest.p[0] != ';') {
			if (!take_pair(&rest, &name, &value))
				return (false);
			if (span_eq_nocase(name, SPAN("for"))) {
				if (found || !read_for(value, addr_r))
					return (false);
				found = true;
			}
			rest = span_trim(rest);
		}
		if (rest.n > 0 && rest.p[0] != ';')
			return (false);
		rest = span_trim(span_cut(rest, 1, rest.n));
	}
	return (found);
}

/* --- all entries ---------------------------------------------------------------- */

struct walk {
	const struct identity *id;
	const struct http_fields *fields;
	uint32_t lines; /* not begun yet */
	struct span rest; /* of the line; absent: take another */
};

static bool
is_escaped(struct span s, size_t at)
{
	size_t n;

	for (n = 0; n < at && s.p[at - n - 1] == '\\'; n++)
		;
	return (n % 2 == 1);
}

/* The comma before the last element. From the right, since only there stands what
 * a trusted proxy wrote: a quote that a client left open must not swallow it. */
static size_t
last_comma(struct span s, bool has_quotes)
{
	bool quoted;
	size_t i;

	quoted = false;
	for (i = s.n; i-- > 0;) {
		if (s.p[i] == ',' && !quoted)
			return (i);
		if (has_quotes && s.p[i] == '"' && !(quoted && is_escaped(s, i)))
			quoted = !quoted;
	}
	return (SIZE_MAX);
}

static bool
is_the_field(const struct identity *id, const struct http_field *f)
{
	switch (id->kind) {
	case KIND_LIST: return (f->id == HTTP_X_FORWARDED_FOR);
	case KIND_FORWARDED: return (f->id == HTTP_FORWARDED);
	case KIND_SINGLE: return (span_eq_nocase(f->name, span_of(id->header)));
	}
	WRONG("kind of header");
}

/* The next entry from the right, over all lines; false when there are no more. */
static bool
next_entry(struct walk *w, struct span *entry_r)
{
	const struct http_field *f;
	size_t at;

	while (w->rest.p == NULL) {
		if (w->lines == 0)
			return (false);
		f = &w->fields->v[--w->lines];
		if (is_the_field(w->id, f))
			w->rest = f->value;
	}
	at = last_comma(w->rest, w->id->kind == KIND_FORWARDED);
	if (at == SIZE_MAX) {
		*entry_r = span_trim(w->rest);
		w->rest = SPAN_NONE;
	} else {
		*entry_r = span_trim(span_cut(w->rest, at + 1, w->rest.n));
		w->rest = span_cut(w->rest, 0, at);
	}
	return (true);
}

static enum identity_rc
find_in_list(
    const struct identity *id, const struct http_fields *fields, struct netaddr *client)
{
	struct walk walk = { .id = id, .fields = fields, .lines = fields->n };
	struct netaddr addr;
	enum identity_rc rc;
	struct span entry;
	unsigned i;
	bool fine;

	rc = IDENTITY_PEER;
	for (i = 0; i < ENTRIES_MAX && next_entry(&walk, &entry); i++) {
		if (entry.n == 0)
			continue; /* RFC 9110 5.6.1.2 */
		fine = id->kind == KIND_FORWARDED ? read_element(entry, &addr)
						  : read_node(entry, false, &addr);
		if (!fine)
			return (IDENTITY_BAD);
		*client = addr;
		rc = IDENTITY_TOLD;
		if (!identity_is_trusted(id, client))
			break;
	}
	return (rc);
}

static enum identity_rc
find_single(
    const struct identity *id, const struct http_fields *fields, struct netaddr *client)
{
	const struct http_field *found;
	uint32_t i;

	found = NULL;
	for (i = 0; i < fields->n; i++) {
		if (!is_the_field(id, &fields->v[i]))
			continue;
		if (found != NULL)
			return (IDENTITY_BAD);
		found = &fields->v[i];
	}
	if (found == NULL)
		return (IDENTITY_PEER);
	return (read_node(found->value, false, client) ? IDENTITY_TOLD : IDENTITY_BAD);
}

enum identity_rc
identity_find(const struct identity *id, const struct netaddr *peer,
    const struct http_fields *fields, struct netaddr *client_r)
{
	CHECK_OBJ(id, IDENTITY_MAGIC);
	*client_r = *peer;
	if (!identity_is_trusted(id, peer))
		return (IDENTITY_PEER);
	if (id->kind == KIND_SINGLE)
		return (find_single(id, fields, client_r));
	return (find_in_list(id, fields, client_r));
}
