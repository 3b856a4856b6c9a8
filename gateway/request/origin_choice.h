/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/origin_choice.h - what a request says about which server of its
 * pool it wants: the key that is hashed, the cookie that brings a client back. The
 * cookie is between Yett and the client: an origin never sees it. */
#ifndef YETT_REQUEST_ORIGIN_CHOICE_H
#define YETT_REQUEST_ORIGIN_CHOICE_H

#include <stdbool.h>

#include "gateway/base/buf.h"

struct request;

/* Into the exchange's ask; once, before the first one. */
void origin_choice_fill(struct request *);
/* A Cookie field of the client without the cookie of that name; nothing where nothing is
 * left. */
void origin_choice_put_cookies(struct text *head, struct span value, struct span name);
/* Set-Cookie, where another server answered than the client's cookie means. */
void origin_choice_put_set_cookie(const struct request *, struct text *head);

#endif
