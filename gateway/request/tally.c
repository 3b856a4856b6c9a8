/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of requests. Written by one thread each: no locked instruction is needed,
 * only whole reads and writes. */
#include "config.h"

#include "gateway/request/tally.h"

#include <string.h>

const char *const tally_reasons[TALLY_REASONS] = { "protocol", "method", "acl", "geo",
	"ban", "limit", "auth", "waf", "body", "upstream", "other" };

const char *const tally_cache_texts[TALLY_CACHE] = {
#define TALLY_CACHE_TEXT(name, text) [TALLY_CACHE_##name] = (text),
	TALLY_CACHES(TALLY_CACHE_TEXT)
#undef TALLY_CACHE_TEXT
};

static void
add(atomic_uint_fast64_t *count, uint64_t more)
{
	uint64_t now;

	now = atomic_load_explicit(count, memory_order_relaxed);
	atomic_store_explicit(count, now + more, memory_order_relaxed);
}

void
tally_add(struct tally *t, unsigned status, const char *reason, bool blocked)
{
	unsigned i;

	add(&t->answers[status < TALLY_CLASSES * 100 ? status / 100 : 0], 1);
	if (reason == NULL)
		return;
	for (i = 0; i < TALLY_REASONS - 1; i++)
		if (strcmp(tally_reasons[i], reason) == 0)
			break;
	add(blocked ? &t->blocked[i] : &t->detected[i], 1);
}

void
tally_add_cache(struct tally *t, enum tally_cache what)
{
	add(&t->cache[what], 1);
}

void
tally_pack(struct tally *t, enum compress_why why)
{
	add(&t->packs[why], 1);
}

void
tally_packed(struct tally *t, uint64_t in, uint64_t out)
{
	add(&t->packed_in, in);
	add(&t->packed_out, out);
}

void
tally_sum(struct tally *sum, const struct tally *more)
{
	unsigned i;

	for (i = 0; i < TALLY_CLASSES; i++)
		add(&sum->answers[i],
		    atomic_load_explicit(&more->answers[i], memory_order_relaxed));
	for (i = 0; i < TALLY_CACHE; i++)
		add(&sum->cache[i],
		    atomic_load_explicit(&more->cache[i], memory_order_relaxed));
	for (i = 0; i < TALLY_REASONS; i++) {
		add(&sum->blocked[i],
		    atomic_load_explicit(&more->blocked[i], memory_order_relaxed));
		add(&sum->detected[i],
		    atomic_load_explicit(&more->detected[i], memory_order_relaxed));
	}
	for (i = 0; i < COMPRESS_WHY_COUNT; i++)
		add(&sum->packs[i],
		    atomic_load_explicit(&more->packs[i], memory_order_relaxed));
	add(&sum->packed_in,
	    atomic_load_explicit(&more->packed_in, memory_order_relaxed));
	add(&sum->packed_out,
	    atomic_load_explicit(&more->packed_out, memory_order_relaxed));
}
