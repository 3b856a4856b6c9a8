/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/pages.h - the short page a refused client sees: HTML, or
 * application/problem+json (RFC 9457) where the client accepts JSON before
 * HTML. It carries the request id and no word of rules. Pure functions. */
#ifndef YETT_FILTER_PAGES_H
#define YETT_FILTER_PAGES_H

#include <stdbool.h>

#include "gateway/base/buf.h"
#include "gateway/base/span.h"

#define PAGE_TYPE_HTML SPAN("text/html; charset=utf-8")
#define PAGE_TYPE_PROBLEM SPAN("application/problem+json")

const char *page_reason_phrase(uint16_t status);
/* Does a client with this Accept field, which may be absent, want JSON rather than
 * HTML? */
bool page_wants_json(struct span accept);
/* As text between tags or in an attribute's quotes; what is not ASCII becomes "?". */
void page_put_escaped(struct text *, struct span);
/* Writes the body; returns its content type. `accept`: the request's Accept
 * field, may be absent. */
struct span page_refusal(
    struct text *body, uint16_t status, struct span request_id, struct span accept);
/* Plain HTTP came to a TLS port: says so, with a link to `https_url`. */
struct span page_https_here(struct text *body, struct span https_url);

#endif
