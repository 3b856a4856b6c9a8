/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/sender.h - what is on its way out on one stream: a few spans
 * that stay where they are until they are written, chunk framing included, so
 * that head and body leave in one call and nothing is copied. What is a file in memory
 * as well is not even copied by the kernel. One thread. */
#ifndef YETT_REQUEST_SENDER_H
#define YETT_REQUEST_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/loop/stream.h"

#define SENDER_PIECES 8

struct sender {
	struct iovec v[SENDER_PIECES];
	unsigned first, n;
	char chunk_line[24];
	bool has_file;			/* v[file_at] is of `file` */
	unsigned file_at;
	struct stream_file file;
};

void sender_reset(struct sender *);
bool sender_is_empty(const struct sender *);
size_t sender_bytes(const struct sender *);
/* Empty spans are passed over. At most SENDER_PIECES between two flushes. */
void sender_put(struct sender *, struct span);
/* A piece of which `n` bytes from `from` on are a file, too; once between two flushes,
 * to a stream that takes files. */
struct sender_lent {
	struct stream_file file;
	size_t from, n;
};
void sender_put_lent(struct sender *, struct span, const struct sender_lent *);
/* One chunk (RFC 9112 7.1) around non-empty data; once between two flushes. */
void sender_put_chunk(struct sender *, struct span data);
void sender_put_last_chunk(struct sender *);
/* STREAM_OK: all is written. Else what the stream said. */
enum stream_rc sender_flush(struct sender *, struct stream *);

#endif
