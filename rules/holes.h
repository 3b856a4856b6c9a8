/* SPDX-License-Identifier: Apache-2.0 */
/* rules/holes.h - known security faults of versions of libmodsecurity 3 and
 * what Yett does about each. Source: the project's advisories and changelog. */
#ifndef YETT_RULES_HOLES_H
#define YETT_RULES_HOLES_H

#include "gateway/base/buf.h"

/* One line for each hole that the version ("3.0.9") has upstream; a distribution
 * may have mended it without changing the version, which is said. */
void waf_holes(const char *version, struct text *out);

#endif
