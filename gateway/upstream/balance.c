/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing a server: round robin, least connections, two at random, hash. */
#include "config.h"

#include "gateway/upstream/balance.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "gateway/base/check.h"
#include "gateway/upstream/maglev.h"
#include "gateway/upstream/mix.h"
#include "gateway/upstream/turns.h"

/* Draws that may hit a server which can't be had before all are looked at. */
#define DRAWS 8

/* 32 bits of connections times weights may need more than 64. */
__extension__ typedef unsigned __int128 wide;

/* All but the backups, or the backups. */
struct group {
	uint32_t n;
	uint16_t *server; /* of a member */
	struct turns turns;
	struct maglev maglev; /* empty unless by hash */
	char before[64]; /* the ticket has a cache line of its own */
	_Atomic uint64_t ticket;
	char after[64];
};

#define BALANCER_MAGIC 0xba1a9ce5u
struct balancer {
	unsigned magic;
	enum balance_kind kind;
	uint32_t n, bound_percent;
	uint32_t *weight;
	struct group groups[2];
};

/* One pick: who may be chosen. */
struct look {
	const struct balancer *balancer;
	const struct balance_state *states;
	const uint64_t *tried;
	struct group *group;
	bool whatever; /* available or not */
	uint32_t except; /* BALANCE_NONE: nobody */
	/* Only those with `active` for `weight`; weight 0: no matter. */
	struct {
		uint64_t active, weight;
	} least;
	/* Only those below the bound; weight 0: no bound. Sums of all. */
	struct {
		uint64_t active, weight;
	} sum;
};

static uint32_t
share_of(const struct look *look, uint32_t server)
{
	uint32_t share = look->states[server].share;

	if (share == 0)
		return (1);
	return (share < BALANCE_SHARE_FULL ? share : BALANCE_SHARE_FULL);
}

static uint64_t
weight_of(const struct look *look, uint32_t server)
{
	return ((uint64_t)look->balancer->weight[server] * share_of(look, server));
}

/* One more connection would leave it within ceil(bound * its part of all). */
static bool
has_room(const struct look *look, uint32_t server)
{
	return ((wide)look->states[server].active * 100 * look->sum.weight <
		(wide)look->balancer->bound_percent * (look->sum.active + 1) *
		    weight_of(look, server));
}

static bool
may_have(const struct look *look, uint32_t server)
{
	const struct balance_state *state = &look->states[server];

	if (state->closed || server == look->except ||
	    (!state->available && !look->whatever))
		return (false);
	if (look->tried != NULL && (look->tried[server / 64] >> (server % 64) & 1) != 0)
		return (false);
	if (look->least.weight != 0 && state->active * look->least.weight !=
					   look->least.active * weight_of(look, server))
		return (false);
	return (look->sum.weight == 0 || has_room(look, server));
}

/* By weight, having looked at all of them. The same number chooses the same one
 * as long as nothing changes. */
static uint32_t
choose_slowly(const struct look *look, uint64_t number)
{
	uint64_t sum = 0, w;
	uint32_t i;

	for (i = 0; i < look->group->n; i++)
		if (may_have(look, look->group->server[i]))
			sum += weight_of(look, look->group->server[i]);
	if (sum == 0)
		return (BALANCE_NONE);
	number = mix64(number) % sum;
	for (i = 0; i < look->group->n; i++) {
		if (!may_have(look, look->group->server[i]))
			continue;
		w = weight_of(look, look->group->server[i]);
		if (number < w)
			return (look->group->server[i]);
		number -= w;
	}
	WRONG("the sum of weights");
}

/* Of its turns a server in slow start takes its share, evenly spread. */
static bool
takes_turn(const struct look *look, uint64_t ticket, uint32_t member)
{
	const struct turns *turns = &look->group->turns;
	uint64_t nth, share = share_of(look, look->group->server[member]);

	if (share == BALANCE_SHARE_FULL)
		return (true);
	nth =
	    ticket / turns->n * turns->weight[member] + turns->ordinal[ticket % turns->n];
	return (
	    (nth + 1) * share / BALANCE_SHARE_FULL > nth * share / BALANCE_SHARE_FULL);
}

static uint32_t
round_robin(const struct look *look, uint64_t number)
{
	struct group *group = look->group;
	uint64_t ticket;
	uint32_t member, i;

	/* Who can't be had gives its turn to the next ticket rather than to its
	 * neighbour, so that the others share it by their weights. */
	for (i = 0; i < 2 * group->n; i++) {
		ticket =
		    atomic_fetch_add_explicit(&group->ticket, 1, memory_order_relaxed);
		member = group->turns.member[ticket % group->turns.n];
		if (may_have(look, group->server[member]) &&
		    takes_turn(look, ticket, member))
			return (group->server[member]);
	}
	return (choose_slowly(look, number));
}

static uint32_t
least_connections(struct look *look, uint64_t number)
{
	uint64_t active = 0, weight = 0, w;
	uint32_t server, i;

	for (i = 0; i < look->group->n; i++) {
		server = look->group->server[i];
		if (!may_have(look, server))
			continue;
		w = weight_of(look, server);
		if (weight != 0 && look->states[server].active * weight >= active * w)
			continue;
		active = look->states[server].active;
		weight = w;
	}
	if (weight == 0)
		return (BALANCE_NONE);
	look->least.active = active;
	look->least.weight = weight;
	return (round_robin(look, number));
}

/* By weight: a random turn is one. */
static uint32_t
draw(const struct look *look, uint64_t *number)
{
	const struct group *group = look->group;
	uint32_t server, i;

	for (i = 0; i < DRAWS; i++) {
		*number = mix64(*number);
		server = group->server[group->turns.member[*number % group->turns.n]];
		if (!may_have(look, server))
			continue;
		*number = mix64(*number);
		if (*number % BALANCE_SHARE_FULL < share_of(look, server))
			return (server);
	}
	*number = mix64(*number);
	return (choose_slowly(look, *number));
}

static uint32_t
random_two(struct look *look, uint64_t number)
{
	uint32_t first, second;

	first = draw(look, &number);
	if (first == BALANCE_NONE)
		return (BALANCE_NONE);
	look->except = first;
	second = draw(look, &number);
	if (second != BALANCE_NONE &&
	    look->states[second].active * weight_of(look, first) <
		look->states[first].active * weight_of(look, second))
		return (second);
	return (first);
}

static uint32_t
by_hash(struct look *look, uint64_t hash)
{
	const struct group *group = look->group;
	uint64_t active = 0, weight = 0, luck;
	uint32_t server, slot, i;

	for (i = 0; i < group->n && look->balancer->bound_percent != 0; i++) {
		server = group->server[i];
		if (!may_have(look, server))
			continue;
		active += look->states[server].active;
		weight += weight_of(look, server);
	}
	look->sum.active = active;
	look->sum.weight = weight;
	/* On to a slot that follows from the key rather than the next one, since
	 * who is whose neighbour in the table is not even. */
	for (i = 0; i < 8 * group->n + 64; i++) {
		luck = mix64(hash + i);
		slot = (uint32_t)((i == 0 ? hash : luck) % group->maglev.n);
		server = group->server[group->maglev.member[slot]];
		if (!may_have(look, server))
			continue;
		/* In slow start its keys come back to it one by one, each for
		 * good. */
		luck = mix64(luck) % BALANCE_SHARE_FULL;
		if (luck < share_of(look, server))
			return (server);
	}
	return (choose_slowly(look, hash));
}

static uint32_t
pick_of(struct look *look, uint64_t number)
{
	switch (look->balancer->kind) {
	case BALANCE_ROUND_ROBIN: return (round_robin(look, number));
	case BALANCE_LEAST_CONNECTIONS: return (least_connections(look, number));
	case BALANCE_RANDOM_TWO: return (random_two(look, number));
	case BALANCE_CONSISTENT_HASH: return (by_hash(look, number));
	}
	WRONG("kind of balancer");
}

uint32_t
balance_pick(struct balancer *balancer, const struct balance_state *states,
    const uint64_t *tried, uint64_t number)
{
	uint32_t server = BALANCE_NONE, i;
	struct look look;

	CHECK_OBJ(balancer, BALANCER_MAGIC);
	for (i = 0; i < 4 && server == BALANCE_NONE; i++) {
		look = (struct look){ .balancer = balancer,
			.states = states,
			.tried = tried,
			.group = &balancer->groups[i % 2],
			.whatever = i >= 2,
			.except = BALANCE_NONE };
		if (look.group->n != 0)
			server = pick_of(&look, number);
	}
	return (server);
}

static void
group_init(struct group *group, const struct balancer *balancer,
    const struct balance_member *members, bool backup)
{
	uint32_t *weights, i;
	uint64_t *ids;

	weights = mem_alloc(balancer->n * sizeof(*weights));
	ids = mem_alloc(balancer->n * sizeof(*ids));
	group->server = mem_alloc(balancer->n * sizeof(*group->server));
	for (i = 0; i < balancer->n; i++) {
		if (members[i].backup != backup)
			continue;
		ids[group->n] = members[i].id;
		weights[group->n] = balancer->weight[i];
		group->server[group->n++] = (uint16_t)i;
	}
	turns_init(&group->turns, weights, group->n);
	if (balancer->kind == BALANCE_CONSISTENT_HASH)
		maglev_init(&group->maglev, ids, weights, group->n);
	atomic_init(&group->ticket, 0);
	free(ids);
	free(weights);
}

struct balancer *
balancer_new(enum balance_kind kind, const struct balance_member *members, uint32_t n,
    uint32_t bound_percent)
{
	struct balancer *balancer;
	uint32_t i;

	CHECK(n >= 1 && n <= BALANCE_SERVERS_MAX);
	CHECK(bound_percent == 0 || bound_percent > 100);
	balancer = mem_zalloc(sizeof(*balancer));
	balancer->magic = BALANCER_MAGIC;
	balancer->kind = kind;
	balancer->n = n;
	balancer->bound_percent = bound_percent;
	balancer->weight = mem_alloc(n * sizeof(*balancer->weight));
	for (i = 0; i < n; i++) {
		CHECK(members[i].weight <= BALANCE_WEIGHT_MAX);
		balancer->weight[i] = members[i].weight != 0 ? members[i].weight : 1;
	}
	group_init(&balancer->groups[0], balancer, members, false);
	group_init(&balancer->groups[1], balancer, members, true);
	return (balancer);
}

void
balancer_free(struct balancer **balancer_p)
{
	struct balancer *balancer = *balancer_p;
	uint32_t i;

	*balancer_p = NULL;
	if (balancer == NULL)
		return;
	CHECK_OBJ(balancer, BALANCER_MAGIC);
	for (i = 0; i < 2; i++) {
		turns_free(&balancer->groups[i].turns);
		maglev_free(&balancer->groups[i].maglev);
		free(balancer->groups[i].server);
	}
	free(balancer->weight);
	balancer->magic = 0;
	free(balancer);
}
