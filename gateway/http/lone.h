/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/http/lone.h - the one value of a field or cookie that something is keyed by.
 * What comes twice is one value to us and may be the other to the origin, so two
 * that differ are no value at all. Pure functions. */
#ifndef YETT_HTTP_LONE_H
#define YETT_HTTP_LONE_H

#include "gateway/http/fields.h"

/* Absent, the value, or SPAN("") where it is there and empty. False: two differ. Names
 * are compared without regard to case, and "X_Api_Key" is X-Api-Key, as it is to
 * origins that make variables of fields (CGI). */
bool http_lone_field(const struct http_fields *, struct span name, struct span *value_r);
/* Does the origin get each field that it may take for `name` under just that name? Not
 * so what Connection takes off, nor "X_Lang", which is X-Lang to some origins and
 * nothing to others. */
bool http_field_is_plain(const struct http_fields *, struct span name);
/* As http_lone_field, of a cookie (RFC 6265, 4.2.1), its name with case. */
bool http_lone_cookie(const struct http_fields *, struct span name, struct span *value_r);

#endif
