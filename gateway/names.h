/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/names.h - the names of origins while the gateway runs: asked for again
 * when their time to live is over, and their pools changed where the addresses
 * are others. On the control thread's loop. */
#ifndef YETT_NAMES_H
#define YETT_NAMES_H

#include "gateway/base/err.h"
#include "gateway/base/netaddr.h"
#include "gateway/request/snapshot.h"
#include "gateway/rounds.h"

struct names;
/* Watches the names of all pools; the snapshot must outlive it. NULL where there
 * are none. */
enum err_code names_new(struct names **names_r, struct loop *, const struct snapshot *,
    struct rounds *, struct err *);
void names_free(struct names **);

struct name_state {
	const char *name;
	const struct netaddr *addresses; /* in use; without ports */
	uint32_t n;		/* 0: not answered yet; those of the start are in use */
	const char *problem;	/* why it can't be looked up; NULL: it can */
	int64_t since_us;	/* monotonic: of the addresses, or of the problem */
};
size_t names_count(const struct names *);	/* of NULL: 0 */
void names_state(const struct names *, size_t i, struct name_state *state_r);

#endif
