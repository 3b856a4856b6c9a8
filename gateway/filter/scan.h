/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/scan.h - finds secrets in text whose form is not known: a name
 * that holds a secret word, a separator, a value. Sees through percent-encoding
 * (of any depth) and JSON escapes, and when in doubt takes too much. Linear in
 * the text. Pure functions. */
#ifndef YETT_FILTER_SCAN_H
#define YETT_FILTER_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/span.h"

#define MASK_TEXT "***"

struct mask_word {
	char *p; /* lower case */
	size_t n;
};

struct mask {
	struct mask_word *words;
	size_t n_words;
	bool starts[256];	/* bytes a word begins with, both cases */
	bool stops[256];	/* all bytes a scan has to look at */
	uint32_t follows[256];	/* letters that may follow it in what is sought */
	bool cookies;		/* is "cookie" itself secret */
};

/* Decodes one byte at `at`: "%41", "%2541", "A" and "\u0041" are all "A". Returns
 * how many bytes of the text it takes, at least 1. */
size_t scan_byte(struct span, size_t at, uint8_t *byte_r);
/* Is a secret word anywhere in the decoded text? */
bool scan_has_word(const struct mask *, struct span);
/* Appends the text with the values of secrets replaced. */
void scan_mask(const struct mask *, struct span, struct text *out);

#endif
