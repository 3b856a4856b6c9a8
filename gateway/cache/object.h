/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/cache/object.h - one stored answer: a head that never changes, and a body
 * that may still be coming. Both are reference-counted and may be read by any thread;
 * what evicts or purges an object only takes it out of the store, the last reader
 * frees it. Its memory counts in the store until then. */
#ifndef YETT_CACHE_OBJECT_H
#define YETT_CACHE_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cache/control.h"
#include "gateway/cache/freshness.h"
#include "gateway/cache/validate.h"
#include "gateway/loop/loop.h"
#include "gateway/loop/stream.h"

struct cache_store;

/* --- waiting ------------------------------------------------------------- */

/* A request that waits for another's answer, or for more of a body. `wake(data)` is
 * called on `home`, each time after a call that said WAIT; never from inside a call of
 * this module, never after cache_wait_free. */
struct cache_wait;
struct cache_wait *cache_wait_new(struct loop *home, void (*wake)(void *), void *data);
/* On `home`; also while a wake is on its way. */
void cache_wait_free(struct cache_wait **);

/* --- bodies -------------------------------------------------------------- */

struct cache_body;

/* `length`: of the whole, which is set aside at once so that it can't run out of room;
 * CACHE_LENGTH_UNKNOWN: room is taken as bytes come. NULL: larger than max_object, or
 * no room could be made. The one who made it writes it, on one thread. */
#define CACHE_LENGTH_UNKNOWN UINT64_MAX
struct cache_body *cache_body_new(struct cache_store *, uint64_t length);
struct cache_body *cache_body_ref(struct cache_body *);
void cache_body_free(struct cache_body **);

/* Copies. False: it would be more than max_object or `length`, or there is no room:
 * nothing of it was taken and the body is given up (see cache_body_end). */
bool cache_body_append(struct cache_body *, struct span);
/* Nothing comes any more. `complete`: it is whole, by its own framing; else it is cut
 * off: readers get what is there and then CACHE_BODY_CUT. Wakes readers. A body whose
 * last reference goes before it was ended counts as cut off. */
void cache_body_end(struct cache_body *, bool complete);
bool cache_body_is_complete(const struct cache_body *);
/* Of the whole, where it is known: as told to _new, or once it is complete; else
 * CACHE_LENGTH_UNKNOWN. */
uint64_t cache_body_length(const struct cache_body *);
/* Bytes there now; of a complete one all. */
uint64_t cache_body_bytes(const struct cache_body *);

enum cache_body_rc {
	CACHE_BODY_DATA,	/* *piece_r: valid as long as the reference */
	CACHE_BODY_WAIT,	/* the `wait` will be woken */
	CACHE_BODY_END,
	CACHE_BODY_CUT,
};
/* What lies at `offset`, as much as is in one piece and not beyond `end`. `wait` may be
 * NULL: WAIT then wakes nobody (the writer itself reads). Any thread, one for each
 * `wait`. */
enum cache_body_rc cache_body_read(struct cache_body *, uint64_t offset, uint64_t end,
    struct cache_wait *wait, struct span *piece_r);

/* Bytes of a piece that the kernel may take as a file, without a copy, and keep beyond
 * the body's end: `n_r` of them from `*from_r` on. False: none, copy them. */
bool cache_body_lend(struct cache_body *, struct span piece, struct stream_file *file_r,
    size_t *from_r, size_t *n_r);

/* --- objects ------------------------------------------------------------- */

/* Immutable. All spans point into the object. */
struct cache_object {
	unsigned magic;
	uint16_t status;
	struct span reason;
	/* What is kept (cache_field_is_kept): neither framing nor hop-by-hop fields. */
	struct http_fields fields;
	struct cache_life life;
	struct cache_validators validators;
	struct span key_text;
	struct span vary_names, vary_key;
	struct cache_body *body;
	/* from here on the store's own */
	struct cache_store *store;
};

/* What an object is made of; copied. */
struct cache_draft {
	uint16_t status;
	struct span reason;
	const struct http_fields *fields;	/* as the origin sent them, or merged */
	const struct cache_control *control;	/* which of them are kept */
	const struct cache_life *life;
	int64_t wall_s;				/* when it came */
	struct span key_text, vary_names, vary_key;
	const struct cache_tags *tags;		/* may be NULL */
	struct cache_body *body;		/* a reference is taken */
	/* Refreshed by a 304: its compressed forms are taken over. NULL: none. */
	const struct cache_object *from;
};
/* NULL: no room. */
struct cache_object *cache_object_new(struct cache_store *, const struct cache_draft *);
struct cache_object *cache_object_ref(struct cache_object *);
void cache_object_free(struct cache_object **);

/* Compressed forms of a whole body, made once: `coding` is a number below
 * CACHE_DERIVED. NULL: not there (yet). A reference. */
#define CACHE_DERIVED 3
struct cache_body *cache_object_derived(const struct cache_object *, unsigned coding);
/* May the caller make it? True for one at a time; that one ends with _derive, with a
 * complete body (a reference is taken) or with NULL when it came to nothing. */
bool cache_object_may_derive(struct cache_object *, unsigned coding);
void cache_object_derive(struct cache_object *, unsigned coding, struct cache_body *);

#endif
