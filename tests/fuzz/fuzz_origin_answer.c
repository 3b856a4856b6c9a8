/* SPDX-License-Identifier: Apache-2.0 */
/* What an origin says, over a socket, to a real request: the exchange comes to an end,
 * its body is as long as its framing says, and the head that the client gets is one
 * that a strict parser reads the same way. The first byte chooses: a HEAD request,
 * the origin leaves at the end, or the body comes with half of the input. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/filter/encoder.h"
#include "gateway/request/answer.h"
#include "gateway/request/connection.h"
#include "gateway/request/request.h"

#define HEADER_BYTES (8u << 10)
#define FIELDS_MAX 64
#define INPUT_MAX (64u << 10)
#define CALLS_MAX (2 * INPUT_MAX)

enum choice { TO_HEAD = 1, LEAVES = 2, IN_TWO = 4 };

struct rig {
	char folder[40], path[60];
	int listener;
	struct conf conf;
	struct conf_pool pool;
	struct conf_server server;
	struct conf_policy policy;
	struct snapshot snapshot;
	struct place place;
	struct worker worker;
	struct conn conn;
};

static void
open_origin(struct rig *rig)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct err e;

	snprintf(rig->folder, sizeof(rig->folder), "/tmp/yett-fuzz-XXXXXX");
	CHECK(mkdtemp(rig->folder) != NULL);
	snprintf(rig->path, sizeof(rig->path), "%s/s", rig->folder);
	memcpy(un.sun_path, rig->path, sizeof(rig->path));
	rig->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(rig->listener, (struct sockaddr *)&un, sizeof(un)) == 0);
	CHECK(listen(rig->listener, 8) == 0);
	rig->server = (struct conf_server){
		.url = "http://unix", .host = "", .unix_path = rig->path
	};
	rig->pool.name = "app";
	rig->pool.servers = &rig->server;
	rig->pool.n_servers = 1;
	rig->pool.hash_on = rig->pool.sticky.cookie = rig->pool.sticky.key_file = "";
	rig->pool.tls.ca = rig->pool.tls.server_name = "";
	rig->pool.timeouts.connect = rig->pool.timeouts.first_byte =
	    rig->pool.timeouts.idle = 60 * CLOCK_SECOND;
	CHECK(upstream_pool_new(&rig->place.pool, &rig->pool, NULL, &e) == ERR_OK);
}

static struct rig *
rig_open(void)
{
	struct rig *rig = mem_zalloc(sizeof(*rig));
	struct worker *w = &rig->worker;

	open_origin(rig);
	rig->conf.max.fields = FIELDS_MAX;
	rig->conf.max.header_bytes = HEADER_BYTES;
	rig->conf.identity.header = "X-Forwarded-For";
	rig->conf.identity.ipv6_prefix = 64;
	rig->snapshot.magic = SNAPSHOT_MAGIC;
	rig->snapshot.conf = &rig->conf;
	rig->snapshot.limits.header_bytes = HEADER_BYTES;
	rig->snapshot.limits.target_bytes = HEADER_BYTES / 2;
	rig->snapshot.identity = identity_new(&rig->conf.identity);
	rig->place.policy = &rig->policy;
	w->magic = WORKER_MAGIC;
	w->snapshot = &rig->snapshot;
	w->loop = loop_new();
	w->upstream = upstream_new(w->loop);
	w->buffers = buf_pool_new(HEADER_BYTES + 1024, 4);
	w->encoders = encoder_pool_new(1);
	id_source_init(&w->ids);
	TAILQ_INIT(&w->conns);
	SLIST_INIT(&w->spare);
	rig->conn.magic = CONN_MAGIC;
	rig->conn.worker = w;
	rig->conn.peer.family = NETADDR_IP4;
	rig->conn.client = rig->conn.peer;
	return (rig);
}

static void
rig_close(struct rig *rig)
{
	buf_give(rig->worker.buffers, &rig->conn.in);
	request_free_spare(&rig->worker);
	upstream_free(&rig->worker.upstream);
	upstream_pool_free(&rig->place.pool);
	encoder_pool_free(&rig->worker.encoders);
	buf_pool_free(&rig->worker.buffers);
	loop_free(&rig->worker.loop);
	identity_free(&rig->snapshot.identity);
	close(rig->listener);
	unlink(rig->path);
	rmdir(rig->folder);
	free(rig);
}

static struct request *
begin(struct rig *rig, unsigned choice)
{
	struct span head;
	struct request *req;
	struct buf *in = &rig->conn.in;

	head = (choice & TO_HEAD) != 0 ? SPAN("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
				       : SPAN("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	buf_take(rig->worker.buffers, in);
	CHECK(buf_put(in, head.p, head.n) == head.n);
	req = request_new(&rig->conn);
	CHECK(h1_head_push(&req->head, buf_span(in)) == H1_DONE);
	CHECK(request_begin(req) == STEP_NEXT);
	req->place = &rig->place;
	req->body_done = true;
	return (req);
}

/* Up to the head of the answer. All that was said is there to be read: who waits is
 * called again as the loop would, until nothing comes or, if the origin left, to the
 * end. */
static enum exchange_rc
take_head(struct request *req, bool left)
{
	enum exchange_rc rc;
	unsigned calls;
	size_t before;

	for (calls = 0;; calls++) {
		CHECK(calls < CALLS_MAX);
		before = req->origin.in.end;
		req->origin.readable = true;
		rc = exchange_head(req);
		if (rc == EXCHANGE_INTERIM)
			exchange_interim_done(req);
		else if (rc != EXCHANGE_WAIT || (!left && req->origin.in.end == before))
			return (rc);
	}
}

static enum exchange_rc
take_body(struct request *req, uint64_t *bytes, bool left)
{
	unsigned calls, idle = 0;
	enum exchange_rc rc;
	struct span piece;

	for (calls = 0;; calls++) {
		CHECK(calls < CALLS_MAX);
		req->origin.readable = true;
		rc = exchange_body(req, &piece);
		if (rc == EXCHANGE_WAIT && (left || ++idle < 4))
			continue;
		if (rc != EXCHANGE_OK)
			return (rc);
		CHECK(piece.n > 0);
		*bytes += piece.n;
		exchange_body_used(req);
	}
}

/* What the client reads is what was meant. */
static void
check_answer(struct request *req)
{
	struct http_field fields[2 * FIELDS_MAX];
	const struct http_response *r = &req->origin.response;
	const struct h1_limits limits = { 4 * HEADER_BYTES, HEADER_BYTES };
	struct h1_head head;
	struct span out;

	req->response = r;
	answer_head(req);
	out = text_span(&req->answer);
	h1_response_init(&head, &limits, fields, 2 * FIELDS_MAX, req->http.is_head);
	CHECK(h1_head_push(&head, out) == H1_DONE && head.head_bytes == out.n);
	CHECK(head.status == r->status && head.status >= 200);
	CHECK(req->answer_close == !head.keepalive);
	CHECK((head.framing == H1_NO_BODY) == req->answer_bodyless);
	CHECK(
	    (head.framing == H1_CHUNKED) == req->answer_chunked || req->answer_bodyless);
	if (head.framing == H1_LENGTH)
		CHECK(
		    r->framing == H1_LENGTH && head.content_length == r->content_length);
}

static void
check_end(const struct request *req, enum exchange_rc rc, uint64_t bytes, bool left)
{
	const struct exchange *x = &req->origin;

	CHECK(rc == EXCHANGE_END || rc == EXCHANGE_BAD || (rc == EXCHANGE_WAIT && !left));
	if (rc == EXCHANGE_BAD)
		CHECK(x->failure != NULL);
	if (x->response.framing == H1_LENGTH)
		CHECK(rc == EXCHANGE_END ? bytes == x->response.content_length
					 : bytes <= x->response.content_length);
	if (x->response.framing == H1_NO_BODY)
		CHECK(rc == EXCHANGE_END && bytes == 0);
	if (x->response.framing == H1_UNTIL_CLOSE)
		CHECK(rc != EXCHANGE_END || (left && x->conn != NULL));
}

/* The gateway may have closed behind a complete answer. */
static void
say(int fd, struct span said)
{
	CHECK(
	    send(fd, said.p, said.n, MSG_NOSIGNAL) == (ssize_t)said.n || errno == EPIPE);
}

static void
exchange(struct rig *rig, unsigned choice, struct span said)
{
	struct request *req = begin(rig, choice);
	bool left = (choice & LEAVES) != 0;
	size_t first = (choice & IN_TWO) != 0 ? said.n / 2 : said.n;
	uint64_t bytes = 0;
	enum exchange_rc rc;
	int fd;

	CHECK(exchange_head(req) == EXCHANGE_WAIT);
	fd = accept4(rig->listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(fd >= 0);
	say(fd, span_cut(said, 0, first));
	rc = first < said.n ? take_head(req, false) : EXCHANGE_WAIT;
	if (rc == EXCHANGE_WAIT || rc == EXCHANGE_OK)
		say(fd, span_cut(said, first, said.n));
	if (left)
		CHECK(shutdown(fd, SHUT_WR) == 0);
	if (rc == EXCHANGE_WAIT)
		rc = take_head(req, left);
	if (rc == EXCHANGE_OK) {
		check_answer(req);
		rc = take_body(req, &bytes, left);
		check_end(req, rc, bytes, left);
	} else {
		CHECK(rc == EXCHANGE_BAD || (rc == EXCHANGE_WAIT && !left));
		CHECK(rc == EXCHANGE_WAIT || req->origin.failure != NULL);
	}
	exchange_end(req, exchange_may_keep(req));
	request_free(req);
	buf_give(rig->worker.buffers, &rig->conn.in);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *rig;

	if (size == 0 || size > INPUT_MAX)
		return (0);
	rig = rig_open();
	exchange(rig, data[0], span_mem(data + 1, size - 1));
	rig_close(rig);
	return (0);
}
