/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/admin.h - the control socket: one JSON object a line in, one out. On
 * the control thread's loop. docs/guide/operating.md has the commands. */
#ifndef YETT_ADMIN_H
#define YETT_ADMIN_H

#include "gateway/base/err.h"
#include "gateway/loop/loop.h"

struct control_view;

struct admin;
/* Binds conf->admin.socket (0600). *admin_r is NULL, and that is no error, where
 * it is off, or where nobody asked for it and its folder can't be written (a
 * warning). `view` must outlive it. */
enum err_code admin_new(struct admin **admin_r, struct loop *, struct control_view *view,
    struct err *);
void admin_free(struct admin **);

#endif
