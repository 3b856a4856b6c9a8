/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: one writer, any number of readers, bytes that never move. */
#include "config.h"

#include "gateway/cache/store_inside.h"

#include "gateway/base/check.h"

#include <string.h>

/* One piece at most; small enough that a hole for it is found. */
#define PIECE_MAX ((size_t)256 * 1024)
/* Where no such hole is there, the largest ones there are, but not crumbs. */
#define PIECE_LEAST ((size_t)4096)
/* Less is copied faster than lent. */
#define LEND_LEAST ((size_t)32 * 1024)
/* Of a body of unknown length, with its head; each next one doubles it. */
#define FIRST_PIECE ((size_t)4096)

uint64_t
body_cost(const struct cache_body *body)
{
	return (body->cost);
}

static void
waited_ref(struct waited *waited)
{
	struct cache_body *body =
	    (void *)((char *)waited - offsetof(struct cache_body, waited));

	(void)cache_body_ref(body);
}

static void
waited_unref(struct waited *waited)
{
	struct cache_body *body =
	    (void *)((char *)waited - offsetof(struct cache_body, waited));

	cache_body_free(&body);
}

/* --- room ---------------------------------------------------------------- */

/* An index with room for one piece more, or NULL. */
static struct piece_index *
index_for_one(struct cache_body *body)
{
	struct piece_index *index = atomic_load(&body->index), *larger;
	uint32_t max = index->max * 2 < 8 ? 8 : index->max * 2;

	if (atomic_load(&body->n_pieces) < index->max)
		return (index);
	larger = store_alloc(body->store, sizeof(*larger) + max * sizeof(larger->v[0]));
	if (larger == NULL)
		return (NULL);
	body->cost += heap_cost(larger);
	larger->before = index;
	larger->max = max;
	larger->v = (struct piece *)(larger + 1);
	memcpy(larger->v, index->v, index->max * sizeof(index->v[0]));
	atomic_store_explicit(&body->index, larger, memory_order_release);
	return (larger);
}

/* One piece of at most `want` bytes. */
static bool
add_piece(struct cache_body *body, size_t want)
{
	struct piece_index *index = index_for_one(body);
	size_t least = want < PIECE_LEAST ? want : PIECE_LEAST, room;
	unsigned n = atomic_load(&body->n_pieces);
	char *p;

	if (index == NULL)
		return (false);
	p = store_alloc_most(body->store, least, want, &body->credit);
	if (p == NULL)
		return (false);
	body->cost += heap_cost(p);
	room = heap_room(p);
	if (body->length != CACHE_LENGTH_UNKNOWN && room > body->length - body->room)
		room = (size_t)(body->length - body->room);
	index->v[n].p = p;
	index->v[n].end = body->room + room;
	body->room += room;
	atomic_store_explicit(&body->n_pieces, n + 1, memory_order_release);
	return (true);
}

/* How much to ask for, when `n` bytes in all are needed. */
static uint64_t
wanted(const struct cache_body *body, uint64_t n)
{
	uint64_t need = n - body->room, left, want = need;

	/* What comes unannounced, goes on: as much again. */
	if (body->length == CACHE_LENGTH_UNKNOWN && need < body->room) {
		left = body->store->max_object - body->room;
		want = body->room < left ? body->room : left;
	}
	if (want < need)
		want = need;
	return (want < PIECE_MAX ? want : PIECE_MAX);
}

/* Room for `n` bytes in all. */
static bool
make_room(struct cache_body *body, uint64_t n)
{
	while (body->room < n)
		if (!add_piece(body, (size_t)wanted(body, n)))
			return (false);
	return (true);
}

static char *
page_up(char *p)
{
	return (p + (STORE_PAGE - (uintptr_t)p % STORE_PAGE) % STORE_PAGE);
}

static char *
page_down(char *p)
{
	return (p - (uintptr_t)p % STORE_PAGE);
}

/* A body of one piece that is worth lending ends where a page ends: so that its first
 * bytes go with the head, and all the others are whole pages. */
static bool
is_aligned(uint64_t length)
{
	return (length >= LEND_LEAST && length <= PIECE_MAX);
}

static char *
first_byte(struct cache_body *body, uint64_t length)
{
	char *first = (char *)(body + 1), *end = (char *)body + heap_room(body);

	if (!is_aligned(length) || (uint64_t)(end - first) < length + STORE_PAGE)
		return (first);
	return (page_up(first + length) - length);
}

static struct cache_body *
body_alloc(struct cache_store *store, uint64_t length)
{
	struct cache_body *body = NULL;
	size_t size = FIRST_PIECE - HEAP_HEAD, least;
	uint64_t credit = 0;

	if (length != CACHE_LENGTH_UNKNOWN)
		size = sizeof(*body) + (length <= PIECE_MAX ? (size_t)length : 0) +
		       (is_aligned(length) ? STORE_PAGE : 0);
	least = sizeof(*body) + PIECE_LEAST;
	body = store_alloc_most(store, least < size ? least : size, size, &credit);
	if (body == NULL)
		return (NULL);
	memset(body, 0, sizeof(*body));
	body->magic = BODY_MAGIC;
	atomic_init(&body->refs, 1);
	body->store = store;
	body->length = length;
	body->cost = heap_cost(body);
	body->credit = credit;
	body->first.p = first_byte(body, length);
	body->room = heap_room(body) - (size_t)(body->first.p - (char *)body);
	if (body->room > length)
		body->room = length;
	body->one.max = 1;
	body->one.v = &body->first;
	body->first.end = body->room;
	atomic_init(&body->n_pieces, 1);
	atomic_init(&body->index, &body->one);
	body->waited.lock = store_waiters(store, body);
	body->waited.ref = waited_ref;
	body->waited.unref = waited_unref;
	return (body);
}

struct cache_body *
cache_body_new(struct cache_store *store, uint64_t length)
{
	struct cache_body *body;

	CHECK_OBJ(store, STORE_MAGIC);
	if (length != CACHE_LENGTH_UNKNOWN && length > store->max_object)
		return (NULL);
	body = body_alloc(store, length);
	if (body != NULL && length != CACHE_LENGTH_UNKNOWN && !make_room(body, length))
		cache_body_free(&body);
	return (body);
}

struct cache_body *
cache_body_ref(struct cache_body *body)
{
	CHECK_OBJ(body, BODY_MAGIC);
	atomic_fetch_add_explicit(&body->refs, 1, memory_order_relaxed);
	return (body);
}

/* What was lent may be read for as long as a client takes its time: it must never be
 * overwritten. So these pages are left to whoever has them. False: `block`, in which
 * the piece lies, can't be given back. */
static bool
take_back(struct cache_body *body, const struct piece *piece, uint64_t start, void *block)
{
	uint64_t bytes = atomic_load(&body->bytes), end = piece->end;
	char *from, *to;

	if (end > bytes)
		end = bytes;
	if (!atomic_load(&body->lent) || end <= start)
		return (true);
	from = page_up(piece->p);
	to = page_down(piece->p + (end - start));
	if (from >= to || store_detach(body->store, from, to))
		return (true);
	atomic_fetch_add(&body->store->lost, heap_cost(block));
	return (false);
}

void
cache_body_free(struct cache_body **body_ptr)
{
	struct cache_body *body = *body_ptr;
	struct piece_index *index, *before;
	struct heap *heap;
	bool may_reuse;
	unsigned i;

	if (body == NULL)
		return;
	CHECK_OBJ(body, BODY_MAGIC);
	*body_ptr = NULL;
	if (atomic_fetch_sub_explicit(&body->refs, 1, memory_order_acq_rel) != 1)
		return;
	/* Who waits has a reference, so nobody does. */
	CHECK(body->waited.first == NULL);
	heap = &body->store->heap;
	index = atomic_load(&body->index);
	may_reuse = take_back(body, &index->v[0], 0, body);
	for (i = 1; i < atomic_load(&body->n_pieces); i++)
		if (take_back(body, &index->v[i], index->v[i - 1].end, index->v[i].p))
			heap_free(heap, index->v[i].p);
	for (; index != &body->one; index = before) {
		before = index->before;
		heap_free(heap, index);
	}
	body->magic = 0;
	if (may_reuse)
		heap_free(heap, body);
}

/* --- writing ------------------------------------------------------------- */

/* The piece that has the byte at `offset`. */
static const struct piece *
piece_at(const struct cache_body *body, uint64_t offset, uint64_t *start_r)
{
	/* In this order: an index read after the number has so many. */
	unsigned high = atomic_load_explicit(&body->n_pieces, memory_order_acquire),
		 low = 0, middle;
	const struct piece_index *index =
	    atomic_load_explicit(&body->index, memory_order_acquire);

	high--;
	while (low < high) {
		middle = (low + high) / 2;
		if (index->v[middle].end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	*start_r = low == 0 ? 0 : index->v[low - 1].end;
	return (&index->v[low]);
}

static void
wake_readers(struct cache_body *body)
{
	/* Both sides write first and read then, in one order for all (seq_cst): a
	 * reader that did not see the bytes is seen here. */
	if (!atomic_load(&body->waited.any))
		return;
	lock_take(body->waited.lock);
	wait_wake(&body->waited);
	lock_release(body->waited.lock);
}

static void
finish(struct cache_body *body, enum body_state state)
{
	atomic_store(&body->state, state);
	wake_readers(body);
}

bool
cache_body_append(struct cache_body *body, struct span s)
{
	uint64_t bytes, start, limit;
	const struct piece *piece;
	size_t n;

	CHECK_OBJ(body, BODY_MAGIC);
	if (atomic_load(&body->state) != BODY_COMING)
		return (false);
	bytes = atomic_load(&body->bytes);
	limit =
	    body->length == CACHE_LENGTH_UNKNOWN ? body->store->max_object : body->length;
	if (s.n > limit - bytes || !make_room(body, bytes + s.n)) {
		finish(body, BODY_CUT);
		return (false);
	}
	while (s.n > 0) {
		piece = piece_at(body, bytes, &start);
		n = piece->end - bytes < s.n ? (size_t)(piece->end - bytes) : s.n;
		memcpy(piece->p + (bytes - start), s.p, n);
		bytes += n;
		s = span_cut(s, n, s.n);
	}
	atomic_store(&body->bytes, bytes);
	wake_readers(body);
	return (true);
}

/* Gives back what the last piece has too much. */
static void
trim(struct cache_body *body)
{
	struct heap *heap = &body->store->heap;
	struct piece_index *index = atomic_load(&body->index);
	unsigned n = atomic_load(&body->n_pieces);
	uint64_t start = n > 1 ? index->v[n - 2].end : 0;
	uint64_t bytes = atomic_load(&body->bytes);
	size_t used = bytes > start ? (size_t)(bytes - start) : 0;
	void *p = n > 1 ? (void *)index->v[n - 1].p : (void *)body;

	if (n == 1)
		used += (size_t)(body->first.p - (char *)body);
	body->cost -= heap_cost(p);
	heap_trim(heap, p, used);
	body->cost += heap_cost(p);
}

void
cache_body_end(struct cache_body *body, bool complete)
{
	CHECK_OBJ(body, BODY_MAGIC);
	if (atomic_load(&body->state) != BODY_COMING)
		return;
	if (body->length != CACHE_LENGTH_UNKNOWN &&
	    atomic_load(&body->bytes) != body->length)
		complete = false;
	if (complete)
		trim(body);
	finish(body, complete ? BODY_COMPLETE : BODY_CUT);
}

/* --- reading ------------------------------------------------------------- */

bool
cache_body_is_complete(const struct cache_body *body)
{
	CHECK_OBJ(body, BODY_MAGIC);
	return (atomic_load(&body->state) == BODY_COMPLETE);
}

uint64_t
cache_body_bytes(const struct cache_body *body)
{
	CHECK_OBJ(body, BODY_MAGIC);
	return (atomic_load(&body->bytes));
}

uint64_t
cache_body_length(const struct cache_body *body)
{
	return (cache_body_is_complete(body) ? cache_body_bytes(body) : body->length);
}

/* WAIT: neither bytes nor an end. */
static enum cache_body_rc
look(struct cache_body *body, uint64_t offset, uint64_t end, struct span *piece_r)
{
	/* The state first: bytes read after an end are all. */
	enum body_state state = atomic_load(&body->state);
	uint64_t bytes = atomic_load(&body->bytes), start, until;
	const struct piece *piece;

	if (end > bytes)
		end = bytes;
	if (offset < end) {
		piece = piece_at(body, offset, &start);
		until = piece->end < end ? piece->end : end;
		*piece_r =
		    span_mem(piece->p + (offset - start), (size_t)(until - offset));
		return (CACHE_BODY_DATA);
	}
	if (state == BODY_COMING)
		return (CACHE_BODY_WAIT);
	return (state == BODY_COMPLETE ? CACHE_BODY_END : CACHE_BODY_CUT);
}

enum cache_body_rc
cache_body_read(struct cache_body *body, uint64_t offset, uint64_t end,
    struct cache_wait *wait, struct span *piece_r)
{
	enum cache_body_rc rc;

	CHECK_OBJ(body, BODY_MAGIC);
	*piece_r = SPAN_NONE;
	if (offset >= end)
		return (CACHE_BODY_END);
	rc = look(body, offset, end, piece_r);
	if (rc != CACHE_BODY_WAIT || wait == NULL)
		return (rc);
	if (!wait_is_at(wait, &body->waited))
		wait_leave(wait);
	lock_take(body->waited.lock);
	atomic_store(&body->waited.any, true);
	rc = look(body, offset, end, piece_r);
	if (rc == CACHE_BODY_WAIT)
		wait_enter(wait, &body->waited);
	lock_release(body->waited.lock);
	return (rc);
}

bool
cache_body_lend(struct cache_body *body, struct span piece, struct stream_file *file_r,
    size_t *from_r, size_t *n_r)
{
	char *start, *from, *to;

	CHECK_OBJ(body, BODY_MAGIC);
	if (body->store->fd < 0 || !cache_body_is_complete(body))
		return (false);
	CHECK(piece.p > (const char *)body->store &&
	      piece.p + piece.n <= (const char *)body->store + body->store->memory);
	start = (char *)body->store + (piece.p - (const char *)body->store);
	from = page_up(start);
	to = page_down(start + piece.n);
	if (to < from + LEND_LEAST)
		return (false);
	atomic_store(&body->lent, true);
	file_r->fd = body->store->fd;
	file_r->offset = from - (char *)body->store;
	*from_r = (size_t)(from - start);
	*n_r = (size_t)(to - from);
	return (true);
}
