/* SPDX-License-Identifier: Apache-2.0 */
/* Files kept parsed in memory: one pointer that readers load, and the looks that
 * decide when another content goes behind it. */
#include "config.h"

#include "gateway/base/watched.h"

#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/lock.h"
#include "gateway/base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WATCHED_MAGIC 0x3a7c4ed1u

/* What tells one state of a file from another. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec written, changed;
};

struct retired {
	struct retired *next;
	void *object;
};

struct watched {
	unsigned magic;
	const struct watched_ops *ops;
	const char *path;
	void *data;
	_Atomic(void *) object;
	_Atomic(uint64_t) version;
	struct lock lock;
	struct watched_state state; /* under the lock */
	/* The rest is the polling thread's. */
	struct retired *retired;
	struct stamp loaded, seen, refused; /* all zero: none */
	bool gone; /* at the last look, and told */
};

static bool
stamp_is(const struct stamp *a, const struct stamp *b)
{
	return (a->device == b->device && a->inode == b->inode && a->size == b->size &&
		a->written.tv_sec == b->written.tv_sec &&
		a->written.tv_nsec == b->written.tv_nsec &&
		a->changed.tv_sec == b->changed.tv_sec &&
		a->changed.tv_nsec == b->changed.tv_nsec);
}

/* Only a regular file: opening a pipe would wait for its writer. */
static enum err_code
look(const struct watched *w, struct stamp *stamp_r, struct err *e)
{
	struct stat st;

	memset(stamp_r, 0, sizeof *stamp_r);
	if (stat(w->path, &st) != 0)
		return (err_errno(e, "%s: cannot open", w->path));
	if (!S_ISREG(st.st_mode))
		return (err_set(e, ERR_FORMAT, "%s: not a file", w->path));
	stamp_r->device = st.st_dev;
	stamp_r->inode = st.st_ino;
	stamp_r->size = st.st_size;
	stamp_r->written = st.st_mtim;
	stamp_r->changed = st.st_ctim;
	return (ERR_OK);
}

static void
describe(const struct watched *w, const void *object, char *out, size_t size)
{
	out[0] = '\0';
	if (w->ops->describe != NULL)
		w->ops->describe(object, out, size);
}

static void
tell_loaded(struct watched *w, const void *object, const char *what)
{
	char text[512];

	lock_take(&w->lock);
	w->state.loaded_us = clock_wall_us();
	w->state.stale = false;
	w->state.problem[0] = '\0';
	lock_release(&w->lock);
	describe(w, object, text, sizeof text);
	log_info(
	    w->ops->area, "%s: %s%s%s", w->path, what, text[0] != '\0' ? ": " : "", text);
}

static void
tell_problem(struct watched *w, const char *problem)
{
	lock_take(&w->lock);
	snprintf(w->state.problem, sizeof w->state.problem, "%.*s",
	    (int)sizeof w->state.problem - 1, problem);
	w->state.stale = true;
	lock_release(&w->lock);
	log_error(w->ops->area, "%s; the content loaded before is kept", problem);
}

static void
tell_same(struct watched *w)
{
	bool was_stale;

	lock_take(&w->lock);
	was_stale = w->state.stale;
	w->state.stale = false;
	w->state.problem[0] = '\0';
	lock_release(&w->lock);
	if (was_stale)
		log_info(w->ops->area, "%s: is the loaded one again", w->path);
}

enum err_code
watched_new(struct watched **watched_r, const struct watched_ops *ops, const char *path,
    void *data, struct err *e)
{
	struct watched *w = mem_zalloc(sizeof *w);
	void *object = NULL;
	enum err_code rc;

	w->magic = WATCHED_MAGIC;
	lock_init(&w->lock, LOCK_WATCHED);
	w->ops = ops;
	w->path = w->state.path = path;
	w->data = data;
	/* Looked at first: what is written while it is read shows at the next look. */
	rc = look(w, &w->loaded, e);
	if (rc == ERR_OK)
		rc = ops->load(&object, path, data, e);
	if (rc != ERR_OK) {
		lock_destroy(&w->lock);
		free(w);
		return (rc);
	}
	CHECK(object != NULL);
	atomic_init(&w->object, object);
	atomic_init(&w->version, 1);
	tell_loaded(w, object, "loaded");
	*watched_r = w;
	return (ERR_OK);
}

void
watched_free(struct watched **watched)
{
	struct watched *w = *watched;

	if (w == NULL)
		return;
	CHECK_OBJ(w, WATCHED_MAGIC);
	watched_settle(w);
	w->ops->free(atomic_load(&w->object));
	lock_destroy(&w->lock);
	w->magic = 0;
	free(w);
	*watched = NULL;
}

const char *
watched_path(const struct watched *w)
{
	CHECK_OBJ(w, WATCHED_MAGIC);
	return (w->path);
}

const void *
watched_get(const struct watched *w)
{
	CHECK_OBJ(w, WATCHED_MAGIC);
	return (atomic_load_explicit(&w->object, memory_order_acquire));
}

uint64_t
watched_version(const struct watched *w)
{
	CHECK_OBJ(w, WATCHED_MAGIC);
	return (atomic_load_explicit(&w->version, memory_order_acquire));
}

static void
swap(struct watched *w, void *object)
{
	struct retired *old = mem_alloc(sizeof *old);

	old->object = atomic_exchange(&w->object, object);
	old->next = w->retired;
	w->retired = old;
	/* After the swap: a reader that asks for the version first can't keep a
	 * result of the old content under the new version. */
	atomic_fetch_add(&w->version, 1);
}

/* A file that changed while it was read may have been read torn. It looks other
 * than `seen` at the next poll, and is tried again when it is left alone. */
static bool
take_up(struct watched *w, const struct stamp *now)
{
	struct stamp after;
	void *object = NULL;
	struct err e = { .code = ERR_OK };
	enum err_code rc;

	rc = w->ops->load(&object, w->path, w->data, &e);
	if (look(w, &after, NULL) != ERR_OK || !stamp_is(&after, now)) {
		if (rc == ERR_OK)
			w->ops->free(object);
		return (false);
	}
	if (rc != ERR_OK) {
		w->refused = *now;
		tell_problem(w, e.text);
		return (false);
	}
	CHECK(object != NULL);
	w->loaded = *now;
	swap(w, object);
	tell_loaded(w, object, "taken up anew");
	return (true);
}

bool
watched_poll(struct watched *w)
{
	struct stamp now;
	struct err e;

	CHECK_OBJ(w, WATCHED_MAGIC);
	if (look(w, &now, &e) != ERR_OK) {
		memset(&w->seen, 0, sizeof w->seen);
		memset(&w->refused, 0, sizeof w->refused);
		if (!w->gone)
			tell_problem(w, e.text);
		w->gone = true;
		return (false);
	}
	w->gone = false;
	if (stamp_is(&now, &w->loaded)) {
		tell_same(w);
		return (false);
	}
	if (stamp_is(&now, &w->refused))
		return (false);
	if (!stamp_is(&now, &w->seen)) {
		w->seen = now;
		return (false);
	}
	return (take_up(w, &now));
}

void
watched_settle(struct watched *w)
{
	struct retired *old;

	CHECK_OBJ(w, WATCHED_MAGIC);
	while ((old = w->retired) != NULL) {
		w->retired = old->next;
		w->ops->free(old->object);
		free(old);
	}
}

void
watched_state(struct watched *w, struct watched_state *state_r)
{
	CHECK_OBJ(w, WATCHED_MAGIC);
	lock_take(&w->lock);
	*state_r = w->state;
	lock_release(&w->lock);
}
