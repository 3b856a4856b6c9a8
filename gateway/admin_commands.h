/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/admin_commands.h - what the control socket can be asked. A command gets
 * the question, {"command": "status", ...}, whatever else is in it unchecked, and
 * adds to an answer that is {"ok": true} so far. On the control thread; quick. */
#ifndef YETT_ADMIN_COMMANDS_H
#define YETT_ADMIN_COMMANDS_H

#include <jansson.h>
#include <stdbool.h>

#include "gateway/talk.h"

struct control_view;

typedef void admin_command_f(struct control_view *, const json_t *question,
    json_t *answer);

/* Makes {"ok": false, "error": ...} of the answer. */
void admin_refuse(json_t *answer, const char *error);

admin_command_f admin_status;	/* gateway/admin_status.c */
/* gateway/admin_bans.c */
admin_command_f admin_ban_list, admin_ban_add, admin_ban_lift;
/* gateway/admin_cache.c */
admin_command_f admin_cache_stats, admin_cache_purge;

/* gateway/admin_pools.c */
admin_command_f admin_pool_drain;
json_t *admin_pools(const struct control_view *);
struct upstream_server_state;
/* "up", "drained", "down", "ejected", "refusing" */
const char *admin_server_state(const struct upstream_server_state *);

/* A command that has to find its answer out first: embedded in what does that. */
struct admin_turn {
	struct talk_wait wait;
	json_t *answer;		/* held */
	/* Nobody wants it any more: frees what it is embedded in. */
	void (*gone)(struct admin_turn *);
};
/* *turn_r stays NULL: the answer is complete. Else admin_finish is called later, not
 * from here. */
typedef void admin_slow_command_f(struct control_view *, const json_t *question,
    json_t *answer, struct admin_turn **turn_r);
/* The answer is complete now. The turn's memory is the command's again. */
void admin_finish(struct admin_turn *);

/* gateway/admin_limits.c */
admin_slow_command_f admin_limit_show, admin_limit_reset;

#endif
