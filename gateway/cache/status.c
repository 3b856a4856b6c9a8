/* SPDX-License-Identifier: Apache-2.0 */
/* One member of Cache-Status as structured field text (RFC 8941). */
#include "config.h"

#include "gateway/cache/status.h"

#include <inttypes.h>

#include "gateway/base/check.h"
#include "gateway/http/chars.h"

/* sf-token: begins with a letter or "*", goes on with tchar, ":" and "/". */
static bool
is_sf_token(struct span s)
{
	size_t i;
	char c;

	if (s.n == 0)
		return (false);
	c = char_lower(s.p[0]);
	if (c != '*' && (c < 'a' || c > 'z'))
		return (false);
	for (i = 1; i < s.n; i++)
		if (!char_is(s.p[i], CHAR_TOKEN) && s.p[i] != ':' && s.p[i] != '/')
			return (false);
	return (true);
}

static void
put_string(struct text *t, struct span s)
{
	size_t i;
	char c;

	text_putc(t, '"');
	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (c == '"' || c == '\\')
			text_putc(t, '\\');
		text_putc(t, c >= ' ' && c <= '~' ? c : '?');
	}
	text_putc(t, '"');
}

static void
put_item(struct text *t, struct span s)
{
	if (is_sf_token(s))
		text_put(t, s);
	else
		put_string(t, s);
}

const char *
cache_forward_text(enum cache_forward forward)
{
	static const char *const texts[] = { [CACHE_FWD_NONE] = "none",
#define CACHE_FORWARD_TEXT(name, text) [CACHE_FWD_##name] = (text),
		CACHE_FORWARDS(CACHE_FORWARD_TEXT)
#undef CACHE_FORWARD_TEXT
	};

	CHECK((size_t)forward < sizeof(texts) / sizeof(texts[0]));
	return (texts[forward]);
}

void
cache_status_put(struct text *t, const struct cache_report *report)
{
	put_item(t, report->name);
	if (report->forward == CACHE_FWD_NONE)
		text_puts(t, "; hit");
	else
		text_printf(t, "; fwd=%s", cache_forward_text(report->forward));
	if (report->forward != CACHE_FWD_NONE && report->forward_status != 0)
		text_printf(t, "; fwd-status=%u", (unsigned)report->forward_status);
	if (report->has_ttl)
		text_printf(t, "; ttl=%" PRId64, report->ttl_s);
	if (report->forward != CACHE_FWD_NONE && report->stored)
		text_puts(t, "; stored");
	if (report->forward != CACHE_FWD_NONE && report->collapsed)
		text_puts(t, "; collapsed");
	if (report->detail.p != NULL) {
		text_puts(t, "; detail=");
		put_item(t, report->detail);
	}
}
