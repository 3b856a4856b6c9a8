/* SPDX-License-Identifier: Apache-2.0 */
/* gateway/conf/document.h - a YAML text as a tree of nodes that know where they
 * stand. Only what a configuration needs: one document, no anchors, aliases or
 * tags, bounded depth, no control bytes, no key twice in a mapping. */
#ifndef YETT_CONF_DOCUMENT_H
#define YETT_CONF_DOCUMENT_H

#include "gateway/base/arena.h"
#include "gateway/conf/conf.h"

#define DOCUMENT_BYTES_MAX (1024 * 1024)
#define DOCUMENT_DEPTH_MAX 32

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	unsigned line, column; /* from 1 */
	bool plain; /* a scalar without quotes */
	const char *wrong; /* NULL, or what no value may be: to be reported */
	unsigned first_line; /* of a key given twice: where it was first */
	struct node *key; /* of a mapping's member */
	struct span text; /* of a scalar; NUL-terminated */
	struct node *child; /* of a list or mapping */
	struct node *next;
	size_t n; /* how many children */
};

/* The tree lives in `arena`. NULL when there is none to read on with: then at
 * least one problem was added. An empty document is an empty mapping. */
struct node *
document_read(struct arena *, const char *file, struct span yaml, struct conf_problems *);
/* A plain scalar that YAML takes for "nothing": empty, ~ or null. */
bool node_is_nothing(const struct node *);
/* NULL when the mapping has no such member. */
const struct node *node_member(const struct node *map, const char *key);

#endif
