/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/admin_commands.h - what the control socket can be asked. A command gets
 * the question, {"command": "status", ...}, whatever else is in it unchecked, and
 * adds to an answer that is {"ok": true} so far. On the control thread; quick. */
#ifndef YETT_ADMIN_COMMANDS_H
#define YETT_ADMIN_COMMANDS_H

#include <jansson.h>

struct control_view;

typedef void admin_command_f(struct control_view *, const json_t *question,
    json_t *answer);

/* Makes {"ok": false, "error": ...} of the answer. */
void admin_refuse(json_t *answer, const char *error);

admin_command_f admin_status;	/* gateway/admin_status.c */
/* gateway/admin_bans.c */
admin_command_f admin_ban_list, admin_ban_add, admin_ban_lift;

#endif
