/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/vary.h - the secondary key (RFC 9111 4.1): the fields that Vary
 * names, with their values in the request, as one text. Two requests match a variant
 * when their texts are the same bytes. Pure functions. */
#ifndef YETT_CACHE_VARY_H
#define YETT_CACHE_VARY_H

#include <stdbool.h>

#include "gateway/base/buf.h"
#include "gateway/cache/list.h"

#define CACHE_VARY_MAX 16

/* Names of Vary in order, without regard to case, each once. */
struct cache_vary {
	struct span v[CACHE_VARY_MAX];
	unsigned n;
};

/* Codings of Accept-Encoding that matter to a route. */
enum cache_coding {
	CACHE_CODING_GZIP = 1u << 0, /* and x-gzip */
	CACHE_CODING_BR = 1u << 1,
	CACHE_CODING_ZSTD = 1u << 2,
	CACHE_CODING_IDENTITY = 1u << 3,
};

struct cache_vary_rules {
	/* Accept-Encoding becomes the set of these codings that it accepts, in a
	 * fixed order: "gzip, br" and "br;q=0.5,gzip" are one variant. 0: its text
	 * counts. Right for origins that choose by their own order; who asks for
	 * one coding more than for another may get the other. */
	unsigned codings;
};

/* False when nothing may be stored under it: "*", a name that is no token, one of a
 * field in which the origin is told who the client is, or more than CACHE_VARY_MAX
 * names. No Vary: true, and n is 0. What has a Content-Encoding varies by
 * Accept-Encoding, said or not: not everybody can read it. */
bool cache_vary_read(struct cache_vary *vary_r, const struct http_fields *answer);

/* The names as kept with a stored answer: "accept-encoding,origin". */
void cache_vary_put_names(struct text *, const struct cache_vary *);
/* ... and back; they are trusted. */
void cache_vary_of_names(struct cache_vary *vary_r, struct span names);

/* Appends the request's secondary key: for each name "name:value\n", or "name\n" when
 * the request has no such field, so absent is not empty. Several lines are joined, and
 * white space around commas outside of quotes is dropped; neither changes the sense of
 * a field (RFC 9111 4.1). No value holds "\n". False when it did not fit, or the
 * origin may see another value (http_field_is_plain): the variant is neither stored
 * nor found. */
bool cache_vary_put_key(struct text *, const struct cache_vary *,
    const struct http_fields *request, const struct cache_vary_rules *);

/* Is a variant, stored with these names and this key, the one for this request?
 * `scratch` is reset and overwritten. */
bool
cache_vary_matches(struct span names, struct span key, const struct http_fields *request,
    const struct cache_vary_rules *, struct text *scratch);

/* The codings among `wanted` that Accept-Encoding accepts (RFC 9110 12.5.3). With no
 * such field that is identity only: any coding would be allowed, but who doesn't say
 * so often can't read it, and servers send it none. */
unsigned cache_codings(const struct http_fields *request, unsigned wanted);

#endif
