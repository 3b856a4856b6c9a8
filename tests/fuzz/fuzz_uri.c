/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets and authorities: a canonical form is its own canonical form,
 * keeps its grammar, and is what a plain reading of RFC 3986 gives. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "gateway/http/uri.h"

#define UNRESERVED "-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LITERAL UNRESERVED "!$&'()*+,;=:@[]"

struct out {
	char *p;
	size_t n;
};

static bool
in_set(char c, const char *set)
{
	return (c != '\0' && strchr(set, c) != NULL);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	return (c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1);
}

/* The byte that the escape at p[i] stands for, -1 none. */
static int
escaped_byte(struct span s, size_t i)
{
	if (i + 2 >= s.n || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0)
		return (-1);
	return (hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2]));
}

static void
put_byte(struct out *out, int byte, const char *as_they_are)
{
	if (in_set((char)byte, as_they_are)) {
		out->p[out->n++] = (char)byte;
		return;
	}
	(void)snprintf(out->p + out->n, 4, "%%%02X", (unsigned)byte);
	out->n += 3;
}

/* Escapes by RFC 3986 6.2.2.2; false when one is broken or NUL. */
static bool
plain_escapes(struct span path, struct out *out)
{
	size_t i;
	int byte;

	for (i = 0; i < path.n; i++) {
		if (path.p[i] == '%') {
			byte = escaped_byte(path, i);
			if (byte <= 0)
				return (false);
			put_byte(out, byte, UNRESERVED);
			i += 2;
		} else {
			put_byte(out, (unsigned char)path.p[i], LITERAL "/");
		}
	}
	return (true);
}

/* Segments by RFC 3986 5.2.4, empty ones left out; false above the root. */
static bool
plain_segments(struct span path, struct out *out)
{
	struct span *kept = mem_alloc((path.n + 1) * sizeof(*kept));
	struct span rest = path, segment = SPAN("");
	size_t n = 0, i;
	bool fine = true;

	while (fine && span_split(&rest, '/', &segment)) {
		if (span_eq(segment, SPAN("..")))
			fine = n > 0 && n--;
		else if (segment.n > 0 && !span_eq(segment, SPAN(".")))
			kept[n++] = segment;
	}
	for (i = 0; i < n; i++) {
		out->p[out->n++] = '/';
		memcpy(out->p + out->n, kept[i].p, kept[i].n);
		out->n += kept[i].n;
	}
	/* the last segment decides whether a slash ends the path */
	if (n == 0 || segment.n == 0 || span_eq(segment, SPAN(".")) ||
	    span_eq(segment, SPAN("..")))
		out->p[out->n++] = '/';
	free(kept);
	return (fine);
}

static void
check_against_plain_reading(const struct uri_target *t, enum uri_rc rc, struct span path)
{
	struct out escaped = { mem_alloc(path.n * 3 + 8), 0 };
	struct out out = { mem_alloc(path.n * 3 + 8), 0 };
	bool fine;

	fine = plain_escapes(path, &escaped) &&
	       plain_segments(span_mem(escaped.p, escaped.n), &out);
	if (rc == URI_OK)
		CHECK(fine && span_eq(t->path, span_mem(out.p, out.n)));
	if (!fine)
		CHECK(rc == URI_BAD_ESCAPE || rc == URI_NUL || rc == URI_ABOVE_ROOT);
	free(escaped.p);
	free(out.p);
}

static void
check_path(const struct uri_target *t)
{
	struct span rest = span_cut(t->slashed, 1, t->slashed.n), segment;
	const struct span p = t->path;
	struct out out = { mem_alloc(p.n), 0 };
	size_t i;
	int byte;

	CHECK(p.n > 0 && p.p[0] == '/' && t->slashed.p[0] == '/');
	for (i = 0; i < p.n; i++) {
		byte = p.p[i] == '%' ? escaped_byte(p, i) : 0;
		CHECK(p.p[i] == '%' ? byte > 0 : in_set(p.p[i], LITERAL "/"));
		CHECK(byte == 0 || !in_set((char)byte, UNRESERVED));
		if (byte == '/' || byte == '\\') {
			CHECK(t->has_encoded_slash);
			memcpy(out.p + out.n, p.p + i, 3);
			out.n += 3;
		} else {
			out.p[out.n++] = byte != 0 ? (char)byte : p.p[i];
		}
		i += byte != 0 ? 2 : 0;
	}
	CHECK(span_eq(t->decoded, span_mem(out.p, out.n)));
	CHECK(memchr(t->decoded.p, '\0', t->decoded.n) == NULL);
	CHECK(t->has_encoded_slash || span_eq(t->decoded, t->slashed));
	while (rest.n > 0 && span_split(&rest, '/', &segment)) {
		CHECK(segment.n > 0);
		CHECK(!span_eq(segment, SPAN(".")) && !span_eq(segment, SPAN("..")));
		CHECK(!span_starts(segment, SPAN("..;")));
	}
	free(out.p);
}

static void
check_idempotent(const struct uri_target *t, struct arena *arena, struct span method)
{
	struct uri_target again;
	char *text = arena_printf(arena, "%.*s%s%.*s", SPAN_FMT(t->path),
	    t->has_query ? "?" : "", SPAN_FMT(t->query));

	CHECK(text != NULL);
	CHECK(uri_target_parse(&again, arena, method, span_of(text)) == URI_OK);
	CHECK(span_eq(again.path, t->path) && span_eq(again.decoded, t->decoded));
	CHECK(span_eq(again.slashed, t->slashed) && span_eq(again.query, t->query));
	CHECK(again.has_query == t->has_query && again.asterisk == t->asterisk);
}

static void
check_query(const struct uri_target *t)
{
	size_t i;

	for (i = 0; i < t->query.n; i++)
		CHECK(in_set(t->query.p[i], LITERAL "/?%"));
}

static void
check_target(struct span target, struct arena *arena, struct span method)
{
	struct uri_target t;
	struct span path;
	enum uri_rc rc;

	rc = uri_target_parse(&t, arena, method, target);
	CHECK(rc != URI_FULL);
	if (target.n > 0 && target.p[0] == '/' && rc != URI_BAD_FORM) {
		path = span_cut(target, 0, span_index(target, '?'));
		check_against_plain_reading(&t, rc, path);
	}
	if (rc != URI_OK)
		return;
	check_idempotent(&t, arena, method);
	check_query(&t);
	if (t.asterisk)
		CHECK(span_eq(t.path, SPAN("*")) && span_eq(method, SPAN("OPTIONS")));
	else
		check_path(&t);
	CHECK(t.absolute == (t.authority.host.n > 0));
}

static void
check_authority(struct span text, struct arena *arena)
{
	struct uri_authority a, again;
	size_t i;

	if (uri_authority_parse(&a, arena, text) != URI_OK) {
		CHECK(!uri_authority_is_valid(text));
		return;
	}
	CHECK(uri_authority_is_valid(text) && uri_authority_same(text, text, 80));
	CHECK(a.host.n > 0 && a.host.n < 256);
	for (i = 0; i < a.host.n; i++)
		CHECK(in_set(a.host.p[i], "abcdefghijklmnopqrstuvwxyz0123456789-._~:[]"));
	CHECK(uri_authority_parse(&again, arena, a.host) == URI_OK);
	CHECK(span_eq(again.host, a.host) && again.port == 0);
	if (a.port != 0) {
		CHECK(uri_authority_same(text, a.host, a.port));
		CHECK(!uri_authority_same(text, a.host, (uint16_t)(a.port ^ 1)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(64 * size + 4096);
	char *copy = fuzz_copy(span_mem(data, size));
	const struct span text = span_mem(copy, size);

	check_target(text, arena, SPAN("GET"));
	check_target(text, arena, SPAN("OPTIONS"));
	check_authority(text, arena);
	arena_free(&arena);
	free(copy);
	return (0);
}
