/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of stored answers: one allocation each, with all that they point to. */
#include "config.h"

#include "gateway/cache/store_inside.h"

#include "gateway/base/check.h"

#include <string.h>

/* --- making -------------------------------------------------------------- */

/* What is laid out behind the head. */
struct sizes {
	uint32_t fields;
	size_t text;
};

static struct sizes
measure(const struct cache_draft *draft)
{
	const struct http_fields *f = draft->fields;
	struct sizes sizes = { 0 };
	uint32_t i;

	sizes.text =
	    draft->reason.n + draft->key_text.n + draft->vary_names.n + draft->vary_key.n;
	for (i = 0; i < f->n; i++) {
		if (!cache_field_is_kept(draft->control, &f->v[i]))
			continue;
		sizes.fields++;
		sizes.text += f->v[i].name.n + f->v[i].value.n;
	}
	return (sizes);
}

static struct span
put_text(char **at, struct span s)
{
	struct span copy = span_mem(*at, s.n);

	if (s.p == NULL)
		return (SPAN_NONE);
	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return (copy);
}

static void
put_fields(struct cache_object *o, const struct cache_draft *draft,
    struct http_field *array, uint32_t n, char **at)
{
	const struct http_fields *f = draft->fields;
	struct span name, value;
	uint32_t i;

	http_fields_init(&o->fields, array, n);
	for (i = 0; i < f->n; i++) {
		if (!cache_field_is_kept(draft->control, &f->v[i]))
			continue;
		name = put_text(at, f->v[i].name);
		value = put_text(at, f->v[i].value);
		CHECK(http_fields_add(&o->fields, name, value));
	}
}

static void
put_tags(struct object *object, const struct cache_tags *tags, struct tag_link *links)
{
	const struct hash_key *secret = &object->o.store->secret;
	unsigned i;

	object->tags = links;
	object->n_tags = tags != NULL ? tags->n : 0;
	for (i = 0; i < object->n_tags; i++) {
		memset(&links[i], 0, sizeof(links[i]));
		links[i].object = object;
		links[i].tag = hash_bytes(secret, tags->v[i].p, tags->v[i].n);
	}
}

/* Of the same content, compressed before. */
static void
take_derived(struct object *object, const struct cache_object *from)
{
	unsigned i;

	if (from == NULL || from->body != object->o.body)
		return;
	for (i = 0; i < CACHE_DERIVED; i++)
		atomic_init(&object->derived[i], cache_object_derived(from, i));
}

struct cache_object *
cache_object_new(struct cache_store *store, const struct cache_draft *draft)
{
	struct sizes sizes = measure(draft);
	size_t links = draft->tags != NULL ? draft->tags->n : 0, size;
	struct http_field *array;
	struct object *object;
	struct cache_object *o;
	char *at;

	CHECK_OBJ(store, STORE_MAGIC);
	size = sizeof(*object) + links * sizeof(struct tag_link) +
	       sizes.fields * sizeof(*array) + sizes.text;
	object = store_alloc(store, size);
	if (object == NULL)
		return (NULL);
	memset(object, 0, sizeof(*object));
	o = &object->o;
	o->magic = OBJECT_MAGIC;
	o->store = store;
	atomic_init(&object->refs, 1);
	put_tags(object, draft->tags, (struct tag_link *)(object + 1));
	array = (struct http_field *)(object->tags + links);
	at = (char *)(array + sizes.fields);
	put_fields(o, draft, array, sizes.fields, &at);
	o->status = draft->status;
	o->reason = put_text(&at, draft->reason);
	o->key_text = put_text(&at, draft->key_text);
	o->vary_names = put_text(&at, draft->vary_names);
	o->vary_key = put_text(&at, draft->vary_key);
	o->life = *draft->life;
	cache_validators_read(&o->validators, &o->fields, draft->wall_s);
	if (draft->body != NULL)
		o->body = cache_body_ref(draft->body);
	take_derived(object, draft->from);
	return (o);
}

struct cache_object *
cache_object_ref(struct cache_object *o)
{
	CHECK_OBJ(o, OBJECT_MAGIC);
	atomic_fetch_add_explicit(&object_of(o)->refs, 1, memory_order_relaxed);
	return (o);
}

void
cache_object_free(struct cache_object **o_ptr)
{
	struct cache_object *o = *o_ptr;
	struct cache_body *derived;
	struct object *object;
	unsigned i;

	if (o == NULL)
		return;
	CHECK_OBJ(o, OBJECT_MAGIC);
	*o_ptr = NULL;
	object = object_of(o);
	if (atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) != 1)
		return;
	CHECK(object->place == PLACE_NONE);
	for (i = 0; i < CACHE_DERIVED; i++) {
		derived = atomic_load(&object->derived[i]);
		cache_body_free(&derived);
	}
	cache_body_free(&o->body);
	o->magic = 0;
	heap_free(&o->store->heap, object);
}

/* --- compressed forms ---------------------------------------------------- */

struct cache_body *
cache_object_derived(const struct cache_object *o, unsigned coding)
{
	const struct object *object = (const struct object *)(const void *)o;
	struct cache_body *body;

	CHECK_OBJ(o, OBJECT_MAGIC);
	CHECK(coding < CACHE_DERIVED);
	/* Once there it stays as long as the object. */
	body = atomic_load_explicit(&object->derived[coding], memory_order_acquire);
	return (body != NULL ? cache_body_ref(body) : NULL);
}

bool
cache_object_may_derive(struct cache_object *o, unsigned coding)
{
	struct object *object = object_of(o);
	unsigned bit = 1u << coding;

	CHECK_OBJ(o, OBJECT_MAGIC);
	CHECK(coding < CACHE_DERIVED);
	if ((atomic_fetch_or(&object->deriving, bit) & bit) != 0)
		return (false);
	if (atomic_load(&object->derived[coding]) == NULL)
		return (true);
	atomic_fetch_and(&object->deriving, ~bit);
	return (false);
}

void
cache_object_derive(struct cache_object *o, unsigned coding, struct cache_body *body)
{
	struct object *object = object_of(o);

	CHECK_OBJ(o, OBJECT_MAGIC);
	CHECK(coding < CACHE_DERIVED);
	if (body != NULL && cache_body_is_complete(body) &&
	    atomic_load(&object->derived[coding]) == NULL) {
		atomic_store_explicit(
		    &object->derived[coding], cache_body_ref(body), memory_order_release);
		store_grown(object, body_cost(body));
	}
	atomic_fetch_and(&object->deriving, ~(1u << coding));
}
