/* SPDX-License-Identifier: Apache-2.0 */
/* Templates and changes of header fields: what is written, what is refused, and that
 * no value ends its line. */
#include "config.h"

#include "gateway/filter/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct template_values VALUES = { {
    [TEMPLATE_SCHEME] = SPAN("https"),
    [TEMPLATE_HOST] = SPAN("shop.example.com"),
    [TEMPLATE_CLIENT] = SPAN("2001:db8::1"),
    [TEMPLATE_COUNTRY] = SPAN("NO"),
    [TEMPLATE_ASN] = SPAN("64500"),
    [TEMPLATE_ID] = SPAN("01HX"),
    [TEMPLATE_PATH] = SPAN("/a\r\nSet-Cookie: x\0y\x80%41"),
    [TEMPLATE_QUERY] = SPAN("a=1&b=\t2"),
    [TEMPLATE_METHOD] = SPAN("GET"),
    [TEMPLATE_SITE] = SPAN("shop"),
    [TEMPLATE_ROUTE] = SPAN("=/login"),
    [TEMPLATE_NODE] = SPAN("gw1"),
    [TEMPLATE_TLS_VERSION] = SPAN(""),
} };

static void
test_templates(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "  outer space\t", "outer space" },
		{ "%{scheme}", "https" },
		{ "%{scheme}://%{host}/", "https://shop.example.com/" },
		{ "%{client} %{country} %{asn} %{id}", "2001:db8::1 NO 64500 01HX" },
		{ "%{method} %{site} %{route} %{node}", "GET shop =/login gw1" },
		{ "<%{tls_version}%{tls_cipher}>", "<>" },
		{ "%{path}", "/a%0D%0ASet-Cookie: x%00y%80%41" },
		{ "%{query}", "a=1&b=%092" },
		{ "100%", "100%" },
		{ "100%%", "100%%" },
		{ "%d %a{x}", "%d %a{x}" },
		{ "%%{host}", "%{host}" },
		{ "%%%{host}", "%%{host}" },
		{ "{host} }", "{host} }" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
	};
	struct template *t;
	struct text out;
	struct err e;
	size_t i;

	(void)state;
	text_init(&out, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_reset(&out);
		if (template_compile(&t, span_of(rows[i].text), &e) != ERR_OK)
			fail_msg("row %zu: %s: %s", i, rows[i].text, e.text);
		assert_int_equal(template_put(t, &VALUES, &out), strlen(rows[i].want));
		if (!span_eq(text_span(&out), span_of(rows[i].want)))
			fail_msg("row %zu: %s: %.*s", i, rows[i].text,
			    SPAN_FMT(text_span(&out)));
		template_free(&t);
		assert_null(t);
	}
	text_free(&out);
}

static void
test_template_errors(void **state)
{
	static const struct {
		struct span text;
		enum err_code code;
		const char *says;
	} rows[] = {
		{ SPAN("%{shceme}"), ERR_MISSING,
		    "unknown variable %{shceme}; nearest: %{scheme}" },
		{ SPAN("%{Host}"), ERR_MISSING,
		    "unknown variable %{Host}; nearest: %{host}" },
		{ SPAN("%{tls_chiper}"), ERR_MISSING, "nearest: %{tls_cipher}" },
		{ SPAN("%{}"), ERR_MISSING, "unknown variable %{}" },
		{ SPAN("%{ host }"), ERR_MISSING, "%{?host?}; nearest: %{host}" },
		{ SPAN("%{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}"),
		    ERR_MISSING, "unknown variable %{aaaaaaaa" },
		{ SPAN("%{host"), ERR_FORMAT, "without a }" },
		{ SPAN("a %{"), ERR_FORMAT, "without a }" },
		{ SPAN("a\r\nb"), ERR_FORMAT, "byte 0x0d" },
		{ SPAN("a\nb"), ERR_FORMAT, "byte 0x0a" },
		{ SPAN("a\0b"), ERR_FORMAT, "byte 0x00" },
		{ SPAN("%{host}\x7f"), ERR_FORMAT, "byte 0x7f" },
	};
	static char large[TEMPLATE_TEXT_MAX + 1];
	struct template *t;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(template_compile(&t, rows[i].text, &e), rows[i].code);
		assert_null(t);
		if (strstr(e.text, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, e.text);
	}
	memset(large, 'a', sizeof(large));
	assert_int_equal(
	    template_compile(&t, span_mem(large, sizeof(large)), &e), ERR_RANGE);
	for (i = 0; i + 4 <= sizeof(large); i += 4)
		memcpy(large + i, "%%{ ", 4);
	assert_int_equal(
	    template_compile(&t, span_mem(large, TEMPLATE_TEXT_MAX), &e), ERR_RANGE);
}

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		enum err_code code;
		const char *says;
	} rows[] = {
		{ "X-Forwarded-Proto", ERR_OK, "" },
		{ "Server", ERR_OK, "" },
		{ "Set-Cookie", ERR_OK, "" },
		{ "Content-Type", ERR_OK, "" },
		{ "Content-Length", ERR_UNSUPPORTED, "Content-Length can't be changed" },
		{ "transfer-encoding", ERR_UNSUPPORTED, "frames the body" },
		{ "Connection", ERR_UNSUPPORTED, "of one connection" },
		{ "Keep-Alive", ERR_UNSUPPORTED, "of one connection" },
		{ "Proxy-Connection", ERR_UNSUPPORTED, "of one connection" },
		{ "Proxy-Authorization", ERR_UNSUPPORTED, "of one connection" },
		{ "TE", ERR_UNSUPPORTED, "of one connection" },
		{ "Trailer", ERR_UNSUPPORTED, "of one connection" },
		{ "Upgrade", ERR_UNSUPPORTED, "of one connection" },
		{ "HTTP2-Settings", ERR_UNSUPPORTED, "of one connection" },
		{ "HOST", ERR_UNSUPPORTED, "can't be changed" },
		{ "Expect", ERR_UNSUPPORTED, "can't be changed" },
		{ "Via", ERR_UNSUPPORTED, "can't be changed" },
		{ "Content-Encoding", ERR_UNSUPPORTED, "what the body is" },
		{ "Content-Range", ERR_UNSUPPORTED, "what the body is" },
		{ "", ERR_RANGE, "0 bytes" },
		{ "a b", ERR_FORMAT, "other bytes" },
		{ "a:", ERR_FORMAT, "other bytes" },
		{ "a\r\nb", ERR_FORMAT, "other bytes" },
		{ "caf\xc3\xa9", ERR_FORMAT, "other bytes" },
	};
	struct changes *c;
	struct err e;
	size_t i;
	int action;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (action = 0; action < 3; action++) {
			const struct span name = span_of(rows[i].name);

			c = changes_new(CHANGES_OF_REQUEST);
			e.text[0] = '\0';
			assert_int_equal(action == 0 ? changes_set(c, name, SPAN("x"), &e)
					 : action == 1
					     ? changes_add(c, name, SPAN("x"), &e)
					     : changes_remove(c, name, &e),
			    rows[i].code);
			if (strstr(e.text, rows[i].says) == NULL)
				fail_msg("row %zu: %s", i, e.text);
			changes_free(&c);
			assert_null(c);
		}
}

/* Only who must understand the answer asks for one of its kind. */
static void
test_for_clients(void **state)
{
	static const char *const names[] = { "Accept-Encoding", "accept_encoding",
		"RANGE", "If-Range", "If-Match", "if-none-match", "If-Modified-Since",
		"If_Unmodified_Since" };
	struct changes *request = changes_new(CHANGES_OF_REQUEST);
	struct changes *response = changes_new(CHANGES_OF_RESPONSE);
	struct span name;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		name = span_of(names[i]);
		assert_int_equal(
		    changes_set(request, name, SPAN("x"), &e), ERR_UNSUPPORTED);
		assert_non_null(strstr(e.text, "allowed: remove"));
		assert_int_equal(
		    changes_add(request, name, SPAN("x"), &e), ERR_UNSUPPORTED);
		assert_int_equal(changes_remove(request, name, &e), ERR_OK);
		assert_int_equal(changes_set(response, name, SPAN("x"), &e), ERR_OK);
	}
	changes_free(&request);
	changes_free(&response);
}

static void
test_conflicts(void **state)
{
	struct changes *c = changes_new(CHANGES_OF_RESPONSE);
	char name[16];
	struct err e;
	int i;

	(void)state;
	assert_int_equal(changes_set(c, SPAN("A"), SPAN("1"), &e), ERR_OK);
	assert_int_equal(changes_set(c, SPAN("a"), SPAN("2"), &e), ERR_CONFLICT);
	assert_string_equal(e.text, "a is set already");
	assert_int_equal(changes_remove(c, SPAN("a"), &e), ERR_CONFLICT);
	assert_int_equal(changes_add(c, SPAN("a"), SPAN("2"), &e), ERR_OK);
	assert_int_equal(changes_add(c, SPAN("a"), SPAN("3"), &e), ERR_OK);
	assert_int_equal(changes_remove(c, SPAN("B"), &e), ERR_OK);
	assert_int_equal(changes_set(c, SPAN("b"), SPAN("2"), &e), ERR_CONFLICT);
	assert_string_equal(e.text, "b is removed already");
	assert_int_equal(changes_set(c, SPAN("C"), SPAN("%{x}"), &e), ERR_MISSING);
	assert_non_null(strstr(e.text, "C: unknown variable"));
	for (i = 4; i < CHANGES_MAX; i++) {
		snprintf(name, sizeof(name), "x-%d", i);
		assert_int_equal(changes_remove(c, span_of(name), &e), ERR_OK);
	}
	assert_int_equal(changes_remove(c, SPAN("last"), &e), ERR_RANGE);
	changes_free(&c);
	changes_free(&c);
}

static void
expect_put(const struct changes *c, const struct http_fields *fields, bool is_https,
    const char *want)
{
	struct text head;

	text_init(&head, 4096);
	changes_put(c, fields, &VALUES, is_https, &head);
	if (!span_eq(text_span(&head), span_of(want)))
		fail_msg("%.*s", SPAN_FMT(text_span(&head)));
	text_free(&head);
}

static void
test_put(void **state)
{
	struct changes *c = changes_new(CHANGES_OF_REQUEST);
	struct http_field array[2];
	struct http_fields fields;
	struct text head;
	struct err e;

	(void)state;
	http_fields_init(&fields, array, 2);
	expect_put(c, &fields, true, "");
	changes_set(c, SPAN("X-Forwarded-Proto"), SPAN("%{scheme}"), &e);
	changes_set(c, SPAN("X-TLS"), SPAN("%{tls_version}"), &e);
	changes_add(c, SPAN("X-Path"), SPAN("%{path}"), &e);
	changes_remove(c, SPAN("X-Powered-By"), &e);
	assert_true(changes_takes(c, SPAN("x-forwarded-proto")));
	assert_true(changes_takes(c, SPAN("x-tls")));
	assert_true(changes_takes(c, SPAN("X-POWERED-BY")));
	assert_false(changes_takes(c, SPAN("x-path")));
	assert_false(changes_takes(c, SPAN("x-powered")));
	assert_true(changes_takes(c, SPAN("X_Forwarded-proto")));
	assert_false(changes_takes(c, SPAN("X.Forwarded-proto")));
	expect_put(c, &fields, true,
	    "X-Forwarded-Proto: https\r\n"
	    "X-Path: /a%0D%0ASet-Cookie: x%00y%80%41\r\n");
	/* too little room is told */
	text_init(&head, 30);
	changes_put(c, &fields, &VALUES, true, &head);
	assert_true(head.overflow);
	text_free(&head);
	changes_free(&c);
}

static void
test_preset(void **state)
{
	struct changes *c = changes_new(CHANGES_OF_RESPONSE);
	struct span name, value;
	struct http_field array[4];
	struct http_fields fields;
	bool https_only;
	struct err e;
	size_t i;

	(void)state;
	changes_preset(c);
	http_fields_init(&fields, array, 4);
	http_fields_add(&fields, SPAN("x-frame-options"), SPAN("DENY"));
	changes_remove(c, SPAN("Permissions-Policy"), &e);
	changes_set(c, SPAN("referrer-policy"), SPAN("no-referrer"), &e);
	expect_put(c, &fields, false,
	    "referrer-policy: no-referrer\r\n"
	    "X-Content-Type-Options: nosniff\r\n");
	expect_put(c, &fields, true,
	    "referrer-policy: no-referrer\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Strict-Transport-Security: max-age=31536000\r\n");
	http_fields_add(&fields, SPAN("Strict-Transport-Security"), SPAN("max-age=0"));
	expect_put(c, &fields, true,
	    "referrer-policy: no-referrer\r\n"
	    "X-Content-Type-Options: nosniff\r\n");
	for (i = 0; changes_preset_field(i, &name, &value, &https_only); i++)
		assert_int_equal(
		    https_only, span_eq(name, SPAN("Strict-Transport-Security")));
	assert_int_equal(i, 5);
	changes_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_template_errors),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_for_clients),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_preset),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
