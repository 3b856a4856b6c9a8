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
/* `conf` must outlive it. With conf->bans absent only bans by hand exist. */
struct bans *bans_new(const struct conf *conf);
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
 * configuration does not count is ignored. True: this one made a ban. */
bool bans_refused(struct bans *, const struct netaddr *key, const char *reason,
    const char *id, int64_t wall_us);

/* By hand or from another gateway; a longer one of the same client stays. False:
 * the table is full of bans (BANS_MAX). */
bool bans_add(struct bans *, const struct ban *);
/* True: there was one. */
bool bans_lift(struct bans *, const struct netaddr *client, uint8_t bits);
/* Calls `each` for every ban that holds, soonest to end first; stops when it
 * returns false. Copies: the callee may do anything but wait. */
void bans_each(struct bans *, int64_t wall_us,
    bool (*each)(const struct ban *, void *data), void *data);
struct bans_figures { uint64_t bans, shadow, made, lifted, watched, lost; };
void bans_figures(struct bans *, struct bans_figures *figures_r);

#endif
