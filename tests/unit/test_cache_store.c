/* SPDX-License-Identifier: Apache-2.0 */
/* The store: variants, purges, what goes when there is no room, and that all it holds
 * is counted. */
#include "config.h"

#include "tests/unit/store_rig.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static bool
has(struct cache_store *store, const char *key, const char *fields)
{
	struct rig_question rig;
	struct cache_object *object;
	enum cache_found found;

	rig_ask(&rig, key, fields);
	found = cache_store_find(store, &rig.q, &object);
	cache_object_free(&object);
	rig_asked(&rig);
	return (found == CACHE_FOUND);
}

static bool
put(struct cache_store *store, const char *key, const char *fields, const char *lines,
    uint64_t n)
{
	struct rig_question rig;
	bool kept;

	rig_ask(&rig, key, fields);
	kept = rig_put(store, &rig, lines, 1, n);
	rig_asked(&rig);
	return (kept);
}

static unsigned
purge_key(struct cache_store *store, const char *key)
{
	struct rig_question rig;
	unsigned n;

	rig_ask(&rig, key, NULL);
	n = cache_store_purge_key(store, &rig.q.key, rig.q.key_text);
	rig_asked(&rig);
	return (n);
}

static struct cache_figures
figures_of(struct cache_store *store)
{
	struct cache_figures figures;

	cache_store_figures(store, &figures);
	return (figures);
}

static void
test_what_an_object_keeps(void **state)
{
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	struct cache_object *object;
	struct rig_question rig;

	(void)state;
	rig_ask(&rig, "http://a/", NULL);
	assert_true(rig_put(store, &rig,
	    "ETag: \"x\"\nConnection: X-Hop\nX-Hop: 1\nAge: 7\nX-Kept: yes\n"
	    "Set-Cookie: a=b\nSurrogate-Key: one two\nX-Empty:",
	    3, 1000));
	assert_int_equal(cache_store_find(store, &rig.q, &object), CACHE_FOUND);
	assert_int_equal(object->status, 200);
	assert_true(span_eq(object->reason, SPAN("OK")));
	assert_int_equal(object->fields.n, 3);
	assert_true(span_eq(object->fields.v[0].name, SPAN("ETag")));
	assert_true(span_eq(object->fields.v[1].value, SPAN("yes")));
	assert_true(span_eq(object->fields.v[2].name, SPAN("X-Empty")));
	assert_int_equal(object->fields.v[2].value.n, 0);
	assert_non_null(object->fields.v[2].value.p);
	assert_int_equal(object->fields.count[HTTP_ETAG], 1);
	assert_true(span_eq(object->validators.etag, SPAN("\"x\"")));
	assert_true(object->validators.etag.p == object->fields.v[0].value.p);
	assert_true(span_eq(object->key_text, SPAN("http://a/")));
	assert_int_equal(object->validators.date_s, 1700000000);
	assert_true(rig_is(object->body, 3, 1000));
	/* It stays as it is for who has it. */
	assert_int_equal(cache_store_purge_all(store), 1);
	assert_false(has(store, "http://a/", NULL));
	assert_true(rig_is(object->body, 3, 1000));
	cache_object_free(&object);
	rig_asked(&rig);
	cache_store_free(&store);
}

static void
test_variants(void **state)
{
	static const char *const vary = "Vary: accept-encoding";
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	struct cache_object *object, *all[4];
	struct rig_question rig;
	unsigned n;

	(void)state;
	assert_true(put(store, "k", "Accept-Encoding: gzip", vary, 10));
	assert_true(has(store, "k", "Accept-Encoding: gzip"));
	assert_false(has(store, "k", "Accept-Encoding: br"));
	assert_false(has(store, "k", NULL));
	assert_true(put(store, "k", "Accept-Encoding: br", vary, 20));
	assert_int_equal(figures_of(store).objects, 2);
	assert_int_equal(figures_of(store).keys, 1);
	/* the same again takes its place */
	assert_true(put(store, "k", "Accept-Encoding: br", vary, 30));
	assert_int_equal(figures_of(store).objects, 2);
	rig_ask(&rig, "k", "Accept-Encoding: br");
	assert_int_equal(cache_store_find(store, &rig.q, &object), CACHE_FOUND);
	assert_int_equal(cache_body_bytes(object->body), 30);
	cache_object_free(&object);
	rig_asked(&rig);
	rig_ask(&rig, "k", NULL);
	assert_int_equal(cache_store_find(store, &rig.q, &object), CACHE_FOUND_OTHERS);
	assert_null(object);
	n = cache_store_variants(store, &rig.q, all, 4);
	assert_int_equal(n, 2);
	while (n > 0)
		cache_object_free(&all[--n]);
	assert_int_equal(cache_store_variants(store, &rig.q, all, 1), 1);
	cache_object_free(&all[0]);
	rig_asked(&rig);
	rig_ask(&rig, "other", NULL);
	assert_int_equal(cache_store_find(store, &rig.q, &object), CACHE_FOUND_NOTHING);
	rig_asked(&rig);
	/* of two that match, the newer by Date */
	assert_true(put(store, "d", NULL, "Date: Sun, 06 Nov 1994 08:49:39 GMT", 1));
	assert_true(
	    put(store, "d", NULL, "Vary: x-a\nDate: Sun, 06 Nov 1994 08:49:38 GMT", 2));
	rig_ask(&rig, "d", NULL);
	assert_int_equal(cache_store_find(store, &rig.q, &object), CACHE_FOUND);
	assert_int_equal(cache_body_bytes(object->body), 1);
	cache_object_free(&object);
	rig_asked(&rig);
	assert_int_equal(purge_key(store, "k"), 2);
	cache_store_free(&store);
}

static void
test_too_many_variants(void **state)
{
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	char request[32];
	unsigned i;

	(void)state;
	for (i = 0; i < CACHE_VARIANTS_MAX + 5; i++) {
		(void)snprintf(request, sizeof(request), "X-A: %u", i);
		assert_true(put(store, "k", request, "Vary: x-a", 10));
	}
	assert_int_equal(figures_of(store).objects, CACHE_VARIANTS_MAX);
	for (i = 0; i < CACHE_VARIANTS_MAX + 5; i++) {
		(void)snprintf(request, sizeof(request), "X-A: %u", i);
		assert_int_equal(has(store, "k", request), i >= 5);
	}
	cache_store_free(&store);
}

static void
test_purge_by_tag(void **state)
{
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	char key[32], lines[64];
	unsigned i;

	(void)state;
	for (i = 0; i < 600; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		(void)snprintf(lines, sizeof(lines), "Surrogate-Key: all t%u all", i % 3);
		assert_true(put(store, key, NULL, lines, 10));
	}
	assert_int_equal(cache_store_purge_tag(store, SPAN("none")), 0);
	assert_int_equal(cache_store_purge_tag(store, SPAN("t1")), 200);
	for (i = 0; i < 600; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		assert_int_equal(has(store, key, NULL), i % 3 != 1);
	}
	assert_int_equal(cache_store_purge_tag(store, SPAN("t1")), 0);
	assert_int_equal(purge_key(store, "k0"), 1);
	assert_int_equal(cache_store_purge_tag(store, SPAN("all")), 399);
	assert_int_equal(figures_of(store).objects, 0);
	assert_int_equal(figures_of(store).keys, 0);
	assert_int_equal(figures_of(store).purged, 600);
	cache_store_free(&store);
}

/* What was asked for before a purge is not kept after it. */
static void
test_a_purge_while_an_answer_is_under_way(void **state)
{
	static const struct {
		const char *purge; /* "key", "tag", "all", "other key", "other tag" */
		bool kept;
	} rows[] = {
		{ "none", true },
		{ "key", false },
		{ "tag", false },
		{ "all", false },
		{ "other key", true },
		{ "other tag", true },
	};
	struct cache_store *store;
	struct cache_object *object;
	struct cache_body *body;
	struct rig_question rig;
	int64_t asked_us;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		store = cache_store_new(4 * MIB, MIB);
		rig_ask(&rig, "k", NULL);
		asked_us = clock_mono_us();
		body = rig_body(store, 1, 100, true);
		object = rig_object(store, &rig, "Surrogate-Key: a b", body);
		cache_body_free(&body);
		if (strcmp(rows[i].purge, "key") == 0)
			(void)purge_key(store, "k");
		else if (strcmp(rows[i].purge, "tag") == 0)
			(void)cache_store_purge_tag(store, SPAN("b"));
		else if (strcmp(rows[i].purge, "all") == 0)
			(void)cache_store_purge_all(store);
		else if (strcmp(rows[i].purge, "other key") == 0)
			(void)purge_key(store, "other");
		else if (strcmp(rows[i].purge, "other tag") == 0)
			(void)cache_store_purge_tag(store, SPAN("c"));
		assert_int_equal(
		    cache_store_put(store, &rig.q.key, object, asked_us), rows[i].kept);
		assert_int_equal(has(store, "k", NULL), rows[i].kept);
		/* asked for later, it is */
		assert_true(cache_store_put(
		    store, &rig.q.key, object, clock_mono_us() + RIG_SECOND));
		assert_true(has(store, "k", NULL));
		cache_object_free(&object);
		rig_asked(&rig);
		cache_store_free(&store);
	}
}

/* Of the objects asked for often, how many are there after a scan of others, which are
 * asked for once and are twice the memory? */
static void
test_a_scan_does_not_push_out_what_is_hot(void **state)
{
	struct cache_store *store = cache_store_new(16 * MIB, MIB);
	unsigned i, round, hits = 0;
	char key[32];

	(void)state;
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 500; i++) {
			(void)snprintf(key, sizeof(key), "hot%u", i);
			if (!has(store, key, NULL))
				assert_true(put(store, key, NULL, NULL, 8000));
		}
	}
	for (i = 0; i < 4000; i++) {
		(void)snprintf(key, sizeof(key), "scan%u", i);
		assert_true(put(store, key, NULL, NULL, 8000));
	}
	for (i = 0; i < 500; i++) {
		(void)snprintf(key, sizeof(key), "hot%u", i);
		hits += has(store, key, NULL);
	}
	print_message("%u of 500 hot objects outlived a scan of 4000\n", hits);
	assert_true(hits >= 490);
	assert_true(figures_of(store).evicted > 2000);
	cache_store_free(&store);
}

/* Nobody is refused where all that is there was asked for. */
static void
test_a_store_of_what_is_hot_takes_more(void **state)
{
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	unsigned i, round;
	char key[32];

	(void)state;
	for (round = 0; round < 3; round++)
		for (i = 0; i < 1800; i++) {
			(void)snprintf(key, sizeof(key), "hot%u", i);
			if (!has(store, key, NULL))
				assert_true(put(store, key, NULL, NULL, 1000));
		}
	assert_int_equal(figures_of(store).evicted, 0);
	for (i = 0; i < 2000; i++) {
		(void)snprintf(key, sizeof(key), "more%u", i);
		assert_true(put(store, key, NULL, NULL, 1000));
	}
	assert_int_equal(figures_of(store).refused, 0);
	assert_true(figures_of(store).evicted > 1000);
	cache_store_free(&store);
}

/* What went before it was asked for twice, and comes again soon, goes into the main
 * queue: the ghosts know it. */
static void
test_a_ghost_is_known(void **state)
{
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	unsigned i, gone = 0, there = 0;
	bool came_again[100];
	char key[32];

	(void)state;
	for (i = 0; i < 400; i++) {
		(void)snprintf(key, sizeof(key), "a%u", i);
		assert_true(put(store, key, NULL, NULL, 15000));
	}
	for (i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "a%u", i);
		came_again[i] = !has(store, key, NULL);
		if (came_again[i])
			assert_true(put(store, key, NULL, NULL, 15000));
	}
	for (i = 0; i < 400; i++) {
		(void)snprintf(key, sizeof(key), "b%u", i);
		assert_true(put(store, key, NULL, NULL, 15000));
	}
	for (i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "a%u", i);
		gone += came_again[i];
		there += came_again[i] && has(store, key, NULL);
	}
	print_message("%u of %u that came again outlived 400 others\n", there, gone);
	assert_true(gone > 50);
	assert_true(there >= gone * 9 / 10);
	cache_store_free(&store);
}

/* An object larger than a shard's share is taken; the others give. */
static void
test_one_large_object(void **state)
{
	struct cache_store *store = cache_store_new(16 * MIB, 8 * MIB);
	char key[32];
	unsigned i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		assert_true(put(store, key, NULL, NULL, 10000));
	}
	assert_true(put(store, "large", NULL, NULL, 8 * MIB));
	assert_true(has(store, "large", NULL));
	assert_false(put(store, "too large", NULL, NULL, 8 * MIB + 1));
	assert_true(rig_used(store) != UINT64_MAX);
	cache_store_free(&store);
}

/* Nothing can be evicted when everything is held: refused, and all the same later. */
static void
test_what_is_held_counts(void **state)
{
	struct cache_store *store = cache_store_new(MIB, MIB);
	struct cache_body *held[200];
	uint64_t before = rig_used(store);
	unsigned n, i;

	(void)state;
	for (n = 0; n < 200; n++) {
		held[n] = rig_body(store, n, 10000, n % 2 == 0);
		if (held[n] == NULL)
			break;
		assert_true(rig_used(store) != UINT64_MAX);
	}
	assert_true(n > 50 && n < 200);
	assert_true(figures_of(store).refused > 0);
	assert_false(put(store, "k", NULL, NULL, 100000));
	for (i = 0; i < n; i++) {
		assert_true(rig_is(held[i], i, 10000));
		cache_body_free(&held[i]);
	}
	assert_int_equal(rig_used(store), before);
	assert_true(put(store, "k", NULL, NULL, 10000));
	cache_store_free(&store);
}

static void
test_derived_forms(void **state)
{
	struct cache_store *store = cache_store_new(4 * MIB, MIB);
	uint64_t before = rig_used(store);
	struct cache_body *body, *small, *again;
	struct cache_object *object, *fresh;
	struct rig_question rig;
	struct rig_draft draft;

	(void)state;
	rig_ask(&rig, "k", NULL);
	body = rig_body(store, 1, 1000, true);
	object = rig_object(store, &rig, NULL, body);
	assert_true(cache_store_put(store, &rig.q.key, object, clock_mono_us()));
	assert_null(cache_object_derived(object, 1));
	assert_true(cache_object_may_derive(object, 1));
	assert_false(cache_object_may_derive(object, 1));
	assert_true(cache_object_may_derive(object, 2));
	cache_object_derive(object, 1, NULL);
	cache_object_derive(object, 2, NULL);
	assert_true(cache_object_may_derive(object, 1));
	small = rig_body(store, 9, 100, false);
	cache_object_derive(object, 1, small);
	assert_false(cache_object_may_derive(object, 1));
	again = cache_object_derived(object, 1);
	assert_ptr_equal(again, small);
	cache_body_free(&again);
	/* a 304 takes it over, another content does not */
	rig_draft(&draft, &rig, NULL, body);
	draft.draft.from = object;
	fresh = cache_object_new(store, &draft.draft);
	again = cache_object_derived(fresh, 1);
	assert_ptr_equal(again, small);
	cache_body_free(&again);
	cache_object_free(&fresh);
	draft.draft.body = small;
	fresh = cache_object_new(store, &draft.draft);
	assert_null(cache_object_derived(fresh, 1));
	cache_object_free(&fresh);
	text_free(&draft.vary_key);
	cache_body_free(&small);
	cache_body_free(&body);
	cache_object_free(&object);
	assert_int_equal(purge_key(store, "k"), 1);
	assert_int_equal(rig_used(store), before);
	rig_asked(&rig);
	cache_store_free(&store);
}

/* --- random operations against a model ----------------------------------- */

#define KEYS 40
#define VARIANTS 3
#define HELD 30
#define TAGS 4

struct model {
	struct cache_store *store;
	unsigned random;
	/* The version put last, 0: none that may be found. */
	unsigned version[KEYS][VARIANTS], size[KEYS][VARIANTS], tag[KEYS][VARIANTS];
	struct cache_object *held[HELD];
	unsigned held_version[HELD], held_size[HELD];
	unsigned next, hits, misses;
};

static unsigned
dice(struct model *m, unsigned sides)
{
	m->random = m->random * 1103515245u + 12345u;
	return ((m->random >> 12) % sides);
}

static void
model_ask(struct rig_question *rig, unsigned key, unsigned variant)
{
	char name[32], request[32];

	(void)snprintf(name, sizeof(name), "key%u", key);
	(void)snprintf(request, sizeof(request), "X-V: %u", variant);
	rig_ask(rig, name, request);
}

static void
model_put(struct model *m, unsigned key, unsigned variant)
{
	/* now and then one that others have to go for */
	unsigned size = dice(m, 20) == 0 ? dice(m, 200000) : dice(m, 9000);
	unsigned tag = dice(m, TAGS);
	struct rig_question rig;
	char lines[64];

	model_ask(&rig, key, variant);
	(void)snprintf(lines, sizeof(lines), "Vary: x-v\nSurrogate-Key: t%u", tag);
	if (rig_put(m->store, &rig, lines, ++m->next, size)) {
		m->version[key][variant] = m->next;
		m->size[key][variant] = size;
		m->tag[key][variant] = tag;
	}
	rig_asked(&rig);
}

static void
model_find(struct model *m, unsigned key, unsigned variant)
{
	unsigned slot = dice(m, HELD), version = m->version[key][variant];
	struct cache_object *object;
	struct rig_question rig;

	model_ask(&rig, key, variant);
	if (cache_store_find(m->store, &rig.q, &object) != CACHE_FOUND) {
		m->misses++;
	} else {
		m->hits++;
		assert_int_not_equal(version, 0);
		assert_true(rig_is(object->body, version, m->size[key][variant]));
		if (m->held[slot] != NULL)
			assert_true(rig_is(m->held[slot]->body, m->held_version[slot],
			    m->held_size[slot]));
		cache_object_free(&m->held[slot]);
		m->held[slot] = object;
		m->held_version[slot] = version;
		m->held_size[slot] = m->size[key][variant];
	}
	rig_asked(&rig);
}

static void
model_purge(struct model *m)
{
	unsigned what = dice(m, 20), tag = dice(m, TAGS), key = dice(m, KEYS), k, v;
	struct rig_question rig;
	char name[8];

	if (what == 0)
		(void)cache_store_purge_all(m->store);
	(void)snprintf(name, sizeof(name), "t%u", tag);
	if (what > 0 && what < 4)
		(void)cache_store_purge_tag(m->store, span_of(name));
	if (what >= 4) {
		model_ask(&rig, key, 0);
		(void)cache_store_purge_key(m->store, &rig.q.key, rig.q.key_text);
		rig_asked(&rig);
	}
	for (k = 0; k < KEYS; k++)
		for (v = 0; v < VARIANTS; v++)
			if (what == 0 || (what < 4 && m->tag[k][v] == tag) ||
			    (what >= 4 && k == key))
				m->version[k][v] = 0;
}

static void
model_drop(struct model *m, unsigned slot)
{
	cache_object_free(&m->held[slot]);
}

static void
test_random_operations(void **state)
{
	struct model m = { .random = 4711 };
	struct cache_figures f;
	uint64_t before;
	unsigned i, what;

	(void)state;
	m.store = cache_store_new(MIB, MIB);
	before = rig_used(m.store);
	for (i = 0; i < 20000; i++) {
		what = dice(&m, 100);
		if (what < 45)
			model_put(&m, dice(&m, KEYS), dice(&m, VARIANTS));
		else if (what < 85)
			model_find(&m, dice(&m, KEYS), dice(&m, VARIANTS));
		else if (what < 97)
			model_drop(&m, dice(&m, HELD));
		else
			model_purge(&m);
		cache_store_figures(m.store, &f);
		assert_true(f.used <= f.memory);
		assert_true(f.objects <= KEYS * VARIANTS && f.keys <= KEYS);
		assert_true(f.keys <= f.objects && f.objects <= f.keys * VARIANTS);
	}
	assert_true(m.hits > 1000 && m.misses > 1000 && f.evicted > 1000);
	for (i = 0; i < HELD; i++)
		model_drop(&m, i);
	(void)cache_store_purge_all(m.store);
	cache_store_figures(m.store, &f);
	assert_int_equal(f.used, before);
	assert_int_equal(f.objects, 0);
	assert_int_equal(f.keys, 0);
	cache_store_free(&m.store);
}

/* --- threads ------------------------------------------------------------- */

#define THREADS 4
#define THREAD_KEYS 60
#define STEPS 4000

struct crowd {
	struct cache_store *store;
	atomic_uint failed, hits, numbers;
};

/* Content of a key is always the same, so each may check what others put. */
static void
crowd_put(struct crowd *crowd, unsigned key, unsigned size)
{
	struct rig_question rig;
	char name[32];

	(void)snprintf(name, sizeof(name), "crowd%u", key);
	rig_ask(&rig, name, NULL);
	(void)rig_put(crowd->store, &rig, "Surrogate-Key: t", key, size);
	rig_asked(&rig);
}

static void
crowd_derive(struct crowd *crowd, struct cache_object *object, unsigned key)
{
	struct cache_body *body;

	if (cache_object_may_derive(object, 0)) {
		body = rig_body(crowd->store, key + 1, 200, true);
		cache_object_derive(object, 0, body);
		cache_body_free(&body);
	}
	body = cache_object_derived(object, 0);
	if (body != NULL && !rig_is(body, key + 1, 200))
		atomic_fetch_add(&crowd->failed, 1);
	cache_body_free(&body);
}

static void
crowd_find(struct crowd *crowd, unsigned key, unsigned size, bool derive)
{
	struct cache_object *object;
	struct rig_question rig;
	char name[32];

	(void)snprintf(name, sizeof(name), "crowd%u", key);
	rig_ask(&rig, name, NULL);
	if (cache_store_find(crowd->store, &rig.q, &object) == CACHE_FOUND) {
		atomic_fetch_add(&crowd->hits, 1);
		if (!rig_is(object->body, key, size))
			atomic_fetch_add(&crowd->failed, 1);
		if (derive)
			crowd_derive(crowd, object, key);
	}
	cache_object_free(&object);
	rig_asked(&rig);
}

static void *
one_of_a_crowd(void *data)
{
	struct crowd *crowd = data;
	struct model m = { .random = atomic_fetch_add(&crowd->numbers, 1) * 7919 + 1 };
	unsigned i, key, what;

	for (i = 0; i < STEPS; i++) {
		key = dice(&m, THREAD_KEYS);
		what = dice(&m, 1000);
		if (what < 300)
			crowd_put(crowd, key, key * 900);
		else
			crowd_find(crowd, key, key * 900, what < 600);
		if (what == 999)
			(void)cache_store_purge_all(crowd->store);
		if (what == 998)
			(void)cache_store_purge_tag(crowd->store, SPAN("t"));
		if (what >= 900 && rig_used(crowd->store) == UINT64_MAX)
			atomic_fetch_add(&crowd->failed, 1);
	}
	return (NULL);
}

static void
test_threads(void **state)
{
	pthread_t threads[THREADS];
	struct crowd crowd;
	uint64_t before;
	unsigned i;

	(void)state;
	memset(&crowd, 0, sizeof(crowd));
	crowd.store = cache_store_new(MIB, MIB);
	before = rig_used(crowd.store);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, one_of_a_crowd, &crowd), 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&crowd.failed), 0);
	assert_true(atomic_load(&crowd.hits) > STEPS / 4);
	assert_true(figures_of(crowd.store).evicted > 100);
	(void)cache_store_purge_all(crowd.store);
	assert_int_equal(rig_used(crowd.store), before);
	assert_int_equal(figures_of(crowd.store).objects, 0);
	cache_store_free(&crowd.store);
}

/* --- a purge under load --------------------------------------------------- */

#define OLD_KEYS 6000

struct newcomers {
	struct cache_store *store;
	atomic_bool began, over;
};

static void *
put_newcomers(void *data)
{
	struct newcomers *new = data;
	char key[32];
	unsigned i;

	for (i = 0; !atomic_load(&new->over); i++) {
		(void)snprintf(key, sizeof(key), "new%u", i);
		(void)put(new->store, key, NULL, NULL, 10);
		atomic_store(&new->began, true);
	}
	return (NULL);
}

/* So that they are in the main queue. */
static void
put_what_is_hot(struct cache_store *store)
{
	unsigned i, round;
	char key[32];

	for (round = 0; round < 4; round++)
		for (i = 0; i < OLD_KEYS; i++) {
			(void)snprintf(key, sizeof(key), "old%u", i);
			if (!has(store, key, NULL))
				assert_true(put(store, key, NULL, NULL, 100));
		}
	for (i = 0; figures_of(store).evicted < 4000; i++) {
		(void)snprintf(key, sizeof(key), "scan%u", i);
		assert_true(put(store, key, NULL, NULL, 1000));
	}
}

/* What comes while all is purged does not stay in the place of what was there. */
static void
test_a_purge_among_newcomers(void **state)
{
	struct newcomers new = { .store = cache_store_new(16 * MIB, MIB) };
	unsigned i, left = 0;
	pthread_t thread;
	char key[32];

	(void)state;
	put_what_is_hot(new.store);
	assert_int_equal(pthread_create(&thread, NULL, put_newcomers, &new), 0);
	while (!atomic_load(&new.began))
		sched_yield();
	(void)cache_store_purge_all(new.store);
	atomic_store(&new.over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (i = 0; i < OLD_KEYS; i++) {
		(void)snprintf(key, sizeof(key), "old%u", i);
		left += has(new.store, key, NULL);
	}
	assert_int_equal(left, 0);
	cache_store_free(&new.store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_an_object_keeps),
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_too_many_variants),
		cmocka_unit_test(test_purge_by_tag),
		cmocka_unit_test(test_a_purge_while_an_answer_is_under_way),
		cmocka_unit_test(test_a_scan_does_not_push_out_what_is_hot),
		cmocka_unit_test(test_a_store_of_what_is_hot_takes_more),
		cmocka_unit_test(test_a_ghost_is_known),
		cmocka_unit_test(test_one_large_object),
		cmocka_unit_test(test_what_is_held_counts),
		cmocka_unit_test(test_derived_forms),
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_a_purge_among_newcomers),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
