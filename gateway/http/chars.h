/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/http/chars.h - which bytes may stand where, as one table of 256
 * bytes for all grammars, and scans over runs of them. Pure functions. */
#ifndef YETT_HTTP_CHARS_H
#define YETT_HTTP_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_char {
	CHAR_TOKEN = 1, /* tchar, RFC 9110 5.6.2 */
	CHAR_VALUE = 2, /* field value: HTAB, SP, VCHAR, obs-text */
	CHAR_TARGET = 4, /* what a request target may be sent with */
	CHAR_LITERAL = 8, /* needs no escape in a canonical path or query */
	CHAR_UNRESERVED = 16, /* an escape of it is decoded, RFC 3986 2.3 */
	CHAR_NAME = 32, /* of a registered name in an authority */
	CHAR_HEX = 64,
	CHAR_QUOTED = 128, /* inside a quoted-string, but not \ and " */
};

extern const uint8_t http_chars[256];

static inline bool
char_is(char c, unsigned classes)
{
	return ((http_chars[(unsigned char)c] & classes) != 0);
}

static inline char
char_lower(char c)
{
	return ((char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
}

/* Of a byte of CHAR_HEX. */
static inline unsigned
char_hex_value(char c)
{
	return ((unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10));
}

/* Index of the first byte at or behind `from` that is not of the class; n when
 * all are. */
size_t char_run(const char *p, size_t from, size_t n, unsigned classes);
/* The same for CHAR_VALUE, which has the long runs. */
size_t char_run_value(const char *p, size_t from, size_t n);

#endif
