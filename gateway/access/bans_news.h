/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/bans_news.h - what bans.c tells bans_share.c, and hears from it:
 * refusals to be counted by all, bans made or lifted here, and there. One news a
 * client at a time: a flood of refusals of one client is one number. Any thread. */
#ifndef YETT_BANS_NEWS_H
#define YETT_BANS_NEWS_H

#include "gateway/access/bans.h"

/* How bans come to be. */
struct bans_rule {
	uint32_t after;			/* 0: only by hand */
	int64_t within_us, for_us, max_us;
	unsigned count;			/* enum conf_ban_kind */
	bool shadow;
	uint8_t bits6;			/* of IPv6 that make one client */
	char node[65];
};
void bans_rule(struct bans *, struct bans_rule *rule_r);
/* How long the ban of a level lasts. */
int64_t bans_lasts(const struct bans_rule *, uint32_t level);

/* Into the error log: banned, for how long, why. */
void bans_log(const struct ban *);

enum bans_news_kind { BANS_NEWS_REFUSALS, BANS_NEWS_MADE, BANS_NEWS_LIFTED };
struct bans_news {
	enum bans_news_kind kind;
	struct ban ban;			/* REFUSALS: client, bits and ids only;
					 * LIFTED: client, bits and until_us */
	uint32_t refusals;
	unsigned kinds;			/* of the refusals: enum conf_ban_kind */
};

/* Until switched on there is no news. */
void bans_news_on(struct bans *, bool on);
/* Takes one; false: there is none. */
bool bans_news_take(struct bans *, struct bans_news *);
/* It could not be told; it will be taken again. Refusals are not: they would be
 * counted late. */
void bans_news_keep(struct bans *, const struct bans_news *);
/* Nobody will be told of the refusals until now. */
void bans_news_forget_refusals(struct bans *);
/* Every ban that holds is news again. */
void bans_news_all(struct bans *, int64_t wall_us);

/* From another gateway: no news. A ban that waits to be told is not lifted. */
bool bans_heard(struct bans *, const struct ban *);
bool bans_heard_lift(struct bans *, const struct netaddr *client, uint8_t bits);
/* Is this very ban held here? */
bool bans_knows(struct bans *, const struct netaddr *client, uint8_t bits,
    int64_t wall_us);

#endif
