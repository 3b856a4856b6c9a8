/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a refusal, in the form the client prefers. */
#include "config.h"

#include "gateway/filter/pages.h"

#include "gateway/base/json.h"

#include <stdio.h>

/* Of an Accept field no more than this is looked at. */
#define ACCEPT_MAX 1024u

struct status_text {
	uint16_t status;
	const char *phrase; /* RFC 9110, 6585 */
	const char *sentence; /* what it means to the visitor */
};

/* clang-format off */
static const struct status_text statuses[] = {
	{ 200, "OK", "" },
	{ 301, "Moved Permanently", "This page has another address." },
	{ 302, "Found", "This page is at another address for now." },
	{ 307, "Temporary Redirect", "This page is at another address for now." },
	{ 308, "Permanent Redirect", "This page has another address." },
	{ 400, "Bad Request", "The server could not understand this request." },
	{ 401, "Unauthorized", "This page needs you to sign in." },
	{ 403, "Forbidden", "This request was refused." },
	{ 404, "Not Found", "There is no such page here." },
	{ 405, "Method Not Allowed", "This page does not take requests of this kind." },
	{ 408, "Request Timeout", "The request took too long to arrive. Please try again." },
	{ 411, "Length Required", "The request does not say how long it is." },
	{ 413, "Content Too Large", "What was sent is larger than this site accepts." },
	{ 414, "URI Too Long", "The address of this request is too long." },
	{ 417, "Expectation Failed", "The server cannot do what this request expects." },
	{ 421, "Misdirected Request", "This server does not answer for that site." },
	{ 426, "Upgrade Required", "This page needs an encrypted connection." },
	{ 429, "Too Many Requests", "Too many requests came from you. Please wait a while." },
	{ 431, "Request Header Fields Too Large",
	  "The request carries too much information, perhaps too many cookies." },
	{ 500, "Internal Server Error", "Something went wrong here. Please try again later." },
	{ 501, "Not Implemented", "The server does not know this kind of request." },
	{ 502, "Bad Gateway", "The site did not answer as it should. Please try again later." },
	{ 503, "Service Unavailable", "The site cannot be reached now. Please try again later." },
	{ 504, "Gateway Timeout", "The site took too long to answer. Please try again later." },
	{ 505, "HTTP Version Not Supported", "The server does not speak this version of HTTP." },
};

/* By class, for what a rule may choose beyond the table. */
static const struct status_text classes[] = {
	{ 1, "Information", "" },
	{ 2, "Success", "" },
	{ 3, "Redirection", "This page is at another address." },
	{ 4, "Request Refused", "This request was refused." },
	{ 5, "Server Error", "Something went wrong here. Please try again later." },
};
/* clang-format on */

static const struct status_text *
status_text(uint16_t status)
{
	size_t i;

	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return (&statuses[i]);
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (classes[i].status == status / 100)
			return (&classes[i]);
	return (&classes[4]);
}

const char *
page_reason_phrase(uint16_t status)
{
	return (status_text(status)->phrase);
}

/* --- Accept (RFC 9110 12.5.1) -------------------------------------------- */

/* How a media type fares: the quality of the range that names it best. */
struct preference {
	int exactness; /* -1 no range; 0 any type; 1 any subtype; 2 itself */
	unsigned quality; /* thousandths */
};

/* Up to a comma or semicolon outside quotes; taken off the front. */
static struct span
take_until(struct span *rest, char separator)
{
	struct span piece;
	bool quoted = false;
	size_t i;

	for (i = 0; i < rest->n; i++) {
		if (quoted && rest->p[i] == '\\')
			i++;
		else if (rest->p[i] == '"')
			quoted = !quoted;
		else if (!quoted && rest->p[i] == separator)
			break;
	}
	piece = span_cut(*rest, 0, i);
	*rest = span_cut(*rest, i + 1, rest->n);
	return (span_trim(piece));
}

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ) */
static bool
parse_quality(struct span s, unsigned *quality_r)
{
	unsigned value, unit = 100;
	size_t i;

	if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') ||
	    (s.n > 1 && s.p[1] != '.'))
		return (false);
	value = s.p[0] == '1' ? 1000 : 0;
	for (i = 2; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return (false);
		value += unit * (unsigned)(s.p[i] - '0');
		unit /= 10;
	}
	*quality_r = value;
	return (value <= 1000);
}

static void
consider(struct preference *best, struct span range, struct span type, unsigned quality)
{
	size_t slash = span_index(type, '/');
	int exactness = -1;

	if (span_eq_nocase(range, type))
		exactness = 2;
	else if (range.n == slash + 2 && range.p[slash + 1] == '*' &&
		 span_eq_nocase(
		     span_cut(range, 0, slash + 1), span_cut(type, 0, slash + 1)))
		exactness = 1;
	else if (span_eq(range, SPAN("*/*")))
		exactness = 0;
	if (exactness > best->exactness) {
		best->exactness = exactness;
		best->quality = quality;
	}
}

static bool
is_preferred(const struct preference *a, const struct preference *b)
{
	if (a->exactness < 0 || a->quality == 0)
		return (false);
	if (b->exactness < 0 || a->quality != b->quality)
		return (b->exactness < 0 || a->quality > b->quality);
	/* At a tie the one that is named beats the one that a wildcard covers:
	 * programs send "application/json, *" with both at 1. */
	return (a->exactness == 2 && b->exactness < 2);
}

bool
page_wants_json(struct span accept)
{
	struct preference html = { -1, 0 }, json = { -1, 0 }, problem = { -1, 0 };
	struct span rest = span_cut(accept, 0, ACCEPT_MAX), item, range, parameter;
	unsigned quality;
	bool valid;

	if (accept.p == NULL)
		return (false);
	while (rest.n > 0) {
		item = take_until(&rest, ',');
		range = take_until(&item, ';');
		quality = 1000;
		valid = range.n > 0;
		while (item.n > 0) {
			parameter = take_until(&item, ';');
			if (parameter.n >= 2 && (parameter.p[0] | 0x20) == 'q' &&
			    parameter.p[1] == '=')
				valid = valid &&
					parse_quality(span_cut(parameter, 2, parameter.n),
					    &quality);
		}
		if (!valid)
			continue;
		consider(&html, range, SPAN("text/html"), quality);
		consider(&json, range, SPAN("application/json"), quality);
		consider(&problem, range, SPAN("application/problem+json"), quality);
	}
	return (is_preferred(&json, &html) || is_preferred(&problem, &html));
}

/* --- bodies --------------------------------------------------------------- */

void
page_put_escaped(struct text *body, struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&': text_puts(body, "&amp;"); break;
		case '<': text_puts(body, "&lt;"); break;
		case '>': text_puts(body, "&gt;"); break;
		case '"': text_puts(body, "&quot;"); break;
		case '\'': text_puts(body, "&#39;"); break;
		default:
			/* Identifiers and URLs are ASCII; nothing else gets in. */
			if (s.p[i] >= 0x20 && s.p[i] < 0x7f)
				text_putc(body, s.p[i]);
			else
				text_putc(body, '?');
		}
	}
}

static void
put_head(struct text *body, const char *title)
{
	text_puts(body,
	    "<!DOCTYPE html>\n"
	    "<html lang=\"en\">\n"
	    "<head>\n"
	    "<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	    "<meta name=\"robots\" content=\"noindex\">\n"
	    "<meta name=\"color-scheme\" content=\"light dark\">\n"
	    "<title>");
	text_puts(body, title);
	text_puts(body,
	    "</title>\n"
	    "<style>\n"
	    ":root { color-scheme: light dark }\n"
	    "body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 36rem; "
	    "margin: 12vh auto; padding: 0 1.5rem }\n"
	    "h1 { font-size: 1.5rem; line-height: 1.25 }\n"
	    "code { font-size: 1.05em; overflow-wrap: anywhere; user-select: all }\n"
	    "</style>\n"
	    "</head>\n"
	    "<body>\n"
	    "<main>\n"
	    "<h1>");
}

static void
put_foot(struct text *body)
{
	text_puts(body, "</main>\n</body>\n</html>\n");
}

static void
put_html(struct text *body, uint16_t status, const struct status_text *st, struct span id)
{
	char title[64];

	(void)snprintf(title, sizeof(title), "%u %s", (unsigned)status, st->phrase);
	put_head(body, title);
	text_puts(body, title);
	text_puts(body, "</h1>\n");
	if (st->sentence[0] != '\0')
		text_printf(body, "<p>%s</p>\n", st->sentence);
	if (id.n > 0) {
		if (status >= 400)
			text_puts(body,
			    "<p>If you think that this is a mistake, give the number "
			    "below to "
			    "the people who run this site: it lets them find out what "
			    "happened.</p>\n");
		text_puts(body, "<p>Request <code>");
		page_put_escaped(body, id);
		text_puts(body, "</code></p>\n");
	}
	put_foot(body);
}

static void
put_problem(
    struct text *body, uint16_t status, const struct status_text *st, struct span id)
{
	struct json_out json;

	json_start(&json, body);
	json_object_begin(&json);
	json_pair(&json, "type", SPAN("about:blank"));
	json_pair(&json, "title", span_of(st->phrase));
	json_pair_int(&json, "status", status);
	json_pair(&json, "detail", span_of(st->sentence));
	json_pair(&json, "request_id", id);
	json_object_end(&json);
	text_putc(body, '\n');
}

struct span
page_refusal(
    struct text *body, uint16_t status, struct span request_id, struct span accept)
{
	const struct status_text *st = status_text(status);

	if (page_wants_json(accept)) {
		put_problem(body, status, st, request_id);
		return (PAGE_TYPE_PROBLEM);
	}
	put_html(body, status, st, request_id);
	return (PAGE_TYPE_HTML);
}

struct span
page_https_here(struct text *body, struct span https_url)
{
	static const char title[] = "This port speaks HTTPS";

	put_head(body, title);
	text_puts(body, title);
	text_puts(body, "</h1>\n<p>The request came unencrypted to a port that expects "
			"encryption.</p>\n");
	/* A link to anything but https would be none of ours. */
	if (span_starts(https_url, SPAN("https://"))) {
		text_puts(body, "<p>Go to <a href=\"");
		page_put_escaped(body, https_url);
		text_puts(body, "\">");
		page_put_escaped(body, https_url);
		text_puts(body, "</a></p>\n");
	}
	put_foot(body);
	return (PAGE_TYPE_HTML);
}
