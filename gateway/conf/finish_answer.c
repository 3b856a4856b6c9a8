/* SPDX-License-Identifier: Apache-2.0 */
/* What takes more than one field of the cache, compression, changes of fields. */
#include "config.h"

#include "gateway/conf/reader.h"
#include "gateway/conf/tables.h"

/* A few large answers must not be all that there is room for. */
#define OBJECT_SHARE 4

void
finish_cache(struct reader *r, void *object, const struct node *node)
{
	struct conf *cf = object;
	const struct node *max_object = node_member(node, "max_object");

	if (cf->cache.max_object <= cf->cache.memory / OBJECT_SHARE)
		return;
	if (max_object == NULL)
		cf->cache.max_object = cf->cache.memory / OBJECT_SHARE;
	else
		reader_problem_in(r, max_object, "max_object",
		    "is more than a quarter of memory, which is %llu bytes",
		    (unsigned long long)cf->cache.memory);
}

void
finish_cache_use(struct reader *r, void *object, const struct node *node)
{
	struct conf_cache_use *use = object;
	size_t i;

	use->on = true;
	use->keys = reader_alloc(r, (use->key.n + 1) * sizeof(*use->keys));
	for (i = 0; i < use->key.n; i++) {
		use->keys[i] = take_key(use->key.v[i]);
		if (use->keys[i].kind == CONF_KEY_COUNTRY)
			reader_mention_in(r, MENTION_COUNTRY, node, "key");
		else if (use->keys[i].kind == CONF_KEY_ASN)
			reader_mention_in(r, MENTION_ASN, node, "key");
	}
	use->n_keys = use->key.n;
}

void
finish_compress(struct reader *r, void *object, const struct node *node)
{
	struct conf_compress *compress = object;
	const struct node *encodings = node_member(node, "encodings");
	size_t i, j;

	compress->on = true;
	for (i = 1; i < compress->encodings.n; i++)
		for (j = 0; j < i; j++)
			if (strcmp(compress->encodings.v[i], compress->encodings.v[j]) ==
			    0) {
				reader_problem_in(r, encodings, "encodings",
				    "names \"%s\" twice", compress->encodings.v[i]);
				return;
			}
}

/* The places of what is removed: whether the fields may be is known by others. */
void
finish_header_change(struct reader *r, void *object, const struct node *node)
{
	struct conf_header_change *change = object;
	const struct node *remove = node_member(node, "remove"), *item;
	size_t i = 0;

	if (change->remove.n == 0)
		return;
	change->removed = reader_alloc(r, change->remove.n * sizeof(*change->removed));
	item = remove->kind == NODE_LIST ? remove->child : remove;
	for (; i < change->remove.n; i++) {
		/* Where some are not allowed the places are not theirs: but then
		 * nobody is given the configuration. */
		change->removed[i] = (struct conf_pair){
			.name = change->remove.v[i],
			.value = "",
			.place = { r->file, item->line, item->column },
			.field = reader_member(r, "remove"),
		};
		item = item->next;
	}
}
