/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/watched.h - a file kept parsed in memory and taken up anew when
 * it changes: address lists, geo databases, password files. What can't be parsed
 * changes nothing: the old content stays and the error log says why, once. Readers
 * take no lock: an object that was replaced is freed only after every reader
 * thread has passed a quiet point (a round of its loop), which the caller of
 * watched_poll sees to (read-copy-update, McKenney and Slingwine 1998). */
#ifndef YETT_WATCHED_H
#define YETT_WATCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/err.h"

struct watched_ops {
	const char *area;	/* for the error log: "geo" */
	/* `data` is the caller's of watched_new. Errors name the file and line. */
	enum err_code (*load)(void **object_r, const char *path, void *data,
	    struct err *);
	void (*free)(void *object);
	/* One line for the error log of what was loaded; may be NULL. */
	void (*describe)(const void *object, char *out, size_t size);
};

struct watched;
/* Loads at once; an error is the caller's to report. `path` and `data` must
 * outlive it. */
enum err_code watched_new(struct watched **watched_r, const struct watched_ops *,
    const char *path, void *data, struct err *);
/* No thread may be reading. */
void watched_free(struct watched **);
/* The content; any thread, without a lock. Good until the thread returns to its
 * loop. Never NULL. */
const void *watched_get(const struct watched *);
const char *watched_path(const struct watched *);
/* Counts the times another content was taken up: for caches of results. */
uint64_t watched_version(const struct watched *);

/* Of the three below the first two are for one thread at a time, and take as long
 * as the file takes to load. Looks whether the file is another one or
 * was written (device, inode, size, times), and if so, and it has been left alone
 * since the look before, loads it. True: the content was replaced, and the old one
 * waits for watched_settle. */
bool watched_poll(struct watched *);
/* Every reader has passed a quiet point since the last poll: frees what waits. */
void watched_settle(struct watched *);
struct watched_state {
	const char *path;
	int64_t loaded_us;	/* wall clock */
	bool stale;		/* the file on disk was refused */
	char problem[256];	/* why; "" */
};
/* Any thread. */
void watched_state(struct watched *, struct watched_state *state_r);

#endif
