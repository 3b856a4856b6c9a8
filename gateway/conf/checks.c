/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of single texts, for the rows of the directive tables. */
#include "config.h"

#include "gateway/conf/tables.h"

#include <stdlib.h>
#include <strings.h>

#define LABEL_MAX 63
#define NAME_MAX_BYTES 253

static bool
is_alnum(char c)
{
	return (
	    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
}

static void
to_lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

/* token of RFC 9110, 5.6.2 */
static bool
is_token(const char *text)
{
	for (; *text != '\0'; text++)
		if (!is_alnum(*text) && strchr("!#$%&'*+-.^_`|~", *text) == NULL)
			return (false);
	return (true);
}

static bool
is_made_of(const char *text, const char *further)
{
	for (; *text != '\0'; text++)
		if (!is_alnum(*text) && strchr(further, *text) == NULL)
			return (false);
	return (true);
}

static bool
no(struct text *why, const char *text)
{
	text_puts(why, text);
	return (false);
}

bool
check_node(char *text, struct text *why)
{
	if (strlen(text) > 64 || !is_made_of(text, "._-"))
		return (no(why, "up to 64 letters, digits, dots, - and _"));
	return (true);
}

static bool
is_dns_name(const char *text)
{
	struct span rest = span_of(text), label;

	if (rest.n == 0 || rest.n > NAME_MAX_BYTES || !is_made_of(text, "._-"))
		return (false);
	while (span_split(&rest, '.', &label))
		if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-')
			return (false);
	return (true);
}

bool
check_host_name(char *text, struct text *why)
{
	struct netaddr address;

	to_lower(text);
	if (!is_dns_name(text) && !netaddr_parse_ip(&address, span_of(text)))
		return (no(why, "a host name or an address, without a port"));
	return (true);
}

/* "[v6]": becomes the canonical form, which requests are compared with. */
static bool
check_host6(char *text, struct text *why)
{
	struct span inner = span_cut(span_of(text), 1, strlen(text) - 1);
	char canonical[NETADDR_TEXT_MAX];
	struct netaddr address;

	if (text[strlen(text) - 1] != ']' || !netaddr_parse_ip(&address, inner) ||
	    address.family != NETADDR_IP6)
		return (no(why, "an IPv6 address in brackets, without a port"));
	netaddr_ip_text(&address, canonical);
	if (strlen(canonical) <= inner.n) {
		memcpy(text + 1, canonical, strlen(canonical));
		memcpy(text + 1 + strlen(canonical), "]", 2);
	}
	return (true);
}

bool
check_host(char *text, struct text *why)
{
	size_t n = strlen(text);

	to_lower(text);
	if (text[0] == '[')
		return (check_host6(text, why));
	if (n > 1 && text[n - 1] == '.')
		text[n - 1] = '\0';
	if (strcmp(text, "*") == 0)
		return (true);
	if (!is_dns_name(strncmp(text, "*.", 2) == 0 ? text + 2 : text))
		return (no(why,
		    "a host name such as shop.example.com, \"*.example.com\" or \"*\", "
		    "without scheme and port, international names in their xn-- form"));
	return (true);
}

bool
check_method(char *text, struct text *why)
{
	const char *p;

	if (!is_token(text) || strlen(text) > 32)
		return (no(why, "a method such as GET"));
	for (p = text; *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			return (no(why, "a method in capitals, such as GET"));
	return (true);
}

bool
check_field_name(char *text, struct text *why)
{
	if (!is_token(text) || strlen(text) > 128)
		return (no(why, "the name of a header field, without a colon"));
	return (true);
}

bool
check_client_field(char *text, struct text *why)
{
	static const char *const taken[] = { "Host", "Cookie", "Authorization",
		"Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "TE",
		"Trailer", "Upgrade", "Expect" };
	size_t i;

	if (!check_field_name(text, why))
		return (false);
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcasecmp(text, taken[i]) == 0)
			return (no(why, "a field that holds addresses and nothing else"));
	return (true);
}

bool
check_media_type(char *text, struct text *why)
{
	const char *slash = strchr(text, '/');

	to_lower(text);
	if (slash == NULL || slash == text || slash[1] == '\0' ||
	    strchr(slash + 1, '/') != NULL || !is_made_of(text, "/!#$&-^_.+*"))
		return (no(why, "a media type such as text/html or text/*"));
	return (true);
}

bool
check_word(char *text, struct text *why)
{
	to_lower(text);
	if (strlen(text) > 64 || strchr(text, ' ') != NULL)
		return (no(why, "a word of up to 64 bytes"));
	return (true);
}

bool
check_tag(char *text, struct text *why)
{
	if (strlen(text) > 128 || !is_made_of(text, "_-./:"))
		return (
		    no(why, "a tag such as attack-sqli: letters, digits, and _ - . / :"));
	return (true);
}

/* A path is compared decoded and without its query. */
bool
check_path(char *text, struct text *why)
{
	const char *p = text[0] == '=' ? text + 1 : text;

	if (p[0] != '/')
		return (no(why, "/PREFIX or =/EXACT"));
	if (strpbrk(p, "?#") != NULL)
		return (no(why, "a path without its query: that is not compared"));
	for (; *p != '\0'; p++)
		if (p[0] == '%' && is_alnum(p[1]) && p[1] != '\0' && is_alnum(p[2]))
			return (no(why,
			    "the path decoded: requests are decoded before they are "
			    "compared"));
	return (true);
}

bool
check_route_path(char *text, struct text *why)
{
	if (strncmp(text, "~ ", 2) == 0 && text[2] != '\0')
		return (true);
	if (text[0] != '/' && text[0] != '=')
		return (no(why, "/PREFIX, =/EXACT or \"~ REGEX\""));
	return (check_path(text, why));
}

bool
check_key(char *text, struct text *why)
{
	static const char *const words[] = { "client", "route", "site", "path", "country",
		"asn" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0)
			return (true);
	for (i = 0; i < 2; i++) {
		const char *prefix = i == 0 ? "header:" : "cookie:";

		if (strncmp(text, prefix, 7) == 0 && text[7] != '\0' &&
		    is_token(text + 7))
			return (true);
	}
	return (no(
	    why, "client, route, site, path, country, asn, header:NAME or cookie:NAME"));
}

/* What a server is chosen by: the client chooses it, or the path. */
bool
check_hash_key(char *text, struct text *why)
{
	struct text ignored;
	bool good;

	text_init(&ignored, 200);
	good = check_key(text, &ignored) && strcmp(text, "route") != 0 &&
	       strcmp(text, "site") != 0 && strcmp(text, "country") != 0 &&
	       strcmp(text, "asn") != 0;
	text_free(&ignored);
	return (good || no(why, "client, path, header:NAME or cookie:NAME"));
}

/* What tells answers apart. Not the client: nobody would share anything. */
bool
check_cache_key(char *text, struct text *why)
{
	struct text ignored;
	bool good;

	text_init(&ignored, 200);
	good = check_key(text, &ignored) && strcmp(text, "client") != 0 &&
	       strcmp(text, "route") != 0 && strcmp(text, "site") != 0 &&
	       strcmp(text, "path") != 0;
	text_free(&ignored);
	return (good || no(why, "header:NAME, cookie:NAME, country or asn"));
}

/* Compared with what the query has before the "=", as it was sent. */
bool
check_parameter(char *text, struct text *why)
{
	size_t n = strlen(text), i;

	for (i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~' || strchr("&=;#?", text[i]) != NULL ||
		    (text[i] == '*' && i + 1 < n))
			break;
	if (i < n || n > 128)
		return (no(why, "the name of a parameter, with a * at its end or none"));
	return (true);
}

bool
check_cookie_name(char *text, struct text *why)
{
	if (!is_token(text) || strlen(text) > 64)
		return (no(why, "the name of a cookie, up to 64 bytes"));
	return (true);
}

/* It becomes part of a request line. */
bool
check_request_target(char *text, struct text *why)
{
	const char *p;

	for (p = text; *p > ' ' && *p <= '~' && *p != '#'; p++)
		;
	if (text[0] != '/' || *p != '\0' || strlen(text) > 1024)
		return (
		    no(why, "a path of up to 1024 printable bytes, such as /healthz"));
	return (true);
}

/* It becomes a Host field: exact syntax is the origin's matter. */
bool
check_authority(char *text, struct text *why)
{
	if (strlen(text) > NAME_MAX_BYTES + 6 || !is_made_of(text, "._-:[]"))
		return (no(why, "a host name or an address, with a port or without"));
	return (true);
}

bool
check_field_text(char *text, struct text *why)
{
	const char *p;

	for (p = text; *p != '\0'; p++)
		if ((*p >= '\0' && *p < ' ' && *p != '\t') || *p == 0x7f)
			return (no(why, "a text without control bytes"));
	if (p - text > CONF_PAIR_VALUE_MAX)
		return (no(why, "a text of up to 4096 bytes"));
	return (true);
}

static bool
is_status(struct span text)
{
	uint64_t status;

	return (span_u64(text, &status) && status >= 100 && status <= 599);
}

bool
check_status_range(char *text, struct text *why)
{
	struct span rest = span_of(text), low, high;

	if (!span_split(&rest, '-', &low))
		return (no(why, "a status"));
	high = rest.p != NULL ? rest : low;
	if (!is_status(low) || !is_status(high) ||
	    strtoul(low.p, NULL, 10) > strtoul(high.p, NULL, 10))
		return (no(why, "a status such as 200, or a range such as 200-399"));
	return (true);
}

static bool
is_one_of(const char *text, const char *const *words, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(text, words[i]) == 0)
			return (true);
	return (false);
}

bool
check_country(char *text, struct text *why)
{
	static const char *const words[] = { "unknown", "private" };

	if (is_one_of(text, words, sizeof(words) / sizeof(words[0])))
		return (true);
	if (strlen(text) != 2 || text[0] < 'A' || text[0] > 'Z' || text[1] < 'A' ||
	    text[1] > 'Z')
		return (no(why, "a code of two capitals such as DE, unknown or private"));
	return (true);
}

bool
check_continent(char *text, struct text *why)
{
	static const char *const words[] = { "AF", "AN", "AS", "EU", "NA", "OC", "SA",
		"unknown", "private" };

	if (is_one_of(text, words, sizeof(words) / sizeof(words[0])))
		return (true);
	return (no(why, "AF, AN, AS, EU, NA, OC, SA, unknown or private"));
}

/* It stands between quotes in a header field. */
bool
check_realm(char *text, struct text *why)
{
	const char *p;

	for (p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
			return (
			    no(why, "printable ASCII without quotes and backslashes"));
	if (strlen(text) > 128)
		return (no(why, "up to 128 characters"));
	return (true);
}

bool
check_redis_user(char *text, struct text *why)
{
	const char *p;

	for (p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return (no(why, "printable ASCII without spaces"));
	if (strlen(text) > 128)
		return (no(why, "up to 128 characters"));
	return (true);
}

/* No braces: those would choose the slot of a cluster. */
bool
check_redis_prefix(char *text, struct text *why)
{
	if (strlen(text) > 64 || !is_made_of(text, "._-:/"))
		return (no(why, "up to 64 letters, digits and . _ - : /"));
	return (true);
}

bool
check_address(char *text, struct text *why)
{
	struct netaddr address;

	if (netaddr_parse(&address, span_of(text), NULL) != ERR_OK)
		return (no(why, "\"IPV4:PORT\", \"[IPV6]:PORT\" or \"unix:/PATH\""));
	return (true);
}

bool
check_dns_server(char *text, struct text *why)
{
	struct netaddr address;

	if (netaddr_parse_ip(&address, span_of(text)) ||
	    (netaddr_parse(&address, span_of(text), NULL) == ERR_OK &&
		address.family != NETADDR_UNIX && address.port != 0))
		return (true);
	return (no(why, "an IPv4 or IPv6 address, or \"IPV4:PORT\" or \"[IPV6]:PORT\""));
}
