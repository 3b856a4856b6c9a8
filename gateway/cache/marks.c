/* SPDX-License-Identifier: Apache-2.0 */
/* Hit-for-miss: keys whose answers are not to be kept, for a while, so that nobody waits
 * for another's. A table of fixed size; where it is full, the mark that ends first
 * goes. */
#include "config.h"

#include "gateway/cache/shard.h"

#include <string.h>

static struct mark *
mark_set(const struct shard *shard, const struct cache_key *key)
{
	return (&shard->marks[(size_t)(store_slot(key) % shard->mark_sets) * MARK_WAYS]);
}

static struct mark *
mark_find(const struct shard *shard, const struct cache_key *key)
{
	struct mark *set = mark_set(shard, key);
	unsigned i;

	for (i = 0; i < MARK_WAYS; i++)
		if (set[i].until_us != 0 && set[i].name == key->half[1])
			return (&set[i]);
	return (NULL);
}

void
marks_set(
    struct shard *shard, const struct cache_key *key, int64_t until_us, int64_t now_us)
{
	struct mark *set = mark_set(shard, key), *mark = mark_find(shard, key);
	unsigned i;

	for (i = 0; mark == NULL && i < MARK_WAYS; i++)
		if (set[i].until_us <= now_us)
			mark = &set[i];
	if (mark == NULL) {
		mark = set;
		for (i = 1; i < MARK_WAYS; i++)
			if (set[i].until_us < mark->until_us)
				mark = &set[i];
	}
	mark->name = key->half[1];
	mark->until_us = until_us;
}

bool
marks_have(const struct shard *shard, const struct cache_key *key, int64_t now_us)
{
	const struct mark *mark = mark_find(shard, key);

	return (mark != NULL && mark->until_us > now_us);
}

void
marks_drop(struct shard *shard, const struct cache_key *key)
{
	struct mark *mark = mark_find(shard, key);

	if (mark != NULL)
		mark->until_us = 0;
}

void
marks_drop_all(struct shard *shard)
{
	memset(shard->marks, 0,
	    (size_t)shard->mark_sets * MARK_WAYS * sizeof(*shard->marks));
}

uint64_t
marks_count(const struct shard *shard, int64_t now_us)
{
	size_t i, n = (size_t)shard->mark_sets * MARK_WAYS;
	uint64_t count = 0;

	for (i = 0; i < n; i++)
		if (shard->marks[i].until_us > now_us)
			count++;
	return (count);
}
