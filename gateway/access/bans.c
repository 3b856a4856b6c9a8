/* SPDX-License-Identifier: Apache-2.0 */
/* Who is banned: sixteen shards of slots found by address or prefix, and in front
 * of them numbers that are read without a lock, so that a client nobody banned
 * costs a hash for each length of prefix that some ban has. */
#include "config.h"

#include "gateway/access/bans.h"

#include "gateway/access/bans_inner.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_EVERY_US (25 * CLOCK_MS)
#define SWEEP_SLOTS 256
/* Slots that are over, looked at to find the one to forget. */
#define OVER_SAMPLE 8

/* A ban's times as they come back from Redis. */
#define HEARD_LATE_US (2 * CLOCK_SECOND)

#define RELAXED memory_order_relaxed

static unsigned
family_index(const struct bans_key *key)
{
	return (key->family == NETADDR_IP4 ? 0 : 1);
}

/* --- numbers read without a lock ------------------------------------------ */

static void
count_length(struct bans *b, const struct bans_key *key, bool more)
{
	_Atomic uint64_t *word = &b->prefixes[family_index(key)][key->bits / 64];
	_Atomic uint32_t *n = &b->lengths[family_index(key)][key->bits];
	uint64_t bit = UINT64_C(1) << key->bits % 64;

	if (more) {
		if (atomic_fetch_add(n, 1) == 0)
			atomic_fetch_or(word, bit);
		return;
	}
	if (atomic_fetch_sub(n, 1) != 1)
		return;
	atomic_fetch_and(word, ~bit);
	/* another shard may have set it in between */
	if (atomic_load(n) != 0)
		atomic_fetch_or(word, bit);
}

void
bans_slot_turn(struct bans *b, struct bans_slot *slot, enum bans_state state)
{
	bool was = slot->state == BANS_HELD, is = state == BANS_HELD;

	slot->state = state;
	if (was == is)
		return;
	count_length(b, &slot->node.key, is);
	if (is) {
		atomic_fetch_add(&b->filter[slot->node.hash % BANS_FILTER], 1);
		atomic_fetch_add(&b->held, 1);
		if (slot->shadow)
			atomic_fetch_add(&b->shadow, 1);
	} else {
		atomic_fetch_sub(&b->filter[slot->node.hash % BANS_FILTER], 1);
		atomic_fetch_sub(&b->held, 1);
		if (slot->shadow)
			atomic_fetch_sub(&b->shadow, 1);
	}
}

/* --- slots; the shard's lock is held -------------------------------------- */

void
bans_slot_drop(struct bans *b, struct bans_shard *shard, struct bans_slot *slot)
{
	bans_slot_turn(b, slot, BANS_OVER);
	bans_table_remove(&shard->held, slot);
}

/* What is over is found out here and when somebody looks for it. */
static void
let_end(struct bans *b, struct bans_shard *shard, struct bans_slot *slot, int64_t wall_us)
{
	if (slot->until_us > wall_us)
		return;
	if (slot->state == BANS_HELD)
		bans_slot_turn(b, slot, BANS_OVER);
	else if (slot->state == BANS_LIFTED ||
		 wall_us - slot->until_us > shard->rule.max_us)
		bans_table_remove(&shard->held, slot);
}

static struct bans_slot *
find_over(struct bans *b, struct bans_shard *shard, int64_t wall_us)
{
	struct bans_slot *slot, *best = NULL;
	int64_t ends = INT64_MAX;
	size_t i, seen = 0;

	for (i = 0; i < shard->held.n && seen < OVER_SAMPLE; i++) {
		slot = bans_table_at(&shard->held, shard->hand++ % shard->held.n);
		if (slot == NULL)
			continue;
		if (slot->state == BANS_HELD && slot->until_us <= wall_us)
			bans_slot_turn(b, slot, BANS_OVER);
		if (slot->state == BANS_HELD) {
			if (slot->until_us < ends)
				ends = slot->until_us;
			continue;
		}
		seen++;
		if (best == NULL || slot->until_us < best->until_us)
			best = slot;
	}
	if (best == NULL)
		shard->full_until_us = ends;
	return (best);
}

/* The automatic ban that ends first. */
static struct bans_slot *
find_automatic(struct bans_shard *shard)
{
	struct bans_slot *slot, *best = NULL;
	size_t i;

	for (i = 0; i < shard->held.top; i++) {
		slot = bans_table_at(&shard->held, i);
		if (slot != NULL && !slot->by_hand &&
		    (best == NULL || slot->until_us < best->until_us))
			best = slot;
	}
	return (best);
}

struct bans_slot *
bans_slot_make(struct bans *b, uint64_t hash, const struct bans_key *key, int64_t wall_us,
    bool by_hand)
{
	struct bans_shard *shard = bans_shard(b, hash);
	struct bans_slot *slot, *room = NULL;

	lock_assert_held(&shard->lock);
	slot = bans_table_find(&shard->held, (uint32_t)hash, key);
	if (slot != NULL)
		return (slot);
	slot = bans_table_add(&shard->held, (uint32_t)hash, key);
	if (slot == NULL) {
		if (wall_us >= shard->full_until_us)
			room = find_over(b, shard, wall_us);
		if (room == NULL && by_hand)
			room = find_automatic(shard);
		if (room == NULL || room->state == BANS_HELD || room->news)
			atomic_fetch_add_explicit(&b->lost, 1, RELAXED);
		if (room == NULL)
			return (NULL);
		bans_slot_drop(b, shard, room);
		slot = bans_table_add(&shard->held, (uint32_t)hash, key);
		CHECK(slot != NULL);
	}
	slot->state = BANS_OVER;
	slot->until_us = INT64_MIN / 2;
	return (slot);
}

void
bans_slot_copy(const struct bans_slot *slot, struct ban *ban_r)
{
	memset(ban_r, 0, sizeof(*ban_r));
	ban_r->client = bans_key_address(&slot->node.key);
	ban_r->bits = slot->node.key.bits;
	ban_r->since_us = slot->since_us;
	ban_r->until_us = slot->until_us;
	ban_r->level = slot->level;
	ban_r->by_hand = slot->by_hand;
	ban_r->shadow = slot->shadow;
	memcpy(ban_r->reason, slot->reason, sizeof(ban_r->reason));
	memcpy(ban_r->node, slot->made_by, sizeof(ban_r->node));
	memcpy(ban_r->ids, slot->ids, sizeof(ban_r->ids));
	ban_r->n_ids = slot->n_ids;
}

static void
fill_slot(struct bans *b, struct bans_slot *slot, const struct ban *ban)
{
	bans_slot_turn(b, slot, BANS_OVER);
	slot->since_us = ban->since_us;
	slot->until_us = ban->until_us;
	slot->level = ban->level;
	slot->by_hand = ban->by_hand;
	slot->shadow = ban->shadow;
	snprintf(slot->reason, sizeof(slot->reason), "%s", ban->reason);
	snprintf(slot->made_by, sizeof(slot->made_by), "%s", ban->node);
	slot->n_ids = ban->n_ids < BANS_IDS_MAX ? ban->n_ids : BANS_IDS_MAX;
	memcpy(slot->ids, ban->ids, sizeof(slot->ids));
	bans_slot_turn(b, slot, BANS_HELD);
}

/* --- the object ----------------------------------------------------------- */

void
bans_configure(struct bans *b, const struct conf *conf)
{
	struct bans_rule rule = { .bits6 = (uint8_t)conf->identity.ipv6_prefix };
	struct bans_shard *shard;
	unsigned i;

	CHECK_OBJ(b, BANS_MAGIC);
	rule.max_us = conf->bans.max;
	if (conf->bans.present) {
		rule.after = conf->bans.after;
		rule.within_us = conf->bans.within;
		rule.for_us = conf->bans.lasts;
		rule.count = conf->bans.count;
		rule.shadow = conf->bans.mode == CONF_SHADOW;
	}
	snprintf(
	    rule.node, sizeof(rule.node), "%s", conf->node != NULL ? conf->node : "");
	for (i = 0; i < BANS_SHARDS; i++) {
		shard = &b->shards[i];
		lock_take(&shard->lock);
		if (shard->rule.after != rule.after ||
		    shard->rule.within_us != rule.within_us) {
			/* windows counted by another rule mean nothing */
			while (bans_table_dequeue(&shard->watched) != NULL)
				atomic_fetch_sub_explicit(&b->news, 1, RELAXED);
			bans_table_free(&shard->watched);
			bans_table_init(&shard->watched, sizeof(struct bans_watch),
			    BANS_WATCH_MAX / BANS_SHARDS);
		}
		shard->rule = rule;
		lock_release(&shard->lock);
	}
	atomic_store_explicit(&b->bits6, rule.bits6, RELAXED);
	atomic_store_explicit(&b->count, rule.after > 0 ? rule.count : 0, RELAXED);
}

struct bans *
bans_new(const struct conf *conf)
{
	struct bans *b;
	unsigned i;

	b = mem_zalloc(sizeof(*b));
	b->magic = BANS_MAGIC;
	b->secret = hash_key_random();
	for (i = 0; i < BANS_SHARDS; i++) {
		lock_init(&b->shards[i].lock, LOCK_BANS);
		bans_table_init(
		    &b->shards[i].held, sizeof(struct bans_slot), BANS_MAX / BANS_SHARDS);
		bans_table_init(&b->shards[i].watched, sizeof(struct bans_watch),
		    BANS_WATCH_MAX / BANS_SHARDS);
	}
	bans_configure(b, conf);
	return (b);
}

void
bans_free(struct bans **bans)
{
	struct bans *b = *bans;
	unsigned i;

	*bans = NULL;
	if (b == NULL)
		return;
	CHECK_OBJ(b, BANS_MAGIC);
	for (i = 0; i < BANS_SHARDS; i++) {
		bans_table_free(&b->shards[i].held);
		bans_table_free(&b->shards[i].watched);
		lock_destroy(&b->shards[i].lock);
	}
	b->magic = 0;
	free(b);
}

/* --- is this client banned? ----------------------------------------------- */

struct found {
	enum bans_rc rc;
	int64_t since_us, until_us;
};

static void
probe(struct bans *b, const struct bans_key *key, int64_t wall_us, struct found *f)
{
	uint64_t hash = bans_key_hash(&b->secret, key);
	struct bans_shard *shard = bans_shard(b, hash);
	struct bans_slot *slot;
	enum bans_rc rc;

	if (atomic_load_explicit(&b->filter[(uint32_t)hash % BANS_FILTER], RELAXED) == 0)
		return;
	lock_take(&shard->lock);
	slot = bans_table_find(&shard->held, (uint32_t)hash, key);
	if (slot != NULL && slot->state == BANS_HELD && slot->until_us <= wall_us)
		bans_slot_turn(b, slot, BANS_OVER);
	if (slot != NULL && slot->state == BANS_HELD) {
		rc = slot->shadow ? BANS_SHADOW : BANS_BANNED;
		if (rc > f->rc || (rc == f->rc && slot->until_us > f->until_us)) {
			f->rc = rc;
			f->since_us = slot->since_us;
			f->until_us = slot->until_us;
		}
	}
	lock_release(&shard->lock);
}

/* Clients that never come back would be counted as banned for ever, and the others
 * pay for it: whoever looks, ends a few that are over. */
static void
sweep(struct bans *b, int64_t wall_us)
{
	int64_t due = atomic_load_explicit(&b->sweep_us, RELAXED);
	struct bans_shard *shard;
	struct bans_slot *slot;
	unsigned i;

	/* far ahead: the clock was put back */
	if (wall_us < due && due - wall_us <= SWEEP_EVERY_US)
		return;
	if (!atomic_compare_exchange_strong(&b->sweep_us, &due, wall_us + SWEEP_EVERY_US))
		return;
	i = atomic_fetch_add_explicit(&b->sweep_shard, 1, RELAXED);
	shard = &b->shards[i % BANS_SHARDS];
	lock_take(&shard->lock);
	for (i = 0; i < SWEEP_SLOTS && i < shard->held.top; i++) {
		slot = bans_table_at(&shard->held, shard->sweep++ % shard->held.top);
		if (slot != NULL)
			let_end(b, shard, slot, wall_us);
	}
	lock_release(&shard->lock);
}

static void
find(struct bans *b, const struct netaddr *client, int64_t wall_us, struct found *f)
{
	unsigned family = client->family == NETADDR_IP4 ? 0 : 1, word, bit;
	struct bans_key key;
	uint64_t lengths;

	memset(f, 0, sizeof(*f));
	if (atomic_load_explicit(&b->held, RELAXED) == 0)
		return;
	for (word = 0; word < 3; word++) {
		lengths = atomic_load_explicit(&b->prefixes[family][word], RELAXED);
		for (; lengths != 0; lengths &= lengths - 1) {
			bit = (unsigned)__builtin_ctzll(lengths);
			if (bans_key_make(&key, client, word * 64 + bit))
				probe(b, &key, wall_us, f);
		}
	}
	sweep(b, wall_us);
}

enum bans_rc
bans_check(
    struct bans *b, const struct netaddr *client, int64_t wall_us, int64_t *until_us_r)
{
	struct found f;

	CHECK_OBJ(b, BANS_MAGIC);
	find(b, client, wall_us, &f);
	if (until_us_r != NULL)
		*until_us_r = f.until_us;
	return (f.rc);
}

/* Who saw the page of which ban, as a tag of 32 bits in a place of its own: one
 * that is overwritten shows the page once more. */
static bool
shown(struct bans *b, const struct netaddr *client, int64_t since_us, bool now)
{
	struct {
		struct netaddr cut;
		int64_t since_us;
	} who;
	_Atomic uint32_t *place;
	uint64_t hash;
	uint32_t tag;

	memset(&who, 0, sizeof(who));
	who.cut.family = client->family;
	memcpy(who.cut.ip, client->ip, client->family == NETADDR_IP4 ? 4 : 8);
	who.since_us = since_us;
	hash = hash_bytes(&b->secret, &who, sizeof(who));
	place = &b->shown[hash % BANS_SHOWN];
	tag = (uint32_t)(hash >> 32) | 1;
	if (now)
		atomic_store_explicit(place, tag, RELAXED);
	return (atomic_load_explicit(place, RELAXED) == tag);
}

bool
bans_shuts_out(struct bans *b, const struct netaddr *client, int64_t wall_us)
{
	struct found f;

	CHECK_OBJ(b, BANS_MAGIC);
	find(b, client, wall_us, &f);
	return (f.rc == BANS_BANNED && shown(b, client, f.since_us, false));
}

void
bans_page_shown(struct bans *b, const struct netaddr *client)
{
	struct found f;

	CHECK_OBJ(b, BANS_MAGIC);
	find(b, client, clock_wall_us(), &f);
	if (f.rc == BANS_BANNED)
		shown(b, client, f.since_us, true);
}

/* --- by hand, and from other gateways ------------------------------------- */

/* What is heard may be the very ban that is held, its times a little off: it stays,
 * or its page would be shown anew. */
static bool
is_better(const struct bans_slot *slot, const struct ban *ban, bool heard)
{
	int64_t longer = ban->until_us - slot->until_us;

	if (slot->state != BANS_HELD)
		return (true);
	if (slot->shadow != ban->shadow)
		return (slot->shadow);
	if (heard && longer < HEARD_LATE_US && longer > -HEARD_LATE_US)
		return (ban->level > slot->level);
	return (longer > 0);
}

static bool
add(struct bans *b, const struct ban *ban, bool news)
{
	struct bans_shard *shard;
	struct bans_slot *slot;
	struct bans_key key;
	uint64_t hash;

	CHECK_OBJ(b, BANS_MAGIC);
	if (!bans_key_make(&key, &ban->client, ban->bits))
		return (false);
	hash = bans_key_hash(&b->secret, &key);
	shard = bans_shard(b, hash);
	lock_take(&shard->lock);
	slot = bans_slot_make(b, hash, &key, ban->since_us, ban->by_hand);
	if (slot != NULL && is_better(slot, ban, !news)) {
		fill_slot(b, slot, ban);
		slot->news = false;
		if (news)
			bans_slot_news(b, shard, slot);
	}
	lock_release(&shard->lock);
	return (slot != NULL);
}

bool
bans_add(struct bans *b, const struct ban *ban)
{
	return (add(b, ban, true));
}

bool
bans_heard(struct bans *b, const struct ban *ban)
{
	return (add(b, ban, false));
}

static bool
lift(struct bans *b, const struct netaddr *client, uint8_t bits, bool heard)
{
	struct bans_shard *shard;
	struct bans_slot *slot;
	struct bans_key key;
	bool there = false;
	uint64_t hash;

	CHECK_OBJ(b, BANS_MAGIC);
	if (!bans_key_make(&key, client, bits))
		return (false);
	hash = bans_key_hash(&b->secret, &key);
	shard = bans_shard(b, hash);
	lock_take(&shard->lock);
	slot = bans_table_find(&shard->held, (uint32_t)hash, &key);
	if (slot != NULL && slot->state == BANS_HELD && !(heard && slot->news)) {
		there = true;
		atomic_fetch_add_explicit(&b->lifted, 1, RELAXED);
		if (heard || !atomic_load_explicit(&b->news_on, RELAXED)) {
			bans_slot_drop(b, shard, slot);
		} else {
			bans_slot_turn(b, slot, BANS_LIFTED);
			bans_slot_news(b, shard, slot);
		}
	}
	lock_release(&shard->lock);
	return (there);
}

bool
bans_lift(struct bans *b, const struct netaddr *client, uint8_t bits)
{
	return (lift(b, client, bits, false));
}

bool
bans_heard_lift(struct bans *b, const struct netaddr *client, uint8_t bits)
{
	return (lift(b, client, bits, true));
}

bool
bans_knows(struct bans *b, const struct netaddr *client, uint8_t bits, int64_t wall_us)
{
	struct found f = { BANS_NONE };
	struct bans_key key;

	CHECK_OBJ(b, BANS_MAGIC);
	if (bans_key_make(&key, client, bits))
		probe(b, &key, wall_us, &f);
	return (f.rc != BANS_NONE);
}

/* --- all of them ---------------------------------------------------------- */

struct place {
	int64_t until_us;
	unsigned shard;
	uint32_t slot;
	struct bans_key key;
};

static int
compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return ((x->until_us > y->until_us) - (x->until_us < y->until_us));
}

static size_t
gather(struct bans *b, int64_t wall_us, struct place *places, size_t room)
{
	struct bans_shard *shard;
	struct bans_slot *slot;
	unsigned s;
	size_t i, n = 0;

	for (s = 0; s < BANS_SHARDS; s++) {
		shard = &b->shards[s];
		lock_take(&shard->lock);
		for (i = 0; i < shard->held.top && n < room; i++) {
			slot = bans_table_at(&shard->held, i);
			if (slot == NULL || slot->state != BANS_HELD ||
			    slot->until_us <= wall_us)
				continue;
			places[n].until_us = slot->until_us;
			places[n].shard = s;
			places[n].slot = (uint32_t)i;
			places[n++].key = slot->node.key;
		}
		lock_release(&shard->lock);
	}
	return (n);
}

static bool
copy_place(struct bans *b, const struct place *place, struct ban *ban_r)
{
	struct bans_shard *shard = &b->shards[place->shard];
	struct bans_slot *slot;
	bool there;

	lock_take(&shard->lock);
	slot = bans_table_at(&shard->held, place->slot);
	there = slot != NULL && slot->state == BANS_HELD &&
		memcmp(&slot->node.key, &place->key, sizeof(place->key)) == 0;
	if (there)
		bans_slot_copy(slot, ban_r);
	lock_release(&shard->lock);
	return (there);
}

void
bans_each(struct bans *b, int64_t wall_us, bool (*each)(const struct ban *, void *data),
    void *data)
{
	struct place *places;
	struct ban ban;
	size_t i, n;

	CHECK_OBJ(b, BANS_MAGIC);
	/* a few may be added before they are gathered */
	n = atomic_load(&b->held) + 64;
	places = mem_alloc(n * sizeof(*places));
	n = gather(b, wall_us, places, n);
	qsort(places, n, sizeof(*places), compare_places);
	for (i = 0; i < n; i++)
		if (copy_place(b, &places[i], &ban) && !each(&ban, data))
			break;
	free(places);
}

void
bans_figures(struct bans *b, struct bans_figures *f)
{
	unsigned i;

	CHECK_OBJ(b, BANS_MAGIC);
	sweep(b, clock_wall_us());
	f->bans = atomic_load(&b->held);
	f->shadow = atomic_load(&b->shadow);
	f->made = atomic_load(&b->made);
	f->lifted = atomic_load(&b->lifted);
	f->lost = atomic_load(&b->lost);
	f->watched = 0;
	for (i = 0; i < BANS_SHARDS; i++) {
		lock_take(&b->shards[i].lock);
		f->watched += b->shards[i].watched.used;
		lock_release(&b->shards[i].lock);
	}
}
