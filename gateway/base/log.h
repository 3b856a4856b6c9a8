/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/log.h - the error log and the log files. Lines go into a bounded
 * buffer and one writer thread puts them on disk, so that no loop ever waits
 * for a file. What does not fit is dropped and counted, never silently lost:
 * the writer reports counts in the error log. Any thread may log. */
#ifndef YETT_LOG_H
#define YETT_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/span.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* The error log. Before log_start it writes straight to standard error.
 * Lines are "2026-01-31T12:34:56.123456Z warn tls: text"; control bytes and
 * broken UTF-8 in the arguments are escaped. */
void log_set_level(enum log_level);
void log_line(enum log_level, const char *area, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define log_debug(area, ...)	log_line(LOG_LEVEL_DEBUG, area, __VA_ARGS__)
#define log_info(area, ...)	log_line(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_warn(area, ...)	log_line(LOG_LEVEL_WARN, area, __VA_ARGS__)
#define log_error(area, ...)	log_line(LOG_LEVEL_ERROR, area, __VA_ARGS__)

/* A file of whole lines. target: a path, "stdout", "stderr", "syslog" or
 * "off". Opened at once (append, 0640); ERR_IO names path and cause.
 * `buffer_bytes` bounds what waits for the writer. */
struct log_file;
enum err_code log_file_open(struct log_file **file_r, const char *target,
    size_t buffer_bytes, struct err *);
/* Takes one line, without its newline. False when it was dropped. */
bool log_file_write(struct log_file *, struct span line);
uint64_t log_file_dropped(const struct log_file *);
uint64_t log_file_written(const struct log_file *);
void log_file_close(struct log_file **);	/* after log_stop */

/* Starts the writer thread; `error_target` as in log_file_open. */
enum err_code log_start(const char *error_target, struct err *);
/* All files are closed and opened again by path (SIGUSR1); a path that can't
 * be opened keeps the old descriptor and logs an error. Returns at once. */
void log_reopen(void);
/* Writes what is queued, then ends the thread. Idempotent. */
void log_stop(void);

#endif
