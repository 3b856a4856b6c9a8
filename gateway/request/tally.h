/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/tally.h - counts of requests by what became of them. Each worker
 * thread writes its own; any thread may add them up. */
#ifndef YETT_TALLY_H
#define YETT_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/filter/compress.h"

#define TALLY_CLASSES 6	/* of the status: 0 is no answer, 2 is 2xx */
#define TALLY_REASONS 11

/* What the cache did. */
#define TALLY_CACHES(C)							\
	C(HIT, "hit")							\
	C(STALE, "stale")		/* served though not fresh */	\
	C(VALIDATED, "validated")	/* the origin said that it holds */ \
	C(COLLAPSED, "collapsed")	/* another request asked */	\
	C(MISS, "miss")							\
	C(BYPASS, "bypass")

enum tally_cache {
#define TALLY_CACHE_ENUM(name, text)	TALLY_CACHE_##name,
	TALLY_CACHES(TALLY_CACHE_ENUM)
#undef TALLY_CACHE_ENUM
	TALLY_CACHE
};
extern const char *const tally_cache_texts[TALLY_CACHE];

/* Audit reasons, and "other" for what is none of them. */
extern const char *const tally_reasons[TALLY_REASONS];

struct tally {
	atomic_uint_fast64_t answers[TALLY_CLASSES];
	atomic_uint_fast64_t blocked[TALLY_REASONS], detected[TALLY_REASONS];
	atomic_uint_fast64_t cache[TALLY_CACHE];
	/* answers where compression is on, by why they were not compressed, and
	 * bytes of bodies before and after */
	atomic_uint_fast64_t packs[COMPRESS_WHY_COUNT], packed_in, packed_out;
};

/* `reason` NULL: neither refused nor detected. */
void tally_add(struct tally *, unsigned status, const char *reason, bool blocked);
void tally_add_cache(struct tally *, enum tally_cache);
void tally_pack(struct tally *, enum compress_why);
void tally_packed(struct tally *, uint64_t in, uint64_t out);
/* Adds `more` to `sum`, which nobody else uses. */
void tally_sum(struct tally *sum, const struct tally *more);

#endif
