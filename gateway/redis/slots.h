/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/redis/slots.h - what a cluster's client has to know of slots: which one
 * a key is in, and what CLUSTER SLOTS, MOVED and ASK say. Pure functions. */
#ifndef YETT_REDIS_SLOTS_H
#define YETT_REDIS_SLOTS_H

#include "gateway/redis/redis.h"

#define SLOTS 16384u
#define SLOT_HOST_MAX 256

/* CRC-16/XMODEM of the key, or of what stands between its first "{" and the next
 * "}" if that is not empty. */
uint16_t slot_of_key(struct span key);

struct slot_server {
	char host[SLOT_HOST_MAX];
	uint16_t port;
};

/* Calls `serve` for each run of slots of an answer to CLUSTER SLOTS with its
 * master. An unnamed host is `self`, the one that was asked. False when it is not
 * such an answer; nothing was called then. */
typedef void slots_serve_f(void *data, uint16_t first, uint16_t last,
    const struct slot_server *);
bool slots_read(const struct redis_value *, const char *self, slots_serve_f *serve,
    void *data);

enum slot_error { SLOT_ERROR_NONE, SLOT_ERROR_MOVED, SLOT_ERROR_ASK, SLOT_ERROR_TRYAGAIN,
	SLOT_ERROR_DOWN };
/* Takes the text of an error apart; *slot_r and *to_r are set by MOVED and ASK. */
enum slot_error slot_error_read(struct span text, const char *self, uint16_t *slot_r,
    struct slot_server *to_r);

#endif
