/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/access/bans_scripts.h - what runs inside Redis, made from .lua files. */
#ifndef YETT_BANS_SCRIPTS_H
#define YETT_BANS_SCRIPTS_H

#include "gateway/redis/redis.h"

extern const struct redis_script bans_client_script, bans_index_script;

#endif
