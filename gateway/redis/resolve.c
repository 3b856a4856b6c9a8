/* SPDX-License-Identifier: Apache-2.0 */
/* Names to addresses, off the loop. */
#include "config.h"

#include "gateway/redis/resolve.h"

#include "gateway/base/check.h"

#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LOOKUP_MAGIC 0x100c0a01u
struct lookup {
	unsigned magic;
	struct job job;
	lookup_done_f *done; /* NULL: abandoned */
	void *data;
	char *host;
	struct netaddr addresses[RESOLVE_MAX];
	unsigned n;
};

bool
resolve_literal(struct netaddr *addr_r, const char *host, uint16_t port)
{
	struct span text = span_of(host);

	if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = span_cut(text, 1, text.n - 1);
	if (!netaddr_parse_ip(addr_r, text))
		return (false);
	addr_r->port = port;
	return (true);
}

static struct lookup *
lookup_of(struct job *job)
{
	struct lookup *lookup;

	CAST_OBJ(
	    lookup, (void *)((char *)job - offsetof(struct lookup, job)), LOOKUP_MAGIC);
	return (lookup);
}

static void
lookup_run(struct job *job)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	struct lookup *lookup = lookup_of(job);
	struct addrinfo *list, *ai;

	if (getaddrinfo(lookup->host, NULL, &hints, &list) != 0)
		return;
	for (ai = list; ai != NULL && lookup->n < RESOLVE_MAX; ai = ai->ai_next)
		if (netaddr_from_sockaddr(
			&lookup->addresses[lookup->n], ai->ai_addr, ai->ai_addrlen))
			lookup->n++;
	freeaddrinfo(list);
}

static void
lookup_done(struct job *job)
{
	struct lookup *lookup = lookup_of(job);

	if (lookup->done != NULL)
		lookup->done(lookup->data, lookup->addresses, lookup->n);
	free(lookup->host);
	lookup->magic = 0;
	free(lookup);
}

struct lookup *
lookup_start(struct loop *loop, struct job_pool *pool, const char *host,
    lookup_done_f *done, void *data)
{
	struct lookup *lookup = mem_zalloc(sizeof(*lookup));

	lookup->magic = LOOKUP_MAGIC;
	lookup->job.home = loop;
	lookup->job.run = lookup_run;
	lookup->job.done = lookup_done;
	lookup->done = done;
	lookup->data = data;
	lookup->host = mem_strdup(host);
	job_submit(pool, &lookup->job);
	return (lookup);
}

void
lookup_abandon(struct lookup **lookup_p)
{
	struct lookup *lookup = *lookup_p;

	*lookup_p = NULL;
	if (lookup == NULL)
		return;
	CHECK_OBJ(lookup, LOOKUP_MAGIC);
	lookup->done = NULL;
}
