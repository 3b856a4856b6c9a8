/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/pages.h - the short page a refused client sees: HTML, or
 * application/problem+json (RFC 9457) where the client accepts JSON before
 * HTML. It carries the request id and no word of rules. Pure functions. */
#ifndef YETT_FILTER_PAGES_H
#define YETT_FILTER_PAGES_H

#include "gateway/base/buf.h"
#include "gateway/base/span.h"

struct page {
	struct span content_type;	/* static */
	uint16_t status;
};

const char *page_reason_phrase(uint16_t status);
/* Writes the body; returns its content type. `accept`: the request's Accept
 * field, may be absent. */
struct span page_refusal(
    struct text *body, uint16_t status, struct span request_id, struct span accept);
/* Plain HTTP came to a TLS port: says so, with a link to `https_url`. */
struct span page_https_here(struct text *body, struct span https_url);

#endif
