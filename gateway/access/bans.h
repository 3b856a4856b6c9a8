/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/bans.h - who is shut out for a time, and who is on the way
 * there. Refusals are counted per client within a window; each further ban of a
 * client lasts twice as long, up to a maximum. Fixed memory, sharded: any thread.
 * bans_share.h carries bans between gateways. */
#ifndef YETT_BANS_H
#define YETT_BANS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/id.h"
#include "gateway/base/netaddr.h"
#include "gateway/base/span.h"
#include "gateway/conf/conf.h"

#define BANS_IDS_MAX 16		/* audit ids kept of what led to a ban */
#define BANS_REASON_MAX 96
/* Bans kept (and, after their end, remembered) and clients watched on their way to
 * one: at most 46 and 25 MiB, of which only what is used is resident. */
#define BANS_MAX 65536
#define BANS_WATCH_MAX 32768

struct ban {
	struct netaddr client;		/* key: address or prefix, port 0 */
	uint8_t bits;			/* of the prefix: 32, 64, 128, ... */
	int64_t since_us, until_us;	/* wall clock */
	uint32_t level;			/* how often before: 0 the first */
	bool by_hand, shadow;
	char reason[BANS_REASON_MAX];	/* "10 refusals within 60 s: waf" */
	char node[65];			/* that made it */
	char ids[BANS_IDS_MAX][ID_TEXT_MAX];
	uint32_t n_ids;
};

struct bans;
/* What it needs of `conf` is copied. With conf->bans absent only bans by hand
 * exist. */
struct bans *bans_new(const struct conf *conf);
/* A reload: bans and counts stay, what follows goes by the new configuration. Any
 * thread. */
void bans_configure(struct bans *, const struct conf *conf);
void bans_free(struct bans **);

enum bans_rc { BANS_NONE, BANS_SHADOW, BANS_BANNED };
/* Cheap: no lock while nobody is banned. `until_us_r` may be NULL. `client` is
 * any address; a /64 that is banned bans all in it. */
enum bans_rc bans_check(struct bans *, const struct netaddr *client, int64_t wall_us,
    int64_t *until_us_r);
/* At accept: banned, enforced, and was shown the page since. */
bool bans_shuts_out(struct bans *, const struct netaddr *client, int64_t wall_us);
void bans_page_shown(struct bans *, const struct netaddr *client);
/* A refusal for the audit reason (waf, limit, acl, geo, protocol, auth); what the
 * configuration does not count is ignored, and so is a client under a ban, be it a
 * shadow. True: this one made a ban. A ban is twice as long as the one before it
 * unless `max` has passed since that ended. */
bool bans_refused(struct bans *, const struct netaddr *key, const char *reason,
    const char *id, int64_t wall_us);

/* A longer one of the same client stays, but an enforced one replaces a shadow.
 * False: no IP address, or the table is full of bans (BANS_MAX); one by hand takes
 * the place of one that is not. Other gateways are told. */
bool bans_add(struct bans *, const struct ban *);
/* Ends that ban (not wider or narrower ones), and forgets that it was. True: there
 * was one. Other gateways are told. */
bool bans_lift(struct bans *, const struct netaddr *client, uint8_t bits);
/* Calls `each` for every ban that holds, soonest to end first; stops when it
 * returns false. Copies: the callee may do anything but wait. */
void bans_each(struct bans *, int64_t wall_us,
    bool (*each)(const struct ban *, void *data), void *data);
struct bans_figures {
	uint64_t bans, shadow;	/* held now; one just over may be counted for seconds */
	uint64_t made;		/* here, by refusals */
	uint64_t lifted;	/* before their time */
	uint64_t watched;	/* clients on the way to a ban, or lately so */
	uint64_t lost;		/* bans or watched clients that had no room */
};
void bans_figures(struct bans *, struct bans_figures *figures_r);

#endif
