/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/key.h - the primary key (RFC 9111 2): what names an answer, made from
 * the canonical request only, so that the cache and the origin mean the same by it.
 * Pure functions.
 *
 * The text is "scheme://host[:port]/path[?query]", default port left out, and for a
 * route with parts of its own "\n" and those. It is kept with what is stored and
 * compared on every hit: the hash only finds the place. Nothing that is not in the key
 * may change an answer that is stored: fields, cookies and parameters that are ignored
 * here either don't reach the origin or are named in Vary. */
#ifndef YETT_CACHE_KEY_H
#define YETT_CACHE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/hash.h"
#include "gateway/http/message.h"

struct cache_key {
	uint64_t half[2];
};

/* Of the process, random: nobody can make keys collide. */
struct cache_secret {
	struct hash_key half[2];
};

/* May a request use the cache at all? */
enum cache_admission {
	CACHE_ADMIT,
	CACHE_ADMIT_NOT_METHOD,		/* neither GET nor HEAD */
	CACHE_ADMIT_NOT_BODY,		/* a GET with content: not in the key */
	CACHE_ADMIT_NOT_OVERRIDE,	/* X-HTTP-Method-Override and its like */
	CACHE_ADMIT_NOT_TARGET,		/* "*" */
};
enum cache_admission cache_admit(const struct http_request *);

/* What is named: of a request, or of a URI that is purged or invalidated. */
struct cache_target {
	struct span scheme;		/* "http", "https" */
	struct span host;		/* canonical, without port */
	uint16_t port;			/* 0: the default */
	struct span path;		/* canonical, still escaped */
	bool has_query;
	struct span query;		/* canonical, still escaped */
};
void cache_target_of(struct cache_target *target_r, const struct http_request *);

struct cache_key_rules {
	/* Parameters that are left out, "utm_*" is all that begin so. Names are
	 * compared as sent, with case: "%75tm_source" is another parameter. */
	const struct span *ignore_query;
	unsigned n_ignore_query;
	struct span parts;		/* the route's own, made by the caller */
};

/* The query without the ignored parameters, the others in their order. The origin
 * must be sent this one: else a parameter that is not in the key could change what is
 * stored. One with ";" in it stays: to some origins it is two. False: nothing of it
 * is left, or it did not fit (text->overflow), and there is no "?". */
bool cache_put_query(struct text *, const struct cache_target *,
    const struct cache_key_rules *);
/* Makes the text (it is reset) and its hash. False when the text did not fit: the
 * request goes past the cache. */
bool cache_key_make(struct cache_key *key_r, struct text *, const struct cache_secret *,
    const struct cache_target *, const struct cache_key_rules *);
struct cache_secret cache_secret_random(void);

/* The key as a tag (control.h), for answers whose keys have parts of the route's own:
 * each form of an answer has a place of its own then, and this names them all. No
 * origin can send it: the hash is keyed. */
#define CACHE_KEY_TAG_MAX 34
void cache_key_tag(const struct cache_key *, char out[CACHE_KEY_TAG_MAX]);

#endif
