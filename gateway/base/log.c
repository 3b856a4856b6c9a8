/* SPDX-License-Identifier: Apache-2.0 */
/* Log files with a writer thread, and the error log on top of them. */
#include "config.h"

#include "gateway/base/log.h"

#include "gateway/base/buf.h"
#include "gateway/base/check.h"
#include "gateway/base/clock.h"
#include "gateway/base/lock.h"
#include "gateway/base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define LOG_FILE_MAGIC 0x106f11e0u
#define BATCH_MS 50 /* lines gather this long while it is busy */
#define STUCK_MS 1000 /* patience with a pipe nobody reads, when it must end */
#define STREAM_CHUNK 4096 /* what a writable pipe takes without blocking */
#define ERROR_LOG_BUFFER (256 * 1024)
#define LINE_MAX_BYTES 2048 /* of the error log, before escaping */
#define DROPS_EVERY_US (10 * CLOCK_SECOND)
#define FAULTS_EVERY_US (60 * CLOCK_SECOND)

enum log_kind { KIND_PATH, KIND_STDIO, KIND_SYSLOG, KIND_OFF };

struct log_file {
	unsigned magic;
	struct log_file *next; /* set once, before the file is in the list */
	enum log_kind kind;
	char *target;
	size_t size; /* of either buffer */

	struct lock lock; /* for the next four */
	char *fill;
	size_t fill_n;
	bool queued; /* the writer thread takes it; else written at once */
	bool hurried;

	/* The writer thread's; the writing thread's while !queued. */
	int fd;
	bool is_stream; /* a pipe, socket or terminal: a write may block */
	bool torn; /* a fault ended the last write inside a line */
	char *drain;
	size_t drain_at, drain_n;
	int64_t fault_us; /* when a fault was last told */

	_Atomic uint64_t dropped, written;
	uint64_t reported; /* of `dropped`; the writer thread's */
};

struct log_state {
	_Atomic int level;
	struct lock lock; /* for files, running */
	struct log_file *files;
	bool running;
	struct log_file *_Atomic error;
	pthread_t thread;
	_Atomic bool stop, reopen;
	/* eventfds, made once and never closed: a late log_file_write may
	 * still hold them. wake: something is queued; hurry: don't gather. */
	_Atomic int wake_fd, hurry_fd;
	int64_t drops_told_us; /* the writer thread's */
};

/* lint: global: logging works from any function and thread, before and after
 * everything else; a pointer to hand through every call would serve nobody. */
static struct log_state state = {
	.level = LOG_LEVEL_INFO,
	.lock = { .mutex = PTHREAD_MUTEX_INITIALIZER, .rank = LOCK_LOG },
	.wake_fd = -1,
	.hurry_fd = -1,
};

static void
event_signal(int fd)
{
	const uint64_t one = 1;
	ssize_t n;

	if (fd < 0)
		return;
	do {
		n = write(fd, &one, sizeof one);
	} while (n < 0 && errno == EINTR);
	/* EAGAIN: the counter is full, so the reader is awake already. */
}

static void
event_clear(int fd)
{
	uint64_t count;
	ssize_t n;

	do {
		n = read(fd, &count, sizeof count);
	} while (n < 0 && errno == EINTR);
}

/* --- putting bytes into a descriptor ------------------------------------ */

enum put_rc {
	PUT_DONE,
	PUT_LATER, /* it takes no more now */
	PUT_FAULT, /* errno */
};

static enum put_rc
put_bytes(const struct log_file *f, const char *p, size_t n, size_t *done_r, int wait_ms)
{
	struct pollfd pfd = { .fd = f->fd, .events = POLLOUT };
	size_t done = 0, chunk;
	ssize_t got;
	int ready;

	while (done < n) {
		chunk = n - done;
		if (f->is_stream) {
			ready = poll(&pfd, 1, wait_ms);
			if (ready < 0 && errno == EINTR)
				continue;
			if (ready == 0)
				break;
			if (chunk > STREAM_CHUNK)
				chunk = STREAM_CHUNK;
		}
		got = write(f->fd, p + done, chunk);
		if (got >= 0)
			done += (size_t)got;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR) {
			*done_r = done;
			return (PUT_FAULT);
		}
	}
	*done_r = done;
	return (done == n ? PUT_DONE : PUT_LATER);
}

static uint64_t
count_lines(struct span s)
{
	uint64_t lines = 0;
	size_t at;

	while ((at = span_index(s, '\n')) != SIZE_MAX) {
		lines++;
		s = span_cut(s, at + 1, s.n);
	}
	return (lines);
}

static void
put_syslog(struct log_file *f)
{
	struct span rest = span_mem(f->drain, f->drain_n), line;

	while (rest.n > 0 && span_split(&rest, '\n', &line))
		syslog(LOG_INFO, "%.*s", SPAN_FMT(line));
	atomic_fetch_add(&f->written, count_lines(span_mem(f->drain, f->drain_n)));
	f->drain_at = f->drain_n = 0;
}

/* What is left in `drain` will not be written. */
static void
drop_rest(struct log_file *f)
{
	struct span rest = span_mem(f->drain + f->drain_at, f->drain_n - f->drain_at);

	f->torn = f->drain_at > 0 && f->drain[f->drain_at - 1] != '\n';
	atomic_fetch_add(&f->dropped, count_lines(rest));
	f->drain_at = f->drain_n = 0;
}

/* Told at most once a minute and file: a full disk stays full for a while. */
static void
tell_fault(struct log_file *f, int number)
{
	int64_t now = clock_mono_us();
	const char *cause = strerrordesc_np(number);

	if (f->fault_us != 0 && now - f->fault_us < FAULTS_EVERY_US)
		return;
	f->fault_us = now;
	log_error("log", "%s: cannot write: %s; lines are dropped", f->target,
	    cause != NULL ? cause : "unknown error");
}

/* Writes out of `drain`; returns 0 or the errno of a fault. PUT_LATER leaves
 * the rest there. */
static int
put_drain(struct log_file *f, int wait_ms)
{
	struct span todo = span_mem(f->drain + f->drain_at, f->drain_n - f->drain_at);
	enum put_rc rc = PUT_DONE;
	size_t done;
	int fault;

	if (todo.n == 0)
		return (0);
	if (f->kind == KIND_SYSLOG) {
		put_syslog(f);
		return (0);
	}
	if (f->torn) { /* keeps the next record whole */
		rc = put_bytes(f, "\n", 1, &done, wait_ms);
		if (rc == PUT_DONE)
			f->torn = false;
	}
	if (rc == PUT_DONE) {
		rc = put_bytes(f, todo.p, todo.n, &done, wait_ms);
		fault = errno;
		atomic_fetch_add(&f->written, count_lines(span_cut(todo, 0, done)));
		f->drain_at += done;
	} else
		fault = errno;
	switch (rc) {
	case PUT_DONE: f->drain_at = f->drain_n = 0; return (0);
	case PUT_LATER: return (0);
	case PUT_FAULT: break;
	}
	/* A torn line that was never begun stays torn. */
	if (f->drain_at > 0 || !f->torn)
		drop_rest(f);
	else {
		drop_rest(f);
		f->torn = true;
	}
	return (fault);
}

static void
swap_buffers(struct log_file *f)
{
	char *empty = f->drain;

	f->drain = f->fill;
	f->drain_at = 0;
	f->drain_n = f->fill_n;
	f->fill = empty;
	f->fill_n = 0;
	f->hurried = false;
}

/* --- one file ----------------------------------------------------------- */

static enum err_code
explain_open(const char *path, struct err *e)
{
	int number = errno;
	char *parent = mem_strdup(path), *slash = strrchr(parent, '/');
	enum err_code rc;

	if (slash != NULL && slash != parent)
		*slash = '\0';
	errno = number;
	if (number == ENOENT && slash != NULL && access(parent, F_OK) != 0)
		rc = err_set(e, ERR_IO,
		    "%s: cannot open: the folder %s does not exist; create it or name "
		    "another path",
		    path, parent);
	else {
		errno = number;
		rc = err_errno(e, "%s: cannot open for writing", path);
	}
	free(parent);
	return (rc);
}

static enum err_code
open_path(const char *path, int *fd_r, struct err *e)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		return (explain_open(path, e));
	*fd_r = fd;
	return (ERR_OK);
}

static bool
fd_is_stream(int fd)
{
	struct stat st;

	return (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode));
}

enum err_code
log_file_open(
    struct log_file **file_r, const char *target, size_t buffer_bytes, struct err *e)
{
	struct log_file *f;
	enum log_kind kind = KIND_PATH;
	int fd = -1;

	if (strcmp(target, "stdout") == 0 || strcmp(target, "stderr") == 0) {
		kind = KIND_STDIO;
		fd = strcmp(target, "stdout") == 0 ? STDOUT_FILENO : STDERR_FILENO;
	} else if (strcmp(target, "syslog") == 0)
		kind = KIND_SYSLOG;
	else if (strcmp(target, "off") == 0)
		kind = KIND_OFF;
	else if (open_path(target, &fd, e) != ERR_OK)
		return (ERR_IO);
	f = mem_zalloc(sizeof *f);
	f->magic = LOG_FILE_MAGIC;
	f->kind = kind;
	f->target = mem_strdup(target);
	f->fd = fd;
	f->is_stream = fd >= 0 && fd_is_stream(fd);
	lock_init(&f->lock, LOCK_LOG);
	if (kind == KIND_SYSLOG)
		openlog("yett", LOG_PID, LOG_DAEMON);
	if (kind != KIND_OFF) {
		f->size = buffer_bytes;
		f->fill = mem_alloc(buffer_bytes);
		f->drain = mem_alloc(buffer_bytes);
	}
	lock_take(&state.lock);
	f->queued = state.running;
	f->next = state.files;
	state.files = f;
	lock_release(&state.lock);
	*file_r = f;
	return (ERR_OK);
}

/* Without the writer thread: at once, waiting a moment for a full pipe. The
 * lock is held, which keeps lines whole. */
static void
write_through(struct log_file *f)
{
	swap_buffers(f);
	put_drain(f, STUCK_MS);
	if (f->drain_n != 0)
		drop_rest(f);
}

bool
log_file_write(struct log_file *f, struct span line)
{
	bool taken = false, first = false, hurry = false;

	CHECK_OBJ(f, LOG_FILE_MAGIC);
	if (f->kind == KIND_OFF)
		return (true);
	lock_take(&f->lock);
	if (line.n < f->size - f->fill_n) {
		taken = true;
		first = f->fill_n == 0;
		if (line.n > 0)
			memcpy(f->fill + f->fill_n, line.p, line.n);
		f->fill_n += line.n;
		f->fill[f->fill_n++] = '\n';
	}
	if (!f->queued && taken) {
		uint64_t lost = atomic_load(&f->dropped);

		write_through(f);
		taken = atomic_load(&f->dropped) == lost;
		first = false;
	} else if (!taken)
		atomic_fetch_add(&f->dropped, 1);
	else if (!f->hurried && f->fill_n >= f->size / 2)
		hurry = f->hurried = true;
	lock_release(&f->lock);
	if (first)
		event_signal(atomic_load(&state.wake_fd));
	if (hurry)
		event_signal(atomic_load(&state.hurry_fd));
	return (taken);
}

uint64_t
log_file_dropped(const struct log_file *f)
{
	CHECK_OBJ(f, LOG_FILE_MAGIC);
	return (atomic_load(&f->dropped));
}

uint64_t
log_file_written(const struct log_file *f)
{
	CHECK_OBJ(f, LOG_FILE_MAGIC);
	return (atomic_load(&f->written));
}

void
log_file_close(struct log_file **file)
{
	struct log_file *f = *file, **at;

	if (f == NULL)
		return;
	CHECK_OBJ(f, LOG_FILE_MAGIC);
	lock_take(&state.lock);
	CHECK(!state.running);
	for (at = &state.files; *at != f; at = &(*at)->next)
		CHECK(*at != NULL);
	*at = f->next;
	lock_release(&state.lock);
	if (f->kind == KIND_PATH)
		close(f->fd);
	lock_destroy(&f->lock);
	free(f->fill);
	free(f->drain);
	free(f->target);
	f->magic = 0;
	free(f);
	*file = NULL;
}

/* --- the writer thread -------------------------------------------------- */

/* The list grows at its head only while the thread runs. */
static struct log_file *
list_files(void)
{
	struct log_file *head;

	lock_take(&state.lock);
	head = state.files;
	lock_release(&state.lock);
	return (head);
}

/* Returns true when bytes are left that the descriptor does not take now. */
static bool
flush_file(struct log_file *f)
{
	int fault;

	if (f->kind == KIND_OFF)
		return (false);
	fault = put_drain(f, 0);
	if (fault == 0 && f->drain_n == 0) {
		lock_take(&f->lock);
		swap_buffers(f);
		lock_release(&f->lock);
		fault = put_drain(f, 0);
	}
	if (fault != 0)
		tell_fault(f, fault);
	return (f->drain_n != 0);
}

static bool
flush_files(void)
{
	struct log_file *f;
	bool left = false;

	for (f = list_files(); f != NULL; f = f->next)
		left |= flush_file(f);
	return (left);
}

/* Returns true when there is something that is not told yet. */
static bool
tell_drops(bool now)
{
	int64_t at = clock_mono_us();
	struct log_file *f;
	uint64_t dropped;
	bool untold = false;

	now |= state.drops_told_us == 0 || at - state.drops_told_us >= DROPS_EVERY_US;
	for (f = list_files(); f != NULL; f = f->next) {
		dropped = atomic_load(&f->dropped);
		if (dropped == f->reported)
			continue;
		untold = true;
		if (!now)
			continue;
		log_warn("log", "%s: %" PRIu64 " lines dropped, %" PRIu64 " in all",
		    f->target, dropped - f->reported, dropped);
		f->reported = dropped;
		state.drops_told_us = at;
	}
	return (untold && !now);
}

static void
reopen_files(void)
{
	struct log_file *f;
	struct err e;
	int fd = -1;

	for (f = list_files(); f != NULL; f = f->next) {
		if (f->kind != KIND_PATH)
			continue;
		if (open_path(f->target, &fd, &e) != ERR_OK) {
			log_error("log", "%s; the old file is kept", e.text);
			continue;
		}
		close(f->fd);
		f->fd = fd;
		f->is_stream = fd_is_stream(fd);
		f->torn = false;
	}
}

/* The last bytes, and from here on every line is written at once. */
static void
finish_file(struct log_file *f)
{
	if (f->kind == KIND_OFF)
		return;
	lock_take(&f->lock);
	f->queued = false;
	put_drain(f, 0);
	if (f->drain_n != 0)
		drop_rest(f);
	swap_buffers(f);
	put_drain(f, 0);
	if (f->drain_n != 0)
		drop_rest(f);
	lock_release(&f->lock);
}

static void
finish_files(void)
{
	struct log_file *error = atomic_load(&state.error), *f;
	int64_t deadline = clock_mono_us() + STUCK_MS * CLOCK_MS;

	while (flush_files() && clock_mono_us() < deadline)
		poll(NULL, 0, BATCH_MS);
	lock_take(&state.lock);
	state.running = false;
	lock_release(&state.lock);
	for (f = list_files(); f != NULL; f = f->next)
		if (f != error)
			finish_file(f);
	tell_drops(true);
	finish_file(error);
}

static void
wait_for_lines(int timeout_ms)
{
	struct pollfd fds[2] = {
		{ .fd = atomic_load(&state.wake_fd), .events = POLLIN },
		{ .fd = atomic_load(&state.hurry_fd), .events = POLLIN },
	};

	poll(fds, 2, timeout_ms);
	event_clear(fds[0].fd);
	event_clear(fds[1].fd);
}

/* A first line is written at once. More of them gather for a moment, so that
 * a busy gateway makes few large writes. */
static void
gather(void)
{
	struct pollfd pfd = { .fd = atomic_load(&state.hurry_fd), .events = POLLIN };

	poll(&pfd, 1, BATCH_MS);
}

static void *
writer_main(void *unused)
{
	bool left = false, untold = false;

	(void)unused;
	while (!atomic_load(&state.stop)) {
		wait_for_lines(left ? 0 : untold ? STUCK_MS : -1);
		left = flush_files();
		if (atomic_exchange(&state.reopen, false))
			reopen_files();
		untold = tell_drops(false);
		if (!atomic_load(&state.stop))
			gather();
	}
	finish_files();
	return (NULL);
}

static enum err_code
start_thread(struct err *e)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&state.thread, NULL, writer_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		errno = rc;
		return (err_errno(e, "log: cannot start a thread"));
	}
	pthread_setname_np(state.thread, "yett-log");
	return (ERR_OK);
}

static enum err_code
make_events(struct err *e)
{
	int wake, hurry;

	if (atomic_load(&state.wake_fd) >= 0)
		return (ERR_OK);
	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	hurry = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake < 0 || hurry < 0) {
		err_errno(e, "log: eventfd");
		if (wake >= 0)
			close(wake);
		return (ERR_IO);
	}
	atomic_store(&state.wake_fd, wake);
	atomic_store(&state.hurry_fd, hurry);
	return (ERR_OK);
}

static void
set_queued(bool queued)
{
	struct log_file *f;

	lock_take(&state.lock);
	state.running = queued;
	lock_release(&state.lock);
	for (f = list_files(); f != NULL; f = f->next) {
		lock_take(&f->lock);
		f->queued = queued;
		lock_release(&f->lock);
	}
}

enum err_code
log_start(const char *error_target, struct err *e)
{
	struct log_file *error, *old;

	CHECK(!state.running);
	if (make_events(e) != ERR_OK ||
	    log_file_open(&error, error_target, ERROR_LOG_BUFFER, e) != ERR_OK)
		return (err_wrap(e, "error log"));
	old = atomic_exchange(&state.error, error);
	log_file_close(&old);
	atomic_store(&state.stop, false);
	state.drops_told_us = 0;
	set_queued(true);
	if (start_thread(e) != ERR_OK) {
		set_queued(false);
		return (ERR_IO);
	}
	return (ERR_OK);
}

void
log_reopen(void)
{
	atomic_store(&state.reopen, true);
	event_signal(atomic_load(&state.hurry_fd));
}

void
log_stop(void)
{
	bool running;

	lock_take(&state.lock);
	running = state.running;
	lock_release(&state.lock);
	if (!running)
		return;
	atomic_store(&state.stop, true);
	event_signal(atomic_load(&state.hurry_fd));
	CHECK(pthread_join(state.thread, NULL) == 0);
}

/* --- the error log ------------------------------------------------------ */

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&state.level, (int)level, memory_order_relaxed);
}

/* Nothing that a peer sent may move a cursor or end a line. */
static void
put_clean(struct text *to, struct span s)
{
	size_t n;

	while (s.n > 0) {
		unsigned char c = (unsigned char)s.p[0];

		n = c < 0x20 || c == 0x7f ? 0 : utf8_sequence(s);
		if (n == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0)
			n = 0; /* C1 controls */
		if (n > 0)
			text_put(to, span_cut(s, 0, n));
		else
			text_printf(to, "\\x%02x", c);
		s = span_cut(s, n > 0 ? n : 1, s.n);
	}
}

void
log_line(enum log_level level, const char *area, const char *format, ...)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	char time[CLOCK_RFC3339_MAX], plain[LINE_MAX_BYTES];
	struct log_file *file;
	struct text line;
	va_list ap;
	int n;

	if ((int)level < atomic_load_explicit(&state.level, memory_order_relaxed))
		return;
	va_start(ap, format);
	n = vsnprintf(plain, sizeof plain, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	clock_rfc3339(clock_wall_us(), time);
	text_init(&line, 8 * LINE_MAX_BYTES);
	text_printf(&line, "%s %s %s: ", time, names[level], area);
	put_clean(&line, span_of(plain));
	if ((size_t)n >= sizeof plain)
		text_puts(&line, "...");
	file = atomic_load(&state.error);
	if (file != NULL)
		log_file_write(file, text_span(&line));
	else
		dprintf(STDERR_FILENO, "%.*s\n", SPAN_FMT(text_span(&line)));
	text_free(&line);
}
