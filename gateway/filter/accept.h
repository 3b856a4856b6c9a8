/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/accept.h - which content coding a client wants (Accept-Encoding,
 * RFC 9110 12.5.3). The client's quality decides; at a tie a coding that it named
 * beats one that "*" covers, then the operator's order decides, and any coding beats
 * identity. Read strictly: what is refused or not understood is not sent. Linear in
 * the field, and no more than ACCEPT_ELEMENTS_MAX of its elements are looked at. Pure
 * functions. */
#ifndef YETT_FILTER_ACCEPT_H
#define YETT_FILTER_ACCEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/http/fields.h"

#define ACCEPT_ELEMENTS_MAX 64

/* The first three are what answers are encoded with, numbered as the words of
 * compress.encodings are. Deflate is only decoded: its name stands for two formats. */
enum coding {
	CODING_ZSTD,
	CODING_BR,
	CODING_GZIP,
	CODING_DEFLATE,
	CODING_IDENTITY,
	CODING_COUNT
};

/* Static text, lower case. */
struct span coding_name(enum coding);
/* By name, without case, "x-gzip" too; CODING_COUNT when it is none. */
enum coding coding_find(struct span name);

/* What the field lines read so far say. */
struct accept {
	int16_t quality[CODING_COUNT]; /* thousandths; -1: not named */
	int16_t any; /* of "*"; -1: none */
	uint16_t elements;
	bool crowded; /* more elements than are looked at */
};

enum accept_rc {
	ACCEPT_CODING, /* *coding_r is one of `order` */
	ACCEPT_IDENTITY, /* send it as it is */
	ACCEPT_NOTHING, /* none of ours nor identity; RFC 9110 lets us send it
				 * as it is, which is more use than 406 */
};

void accept_init(struct accept *);
/* The value of one field line; several are one list. */
void accept_add(struct accept *, struct span value);
/* All lines of a request. */
void accept_read(struct accept *, const struct http_fields *);
/* `order`: the operator's codings, best first, each once. No field at all means that
 * the client takes anything; it gets identity, as it asked for nothing. */
enum accept_rc accept_choose(
    const struct accept *, const enum coding *order, size_t n, enum coding *coding_r);

#endif
