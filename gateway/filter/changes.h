/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/changes.h - the operator's changes of header fields: set, add, remove,
 * and a preset of security fields. Made when the configuration is read, then any thread
 * applies them while it writes a head:
 *
 *	for each field f of the message: write it unless changes_takes(c, f->name);
 *	changes_put(c, ...) writes what is set and added.
 */
#ifndef YETT_FILTER_CHANGES_H
#define YETT_FILTER_CHANGES_H

#include <stdbool.h>

#include "gateway/base/buf.h"
#include "gateway/base/err.h"
#include "gateway/base/span.h"
#include "gateway/filter/template.h"
#include "gateway/http/fields.h"

#define CHANGES_MAX 64 /* of one message */
#define CHANGES_NAME_MAX 128

enum changes_of {
	CHANGES_OF_REQUEST,
	CHANGES_OF_RESPONSE,
};

struct changes;
struct changes *changes_new(enum changes_of);
void changes_free(struct changes **);

/* Instead of what the message has of that name; a field whose text comes out empty is
 * taken away. Twice for one name is an error, as is setting what is removed. */
enum err_code
changes_set(struct changes *, struct span name, struct span text, struct err *);
/* Besides what the message has. Not written when its text comes out empty. */
enum err_code
changes_add(struct changes *, struct span name, struct span text, struct err *);
enum err_code changes_remove(struct changes *, struct span name, struct err *);

/* The security fields: each only where neither the origin has it nor a change names
 * it. Of responses. */
void changes_preset(struct changes *);
/* The i-th of the preset, for the reference of the configuration; false behind the
 * last. */
bool changes_preset_field(
    size_t i, struct span *name_r, struct span *value_r, bool *https_only_r);

/* Is a field of the message not to be written? Of requests also one that CGI-like
 * origins take for the same, so that a client can't say X_Id where X-Id is set. */
bool changes_takes(const struct changes *, struct span name);
/* Of requests: does the operator's text of that field differ between requests for the
 * same URL? What clients say there tells a cache nothing then. */
bool changes_tells_apart(const struct changes *, struct span name);
/* `fields`: the message's own, for the preset. `is_https`: how the client came. */
void changes_put(const struct changes *, const struct http_fields *fields,
    const struct template_values *, bool is_https, struct text *head);

#endif
