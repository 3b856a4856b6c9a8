/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/value.h - the words of a configuration as values: numbers,
 * durations, sizes, rates, truth, and how near one word is to another. Pure
 * functions; any thread. */
#ifndef YETT_CONF_VALUE_H
#define YETT_CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/span.h"

/* Ends with a row whose name is NULL. The reader and the reference page use
 * the same rows. */
struct value_unit {
	const char *name;
	uint64_t factor;
	const char *meaning;
};
extern const struct value_unit value_duration_units[]; /* in microseconds */
extern const struct value_unit value_size_units[]; /* in bytes */
extern const struct value_unit value_rate_units[]; /* per day */

/* All are false for what is malformed or does not fit. Digits only: no sign,
 * no fraction, no spaces. A duration needs its unit, but for 0; a size without
 * one counts bytes. */
bool value_number(struct span, uint32_t *number_r);
bool value_duration(struct span, int64_t *us_r);
bool value_size(struct span, uint64_t *bytes_r);
/* "5/m". */
struct value_rate {
	uint64_t tokens;
	uint64_t per_us;
	uint64_t tokens_per_day; /* to compare rates with */
};
bool value_rate(struct span, struct value_rate *rate_r);
/* on, off, true, false, yes, no. */
bool value_truth(struct span, bool *truth_r);
/* "[a, b]" of a table's text: takes the next word off *rest. */
bool value_word(struct span *rest, struct span *word_r);

/* Edits (insert, drop, change, swap neighbours) from one word to the other,
 * without case; SIZE_MAX when either is longer than 64 bytes. */
size_t value_distance(struct span a, struct span b);
/* Near enough to be what was meant by `typed`? */
bool value_is_near(struct span typed, struct span word, size_t *distance_r);

/* The text as found, for a message: quoted, cut to a readable length, bytes
 * that a terminal could misread escaped. */
void value_quote(struct span, struct text *);

#endif
