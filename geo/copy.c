/* SPDX-License-Identifier: Apache-2.0 */
/* Private copies of files. */
#include "config.h"

#include "geo/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536

static enum err_code
make_memory(int *fd_r, struct err *e)
{
	*fd_r = memfd_create("yett-geo", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd_r < 0)
		return (err_errno(e, "memfd_create"));
	return (ERR_OK);
}

static enum err_code
seal(int fd, struct err *e)
{
	if (fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
		return (err_errno(e, "memfd: cannot seal"));
	return (ERR_OK);
}

static enum err_code
put(int fd, struct span s, struct err *e)
{
	ssize_t n;

	while (s.n > 0) {
		n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (err_errno(e, "memfd: cannot write"));
		s = span_cut(s, (size_t)n, s.n);
	}
	return (ERR_OK);
}

/* Up to the size that the file had: one that is being written to is torn
 * anyway, and is looked at again later. */
static enum err_code
copy(int from, int to, uint64_t size, struct err *e)
{
	char chunk[CHUNK];
	uint64_t done = 0;
	ssize_t n;

	while (done < size) {
		n = read(from, chunk, size - done < CHUNK ? size - done : CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return (err_errno(e, "cannot read"));
		if (n == 0)
			return (err_set(e, ERR_FORMAT,
			    "became shorter while it was read; write beside it and "
			    "rename"));
		if (put(to, span_mem(chunk, (size_t)n), e) != ERR_OK)
			return (ERR_IO);
		done += (uint64_t)n;
	}
	return (ERR_OK);
}

static enum err_code
copy_open(int from, int *fd_r, struct err *e)
{
	enum err_code rc;
	struct stat st;

	if (fstat(from, &st) != 0)
		return (err_errno(e, "fstat"));
	if (!S_ISREG(st.st_mode))
		return (err_set(e, ERR_FORMAT, "not a file"));
	if (st.st_size > (off_t)COPY_BYTES_MAX)
		return (err_set(e, ERR_RANGE, "larger than %u MiB, which is the most",
		    COPY_BYTES_MAX >> 20));
	rc = make_memory(fd_r, e);
	if (rc != ERR_OK)
		return (rc);
	rc = copy(from, *fd_r, (uint64_t)st.st_size, e);
	if (rc == ERR_OK)
		rc = seal(*fd_r, e);
	if (rc != ERR_OK)
		close(*fd_r);
	return (rc);
}

enum err_code
copy_file(const char *path, int *fd_r, struct err *e)
{
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum err_code rc;

	if (from < 0)
		return (err_errno(e, "%s: cannot open", path));
	rc = copy_open(from, fd_r, e);
	close(from);
	return (rc == ERR_OK ? ERR_OK : err_wrap(e, "%s", path));
}

enum err_code
copy_bytes(struct span bytes, int *fd_r, struct err *e)
{
	enum err_code rc = make_memory(fd_r, e);

	if (rc != ERR_OK)
		return (rc);
	rc = put(*fd_r, bytes, e);
	if (rc == ERR_OK)
		rc = seal(*fd_r, e);
	if (rc != ERR_OK)
		close(*fd_r);
	return (rc);
}
