/* SPDX-License-Identifier: Apache-2.0 */
/* Who is chosen, row by row; shares, bounds and moved keys as properties. */
#include "config.h"

#include "gateway/upstream/balance.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/upstream/maglev.h"
#include "gateway/upstream/mix.h"
#include "gateway/upstream/turns.h"

#define PICKS 100000
#define SERVERS 16
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static uint64_t
next(uint64_t *seed)
{
	return (*seed = mix64(*seed));
}

/* "3 1b 1*": a server each by its weight; b a backup, - unavailable, x closed,
 * h half its share, digits after / its active connections. */
struct rig {
	struct balance_member members[SERVERS];
	struct balance_state states[SERVERS];
	uint32_t n;
};

static void
rig_init(struct rig *rig, const char *text)
{
	char *end;

	memset(rig, 0, sizeof(*rig));
	while (*text != '\0') {
		struct balance_member *member = &rig->members[rig->n];
		struct balance_state *state = &rig->states[rig->n];

		member->id = mix64(rig->n + 1000);
		member->weight = (uint32_t)strtoul(text, &end, 10);
		state->available = true;
		state->share = BALANCE_SHARE_FULL;
		for (text = end; *text != '\0' && *text != ' '; text++) {
			member->backup = member->backup || *text == 'b';
			state->available = state->available && *text != '-';
			state->closed = state->closed || *text == 'x';
			if (*text == 'h')
				state->share = BALANCE_SHARE_FULL / 2;
			if (*text == '/') {
				state->active = (uint32_t)strtoul(text + 1, &end, 10);
				text = end - 1;
			}
		}
		text += strspn(text, " ");
		rig->n++;
	}
}

static void
test_order(void **state)
{
	static const struct {
		enum balance_kind kind;
		const char *servers, *picks, *why;
	} rows[] = {
		{ BALANCE_ROUND_ROBIN, "1 1 1", "012012", "in turn" },
		{ BALANCE_ROUND_ROBIN, "3 1", "00100010", "turns of one lie apart" },
		{ BALANCE_ROUND_ROBIN, "300 100", "00100010", "only proportions count" },
		{ BALANCE_ROUND_ROBIN, "5 1 1", "0010200", "as nginx does it" },
		{ BALANCE_ROUND_ROBIN, "0 0", "0101", "no weight is a weight of one" },
		{ BALANCE_ROUND_ROBIN, "1 1- 1", "020202", "one is away" },
		{ BALANCE_ROUND_ROBIN, "1 1x 1", "020202", "one is closed" },
		{ BALANCE_ROUND_ROBIN, "1 1h", "0010010", "half a share" },
		{ BALANCE_ROUND_ROBIN, "1- 1- 1b 2b", "323323", "backups by weight" },
		{ BALANCE_ROUND_ROBIN, "1 1- 1b", "0000",
		    "no backup while one is there" },
		{ BALANCE_LEAST_CONNECTIONS, "1/3 1/2 1/4", "111", "the fewest" },
		{ BALANCE_LEAST_CONNECTIONS, "4/7 2/4 1/2", "000", "for their weight" },
		{ BALANCE_LEAST_CONNECTIONS, "1/2 1/2 1/3", "0101", "equals take turns" },
		{ BALANCE_LEAST_CONNECTIONS, "3 1 1/1", "010001000", "turns by weight" },
		{ BALANCE_LEAST_CONNECTIONS, "1/3h 1/5", "111", "half a share, so 6" },
		{ BALANCE_LEAST_CONNECTIONS, "1-/0 1/9", "111", "the other is away" },
		{ BALANCE_LEAST_CONNECTIONS, "65535/4294967295 1/4294967295", "000",
		    "no overflow" },
		{ BALANCE_RANDOM_TWO, "1/5 1/4", "1111", "of two both are looked at" },
		{ BALANCE_RANDOM_TWO, "10/5 1/4", "0000", "for their weight" },
		{ BALANCE_RANDOM_TWO, "1- 1 1b", "1111", "one" },
		{ BALANCE_CONSISTENT_HASH, "1- 1x 1b", "2222", "the backup" },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct balancer *b;
		struct rig rig;
		char got[32];

		rig_init(&rig, rows[i].servers);
		b = balancer_new(rows[i].kind, rig.members, rig.n, 0);
		for (k = 0; rows[i].picks[k] != '\0'; k++)
			got[k] = (char)('0' + balance_pick(b, rig.states, NULL, k));
		got[k] = '\0';
		if (strcmp(got, rows[i].picks) != 0)
			fail_msg("row %zu (%s): %s", i, rows[i].why, got);
		balancer_free(&b);
		assert_null(b);
	}
}

/* Each pick is tried and failed: the order of falling back. */
static void
test_levels(void **state)
{
	static const struct {
		const char *servers, *levels, *why;
	} rows[] = {
		{ "1 1 1", "aaa.", "each once" },
		{ "1 1b 1", "aab.", "then the backup" },
		{ "1 1-b 1b 1-", "abcd.", "then the unhealthy, backups last" },
		{ "1- 1-", "cc.", "the last server standing" },
		{ "1- 1-b", "cd.", "an unhealthy backup after an unhealthy other" },
		{ "1x 1-x 1bx", ".", "closed is closed" },
		{ "1x 1-", "c.", "unhealthy but open" },
	};
	size_t i, k;
	int kind;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		for (kind = 0; kind <= BALANCE_CONSISTENT_HASH; kind++) {
			uint64_t tried[BALANCE_WORDS(SERVERS)] = { 0 };
			struct balancer *b;
			struct rig rig;
			uint32_t at;
			char level;

			rig_init(&rig, rows[i].servers);
			b = balancer_new(
			    (enum balance_kind)kind, rig.members, rig.n, 125);
			for (k = 0; rows[i].levels[k] != '\0'; k++) {
				at = balance_pick(b, rig.states, tried, i * 77 + k);
				level = '.';
				if (at != BALANCE_NONE) {
					level = (char)('a' + rig.members[at].backup +
						       2 * !rig.states[at].available);
					assert_int_equal(tried[0] >> at & 1, 0);
					balance_mark_tried(tried, at);
				}
				if (level != rows[i].levels[k])
					fail_msg("row %zu, kind %d, pick %zu: %c (%s)", i,
					    kind, k, level, rows[i].why);
			}
			balancer_free(&b);
		}
	}
}

/* As a pool at work: some requests are open at any time, and end in no order. */
#define OPEN 400

static void
count_picks(enum balance_kind kind, struct rig *rig, uint32_t open, uint32_t *counts)
{
	uint64_t seed = 42 + (uint64_t)kind;
	uint32_t held[OPEN], k, slot, at;
	struct balancer *b;

	b = balancer_new(kind, rig->members, rig->n, 0);
	for (k = 0; k < PICKS; k++) {
		at = balance_pick(b, rig->states, NULL, next(&seed));
		assert_true(at < rig->n);
		counts[at]++;
		if (open == 0)
			continue;
		slot = k < open ? k : (uint32_t)(next(&seed) % open);
		if (k >= open)
			rig->states[held[slot]].active--;
		held[slot] = at;
		rig->states[at].active++;
	}
	balancer_free(&b);
}

static void
test_distribution(void **state)
{
	/* Available ones, their weights sum up; two per cent of all picks. */
	static const char *const pools[] = {
		"1 1 1",
		"5 3 2",
		"10 1",
		"1 2 3 4 5 6 7 8",
		"1 1- 1 1b",
		"3 1x 2- 4",
		"4 4h 2 1h",
		"16000 999 5000 70",
	};
	static const uint32_t opens[] = { 0, OPEN };
	uint32_t o, i, counts[SERVERS];
	double sum, want, got;
	struct rig rig;
	size_t p;
	int kind;

	(void)state;
	for (p = 0; p < COUNT(pools) * COUNT(opens) * 4; p++) {
		kind = p % 4;
		o = opens[p / 4 % COUNT(opens)];
		rig_init(&rig, pools[p / 4 / COUNT(opens)]);
		memset(counts, 0, sizeof(counts));
		count_picks((enum balance_kind)kind, &rig, o, counts);
		for (sum = 0, i = 0; i < rig.n; i++)
			if (rig.states[i].available && !rig.states[i].closed &&
			    !rig.members[i].backup)
				sum +=
				    (double)rig.members[i].weight * rig.states[i].share;
		for (i = 0; i < rig.n; i++) {
			want = 0;
			if (rig.states[i].available && !rig.states[i].closed &&
			    !rig.members[i].backup)
				want = rig.members[i].weight *
				       (double)rig.states[i].share / sum;
			got = (double)counts[i] / PICKS;
			if (got - want > 0.02 || want - got > 0.02 ||
			    (want == 0 && got != 0))
				fail_msg("%s, kind %d, open %u: server %u has %f, not %f",
				    pools[p / 4 / COUNT(opens)], kind, o, i, got, want);
		}
	}
}

/* Even shares within 2 % of the share itself, nothing open. */
static void
test_even(void **state)
{
	uint32_t counts[SERVERS], i;
	struct rig rig;
	int kind;

	(void)state;
	for (kind = 0; kind <= BALANCE_CONSISTENT_HASH; kind++) {
		rig_init(&rig, "1 1 1");
		memset(counts, 0, sizeof(counts));
		count_picks((enum balance_kind)kind, &rig, 0, counts);
		for (i = 0; i < 3; i++)
			if (counts[i] < 32667 || counts[i] > 34000)
				fail_msg("kind %d: %u", kind, counts[i]);
	}
}

static void
test_exact(void **state)
{
	uint32_t counts[SERVERS] = { 0 }, k, i;
	struct balancer *b;
	struct rig rig;

	(void)state;
	rig_init(&rig, "7 5 3 1");
	b = balancer_new(BALANCE_ROUND_ROBIN, rig.members, rig.n, 0);
	for (k = 0; k < 16 * 100; k++)
		counts[balance_pick(b, rig.states, NULL, 0)]++;
	for (i = 0; i < rig.n; i++)
		assert_int_equal(counts[i], rig.members[i].weight * 100);
	/* One is away: its tickets are passed on, the rest is as exact. */
	memset(counts, 0, sizeof(counts));
	rig.states[1].available = false;
	for (k = 0; k < 11 * 100; k++)
		counts[balance_pick(b, rig.states, NULL, 0)]++;
	assert_int_equal(counts[0], 700);
	assert_int_equal(counts[1], 0);
	assert_int_equal(counts[2], 300);
	balancer_free(&b);
}

/* The wait until a server comes that only a long walk over turns would find. */
static void
test_heavy_one_away(void **state)
{
	uint32_t counts[SERVERS] = { 0 }, k;
	struct balancer *b;
	struct rig rig;
	uint64_t seed = 1;

	(void)state;
	rig_init(&rig, "65535- 2 1");
	b = balancer_new(BALANCE_ROUND_ROBIN, rig.members, rig.n, 0);
	for (k = 0; k < 30000; k++)
		counts[balance_pick(b, rig.states, NULL, next(&seed))]++;
	assert_int_equal(counts[0], 0);
	assert_in_range(counts[1], 19400, 20600);
	balancer_free(&b);
}

static double
moved(const struct balance_member *a, uint32_t n_a, const struct balance_member *b,
    uint32_t n_b)
{
	struct balance_state states[64];
	struct balancer *before, *after;
	uint32_t k, count = 0, x, y;

	memset(states, 0, sizeof(states));
	for (k = 0; k < 64; k++) {
		states[k].available = true;
		states[k].share = BALANCE_SHARE_FULL;
	}
	before = balancer_new(BALANCE_CONSISTENT_HASH, a, n_a, 0);
	after = balancer_new(BALANCE_CONSISTENT_HASH, b, n_b, 0);
	for (k = 0; k < PICKS; k++) {
		x = balance_pick(before, states, NULL, mix64(k));
		y = balance_pick(after, states, NULL, mix64(k));
		count += a[x].id != b[y].id;
	}
	balancer_free(&before);
	balancer_free(&after);
	return ((double)count / PICKS);
}

static void
test_moves(void **state)
{
	struct balance_member all[40], less[40];
	uint32_t n, gone, i, weighted;
	double share, sum, m;

	(void)state;
	for (n = 2; n <= 40; n += n < 8 ? 1 : 8) {
		for (weighted = 0; weighted < 2; weighted++) {
			for (sum = 0, i = 0; i < n; i++) {
				all[i].id = mix64(i * 7919 + n);
				all[i].weight = weighted ? 1 + i % 4 : 1;
				all[i].backup = false;
				sum += all[i].weight;
			}
			gone = n / 2;
			memcpy(less, all, sizeof(less));
			less[gone] = less[n - 1]; /* and listed otherwise */
			share = all[gone].weight / sum;
			m = moved(all, n, less, n - 1);
			if (m > share + 0.02 || m < share - 0.02)
				fail_msg(
				    "%u servers, one goes: %f of %f move", n, m, share);
			m = moved(less, n - 1, all, n);
			if (m > share + 0.02)
				fail_msg(
				    "%u servers, one comes: %f of %f move", n, m, share);
			less[gone] = all[gone];
			less[0] = all[n - 1];
			less[n - 1] = all[0];
			assert_true(moved(all, n, less, n) == 0);
		}
	}
}

/* Health is no change of the set: no key of another server moves, and those of
 * the one that is away are spread by weight and come back. */
static void
test_away_and_back(void **state)
{
	uint32_t k, x, y, went[SERVERS] = { 0 }, of = 0;
	struct balancer *b;
	struct rig rig;

	(void)state;
	rig_init(&rig, "1 1 2 1 1b");
	b = balancer_new(BALANCE_CONSISTENT_HASH, rig.members, rig.n, 0);
	for (k = 0; k < PICKS; k++) {
		rig.states[0].available = true;
		x = balance_pick(b, rig.states, NULL, mix64(k));
		rig.states[0].available = false;
		y = balance_pick(b, rig.states, NULL, mix64(k));
		assert_true(y != 0 && (x == 0 || x == y));
		of += x == 0;
		went[y] += x == 0;
	}
	assert_in_range(went[2], of * 45 / 100, of * 55 / 100);
	assert_in_range(went[1], of * 20 / 100, of * 30 / 100);
	assert_int_equal(went[4], 0);
	balancer_free(&b);
}

/* In slow start keys come back to their server one by one and stay, and others
 * have nothing to do with it. */
static void
test_slow_return(void **state)
{
	uint32_t k, share, at, last, home;
	struct balancer *b;
	struct rig rig;

	(void)state;
	rig_init(&rig, "1 1 2");
	b = balancer_new(BALANCE_CONSISTENT_HASH, rig.members, rig.n, 0);
	for (k = 0; k < 3000; k++) {
		rig.states[1].share = BALANCE_SHARE_FULL;
		home = balance_pick(b, rig.states, NULL, mix64(k));
		last = BALANCE_NONE;
		for (share = 64; share <= BALANCE_SHARE_FULL; share += 64) {
			rig.states[1].share = (uint16_t)share;
			at = balance_pick(b, rig.states, NULL, mix64(k));
			assert_true(at == home || home == 1);
			assert_true(last != 1 || at == 1);
			last = at;
		}
	}
	balancer_free(&b);
}

/* However unevenly keys are asked for, nobody holds more than the bound when it
 * is chosen. */
static void
test_bound(void **state)
{
	static const uint32_t bounds[] = { 101, 125, 200 };
	static const char *const pools[] = { "1 1 1", "1 2 3 4", "10 1 1 1- 1x",
		"1h 1 1 1 1 1 1 1", "1 10000" };
	uint32_t held[OPEN], k, slot, at, i;
	double sum, all, limit;
	uint64_t seed = 7;
	struct balancer *b;
	struct rig rig;
	size_t p;

	(void)state;
	for (p = 0; p < COUNT(pools) * COUNT(bounds); p++) {
		rig_init(&rig, pools[p / COUNT(bounds)]);
		b = balancer_new(BALANCE_CONSISTENT_HASH, rig.members, rig.n,
		    bounds[p % COUNT(bounds)]);
		for (sum = 0, i = 0; i < rig.n; i++)
			if (rig.states[i].available && !rig.states[i].closed)
				sum +=
				    (double)rig.members[i].weight * rig.states[i].share;
		for (k = 0; k < 20000; k++) {
			slot = k < OPEN ? k : (uint32_t)(next(&seed) % OPEN);
			if (k >= OPEN)
				rig.states[held[slot]].active--;
			/* Half of all requests are for one of three keys. */
			at = balance_pick(b, rig.states, NULL,
			    next(&seed) % 2 ? mix64(seed % 3) : next(&seed));
			assert_true(rig.states[at].available && !rig.states[at].closed);
			held[slot] = at;
			rig.states[at].active++;
			all = k < OPEN ? k + 1 : OPEN;
			limit = bounds[p % COUNT(bounds)] / 100.0 * all *
				rig.members[at].weight * rig.states[at].share / sum;
			if (rig.states[at].active >= limit + 1)
				fail_msg("%s: server %u has %u, limit %f", pools[p / 3],
				    at, rig.states[at].active, limit);
		}
		balancer_free(&b);
	}
}

struct thread {
	pthread_t id;
	struct balancer *balancer;
	const struct balance_state *states;
	uint32_t counts[SERVERS];
};

static void *
thread_main(void *arg)
{
	struct thread *thread = arg;
	int i;

	for (i = 0; i < 25000; i++)
		thread->counts[balance_pick(thread->balancer, thread->states, NULL, 0)]++;
	return (NULL);
}

static void
test_threads_share_turns(void **state)
{
	struct thread threads[4];
	uint32_t sums[2] = { 0, 0 }, i;
	struct balancer *b;
	struct rig rig;

	(void)state;
	rig_init(&rig, "3 1");
	b = balancer_new(BALANCE_ROUND_ROBIN, rig.members, rig.n, 0);
	for (i = 0; i < 4; i++) {
		memset(&threads[i], 0, sizeof(threads[i]));
		threads[i].balancer = b;
		threads[i].states = rig.states;
		assert_int_equal(
		    pthread_create(&threads[i].id, NULL, thread_main, &threads[i]), 0);
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
		sums[0] += threads[i].counts[0];
		sums[1] += threads[i].counts[1];
	}
	assert_int_equal(sums[0], 75000);
	assert_int_equal(sums[1], 25000);
	balancer_free(&b);
}

static void
test_tables(void **state)
{
	static uint32_t weights[BALANCE_SERVERS_MAX], slots[BALANCE_SERVERS_MAX];
	static uint64_t ids[BALANCE_SERVERS_MAX];
	struct maglev maglev;
	struct turns turns;
	uint32_t i;

	(void)state;
	for (i = 0; i < BALANCE_SERVERS_MAX; i++) {
		weights[i] = i == 0 ? BALANCE_WEIGHT_MAX : 1;
		ids[i] = mix64(i / 2); /* one address listed twice is no trap */
	}
	turns_init(&turns, weights, BALANCE_SERVERS_MAX);
	assert_true(turns.n <= TURNS_MAX);
	for (i = 0; i < BALANCE_SERVERS_MAX; i++)
		assert_true(turns.weight[i] >= 1);
	turns_free(&turns);
	weights[0] = 1;
	maglev_init(&maglev, ids, weights, BALANCE_SERVERS_MAX);
	for (i = 0; i < maglev.n; i++)
		slots[maglev.member[i]]++;
	for (i = 0; i < BALANCE_SERVERS_MAX; i++)
		assert_in_range(slots[i], maglev.n / BALANCE_SERVERS_MAX,
		    maglev.n / BALANCE_SERVERS_MAX + 1);
	maglev_free(&maglev);
	turns_init(&turns, weights, 0);
	maglev_init(&maglev, ids, weights, 0);
	assert_int_equal(turns.n + maglev.n, 0);
	turns_free(&turns);
	maglev_free(&maglev);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_distribution),
		cmocka_unit_test(test_even),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_heavy_one_away),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_away_and_back),
		cmocka_unit_test(test_slow_return),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_threads_share_turns),
		cmocka_unit_test(test_tables),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
