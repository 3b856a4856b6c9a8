/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/store.h - answers kept in memory, found by key and Vary, and who is
 * asking the origin for which. Sharded by key, each shard under a lock of its own that
 * is held for short; any thread. Bounded to the byte: heads, keys, tags, bodies, the
 * slack of the allocator. What goes first is decided by S3-FIFO (Yang, Zhang, Qiu, Yue,
 * Rashmi: "FIFO queues are all you need for cache eviction", SOSP 2023), so that a
 * scan does not push out what is asked for often. Nothing survives the process. */
#ifndef YETT_CACHE_STORE_H
#define YETT_CACHE_STORE_H

#include "gateway/cache/key.h"
#include "gateway/cache/object.h"
#include "gateway/cache/vary.h"

/* Variants of one key; the oldest goes when there are more. */
#define CACHE_VARIANTS_MAX 32

/* All of it lies in one range of `memory` bytes, CACHE_MEMORY_MIN at least. NULL: the
 * system has no such range. */
#define CACHE_MEMORY_MIN (UINT64_C(1) << 20)
struct cache_store *cache_store_new(uint64_t memory, uint64_t max_object);
/* Nobody holds an object, body, flight or wait any more. */
void cache_store_free(struct cache_store **);
uint64_t cache_store_max_object(const struct cache_store *);

/* What is looked for. */
struct cache_question {
	struct cache_key key;
	struct span key_text;
	const struct http_fields *request;
	const struct cache_vary_rules *vary;
	struct text *scratch;			/* overwritten */
	int64_t now_us;				/* monotonic */
};

enum cache_found {
	CACHE_FOUND_NOTHING,	/* nothing under this key */
	CACHE_FOUND_OTHERS,	/* variants, none for this request */
	CACHE_FOUND,		/* *object_r: a reference; the newest by Date */
};
enum cache_found cache_store_find(struct cache_store *, const struct cache_question *,
    struct cache_object **object_r);
/* References to all variants of the key, at most `max`: for conditions and 304.
 * Returns how many. */
unsigned cache_store_variants(struct cache_store *, const struct cache_question *,
    struct cache_object **objects_r, unsigned max);
/* Takes a reference and the place of the variant with the same Vary key. Its body is
 * complete. False: it was invalidated or purged since `asked_us` (when the request for
 * it was sent to the origin) and is not kept. */
bool cache_store_put(struct cache_store *, const struct cache_key *,
    struct cache_object *, int64_t asked_us);

/* --- one request to the origin for many ---------------------------------- */

/* Concurrent requests for the same key, and, where its Vary is known, the same
 * variant. */
struct cache_flight;

enum cache_join {
	/* Ask the origin; then _land or _end, always. Look once more before
	 * (cache_store_find): the one who led until now may just have put it. */
	CACHE_LEAD,
	CACHE_FOLLOW,	/* somebody does: `wait` will be woken, then ask _news */
	CACHE_ALONE,	/* hit-for-miss, or no room: ask the origin; no flight */
};
/* `wait` NULL: does not follow (a refresh behind a stale answer), only says so;
 * *flight_r is then NULL unless LEAD. Leader and followers hold a reference. */
enum cache_join cache_flight_join(struct cache_store *, const struct cache_question *,
    struct cache_wait *wait, struct cache_flight **flight_r);

enum cache_news {
	CACHE_NEWS_NONE,	/* still nothing */
	/* *object_r: a reference; its body may be coming. Does it match
	 * (cache_vary_matches)? Else join again. May it be used (cache_use)? Else ask
	 * alone: who joins again is given the same. */
	CACHE_NEWS_LANDED,
	CACHE_NEWS_ENDED,	/* join again, or ask alone */
};
enum cache_news cache_flight_news(struct cache_flight *, struct cache_object **object_r);
/* Somebody follows: is it worth going on when the leader's client has left? So those
 * who read the body keep their flight until they are through. */
bool cache_flight_is_followed(const struct cache_flight *);

/* Leader: the head is there; wakes the followers. The flight is over for those who
 * come later only when the object is put, or ended. */
void cache_flight_land(struct cache_flight *, struct cache_object *);
/* Leader: the flight is over (after _land: the body is complete, or cut off). `mark_us`
 * > 0: it came to nothing, and sets a hit-for-miss mark of the key that lives so long:
 * an answer that is not to be kept does not make others wait. */
void cache_flight_end(struct cache_flight *, int64_t mark_us, int64_t now_us);
/* Gives the reference back; a leader that did not end ends it without a mark. A
 * follower waits no longer. */
void cache_flight_free(struct cache_flight **);

/* --- taking out ---------------------------------------------------------- */

/* All variants, and answers under way for it are not kept. */
unsigned cache_store_purge_key(struct cache_store *, const struct cache_key *,
    struct span key_text);
/* All objects with that tag (Surrogate-Key, and what the caller added). */
unsigned cache_store_purge_tag(struct cache_store *, struct span tag);
uint64_t cache_store_purge_all(struct cache_store *);

/* --- figures ------------------------------------------------------------- */

struct cache_figures {
	uint64_t memory, used;		/* bytes; used <= memory */
	uint64_t objects, keys;
	uint64_t inserted, evicted, purged, refused;	/* refused: no room */
	uint64_t flights, followers;	/* now */
	uint64_t marks;			/* hit-for-miss, now */
};
void cache_store_figures(struct cache_store *, struct cache_figures *figures_r);

#endif
