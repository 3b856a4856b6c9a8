/* SPDX-License-Identifier: Apache-2.0 */
/* Host and port: of the Host field and of absolute-form targets. */
#include "config.h"

#include "gateway/http/uri.h"

#include <arpa/inet.h>

#include "gateway/http/chars.h"

#define HOST_MAX 253 /* RFC 1035 3.1, as text without the last dot */

enum host_kind { HOST_NAME, HOST_IP6 };

struct parts {
	enum host_kind kind;
	struct span host; /* without brackets and without the last dot */
	uint16_t port;
	struct in6_addr ip6;
};

static bool
parse_port(struct span text, uint16_t *port_r)
{
	unsigned port = 0;
	size_t i;

	if (text.n == 0 || text.n > 5)
		return (false);
	for (i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return (false);
		port = port * 10 + (unsigned)(text.p[i] - '0');
	}
	if (port > UINT16_MAX)
		return (false);
	*port_r = (uint16_t)port;
	return (true);
}

/* What looks like an IPv4 address must be one: "1.2.3" and "010.0.0.1" are read
 * in more than one way. */
static bool
name_is_valid(struct span name)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr ip4;
	bool number = true;
	size_t i;

	if (name.n == 0 || name.n > HOST_MAX || name.p[0] == '.' ||
	    name.p[name.n - 1] == '.')
		return (false);
	for (i = 0; i < name.n; i++) {
		if (!char_is(name.p[i], CHAR_NAME))
			return (false);
		if (name.p[i] == '.') {
			if (name.p[i - 1] == '.')
				return (false);
		} else if (name.p[i] < '0' || name.p[i] > '9') {
			number = false;
		}
	}
	if (!number)
		return (true);
	if (name.n >= sizeof(text))
		return (false);
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	return (inet_pton(AF_INET, text, &ip4) == 1);
}

static bool
ip6_is_valid(struct span inside, struct in6_addr *ip6_r)
{
	char text[INET6_ADDRSTRLEN];

	if (inside.n >= sizeof(text) || memchr(inside.p, '\0', inside.n) != NULL)
		return (false);
	memcpy(text, inside.p, inside.n);
	text[inside.n] = '\0';
	return (inet_pton(AF_INET6, text, ip6_r) == 1);
}

static bool
split(struct span text, struct parts *parts_r)
{
	const char *end;
	size_t n;

	parts_r->port = 0;
	if (text.n == 0)
		return (false);
	if (text.p[0] == '[') {
		end = memchr(text.p, ']', text.n);
		if (end == NULL)
			return (false);
		n = (size_t)(end - text.p) + 1;
		parts_r->kind = HOST_IP6;
		parts_r->host = span_mem(text.p + 1, n - 2);
		if (!ip6_is_valid(parts_r->host, &parts_r->ip6))
			return (false);
	} else {
		end = memchr(text.p, ':', text.n);
		n = end != NULL ? (size_t)(end - text.p) : text.n;
		parts_r->kind = HOST_NAME;
		parts_r->host = span_mem(text.p, n);
		if (n > 1 && text.p[n - 1] == '.')
			parts_r->host.n--;
		if (!name_is_valid(parts_r->host))
			return (false);
	}
	if (n == text.n)
		return (true);
	return (text.p[n] == ':' &&
		parse_port(span_mem(text.p + n + 1, text.n - n - 1), &parts_r->port));
}

static struct span
ip6_text(struct arena *arena, const struct in6_addr *ip6)
{
	char text[INET6_ADDRSTRLEN + 2];
	size_t n;

	text[0] = '[';
	if (inet_ntop(AF_INET6, ip6, text + 1, INET6_ADDRSTRLEN) == NULL)
		return (SPAN_NONE);
	n = strlen(text);
	text[n++] = ']';
	return (arena_span(arena, span_mem(text, n)));
}

static struct span
lower_text(struct arena *arena, struct span name)
{
	char *lower;
	size_t i;

	for (i = 0; i < name.n; i++)
		if (char_lower(name.p[i]) != name.p[i])
			break;
	if (i == name.n)
		return (name);
	lower = arena_alloc(arena, name.n);
	if (lower == NULL)
		return (SPAN_NONE);
	for (i = 0; i < name.n; i++)
		lower[i] = char_lower(name.p[i]);
	return (span_mem(lower, name.n));
}

enum uri_rc
uri_authority_parse(
    struct uri_authority *authority_r, struct arena *arena, struct span text)
{
	struct parts parts;

	if (!split(text, &parts))
		return (URI_BAD_AUTHORITY);
	authority_r->port = parts.port;
	if (parts.kind == HOST_IP6)
		authority_r->host = ip6_text(arena, &parts.ip6);
	else
		authority_r->host = lower_text(arena, parts.host);
	return (authority_r->host.p != NULL ? URI_OK : URI_FULL);
}

bool
uri_authority_is_valid(struct span text)
{
	struct parts parts;

	return (split(text, &parts));
}

bool
uri_authority_same(struct span a, struct span b, uint16_t default_port)
{
	struct parts pa, pb;

	if (!split(a, &pa) || !split(b, &pb) || pa.kind != pb.kind)
		return (false);
	if ((pa.port != 0 ? pa.port : default_port) !=
	    (pb.port != 0 ? pb.port : default_port))
		return (false);
	if (pa.kind == HOST_IP6)
		return (memcmp(&pa.ip6, &pb.ip6, sizeof(pa.ip6)) == 0);
	return (span_eq_nocase(pa.host, pb.host));
}

bool
uri_absolute_split(struct uri_absolute *absolute_r, struct span target)
{
	size_t start, end;

	if (span_eq_nocase(span_cut(target, 0, 7), SPAN("http://")))
		absolute_r->https = false;
	else if (span_eq_nocase(span_cut(target, 0, 8), SPAN("https://")))
		absolute_r->https = true;
	else
		return (false);
	start = absolute_r->https ? 8 : 7;
	for (end = start; end < target.n; end++)
		if (target.p[end] == '/' || target.p[end] == '?')
			break;
	absolute_r->authority = span_mem(target.p + start, end - start);
	absolute_r->rest = span_mem(target.p + end, target.n - end);
	return (true);
}
