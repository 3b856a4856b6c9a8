/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/request/spool.h - the part of a body that is held back for
 * inspection: in memory up to SPOOL_MEMORY bytes, then in an unlinked temporary
 * file that job threads write and read, never a loop. One request's; used on
 * its loop. */
#ifndef YETT_REQUEST_SPOOL_H
#define YETT_REQUEST_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/loop/jobs.h"

#define SPOOL_MEMORY (64u << 10)

struct spool {
	char *memory;
	size_t used, size;	/* of memory; what is not in the file yet */
	int fd;			/* -1: all is in memory */
	uint64_t in_file;	/* bytes written there */
	uint64_t read_at;	/* next byte that spool_read takes from the file */
	int error;		/* errno of a failed write or read; sticky */
	bool busy;		/* a job has it */
	struct job job;
	void (*wake)(void *data);
	void *data;
};

enum spool_rc {
	SPOOL_OK,
	SPOOL_WAIT,		/* `wake` will be called; give the same again */
	SPOOL_END,
	SPOOL_ERROR,
};

/* `wake(data)` runs on `home` when a job is done. */
void spool_init(struct spool *, struct loop *home, void (*wake)(void *), void *data);
void spool_free(struct spool *);	/* not while busy */
uint64_t spool_bytes(const struct spool *);
/* Takes all of `data` (SPOOL_OK) or nothing of it. */
enum spool_rc spool_put(struct spool *, struct job_pool *, struct span data);
/* No more comes: what is in memory goes to the file if there is one. */
enum spool_rc spool_seal(struct spool *, struct job_pool *);
/* Next piece for the origin, valid until the next call. */
enum spool_rc spool_read(struct spool *, struct job_pool *, struct span *piece_r);
/* From the start again (a retry). */
void spool_rewind(struct spool *);

#endif
