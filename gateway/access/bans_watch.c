/* SPDX-License-Identifier: Apache-2.0 */
/* Who is on the way to a ban: refusals of a client within the window. */
#include "config.h"

#include "gateway/access/bans_inner.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"

#include <stdio.h>
#include <string.h>

/* Clients looked at to find the one whose place a new one takes. */
#define EVICT_SAMPLE 8
/* Far from each other: those that came together are alike. */
#define EVICT_STRIDE 257
#define LEVEL_MAX 30

#define RELAXED memory_order_relaxed

const char *const bans_kind_names[BANS_KINDS] = {
	"waf",
	"limit",
	"acl",
	"geo",
	"protocol",
	"auth",
};

static unsigned
kind_of(const char *reason)
{
	unsigned i;

	for (i = 0; i < BANS_KINDS; i++)
		if (strcmp(reason, bans_kind_names[i]) == 0)
			return (1u << i);
	return (0);
}

void
bans_rule(struct bans *b, struct bans_rule *rule_r)
{
	CHECK_OBJ(b, BANS_MAGIC);
	lock_take(&b->shards[0].lock);
	*rule_r = b->shards[0].rule;
	lock_release(&b->shards[0].lock);
}

int64_t
bans_lasts(const struct bans_rule *rule, uint32_t level)
{
	int64_t lasts = rule->for_us;

	while (level-- > 0 && lasts < rule->max_us)
		lasts *= 2;
	return (lasts < rule->max_us ? lasts : rule->max_us);
}

/* Out of a few: one whose window has passed, else the one with the fewest refusals,
 * so that a flood of addresses displaces itself and not who is nearly banned. */
static void
evict(struct bans *b, struct bans_shard *shard, int64_t wall_us)
{
	struct bans_watch *w, *worst = NULL;
	unsigned i;

	shard->watch_hand++;
	for (i = 0; i < EVICT_SAMPLE; i++) {
		w = bans_table_at(&shard->watched,
		    (shard->watch_hand + i * EVICT_STRIDE) % shard->watched.n);
		CHECK(w != NULL);
		if (wall_us - w->window.last_us > shard->rule.within_us) {
			bans_table_remove(&shard->watched, w);
			return;
		}
		if (worst == NULL || w->window.n < worst->window.n ||
		    (w->window.n == worst->window.n &&
			w->window.last_us < worst->window.last_us))
			worst = w;
	}
	atomic_fetch_add_explicit(&b->lost, 1, RELAXED);
	bans_table_remove(&shard->watched, worst);
}

static struct bans_watch *
watch(struct bans *b, uint64_t hash, const struct bans_key *key, int64_t wall_us)
{
	struct bans_shard *shard = bans_shard(b, hash);
	struct bans_watch *w;

	w = bans_table_find(&shard->watched, (uint32_t)hash, key);
	if (w != NULL)
		return (w);
	w = bans_table_add(&shard->watched, (uint32_t)hash, key);
	if (w == NULL) {
		evict(b, shard, wall_us);
		w = bans_table_add(&shard->watched, (uint32_t)hash, key);
		CHECK(w != NULL);
	}
	return (w);
}

static void
note_id(struct bans_watch *w, const char *id)
{
	snprintf(w->ids[w->seen % BANS_IDS_MAX], ID_TEXT_MAX, "%s", id);
	w->seen++;
}

static void
write_reason(
    const struct bans_rule *rule, unsigned kinds, char out[static BANS_REASON_MAX])
{
	const char *before = ": ";
	unsigned i;
	int n;

	n = snprintf(out, BANS_REASON_MAX, "%u refusals within %lld s", rule->after,
	    (long long)(rule->within_us / CLOCK_SECOND));
	for (i = 0; i < BANS_KINDS; i++)
		if ((kinds & 1u << i) != 0 && n > 0 && n < BANS_REASON_MAX) {
			n += snprintf(out + n, BANS_REASON_MAX - (size_t)n, "%s%s",
			    before, bans_kind_names[i]);
			before = ", ";
		}
}

void
bans_log(const struct ban *ban)
{
	char ip[NETADDR_TEXT_MAX];

	log_info("bans", "%s/%u %s for %lld s: %s", netaddr_ip_text(&ban->client, ip),
	    ban->bits, ban->shadow ? "would be banned" : "banned",
	    (long long)((ban->until_us - ban->since_us) / CLOCK_SECOND), ban->reason);
}

static struct bans_slot *
make_ban(struct bans *b, uint64_t hash, struct bans_watch *w, int64_t wall_us)
{
	struct bans_shard *shard = bans_shard(b, hash);
	const struct bans_rule *rule = &shard->rule;
	struct bans_slot *slot;
	uint32_t i, first;

	slot = bans_slot_make(b, hash, &w->node.key, wall_us, false);
	if (slot == NULL)
		return (NULL);
	if (slot->state == BANS_LIFTED || slot->by_hand ||
	    wall_us - slot->until_us > rule->max_us)
		slot->level = 0;
	else if (slot->level < LEVEL_MAX)
		slot->level++;
	bans_slot_turn(b, slot, BANS_OVER);
	slot->by_hand = false;
	slot->shadow = rule->shadow;
	slot->since_us = wall_us;
	slot->until_us = wall_us + bans_lasts(rule, slot->level);
	write_reason(rule, w->kinds, slot->reason);
	memcpy(slot->made_by, rule->node, sizeof(slot->made_by));
	slot->n_ids = w->seen < BANS_IDS_MAX ? w->seen : BANS_IDS_MAX;
	first = w->seen - slot->n_ids;
	for (i = 0; i < slot->n_ids; i++)
		memcpy(slot->ids[i], w->ids[(first + i) % BANS_IDS_MAX], ID_TEXT_MAX);
	bans_slot_turn(b, slot, BANS_HELD);
	bans_slot_news(b, shard, slot);
	atomic_fetch_add_explicit(&b->made, 1, RELAXED);
	return (slot);
}

static bool
count(struct bans *b, const struct bans_key *key, unsigned kind, const char *id,
    int64_t wall_us)
{
	uint64_t hash = bans_key_hash(&b->secret, key);
	struct bans_shard *shard = bans_shard(b, hash);
	const struct bans_rule *rule = &shard->rule;
	struct bans_slot *slot;
	struct bans_watch *w;
	struct ban ban;
	bool made = false;

	lock_take(&shard->lock);
	slot = bans_table_find(&shard->held, (uint32_t)hash, key);
	/* another thread may have banned it just now */
	if (rule->after == 0 ||
	    (slot != NULL && slot->state == BANS_HELD && slot->until_us > wall_us)) {
		lock_release(&shard->lock);
		return (false);
	}
	w = watch(b, hash, key, wall_us);
	if (wall_us - w->window.last_us > rule->within_us)
		w->kinds = w->seen = 0;
	w->kinds |= kind;
	note_id(w, id);
	if (bans_window_add(&w->window, rule->after, rule->within_us, wall_us) &&
	    (slot = make_ban(b, hash, w, wall_us)) != NULL) {
		made = true;
		bans_slot_copy(slot, &ban);
		bans_table_remove(&shard->watched, w);
	} else if (atomic_load_explicit(&b->news_on, RELAXED)) {
		w->untold_kinds |= kind;
		if (w->untold < rule->after)
			w->untold++;
		bans_watch_news(b, shard, w);
	}
	lock_release(&shard->lock);
	if (made)
		bans_log(&ban);
	return (made);
}

bool
bans_refused(struct bans *b, const struct netaddr *client, const char *reason,
    const char *id, int64_t wall_us)
{
	unsigned kind = kind_of(reason), bits;
	struct bans_key key;

	CHECK_OBJ(b, BANS_MAGIC);
	if ((atomic_load_explicit(&b->count, RELAXED) & kind) == 0)
		return (false);
	bits =
	    client->family == NETADDR_IP4 ? 32 : atomic_load_explicit(&b->bits6, RELAXED);
	if (!bans_key_make(&key, client, bits) ||
	    bans_check(b, client, wall_us, NULL) != BANS_NONE)
		return (false);
	return (count(b, &key, kind, id, wall_us));
}
