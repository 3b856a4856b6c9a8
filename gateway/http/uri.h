/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/http/uri.h - the one canonical form of a request target and of an
 * authority (RFC 3986, RFC 9110 4.2, RFC 9112 3.2). Route, WAF, cache and the
 * origin all get this form. What each oddity of a path becomes, and why, is in
 * docs/guide/http.md. Pure functions over an arena. */
#ifndef YETT_HTTP_URI_H
#define YETT_HTTP_URI_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/span.h"

enum uri_rc {
	URI_OK,
	URI_BAD_FORM,		/* not one of the four forms, bad byte */
	URI_BAD_ESCAPE,		/* % without two hex digits */
	URI_NUL,		/* %00 */
	URI_OVERLONG,		/* overlong UTF-8 sequence */
	URI_ABOVE_ROOT,		/* .. past the root */
	URI_HIDDEN_DOTS,	/* dot segment beside an encoded slash or backslash */
	URI_BAD_AUTHORITY,
	URI_FULL,		/* the arena is full */
};

const char *uri_rc_text(enum uri_rc);

struct uri_authority {
	struct span host;	/* lower case; "[2001:db8::1]" keeps its brackets */
	uint16_t port;		/* 0: none given */
};

struct uri_target {
	bool asterisk;			/* OPTIONS * */
	bool absolute;			/* authority came with the target */
	struct span scheme;		/* of absolute-form, lower case */
	struct uri_authority authority;	/* of absolute-form */
	/* Canonical and still escaped: starts with "/", unreserved bytes
	 * literal, escapes in upper case, no dot segments, no empty segments
	 * but a last one. "*" in all three for an asterisk. */
	struct span path;
	/* The path with every escape decoded but %2F and %5C. */
	struct span decoded;
	/* The path as an origin reads it that takes %2F and %5C for "/"; differs
	 * from `decoded` only if has_encoded_slash. Routing refuses a request
	 * whose two readings choose different routes. */
	struct span slashed;
	bool has_encoded_slash;
	bool has_query;			/* a "?" was there */
	struct span query;		/* without "?"; bytes >= 0x80 and those no URI
					 * may hold become %XX, escapes stay as sent */
};

/* `method` tells which forms are allowed: authority-form (CONNECT) is refused,
 * "*" is for OPTIONS. What was canonical as sent is not copied: the spans point
 * into `target` or into the arena. */
enum uri_rc uri_target_parse(struct uri_target *target_r, struct arena *,
    struct span method, struct span target);
/* Host field or authority: reg-name, IPv4 or bracketed IPv6, optional port;
 * user information is refused. Trailing dot of a name is dropped, IPv6 gets its
 * shortest form. As above, `host` may point into `text`. */
enum uri_rc uri_authority_parse(struct uri_authority *authority_r, struct arena *,
    struct span text);
/* Without an arena, for a parser that only wants a verdict. */
bool uri_authority_is_valid(struct span text);
/* Do two valid authorities name the same host and port? */
bool uri_authority_same(struct span a, struct span b, uint16_t default_port);

/* An absolute-form target taken apart, nothing checked yet but the scheme: false
 * when it is no http or https URI. `rest`: the path and query, maybe empty. */
struct uri_absolute {
	bool https;
	struct span authority, rest;
};
bool uri_absolute_split(struct uri_absolute *absolute_r, struct span target);

#endif
