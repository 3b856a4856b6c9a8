/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/http/fields.h - field lines (RFC 9110 section 5) as spans into the
 * buffer they were parsed from, each with the identity of a name that Yett
 * knows, so that nobody compares strings twice. One thread at a time. */
#ifndef YETT_HTTP_FIELDS_H
#define YETT_HTTP_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"

/* Known names, lower case. */
#define HTTP_FIELD_NAMES(F)						\
	F(ACCEPT, "accept")						\
	F(ACCEPT_ENCODING, "accept-encoding")				\
	F(AGE, "age")							\
	F(ALT_SVC, "alt-svc")						\
	F(AUTHORIZATION, "authorization")				\
	F(CACHE_CONTROL, "cache-control")				\
	F(CDN_CACHE_CONTROL, "cdn-cache-control")			\
	F(CONNECTION, "connection")					\
	F(CONTENT_ENCODING, "content-encoding")				\
	F(CONTENT_LENGTH, "content-length")				\
	F(CONTENT_RANGE, "content-range")				\
	F(CONTENT_TYPE, "content-type")					\
	F(COOKIE, "cookie")						\
	F(DATE, "date")							\
	F(ETAG, "etag")							\
	F(EXPECT, "expect")						\
	F(EXPIRES, "expires")						\
	F(FORWARDED, "forwarded")					\
	F(HOST, "host")							\
	F(HTTP2_SETTINGS, "http2-settings")				\
	F(IF_MATCH, "if-match")						\
	F(IF_MODIFIED_SINCE, "if-modified-since")			\
	F(IF_NONE_MATCH, "if-none-match")				\
	F(IF_RANGE, "if-range")						\
	F(IF_UNMODIFIED_SINCE, "if-unmodified-since")			\
	F(KEEP_ALIVE, "keep-alive")					\
	F(LAST_MODIFIED, "last-modified")				\
	F(LOCATION, "location")						\
	F(MAX_FORWARDS, "max-forwards")					\
	F(PRAGMA, "pragma")						\
	F(PROXY_AUTHENTICATE, "proxy-authenticate")			\
	F(PROXY_AUTHORIZATION, "proxy-authorization")			\
	F(PROXY_CONNECTION, "proxy-connection")				\
	F(RANGE, "range")						\
	F(REFERER, "referer")						\
	F(SERVER, "server")						\
	F(SET_COOKIE, "set-cookie")					\
	F(SURROGATE_CAPABILITY, "surrogate-capability")			\
	F(SURROGATE_CONTROL, "surrogate-control")			\
	F(SURROGATE_KEY, "surrogate-key")				\
	F(TE, "te")							\
	F(TRAILER, "trailer")						\
	F(TRANSFER_ENCODING, "transfer-encoding")			\
	F(UPGRADE, "upgrade")						\
	F(USER_AGENT, "user-agent")					\
	F(VARY, "vary")							\
	F(VIA, "via")							\
	F(X_FORWARDED_FOR, "x-forwarded-for")				\
	F(X_FORWARDED_HOST, "x-forwarded-host")				\
	F(X_FORWARDED_PROTO, "x-forwarded-proto")			\
	F(X_REQUEST_ID, "x-request-id")

enum http_field_id {
	HTTP_OTHER = 0,
#define HTTP_FIELD_ENUM(id, name)	HTTP_##id,
	HTTP_FIELD_NAMES(HTTP_FIELD_ENUM)
#undef HTTP_FIELD_ENUM
	HTTP_FIELD_ID_COUNT
};

struct http_field {
	struct span name;	/* as sent */
	struct span value;	/* without outer white space */
	enum http_field_id id;
	bool hop_by_hop;	/* by RFC 9110 7.6.1, or named in Connection */
};

struct http_fields {
	struct http_field *v;	/* the caller's array */
	uint32_t n, max;
	uint16_t count[HTTP_FIELD_ID_COUNT];	/* how often each known name came */
};

void http_fields_init(struct http_fields *, struct http_field *array, uint32_t max);
/* False when the array is full. */
bool http_fields_add(struct http_fields *, struct span name, struct span value);
/* First of that identity, NULL when there is none. */
const struct http_field *http_fields_get(const struct http_fields *, enum http_field_id);
/* Value of the first, absent span when there is none. */
struct span http_fields_value(const struct http_fields *, enum http_field_id);
enum http_field_id http_field_id(struct span name);
/* Sets hop_by_hop everywhere it belongs. Content-Length, Host and other fields
 * that framing or routing rest on are never taken off by Connection. */
void http_fields_mark_hops(struct http_fields *);
/* Does a comma-separated list in any field of that identity hold the token? */
bool http_fields_have_token(const struct http_fields *, enum http_field_id,
    struct span token);

#endif
