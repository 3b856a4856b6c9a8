/* SPDX-License-Identifier: Apache-2.0 */
/* A request without a socket. */
#include "config.h"

#include "tests/unit/request_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/base/check.h"

#define HEADER_BYTES (32u << 10)

void
rig_open(struct request_rig *rig)
{
	struct worker *w;

	memset(rig, 0, sizeof(*rig));
	rig->conf.max.fields = 100;
	rig->conf.max.header_bytes = HEADER_BYTES;
	rig->snapshot.magic = SNAPSHOT_MAGIC;
	rig->snapshot.conf = &rig->conf;
	rig->snapshot.limits.header_bytes = HEADER_BYTES;
	rig->snapshot.limits.target_bytes = HEADER_BYTES / 2;
	rig->conf.identity.header = "X-Forwarded-For";
	rig->conf.identity.ipv6_prefix = 64;
	rig->snapshot.identity = identity_new(&rig->conf.identity);
	rig->place.policy = &rig->policy;
	w = &rig->worker;
	w->magic = WORKER_MAGIC;
	w->snapshot = &rig->snapshot;
	w->loop = loop_new();
	w->upstream = upstream_new(w->loop);
	w->buffers = buf_pool_new(2 * HEADER_BYTES, 4);
	w->encoders = encoder_pool_new(1);
	id_source_init(&w->ids);
	TAILQ_INIT(&w->conns);
	SLIST_INIT(&w->spare);
	rig->conn.magic = CONN_MAGIC;
	rig->conn.worker = w;
	rig->conn.peer.family = NETADDR_IP4;
	memcpy(rig->conn.peer.ip, "\xc0\x00\x02\x07", 4); /* 192.0.2.7 */
	rig->conn.client = rig->conn.peer;
}

static void
drop_request(struct request_rig *rig)
{
	if (rig->req != NULL)
		request_free(rig->req);
	rig->req = NULL;
	buf_give(rig->worker.buffers, &rig->conn.in);
}

void
rig_close(struct request_rig *rig)
{
	drop_request(rig);
	request_free_spare(&rig->worker);
	upstream_free(&rig->worker.upstream);
	encoder_pool_free(&rig->worker.encoders);
	buf_pool_free(&rig->worker.buffers);
	loop_free(&rig->worker.loop);
	identity_free(&rig->snapshot.identity);
}

struct request *
rig_request(struct request_rig *rig, const char *head)
{
	struct buf *in;

	drop_request(rig);
	in = &rig->conn.in;
	buf_take(rig->worker.buffers, in);
	assert_int_equal(buf_put(in, head, strlen(head)), strlen(head));
	rig->req = request_new(&rig->conn);
	assert_int_equal(h1_head_push(&rig->req->head, buf_span(in)), H1_DONE);
	assert_int_equal(request_begin(rig->req), STEP_NEXT);
	rig->req->place = &rig->place;
	return (rig->req);
}

void
rig_answer(struct request_rig *rig, const char *head)
{
	struct http_response *r;
	struct exchange *x;

	x = &rig->req->origin;
	h1_response_init(&x->head, &rig->snapshot.limits, x->fields, rig->conf.max.fields,
	    rig->req->http.is_head);
	assert_int_equal(h1_head_push(&x->head, span_of(head)), H1_DONE);
	r = &x->response;
	r->status = x->head.status;
	r->reason = x->head.reason;
	r->fields = x->head.fields;
	r->framing = x->head.framing;
	r->content_length = x->head.content_length;
	http_fields_mark_hops(&r->fields);
	rig->req->response = r;
}

char *
rig_fill(const char *text, const char *mark, const char *value)
{
	struct span rest, out;
	struct text filled;
	char *copy;
	size_t at;

	rest = span_of(text);
	text_init(&filled, 1u << 20);
	while ((at = span_find(rest, span_of(mark))) != SIZE_MAX) {
		text_put(&filled, span_cut(rest, 0, at));
		text_puts(&filled, value);
		rest = span_cut(rest, at + strlen(mark), rest.n);
	}
	text_put(&filled, rest);
	out = text_span(&filled);
	copy = span_strdup(out);
	text_free(&filled);
	return (copy);
}
