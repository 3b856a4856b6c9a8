/* SPDX-License-Identifier: Apache-2.0 */
/* The table of keys: who is found again, who is forgotten and who never is. */
#include "config.h"

#include "ratelimit/table.h"

#include "gateway/base/hash.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define NOW (1000 * SECOND)

/* Spread over the table as hashes of real keys are. */
static struct table_key
key_of(uint64_t number)
{
	static const struct hash_key one = { 1, 2 }, two = { 3, 4 };

	return ((struct table_key){
	    hash_bytes(&one, &number, sizeof number),
	    hash_bytes(&two, &number, sizeof number),
	});
}

static void
test_found_again(void **state)
{
	struct table *t = table_new(1000);
	struct table_figures figures;
	struct table_entry *e;
	uint64_t i;

	(void)state;
	for (i = 0; i < 500; i++) {
		e = table_enter(t, key_of(i), NOW);
		assert_non_null(e);
		assert_true(e->bucket.full_at_us == 0 && e->lease == 0);
		assert_true(e->denied_until_us == 0 && !e->asking && e->seen_us == NOW);
		e->lease = (uint32_t)i + 1;
		table_leave(t, e);
	}
	for (i = 0; i < 500; i++) {
		e = table_enter(t, key_of(i), NOW + 1);
		assert_int_equal(e->lease, i + 1);
		table_leave(t, e);
	}
	table_figures(t, &figures);
	assert_int_equal(figures.entries, 1024);
	assert_int_equal(figures.used, 500);
	assert_int_equal(figures.evicted, 0);
	assert_int_equal(figures.full, 0);
	table_free(&t);
	assert_null(t);
	table_free(&t);
}

/* Keys whose hashes agree in one half or are all zero are keys of their own. */
static void
test_halves(void **state)
{
	static const struct table_key keys[] = { { 0, 0 }, { 1, 0 }, { 0, 1 }, { 1, 1 },
		{ UINT64_MAX, 0 }, { UINT64_MAX, UINT64_MAX }, { 0, UINT64_MAX } };
	struct table *t = table_new(1);
	struct table_entry *e;
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		e = table_enter(t, keys[i], NOW);
		assert_int_equal(e->lease, 0);
		e->lease = i + 1;
		table_leave(t, e);
	}
	for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		e = table_enter(t, keys[i], NOW);
		assert_int_equal(e->lease, i + 1);
		table_leave(t, e);
	}
	table_free(&t);
}

/* Two sets of eight for a key: little is forgotten before it has to be. */
static void
test_nearly_full(void **state)
{
	struct table *t = table_new(1 << 14);
	struct table_figures figures;
	uint64_t i;

	(void)state;
	for (i = 0; i < (1 << 14) * 9 / 10; i++)
		table_leave(t, table_enter(t, key_of(i), NOW));
	table_figures(t, &figures);
	assert_int_equal(figures.entries, 1 << 14);
	assert_true(figures.evicted < figures.entries / 100);
	assert_int_equal(figures.used + figures.evicted, i);
	table_free(&t);
}

/* --- who is forgotten --------------------------------------------------- */

/* In a table of 512 all of these share one set of eight, and have no other: the
 * shard is 0 and it has one set. */
static struct table_key
crowded(uint64_t number)
{
	return ((struct table_key){ number, number << 32 });
}

struct occupant {
	int64_t full_at, denied_until, seen, lease_until;
	uint32_t lease;
	bool asking;
};

static void
put(struct table *t, uint64_t number, const struct occupant *who)
{
	struct table_entry *e = table_enter(t, crowded(number), who->seen);

	assert_non_null(e);
	e->bucket.full_at_us = who->full_at;
	e->denied_until_us = who->denied_until;
	e->lease = who->lease;
	e->lease_until_us = who->lease_until;
	e->asking = who->asking;
	e->demand = 1; /* known from a fresh one */
	table_leave(t, e);
}

static void
test_who_goes(void **state)
{
	/* Beside seven that are denied, the first of two is given up. */
	static const struct {
		struct occupant goes, stays;
		const char *why;
	} rows[] = {
		{ { .seen = 5 }, { .seen = 6 }, "longest not seen" },
		{ { .full_at = NOW, .seen = 9 }, { .full_at = NOW + 1, .seen = 1 },
		    "full before owing" },
		{ { .full_at = NOW + 5, .seen = 9 }, { .full_at = NOW + 6, .seen = 1 },
		    "the least owed" },
		{ { .full_at = NOW + 9 * SECOND }, { .denied_until = NOW + 1 },
		    "anybody before one who is being denied" },
		{ { .denied_until = NOW, .full_at = NOW + 1 }, { .full_at = NOW + 2 },
		    "denied no longer" },
		{ { .seen = 9 }, { .seen = 1, .lease = 1, .lease_until = NOW + 1 },
		    "idle before leased" },
		{ { .seen = 1, .lease = 1, .lease_until = NOW }, { .seen = 2 },
		    "a lease that is over" },
		{ { .seen = 9 }, { .seen = 1, .asking = true }, "idle before asking" },
		{ { .full_at = 0 }, { .full_at = INT64_MAX }, "however much is owed" },
	};
	static const struct occupant denied = { .denied_until = NOW + SECOND };
	struct table_entry *e;
	size_t i;
	uint64_t n;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct table *t = table_new(512);

		put(t, 1, &rows[i].goes);
		put(t, 2, &rows[i].stays);
		for (n = 3; n <= 8; n++)
			put(t, n, &denied);
		table_leave(t, table_enter(t, crowded(9), NOW));
		for (n = 2; n <= 8; n++) {
			e = table_enter(t, crowded(n), NOW);
			assert_non_null(e);
			if (e->demand != 1)
				fail_msg("%s: %d is gone", rows[i].why, (int)n);
			table_leave(t, e);
		}
		table_free(&t);
	}
}

static void
test_all_denied(void **state)
{
	static const struct occupant denied = { .denied_until = NOW + SECOND };
	struct table *t = table_new(512);
	struct table_figures figures;
	struct table_entry *e;
	uint64_t n;

	(void)state;
	for (n = 1; n <= 8; n++)
		put(t, n, &denied);
	assert_null(table_enter(t, crowded(9), NOW));
	e = table_enter(t, crowded(8), NOW);
	assert_int_equal(e->demand, 1);
	table_leave(t, e);
	/* When their time has come there is room again. */
	e = table_enter(t, crowded(9), NOW + SECOND);
	assert_non_null(e);
	table_leave(t, e);
	table_figures(t, &figures);
	assert_int_equal(figures.used, 8);
	assert_int_equal(figures.evicted, 1);
	assert_int_equal(figures.full, 1);
	table_free(&t);
}

/* A million addresses of one attacker do not get one of them a fresh bucket. */
static void
test_flood(void **state)
{
	struct bucket_rate rate;
	struct bucket_answer answer;
	struct table *t = table_new(10000);
	struct table_figures figures;
	struct table_entry *e;
	uint64_t i;
	unsigned admitted = 0;

	(void)state;
	assert_true(bucket_rate_init(&rate, 5, 60 * SECOND, 5));
	for (i = 0; i < 1000000; i++) {
		int64_t now = NOW + (int64_t)i * 10; /* ten seconds in all */
		/* Every thousandth comes from the address that is to be let in. */
		bool same = i % 1000 == 0;

		e = table_enter(t, same ? key_of(0) : key_of(i), now);
		if (e == NULL) {
			assert_false(same);
			continue;
		}
		bucket_take(&e->bucket, &rate, now, 1, 1, &answer);
		if (answer.granted == 0)
			e->denied_until_us = now + answer.retry_us;
		admitted += same && answer.granted > 0;
		table_leave(t, e);
	}
	assert_int_equal(admitted, 5);
	table_figures(t, &figures);
	assert_int_equal(figures.entries, 16384);
	assert_int_equal(figures.used, 16384);
	assert_true(figures.evicted > 900000);
	table_free(&t);
}

/* --- memory and threads -------------------------------------------------- */

static long
resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long all, resident;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &all, &resident), 2);
	(void)fclose(f);
	return (resident * (sysconf(_SC_PAGESIZE) / 1024));
}

static void
test_unused_costs_nothing(void **state)
{
	long before = resident_kib();
	struct table *t = table_new(4000000);

	(void)state;
	table_leave(t, table_enter(t, key_of(1), NOW));
	assert_true(resident_kib() - before < 4096);
	table_free(&t);
}

struct runner {
	struct table *table;
	struct bucket_rate rate;
	uint64_t taken;
};

static void *
run(void *data)
{
	struct runner *r = data;
	struct bucket_answer answer;
	struct table_figures figures;
	uint64_t i;

	for (i = 0; i < 20000; i++) {
		struct table_entry *e = table_enter(r->table, key_of(i % 7), NOW);

		bucket_take(&e->bucket, &r->rate, NOW, 1, 1, &answer);
		r->taken += answer.granted;
		table_leave(r->table, e);
		e = table_enter(r->table, key_of(1000 + i), NOW);
		if (e != NULL)
			table_leave(r->table, e);
		if (i % 1000 == 0)
			table_figures(r->table, &figures);
	}
	return (NULL);
}

static void
test_two_threads(void **state)
{
	struct table *t = table_new(1024);
	struct runner runners[2] = { { .table = t }, { .table = t } };
	pthread_t threads[2];
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_true(bucket_rate_init(&runners[i].rate, 1, SECOND, 1000));
		assert_int_equal(pthread_create(&threads[i], NULL, run, &runners[i]), 0);
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(runners[0].taken + runners[1].taken, 7000);
	table_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_again),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_nearly_full),
		cmocka_unit_test(test_who_goes),
		cmocka_unit_test(test_all_denied),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_unused_costs_nothing),
		cmocka_unit_test(test_two_threads),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
