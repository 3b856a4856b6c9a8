/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/answers.h - the part of the configuration that speaks of answers:
 * which are kept, compressed, and how their fields are changed. As in conf.h:
 * durations are microseconds, strings never NULL. */
#ifndef YETT_CONF_ANSWERS_H
#define YETT_CONF_ANSWERS_H

#include <stdbool.h>

#include "gateway/conf/controls.h"

/* cache: off, on, or a mapping, which means on. */
struct conf_cache_use {
	bool on;
	int64_t ttl;			/* of answers that say nothing; 0: not kept */
	struct conf_strings key;	/* "header:NAME", "country" */
	struct conf_key *keys;		/* the same, taken apart */
	size_t n_keys;
	struct conf_strings ignore_query;	/* parameters; "utm_*" */
	uint32_t heuristic;		/* percent of the age of an answer; 0: off */
	bool strip_cookies;		/* keep answers that set cookies, without those */
	bool ignore_requests;		/* a client's Cache-Control changes nothing */
	int64_t wait;			/* for an equal request's answer, then ask too */
};

/* compress: off, or a mapping; a site without it compresses nothing. */
struct conf_compress {
	bool on;
	struct conf_strings types;
	uint64_t min;			/* bytes */
	struct conf_strings encodings;	/* "zstd", "br", "gzip", best first */
	uint32_t level;			/* 0: the standard of each coding */
	bool secrets;			/* also what BREACH might read */
};

#define CONF_PAIRS_MAX 64		/* of one mapping */
#define CONF_PAIR_VALUE_MAX 4096	/* bytes */

/* `place` and `field` ("sites[0].headers.request.set.X-Id") are for who finds out
 * later that the value is not sound. */
struct conf_pair {
	const char *name, *value;
	struct conf_place place;
	const char *field;
};
struct conf_pairs { struct conf_pair *v; size_t n; };

/* Names are tokens, values have no control bytes; whether the fields may be changed
 * and what the values mean is not known here. */
struct conf_header_change {
	struct conf_pairs set, add;
	struct conf_strings remove;
	struct conf_pair *removed;	/* the same, with places; as many */
};

struct conf_headers {
	struct conf_place place;
	struct conf_header_change request, response;
	bool security;			/* the preset of security fields */
};

#endif
