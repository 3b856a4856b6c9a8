/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/bans_inner.h - the shards of struct bans, for bans.c (who is
 * banned), bans_watch.c (who will be) and bans_news.c (who must be told). */
#ifndef YETT_BANS_INNER_H
#define YETT_BANS_INNER_H

#include "gateway/access/bans_news.h"
#include "gateway/access/bans_table.h"
#include "gateway/access/bans_window.h"
#include "gateway/base/lock.h"

#include <stdatomic.h>

#define BANS_SHARDS	16
#define BANS_FILTER	65536
#define BANS_SHOWN	16384

enum bans_state {
	BANS_HELD,		/* counted, until it is found to be over */
	BANS_OVER,		/* remembered for the next one's level */
	BANS_LIFTED,		/* only until others were told */
};

struct bans_slot {
	struct bans_node node;
	enum bans_state state;
	bool by_hand, shadow;
	bool news;
	uint32_t level, n_ids;
	int64_t since_us, until_us;
	char reason[BANS_REASON_MAX];
	char made_by[65];
	char ids[BANS_IDS_MAX][ID_TEXT_MAX];
};

struct bans_watch {
	struct bans_node node;
	uint32_t seen;			/* refusals since it came here: of the ids ring */
	unsigned kinds;
	uint32_t untold;		/* refusals not yet news taken */
	unsigned untold_kinds;
	struct bans_window window;
	char ids[BANS_IDS_MAX][ID_TEXT_MAX];
};

struct bans_shard {
	struct lock lock;		/* for all of it */
	struct bans_rule rule;
	struct bans_table held;		/* struct bans_slot */
	struct bans_table watched;	/* struct bans_watch */
	size_t hand, watch_hand, sweep;
	int64_t full_until_us;		/* nothing ends before */
};

struct bans {
	unsigned magic;
	struct hash_key secret;
	struct bans_shard shards[BANS_SHARDS];

	/* Read without a lock. A reader that comes a moment before or after a
	 * change does no harm; `lock` of the shard orders the changes. */
	_Atomic uint32_t held, shadow;
	_Atomic unsigned count;		/* kinds of refusals that count */
	_Atomic uint8_t bits6;
	_Atomic uint64_t prefixes[2][3];	/* lengths that some ban has: bits */
	_Atomic uint32_t lengths[2][129];	/* bans of each length */
	_Atomic uint16_t filter[BANS_FILTER];	/* bans of each hash */
	_Atomic uint32_t shown[BANS_SHOWN];	/* who saw the page: tags */
	_Atomic int64_t sweep_us;
	_Atomic uint32_t sweep_shard;
	_Atomic bool news_on;
	_Atomic uint32_t news;		/* queued slots, about */
	_Atomic uint32_t news_shard;
	_Atomic uint64_t made, lifted, lost;
};

#define BANS_MAGIC 0xba25b325u

static inline struct bans_shard *
bans_shard(struct bans *b, uint64_t hash)
{
	return (&b->shards[hash >> 60]);
}

/* With the shard's lock held: */
/* A slot for this key, in state OVER when it is new; NULL: no room. */
struct bans_slot *bans_slot_make(struct bans *, uint64_t hash, const struct bans_key *,
    int64_t wall_us, bool by_hand);
/* Changes the state and what is counted of it. */
void bans_slot_turn(struct bans *, struct bans_slot *, enum bans_state);
void bans_slot_drop(struct bans *, struct bans_shard *, struct bans_slot *);
void bans_slot_news(struct bans *, struct bans_shard *, struct bans_slot *);
void bans_slot_copy(const struct bans_slot *, struct ban *ban_r);
void bans_watch_news(struct bans *, struct bans_shard *, struct bans_watch *);

/* The names of the kinds of refusals, in the order of their bits. */
#define BANS_KINDS 6
extern const char *const bans_kind_names[BANS_KINDS];

#endif
