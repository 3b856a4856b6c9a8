/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a body that is held back for inspection. */
#include "config.h"

#include "gateway/request/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/check.h"

#define SPOOL_FIRST 4096u

static struct spool *
spool_of(struct job *job)
{
	return ((struct spool *)((char *)job - offsetof(struct spool, job)));
}

void
spool_init(struct spool *s, struct loop *home, void (*wake)(void *), void *data)
{
	memset(s, 0, sizeof(*s));
	s->fd = -1;
	s->job.home = home;
	s->wake = wake;
	s->data = data;
}

void
spool_free(struct spool *s)
{
	CHECK(!s->busy);
	free(s->memory);
	s->memory = NULL;
	s->used = s->size = 0;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

uint64_t
spool_bytes(const struct spool *s)
{
	return (s->fd >= 0 ? s->in_file + s->used : s->used);
}

static int
open_unlinked(void)
{
	const char *folder;
	int fd;

	folder = getenv("TMPDIR");
	fd = open(folder != NULL ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return (fd);
}

static bool
write_all(int fd, const char *p, size_t n, uint64_t at)
{
	ssize_t done;

	while (n > 0) {
		done = pwrite(fd, p, n, (off_t)at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return (false);
		p += done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return (true);
}

static void
run_write(struct job *job)
{
	struct spool *s;

	s = spool_of(job);
	if (s->fd < 0)
		s->fd = open_unlinked();
	if (s->fd < 0 || !write_all(s->fd, s->memory, s->used, s->in_file)) {
		s->error = errno != 0 ? errno : EIO;
		return;
	}
	s->in_file += s->used;
	s->used = 0;
}

static void
run_read(struct job *job)
{
	struct spool *s;
	ssize_t n;

	s = spool_of(job);
	do
		n = pread(s->fd, s->memory, s->size, (off_t)s->read_at);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		s->error = n < 0 ? errno : EIO;
		return;
	}
	s->used = (size_t)n;
}

static void
job_done(struct job *job)
{
	struct spool *s;

	s = spool_of(job);
	s->busy = false;
	s->wake(s->data);
}

static enum spool_rc
start(struct spool *s, struct job_pool *pool, void (*run)(struct job *))
{
	s->busy = true;
	s->job.run = run;
	s->job.done = job_done;
	job_submit(pool, &s->job);
	return (SPOOL_WAIT);
}

static void
grow(struct spool *s, size_t need)
{
	size_t size;

	if (need <= s->size)
		return;
	size = s->size != 0 ? s->size : SPOOL_FIRST;
	while (size < need)
		size *= 2;
	s->memory = mem_realloc(s->memory, size);
	s->size = size;
}

enum spool_rc
spool_put(struct spool *s, struct job_pool *pool, struct span data)
{
	if (s->busy)
		return (SPOOL_WAIT);
	if (s->error != 0)
		return (SPOOL_ERROR);
	CHECK(data.n <= SPOOL_MEMORY);
	if (s->used + data.n > SPOOL_MEMORY)
		return (start(s, pool, run_write));
	grow(s, s->used + data.n);
	if (data.n > 0)
		memcpy(s->memory + s->used, data.p, data.n);
	s->used += data.n;
	return (SPOOL_OK);
}

enum spool_rc
spool_seal(struct spool *s, struct job_pool *pool)
{
	if (s->busy)
		return (SPOOL_WAIT);
	if (s->error != 0)
		return (SPOOL_ERROR);
	if (s->fd >= 0 && s->used > 0)
		return (start(s, pool, run_write));
	return (SPOOL_OK);
}

enum spool_rc
spool_read(struct spool *s, struct job_pool *pool, struct span *piece_r)
{
	if (s->busy)
		return (SPOOL_WAIT);
	if (s->error != 0)
		return (SPOOL_ERROR);
	if (s->fd < 0) {
		*piece_r = span_cut(span_mem(s->memory, s->used), s->read_at, s->used);
		s->read_at = s->used;
		return (piece_r->n > 0 ? SPOOL_OK : SPOOL_END);
	}
	if (s->used > 0) {
		*piece_r = span_mem(s->memory, s->used);
		s->read_at += s->used;
		s->used = 0;
		return (SPOOL_OK);
	}
	if (s->read_at >= s->in_file)
		return (SPOOL_END);
	return (start(s, pool, run_read));
}

void
spool_rewind(struct spool *s)
{
	CHECK(!s->busy);
	s->read_at = 0;
	if (s->fd >= 0)
		s->used = 0;
}
