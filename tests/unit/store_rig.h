/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/store_rig.h - questions, bodies and objects for the tests of the store. */
#ifndef YETT_TEST_STORE_RIG_H
#define YETT_TEST_STORE_RIG_H

#include <stdint.h>
#include <stdio.h>

#include "gateway/base/clock.h"
#include "gateway/cache/store.h"
#include "tests/unit/cache_rig.h"

#define RIG_SECOND INT64_C(1000000)

static const struct cache_control rig_control;
static const struct cache_vary_rules rig_rules;

/* A question and all it points to. */
struct rig_question {
	struct cache_question q;
	struct rig_fields fields;
	struct text scratch;
	char key[64], lines[256];
};

static inline void
rig_ask(struct rig_question *rig, const char *key, const char *fields)
{
	static const struct hash_key secret[2] = { { 1, 2 }, { 3, 4 } };
	size_t i;

	(void)snprintf(rig->key, sizeof(rig->key), "%s", key);
	text_init(&rig->scratch, 4096);
	rig->q.key_text = span_of(rig->key);
	for (i = 0; i < 2; i++)
		rig->q.key.half[i] = hash_bytes(&secret[i], rig->key, rig->q.key_text.n);
	(void)snprintf(
	    rig->lines, sizeof(rig->lines), "%s", fields != NULL ? fields : "");
	rig->q.request = rig_fields(&rig->fields, rig->lines);
	rig->q.vary = &rig_rules;
	rig->q.scratch = &rig->scratch;
	rig->q.now_us = clock_mono_us();
}

static inline void
rig_asked(struct rig_question *rig)
{
	text_free(&rig->scratch);
}

/* The byte of a body at an offset. */
static inline char
rig_byte(unsigned seed, uint64_t offset)
{
	return ((char)(seed * 31 + offset * 7 + (offset >> 8)));
}

/* Bytes appended from what is there on, in runs of at most 4000. */
static inline bool
rig_append(struct cache_body *body, unsigned seed, uint64_t n)
{
	uint64_t at = cache_body_bytes(body), end = at + n;
	char run[4000];
	size_t i;

	while (at < end) {
		for (i = 0; i < sizeof(run) && at + i < end; i++)
			run[i] = rig_byte(seed, at + i);
		if (!cache_body_append(body, span_mem(run, i)))
			return (false);
		at += i;
	}
	return (true);
}

/* A whole body; NULL: no room. */
static inline struct cache_body *
rig_body(struct cache_store *store, unsigned seed, uint64_t n, bool known)
{
	struct cache_body *body = cache_body_new(store, known ? n : CACHE_LENGTH_UNKNOWN);

	if (body == NULL)
		return (NULL);
	if (!rig_append(body, seed, n))
		cache_body_free(&body);
	else
		cache_body_end(body, true);
	return (body);
}

/* Are these the bytes of that seed, in order? */
static inline bool
rig_is(struct cache_body *body, unsigned seed, uint64_t n)
{
	struct span piece;
	uint64_t at = 0;
	size_t i;

	while (cache_body_read(body, at, UINT64_MAX, NULL, &piece) == CACHE_BODY_DATA) {
		for (i = 0; i < piece.n; i++)
			if (piece.p[i] != rig_byte(seed, at + i))
				return (false);
		at += piece.n;
	}
	return (at == n);
}

/* What an object is made of, over what the caller may change. */
struct rig_draft {
	struct cache_draft draft;
	struct rig_fields fields;
	struct cache_life life;
	struct cache_tags tags;
	struct text vary_key;
};

/* `lines` with Vary: the variant is the one of the question; Surrogate-Key: tags. */
static inline void
rig_draft(struct rig_draft *rig, const struct rig_question *asked, const char *lines,
    struct cache_body *body)
{
	struct cache_vary vary;

	memset(rig, 0, sizeof(*rig));
	text_init(&rig->vary_key, 4096);
	rig->life.lifetime_s = 60;
	rig->draft = (struct cache_draft){
		.status = 200,
		.reason = SPAN("OK"),
		.fields = rig_fields(&rig->fields, lines),
		.control = &rig_control,
		.life = &rig->life,
		.wall_s = 1700000000,
		.key_text = asked->q.key_text,
		.body = body,
	};
	if (cache_tags_read(&rig->tags, rig->draft.fields))
		rig->draft.tags = &rig->tags;
	if (cache_vary_read(&vary, rig->draft.fields) && vary.n > 0) {
		(void)cache_vary_put_key(
		    &rig->vary_key, &vary, asked->q.request, &rig_rules);
		rig->draft.vary_names = http_fields_value(rig->draft.fields, HTTP_VARY);
		rig->draft.vary_key = text_span(&rig->vary_key);
	}
}

static inline struct cache_object *
rig_object(struct cache_store *store, const struct rig_question *asked, const char *lines,
    struct cache_body *body)
{
	struct cache_object *object;
	struct rig_draft rig;

	rig_draft(&rig, asked, lines, body);
	object = cache_object_new(store, &rig.draft);
	text_free(&rig.vary_key);
	return (object);
}

/* Stored under the key, with a body of `n` bytes; false: no room, or refused. */
static inline bool
rig_put(struct cache_store *store, const struct rig_question *asked, const char *lines,
    unsigned seed, uint64_t n)
{
	struct cache_body *body = rig_body(store, seed, n, true);
	struct cache_object *object;
	bool kept;

	if (body == NULL)
		return (false);
	object = rig_object(store, asked, lines, body);
	cache_body_free(&body);
	if (object == NULL)
		return (false);
	kept = cache_store_put(store, &asked->q.key, object, clock_mono_us() + 1);
	cache_object_free(&object);
	return (kept);
}

static inline uint64_t
rig_used(struct cache_store *store)
{
	struct cache_figures figures;

	cache_store_figures(store, &figures);
	return (figures.used <= figures.memory ? figures.used : UINT64_MAX);
}

#endif
