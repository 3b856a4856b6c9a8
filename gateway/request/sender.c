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
	out->has_file = false;
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
sender_put_lent(struct sender *out, struct span piece, const struct sender_lent *lent)
{
	CHECK(!out->has_file && lent->n > 0 && lent->from + lent->n <= piece.n);
	sender_put(out, span_cut(piece, 0, lent->from));
	out->has_file = true;
	out->file_at = out->first + out->n;
	out->file = lent->file;
	sender_put(out, span_cut(piece, lent->from, lent->from + lent->n));
	sender_put(out, span_cut(piece, lent->from + lent->n, piece.n));
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

/* Is it the file's turn? */
static bool
is_file(const struct sender *out)
{
	return (out->has_file && out->file_at == out->first);
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
			if (is_file(out))
				out->file.offset += (off_t)done;
			return;
		}
		done -= v->iov_len;
		if (is_file(out))
			out->has_file = false;
		out->first++;
		out->n--;
	}
	out->first = 0;
}

static enum stream_rc
write_some(struct sender *out, struct stream *stream, size_t *done_r)
{
	enum stream_rc rc;
	unsigned n;

	if (is_file(out))
		return (stream_write_file(
		    stream, &out->file, out->v[out->first].iov_len, done_r));
	n = out->has_file ? out->file_at - out->first : out->n;
	stream->more = n < out->n; /* the file and this in one packet */
	rc = stream_write(stream, &out->v[out->first], (int)n, done_r);
	stream->more = false;
	return (rc);
}

enum stream_rc
sender_flush(struct sender *out, struct stream *stream)
{
	enum stream_rc rc;
	size_t done;

	while (out->n > 0) {
		rc = write_some(out, stream, &done);
		if (rc != STREAM_OK)
			return (rc);
		sender_drop(out, done);
	}
	return (STREAM_OK);
}
