/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/base/err.h - an error: a code to branch on and a text for a person.
 * The text is built where the fault is known and gains context going up:
 * "policy default: /etc/x.conf: line 3: ...". Not for hot paths, which return
 * enums of their own. A struct err belongs to one thread at a time. */
#ifndef YETT_ERR_H
#define YETT_ERR_H

enum err_code {
	ERR_OK = 0,
	ERR_IO,			/* the system refused: file, socket, memory */
	ERR_FORMAT,		/* bytes that are not what they should be */
	ERR_RANGE,		/* well formed, out of bounds */
	ERR_CONFLICT,		/* two things that contradict each other */
	ERR_MISSING,		/* something named does not exist */
	ERR_UNSUPPORTED,	/* understood, not built or not allowed */
};

struct err {
	enum err_code code;
	char text[1024];	/* one line, valid UTF-8, no newline */
};

/* Both return `code` (err_wrap: the code already there), so that
 * `return (err_set(e, ERR_IO, ...))` reads well. `e` may be NULL. */
enum err_code err_set(struct err *e, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum err_code err_wrap(struct err *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* As err_set, with ": " and strerror(errno) behind. */
enum err_code err_errno(struct err *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
