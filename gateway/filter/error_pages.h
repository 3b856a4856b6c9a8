/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/error_pages.h - pages of the operator's own for refusals: the files of
 * a folder, read once. Immutable then; any thread writes them.
 *
 * 403.html is for that status, 4xx.html and 5xx.html for their class, default.html for
 * the rest; the same with .json for clients that like JSON better (problem+json, RFC
 * 9457). Other files are not looked at, but a .html or .json of another name is an
 * error. In a page %{NAME} is a variable; "%{" of anything else, such as the
 * "50%{top:0}" of a style sheet, is itself, and "%%{NAME}" writes "%{NAME}". */
#ifndef YETT_FILTER_ERROR_PAGES_H
#define YETT_FILTER_ERROR_PAGES_H

#include "gateway/base/buf.h"
#include "gateway/base/err.h"
#include "gateway/base/span.h"

#define ERROR_PAGE_BYTES_MAX ((size_t)64 << 10) /* of one file */
#define ERROR_PAGES_MAX 64 /* of one folder */
#define ERROR_PAGE_PIECES_MAX 256 /* texts and variables of one page */

/* What each is, for the guide. Never a word of rules. */
/* clang-format off */
#define ERROR_PAGE_VARIABLES(V)						\
	V(ID, "id", "the request id, which records have too")		\
	V(STATUS, "status", "403")					\
	V(REASON, "reason", "Forbidden")				\
	V(HOST, "host", "the host asked for")
/* clang-format on */

struct error_page_values {
	uint16_t status;
	struct span id, host;
};

struct error_pages;
/* The error names the file, and the line of what is wrong in it. */
enum err_code
error_pages_load(struct error_pages **, const char *folder, struct err *e);
void error_pages_free(struct error_pages **);
unsigned error_pages_count(const struct error_pages *);
const char *error_pages_folder(const struct error_pages *);

/* Writes the page for the status, values escaped for its kind, and returns its content
 * type; an absent span, and nothing written, where there is none or it does not fit.
 * `accept`: the request's Accept field, may be absent. */
struct span error_pages_put(const struct error_pages *, struct text *body,
    const struct error_page_values *, struct span accept);

#endif
