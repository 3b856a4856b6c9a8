/* SPDX-License-Identifier: Apache-2.0 */
/* What other gateways must be told: slots that wait in queues. */
#include "config.h"

#include "gateway/access/bans_news.h"

#include "gateway/access/bans_inner.h"
#include "gateway/base/check.h"

#include <string.h>

#define RELAXED memory_order_relaxed

static void
queue(struct bans *b, struct bans_table *table, struct bans_node *node)
{
	if (!node->queued)
		atomic_fetch_add_explicit(&b->news, 1, RELAXED);
	bans_table_queue(table, node);
}

void
bans_slot_news(struct bans *b, struct bans_shard *shard, struct bans_slot *slot)
{
	lock_assert_held(&shard->lock);
	if (!atomic_load_explicit(&b->news_on, RELAXED))
		return;
	slot->news = true;
	queue(b, &shard->held, &slot->node);
}

void
bans_watch_news(struct bans *b, struct bans_shard *shard, struct bans_watch *w)
{
	lock_assert_held(&shard->lock);
	queue(b, &shard->watched, &w->node);
}

void
bans_news_on(struct bans *b, bool on)
{
	CHECK_OBJ(b, BANS_MAGIC);
	atomic_store(&b->news_on, on);
}

/* --- taking it ------------------------------------------------------------ */

static bool
take_ban(struct bans *b, struct bans_shard *shard, struct bans_news *news)
{
	struct bans_slot *slot;

	while ((slot = bans_table_dequeue(&shard->held)) != NULL) {
		atomic_fetch_sub_explicit(&b->news, 1, RELAXED);
		if (!slot->node.used || !slot->news)
			continue;
		slot->news = false;
		bans_slot_copy(slot, &news->ban);
		switch (slot->state) {
		case BANS_HELD: news->kind = BANS_NEWS_MADE; return (true);
		case BANS_LIFTED:
			news->kind = BANS_NEWS_LIFTED;
			bans_slot_drop(b, shard, slot);
			return (true);
		case BANS_OVER: break; /* too late */
		}
	}
	return (false);
}

static bool
take_refusals(struct bans *b, struct bans_shard *shard, struct bans_news *news)
{
	struct bans_watch *w;
	uint32_t i, first;

	while ((w = bans_table_dequeue(&shard->watched)) != NULL) {
		atomic_fetch_sub_explicit(&b->news, 1, RELAXED);
		if (!w->node.used || w->untold == 0)
			continue;
		memset(news, 0, sizeof(*news));
		news->kind = BANS_NEWS_REFUSALS;
		news->refusals = w->untold;
		news->kinds = w->untold_kinds;
		news->ban.client = bans_key_address(&w->node.key);
		news->ban.bits = w->node.key.bits;
		news->ban.n_ids = w->untold < BANS_IDS_MAX ? w->untold : BANS_IDS_MAX;
		if (news->ban.n_ids > w->seen)
			news->ban.n_ids = w->seen;
		first = w->seen - news->ban.n_ids;
		for (i = 0; i < news->ban.n_ids; i++)
			memcpy(news->ban.ids[i], w->ids[(first + i) % BANS_IDS_MAX],
			    ID_TEXT_MAX);
		w->untold = 0;
		w->untold_kinds = 0;
		return (true);
	}
	return (false);
}

bool
bans_news_take(struct bans *b, struct bans_news *news)
{
	struct bans_shard *shard;
	bool got = false;
	uint32_t i, s;

	CHECK_OBJ(b, BANS_MAGIC);
	if (atomic_load_explicit(&b->news, RELAXED) == 0)
		return (false);
	for (i = 0; i < BANS_SHARDS && !got; i++) {
		s = atomic_fetch_add_explicit(&b->news_shard, 1, RELAXED);
		shard = &b->shards[s % BANS_SHARDS];
		lock_take(&shard->lock);
		got = take_ban(b, shard, news) || take_refusals(b, shard, news);
		lock_release(&shard->lock);
	}
	return (got);
}

/* --- putting it back ------------------------------------------------------ */

void
bans_news_keep(struct bans *b, const struct bans_news *news)
{
	struct bans_shard *shard;
	struct bans_slot *slot;
	struct bans_key key;
	uint64_t hash;

	CHECK_OBJ(b, BANS_MAGIC);
	if (news->kind == BANS_NEWS_REFUSALS ||
	    !bans_key_make(&key, &news->ban.client, news->ban.bits))
		return;
	hash = bans_key_hash(&b->secret, &key);
	shard = bans_shard(b, hash);
	lock_take(&shard->lock);
	slot = bans_table_find(&shard->held, (uint32_t)hash, &key);
	if (slot == NULL && news->kind == BANS_NEWS_LIFTED) {
		slot = bans_slot_make(b, hash, &key, news->ban.until_us, false);
		if (slot != NULL) {
			slot->until_us = news->ban.until_us;
			bans_slot_turn(b, slot, BANS_LIFTED);
		}
	}
	/* Lifted there and banned anew here: the ban is news of its own. */
	if (slot != NULL &&
	    (slot->state == BANS_LIFTED ||
		(slot->state == BANS_HELD && news->kind == BANS_NEWS_MADE)))
		bans_slot_news(b, shard, slot);
	lock_release(&shard->lock);
}

void
bans_news_forget_refusals(struct bans *b)
{
	struct bans_shard *shard;
	struct bans_watch *w;
	unsigned s;

	CHECK_OBJ(b, BANS_MAGIC);
	if (atomic_load_explicit(&b->news, RELAXED) == 0)
		return;
	for (s = 0; s < BANS_SHARDS; s++) {
		shard = &b->shards[s];
		lock_take(&shard->lock);
		while ((w = bans_table_dequeue(&shard->watched)) != NULL) {
			atomic_fetch_sub_explicit(&b->news, 1, RELAXED);
			w->untold = 0;
			w->untold_kinds = 0;
		}
		lock_release(&shard->lock);
	}
}

void
bans_news_all(struct bans *b, int64_t wall_us)
{
	struct bans_shard *shard;
	struct bans_slot *slot;
	unsigned s;
	size_t i;

	CHECK_OBJ(b, BANS_MAGIC);
	for (s = 0; s < BANS_SHARDS; s++) {
		shard = &b->shards[s];
		lock_take(&shard->lock);
		for (i = 0; i < shard->held.top; i++) {
			slot = bans_table_at(&shard->held, i);
			if (slot != NULL && slot->state == BANS_HELD &&
			    slot->until_us > wall_us)
				bans_slot_news(b, shard, slot);
		}
		lock_release(&shard->lock);
	}
}
