/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of a server, read by hiredis into an arena. */
#include "config.h"

#include "gateway/redis/answers.h"

#include "gateway/base/arena.h"
#include "gateway/base/check.h"

#include <hiredis/hiredis.h>

#include <stdlib.h>

/* Every value and every byte of text, with room for the arena's rounding. */
#define ARENA_LIMIT \
	(ANSWER_VALUES_MAX * (sizeof(struct redis_value) + 16) + ANSWER_BYTES_MAX)

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

#define ANSWERS_MAGIC 0xa5e3a001u
struct answers {
	unsigned magic;
	redisReader *reader;
	struct arena *arena;
	struct redis_value root;
	size_t n_values; /* of the answer being read */
	size_t n_text;
	const char *error;
};

/* Where a value goes: into its array, or it is the whole answer. */
static struct redis_value *
place_of(const redisReadTask *task)
{
	union {
		const struct redis_value *given;
		struct redis_value *own;
	} items;
	struct answers *answers = task->privdata;

	if (task->parent == NULL)
		return (&answers->root);
	items.given = ((const struct redis_value *)task->parent->obj)->items;
	return (items.own + task->idx);
}

static void *
create_string(const redisReadTask *task, char *bytes, size_t n)
{
	struct answers *answers = task->privdata;
	struct redis_value *value = place_of(task);

	answers->n_text += n;
	if (answers->n_text > ANSWER_BYTES_MAX)
		return (NULL);
	switch (task->type) {
	case REDIS_REPLY_ERROR: value->type = REDIS_ERROR; break;
	case REDIS_REPLY_STATUS: value->type = REDIS_STATUS; break;
	default: value->type = REDIS_TEXT;
	}
	value->text = arena_span(answers->arena, span_mem(bytes, n));
	return (value->text.p != NULL ? value : NULL);
}

static void *
create_array(const redisReadTask *task, element_count n)
{
	struct answers *answers = task->privdata;
	struct redis_value *value = place_of(task);
	const redisReadTask *up;
	unsigned depth = 0;

	for (up = task; up != NULL; up = up->parent)
		depth++;
	if (depth > ANSWER_DEPTH_MAX || (size_t)n > ANSWER_VALUES_MAX - answers->n_values)
		return (NULL);
	answers->n_values += (size_t)n;
	value->type = REDIS_ARRAY;
	value->n_items = (size_t)n;
	if (n == 0)
		return (value);
	value->items = arena_zalloc(answers->arena, (size_t)n * sizeof(*value->items));
	return (value->items != NULL ? value : NULL);
}

static void *
create_integer(const redisReadTask *task, long long number)
{
	struct redis_value *value = place_of(task);

	value->type = REDIS_INTEGER;
	value->integer = number;
	return (value);
}

static void *
create_nil(const redisReadTask *task)
{
	struct redis_value *value = place_of(task);

	value->type = REDIS_NIL;
	return (value);
}

/* The arena frees them all at once. */
static void
free_value(void *value)
{
	(void)value;
}

static void
open_reader(struct answers *answers)
{
	/* hiredis wants to write to it, though it never does. */
	static redisReplyObjectFunctions functions = { /* lint: global: hiredis' type */
		.createString = create_string,
		.createArray = create_array,
		.createInteger = create_integer,
		.createNil = create_nil,
		.freeObject = free_value
	};

	answers->reader = redisReaderCreateWithFunctions(&functions);
	CHECK(answers->reader != NULL);
	answers->reader->privdata = answers;
}

struct answers *
answers_new(void)
{
	struct answers *answers = mem_zalloc(sizeof(*answers));

	answers->magic = ANSWERS_MAGIC;
	answers->arena = arena_new(ARENA_LIMIT);
	open_reader(answers);
	return (answers);
}

void
answers_free(struct answers **answers_p)
{
	struct answers *answers = *answers_p;

	*answers_p = NULL;
	if (answers == NULL)
		return;
	CHECK_OBJ(answers, ANSWERS_MAGIC);
	redisReaderFree(answers->reader);
	arena_free(&answers->arena);
	answers->magic = 0;
	free(answers);
}

static void
forget_answer(struct answers *answers)
{
	arena_reset(answers->arena);
	answers->root = (struct redis_value){ 0 };
	answers->n_values = answers->n_text = 0;
}

void
answers_reset(struct answers *answers)
{
	CHECK_OBJ(answers, ANSWERS_MAGIC);
	redisReaderFree(answers->reader);
	open_reader(answers);
	forget_answer(answers);
	answers->error = NULL;
}

bool
answers_feed(struct answers *answers, struct span bytes)
{
	const redisReader *reader = answers->reader;

	CHECK_OBJ(answers, ANSWERS_MAGIC);
	if (answers->error != NULL)
		return (false);
	if (reader->len - reader->pos + bytes.n > ANSWER_BYTES_MAX)
		answers->error = "an answer of the server is too large";
	else if (redisReaderFeed(answers->reader, bytes.p, bytes.n) != REDIS_OK)
		answers->error = "out of memory";
	return (answers->error == NULL);
}

enum answers_rc
answers_next(struct answers *answers, const struct redis_value **value_r)
{
	void *reply = NULL;

	CHECK_OBJ(answers, ANSWERS_MAGIC);
	*value_r = NULL;
	if (answers->error != NULL)
		return (ANSWERS_BROKEN);
	/* What was read of a half answer stays until its rest has come. */
	if (answers->reader->ridx == -1)
		forget_answer(answers);
	if (redisReaderGetReply(answers->reader, &reply) != REDIS_OK) {
		answers->error = answers->reader->err == REDIS_ERR_OOM
				     ? "an answer of the server is too large"
				     : "what the server sends is not Redis' protocol";
		return (ANSWERS_BROKEN);
	}
	if (reply == NULL)
		return (ANSWERS_MORE);
	*value_r = &answers->root;
	return (ANSWERS_ONE);
}

const char *
answers_error(const struct answers *answers)
{
	return (answers->error);
}
