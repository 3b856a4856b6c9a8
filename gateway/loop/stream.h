/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/loop/stream.h - a connected, non-blocking byte stream: plain socket
 * here, TLS in gateway/tls/. A stream owns its descriptor. It does not watch
 * it: the owner has a loop_io and waits for what a call says it wants. A call
 * on one thread at a time. */
#ifndef YETT_STREAM_H
#define YETT_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>

enum stream_rc {
	STREAM_OK,		/* progress was made */
	STREAM_WANT_READ,	/* call again when readable */
	STREAM_WANT_WRITE,	/* call again when writable */
	STREAM_EOF,		/* orderly end of what the peer sends */
	STREAM_PLAIN_HTTP,	/* TLS handshake only: the peer speaks plain HTTP */
	STREAM_ERROR,		/* broken; `error` says why */
};

struct stream;

/* Bytes that are a file in memory, too. They stay as they are until the file is cut
 * or a hole is made there: the kernel may go on reading them after the call. */
struct stream_file {
	int fd;
	off_t offset;
};

struct stream_ops {
	enum stream_rc (*handshake)(struct stream *);
	enum stream_rc (*read)(struct stream *, void *to, size_t size, size_t *n_r);
	enum stream_rc (*write)(struct stream *, const struct iovec *, int count,
	    size_t *n_r);
	/* The same from a file, without a copy; NULL: this kind of stream can't. */
	enum stream_rc (*write_file)(struct stream *, const struct stream_file *,
	    size_t n, size_t *n_r);
	/* Tells the peer that nothing more comes (close_notify, FIN). */
	enum stream_rc (*finish)(struct stream *);
	/* True when a read would return bytes although the descriptor may not
	 * be readable (decrypted bytes held by the TLS library). */
	bool (*pending)(const struct stream *);
	void (*close)(struct stream *);		/* frees the stream */
};

#define STREAM_MAGIC 0x57a3e111u
struct stream {
	unsigned magic;
	int fd;
	const struct stream_ops *ops;
	const char *error;	/* static text, NULL while all is well */
	bool more;		/* set around a write: another one follows at once */
};

/* Takes ownership of a connected (or connecting) non-blocking socket. */
struct stream *stream_plain(int fd);

static inline enum stream_rc
stream_handshake(struct stream *s)
{
	return (s->ops->handshake(s));
}

/* On STREAM_OK *n_r >= 1 bytes were read. */
static inline enum stream_rc
stream_read(struct stream *s, void *to, size_t size, size_t *n_r)
{
	return (s->ops->read(s, to, size, n_r));
}

/* On STREAM_OK *n_r >= 1 bytes of the vector were taken; where that is not all, the
 * rest is given at once, since what was taken may wait for it. After a WANT the
 * same bytes are given again, at any address, possibly with more behind. */
static inline enum stream_rc
stream_write(struct stream *s, const struct iovec *iov, int count, size_t *n_r)
{
	return (s->ops->write(s, iov, count, n_r));
}

static inline bool
stream_takes_files(const struct stream *s)
{
	return (s->ops->write_file != NULL);
}

static inline enum stream_rc
stream_write_file(struct stream *s, const struct stream_file *file, size_t n, size_t *n_r)
{
	return (s->ops->write_file(s, file, n, n_r));
}

static inline enum stream_rc
stream_finish(struct stream *s)
{
	return (s->ops->finish(s));
}

static inline bool
stream_pending(const struct stream *s)
{
	return (s->ops->pending(s));
}

/* Closes the descriptor and frees; NULLs the pointer. */
void stream_close(struct stream **);
/* Makes the close a reset (SO_LINGER 0): a peer must not take the cut for a
 * complete answer. */
void stream_reset(struct stream **);

#endif
