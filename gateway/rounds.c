/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds through the workers. */
#include "config.h"

#include "gateway/rounds.h"

#include <stddef.h>
#include <stdlib.h>

#include "gateway/base/check.h"

#define ROUNDS_MAGIC 0x20d5a001u
struct rounds {
	unsigned magic;
	struct loop *loop;
	struct workers *workers;
	struct loop_message passed;
	bool under_way;
	/* Linked by `next`, in order: those of this round and of the next one. */
	struct loop_message *now, *later, **last;
};

static void
begin(struct rounds *rounds)
{
	rounds->under_way = true;
	rounds->now = rounds->later;
	rounds->later = NULL;
	rounds->last = &rounds->later;
	workers_round(rounds->workers, rounds->loop, &rounds->passed);
}

static void
round_passed(struct loop_message *message)
{
	struct loop_message *m, *next;
	struct rounds *rounds;

	rounds = (struct rounds *)((char *)message - offsetof(struct rounds, passed));
	CHECK_OBJ(rounds, ROUNDS_MAGIC);
	rounds->under_way = false;
	m = rounds->now;
	rounds->now = NULL;
	if (rounds->later != NULL)
		begin(rounds);
	for (; m != NULL; m = next) {
		next = m->next;
		m->next = NULL;
		m->deliver(m);
	}
}

struct rounds *
rounds_new(struct loop *loop, struct workers *workers)
{
	struct rounds *rounds;

	rounds = mem_zalloc(sizeof(*rounds));
	rounds->magic = ROUNDS_MAGIC;
	rounds->loop = loop;
	rounds->workers = workers;
	rounds->passed.deliver = round_passed;
	rounds->last = &rounds->later;
	return (rounds);
}

void
rounds_free(struct rounds **rounds)
{
	CHECK_OBJ(*rounds, ROUNDS_MAGIC);
	(*rounds)->magic = 0;
	free(*rounds);
	*rounds = NULL;
}

void
rounds_add(struct rounds *rounds, struct loop_message *message)
{
	CHECK_OBJ(rounds, ROUNDS_MAGIC);
	message->next = NULL;
	*rounds->last = message;
	rounds->last = &message->next;
	if (!rounds->under_way)
		begin(rounds);
}
