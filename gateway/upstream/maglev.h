/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/upstream/maglev.h - a table from hash to member: each has its share of
 * slots to within one, and few slots but those of a member that goes or comes
 * change hands (Eisenbud et al., "Maglev: A Fast and Reliable Software Network
 * Load Balancer", NSDI 2016, section 3.4; with weights). The order in which the
 * members are listed does not matter. Immutable. */
#ifndef YETT_UPSTREAM_MAGLEV_H
#define YETT_UPSTREAM_MAGLEV_H

#include <stdint.h>

struct maglev {
	uint16_t *member; /* of a slot */
	uint32_t n; /* slots, a prime; 0: no members */
};

/* `ids` tell the members apart, in every gateway alike (a hash of the address):
 * the same ids and weights give the same table. */
void
maglev_init(struct maglev *, const uint64_t *ids, const uint32_t *weights, uint32_t n);
void maglev_free(struct maglev *);

#endif
