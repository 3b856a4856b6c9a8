/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what is told of a ban. */
#include "config.h"

#include "gateway/access/bans_record.h"

#include "gateway/base/clock.h"
#include "gateway/base/utf8.h"

#include <stdio.h>

/* A ban of a year, and what was there before it. */
#define AGE_MAX_MS (INT64_C(400) * 24 * 3600 * 1000)
#define LEVEL_MAX 1000

static bool
read_number(struct span s, uint64_t max, uint64_t *value_r)
{
	return (s.n > 0 && s.n <= 18 && span_u64(s, value_r) && *value_r <= max);
}

static bool
read_flags(struct span s, struct ban *ban)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == 'h' && !ban->by_hand && !ban->shadow)
			ban->by_hand = true;
		else if (s.p[i] == 's' && !ban->shadow)
			ban->shadow = true;
		else
			return (false);
	}
	return (true);
}

static bool
read_words(struct span s, char *out, size_t size)
{
	size_t i;

	if (s.n >= size || !utf8_is_valid(s))
		return (false);
	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return (false);
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return (true);
}

static bool
read_ids(struct span s, struct ban *ban)
{
	struct span id;

	if (s.n == 0)
		return (true);
	while (span_split(&s, ',', &id)) {
		if (ban->n_ids == BANS_IDS_MAX || !id_is_valid(id))
			return (false);
		memcpy(ban->ids[ban->n_ids], id.p, id.n);
		ban->ids[ban->n_ids++][id.n] = '\0';
	}
	return (true);
}

enum bans_record
bans_record_read(struct span text, int64_t wall_us, struct ban *ban)
{
	enum { MADE, AGE, LEFT, LEVEL, FLAGS, NODE, IDS, REASON, FIELDS };
	struct span fields[FIELDS], rest = text;
	uint64_t age, left, level;
	unsigned i;

	if (span_eq(text, SPAN("0")))
		return (BANS_RECORD_NONE);
	for (i = 0; i < FIELDS; i++)
		if (!span_split(&rest, '\t', &fields[i]))
			return (BANS_RECORD_BAD);
	if (rest.p != NULL)
		return (BANS_RECORD_BAD);
	memset(ban, 0, sizeof(*ban));
	if (!read_number(fields[AGE], AGE_MAX_MS, &age) ||
	    !read_number(fields[LEFT], AGE_MAX_MS, &left) ||
	    !read_number(fields[LEVEL], LEVEL_MAX, &level) ||
	    !read_flags(fields[FLAGS], ban) ||
	    !read_words(fields[NODE], ban->node, sizeof(ban->node)) ||
	    !read_ids(fields[IDS], ban) ||
	    !read_words(fields[REASON], ban->reason, sizeof(ban->reason)))
		return (BANS_RECORD_BAD);
	ban->since_us = wall_us - (int64_t)age * CLOCK_MS;
	ban->until_us = wall_us + (int64_t)left * CLOCK_MS;
	ban->level = (uint32_t)level;
	if (span_eq(fields[MADE], SPAN("1")))
		return (BANS_RECORD_HELD);
	return (span_eq(fields[MADE], SPAN("2")) ? BANS_RECORD_MADE : BANS_RECORD_BAD);
}

const char *
bans_client_text(const struct ban *ban, char out[BANS_CLIENT_MAX])
{
	char ip[NETADDR_TEXT_MAX];

	snprintf(out, BANS_CLIENT_MAX, "%.48s/%u", netaddr_ip_text(&ban->client, ip),
	    ban->bits);
	return (out);
}

bool
bans_client_read(struct span text, struct ban *ban)
{
	struct netprefix prefix;
	char again[BANS_CLIENT_MAX];

	if (text.n >= BANS_CLIENT_MAX || netprefix_parse(&prefix, text, NULL) != ERR_OK)
		return (false);
	ban->client = prefix.base;
	ban->bits = prefix.bits;
	return (span_eq(span_of(bans_client_text(ban, again)), text));
}

void
bans_record_ids(const struct ban *ban, struct text *out)
{
	uint32_t i;

	for (i = 0; i < ban->n_ids; i++) {
		/* a test's id, or none, would spoil the record */
		if (!id_is_valid(span_of(ban->ids[i])))
			continue;
		if (out->n > 0)
			text_putc(out, ',');
		text_puts(out, ban->ids[i]);
	}
}

void
bans_record_words(struct span words, struct text *out)
{
	size_t i, n;

	for (i = 0; i < words.n; i += n) {
		n = utf8_sequence(span_cut(words, i, words.n));
		if (n > 1) {
			text_put(out, span_cut(words, i, i + n));
			continue;
		}
		if (n == 0 || (unsigned char)words.p[i] < 0x20 || words.p[i] == 0x7f)
			text_putc(out, ' ');
		else
			text_putc(out, words.p[i]);
		n = 1;
	}
}

const char *
bans_record_flags(const struct ban *ban)
{
	if (ban->by_hand)
		return (ban->shadow ? "hs" : "h");
	return (ban->shadow ? "s" : "");
}
