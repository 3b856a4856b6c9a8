/* SPDX-License-Identifier: Apache-2.0 */
/* bucket.lua in a real Redis against bucket.c: same schedules, same answers, same
 * state. */
#include "config.h"

#include "ratelimit/internal.h"

#include "gateway/base/check.h"
#include "tests/unit/redis_lab.h"

#include <hiredis/hiredis.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define NOW (INT64_C(1700000000) * SECOND)

struct yard {
	struct redis_lab *lab;
	redisContext *redis;
};

static redisReply *
answer_of(redisContext *redis)
{
	void *reply = NULL;

	if (redisGetReply(redis, &reply) != REDIS_OK)
		fail_msg("redis: %s", redis->errstr);
	return (reply);
}

static void
skip_answers(redisContext *redis, unsigned n)
{
	while (n-- > 0)
		freeReplyObject(answer_of(redis));
}

static void
load(redisContext *redis)
{
	redisReply *r = redisCommand(redis, "SCRIPT LOAD %b", ratelimit_bucket.source,
	    strlen(ratelimit_bucket.source));

	assert_string_equal(r->str, ratelimit_bucket.sha1);
	freeReplyObject(r);
	freeReplyObject(redisCommand(redis, "FLUSHALL"));
}

/* --- one take ------------------------------------------------------------- */

struct step {
	int64_t now;
	uint32_t need, want;
	bool written; /* the bucket was, by this step */
	struct bucket_answer answer;
	struct bucket after;
};

/* `now` 0: the server's own time. */
static void
append_take(redisContext *redis, const struct bucket_rate *rate, const struct step *step)
{
	char now[24] = "";

	if (step->now != 0)
		(void)snprintf(now, sizeof now, "%" PRId64, step->now);
	(void)redisAppendCommand(redis, "EVALSHA %s 1 key %lld %u %u %u %u %u %s",
	    ratelimit_bucket.sha1, (long long)rate->whole_us, rate->rest, rate->parts,
	    rate->burst, step->need, step->want, now);
}

static void
expect_answer(const redisReply *r, const struct bucket_answer *a, const char *what)
{
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 4)
		fail_msg("%s: %s", what, r->str);
	if (r->element[0]->integer != a->granted ||
	    r->element[1]->integer != a->remaining ||
	    r->element[2]->integer != a->retry_us ||
	    r->element[3]->integer != a->reset_us)
		fail_msg(
		    "%s: granted %lld, not %u; remaining %lld, not %u; retry %lld, not "
		    "%lld; reset %lld, not %lld",
		    what, r->element[0]->integer, a->granted, r->element[1]->integer,
		    a->remaining, r->element[2]->integer, (long long)a->retry_us,
		    r->element[3]->integer, (long long)a->reset_us);
}

static void
expect_state(const redisReply *r, const struct bucket *b, const char *what)
{
	char text[64];

	if (b->full_at_us == 0 && b->rest == 0) {
		if (r->type != REDIS_REPLY_NIL)
			fail_msg("%s: there is a state: %s", what, r->str);
		return;
	}
	(void)snprintf(text, sizeof text, b->rest > 0 ? "%" PRId64 " %u" : "%" PRId64,
	    b->full_at_us, b->rest);
	if (r->type != REDIS_REPLY_STRING || strcmp(r->str, text) != 0)
		fail_msg("%s: the state is \"%s\", not \"%s\"", what, r->str, text);
}

/* --- schedules ------------------------------------------------------------ */

static const struct {
	uint64_t tokens, per_us;
	uint32_t burst, nodes;
} schedules[] = {
	{ 1, SECOND, 1, 1 },
	{ 7, SECOND, 2, 1 },
	{ 7, SECOND, 1, 1 },
	{ 3, SECOND, 100, 1 },
	{ 5, 60 * SECOND, 5, 1 },
	{ 999983, DAY, 17, 1 },
	{ 999983, SECOND, 1000000, 1 },
	{ 300000, SECOND, 300, 1 },
	{ 1000000, SECOND, 5, 1 },
	{ 1000000, 3, 1000, 1 },
	{ 999999, 1000000, 2, 1 },
	{ 1, 1, 3, 1 },
	{ 11, 60 * SECOND, 4, 1 },
	{ 1, DAY, 3653, 1 },
	{ 86399, DAY, 3, 1 },
	{ 1000000, DAY, 1000000, 1 },
	{ 7, SECOND, 100, 3 },
	{ 999983, SECOND, 1000, 17 },
	{ 1, DAY, 3653, 4000 },
	{ 100, SECOND, 50, 64 },
};
enum { BATCH = 100, BATCHES = 25 }; /* of each: 50,000 steps in all */

static uint64_t
rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (*seed);
}

/* The time moves on by nothing, less than a token, some tokens or a bucket; and
 * back now and then, by a little or an hour. */
static int64_t
move(int64_t now, const struct bucket_rate *rate, uint64_t *seed)
{
	uint64_t spans[] = { 1, 2, (uint64_t)rate->whole_us + 2,
		(uint64_t)rate->whole_us * 3 + 3, (uint64_t)rate->full_us * 2 };
	int64_t by = (int64_t)(rnd(seed) % spans[rnd(seed) % 5]);

	if (rnd(seed) % 16 == 0)
		by = -by;
	if (rnd(seed) % 256 == 0)
		by = -3600 * SECOND;
	/* Beyond 2^52 all times are one. */
	now += by;
	return (now < NOW / 2 || now > INT64_C(1) << 52 ? NOW : now);
}

/* Some steps of the C bucket, kept, and sent to the Lua one. */
static void
run_here(redisContext *redis, struct bucket *b, const struct bucket_rate *rate,
    struct step steps[BATCH], uint64_t *seed)
{
	int64_t now = steps[BATCH - 1].now;
	unsigned i;

	for (i = 0; i < BATCH; i++) {
		struct step *s = &steps[i];
		struct bucket before = *b;

		s->now = now = move(now, rate, seed);
		s->need = s->want = rnd(seed) % 32 != 0;
		if (rnd(seed) % 4 == 0)
			s->need = 1 + (uint32_t)(rnd(seed) % (rate->burst + 1));
		s->want = s->need + (uint32_t)(rnd(seed) % 2 * (rnd(seed) % rate->burst));
		bucket_take(b, rate, s->now, s->need, s->want, &s->answer);
		s->after = *b;
		s->written = before.full_at_us != b->full_at_us || before.rest != b->rest;
		/* Times here are not Redis's: its state must not expire meanwhile. */
		(void)redisAppendCommand(redis, "MULTI");
		append_take(redis, rate, s);
		(void)redisAppendCommand(redis, "GET key");
		(void)redisAppendCommand(redis, "PTTL key");
		(void)redisAppendCommand(redis, "PERSIST key");
		(void)redisAppendCommand(redis, "EXEC");
	}
}

static void
compare_there(redisContext *redis, const struct step steps[BATCH], const char *name)
{
	char what[96];
	unsigned i;

	for (i = 0; i < BATCH; i++) {
		const struct step *s = &steps[i];
		int64_t life = (s->answer.reset_us + 999) / 1000;
		redisReply *r;

		skip_answers(redis, 5); /* OK and QUEUED */
		r = answer_of(redis);
		assert_int_equal(r->type, REDIS_REPLY_ARRAY);
		(void)snprintf(what, sizeof what, "%s, step %u", name, i);
		expect_answer(r->element[0], &s->answer, what);
		expect_state(r->element[1], &s->after, what);
		/* It lives until the bucket is full (some of that is over when
		 * PTTL looks), and no denial prolongs that. */
		if (s->written &&
		    (r->element[2]->integer < 0 || r->element[2]->integer > life ||
			r->element[2]->integer < life - 5000))
			fail_msg("%s: expires in %lld ms, not in %lld", what,
			    r->element[2]->integer, (long long)life);
		if (!s->written)
			assert_true(r->element[2]->integer < 0);
		freeReplyObject(r);
	}
}

static void
test_same_schedules(void **state)
{
	struct yard *yard = *state;
	redisContext *redis = yard->redis;
	uint64_t seed = 20252025;
	struct step steps[BATCH];
	unsigned batch;
	size_t i;

	load(redis);
	for (i = 0; i < sizeof schedules / sizeof schedules[0]; i++) {
		struct bucket b = { 0, 0 };
		struct bucket_rate rate;
		char name[64];

		assert_true(bucket_rate_init(
		    &rate, schedules[i].tokens, schedules[i].per_us, schedules[i].burst));
		bucket_rate_share(&rate, &rate, schedules[i].nodes);
		freeReplyObject(redisCommand(redis, "DEL key"));
		steps[BATCH - 1].now = NOW;
		for (batch = 0; batch < BATCHES; batch++) {
			run_here(redis, &b, &rate, steps, &seed);
			(void)snprintf(
			    name, sizeof name, "schedule %zu, batch %u", i, batch);
			compare_there(redis, steps, name);
		}
	}
}

/* Times and rates at the edges of what the numbers of Lua hold. */
static void
test_same_edges(void **state)
{
	static const int64_t times[] = { -5, 1, 999, NOW, (INT64_C(1) << 52) - 1,
		INT64_C(1) << 52, (INT64_C(1) << 52) + 1, (INT64_C(1) << 53) };
	struct yard *yard = *state;
	redisContext *redis = yard->redis;
	size_t i, j, n = sizeof times / sizeof times[0];
	struct bucket_rate rates[3];
	redisReply *r;

	load(redis);
	assert_true(bucket_rate_init(&rates[0], 999983, SECOND, 1000000));
	assert_true(bucket_rate_init(&rates[1], 1, DAY, 3653));
	assert_true(bucket_rate_init(&rates[2], 1000000, 1, 1000000));
	for (i = 0; i < 3; i++)
		for (j = 0; j < n * n; j++) {
			struct step steps[2] = { { .now = times[j / n] },
				{ .now = times[j % n] } };
			struct bucket b = { 0, 0 };
			unsigned k;

			freeReplyObject(redisCommand(redis, "DEL key"));
			for (k = 0; k < 2; k++) {
				struct step *s = &steps[k];

				s->need = s->want = rates[i].burst / 2 + 1;
				bucket_take(
				    &b, &rates[i], s->now, s->need, s->want, &s->answer);
				append_take(redis, &rates[i], s);
				(void)redisAppendCommand(redis, "PERSIST key");
				r = answer_of(redis);
				expect_answer(r, &s->answer, "edge");
				freeReplyObject(r);
				skip_answers(redis, 1);
			}
		}
}

/* --- what stands in the key ----------------------------------------------- */

static void
test_foreign_values(void **state)
{
	/* Of 7/s with a burst of 3, at NOW. */
	static const struct {
		const char *set; /* a command */
		struct bucket as;
		const char *why;
	} rows[] = {
		{ "DEL key", { 0, 0 }, "nothing" },
		{ "SET key 1700000000100000", { NOW + 100000, 0 }, "no rest" },
		{ "SET key 1700000000100000|3", { NOW + 100000, 3 }, "a rest" },
		{ "SET key 1700000000100000|7", { NOW + 100000, 7 }, "another's rest" },
		{ "SET key 1700000000100000|99999999", { NOW + 100000, 99999999 },
		    "a large rest" },
		{ "SET key 9007199254740991", { (INT64_C(1) << 53) - 1, 0 },
		    "far ahead" },
		{ "SET key 9007199254740992", { 0, 0 }, "too far" },
		{ "SET key 99999999999999999999999999", { 0, 0 }, "an overflow" },
		{ "SET key 1700000000100000|3|4", { 0, 0 }, "three numbers" },
		{ "SET key 1700000000100000.5", { 0, 0 }, "a fraction" },
		{ "SET key 1.7e15", { 0, 0 }, "an exponent" },
		{ "SET key 0x1000000000000", { 0, 0 }, "hexadecimal" },
		{ "SET key -1700000000100000", { 0, 0 }, "a sign" },
		{ "SET key inf", { 0, 0 }, "infinity" },
		{ "SET key nan", { 0, 0 }, "not a number" },
		{ "SET key |1700000000100000", { 0, 0 }, "a space before" },
		{ "SET key x", { 0, 0 }, "a word" },
		{ "SETRANGE key 1048576 9", { 0, 0 }, "a mebibyte" },
		{ "RPUSH key 1700000000100000", { 0, 0 }, "a list" },
		{ "HSET key full_at 1700000000100000", { 0, 0 }, "a hash" },
	};
	struct yard *yard = *state;
	redisContext *redis = yard->redis;
	struct step step = { .now = NOW };
	struct bucket_rate rate;
	char text[64], *bar;
	redisReply *r;
	size_t i;

	load(redis);
	assert_true(bucket_rate_init(&rate, 7, SECOND, 3));
	for (i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
		struct bucket b = rows[i / 2].as;
		const char *argv[4];
		int argc = 0;

		step.need = step.want = i % 2; /* a look and a take */
		(void)snprintf(text, sizeof text, "%s", rows[i / 2].set);
		freeReplyObject(redisCommand(redis, "DEL key"));
		for (bar = text; argc < 4 && bar != NULL; argc++) {
			argv[argc] = bar;
			bar = strchr(bar, ' ');
			if (bar != NULL)
				*bar++ = '\0';
		}
		/* A bar stands for a space within the value. */
		while ((bar = strrchr(argv[argc - 1], '|')) != NULL)
			*bar = ' ';
		r = redisCommandArgv(redis, argc, argv, NULL);
		if (r->type == REDIS_REPLY_ERROR)
			fail_msg("%s: %s", rows[i / 2].set, r->str);
		freeReplyObject(r);
		bucket_take(&b, &rate, NOW, step.need, step.want, &step.answer);
		append_take(redis, &rate, &step);
		r = answer_of(redis);
		expect_answer(r, &step.answer, rows[i / 2].why);
		freeReplyObject(r);
	}
}

/* A look leaves no trace, not even where there is nothing. */
static void
test_look(void **state)
{
	struct yard *yard = *state;
	redisContext *redis = yard->redis;
	struct step step = { .now = NOW };
	struct bucket_rate rate;
	struct bucket b = { 0, 0 };
	redisReply *r;

	load(redis);
	assert_true(bucket_rate_init(&rate, 7, SECOND, 3));
	bucket_take(&b, &rate, NOW, 0, 0, &step.answer);
	append_take(redis, &rate, &step);
	r = answer_of(redis);
	expect_answer(r, &step.answer, "look");
	freeReplyObject(r);
	r = redisCommand(redis, "DBSIZE");
	assert_int_equal(r->integer, 0);
	freeReplyObject(r);
}

/* By the server's own clock: two of 1/h, then none for about an hour. */
static void
test_server_clock(void **state)
{
	struct yard *yard = *state;
	redisContext *redis = yard->redis;
	struct step step = { .need = 1, .want = 1 };
	struct bucket_rate rate;
	redisReply *r;
	unsigned i;

	load(redis);
	assert_true(bucket_rate_init(&rate, 1, 3600 * SECOND, 2));
	for (i = 0; i < 3; i++) {
		append_take(redis, &rate, &step);
		r = answer_of(redis);
		assert_int_equal(r->type, REDIS_REPLY_ARRAY);
		assert_int_equal(r->element[0]->integer, i < 2);
		if (i == 2)
			assert_in_range(
			    r->element[2]->integer, 3500 * SECOND, 3600 * SECOND);
		freeReplyObject(r);
	}
	r = redisCommand(redis, "PTTL key");
	assert_in_range(r->integer, 7100000, 7200000);
	freeReplyObject(r);
}

/* A bucket that is full is no longer kept. */
static void
test_expires(void **state)
{
	struct yard *yard = *state;
	redisContext *redis = yard->redis;
	struct step step = { .need = 3, .want = 3 };
	struct bucket_rate rate;
	redisReply *r;
	unsigned i;

	load(redis);
	assert_true(bucket_rate_init(&rate, 1000, SECOND, 20));
	append_take(redis, &rate, &step);
	skip_answers(redis, 1);
	for (i = 0; i < 500; i++) {
		r = redisCommand(redis, "EXISTS key");
		if (r->integer == 0)
			break;
		freeReplyObject(r);
		(void)usleep(1000);
	}
	assert_int_equal(r->integer, 0);
	freeReplyObject(r);
}

static int
setup(void **state)
{
	struct yard *yard = mem_zalloc(sizeof(*yard));

	yard->lab = redis_lab_new();
	yard->redis = redisConnectUnix(redis_lab_start(yard->lab, NULL)->socket);
	assert_true(yard->redis != NULL && yard->redis->err == 0);
	*state = yard;
	return (0);
}

static int
teardown(void **state)
{
	struct yard *yard = *state;

	redisFree(yard->redis);
	redis_lab_free(&yard->lab);
	free(yard);
	return (0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_schedules),
		cmocka_unit_test(test_same_edges),
		cmocka_unit_test(test_foreign_values),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_server_clock),
		cmocka_unit_test(test_expires),
	};

	redis_lab_or_skip();
	return (cmocka_run_group_tests(tests, setup, teardown));
}
