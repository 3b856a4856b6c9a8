/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces on their way out on one stream. */
#include "config.h"

#include "gateway/request/sender.h"

#include <stdio.h>

#include "gateway/base/check.h"

void
sender_reset(struct sender *out)
{
	out->first = 0;
	out->n = 0;
}

bool
sender_is_empty(const struct sender *out)
{
	return (out->n == 0);
}

size_t
sender_bytes(const struct sender *out)
{
	size_t bytes;
	unsigned i;

	bytes = 0;
	for (i = 0; i < out->n; i++)
		bytes += out->v[out->first + i].iov_len;
	return (bytes);
}

void
sender_put(struct sender *out, struct span piece)
{
	struct iovec *v;

	if (piece.n == 0)
		return;
	CHECK(out->first + out->n < SENDER_PIECES);
	v = &out->v[out->first + out->n++];
	/* writev takes a plain pointer and does not write through it */
	memcpy(&v->iov_base, &piece.p, sizeof(v->iov_base));
	v->iov_len = piece.n;
}

void
sender_put_chunk(struct sender *out, struct span data)
{
	int n;

	CHECK(data.n > 0);
	n = snprintf(out->chunk_line, sizeof(out->chunk_line), "%zx\r\n", data.n);
	sender_put(out, span_mem(out->chunk_line, (size_t)n));
	sender_put(out, data);
	sender_put(out, SPAN("\r\n"));
}

void
sender_put_last_chunk(struct sender *out)
{
	sender_put(out, SPAN("0\r\n\r\n"));
}

static void
sender_drop(struct sender *out, size_t done)
{
	struct iovec *v;

	while (out->n > 0) {
		v = &out->v[out->first];
		if (done < v->iov_len) {
			v->iov_base = (char *)v->iov_base + done;
			v->iov_len -= done;
			return;
		}
		done -= v->iov_len;
		out->first++;
		out->n--;
	}
	out->first = 0;
}

enum stream_rc
sender_flush(struct sender *out, struct stream *stream)
{
	enum stream_rc rc;
	size_t done;

	while (out->n > 0) {
		rc = stream_write(stream, &out->v[out->first], (int)out->n, &done);
		if (rc != STREAM_OK)
			return (rc);
		sender_drop(out, done);
	}
	return (STREAM_OK);
}
