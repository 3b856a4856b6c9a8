/* SPDX-License-Identifier: Apache-2.0 */
/* Masking: any bytes through all entries give bounded text, valid UTF-8 where
 * it came in so; and a secret behind its name survives in no carrier, whatever
 * stands around it. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/base/buf.h"
#include "gateway/base/utf8.h"
#include "gateway/filter/mask.h"

#define SECRET "ZQ7XJ"
#define NOISE_MAX 200

static const char *words[] = { "password", "passwd", "token", "secret", "authorization",
	"cookie", "set-cookie" };

static const char *const names[] = { "password", "PassWd", "csrf_token", "p%61ssword",
	"client-secret", "p%2561ssword", "x.token.0", "p\\u0061sswd" };

enum way { QUERY, PATH, FIELD, VARIABLE };

/* "#" is the name, "@" noise with the secret in it, "~" noise of others. Noise
 * holds none of `not`: bytes that end the value in this carrier. */
static const struct {
	enum way way;
	const char *where, *carrier, *not ;
} carriers[] = {
	{ QUERY, "", "~&#=@&~", "&" },
	{ QUERY, "", "~&a[#]=@", "&" },
	{ QUERY, "", "next=/p?#=@&~", "&\r\n\"'{[:= \t\\<" },
	{ PATH, "", "/~/a;#=@/~", "/" },
	{ FIELD, "#", "@", "" },
	{ FIELD, "Cookie", "~; #=@; ~", ";" },
	{ FIELD, "Set-Cookie", "#=@; Path=/", ";" },
	{ FIELD, "Authorization", "Bearer @", "" },
	{ FIELD, "Authorization", "@", " " },
	{ FIELD, "Referer", "https://h/~?~&#=@", "&?" },
	{ VARIABLE, "ARGS:#", "@", "" },
	{ VARIABLE, "ARGS:json.#.array_0", "@", "" },
	{ VARIABLE, "REQUEST_COOKIES:a", "@", "" },
	{ VARIABLE, "REQUEST_HEADERS:X-#", "@", "" },
	{ VARIABLE, "QUERY_STRING", "~&#=@&~", "&" },
	{ VARIABLE, "REQUEST_URI", "/~?~&#=@", "&?" },
	{ VARIABLE, "REQUEST_LINE", "GET /~?~&#=@ HTTP/1.1", "&? " },
	{ VARIABLE, "REQUEST_BODY", "a=~&#=@&~", "&" },
	{ VARIABLE, "REQUEST_BODY", "{\"a\":\"~\",\"#\":\"@\",\"b\":\"~\"}", "\"\\" },
	{ VARIABLE, "REQUEST_BODY", "{\"a\":\"~\",\"#\":\"@", "\"\\" },
	{ VARIABLE, "REQUEST_BODY", "{\"#\":[\"~\",\"@\"],\"b\":1}", "\"\\" },
	{ VARIABLE, "REQUEST_BODY", "<a><#>@</#><b>~</b></a>", "<" },
	{ VARIABLE, "REQUEST_BODY",
	    "--bnd\r\nContent-Disposition: form-data; name=\"#\"\r\n\r\n@\r\n--bnd--\r\n",
	    "\n" },
	{ VARIABLE, "XML:/*", "@", "" },
	{ VARIABLE, "TX:0", "Matched Data: @ found within ARGS:#: @", "" },
	{ VARIABLE, "TX:0", "Matched Data: @ found within REQUEST_BODY: ~&#=@", "&" },
};

struct input {
	struct span rest;
};

static uint8_t
take(struct input *in)
{
	uint8_t byte;

	if (in->rest.n == 0)
		return (0);
	byte = (uint8_t)in->rest.p[0];
	in->rest = span_cut(in->rest, 1, in->rest.n);
	return (byte);
}

/* Bytes of the input but for letters, so that no other name comes about, and
 * "%" and "\", so that no escape does. */
static void
put_noise(struct text *t, struct input *in, const char * not )
{
	size_t n = take(in) % NOISE_MAX;
	uint8_t c;

	while (n-- > 0 && in->rest.n > 0) {
		c = take(in);
		if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
			continue;
		if (c == '%' || c == '\\' || (c != '\0' && strchr(not, c) != NULL))
			continue;
		text_putc(t, (char)c);
	}
}

static void
fill(struct text *t, const char *carrier, const char *name, const char * not,
    struct input *in)
{
	for (; *carrier != '\0'; carrier++) {
		switch (*carrier) {
		case '#': text_puts(t, name); break;
		case '~': put_noise(t, in, not ); break;
		case '@':
			put_noise(t, in, not );
			text_puts(t, SECRET);
			put_noise(t, in, not );
			break;
		default: text_putc(t, *carrier);
		}
	}
}

static void
carry(const struct mask *m, enum way way, struct span where, struct span value,
    struct text *out)
{
	switch (way) {
	case QUERY: mask_query(m, value, out); break;
	case PATH: mask_path(m, value, out); break;
	case FIELD: mask_field(m, where, value, out); break;
	case VARIABLE: mask_variable(m, where, value, out); break;
	}
}

static void
check_secret(const struct mask *m, struct input *in)
{
	size_t carrier = take(in) % (sizeof(carriers) / sizeof(carriers[0]));
	const char *name = names[take(in) % (sizeof(names) / sizeof(names[0]))];
	struct text where, value, out;

	text_init(&where, 4096);
	text_init(&value, 4096);
	text_init(&out, 65536);
	fill(&where, carriers[carrier].where, name, "", in);
	fill(&value, carriers[carrier].carrier, name, carriers[carrier].not, in);
	carry(m, carriers[carrier].way, text_span(&where), text_span(&value), &out);
	CHECK(span_find(text_span(&out), SPAN(SECRET)) == SIZE_MAX);
	text_free(&where);
	text_free(&value);
	text_free(&out);
}

static void
check_any(const struct mask *m, struct span in)
{
	static const char *const variables[] = { "ARGS:q", "ARGS_NAMES", "REQUEST_URI",
		"REQUEST_LINE", "REQUEST_BODY", "REQUEST_FILENAME", "REQUEST_COOKIES:s",
		"REQUEST_HEADERS:Set-Cookie", "REQUEST_HEADERS:Authorization",
		"REQUEST_HEADERS:Referer", "QUERY_STRING", "XML", "" };
	char *copy = fuzz_copy(in);
	struct text out;
	size_t i;

	text_init(&out, 8 * in.n + 256);
	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		text_reset(&out);
		mask_variable(m, span_of(variables[i]), span_mem(copy, in.n), &out);
		CHECK(!out.overflow);
		CHECK(!utf8_is_valid(in) || utf8_is_valid(text_span(&out)));
	}
	text_reset(&out);
	mask_path(m, span_mem(copy, in.n), &out);
	mask_variable_name(m, span_mem(copy, in.n), &out);
	CHECK(!utf8_is_valid(in) || utf8_is_valid(text_span(&out)));
	(void)mask_is_secret_variable(m, span_mem(copy, in.n));
	text_free(&out);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_strings all = { words, sizeof(words) / sizeof(words[0]) };
	struct input in = { span_mem(data, size) };
	struct mask *m = mask_new(&all);

	if (take(&in) & 1)
		check_secret(m, &in);
	else
		check_any(m, in.rest);
	mask_free(&m);
	return (0);
}
