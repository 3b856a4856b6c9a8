/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/http/h1_framing.h - what the fields of a complete head say about the
 * body, the connection and the host; between h1_head.c and h1_framing.c. */
#ifndef YETT_HTTP_H1_FRAMING_H
#define YETT_HTTP_H1_FRAMING_H

#include "gateway/http/h1.h"

/* Sets framing, content_length, keepalive and expect_continue. */
enum h1_oddity h1_framing_find(struct h1_head *);

#endif
