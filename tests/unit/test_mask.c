/* SPDX-License-Identifier: Apache-2.0 */
/* Masking: what stays, what goes, and that no secret survives in any carrier. */
#include "config.h"

#include "gateway/filter/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *words[] = { "password", "passwd", "token", "secret", "authorization",
	"cookie", "set-cookie" };
static const char *few[] = { "Password", "", "-key" };

static struct mask *mask, *mask_few;

static int
setup(void **state)
{
	struct conf_strings all = { words, sizeof(words) / sizeof(words[0]) };
	struct conf_strings some = { few, sizeof(few) / sizeof(few[0]) };

	(void)state;
	mask = mask_new(&all);
	mask_few = mask_new(&some);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	mask_free(&mask);
	mask_free(&mask_few);
	mask_free(&mask);
	return (0);
}

static void
expect(struct text *out, const char *in, const char *want)
{
	if (!span_eq(text_span(out), span_of(want)))
		fail_msg("\n  in:   %s\n  got:  %.*s\n  want: %s", in,
		    SPAN_FMT(text_span(out)), want);
	text_reset(out);
}

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		bool secret;
	} rows[] = {
		{ "password", true },
		{ "PassWord", true },
		{ "user[password]", true },
		{ "new_password2", true },
		{ "p%61ssword", true },
		{ "p%2561ssword", true },
		{ "p%252561ssword", true },
		{ "p\\u0061ssword", true },
		{ "json.user.token", true },
		{ "%25token", true },
		{ "passwor", false },
		{ "pass word", false },
		{ "q", false },
		{ "", false },
		{ "%", false },
		{ "%%%", false },
		{ "\\u00", false },
		{ "\\", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (mask_is_secret(mask, span_of(rows[i].name)) != rows[i].secret)
			fail_msg("%s", rows[i].name);
	assert_true(mask_is_secret(mask_few, SPAN("X-Api-Key")));
	assert_true(mask_is_secret(mask_few, SPAN("PASSWORD")));
	assert_false(mask_is_secret(mask_few, SPAN("token")));
}

static void
test_query(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ "a=1&b=2", "a=1&b=2" },
		{ "id=1%27%20OR%201=1--", "id=1%27%20OR%201=1--" },
		{ "password=x", "password=***" },
		{ "password=", "password=***" },
		{ "password", "password" },
		{ "a=1&password=x&b=2", "a=1&password=***&b=2" },
		{ "a=1&password=x=y==&b=2", "a=1&password=***&b=2" },
		{ "a=1&password=x;y&b=2", "a=1&password=***&b=2" },
		{ "a=1;password=x&b=2", "a=1;password=***&b=2" },
		{ "user%5Bpassword%5D=x&a=1", "user%5Bpassword%5D=***&a=1" },
		{ "%70assword=x", "%70assword=***" },
		{ "my+token+field=x&a", "my+token+field=***&a" },
		{ "password=a&&password=b&", "password=***&&password=***&" },
		{ "next=%2Flogin%3Ftoken%3Dabc%26b%3D2&c=3",
		    "next=%2Flogin%3Ftoken%3D***%26b%3D2&c=3" },
		{ "next=%252F%253Ftoken%253Dabc%2526b%253D2",
		    "next=%252F%253Ftoken%253D***%2526b%253D2" },
		{ "next=%2F%3Fpassword%3Da%2526b", "next=%2F%3Fpassword%3D***" },
		{ "data=%7B%22password%22%3A%22x%22%2C%22a%22%3A1%7D",
		    "data=%7B%22password%22%3A%22***%22%2C%22a%22%3A1%7D" },
		{ "{\"password\":\"x\",\"a\":1}", "{\"password\":\"***\",\"a\":1}" },
		{ "u=http://bob:hunter2@host/", "u=http://***@host/" },
		{ "q=select+password+from+users", "q=select+password+from+users" },
		{ "q=\xc3\xa9t\xc3\xa9&secret=\xc3\xa9",
		    "q=\xc3\xa9t\xc3\xa9&secret=***" },
	};
	struct text out;
	size_t i;

	(void)state;
	text_init(&out, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mask_query(mask, span_of(rows[i].in), &out);
		expect(&out, rows[i].in, rows[i].out);
	}
	text_free(&out);
}

static void
test_path(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "/", "/" },
		{ "/a/b.html", "/a/b.html" },
		{ "/a;v=1/b", "/a;v=1/b" },
		{ "/a;token=x/b", "/a;token=***/b" },
		{ "/a;v=1;token=x;y/b", "/a;v=1;token=***/b" },
		{ "/a;%74oken=x", "/a;%74oken=***" },
		{ "/a;token", "/a;token" },
		{ "/x%3Fpassword%3Dhunter2/y", "/x%3Fpassword%3D***/y" },
		{ "/token/abc", "/token/abc" },
		{ ";;;=;", ";;;=;" },
	};
	struct text out;
	size_t i;

	(void)state;
	text_init(&out, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mask_path(mask, span_of(rows[i].in), &out);
		expect(&out, rows[i].in, rows[i].out);
	}
	text_free(&out);
}

static void
test_field(void **state)
{
	static const struct {
		const char *name, *in, *out;
	} rows[] = {
		{ "Host", "shop.example.com", "shop.example.com" },
		{ "User-Agent", "Mozilla/5.0 (X11; Linux) tokenless",
		    "Mozilla/5.0 (X11; Linux) tokenless" },
		{ "Cookie", "sid=abc; theme=dark", "sid=***; theme=***" },
		{ "cookie", "sid=a=b==;theme=", "sid=***;theme=***" },
		{ "Cookie", "lonely; a=1;", "***; a=***;" },
		{ "Cookie", "a=\"x; y\"", "a=***; ***" },
		{ "Cookie", "", "" },
		{ "Set-Cookie", "sid=abc; Path=/; HttpOnly; Max-Age=5",
		    "sid=***; Path=/; HttpOnly; Max-Age=5" },
		{ "Set-Cookie", "Path=abc; other=x", "Path=***; other=***" },
		{ "Authorization", "Bearer abc.def", "Bearer ***" },
		{ "authorization", "basic dXNlcjpwYXNz", "basic ***" },
		{ "Authorization", "Digest username=\"u\", response=\"x\"",
		    "Digest ***" },
		{ "Authorization", "abcdef", "***" },
		{ "Authorization", "abcdef ghi", "***" },
		{ "Proxy-Authorization", "Basic abc", "Basic ***" },
		{ "X-CSRF-Token", "abc", "***" },
		{ "Referer", "https://h/p?a=1&token=x&b=2",
		    "https://h/p?a=1&token=***&b=2" },
		{ "Referer", "https://u:p@h/p;token=x", "https://***@h/p;token=***" },
		{ "Referer", "/p;token=x/q", "/p;token=***/q" },
		{ "X-Original-URL", "/x?password=y&a=1", "/x?password=***&a=1" },
		{ "X-Data", "{\"token\": 5}", "{\"token\": ***}" },
	};
	static const struct {
		const char *name, *in, *out;
	} few_rows[] = {
		{ "Cookie", "sid=abc; password=x; b=2", "sid=abc; password=***; b=2" },
		{ "Set-Cookie", "password=x; Path=/", "password=***; Path=/" },
		{ "Authorization", "Bearer abc", "Bearer abc" },
	};
	struct text out;
	size_t i;

	(void)state;
	text_init(&out, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mask_field(mask, span_of(rows[i].name), span_of(rows[i].in), &out);
		expect(&out, rows[i].in, rows[i].out);
	}
	for (i = 0; i < sizeof(few_rows) / sizeof(few_rows[0]); i++) {
		mask_field(
		    mask_few, span_of(few_rows[i].name), span_of(few_rows[i].in), &out);
		expect(&out, few_rows[i].in, few_rows[i].out);
	}
	text_free(&out);
}

static void
test_no_words_mask_nothing(void **state)
{
	static const struct {
		const char *variable, *in, *out;
	} rows[] = {
		{ "ARGS:password", "x", "x" },
		{ "XML:/*", "x", "x" },
		{ "TX:0", "Matched Data: x", "Matched Data: x" },
		{ "REQUEST_HEADERS:Cookie", "a=b", "a=b" },
		{ "REQUEST_HEADERS:Authorization", "Basic x", "Basic x" },
		{ "REQUEST_BODY", "{\"password\":\"x\"}", "{\"password\":\"x\"}" },
		{ "ARGS:u", "http://u:p@h/", "http://***@h/" },
	};
	struct conf_strings none = { NULL, 0 };
	struct mask *m = mask_new(&none);
	struct text out;
	size_t i;

	(void)state;
	text_init(&out, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mask_variable(m, span_of(rows[i].variable), span_of(rows[i].in), &out);
		expect(&out, rows[i].in, rows[i].out);
	}
	text_free(&out);
	mask_free(&m);
}

static void
test_variable(void **state)
{
	static const struct {
		const char *variable, *in, *out;
	} rows[] = {
		{ "ARGS:q", "1' OR 1=1--", "1' OR 1=1--" },
		{ "ARGS:q", "1' UNION SELECT password, token FROM users--",
		    "1' UNION SELECT password, token FROM users--" },
		{ "ARGS:password", "x", "***" },
		{ "ARGS_POST:user[passwd]", "x", "***" },
		{ "ARGS:json.user.token", "x", "***" },
		{ "ARGS_NAMES", "password", "password" },
		{ "ARGS_NAMES:password", "password", "password" },
		{ "ARGS_NAMES", "{\"password\":\"x\"}", "{\"password\":\"***\"}" },
		{ "REQUEST_COOKIES:sid", "x", "***" },
		{ "REQUEST_COOKIES_NAMES:sid", "sid", "sid" },
		{ "REQUEST_HEADERS:Authorization", "Bearer x", "Bearer ***" },
		{ "REQUEST_HEADERS:User-Agent", "sqlmap/1.0", "sqlmap/1.0" },
		{ "REQUEST_HEADERS:Cookie", "a=b", "a=***" },
		{ "REQUEST_HEADERS", "x", "x" },
		{ "REQUEST_URI", "/a?token=x&b=1", "/a?token=***&b=1" },
		{ "REQUEST_URI_RAW", "http://u:p@h/a?token=x",
		    "http://***@h/a?token=***" },
		{ "QUERY_STRING", "token=x&b=1", "token=***&b=1" },
		{ "REQUEST_LINE", "GET /a?token=x HTTP/1.1",
		    "GET /a?token=*** HTTP/1.1" },
		{ "REQUEST_LINE", "GET /a?token=x y HTTP/1.1",
		    "GET /a?token=*** HTTP/1.1" },
		{ "REQUEST_LINE", "GET /a?token=x y", "GET /a?token=***" },
		{ "REQUEST_LINE", "nonsense", "nonsense" },
		{ "REQUEST_LINE", "GET ", "GET " },
		{ "REQUEST_FILENAME", "/a;token=x/b", "/a;token=***/b" },
		{ "REQUEST_BODY", "a=1&password=x&b=2", "a=1&password=***&b=2" },
		{ "REQUEST_BODY", "{\"a\":\"b\",\"password\":\"x\\\"y\",\"c\":1}",
		    "{\"a\":\"b\",\"password\":\"***\",\"c\":1}" },
		{ "REQUEST_BODY", "{\"password\":\"abc\\\\\",\"c\":\"d\"}",
		    "{\"password\":\"***\",\"c\":\"d\"}" },
		{ "REQUEST_BODY", "{\"password\" : 12345 , \"c\":1}",
		    "{\"password\" : *** , \"c\":1}" },
		{ "REQUEST_BODY", "{\"password\":[\"x\",{\"y\":\"]\"}],\"c\":1}",
		    "{\"password\":***,\"c\":1}" },
		{ "REQUEST_BODY", "{\"password\":{\"v\":\"}\"},\"c\":1}",
		    "{\"password\":***,\"c\":1}" },
		{ "REQUEST_BODY", "{\"my password field\":\"x\",\"c\":1}",
		    "{\"my password field\":\"***\",\"c\":1}" },
		{ "REQUEST_BODY", "{\"p\\u0061ssword\":\"x\"}",
		    "{\"p\\u0061ssword\":\"***\"}" },
		{ "REQUEST_BODY",
		    "{\"a\":\"{\\\"password\\\":\\\"x y\\\",\\\"b\\\":1}\"}",
		    "{\"a\":\"{\\\"password\\\":\\\"***\\\",\\\"b\\\":1}\"}" },
		{ "REQUEST_BODY", "{\"password\":\"hunt", "{\"password\":\"***" },
		{ "REQUEST_BODY", "{\"password\":[1,2", "{\"password\":***" },
		{ "REQUEST_BODY", "<l><user>u</user><password>x</password></l>",
		    "<l><user>u</user><password***</password></l>" },
		{ "REQUEST_BODY",
		    "<wsse:Password Type=\"t\">x<b>y</b></wsse:Password><z/>",
		    "<wsse:Password***</wsse:Password><z/>" },
		{ "REQUEST_BODY", "<token value=\"x\"/><z>1</z>", "<token***/><z>1</z>" },
		{ "REQUEST_BODY", "<user password=\"x\" name=\"u\"/>",
		    "<user password=***" },
		{ "XML:/*", "anything", "***" },
		{ "XML", "anything", "***" },
		{ "TX:1", "x", "x" },
		{ "", "x", "x" },
		{ "MATCHED_VAR", "a=1", "a=1" },
		{ "ARGS:q", "Matched Data: x found within ARGS:q: axb",
		    "Matched Data: x found within ARGS:q: axb" },
		{ "ARGS:q", "Matched Data: x found within ARGS:password: axb",
		    "Matched Data: ***" },
		{ "TX:0", "Matched Data: x found within REQUEST_BODY: a=1&token=x",
		    "Matched Data: *** found within REQUEST_BODY: a=1&token=***" },
		{ "TX:0", "Matched Data: a=1 found within REQUEST_BODY: a=1&token=x",
		    "Matched Data: a=1 found within REQUEST_BODY: a=1&token=***" },
		{ "TX:0",
		    "Matched Data: found within ARGS:q: y found within ARGS:token: x",
		    "Matched Data: ***" },
		{ "TX:0", "Matched Data: x found within ARGS:q",
		    "Matched Data: *** found within ARGS:q: " },
		{ "TX:0", "Matched Data: x", "Matched Data: ***" },
	};
	struct text out;
	size_t i;

	(void)state;
	text_init(&out, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mask_variable(mask, span_of(rows[i].variable), span_of(rows[i].in), &out);
		expect(&out, rows[i].in, rows[i].out);
	}
	mask_variable_name(mask, SPAN("REQUEST_COOKIES:sid"), &out);
	expect(&out, "name of a cookie", "REQUEST_COOKIES:sid");
	mask_variable_name(mask, SPAN("ARGS:{\"password\":\"x\"}"), &out);
	expect(&out, "JSON as a name", "ARGS:{\"password\":\"***\"}");
	mask_variable_name(mask, SPAN("REQUEST_BODY"), &out);
	expect(&out, "no name", "REQUEST_BODY");
	text_free(&out);
}

static void
test_multipart(void **state)
{
	static const char body[] =
	    "--XyZ\r\n"
	    "Content-Disposition: form-data; name=\"user\"\r\n\r\n"
	    "bob\r\n"
	    "--XyZ\r\n"
	    "Content-Disposition: form-data; name=\"password\"\r\n\r\n"
	    "hunter2\r\n--not a boundary\r\nhunter3\r\n"
	    "--XyZ\r\n"
	    "Content-Disposition: form-data; name=\"q\"\r\n\r\n"
	    "1' OR 1=1\r\n"
	    "--XyZ--\r\n";
	static const char want[] =
	    "--XyZ\r\n"
	    "Content-Disposition: form-data; name=\"user\"\r\n\r\n"
	    "bob\r\n"
	    "--XyZ\r\n"
	    "Content-Disposition: form-data; name=\"password\"\r\n\r\n"
	    "***\r\n"
	    "--XyZ\r\n"
	    "Content-Disposition: form-data; name=\"q\"\r\n\r\n"
	    "1' OR 1=1\r\n"
	    "--XyZ--\r\n";
	struct text out;
	size_t cut;

	(void)state;
	text_init(&out, 4096);
	mask_variable(mask, SPAN("REQUEST_BODY"), span_of(body), &out);
	expect(&out, body, want);
	/* cut anywhere, in front or behind, the secret stays out */
	for (cut = 0; cut < sizeof(body) - 1; cut++) {
		mask_variable(
		    mask, SPAN("REQUEST_BODY"), span_cut(span_of(body), 0, cut), &out);
		if (span_find(text_span(&out), SPAN("hunt")) != SIZE_MAX)
			fail_msg("cut behind %zu: %.*s", cut, SPAN_FMT(text_span(&out)));
		text_reset(&out);
		if (cut > (size_t)(strstr(body, "password") - body) - 38)
			continue;
		mask_variable(mask, SPAN("REQUEST_BODY"),
		    span_cut(span_of(body), cut, sizeof(body)), &out);
		if (span_find(text_span(&out), SPAN("hunt")) != SIZE_MAX)
			fail_msg("cut before %zu: %.*s", cut, SPAN_FMT(text_span(&out)));
		text_reset(&out);
	}
	text_free(&out);
}

/* --- no secret survives ------------------------------------------------------ */

#define SECRET "hunter2"

enum way { QUERY, PATH, FIELD, VARIABLE };

/* Each carries the secret ("@") under a name; all names, all carriers. In the
 * carrier "#" is the name. */
static const struct {
	enum way way;
	const char *where, *carrier;
} carriers[] = {
	{ QUERY, "", "#=@" },
	{ QUERY, "", "a=1&#=@&b=2" },
	{ QUERY, "", "a=1;#=@;b=2" },
	{ QUERY, "", "x[#]=@" },
	{ QUERY, "", "x%5B#%5D=@" },
	{ QUERY, "", "#[]=@&#[]=@" },
	{ QUERY, "", "#=a%26@" },
	{ QUERY, "", "#=a+@+b" },
	{ QUERY, "", "#=%22@%22" },
	{ QUERY, "", "#==@" },
	{ QUERY, "", "next=/p?#=@" },
	{ QUERY, "", "next=%2Fp%3F#%3D@" },
	{ QUERY, "", "next=%252Fp%253F#%253D@" },
	{ QUERY, "", "j={\"#\":\"@\"}" },
	{ QUERY, "", "j=%7B%22#%22%3A%22@%22%7D" },
	{ QUERY, "", "j=%7B%22#%22%3A%5B%22@%22%5D%7D" },
	{ QUERY, "", "{\"#\":\"@\"}" },
	{ QUERY, "", "xml=%3Ca%3E%3C#%3E@%3C%2F#%3E%3C%2Fa%3E" },
	{ QUERY, "", "xml=<a><#>@</#></a>" },
	{ VARIABLE, "REQUEST_BODY", "{\"x\":\"\\u003c#\\u003e@\\u003c/#\\u003e\"}" },
	{ QUERY, "", "u=https://x:@@host/" },
	{ QUERY, "", "u=https%3A%2F%2Fx%3A@%40host%2F" },
	{ PATH, "", "/a;#=@/b" },
	{ PATH, "", "/a;v=1;#=@" },
	{ PATH, "", "/a;#=x;@" },
	{ PATH, "", "/a%3F#%3D@" },
	{ PATH, "", "/a%3B#%3D@/b" },
	{ FIELD, "#", "@" },
	{ FIELD, "X-#", "a @" },
	{ FIELD, "Cookie", "#=@" },
	{ FIELD, "Cookie", "a=@; #=@" },
	{ FIELD, "Cookie", "@" },
	{ FIELD, "Set-Cookie", "a=@; Path=/" },
	{ FIELD, "Authorization", "Bearer @" },
	{ FIELD, "Authorization", "@" },
	{ FIELD, "Authorization", "@ x" },
	{ FIELD, "Referer", "https://h/?#=@" },
	{ FIELD, "Referer", "https://h/;#=@?x" },
	{ FIELD, "Referer", "https://bob:@@h/" },
	{ FIELD, "X-Rewrite-URL", "/a?b=1&#=@" },
	{ FIELD, "X-Any", "#: @" },
	{ FIELD, "X-Any", "#=\"@\"" },
	{ VARIABLE, "ARGS:#", "@" },
	{ VARIABLE, "ARGS:json.a.#", "@" },
	{ VARIABLE, "ARGS:json.#.array_0", "@" },
	{ VARIABLE, "ARGS_GET:#", "@" },
	{ VARIABLE, "ARGS_POST:x[#]", "@" },
	{ VARIABLE, "ARGS:q", "/p?#=@" },
	{ VARIABLE, "ARGS:q", "{\"#\":\"@\"}" },
	{ VARIABLE, "ARGS:q", "<#>@</#>" },
	{ VARIABLE, "ARGS_NAMES", "{\"#\":\"@\"}" },
	{ VARIABLE, "REQUEST_COOKIES:sid", "@" },
	{ VARIABLE, "REQUEST_HEADERS:Authorization", "Bearer @" },
	{ VARIABLE, "REQUEST_HEADERS:Cookie", "a=@" },
	{ VARIABLE, "REQUEST_HEADERS:Referer", "http://h/?#=@" },
	{ VARIABLE, "REQUEST_HEADERS:X-#", "@" },
	{ VARIABLE, "RESPONSE_HEADERS:Set-Cookie", "a=@; Path=/" },
	{ VARIABLE, "QUERY_STRING", "a=1&#=@" },
	{ VARIABLE, "REQUEST_URI", "/p?a=1&#=@" },
	{ VARIABLE, "REQUEST_URI_RAW", "https://h/p?a=1&#=@" },
	{ VARIABLE, "REQUEST_URI_RAW", "https://bob:@@h/p?a=1" },
	{ VARIABLE, "REQUEST_LINE", "POST /p?a=1&#=@ HTTP/1.1" },
	{ VARIABLE, "REQUEST_LINE", "POST /p?a=1&#=x @" },
	{ VARIABLE, "REQUEST_BODY", "a=1&#=@" },
	{ VARIABLE, "REQUEST_BODY", "a=1&#=%22@%22x" },
	{ VARIABLE, "REQUEST_BODY", "{\"#\":\"@\"}" },
	{ VARIABLE, "REQUEST_BODY", "{\"#\":\"x\\\"@\"}" },
	{ VARIABLE, "REQUEST_BODY", "{\"#\":\"@" },
	{ VARIABLE, "REQUEST_BODY", "{ \"#\"\n:\n\"@\" }" },
	{ VARIABLE, "REQUEST_BODY", "{\"#\":[\"a\",\"@\"]}" },
	{ VARIABLE, "REQUEST_BODY", "{\"#\":{\"a\":\"@\"}}" },
	{ VARIABLE, "REQUEST_BODY", "{\"#\":[[\"]\",\"@\"" },
	{ VARIABLE, "REQUEST_BODY", "{'#':'@'}" },
	{ VARIABLE, "REQUEST_BODY", "{#:\"@\"}" },
	{ VARIABLE, "REQUEST_BODY", "[{\"a\":1},{\"x\":{\"my #\":\"@\"}}]" },
	{ VARIABLE, "REQUEST_BODY", "\"{\\\"#\\\":\\\"@\\\"}\"" },
	{ VARIABLE, "REQUEST_BODY", "{\"a\":\"{\\\"#\\\":\\\"x\\\\\\\"@\\\"}\"}" },
	{ VARIABLE, "REQUEST_BODY", "<a><#>@</#></a>" },
	{ VARIABLE, "REQUEST_BODY", "<a><n:# t=\"1\">@</n:#></a>" },
	{ VARIABLE, "REQUEST_BODY", "<a><#><![CDATA[@]]></#></a>" },
	{ VARIABLE, "REQUEST_BODY", "<a><#>x<b>y</b>@</#></a>" },
	{ VARIABLE, "REQUEST_BODY", "<a #=\"@\"/>" },
	{ VARIABLE, "REQUEST_BODY", "<# v=\"@\"/>" },
	{ VARIABLE, "REQUEST_BODY", "<a><#>@" },
	{ VARIABLE, "REQUEST_BODY",
	    "--b\r\nContent-Disposition: form-data; name=\"#\"\r\n\r\n@\r\n--b--" },
	{ VARIABLE, "REQUEST_BODY",
	    "--b\r\ncontent-disposition: form-data; name=#\r\nX: y\r\n\r\n\r\n@" },
	{ VARIABLE, "REQUEST_BODY",
	    "--b\nContent-Disposition: form-data; name=\"#\"\n\nx\n--c\n@\n--b--" },
	{ VARIABLE, "FULL_REQUEST", "GET / HTTP/1.1\nCookie: a=@\nHost: h\n\n" },
	{ VARIABLE, "FULL_REQUEST", "GET / HTTP/1.1\nAuthorization: Basic @\n\n" },
	{ VARIABLE, "FULL_REQUEST", "POST / HTTP/1.1\nHost: h\n\na=1&#=@" },
	{ VARIABLE, "XML:/*", "@" },
	{ VARIABLE, "TX:0", "Matched Data: @ found within ARGS:#: x@y" },
	{ VARIABLE, "TX:0", "Matched Data: @ found within ARGS:json.#: x@y" },
	{ VARIABLE, "TX:0", "Matched Data: @ found within REQUEST_COOKIES:s: x@y" },
	{ VARIABLE, "TX:0", "Matched Data: @ found within REQUEST_BODY: a=1&#=x@y" },
	{ VARIABLE, "TX:0", "Matched Data: @ found within REQUEST_HEADERS:Cookie: s=@" },
	{ VARIABLE, "TX:0", "Matched Data: @ found within XML:/*: x@y" },
	{ VARIABLE, "TX:0", "Matched Data: @ found within ARGS:#: cut" },
};

/* The name "#" may be any of these: as written, escaped, in another case. */
static const char *const names[] = { "password", "PASSWORD", "token", "client_secret",
	"p%61ssword", "%70%61%73%73%77%6f%72%64", "p%2561sswd", "access_token2",
	"p\\u0061sswd" };

static size_t
fill(char *to, size_t size, const char *carrier, const char *name)
{
	size_t n = 0;
	const char *piece;

	for (; *carrier != '\0'; carrier++) {
		char one[2] = { *carrier, '\0' };

		piece = *carrier == '#' ? name : one;
		/* "@@" is the secret and an at sign */
		if (*carrier == '@' && (carrier[1] != '@' || carrier[2] == 'h'))
			piece = carrier[1] == '@' ? SECRET "@" : SECRET;
		if (*carrier == '@' && carrier[1] == '@')
			carrier++;
		n += (size_t)snprintf(to + n, size - n, "%s", piece);
		assert_true(n < size);
	}
	return (n);
}

static void
carry(enum way way, struct span where, struct span value, struct text *out)
{
	switch (way) {
	case QUERY: mask_query(mask, value, out); break;
	case PATH: mask_path(mask, value, out); break;
	case FIELD: mask_field(mask, where, value, out); break;
	case VARIABLE: mask_variable(mask, where, value, out); break;
	}
}

static void
test_no_secret_survives(void **state)
{
	char where[256], value[512];
	struct text out;
	size_t i, k, n, w, cut;

	(void)state;
	text_init(&out, 8192);
	for (i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++) {
		for (k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
			w = fill(where, sizeof(where), carriers[i].where, names[k]);
			n = fill(value, sizeof(value), carriers[i].carrier, names[k]);
			assert_non_null(strstr(value, SECRET));
			for (cut = n; cut > 0; cut--) {
				text_reset(&out);
				carry(carriers[i].way, span_mem(where, w),
				    span_mem(value, cut), &out);
				if (span_find(text_span(&out), SPAN("hunt")) == SIZE_MAX)
					continue;
				/* A name that is cut off can't be known, one that
				 * comes behind neither. */
				fail_msg("%.*s | %.*s -> %.*s", (int)w, where, (int)cut,
				    value, SPAN_FMT(text_span(&out)));
			}
		}
	}
	text_free(&out);
}

/* Hostile text costs no more than its length allows. */
static void
test_work_is_bounded(void **state)
{
	static const char *const pieces[] = { "token", "token:", "<token", "</token",
		"\"token\"", "%25", "%2525", "\\\\\\", "Content-Disposition: ", "://",
		"{", "[\"", "token={", "token:\"\\", " found within ARGS",
		"token\"token'" };
	enum { N = 1 << 18 };
	struct text out;
	static char value[N];
	size_t i, n, at;

	(void)state;
	text_init(&out, (size_t)N * 4);
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		n = strlen(pieces[i]);
		memcpy(value, "Matched Data: ", 14);
		for (at = 14; at + n <= N; at += n)
			memcpy(value + at, pieces[i], n);
		text_reset(&out);
		mask_variable(mask, SPAN("TX:0"), span_mem(value, at), &out);
		text_reset(&out);
		mask_query(mask, span_mem(value, at), &out);
		text_reset(&out);
		mask_path(mask, span_mem(value, at), &out);
		text_reset(&out);
		mask_field(mask, SPAN("Cookie"), span_mem(value, at), &out);
	}
	text_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_field),
		cmocka_unit_test(test_variable),
		cmocka_unit_test(test_no_words_mask_nothing),
		cmocka_unit_test(test_multipart),
		cmocka_unit_test(test_no_secret_survives),
		cmocka_unit_test(test_work_is_bounded),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
