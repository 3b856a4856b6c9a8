/* SPDX-License-Identifier: Apache-2.0 */
/* What the store costs: memory after millions of objects of mixed size, time of a hit
 * on one thread and on several. No network. Arguments: objects (2000000), MiB (256). */
#include "config.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/check.h"
#include "tests/unit/store_rig.h"

#define MIB (UINT64_C(1) << 20)
#define SMALLEST 200
#define LARGEST 65536
#define UNDER_WAY 64 /* answers that come at the same time */
#define HITS 2000000u
#define THREADS 4
#define FIELDS                                                                          \
	"Date: Sun, 06 Nov 1994 08:49:37 GMT\nContent-Type: text/html; charset=utf-8\n" \
	"ETag: \"5f2b1c-1a2b\"\nCache-Control: max-age=86400\nServer: origin/1.0"

static const char some[LARGEST];

/* Of all threads of the process, in work alone. */
static double
seconds(void)
{
	struct timespec ts;

	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) == 0);
	return ((double)ts.tv_sec + (double)ts.tv_nsec / 1e9);
}

/* KiB that the process has in memory. */
static unsigned long
resident(void)
{
	unsigned long pages = 0, size;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f != NULL && fscanf(f, "%lu %lu", &size, &pages) == 2);
	(void)fclose(f);
	return (pages * 4);
}

/* A third are below 400 bytes, half below a KiB, the mean is 7 KB. */
static uint64_t
size_of(unsigned i)
{
	double step = (double)(i * 2654435761u >> 20) / 4096;

	return (
	    (uint64_t)(SMALLEST * exp(log((double)LARGEST / SMALLEST) * step * step)));
}

static void
ask(struct rig_question *rig, unsigned i)
{
	char key[40];

	(void)snprintf(key, sizeof(key), "http://www.example.com/object/%u", i);
	rig_ask(rig, key, "Host: www.example.com");
}

struct coming {
	struct rig_question asked;
	struct cache_body *body;
	uint64_t length;
};

static bool
finish(struct cache_store *store, struct coming *c)
{
	uint64_t half = c->length / 2;
	struct cache_object *object;
	bool kept;

	if (c->body == NULL)
		return (false);
	CHECK(cache_body_append(c->body, span_mem(some, (size_t)(c->length - half))));
	cache_body_end(c->body, true);
	object = rig_object(store, &c->asked, FIELDS, c->body);
	kept = object != NULL &&
	       cache_store_put(store, &c->asked.q.key, object, clock_mono_us() + 1);
	cache_object_free(&object);
	cache_body_free(&c->body);
	rig_asked(&c->asked);
	return (kept);
}

/* Asked for again now and then: some of them have hits. */
static void
look(struct cache_store *store, unsigned i)
{
	struct rig_question rig;
	struct cache_object *object;

	ask(&rig, i);
	(void)cache_store_find(store, &rig.q, &object);
	cache_object_free(&object);
	rig_asked(&rig);
}

static void
fill(struct cache_store *store, unsigned n)
{
	static struct coming coming[UNDER_WAY];
	unsigned i, refused = 0;
	struct coming *c;

	for (i = 0; i < n; i++) {
		/* in another order than they began */
		c = &coming[i * 40503u % UNDER_WAY];
		if (i >= UNDER_WAY)
			refused += !finish(store, c);
		c->length = size_of(i);
		ask(&c->asked, i);
		c->body =
		    cache_body_new(store, i % 4 == 0 ? CACHE_LENGTH_UNKNOWN : c->length);
		if (c->body != NULL)
			CHECK(cache_body_append(
			    c->body, span_mem(some, (size_t)(c->length / 2))));
		if (i % 3 == 0 && i > 1000) {
			look(store, i - 500);
			look(store, i - 900);
		}
	}
	for (i = 0; i < UNDER_WAY; i++)
		refused += !finish(store, &coming[i]);
	printf("refused %u\n", refused);
}

static void
count_what_is_there(struct cache_store *store, unsigned n)
{
	uint64_t bytes = 0, bodies = 0, pieces = 0, at;
	struct cache_object *object;
	struct rig_question rig;
	struct span piece;
	unsigned i;

	for (i = 0; i < n; i++) {
		ask(&rig, i);
		if (cache_store_find(store, &rig.q, &object) == CACHE_FOUND) {
			bodies++;
			for (at = 0; cache_body_read(object->body, at, UINT64_MAX, NULL,
					 &piece) == CACHE_BODY_DATA;
			     at += piece.n)
				pieces++;
			bytes += at;
		}
		cache_object_free(&object);
		rig_asked(&rig);
	}
	printf("bodies %.1f MiB in %lu objects, %.3f pieces each\n", (double)bytes / MIB,
	    (unsigned long)bodies, (double)pieces / (double)bodies);
}

/* How long it takes to make room for a large answer, with many small ones there. */
static void
make_room(struct cache_store *store, uint64_t mib)
{
	struct cache_figures before, after;
	struct cache_body *body;
	double from, us;

	cache_store_figures(store, &before);
	from = seconds();
	body = cache_body_new(store, mib * MIB);
	us = (seconds() - from) * 1e6;
	cache_store_figures(store, &after);
	printf("room for %lu MiB: %.0f us, %lu evicted\n", (unsigned long)mib, us,
	    (unsigned long)(after.evicted - before.evicted));
	cache_body_free(&body);
}

/* --- hits ---------------------------------------------------------------- */

struct hitter {
	struct cache_store *store;
	struct rig_question *asked;
	unsigned keys;
};

static void *
hit(void *data)
{
	struct hitter *h = data;
	struct cache_object *object;
	unsigned i;

	for (i = 0; i < HITS; i++) {
		CHECK(cache_store_find(h->store, &h->asked[i % h->keys].q, &object) ==
		      CACHE_FOUND);
		cache_object_free(&object);
	}
	return (NULL);
}

static void
measure_hits(struct cache_store *store, struct rig_question *asked, unsigned keys)
{
	struct hitter h = { store, asked, keys };
	pthread_t threads[THREADS];
	unsigned n, i;
	double from;

	for (n = 1; n <= THREADS; n *= 2) {
		from = seconds();
		for (i = 0; i < n; i++)
			CHECK(pthread_create(&threads[i], NULL, hit, &h) == 0);
		for (i = 0; i < n; i++)
			CHECK(pthread_join(threads[i], NULL) == 0);
		printf("hits on %u keys, %u threads: %.0f ns of work each\n", keys, n,
		    (seconds() - from) * 1e9 / n / HITS);
	}
}

int
main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000000, i;
	uint64_t mib = argc > 2 ? strtoul(argv[2], NULL, 10) : 256;
	struct rig_question *asked = mem_zalloc(10000 * sizeof(*asked));
	struct cache_store *store = cache_store_new(mib * MIB, mib * MIB / 4);
	unsigned long before = resident();
	struct cache_figures f;
	double from = seconds();

	fill(store, n);
	cache_store_figures(store, &f);
	printf("%u objects in %.1f s, %.2f us each\n", n, seconds() - from,
	    (seconds() - from) * 1e6 / n);
	printf("memory %lu MiB, used %.1f MiB, resident %.1f MiB more; %lu objects, "
	       "%lu evicted\n",
	    (unsigned long)mib, (double)f.used / MIB,
	    (double)(resident() - before) / 1024, (unsigned long)f.objects,
	    (unsigned long)f.evicted);
	count_what_is_there(store, n);
	make_room(store, 1);
	make_room(store, 8);
	make_room(store, mib / 4);
	from = seconds();
	(void)cache_store_purge_all(store);
	printf("all purged: %.0f us\n", (seconds() - from) * 1e6);
	for (i = 0; i < 10000; i++) {
		ask(&asked[i], i);
		CHECK(rig_put(store, &asked[i], FIELDS, 1, 1000));
	}
	measure_hits(store, asked, 10000);
	measure_hits(store, asked, 1);
	for (i = 0; i < 10000; i++)
		rig_asked(&asked[i]);
	free(asked);
	cache_store_free(&store);
	return (0);
}
