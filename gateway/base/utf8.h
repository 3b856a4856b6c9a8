/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/utf8.h - hostile bytes as text (RFC 3629). Pure functions. */
#ifndef YETT_UTF8_H
#define YETT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/span.h"

/* Length 1..4 of the well-formed sequence at the front of `s`; 0 when there is
 * none (overlong, surrogate, truncated, past U+10FFFF). */
size_t utf8_sequence(struct span s);
bool utf8_is_valid(struct span s);

#endif
