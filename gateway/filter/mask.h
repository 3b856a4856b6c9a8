/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/filter/mask.h - takes secrets out of what goes to a log. A name is
 * secret when it contains one of the words of logs.audit.mask, without case:
 * the value becomes "***". Where the form of a text leaves a doubt, too much is
 * masked rather than too little. Linear in the text. Made once, then any
 * thread. */
#ifndef YETT_FILTER_MASK_H
#define YETT_FILTER_MASK_H

#include <stdbool.h>

#include "gateway/base/buf.h"
#include "gateway/base/span.h"
#include "gateway/conf/conf.h"

struct mask;
struct mask *mask_new(const struct conf_strings *words);
void mask_free(struct mask **);

bool mask_is_secret(const struct mask *, struct span name);
/* A query or urlencoded form: names are percent-decoded before they are looked
 * at, the text stays as it was but for the values of secrets. */
void mask_query(const struct mask *, struct span query, struct text *out);
/* Value of a field of that name: all of a secret one; of Cookie and Set-Cookie
 * each value where the field is secret; of Referer its query; of Authorization
 * the credentials but not the scheme. */
void
mask_field(const struct mask *, struct span name, struct span value, struct text *out);
/* A path with ;name=value parameters. */
void mask_path(const struct mask *, struct span path, struct text *out);
/* Value of an engine variable: "ARGS:password", "ARGS:json.user.token",
 * "REQUEST_COOKIES:sid", "REQUEST_HEADERS:Authorization", "REQUEST_BODY" (a form
 * or JSON by its look: secret members masked), "REQUEST_URI", "QUERY_STRING",
 * "ARGS_NAMES" ... also as "Matched Data: X found within VARIABLE: Y". Values of
 * XML lost the names of their elements: all of them are masked. */
void mask_variable(
    const struct mask *, struct span variable, struct span value, struct text *out);
/* Is all of the variable's value a secret, whatever it is? */
bool mask_is_secret_variable(const struct mask *, struct span variable);
/* The variable itself: a body of JSON read as a form becomes a name. */
void mask_variable_name(const struct mask *, struct span variable, struct text *out);

#endif
