/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/source.h - where the body of an answer comes from: what the WAF
 * held back of it, then the origin; or what is stored. Part of a request; its loop
 * only. */
#ifndef YETT_REQUEST_SOURCE_H
#define YETT_REQUEST_SOURCE_H

#include "gateway/request/exchange.h"

/* Next piece, valid until source_used; as exchange_body. */
enum exchange_rc source_piece(struct request *, struct span *piece_r);
/* The part of that piece that is a file in memory, for streams that take one; false:
 * none. */
bool source_lends(struct request *, struct span piece, struct sender_lent *lent_r);
/* The client has it. */
void source_used(struct request *);
/* Nothing comes behind the piece that was given last. */
bool source_is_done(const struct request *);

#endif
