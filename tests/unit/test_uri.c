/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets and authorities: the canonical form, and what has none. */
#include "config.h"

#include "gateway/http/uri.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct arena *arena;

static int
make_arena(void **state)
{
	(void)state;
	arena = arena_new(65536);
	return (0);
}

static int
free_arena(void **state)
{
	(void)state;
	arena_free(&arena);
	return (0);
}

/* As sent; canonical; decoded; with escaped slashes read as slashes. */
/* clang-format off */
static const struct {
	const char *in, *path, *decoded, *slashed, *query;
} paths[] = {
	/* nothing to do */
	{ "/", "/", "/", "/", NULL },
	{ "/a/b.html", "/a/b.html", "/a/b.html", "/a/b.html", NULL },
	{ "/a/", "/a/", "/a/", "/a/", NULL },
	{ "/.well-known/x", "/.well-known/x", "/.well-known/x", "/.well-known/x", NULL },
	{ "/...", "/...", "/...", "/...", NULL },
	{ "/a..b/.c/d.", "/a..b/.c/d.", "/a..b/.c/d.", "/a..b/.c/d.", NULL },
	{ "/a;b=c/d,e", "/a;b=c/d,e", "/a;b=c/d,e", "/a;b=c/d,e", NULL },
	{ "/!$&'()*+,;=:@-._~[]", "/!$&'()*+,;=:@-._~[]", "/!$&'()*+,;=:@-._~[]", "/!$&'()*+,;=:@-._~[]", NULL },
	{ "/http://x/", "/http:/x/", "/http:/x/", "/http:/x/", NULL },
	/* unreserved bytes lose their escape, others keep it, in upper case */
	{ "/%41%7a%30%2D%2e%5f%7E", "/Az0-._~", "/Az0-._~", "/Az0-._~", NULL },
	{ "/%3a%2b%2C", "/%3A%2B%2C", "/:+,", "/:+,", NULL },
	{ "/%20%0a%7f", "/%20%0A%7F", "/ \n\x7f", "/ \n\x7f", NULL },
	/* "?" and "#" stay data: CVE-2024-1019 */
	{ "/a%3fb%3Dc", "/a%3Fb%3Dc", "/a?b=c", "/a?b=c", NULL },
	{ "/a%23b", "/a%23b", "/a#b", "/a#b", NULL },
	{ "/a%3Fb?c", "/a%3Fb", "/a?b", "/a?b", "c" },
	/* decoded once, not twice */
	{ "/%252e%252e/%2541", "/%252e%252e/%2541", "/%2e%2e/%41", "/%2e%2e/%41", NULL },
	{ "/%25", "/%25", "/%", "/%", NULL },
	/* bytes that no URI may hold are escaped */
	{ "/\"<>\\^`{|}", "/%22%3C%3E%5C%5E%60%7B%7C%7D", "/\"<>%5C^`{|}", "/\"<>/^`{|}", NULL },
	{ "/caf\xc3\xa9", "/caf%C3%A9", "/caf\xc3\xa9", "/caf\xc3\xa9", NULL },
	{ "/caf\xe9/%E9", "/caf%E9/%E9", "/caf\xe9/\xe9", "/caf\xe9/\xe9", NULL },
	{ "/%ff%80%c3(", "/%FF%80%C3(", "/\xff\x80\xc3(", "/\xff\x80\xc3(", NULL },
	/* dot segments, RFC 3986 5.2.4 */
	{ "/.", "/", "/", "/", NULL },
	{ "/./", "/", "/", "/", NULL },
	{ "/a/.", "/a/", "/a/", "/a/", NULL },
	{ "/a/./b", "/a/b", "/a/b", "/a/b", NULL },
	{ "/a/..", "/", "/", "/", NULL },
	{ "/a/../b", "/b", "/b", "/b", NULL },
	{ "/a/b/..", "/a/", "/a/", "/a/", NULL },
	{ "/a/b/../..", "/", "/", "/", NULL },
	{ "/a/b/c/./../../g", "/a/g", "/a/g", "/a/g", NULL },
	{ "/a/%2e%2E/b/%2e/.%2e/c", "/c", "/c", "/c", NULL },
	/* empty segments */
	{ "//", "/", "/", "/", NULL },
	{ "//a", "/a", "/a", "/a", NULL },
	{ "/a//b///c//", "/a/b/c/", "/a/b/c/", "/a/b/c/", NULL },
	{ "/a//../b", "/b", "/b", "/b", NULL },
	{ "/a/.//b", "/a/b", "/a/b", "/a/b", NULL },
	/* escaped slashes and backslashes stay, and are told */
	{ "/a%2fb", "/a%2Fb", "/a%2Fb", "/a/b", NULL },
	{ "/a%5cb", "/a%5Cb", "/a%5Cb", "/a/b", NULL },
	{ "/a\\b", "/a%5Cb", "/a%5Cb", "/a/b", NULL },
	{ "/a/%2F%2f/b", "/a/%2F%2F/b", "/a/%2F%2F/b", "/a/b", NULL },
	{ "/g%2Fp/x%20y", "/g%2Fp/x%20y", "/g%2Fp/x y", "/g/p/x y", NULL },
	{ "/a%2F...", "/a%2F...", "/a%2F...", "/a/...", NULL },
	{ "/a..%2Fb", "/a..%2Fb", "/a..%2Fb", "/a../b", NULL },
	/* queries stay as sent but for bytes that no URI may hold */
	{ "/?", "/", "/", "/", "" },
	{ "/?a=b&c=%41%zz%", "/", "/", "/", "a=b&c=%41%zz%" },
	{ "/?a/../b//c?d", "/", "/", "/", "a/../b//c?d" },
	{ "/?a[]=%00&b=%2f", "/", "/", "/", "a[]=%00&b=%2f" },
	{ "/?\"<>\\^`{|}\xe9", "/", "/", "/", "%22%3C%3E%5C%5E%60%7B%7C%7D%E9" },
	{ "/a/../?x", "/", "/", "/", "x" },
};
/* clang-format on */

static void
canonical_paths(void **state)
{
	struct uri_target t;
	enum uri_rc rc;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(paths); i++) {
		rc = uri_target_parse(&t, arena, SPAN("GET"), span_of(paths[i].in));
		if (rc != URI_OK)
			fail_msg("%s: %s", paths[i].in, uri_rc_text(rc));
		if (!span_eq(t.path, span_of(paths[i].path)) ||
		    !span_eq(t.decoded, span_of(paths[i].decoded)) ||
		    !span_eq(t.slashed, span_of(paths[i].slashed)))
			fail_msg("%s: %.*s, %.*s, %.*s", paths[i].in, SPAN_FMT(t.path),
			    SPAN_FMT(t.decoded), SPAN_FMT(t.slashed));
		if (t.has_query != (paths[i].query != NULL) ||
		    !span_eq(t.query, span_of(paths[i].query)))
			fail_msg("%s: query %.*s", paths[i].in, SPAN_FMT(t.query));
		assert_int_equal(t.has_encoded_slash, !span_eq(t.decoded, t.slashed));
		assert_false(t.absolute || t.asterisk);
		/* the canonical form is its own */
		rc = uri_target_parse(&t, arena, SPAN("GET"), span_of(paths[i].path));
		assert_int_equal(rc, URI_OK);
		assert_true(span_eq(t.path, span_of(paths[i].path)));
		arena_reset(arena);
	}
}

/* clang-format off */
static const struct {
	const char *method;
	struct span in;
	enum uri_rc rc;
} refused[] = {
	{ "GET", SPAN("/a b"), URI_BAD_FORM },
	{ "GET", SPAN("/a#b"), URI_BAD_FORM },
	{ "GET", SPAN("/?a#b"), URI_BAD_FORM },
	{ "GET", SPAN("/a\0b"), URI_BAD_FORM },
	{ "GET", SPAN("/?a\0b"), URI_BAD_FORM },
	{ "GET", SPAN("/a\x01"), URI_BAD_FORM },
	{ "GET", SPAN("/a\x7f"), URI_BAD_FORM },
	{ "GET", SPAN("/?a\t"), URI_BAD_FORM },
	{ "GET", SPAN(""), URI_BAD_FORM },
	{ "GET", SPAN("a"), URI_BAD_FORM },
	{ "GET", SPAN("?a"), URI_BAD_FORM },
	{ "GET", SPAN("a/b"), URI_BAD_FORM },
	{ "GET", SPAN("*"), URI_BAD_FORM },
	{ "options", SPAN("*"), URI_BAD_FORM },
	{ "OPTIONS", SPAN("*x"), URI_BAD_FORM },
	{ "CONNECT", SPAN("a:443"), URI_BAD_FORM },
	{ "CONNECT", SPAN("/"), URI_BAD_FORM },
	{ "GET", SPAN("a:443"), URI_BAD_FORM },
	{ "GET", SPAN("ftp://a/"), URI_BAD_FORM },
	{ "GET", SPAN("http:/a"), URI_BAD_FORM },
	{ "GET", SPAN("javascript:x"), URI_BAD_FORM },
	{ "GET", SPAN("/%"), URI_BAD_ESCAPE },
	{ "GET", SPAN("/%4"), URI_BAD_ESCAPE },
	{ "GET", SPAN("/%4g"), URI_BAD_ESCAPE },
	{ "GET", SPAN("/%g4"), URI_BAD_ESCAPE },
	{ "GET", SPAN("/%%32%65"), URI_BAD_ESCAPE },
	{ "GET", SPAN("/%u002e"), URI_BAD_ESCAPE },
	{ "GET", SPAN("/%2/"), URI_BAD_ESCAPE },
	{ "GET", SPAN("/%4?1"), URI_BAD_ESCAPE },
	{ "GET", SPAN("/a%00"), URI_NUL },
	{ "GET", SPAN("/a%00.jpg"), URI_NUL },
	{ "GET", SPAN("/.."), URI_ABOVE_ROOT },
	{ "GET", SPAN("/../a"), URI_ABOVE_ROOT },
	{ "GET", SPAN("/a/../../b"), URI_ABOVE_ROOT },
	{ "GET", SPAN("/a//../../b"), URI_ABOVE_ROOT },
	{ "GET", SPAN("/%2e%2e/"), URI_ABOVE_ROOT },
	{ "GET", SPAN("http://a/.."), URI_ABOVE_ROOT },
	/* dots that only some readers see */
	{ "GET", SPAN("/a%2F..%2Fb"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a%2f%2e%2e/b"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a/..%2fb"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/..%5c"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a\\..\\b"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a%5c.."), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a%2F."), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a%2F.%2Fb"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a%2F%2F..%2Fb"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a/..;x=1/b"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a/..;/b"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a/.;/b"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a/..%3b/b"), URI_HIDDEN_DOTS },
	{ "GET", SPAN("/a/%2e%2e;"), URI_HIDDEN_DOTS },
	/* overlong UTF-8 of "/", "." and others */
	{ "GET", SPAN("/%c0%af"), URI_OVERLONG },
	{ "GET", SPAN("/%c0%ae%c0%ae/"), URI_OVERLONG },
	{ "GET", SPAN("/%c1%9c"), URI_OVERLONG },
	{ "GET", SPAN("/\xc0\xaf"), URI_OVERLONG },
	{ "GET", SPAN("/\xc0%af"), URI_OVERLONG },
	{ "GET", SPAN("/%e0%80%af"), URI_OVERLONG },
	{ "GET", SPAN("/%e0%9f%bf"), URI_OVERLONG },
	{ "GET", SPAN("/%f0%80%80%af"), URI_OVERLONG },
	{ "GET", SPAN("/%f8%80%80%80%af"), URI_OVERLONG },
	{ "GET", SPAN("/%fc%80%80%80%80%af"), URI_OVERLONG },
	/* authorities of absolute-form */
	{ "GET", SPAN("http://"), URI_BAD_AUTHORITY },
	{ "GET", SPAN("http:///a"), URI_BAD_AUTHORITY },
	{ "GET", SPAN("http://u@a/"), URI_BAD_AUTHORITY },
	{ "GET", SPAN("http://a:b/"), URI_BAD_AUTHORITY },
	{ "GET", SPAN("http://a\\b/"), URI_BAD_AUTHORITY },
};
/* clang-format on */

static void
refuses(void **state)
{
	struct uri_target t;
	enum uri_rc rc;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(refused); i++) {
		rc = uri_target_parse(
		    &t, arena, span_of(refused[i].method), refused[i].in);
		if (rc != refused[i].rc)
			fail_msg("%s %.*s: %s, not %s", refused[i].method,
			    SPAN_FMT(refused[i].in), uri_rc_text(rc),
			    uri_rc_text(refused[i].rc));
		assert_true(strlen(uri_rc_text(rc)) > 0);
	}
}

static void
forms(void **state)
{
	struct uri_target t;

	(void)state;
	assert_int_equal(uri_target_parse(&t, arena, SPAN("GET"),
			     SPAN("HTTPS://Shop.Example.:8443/a/../b?C")),
	    URI_OK);
	assert_true(t.absolute);
	assert_true(span_eq(t.scheme, SPAN("https")));
	assert_true(span_eq(t.authority.host, SPAN("shop.example")));
	assert_int_equal(t.authority.port, 8443);
	assert_true(span_eq(t.path, SPAN("/b")));
	assert_true(span_eq(t.query, SPAN("C")));

	assert_int_equal(
	    uri_target_parse(&t, arena, SPAN("GET"), SPAN("http://a?x/y")), URI_OK);
	assert_true(span_eq(t.scheme, SPAN("http")));
	assert_true(span_eq(t.path, SPAN("/")));
	assert_true(span_eq(t.query, SPAN("x/y")));
	assert_int_equal(t.authority.port, 0);

	assert_int_equal(
	    uri_target_parse(&t, arena, SPAN("GET"), SPAN("http://a")), URI_OK);
	assert_true(span_eq(t.path, SPAN("/")) && !t.asterisk && !t.has_query);

	assert_int_equal(uri_target_parse(&t, arena, SPAN("OPTIONS"), SPAN("*")), URI_OK);
	assert_true(t.asterisk && !t.absolute && span_eq(t.path, SPAN("*")));
	/* RFC 9112 3.2.4 */
	assert_int_equal(
	    uri_target_parse(&t, arena, SPAN("OPTIONS"), SPAN("http://a:81")), URI_OK);
	assert_true(t.asterisk && t.absolute && t.authority.port == 81);
	assert_int_equal(
	    uri_target_parse(&t, arena, SPAN("OPTIONS"), SPAN("http://a/")), URI_OK);
	assert_true(!t.asterisk && span_eq(t.path, SPAN("/")));
}

#define NAME_253                                              \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa." \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb." \
	"cccccccccccccccccccccccccccccccccccccccccccccccccc." \
	"dddddddddddddddddddddddddddddddddddddddddddddddddd." \
	"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

/* clang-format off */
static const struct {
	struct span in;
	const char *host;	/* NULL: refused */
	uint16_t port;
} authorities[] = {
	{ SPAN("a"), "a", 0 },
	{ SPAN("Shop.EXAMPLE.com:8080"), "shop.example.com", 8080 },
	{ SPAN("a-b_c~d.e"), "a-b_c~d.e", 0 },
	{ SPAN("example.com."), "example.com", 0 },
	{ SPAN("example.com.:443"), "example.com", 443 },
	{ SPAN("127.0.0.1:80"), "127.0.0.1", 80 },
	{ SPAN("1.2.3.4a"), "1.2.3.4a", 0 },
	{ SPAN("[::1]"), "[::1]", 0 },
	{ SPAN("[2001:DB8:0:0::1]:65535"), "[2001:db8::1]", 65535 },
	{ SPAN("[::ffff:1.2.3.4]"), "[::ffff:1.2.3.4]", 0 },
	{ SPAN("a:0"), "a", 0 },
	{ SPAN("a:00080"), "a", 80 },
	{ SPAN(NAME_253), NAME_253, 0 },
	{ SPAN(NAME_253 "."), NAME_253, 0 },
	{ SPAN(NAME_253 "e"), NULL, 0 },
	{ SPAN(""), NULL, 0 },
	{ SPAN("."), NULL, 0 },
	{ SPAN(":80"), NULL, 0 },
	{ SPAN(".a"), NULL, 0 },
	{ SPAN("a..b"), NULL, 0 },
	{ SPAN("a.."), NULL, 0 },
	{ SPAN("a:"), NULL, 0 },
	{ SPAN("a:65536"), NULL, 0 },
	{ SPAN("a:000080"), NULL, 0 },
	{ SPAN("a:+80"), NULL, 0 },
	{ SPAN("a:80:80"), NULL, 0 },
	{ SPAN("a:80 "), NULL, 0 },
	{ SPAN("u@a"), NULL, 0 },
	{ SPAN("u:p@a"), NULL, 0 },
	{ SPAN("a,b"), NULL, 0 },
	{ SPAN("a b"), NULL, 0 },
	{ SPAN("a/b"), NULL, 0 },
	{ SPAN("a?b"), NULL, 0 },
	{ SPAN("a%2eb"), NULL, 0 },
	{ SPAN("a\0b"), NULL, 0 },
	{ SPAN("caf\xc3\xa9"), NULL, 0 },
	{ SPAN("a$b"), NULL, 0 },
	{ SPAN("1.2.3"), NULL, 0 },
	{ SPAN("1.2.3.4.5"), NULL, 0 },
	{ SPAN("1.2.3.256"), NULL, 0 },
	{ SPAN("010.0.0.1"), NULL, 0 },
	{ SPAN("2130706433"), NULL, 0 },
	{ SPAN("["), NULL, 0 },
	{ SPAN("[]"), NULL, 0 },
	{ SPAN("[::1"), NULL, 0 },
	{ SPAN("::1"), NULL, 0 },
	{ SPAN("[::1]x"), NULL, 0 },
	{ SPAN("[::1]:"), NULL, 0 },
	{ SPAN("[::1%eth0]"), NULL, 0 },
	{ SPAN("[::1%25eth0]"), NULL, 0 },
	{ SPAN("[1.2.3.4]"), NULL, 0 },
	{ SPAN("[v1.x]"), NULL, 0 },
	{ SPAN("[::1\0]"), NULL, 0 },
	{ SPAN("[a]"), NULL, 0 },
};
/* clang-format on */

static void
hosts_and_ports(void **state)
{
	struct uri_authority a;
	enum uri_rc rc;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(authorities); i++) {
		rc = uri_authority_parse(&a, arena, authorities[i].in);
		assert_int_equal(rc == URI_OK, uri_authority_is_valid(authorities[i].in));
		if (rc != (authorities[i].host != NULL ? URI_OK : URI_BAD_AUTHORITY))
			fail_msg("%s: %s", authorities[i].in.p, uri_rc_text(rc));
		if (rc == URI_OK && (!span_eq(a.host, span_of(authorities[i].host)) ||
					a.port != authorities[i].port))
			fail_msg(
			    "%s: %.*s %u", authorities[i].in.p, SPAN_FMT(a.host), a.port);
	}
}

static void
same_authority(void **state)
{
	static const struct {
		const char *a, *b;
		uint16_t port;
		bool same;
	} rows[] = {
		{ "a", "A", 80, true },
		{ "a", "a:80", 80, true },
		{ "a:443", "a.", 443, true },
		{ "a", "a:81", 80, false },
		{ "a", "b", 80, false },
		{ "a", "a.b", 80, false },
		{ "[::1]", "[0::1]:80", 80, true },
		{ "[::1]", "[::2]", 80, false },
		{ "[::ffff:1.2.3.4]", "1.2.3.4", 80, false },
		{ "a,b", "a,b", 80, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (uri_authority_same(span_of(rows[i].a), span_of(rows[i].b),
			rows[i].port) != rows[i].same)
			fail_msg("%s %s", rows[i].a, rows[i].b);
}

/* What is canonical as sent costs no memory; a full arena is an answer. */
static void
memory(void **state)
{
	struct arena *small = arena_new(1);
	struct uri_target t;
	const struct span in = SPAN("/a/b.c?d=e%20f");

	(void)state;
	assert_int_equal(uri_target_parse(&t, small, SPAN("GET"), in), URI_OK);
	assert_ptr_equal(t.path.p, in.p);
	assert_ptr_equal(t.query.p, in.p + 7);
	assert_int_equal(
	    uri_target_parse(&t, small, SPAN("GET"), SPAN("/a//b")), URI_FULL);
	arena_reset(small);
	assert_int_equal(
	    uri_target_parse(&t, small, SPAN("GET"), SPAN("/?{}")), URI_FULL);
	arena_reset(small);
	assert_int_equal(
	    uri_target_parse(&t, small, SPAN("GET"), SPAN("http://AAAA/")), URI_FULL);
	arena_free(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_paths),
		cmocka_unit_test(refuses),
		cmocka_unit_test(forms),
		cmocka_unit_test(hosts_and_ports),
		cmocka_unit_test(same_authority),
		cmocka_unit_test(memory),
	};

	return (cmocka_run_group_tests(tests, make_arena, free_arena));
}
