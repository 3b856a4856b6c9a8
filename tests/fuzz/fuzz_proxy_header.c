/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY protocol headers: the verdict does not depend on the pieces they come in or
 * on what follows, and what was read is a header of the grammar. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "gateway/net/proxy_header.h"

static bool
same(const struct netaddr *a, const struct netaddr *b)
{
	return (netaddr_same_ip(a, b) && a->port == b->port);
}

static void
check_done(struct span text, const struct proxy_header *h)
{
	struct proxy_header again;
	size_t n;

	CHECK(h->bytes > 0 && h->bytes <= text.n && h->bytes <= PROXY_HEADER_MAX);
	CHECK(h->problem == NULL);
	if (h->local)
		CHECK(h->source.family == NETADDR_NONE);
	else
		CHECK(h->source.family != NETADDR_NONE &&
		      h->destination.family != NETADDR_NONE);
	for (n = 0; n < h->bytes; n++)
		CHECK(proxy_header_parse(span_cut(text, 0, n), &again) == PROXY_MORE);
	CHECK(proxy_header_parse(span_cut(text, 0, h->bytes), &again) == PROXY_DONE);
	CHECK(again.bytes == h->bytes && again.local == h->local);
	CHECK(same(&again.source, &h->source));
	CHECK(same(&again.destination, &h->destination));
	if (text.p[0] == 'P') {
		CHECK(h->bytes <= 107 && text.p[h->bytes - 2] == '\r' &&
		      text.p[h->bytes - 1] == '\n');
		CHECK(memchr(text.p, '\n', h->bytes - 1) == NULL);
	}
}

/* The first piece that decides, decides for all that begin with it. */
static void
check_refused(struct span text, enum proxy_rc rc)
{
	struct proxy_header h;
	enum proxy_rc part;
	size_t n, most;

	most = text.n < PROXY_HEADER_MAX ? text.n : PROXY_HEADER_MAX;
	for (n = 0; n <= most; n++) {
		part = proxy_header_parse(span_cut(text, 0, n), &h);
		CHECK(part == PROXY_MORE || part == rc);
		CHECK((part == PROXY_BAD) == (h.problem != NULL));
	}
	CHECK(part == rc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(span_mem(data, size));
	const struct span text = span_mem(copy, size);
	struct proxy_header h;
	enum proxy_rc rc;

	rc = proxy_header_parse(text, &h);
	CHECK(rc != PROXY_MORE || size < PROXY_HEADER_MAX);
	if (rc == PROXY_DONE)
		check_done(text, &h);
	else
		check_refused(text, rc);
	free(copy);
	return (0);
}
